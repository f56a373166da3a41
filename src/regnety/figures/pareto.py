"""Accuracy against latency, and the Pareto front: the models that no other one beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regnety.figures.picture_files import picture


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """A model in the picture."""

    name: str
    top1: float
    """In percent."""
    latency_ms: float


def pareto_front(points: Sequence[ParetoPoint]) -> list[ParetoPoint]:
    """The points that no other one beats, the fastest first: each is more accurate than all that are as fast."""
    front: list[ParetoPoint] = []
    for point in sorted(points, key=lambda point: (point.latency_ms, -point.top1)):  # of equals, the best comes first
        if not front or point.top1 > front[-1].top1:
            front.append(point)
    return front


def plot_pareto(points: Sequence[ParetoPoint], path: str | Path, *, title: str = "") -> Path:
    """Draw each model's accuracy against its latency, with the front as a line, and write the picture as PNG or SVG.

    Args:
        points: models.
        path: `.png` or `.svg` chooses the format; an old file is replaced.
        title: text above the picture.

    Raises:
        InvalidDesignError: the suffix is neither.
        MissingExtraError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    front = pareto_front(points)
    with picture(path) as axes:
        from matplotlib.ticker import NullFormatter

        axes.step(
            [point.latency_ms for point in front],
            [point.top1 for point in front],
            where="post",
            color="tab:blue",
            linewidth=1,
            label="Pareto front",
        )
        for point in points:
            on_front = point in front
            color = "tab:blue" if on_front else "tab:gray"
            axes.plot(point.latency_ms, point.top1, "o", color=color, markersize=5)
            axes.annotate(
                point.name.partition(".")[0].removeprefix("regnety_"),
                (point.latency_ms, point.top1),
                # the front rises to the right: names of its models go above it, the others below
                xytext=(-4, 5) if on_front else (4, -5),
                textcoords="offset points",
                ha="right" if on_front else "left",
                va="bottom" if on_front else "top",
                fontsize=8,
                color=color,
            )
        axes.set_xscale("log")
        axes.margins(0.08, 0.1)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}" if _within_a_decade(points) else NullFormatter())
        axes.set_xlabel("latency in ms, median")
        axes.set_ylabel("top1 on ImageNet in %")
        axes.set_title(title, fontsize=10)
        axes.legend(loc="lower right")
        axes.grid(True, which="major", color="0.9")
        axes.set_axisbelow(True)
    return Path(path)


def _within_a_decade(points: Sequence[ParetoPoint]) -> bool:
    """Whether an axis with figures at powers of ten alone might have none."""
    latencies = [point.latency_ms for point in points]
    return max(latencies, default=1.0) < 12 * min(latencies, default=1.0)
