"""Results of bound functions: kept while a machine runs, read from the journal while it is replayed.

A machine asks in an order that its program decides. So what was answered is a list, and a replay that asks as the machine
did reads it from its beginning to its end: no function is called, and no clock decides whether an answer came in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..bound import Functions
from ..evaluate import Failure

__all__ = ["Answers"]


class Answers(Functions):
    """The functions of a program, with what they have answered on one event.

    Attributes:
        given: what was answered since `listen` or `repeat`, as it is journalled.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.given: list[dict[str, Any]] = []
        self._recorded: list[Mapping[str, Any]] | None = None

    def listen(self) -> None:
        """Begin an event whose functions are called."""
        self.given, self._recorded = [], None

    def repeat(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        """Begin an event whose functions answer what they have answered before."""
        self.given, self._recorded = [], list(recorded)

    def _outcome(self, name: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | Failure:
        outcome = super()._outcome(name, ask) if self._recorded is None else self._read(name)
        said = {"failed": str(outcome)} if isinstance(outcome, Failure) else {"returned": dict(outcome)}
        self.given.append({"function": name, **said})
        return outcome

    def _read(self, name: str) -> Mapping[str, Any] | Failure:
        assert self._recorded is not None
        for place, answer in enumerate(self._recorded):
            if answer["function"] == name:
                # An event that was refused may have asked before that what is not asked when the refusal is repeated.
                del self._recorded[: place + 1]
                returned: Mapping[str, Any] | None = answer.get("returned")
                return Failure(answer["failed"]) if returned is None else returned
        return Failure(f"`{name}` was not asked when this was journalled")
