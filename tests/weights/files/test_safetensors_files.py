"""safetensors files: there and back, and what a damaged one says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from numerics import lively_network
from regnety.architecture.design import Design
from regnety.errors import WeightsError
from regnety.network.creation import numpy_weights
from regnety.weights.files.safetensors_files import SafetensorsWeights, write_safetensors

WEIGHTS = numpy_weights(lively_network(Design(depth=2, w0=16, wa=16, wm=2, group_width=8)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "birds.safetensors"
    write_safetensors(path, WEIGHTS)
    return path


def test_weights_survive_the_file(path: Path) -> None:
    weights = SafetensorsWeights(path)
    assert len(weights) == len(WEIGHTS)
    assert set(weights) == set(WEIGHTS)
    for key, wanted in WEIGHTS.items():
        assert (weights[key].dtype, weights[key].shape, weights.shape(key)) == (
            wanted.dtype,
            wanted.shape,
            wanted.shape,
        )
        assert np.array_equal(weights[key], wanted)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_types_and_layouts_survive_the_file(dtype: str, tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    weights = {
        "whole": values,
        "turned": values.T,
        "part": values[:, ::2],
        "scalar": values[1, 1, 1],
        "none": values[:0],
    }
    write_safetensors(tmp_path / "w.safetensors", {key: np.asarray(value) for key, value in weights.items()})
    read = SafetensorsWeights(tmp_path / "w.safetensors")
    for key, wanted in weights.items():
        assert read[key].dtype == wanted.dtype, key
        assert read[key].shape == np.shape(wanted), key
        assert np.array_equal(read[key], wanted), key


def test_same_weights_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "again.safetensors", dict(WEIGHTS))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_metadata_is_written(path: Path, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "w.safetensors", {"a": np.zeros(2)}, metadata={"license": "mit"})
    for file, wanted in ((path, {"format": "pt"}), (tmp_path / "w.safetensors", {"license": "mit"})):
        with safe_open(str(file), framework="np") as opened:
            assert opened.metadata() == wanted


def test_key_that_is_not_there(path: Path) -> None:
    weights = SafetensorsWeights(path)
    assert "stem.conv.bias" not in weights
    with pytest.raises(KeyError, match=r"stem\.conv\.bias"):
        weights["stem.conv.bias"]


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_file_is_refused_by_name(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"birds\.safetensors: is not a whole safetensors file: "):
        SafetensorsWeights(path)


@pytest.mark.parametrize("content", [b"no tensors at all, but long enough", b"\xff" * 64, b"\x80\x02}q\x00."])
def test_other_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "birds.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"birds\.safetensors: is not a whole safetensors file: ") as raised:
        SafetensorsWeights(path)
    assert "\n" not in str(raised.value)


def test_missing_file_and_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors: no such file$"):
        SafetensorsWeights(tmp_path / "nowhere.safetensors")
    with pytest.raises(WeightsError, match=f"^{tmp_path}: "):
        SafetensorsWeights(tmp_path)


def write_zeros(path: Path, dtype: str, size: int) -> Path:
    """A file with one tensor `narrow` of two zeros, in a type that NumPy does not have."""
    header = json.dumps({"narrow": {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    return path


def test_type_that_numpy_does_not_know_is_refused_by_key(tmp_path: Path) -> None:
    weights = SafetensorsWeights(write_zeros(tmp_path / "birds.safetensors", "F8_E4M3", 2))
    assert weights.shape("narrow") == (2,)
    with pytest.raises(WeightsError, match=r"birds\.safetensors: narrow is of type F8_E4M3, which cannot be read"):
        weights["narrow"]


def test_bfloat16_is_read_or_refused_whatever_was_imported_before(tmp_path: Path) -> None:
    """onnx imports ml_dtypes, which teaches NumPy bfloat16; the answer must not hang on it."""
    path = write_zeros(tmp_path / "birds.safetensors", "BF16", 4)
    program = f"""if True:
        from regnety.weights.files.safetensors_files import SafetensorsWeights
        try:
            print(SafetensorsWeights({str(path)!r})["narrow"].dtype)
        except Exception as error:
            print(type(error).__name__)
    """
    answers = {
        subprocess.run([sys.executable, "-c", first + program], capture_output=True, text=True, check=True).stdout
        for first in ("", "import onnx\n")
    }
    assert len(answers) == 1
    assert answers < {"float32\n", "WeightsError\n"}


def test_failure_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Exception, match="object"):
        write_safetensors(path, {"a": np.array([object()])})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
