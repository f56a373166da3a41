"""The most similar of many, exactly: as sorting all cosines would say."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bundles import small_bundle
from pictures import COLOURS, colour, write_colours
from regnety import Embedder, SimilarImage, find_neighbours, read_embeddings, write_embeddings
from regnety.inference.similarity import embedding_files, neighbours
from stored_embeddings import pooled, stored_embeddings

SIZE = 24


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that answers are put together of many."""
    monkeypatch.setattr(embedding_files, "BLOCK_BYTES", 100 * SIZE * 4)
    monkeypatch.setattr(neighbours, "QUERY_ROWS", 7)


def sorted_cosines(queries: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """[queries, rows], by the definition."""
    left, right = queries.astype(np.float64), values.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
    cosines: npt.NDArray[np.float64] = left @ right.T / lengths
    return cosines


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("top_k", [1, 5, 150])
def test_neighbours_are_the_largest_cosines(top_k: int, tmp_path: Path) -> None:
    values, queries = pooled(1030, SIZE), pooled(20, SIZE, seed=1)
    stored = stored_embeddings(tmp_path / "e.parquet", values, unreadable=[0, 500, 1029])
    cosines = sorted_cosines(queries, values)
    cosines[:, [0, 500, 1029]] = -2
    for row, found in enumerate(find_neighbours(queries, stored, top_k)):
        order = np.argsort(-cosines[row])[:top_k]
        assert [image.filename for image in found] == [f"{index}.jpg" for index in order]
        np.testing.assert_allclose([image.similarity for image in found], cosines[row, order], atol=1e-6)


@pytest.mark.usefixtures("small_blocks")
def test_equals_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    values = np.ones((350, SIZE), np.float32)
    values[::2] = np.arange(SIZE)
    stored = stored_embeddings(tmp_path / "e.parquet", values)
    (found,) = find_neighbours(np.full((1, SIZE), 7, np.float32), stored, 4)
    assert [image.filename for image in found] == ["1.jpg", "3.jpg", "5.jpg", "7.jpg"]
    assert [image.similarity for image in found] == [pytest.approx(1)] * 4


def test_fewer_images_than_neighbours_and_none(tmp_path: Path) -> None:
    stored = stored_embeddings(tmp_path / "e.parquet", pooled(3, SIZE), unreadable=[1])
    (found,) = find_neighbours(pooled(1, SIZE), stored, 5)
    assert found[0].filename == "0.jpg"
    assert len(found) == 2
    assert find_neighbours(np.empty((0, SIZE), np.float32), stored) == []
    empty = stored_embeddings(tmp_path / "empty.parquet", pooled(2, SIZE), unreadable=[0, 1])
    assert find_neighbours(pooled(1, SIZE), empty) == [()]


def test_an_image_without_features_is_like_nothing(tmp_path: Path) -> None:
    values = pooled(3, SIZE)
    values[1] = 0
    stored = stored_embeddings(tmp_path / "e.parquet", values)
    (found,) = find_neighbours(values[:1], stored, 3)
    assert found[0] == SimilarImage("0.jpg", pytest.approx(1))
    assert found[2] == SimilarImage("1.jpg", 0)


@pytest.mark.parametrize(
    ("queries", "top_k", "message"),
    [
        (np.ones((1, SIZE)), 0, "top_k must be a whole number of at least 1, got 0"),
        (np.ones((1, SIZE - 1)), 5, r"queries must be \[number, 24\], got \(1, 23\)"),
        (np.ones(SIZE), 5, r"queries must be \[number, 24\], got \(24,\)"),
    ],
)
def test_what_is_no_question(queries: npt.NDArray[np.float32], top_k: int, message: str, tmp_path: Path) -> None:
    stored = stored_embeddings(tmp_path / "e.parquet", pooled(3, SIZE))
    with pytest.raises(ValueError, match=message):
        find_neighbours(queries, stored, top_k)


def test_a_colour_finds_its_own(tmp_path: Path) -> None:
    """Random weights are enough for that."""
    folder = write_colours(tmp_path / "colours", count=8)
    embedder = Embedder(small_bundle())
    write_embeddings(tmp_path / "e.parquet", embedder, sorted(folder.rglob("*.png")))
    queries = embedder.embed([colour(label, seed=77) for label in COLOURS])
    for label, found in zip(COLOURS, find_neighbours(queries, read_embeddings(tmp_path / "e.parquet"), 8), strict=True):
        assert {Path(image.filename).parent.name for image in found} == {label}


@pytest.mark.slow
def test_nearest_neighbours_of_photographs_are_of_their_class(shared: Path, tmp_path: Path) -> None:
    """The embedded model, on photographs that it was not trained on: 84 % of 1,100; its top1 is 88 %."""
    import zipfile

    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
        names = [name for name in sorted(archive.namelist()) if name.startswith("test/") and name.endswith("00.jpg")]
        names += [name for name in archive.namelist() if name.startswith("test/") and name.endswith("7.jpg")]
        archive.extractall(tmp_path, sorted({*names}))
    embedder = Embedder("regnety_cifar10")
    paths = sorted(tmp_path.rglob("*.jpg"))
    write_embeddings(tmp_path / "e.parquet", embedder, paths)
    stored = read_embeddings(tmp_path / "e.parquet")
    filenames, values = stored.load()
    answers = find_neighbours(values, stored, 2)
    right = [
        Path(name).parent.name == Path(found[1].filename).parent.name
        for name, found in zip(filenames, answers, strict=True)
    ]
    assert len(right) == 1100
    assert np.mean(right) == pytest.approx(0.84, abs=0.03)
