"""`convert_model`: a model's weights under another code base's names, in the file that its own programs read.

What is written is read back and compared, byte by byte, before it takes its place. Memory holds one layer at a time,
however large the model is.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from regnety.bundle.bundle import CONFIG_FILE, WEIGHTS_FILE, Bundle
from regnety.bundle.hub_folders import PROCESSOR_FILE
from regnety.bundle.transformers_config import processor_config, transformers_config
from regnety.errors import ExportError
from regnety.graph.builder import DATA_SUFFIX, write_graph
from regnety.inference.foreign_comparison import compare_with_foreign_file
from regnety.storage import replacing_folder, replacing_together
from regnety.weights.checkpoint import open_checkpoint
from regnety.weights.dialects.registry import DIALECTS, in_dialect
from regnety.weights.files.arrays import Array, FileWeights, StoredTensor, tensor_of
from regnety.weights.files.safetensors_files import write_safetensors
from regnety.weights.files.torch_writing import write_torch

Target: TypeAlias = Literal["regnety", "timm", "pycls", "torchvision", "transformers", "vissl", "onnx"]

TORCH_SUFFIXES = (".pth", ".pt", ".pyth", ".torch", ".bin", ".ckpt", ".tar")
FOLDERS = ("regnety", "timm", "transformers")
"""Whose programs read a folder with config.json."""
COMPARED_AT_A_TIME = 1 << 20
"""Elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written."""

    path: Path
    """The file or folder that was asked for."""
    files: tuple[Path, ...]
    """All that were written."""
    to: str
    """Whose names the weights have now."""
    num_tensors: int
    """How many there are, each compared with its source."""


def convert_model(model: str | Path | Bundle, path: str | Path, *, to: Target, overwrite: bool = False) -> Converted:
    """Write a model as another code base keeps it.

        convert_model("regnety_002", "RegNetY-200MF.pyth", to="pycls")

    Args:
        model: whatever a model may be: a name, a folder, a checkpoint of any dialect, an ONNX file.
        path: `NAME.safetensors`, or a file of torch (`.pth`, `.pyth`, `.torch`, ...); for `regnety`, `timm` and
            `transformers` also a folder, a name without a suffix or with a slash at its end, from which they load the
            model with labels and preprocessing; for `onnx` `NAME.onnx` (over 2 GiB with `NAME.onnx.data`).
        to: whose it is to be. pycls's networks are shown BGR: the stem is turned.
        overwrite: replace what stands there.

    Raises:
        ExportError: the path and `to` do not go together, something stands there, or the other code base cannot
            express the model.
        WeightsError: the model is damaged.
        UnknownModelError: the name is not known, or its weights cannot be had.
    """
    form = _form(path, to)
    path = Path(path)
    _check_free(path, overwrite)
    bundle = Bundle.load(model)
    if to not in ("regnety", "onnx") and (obstacle := DIALECTS[to].obstacle(bundle.architecture)):
        raise ExportError(f"{path}: {to} cannot express {bundle.name}: {obstacle}")
    compare_with_foreign_file(bundle)
    if form == "folder" and to != "transformers":
        bundle.save(path)
        return _converted(path, to, bundle)
    if form == "folder":
        tensors = _tensors(bundle, to)
        with replacing_folder(path) as folder:
            write_safetensors(folder / WEIGHTS_FILE, FileWeights(tensors, source=bundle.name))
            _write_json(folder / CONFIG_FILE, transformers_config(bundle.architecture, bundle.labels))
            _write_json(folder / PROCESSOR_FILE, processor_config(bundle.preprocessing))
            _compare(folder / WEIGHTS_FILE, bundle)
        return _converted(path, to, bundle)
    with replacing_together(path, companions=[path.name + DATA_SUFFIX] if form == "onnx" else []) as beside:
        if form == "onnx":
            write_graph(
                beside,
                bundle.architecture,
                bundle.weights,
                image_size=bundle.preprocessing.image_size,
                preprocessing=bundle.preprocessing,
                labels=bundle.labels,
                provenance=bundle.provenance,
            )
        else:
            tensors = _tensors(bundle, to)
            if form == "safetensors":
                write_safetensors(beside, FileWeights(tensors, source=bundle.name))
            else:
                write_torch(beside, tensors if to == "regnety" else DIALECTS[to].nest(tensors))
            _compare(beside, bundle)
        names = sorted(file.name for file in beside.parent.iterdir())
    return _converted(path, to, bundle, [path.with_name(name) for name in names])


def _form(path: str | Path, to: str) -> Literal["folder", "safetensors", "torch", "onnx"]:
    if to not in get_args(Target):
        raise ExportError(f"a model can be converted to {', '.join(get_args(Target))}, got {to!r}")
    text, path = os.fspath(path), Path(path)
    if text.endswith(("/", os.sep)) or not path.suffix or path.is_dir():
        if to not in FOLDERS:
            wanted = "NAME.onnx" if to == "onnx" else "NAME.pth or NAME.safetensors"
            raise ExportError(f"{path}: {to} keeps a model in one file; name it {wanted}")
        return "folder"
    if not path.parent.is_dir():
        raise ExportError(f"{path}: there is no folder {path.parent}")
    suffix = path.suffix.lower()
    if (suffix == ".onnx") != (to == "onnx"):
        wanted = "an ONNX file ends in .onnx" if to == "onnx" else "--to onnx writes .onnx files"
        raise ExportError(f"{path}: {wanted}")
    if suffix == ".onnx":
        return "onnx"
    if suffix == ".safetensors":
        return "safetensors"
    if suffix not in TORCH_SUFFIXES:
        raise ExportError(f"{path}: name it .safetensors or one of {', '.join(TORCH_SUFFIXES)}")
    return "torch"


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite and not (path.is_dir() and not any(path.iterdir())):
        raise ExportError(f"{path}: exists; name another place, or say --overwrite")


def _tensors(bundle: Bundle, to: str) -> dict[str, StoredTensor]:
    """Under the names that they are to have; those of timm are ours, and we write designs that timm cannot build."""
    if to != "regnety":
        return in_dialect(DIALECTS[to], bundle.architecture, bundle.weights)
    keys = (key for key in bundle.architecture.state_dict_shapes() if key in bundle.weights)
    return {key: tensor_of(bundle.weights, key) for key in keys}


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _compare(path: Path, bundle: Bundle) -> None:
    """Read a file back as anybody's checkpoint and hold every tensor against its source."""
    weights = open_checkpoint(path).weights
    for key in bundle.weights:
        if key not in weights or not _same_bytes(weights[key], np.asarray(bundle.weights[key])):
            raise ExportError(f"{path.name}: {key} is not the model's; nothing was kept")


def _same_bytes(one: Array, other: Array) -> bool:
    """Some rows at a time, NaN like any other value."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    rows = max(1, COMPARED_AT_A_TIME // max(1, one[0].size)) if len(one) else 1
    return all(
        one[start : start + rows].tobytes() == other[start : start + rows].tobytes()
        for start in range(0, len(one), rows)
    )


def _converted(path: Path, to: str, bundle: Bundle, files: list[Path] | None = None) -> Converted:
    return Converted(
        path=path,
        files=tuple(sorted(path.iterdir()) if files is None else files),
        to=to,
        num_tensors=len(bundle.weights),
    )
