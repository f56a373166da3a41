"""A chart as a value, of which the page makes SVG, and Matplotlib a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regnety.figures.picture_files import picture
from regnety.reports.charts import Axis, Band, Line, line_chart
from regnety.reports.diagrams import Diagram
from regnety.reports.tables import Table

COLOURS = {"a": "#0f6b8c", "b": "#b3541e", "c": "#4b7a2b", "d": "#7a4fa3", "o": "#5f5b55", "ideal": "#5f5b55"}
"""Those of the style sheet on white paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines, dots and bands between two axes.

    Args:
        key: name of its files.
        title: above it.
        x: along the bottom.
        y: along the left side.
        lines: the last is drawn on top.
        table: its numbers.
        bands: ranges, drawn under the lines.
        legend: (class of the style sheet, name) of each kind of line.
        text: a sentence on how to read it.
        marked_x: a vertical line.
        size: width and height of the drawing on the page; letters are as large as in all others.
    """

    key: str
    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    table: Table
    bands: Sequence[Band] = ()
    legend: Sequence[tuple[str, str]] = ()
    text: str = ""
    marked_x: float | None = None
    size: tuple[int, int] = (420, 270)

    def diagram(self) -> Diagram:
        """As the page has it."""
        drawn = line_chart(
            f"{self.title}: {self.y.label} by {self.x.label}",
            self.x,
            self.y,
            self.lines,
            size=self.size,
            bands=self.bands,
            marked_x=self.marked_x,
        )
        return Diagram(self.title, drawn, self.table, self.legend, self.text)

    def write(self, folder: Path) -> list[Path]:
        """KEY.png and KEY.svg in a folder.

        Raises:
            MissingExtraError: Matplotlib is not installed.
            OSError: a file cannot be written.
        """
        paths = [folder / f"{self.key}{suffix}" for suffix in (".png", ".svg")]
        for path in paths:
            with picture(path) as axes:
                self._draw(axes)
        return paths

    def _draw(self, axes: Any) -> None:
        for band in self.bands:
            x, low, high = zip(*band.points, strict=True)
            axes.fill_between(x, low, high, color=_colour(band.style), alpha=0.14, linewidth=0)
        for line in self.lines:
            x, y = zip(*line.points, strict=True) if line.points else ((), ())
            classes = line.style.split()
            axes.plot(
                x,
                y,
                linestyle=("--" if {"dashed", "ideal"} & {*classes} else "-") if line.joined else "",
                marker="o" if line.dots else "",
                markersize=3 if "small" in classes else 5,
                linewidth=0.8 if "thin" in classes else 1.6,
                alpha=0.55 if {"thin", "faint"} & {*classes} else 1.0,
                color=_colour(line.style),
            )
        if self.marked_x is not None:
            axes.axvline(self.marked_x, color=COLOURS["ideal"], linestyle=":", linewidth=1)
        for style, name in self.legend:
            axes.plot([], [], color=_colour(style), label=name)
        for axis, scale, limits in (
            (self.x, axes.set_xscale, axes.set_xlim),
            (self.y, axes.set_yscale, axes.set_ylim),
        ):
            if axis.log:
                scale("log")
            limits(axis.low, axis.high)
        axes.set_xlabel(self.x.label)
        axes.set_ylabel(self.y.label)
        axes.set_title(self.title, fontsize=10)
        if self.legend:
            axes.legend(loc="best", fontsize=8)


def _colour(style: str) -> str:
    return next((COLOURS[name] for name in style.split() if name in COLOURS), COLOURS["a"])
