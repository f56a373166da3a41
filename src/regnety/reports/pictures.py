"""The photographs that a report shows, as small JPEG files: which ones, and what the model looked at in them."""

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regnety.errors import ImageError
from regnety.images.formats import JPEG, format_of
from regnety.images.jpeg import decode_jpeg, read_jpeg_header
from regnety.images.sources import ImageSource, NamedImage, read_image_file, source_name
from regnety.reports.content import Picture, ReportContent
from regnety.reports.statistics import Figures

LONGEST_SIDE = 208
"""Pixels of a photograph's longer side in the report; half of it on the page, so that it is sharp on fine screens."""
QUALITY = 82
MOST_MISTAKES = 24
MOST_SUSPECTS = 24
MOST_PAIRS = 12
PHOTOGRAPHS_OF_A_PAIR = 4

Pixels: TypeAlias = npt.NDArray[np.uint8]
ClassMaps: TypeAlias = Callable[[Sequence[ImageSource], Sequence[int]], Sequence[Pixels | None]]
"""Images and a class for each -> uint8 [height, width, 3], the crop that the model saw with the class's map laid over
it; None for an image that cannot be read."""


def shown_mistakes(figures: Figures) -> list[int]:
    """Numbers of the scored photographs among the worst mistakes."""
    return [int(at) for at in figures.worst_mistakes[:MOST_MISTAKES]]


def shown_pairs(figures: Figures) -> list[list[int]]:
    """Of each of the most confused pairs of classes the numbers of some photographs, the worst first."""
    worst, scored = figures.worst_mistakes, figures.scored
    return [
        worst[(scored.targets[worst] == pair.target) & (scored.predictions[worst] == pair.prediction)][
            :PHOTOGRAPHS_OF_A_PAIR
        ].tolist()
        for pair in figures.confusions[:MOST_PAIRS]
    ]


def with_pictures(
    content: ReportContent, sources: Mapping[str, ImageSource], *, class_maps: ClassMaps | None = None
) -> ReportContent:
    """Add the photographs that the report shows: worst mistakes, most confused pairs, and labels that look wrong.

    Args:
        content: without them.
        sources: by the name of the photograph, as in `content`; what is missing or cannot be read is not shown.
        class_maps: makes the class maps, of the answer for a mistake, and of the suggestion for a suspect label.

    Returns:
        The content with `pictures`.
    """
    figures = Figures(content.scored, len(content.classes))
    scored = content.scored
    explained = {scored.names[at]: int(scored.predictions[at]) for at in shown_mistakes(figures)}
    explained |= {suspect.name: suspect.suggestion for suspect in content.suspects[:MOST_SUSPECTS]}
    names = dict.fromkeys([*explained, *(scored.names[at] for pair in shown_pairs(figures) for at in pair)])
    found = [name for name in names if name in sources]
    # decoder and encoder release Python's lock
    with ThreadPoolExecutor(max_workers=4) as threads:
        photographs = dict(zip(found, threads.map(_photograph, [sources[name] for name in found]), strict=True))
    mapped = [name for name in found if name in explained and photographs[name] is not None]
    maps: dict[str, Pixels | None] = {}
    if class_maps is not None and mapped:
        overlays = class_maps([sources[name] for name in mapped], [explained[name] for name in mapped])
        maps = dict(zip(mapped, overlays, strict=True))
    pictures = {}
    for name, photograph in photographs.items():
        if photograph is not None:
            overlay = maps.get(name)
            pictures[name] = Picture(
                photograph=photograph, class_map=None if overlay is None else encoded_pixels(overlay)
            )
    return replace(content, pictures=pictures)


def encoded_pixels(pixels: Pixels) -> bytes:
    """uint8 [height, width, 3] in RGB -> a JPEG file whose longer side has at most `LONGEST_SIDE` pixels."""
    from PIL import Image

    return _encoded(Image.fromarray(np.ascontiguousarray(pixels)))


def _photograph(source: ImageSource) -> bytes | None:
    """A whole photograph, upright; None where it cannot be read, which the evaluation has reported already."""
    try:
        return _encoded(_loaded(source))
    except ImageError:
        return None


def _loaded(source: ImageSource) -> Any:
    from PIL import Image

    from regnety.images.decoding import load_image

    if isinstance(source, np.ndarray | Image.Image):
        return load_image(source)
    data = read_image_file(source)
    if format_of(data) is JPEG:
        header = read_jpeg_header(data)
        if header is not None and header.orientation == 1 and header.components in (1, 3):
            # at an eighth of its size a phone's photograph is decoded in a tenth of the time
            pixels = decode_jpeg(data, smallest_side=LONGEST_SIDE)
            if pixels is not None:
                return Image.fromarray(pixels)
    return load_image(NamedImage(source_name(source) or "image", data))


def _encoded(image: Any) -> bytes:
    from PIL import Image

    if max(image.size) > LONGEST_SIDE:
        scale = LONGEST_SIDE / max(image.size)
        size = tuple(max(1, round(side * scale)) for side in image.size)
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
