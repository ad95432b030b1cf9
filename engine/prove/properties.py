"""What is claimed of a program: its own claims, and those that every spec gets without asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .asked import Asked
from .claimed import Claimed
from .execution import Machine
from .kinds import Property
from .outcome import Outcome

__all__ = ["properties_of", "property_of"]


def properties_of(machine: Machine, outcomes: Sequence[Outcome], texts: Mapping[str, str]) -> tuple[Property, ...]:
    """Return what is claimed, the spec's own claims first.

    Args:
        machine: makes the claims on outcomes: those given, and any other of the same program.
        outcomes: every way that the program can go.
        texts: the claims as they are written, by name.
    """
    return (*Claimed(machine, texts).all(), *Asked(machine, outcomes).all())


def property_of(claimed: Property, machine: Machine, outcomes: Sequence[Outcome]) -> Property:
    """Return what a property of a program claims on the outcomes of another machine of it."""
    if claimed.portable:
        return claimed
    every = properties_of(machine, outcomes, {})
    return next(each for each in every if (each.kind, each.name) == (claimed.kind, claimed.name))
