"""Plots as plain SVG text: lines, and points with their intervals, over axes with round numbers and units.

Colours are Okabe and Ito's, which readers with any colour vision can tell apart; series differ in shape and dash too, so
that nothing is said by colour alone. The same numbers give the same bytes: coordinates have one decimal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from .evidence import Interval

__all__ = ["Chart", "ticks"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9")
INK, GREY, GRID = "#1f2933", "#52606d", "#e4e7eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 200, 44, 56
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
DASHES = ("", "7 3", "2 3", "9 3 2 3")


class _Series(NamedTuple):
    name: str
    x: tuple[float, ...]
    y: tuple[Interval, ...]
    kind: str  # line or points
    dash: str
    shape: str
    colour: str


class Chart:
    """One plot. Add series, then take `svg()`."""

    def __init__(
        self, title: str, x: str, y: str, *, log: bool = False, categories: Sequence[str] | None = None
    ) -> None:
        """Begin a plot.

        Args:
            title: what it shows.
            x: what the axis counts, with its unit.
            y: likewise.
            log: both axes logarithmic; all values must then be above 0.
            categories: names of the places 0, 1, … of x, instead of numbers.
        """
        self.title, self.x_label, self.y_label, self.log = title, x, y, log
        self.categories = categories
        self._series: list[_Series] = []

    def line(self, name: str, x: Sequence[float], y: Sequence[float], *, dashed: bool = False) -> None:
        """Add a line through (x, y)."""
        values = tuple(Interval(float(each), float(each), float(each), 1) for each in y)
        lines = sum(one.kind == "line" and one.colour != GREY for one in self._series)
        dash = "3 4" if dashed else DASHES[lines % len(DASHES)]
        colour = GREY if dashed else COLOURS[len(self._series) % len(COLOURS)]
        self._series.append(_Series(name, tuple(map(float, x)), values, "line", dash, "", colour))

    def points(self, name: str, x: Sequence[float], y: Sequence[Interval]) -> None:
        """Add points, each with its interval as a bar."""
        shape = SHAPES[sum(one.kind == "points" for one in self._series) % len(SHAPES)]
        colour = COLOURS[len(self._series) % len(COLOURS)]
        self._series.append(_Series(name, tuple(map(float, x)), tuple(y), "points", "", shape, colour))

    def svg(self) -> str:
        """Return the plot as one SVG document.

        Raises:
            ValueError: no series, or a value of 0 or below on a logarithmic axis.
        """
        if not self._series:
            raise ValueError("a plot needs a series")
        xs = [x for one in self._series for x in one.x]
        ys = [y for one in self._series for value in one.y for y in value[:3]]
        if self.categories is not None:
            xs += [-0.5, len(self.categories) - 0.5]
        across = _Axis(xs, LEFT, WIDTH - RIGHT, log=self.log)
        up = _Axis(ys, HEIGHT - BOTTOM, TOP, log=self.log)
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}" font-size="12" fill="{INK}">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            _text(LEFT, 24, self.title, size=15, weight="600"),
            *self._frame(across, up),
        ]
        for index, one in enumerate(self._series):
            parts += self._drawn(one, across, up)
            parts += _key(one, index)
        return "\n".join((*parts, "</svg>", ""))

    def _frame(self, across: _Axis, up: _Axis) -> list[str]:
        parts = []
        for tick in up.ticks:
            y = up(tick)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            parts.append(_text(LEFT - 8, y + 4, _number(tick), anchor="end", colour=GREY))
        if self.categories is None:
            for tick in across.ticks:
                x = across(tick)
                parts.append(f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="{GREY}"/>')
                parts.append(_text(x, HEIGHT - BOTTOM + 19, _number(tick), anchor="middle", colour=GREY))
        else:
            for place, name in enumerate(self.categories):
                parts.append(_text(across(place), HEIGHT - BOTTOM + 19, name, anchor="middle", size=11))
        parts.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="{GREY}"/>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(_text(middle, HEIGHT - 14, self.x_label, anchor="middle"))
        turned = f' transform="rotate(-90 18 {HEIGHT / 2:.0f})"'
        parts.append(_text(18, HEIGHT / 2, self.y_label, anchor="middle", more=turned))
        return parts

    def _drawn(self, one: _Series, across: _Axis, up: _Axis) -> list[str]:
        if one.kind == "line":
            places = " ".join(f"{across(x):.1f},{up(y.value):.1f}" for x, y in zip(one.x, one.y, strict=True))
            return [_polyline(places, one)]
        parts = []
        for x, y in zip(one.x, one.y, strict=True):
            left, low, high = across(x), up(y.low), up(y.high)
            parts.append(
                f'<path d="M{left - 4:.1f} {low:.1f}h8M{left - 4:.1f} {high:.1f}h8M{left:.1f} {low:.1f}V{high:.1f}" '
                f'stroke="{one.colour}" fill="none"/>'
            )
            parts.append(_mark(one.shape, left, up(y.value), one.colour))
        return parts


class _Axis:
    """From values to pixels, with some room around the values and round ticks between."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, log: bool) -> None:
        low, high = min(values), max(values)
        if log and low <= 0:
            raise ValueError(f"a logarithmic axis needs values above 0, got {low}")
        self.log, self.start, self.end = log, start, end
        if log:
            pad = (high / low) ** 0.06 or 1.0
            self.low, self.high = low / pad, high * pad
        else:
            room = 0.04 * (high - low) or abs(low) * 0.1 or 1.0
            self.low, self.high = low - room, high + room
        self.ticks = ticks(self.low, self.high, log=log)

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, *, log: bool = False) -> list[float]:
    """Return three to seven round numbers between `low` and `high` > `low`.

    On a logarithmic axis they are 1, 2 and 5 times powers of ten, or its ends where fewer than two of these lie between.
    """
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        found = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
        between = [each for each in found if low <= each <= high]
        return between if len(between) > 1 else [low, high]
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough * (1 - 1e-12))
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
    return text.replace("-", "−") if value else "0"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 12,
    weight: str = "400",
    colour: str = INK,
    more: str = "",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}"{more}>{escape(text)}</text>'
    )


def _polyline(places: str, one: _Series) -> str:
    dash = f' stroke-dasharray="{one.dash}"' if one.dash else ""
    return f'<polyline points="{places}" fill="none" stroke="{one.colour}" stroke-width="1.8"{dash}/>'


def _key(one: _Series, index: int) -> list[str]:
    x, y = WIDTH - RIGHT + 18, TOP + 12 + 22 * index
    if one.kind == "line":
        sample = _polyline(f"{x},{y - 4} {x + 24},{y - 4}", one)
    else:
        sample = _mark(one.shape, x + 12, y - 4, one.colour)
    return [sample, _text(x + 32, y, one.name)]


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>'
    if shape == "ring":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="#ffffff" stroke="{colour}" stroke-width="1.6"/>'
    outline = {
        "square": "m-3.4 -3.4h6.8v6.8h-6.8z",
        "triangle": "m0 -4.4l4 7.4h-8z",
        "diamond": "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z",
        "cross": "m-3.6 -3.6l7.2 7.2m0 -7.2l-7.2 7.2",
    }[shape]
    paint = f'fill="none" stroke="{colour}" stroke-width="2"' if shape == "cross" else f'fill="{colour}"'
    return f'<path d="M{x:.1f} {y:.1f}{outline}" {paint}/>'
