"""Events played from the start: by the reference, which decides, or by a live machine, which is fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..semantics import Reference
from ..snapshot import Snapshot
from ..step import Step
from .sent import Sent

if TYPE_CHECKING:
    from ..load import Compiled

__all__ = ["Holds", "Moment", "Play", "by_machine", "by_reference", "first", "replay"]

Play = Callable[[Sequence[Sent]], Iterator[Any]]
"""Sends events to a new machine, each when its step is asked for; yields `Step`s, or what has their `fired`, `errors`,
`timers` and `rejected`."""
Holds = Callable[[Any], bool]
"""Says whether a step is what a counterexample shows."""


class Moment(NamedTuple):
    """An event, what it did, and the machine after it."""

    sent: Sent
    step: Step
    after: Snapshot


def replay(reference: Reference, events: Sequence[Sent]) -> Iterator[Moment]:
    """Play events from the start by the reference, in its arithmetic."""
    snapshot = reference.initial()
    for sent in events:
        snapshot, step = reference.step(snapshot, sent.event, sent.time_ns, sent.values)
        yield Moment(sent, step, snapshot)


def by_reference(reference: Reference) -> Play:
    """Return what plays events by the reference; a step takes some 0.1 ms."""
    return lambda events: (moment.step for moment in replay(reference, events))


def by_machine(compiled: Compiled) -> Play:
    """Return what plays events by a live machine; a step takes some microseconds."""

    def play(events: Sequence[Sent]) -> Iterator[Step]:
        machine = compiled.machine()
        ports = {event.name: machine.port(event.name) for event in compiled.program.events}
        for sent in events:
            yield ports[sent.event](sent.time_ns, *sent.values)

    return play


def first(events: Sequence[Sent], play: Play, holds: Holds) -> int | None:
    """Return the index of the first event whose step holds, or None."""
    return next((index for index, step in enumerate(play(events)) if holds(step)), None)
