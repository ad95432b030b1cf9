"""Whether nothing happens at some rows.

A row is quiet if it is taken, no timer is due, no guard of an active state holds or fails, every invariant holds, all that
rests is left as it is, and the equity makes neither a new peak nor a new deepest fall. The last is not asked of a single
row: the drawdown is followed there and then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...ir import Assign, Event, Expr, Let, Require, Rule
from ..layout import Layout
from .blocks import Blocks
from .books import Books
from .intervals import Intervals, NotProvable, Range
from .judge import Judge
from .rests import rests_of
from .slots import kind_of

__all__ = ["Level", "Quiet"]

_NODES = 2_000
"""Nodes that the expressions of a row may have in all: a larger chart goes without a scan, and its code stays small."""


@dataclass(frozen=True)
class Level:
    """What is looked at in one go, a row or a block of them."""

    name: str
    now: Range
    fields: dict[str, Range]
    """The real fields, by qualified name."""
    before: dict[str, Range]
    """What the cells that follow a row hold when one of the rows begins."""
    needs: tuple[str, ...] = ()
    """Conditions that the rows must meet besides."""


class Quiet:
    """Writes the question into a kernel."""

    def __init__(
        self,
        write: Blocks,
        layout: Layout,
        event: Event,
        moved: Collection[str],
        judge: Judge,
        books: Books | None,
    ) -> None:
        """Begin.

        Args:
            write: into what.
            layout: of the program.
            event: what a row is.
            moved: the cells that a row assigns before anything is selected, without those that hold one value for good.
            judge: the invariants.
            books: what follows the drawdown, if that is followed.
        """
        self.write, self.code, self.layout, self.event = write, write.code, layout, event
        self.judge, self.books, self.program = judge, books, write.program
        self.rests = rests_of(write.program, event, moved)
        self._asked = (layout.always, layout.matched(event.name))
        self.guards = tuple(map(self._guards, range(len(layout.regions))))
        """The guards that a row asks in each region, by the leaves that ask any; None where a transition has none."""

    def is_able(self) -> bool:
        """Return whether it is worth while to look for quiet rows: they need not all be run, and some may be found."""
        lost = self.rests.lost or self.event.name.startswith("error.")
        return not lost and self._size() <= _NODES and self._leaves()

    def look(self, level: Level, quiet: str, loud: str) -> None:
        """Go on at `quiet` if nothing happens at some rows, and at `loud` if something may.

        Raises:
            NotProvable: an expression that is not followed over rows.
        """
        code, write, books = self.code, self.write, self.books
        write.forget()
        rows = Intervals(write, self.rests.moved, level.fields, level.now, level.before)
        rows.needs += level.needs
        for timer in self.program.timers:
            due = code.get(write.slots.cells[timer.due])
            rows.needs.append(code.op(f"icmp sgt i64 {due}, {level.now.high}"))
        self._observe(rows)
        write.judging = "quiet"
        for _, claim in self.judge.passing:
            rows.needs.append(rows.truth(claim).always)
        write.judging = ""
        equity = None if books is None else books.equity_over(rows)
        if books is not None and equity is not None and not equity.is_one:
            self._stay(rows, books, equity)
        following = code.new_label(f"scan.{level.name}")
        code.branch(rows.take_needs(), following, loud)
        write.begin(following)
        for region, leaves in enumerate(self.guards):
            if leaves:
                following = code.new_label(f"scan.{level.name}")
                self._ask(rows, region, leaves, following, loud)
                write.begin(following)
        if books is not None and equity is not None and equity.is_one:
            books.follow(equity.low)
        code.jump(quiet)

    def _observe(self, rows: Intervals) -> None:
        """Follow what a row assigns before anything is selected."""
        for block in (self.program.accrue, self.event.marks, *self.event.observe):
            for each in block:
                match each:
                    case Let():
                        rows.bind(each.temp, each.value)
                    case Require():
                        rows.needs.append(rows.truth(each.condition).always)
                    case Assign():
                        self._assign(rows, each)
                    case _:
                        raise NotProvable(f"{type(each).__name__} where a row is observed")

    def _assign(self, rows: Intervals, assign: Assign) -> None:
        write = self.write
        for cell, expr in assign.targets:
            if cell in self.rests.resting:
                rows.needs.append(rows.stays(cell, expr))
        values = [(cell, expr, rows.of(expr)) for cell, expr in assign.targets if cell in self.rests.moved]
        for cell, expr, value in values:
            declared = write.types[cell]
            if isinstance(value, Range) and not write.fits(declared, expr):
                kind = kind_of(declared.type)
                for end in dict.fromkeys(value):
                    rows.needs.append(write.in_range(kind, end, declared.low, declared.high))
            rows.assign(cell, value)

    def _stay(self, rows: Intervals, books: Books, equity: Range) -> None:
        """Ask for an equity that is neither a new peak nor a new deepest fall, as `Books.follow` tells them."""
        write, code = self.write, self.code
        peak = write.variable("peak")
        rows.needs.append(write.op(f"fcmp ole double {equity.high}, {peak}"))
        gap = write.op(f"fsub double {peak}, {equity.low}")
        rows.needs.append(code.negate(books.may_be_deepest(gap, peak)))

    # -------------------------------------------------------------------------------------------------------- the guards

    def _rules(self, leaf: str) -> list[Rule]:
        """Return the transitions that a row asks while a leaf is active."""
        around = (leaf, *self.layout.tree.ancestors[leaf]) if self.layout.tree.is_atomic(leaf) else ()
        return [rule for rules in self._asked for name in around for rule in rules.get(name, ())]

    def _guards(self, region: int) -> dict[int, list[Expr] | None]:
        found: dict[int, list[Expr] | None] = {}
        for index, leaf in enumerate(self.layout.regions[region].leaves):
            rules = self._rules(leaf)
            guards = [rule.guard for rule in rules if rule.guard is not None]
            if rules:
                found[index] = guards if len(guards) == len(rules) else None
        return found

    def _leaves(self) -> bool:
        """Return whether in each region there is a leaf in which nothing need happen."""
        return all(
            len(guards) < len(region.leaves) or any(each is not None for each in guards.values())
            for region, guards in zip(self.layout.regions, self.guards, strict=True)
        )

    def _size(self) -> int:
        """Return how many nodes the expressions of a scan have."""
        blocks = (self.program.accrue, self.event.marks, *self.event.observe)
        found: list[Expr] = []
        for each in (each for block in blocks for each in block):
            if isinstance(each, Let):
                found.append(each.value)
            elif isinstance(each, Assign):
                found += [expr for _, expr in each.targets]
        found += [guard for leaves in self.guards for guards in leaves.values() for guard in guards or ()]
        return sum(1 for expr in (*found, *(claim for _, claim in self.judge.passing)) for _ in expr.walk())

    def _ask(
        self, rows: Intervals, region: int, leaves: dict[int, list[Expr] | None], following: str, loud: str
    ) -> None:
        """Go on if no guard of the active leaf of a region may hold."""
        code, write = self.code, self.write
        labels = {leaf: loud if guards is None else code.new_label("scan.leaf") for leaf, guards in leaves.items()}
        if self.layout.is_constant(region):
            code.jump(labels[0])
        else:
            code.switch(code.get(f"r{region}"), following, labels)
        asked = False
        for leaf, guards in leaves.items():
            if guards is not None:
                write.begin(labels[leaf])
                asked |= self._deny(rows, guards, following, loud)
        if not asked and len(leaves) == len(self.layout.regions[region].leaves):
            raise NotProvable

    def _deny(self, rows: Intervals, guards: list[Expr], following: str, loud: str) -> bool:
        """Go on at `loud` if a guard may hold; return whether that is asked, or taken for granted."""
        code, write = self.code, self.write
        before = len(code.lines)
        rows.forget()
        try:
            quiet = [rows.truth(guard).never for guard in guards]
        except NotProvable:
            # What has been needed is deleted with the lines that it was written in.
            rows.needs.clear()
            del code.lines[before:]
            write.forget()
            code.jump(loud)
            return False
        code.branch(write.all((rows.take_needs(), *quiet)), following, loud)
        return True
