"""What a property is, and the kinds that there are: how they are called, and what they say.

A property is a list of claims on single outcomes, all of which must hold, or of outcomes one of which must be possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..ir import Expr
from .outcome import Outcome

__all__ = ["KINDS", "Kind", "Property"]

Kind = Literal[
    "invariant",
    "helper",
    "ends",
    "dead",
    "reached",
    "overlap",
    "conserved",
    "divides",
    "fails",
    "leaves",
    "orders",
    "trips",
    "flat",
    "gate",
    "passes",
]


@dataclass(frozen=True, slots=True)
class About:
    """What a kind of property is called, and what it says; `{}` is the name of what it is about."""

    code: str
    title: str
    words: str


KINDS: Mapping[Kind, About] = {
    "invariant": About("HR901", "an invariant", "after every event: {}"),
    "helper": About("HR902", "a helper", "after every event: {}"),
    "ends": About("HR903", "an end", "{}"),
    "dead": About("HR904", "no dead transition", "`{}` can fire"),
    "reached": About("HR905", "every state reached", "`{}` can be reached"),
    "overlap": About("HR906", "an order that decides nothing", "{}"),
    "conserved": About(
        "HR907",
        "money conserved",
        "{}equity changes by positions × moves of the mark − fees − slippage + flows, and else not",
    ),
    "divides": About("HR908", "no division by zero", "nothing divides by zero or takes the root of a negative number"),
    "fails": About("HR909", "no failing transition", "no transition fails at run time"),
    "leaves": About("HR910", "a halted state that can be left", "`{}`, once halted, can be left"),
    "orders": About("HR911", "no order after the halt", "while `{}` is halted no order enlarges a leg"),
    "trips": About(
        "HR912", "a breaker that does not trip again at once", "after a reset nothing leads straight back into `{}`"
    ),
    "flat": About("HR913", "a way to flat while halted", "from `{}` the machine can close every leg that it trades"),
    "gate": About(
        "HR914", "a gate that is off in no mode", "`{}` can stop an order in every mode in which it judges one"
    ),
    "passes": About("HR915", "a gate that is not shut for good", "`{}` can let an order through"),
}


def _nothing(_: Outcome) -> tuple[Expr, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Property:
    """A claim about a program.

    What `claims` returns must hold on every outcome; where `witness` is given, it must say yes to one that is possible;
    where `way` is given, it is a way that must be possible, and an empty one says that there is none. `without` says why it
    cannot be decided in any case.
    """

    kind: Kind
    name: str
    words: str
    claims: Callable[[Outcome], Iterable[Expr]] = _nothing
    witness: Callable[[Outcome], bool] | None = None
    way: tuple[Outcome, ...] | None = None
    without: str = ""
    opaque: tuple[str, ...] = ()
    """Bound functions whose results the claim reads."""
    portable: bool = False
    """Whether `claims` can be asked of an outcome of any machine of the program, as it is no expression of one."""

    @classmethod
    def of(cls, kind: Kind, name: str, about: str, **what: Any) -> Property:
        """Return a property in the words of its kind, `about` in their place; `what` are its other fields."""
        return cls(kind, name, KINDS[kind].words.format(about), **what)

    @property
    def code(self) -> str:
        return KINDS[self.kind].code
