"""A recipe: the values of one training run, checked; from YAML and `--set`, and back."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict, parse_design
from regnety.errors import InvalidDesignError, RecipeError
from regnety.files.opening import read_file_text
from regnety.plain_values import did_you_mean, field_names, from_plain
from regnety.text import one_line
from regnety.training.recipes.limits import require
from regnety.training.recipes.optimizer import Optimizer

MOST_EPOCHS = 9999
"""Checkpoints have their number in four digits; where an epoch is that short, steps_per_epoch makes it longer."""
OWN_OPTIONS = {
    "seed": "--seed",
    "epochs": "--epochs",
    "optimizer.lr": "--lr",
    "batch_size": "--batch-size",
    "teacher": "--teacher",
}
"""Fields that `regnety train` has an option for, beside `--set`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of the training pictures: crop, flip and operations on uint8, the others on the batch."""

    crop: Literal["resized", "pycls", "shift"] = "resized"
    """`resized`: a random part of the picture, resized to the input size (random-resized-crop); pictures are decoded
    again each epoch. `pycls`: the same, with parts drawn as in the paper's code. `shift`: the whole picture at input
    size, moved by up to `shift` pixels, with a mirrored border; pictures stay in memory."""
    min_area: float = 0.25
    """Smallest share of the picture's area that a `resized` or `pycls` crop keeps."""
    kept_side: int | None = None
    """Shorter side in pixels to which pictures are reduced once, and kept in memory, for such crops. None decodes
    the whole picture again in each epoch."""
    shift: int = 4
    """Largest move of a `shift` crop, in pixels."""
    flip: bool = True
    """Swap left and right for a random half of the pictures."""
    operations: Literal["none", "trivial"] = "none"
    """`trivial`: one operation of random strength on each picture, of TrivialAugment's 14 (arXiv 2103.10158)."""
    repeats: int = 1
    """Times that a picture is in a batch, each time changed in another way (repeated augmentation, arXiv 1902.05509).
    An epoch has as many steps as with 1, and one picture in this many."""
    lighting: float = 0.0
    """Deviation of the random amounts of ImageNet's three principal colours that are added to a picture; the paper's is
    0.1."""
    mixup: float = 0.0
    """Both parameters of the beta distribution of the share by which two pictures and their targets are blended; 0
    blends none."""
    cutmix: float = 0.0
    """The same, of the area of a picture that is not covered by a part of another; 0 covers none. With both, each batch
    has one of them."""
    mixed_share: float = 1.0
    """Share of the batches that `mixup` and `cutmix` change."""
    erasing: float = 0.0
    """Share of the pictures of which a box is set to the mean colour."""

    def __post_init__(self) -> None:
        require("augmentation.min_area", 0 < self.min_area <= 1, "above 0 to 1", self.min_area)
        if self.kept_side is not None:
            require("augmentation.kept_side", 8 <= self.kept_side <= 8192, "from 8 to 8192 pixels", self.kept_side)
        require("augmentation.shift", 0 <= self.shift <= 64, "from 0 to 64 pixels", self.shift)
        require("augmentation.repeats", 1 <= self.repeats <= 16, "from 1 to 16", self.repeats)
        require("augmentation.lighting", 0 <= self.lighting <= 10, "from 0 to 10", self.lighting)
        for name in ("mixup", "cutmix"):
            require(f"augmentation.{name}", 0 <= getattr(self, name) <= 100, "from 0 to 100", getattr(self, name))
        for name in ("mixed_share", "erasing"):
            require(f"augmentation.{name}", 0 <= getattr(self, name) <= 1, "from 0 to 1", getattr(self, name))

    @property
    def mixes(self) -> bool:
        """Whether anything changes a batch as a whole."""
        return bool((self.mixup or self.cutmix) and self.mixed_share) or self.erasing > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Every setting that decides the weights at the end of a run; only the pictures are not part of it.

    Raises:
        RecipeError: a value is not allowed; the message names it.
    """

    name: str
    """Recorded with the run; any text."""
    model: str | None = None
    """MODEL that gives the design, and with `pretrained` the weights too."""
    design: AnyDesign | None = None
    """Design to train, if there is no `model`."""
    pretrained: bool = False
    """Start from the model's weights."""
    initialization: Literal["timm", "pycls"] = "timm"
    """Distribution of the random weights."""
    whitened_stem: bool = False
    """Begin the stem with the principal components of small squares of the training pictures, each with its opposite,
    in place of random weights (arXiv 2404.00498)."""
    image_size: int | None = None
    """Height and width of the input in pixels; None is the pretrained model's own, else 224."""
    crop_pct: float | None = None
    """Share of the resized picture that evaluation keeps; None is the pretrained model's own, else 0.875."""
    epochs: int = 100
    """Passes over the training pictures."""
    steps_per_epoch: int | None = None
    """Steps between two validations, each with a checkpoint, where an epoch is not to be one pass over the training
    pictures; None is one pass."""
    batch_size: int = 128
    """Pictures per step. A last, smaller batch of an epoch is skipped."""
    accumulate: int = 1
    """Parts of a batch that are computed one after the other, whose gradients are added up: for a batch that does not
    fit into memory. Batch norm takes its statistics from each part, so that it sees `batch_size / accumulate` pictures
    at once."""
    schedule: Literal["cosine", "linear", "step", "one-cycle"] = "cosine"
    """How the learning rate falls: along half a period of a cosine; along a line; to a tenth after 30, 60 and 90 % of
    the run; or up along a cosine from `lr / 25` in the first 30 % and then down to almost nothing, without any other
    warm-up."""
    schedule_unit: Literal["step", "epoch"] = "step"
    """Whether the learning rate changes at each step, or once an epoch, as in the paper."""
    warmup_epochs: float = 5.0
    """Epochs over which the learning rate grows linearly from a tenth of `lr`; at most a fifth of the run."""
    small_epochs: int = 0
    """Number of first epochs with smaller pictures, which take less time; at most four fifths of the run."""
    small_image_size: int = 24
    """Size of the smaller pictures in pixels; with several sizes, of the smallest."""
    small_sizes: int = 1
    """Number of sizes that the first epochs have, in equal parts: the pictures grow from `small_image_size` by equal
    amounts to the size that all later epochs have."""
    drop_path: float = 0.0
    """Share of the pictures for which the last block adds nothing to its shortcut (stochastic depth); it rises linearly
    from 0 in the first block."""
    drop_rate: float = 0.0
    """Share of the features before the classifier that are set to 0."""
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all classes."""
    teacher: str | None = None
    """MODEL with the same classes, whose answers on the changed pictures are part of the targets (distillation)."""
    teacher_weight: float = 0.5
    """Share of the teacher's answers in the loss, 0 to 1; the labels have the rest."""
    temperature: float = 1.0
    """What the logits of both networks are divided by before they are compared: above 1 the answers are softer."""
    class_weights: Literal["equal", "balanced"] = "equal"
    """Weight of each picture in the loss: `balanced` gives every class the same sum of weights."""
    batch_norm: Literal["batch", "kept"] = "batch"
    """Statistics of batch norm while training: those of each `batch`, or those that the starting weights have, `kept`
    as they are."""
    sync_batchnorm: bool = True
    """Batch norm takes its statistics over the whole batch where several processes train together; else each takes
    those of its own part, and the weights depend on the number of processes."""
    ema_decay: float = 0.9999
    """Decay of the averaged weights that are evaluated and kept; reached gradually. 0 keeps the last weights."""
    ema_alpha: float | None = None
    """In place of `ema_decay`: share of the new weights in an update, times `batch_size / epochs * ema_every`, at most
    1, and plain copies during the warm-up; as in the training of the paper's models. None uses `ema_decay`."""
    ema_every: int = 1
    """Steps between two updates of the averaged weights; the first step of an epoch is one."""
    ema_kept: Literal["always", "better"] = "always"
    """Whether an epoch is always kept with the averaged weights, or with those of the two, averaged or last, that are
    `better` on the validation pictures; without any, with the last ones."""
    precise_bn_samples: int = 0
    """Training pictures on which the statistics of batch norm are computed anew before each validation, at most those
    of an epoch; 0 takes the running statistics. The weights that are kept have the same."""
    val_fraction: float = 0.1
    """Share of train held out to choose the best epoch, if the data has no `val/`. 0 trains on all of train and keeps
    the last epoch."""
    patience: int = 0
    """Epochs in a row without a better one, after which the run ends early; 0 always trains all epochs."""
    average_best: int = 1
    """Number of the best epochs whose weights are averaged at the end of the run; the average is kept where it is
    better on the validation pictures. 1 keeps the best epoch."""
    precision: Literal["auto", "f32", "bf16", "f16", "f64"] = "auto"
    """Precision of the network's arithmetic; `auto` is bf16 where the device has it, else f32. `f16` scales the loss,
    and is for graphics cards; `f64` is for comparisons, on the processor alone. Weights are f32, with `f64` f64."""
    bundle_dtype: Literal["f32", "f16", "float32", "float16"] = "f32"
    """Precision of the weights stored in the bundle; `f16` halves the file. `float32` and `float16` are the older names
    of the same."""
    seed: int = 0
    """Seed of the random weights, the order of the pictures, their augmentation, and which are held out."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        # One name for each, so that a run with an old recipe.yaml can be resumed: recipes are compared as they stand.
        object.__setattr__(self, "bundle_dtype", self.bundle_dtype.replace("float", "f"))
        require("epochs", 1 <= self.epochs <= MOST_EPOCHS, f"from 1 to {MOST_EPOCHS}", self.epochs)
        require("batch_size", self.batch_size >= 2, "at least 2", self.batch_size)
        if self.steps_per_epoch is not None:
            require("steps_per_epoch", self.steps_per_epoch >= 1, "at least 1", self.steps_per_epoch)
        require("patience", self.patience >= 0, "at least 0", self.patience)
        require("average_best", 1 <= self.average_best <= 10, "from 1 to 10", self.average_best)
        require("warmup_epochs", self.warmup_epochs >= 0, "at least 0", self.warmup_epochs)
        require("small_epochs", self.small_epochs >= 0, "at least 0", self.small_epochs)
        require("small_image_size", self.small_image_size >= 8, "at least 8 pixels", self.small_image_size)
        require("small_sizes", 1 <= self.small_sizes <= 64, "from 1 to 64", self.small_sizes)
        require("drop_path", 0 <= self.drop_path < 1, "from 0 to below 1", self.drop_path)
        require("drop_rate", 0 <= self.drop_rate < 1, "from 0 to below 1", self.drop_rate)
        require("label_smoothing", 0 <= self.label_smoothing < 1, "from 0 to below 1", self.label_smoothing)
        require("teacher_weight", 0 <= self.teacher_weight <= 1, "from 0 to 1", self.teacher_weight)
        require("temperature", 0.1 <= self.temperature <= 100, "from 0.1 to 100", self.temperature)
        if self.whitened_stem and self.pretrained:
            raise RecipeError(
                "whitened_stem is for random weights, and pretrained starts from a model's; set one false"
            )
        require("seed", 0 <= self.seed < 2**63, "from 0 to 2**63 - 1", self.seed)
        require("ema_decay", 0 <= self.ema_decay < 1, "from 0 to below 1", self.ema_decay)
        require("val_fraction", 0 <= self.val_fraction <= 0.5, "from 0 to 0.5", self.val_fraction)
        require("accumulate", 1 <= self.accumulate <= self.batch_size // 2, "from 1 to batch_size / 2", self.accumulate)
        if self.ema_alpha is not None:
            require("ema_alpha", self.ema_alpha > 0, "above 0", self.ema_alpha)
        require("ema_every", self.ema_every >= 1, "at least 1", self.ema_every)
        require("precise_bn_samples", self.precise_bn_samples >= 0, "at least 0", self.precise_bn_samples)
        if self.image_size is not None:
            require("image_size", 8 <= self.image_size <= 8192, "from 8 to 8192 pixels", self.image_size)
            if self.small_epochs and self.small_image_size > self.image_size:
                raise RecipeError(
                    f"small_image_size {self.small_image_size} is larger than image_size {self.image_size}; set "
                    "small_epochs=0, or a smaller one"
                )
        if self.crop_pct is not None:
            require("crop_pct", 0.01 <= self.crop_pct <= 1, "from 0.01 to 1", self.crop_pct)

    @property
    def averages_weights(self) -> bool:
        """Whether averaged weights are evaluated and kept, and not the last ones."""
        return self.ema_alpha is not None or self.ema_decay > 0

    def small_size(self, epoch: int) -> int | None:
        """Size in pixels of an epoch's pictures, counted from 0; None where they have the size of evaluation.

        The recipe must be resolved: `image_size` is known.
        """
        # A run that was made shorter must see pictures of its own size too.
        small_epochs = min(self.small_epochs, self.epochs * 4 // 5)
        if epoch >= small_epochs or self.image_size is None:
            return None
        step = epoch * self.small_sizes // small_epochs
        return self.small_image_size + (self.image_size - self.small_image_size) * step // self.small_sizes

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain YAML values."""
        design = None if self.design is None else self.design.as_dict()
        return {**dataclasses.asdict(self), "design": design}


def recipe_from_dict(values: Any, *, source: str) -> Recipe:
    """The recipe that `as_dict` wrote.

    Raises:
        RecipeError: a field is unknown or of the wrong type; the message begins with the source.
    """
    try:
        return from_plain(Recipe, values, name="a recipe", error=RecipeError, decoders={AnyDesign: design_from_dict})
    except (RecipeError, InvalidDesignError) as error:
        raise RecipeError(f"{source}: {error}") from error


def read_recipe(path: str | Path) -> Recipe:
    """Read the `recipe.yaml` of a run, or one written by hand.

    Raises:
        RecipeError: no such file, not YAML, or not a recipe.
    """
    try:
        values = yaml.safe_load(read_file_text(path, pipes="open"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe file") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: cannot be read as YAML: {one_line(error)}") from error
    return recipe_from_dict(values, source=str(path))


def recipe_text(recipe: Recipe) -> str:
    """A recipe as YAML."""
    return yaml.safe_dump(recipe.as_dict(), sort_keys=False)


def with_settings(recipe: Recipe, settings: Iterable[str], *, source: str = "--set") -> Recipe:
    """A recipe with `key=value` settings laid over it; keys are dotted (`optimizer.lr=0.2`).

    Args:
        recipe: what they are laid over.
        settings: texts.
        source: the option that they are from, for errors.

    Raises:
        RecipeError: no such field, or a value that is not allowed.
    """
    values = recipe.as_dict()
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise RecipeError(f"{source} takes key=value, got {setting!r}")
        *groups, name = key.strip().split(".")
        table: Any = values
        for group in groups:
            table = table.get(group) if isinstance(table, dict) else None
        if not isinstance(table, dict) or name not in table or (isinstance(table[name], dict) and name != "design"):
            known = field_names(Recipe)
            similar = did_you_mean(key.strip(), known, OWN_OPTIONS if source == "--set" else None)
            raise RecipeError(f"{source} {key}: a recipe has no such field; {similar}it has {', '.join(known)}")
        try:
            table[name] = parse_design(text).as_dict() if key.strip() == "design" else yaml.safe_load(text)
        except yaml.YAMLError:
            raise RecipeError(f"{source} {key}: cannot read the value {text!r}") from None
    return recipe_from_dict(values, source=source)
