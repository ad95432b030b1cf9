"""The names of events: those that the engine brings about, and which descriptors match which names."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ANSWERS",
    "APPROVAL_EVENTS",
    "BUILTIN_EVENTS",
    "DONE",
    "ENGINE_ROOTS",
    "EXPIRED",
    "REJECTED",
    "TIMED",
    "Vocabulary",
    "matches",
]

REJECTED = "gate.rejected"
"""Gates have stopped orders: seen where they were made, and by what governs that."""
BUILTIN_EVENTS = ("error.execution", "error.divergence", REJECTED, "input.rejected")
"""Events that every machine may see, besides those of its states and timers."""
EXPIRED = "approval.expired"
"""The event of the timer of a proposal that waits for people."""
APPROVAL_EVENTS = ("approval.asked", "approval.refused", "approval.denied", "approval.lapsed", EXPIRED)
"""Events that a machine may see besides, where transitions wait for people."""
ANSWERS = ("approve", "deny")
"""Events that such a machine takes from people; they are the engine's, and no transition takes them."""
DONE = "done.state."
"""What stands before the name of a state in the event that tells that it has come to its end."""
TIMED = ("after", "every")
"""First tokens of the events of timers of states."""
ENGINE_ROOTS = frozenset((*(name.partition(".")[0] for name in (*BUILTIN_EVENTS, *APPROVAL_EVENTS)), "done", *TIMED))
"""First tokens that no declared event may have."""


def matches(descriptors: Iterable[str], event: str) -> bool:
    """Return whether an event matches one of the descriptors (W3C SCXML 3.12.1): equal to it, or a prefix by tokens.

    The event of an `after` or `every` is matched by its own transitions only, so not by `*`. In a composition states have
    names of several tokens: `done.state.desk` does not match what is inside the desk.
    """
    for descriptor in descriptors:
        if descriptor == "*":
            if event.partition(".")[0] not in TIMED:
                return True
            continue
        prefix = descriptor.removesuffix(".*")
        if event == prefix or (event.startswith(prefix + ".") and not prefix.startswith(DONE)):
            return True
    return False


class Vocabulary:
    """Event names, to be found by descriptors without asking each; agrees with `matches`."""

    def __init__(self, events: Iterable[str]) -> None:
        self._found: dict[str, list[str]] = {"*": []}
        for event in dict.fromkeys(events):
            prefix = ""
            for token in event.split("."):
                prefix = f"{prefix}.{token}" if prefix else token
                if matches((prefix,), event):
                    self._found.setdefault(prefix, []).append(event)
            if matches(("*",), event):
                self._found["*"].append(event)

    def matching(self, descriptors: Iterable[str]) -> frozenset[str]:
        """Return the events that one of the descriptors matches."""
        roots = (each if each == "*" else each.removesuffix(".*") for each in descriptors)
        return frozenset(event for root in roots for event in self._found.get(root, ()))
