"""The stop lane as a host sees it: what a person has said to all machines, ahead of everything that waits.

A host looks at the lane at the start of every macrostep and before orders are released, never between microsteps, which
could not be replayed. What it finds is journalled before it has any effect, and so is part of what a replay repeats:

    halt      nothing is released: orders that are decided are held. Events from outside are refused, but for what
              became of orders that were sent, so that the books stay those of the venue. It stays until `release`
    release   held orders may go, and events are taken again
    flatten   each machine takes the event that the act names, or else the one that its host has for this, with the
              machine's own clock, halted or not; what it orders is held like any order while halted
    override  each machine that declares it takes the act's event, with its fields
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Act", "Lane"]


class Act(Protocol):
    """What a person has said: `halt`, `release`, `flatten` or `override`, `by` whom and for which `reason`.

    An act with an id is put into effect once, however often it is pending; one without is a halt that an engine makes for
    itself where it can no longer read its lane.
    """

    @property
    def number(self) -> int: ...
    @property
    def act(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def time_ns(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


class Lane(Protocol):
    """Where acts come from; any thread may ask."""

    def pending(self) -> Act | None:
        """Return the first act that was not taken; cheap where there is none, because it is asked before every event."""
        ...

    def taken(self, act: Any) -> None:
        """Learn that the act which is pending is journalled, durable, and in effect."""
        ...
