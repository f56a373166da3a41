"""Whose folder it is, ours, timm's or transformers', and what each of them has where."""

import json
from pathlib import Path
from typing import Any

from regnety.bundle.folders.ours import read_bundle, read_config
from regnety.bundle.model import Model
from regnety.errors import InvalidDesignError, WeightsError
from regnety.files.file_names import CONFIG_FILE, PROCESSOR_FILE, WEIGHTS_FILE, WEIGHTS_FILES
from regnety.files.opening import read_file_text
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_dict
from regnety.text import one_line


def read_folder(
    folder: Path, *, name: str | None = None, weights: Path | None = None, state_dict: str | None = None
) -> Model:
    """Read a model's folder; of the weights only names and shapes are read now.

    Args:
        folder: with config.json and the weights beside it.
        name: what messages call it; None is the folder.
        weights: which of its files, where timm or transformers wrote it; None is `weights_file`.
        state_dict: which of that file's state dicts; None is the choice of `weights.selection`.

    Raises:
        WeightsError: a file is missing or damaged, or it is of no RegNet; the message begins with its name.
    """
    config = read_config(folder)
    if KEY in config:
        if state_dict is not None:
            raise no_choice(folder)
        return read_bundle(folder, name=name)
    metadata, notice = _read_foreign(folder, config)
    path = weights or weights_file(folder)
    from regnety.weights.checkpoint import open_checkpoint

    checkpoint = open_checkpoint(path, state_dict=state_dict)
    name = name or str(folder)
    files = checkpoint.model_files
    return Model(metadata, checkpoint.weights, name=name, path=folder, files=files, notice=notice)


def no_choice(model: object) -> WeightsError:
    """The error where --state-dict is given for a model that is not a checkpoint."""
    return WeightsError(f"{model}: is not a checkpoint with several state dicts; omit --state-dict")


def weights_file(folder: Path) -> Path:
    """The weights in a model's folder, or the index of their shards.

    Raises:
        WeightsError: there are none.
    """
    path = next((folder / file for file in WEIGHTS_FILES if (folder / file).is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: has no weights beside its {CONFIG_FILE}; {WEIGHTS_FILE} is expected")
    return path


def folder_of(path: Path) -> Path | None:
    """The folder whose weights a file is, where a config.json beside it says what they are; else None."""
    if path.name not in WEIGHTS_FILES:
        return None
    owner = owner_of(path.parent)
    # Our bundles have one file of weights; any other file beside it is another model.
    return path.parent if owner and (owner != "regnety" or path.name == WEIGHTS_FILE) else None


def owner_of(folder: Path) -> str | None:
    """Whose program reads a folder, by its config.json: `regnety`, `timm` or `transformers`; None for no model's."""
    try:
        config = read_config(folder)
    except WeightsError:
        return None
    if KEY in config:  # first, since a bundle that timm can load has `architecture` too
        return "regnety"
    if "architecture" in config:
        return "timm"
    return "transformers" if config.get("model_type") == "regnet" else None


def describe_folder(folder: Path) -> ModelMetadata:
    """Design, classes, labels and preprocessing of a model's folder; its weights need not be there.

    Raises:
        WeightsError: as `read_folder`.
    """
    config = read_config(folder)
    if KEY in config:
        return metadata_from_dict(config[KEY], source=str(folder / CONFIG_FILE))
    return _read_foreign(folder, config)[0]


def _read_foreign(folder: Path, config: dict[str, Any]) -> tuple[ModelMetadata, str | None]:
    """What timm's or transformers' files say, and one sentence on what was assumed, if anything was."""
    source, kind = folder / CONFIG_FILE, config.keys() & {"architecture", "model_type"}
    if not kind:
        raise WeightsError(f"{source}: has no table under the key {KEY!r}, and is no config of timm or transformers")
    # Outside of the try below, as its errors name its own file.
    processor = None if "architecture" in kind else _read_processor(folder)
    try:
        if "architecture" in kind:
            from regnety.bundle.folders.timm import read_timm  # our own bundles and bare files need neither

            return read_timm(config), None
        from regnety.bundle.folders.transformers import read_transformers

        metadata, notice = read_transformers(config, processor)
    except (InvalidDesignError, WeightsError) as error:
        raise WeightsError(f"{source}: {error}") from None
    return metadata, None if notice is None else f"{folder} {notice}"


def _read_processor(folder: Path) -> dict[str, Any] | None:
    path = folder / PROCESSOR_FILE
    try:
        values = json.loads(read_file_text(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON: {one_line(error)}") from error
    return values if isinstance(values, dict) else None
