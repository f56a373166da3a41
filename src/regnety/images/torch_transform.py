"""`create_transform`: timm's transforms, from a PIL image to the torch tensor.

For evaluation the difference is 0; for training the distribution is the same. timm composes torchvision's Resize,
CenterCrop, ToTensor and Normalize. The pixels here come from `images/pixels.py` and `images/random_changes.py`; the
arithmetic after them is torchvision's, operation by operation. Outside the learning half only this file and
`inference/engines/torch.py` import torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from regnety.errors import WeightsError
from regnety.images.auto_augment import auto_augment
from regnety.images.decoding import load_image
from regnety.images.pixels import load_pixels
from regnety.images.random_changes import RandomChanges
from regnety.images.sources import ImageSource
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

# One ending for all refusals, so that nobody has to look for the way out.
INSTEAD = "use timm.data.create_transform for that"
CHANGES = tuple(field.name for field in fields(RandomChanges) if field.name != "interpolation")
"""timm's arguments for training that are supported. In evaluation they have no effect, there or here."""
FIXED_IN_TRAINING: dict[str, tuple[Any, ...]] = {
    "no_aug": (False,),
    "train_crop_mode": (None, "rrc"),
    "separate": (False,),
}
"""timm's other arguments for training, with the values that are supported here."""
EVALUATION_ARGUMENTS = {
    "crop_border_pixels": None,
    "tf_preprocessing": False,
    "use_prefetcher": False,
    "normalize": True,
    "naflex": False,
    "patchify": False,
}
"""timm's arguments that change the result of evaluation, with the only value that is supported here."""
WITHOUT_EFFECT = ("patch_size", "max_seq_len", "patchify_channels_last", "patchify_flatten", "re_num_splits")
"""timm's arguments that have an effect only under `naflex` and `patchify`, or on whole batches."""


@dataclass(frozen=True, slots=True)
class EvaluationTransform:
    """From a picture to the network's input: call it, or give it to a torch dataset."""

    preprocessing: Preprocessing

    def __call__(self, image: ImageSource) -> torch.Tensor:
        """PIL image of any size and mode -> float32 [3, image_size, image_size].

        What is not RGB is converted; timm would give another number of channels and fail in the normalisation. The EXIF
        orientation is never applied, as in timm. A path, the bytes of a file and pixels are accepted too.

        Raises:
            ImageError: the picture cannot be decoded.
        """
        return _normalized(load_pixels(image, self.preprocessing, exif_orientation=False), self.preprocessing)


@dataclass(frozen=True, slots=True)
class TrainingTransform:
    """From a picture to the network's input, changed in another way each time.

    The random numbers follow torch's generator, which a DataLoader seeds otherwise in each of its processes.
    """

    preprocessing: Preprocessing
    changes: RandomChanges

    def __call__(self, image: ImageSource) -> torch.Tensor:
        """As `EvaluationTransform`, with random changes.

        Raises:
            ImageError: the picture cannot be decoded.
        """
        generator = np.random.default_rng(int(torch.randint(1 << 62, ())))
        picture = load_image(image, exif_orientation=False)
        pixels = np.asarray(self.changes.pixels(picture, self.preprocessing.image_size, generator))
        values = _normalized(pixels, self.preprocessing)
        self.changes.erase(values.numpy(), generator)  # the same memory
        return values


def _normalized(pixels: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [H, W, 3] -> float32 [3, H, W], as ToTensor and Normalize have it."""
    # ToTensor divides by 255, Normalize subtracts and divides in place. One fused factor would round otherwise, and
    # the difference would no longer be 0.
    scaled = torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C")).to(torch.float32).div(255)
    mean, std = (
        torch.tensor(values, dtype=torch.float32).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    return scaled.sub_(mean).div_(std)


def create_transform(
    input_size: int | Sequence[int] = 224,
    is_training: bool = False,
    *,
    interpolation: str = "bilinear",
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    crop_pct: float | None = None,
    crop_mode: str | None = "center",
    **others: Any,
) -> EvaluationTransform | TrainingTransform:
    """timm's transform: `create_transform(**resolve_data_config(model=network))`.

    In evaluation the difference to timm's tensor is 0, except for pictures so long (over about 900:1) that the resized
    one would exceed 64 megapixels, of which only the crop is computed. In training the distribution is timm's. All
    published weights use bicubic, which the config says; bilinear is timm's default without one.

    Args:
        input_size: of the square input in pixels; or (height, width), or (3, height, width).
        is_training: random changes with timm's distribution: a crop of random size and shape, a flip, brightness,
            contrast and saturation; and by their arguments vertical flips, hue, grey pictures, blur, erasing, and
            AutoAugment, RandAugment and AugMix (`auto_augment="rand-m9-mstd0.5-inc1"`), which replace those of colours.
        interpolation: Pillow's filter, antialiased: bicubic, bilinear, lanczos or nearest; in training also `random`.
        mean: for each channel of values in [0, 1], or one for all.
        std: for each channel of values in [0, 1], or one for all.
        crop_pct: share of the resized shorter side that the crop keeps; None is 0.875.
        crop_mode: `center`.
        others: timm's other arguments. Those of training (`RandomChanges`) have no effect on evaluation, as in timm.

    Raises:
        WeightsError: an argument is unknown, or asks for what this transform does not do; the message names it.
    """
    if crop_mode not in (None, "center"):
        raise WeightsError(f"crop_mode must be 'center', got {crop_mode!r}; {INSTEAD}")
    for name, value in others.items():
        if name not in (*CHANGES, *FIXED_IN_TRAINING, *EVALUATION_ARGUMENTS, *WITHOUT_EFFECT):
            raise WeightsError(f"create_transform has no argument {name!r}; it has those of timm 1.0's")
        if is_training and value not in (allowed := FIXED_IN_TRAINING.get(name, (value,))):
            raise WeightsError(f"{name} must be {allowed[-1] or allowed[0]} in training, got {value!r}; {INSTEAD}")
        if name in EVALUATION_ARGUMENTS and value != EVALUATION_ARGUMENTS[name]:
            raise WeightsError(f"{name} must be {EVALUATION_ARGUMENTS[name]}, got {value!r}; {INSTEAD}")
    preprocessing = Preprocessing(
        image_size=_side(input_size),
        # 224 / 256, timm's default
        crop_pct=0.875 if crop_pct is None else crop_pct,
        # Of evaluation; the random changes choose their own.
        interpolation="bilinear" if is_training and interpolation == "random" else interpolation,
        mean=tuple(mean),
        std=tuple(std),
    )
    # Preprocessing takes any number of channels, as models of other images have; this transform makes RGB.
    if len(preprocessing.mean) not in (1, 3):
        raise WeightsError(f"mean must have a value for each of 3 channels, got {tuple(mean)!r}; pictures are RGB")
    if not is_training:
        return EvaluationTransform(preprocessing)
    return TrainingTransform(preprocessing, _changes(interpolation, preprocessing.mean, others))


def _changes(interpolation: str, mean: Sequence[float], arguments: Mapping[str, Any]) -> RandomChanges:
    """timm's arguments in the form that `RandomChanges` has; None is timm's own value."""
    given = {name: value for name, value in arguments.items() if name in CHANGES and value is not None}
    if "color_jitter" in arguments:
        jitter = arguments["color_jitter"] or ()
        given["color_jitter"] = (float(jitter),) * 3 if isinstance(jitter, int | float) else tuple(jitter)
    for name in ("scale", "ratio"):
        if name in given:
            given[name] = tuple(given[name])
    if text := given.pop("auto_augment", None):
        given["auto_augment"] = auto_augment(text, interpolation=interpolation, mean=mean)
        if "3a" not in text:
            given["color_jitter"] = ()
    return RandomChanges(interpolation=interpolation, **given)


def _side(input_size: int | Sequence[int]) -> int:
    """The side of a square input of 3 channels."""
    if isinstance(input_size, int):
        return input_size
    if len(input_size) not in (2, 3) or input_size[-1] != input_size[-2]:
        raise WeightsError(f"input_size must be a square, got {tuple(input_size)!r}; {INSTEAD}")
    if len(input_size) == 3 and input_size[0] != 3:
        raise WeightsError(f"input_size must have 3 channels, got {tuple(input_size)!r}; pictures are RGB")
    return input_size[-1]
