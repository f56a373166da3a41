"""transformers' config.json and preprocessor_config.json, from which its RegNetForImageClassification is built."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regnety.architecture.description import Architecture
from regnety.bundle.bundle import read_config
from regnety.bundle.hub_config import PILLOW_FILTERS
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import KEY
from regnety.preprocessing import Preprocessing
from regnety.version import __version__
from regnety.weights.dialects.transformers import groups_width

MARK = "regnety_version"
"""By which a folder for transformers is known to be written by regnety; their program keeps what it does not know."""


def transformers_config(architecture: Architecture, labels: Sequence[str] | None) -> dict[str, Any]:
    """config.json. Whether the program can express the architecture, `dialects.transformers` says."""
    names = labels or [f"LABEL_{index}" for index in range(architecture.num_classes)]
    first = architecture.stages[0]
    return {
        "architectures": ["RegNetForImageClassification" if architecture.num_classes else "RegNetModel"],
        "model_type": "regnet",
        "num_channels": architecture.in_chans,
        "embedding_size": architecture.stem.width_out,
        "hidden_sizes": [stage.width for stage in architecture.stages],
        "depths": [stage.depth for stage in architecture.stages],
        "groups_width": groups_width(architecture),
        "layer_type": "x" if first.blocks[0].se is None else "y",
        "hidden_act": "relu",
        "downsample_in_first_stage": first.stride == 2,
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
        "dtype": "float32",
        MARK: __version__,
    }


def is_ours(folder: Path) -> bool:
    """Whether regnety wrote a model's folder, for whatever program."""
    try:
        config = read_config(folder)
    except WeightsError:
        return False
    return KEY in config or MARK in config


def processor_config(preprocessing: Preprocessing) -> dict[str, Any]:
    """preprocessor_config.json: resize of the shorter side and a crop from the middle, as timm's evaluation does."""
    numbers = {name: number for number, name in PILLOW_FILTERS.items()}
    side = preprocessing.image_size
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": preprocessing.resize_size},
        "resample": numbers[preprocessing.interpolation],
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    }
