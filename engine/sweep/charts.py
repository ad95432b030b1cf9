"""The charts of a sweep: maps over two params, lines along one, drawn by Bokeh.

Blue is gain and orange is loss, which readers with any colour vision can tell apart; cells carry their numbers, fragile ones
are hatched and the best set is marked, so that no chart says anything by colour alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dryrun.charts import BLUE, FONT, GREY, INK, LINE, RED
from ..dryrun.narrative import money
from ..dryrun.problem import missing_extra
from .cells import Heat, fragile, heat, line, middles
from .interval import Intervals
from .table import SweepTable

__all__ = ["charts"]

MAPS = 3
"""Params that maps are drawn for, and lines along."""
NUMBERED = 150
"""Cells up to which each shows its number."""
LOSS, NEUTRAL, GAIN = (213, 94, 0), (247, 247, 247), (0, 114, 178)
SHADES = 101


def charts(table: SweepTable, params: list[str], objective: str, best: int) -> tuple[Any, list[str]]:
    """Return a column of Bokeh figures, and what they show, in words.

    Args:
        table: at least one set.
        params: those that vary, the most influential first.
        objective: the column that sets are judged by.
        best: the row of the best set.
    """
    try:
        import bokeh.layouts
    except ImportError:
        raise missing_extra("bokeh", "the report") from None
    board = _Board(table, best)
    unit = table.about["money"] if objective == "profit" else ""
    over = "" if table.paths == 1 else f", mean over {table.paths:,} paths"
    title = f"{objective}, {unit}{over}" if unit else f"{objective}{over}"
    depth = f"deepest drawdown, share of the peak{over}"
    falls = objective == "profit" and np.isfinite(table.column("drawdown")).any()
    if len(params) >= 2:
        board.map(params[0], params[1], objective, title, signed=True)
        if falls:
            board.map(params[0], params[1], "drawdown", depth, signed=False)
        for first, second in ((0, 2), (1, 2)):
            if len(params) >= MAPS:
                board.map(params[first], params[second], objective, title, signed=True)
        board.said.append(
            "Each cell is the median over the other params; × marks the cell of the best set, hatched cells are fragile."
            if len(params) > 2
            else "Each cell is one set, or the median of those drawn there; × marks the best one, hatched cells are fragile."
        )
        if any(param not in table.axes for param in params[:MAPS]):
            board.said.append("Params that were drawn are put into stretches of equal width, named by their middles.")
    for param in params[:MAPS]:
        board.line(param, objective, title)
    if len(params) == 1 and falls:
        board.line(params[0], "drawdown", depth)
    return bokeh.layouts.column(board.figures, sizing_mode="stretch_width", spacing=14), board.said


class _Board:
    def __init__(self, table: SweepTable, best: int) -> None:
        self.table, self.best = table, best
        self.intervals = Intervals(table)
        self.figures: list[Any] = []
        self.said: list[str] = []

    def map(self, x: str, y: str, column: str, title: str, *, signed: bool) -> None:
        """Draw the medians over two params; `signed` centres the colours on 0."""
        from bokeh.core.properties import value as constant
        from bokeh.models import ColumnDataSource, FactorRange, HoverTool, LinearColorMapper, NumeralTickFormatter
        from bokeh.models.annotations import ColorBar

        found = heat(self.table, x, y, column)
        known = found.median[np.isfinite(found.median)]
        if not known.size:
            return
        palette, low, high = _colours(known, signed)
        number = "0,0.[00]" if signed else "0.[000]%"
        columns, rows = range(len(found.x.labels)), range(len(found.y.labels))
        cells = [(row, column) for row in rows for column in columns if math.isfinite(found.median[row, column])]
        broken = fragile(found.median) if signed else np.zeros(found.median.shape, np.bool_)
        values = [float(found.median[cell]) for cell in cells]
        beside = self._beside(found, cells) if column == "profit" else {}
        source = ColumnDataSource(
            {
                **beside,
                "x": [found.x.labels[column] for _, column in cells],
                "y": [found.y.labels[row] for row, _ in cells],
                "value": values,
                "sets": [int(found.sets[cell]) for cell in cells],
                "text": [_short(value, signed) for value in values],
                "ink": [_ink(_shade(value, palette, low, high)) for value in values],
                "hatch": ["right_diagonal_line" if broken[cell] else " " for cell in cells],
                "told": ["fragile" if broken[cell] else "" for cell in cells],
            }
        )
        figure = self._figure(
            f"{title}: {x} across, {y} up",
            90 + 34 * len(found.y.labels),
            x_range=FactorRange(factors=list(found.x.labels)),
            y_range=FactorRange(factors=list(found.y.labels)),
        )
        figure.xaxis.axis_label, figure.yaxis.axis_label = x, y
        figure.grid.grid_line_color = None
        mapper = LinearColorMapper(palette=palette, low=low, high=high)
        drawn = figure.rect(
            "x", "y", 1, 1, source=source, line_color="white", line_width=1,
            fill_color={"field": "value", "transform": mapper},
            hatch_pattern="hatch", hatch_color=INK, hatch_alpha=0.22, hatch_scale=14, hatch_weight=1.0,
        )  # fmt: skip
        if len(cells) <= NUMBERED and len(found.x.labels) <= 16:
            figure.text(
                "x", "y", "text", source=source, text_align="center", text_baseline="middle", text_font_size="12px",
                text_font=constant(FONT), text_color="ink",
            )  # fmt: skip
        self._mark(figure, found)
        many = "" if int(found.sets.max()) == 1 else " (median of @sets sets)"
        tips = [(x, "@x"), (y, "@y"), (column, f"@value{{{number}}}{many}"), ("", "@told")]
        if beside:
            tips[3:3] = [("95 % interval" + (" of the middle set" if many else ""), "@interval"), ("−fees", "@fees")]
        figure.add_tools(HoverTool(renderers=[drawn], tooltips=tips))
        bar = ColorBar(
            color_mapper=mapper, width=10, formatter=NumeralTickFormatter(format="0,0.[0]a" if signed else "0.[0]%")
        )
        bar.major_label_text_font = FONT
        figure.add_layout(bar, "right")

    def line(self, param: str, column: str, title: str) -> None:
        """Draw a column along one param: its median and the middle 80 % of the sets, or the interval of each set's days."""
        from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter

        found = line(self.table, param, column)
        low, high = found.low, found.high
        single = int(found.sets.max()) == 1
        band = "the middle 80 % of the sets"
        if single and column == "profit":
            # One set a place has no spread but that of its own days.
            half = self.intervals.half
            wide = np.full(len(found.median), np.nan)
            wide[found.x.places] = half
            low, high, band = found.median - wide, found.median + wide, "95 % interval"
        there = np.isfinite(found.median)
        source = ColumnDataSource(
            {
                "x": found.x.centres[there],
                "y": found.median[there],
                "low": np.where(np.isfinite(low), low, found.median)[there],
                "high": np.where(np.isfinite(high), high, found.median)[there],
                "sets": found.sets[there],
            }
        )
        figure = self._figure(f"{title}, along {param}", 240)
        unit = self.table.about["units"].get(param.removeprefix("param."), "1")
        figure.xaxis.axis_label = param if unit == "1" else f"{param}, {unit}"
        figure.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]a" if column != "drawdown" else "0.[00]%")
        if not (single and column != "profit"):
            figure.varea("x", "low", "high", source=source, fill_color=BLUE, fill_alpha=0.18, legend_label=band)
        name = "each set" if single else "median"
        drawn = figure.line("x", "y", source=source, line_color=BLUE, line_width=2, legend_label=name)
        figure.scatter("x", "y", source=source, size=5, fill_color=BLUE, line_color="white", line_width=0.5)
        if column == "profit":
            figure.hspan(y=[0.0], line_color=GREY, line_dash="dashed", line_width=1)
            fees = line(self.table, param, "no_edge")
            shown = ColumnDataSource({"x": fees.x.centres, "y": fees.median})
            style = {"line_color": RED, "line_dash": "dotted", "line_width": 2}
            figure.line("x", "y", source=shown, legend_label="−fees: what no edge earns", **style)
        number = "0,0.[00]" if column != "drawdown" else "0.[000]%"
        tips = [(param, "@x"), (column, f"@y{{{number}}}"), ("sets", "@sets")]
        figure.add_tools(HoverTool(renderers=[drawn], tooltips=tips, mode="vline"))
        legend = figure.legend[0]
        legend.orientation, legend.location, legend.label_text_font = "horizontal", "top_left", FONT
        legend.spacing, legend.glyph_width = 14, 16
        legend.label_text_font_size, legend.border_line_color = "12px", None
        figure.add_layout(legend, "above")
        if single and column == "profit":
            self.said.append(
                "The interval of a set is that of its mean by Student's t over the paths."
                if self.table.paths > 1
                else "The interval of a set is ±1.96 standard deviations of its daily P&L times the root of its days: what "
                "another draw of such days, each independent of the last, would move the total by."
            )

    def _beside(self, found: Heat, cells: list[tuple[int, int]]) -> dict[str, list[str]]:
        """Return what the tip of each cell tells of its middle set: the interval, and what no edge earns."""
        rows = middles(found, self.table.column(found.column))
        told = [self.intervals.of(int(rows[cell])) for cell in cells]
        fees = self.table.column("no_edge")
        return {
            "interval": ["too few days" if each is None else f"{each.text} ({each.method})" for each in told],
            "fees": [money(float(fees[rows[cell]])) for cell in cells],
        }

    def _mark(self, figure: Any, found: Heat) -> None:
        """Mark the cell that the best set is in."""
        at = found.x.labels[int(found.x.places[self.best])], found.y.labels[int(found.y.places[self.best])]
        # Beside the number, in the upper right of the cell.
        place = [(at[0], 0.36)], [(at[1], 0.28)]
        figure.scatter(*place, marker="x", size=11, line_color=INK, line_width=2.5)

    def _figure(self, title: str, height: int, **ranges: Any) -> Any:
        from bokeh.plotting import figure as new

        figure: Any = new(
            title=title, height=height, min_border_left=70, sizing_mode="stretch_width", tools="reset,save",
            toolbar_location="right", **ranges,
        )  # fmt: skip
        figure.toolbar.logo = None
        figure.toolbar.autohide = True
        figure.title.text_font_size, figure.title.text_font_style = "13px", "bold"
        figure.title.text_color, figure.title.text_font = INK, FONT
        figure.outline_line_color = None
        figure.grid.grid_line_color = LINE
        for axis in (figure.xaxis, figure.yaxis):
            axis.axis_line_color = axis.major_tick_line_color = GREY
            axis.minor_tick_line_color = None
            axis.major_label_text_font = axis.axis_label_text_font = FONT
            axis.major_label_text_font_size = axis.axis_label_text_font_size = "12px"
            axis.axis_label_text_font_style = "normal"
            axis.major_label_text_color = axis.axis_label_text_color = "#3e4c59"
        self.figures.append(figure)
        return figure


def _colours(known: Any, signed: bool) -> tuple[list[str], float, float]:
    """Return a palette and its ends: orange to blue around 0, or white to orange from 0."""
    if not signed:
        return [_mixed(NEUTRAL, LOSS, step / (SHADES - 1)) for step in range(SHADES)], 0.0, float(known.max()) or 1.0
    most = float(np.abs(known).max()) or 1.0
    half = SHADES // 2
    losses = [_mixed(LOSS, NEUTRAL, step / half) for step in range(half)]
    gains = [_mixed(NEUTRAL, GAIN, step / half) for step in range(half + 1)]
    return losses + gains, -most, most


def _mixed(first: tuple[int, int, int], second: tuple[int, int, int], share: float) -> str:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _shade(value: float, palette: list[str], low: float, high: float) -> str:
    """Return the colour that a palette gives a value."""
    return palette[min(len(palette) - 1, int((value - low) / (high - low) * len(palette)))]


def _ink(colour: str) -> str:
    """Return the colour of a number that reads best on a cell, by WCAG's contrast."""
    light = _luminance(colour) + 0.05
    return INK if light / (_luminance(INK) + 0.05) >= 1.05 / light else "#ffffff"


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else float(((part + 0.055) / 1.055) ** 2.4) for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _short(value: float, signed: bool) -> str:
    if not signed:
        return f"{value * 100:.3g} %"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
