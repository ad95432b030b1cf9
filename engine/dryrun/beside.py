"""Events that come between the rows of data: what a person, or another program, does while prices go on.

They are the items of an event script (docs/scripts.md), in the order of their times; one at the time of a row comes before
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..script_time import show_time
from .problem import RunError

if TYPE_CHECKING:
    from ..script import Script
    from ..script_items import Item

__all__ = ["NEVER_NS", "Beside", "beside"]

NEVER_NS = 2**63
"""After every clock."""


class _Refused(NamedTuple):
    item: Item
    reason: str


@dataclass
class Beside:
    """Events that are still to be sent, and those that the machine refused."""

    items: Sequence[Item]
    digest: str
    sent: int = 0
    refused: list[_Refused] = field(default_factory=list)

    @property
    def next_ns(self) -> int:
        """When the next one is to be sent; `NEVER_NS` where none is left."""
        return self.items[self.sent].time_ns if self.sent < len(self.items) else NEVER_NS

    def until(self, time_ns: int) -> Iterator[Item]:
        """Yield those that come up to a time, and count them as sent."""
        while self.next_ns <= time_ns:
            self.sent += 1
            yield self.items[self.sent - 1]

    def refuse(self, item: Item, reason: str) -> None:
        self.refused.append(_Refused(item, reason))

    def notes(self) -> Iterator[str]:
        """Yield what a report says of them."""
        if self.items:
            yield f"{self.sent:,} of the {len(self.items):,} events of the script were sent between the rows"
        for item, reason in self.refused:
            yield f"`{item.event}` at {show_time(item.time_ns)} was refused: {reason}"
        if self.sent < len(self.items):
            yield f"`{self.items[self.sent].event}` at {show_time(self.next_ns)} and what follows it come after the run"


def beside(script: Script) -> Beside:
    """Return the events of a script, to be sent between rows.

    Raises:
        RunError: it does more than send events, or its times go back.
    """
    if script.parameters:
        raise RunError("HR807", "the script sets params", script.file, "beside data, set them with --set")
    for item in script.items:
        if item.kind != "event" or item.expect:
            what = "expects something" if item.expect else "advances the time"
            help = "beside data a script sends events only; run it without --data for the rest"
            raise RunError("HR807", f"item {item.index} {what}", script.file, help, item.line)
    for earlier, later in zip(script.items, script.items[1:], strict=False):
        if later.time_ns < earlier.time_ns:
            message = f"item {later.index} comes before item {earlier.index}"
            raise RunError("HR807", message, script.file, "sort the events by time", later.line)
    told = "\n".join(repr((item.event, item.time_ns, sorted(item.fields.items()))) for item in script.items)
    return Beside(script.items, hashlib.sha256(told.encode()).hexdigest())
