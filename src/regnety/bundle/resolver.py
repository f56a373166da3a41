"""The resolver of MODEL: from what a command or a function was given to the model that it means."""

import os
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.bundle.folders.ours import read_bundle
from regnety.bundle.model import Model
from regnety.catalog.addresses import HUB, LOCAL, split_address
from regnety.catalog.models import EMBEDDED_MODELS, embedded_bundle, how_to_find, is_name, model_info
from regnety.errors import UnknownModelError, WeightsError
from regnety.files.file_names import RUN_FILES
from regnety.metadata.model_metadata import ModelMetadata
from regnety.text import one_line

if TYPE_CHECKING:
    from regnety.catalog.published import PublishedWeights

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".pth.tar", ".tar", ".pyth", ".torch", ".bin", ".ckpt", ".json")
GRAPH_SUFFIXES = (".onnx", ".xml")
"""Suffixes of files that are models by themselves, in lower or upper case. A checkpoint is known by its content."""
"""By which the folder of a run of `regnety train` is known."""
# `timm/regnety_002` may be a path or a repository: the message for a missing path mentions the Hub, too.
_REPOSITORY = re.compile(r"[A-Za-z][\w.-]*/[\w.-]+")
ACCEPTED = "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file"


def resolve(
    model: "str | Path | Model",
    *,
    quiet: bool = False,
    assumed: "PublishedWeights | None" = None,
    state_dict: str | None = None,
) -> Model:
    """Turn a name, a place on the Hub, a folder, a checkpoint or a graph file into the model that it means.

    A known name means that model, even if a folder has the same name; `./NAME` is the folder.

    Args:
        model: MODEL; a model in memory is returned as it is.
        quiet: show no progress of what is fetched.
        assumed: published weights whose preprocessing is used for a bare checkpoint that has none.
        state_dict: which of a checkpoint's state dicts; None is the choice of `weights.selection`.

    Raises:
        UnknownModelError: the name is not known, or its weights are unavailable.
        WeightsError: the folder or file is no model, or the weights do not fit.
    """
    if state_dict is not None and (isinstance(model, Model) or (isinstance(model, str) and is_name(model))):
        from regnety.bundle.folders.owners import no_choice

        raise no_choice(model.name if isinstance(model, Model) else model)
    if isinstance(model, Model):
        return model
    if not isinstance(model, str | Path):
        raise UnknownModelError(f"{ACCEPTED}, got {type(model).__name__} {one_line(reprlib.repr(model))}")
    if model in EMBEDDED_MODELS:  # the default of every command: before anything is imported or read for other models
        return read_bundle(embedded_bundle(str(model)), name=str(model))
    if isinstance(model, str):
        published = published_weights(model)
        if published is not None:
            try:
                return _resolve_published(published, quiet=quiet)
            except UnknownModelError as error:
                if os.path.isdir(model):  # the user may have meant a folder of the same name
                    raise UnknownModelError(f"{error} (the folder of that name is ./{model})") from error
                raise
        if split_address(model)[0] == HUB:
            return _resolve_hub(model, quiet=quiet, state_dict=state_dict)
    return _resolve_place(model, assumed, state_dict)


def published_weights(model: str) -> "PublishedWeights | None":
    """The published weights with this name, or in this repository on the Hub; None for any other text."""
    return model_info(model).published if is_name(model) else None


def published_metadata(published: "PublishedWeights") -> ModelMetadata:
    """Design, class names, preprocessing, licence and places of published weights, which need not be on this disk."""
    from regnety.catalog.class_names import labels

    provenance = {
        "license": published.license,
        "source": f"https://huggingface.co/{published.hub_repo}",
        "url": published.url,
    }
    return ModelMetadata(
        design=model_info(published.model).design,
        num_classes=published.num_classes,
        in_chans=3,
        preprocessing=published.preprocessing,
        labels=labels(published.label_set) if published.label_set else None,
        provenance={name: value for name, value in provenance.items() if value is not None},
    )


def describe_model(model: "str | Path | Model", *, quiet: bool = False, state_dict: str | None = None) -> ModelMetadata:
    """Design, classes, labels and preprocessing of MODEL. The weights of a name, or on the Hub, are not fetched.

    Arguments and errors are those of `resolve`.
    """
    if not isinstance(model, str) or state_dict is not None:
        return resolve(model, quiet=quiet, state_dict=state_dict).metadata
    published = published_weights(model)
    if published is not None:  # the catalogue knows it all, so `describe` works offline
        return published_metadata(published)
    if split_address(model)[0] != HUB:
        return resolve(model, quiet=quiet).metadata
    from regnety.bundle.folders.owners import describe_folder
    from regnety.weights.fetching.hub import fetch_repo

    return describe_folder(fetch_repo(model, weights=False, quiet=quiet))


def fetch_model(model: str, *, quiet: bool = False) -> Path:
    """The path of MODEL's weights on this disk; those of a name, or on the Hub, are fetched where they are missing.

    A fetched file is not opened here.

    Args:
        model: as in `resolve`.
        quiet: show no progress, and no notices except a licence's.

    Raises:
        UnknownModelError: there is no such model, or it is unavailable.
        WeightsError: the folder or file is no model, or a fetched file was not the announced one; it was removed.
        OSError: the file cannot be written, for example on a full disk.
    """
    published = published_weights(model)
    if published is not None:
        from regnety.weights.fetching.published import fetch

        return fetch(published, quiet=quiet)
    if split_address(model)[0] == HUB:
        from regnety.weights.fetching.hub import fetch_repo

        return fetch_repo(model, quiet=quiet)
    path = resolve(model, quiet=quiet).path
    assert path is not None
    return path


def place_on_disk(model: str | Path) -> Path:
    """The file or folder that MODEL means if it is not a name: without `local-dir:`, and with `~` expanded.

    The folder of a run of `regnety train` or `regnety finetune` means the bundle in it.

    Raises:
        UnknownModelError: `local-dir:` is not followed by anything.
        WeightsError: the run has no model yet.
    """
    if isinstance(model, str):
        scheme, place = split_address(model)
        if scheme == LOCAL and not place:
            raise UnknownModelError(f"{model} has no folder; write {LOCAL}FOLDER")
        model = place if scheme == LOCAL else model
    path = Path(os.path.expanduser(model))  # shells do not expand the ~ of --model=~/birds
    if model == "" or not any(os.path.isfile(path / name) for name in RUN_FILES):
        return path
    from regnety.bundle.run_folders import place_in_run

    return place_in_run(path)


def _resolve_published(published: "PublishedWeights", *, quiet: bool) -> Model:
    from regnety.weights.checkpoint import open_checkpoint

    path = published.cached_file
    # Even if the file is here: a licence notice is due before the first use, a file put there by hand is checked once.
    if path is None or published.noncommercial or path == published.url_path:
        from regnety.weights.fetching.published import fetch

        path = fetch(published, quiet=quiet)
    checkpoint, metadata = open_checkpoint(path), published_metadata(published)
    return Model(metadata, checkpoint.weights, name=published.name, path=path, files=checkpoint.model_files)


def _resolve_hub(model: str, *, quiet: bool, state_dict: str | None) -> Model:
    from regnety.bundle.folders.owners import read_folder
    from regnety.weights.fetching.hub import fetch_repo

    return read_folder(fetch_repo(model, quiet=quiet), name=model, state_dict=state_dict)


def _resolve_place(model: str | Path, assumed: "PublishedWeights | None", state_dict: str | None) -> Model:
    path = place_on_disk(model)
    if os.path.isdir(path) and model != "":
        from regnety.bundle.folders.owners import read_folder

        return read_folder(path, state_dict=state_dict)
    if os.path.isfile(path):
        return _resolve_file(path, assumed, state_dict)
    if os.path.exists(path) and model != "":  # Path("") is the current folder
        raise WeightsError(f"{model}: is a device or a pipe; {ACCEPTED}")
    raise _nothing_there(model)


def _resolve_file(path: Path, assumed: "PublishedWeights | None", state_dict: str | None) -> Model:
    from regnety.bundle.folders.owners import folder_of, no_choice, read_folder

    folder = folder_of(path)
    if folder is not None:  # labels and preprocessing are in its config.json
        return read_folder(folder, weights=path, state_dict=state_dict)
    if path.suffix.lower() in GRAPH_SUFFIXES:
        if state_dict is not None:
            raise no_choice(path)
        from regnety.bundle.graph_files import read_graph_file

        return read_graph_file(path)
    from regnety.bundle.checkpoint_files import read_checkpoint

    return read_checkpoint(path, describe=describe_model, assumed=assumed, state_dict=state_dict)


def _nothing_there(model: str | Path) -> UnknownModelError:
    text = str(model)
    if isinstance(model, str) and split_address(model)[0] == LOCAL:
        model = Path(text := split_address(model)[1])
    endings = (*CHECKPOINT_SUFFIXES, *GRAPH_SUFFIXES)
    # What looks like a path is not compared with names, and the other way round: one good hint instead of two.
    if isinstance(model, Path) or os.sep in text or "/" in text or text.lower().endswith(endings):
        on_hub = (
            f" (on the Hub it would be {HUB}{text})" if isinstance(model, str) and _REPOSITORY.fullmatch(model) else ""
        )
        return UnknownModelError(f"{text}: no such file or folder{on_hub}; {ACCEPTED}")
    if is_name(text.partition(".")[0]):
        try:
            model_info(text)
        except UnknownModelError as error:  # the name is known, its tag is not
            return error
    return UnknownModelError(f"no model named {text!r}, and no such file or folder; {how_to_find(text)}")
