"""Whether weights fit a description, by their shapes alone."""

from collections.abc import Mapping

from regnety.architecture.description import Architecture
from regnety.architecture.tensor_shapes import check_shapes
from regnety.errors import WeightsError
from regnety.files.arrays import Array, shapes_of


def check_fit(architecture: Architecture, weights: Mapping[str, Array], *, source: str) -> None:
    """Compare all keys and shapes.

    Args:
        architecture: what the weights are for.
        weights: key to array; of `LazyWeights` only shapes are read.
        source: the file, or what the message should begin with.

    Raises:
        WeightsError: names the first keys that differ, the first with both shapes, and the model that does fit.
    """
    shapes = shapes_of(weights)
    try:
        check_shapes(architecture, shapes, source=source)
    except WeightsError as error:
        # Imported here: every start checks a model, and only a failure needs the catalogue to say what would fit.
        from regnety.weights.matching import fitting_model

        fitting = fitting_model(shapes)
        if fitting is None:
            raise
        raise WeightsError(f"{error}; the file fits {fitting}") from None
