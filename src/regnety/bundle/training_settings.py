"""What a training program wrote down of how it showed its pictures, among its settings in a checkpoint.

timm's names, as its train.py has them, and those that torchvision's and Lightning's users take.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from regnety.errors import WeightsError
from regnety.preprocessing import Preprocessing, crop_pct_between, per_channel
from regnety.weights.nesting import SETTINGS

SIZES = ("input_size", "img_size", "image_size", "val_crop_size")
"""Names of the size that the network is shown, the first that is there counts."""


@dataclass(frozen=True, slots=True)
class ShownInTraining:
    """A preprocessing, and which of it a training program said."""

    preprocessing: Preprocessing
    said: tuple[str, ...]
    """`img_size 96`, for a sentence: what was taken from the settings."""
    unusable: tuple[str, ...]
    """`args.std (0, 0, 0)`: what they say and no preprocessing can be."""
    is_whole: bool
    """Whether nothing is left to be assumed."""


def shown_in_training(facts: Mapping[str, Any], assumed: Preprocessing) -> ShownInTraining:
    """Lay what a checkpoint says of its training's preprocessing over one that is assumed.

    What cannot be, as a size of 0 or a std of 0, is named and left as it is assumed.

    Args:
        facts: what the checkpoint says, `args.img_size` and so on.
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
    if "crop_pct" not in values and {"val_crop_size", "val_resize_size"} <= settings.keys():
        try:
            crop, resize = _size(settings["val_crop_size"][1]), _size(settings["val_resize_size"][1])
        except (ValueError, OverflowError, WeightsError):
            unusable.append("{} {}".format(*settings["val_resize_size"]))
        else:
            values["crop_pct"] = crop_pct_between(crop, resize)
            said.append(f"val_resize_size {resize}")
    if settings.get("crop_mode", ("", "center"))[1] != "center":
        unusable.append("{} {}".format(*settings["crop_mode"]))
    if values.get("image_size", assumed.image_size) != assumed.image_size:  # the published test size is of another one
        values |= {"test_image_size": None, "test_crop_pct": None}
    return ShownInTraining(
        replace(assumed, **values), tuple(said), tuple(unusable), is_whole=readers.keys() <= values.keys()
    )


def _settings(facts: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Name to where it stands and what it is; timm's command line leaves what it does not say empty."""
    found: dict[str, tuple[str, Any]] = {}
    for table in ("", *(f"{table}." for table in reversed(SETTINGS))):  # beside the weights too
        for place, value in facts.items():
            name = place.removeprefix(table)
            if place == table + name and value not in ("", [], ()):
                found[name] = place, value
    return found


def _size(value: Any) -> int:
    """224, (3, 224, 224) or "3 224 224" to a side in pixels.

    Raises:
        ValueError: it is none, or not of a square.
        WeightsError: it is too large or too small.
    """
    sides = _numbers(value)[-2:]
    if len(set(sides)) != 1 or sides[0] != int(sides[0]):
        raise ValueError("no square")
    return Preprocessing(image_size=int(sides[0])).image_size


def _number(value: Any) -> float:
    (number,) = _numbers(value)
    return number


def _numbers(value: Any) -> tuple[float, ...]:
    """One number or several, in a list or in a text, as yaml and a command line leave them."""
    if isinstance(value, str):
        value = re.sub(r"[\[\](),x]", " ", value).split()
    values = value if isinstance(value, list | tuple) else (value,)
    if not values or any(isinstance(number, bool) for number in values):
        raise ValueError("no numbers")
    return tuple(float(number) for number in values)


def _shown(value: Any) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else f"{value}"
