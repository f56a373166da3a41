"""A folder of timm's: config.json as timm writes it, read and written.

Nothing is guessed: what the file leaves open has timm's default, what regnety cannot do is refused by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import Design
from regnety.architecture.stages import MAX_WIDTH
from regnety.architecture.validation import whole
from regnety.bundle.folders.config_values import class_names, numbers, provenance
from regnety.catalog.models import is_name, model_info
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.dialects.timm import TIMM
from regnety.weights.matching import name_of

DESIGN_FIELDS = {
    "depth": "depth",
    "w0": "w0",
    "wa": "wa",
    "wm": "wm",
    "group_size": "group_width",
    "bottle_ratio": "bottleneck_multiplier",
    "se_ratio": "se_ratio",
    "stem_width": "stem_width",
    "group_min_ratio": "group_min_ratio",  # 0.9 is torchvision's rule of fitting widths to groups
}
"""timm's `model_args` to the fields of a design."""
HARMLESS = {"in_chans", "num_classes", "drop_rate", "drop_path_rate", "pretrained", "img_size"}
"""Other arguments that do not change the network, or only its channels and classes."""
USUAL = {"global_pool": "avg", "output_stride": 32}
"""Arguments that are accepted with the value that every RegNet has."""


def read_timm(config: Mapping[str, Any]) -> ModelMetadata:
    """What a config.json says of its model.

    Raises:
        WeightsError: it is of another model than a RegNet, or of one that cannot be built.
        InvalidDesignError: its numbers are no design.
    """
    name = config["architecture"]
    if not isinstance(name, str) or not is_name(name):
        raise WeightsError(f"architecture is {name!r}, which is not a RegNet that regnety knows")
    cfg = config.get("pretrained_cfg") or config  # before timm 0.9 its fields were at the top
    arguments = config.get("model_args") or {}
    if not isinstance(cfg, Mapping) or not isinstance(arguments, Mapping):
        raise WeightsError("pretrained_cfg and model_args must be tables")
    in_chans = whole("in_chans", arguments.get("in_chans", _axis(cfg.get("input_size"), 0) or 3), 1, MAX_WIDTH)
    # timm repeats num_classes: at the top the classifier's, in pretrained_cfg that of the weights it began with.
    num_classes = whole("num_classes", config.get("num_classes", cfg.get("num_classes", 1000)), 0, MAX_WIDTH)
    # timm 1.0 writes label_names, in pretrained_cfg or beside it; up to 0.8 it wrote labels.
    labels = cfg.get("label_names") or config.get("label_names") or config.get("labels")
    return ModelMetadata(
        design=_design(model_info(name).design, arguments),
        num_classes=num_classes,
        in_chans=in_chans,
        preprocessing=timm_preprocessing(cfg).for_channels(in_chans),
        labels=class_names(labels, num_classes),
        provenance=provenance(config, cfg),
    )


def _design(design: AnyDesign, arguments: Mapping[str, Any]) -> AnyDesign:
    usual = {name for name, value in USUAL.items() if arguments.get(name) == value}
    unknown = sorted(set(arguments) - DESIGN_FIELDS.keys() - HARMLESS - usual)
    if unknown:
        raise WeightsError(f"model_args has {unknown[0]}={arguments[unknown[0]]!r}, which no RegNet has")
    assert isinstance(design, Design)
    return replace(design, **{ours: arguments[theirs] for theirs, ours in DESIGN_FIELDS.items() if theirs in arguments})


def timm_preprocessing(cfg: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing in timm's `pretrained_cfg`.

    Raises:
        WeightsError: it is not one that regnety can do.
    """
    for name in ("input_size", "test_input_size"):
        if _axis(cfg.get(name), 1) != _axis(cfg.get(name), 2):
            raise WeightsError(f"{name} is {tuple(cfg[name])}; only squares are supported")
    if (cfg.get("crop_mode") or "center") != "center":
        raise WeightsError(f"crop_mode is {cfg['crop_mode']!r}; only center is supported")
    size, test_size = _axis(cfg.get("input_size"), 1), _axis(cfg.get("test_input_size"), 1)
    crop_pct, test_crop_pct = cfg.get("crop_pct"), cfg.get("test_crop_pct")
    values: dict[str, Any] = {
        "image_size": size,
        "crop_pct": crop_pct,
        "interpolation": cfg.get("interpolation"),
        "mean": numbers(cfg.get("mean")),
        "std": numbers(cfg.get("std")),
        # Preprocessing has a test size only where it differs.
        "test_image_size": test_size if test_size != size else None,
        "test_crop_pct": test_crop_pct if test_crop_pct != crop_pct else None,
    }
    return Preprocessing(**{name: value for name, value in values.items() if value is not None})


def _axis(shape: Any, axis: int) -> Any:
    """Channels, height or width of (channels, height, width), unchecked; None where the shape is something else."""
    return shape[axis] if isinstance(shape, list | tuple) and len(shape) == 3 else None


def pretrained_cfg(preprocessing: Preprocessing, *, num_classes: int) -> dict[str, Any]:
    """timm's table of a model's preprocessing, and of the names of its first and last layer."""
    in_chans, side, test = len(preprocessing.mean), preprocessing.image_size, preprocessing.at_test_size()
    at_test_size = {"test_input_size": (in_chans, *[test.image_size] * 2), "test_crop_pct": test.crop_pct}
    return {
        "num_classes": num_classes,
        "input_size": (in_chans, side, side),
        "pool_size": None,
        "crop_pct": preprocessing.crop_pct,
        **(at_test_size if test != preprocessing else {}),
        "interpolation": preprocessing.interpolation,
        "mean": preprocessing.mean,
        "std": preprocessing.std,
        "first_conv": "stem.conv",
        "classifier": "head.fc",
    }


def timm_config(architecture: Architecture, preprocessing: Preprocessing) -> dict[str, Any]:
    """The fields that timm's `local-dir:` reader honours; without `architecture` where timm cannot build it."""
    design = architecture.design
    fields: dict[str, Any] = {
        "num_classes": architecture.num_classes,
        "num_features": architecture.num_features,
        "pretrained_cfg": pretrained_cfg(preprocessing, num_classes=architecture.num_classes),
    }
    if not isinstance(design, Design) or TIMM.obstacle(architecture):
        return fields
    # Its reader builds the model of this name with model_args in place of that model's own, so any name would do for
    # any design. People and other programs read the name, too: it is the true one where there is one.
    neutral = "regnety_002" if design.se_ratio else "regnetx_002"
    return {
        "architecture": name_of(architecture) or neutral,
        **fields,
        "model_args": {
            "in_chans": architecture.in_chans,
            **{theirs: getattr(design, ours) for theirs, ours in DESIGN_FIELDS.items()},
        },
    }
