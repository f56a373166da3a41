"""Line charts as SVG, drawn by hand: Matplotlib alone would take longer to start than the whole report.

Colours are classes of the style sheet, so that a chart follows the page into the dark. Text is text.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regnety.text import printable

if TYPE_CHECKING:
    from markupsafe import Markup

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 40
"""Around the axes, in units of the drawing: room for the numbers and the axis's name."""
TICKS = 5
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of figures along one side.

    Args:
        label: with the unit.
        low: first figure.
        high: last figure.
        log: whether equal distances are equal ratios.
    """

    label: str
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """From 0 at `low` to 1 at `high`."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(value) - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round figures within the range."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**power for power in powers[:: max(1, math.ceil(len(powers) / (TICKS + 2)))]]
        step = _round_step((self.high - self.low) / TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, or points alone.

    Args:
        points: in the axes' figures.
        style: classes of the style sheet.
        dots: draw a dot at each point.
        joined: draw the line.
        spans: (x, low, high), vertical intervals.
    """

    points: Sequence[Point]
    style: str
    dots: bool = False
    joined: bool = True
    spans: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A filled range around a line.

    Args:
        points: (x, low, high), in the axes' figures.
        style: classes of the style sheet.
    """

    points: Sequence[tuple[float, float, float]]
    style: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar on the lower axis, from 0 to a share of the chart's height."""

    left: float
    right: float
    height: float


def axis_around(label: str, values: Iterable[float], *, log: bool = False) -> Axis:
    """An axis that holds all values; one that would have no length is widened."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(known), max(known)) if known else (1.0, 10.0)
    if log:
        return Axis(label, low, high if high > low else 10 * low, True)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / TICKS)
    return Axis(label, math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


def line_chart(
    description: str,
    x: Axis,
    y: Axis,
    lines: Sequence[Line],
    *,
    size: tuple[int, int] = (420, 270),
    bars: Sequence[Bar] = (),
    bands: Sequence[Band] = (),
    marked_x: float | None = None,
    marked_y: Sequence[float] = (),
) -> "Markup":
    """An SVG element.

    Args:
        description: for those who do not see it; the figures stand in a table beside it.
        x: along the bottom.
        y: along the left side.
        lines: the last is drawn on top.
        size: width and height of the drawing; the page scales it.
        bars: drawn under the lines.
        bands: drawn under the lines.
        marked_x: a vertical line.
        marked_y: horizontal lines.
    """
    width, height = size
    floor = height - BOTTOM

    def across(value: float) -> float:
        return LEFT + x.place(value) * (width - LEFT - RIGHT)

    def down(value: float) -> float:
        return floor - y.place(value) * (floor - TOP)

    parts = [_grid(x, y, across, down, size)]
    parts += [
        _format(
            '<rect class="count" x="{}" y="{}" width="{}" height="{}"/>',
            _number(across(bar.left) + 0.5),
            _number(floor - bar.height * (floor - TOP)),
            _number(max(0.0, across(bar.right) - across(bar.left) - 1)),
            _number(bar.height * (floor - TOP)),
        )
        for bar in bars
    ]
    for band in bands:
        outline = [(across(x), down(low)) for x, low, _ in band.points]
        outline += [(across(x), down(high)) for x, _, high in reversed(band.points)]
        parts.append(_format('<path class="band {}" d="{}Z"/>', band.style, _path(outline)))
    if marked_x is not None:
        parts.append(_straight("marked", across(marked_x), TOP, across(marked_x), floor))
    parts += [_straight("marked", LEFT, down(value), width - RIGHT, down(value)) for value in marked_y]
    parts += [_line(line, across, down) for line in lines]
    return _format(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        width,
        height,
        description,
        _joined(parts),
    )


def small_chart(description: str, points: Sequence[Point], *, side: int = 96) -> "Markup":
    """A square without numbers: a curve from (0, 0) to (1, 1), and the diagonal."""
    path = _path([(side * x, side * (1 - y)) for x, y in points])
    return _format(
        '<svg class="small chart" viewBox="-1 -1 {} {}" role="img" aria-label="{}">'
        '<rect class="frame" width="{}" height="{}"/><path class="ideal" d="M0 {}L{} 0"/>'
        '<path class="area" d="{}L{} {}L0 {}Z"/><path class="line a" d="{}"/></svg>',
        side + 2,
        side + 2,
        description,
        side,
        side,
        side,
        side,
        path,
        side,
        side,
        side,
        path,
    )


def thinned(points: Sequence[Point], *, distance: float = 0.004) -> list[Point]:
    """The same curve with fewer points: those that are closer than `distance` to the last one are left out."""
    kept = [points[0]]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= distance:
            kept.append(point)
    return [*kept, points[-1]] if len(points) > 1 else kept


def shown_number(value: float) -> str:
    """With as many digits as a reader needs: `0.0312`, `12.5`, `3,068`, `1e-05`."""
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _grid(
    x: Axis, y: Axis, across: Callable[[float], float], down: Callable[[float], float], size: tuple[int, int]
) -> "Markup":
    width, height = size
    floor = height - BOTTOM
    parts = []
    for tick in y.ticks():
        parts.append(_straight("grid", LEFT, down(tick), width - RIGHT, down(tick)))
        parts.append(_text("end", LEFT - 7, down(tick) + 4, shown_number(tick)))
    for tick in x.ticks():
        parts.append(_straight("grid", across(tick), floor, across(tick), floor + 4))
        parts.append(_text("middle", across(tick), floor + 17, shown_number(tick)))
    parts.append(_straight("axis", LEFT, floor, width - RIGHT, floor))
    parts.append(_text("middle name", (LEFT + width - RIGHT) / 2, height - 5, x.label))
    parts.append(
        _format(
            '<text class="middle name" transform="translate(11 {}) rotate(-90)">{}</text>',
            _number((TOP + floor) / 2),
            y.label,
        )
    )
    return _joined(parts)


def _line(line: Line, across: Callable[[float], float], down: Callable[[float], float]) -> "Markup":
    places = [(across(px), down(py)) for px, py in line.points]
    parts = [
        _straight(f"span {line.style}", across(at), down(low), across(at), down(high)) for at, low, high in line.spans
    ]
    if line.joined and len(places) > 1:
        parts.append(_format('<path class="line {}" d="{}"/>', line.style, _path(places)))
    if line.dots or len(places) == 1:
        parts += [
            _format('<circle class="dot {}" cx="{}" cy="{}" r="3.4"/>', line.style, _number(px), _number(py))
            for px, py in places
        ]
    return _joined(parts)


def _straight(style: str, x1: float, y1: float, x2: float, y2: float) -> "Markup":
    return _format('<path class="{}" d="{}"/>', style, _path([(x1, y1), (x2, y2)]))


def _text(style: str, x: float, y: float, text: str) -> "Markup":
    return _format('<text class="{}" x="{}" y="{}">{}</text>', style, _number(x), _number(y), text)


def _path(places: Sequence[Point]) -> str:
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in places)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _round_step(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= step * (1 - 1e-9))


def _format(text: str, *values: object) -> "Markup":
    """Markup in which every value is escaped, and nothing in it acts on the page, unless it is markup itself."""
    from markupsafe import Markup  # comes with jinja2, which is an extra

    shown = [printable(each) if isinstance(each, str) and not isinstance(each, Markup) else each for each in values]
    return Markup(text).format(*shown)


def _joined(parts: Iterable["Markup"]) -> "Markup":
    from markupsafe import Markup

    return Markup("").join(parts)
