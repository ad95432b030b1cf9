"""A program with what its `decreases` speak of: when the transition that shrinks a measure fired last.

Where the spec asks `since(…)` of it there is a cell for that already. Where it does not, one is added that nothing reads:
it changes what the machine remembers, and nothing that it does.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir import Assign, Cell, Pool, Program

__all__ = ["since_cell", "with_clocks"]


def since_cell(program: Program, rule: str) -> str:
    """Return the name of the cell that holds when a transition fired last, or its source was entered last."""
    prefix, dot, own = rule.rpartition(".")
    named = f"{prefix}{dot}since({own})"
    return named if any(cell.name == named for cell in program.cells) else f"since({rule})"


def with_clocks(program: Program) -> Program:
    """Return a program that keeps for each of its `decreases` when its transition fired last."""
    known = {cell.name for cell in program.cells}
    pool = Pool()
    now = pool.make("now", (), "int")
    for ranking in program.rankings:
        name = since_cell(program, ranking.rule)
        if name in known:
            continue
        known.add(name)
        note = (Assign(((name, now),)),)
        source = next(rule.source for rule in program.rules if rule.name == ranking.rule)
        first, *others = program.parts
        program = replace(
            program,
            cells=(*program.cells, Cell(name, "int", "ns", None, None, 0, "memory")),
            states=tuple(
                replace(state, stamp=state.stamp + note) if state.name == source else state for state in program.states
            ),
            rules=tuple(
                replace(rule, action=rule.action + note) if rule.name == ranking.rule else rule
                for rule in program.rules
            ),
            parts=(replace(first, begin=first.begin + note), *others),
        )
    return program
