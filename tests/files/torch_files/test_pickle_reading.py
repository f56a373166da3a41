"""What pickles make, what they would run and do not, and that nothing of them is believed."""

import argparse
import collections
import datetime
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import Opaque
from regnety.files.reading import read_file
from regnety.files.torch_files.pickle_reading import Unpickler
from torch_files import save


def load(program: bytes) -> Any:
    return Unpickler(program).load()


PLAIN = {
    "numbers": [0, -1, 255, 65535, 2**31, -(2**31), 2**100, -(2**100), 1.5, -0.0, float("inf"), True, False, None],
    "texts": ["", "ä", "😀", "a" * 300, "b" * 70_000, b"", b"c" * 300, bytearray(b"d")],
    "containers": [{}, {"a": 1, 2: [3], None: (4, (5, ()))}, [], {1, 2}, frozenset({3}), (1, 2, 3, 4)],
    "collections": [collections.OrderedDict(b=1, a=2), collections.Counter("aab"), collections.deque([1, 2])],
    "default": collections.defaultdict(dict, {"a": {}}),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", PLAIN)
def test_plain_python_is_what_it_was(name: str, protocol: int) -> None:
    wanted = PLAIN[name]
    made = load(pickle.dumps(wanted, protocol))
    for read, value in zip(made, wanted, strict=True) if isinstance(wanted, list) else [(made, wanted)]:
        assert read == (list(value) if isinstance(value, collections.deque) else value)


def test_shared_and_cyclic_parts_stay_so() -> None:
    part: list[Any] = [1]
    whole: dict[str, Any] = {"a": part, "b": part}
    part.append(whole)
    made = load(pickle.dumps(whole, 4))
    assert made["a"] is made["b"]
    assert made["a"][1] is made


SCALARS = [np.float64(1.5), np.float32(0.5), np.int64(-3), np.uint8(7), np.bool_(True), np.str_("ä"), np.bytes_(b"a")]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_scalars_of_numpy_are_pythons(scalar: Any, protocol: int) -> None:
    made = load(pickle.dumps(scalar, protocol))
    assert type(made) is type(scalar.item())
    assert made == scalar


ARRAYS = {
    "rows": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "highest byte first": np.arange(6, dtype=">i4"),
    "no dimension": np.array(3, np.int64),
    "none": np.zeros((0, 3)),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_numpy(name: str, protocol: int) -> None:
    wanted = ARRAYS[name]
    made = load(pickle.dumps({"a": wanted, "b": [wanted]}, protocol))
    tensor = made["a"]
    assert made["b"][0] is tensor
    assert (tensor.shape, tensor.dtype) == (wanted.shape, wanted.dtype.name)
    assert np.array_equal(tensor.read(), wanted)


def test_arrays_of_objects_are_listed() -> None:
    tensor = load(pickle.dumps(np.array([None, os.sep], object), 2))
    assert tensor.shape == (2,)
    with pytest.raises(WeightsError, match=r"^is of type no number, which cannot be read"):
        tensor.read()


def test_what_training_scripts_leave_in_their_files(tmp_path: Path) -> None:
    """As timm's train.py and others: arguments, paths, devices, times; classes that are not there."""
    content = {
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/a/b")),
        "device": torch.device("cuda", 1),
        "cpu": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        "dtype": torch.float32,
        "time": datetime.datetime(2021, 1, 2),
    }
    read = read_file(save(content, tmp_path / "w.pth")).content
    assert (read["args"].name, read["args"].state) == ("argparse.Namespace", {"lr": 0.1, "out": "/a/b"})
    assert (read["device"], read["cpu"], read["size"]) == ("cuda:1", "cpu", (2, 3))
    assert isinstance(read["dtype"], Opaque)
    assert (read["dtype"].name, read["time"].name) == ("torch.float32", "datetime.datetime")


class Config(dict[str, Any]):
    """As yacs's CfgNode: a dict with attributes."""


class Names(list[str]):
    """A list of a class of its own."""


@pytest.mark.parametrize("protocol", range(6))
def test_objects_of_unknown_classes_are_known_by_name(protocol: int) -> None:
    config = Config(lr=0.1)
    config.frozen = True  # type: ignore[attr-defined]
    made = load(pickle.dumps(config, protocol))
    assert isinstance(made, Opaque)
    assert made.name == f"{__name__}.Config"
    assert made.state == {"frozen": True}
    assert made.items == {"lr": 0.1}
    assert load(pickle.dumps(Names(["a"]), protocol)).items == ["a"]


def test_classes_as_keys_are_their_names() -> None:
    assert load(pickle.dumps({Config: 1}, 2)) == {f"{__name__}.Config": 1}


class Calling:
    """Pickles as a call of whatever it is given."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


TRICKS = {
    "os.system": b"cos\nsystem\n(S'false'\ntR.",
    "posix.system": b"\x80\x02cposix\nsystem\nX\x05\0\0\0false\x85R.",
    "nt.system": b"\x80\x04\x8c\x02nt\x8c\x06system\x93\x8c\x03dir\x85R.",
    "builtins.eval": b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.",
    "__builtin__.exec": b"(S'1'\ni__builtin__\nexec\n.",
    "subprocess.Popen": b"(csubprocess\nPopen\nS'false'\no.",
    "builtins.getattr": b"\x80\x02cbuiltins\ngetattr\ncos\npath\nX\x06\0\0\0system\x86R.",
    "builtins.__import__": b"\x80\x02cbuiltins\n__import__\nX\x02\0\0\0os\x85R.",
    "os.abort": b"(ios\nabort\n.",
    "importlib.import_module": b"\x80\x02cimportlib\nimport_module\nX\x02\0\0\0os\x85R.",
    "torch.load": b"\x80\x02ctorch\nload\nX\x01\0\0\0a\x85R.",
    "numpy.load": b"\x80\x02cnumpy\nload\nX\x01\0\0\0a\x85R.",
    "torch._utils._rebuild_tensor_v2.__globals__.get": (
        b"\x80\x04\x8c\x0ctorch._utils\x8c\x22_rebuild_tensor_v2.__globals__.get\x93\x8c\x01a\x85R."
    ),
}


@pytest.mark.parametrize("name", TRICKS)
def test_what_would_be_run_is_refused_and_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(TRICKS[name])
    with pytest.raises(WeightsError) as raised:
        read_file(path)
    assert str(raised.value) == f"{path}: would run {name}; it was not run"


@pytest.mark.parametrize("form", ["torch zip", "torch (before 1.6)"])
def test_call_inside_of_a_checkpoint_is_refused_and_named(form: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    save({"a": torch.zeros(2), "b": Calling(os.system, f"touch {tmp_path / 'run'}")}, path, form)
    with pytest.raises(WeightsError, match=rf"w\.pth: would run {os.system.__module__}\.system; it was not run"):
        read_file(path)
    torch.load(path, weights_only=False)  # which shows that the file is as bad as it is meant to be
    assert (tmp_path / "run").exists()


REFUSED = {
    "a call of what was made": (
        b"\x80\x02ca\nB\n)\x81)R.",
        "would run something of type Opaque, which is neither",
    ),
    "a call of a text": (b"\x80\x02X\x01\0\0\0a)R.", "would run something of type str, which is neither a function"),
    "an object of an object": (b"\x80\x02ca\nB\n)\x81)\x81.", "would make an object of something of type Opaque"),
    "attributes of a function": (b"\x80\x02cos\nsystem\n}X\x01\0\0\0aNsb.", "would change os.system"),
    "attributes of a list": (b"\x80\x02]}b.", "would fill a list with attributes"),
    "a call through torch": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nNX\x01\0\0\0a\x85NtR.",
        "would run os.system; it was not run",
    ),
    "a call through torch through torch": (
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR.",
        r"would run torch\._tensor\._rebuild_from_type_v2; it was not run",
    ),
    "another codec": (b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0zip\x86R.", "would encode a text"),
    "an extension": (b"\x80\x02\x82\x01.", "damaged at byte 3"),
    "a persistent id": (b"\x80\x02Nq\0Q.", "has a pickle that refers to something outside of it"),
    "a buffer outside": (b"\x80\x05\x97.", "damaged at byte 3"),
    "a container as a key": (b"\x80\x02}]Ns.", "has a key of type list"),
    "a huge number as a key": (b"\x80\x02}\x8a\x09" + b"\x7f" * 9 + b"Ns.", "has a key of type int"),
    "a long tuple as a key": (b"\x80\x02}(" + b"K\1" * 101 + b"tNs.", "has a key of type tuple"),
    "a nested tuple as a key": (b"\x80\x02})" + b"\x85" * 100_000 + b"Ns.", "has a key of type tuple"),
    "an endless number": (b"\x80\x02\x8b\xff\xff\0\0" + b"\1" * 65535 + b".", "has a whole number of 65535 bytes"),
    "a number of many digits": (b"L" + b"1" * 5000 + b"L\n.", "has a whole number of 5001 digits"),
    "a text of 4 GB": (b"\x80\x02X\xff\xff\xff\xff.", "damaged at byte"),
    "bytes of 2**63": (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "damaged at byte"),
    "a frame of 2**63": (b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f.", "damaged at byte"),
    "a newline in a name": (b"\x80\x04\x8c\x03o\ns\x8c\x06system\x93)R.", r"would run 'o\\ns\.system'"),
    "a version to come": (b"\x80\x06N.", "damaged at byte"),
    "nothing on the stack": (b"\x80\x02.", "damaged at byte"),
    "no end": (b"\x80\x02N", "damaged at byte"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_honest_pickle_has_is_refused(name: str) -> None:
    program, message = REFUSED[name]
    with pytest.raises(WeightsError, match=message) as raised:
        load(program)
    assert "\n" not in str(raised.value)


def test_memo_of_a_huge_index_costs_nothing() -> None:
    assert load(b"\x80\x02]r\xff\xff\xff\xff0j\xff\xff\xff\xff.") == []


def storage_call(numel: int, offset: int, size: bytes, strides: bytes) -> bytes:
    """A tensor of a storage of bytes; sizes and strides as instructions."""
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor\n((X\x07\0\0\0storagectorch\nByteStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ"
        + struct.pack("<i", numel)
        + b"tQJ"
        + struct.pack("<i", offset)
        + size
        + strides
        + b"tR."
    )


BOUNDS = {
    "beyond the end": (0, b"K\x19\x85", b"K\1\x85", "reaches beyond its storage of 24 elements"),
    "beyond by its offset": (20, b"K\x05\x85", b"K\1\x85", "reaches beyond its storage"),
    "beyond by its strides": (0, b"K\4K\6\x86", b"K\7K\1\x86", "reaches beyond its storage"),
    "before the beginning": (-1, b"K\1\x85", b"K\1\x85", "a place that is not a whole number"),
    "backwards": (23, b"K\2\x85", b"J\xff\xff\xff\xff\x85", "a place that is not a whole number"),
    "negative size": (0, b"J\xff\xff\xff\xff\x85", b"K\1\x85", "shape is not a row of whole numbers"),
    "size in floats": (0, b"G\x3f\xf0\0\0\0\0\0\0\x85", b"K\1\x85", "shape is not a row of whole numbers"),
    "size of truth": (0, b"\x88\x85", b"K\1\x85", "shape is not a row of whole numbers"),
    "without strides": (0, b"K\1\x85", b")", "without strides"),
    "2**62 times 2**62": (
        0,
        (b"\x8a\x08\0\0\0\0\0\0\0\x40" * 2) + b"\x86",
        b"K\0K\0\x86",
        "more elements than an array",
    ),
    "repeated without end": (0, b"J\0\0\0\x02\x85", b"K\0\x85", "repeats more values than the file could hold"),
    "rows over rows": (0, b"K\x08K\x08\x86", b"K\1K\1\x86", "whose rows overlap"),
    "33 dimensions": (0, b"(" + b"K\1" * 33 + b"t", b"(" + b"K\1" * 33 + b"t", "of 33 dimensions; 32 can be read"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_tensor_outside_of_its_storage_is_refused(name: str, tmp_path: Path) -> None:
    offset, size, strides, message = BOUNDS[name]
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", storage_call(24, offset, size, strides))
        archive.writestr("w/data/0", bytes(24))
    with pytest.raises(WeightsError, match=message):
        read_file(path)


def test_tensor_that_fills_its_storage_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", storage_call(24, 0, b"K\4K\6\x86", b"K\6K\1\x86"))
        archive.writestr("w/data/0", bytes(range(24)))
    tensor = read_file(path).content
    assert isinstance(tensor, StoredTensor)
    assert np.array_equal(tensor.read(), np.arange(24, dtype=np.uint8).reshape(4, 6))


def test_reading_imports_nothing_that_a_file_names(tmp_path: Path) -> None:
    path = save({"a": argparse.Namespace(), "b": torch.zeros(2)}, tmp_path / "w.pth")
    program = f"""if True:
        import sys
        from regnety.files.reading import read_file
        read_file({str(path)!r}).content["b"].read()
        print([name for name in ("torch", "argparse") if name in sys.modules])
    """
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
