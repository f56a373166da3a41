"""`create_transform`: timm's evaluation transform, from a PIL image to the torch tensor, with a difference of 0.

timm composes torchvision's Resize, CenterCrop, ToTensor and Normalize. The pixels here come from `images/pixels.py`;
the arithmetic after them is torchvision's, operation by operation. Outside the learning half only this file and
`inference/engines/torch.py` import torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from regnety.errors import WeightsError
from regnety.images.pixels import load_pixels
from regnety.images.sources import ImageSource
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

# One ending for all refusals, so that nobody has to look for the way out.
INSTEAD = "use timm.data.create_transform for that"
TRAINING_ARGUMENTS = (
    "no_aug",
    "train_crop_mode",
    "scale",
    "ratio",
    "hflip",
    "vflip",
    "color_jitter",
    "color_jitter_prob",
    "grayscale_prob",
    "gaussian_blur_prob",
    "auto_augment",
    "re_prob",
    "re_mode",
    "re_count",
    "re_num_splits",
    "separate",
)
"""timm's arguments for training. In evaluation they have no effect, there or here."""
EVALUATION_ARGUMENTS = {
    "crop_border_pixels": None,
    "tf_preprocessing": False,
    "use_prefetcher": False,
    "normalize": True,
    "naflex": False,
    "patchify": False,
}
"""timm's arguments that change the result of evaluation, with the only value that is supported here."""
PATCH_ARGUMENTS = ("patch_size", "max_seq_len", "patchify_channels_last", "patchify_flatten")
"""timm's arguments that have an effect only under `naflex` and `patchify`."""


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
        pixels = load_pixels(image, self.preprocessing, exif_orientation=False)
        # ToTensor divides by 255, Normalize subtracts and divides in place. One fused factor would round otherwise, and
        # the difference would no longer be 0.
        scaled = torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C")).to(torch.float32).div(255)
        mean, std = (
            torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
            for values in (self.preprocessing.mean, self.preprocessing.std)
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
) -> EvaluationTransform:
    """timm's evaluation transform: `create_transform(**resolve_data_config(model=network))`.

    The difference to timm's tensor is 0, except for pictures so long (over about 900:1) that the resized one would
    exceed 64 megapixels, of which only the crop is computed. All published weights use bicubic, which the config says;
    bilinear is timm's default without one.

    Args:
        input_size: of the square input in pixels; or (height, width), or (3, height, width).
        is_training: False; random crops and augmentation are `regnety train`'s.
        interpolation: Pillow's filter, antialiased: bicubic, bilinear, lanczos or nearest.
        mean: for each channel of values in [0, 1], or one for all.
        std: for each channel of values in [0, 1], or one for all.
        crop_pct: share of the resized shorter side that the crop keeps; None is 0.875.
        crop_mode: `center`.
        others: timm's other arguments. Those of training have no effect, as in timm's evaluation.

    Raises:
        WeightsError: an argument is unknown, or asks for what this transform does not do; the message names it.
    """
    if is_training:
        raise WeightsError(f"is_training must be False: `regnety train` augments by itself; else {INSTEAD}")
    if crop_mode not in (None, "center"):
        raise WeightsError(f"crop_mode must be 'center', got {crop_mode!r}; {INSTEAD}")
    for name, value in others.items():
        if name not in (*TRAINING_ARGUMENTS, *EVALUATION_ARGUMENTS, *PATCH_ARGUMENTS):
            raise WeightsError(f"create_transform has no argument {name!r}; it has those of timm 1.0's")
        if name in EVALUATION_ARGUMENTS and value != EVALUATION_ARGUMENTS[name]:
            raise WeightsError(f"{name} must be {EVALUATION_ARGUMENTS[name]}, got {value!r}; {INSTEAD}")
    preprocessing = Preprocessing(
        image_size=_side(input_size),
        # 224 / 256, timm's default
        crop_pct=0.875 if crop_pct is None else crop_pct,
        interpolation=interpolation,
        mean=tuple(mean),
        std=tuple(std),
    )
    # Preprocessing takes any number of channels, as models of other images have; this transform makes RGB.
    if len(preprocessing.mean) not in (1, 3):
        raise WeightsError(f"mean must have a value for each of 3 channels, got {tuple(mean)!r}; pictures are RGB")
    return EvaluationTransform(preprocessing)


def _side(input_size: int | Sequence[int]) -> int:
    """The side of a square input of 3 channels."""
    if isinstance(input_size, int):
        return input_size
    if len(input_size) not in (2, 3) or input_size[-1] != input_size[-2]:
        raise WeightsError(f"input_size must be a square, got {tuple(input_size)!r}; {INSTEAD}")
    if len(input_size) == 3 and input_size[0] != 3:
        raise WeightsError(f"input_size must have 3 channels, got {tuple(input_size)!r}; pictures are RGB")
    return input_size[-1]
