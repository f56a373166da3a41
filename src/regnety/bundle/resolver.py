"""The resolver of MODEL: what every command and function that takes a model does with what it was given."""

import os
import reprlib
from pathlib import Path

from regnety.bundle.bundle import WEIGHTS_FILE, Bundle, is_bundle, read_bundle
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, how_to_find, is_name, model_info
from regnety.errors import UnknownModelError, WeightsError

FILE_SUFFIXES = (".safetensors", ".onnx", ".xml")
"""Endings of the files that are a model by themselves, in any case."""
ACCEPTED = "a model is a name, a bundle folder or a .safetensors, .onnx or .xml file"


def resolve(model: "str | Path | Bundle") -> Bundle:
    """A name, a bundle folder, a checkpoint or a graph file to the bundle that it means; a bundle is itself.

    A text that is a name means that model, whatever stands in the current folder; `./NAME` is a folder.

    Raises:
        UnknownModelError: the name is not known, or its weights are not on this disk.
        WeightsError: the folder is no bundle, the file fits no model, or the weights do not fit.
    """
    if isinstance(model, Bundle):
        return model
    if not isinstance(model, str | Path):
        raise UnknownModelError(f"{ACCEPTED}, got {type(model).__name__} {' '.join(reprlib.repr(model).split())}")
    if model == EMBEDDED_MODEL:
        return read_bundle(embedded_bundle(), name=EMBEDDED_MODEL)
    if isinstance(model, str) and is_name(model):
        return _resolve_name(model)
    path = Path(model)
    if os.path.isdir(path) and model != "":
        return read_bundle(path)
    if os.path.isfile(path):
        return _resolve_file(path)
    if os.path.exists(path) and model != "":
        raise WeightsError(f"{model}: is a device or a pipe; {ACCEPTED}")
    raise _nothing_there(model)


def _resolve_name(name: str) -> Bundle:
    from regnety.bundle.checkpoint_files import read_published

    published = model_info(name).published
    assert published is not None
    if published.cache_path.is_file():
        return read_published(published)
    here = f" (the folder of that name is ./{name})" if os.path.isdir(name) else ""
    raise UnknownModelError(
        f"{name}: the weights of this model are not on this disk; put model.safetensors of "
        f"https://huggingface.co/{published.hub_repo} at {published.cache_path}{here}"
    )


def _resolve_file(path: Path) -> Bundle:
    if path.name == WEIGHTS_FILE and is_bundle(path.parent):  # its labels and preprocessing stand beside it
        return read_bundle(path.parent)
    match path.suffix.lower():
        case ".safetensors":
            from regnety.bundle.checkpoint_files import read_checkpoint

            return read_checkpoint(path)
        case ".onnx" | ".xml":
            from regnety.bundle.graph_files import read_graph_file

            return read_graph_file(path)
        case _:
            raise WeightsError(f"{path}: is a file of another kind; {ACCEPTED}")


def _nothing_there(model: str | Path) -> UnknownModelError:
    text = str(model)
    if isinstance(model, Path) or os.sep in text or "/" in text or text.lower().endswith(FILE_SUFFIXES):
        return UnknownModelError(f"{text}: no such file or folder; {ACCEPTED}")
    if is_name(text.partition(".")[0]):
        try:
            model_info(text)
        except UnknownModelError as error:  # a tag that the model does not have
            return error
    return UnknownModelError(f"no model named {text!r}, and no such file or folder; {how_to_find(text)}")
