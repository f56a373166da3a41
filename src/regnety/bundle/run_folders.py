"""A run of `regnety train` or `regnety finetune` as a model: its folder, or a checkpoint in it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from regnety.architecture.notation import design_from_dict
from regnety.bundle.folders.ours import is_bundle, read_config
from regnety.bundle.model import Model
from regnety.bundle.training_files import stored_training_files
from regnety.errors import RegNetYError, WeightsError
from regnety.files.file_names import CONFIG_FILE, RECIPE_FILE
from regnety.metadata.model_metadata import KEY, ModelMetadata, metadata_from_dict, metadata_from_json
from regnety.preprocessing import Preprocessing
from regnety.weights.checkpoint import Checkpoint

BUNDLE_FOLDER = "bundle"
CHECKPOINT_FOLDER = "checkpoints"
BEST = "best"
"""Where the weights of the best epoch so far are in a checkpoint."""

# A recipe names the model that a run started from. Finding that is the resolver's job, which hands it in: it reads
# checkpoints itself, with this module.
Describe: TypeAlias = Callable[[str], ModelMetadata]
"""MODEL to its design and preprocessing."""


def place_in_run(folder: Path) -> Path:
    """The bundle in a run's folder; without one, its newest checkpoint; the folder itself if it is a model.

    Raises:
        WeightsError: the run has no model yet.
    """
    if (folder / CONFIG_FILE).exists():
        return folder
    if is_bundle(folder / BUNDLE_FOLDER):
        return folder / BUNDLE_FOLDER
    # Names have four digits at least, so the last by name is the last epoch of all but very long runs.
    newest = max((folder / CHECKPOINT_FOLDER).glob("epoch-*.pt"), default=None)
    if newest is None:
        what = (
            "train that has not finished an epoch" if (folder / RECIPE_FILE).exists() else "finetune that was stopped"
        )
        raise WeightsError(f"{folder}: is a run of regnety {what}; it has no model yet")
    return newest


def metadata_of_run(checkpoint: Checkpoint, describe: Describe) -> tuple[ModelMetadata, str] | None:
    """A run's checkpoint's metadata, and a sentence on where it is from; None for any other checkpoint.

    Raises:
        WeightsError: the metadata is damaged.
    """
    path, part = checkpoint.path, checkpoint.taken.part
    if checkpoint.own_metadata is not None:
        metadata = metadata_from_json(checkpoint.own_metadata, source=str(path))
        which = metadata.provenance.get("weights")
        best = f"its best weights so far{f', {which}' if isinstance(which, str) else ''}"
        return metadata, f"{path} is used with {best if part == BEST else part}"
    # Earlier releases did not write it into the checkpoint. The bundle of the run has it, the recipe has most of it.
    if part != BEST or "progression.epochs_done" not in checkpoint.facts or path.parent.name != CHECKPOINT_FOLDER:
        return None
    run = path.absolute().parent.parent
    lacks = f"{path} has no class names and no preprocessing"
    if is_bundle(run / BUNDLE_FOLDER):
        config = run / BUNDLE_FOLDER / CONFIG_FILE
        metadata = metadata_from_dict(read_config(config.parent)[KEY], source=str(config))
        return metadata, f"{lacks}; they are taken from the bundle of its run"
    from_recipe = _metadata_in_recipe(run / RECIPE_FILE, checkpoint, describe)
    return (
        None
        if from_recipe is None
        else (from_recipe, f"{lacks}; the preprocessing is taken from the recipe of its run")
    )


def _metadata_in_recipe(path: Path, checkpoint: Checkpoint, describe: Describe) -> ModelMetadata | None:
    """Design and preprocessing from the recipe of a run; None where it is damaged or incomplete."""
    import yaml

    # A hint, not the model: whatever is wrong with the recipe, the checkpoint is then read as a bare file.
    try:
        values: Any = yaml.safe_load(path.read_text("utf-8"))
        design, preprocessing = values["design"], Preprocessing()
        if design is None:
            model = describe(values["model"])
            design, preprocessing = model.design, model.preprocessing if values["pretrained"] else preprocessing
        else:
            design = design_from_dict(design)
        return ModelMetadata(
            design=design,
            num_classes=checkpoint.shapes["head.fc.bias"][0],
            in_chans=3,
            preprocessing=replace(
                preprocessing.for_channels(3),
                image_size=values["image_size"],
                crop_pct=values["crop_pct"],
                exif_orientation=True,  # training always turns images upright
            ),
        )
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError, RegNetYError):
        return None


def checkpoint_model(checkpoint: Checkpoint, describe: Describe) -> Model | None:
    """A run's checkpoint as a model; None for any other.

    Raises:
        WeightsError: its metadata is damaged, or its weights do not fit it.
    """
    found = metadata_of_run(checkpoint, describe)
    if found is None:
        return None
    path = checkpoint.path
    run = path.absolute().parent.parent if path.parent.name == CHECKPOINT_FOLDER else None
    return Model(
        found[0],
        checkpoint.weights,
        name=str(path),
        path=path,
        files=checkpoint.model_files,
        notice=found[1],
        training_files=None if run is None else stored_training_files(run / BUNDLE_FOLDER),
    )
