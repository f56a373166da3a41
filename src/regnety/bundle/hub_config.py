"""Other people's config.json: the design, the labels and the preprocessing of a folder that timm or transformers wrote.

What a file does not say is not guessed; what it says and no RegNet of ours can do is refused by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import MAX_WIDTH, StageDesign
from regnety.architecture.stages_to_design import simplest_design
from regnety.architecture.validation import whole
from regnety.catalog.models import is_name, model_info
from regnety.errors import InvalidDesignError, WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing, crop_pct_between

TIMM_FIELDS = {
    "depth": "depth",
    "w0": "w0",
    "wa": "wa",
    "wm": "wm",
    "group_size": "group_width",
    "bottle_ratio": "bottleneck_multiplier",
    "se_ratio": "se_ratio",
    "stem_width": "stem_width",
    "group_min_ratio": "group_min_ratio",
}
"""timm's `model_args` to the fields of a design."""
TIMM_HARMLESS = {"in_chans", "num_classes", "drop_rate", "drop_path_rate", "pretrained", "img_size"}
"""What changes training or the number of channels and classes alone."""
TIMM_USUAL = {"global_pool": "avg", "output_stride": 32}
"""What is named and is as every RegNet has it."""
PILLOW_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""transformers writes Pillow's numbers."""
CONVNEXT_CROP_BELOW = 384
"""transformers' ConvNextImageProcessor crops pictures below this size; from it on the whole picture is squashed."""


@dataclass(frozen=True, slots=True)
class HubConfig:
    """What a folder says of its model."""

    owner: str
    """`timm` or `transformers`."""
    metadata: ModelMetadata
    notice: str | None
    """One sentence on what was assumed, or None."""


def read_hub_config(config: Mapping[str, Any], processor: Mapping[str, Any] | None, *, source: str) -> HubConfig | None:
    """A folder's config.json, understood; None where it is neither timm's nor transformers'.

    Args:
        config: the content of config.json.
        processor: the content of preprocessor_config.json, if there is one.
        source: the file, with which messages begin.

    Raises:
        WeightsError: it is of another model than a RegNet, or of one that cannot be built.
    """
    try:
        if "architecture" in config:
            return _timm(config)
        if "model_type" in config:
            return _transformers(config, processor)
    except (InvalidDesignError, WeightsError) as error:
        raise WeightsError(f"{source}: {error}") from None
    return None


def _timm(config: Mapping[str, Any]) -> HubConfig:
    name = config["architecture"]
    if not isinstance(name, str) or not is_name(name):
        raise WeightsError(f"is of the model {name!r}, which is none of the RegNets that are known here")
    shown = config.get("pretrained_cfg") or config  # before timm 0.9 its fields stood at the top
    arguments = config.get("model_args") or {}
    if not isinstance(shown, Mapping) or not isinstance(arguments, Mapping):
        raise WeightsError("pretrained_cfg and model_args must be tables")
    in_chans = whole("in_chans", arguments.get("in_chans", _side(shown.get("input_size"), 0) or 3), 1, MAX_WIDTH)
    num_classes = whole("num_classes", config.get("num_classes", shown.get("num_classes", 1000)), 0, MAX_WIDTH)
    labels = shown.get("label_names") or config.get("label_names") or config.get("labels")
    return HubConfig(
        "timm",
        ModelMetadata(
            design=_timm_design(model_info(name).design, arguments),
            num_classes=num_classes,
            in_chans=in_chans,
            preprocessing=timm_preprocessing(shown).for_channels(in_chans),
            labels=_labels(labels, num_classes),
            provenance=_provenance(config, shown),
        ),
        None,
    )


def _timm_design(design: AnyDesign, arguments: Mapping[str, Any]) -> AnyDesign:
    usual = {name for name, value in TIMM_USUAL.items() if arguments.get(name) == value}
    unknown = sorted(set(arguments) - TIMM_FIELDS.keys() - TIMM_HARMLESS - usual)
    if unknown:
        raise WeightsError(f"model_args has {unknown[0]}={arguments[unknown[0]]!r}, which no RegNet here has")
    assert isinstance(design, Design)
    values = {field.name: getattr(design, field.name) for field in fields(design)}
    return Design(**{**values, **{TIMM_FIELDS[key]: arguments[key] for key in TIMM_FIELDS if key in arguments}})


def timm_preprocessing(shown: Mapping[str, Any]) -> Preprocessing:
    """What timm's `pretrained_cfg` says of the pictures.

    Raises:
        WeightsError: it is what no model here can be shown.
    """
    size, test_size = _side(shown.get("input_size"), 1), _side(shown.get("test_input_size"), 1)
    crop_pct, test_crop_pct = shown.get("crop_pct"), shown.get("test_crop_pct")
    values: dict[str, Any] = {
        "image_size": size,
        "crop_pct": crop_pct,
        "interpolation": shown.get("interpolation"),
        "mean": _numbers(shown.get("mean")),
        "std": _numbers(shown.get("std")),
        "test_image_size": test_size if test_size != size else None,
        "test_crop_pct": test_crop_pct if test_crop_pct != crop_pct else None,
    }
    for name in ("input_size", "test_input_size"):
        shape = shown.get(name)
        if isinstance(shape, list | tuple) and len(shape) == 3 and shape[1] != shape[2]:
            raise WeightsError(f"{name} is {tuple(shape)}, a square is what is done here")
    if (shown.get("crop_mode") or "center") != "center":
        raise WeightsError(f"crop_mode is {shown['crop_mode']!r}, center is what is done here")
    return Preprocessing(**{name: value for name, value in values.items() if value is not None})


def _transformers(config: Mapping[str, Any], processor: Mapping[str, Any] | None) -> HubConfig:
    if config["model_type"] != "regnet":
        raise WeightsError(f"is of a model of the kind {config['model_type']!r}, not of a RegNet")
    if config.get("hidden_act", "relu") != "relu":
        raise WeightsError(f"hidden_act is {config['hidden_act']!r}, a RegNet's is relu")
    widths, depths = config.get("hidden_sizes"), config.get("depths")
    if not isinstance(widths, Sequence) or not isinstance(depths, Sequence) or len(widths) != len(depths):
        raise WeightsError(f"hidden_sizes and depths must be equally long lists, got {widths!r} and {depths!r}")
    if config.get("layer_type", "y") not in ("x", "y"):
        raise WeightsError(f"layer_type is {config['layer_type']!r}, a RegNet's is x or y")
    first_stride = 2 if config.get("downsample_in_first_stage", True) else 1
    group_width = _number(config.get("groups_width", 64), "groups_width")
    design = AnyNetDesign(
        stages=tuple(
            StageDesign(width=width, depth=depth, group_width=group_width, stride=2 if number else first_stride)
            for number, (width, depth) in enumerate(zip(widths, depths, strict=True))
        ),
        se_ratio=0.0 if config.get("layer_type", "y") == "x" else 0.25,
        stem_width=config.get("embedding_size", 32),
    )
    if [stage.width for stage in design.fitted_stages()] != list(widths):
        raise WeightsError(f"hidden_sizes {list(widths)} are no multiples of groups_width {group_width}")
    names = config.get("id2label")
    classes = len(names) if isinstance(names, Mapping) and names else config.get("num_labels", 2)
    classes = whole("num_labels", classes, 0, MAX_WIDTH)
    if config.get("architectures") == ["RegNetModel"]:  # whoever saved it without its head has the names all the same
        names, classes = None, 0
    in_chans = whole("num_channels", config.get("num_channels", 3), 1, MAX_WIDTH)
    return HubConfig(
        "transformers",
        ModelMetadata(
            design=simplest_design(design),
            num_classes=classes,
            in_chans=in_chans,
            preprocessing=_transformers_preprocessing(processor or {}).for_channels(in_chans),
            labels=None if _is_default(names) else _labels(names, classes),
            provenance=_provenance(config, config),
        ),
        _assumption(processor),
    )


def _assumption(processor: Mapping[str, Any] | None) -> str | None:
    if not processor:
        return "has no preprocessor_config.json, and ImageNet's preprocessing is assumed"
    size = processor.get("size", 224)
    two_sides = isinstance(size, Mapping) and "shortest_edge" not in size
    if not processor.get("do_center_crop") and (two_sides or _resize_size(size) >= CONVNEXT_CROP_BELOW):
        return "has its pictures squashed to a square by transformers; here the square in their middle is cut out"
    return None


def _transformers_preprocessing(processor: Mapping[str, Any]) -> Preprocessing:
    size = _resize_size(processor.get("size", 224))
    normalized = processor.get("do_normalize", True)
    values: dict[str, Any] = {
        "image_size": size,
        "crop_pct": processor.get("crop_pct") if size < CONVNEXT_CROP_BELOW else 1.0,
        "interpolation": _filter(processor.get("resample", 3)),
        "mean": _numbers(processor.get("image_mean")) if normalized else (0.0, 0.0, 0.0),
        "std": _numbers(processor.get("image_std")) if normalized else (1.0, 1.0, 1.0),
    }
    crop = processor.get("crop_size")  # the older processors resize and crop to sizes that they name
    if isinstance(crop, Mapping) and processor.get("do_center_crop") and isinstance(crop.get("height"), int):
        values.update(image_size=crop["height"], crop_pct=crop_pct_between(crop["height"], size))
    return Preprocessing(**{name: value for name, value in values.items() if value is not None})


def _resize_size(size: Any) -> int:
    """What a processor resizes to, in pixels: a number, or a table of the shorter side or of both."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge", size.get("height"))
    if _number(size, "size") < 1:
        raise WeightsError(f"size must be at least 1 pixel, got {size}")
    return int(size)


def _filter(number: Any) -> str:
    if _number(number, "resample") not in PILLOW_FILTERS:
        known = ", ".join(f"{number} {name}" for number, name in PILLOW_FILTERS.items())
        raise WeightsError(f"resample is {number}, what can be done here is {known}")
    return PILLOW_FILTERS[number]


def _labels(names: Any, num_classes: int) -> tuple[str, ...] | None:
    """A list, or a table by index; None where there are none or not as many as classes."""
    if isinstance(names, Mapping):
        names = [names.get(str(index), names.get(index)) for index in range(num_classes)]
    if not isinstance(names, list) or len(names) != num_classes or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def _is_default(names: Any) -> bool:
    """What transformers writes where nobody named the classes."""
    return isinstance(names, Mapping) and all(value == f"LABEL_{index}" for index, value in names.items())


def _provenance(*tables: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table in tables:
        found.update(
            {name: table[name] for name in ("license", "tag", "hf_hub_id") if isinstance(table.get(name), str)}
        )
    return found


def _side(shape: Any, axis: int) -> int | None:
    return _number(shape[axis], "input_size") if isinstance(shape, list | tuple) and len(shape) == 3 else None


def _number(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WeightsError(f"{name} must be a whole number, got {value!r}")
    return value


def _numbers(values: Any) -> tuple[float, ...] | None:
    return tuple(values) if isinstance(values, list | tuple) else None
