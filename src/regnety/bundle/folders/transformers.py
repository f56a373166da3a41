"""A folder of transformers': config.json and preprocessor_config.json of its RegNets, read and written."""

from collections.abc import Mapping, Sequence
from typing import Any

from regnety.architecture.description import Architecture
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import MAX_WIDTH, StageDesign
from regnety.architecture.stages_to_design import simplest_design
from regnety.architecture.validation import whole
from regnety.bundle.folders.config_values import class_names, numbers, provenance
from regnety.bundle.folders.ours import MARK
from regnety.errors import WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing, crop_pct_between
from regnety.version import __version__
from regnety.weights.dialects.transformers import groups_width

PILLOW_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""transformers writes Pillow's numbers."""
# `crop_pct` of ConvNextImageProcessor: below this size it resizes to size / crop_pct and crops, from it on it squashes.
CONVNEXT_CROP_BELOW = 384


def read_transformers(
    config: Mapping[str, Any], processor: Mapping[str, Any] | None
) -> tuple[ModelMetadata, str | None]:
    """What a folder says of its model, and one sentence on what was assumed, if anything was.

    Args:
        config: the content of config.json.
        processor: the content of preprocessor_config.json, if there is one.

    Raises:
        WeightsError: it is of another model than a RegNet, or of one that cannot be built.
        InvalidDesignError: its numbers are no design.
    """
    if config["model_type"] != "regnet":
        raise WeightsError(f"model_type is {config['model_type']!r}; expected regnet")
    if config.get("hidden_act", "relu") != "relu":
        raise WeightsError(f"hidden_act is {config['hidden_act']!r}; a RegNet's is relu")
    # What a config leaves out has the default of transformers' RegNetConfig, here and below: 2 labels, 3 channels.
    names = config.get("id2label")
    classes = len(names) if isinstance(names, Mapping) and names else config.get("num_labels", 2)
    classes = whole("num_labels", classes, 0, MAX_WIDTH)
    if config.get("architectures") == ["RegNetModel"]:  # saved without its head, but its config still has the names
        names, classes = None, 0
    in_chans = whole("num_channels", config.get("num_channels", 3), 1, MAX_WIDTH)
    metadata = ModelMetadata(
        design=simplest_design(_design(config)),  # six numbers where they give the same stages
        num_classes=classes,
        in_chans=in_chans,
        preprocessing=_preprocessing(processor or {}).for_channels(in_chans),
        labels=None if _is_default(names) else class_names(names, classes),
        provenance=provenance(config),
    )
    return metadata, _assumption(processor)


def _design(config: Mapping[str, Any]) -> AnyNetDesign:
    widths, depths = config.get("hidden_sizes"), config.get("depths")
    if not isinstance(widths, Sequence) or not isinstance(depths, Sequence) or len(widths) != len(depths):
        raise WeightsError(f"hidden_sizes and depths must be equally long lists, got {widths!r} and {depths!r}")
    if config.get("layer_type", "y") not in ("x", "y"):
        raise WeightsError(f"layer_type is {config['layer_type']!r}; a RegNet's is x or y")
    first_stride = 2 if config.get("downsample_in_first_stage", True) else 1
    group_width = whole("groups_width", config.get("groups_width", 64), 1, MAX_WIDTH)
    design = AnyNetDesign(
        stages=tuple(
            StageDesign(width=width, depth=depth, group_width=group_width, stride=2 if number else first_stride)
            for number, (width, depth) in enumerate(zip(widths, depths, strict=True))
        ),
        se_ratio=0.0 if config.get("layer_type", "y") == "x" else 0.25,
        stem_width=config.get("embedding_size", 32),
    )
    # Fitting would round such widths, and the network would be another one than the weights are of.
    if [stage.width for stage in design.fitted_stages()] != list(widths):
        raise WeightsError(f"hidden_sizes {list(widths)} are not multiples of groups_width {group_width}")
    return design


def _assumption(processor: Mapping[str, Any] | None) -> str | None:
    if not processor:
        return "has no preprocessor_config.json, so ImageNet's preprocessing is assumed"
    size = processor.get("size", 224)
    two_sides = isinstance(size, Mapping) and "shortest_edge" not in size
    if not processor.get("do_center_crop") and (two_sides or _resize_size(size) >= CONVNEXT_CROP_BELOW):
        return "is for images that transformers squashes to a square; regnety crops a square from their middle instead"
    return None


def _preprocessing(processor: Mapping[str, Any]) -> Preprocessing:
    size = _resize_size(processor.get("size", 224))
    normalized = processor.get("do_normalize", True)
    resample = whole("resample", processor.get("resample", 3), 0, 5)  # Pillow has six filters
    if resample not in PILLOW_FILTERS:
        known = ", ".join(f"{number} {name}" for number, name in PILLOW_FILTERS.items())
        raise WeightsError(f"resample is {resample}; supported are {known}")
    values: dict[str, Any] = {
        "image_size": size,
        "crop_pct": processor.get("crop_pct") if size < CONVNEXT_CROP_BELOW else 1.0,
        "interpolation": PILLOW_FILTERS[resample],
        "mean": numbers(processor.get("image_mean")) if normalized else (0.0, 0.0, 0.0),
        "std": numbers(processor.get("image_std")) if normalized else (1.0, 1.0, 1.0),
    }
    crop = processor.get("crop_size")  # the older processors resize and crop to sizes that they name
    if isinstance(crop, Mapping) and processor.get("do_center_crop") and isinstance(crop.get("height"), int):
        values.update(image_size=crop["height"], crop_pct=crop_pct_between(crop["height"], size))
    return Preprocessing(**{name: value for name, value in values.items() if value is not None})


def _resize_size(size: Any) -> int:
    """What a processor resizes to, in pixels: a number, or a table of the shorter side or of both."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge", size.get("height"))
    return whole("size", size, 1, MAX_WIDTH)


def _is_default(names: Any) -> bool:
    """Whether they are those that transformers makes up where a model has no class names."""
    return isinstance(names, Mapping) and all(value == f"LABEL_{index}" for index, value in names.items())


def transformers_config(architecture: Architecture, labels: Sequence[str] | None) -> dict[str, Any]:
    """config.json of an architecture that `dialects.transformers` can express."""
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
        "downsample_in_first_stage": first.stride == 2,  # the later stages always have stride 2
        "id2label": {str(index): name for index, name in enumerate(names)},
        # Of two classes with one name the last is kept; id2label has both.
        "label2id": {name: index for index, name in enumerate(names)},
        "dtype": "float32",
        MARK: __version__,
    }


def processor_config(preprocessing: Preprocessing) -> dict[str, Any]:
    """preprocessor_config.json: resize the shorter side and crop the middle, as timm's evaluation does."""
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
