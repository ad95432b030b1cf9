"""What can be wrong with a host: one error, with a code, a place and a help line."""

from __future__ import annotations

from ..dryrun.problem import RunError

__all__ = ["Busy", "Divergence", "HostError"]


class HostError(RunError):
    """What keeps a host from starting, from taking something or from going on."""


class Busy(HostError):
    """A host that has as much to do as it takes on: nothing of this was taken, and later it may be."""

    def __init__(self, place: str, what: str, help: str) -> None:
        super().__init__("HR871", what, place, help)


class Divergence(HostError):
    """A machine that does now what it has not done then.

    `sequence` is the record whose step differs, `member` what of it, `journalled` and `found` are that as it stands in
    the journal and as it came out now; None is that there is no such thing.
    """

    def __init__(self, place: str, sequence: int, machine: str, member: str, journalled: object, found: object) -> None:
        what = (
            f"record {sequence:,}: `{machine}` does not come back as it was: `{member}` was {_told(journalled)} "
            f"and is now {_told(found)}"
        )
        help = "this is the first difference; the spec or the Hedgerow is another one than wrote the journal"
        super().__init__("HR874", what, place, help)
        self.sequence = sequence
        self.machine = machine
        self.member = member
        self.journalled = journalled
        self.found = found

    def to_json(self) -> dict[str, object]:
        return {
            **super().to_json(),
            "sequence": self.sequence,
            "machine": self.machine,
            "member": self.member,
            "journalled": self.journalled,
            "found": self.found,
        }


def _told(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
