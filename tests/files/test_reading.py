"""One way to read any file: what it is told by its bytes, and what is said of files that hold no weights."""

import gzip
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from bundles import SMALL_DESIGN, random_weights
from regnety.errors import WeightsError
from regnety.files.arrays import FileWeights
from regnety.files.file_contents import walk_tensors
from regnety.files.reading import read_file
from regnety.files.safetensors_files import write_safetensors
from regnety.graph.builder import write_graph
from torch_files import FORMS, save, state_dict

WEIGHTS = state_dict()


def write(path: Path, container: str) -> Path:
    if container == "safetensors":
        save_file(dict(WEIGHTS), path, metadata={"format": "pt", "license": "mit"})
    elif container == "pickle":
        path.write_bytes(pickle.dumps({key: tensor.numpy() for key, tensor in WEIGHTS.items()}))
    else:
        save(WEIGHTS, path, container)
    return path


@pytest.mark.parametrize("container", ["safetensors", "pickle", *FORMS])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
def test_bytes_say_what_a_file_is_and_not_its_name(container: str, name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, container)
    content = read_file(str(path))
    assert (content.path, content.files, content.container) == (path, (path,), container)
    assert content.metadata == ({"format": "pt", "license": "mit"} if container == "safetensors" else {})
    read = {path[0]: tensor.read() for path, tensor in walk_tensors(content.content)}
    assert read.keys() == WEIGHTS.keys()
    assert all(read[key].tobytes() == tensor.numpy().tobytes() for key, tensor in WEIGHTS.items())


FOREIGN = {
    "an HTML page": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a gzip file": gzip.compress(b"weights"),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "a TensorFlow SavedModel": b"\x08\x01\x12\x05tags ",
    "a TensorFlow Lite file": b"\x1c\0\0\0TFL3" + bytes(64),
    "an XML file": b"<?xml version='1.0'?><net/>",
    "a single NumPy array": b"\x93NUMPY\x01\0",
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "text": b"Dear reader,\nno weights today.\n",
    "JSON": b"[1, 2]",
    "no known format": b"\xfe\xfe" * 100,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_files_are_told_by_their_looks(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(WeightsError, match=rf"w\.pth: is not a file of weights; it looks like {kind}") as raised:
        read_file(path)
    assert "\n" not in str(raised.value)


def test_onnx_is_told_by_its_looks(tmp_path: Path) -> None:
    ours, foreign = tmp_path / "ours.onnx", tmp_path / "foreign.onnx"
    write_graph(ours, SMALL_DESIGN, random_weights(SMALL_DESIGN.architecture()))
    identity = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([identity], "g", [value("x", 1, [1])], [value("y", 1, [1])])
    onnx.save(onnx.helper.make_model(graph, producer_name="pytorch"), foreign)
    for path in (ours, foreign):
        with pytest.raises(WeightsError, match=r"it looks like an ONNX file"):
            read_file(path)


def test_archives_of_others_are_told_by_their_entries(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.zeros(2))
    with pytest.raises(WeightsError, match=r"not one of torch\.save: it has no data\.pkl; it looks like NumPy's \.npz"):
        read_file(tmp_path / "w.npz")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(WeightsError, match=r"it has no data\.pkl; it looks like Keras's \.keras"):
        read_file(tmp_path / "w.keras")
    zipfile.ZipFile(tmp_path / "w.zip", "w").close()
    with pytest.raises(WeightsError, match=r"it has no data\.pkl; it is empty"):
        read_file(tmp_path / "w.zip")


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    os.mkfifo(tmp_path / "pipe.pth")
    for name, message in {
        "nowhere.pth": "no such file",
        "empty.pth": "is empty",
        "pipe.pth": "is a device or a pipe, not a file",
        "": "is a folder, not a file",
    }.items():
        with pytest.raises(WeightsError) as raised:
            read_file(tmp_path / name)
        assert str(raised.value) == f"{tmp_path / name}: {message}"


# Shards


def write_shards(folder: Path, container: str = "safetensors") -> Path:
    """Two shards and their index, which lists the second one's tensors first."""
    keys = list(WEIGHTS)
    names = {key: f"model-{1 + (key not in keys[:3])}.bin" for key in keys[3:] + keys[:3]}
    for name in set(names.values()):
        part = {key: WEIGHTS[key] for key in keys if names[key] == name}
        if container == "safetensors":
            save_file(part, folder / name)
        else:
            save(part, folder / name, container)
    index = folder / "model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    return index


@pytest.mark.parametrize("container", ["safetensors", *FORMS[:2]])
def test_shards_are_one_file(container: str, tmp_path: Path) -> None:
    index = write_shards(tmp_path, container)
    content = read_file(index)
    assert content.container == f"{container} in 2 shards"
    assert content.files == (index, tmp_path / "model-2.bin", tmp_path / "model-1.bin")
    keys = list(WEIGHTS)
    assert list(content.content) == keys[3:] + keys[:3]
    weights = FileWeights(content.content, source="w")
    assert all(weights[key].tobytes() == tensor.numpy().tobytes() for key, tensor in WEIGHTS.items())


def test_shards_must_be_beside_the_index(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    index = write_shards(tmp_path / "inner")
    text = index.read_text()
    for elsewhere in ("../model-1.bin", "/etc/passwd", "a/b", "C:\\\\a", "..", "", "..\\\\model-1.bin"):
        index.write_text(text.replace("model-1.bin", elsewhere))
        with pytest.raises(WeightsError, match=r"index\.json: refers to .*, which is not a file beside it$"):
            read_file(index)


def test_damaged_indices_are_refused(tmp_path: Path) -> None:
    index = write_shards(tmp_path)
    text = index.read_text()
    first, other = [*WEIGHTS][:2]
    for damaged, message in {
        text[:-3]: "its index of shards is damaged: ",
        text.replace("model-1.bin", "model-3.bin"): r"model-3\.bin: no such file",
        text.replace(f'"{first}"', f'"{other}"'): rf"its index of shards has {other} twice",
        text.replace(f'"{first}"', '"x"'): rf"model-1\.bin has {first}, which the index does not expect there",
        text.replace(f'"{first}"', f'"x": "model-1.bin", "{first}"'): r"x should be in model-1\.bin, and is not",
        "{}": "is JSON, but not an index of shards: it has no weight_map",
        '{"weight_map": {"a": 1}}': "is JSON, but not an index of shards",
        "{" * 100_000: "its index of shards is damaged",
        '{"a": "' + "x" * (2 << 20) + '"}': "has 2097161 bytes of JSON; at most 2097152 are read",
        '{"weight_map": {"a": "model.bin.index.json"}}': r"index\.json: is not a file of weights; it looks like JSON",
    }.items():
        index.write_text(damaged)
        with pytest.raises(WeightsError, match=message) as raised:
            read_file(index)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 500


def test_names_of_a_file_do_not_break_the_line(tmp_path: Path) -> None:
    header = json.dumps({"a\nb\x1b[2J": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    weights = FileWeights(read_file(path).content, source=str(path))
    with pytest.raises(WeightsError) as raised:
        weights["a\nb\x1b[2J"]
    assert str(raised.value).startswith(f"{path}: 'a\\nb\\x1b[2J' is of type F8_E4M3, which cannot be read; ")


def test_values_in_memory_write_like_those_of_a_file(tmp_path: Path) -> None:
    """What is read from torch's file goes into safetensors without torch."""
    content = read_file(save({"a": torch.ones(3).bfloat16(), "b": torch.ones(2)}, tmp_path / "w.pth")).content
    write_safetensors(tmp_path / "w.safetensors", FileWeights(content, source="w"))
    read = read_file(tmp_path / "w.safetensors").content
    assert {key: (tensor.dtype, tensor.read().tolist()) for key, tensor in read.items()} == {
        "a": ("float32", [1, 1, 1]),
        "b": ("float32", [1, 1]),
    }
