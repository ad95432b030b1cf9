"""Which events of a spec are sent from outside, and which of them a stream is made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..dryrun.problem import RunError
from ..ir import Block, Event, Program, Raise

__all__ = ["Outside", "outside_events"]


@dataclass(frozen=True)
class Outside:
    """`streamed` are the events with fields (or, where none has any, all): streams are made of them. `others`, which
    people bring or which have no fields, are sent between. `left_out` are not sent, since the spec raises them
    itself. `start` is the only event that starts the machine, if there is one.
    """

    streamed: tuple[Event, ...]
    others: tuple[Event, ...]
    left_out: tuple[str, ...]
    start: Event | None

    @property
    def sent(self) -> tuple[Event, ...]:
        return (*self.streamed, *self.others)


def outside_events(program: Program, asked: Collection[str] = ()) -> Outside:
    """Return the events to send: those asked for, or else the start event and all that no action of the spec raises.

    Raises:
        RunError: (HR807) an event that the spec does not declare, or no event at all.
    """
    known = [event.name for event in program.events]
    for name in asked:
        if name not in known:
            help = "the events are " + (", ".join(f"`{each}`" for each in known) or "none")
            raise RunError("HR807", f"there is no event `{name[:64]}`", "--send", help)
    raised = _raised(program)
    wanted = [name for name in known if name in asked] if asked else [name for name in known if name not in raised]
    if program.start_event is not None and program.start_event not in wanted:
        wanted.insert(0, program.start_event)
    if not wanted:
        help = "declare one under `events:`, or name one that the spec raises with --send"
        raise RunError("HR807", "the spec has no event that comes from outside", "--send", help)
    events = [program.event(name) for name in wanted]
    streamed = [event for event in events if event.fields and event.person is None] or events
    start = None if program.start_event is None else program.event(program.start_event)
    others = [event for event in events if event not in streamed]
    return Outside(tuple(streamed), tuple(others), tuple(name for name in known if name not in wanted), start)


def _raised(program: Program) -> frozenset[str]:
    blocks: list[Block] = [rule.action for rule in program.rules]
    for state in program.states:
        blocks += [state.entry, state.initially, state.exit]
    raised = {each.event for block in blocks for each in block if isinstance(each, Raise)}
    return frozenset(raised | {timer.event for timer in program.timers})
