"""Bound functions at run time: found once, called at most once an event, their results kept for who evaluates again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .evaluate import Failure
from .ir import Call, Program, Value
from .registry import Registry, Result, checked_results

__all__ = ["Functions", "Results"]

Results = dict[int, tuple[Mapping[str, object], Mapping[str, Value] | Failure]]
"""Within one event, by the identity of the call: the plain arguments it was given, and what came back."""


class Functions:
    """The functions that a program calls."""

    def __init__(self, program: Program, registry: Registry) -> None:
        names = dict.fromkeys(call.function for call in program.calls)
        self._functions: dict[str, tuple[Callable[..., Any], tuple[Result, ...]]] = {
            name: (registry[name].function(), registry[name].signature().results) for name in names
        }

    def call(self, instruction: Call, arguments: Mapping[str, object], results: Results) -> Mapping[str, Value]:
        """Return the results of a call by field, from `results` where it was made in this event already.

        Raises:
            Failure: the function raised, returned what a spec cannot hold, or is wanted twice in one event with other
                arguments: a result is one named value (DESIGN rule 17).
        """
        # A window does not change within an event, and comparing arrays would cost more than the call.
        plain = {name: value for name, value in arguments.items() if isinstance(value, (bool, int, float, str))}
        name = instruction.function
        if id(instruction) not in results:
            function, fields = self._functions[name]
            outcome: Mapping[str, Value] | Failure
            try:
                outcome = checked_results(name, fields, function(**arguments))
            except Exception as error:  # noqa: BLE001  # a model is other people's code: whatever it raises is the finding
                outcome = Failure(f"`{name}`: {error}")
            results[id(instruction)] = plain, outcome
        given, outcome = results[id(instruction)]
        if given != plain:
            raise Failure(f"`{name}` is called twice in one event, with other arguments")
        if isinstance(outcome, Failure):
            raise outcome
        return outcome
