"""A class map as a picture: the evidence in colour over the crop that the model saw, and the answer's name below it."""

import io
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from regnety.images.formats import PNG
from regnety.text import printable
from regnety.version import __version__

READABLE = 448
"""Least side of an overlay, in pixels: a crop of 32 would be a stamp on a screen."""
COLOURS = np.array(
    [
        (13, 8, 135),
        (84, 2, 163),
        (139, 10, 165),
        (185, 50, 137),
        (219, 92, 104),
        (244, 136, 73),
        (254, 188, 43),
        (240, 249, 33),
    ],
    np.float32,
)
"""Matplotlib's plasma at eight places: its brightness rises evenly, also in grey and for colour-blind eyes."""
STRONGEST = 0.75
"""Share of the colour at the strongest place: the photograph stays visible under it."""
MUTED = 0.45
"""Share of the photograph's own colours that is left beside the evidence, so that those of the map stand out."""
CAPTION_HEIGHT, MARGIN, FONT_SIZE, INK = 44, 14, 20, (32, 32, 32)
"""Of the line below an overlay, in pixels."""
LONGEST_NAME = 200
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "msyh.ttc")
"""Tried, where they are installed, for letters that Pillow's own font does not have."""
CUT, NO_LETTER = "…", "\uffff"
KEYWORD, SOFTWARE = "Software", "regnety "
"""In the file: whose picture it is."""
OVERLAY_HEAD = 256
"""Bytes of a file in which that stands."""


def enlarged(values: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """A map [height, width] at [side, side], bilinear; its outermost values reach to the edges."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def draw_overlay(
    values: npt.NDArray[np.float32], picture: npt.NDArray[np.uint8], size: int | None = None
) -> Image.Image:
    """The evidence [height, width] over a picture [side, side, 3]; what speaks against the class is not shown.

    Raises:
        ValueError: size is below 1.
    """
    side = max(READABLE, picture.shape[0]) if size is None else size
    if side < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    # bicubic, as bilinear steps of a coarse grid would look like edges of something in the photograph
    grid = Image.fromarray(np.ascontiguousarray(values, np.float32))
    positive = np.maximum(np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC)), 0)
    strength = positive / max(float(positive.max()), np.finfo(np.float32).tiny)
    photograph = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    base = np.asarray(photograph, np.float32)
    grey = np.asarray(photograph.convert("L"), np.float32)[..., None]
    base = MUTED * base + (1 - MUTED) * grey
    places = np.arange(len(COLOURS)) / (len(COLOURS) - 1)
    colours = np.stack([np.interp(strength, places, COLOURS[:, channel]) for channel in range(3)], -1)
    share = STRONGEST * (strength * strength * (3 - 2 * strength))[..., None]  # rises late: weak evidence is no veil
    return Image.fromarray(((1 - share) * base + share * colours).round().astype(np.uint8))


def captioned_png(picture: Image.Image, *, label: str | None, index: int, prob: float) -> bytes:
    """An overlay with the class's name and probability below it, as the bytes of a PNG file."""
    captioned = Image.new("RGB", (picture.width, picture.height + CAPTION_HEIGHT), "white")
    captioned.paste(picture)
    name, answer = printable(label or f"class {index}")[:LONGEST_NAME], f"{100 * prob:.1f} %"
    # boxes in place of letters would say nothing
    font = next((font for font in _fonts() if _has_letters(font, name)), None)
    shown, font = (f"class {index}", next(_fonts())) if font is None else (name, font)
    room = picture.width - 3 * MARGIN - font.getlength(answer)
    draw = ImageDraw.Draw(captioned)
    middle = picture.height + CAPTION_HEIGHT // 2
    draw.text((MARGIN, middle), _cut_to(shown, font, room), INK, font, anchor="lm")
    draw.text((picture.width - MARGIN, middle), answer, INK, font, anchor="rm")
    facts = PngInfo()
    facts.add_text(KEYWORD, f"{SOFTWARE}{__version__}")
    facts.add_itxt("Title", f"{name} {answer}")  # also what there is no room for, or no font has
    file = io.BytesIO()
    captioned.save(file, "PNG", pnginfo=facts)
    return file.getvalue()


def is_overlay(head: bytes) -> bool:
    """Whether a file is one that `captioned_png` made, by its first `OVERLAY_HEAD` bytes."""
    return head.startswith(PNG.signatures) and f"{KEYWORD}\0{SOFTWARE}".encode() in head


def _fonts() -> Iterator[ImageFont.FreeTypeFont]:
    """Pillow's own, which has the letters of English alone, and those of `FONTS` that are installed."""
    own = ImageFont.load_default(FONT_SIZE)
    assert isinstance(own, ImageFont.FreeTypeFont)  # as a size is given
    yield own
    for name in FONTS:
        with suppress(OSError):
            yield ImageFont.truetype(name, FONT_SIZE)


def _has_letters(font: ImageFont.FreeTypeFont, text: str) -> bool:
    missing = bytes(font.getmask(NO_LETTER))
    return all(bytes(font.getmask(letter)) != missing for letter in {*text, CUT} if not letter.isspace())


def _cut_to(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text) <= room:
        return text
    return next(cut for length in range(len(text), -1, -1) if font.getlength(cut := f"{text[:length]}{CUT}") <= room)
