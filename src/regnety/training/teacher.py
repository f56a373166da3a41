"""Distillation: a larger network's answers as targets, on the pictures as they are changed for this step.

After Hinton et al. 2015 (arXiv 1503.02531). Both networks see the same changed picture, as in Beyer et al. 2022 (arXiv
2106.05237, "A good teacher is patient and consistent").
"""

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from regnety.bundle.bundle import Bundle
from regnety.errors import RecipeError
from regnety.network.creation import create_model
from regnety.preprocessing import Preprocessing
from regnety.text import listed
from regnety.training.devices import Arithmetic, Device
from regnety.training.objective import full_precision
from regnety.training.recipes.recipe import Recipe

MOST_LISTED = 5
"""Classes that a message names."""


def checked_teacher(recipe: Recipe, classes: Sequence[str]) -> Bundle | None:
    """The model that a recipe names as the teacher; None where it names none.

    Raises:
        RecipeError: it does not have these classes.
        UnknownModelError: there is no such model, or its weights are unavailable.
    """
    if recipe.teacher is None:
        return None
    bundle = Bundle.load(recipe.teacher)
    own = labels_of(bundle)
    if sorted(own) != sorted(classes):
        missing = listed(sorted(set(classes) - set(own)) or sorted(set(own) - set(classes)), most=MOST_LISTED)
        raise RecipeError(
            f"teacher {bundle.name}: its classes must be those of the data; they differ in {missing}; fine-tune it on "
            "the data first"
        )
    return bundle


def labels_of(bundle: Bundle) -> tuple[str, ...]:
    """The names of a model's classes by index, in Unicode's composed form; none where it has no names."""
    return tuple(unicodedata.normalize("NFC", label) for label in bundle.labels or ())


class Teacher:
    """A network that is not trained, and whose answers are part of the loss.

    Args:
        bundle: of `checked_teacher`.
        classes: of the run, by index.
        seen: preprocessing of the network that learns.
        recipe: how much the answers count, and how soft they are.
        device: where both networks are.
        arithmetic: in which the teacher runs.
    """

    def __init__(
        self,
        bundle: Bundle,
        classes: Sequence[str],
        seen: Preprocessing,
        recipe: Recipe,
        device: Device,
        arithmetic: Arithmetic,
    ) -> None:
        network = create_model(bundle, in_chans=3).eval().requires_grad_(False)
        self._network: nn.Module = network.to(device.torch_device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        labels = labels_of(bundle)
        self._order = torch.tensor([labels.index(label) for label in classes], device=device.torch_device)
        self._weight, self._temperature = recipe.teacher_weight, recipe.temperature
        self._device, self._arithmetic = device, arithmetic
        own = bundle.preprocessing.for_channels(3)
        # From one normalization to the other: (x * std + mean - own mean) / own std.
        mean, std, own_mean, own_std = (
            torch.tensor(values, device=device.torch_device).view(1, -1, 1, 1)
            for values in (seen.mean, seen.std, own.mean, own.std)
        )
        self._scale, self._shift = std / own_std, (mean - own_mean) / own_std

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Pictures as the network that learns sees them, [N, 3, H, W], to float32 [N, classes] in the run's order."""
        with self._device.autocast(self._arithmetic):
            found: Tensor = self._network(images.float() * self._scale + self._shift)
        return found.float()[:, self._order]

    def added_to(self, loss: Tensor, logits: Tensor, images: Tensor, whole: int) -> Tensor:
        """The loss with the teacher's share in it.

        Args:
            loss: of the labels: what these pictures add to the mean of the whole batch.
            logits: of the network that learns, [N, classes].
            images: that both see.
            whole: pictures of the whole batch.
        """
        logits = full_precision(logits)
        temperature = self._temperature
        targets = (self.logits(images) / temperature).to(logits.dtype).softmax(1)
        answers = (logits / temperature).log_softmax(1)
        divergence = nn.functional.kl_div(answers, targets, reduction="sum") / whole
        # Gradients of softened answers are smaller by the square of the temperature.
        return (1 - self._weight) * loss + self._weight * temperature**2 * divergence
