"""Pictures as PNG or SVG files: the same numbers give the same bytes, whatever the user's matplotlibrc says.

Without pyplot: no window, no backend, no global state.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regnety.errors import InvalidDesignError
from regnety.extras import import_extra
from regnety.storage.replacing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METADATA: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
"""Turns off what matplotlib would write about its version and the date."""
STYLE: dict[str, Any] = {"svg.hashsalt": "regnety"}  # else the ids in an SVG file are random


def check_place(path: str | Path) -> Path:
    """Check that a picture can be written to that file, before work is lost.

    Raises:
        InvalidDesignError: the suffix is neither `.png` nor `.svg`.
        MissingExtraError: matplotlib is not installed.
        FileNotFoundError: its folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in METADATA:
        raise InvalidDesignError(f"{path}: a picture is written as {' or '.join(METADATA)}; name such a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
    import_extra("matplotlib.figure", feature="a plot", extra="plot")
    return path


@contextmanager
def picture(path: str | Path) -> Iterator["Axes"]:
    """Axes to draw on; they are written to the file at the end, and an old file is replaced.

    Raises:
        OSError: the file cannot be written; and the errors of `check_place`.
    """
    path = check_place(path)
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):  # the user's own style may have any fonts and sizes
        figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
        yield figure.add_subplot()
        suffix = path.suffix.lower()
        with replacing(path) as beside:
            figure.savefig(beside, format=suffix[1:], metadata=METADATA[suffix])
