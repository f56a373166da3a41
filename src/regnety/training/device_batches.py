"""Training pictures that lie on a graphics card, and are cropped and flipped there.

A card trains tens of thousands of small pictures a second, more than threads can crop. The batches have the pictures
and the random numbers that they have on a processor; only the rounding of a crop differs.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regnety.training.batch_plan import EpochPlan, Pixels, PlannedBatches, Targets, shifted_places
from regnety.training.crop_boxes import NUMBERS, crop_boxes
from regnety.training.devices import Device
from regnety.training.recipes.recipe import Augmentation

REDUCED = 1.5
"""Size of kept pictures, in input sizes, up to which they may be cropped without antialiasing."""
TensorBatch: TypeAlias = tuple[Tensor, Tensor]
"""uint8 [N, height, width, 3] in RGB, and class indices [N], both on the device."""


class _OnDevice(PlannedBatches):
    """The classes of all pictures on the card, and how its pictures are changed."""

    def __init__(self, targets: Targets, augmentation: Augmentation, plan: EpochPlan, device: Device) -> None:
        super().__init__(targets, plan)
        self._device = device.torch_device
        self._on_device = torch.from_numpy(targets).to(self._device)
        self._augmentation = augmentation


class ShiftedOnDevice(_OnDevice):
    """Pictures on the card, moved by a few pixels, with the border mirrored.

    Args:
        padded: uint8 [count, image_size + 2 * shift, image_size + 2 * shift, 3].
        targets: class indices [count].
        augmentation: what is asked for.
        plan: which pictures form each batch.
        device: where they are kept.
    """

    def __init__(
        self, padded: Pixels, targets: Targets, augmentation: Augmentation, plan: EpochPlan, device: Device
    ) -> None:
        super().__init__(targets, augmentation, plan, device)
        self._padded = torch.from_numpy(padded).to(self._device)
        self._side = padded.shape[1] - 2 * augmentation.shift

    def epoch(self, epoch: int) -> Iterator[TensorBatch]:
        """This worker's part of the batches of an epoch; epochs count from 0."""
        for whole, generator in self._plan.batches(epoch):
            places = shifted_places(self._side, len(whole), self._augmentation, generator)
            chosen, rows, columns = map(self.part.of, (whole, *places))
            numbers, down, across = (torch.from_numpy(array).to(self._device) for array in (chosen, rows, columns))
            yield self._padded[numbers[:, None, None], down[:, :, None], across[:, None, :]], self._on_device[numbers]


class CroppedOnDevice(_OnDevice):
    """Pictures of one size on the card, of which random parts are enlarged to the input size.

    Args:
        pixels: uint8 [count, height, width, 3].
        targets: class indices [count].
        image_size: height and width of the input in pixels.
        augmentation: what is asked for.
        plan: which pictures form each batch.
        device: where they are kept.
    """

    def __init__(
        self,
        pixels: Pixels,
        targets: Targets,
        augmentation: Augmentation,
        plan: EpochPlan,
        device: Device,
        *,
        image_size: int,
    ) -> None:
        super().__init__(targets, augmentation, plan, device)
        self._pixels = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2)  # [count, 3, height, width]
        self._image_size = image_size

    def epoch(self, epoch: int) -> Iterator[TensorBatch]:
        """This worker's part of the batches of an epoch; epochs count from 0."""
        height, width = self._pixels.shape[-2:]
        for whole, generator in self._plan.batches(epoch):
            every = generator.random((len(whole), NUMBERS[self._augmentation.crop] + 1))
            chosen, numbers = map(self.part.of, (whole, every))
            boxes = crop_boxes(width, height, self._augmentation, numbers[:, :-1].T)
            flipped = numbers[:, -1] < (0.5 if self._augmentation.flip else 0)
            index = torch.from_numpy(chosen).to(self._device)
            yield self._cropped(self._pixels[index], boxes, flipped), self._on_device[index]

    def _cropped(self, pictures: Tensor, boxes: npt.NDArray[np.float64], flipped: npt.NDArray[np.bool_]) -> Tensor:
        """uint8 [N, image_size, image_size, 3] of `boxes`, float64 [4, N]: left, top, right, bottom in pixels."""
        height, width = pictures.shape[-2:]
        left, top, right, bottom = boxes
        # From places in the output, -1 to 1, to places in the picture, -1 to 1: [N, 2, 3].
        theta = np.zeros((boxes.shape[1], 2, 3), np.float32)
        theta[:, 0, 0] = (right - left) / width * np.where(flipped, -1, 1)
        theta[:, 0, 2] = (left + right) / width - 1
        theta[:, 1, 1] = (bottom - top) / height
        theta[:, 1, 2] = (top + bottom) / height - 1
        size = [len(pictures), 3, self._image_size, self._image_size]
        places = torch.nn.functional.affine_grid(torch.from_numpy(theta).to(self._device), size, align_corners=False)
        # No antialiasing: a part of a small picture is enlarged, never reduced by much (`REDUCED`).
        found = torch.nn.functional.grid_sample(
            pictures.float(), places, mode="bicubic", padding_mode="reflection", align_corners=False
        )
        return found.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
