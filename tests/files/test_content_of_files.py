"""Files known again by their content, on disks that do not tell the truth too, and where they are too large to read."""

from pathlib import Path

import pytest

from regnety import Bundle
from regnety.files import content_identity
from replaced_models import WAYS, Way, copied_anew, replaced_in_a_row, write_both, written_in_place


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_both(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def lying_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file has the same number and the same times: an image of fixed times, or a store as a file system."""
    monkeypatch.setattr("regnety.files.content_identity.facts_of", lambda status: (1, 2, status.st_size, 3, 3))
    monkeypatch.setattr("regnety.files.mapped_files.facts_of", lambda status: (1, 2, status.st_size, 3, 3))


@pytest.mark.parametrize("largest", [0, 16 << 20])
def test_a_disk_whose_times_and_numbers_are_all_the_same(
    largest: int, lying_disk: None, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_identity, "SMALL", largest)
    replaced_in_a_row("folder", "onnxruntime", (copied_anew, written_in_place), models, tmp_path)
    replaced_in_a_row("safetensors", "onnxruntime", (copied_anew,), models, tmp_path)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_large_files_are_known_by_what_their_disk_says(
    way: Way, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample sees nothing here: one byte in the middle is another one."""
    monkeypatch.setattr(content_identity, "SMALL", 0)
    monkeypatch.setattr(content_identity, "_sample", lambda data: "")
    monkeypatch.setattr(content_identity, "OLD_ENOUGH_NS", 0)
    replaced_in_a_row("safetensors", "onnxruntime", (way,), models, tmp_path)


def test_a_large_file_is_read_whole_once(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    read: list[int] = []
    checksum = content_identity._checksum
    monkeypatch.setattr(content_identity, "SMALL", 1000)
    monkeypatch.setattr(content_identity, "_checksum", lambda data: read.append(len(data)) or checksum(data))
    place = models / "safetensors" / "1" / "w.safetensors"
    monkeypatch.setattr(content_identity, "OLD_ENOUGH_NS", 10**18)  # written only now
    stamps = {Bundle.load(place).stamp for _ in range(2)}
    assert len(read) == 2
    monkeypatch.setattr(content_identity, "OLD_ENOUGH_NS", 0)
    stamps |= {Bundle.load(place).stamp for _ in range(3)}
    assert len(read) == 3
    (kept,) = (cache / "contents").iterdir()
    kept.write_text("damaged, and longer than it was")
    stamps.add(Bundle.load(place).stamp)
    assert (len(read), len(stamps)) == (4, 1)
