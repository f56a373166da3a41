"""The resolver of MODEL: what every command and function that takes a model does with what it was given."""

from pathlib import Path

from regnety.bundle.bundle import Bundle, read_bundle
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, list_models
from regnety.errors import UnknownModelError, WeightsError

GRAPH_SUFFIXES = (".onnx", ".xml")
"""Of ONNX files and OpenVINO models."""


def resolve(model: "str | Path | Bundle") -> Bundle:
    """A name, a bundle folder or a graph's file to the bundle that it means; a bundle is itself.

    Raises:
        UnknownModelError: the name is not known, or its weights are not on this disk.
        WeightsError: the folder or file is no model of regnety's kind, or its weights do not fit.
    """
    if isinstance(model, Bundle):
        return model
    if model == EMBEDDED_MODEL:
        return read_bundle(embedded_bundle(), name=EMBEDDED_MODEL)
    path = Path(model)
    if path.is_dir():
        return read_bundle(path)
    if path.suffix.lower() in GRAPH_SUFFIXES and path.exists():
        from regnety.bundle.graph_files import read_graph_file

        return read_graph_file(path)
    if path.exists():
        raise WeightsError(f"{model}: is a file; a model is a name, a bundle folder, an .onnx or an .xml file")
    if str(model) in list_models():
        raise UnknownModelError(
            f"{model}: the weights of this model are not on this disk; name a bundle folder, "
            f"or {EMBEDDED_MODEL}, whose weights come with the package"
        )
    raise UnknownModelError(
        f"no model named {str(model)!r}, and no such folder; known names: {', '.join(list_models())}"
    )
