"""timm's own fields in config.json, where timm can express the design: then its `local-dir:` reader loads a bundle."""

from typing import Any

from regnety.architecture.description import Architecture
from regnety.architecture.design import Design
from regnety.preprocessing import Preprocessing
from regnety.weights.dialects.timm import TIMM


def pretrained_cfg(preprocessing: Preprocessing, *, num_classes: int) -> dict[str, Any]:
    """timm's table of what a model wants to be shown, and of where its first and last layer are."""
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
    return {
        "architecture": "regnety_002" if design.se_ratio else "regnetx_002",
        **fields,
        "model_args": {
            "in_chans": architecture.in_chans,
            "depth": design.depth,
            "w0": design.w0,
            "wa": design.wa,
            "wm": design.wm,
            "group_size": design.group_width,
            "bottle_ratio": design.bottleneck_multiplier,
            "se_ratio": design.se_ratio,
            "stem_width": design.stem_width,
            "group_min_ratio": design.group_min_ratio,
        },
    }
