"""Embeddings in Parquet and back, with what they came from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bundles import small_bundle
from pictures import noise
from regnety import Bundle, DataError, Embedder, read_embeddings, write_embeddings
from regnety.errors import JobError
from regnety.images.formats import MAX_PIXELS
from regnety.inference.similarity import embedding_files
from regnety.version import __version__


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Ten files, of which the fourth and the last cannot be read."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number}.png" for number in range(10)]
    for seed, path in enumerate(paths):
        noise(40, 40, seed=seed).save(path)
    paths[3].write_bytes(b"")
    paths[9].unlink()
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(small_bundle())


@pytest.fixture(scope="module")
def file(images: list[str], embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "embeddings.parquet"
    summary = write_embeddings(path, embedder, images)
    assert (summary.images, summary.unreadable, summary.earlier) == (10, 2, 0)
    return path


def test_a_row_an_image(file: Path, images: list[str], embedder: Embedder) -> None:
    table = pq.read_table(file)
    assert table.schema.names == ["filename", "embedding", "error"]
    assert table.schema.types == [pa.string(), pa.list_(pa.float32(), 32), pa.string()]
    rows = table.to_pylist()
    assert [row["filename"] for row in rows] == images
    assert [row["error"] for row in rows if row["error"]] == [f"{images[3]}: is empty", f"{images[9]}: no such file"]
    for number, row in enumerate(rows):
        assert (row["embedding"] is None) == (number in (3, 9))
        if row["embedding"] is not None:
            np.testing.assert_allclose(row["embedding"], embedder.embed(images[number])[0], rtol=1e-5, atol=1e-6)


def test_the_metadata_say_what_they_came_from(file: Path, embedder: Embedder) -> None:
    table = json.loads(pq.read_schema(file).metadata[b"regnety"])
    assert table == {
        "kind": "embeddings",
        "model": "small",
        "regnety_version": __version__,
        "row_format": "parquet",
        "max_pixels": MAX_PIXELS,
        **json.loads(json.dumps(embedder.origin.settings)),
    }
    stored = read_embeddings(file)
    assert stored.origin == embedder.origin
    assert (stored.num_images, stored.num_features) == (10, 32)


@pytest.mark.parametrize("block_bytes", [1, 3 * 32 * 4, 1 << 20])
def test_blocks_of_any_size_hold_the_same(
    block_bytes: int, file: Path, images: list[str], embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_files, "BLOCK_BYTES", block_bytes)
    stored = read_embeddings(file)
    readable = [image for number, image in enumerate(images) if number not in (3, 9)]
    filenames, values = stored.load()
    assert filenames == readable
    np.testing.assert_allclose(values, embedder.embed(readable), rtol=1e-5, atol=1e-6)
    blocks = list(stored.blocks())
    assert max(len(block.values) for block in blocks) == {1: 1, 384: 3, 1 << 20: 8}[block_bytes]
    assert [name for block in blocks for name in block.filenames()] == readable
    assert blocks[-1].filenames(np.array([-1 + len(blocks[-1].values)])) == readable[-1:]


def test_a_model_is_as_good_as_an_embedder(file: Path, images: list[str], tmp_path: Path) -> None:
    small_bundle().save(tmp_path / "model")
    for number, model in enumerate((Bundle.load(tmp_path / "model"), tmp_path / "model", str(tmp_path / "model"))):
        path = tmp_path / f"{number}.parquet"
        assert write_embeddings(path, model, images).images == 10
        np.testing.assert_array_equal(read_embeddings(path).load()[1], read_embeddings(file).load()[1])


def test_the_arguments_of_write_predictions_are_refused(embedder: Embedder, images: list[str], tmp_path: Path) -> None:
    arguments: Any
    for arguments in (("regnety_cifar10", images, tmp_path / "e.parquet"), (embedder, images, "e.parquet")):
        with pytest.raises(TypeError) as caught:
            write_embeddings(*arguments)
        assert str(caught.value) == ("write_embeddings takes the output, the model and a list of images, in this order")


def test_nothing_that_could_be_read(embedder: Embedder, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "none.parquet", embedder, ["absent.png", "missing.png"])
    stored = read_embeddings(tmp_path / "none.parquet")
    assert stored.num_images == 2
    assert stored.load()[1].shape == (0, 32)


def test_a_job_that_was_interrupted_is_resumed(images: list[str], embedder: Embedder, tmp_path: Path) -> None:
    path = tmp_path / "embeddings.parquet"

    def until_the_sixth() -> Any:
        yield from images[:6]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_embeddings(path, Embedder(small_bundle(), workers=1), until_the_sixth())
    assert not path.exists()
    with pytest.raises(JobError, match="its unfinished job was started with weights"):
        write_embeddings(path, Embedder(small_bundle(seed=1)), images, resume=True)
    summary = write_embeddings(path, embedder, images, resume=True)
    assert (summary.images, summary.unreadable) == (10, 2)
    assert 0 < summary.earlier <= 6
    assert [row["filename"] for row in pq.read_table(path).to_pylist()] == images


@pytest.mark.parametrize("kind", ["absent", "text", "foreign", "predictions", "narrow", "cut", "old"])
def test_what_embed_did_not_write_is_refused_in_one_line(kind: str, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    table = pq.read_table(file)
    origin = json.loads(table.schema.metadata[b"regnety"])
    message = f"{path}: is not a file that `regnety embed` wrote"
    if kind == "absent":
        message = f"{path}: no such file"
    elif kind == "text":
        path.write_text("filename,embedding\n")
    elif kind == "cut":
        path.write_bytes(file.read_bytes()[:-100])
        message = f"{path}: cannot be read as Parquet: "
    elif kind == "foreign":
        pq.write_table(table.replace_schema_metadata(None), path)
    elif kind == "predictions":
        pq.write_table(table.replace_schema_metadata({"regnety": json.dumps({"model": "small", "top_k": 5})}), path)
    elif kind == "narrow":
        other = json.dumps({**origin, "num_features": 31})
        pq.write_table(table.replace_schema_metadata({"regnety": other}), path)
        message = f"{path}: has no column embedding of type fixed_size_list<item: float>[31]; embed the images again"
    else:
        del origin["pixels"]
        pq.write_table(table.replace_schema_metadata({"regnety": json.dumps(origin)}), path)
        message = f"{path}: its metadata lacks pixels; embed the images again"
    with pytest.raises(DataError) as caught:
        read_embeddings(path)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
