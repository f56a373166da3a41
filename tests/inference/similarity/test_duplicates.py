"""What is nearly the same, in groups: as comparing all pairs one by one would say."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pictures import encoded, photograph
from regnety import Embedder, SimilarImage, find_duplicates, read_embeddings, write_embeddings
from regnety.inference.similarity import duplicates
from regnety.inference.similarity.duplicates import _bounding, _Groups
from regnety.inference.similarity.neighbours import normalised
from stored_embeddings import pooled, stored_embeddings


def groups_one_by_one(values: npt.NDArray[np.float32], threshold: float) -> list[list[int]]:
    """By the definition: linked rows, found by walking along the links."""
    lengths = np.linalg.norm(values.astype(np.float64), axis=1)
    linked = values.astype(np.float64) @ values.T.astype(np.float64) / np.outer(lengths, lengths) >= threshold
    left, found = set(range(len(values))), []
    while left:
        waiting, group = [min(left)], set()
        while waiting:
            row = waiting.pop()
            if row not in group:
                group.add(row)
                waiting += np.flatnonzero(linked[row]).tolist()
        left -= group
        if len(group) > 1:
            found.append(sorted(group))
    return sorted(found)


@pytest.mark.parametrize("block_rows", [16, 1024])
@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.95, 0.99])
def test_groups_are_those_of_all_pairs(
    threshold: float, size: int, block_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "BLOCK_ROWS", block_rows)
    values = pooled(300, size, classes=40)
    values[50:80] = values[:30] + 0.1 * values[100:130]
    stored = stored_embeddings(tmp_path / "e.parquet", values)
    found = find_duplicates(stored, threshold)
    wanted = groups_one_by_one(values, threshold)
    assert [[int(image.filename.removesuffix(".jpg")) for image in group] for group in found] == wanted
    assert wanted
    for group, rows in zip(found, wanted, strict=True):
        cosines = normalised(values[rows]) @ normalised(values[rows[:1]])[0]
        np.testing.assert_allclose([image.similarity for image in group], cosines, atol=1e-6)


def test_the_bound_is_above_every_cosine() -> None:
    values = normalised(pooled(500, 100))
    bounds = _bounding(values)
    assert bounds.shape == (500, duplicates.SUBSPACE + 1)
    spare = bounds @ bounds.T - values @ values.T
    assert spare.min() > -duplicates.BOUND_ROUNDING
    assert np.median(spare) < 0.1


def test_the_same_bytes_are_a_group_at_any_threshold(tmp_path: Path) -> None:
    values = pooled(6, 33)
    values[4] = values[1]
    stored = stored_embeddings(tmp_path / "e.parquet", values, unreadable=[0])
    assert find_duplicates(stored, 1.0) == [
        (SimilarImage("1.jpg", pytest.approx(1)), SimilarImage("4.jpg", pytest.approx(1)))
    ]


def test_ten_thousand_that_are_all_the_same(tmp_path: Path) -> None:
    """Fifty million pairs, one group."""
    stored = stored_embeddings(tmp_path / "e.parquet", np.ones((10_000, 8), np.float32))
    (group,) = find_duplicates(stored)
    assert len(group) == 10_000
    assert group[-1].filename == "9999.jpg"


def test_a_chain_is_one_group(tmp_path: Path) -> None:
    """Each is like the next one, the last is not like the first."""
    angles = np.linspace(0, np.pi / 2, 30)
    values = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)[np.random.default_rng(0).permutation(30)]
    (group,) = find_duplicates(stored_embeddings(tmp_path / "e.parquet", values), 0.998)
    assert len(group) == 30
    assert min(image.similarity for image in group) < 0.9
    assert find_duplicates(stored_embeddings(tmp_path / "f.parquet", values), 0.999) == []


def test_links_come_in_any_order() -> None:
    random = np.random.default_rng(0)
    path = random.permutation(1000)
    links = np.stack([path[:-1], path[1:]])[:, random.permutation(999)]
    groups = _Groups(1002)
    for part in np.array_split(links, 7, axis=1):
        groups.join(part.min(axis=0), part.max(axis=0))
    (rows,) = groups.of_several()
    assert rows.tolist() == list(range(1000))


def test_nothing_and_one(tmp_path: Path) -> None:
    assert find_duplicates(stored_embeddings(tmp_path / "one.parquet", pooled(1, 8))) == []
    none = stored_embeddings(tmp_path / "none.parquet", pooled(2, 8), unreadable=[0, 1])
    assert find_duplicates(none) == []


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_a_threshold_is_a_cosine(threshold: float, tmp_path: Path) -> None:
    stored = stored_embeddings(tmp_path / "e.parquet", pooled(2, 8))
    with pytest.raises(ValueError, match=r"threshold must be above 0 and at most 1, got "):
        find_duplicates(stored, threshold)


def test_copies_of_photographs_are_found(tmp_path: Path) -> None:
    """Other formats, other sizes and a little brighter; ten photographs that have nothing to do with each other."""
    for seed in range(10):
        picture = photograph(96, 72, seed=seed)
        picture.save(tmp_path / f"{seed}.png")
        if seed < 3:
            (tmp_path / f"{seed}-a.jpg").write_bytes(encoded(picture, "JPEG", quality=90))
            picture.resize((192, 144)).save(tmp_path / f"{seed}-b.webp", quality=90)
    embedder = Embedder("regnety_cifar10")
    write_embeddings(tmp_path / "e.parquet", embedder, sorted(tmp_path.glob("*.*")))
    groups = find_duplicates(read_embeddings(tmp_path / "e.parquet"))
    names = [{Path(image.filename).name for image in group} for group in groups]
    assert names == [{f"{seed}.png", f"{seed}-a.jpg", f"{seed}-b.webp"} for seed in range(3)]
