"""Invariants in a kernel.

A claim is judged at the end of each macrostep. Where nothing has fired, one over what only firings change says what it said
the last time that nothing had fired; once it has held there (`settled`), it is left out until something fires.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from ...ir import Expr, Pool
from ...monitors import monitor
from .blocks import Blocks

__all__ = ["Judge"]


class Judge:
    """Writes the judging of a program's claims."""

    def __init__(self, write: Blocks, hot: Collection[str], claims: Sequence[tuple[str, Expr]]) -> None:
        self.write, self.code, self.hot = write, write.code, hot
        self.pool = Pool()
        """Makes the nodes of the claims; their identity is what values are known by."""
        self.claims = tuple(monitor(self.pool, claim) for _, claim in claims)
        self.flags = tuple(f"broken{number}" for number in range(len(self.claims)))
        """The variables that say which claims this row has broken."""
        nodes = [node for claim in self.claims for node in claim.walk()]
        self.befores = sorted({node.name for node in nodes if node.op == "before"})
        """The cells of which the claims ask for the value before the macrostep."""
        self.lasting = tuple(claim for claim in self.claims if self._lasts(claim))
        """The claims over what only firings change."""
        self.passing = tuple(claim for claim in self.claims if not self._lasts(claim))
        """The claims that each row may break."""
        self.asks_was = any(node.op == "was" for node in nodes)

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
        self.code.set("settled", "0")

    def quiet(self) -> None:
        """Judge a macrostep in which nothing has fired."""
        code, write = self.code, self.write
        passing, lasting = list[tuple[str, Expr]](), list[tuple[str, Expr]]()
        for flag, claim in zip(self.flags, self.claims, strict=True):
            (lasting if self._lasts(claim) else passing).append((flag, claim))
        if lasting:
            code.branch(code.op(f"icmp eq i64 {code.get('settled')}, 0"), "judge.again", "judge.passing", rarely=True)
            write.begin("judge.again")
            hold = code.negate(self._judge("quiet", lasting))
            code.set("settled", code.op(f"zext i1 {hold} to i64"))
            code.jump("judge.passing")
            write.begin("judge.passing")
        self._judge("quiet", passing)

    def _lasts(self, claim: Expr) -> bool:
        """Return whether only a firing changes what a claim says."""
        cells = self.write.slots.cells
        return not any(
            node.op in ("now", "field") or (node.op in ("cell", "before") and cells[node.name] in self.hot)
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
