"""A walk-forward as text for a terminal: a table of the folds, one of the kinds of days, and what to make of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..dryrun.narrative import money, number, percent
from ..dryrun.times import iso
from .judgement import Cell, FoldResult, WalkForward

__all__ = ["told"]

WORDS = {True: "yes", False: "no", None: "too short"}


def told(found: WalkForward, unit: str = "") -> str:
    """Return the whole of it in lines of text; `unit` is that of the money."""
    parts = [_folds(found), _kinds(found), *_conclusions(found, unit)]
    return "\n\n".join(part for part in parts if part)


def _folds(found: WalkForward) -> str:
    head = (
        "fold", "judged from", "days", "inner", "rule", "outer", "P&L", "interval", "−fees", "differs", "near", "worst near",
        "hindsight", "chosen",
    )  # fmt: skip
    rows = [(str(place), *_fold(fold)) for place, fold in enumerate(found.folds, start=1)]
    outer = found.outer
    rows.append(
        (
            "all", "", str(outer.days), "", "", "", money(outer.total), _interval(outer), money(outer.no_edge),
            WORDS[outer.distinguishable], "", "", money(found.hindsight_profit), "",
        )
    )  # fmt: skip
    return _aligned((head, *rows), left=(1, 13))


def _fold(fold: FoldResult) -> tuple[str, ...]:
    near = fold.nearby
    return (
        iso(fold.test.first_ns),
        str(fold.test.days),
        _score(fold.inner_score),
        "–" if fold.rule_score is None else _score(fold.rule_score),
        _score(fold.outer_score),
        money(fold.outer.total),
        _interval(fold.outer),
        money(fold.outer.no_edge),
        WORDS[fold.outer.distinguishable],
        "–" if near is None else money(near.outer_median),
        "–" if near is None else money(near.outer_worst),
        money(fold.hindsight_profit),
        _named(fold.parameters),
    )


def _kinds(found: WalkForward) -> str:
    if not found.kinds:
        return ""
    head = ("kind of day", "days", "P&L", "interval", "−fees", "differs", *_fold_heads(found))
    rows = [
        (
            name, str(cell.days), money(cell.total), _interval(cell), money(cell.no_edge), WORDS[cell.distinguishable],
            *(money(fold.kinds[name].total) for fold in found.folds),
        )
        for name, cell in found.kinds.items()
    ]  # fmt: skip
    return _aligned((head, *rows), left=(0,))


def _fold_heads(found: WalkForward) -> list[str]:
    return [f"fold {place}" for place in range(1, len(found.folds) + 1)]


def _conclusions(found: WalkForward, unit: str) -> list[str]:
    luck, outer = found.luck, found.outer
    best = (
        f"Best of {found.sets:,} sets over all days, chosen with hindsight: set {luck.best} ({_named(luck.parameters)}), "
        f"{money(luck.profit, unit)}, Sharpe ratio {number(luck.sharpe)} a day, {number(luck.annual)} a year."
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
    return [best, deflated, chosen, judged, verdict, still]


def _score(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _interval(cell: Cell) -> str:
    return "too short" if cell.interval is None else f"{money(cell.interval.low)} to {money(cell.interval.high)}"


def _range(cell: Cell) -> str:
    if cell.interval is None:
        return "too few days for an interval; "
    return f"{cell.interval.confidence * 100:g} % interval {_interval(cell)}; "


def _named(parameters: dict[str, float]) -> str:
    return " ".join(f"{name}={number(value)}" for name, value in parameters.items())


def _aligned(rows: Sequence[Sequence[str]], left: tuple[int, ...]) -> str:
    """Return columns, right-aligned but for those in `left`, under a ruled head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.ljust(width) if column in left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join((lines[0], "─" * max(map(len, lines)), *lines[1:]))
