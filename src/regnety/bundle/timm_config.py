"""timm's own fields in config.json, where timm can express the design: then its `local-dir:` reader loads a bundle."""

from typing import Any

import numpy as np

from regnety.architecture.description import Architecture
from regnety.architecture.design import WIDTH_QUANTUM, Design
from regnety.preprocessing import Preprocessing


def timm_obstacle(design: Any) -> str | None:
    """Why timm cannot build a design, or None where it can."""
    if not isinstance(design, Design):
        return "its stages are given one by one"
    if len(design.fitted_stages()) != 4:
        return f"it has {len(design.fitted_stages())} stages, timm's have 4"
    if design.bottleneck_multiplier > 1:
        return "its bottleneck_multiplier is above 1"
    if design.stem_stride != 2 or design.stage_strides not in (None, (2, 2, 2, 2)):
        return "its stem or stage strides are not 2"
    if _single_precision_widths(design) != _double_precision_widths(design):
        return "timm computes widths in float32 and gets others"
    return None


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
    if not isinstance(design, Design) or timm_obstacle(design):
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


def _single_precision_widths(design: Design) -> list[int]:
    """timm `regnet.py::generate_regnet`, which holds the numbers in float32 tensors."""
    continuous = np.arange(design.depth, dtype=np.float32) * np.float32(design.wa) + np.float32(design.w0)
    exponents = np.round(np.log(continuous / np.float32(design.w0)) / np.float32(np.log(design.wm)))
    widths = np.float32(design.w0) * np.power(np.float32(design.wm), exponents)
    return [int(width) for width in np.round(widths / WIDTH_QUANTUM) * WIDTH_QUANTUM]


def _double_precision_widths(design: Design) -> list[int]:
    return [width for width, depth in design.grouped_widths() for _ in range(depth)]
