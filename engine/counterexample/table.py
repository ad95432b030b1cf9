"""What each event of a counterexample did, as a table of text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..ir import Field, Program, Value
from ..script_time import show_time
from .replay import Moment

__all__ = ["table_text"]

_SHOWN = 40
"""Rows that are shown; of a longer list the middle is left out."""


def table_text(program: Program, moments: Sequence[Moment], cells: Sequence[str]) -> str:
    """Return a table with a line an event: its time and values, what fired, the states then, and the cells asked for.

    Args:
        program: gives the fields their names.
        moments: what `replay` yielded.
        cells: names of cells whose value after each event is shown.
    """
    head = ["", "time", "event", "fired", "states", *cells, ""]
    rows = [head, *(_row(program, number, moment, cells) for number, moment in enumerate(moments, start=1))]
    if len(rows) > _SHOWN + 2:
        left = len(rows) - 1 - _SHOWN
        middle = [["", "", f"… {left:,} more …", *[""] * (len(head) - 3)]]
        rows = [*rows[: 1 + _SHOWN // 2], *middle, *rows[-(_SHOWN // 2) :]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(program: Program, number: int, moment: Moment, cells: Sequence[str]) -> list[str]:
    sent, step = moment.sent, moment.step
    fields = program.event(sent.event).fields
    values = (f"{field.name}={_shown(field, value)}" for field, value in zip(fields, sent.values, strict=True))
    told = [*(f"broken: {name}" for name in step.broken), *(f"error: {text}" for text in step.errors)]
    told += [name for name in step.raised if name == "error.divergence"]
    if step.rejected is not None:
        told.append(f"refused: {step.rejected}")
    return [
        str(number),
        show_time(sent.time_ns),
        " ".join((sent.event, *values)),
        ", ".join(step.fired),
        ", ".join(step.configuration),
        *(_number(moment.after.cells[name]) for name in cells),
        "; ".join(told),
    ]


def _shown(field: Field, value: Value) -> str:
    return field.people[int(value)] if field.people and 0 <= value < len(field.people) else _number(value)


def _number(value: Value) -> str:
    """Return a value for reading: ten digits, or an exact fraction of few."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        exact = f"{value.numerator}/{value.denominator}"
        return exact if len(exact) <= 12 else f"{float(value):.10g}"
    return str(value) if isinstance(value, int) else f"{value:.10g}"
