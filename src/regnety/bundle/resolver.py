"""The resolver of MODEL: what every command and function that takes a model does with what it was given."""

import os
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.bundle.bundle import Bundle, read_bundle
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, how_to_find, is_name, model_info
from regnety.errors import UnknownModelError, WeightsError
from regnety.graph.metadata import ModelMetadata

if TYPE_CHECKING:
    from regnety.catalog.published import PublishedWeights

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".pth.tar", ".tar", ".pyth", ".torch", ".bin", ".ckpt", ".json")
GRAPH_SUFFIXES = (".onnx", ".xml")
"""Endings of the files that are a model by themselves, in any case; a checkpoint is known by its content."""
HUB_SCHEMES = ("hf-hub:", "hf_hub:")
LOCAL_SCHEME = "local-dir:"
"""timm's ways to say where a model is."""
_REPOSITORY = re.compile(r"[A-Za-z][\w.-]*/[\w.-]+")
ACCEPTED = "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file"


def resolve(model: "str | Path | Bundle", *, quiet: bool = False) -> Bundle:
    """A name, a place on the Hub, a folder, a checkpoint or a graph file to the bundle that it means.

    A text that is a name means that model, whatever stands in the current folder; `./NAME` is a folder.

    Args:
        model: MODEL; a bundle is itself.
        quiet: show no progress of what is fetched.

    Raises:
        UnknownModelError: the name is not known, or its weights cannot be had.
        WeightsError: the folder or file is no model, or the weights do not fit.
    """
    if isinstance(model, Bundle):
        return model
    if not isinstance(model, str | Path):
        raise UnknownModelError(f"{ACCEPTED}, got {type(model).__name__} {' '.join(reprlib.repr(model).split())}")
    if model == EMBEDDED_MODEL:
        return read_bundle(embedded_bundle(), name=EMBEDDED_MODEL)
    if isinstance(model, str):
        published = published_weights(model)
        if published is not None:
            try:
                return _resolve_published(published, quiet=quiet)
            except UnknownModelError as error:
                if os.path.isdir(model):
                    raise UnknownModelError(f"{error} (the folder of that name is ./{model})") from error
                raise
        if model.startswith(HUB_SCHEMES):
            return _resolve_hub(model, quiet=quiet)
        if model.startswith(LOCAL_SCHEME):
            model = Path(model.removeprefix(LOCAL_SCHEME))
    path = Path(model)
    if os.path.isdir(path) and model != "":
        from regnety.bundle.hub_folders import read_folder

        return read_folder(path)
    if os.path.isfile(path):
        return _resolve_file(path)
    if os.path.exists(path) and model != "":
        raise WeightsError(f"{model}: is a device or a pipe; {ACCEPTED}")
    raise _nothing_there(model)


def published_weights(model: str) -> "PublishedWeights | None":
    """The published weights that a text means: by their name, or by their repository on the Hub; else None."""
    if is_name(model):
        return model_info(model).published
    if not model.startswith(HUB_SCHEMES):
        return None
    from regnety.catalog.published import published_models

    repository = model.partition(":")[2]
    known = (weights for published in published_models().values() for weights in published.weights.values())
    return next((weights for weights in known if weights.hub_repo == repository), None)


def describe_hub_model(model: str) -> ModelMetadata:
    """Design, classes, labels and preprocessing of `hf-hub:owner/name`, without its weights.

    Raises:
        UnknownModelError: there is none, or it cannot be had.
        WeightsError: it is of no RegNet.
    """
    from regnety.bundle.hub_folders import describe_folder
    from regnety.weights.fetching.hub import fetch_repo

    return describe_folder(fetch_repo(model.partition(":")[2], weights=False))


def _resolve_published(published: "PublishedWeights", *, quiet: bool) -> Bundle:
    from regnety.bundle.checkpoint_files import read_published

    path = published.cached_file
    if path is None or published.noncommercial:  # whose licence is said before the first use, wherever it came from
        from regnety.weights.fetching.published import fetch

        path = fetch(published, quiet=quiet)
    return read_published(published, path)


def _resolve_hub(model: str, *, quiet: bool) -> Bundle:
    from regnety.bundle.hub_folders import read_folder
    from regnety.weights.fetching.hub import fetch_repo

    return read_folder(fetch_repo(model.partition(":")[2], quiet=quiet), name=model)


def _resolve_file(path: Path) -> Bundle:
    from regnety.bundle.hub_folders import folder_of, read_folder

    folder = folder_of(path)
    if folder is not None:  # labels and preprocessing stand beside it
        return read_folder(folder, weights=path)
    if path.suffix.lower() in GRAPH_SUFFIXES:
        from regnety.bundle.graph_files import read_graph_file

        return read_graph_file(path)
    from regnety.bundle.checkpoint_files import read_checkpoint

    return read_checkpoint(path)


def _nothing_there(model: str | Path) -> UnknownModelError:
    text = str(model)
    endings = (*CHECKPOINT_SUFFIXES, *GRAPH_SUFFIXES)
    if isinstance(model, Path) or os.sep in text or "/" in text or text.lower().endswith(endings):
        on_hub = (
            f" (on the Hub it would be {HUB_SCHEMES[0]}{text})"
            if isinstance(model, str) and _REPOSITORY.fullmatch(model)
            else ""
        )
        return UnknownModelError(f"{text}: no such file or folder{on_hub}; {ACCEPTED}")
    if is_name(text.partition(".")[0]):
        try:
            model_info(text)
        except UnknownModelError as error:  # a tag that the model does not have
            return error
    return UnknownModelError(f"no model named {text!r}, and no such file or folder; {how_to_find(text)}")
