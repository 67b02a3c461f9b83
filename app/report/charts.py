"""Draws the charts of a report as SVG: a metric over time, and the reliability curve."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from headrace.app.report.markup import Html, el

WIDTH, HEIGHT = 760, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 30
COLOURS, DASHES = 8, 4
"""The numbers of colours and of dashes that the style of the page has: together they tell more arms apart than a task may have."""

SQUARE = 300


class Curve(NamedTuple):
    """A curve: the name under which it stands in the legend, the number of its look, from 0 on, and its points (x, y)."""

    name: str
    look: int
    points: Sequence[tuple[float, float]]

    @property
    def style(self) -> str:
        """Name the classes of its look: a colour, and a dash once each colour was used.

        Examples
        --------
        >>> Curve("champion", 0, []).style, Curve("tree", 9, []).style
        ('s1 d0', 's2 d1')
        """
        dash, colour = divmod(self.look % (COLOURS * DASHES), COLOURS)
        return f"s{colour + 1} d{dash}"


class Scale(NamedTuple):
    """Maps values from `low` to `high` to pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, rounded to a tenth."""
        share = 0.5 if self.high == self.low else (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


class Mark(NamedTuple):
    """Something that happened: a vertical line at an x, with words that a pointer shows. A verdict has a line of its own kind."""

    x: float
    what: str
    is_verdict: bool = False


def over_run(
    title: str, curves: Sequence[Curve], marks: Sequence[Mark], *, by_labels: bool, most: float | None = None
) -> Html:
    """Draw curves over the course of a run.

    Parameters
    ----------
    title
        What is shown, for those who cannot see it.
    curves
        The curves; x is in seconds since the epoch, or in labels learned.
    marks
        What happened; a mark is drawn if it is within the curves.
    by_labels
        Whether x is in labels learned.
    most
        The largest value that is possible, such as 1 of an accuracy.
    """
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    steps = ticks(min(ys), max(ys), most)
    x = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y = Scale(steps[0], steps[-1], HEIGHT - BOTTOM, TOP)
    parts = [_grid_line(y(step), f"{step:g}") for step in steps]
    parts += [_label_below(x, at, f"{at:,.0f}" if by_labels else _time(x, at)) for at in _quarters(x.low, x.high)]
    for mark in marks:
        if x.low <= mark.x <= x.high:
            look = "mark verdict" if mark.is_verdict else "mark"
            line = el("line", x1=x(mark.x), x2=x(mark.x), y1=TOP, y2=HEIGHT - BOTTOM, class_=look)
            parts.append(el("g", el("title", mark.what), line))
    for curve in curves:
        if len(curve.points) == 1:
            (at, value) = curve.points[0]
            parts.append(el("circle", cx=x(at), cy=y(value), r=3, class_=f"dot {curve.style}"))
        points = " ".join(f"{x(at)},{y(value)}" for at, value in curve.points)
        parts.append(el("polyline", points=points, class_=f"curve {curve.style}"))
    return el("figure", _svg(title, WIDTH, HEIGHT, parts), legend(curves))


def reliability(title: str, curves: Sequence[Curve], weights: Sequence[Sequence[int]]) -> Html:
    """Draw reliability curves: the mean probability of true against the share of labels that were true, both 0 to 1.

    Parameters
    ----------
    title
        What is shown, for those who cannot see it.
    curves
        The curves.
    weights
        The number of predictions of each point of each curve: the area of its dot.
    """
    size = SQUARE + LEFT + RIGHT
    height = SQUARE + TOP + BOTTOM + 16
    x, y = Scale(0, 1, LEFT, LEFT + SQUARE), Scale(0, 1, TOP + SQUARE, TOP)
    parts = [_grid_line(y(step), f"{step:g}", LEFT + SQUARE) for step in (0, 0.25, 0.5, 0.75, 1)]
    parts += [
        el("text", f"{step:g}", x=x(step), y=TOP + SQUARE + 18, text_anchor="middle")
        for step in (0, 0.25, 0.5, 0.75, 1)
    ]
    parts.append(el("text", "predicted probability of true", x=x(0.5), y=height - 8, text_anchor="middle"))
    turned = f"rotate(-90 14 {y(0.5)})"
    parts.append(el("text", "share that was true", x=14, y=y(0.5), text_anchor="middle", transform=turned))
    parts.append(el("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="ideal"))
    for curve, counts in zip(curves, weights, strict=True):
        largest = max(counts)
        points = " ".join(f"{x(predicted)},{y(observed)}" for predicted, observed in curve.points)
        parts.append(el("polyline", points=points, class_=f"curve {curve.style}"))
        for (predicted, observed), count in zip(curve.points, counts, strict=True):
            radius = round(2 + 6 * math.sqrt(count / largest), 1)
            dot = el("circle", cx=x(predicted), cy=y(observed), r=radius, class_=f"dot {curve.style}")
            what = f"{curve.name}: {count:,} predictions near {predicted:.3f}, of which {observed:.1%} were true"
            parts.append(el("g", el("title", what), dot))
    return el("figure", _svg(title, size, height, parts), legend(curves), class_="square")


def legend(curves: Sequence[Curve]) -> Html:
    """Name the looks, each once."""
    styles = {curve.name: curve.style for curve in curves}
    entries = (el("span", el("i", class_=f"key {style}"), name) for name, style in styles.items())
    return el("figcaption", *entries)


def ticks(low: float, high: float, most: float | None = None) -> list[float]:
    """Return about five round values that enclose a range.

    Examples
    --------
    >>> ticks(0.83, 0.97, most=1.0)
    [0.8, 0.85, 0.9, 0.95, 1.0]
    >>> ticks(3.0, 3.0)
    [2.6, 2.8, 3.0, 3.2, 3.4]
    """
    if high - low < 1e-9 * max(abs(high), 1.0):
        low, high = low - 0.4 * (abs(low) or 1.0) / 3, high + 0.4 * (abs(high) or 1.0) / 3
    rough = (high - low) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.7)
    values = [round(number * step, 10) for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return [value for value in values if most is None or value <= most] or values


def moment(seconds: float) -> str:
    """Write a log time as date and time, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _svg(title: str, width: int, height: int, parts: Sequence[Html]) -> Html:
    return el("svg", el("title", title), *parts, viewBox=f"0 0 {width} {height}", role="img", aria_label=title)


def _grid_line(at: float, text: str, end: float = WIDTH - RIGHT) -> Html:
    line = el("line", x1=LEFT, x2=end, y1=at, y2=at, class_="grid")
    return el("g", line, el("text", text, x=LEFT - 8, y=at + 4, text_anchor="end"))


def _quarters(low: float, high: float) -> list[float]:
    return [low] if high == low else [low + (high - low) * part / 4 for part in range(5)]


def _time(x: Scale, at: float) -> str:
    span = x.high - x.low
    form = (
        "%H:%M:%S" if span < 600 else "%H:%M" if span < 86_400 else "%m-%d %H:%M" if span < 5 * 86_400 else "%Y-%m-%d"
    )
    return f"{datetime.fromtimestamp(at, UTC):{form}}"


def _label_below(x: Scale, at: float, text: str) -> Html:
    anchor = "start" if at == x.low else "end" if at == x.high else "middle"
    return el("text", text, x=x(at), y=HEIGHT - 10, text_anchor=anchor)
