"""One side of a box of params: the values of a grid, counted before they are made, or a range to draw from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..dryrun.problem import RunError
from ..ir import Exact, Parameter
from ..load import ParameterError, parameter_value

__all__ = ["Axis", "Given", "Plain", "Span", "Values", "constant", "plain", "span"]

Plain = float | int | bool
Given = str | Plain
Values = str | Sequence[Given]
"""What a grid is given as: `6:10:1`, `6,8,10`, or values."""


@dataclass(frozen=True)
class Span:
    """A box's side, both ends included: reals, or whole numbers."""

    low: Fraction
    high: Fraction


class Axis:
    """The values of one param on a grid, counted and not yet made."""

    def __init__(self, parameter: Parameter, values: Values) -> None:
        self.parameter = parameter
        self.low: Fraction | None = None
        name = parameter.name
        text = values.strip() if isinstance(values, str) else ""
        if isinstance(values, str) and ":" in text:
            if parameter.type == "bool":
                raise RunError(
                    "HR830", f"`{name}` is true or false and has no steps", "--grid", f"write {name}=true,false"
                )
            self.count = self._stepped(text)
            return
        listed = [part.strip() for part in text.split(",")] if isinstance(values, str) else list(values)
        if not listed or listed == [""]:
            raise RunError("HR830", f"the grid of `{name}` is empty", "--grid", f"write {name}=low:high:step or values")
        if "" in listed:
            raise RunError("HR830", f"a value is missing in `{text[:60]}`", "--grid", "leave out one of the commas")
        self._listed = tuple(exact(parameter, value, "--grid") for value in listed)
        self.count = len(self._listed)
        found = [plain(parameter, value) for value in self._listed]
        for index, value in enumerate(found):
            if value in found[:index]:
                shown = str(listed[index])[:40]
                raise RunError("HR830", f"`{name}` = {shown} is on the grid twice", "--grid", "give each value once")

    def _stepped(self, text: str) -> int:
        name, parts = self.parameter.name, [part.strip() for part in text.split(":")]
        if len(parts) != 3 or "" in parts:
            message = f"`{text[:60]}` is no grid of `{name}`"
            raise RunError(
                "HR830", message, "--grid", f"write {name}=low:high:step, e.g. {name}=6:10:1, or {name}=6,8,10"
            )
        low, high = (Fraction(exact(self.parameter, part, "--grid")) for part in parts[:2])
        free = replace(self.parameter, low=None, high=None)  # a step is a difference, and no value of the param
        step = Fraction(exact(free, parts[2], "--grid"))
        if step == 0:
            raise RunError(
                "HR830", f"the step of `{name}` is 0", "--grid", "write the values one by one, or a step above 0"
            )
        if (high - low) / step < 0:
            message = f"the step of `{name}`, {parts[2][:40]}, leads away from {parts[1][:40]}"
            ends = (parts[0], parts[1]) if low < high else (parts[1], parts[0])
            help = f"write the lower end first and a step above 0: {name}={ends[0]}:{ends[1]}:{parts[2].lstrip('-')}"
            raise RunError("HR830", message, "--grid", help)
        steps = (high - low) / step
        if steps.denominator != 1:
            last = _decimal(low + math.floor(steps) * step)
            message = f"no whole number of steps of {parts[2][:40]} leads from {parts[0]} to {parts[1]}"
            help = f"both ends are values of the grid: end it at {last}, or take another step"
            raise RunError("HR830", message, "--grid", help)
        self.low, self.step = low, step
        return int(steps) + 1

    def values(self) -> tuple[Exact, ...]:
        """Return the exact values.

        Raises:
            RunError: a step so small that two values are one float.
        """
        if self.low is None:
            return self._listed
        found = [self.low + index * self.step for index in range(self.count)]
        if self.parameter.type == "int":
            return tuple(int(value) for value in found)
        if len({float(value) for value in found}) < self.count:
            name = self.parameter.name
            raise RunError("HR830", f"the step of `{name}` is finer than floats are", "--grid", "take a larger step")
        return tuple(found)


def span(parameter: Parameter, text: str | None) -> tuple[Exact, ...] | Span:
    """Return the side of a box: the range that is given, or that the param is declared with."""
    name = parameter.name
    if parameter.type == "bool":
        if text is not None:
            raise RunError("HR830", f"`{name}` is true or false and has no range", "--range", f"write --range {name}")
        return (False, True)
    if text is None:
        if parameter.low is None or parameter.high is None:
            help = f"write --range {name}=low:high"
            raise RunError("HR830", f"`{name}` is not declared with a range of two ends", "--range", help)
        return Span(parameter.low, parameter.high)
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 2 or "" in parts:
        help = f"write {name}=low:high, or {name} alone for the range that it is declared with"
        raise RunError("HR830", f"`{text[:60]}` is no range of `{name}`", "--range", help)
    low, high = (Fraction(exact(parameter, part, "--range")) for part in parts)
    if low >= high:
        help = "write the lower end first" if low > high else f"write --set {name}={parts[0]} for one value"
        raise RunError("HR830", f"the range of `{name}`, {text[:60]}, is empty", "--range", help)
    return Span(low, high)


def exact(parameter: Parameter, value: Given, option: str) -> Exact:
    """Return the exact value of a constant, checked against the declaration of its param."""
    try:
        return parameter_value(parameter, value)
    except ParameterError as error:
        raise RunError("HR807", str(error), option, f"write values that --set {parameter.name}=… would take") from None


def constant(parameter: Parameter, value: Given, option: str) -> Plain:
    """Return a value as a machine takes it; see `exact`."""
    return plain(parameter, exact(parameter, value, option))


def plain(parameter: Parameter, value: Exact) -> Plain:
    """Return an exact value as a machine takes it."""
    return float(value) if parameter.type == "real" or isinstance(value, Fraction) else value


def _decimal(value: Fraction) -> str:
    return f"{float(value):.12g}"
