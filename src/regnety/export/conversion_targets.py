"""Where a conversion goes: the form that a name asks for, and whether what stands there may be replaced."""

import os
from pathlib import Path
from typing import Literal, TypeAlias

from regnety.bundle.folders.ours import BUNDLE_FILES
from regnety.bundle.folders.transformers import is_ours
from regnety.errors import ExportError, WeightsError
from regnety.export.export_targets import check_replaceable
from regnety.files.file_names import PROCESSOR_FILE
from regnety.weights.checkpoint import open_checkpoint
from regnety.weights.dialects import DIALECT_NAMES

ConvertedForm: TypeAlias = Literal["folder", "safetensors", "torch", "onnx"]

TARGETS = ("regnety", *DIALECT_NAMES, "onnx")
"""Whose names and form a model can be converted to."""
FOLDER_TARGETS = ("regnety", "timm", "transformers")
"""Whose programs read a folder with config.json."""
TORCH_SUFFIXES = (".pth", ".pt", ".pyth", ".torch", ".bin", ".ckpt", ".tar")
SUFFIXES: dict[str, ConvertedForm] = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    **dict.fromkeys(TORCH_SUFFIXES, "torch"),
}
FOLDER_FILES = {*BUNDLE_FILES, PROCESSOR_FILE}
"""All that may stand in a folder that is replaced."""


def check_target(path: str | Path, to: str) -> ConvertedForm:
    """What a name asks for, once it is known that it can be written. The model need not be there yet.

    A folder ends in a slash, is one already, or has no suffix. What stands there may be replaced where it is a file of
    weights, or an ONNX file or a folder that regnety wrote.

    Args:
        path: where the model is to go.
        to: one of `TARGETS`.

    Raises:
        ExportError: the name and `to` do not go together, a file's folder does not exist, or something stands there
            that regnety did not write.
    """
    form = _form_of(path, to)
    _check_free(Path(path), form)
    return form


def _form_of(path: str | Path, to: str) -> ConvertedForm:
    if to not in TARGETS:
        raise ExportError(f"a model can be converted to {', '.join(TARGETS)}, got {to!r}")
    text, path = os.fspath(path), Path(path)
    if text.endswith(("/", os.sep)) or not path.suffix or path.is_dir():
        if to not in FOLDER_TARGETS:
            wanted = "NAME.onnx" if to == "onnx" else "NAME.pth or NAME.safetensors"
            raise ExportError(f"{path}: {to} keeps a model in one file; name it {wanted}")
        return "folder"
    if not path.parent.is_dir():
        raise ExportError(f"{path}: there is no folder {path.parent}")
    form = SUFFIXES.get(path.suffix.lower())
    if (form == "onnx") != (to == "onnx"):
        wanted = "an ONNX file ends in .onnx" if to == "onnx" else "--to onnx writes .onnx files"
        raise ExportError(f"{path}: {wanted}")
    if form is None:
        raise ExportError(f"{path}: name it .safetensors or one of {', '.join(TORCH_SUFFIXES)}")
    return form


def _check_free(path: Path, form: ConvertedForm) -> None:
    if not path.exists():
        return
    if form == "onnx":
        check_replaceable(path, form)
    elif form == "folder":
        _check_folder(path)
    else:
        _check_weights(path)


def _check_weights(path: Path) -> None:
    """A file of weights may be replaced; whose it is they do not say."""
    if not path.is_file():
        raise ExportError(f"{path}: is a device or a pipe, not a file; name another place")
    try:
        open_checkpoint(path)
    except WeightsError:
        raise ExportError(f"{path}: exists and holds no model's weights; name another file") from None


def _check_folder(path: Path) -> None:
    """An empty folder may be replaced, and a model's that regnety wrote."""
    if not path.is_dir():
        raise ExportError(f"{path}: is a file; name another folder")
    names = {entry.name for entry in path.iterdir()}
    if names and not is_ours(path):
        raise ExportError(f"{path}: exists and was not written by regnety; name another folder")
    if others := sorted(names - FOLDER_FILES):
        raise ExportError(f"{path}: holds {others[0]}, which is no model's and would be lost; name another folder")
