"""The paper's picture of a design: the straight line u_j, and the steps w_j that a RegNet is built from.

Radosavovic et al. (arXiv:2003.13678), section 3.3.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from regnety.architecture.description import AnyDesign
from regnety.architecture.design import Design
from regnety.figures.picture_files import picture
from regnety.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_widths(design: AnyDesign, path: str | Path, *, title: str | None = None, log_scale: bool = False) -> Path:
    """Draw the width of each block, and write the picture as PNG or SVG.

    Args:
        design: a `Design` shows u_j and w_j (equations 2 to 4), and the widths after fitting to groups if they differ;
            an `AnyNetDesign` has no u_j and shows the widths of its blocks.
        path: `.png` or `.svg` chooses the format; an old file is replaced.
        title: text above the picture; None is the design's parameters.
        log_scale: widths on a logarithmic axis.

    Raises:
        InvalidDesignError: the suffix is neither.
        MissingExtraError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    with picture(path) as axes:
        _draw(axes, design)
        axes.set_title(title or _parameters(design), fontsize=10)
        if log_scale:
            axes.set_yscale("log", base=2)
        else:
            axes.set_ylim(bottom=0)
    return Path(path)


def _draw(axes: "Axes", design: AnyDesign) -> None:
    from matplotlib.ticker import MaxNLocator

    stages = design.fitted_stages()
    fitted = [stage.width for stage in stages for _ in range(stage.depth)]
    blocks = range(len(fitted))
    widths = fitted
    if isinstance(design, Design):
        widths = [width for width, depth in design.grouped_widths() for _ in range(depth)]
        continuous = [design.w0 + design.wa * block for block in blocks]
        axes.plot(blocks, continuous, "--", color="tab:gray", label="$u_j = w_0 + w_a j$")
    axes.step(blocks, widths, where="mid", color="tab:blue", label="$w_j$")
    axes.plot(blocks, widths, "o", color="tab:blue", markersize=4)
    if widths != fitted:
        axes.plot(blocks, fitted, "x", color="tab:orange", label="after fitting to groups")
    start = 0
    for number, stage in enumerate(stages, start=1):
        if start:
            axes.axvline(start - 0.5, color="tab:gray", linewidth=0.6, linestyle=":")
        label = f"s{number}\n{stage.width}" if len(stages) <= 12 else f"s{number}"  # more would overlap
        axes.annotate(
            label,
            (start + (stage.depth - 1) / 2, 0.98),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            fontsize=8,
        )
        start += stage.depth
    axes.set_xlabel("block $j$")
    axes.set_ylabel("width in channels")
    axes.margins(y=0.2)  # room for the names of the stages
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")


def _parameters(design: AnyDesign) -> str:
    if isinstance(design, Design):
        names = ("depth", "w0", "wa", "wm", "group_width")
        return ", ".join(f"{name}={getattr(design, name):g}" for name in names)
    stages = design.fitted_stages()
    return f"{counted(len(stages), 'stage')}, {counted(sum(stage.depth for stage in stages), 'block')}"
