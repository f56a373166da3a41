"""How a picture becomes a file: PNG or SVG, the same bytes for the same figures, whatever the user's matplotlibrc says.

Without pyplot: no window, no backend, nothing global.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regnety.errors import InvalidDesignError
from regnety.extras import import_extra
from regnety.storage import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METADATA: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
"""What a picture would say of itself and of the day it was made; without it, the same figures give the same bytes."""
STYLE: dict[str, Any] = {"svg.hashsalt": "regnety"}


def check_place(path: str | Path) -> Path:
    """See that a picture can be drawn into that file, before there is work to be lost.

    Raises:
        InvalidDesignError: the suffix is neither `.png` nor `.svg`.
        MissingExtraError: matplotlib is not installed.
        FileNotFoundError: there is no such folder.
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
    """Axes to draw on; at the end they stand in the file, and what stood there is replaced.

    Raises:
        OSError: the file cannot be written; and what `check_place` raises.
    """
    path = check_place(path)
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
        yield figure.add_subplot()
        suffix = path.suffix.lower()
        with replacing(path) as beside:
            figure.savefig(beside, format=suffix[1:], metadata=METADATA[suffix])
