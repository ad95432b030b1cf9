"""Invariants in a kernel.

A claim is judged at the end of each macrostep. Where nothing has fired, some need not be, until something fires again:

- a *lasting* claim, over what only firings change, says what it said before, and is left out once it has held;
- a *passing* claim, which asks for what each row brings, is left out once it surely holds whatever a row brings: in
  interval arithmetic, with all that a price, an average or the clock may come to, and the rest as it stands.
  `was(winding_down)` holds in no such row while the strategy trades, and `net - before.net` is 0.

`settled` says which are left out: none (`_NONE`), the lasting ones (`_LASTING`), or those that can be settled too (`_ALL`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from ...ir import Expr, Pool
from ...monitors import monitor
from .blocks import Blocks
from .bounds import is_finite
from .intervals import Intervals, NotProvable, Range
from .slots import REACH
from .text import real

__all__ = ["Judge"]

_NONE, _LASTING, _ALL = range(3)


class Judge:
    """Writes the judging of a program's claims."""

    def __init__(self, write: Blocks, hot: Collection[str], claims: Sequence[tuple[str, Expr]]) -> None:
        self.write, self.code = write, write.code
        self.moved = frozenset(cell for cell, variable in write.slots.cells.items() if variable in hot)
        """The cells that a row may change at which nothing fires."""
        self.pool = Pool()
        """Makes the nodes of the claims; their identity is what values are known by."""
        self.claims = tuple(monitor(self.pool, claim) for _, claim in claims)
        self.flags = tuple(f"broken{number}" for number in range(len(self.claims)))
        """The variables that say which claims this row has broken."""
        flagged = tuple(zip(self.flags, self.claims, strict=True))
        self.lasting = tuple((flag, claim) for flag, claim in flagged if self._lasts(claim))
        """The claims over what only firings change, each with its flag."""
        self.passing = tuple((flag, claim) for flag, claim in flagged if not self._lasts(claim))
        """The claims that each row may break, each with its flag."""

    def declare(self) -> None:
        for flag in self.flags:
            self.code.declare(flag, "i1")

    def reset(self) -> None:
        """Begin a row: nothing is broken."""
        for flag in self.flags:
            self.code.set(flag, "false")

    def some(self) -> str:
        """Return whether the row has broken a claim."""
        found = "false"
        for flag in self.flags:
            found = self.code.either(found, self.code.get(flag))
        return found

    def changed(self) -> None:
        """Judge a macrostep in which something has fired."""
        self._judge("changed", zip(self.flags, self.claims, strict=True))
        self.code.set("settled", str(_NONE))

    def quiet(self, done: str, held: str) -> None:
        """Judge a macrostep in which nothing has fired, and go on at `done`; or at `held` where no claim need be judged."""
        code, write = self.code, self.write
        if not self.claims:
            code.jump(held)
            return
        settled = code.get("settled")
        going_on = code.op(f"icmp ne i64 {settled}, {_ALL}")
        code.branch(going_on, "judge.some", "judge.rested", rarely=True)
        write.begin("judge.some")
        code.branch(code.op(f"icmp eq i64 {settled}, {_NONE}"), "judge.again", "judge.passing", rarely=True)
        write.begin("judge.again")
        broken = self._judge("quiet", self.lasting)
        surely, restless = self._surely()
        unbroken = code.op(f"select i1 {surely}, i64 {_ALL}, i64 {_LASTING}")
        code.set("settled", code.op(f"select i1 {broken}, i64 {_NONE}, i64 {unbroken}"))
        code.jump("judge.passing")
        write.begin("judge.passing")
        self._judge("quiet", [each for each in self.passing if each not in restless])
        self._judge("quiet", restless)
        code.jump(done)
        write.begin("judge.rested")
        self._judge("quiet", restless)
        code.jump(done if restless else held)

    def _surely(self) -> tuple[str, list[tuple[str, Expr]]]:
        """Return whether passing claims hold whatever a row brings; and those of which that cannot be told."""
        write, code = self.write, self.code
        known = {}
        for cell in self.moved:
            if write.types[cell].type == "real":
                low, high = write.span(self.pool.make("cell", name=cell))
                if is_finite((low, high)):
                    known[cell] = Range(real(low), real(high))
        rows = Intervals(write, self.moved, {}, Range(str(1 - REACH), str(REACH - 1)), known)
        held, restless = "true", list[tuple[str, Expr]]()
        write.judging = "quiet"
        for flag, claim in self.passing:
            written = len(code.lines)
            try:
                always = rows.truth(claim).always
            except NotProvable:
                always = "false"
            held_too = code.both(rows.take_needs(), always)
            if held_too == "false":
                restless.append((flag, claim))
                del code.lines[written:]
                write.forget()
                rows.forget()
            else:
                held = code.both(held, held_too)
        write.judging = ""
        return held, restless

    def _lasts(self, claim: Expr) -> bool:
        """Return whether only a firing changes what a claim says."""
        return not any(
            node.op in ("now", "field") or (node.op in ("cell", "before") and node.name in self.moved)
            for node in claim.walk()
        )

    def _judge(self, judging: Literal["changed", "quiet"], claims: Iterable[tuple[str, Expr]]) -> str:
        """Judge some claims, each with its flag; return whether one of them is broken."""
        code, write = self.code, self.write
        write.judging = judging
        some = "false"
        for flag, claim in claims:
            holds = write.value(claim)
            broken = code.either(code.negate(holds), write.failure(claim))
            some = code.either(some, broken)
            if broken != "false":
                code.set(flag, code.either(code.get(flag), broken))
        write.judging = ""
        return some
