"""Embeddings are computed once for a photograph's content and a model, whatever happens to files and processes."""

import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import small_bundle
from pictures import write_colours
from regnety import Embedder, Embedding
from regnety.images.sources import ImageSource, NamedImage, source_name
from regnety.inference.similarity import embedding_cache, kept_embeddings
from regnety.inference.similarity.embedding_cache import cached_embeddings
from regnety.storage.cache import cache_sizes, empty_cache


class Counting(Embedder):
    """An embedder that knows what it was asked for, and can be stopped."""

    computed: list[str | None]
    stops_after: int | None = None

    def stream(self, images: Iterable[ImageSource], **options: Any) -> Iterator[Embedding]:  # type: ignore[override]
        def noted() -> Iterator[ImageSource]:
            for image in images:
                self.computed.append(source_name(image))
                yield image

        self.computed = []
        for number, embedding in enumerate(super().stream(noted(), **options)):
            if number == self.stops_after:
                raise KeyboardInterrupt
            yield embedding


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    return sorted(write_colours(tmp_path / "photographs").rglob("*.png"))


@pytest.fixture
def embedder() -> Counting:
    return Counting(small_bundle())


def files_of(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/*.npy"))


def test_a_second_run_computes_nothing(photographs: list[Path], embedder: Counting) -> None:
    values, errors = cached_embeddings(embedder, photographs, quiet=True)
    assert embedder.computed == [str(path) for path in photographs]
    np.testing.assert_array_equal(values, Embedder(small_bundle()).embed(photographs))
    assert errors == [None] * len(photographs)
    again, _ = cached_embeddings(embedder, photographs, quiet=True)
    assert embedder.computed == []
    np.testing.assert_array_equal(again, values)


def test_content_decides_not_names(photographs: list[Path], embedder: Counting, tmp_path: Path) -> None:
    values, _ = cached_embeddings(embedder, photographs, quiet=True)
    moved = tmp_path / "moved.png"
    shutil.copy(photographs[0], moved)
    times = os.stat(photographs[1])
    shutil.copy(write_colours(tmp_path / "other", "red", count=1, seed=9) / "red" / "000.png", photographs[1])
    os.utime(photographs[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    found, _ = cached_embeddings(embedder, [moved, photographs[1]], quiet=True)
    assert embedder.computed == [str(photographs[1])]
    np.testing.assert_array_equal(found[0], values[0])
    assert not np.array_equal(found[1], values[1])


def test_copies_are_computed_once(photographs: list[Path], embedder: Counting) -> None:
    data = photographs[0].read_bytes()
    values, _ = cached_embeddings(embedder, [photographs[0], NamedImage("in memory", data)], quiet=True)
    assert embedder.computed == [str(photographs[0])]
    np.testing.assert_array_equal(values[0], values[1])


@pytest.mark.parametrize(
    "other",
    [
        lambda: Counting(small_bundle(seed=1)),
        lambda: Counting(small_bundle(), image_size=40),
        lambda: Counting(small_bundle(), pixels="exact"),
        lambda: Counting(small_bundle(), exif_orientation=False),
    ],
)
def test_what_the_model_is_shown_decides_too(photographs: list[Path], embedder: Counting, other: Any) -> None:
    cached_embeddings(embedder, photographs[:2], quiet=True)
    another = other()
    cached_embeddings(another, photographs[:2], quiet=True)
    assert len(another.computed) == 2


def test_images_that_cannot_be_read(photographs: list[Path], embedder: Counting, tmp_path: Path) -> None:
    """Each has an error of its own, and is tried again the next time."""
    cut, copy = tmp_path / "cut.png", tmp_path / "copy.png"
    for path in (cut, copy):
        path.write_bytes(photographs[0].read_bytes()[:300])
    (tmp_path / "text.png").write_text("no image")
    images = [cut, photographs[0], tmp_path / "missing.png", copy, tmp_path / "text.png"]
    for _ in range(2):
        values, errors = cached_embeddings(embedder, images, quiet=True)
        assert np.isnan(values[[0, 2, 3, 4]]).all()
        assert np.isfinite(values[1]).all()
        assert errors[1] is None
        for number in (0, 2, 3, 4):
            assert str(errors[number]).startswith(f"{images[number]}: ")
    assert embedder.computed == [str(cut)]


def test_ctrl_c_keeps_what_was_computed(photographs: list[Path], embedder: Counting) -> None:
    embedder.stops_after = 5
    with pytest.raises(KeyboardInterrupt):
        cached_embeddings(embedder, photographs, quiet=True)
    embedder.stops_after = None
    cached_embeddings(embedder, photographs, quiet=True)
    assert len(embedder.computed) == len(photographs) - 5


def test_long_work_is_kept_on_the_way(
    photographs: list[Path], embedder: Counting, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_cache, "KEPT_EVERY_S", 0)
    cached_embeddings(embedder, photographs[:4], quiet=True)
    assert len(files_of(cache)) == 4


def test_damaged_and_foreign_files_are_passed_over(photographs: list[Path], embedder: Counting, cache: Path) -> None:
    values, _ = cached_embeddings(embedder, photographs[:2], quiet=True)
    (kept,) = files_of(cache)
    for damage in (kept.read_bytes()[:200], b"", b"text", kept.read_bytes().replace(b"<f4", b"<i4")):
        for path in files_of(cache):
            path.write_bytes(damage)
        again, _ = cached_embeddings(embedder, photographs[:2], quiet=True)
        assert len(embedder.computed) == 2
        np.testing.assert_array_equal(again, values)


def test_many_files_are_joined(
    photographs: list[Path], embedder: Counting, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_embeddings, "MOST_FILES", 3)
    for photograph in photographs[:6]:
        cached_embeddings(embedder, [photograph], quiet=True)
    assert len(files_of(cache)) <= 3
    cached_embeddings(embedder, photographs[:6], quiet=True)
    assert embedder.computed == []


def test_the_oldest_go_where_they_take_too_much_room(
    photographs: list[Path], embedder: Counting, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Counting(small_bundle(seed=1))
    cached_embeddings(other, photographs, quiet=True)
    (first,) = files_of(cache)
    os.utime(first, (1, 1))
    (cache / first.parent.name / ".left.npy.12345678.part").write_bytes(b"of a kill")
    os.utime(cache / first.parent.name / ".left.npy.12345678.part", (1, 1))
    monkeypatch.setattr(kept_embeddings, "MOST_BYTES", first.stat().st_size + 100)
    cached_embeddings(embedder, photographs, quiet=True)
    (second,) = files_of(cache)
    assert second.parent != first.parent
    assert list(first.parent.iterdir()) == []


def test_side_by_side(photographs: list[Path], embedder: Counting) -> None:
    """Several at once, as processes would: none waits, breaks or loses anything."""
    embedders = [Counting(small_bundle()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: cached_embeddings(one, photographs, quiet=True).values, embedders))
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])
    cached_embeddings(embedder, photographs, quiet=True)
    assert embedder.computed == []


def test_a_cache_that_cannot_be_written(
    photographs: list[Path], embedder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "file"))
    values, _ = cached_embeddings(embedder, photographs[:2], quiet=True)
    assert np.isfinite(values).all()


def test_clearing_the_cache_removes_them(photographs: list[Path], embedder: Counting) -> None:
    cached_embeddings(embedder, photographs, quiet=True)
    assert cache_sizes()["embeddings"] > 0
    empty_cache()
    assert "embeddings" not in cache_sizes()
    cached_embeddings(embedder, photographs, quiet=True)
    assert len(embedder.computed) == len(photographs)


def test_no_images(embedder: Counting) -> None:
    values, errors = cached_embeddings(embedder, [], quiet=True)
    assert (values.shape, errors) == ((0, 32), [])
