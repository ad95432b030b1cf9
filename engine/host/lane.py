"""The stop lane as a host sees it: what a person has said to all machines, ahead of everything that waits.

A host looks at the lane at the start of every macrostep and before orders are released, never between microsteps, which
could not be replayed. What it finds is journalled before it has any effect, and so is part of what a replay repeats:

    halt      nothing is released: orders that are decided are held. Events from outside are refused, but for what
              became of orders that were sent, so that the books stay those of the venue. It stays until `release`
    release   held orders may go, and events are taken again
    flatten   each machine takes the event that its host names for this, with the machine's own clock, halted or not;
              what it orders is held like any order while halted
    override  each machine that declares it takes this event, with these fields
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from ..ir import Value

__all__ = ["Act", "Lane"]


class Act(NamedTuple):
    """What a person has said: acts are numbered from 1 in the order in which they were said, `by` whom and for which
    `reason`; `event` and `fields` are those of an override.
    """

    number: int
    act: Literal["halt", "release", "flatten", "override"]
    by: str
    reason: str
    time_ns: int
    event: str = ""
    fields: Mapping[str, Value] = {}


class Lane(Protocol):
    """Where acts come from."""

    def pending(self) -> Act | None:
        """Return the first act that was not taken; cheap where there is none, because it is asked before every event."""
        ...

    def taken(self, act: Act) -> None:
        """Learn that an act is journalled, durable, and in effect."""
        ...
