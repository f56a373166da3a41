"""Where a model is written to: the form that a path asks for, and whether what is there already may be replaced."""

import os
from pathlib import Path
from typing import Literal, TypeAlias

from regnety.bundle.bundle import Bundle
from regnety.bundle.folders.ours import check_replaceable as check_folder_replaceable
from regnety.errors import ExportError, WeightsError
from regnety.export import TARGETS
from regnety.graph.onnx_files import read_properties
from regnety.graph.openvino_files import DATA_SUFFIX, read_openvino
from regnety.metadata.model_metadata import KEY
from regnety.weights.checkpoint import open_checkpoint

ExportForm: TypeAlias = Literal["onnx", "openvino", "folder"]
ConversionForm: TypeAlias = Literal["folder", "safetensors", "torch", "onnx"]

EXPORT_SUFFIXES: dict[str, ExportForm] = {".onnx": "onnx", ".xml": "openvino"}
TORCH_SUFFIXES = (".pth", ".pt", ".pyth", ".torch", ".bin", ".ckpt", ".tar")
CONVERSION_SUFFIXES: dict[str, ConversionForm] = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    **dict.fromkeys(TORCH_SUFFIXES, "torch"),
}
FOLDER_TARGETS = ("regnety", "timm", "transformers")
"""Whose programs read a folder with config.json."""


def check_export_target(path: str | Path) -> ExportForm:
    """The form that a path asks for: an ONNX file (`.onnx`), an OpenVINO model (`.xml`), or a bundle's folder.

    Raises:
        ExportError: it asks for none of them, its folder does not exist, or what is there may not be replaced.
    """
    file_form = EXPORT_SUFFIXES.get(Path(path).suffix.lower())
    if _is_folder(path):
        # An existing folder called `model.onnx` is more likely a slip than a bundle of that name.
        if file_form is not None and not _ends_in_slash(path):
            raise ExportError(
                f"{path}: is a folder; name another file, or end the name of a bundle's folder with a slash"
            )
        form: ExportForm = "folder"
    elif file_form is None:
        raise ExportError(f"{path}: name an .onnx or an .xml file, or a folder with a slash at its end")
    else:
        form = file_form
        _check_parent(Path(path))
    check_replaceable(Path(path), form)
    return form


def check_conversion_target(path: str | Path, to: str) -> ConversionForm:
    """The form that a path asks for in a conversion to one of `TARGETS`.

    Raises:
        ExportError: the path and `to` do not go together, its folder does not exist, or what is there may not be
            replaced.
    """
    if to not in TARGETS:
        raise ExportError(f"a model can be converted to {', '.join(TARGETS)}, got {to!r}")
    if _is_folder(path):
        if to not in FOLDER_TARGETS:
            file = "NAME.onnx" if to == "onnx" else "NAME.pth or NAME.safetensors"
            raise ExportError(f"{Path(path)}: {to} keeps a model in one file; name it {file}")
        check_replaceable(Path(path), "folder")
        return "folder"
    _check_parent(Path(path))
    form = CONVERSION_SUFFIXES.get(Path(path).suffix.lower())
    if (form == "onnx") != (to == "onnx"):
        expected = "an ONNX file ends in .onnx" if to == "onnx" else "--to onnx writes .onnx files"
        raise ExportError(f"{path}: {expected}")
    if form is None:
        raise ExportError(f"{path}: name it .safetensors or one of {', '.join(TORCH_SUFFIXES)}")
    check_replaceable(Path(path), form)
    return form


def check_replaceable(path: Path, form: ExportForm | ConversionForm) -> None:
    """Refuse to overwrite what is not a model that regnety wrote; nothing but a model may be lost.

    A file of weights has no room to say who wrote it: there any model's weights may be replaced.

    Raises:
        ExportError: the message names the file or folder.
    """
    # An OpenVINO model is two files. A lone .bin may be anything, also another program's data.
    if form == "openvino" and not path.exists() and path.with_suffix(DATA_SUFFIX).exists():
        raise ExportError(f"{path.with_suffix(DATA_SUFFIX)}: exists without {path.name}; name another file")
    if not path.exists():
        return
    if form == "folder":
        try:
            check_folder_replaceable(path)
        except WeightsError as error:
            raise ExportError(str(error)) from None
    elif form in ("safetensors", "torch"):
        _check_weights(path)
    else:
        try:
            properties = read_properties(path) if form == "onnx" else read_openvino(path).properties
        except WeightsError:  # damaged, or no model at all: not ours
            properties = {}
        if KEY not in properties:
            raise ExportError(f"{path}: exists and was not written by regnety; name another file")


def check_not_its_source(path: str | Path, bundle: Bundle) -> None:
    """Refuse to write a model over the files that it is read from: they are mapped, and may be its only copy.

    Raises:
        ExportError: the path is the model's own, one of its files, or a folder around it.
    """
    place = Path(path).resolve()
    sources = [] if bundle.path is None else [bundle.path.resolve()]
    if bundle.files is not None:
        sources += [file.path.resolve() for file in bundle.files.files]
    if place.exists() and any(place == source or place in source.parents for source in sources):
        raise ExportError(f"{path}: is the model itself or a part of it; name another place")


def _is_folder(path: str | Path) -> bool:
    """Whether a path means a folder: it ends in a slash, is a folder already, or has no suffix."""
    return _ends_in_slash(path) or not Path(path).suffix or Path(path).is_dir()


def _ends_in_slash(path: str | Path) -> bool:
    return os.fspath(path).endswith(("/", os.sep))  # which a Path has lost


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise ExportError(f"{path}: there is no folder {path.parent}")


def _check_weights(path: Path) -> None:
    if not path.is_file():
        raise ExportError(f"{path}: is a device or a pipe, not a file; name another place")
    try:
        open_checkpoint(path)
    except WeightsError:
        raise ExportError(f"{path}: exists and holds no model's weights; name another file") from None
