"""What the name of a target asks for, and whether what stands there may be replaced."""

import os
from pathlib import Path
from typing import Literal, TypeAlias

from regnety.bundle.bundle import Bundle
from regnety.bundle.folders.ours import check_replaceable as check_bundle_replaceable
from regnety.errors import ExportError, WeightsError
from regnety.graph.openvino_files import DATA_SUFFIX, read_openvino
from regnety.graph.properties import read_properties
from regnety.metadata.model_metadata import KEY

Form: TypeAlias = Literal["onnx", "openvino", "folder"]

SUFFIXES: dict[str, Form] = {".onnx": "onnx", ".xml": "openvino"}


def check_not_its_source(path: Path, bundle: Bundle) -> None:
    """Refuse to write a model over itself, or over a part of itself.

    Raises:
        ExportError: the place is the model's own, or one is within the other.
    """
    if bundle.path is None or not path.exists():
        return
    place, source = path.resolve(), bundle.path.resolve()
    if place == source or place in source.parents or source in place.parents:
        raise ExportError(f"{path}: is the model itself or a part of it; name another place")


def form_of(path: str | Path) -> Form:
    """An ONNX file (`.onnx`), an OpenVINO model (`.xml`), or a bundle's folder.

    A folder is a name that ends in a slash, one that is a folder already, or one without a suffix.

    Raises:
        ExportError: the name says none of them, or its folder does not exist.
    """
    text, path = os.fspath(path), Path(path)
    if text.endswith(("/", os.sep)) or not path.suffix:
        return "folder"
    form = SUFFIXES.get(path.suffix.lower())
    if path.is_dir():
        if form is not None:
            raise ExportError(
                f"{path}: is a folder; name another file, or end the name of a bundle's folder in a slash"
            )
        return "folder"
    if form is None:
        raise ExportError(f"{path}: name an .onnx or an .xml file, or a folder with a slash at its end")
    if not path.parent.is_dir():
        raise ExportError(f"{path}: there is no folder {path.parent}")
    return form


def check_output(path: str | Path) -> Form:
    """What a name asks for, once it is known that it can be written and that nothing of others is lost by it.

    Raises:
        ExportError: the name says no form, or its folder does not exist; or regnety did not write the file there.
        WeightsError: regnety did not write the folder there, or something else is in it too.
    """
    form = form_of(path)
    if form != "folder":
        check_replaceable(Path(path), form)
    elif Path(path).exists():
        check_bundle_replaceable(Path(path))
    return form


def check_replaceable(path: Path, form: Form) -> None:
    """Refuse to overwrite a file that regnety did not write.

    Raises:
        ExportError: it names the file.
    """
    if form == "openvino" and not path.exists() and path.with_suffix(DATA_SUFFIX).exists():
        raise ExportError(f"{path.with_suffix(DATA_SUFFIX)}: exists without {path.name}; name another file")
    if not path.exists():
        return
    try:
        properties = read_properties(path) if form == "onnx" else read_openvino(path).properties
    except WeightsError:
        properties = {}
    if KEY not in properties:
        raise ExportError(f"{path}: exists and was not written by regnety; name another file")
