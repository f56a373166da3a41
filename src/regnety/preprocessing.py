"""How a model's input is made from a photograph: size, crop, normalisation, and the geometry of resize and crop."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import cycle, islice
from typing import Any, TypeAlias, TypeGuard

from regnety.errors import WeightsError
from regnety.plain_values import check_fields

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = ("bicubic", "bilinear", "lanczos", "nearest")
PerChannel: TypeAlias = float | Sequence[float]
"""A number for each channel, or one for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a photograph becomes a model's input, in timm's terms.

    The shorter side is resized to floor(image_size / crop_pct), the central square of image_size is cropped, and values
    in [0, 1] are normalised with mean and std.

    Raises:
        WeightsError: a value is not allowed; the message names it.
    """

    image_size: int = 224
    """Height and width of the input, in pixels."""
    crop_pct: float = 0.875
    """Fraction of the resized shorter side that the crop keeps, 0.01 to 1."""
    interpolation: str = "bicubic"
    """Pillow's filter, antialiased."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    """Per channel, for values in [0, 1]."""
    std: tuple[float, ...] = IMAGENET_STD
    """Per channel, for values in [0, 1]."""
    exif_orientation: bool = False
    """Whether training rotated pictures by their EXIF orientation."""
    test_image_size: int | None = None
    """A larger size at which the model is more accurate than at the one it was trained at; None if there is none."""
    test_crop_pct: float | None = None
    """The `crop_pct` for `test_image_size`; None is the same one."""

    def __post_init__(self) -> None:
        _check_size("image_size", self.image_size)
        _check_share("crop_pct", self.crop_pct)
        if self.test_image_size is not None:
            _check_size("test_image_size", self.test_image_size)
        if self.test_crop_pct is not None:
            _check_share("test_crop_pct", self.test_crop_pct)
        if not isinstance(self.exif_orientation, bool):
            raise WeightsError(f"exif_orientation must be true or false, got {self.exif_orientation!r}")
        if self.interpolation not in INTERPOLATIONS:
            raise WeightsError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not values or not all(_is_number(value) for value in values):
                raise WeightsError(f"{name} must be a number for each channel, got {values!r}")
            object.__setattr__(self, name, tuple(float(value) for value in values))
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise WeightsError(f"std must be a positive number for each of {len(self.mean)} channels, got {self.std}")

    def with_changes(
        self,
        *,
        image_size: int | None = None,
        crop_pct: float | None = None,
        use_test_size: bool = False,
        mean: PerChannel | None = None,
        std: PerChannel | None = None,
        interpolation: str | None = None,
    ) -> "Preprocessing":
        """A copy with some values replaced.

        Args:
            image_size: height and width, in pixels; None keeps them.
            crop_pct: fraction that the crop keeps; None keeps it.
            use_test_size: start from the size that the model is best at.
            mean: for each channel of values in [0, 1], or one number for all; None keeps it.
            std: as `mean`.
            interpolation: Pillow's filter; None keeps it.

        Raises:
            ValueError: both `image_size` and `use_test_size` are given.
            WeightsError: a value is not allowed; the message names it.
        """
        if use_test_size and image_size is not None:
            raise ValueError("image_size and use_test_size contradict each other; give one of them")
        begin = self.at_test_size() if use_test_size else self
        return replace(
            begin,
            image_size=begin.image_size if image_size is None else image_size,
            crop_pct=begin.crop_pct if crop_pct is None else crop_pct,
            mean=begin.mean if mean is None else per_channel("mean", mean, len(begin.mean)),
            std=begin.std if std is None else per_channel("std", std, len(begin.std)),
            interpolation=begin.interpolation if interpolation is None else interpolation,
        )

    def at_test_size(self) -> "Preprocessing":
        """A copy at the size that the model is best at (timm: `use_test_size`); unchanged if there is none."""
        return replace(
            self,
            image_size=self.test_image_size or self.image_size,
            crop_pct=self.test_crop_pct or self.crop_pct,
        )

    def for_channels(self, in_chans: int) -> "Preprocessing":
        """A copy for another number of channels: mean and std are repeated, as timm's adapted stems expect."""
        if in_chans == len(self.mean):
            return self
        mean, std = (tuple(islice(cycle(values), in_chans)) for values in (self.mean, self.std))
        return replace(self, mean=mean, std=std)

    @property
    def resize_size(self) -> int:
        """What the shorter side is resized to, in pixels."""
        return math.floor(self.image_size / self.crop_pct)

    def resized_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the whole picture after the resize."""
        shorter, longer = min(width, height), max(width, height)
        size = (self.resize_size, int(self.resize_size * longer / shorter))  # int and not round, as torchvision
        return size if width <= height else (size[1], size[0])

    def crop_corner(self, width: int, height: int) -> tuple[int, int]:
        """(left, top) of the crop in a resized picture of that width and height."""
        # torchvision's int(round(...)): halves go to the even number
        return round((width - self.image_size) / 2), round((height - self.image_size) / 2)

    def source_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the crop in the picture before the resize, in its own pixels."""
        resized_width, resized_height = self.resized_size(width, height)
        left, top = self.crop_corner(resized_width, resized_height)
        across, down = width / resized_width, height / resized_height
        right, bottom = left + self.image_size, top + self.image_size
        return left * across, top * down, min(right * across, width), min(bottom * down, height)

    def as_dict(self) -> dict[str, Any]:
        """The fields that have a value, as plain JSON; `preprocessing_from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }


def crop_pct_between(image_size: int, resize_size: int) -> float:
    """The fraction of the shorter side that a crop keeps."""
    share = min(1.0, image_size / resize_size)
    # in floats image_size / share can fall just below resize_size, and its floor would lose a pixel
    return share if math.floor(image_size / share) >= resize_size else math.nextafter(share, 0)


def preprocessing_from_dict(values: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing that `as_dict` wrote.

    Raises:
        WeightsError: a field is unknown, or its value is not allowed.
    """
    check_fields(Preprocessing, values, name="preprocessing")
    return Preprocessing(**values)


def per_channel(name: str, value: object, in_chans: int) -> tuple[float, ...]:
    """A mean or std that a caller gives, spelled out for each channel.

    Args:
        name: `mean` or `std`, for messages.
        value: a number for each channel, or one for all; of values in [0, 1].
        in_chans: channels of the input.

    Raises:
        WeightsError: it is neither, or meant for values from 0 to 255.
    """
    value = value.tolist() if hasattr(value, "tolist") else value  # NumPy's or torch's
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if len(values) not in (1, in_chans) or not all(_is_number(number) for number in values):
        channels = "one number" if in_chans == 1 else f"one number, or one for each of {in_chans} channels"
        raise WeightsError(f"{name} must be {channels}, got {value!r}")
    largest = max(values)
    if largest > 1:
        raise WeightsError(f"{name} is {largest:g}, as for values from 0 to 255; here it is for values from 0 to 1")
    if min(values) < 0 or (name == "std" and min(values) == 0):
        raise WeightsError(f"{name} must be {'above 0' if name == 'std' else '0 or more'}, got {min(values):g}")
    return tuple(float(number) for number in values) * (1 if len(values) == in_chans else in_chans)


def _check_size(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 8192:
        raise WeightsError(f"{name} must be a whole number from 1 to 8192 pixels, got {value!r}")


def _check_share(name: str, value: object) -> None:
    if not _is_number(value) or not 0.01 <= value <= 1:
        raise WeightsError(f"{name} must be a number from 0.01 to 1, got {value!r}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
