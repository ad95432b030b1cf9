"""The charts of a run: one time axis, one chart under another, drawn by Bokeh.

Every chart shares the x-range, so that a zoom or a pan moves all of them. Colours are Okabe and Ito's,
which readers with any colour vision can tell apart; no chart says anything by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .decimation import largest_by_bucket, outline, runs
from .problem import missing_extra
from .subject import RegionShape, Subject
from .summary import Books
from .times import DAY_NS, parse_time
from .trace import Trace

__all__ = ["BUCKETS", "MARKS", "charts", "state_colours"]

BUCKETS = 700
WHOLE = 6000
"""Lines of up to so many rows are drawn as they are."""
MARKS = 400
BANDS = 400

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#AA4499", "#56B4E9"
FONT = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"
INK, GREY, LINE = "#1f2933", "#7b8794", "#e4e7eb"
LEG_COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
WHITE = "#ffffff"
STATE_COLOURS = (ORANGE, RED, GREY, PURPLE, GREEN, SKY)

Array = npt.NDArray[np.float64]


def state_colours(subject: Subject, trace: Trace) -> dict[str, str]:
    """Return the tint of each leaf that a run was in, region by region; the first state of one has none (white)."""
    found: dict[str, str] = {}
    for region in subject.regions if len(trace) else ():
        _, register = trace.register(region.column)
        active = register[register >= 0].tolist()
        first = region.leaves[active[0]] if active else None
        rest = [leaf for index, leaf in enumerate(region.leaves) if index in set(active) and leaf != first]
        found |= {first: WHITE} if first is not None else {}
        found |= {leaf: STATE_COLOURS[index % len(STATE_COLOURS)] for index, leaf in enumerate(rest)}
    return found


def charts(
    subject: Subject, trace: Trace, account: Books | None, stress: dict[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """Return the column of linked Bokeh figures, and what they leave out, in words.

    Args:
        subject: what the run is of.
        trace: at least one line.
        account: the money over time, or None for a spec without legs.
        stress: that of the summary; where it is laid over data its stretch is hatched and named.
    """
    try:
        import bokeh.layouts
    except ImportError:
        raise missing_extra("bokeh", "the report") from None
    board = _Board(subject, trace, stress)
    board.prices()
    if account is not None:
        board.legs(account)
        board.exposure(account)
        board.equity(account)
        board.split(account)
        board.drawdown(account)
    board.cells()
    board.states()
    board.verdicts()
    board.approvals()
    if not board.figures:
        return None, []
    board.figures[-1].xaxis.visible = True
    board.figures[-1].height += 26
    return bokeh.layouts.column(board.figures, sizing_mode="stretch_width", spacing=2), board.said


class _Board:
    """Figures over one trace; each method adds one."""

    def __init__(self, subject: Subject, trace: Trace, stress: dict[str, Any] | None) -> None:
        from bokeh.models import DataRange1d
        from bokeh.models.annotations import Span

        self.subject, self.trace, self.stress = subject, trace, stress
        self.figures: list[Any] = []
        self.said: list[str] = []
        self._thinned = False
        # Bokeh's time axis counts in milliseconds.
        self.times: Array = trace.times / 1e6
        self._range = DataRange1d(range_padding=0.01)
        self._cross = Span(dimension="height", line_color=GREY, line_dash="dotted", line_width=1)

    def prices(self) -> None:
        """Draw the marks, the modes behind them and the trades on them."""
        for instrument in self.subject.instruments:
            price = self.trace.column(f"{instrument}.price")
            first = not self.figures
            figure = self._figure(f"{instrument} price", 320 if first else 180, "0,0.[0000]", log=_spans_decades(price))
            self._bands(figure)
            self._stressed(figure)
            self._lines(figure, {"mark": (price, INK)}, width=1.1)
            self._trades(figure, instrument, price)
            self._legend(figure)

    def legs(self, account: Books) -> None:
        alone = len(self.subject.instruments) == 1
        lines = {}
        for index, leg in enumerate(self.subject.legs):
            quantity = np.abs(account.quantities[leg.name]) if leg.sign < 0 else account.quantities[leg.name]
            price = self.trace.column(f"{leg.instrument}.price")
            lines[leg.name] = (quantity if alone else quantity * price, LEG_COLOURS[index % len(LEG_COLOURS)])
        figure = self._figure("legs, quantity" if alone else f"legs, {self.subject.money}", 190, "0,0.[00]")
        self._lines(figure, lines)
        self._legend(figure)

    def exposure(self, account: Books) -> None:
        figure = self._figure(f"net and gross, {self.subject.money}", 190, "0,0.[0]a")
        self._lines(figure, {"gross": (account.gross, GREY), "net": (account.net, BLUE)})
        for name, colour in (("gross", GREY), ("net", BLUE)):
            limit = self.subject.limits.get(name)
            if limit:
                label = f"{name} limit"
                self._level(figure, limit, colour, label)
                if name == "net":
                    self._level(figure, -limit, colour, label)
        self._legend(figure)

    def equity(self, account: Books) -> None:
        figure = self._figure(f"equity, {self.subject.money}", 240, "0,0")
        before = account.equity + account.fees + account.slippage - account.flows
        self._stressed(figure)
        label = "before fees, slippage and carry"
        self._lines(figure, {label: (before, SKY), "equity": (account.equity, BLUE)}, fill=True)
        self._level(figure, self.subject.capital, INK, "capital")
        self._legend(figure)

    def split(self, account: Books) -> None:
        measured = [name for name, is_money in self.subject.measures.items() if is_money]
        if not measured:
            return
        rest = account.equity - self.subject.capital + account.fees + account.slippage - account.flows
        lines: dict[str, tuple[Array, str]] = {}
        for name, colour in zip(measured, (GREEN, PURPLE, SKY), strict=False):
            total = self.trace.column(f"report.{name}")
            rest = rest - total
            lines[name] = (total, colour)
        lines["inventory"] = (rest, RED)
        lines["−(fees + slippage) + carry"] = (account.flows - account.fees - account.slippage, ORANGE)
        lines["P&L"] = (account.equity - self.subject.capital, INK)
        figure = self._figure(f"what the P&L is made of, {self.subject.money}", 220, "0,0.[0]a")
        self._lines(figure, lines)
        self._level(figure, 0.0, GREY, "")
        self._legend(figure)

    def drawdown(self, account: Books) -> None:
        # A tick feed of minutes falls by thousandths of a per cent: with two decimals its axis would read 0 % throughout.
        axis = "0.[00]%" if account.drawdown.max(initial=0.0) >= 0.0005 else "0.[000000]%"
        figure = self._figure("drawdown, share of the peak", 150, axis)
        kept = outline([account.drawdown], BUCKETS, WHOLE)
        figure.varea(self.times[kept], -account.drawdown[kept], 0, fill_color=RED, fill_alpha=0.25)
        self._lines(figure, {"drawdown": (-account.drawdown, RED)}, width=1.0, number="0.[000]%")
        figure.legend.visible = False

    def cells(self) -> None:
        """Draw the state of a spec without legs, a chart a unit."""
        for unit in dict.fromkeys(self.subject.cells.values()):
            names = [name for name, one in self.subject.cells.items() if one == unit]
            figure = self._figure(f"state, {unit}" if unit != "1" else "state", 190, "0,0.[0000]")
            if not self.figures[1:]:
                self._bands(figure)
            for first in range(0, len(names), len(LEG_COLOURS)):
                group = zip(names[first:], LEG_COLOURS, strict=False)
                lines = {name: (self.trace.column(name), colour) for name, colour in group}
                self._lines(figure, lines, number="0,0.[0000]")
            self._legend(figure)

    def states(self) -> None:
        """Draw which state each of several regions was in, over time; one region's stand behind the price."""
        from bokeh.models import ColumnDataSource, FactorRange, HoverTool

        colours = state_colours(self.subject, self.trace)
        shown = [region for region in self.subject.regions if len(region.leaves) > 1]
        if len(shown) < 2:
            return
        # An axis of names is read upwards.
        names = [_row(region, leaf) for region in shown for leaf in region.leaves if leaf in colours][::-1]
        figure = self._figure("states", 60 + 18 * len(names), "0", rows=FactorRange(factors=names, range_padding=0.05))
        figure.yaxis.group_text_font = FONT
        data: dict[str, Any] = {"y": [], "left": [], "right": [], "colour": []}
        for region in shown:
            for start, end, index in zip(*map(np.ndarray.tolist, self._stretches(region)), strict=True):
                if index >= 0:
                    leaf = region.leaves[index]
                    data["y"].append(_row(region, leaf))
                    data["left"].append(start)
                    data["right"].append(end)
                    data["colour"].append(colours[leaf] if colours[leaf] != WHITE else GREY)
        bars = figure.hbar(
            y="y", left="left", right="right", height=0.7, fill_color="colour", fill_alpha=0.6, line_color=None,
            source=ColumnDataSource(data),
        )  # fmt: skip
        tips = [("", "@y"), ("from", "@left{%F %T}"), ("to", "@right{%F %T}")]
        dates: Any = {"@left": "datetime", "@right": "datetime"}
        figure.add_tools(HoverTool(renderers=[bars], tooltips=tips, formatters=dates))

    def verdicts(self) -> None:
        """Mark when each check of a gate stopped orders."""
        said: dict[str, dict[int, str]] = {}
        for line, verdict in self.trace.verdicts:
            said.setdefault(verdict.name, {}).setdefault(line, verdict.reason)
        self._said("gates: orders that were stopped", said, "x", "verdicts.csv")

    def approvals(self) -> None:
        """Mark what became of each proposal that waited for people."""
        said: dict[str, dict[int, str]] = {}
        for line, ruling in self.trace.rulings:
            told = [f"{ruling.number}", *filter(None, (ruling.by and f"by {ruling.by}", ruling.reason))]
            said.setdefault(ruling.name, {}).setdefault(line, ", ".join(told))
        self._said("approvals", said, "circle", "summary.json, counted")

    def _said(self, title: str, said: Mapping[str, Mapping[int, str]], marker: str, file: str) -> None:
        """Draw a row of marks for each name, each mark with its words; `file` has all of them."""
        from bokeh.models import ColumnDataSource, FactorRange, HoverTool

        if not said:
            return
        # An axis of names is read upwards.
        rows = FactorRange(factors=list(said)[::-1], range_padding=0.3)
        figure = self._figure(title, 60 + 22 * len(said), "0", rows=rows)
        for name, reasons in said.items():
            lines = np.array(list(reasons), dtype=np.int64)
            lines = lines[largest_by_bucket(lines, np.ones(len(lines)), len(self.trace), MARKS)]
            if len(lines) < len(reasons):
                self.said.append(
                    f"{name} stands {len(lines):,} times for the {len(reasons):,} events on which it came. "
                    f"All are in {file}."
                )
            data: dict[str, Any] = {
                "x": self.times[lines],
                "y": [name] * len(lines),
                "reason": [reasons[line] for line in lines.tolist()],
            }
            marks = figure.scatter(
                "x", "y", marker=marker, size=8, line_color=RED, line_width=1.5, source=ColumnDataSource(data)
            )
            tips = [("", "@reason"), ("at", "@x{%F %T}")]
            dates: Any = {"@x": "datetime"}
            figure.add_tools(HoverTool(renderers=[marks], tooltips=tips, formatters=dates))

    def _figure(self, title: str, height: int, number: str, log: bool = False, rows: Any = None) -> Any:
        from bokeh.models import CrosshairTool, DatetimeTickFormatter, NumeralTickFormatter
        from bokeh.plotting import figure as new

        figure: Any = new(
            title=title,
            height=height,
            min_border_left=78,
            sizing_mode="stretch_width",
            x_axis_type="datetime",
            **({"y_axis_type": "log" if log else "linear"} if rows is None else {"y_range": rows}),
            x_range=self._range,
            tools="xpan,xwheel_zoom,xbox_zoom,reset,save",
            active_drag="xbox_zoom",
            active_scroll=None,
            toolbar_location="right",
        )
        figure.add_tools(CrosshairTool(overlay=self._cross, dimensions="height"))
        figure.toolbar.logo = None
        figure.toolbar.autohide = True
        figure.title.text_font_size = "13px"
        figure.title.text_font_style = "bold"
        figure.title.text_color = INK
        figure.outline_line_color = None
        figure.grid.grid_line_color = LINE
        figure.xaxis.visible = False
        for axis in (figure.xaxis, figure.yaxis):
            axis.axis_line_color = GREY
            axis.major_tick_line_color = GREY
            axis.minor_tick_line_color = None
            axis.major_label_text_font_size = "12px"
            axis.major_label_text_color = "#3e4c59"
        for side in ("title", "xaxis", "yaxis"):
            name = "text_font" if side == "title" else "major_label_text_font"
            setattr(getattr(figure, side), name, FONT)
        if rows is None:
            figure.yaxis.formatter = NumeralTickFormatter(format=number)
            figure.yaxis.ticker.desired_num_ticks = 5
        figure.xaxis.formatter = DatetimeTickFormatter(
            seconds="%H:%M:%S",
            minsec="%H:%M:%S",
            minutes="%H:%M",
            hourmin="%H:%M",
            hours="%d %b %H:%M",
            days="%d %b %Y",
            months="%b %Y",
            years="%Y",
        )
        self.figures.append(figure)
        return figure

    def _lines(
        self,
        figure: Any,
        lines: dict[str, tuple[Array, str]],
        *,
        width: float = 1.4,
        number: str = "0,0.[00]",
        fill: bool = False,
    ) -> None:
        from bokeh.models import ColumnDataSource, HoverTool

        kept = outline([values for values, _ in lines.values()], BUCKETS, WHOLE)
        if len(kept) < len(self.trace) and not self._thinned:
            self._thinned = True
            self.said.append(
                f"Lines show the lowest and the highest of each of {BUCKETS} stretches of the "
                f"{len(self.trace):,} rows; no extreme is lost. Every row is in trace.parquet."
            )
        data: dict[str, Any] = {"time": self.times[kept]}
        data |= {f"y{index}": values[kept] for index, (values, _) in enumerate(lines.values())}
        source = ColumnDataSource(data)
        if fill and len(lines) == 2:
            figure.varea("time", "y0", "y1", source=source, fill_color=ORANGE, fill_alpha=0.25, legend_label="costs")
        shown = [
            figure.line("time", f"y{index}", source=source, line_color=colour, line_width=width, legend_label=name)
            for index, (name, (_, colour)) in enumerate(lines.items())
        ]
        tips = [("", "@time{%F %T}"), *((name, f"@y{index}{{{number}}}") for index, name in enumerate(lines))]
        figure.add_tools(
            HoverTool(
                renderers=shown[:1],
                tooltips=tips,
                formatters={"@time": "datetime"},
                mode="vline",
                line_policy="nearest",
            )
        )

    def _level(self, figure: Any, level: float, colour: str, label: str) -> None:
        ends = self.times[[0, -1]]
        style = {"line_color": colour, "line_dash": "dashed", "line_width": 1.2, "line_alpha": 0.8}
        if label:
            style["legend_label"] = label
        figure.line(ends, [level, level], **style)

    def _bands(self, figure: Any) -> None:
        """Tint the stretches of time that the first region was in each state but its first one."""
        from bokeh.models import ColumnDataSource

        colours = state_colours(self.subject, self.trace)
        for region in self.subject.regions[:1]:
            left, right, held = self._stretches(region)
            for index, leaf in enumerate(region.leaves):
                mine = held == index
                if mine.any() and colours[leaf] != WHITE:
                    source = ColumnDataSource({"x0": left[mine], "x1": right[mine]})
                    figure.vstrip(
                        x0="x0", x1="x1", source=source, fill_color=colours[leaf], fill_alpha=0.22, line_color=None,
                        legend_label=leaf, level="underlay",
                    )  # fmt: skip

    def _stressed(self, figure: Any) -> None:
        """Hatch the stretch of time whose prices are not those of the data."""
        if self.stress is None or self.stress["form"] != "spliced":
            return
        first, last = (parse_time(self.stress[end]) for end in ("first", "last"))
        assert first is not None
        assert last is not None
        # A run that was stopped may end before it.
        left, right = first / 1e6, min((last + DAY_NS) / 1e6, float(self.times[-1]))
        if left < right:
            figure.vstrip(
                x0=[left], x1=[right], fill_color=None, hatch_pattern="right_diagonal_line", hatch_color=RED,
                hatch_alpha=0.35, hatch_weight=1, line_color=RED, line_alpha=0.6, line_width=1, level="underlay",
                legend_label=f"not history: stress {self.stress['name']}",
            )  # fmt: skip

    def _stretches(self, region: RegionShape) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """Return from when to when, in ms, a region was in a state, and in which one; −1 is none."""
        times, register = self.trace.register(region.column)
        starts, held = runs(register + 1, BANDS)
        left = times[starts] / 1e6
        return left, np.append(left[1:], self.times[-1]), held - 1

    def _trades(self, figure: Any, instrument: str, price: Array) -> None:
        """Mark each event with orders by the net quantity that it bought or sold, over all legs of the
        instrument.
        """
        net: dict[int, float] = {}
        weight: dict[int, float] = {}
        for fill in self.trace.fills:
            if fill.instrument == instrument:
                change = fill.quantity if fill.side == "buy" else -fill.quantity
                net[fill.index] = net.get(fill.index, 0.0) + change
                weight[fill.index] = weight.get(fill.index, 0.0) + fill.notional
        drawn = 0
        for name, marker, colour, sign in (
            ("net buy", "triangle", GREEN, 1),
            ("net sell", "inverted_triangle", RED, -1),
        ):
            lines = np.array([line for line, change in net.items() if change * sign > 0], dtype=np.int64)
            if not lines.size:
                continue
            weights = np.array([weight[line] for line in lines.tolist()])
            lines = lines[largest_by_bucket(lines, weights, len(self.trace), MARKS)]
            drawn += len(lines)
            figure.scatter(
                self.times[lines], price[lines], marker=marker, size=6, fill_color=colour, fill_alpha=0.75,
                line_color="white", line_width=0.4, legend_label=name,
            )  # fmt: skip
        if drawn < sum(1 for change in net.values() if change):
            self.said.append(
                f"The price of {instrument} carries {drawn:,} of its {len(net):,} trading events, the "
                "largest of each stretch. Every order is in trades.csv."
            )

    def _legend(self, figure: Any) -> None:
        if not figure.legend:
            return
        legend = figure.legend[0]
        legend.orientation = "horizontal"
        legend.location = "top_left"
        legend.click_policy = "hide"
        legend.background_fill_alpha = 0.8
        legend.border_line_color = None
        legend.label_text_font_size = "12px"
        legend.label_text_color = INK
        legend.label_text_font = FONT
        legend.padding = 3
        legend.margin = 2
        legend.spacing = 14
        legend.glyph_height = 14
        legend.glyph_width = 16
        figure.add_layout(legend, "above")


def _row(region: RegionShape, leaf: str) -> tuple[str, str]:
    """Return what a state of a region stands beside: the region, and its own name in it."""
    return region.root or "machine", leaf.removeprefix(f"{region.root}.")


def _spans_decades(values: Array) -> bool:
    low, high = float(values.min()), float(values.max())
    return low > 0 and high / low > 20
