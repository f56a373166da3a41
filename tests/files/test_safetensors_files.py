"""safetensors files: there and back, and what a damaged one says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from safetensors import safe_open

from numerics import lively_network
from regnety.architecture.design import Design
from regnety.errors import WeightsError
from regnety.files.arrays import Array, FileWeights
from regnety.files.reading import read_file
from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
from regnety.network.creation import numpy_weights

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


def test_bfloat16_is_read_whatever_was_imported_before(tmp_path: Path) -> None:
    """onnx imports ml_dtypes, which teaches NumPy bfloat16; the answer must not hang on it."""
    path = write_zeros(tmp_path / "birds.safetensors", "BF16", 4)
    program = f"""if True:
        from regnety.files.safetensors_files import SafetensorsWeights
        print(SafetensorsWeights({str(path)!r})["narrow"].dtype)
    """
    answers = {
        subprocess.run([sys.executable, "-c", first + program], capture_output=True, text=True, check=True).stdout
        for first in ("", "import onnx\n")
    }
    assert answers == {"float32\n"}


def test_failure_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Exception, match="object"):
        write_safetensors(path, {"a": np.array([object()])})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


TYPES = (
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"),
    *("uint64", "uint32", "uint16", "uint8", "bool"),
)


@pytest.mark.parametrize("dtype", TYPES)
def test_types_of_another_writer(dtype: str, tmp_path: Path) -> None:
    tensor = (torch.arange(24).reshape(4, 6) / 7).to(getattr(torch, dtype))
    safetensors.torch.save_file({"a": tensor}, tmp_path / "w.safetensors")
    weights = SafetensorsWeights(tmp_path / "w.safetensors")
    wanted = (tensor.float() if dtype == "bfloat16" else tensor).numpy()
    assert weights.tensors["a"].dtype == dtype
    assert weights["a"].dtype == wanted.dtype
    assert weights["a"].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [name for name in TYPES if name != "bfloat16"])
def test_other_readers_read_what_is_written(dtype: str, tmp_path: Path) -> None:
    array = (np.arange(24).reshape(4, 6) / 7).astype(dtype)
    weights = {
        "odd": np.ones(3, np.uint8),
        "a": array,
        "turned": array.T,
        "big": array.astype(array.dtype.newbyteorder(">")),
    }
    write_safetensors(tmp_path / "w.safetensors", weights)
    for read in (
        safetensors.numpy.load_file(tmp_path / "w.safetensors"),
        {key: t.numpy() for key, t in safetensors.torch.load_file(tmp_path / "w.safetensors").items()},
    ):
        assert read.keys() == weights.keys()
        assert all(np.array_equal(read[key], wanted) for key, wanted in weights.items())


def test_widest_types_come_first_and_all_are_aligned(tmp_path: Path) -> None:
    weights = {"b": np.ones(3, np.uint8), "z": np.ones(2, np.float32), "d": np.ones(1), "a": np.ones(3, np.float32)}
    write_safetensors(tmp_path / "w.safetensors", weights)
    read = SafetensorsWeights(tmp_path / "w.safetensors")
    assert list(read) == ["d", "z", "a", "b"]
    assert all(read[key].flags.aligned for key in read)
    assert int.from_bytes((tmp_path / "w.safetensors").read_bytes()[:8], "little") % 8 == 0


def test_values_are_read_only_views_of_the_file(path: Path) -> None:
    array = SafetensorsWeights(path)["stem.conv.weight"]
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_weights_of_a_file_are_written_without_being_read_twice(path: Path, tmp_path: Path) -> None:
    reads: list[str] = []

    class Counting(FileWeights):
        def __getitem__(self, key: str) -> Array:
            reads.append(key)
            return super().__getitem__(key)

    write_safetensors(tmp_path / "copy.safetensors", Counting(SafetensorsWeights(path).tensors, source="w"))
    assert sorted(reads) == sorted(WEIGHTS)
    assert (tmp_path / "copy.safetensors").read_bytes() == path.read_bytes()


ROW = '"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'
HEADERS = {
    "no object": ("[1]", "its header is not a table of tensors"),
    "text after the end": ("{}x", "its header is damaged: Extra data"),
    "no end": ("{" + ROW, "its header is damaged: "),
    "no comma": ("{" + ROW + ROW.replace("a", "b", 1) + "}", "its header is damaged: "),
    "a comma too much": ("{" + ROW + ",}", "its header is damaged: "),
    "one tensor twice": ("{" + ROW + "," + ROW + "}", "its header has a twice"),
    "one field twice": ("{" + ROW.replace('"shape"', '"dtype":"U8","shape"') + "}", "its header has dtype twice"),
    "no shape": ('{"a":{"dtype":"U8","data_offsets":[0,2]}}', "a does not have its type, its shape and two offsets"),
    "one offset": ("{" + ROW.replace("[0,2]", "[0]") + "}", "a does not have its type, its shape and two offsets"),
    "another field": ("{" + ROW.replace("shape", "form") + "}", "a has the field form, which the format does not know"),
    "another type": ("{" + ROW.replace("U8", "U9") + "}", "a is of type U9, which the format does not know"),
    "negative shape": ("{" + ROW.replace("[2]", "[-2]") + "}", "a tensor whose shape is not a row of whole numbers"),
    "fraction": ("{" + ROW.replace("[2]", "[2.0]") + "}", "a tensor whose shape is not a row of whole numbers"),
    "nested shape": ("{" + ROW.replace("[2]", "[" * 100_000) + "}", "its header is damaged"),
    "half a row": ("{" + ROW.replace("[2]", "[2,]") + "}", "its header is damaged: "),
    "leading zero": ("{" + ROW.replace("[2]", "[02]") + "}", "its header is damaged: "),
    "33 dimensions": ("{" + ROW.replace("[2]", f"[2{',1' * 32}]") + "}", "a tensor of 33 dimensions; 32 can be read"),
    "huge shape": ("{" + ROW.replace("[2]", f"[{2**62},{2**62},0]") + "}", "more elements than an array can have"),
    "too few bytes": ("{" + ROW.replace("[2]", "[3]") + "}", r"a is U8 \(3,\), which takes 3 bytes, and has 2"),
    "too many bytes": ("{" + ROW.replace("U8", "U16") + "}", r"a is U16 \(2,\), which takes 4 bytes, and has 2"),
    "a gap": ("{" + ROW.replace("[0,2]", "[1,3]") + "}", "a is at bytes 1 to 3, and the one before ends at 0"),
    "backwards": ("{" + ROW.replace("[0,2]", "[0,-2]") + "}", "a does not have its type, its shape and two offsets"),
    "an overlap": (
        "{" + ROW + "," + ROW.replace("a", "b", 1) + "}",
        "b is at bytes 0 to 2, and the one before ends at 2",
    ),
    "bytes of nobody": ("{}", "its tensors take 0 bytes, and 2 follow the header"),
    "no UTF-8": ('{"\udcff":1}', "its header is damaged: "),
    "a control character": ('{"\x01":1}', "its header is damaged"),
    "metadata of numbers": ('{"__metadata__":{"a":[1]},' + ROW + "}", "its metadata is not a table of texts"),
}


def write_header(path: Path, header: bytes) -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    return path


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_header_is_refused(name: str, tmp_path: Path) -> None:
    header, message = HEADERS[name]
    path = write_header(tmp_path / "w.safetensors", header.encode(errors="surrogateescape"))
    for read in (SafetensorsWeights, read_file):
        if header[:1] == "{" or read is SafetensorsWeights:
            with pytest.raises(
                WeightsError, match=rf"w\.safetensors: is not a whole safetensors file: .*{message}"
            ) as raised:
                read(path)
            assert "\n" not in str(raised.value)
            assert len(str(raised.value)) < 500


def test_odd_header_is_read(tmp_path: Path) -> None:
    header = ' {"\\u00e4\\n" : ' + ROW[4:].replace(":", " : ").replace(",", " ,\n") + " } \t"
    weights = SafetensorsWeights(write_header(tmp_path / "w.safetensors", header.encode()))
    assert {key: value.tolist() for key, value in weights.items()} == {"ä\n": [97, 98]}


def test_header_longer_than_the_format_allows(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little") + b"{}")
        file.truncate(200_000_000)
    with pytest.raises(WeightsError, match="its header would be 100000001 bytes long; at most 100000000 are allowed"):
        read_file(path)


@pytest.mark.parametrize("row", ['"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}', '"%d":[{},{},[],[]]'])
def test_a_header_larger_than_any_has(row: str, tmp_path: Path) -> None:
    header = "{" + ",".join(row % i for i in range(200_000)) + "}"
    path = write_header(tmp_path / "w.safetensors", header.encode())
    with pytest.raises(WeightsError, match=rf"its header has {len(header)} bytes of JSON; at most 2097152 are read"):
        read_file(path)


def test_spaces_behind_the_header_may_be_many(tmp_path: Path) -> None:
    path = write_header(tmp_path / "w.safetensors", ("{" + ROW + "}").encode() + b" " * (9 << 20))
    assert SafetensorsWeights(path)["a"].tolist() == [97, 98]
