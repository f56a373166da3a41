"""Class maps for the photographs of a report, by the model itself."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from regnety.bundle.bundle import Bundle
from regnety.errors import ImageError
from regnety.images.sources import ImageSource
from regnety.inference.explanation import class_maps
from regnety.inference.options import RunFields
from regnety.reports.pictures import LONGEST_SIDE, ClassMaps, Pixels


def class_maps_of(bundle: Bundle, **changes: Unpack[RunFields]) -> ClassMaps | None:
    """What `with_pictures` makes class maps with.

    Args:
        bundle: the model; its outputs are the classes of the report.
        changes: fields of `RunOptions`, as the photographs were scored with.

    Returns:
        None for a model that has none: one in int8 does not give its feature map.
    """
    if bundle.is_quantized:
        return None

    def overlays(images: Sequence[ImageSource], classes: Sequence[int]) -> list[Pixels | None]:
        found = class_maps(bundle, images, classes, **changes)
        return [None if isinstance(each, ImageError) else np.asarray(each.overlay(LONGEST_SIDE)) for each in found]

    return overlays
