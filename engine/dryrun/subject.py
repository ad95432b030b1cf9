"""What a run is of: the parts of a compiled spec that the trace, the summary and the page read.

A slim value, so that these stages work on any machine that keeps the same columns, and need nothing else of
the engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from ..evaluate import FLOAT, Environment, evaluate
from ..ir import Assign, Call, Expr, FillMode, Let, Part, Program, Region, Value
from ..load import Compiled, ParameterError, Spec
from ..statechart import ROOT, Tree
from .problem import RunError

__all__ = ["LegShape", "RegionShape", "Subject", "capital_of", "capital_reads", "compiled_for", "subject_of"]


@dataclass(frozen=True)
class LegShape:
    """A leg; `sign` is −1 for a short one, whose quantity is counted positive, and else 1."""

    name: str
    instrument: str
    sign: Literal[1, -1]


@dataclass(frozen=True)
class RegionShape:
    """A region's register: `column` of the trace holds an index into `leaves`, or −1 while none of them is active.

    `root` is the state whose inside the region is; None is the whole chart.
    """

    column: str
    leaves: tuple[str, ...]
    root: str | None = None


@dataclass(frozen=True)
class Subject:
    """One compiled spec, with the parameters of the run put in.

    `limits` are money; `measures` are running totals that the spec's `report` declares, mapped to whether
    they are money (those split the P&L) or anything else (those are only shown).
    """

    name: str
    about: str
    digest: str
    columns: tuple[str, ...]
    fill: FillMode
    money: str = ""
    capital: float = 0.0
    parameters: dict[str, float | int | bool] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()
    legs: tuple[LegShape, ...] = ()
    regions: tuple[RegionShape, ...] = ()
    states: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    enters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The states that a rule enters whenever it fires, where no history decides which."""
    timers: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    """The checks of gates, each with its gate."""
    measures: dict[str, bool] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    modelled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Instruments whose mark a bound function computes, with the functions; nobody need have traded at such a mark."""
    cells: dict[str, str] = field(default_factory=dict)
    """The state that a spec without legs declares, with units: all that there is to draw of it."""


def compiled_for(spec: Spec, parameters: Mapping[str, str | float | int | bool], fill: FillMode) -> Compiled:
    """Return a spec with the parameters of a run, as `Spec.bind` takes them.

    Raises:
        RunError: HR807, a parameter that the spec does not have, or a value that does not fit.
    """
    try:
        return spec.bind(parameters, fill=fill)
    except ParameterError as error:
        known = ", ".join(f"`{each.name}`" for each in spec.program().parameters) or "none"
        raise RunError("HR807", str(error), "--set", f"the params are {known}") from None


def subject_of(compiled: Compiled) -> Subject:
    """Return what the stages after the machine read of a compiled spec."""
    program = compiled.program
    environment = Environment(compiled.parameters, FLOAT)

    def constant(expr: Expr) -> float:
        return float(evaluate(expr, environment))

    cells = {} if program.legs else {cell.name: cell.unit for cell in program.cells if cell.kind == "state"}
    return Subject(
        name=program.name,
        about=program.about,
        digest=compiled.digest,
        columns=compiled.columns,
        fill=program.fill,
        money=program.money,
        capital=capital_of(program, compiled.parameters),
        parameters={name: _plain(value) for name, value in compiled.parameters.items()},
        instruments=tuple(instrument.name for instrument in program.instruments),
        legs=tuple(LegShape(leg.name, leg.instrument, -1 if leg.side == "short" else 1) for leg in program.legs),
        regions=_regions(program.regions, compiled.columns),
        states=tuple(state.name for state in program.states if state.kind in ("atomic", "final")),
        rules=tuple(rule.name for rule in program.rules),
        enters=_enters(program),
        timers=tuple(timer.name for timer in program.timers),
        invariants=tuple(name for name, _ in program.invariants),
        checks=program.check_names,
        measures={name: name.rpartition(".")[2] == "harvest" for name, _ in program.report.measures},
        modelled=_modelled(program),
        cells=cells,
        limits={name: constant(limit) for name, limit in program.report.limits},
    )


def capital_of(program: Program, parameters: Mapping[str, Value]) -> float:
    """Return what a program with these parameters starts with, over all its parts, in money; 0 without a ledger."""
    environment = Environment(parameters, FLOAT)
    return math.fsum(float(evaluate(value, environment)) for part in program.parts for value in _capital(part))


def capital_reads(program: Program) -> frozenset[str]:
    """Return the params that `capital_of` reads."""
    nodes = (node for part in program.parts for value in _capital(part) for node in value.walk())
    return frozenset(node.name for node in nodes if node.op == "param")


def _capital(part: Part) -> Iterator[Expr]:
    """Yield what a part with a ledger starts with."""
    # INVARIANT: the block that opens the books begins with the capital (ledger.endowment).
    opening = next((step for step in part.endow if isinstance(step, Assign)), None)
    cash = f"{part.name}.cash" if part.name else "cash"
    return (value for cell, value in opening.targets if cell == cash) if opening else iter(())


def _regions(regions: Sequence[Region], columns: Sequence[str]) -> tuple[RegionShape, ...]:
    """Return the regions that have a register among the columns.

    It is `state ROOT`, but for the first region with a choice of leaves (or the only one), whose register is `state`.
    """
    first = next((region for region in regions if len(region.leaves) > 1), regions[0])
    named = ((region, "state" if region is first else f"state {region.root}") for region in regions)
    return tuple(RegionShape(column, region.leaves, region.root) for region, column in named if column in columns)


def _enters(program: Program) -> dict[str, tuple[str, ...]]:
    tree = Tree(program.states)
    found: dict[str, tuple[str, ...]] = {}
    for rule in program.rules:
        domain = tree.domain(rule, {})
        entry = tree.entry_set(rule.targets, ROOT if domain is None else domain, {})
        if not entry.history:
            found[rule.name] = tuple(entry.states)
    return found


def _modelled(program: Program) -> dict[str, tuple[str, ...]]:
    """Return the functions whose results each mark reads, directly or through other values."""
    behind: dict[tuple[str, str], frozenset[str]] = {}

    def functions(expr: Expr) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for node in expr.walk():
            found |= behind.get((node.op, node.name), frozenset())
        return found

    for event in program.events:
        for step in chain(event.marks, *event.observe):
            if isinstance(step, Call):
                behind.update({("cell", cell): frozenset((step.function,)) for _, cell in step.into})
            elif isinstance(step, Let):
                behind["temp", step.temp] = functions(step.value)
            elif isinstance(step, Assign):
                behind.update({("cell", cell): functions(value) for cell, value in step.targets})
    marks = {instrument.name: behind.get(("cell", instrument.price), frozenset()) for instrument in program.instruments}
    return {name: tuple(sorted(found)) for name, found in marks.items() if found}


def _plain(value: Value) -> float | int | bool:
    return value if isinstance(value, int) else float(value)
