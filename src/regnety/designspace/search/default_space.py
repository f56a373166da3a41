"""The design space of a search, where its user names none."""

from typing import Any

from regnety.designspace.spaces import SPACES, DesignSpace
from regnety.errors import InvalidDesignError

SMALL_PICTURES = 64
"""Pixels up to which the stem of a default space keeps the size of the picture."""


def default_space(name: str, image_size: int, **changes: Any) -> DesignSpace:
    """A space by name; RegNets have the ranges that the paper found good: no bottleneck, 40 blocks at most, wm from 2.

    Pictures of up to 64 pixels keep their size in the stem, and networks may have three stages as well as four.

    Args:
        name: `regnety` and so on.
        image_size: of the pictures.
        **changes: fields and ranges in place of these.

    Raises:
        InvalidDesignError: there is no such space, or it lacks a field.
    """
    if name not in SPACES:
        raise InvalidDesignError(f"no design space is called {name!r}; known: {', '.join(SPACES)}")
    fields: dict[str, Any] = {"image_size": image_size}
    if image_size <= SMALL_PICTURES:
        fields |= {"stem_stride": 1, "num_stages": (3, 4)}
    if name.startswith("regnet"):
        return SPACES[name]("constrained", **{"params_bound": None, "activations_bound": None, **fields, **changes})
    return SPACES[name](**{**fields, **changes})
