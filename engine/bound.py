"""Bound functions at run time: found once, their results kept for who evaluates again.

A call has one result a macrostep, a check of a gate one for all that it is asked with the same arguments. What came back,
what failed and what came too late is kept in `Results`; whoever runs the event again with those asks no function and no
clock again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import isolation
from .evaluate import Failure
from .ir import BoundCheck, Call, Program, Value
from .registry import Binding, Registry, Result, checked_results, checked_words

__all__ = ["Functions", "Results"]

_LONGEST = 1_000
"""Characters of what a function says when it fails."""

Results = dict[tuple[object, ...], tuple[Mapping[str, object], Mapping[str, Any] | Failure]]
"""Within one event: the plain arguments that a function was given, and what came back.

A key is the identity of a call and the number of the macrostep, see `Context.macrostep`, and for a check the arguments.
"""


class Functions:
    """The functions that a program calls."""

    def __init__(self, program: Program, registry: Registry) -> None:
        names = dict.fromkeys(call.function for call in program.calls)
        self._functions: dict[str, tuple[Callable[..., Any], tuple[Result, ...]]] = {
            name: (registry[name].function(), registry[name].signature().results) for name in names
        }
        self._registry = registry

    def call(
        self, instruction: Call, arguments: Mapping[str, object], results: Results, macrostep: int = 0
    ) -> Mapping[str, Value]:
        """Return the results of a call by field, from `results` where it was made in this macrostep already.

        Raises:
            Failure: the function raised, returned what a spec cannot hold, or is wanted twice in one event with other
                arguments: a result is one named value (DESIGN rule 17).
        """
        name, plain, key = instruction.function, _plain(arguments), (id(instruction), macrostep)
        if key not in results:
            function, fields = self._functions[name]
            results[key] = plain, self._outcome(name, lambda: checked_results(name, fields, function(**arguments)))
        given, outcome = results[key]
        if given != plain:
            raise Failure(f"`{name}` is called twice in one event, with other arguments")
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def answer(
        self, question: BoundCheck, arguments: Mapping[str, object], results: Results, macrostep: int = 0
    ) -> Mapping[str, Any]:
        """Return what the function of a check says, by field, from `results` where it was asked this already.

        Other orders are another question: the transitions that are left when one gives way are judged by themselves.

        Raises:
            Failure: it says nothing that counts: it cannot be found, raised, was late, or returned what is no verdict.
        """
        plain = _plain(arguments)
        key = (id(question.call), macrostep, *plain.items())
        if key not in results:
            results[key] = plain, self._outcome(question.call.function, lambda: self._asked(question, arguments))
        _, outcome = results[key]
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def _outcome(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | Failure:
        """Return what a function returns, or how it failed; every result of a function comes through here."""
        try:
            return ask()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # other people's code: what it raises is the finding
            return Failure(f"`{name}`: {_said(error)}")

    def _asked(self, question: BoundCheck, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        """Ask the function of a check.

        Raises:
            Exception: it says nothing that counts.
        """
        name = question.call.function
        for argument, value in arguments.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise Failure(f"its argument `{argument}` would be {value}")
        if name not in self._registry:
            raise Failure("there is no such function")
        binding = self._registry[name]
        signature = binding.signature()
        returned = _returned(question, binding, signature.fields, arguments)
        figures = checked_results(name, signature.results, returned)
        # A plain result is the verdict itself.
        said = {each or "ok": value for each, value in figures.items()} | checked_words(name, signature.words, returned)
        limit = signature.limit_given(arguments)
        return said if limit is None else {**said, "limit": limit}


def _said(error: BaseException) -> str:
    """Return what an error says, as much of it as is journalled: that too is other people's code."""
    try:
        return str(error)[:_LONGEST]
    except Exception:  # noqa: BLE001  # as above
        return f"{type(error).__name__}, which cannot be shown"


def _returned(
    question: BoundCheck, binding: Binding, fields: tuple[str, ...], arguments: Mapping[str, object]
) -> object:
    """Return what a function returns in time.

    Raises:
        Exception: it returns nothing, or too late.
    """
    if question.isolate:
        assert question.deadline_ns is not None
        return isolation.ask(binding.target, fields, arguments, question.deadline_ns)
    function = binding.function()
    began = time.monotonic_ns()
    returned = function(**arguments)
    took = time.monotonic_ns() - began
    if question.deadline_ns is not None and took > question.deadline_ns:
        raise Failure(f"it answered after {took / 1e6:g} ms, its deadline is {question.deadline_ns / 1e6:g} ms")
    return returned


def _plain(arguments: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments that a result depends on within one macrostep.

    A window does not change within it, and comparing arrays would cost more than the call.
    """
    return {name: value for name, value in arguments.items() if isinstance(value, (bool, int, float, str))}
