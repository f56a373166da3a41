"""Stems for other numbers of input channels, equal to timm's."""

from typing import Any

import numpy as np
import pytest
import torch

from regnety.errors import WeightsError
from regnety.weights.stem import adapt_input_channels

KERNEL = np.random.default_rng(0).standard_normal((32, 3, 3, 3))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("in_chans", [1, 2, 3, 4, 5, 6, 7, 13])
def test_numbers_are_timms(timm: Any, in_chans: int, dtype: str) -> None:
    from timm.models import adapt_input_conv

    kernel = KERNEL.astype(dtype)
    before = kernel.copy()
    found = adapt_input_channels(kernel, in_chans)
    wanted = adapt_input_conv(in_chans, torch.from_numpy(kernel.copy())).numpy()
    assert found.dtype == wanted.dtype == dtype
    assert found.shape == (32, in_chans, 3, 3)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(kernel, before)


def test_numbers_written_out() -> None:
    kernel = np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1) + 1
    assert adapt_input_channels(kernel, 1).ravel().tolist() == [6]
    assert adapt_input_channels(kernel, 2).ravel().tolist() == [1.5, 3]
    assert adapt_input_channels(kernel, 3) is kernel
    assert adapt_input_channels(kernel, 4).ravel().tolist() == [0.75, 1.5, 2.25, 0.75]
    assert adapt_input_channels(kernel, 6).ravel().tolist() == [0.5, 1, 1.5, 0.5, 1, 1.5]


@pytest.mark.parametrize("shape", [(32, 1, 3, 3), (32, 4, 3, 3), (32, 3)])
def test_only_kernels_for_three_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match=r"^only a kernel for 3 input channels can be adapted to 2, got "):
        adapt_input_channels(np.zeros(shape, np.float32), 2)
