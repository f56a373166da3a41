"""What a model was trained on, by fingerprints of files."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from regnety import Bundle, WeightsError
from regnety.bundle import training_files
from regnety.bundle.training_files import TrainingFiles, fingerprint_of, fingerprints
from regnety.export.conversion import convert_model
from regnety.export.model_export import export_model
from regnety.files.file_names import TRAINING_FILES

FINGERPRINTS = np.array([7, 3, 2**64 - 1, 3, 0], np.uint64)


def trained_bundle() -> Bundle:
    bundle = small_bundle()
    bundle.training_files = TrainingFiles(FINGERPRINTS)
    return bundle


def test_a_fingerprint_is_the_first_8_bytes_of_the_sha256(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert fingerprint_of(tmp_path / "a.jpg") == 0xBA7816BF8F01CFEA
    large = os.urandom(3_000_000)
    (tmp_path / "b.jpg").write_bytes(large)
    assert fingerprint_of(str(tmp_path / "b.jpg")) == int(hashlib.sha256(large).hexdigest()[:16], 16)


def test_what_cannot_be_read_has_none_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    files = [tmp_path / "gone.jpg", tmp_path / "a.jpg", tmp_path]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        files.append(tmp_path / "pipe.jpg")
    assert list(fingerprints(files, quiet=True)) == [None, 0xBA7816BF8F01CFEA, *[None] * (len(files) - 2)]
    assert TrainingFiles.of(files, quiet=True).values.tolist() == [0xBA7816BF8F01CFEA]


def test_they_are_kept_sorted_and_once_and_known_again() -> None:
    files = TrainingFiles(FINGERPRINTS)
    assert files.values.tolist() == [0, 3, 7, 2**64 - 1]
    assert [files.has(value) for value in (0, 3, 7, 2**64 - 1)] == [True] * 4
    assert [files.has(value) for value in (1, 4, 2**64 - 2, None)] == [False] * 4
    assert (files | TrainingFiles(np.array([5, 7], np.uint64))).values.tolist() == [0, 3, 5, 7, 2**64 - 1]
    assert (files | None) is files
    assert not TrainingFiles(np.array([], np.uint64)).has(0)


def test_of_too_many_the_smallest_are_kept_and_nothing_is_said_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_files, "LIMIT", 3)
    files = TrainingFiles(FINGERPRINTS)
    assert files.values.tolist() == [0, 3, 7]
    assert not files.is_complete
    assert [files.has(value) for value in (0, 1, 7, 8, 2**64 - 1, None)] == [True, False, True, None, None, False]


def test_a_bundle_keeps_them_through_every_folder(tmp_path: Path) -> None:
    assert Bundle.load(small_bundle().save(tmp_path / "without")).training_files is None
    assert not (tmp_path / "without" / TRAINING_FILES).exists()
    saved = trained_bundle().save(tmp_path / "a")
    assert (saved / TRAINING_FILES).read_bytes().hex() == f"{0:016x}{3:016x}{7:016x}{2**64 - 1:016x}"
    Bundle.load(saved).with_labels(["a", "b", "c", "d"]).save(tmp_path / "b")
    Bundle.load(tmp_path / "b").save(tmp_path / "b")
    convert_model(tmp_path / "b", tmp_path / "c", to="regnety")
    export_model(tmp_path / "c", tmp_path / "e")
    found = Bundle.load(tmp_path / "e").training_files
    assert found is not None
    assert found.values.tolist() == [0, 3, 7, 2**64 - 1]
    small_bundle().save(tmp_path / "e")
    assert Bundle.load(tmp_path / "e").training_files is None


def test_a_single_file_has_none(tmp_path: Path) -> None:
    export_model(trained_bundle(), tmp_path / "a.onnx")
    assert Bundle.load(tmp_path / "a.onnx").training_files is None


@pytest.mark.parametrize("content", [b"1234567", b"12345678" * 2, b"22222222" + b"11111111", b"0" * 17])
def test_a_damaged_file_is_one_line_where_it_is_needed_and_ignored_elsewhere(content: bytes, tmp_path: Path) -> None:
    folder = trained_bundle().save(tmp_path / "a")
    (folder / TRAINING_FILES).write_bytes(content)
    bundle = Bundle.load(folder)
    assert bundle.training_files is not None
    with pytest.raises(WeightsError, match=r"training_files\.bin: is damaged, so what the model was"):
        bundle.training_files.has(3)


def test_a_hundred_thousand_take_800_kb(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**63, 120_000).astype(np.uint64)
    TrainingFiles(values).write(tmp_path)
    assert (tmp_path / TRAINING_FILES).stat().st_size == 800_000
    stored = training_files.stored_training_files(tmp_path)
    assert stored is not None
    assert stored.values.tolist() == sorted(set(values.tolist()))[:100_000]
