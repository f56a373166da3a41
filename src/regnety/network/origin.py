"""What came with a network's weights, and whether it is still true: labels and figures belong to one classifier."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

ROUNDED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""Types to which a network may have been converted since; its classifier counts as unchanged then."""


class Origin:
    """Labels and provenance as they came, and a copy of the classifier that they came with.

    Args:
        labels: class names by index, if there are any.
        provenance: licence, data, figures.
        classifier: the layer; an identity if the model has none.
    """

    def __init__(self, labels: tuple[str, ...] | None, provenance: Mapping[str, Any], classifier: nn.Module) -> None:
        self.labels = labels
        self.provenance = provenance
        self._values = _values_of(classifier)

    def still_true(
        self, labels: tuple[str, ...] | None, provenance: Mapping[str, Any], classifier: nn.Module
    ) -> tuple[tuple[str, ...] | None, Mapping[str, Any]]:
        """A network's labels and provenance without what a trained or replaced classifier has made untrue.

        What the user has put in their place since stays.
        """
        if self.is_of(classifier):
            return labels, provenance
        if labels is self.labels:
            labels = None
        if (
            provenance is self.provenance
        ):  # a licence holds for whatever is made from the weights; data and figures do not
            provenance = {name: value for name, value in provenance.items() if name.startswith("license")}
        return labels, provenance

    def is_of(self, classifier: nn.Module) -> bool:
        """Whether a layer has exactly the values that were loaded, up to rounding to another number type."""
        values = _values_of(classifier)
        return values.keys() == self._values.keys() and all(
            value.shape == self._values[name].shape
            and any(torch.equal(self._values[name].to(dtype).double(), value.double()) for dtype in ROUNDED)
            for name, value in values.items()
        )


def _values_of(classifier: nn.Module) -> dict[str, Tensor]:
    """Its weight and bias; none on the meta device."""
    return {name: value.detach().cpu().clone() for name, value in classifier.named_parameters() if not value.is_meta}
