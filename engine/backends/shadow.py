"""Machines in the shadow: everything decides, and nothing is sent.

    machine = compiled.machine(shadow=True)        step.orders is ()        step.shadowed has what was ordered

Its class is that of the simulated machine with the orders of its steps kept back: the state is that of a dry run, event
by event, and whoever sends what stands in `Step.orders` sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..step import Step
from .live import Machine

__all__ = ["shadowing"]


def shadowing(machine: type[Machine]) -> type[Machine]:
    """Return the class of the machines that do what those of a class do, and send nothing."""
    methods = machine._source.methods
    names = (*methods.values(), "advance", "refuse")
    kept = {name: _keeping_back(getattr(machine, name)) for name in names}
    made: type[Machine] = type("Shadow", (machine,), {"__slots__": (), **kept})
    made._ports = {event: getattr(made, method) for event, method in methods.items()}
    # By name an event takes the slow way, which tells a wrong call from a failing method without looking at frames.
    made._by_name = {}
    return made


def _keeping_back(method: Callable[..., Step]) -> Callable[..., Step]:
    @wraps(method)
    def keep_back(*values: Any, **fields: Any) -> Step:
        step = method(*values, **fields)
        return step._replace(orders=(), shadowed=step.orders) if step.orders else step

    return keep_back
