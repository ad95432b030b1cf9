"""Parameter sets: the defaults first, then draws of defaults, edges of ranges and values between, by a seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..ir import Parameter, Program, Value

__all__ = ["draw_parameters"]

_STYLES = ("default", "low", "high", "between")
_SHARES = (0.5, 0.1, 0.1, 0.3)
_DECADES = 100.0
"""A range from above 0 of which the ends are further apart than this is drawn from evenly over its decades."""


def draw_parameters(
    program: Program, fixed: Mapping[str, Value], source: np.random.Generator, *, plain: bool
) -> dict[str, Value]:
    """Return a value in range for each parameter that a user may set.

    Args:
        program: declares them.
        fixed: parameters that keep these values.
        source: of the draws.
        plain: draw nothing: the defaults, and what is fixed.
    """
    values: dict[str, Value] = {}
    for parameter in program.parameters:
        if parameter.given is not None:
            continue
        if plain or parameter.name in fixed:
            default = float(parameter.default) if parameter.type == "real" else parameter.default
            values[parameter.name] = fixed.get(parameter.name, default)
        else:
            values[parameter.name] = _draw(parameter, source)
    return values


def _draw(parameter: Parameter, source: np.random.Generator) -> Value:
    if parameter.type == "bool":
        return bool(source.random() < 0.5)
    style = _STYLES[int(source.choice(len(_STYLES), p=_SHARES))]
    default = float(parameter.default)
    low = default - 10 * max(1.0, abs(default)) if parameter.low is None else float(parameter.low)
    high = default + 10 * max(1.0, abs(default)) if parameter.high is None else float(parameter.high)
    if style == "default":
        value = default
    elif style == "between":
        share = source.random()
        value = low * (high / low) ** share if low > 0 and high / low > _DECADES else low + share * (high - low)
        # Few digits, so that a person can read what broke.
        value = min(max(float(f"{value:.3g}"), low), high)
    else:
        value = low if style == "low" else high
    if parameter.type == "real":
        return value
    least = -(2**53) if parameter.low is None else -(-parameter.low // 1)
    most = 2**53 if parameter.high is None else parameter.high // 1
    return int(min(max(round(value), least), most))
