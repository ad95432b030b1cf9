"""The walk-forward of a sweep as a section of its report: the outer folds, the kinds of days, and what luck finds."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from ..dryrun.narrative import money
from ..dryrun.tables import rich, table
from .judgement import Cell
from .walkforward_table import Judged
from .walkforward_text import Row

__all__ = ["walk_forward_section"]

HEADINGS = ("The raw best", "Deflated by luck", "Overfitting", "Judged", "The verdict", "Sets that never move")
WIDE, LEFT, RIGHT, LINE = 1040, 150, 24, 26
"""The picture in pixels: its width, the room for names and for the margin, and the height of a row."""
CHOSEN, JUDGED = (0, 1, 13, 3, 4, 5), (0, 1, 2, 6, 7, 8, 9, 10, 11, 12)
"""The columns of `fold_rows` in the two tables that the page has room for."""
MEANING = (
    "Sets are chosen on earlier days, by the mean score over the inner folds, and judged once on the days after. inner: the "
    "chosen set's score there, flattered by the choice. rule: the same choosing where it had not looked. outer: its score "
    "on the judged days. near, worst near: median and worst P&L of its neighbours there. hindsight: the most that any one "
    "set earned. −fees: what the same trades earn without an edge."
)


def walk_forward_section(judged: Judged) -> str:
    """Return the section, escaped."""
    found = judged.found
    folds, kinds = judged.rows()
    texts = judged.conclusions()
    # The last two of six texts are there only where there is something to say.
    panels = "".join(
        f'<section class="panel{" warn" if heading == "The verdict" and not found.distinguishable else ""}">'
        f"<h3>{html.escape(heading)}</h3><p>{rich(text)}</p></section>"
        for heading, text in zip(HEADINGS, texts, strict=False)
    )
    settings, note = found.settings, judged.note[:1].upper() + judged.note[1:]
    cut = (
        f"{settings['outer']} outer and {settings['inner']} inner folds, a horizon of {settings['horizon']} and an "
        f"embargo of {settings['embargo']} days; chosen by {settings['objective']}. {note}."
    )
    return f"""<h2>Walk-forward: chosen on earlier days, judged on later ones</h2>
{_picture(judged)}
<div class="wide across">{_table("Outer folds: chosen on the days before", [_part(row, CHOSEN) for row in folds[:-1]])}</div>
<div class="wide across">{_table("Outer folds: judged", [_part(row, JUDGED) for row in folds], total=True)}</div>
<p class="small">{rich(MEANING)}</p>
{f'<div class="wide across">{_table("Judged days by kind", kinds)}</div>' if kinds else ""}
<div class="told">{panels}</div>
<p class="small">{rich(cut)}</p>"""


def _table(title: str, rows: Sequence[Row], *, total: bool = False) -> str:
    return table(title, rows[0], rows[1:], total=total)


def _part(row: Row, columns: Sequence[int]) -> Row:
    return tuple(row[column] for column in columns)


def _picture(judged: Judged) -> str:
    """Return the P&L of each fold with its interval, beside −fees and what hindsight would have chosen, as SVG."""
    found = judged.found
    lines: list[tuple[str, Cell, float]] = [
        (f"fold {place}", fold.outer, fold.hindsight_profit) for place, fold in enumerate(found.folds, start=1)
    ]
    lines.append(("all folds", found.outer, found.hindsight_profit))
    values = [0.0]
    for _, cell, hindsight in lines:
        values += [cell.total, cell.no_edge, hindsight]
        values += [] if cell.interval is None else [cell.interval.low, cell.interval.high]
    low, high = min(values), max(values)
    scale = (WIDE - LEFT - RIGHT) / ((high - low) or 1.0)

    def at(value: float) -> str:
        return f"{LEFT + (value - low) * scale:.1f}"

    bottom = 30 + LINE * len(lines)
    drawn = [
        f'<line x1="{at(tick)}" y1="26" x2="{at(tick)}" y2="{bottom}" stroke="{"#52606d" if tick == 0 else "#e4e7eb"}"/>'
        f'<text x="{at(tick)}" y="{bottom + 16}" text-anchor="middle" fill="#52606d">{html.escape(money(tick))}</text>'
        for tick in _ticks(low, high)
    ]
    for row, (name, cell, hindsight) in enumerate(lines):
        y = 42 + LINE * row
        drawn.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end" fill="#1f2933">{html.escape(name)}</text>')
        if cell.interval is not None:
            ends = f'x1="{at(cell.interval.low)}" x2="{at(cell.interval.high)}" y1="{y}" y2="{y}"'
            drawn.append(f'<line {ends} stroke="#0072b2" stroke-width="2.5"/>')
        drawn += [_costs(at(cell.no_edge), y), _hindsight(at(hindsight), y), _profit(at(cell.total), y)]
    unit = html.escape(judged.table.about["money"])
    legend = [
        _profit(f"{LEFT + 6}", 11),
        f'<text x="{LEFT + 18}" y="15">P&amp;L of the chosen set, {unit}, and its interval</text>',
        _costs(f"{LEFT + 370}", 11),
        f'<text x="{LEFT + 380}" y="15">−fees: what no edge earns</text>',
        _hindsight(f"{LEFT + 580}", 11),
        f'<text x="{LEFT + 592}" y="15">the best set, known afterwards</text>',
    ]
    told = "P&amp;L of each outer fold with its interval, −fees and the best in hindsight"
    return (
        f'<div class="panel wide across"><svg role="img" aria-label="{told}" viewBox="0 0 {WIDE} {bottom + 24}" '
        f'style="width:100%;min-width:640px;font-size:13px">{"".join(legend + drawn)}</svg></div>'
    )


def _profit(x: str, y: int) -> str:
    return f'<circle cx="{x}" cy="{y}" r="5" fill="#0072b2"/>'


def _hindsight(x: str, y: int) -> str:
    return f'<circle cx="{x}" cy="{y}" r="4.5" fill="#fff" stroke="#52606d" stroke-width="1.5"/>'


def _costs(x: str, y: int) -> str:
    return f'<line x1="{x}" x2="{x}" y1="{y - 8}" y2="{y + 8}" stroke="#d55e00" stroke-width="3"/>'


def _ticks(low: float, high: float) -> list[float]:
    """Return some round values from `low` to `high`."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / 7
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough)
    return [step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
