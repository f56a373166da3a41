"""The resolver of MODEL: what every command and function that takes a model does with what it was given."""

import os
import re
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.bundle.folders.ours import read_bundle
from regnety.bundle.model import Model
from regnety.catalog.addresses import HUB, LOCAL, split_address
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, how_to_find, is_name, model_info
from regnety.errors import UnknownModelError, WeightsError
from regnety.metadata.model_metadata import ModelMetadata

if TYPE_CHECKING:
    from regnety.catalog.published import PublishedWeights

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".pth.tar", ".tar", ".pyth", ".torch", ".bin", ".ckpt", ".json")
GRAPH_SUFFIXES = (".onnx", ".xml")
"""Endings of the files that are a model by themselves, in any case; a checkpoint is known by its content."""
RECIPE_FILE = "recipe.yaml"
"""What the folder of a run of `regnety train` has and a model's has not."""
_REPOSITORY = re.compile(r"[A-Za-z][\w.-]*/[\w.-]+")
ACCEPTED = "a model is a name, hf-hub:owner/name, a folder, a checkpoint or an .onnx or .xml file"


def resolve(
    model: "str | Path | Model",
    *,
    quiet: bool = False,
    assumed: "PublishedWeights | None" = None,
    state_dict: str | None = None,
) -> Model:
    """A name, a place on the Hub, a folder, a checkpoint or a graph file to the bundle that it means.

    A text that is a name means that model, whatever stands in the current folder; `./NAME` is a folder.

    Args:
        model: MODEL; a bundle is itself.
        quiet: show no progress of what is fetched.
        assumed: the published weights whose preprocessing is taken where a bare checkpoint says none.
        state_dict: which of a checkpoint's state dicts; None is the choice of `weights.selection`.

    Raises:
        UnknownModelError: the name is not known, or its weights cannot be had.
        WeightsError: the folder or file is no model, or the weights do not fit.
    """
    if state_dict is not None and (isinstance(model, Model) or (isinstance(model, str) and is_name(model))):
        from regnety.bundle.folders.owners import no_choice

        raise no_choice(model.name if isinstance(model, Model) else model)
    if isinstance(model, Model):
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
        if split_address(model)[0] == HUB:
            return _resolve_hub(model, quiet=quiet, state_dict=state_dict)
    return _resolve_place(model, assumed, state_dict)


def published_weights(model: str) -> "PublishedWeights | None":
    """The published weights that a text means: by any of their names, or by their repository on the Hub; else None."""
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
    """Design, classes, labels and preprocessing of MODEL. The weights of a name, or on the Hub, are not asked for.

    Args:
        model: as for `resolve`.
        quiet: show no progress of what is fetched.
        state_dict: as for `resolve`.

    Raises:
        UnknownModelError: there is none, or it cannot be had.
        WeightsError: the folder or file is no model, or of no RegNet.
    """
    if not isinstance(model, str) or state_dict is not None:
        return resolve(model, quiet=quiet, state_dict=state_dict).metadata
    published = published_weights(model)
    if published is not None:
        return published_metadata(published)
    if split_address(model)[0] != HUB:
        return resolve(model, quiet=quiet).metadata
    from regnety.bundle.folders.owners import describe_folder
    from regnety.weights.fetching.hub import fetch_repo

    return describe_folder(fetch_repo(model, weights=False, quiet=quiet))


def fetch_model(model: str, *, quiet: bool = False) -> Path:
    """Where the weights of MODEL are on this disk; those of a name, or on the Hub, are fetched where they are missing.

    Nobody looks at what is in a file that is fetched.

    Args:
        model: as for `resolve`.
        quiet: show no progress and no notices but that of a licence.

    Raises:
        UnknownModelError: there is none, or it cannot be had.
        WeightsError: the folder or file is no model, or what came was another file than announced; it was removed.
        OSError: it cannot be written, as on a full disk.
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
    """The file or folder that MODEL means where it is no name: without `local-dir:`, and with `~` spelled out.

    The folder of a run of `regnety train` means the bundle in it.

    Raises:
        UnknownModelError: nothing stands behind `local-dir:`.
        WeightsError: the run has no model yet.
    """
    if isinstance(model, str):
        scheme, place = split_address(model)
        if scheme == LOCAL and not place:
            raise UnknownModelError(f"{model} names no folder; {LOCAL}FOLDER is one")
        model = place if scheme == LOCAL else model
    path = Path(os.path.expanduser(model))  # shells leave the ~ of --model=~/birds to the program
    if model == "" or not os.path.isfile(path / RECIPE_FILE):
        return path
    from regnety.bundle.run_folders import place_in_run

    return place_in_run(path)


def _resolve_published(published: "PublishedWeights", *, quiet: bool) -> Model:
    from regnety.weights.checkpoint import open_checkpoint

    path = published.cached_file
    # Also where the file is here: a licence is shown before the first use, a file put there by hand is checked once.
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
    if os.path.exists(path) and model != "":
        raise WeightsError(f"{model}: is a device or a pipe; {ACCEPTED}")
    raise _nothing_there(model)


def _resolve_file(path: Path, assumed: "PublishedWeights | None", state_dict: str | None) -> Model:
    from regnety.bundle.folders.owners import folder_of, no_choice, read_folder

    folder = folder_of(path)
    if folder is not None:  # labels and preprocessing stand beside it
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
    if isinstance(model, Path) or os.sep in text or "/" in text or text.lower().endswith(endings):
        on_hub = (
            f" (on the Hub it would be {HUB}{text})" if isinstance(model, str) and _REPOSITORY.fullmatch(model) else ""
        )
        return UnknownModelError(f"{text}: no such file or folder{on_hub}; {ACCEPTED}")
    if is_name(text.partition(".")[0]):
        try:
            model_info(text)
        except UnknownModelError as error:  # a tag that the model does not have
            return error
    return UnknownModelError(f"no model named {text!r}, and no such file or folder; {how_to_find(text)}")
