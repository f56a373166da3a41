"""How far two outputs are apart."""

from typing import Any

import numpy as np
import numpy.typing as npt


def relative_difference(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    """Largest difference, in standard deviations of what is wanted; NaN where a value is not finite.

    A constant output has no deviation; there the difference itself is given.
    """
    wanted = wanted.astype(np.float64)
    deviation = float(wanted.std())
    return float(np.abs(found - wanted).max()) / (deviation or 1.0)
