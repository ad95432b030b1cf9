"""How a parameter set is called: its params as their author writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dryrun.scenario_keys import show_length

__all__ = ["param_text", "set_text"]

SECOND_NS = 10**9
WHOLE = 1e15
"""Whole numbers below it are exact and written without an exponent."""


def param_text(value: float | int | bool, unit: str = "1") -> str:
    """Return the value of a param as `--set` reads it: `true`, `8`, `0.05`, `30d`, `100 USD`.

    Args:
        value: a real is told to six figures, unless it is whole.
        unit: of the param; `1` is a pure number. Whole seconds are told in the largest unit that they fill.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    whole = isinstance(value, int) or (abs(value) < WHOLE and value == int(value))
    text = str(int(value)) if whole else f"{value:.6g}"
    if unit == "1":
        return text
    if unit == "s":
        return show_length(int(value) * SECOND_NS) if whole and value > 0 else f"{text}s"
    return f"{text} {unit}"


def set_text(params: Mapping[str, Any], units: Mapping[str, str] | None = None, *, equals: str = "=") -> str:
    """Return the params of a set, as `k=8, tau_max=30d`.

    Args:
        params: column → value. A column that is called `param.NAME` has the unit of `NAME`.
        units: param → unit; a param that is not there is a pure number.
        equals: what stands between a name and its value.
    """
    known = units or {}
    found = (
        (name, value, known.get(name, known.get(name.removeprefix("param."), "1"))) for name, value in params.items()
    )
    return ", ".join(f"{name}{equals}{param_text(value, unit)}" for name, value, unit in found)
