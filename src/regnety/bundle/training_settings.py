"""Preprocessing in the settings that a training program saved in its checkpoint.

The names are those of timm's train.py, of torchvision's reference scripts, and those common in Lightning's checkpoints.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from regnety.errors import WeightsError
from regnety.preprocessing import Preprocessing, crop_pct_between, per_channel
from regnety.weights.nesting import SETTINGS

SIZES = ("input_size", "img_size", "image_size", "val_crop_size")
"""Names of the input size; the first that is there counts. torchvision's train_crop_size is not the size to run at."""


@dataclass(frozen=True, slots=True)
class TrainingPreprocessing:
    """A preprocessing, and which parts of it come from a training program's settings."""

    preprocessing: Preprocessing
    said: tuple[str, ...]
    """`img_size 96`: what was taken from the settings, for a sentence."""
    unusable: tuple[str, ...]
    """`args.std (0, 0, 0)`: settings that no preprocessing can have."""
    is_whole: bool
    """Whether nothing had to be assumed."""


def training_preprocessing(facts: Mapping[str, Any], assumed: Preprocessing) -> TrainingPreprocessing:
    """The preprocessing that a checkpoint was trained with.

    Impossible settings, such as a size or a std of 0, are listed and not used.

    Args:
        facts: what the checkpoint says: `args.img_size` and so on.
        assumed: for what it does not say; with a mean for each input channel.
    """
    settings = _settings(facts)
    in_chans = len(assumed.mean)
    readers: dict[str, tuple[tuple[str, ...], Callable[[Any], Any]]] = {
        "image_size": (SIZES, _size),
        "crop_pct": (("crop_pct",), lambda value: replace(assumed, crop_pct=_number(value)).crop_pct),
        "interpolation": (
            ("interpolation",),
            lambda value: replace(assumed, interpolation=str(value).lower()).interpolation,
        ),
        "mean": (("mean",), lambda value: per_channel("mean", _numbers(value), in_chans)),
        "std": (("std",), lambda value: per_channel("std", _numbers(value), in_chans)),
    }
    values: dict[str, Any] = {}
    said, unusable = [], []
    for field, (names, read) in readers.items():
        name = next((name for name in names if name in settings), None)
        if name is None:
            continue
        place, value = settings[name]
        try:
            values[field] = read(value)
        except (ValueError, OverflowError, WeightsError):
            unusable.append(f"{place} {value}")
        else:
            said.append(f"{name} {_shown(values[field])}")
    # torchvision's scripts say it as two sizes.
    if "crop_pct" not in values and {"val_crop_size", "val_resize_size"} <= settings.keys():
        try:
            crop, resize = _size(settings["val_crop_size"][1]), _size(settings["val_resize_size"][1])
        except (ValueError, OverflowError, WeightsError):
            unusable.append("{} {}".format(*settings["val_resize_size"]))
        else:
            values["crop_pct"] = crop_pct_between(crop, resize)
            said.append(f"val_resize_size {resize}")
    # timm's `squash` and `border` are not what regnety does; the center is used and the notice says so.
    if settings.get("crop_mode", ("", "center"))[1] != "center":
        unusable.append("{} {}".format(*settings["crop_mode"]))
    if values.get("image_size", assumed.image_size) != assumed.image_size:
        # a published test size goes with another training size
        values |= {"test_image_size": None, "test_crop_pct": None}
    return TrainingPreprocessing(
        replace(assumed, **values), tuple(said), tuple(unusable), is_whole=readers.keys() <= values.keys()
    )


def _settings(facts: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Name to the place and the value of each setting that is not empty, as timm leaves options that were not given."""
    found: dict[str, tuple[str, Any]] = {}
    for table in ("", *(f"{table}." for table in reversed(SETTINGS))):
        # the last one counts: args, then the others, then what is beside the weights
        for place, value in facts.items():
            name = place.removeprefix(table)
            if place == table + name and value not in ("", [], ()):
                found[name] = place, value
    return found


def _size(value: Any) -> int:
    """224, (3, 224, 224) or "3 224 224" to a side in pixels; ValueError or WeightsError for anything else."""
    sides = _numbers(value)[-2:]
    if len(set(sides)) != 1 or sides[0] != int(sides[0]):
        raise ValueError("no square")
    return Preprocessing(image_size=int(sides[0])).image_size


def _number(value: Any) -> float:
    (number,) = _numbers(value)
    return number


def _numbers(value: Any) -> tuple[float, ...]:
    """One number or several, in a list or in a text, as YAML and command lines save them."""
    if isinstance(value, str):
        value = re.sub(r"[\[\](),x]", " ", value).split()
    values = value if isinstance(value, list | tuple) else (value,)
    # float(True) is 1.0, which would be a size of one pixel
    if not values or any(isinstance(number, bool) for number in values):
        raise ValueError("no numbers")
    return tuple(float(number) for number in values)


def _shown(value: Any) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else f"{value}"
