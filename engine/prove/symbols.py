"""Values that are symbols, and the paths on which what is asked of them is decided.

The reference interpreter computes with Python's operators and asks with `if`. Given `Symbol`s it computes expressions, and
each `if` on one asks the explorer: every answer that is possible is followed, one after the other, by running the same
macrostep again. So the semantics that is proved about is, line by line, the one that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from ..evaluate import due
from ..ir import Expr, Type
from .algebra import Algebra

__all__ = ["Explorer", "Impossible", "Path", "Possible", "Symbol", "Symbolic", "TooManyError"]

Possible = Callable[[tuple[tuple[Expr, ...], ...]], Sequence[bool]]
"""Of each of some lists of conditions whether they can hold together; True where that is not known."""
Answers = tuple[tuple[bool, bool], ...]
"""What was answered, and whether the other answer was possible too."""
T = TypeVar("T")
DECISIONS = 500
"""Answers on one path where the other one was possible too: a loop that asks anew each time has a path for each round."""


class Impossible(Exception):
    """Neither answer is possible: what led here cannot happen."""


class TooManyError(Exception):
    """There are more paths than are followed."""


@dataclass(slots=True)
class Path:
    """One way through a macrostep."""

    assumed: tuple[Expr, ...]
    answers: list[tuple[bool, bool]]
    conditions: list[Expr] = field(default_factory=list)
    """What was answered where another answer was possible."""
    implied: list[Expr] = field(default_factory=list)
    """What was answered where what is assumed left no other answer."""
    known: dict[int, bool] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    asked: int = 0


class Explorer:
    """Runs something along every path that is possible."""

    def __init__(self, algebra: Algebra, possible: Possible) -> None:
        self.algebra = algebra
        self.possible = possible
        self.path = Path((), [])
        self.number = 0
        """Tells what is fresh in one event from what is in another."""
        self._waiting: list[Answers] = []

    def explore(self, assumed: tuple[Expr, ...], run: Callable[[], T], most: int) -> Iterator[tuple[Path, T]]:
        """Yield every path under what is assumed, with what running it came to.

        Raises:
            TooManyError: there are more than `most`.
        """
        self._waiting, count = [()], 0
        while self._waiting:
            self.path = Path(assumed, list(self._waiting.pop()))
            for each in assumed:
                self._note(each, True)
            try:
                found = run()
            except Impossible:
                continue
            count += 1
            if count > most:
                raise TooManyError(f"one event has more than {most:,} outcomes")
            yield self.path, found

    def decide(self, condition: Expr) -> bool:
        """Return what is answered here.

        Raises:
            Impossible: no answer is possible.
            TooManyError: this path asks without end.
        """
        path = self.path
        if condition.op == "const":
            return bool(condition.value)
        if id(condition) in path.known:
            return path.known[id(condition)]
        if condition.op == "not":
            return not self.decide(condition.args[0])
        denied = self.algebra.negation(condition)
        if path.asked == len(path.answers):
            known = (*path.assumed, *path.conditions)
            yes, no = self.possible(((*known, condition), (*known, denied)))
            if not (yes or no):
                raise Impossible
            if yes and no and len(path.conditions) >= DECISIONS:
                raise TooManyError(f"one event takes more than {DECISIONS:,} decisions")
            if yes and no:
                self._waiting.append((*path.answers, (False, True)))
            path.answers.append((yes, yes and no))
        answer, free = path.answers[path.asked]
        path.asked += 1
        self._note(condition, answer)
        (path.conditions if free else path.implied).append(condition if answer else denied)
        return answer

    def assume(self, condition: Expr) -> None:
        """Follow only what comes of a condition that holds.

        Raises:
            Impossible: it cannot hold.
        """
        if condition is self.algebra.false or self.path.known.get(id(condition)) is False:
            raise Impossible
        if condition is not self.algebra.true and id(condition) not in self.path.known:
            self._note(condition, True)
            self.path.conditions.append(condition)

    def _note(self, condition: Expr, answer: bool) -> None:
        self.path.known[id(condition)] = answer
        self.path.known[id(self.algebra.negation(condition))] = not answer
        if condition.op == ("and" if answer else "or"):
            for each in condition.args:
                self._note(each, answer)

    def fresh(self, name: str, type: Type) -> Expr:
        """Return a symbol of which nothing is known, the same one each time that a path is run."""
        count = self.path.fresh[name] = self.path.fresh.get(name, 0) + 1
        return self.algebra.symbol("temp", f"{name}#{count}@{self.number}", type)

    def symbol(self, expr: Expr) -> Symbol:
        return Symbol(self, expr)

    def lift(self, value: object, type: Type) -> Expr:
        """Return a value as an expression of a type."""
        if isinstance(value, Symbol):
            return value.expr
        if isinstance(value, Expr):
            return value
        assert isinstance(value, (bool, int, Fraction))
        return self.algebra.constant(value, type)


class Symbol:
    """A value that is an expression over symbols."""

    __slots__ = ("explorer", "expr")
    __hash__ = None  # type: ignore[assignment]  # equality is a question here, so it can be no key

    def __init__(self, explorer: Explorer, expr: Expr) -> None:
        self.explorer = explorer
        self.expr = expr

    def __bool__(self) -> bool:
        return self.explorer.decide(self.expr)

    def __str__(self) -> str:
        return "a value" if self.expr.op != "const" else str(self.expr.value)

    def _with(self, op: str, other: object, type: Type, *, swapped: bool = False) -> Symbol:
        mine, theirs = self.expr, self.explorer.lift(other, self.expr.type)
        args = (theirs, mine) if swapped else (mine, theirs)
        return Symbol(self.explorer, self.explorer.algebra.make(op, args, type))

    def __add__(self, other: object) -> Symbol:
        return self._with("add", other, self.expr.type)

    def __radd__(self, other: object) -> Symbol:
        return self._with("add", other, self.expr.type, swapped=True)

    def __sub__(self, other: object) -> Symbol:
        return self._with("sub", other, self.expr.type)

    def __rsub__(self, other: object) -> Symbol:
        return self._with("sub", other, self.expr.type, swapped=True)

    def __abs__(self) -> Symbol:
        return Symbol(self.explorer, self.explorer.algebra.make("abs", (self.expr,), self.expr.type))

    def __lt__(self, other: object) -> Symbol:
        return self._with("lt", other, "bool")

    def __le__(self, other: object) -> Symbol:
        return self._with("le", other, "bool")

    def __gt__(self, other: object) -> Symbol:
        return self._with("gt", other, "bool")

    def __ge__(self, other: object) -> Symbol:
        return self._with("ge", other, "bool")

    def __eq__(self, other: object) -> Any:
        return self._with("eq", other, "bool")

    def __ne__(self, other: object) -> Any:
        return self._with("ne", other, "bool")


class Symbolic:
    """Arithmetic on symbols: over the reals, nothing rounded. Expressions have their own evaluation, see `execution`."""

    exact = True

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer

    def real(self, value: Any) -> Any:
        return value if isinstance(value, Symbol) else Fraction(value)

    def due(self, then: Any, delay: Any) -> Any:
        if not isinstance(then, Symbol) and not isinstance(delay, Symbol):
            return due(then, delay)
        lift = self.explorer.lift
        return Symbol(self.explorer, self.explorer.algebra.make("due", (lift(then, "int"), lift(delay, "real")), "int"))

    def finite(self, value: Any) -> bool:
        return True

    def sqrt(self, value: Any) -> Any:
        raise NotImplementedError

    def seconds(self, nanoseconds: Any) -> Any:
        raise NotImplementedError

    def floor(self, value: Any) -> Any:
        raise NotImplementedError
