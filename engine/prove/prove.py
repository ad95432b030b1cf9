"""Proving a spec: facts by induction, each property on every outcome, and for what fails the events that break it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ..ir import FillMode
from ..load import ParameterError, Spec, parameter_value
from ..printer import digest, expression_text
from .clocks import with_clocks
from .cone import Cone, cones
from .induction import Induction
from .proving import Proving, obligation
from .result import Obligation, Proof, Result, Verdict
from .sieve import Sieve
from .solvers import Solvers, solver_version
from .walked import Walks
from .words import assumed, unproved

__all__ = ["prove"]

_OWN = ("invariant", "helper", "ends")
"""What a spec claims itself stands first."""
_WORST: Sequence[Verdict] = ("refuted", "not decided", "noted", "proved")
SECONDS = 5.0
"""How long a question may take, and how long a counterexample is looked for."""


def prove(
    spec: Spec,
    *,
    fill: FillMode = "same",
    parameters: Mapping[str, str | float | int | bool] | None = None,
    seconds: float = SECONDS,
    workers: int | None = None,
    only: Collection[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Proof:
    """Return which properties of a spec hold for every sequence of events and every parameter in its range.

    Args:
        spec: what is proved about.
        fill: as in `Spec.compile`.
        parameters: parameters that are fixed; others may be anything in their ranges.
        seconds: limit of one question to the solver, and of the search for one counterexample.
        workers: processes that ask; one a processor where it is left out.
        only: names of properties; all where it is empty.
        progress: is told what happens.

    Raises:
        ParameterError: a parameter that is unknown or does not fit, or fills from outside.
        SolverError: the solver is not installed.
    """
    began = time.perf_counter()
    solver = solver_version()
    if fill == "external":
        raise ParameterError("a proof simulates fills: `fill` is `same` or `next`")
    program = with_clocks(spec.program(fill))
    spec.bind(parameters or {}, fill=fill)
    known = {each.name: each for each in program.parameters}
    fixed = {name: parameter_value(known[name], value) for name, value in (parameters or {}).items()}
    walks = Walks(spec, fill, fixed)
    sieve = Sieve(spec, fill, walks.settings)
    found: list[Result] = []
    inductions: list[Induction] = []
    outcomes = 0
    with Solvers(workers) as solvers:
        for cone in cones(program):
            proving = Proving(spec, cone.program, fixed, solvers, seconds, walks, sieve, progress)
            found += (each for each in proving.results(only) if _is_about(each, cone))
            inductions += proving.inductions
            outcomes += len(proving.inductions[-1].outcomes) if proving.inductions else 0
        asked = solvers.asked
    return Proof(
        program.name,
        digest(spec.program(fill)),
        spec.source_sha256,
        fill,
        _engine(),
        solver,
        time.perf_counter() - began,
        outcomes,
        asked,
        _combined(found),
        _fact_texts(inductions),
        assumed(program, fixed),
        unproved(program),
        _grounds(inductions),
        solvers.scripts,
    )


def _is_about(result: Result, cone: Cone) -> bool:
    """Return whether a property is one of the states and transitions of a group of regions."""
    if result.kind == "dead":
        return result.name in cone.rules
    return result.kind != "reached" or result.name in cone.states


def _combined(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return one result a property: what is claimed of every group of regions holds where it holds of each."""
    found: dict[tuple[str, str], Result] = {}
    for each in results:
        key = each.kind, each.name
        first = found.get(key)
        if first is None:
            found[key] = each
            continue
        worse = min(first, each, key=lambda one: _WORST.index(one.verdict))
        found[key] = replace(worse, obligations=first.obligations + each.obligations)
    return tuple(sorted(found.values(), key=lambda each: each.kind not in _OWN))


def _engine() -> str:
    from hedgerow import __version__

    return __version__


def _grounds(inductions: Iterable[Induction]) -> tuple[Obligation, ...]:
    """Return what all results rest on: that the facts hold, and that ways which were not followed are none."""
    found = [obligation(judged) for induction in inductions for judged in induction.grounds]
    for induction in inductions:
        for question, answer in induction.impossible.values():
            found.append(
                Obligation("a way that is none", question.sha256, answer.verdict, answer.solver, answer.seconds)
            )
    return tuple(found)


def _fact_texts(inductions: Sequence[Induction]) -> tuple[str, ...]:
    found = (fact for induction in inductions for fact in induction.facts if fact.origin == "guess")
    return tuple(dict.fromkeys(expression_text(fact.claim) for fact in found))
