"""Files as torch.save makes them, written without torch: torch itself reads them."""

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regnety.errors import WeightsError
from regnety.files.arrays import FileWeights, stored
from regnety.files.file_contents import DEEPEST, Opaque
from regnety.files.reading import read_file
from regnety.files.torch_files.writing import write_torch
from torch_files import save, state_dict

MATRIX = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize("mmap", [False, True])
def test_state_dict_goes_through_ours_and_back_to_torch(mmap: bool, tmp_path: Path) -> None:
    weights = state_dict()
    path = tmp_path / "ours.pth"
    write_torch(path, {"model": read_file(save(weights, tmp_path / "theirs.pth")).content})
    read = torch.load(path, weights_only=True, mmap=mmap)["model"]
    assert list(read) == list(weights)
    for key, wanted in weights.items():
        assert (read[key].dtype, read[key].shape, read[key].is_contiguous()) == (wanted.dtype, wanted.shape, True)
        assert read[key].numpy().tobytes() == wanted.numpy().tobytes()
    torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).load_state_dict(read)


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", ">f4", ">i8"]
)
def test_types(dtype: str, tmp_path: Path) -> None:
    array = MATRIX.astype(dtype)
    write_torch(tmp_path / "w.pth", {"array": array, "stored": stored(array)})
    for tensor in torch.load(tmp_path / "w.pth", weights_only=True).values():
        assert tensor.numpy().dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(tensor.numpy(), array)


def test_layouts(tmp_path: Path) -> None:
    arrays = {
        "turned": MATRIX.T,
        "part": MATRIX[1:3, ::2],
        "scalar": MATRIX[1, 1, ...],
        "none": MATRIX[:0],
        "repeated": np.broadcast_to(MATRIX[:, :1], (4, 100)),
        "backwards": MATRIX[::-1],
    }
    write_torch(tmp_path / "w.pth", arrays)
    read = torch.load(tmp_path / "w.pth", weights_only=True)
    for key, wanted in arrays.items():
        assert read[key].shape == wanted.shape, key
        assert np.array_equal(read[key].numpy(), wanted), key


def test_nested_plain_python(tmp_path: Path) -> None:
    content: dict[Any, Any] = {
        "numbers": [0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63, -(2**200), 0.1, float("-inf"), True, False],
        "texts": ["", "ä😀", "a" * 70_000],
        "containers": [None, (), [], {}, (1, (2, [3]))],
        7: OrderedDict(b=1, a={"x": 2}),
        "numpy": [np.float64(0.5), np.int64(3), np.bool_(True)],
    }
    write_torch(tmp_path / "w.pth", content)
    wanted = content | {"numpy": [0.5, 3, True]}
    for read in (torch.load(tmp_path / "w.pth", weights_only=True), read_file(tmp_path / "w.pth").content):
        assert read == wanted
        assert list(read) == list(wanted)
        assert list(read[7]) == ["b", "a"]


def test_one_tensor_in_two_places_is_written_once(tmp_path: Path) -> None:
    write_torch(tmp_path / "w.pth", {"a": MATRIX, "b": MATRIX, "c": MATRIX.copy()})
    read = torch.load(tmp_path / "w.pth", weights_only=True)
    assert read["a"].data_ptr() == read["b"].data_ptr() != read["c"].data_ptr()


def test_archive_is_whole_and_its_storages_are_aligned(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    write_torch(path, {f"layer{index}": MATRIX[: index + 1] for index in range(4)})
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        for index in range(4):
            stored_at = data.index(archive.read(f"archive/data/{index}") + b"PK")
            assert stored_at % 64 == 0
    write_torch(tmp_path / "again.pth", {f"layer{index}": MATRIX[: index + 1] for index in range(4)})
    assert (tmp_path / "again.pth").read_bytes() == data


REFUSED = {
    "an object": ({"a": [Opaque("x.Y")]}, r"content\['a'\]\[0\] is of type Opaque, which is not a plain value"),
    "bytes": ({"a": b"b"}, r"content\['a'\] is of type bytes, which is not a plain value"),
    "a set": ({1, 2}, "content is of type set, which is not a plain value"),
    "a huge number": (2 ** (8 * 300), "content is of type int, which is not a plain value"),
    "a type of its own": (
        {"a": np.zeros(2, np.uint16)},
        r"content\['a'\] is of type uint16, which torch has no storage",
    ),
    "objects": ({"a": np.array([None])}, r"content\['a'\] is of type object, which torch has no storage"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_refused_and_the_old_file_stays(name: str, tmp_path: Path) -> None:
    content, message = REFUSED[name]
    path = tmp_path / "w.pth"
    path.write_bytes(b"old")
    with pytest.raises(WeightsError, match=rf"w\.pth: {message}"):
        write_torch(path, content)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_without_end_is_refused(tmp_path: Path) -> None:
    content: list[Any] = []
    content.append(content)
    with pytest.raises(WeightsError, match=rf"w\.pth: the content is nested deeper than {DEEPEST} levels"):
        write_torch(tmp_path / "w.pth", content)


def test_tensor_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    content = read_file(save({"a": torch.zeros(2, dtype=torch.complex64)}, tmp_path / "w.pth")).content
    with pytest.raises(WeightsError, match=r"v\.pth: content\['a'\] is of type complex64, which cannot be read"):
        write_torch(tmp_path / "v.pth", content)
    with pytest.raises(WeightsError, match=r"^w: a is of type complex64, which cannot be read"):
        FileWeights(content, source="w")["a"]
