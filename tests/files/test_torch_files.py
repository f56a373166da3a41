"""Files of torch.save, read without torch: every form, every type, every way in which a tensor lies in its storage."""

import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import walk_tensors
from regnety.files.reading import read_file
from torch_files import FORMS, save, state_dict

MATRIX = torch.arange(24, dtype=torch.float32).reshape(4, 6)


def values(tensor: torch.Tensor) -> np.ndarray:
    plain = tensor.detach()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def assert_same(read: Any, wanted: torch.Tensor) -> None:
    assert isinstance(read, StoredTensor)
    array = read.read()
    expected = values(wanted)
    assert read.shape == array.shape == tuple(wanted.shape)
    assert array.dtype == expected.dtype
    assert array.tobytes() == expected.tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_state_dict_has_the_same_keys_order_and_bytes(form: str, tmp_path: Path) -> None:
    weights = state_dict()
    content = read_file(save(weights, tmp_path / "w.pth", form))
    assert content.container == form
    assert content.files == (tmp_path / "w.pth",)
    assert list(content.content) == list(weights)
    for key, wanted in weights.items():
        assert_same(content.content[key], wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
)
def test_types(form: str, dtype: str, tmp_path: Path) -> None:
    tensor = (MATRIX / 7).to(getattr(torch, dtype))
    read = read_file(save({"a": tensor}, tmp_path / "w.pth", form)).content["a"]
    assert read.dtype == dtype
    assert_same(read, tensor)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_types_without_a_storage_class(dtype: str, tmp_path: Path) -> None:
    tensor = MATRIX.to(getattr(torch, dtype))[1:, ::2]
    read = read_file(save({"a": tensor}, tmp_path / "w.pth")).content["a"]
    assert read.dtype == dtype
    assert_same(read, tensor)


LAYOUTS = {
    "turned": MATRIX.T,
    "part": MATRIX[1:3, ::2],
    "scalar": MATRIX[2, 3],
    "none": MATRIX[:0],
    "repeated": MATRIX[:, :1].expand(4, 1000),
    "one dimension of one": MATRIX[:1].expand(1, 6),
    "narrow repeated": MATRIX[0].bfloat16().expand(5, 6),
    "narrow turned": MATRIX.bfloat16().T[1:],
    "parameter": torch.nn.Parameter(MATRIX),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, form: str, tmp_path: Path) -> None:
    tensor = LAYOUTS[layout]
    assert_same(read_file(save({"a": tensor}, tmp_path / "w.pth", form)).content["a"], tensor)


@pytest.mark.parametrize("form", FORMS[:2])
def test_shared_storages_are_shared(form: str, tmp_path: Path) -> None:
    content = read_file(save({"all": MATRIX, "part": MATRIX[2:]}, tmp_path / "w.pth", form)).content
    assert_same(content["part"], MATRIX[2:])
    assert np.shares_memory(content["all"].read(), content["part"].read())


def test_values_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    array = read_file(save({"a": MATRIX}, tmp_path / "w.pth")).content["a"].read()
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", FORMS[:2])
def test_pickle_protocols(form: str, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    weights = state_dict()
    nested = {"model": weights, "epoch": 3, "lr": 0.5, "done": True, "best": None, "names": ["ä", ("b", 2**70, -1)]}
    torch.save(nested, path, _use_new_zipfile_serialization=form == "torch zip", pickle_protocol=protocol)
    content = read_file(path).content
    assert {key: value for key, value in content.items() if key != "model"} == {
        key: value for key, value in nested.items() if key != "model"
    }
    assert [path for path, _ in walk_tensors(content)] == [("model", key) for key in weights]


@pytest.mark.parametrize("form", FORMS[:2])
def test_whole_network_is_read_without_its_class(form: str, tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    content = read_file(save(network, tmp_path / "w.pth", form)).content
    assert content.name == "torch.nn.modules.container.Sequential"
    paths = dict(walk_tensors(content))
    assert_same(paths["_modules", "0", "_parameters", "weight"], network[0].weight)


UNREADABLE = {
    "complex64": MATRIX.to(torch.complex64),
    "float8_e4m3fn": MATRIX.to(torch.float8_e4m3fn),
    "sparse float32": MATRIX.to_sparse(),
    "meta": torch.empty(4, 6, device="meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [*UNREADABLE, "qint8", "sparse csr"])
def test_types_that_cannot_be_read_are_listed(dtype: str, tmp_path: Path) -> None:
    made = {"qint8": lambda: torch.quantize_per_tensor(MATRIX, 0.1, 0, torch.qint8), "sparse csr": MATRIX.to_sparse_csr}
    tensor = made[dtype]() if dtype in made else UNREADABLE[dtype]
    read = read_file(save({"a": tensor, "b": MATRIX}, tmp_path / "w.pth")).content
    assert read["a"].shape == (4, 6)
    assert read["a"].dtype == dtype.replace("csr", "float32")
    with pytest.raises(WeightsError, match=rf"^is of type {read['a'].dtype}, which cannot be read; float64, "):
        read["a"].read()
    assert_same(read["b"], MATRIX)


def rewrite_zip(path: Path, change: Any) -> None:
    """Write each entry anew, as `change(name, bytes)` says."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)


def test_highest_byte_first(tmp_path: Path) -> None:
    tensors = {"a": MATRIX.double(), "b": MATRIX.bfloat16()}
    path = save(tensors, tmp_path / "w.pth")
    sizes = {"w/data/0": 8, "w/data/1": 2}

    def turn(name: str, data: bytes) -> bytes:
        if name in sizes:
            return np.frombuffer(data, f"u{sizes[name]}").byteswap().tobytes()
        return b"big" if name.endswith("byteorder") else data

    rewrite_zip(path, turn)
    for key, wanted in tensors.items():
        assert_same(read_file(path).content[key], wanted)


def test_archive_of_before_byteorder(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth")
    rewrite_zip(path, lambda name, data: None if name.endswith("byteorder") else data)
    assert_same(read_file(path).content["a"], MATRIX)


def test_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth")
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(WeightsError, match=r"w\.pth: is a zip file whose \w+(\.pkl)? is compressed or encrypted"):
        read_file(path)


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "w.pt"))
    with pytest.raises(WeightsError, match=r"w\.pt: is a TorchScript program \(torch\.jit\.save\), which is code"):
        read_file(tmp_path / "w.pt")


def test_missing_storage_is_named(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth")
    rewrite_zip(path, lambda name, data: None if name.endswith("data/0") else data)
    with pytest.raises(WeightsError, match=r"w\.pth: is a zip file without the entry data/0"):
        read_file(path)


def test_storage_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth")
    rewrite_zip(path, lambda name, data: data[:-4] if name.endswith("data/0") else data)
    with pytest.raises(WeightsError, match=r"w\.pth: has 24 elements of float32 in data/0, which has 92 bytes"):
        read_file(path)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("w/data/0", b"")
    with pytest.raises(WeightsError, match=r"w\.pth: is a zip file with two entries of one name"):
        read_file(path)


def test_old_file_that_ends_too_early(tmp_path: Path) -> None:
    path = save({"a": MATRIX}, tmp_path / "w.pth", "torch (before 1.6)")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"w\.pth: has a storage of 24 elements at byte \d+, .* 95 bytes follow"):
        read_file(path)


def test_ordered_dict_is_a_dict(tmp_path: Path) -> None:
    content = read_file(save(OrderedDict(b=1, a=OrderedDict(c=MATRIX)), tmp_path / "w.pth")).content
    assert type(content) is dict
    assert list(content) == ["b", "a"]
