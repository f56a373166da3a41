"""The stem's weights for pictures in another order or number of channels."""

from dataclasses import replace

import numpy as np

from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor

STEM_WEIGHT = "stem.conv.weight"


def reversed_stem(stem: StoredTensor) -> StoredTensor:
    """The stem's weights [width, 3, 3, 3] for colours in the other order, RGB to BGR or back."""
    # A copy: torch and safetensors take no arrays with negative strides.
    return replace(stem, read=lambda: np.ascontiguousarray(stem.read()[:, ::-1]))


def adapt_input_channels(kernel: Array, in_chans: int) -> Array:
    """A kernel for RGB pictures as one for `in_chans` channels (timm 1.0.31, `_manipulate.py::adapt_input_conv`).

    One channel gets the sum of the three, so that a grey picture gives the answers of its RGB copy. Other numbers
    repeat red, green, blue, scaled by 3 / in_chans to keep the size of the output.

    Args:
        kernel: [width, 3, height, width], any floating-point type.
        in_chans: channels of the input, 1 or more.

    Returns:
        [width, in_chans, height, width] of the same type, computed in float32 as timm does; for 3 channels the kernel
        itself.

    Raises:
        WeightsError: the kernel is for another number of channels.
    """
    if kernel.ndim != 4 or kernel.shape[1] != 3:
        raise WeightsError(f"only a kernel for 3 input channels can be adapted to {in_chans}, got {kernel.shape}")
    if in_chans == 3:
        return kernel
    adapted: Array = kernel.astype(np.float32)
    if in_chans == 1:
        adapted = adapted.sum(axis=1, keepdims=True)
    else:
        adapted = adapted[:, np.arange(in_chans) % 3] * (3 / in_chans)
    return adapted.astype(kernel.dtype)
