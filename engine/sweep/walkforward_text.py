"""A walk-forward as text for a terminal: a table of the folds, one of the kinds of days, and what to make of it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

from ..dryrun.narrative import money, number, percent
from ..dryrun.times import iso
from .judgement import Cell, WalkForward

__all__ = ["WIDTH", "Row", "conclusions", "fold_rows", "kind_rows", "told"]

Row = tuple[str, ...]
Named = Callable[[int, Mapping[str, float]], str]
WORDS = {True: "yes", False: "no", None: "too short"}
WIDTH = 100
"""Columns that no line is longer than."""
LEAST_TEXT = 20
"""Columns that the text of a last column has at least, before it is set in a part of its own."""
GAP = 2


def numbers_only(_: int, parameters: Mapping[str, float]) -> str:
    """Name a set by its parameters where nothing but their numbers is known."""
    return " ".join(f"{name}={number(value)}" for name, value in parameters.items())


def told(found: WalkForward, unit: str = "", named: Named = numbers_only) -> str:
    """Return the whole of it in lines of at most `WIDTH` columns.

    Args:
        found: the walk-forward.
        unit: that of the money.
        named: what a set is called, from its number and its parameters.
    """
    parts = [_aligned(fold_rows(found, named), (1, 13), 10), _aligned(kind_rows(found), (0,), 6)]
    parts += [textwrap.fill(text, WIDTH, break_on_hyphens=False) for text in conclusions(found, unit, named)]
    return "\n\n".join(part for part in parts if part)


def fold_rows(found: WalkForward, named: Named = numbers_only) -> list[Row]:
    """Return the table of the outer folds: its head, a row a fold, and one for all of them."""
    rows: list[Row] = [
        (
            "fold", "judged from", "days", "inner", "rule", "outer", "P&L", "interval", "−fees", "differs", "near",
            "worst near", "hindsight", "chosen",
        )
    ]  # fmt: skip
    for place, fold in enumerate(found.folds, start=1):
        near, cell = fold.nearby, fold.outer
        rows.append(
            (
                str(place),
                iso(fold.test.first_ns),
                str(fold.test.days),
                _score(fold.inner_score),
                "–" if fold.rule_score is None else _score(fold.rule_score),
                _score(fold.outer_score),
                money(cell.total),
                _interval(cell),
                money(cell.no_edge),
                WORDS[cell.distinguishable],
                "–" if near is None else money(near.outer_median),
                "–" if near is None else money(near.outer_worst),
                money(fold.hindsight_profit),
                named(fold.chosen, fold.parameters),
            )
        )
    outer = found.outer
    rows.append(
        (
            "all", "", str(outer.days), "", "", "", money(outer.total), _interval(outer), money(outer.no_edge),
            WORDS[outer.distinguishable], "", "", money(found.hindsight_profit), "",
        )
    )  # fmt: skip
    return rows


def kind_rows(found: WalkForward) -> list[Row]:
    """Return the table of the kinds of days, its head first; nothing where there are none."""
    if not found.kinds:
        return []
    folds = (f"fold {place}" for place in range(1, len(found.folds) + 1))
    rows: list[Row] = [("kind of day", "days", "P&L", "interval", "−fees", "differs", *folds)]
    rows += [
        (
            name, str(cell.days), money(cell.total), _interval(cell), money(cell.no_edge), WORDS[cell.distinguishable],
            *(money(fold.kinds[name].total) for fold in found.folds),
        )
        for name, cell in found.kinds.items()
    ]  # fmt: skip
    return rows


def conclusions(found: WalkForward, unit: str = "", named: Named = numbers_only) -> list[str]:
    """Return what to make of it: the raw best, what luck finds, overfitting, the judged days, the verdict."""
    luck, outer = found.luck, found.outer
    best = (
        f"Best of {found.sets:,} sets over all days, chosen with hindsight: set {luck.best} "
        f"({named(luck.best, luck.parameters)}), {money(luck.profit, unit)}, Sharpe ratio {number(luck.sharpe)} a day, "
        f"{number(luck.annual)} a year."
    )
    deflated = (
        f"By luck alone the best of {luck.trials:,} sets without an edge would be expected at {number(luck.expected[1])} "
        f"a day, of the {number(luck.effective)} that they amount to (mean correlation) at {number(luck.expected[0])}. "
        f"Probability that its true ratio is above that: {percent(luck.deflated[1])} and {percent(luck.deflated[0])} "
        f"(deflated Sharpe ratio); above 0, had nothing else been tried: {percent(luck.single)}."
    )
    chosen = (
        f"Probability of backtest overfitting: {percent(luck.overfitting)}. So often the set that was best in half of the "
        f"days was below the median in the other half; {percent(luck.overfitting_loss)} of these choices lost money there "
        f"({luck.blocks} blocks of days)."
    )
    share = f" ({percent(outer.total / found.capital)} of capital)" if found.capital > 0 else ""
    judged = (
        f"Judged on days on which nothing was chosen: {money(outer.total, unit)}{share}, {_range(outer)}"
        f"without an edge {money(outer.no_edge, unit)}; one set for all folds would have earned "
        f"{money(found.median_profit, unit)} at the median and {money(found.hindsight_profit, unit)} at best, "
        "known afterwards."
    )
    verdict = f"Distinguishable from −fees: {WORDS[outer.distinguishable]}."
    if outer.distinguishable:
        verdict += " Better than costs alone." if outer.total > outer.no_edge else " Worse than costs alone."
    still = f"{found.still:,} sets have the same P&L every day, and count as no trial." if found.still else ""
    return [text for text in (best, deflated, chosen, judged, verdict, still) if text]


def _score(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _interval(cell: Cell) -> str:
    return "too short" if cell.interval is None else f"{money(cell.interval.low)} to {money(cell.interval.high)}"


def _range(cell: Cell) -> str:
    if cell.interval is None:
        return "too few days for an interval; "
    return f"{cell.interval.confidence * 100:g} % interval {_interval(cell)}; "


def _aligned(rows: Sequence[Row], left: tuple[int, ...], second: int) -> str:
    """Return columns, right-aligned but for those in `left`, under a ruled head.

    Where they do not fit side by side, those from `second` on follow in a part of their own, or in several, each with the
    first column before them. A last column of text is broken into lines where it is too wide.
    """
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    apart = sum(widths) + GAP * (len(widths) - 1) > WIDTH
    parts: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        # A text can do with less than its longest line.
        needed = min(widths[column], LEAST_TEXT) if column in left else widths[column]
        used = sum(widths[each] + GAP for each in parts[-1])
        if (apart and column == second) or (used + needed > WIDTH and len(parts[-1]) > 1):
            parts.append([0])
        parts[-1].append(column)
    return "\n\n".join(_part(rows, columns, left) for columns in parts)


def _part(rows: Sequence[Row], columns: Sequence[int], left: tuple[int, ...]) -> str:
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    last = columns[-1]
    room = WIDTH - sum(widths[column] + GAP for column in columns[:-1])
    if last in left and last:
        widths[last] = min(widths[last], room)
    lines = []
    for row in rows:
        wrapped = (
            textwrap.wrap(row[last], widths[last], break_on_hyphens=False) if last in left and last else [row[last]]
        )
        for place, text in enumerate(wrapped or [""]):
            cells = [row[column] if place == 0 else "" for column in columns[:-1]] + [text]
            shown = (
                cell.ljust(widths[column]) if column in left else cell.rjust(widths[column])
                for column, cell in zip(columns, cells, strict=True)
            )
            lines.append((" " * GAP).join(shown).rstrip())
    return "\n".join((lines[0], "─" * max(map(len, lines)), *lines[1:]))
