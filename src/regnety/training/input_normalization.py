"""The input of a step: pixels as numbers with mean 0 and deviation 1."""

import torch
from torch import Tensor, nn


class InputNormalization(nn.Module):
    """uint8 [N, H, W, C] -> float32 or float64 [N, C, H, W] with mean 0 and deviation 1, in channels-last memory.

    Args:
        mean: of each channel, for pixels from 0 to 1.
        std: of each channel.
        dtype: of the result.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        # Times 255, in place of dividing each pixel by it.
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=dtype).view(1, -1, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=dtype).view(1, -1, 1, 1) * 255, persistent=False)

    def forward(self, images: Tensor, image_size: int | None = None) -> Tensor:
        """The normalised pictures, resized to `image_size` with antialiasing if it is given."""
        # uint8 up to here: a batch in float32 takes four times the memory, in the queue of decoded batches too.
        count, height, width, channels = images.shape
        # As rows, in place: loops over the three channels of a pixel, and memory for each part of the computation, took
        # three times as long.
        rows = images.reshape(count * height, width * channels).to(self.mean.dtype)
        rows.sub_(self.mean.flatten().repeat(width)).div_(self.std.flatten().repeat(width))
        x = rows.view(count, height, width, channels).permute(0, 3, 1, 2)
        if image_size is not None and image_size != x.shape[-1]:
            size = (image_size, image_size)
            x = nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)  # the layout in which oneDNN's convolutions are fastest
