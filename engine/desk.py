"""What a check asks of a whole desk: all legs whose orders its gate judges, resolved to ordinary cells and arithmetic.

    check gross: (desk(gross) <= sanity.gross_max)
    check rate: (desk(orders, sanity.rate_period) <= real(sanity.rate_max))

A governance spec does not know the legs that it will judge. Its checks hold such leaves until the composition is linked;
here, in the program of it, they become

    check gross: (((abs(a.book.quantity) * a.index.price) + …) <= sanity.gross_max)
    check rate: ((count if seconds(now - at) <= sanity.rate_period else 0) + … <= real(sanity.rate_max))

What must be remembered of orders is noted by the fill of each leg, in cells that exist only where a check asks. Checks judge
after the fills, so what they read includes the orders at hand; an order that is stopped is undone with what was noted of it.

Orders within a period are counted in panes (Li, Maier, Tufte, Papadimos, Tucker 2005, "No pane, no gain", SIGMOD Record
34(1)): a pane takes the orders of less than a quarter of the period, from its first one on, and counts as long as its latest
one is in the period. Of panes that begin a quarter apart, or more, five reach back a whole period. So no order of the period
is missed, and none is counted that is five quarters of it old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import takewhile

from .ir import Assign, Block, Cell, Check, Event, Expr, Gate, Leg, Let, Part, Pool, Program, Type
from .printer import expression_text

__all__ = ["DESK_OPS", "resolve"]

DESK_OPS = frozenset(("desk", "desk_before"))
"""Leaves of checks that stand for something of a whole desk, now and at the start of the macrostep."""

QUARTERS = 4
"""Panes of a period; one more is kept, for the period that began within a pane."""

ROUNDING = Fraction(1, 10**12)
"""Of a position: how far two orders of one size may differ by having been computed as changes of it."""


def resolve(program: Program, pool: Pool) -> Program:
    """Return a program whose checks read cells, where they asked something of a whole desk."""
    asked = (part for gate in program.gates for check in gate.checks for part in _parts(check))
    if not any(node.op in DESK_OPS for part in asked for node in part.walk()):
        return program
    return _Resolving(program, pool).program()


def _parts(check: Check) -> tuple[Expr, ...]:
    every = (check.condition, check.value, check.least, check.most)
    return tuple(each for each in every if each is not None)


class _Resolving:
    """A program on its way from leaves of a desk to cells; `cells` and `notes` grow as checks ask for them."""

    def __init__(self, program: Program, pool: Pool) -> None:
        self.whole, self.pool = program, pool
        self.cells: dict[str, Cell] = {}
        self.bound: dict[str, dict[str, Expr]] = {leg.name: {} for leg in program.legs}
        self.notes: dict[str, dict[str, Expr]] = {leg.name: {} for leg in program.legs}
        """What the fill of a leg binds, and then assigns, by name."""
        self.previous: dict[str, str] = {}
        """The cell of a previous mark, by that of the mark."""
        self.units = {cell.name: cell.unit for cell in program.cells}
        self.now = pool.make("now", (), "int")
        self.zero, self.one = self._number(0), self._number(1)

    def program(self) -> Program:
        gates = tuple(map(self._gate, self.whole.gates))
        return replace(
            self.whole,
            gates=gates,
            cells=(*self.whole.cells, *self.cells.values()),
            legs=tuple(map(self._noting, self.whole.legs)),
            events=tuple(map(self._keeping, self.whole.events)),
            parts=self._opening(self.whole.parts),
        )

    # ------------------------------------------------------------------------------------------------------ expressions

    def _number(self, value: int | Fraction) -> Expr:
        return self.pool.constant(Fraction(value), "real")

    def _add(self, terms: Sequence[Expr]) -> Expr:
        """Return a sum by halves: as deep as the logarithm of their number."""
        return self._joined(terms, lambda a, b: self.pool.make("add", (a, b)))

    def _joined(self, terms: Sequence[Expr], join: Callable[[Expr, Expr], Expr]) -> Expr:
        if len(terms) < 2:
            return terms[0] if terms else self.zero
        half = len(terms) // 2
        return join(self._joined(terms[:half], join), self._joined(terms[half:], join))

    def _select(self, condition: Expr, then: Expr, otherwise: Expr) -> Expr:
        return self.pool.make("select", (condition, then, otherwise), then.type)

    def _and(self, one: Expr, other: Expr) -> Expr:
        return self.pool.make("and", (one, other), "bool")

    def _seconds_since(self, cell: str) -> Expr:
        return self.pool.make("seconds", (self.now, self.pool.cell(cell, "int")))

    def _cell(self, name: str, unit: str, type: Type = "real") -> Expr:
        """Return a cell of the desk's memory, which is there from now on."""
        initial = Fraction(0) if type == "real" else 0
        self.cells.setdefault(name, Cell(name, type, unit, None, None, initial, "memory"))
        return self.pool.cell(name, type)

    # ------------------------------------------------------------------------------------------------------------ checks

    def _gate(self, gate: Gate) -> Gate:
        legs = tuple(leg for leg in self.whole.legs if not gate.legs or leg.name in gate.legs)
        made: dict[int, Expr] = {}

        def expression(expr: Expr) -> Expr:
            for node in expr.walk(made):
                args = tuple(made[id(argument)] for argument in node.args)
                made[id(node)] = (
                    self._asked(node, legs)
                    if node.op in DESK_OPS
                    else self.pool.make(node.op, args, node.type, name=node.name, value=node.value)
                )
            return made[id(expr)]

        def optional(expr: Expr | None) -> Expr | None:
            return None if expr is None else expression(expr)

        checks = (
            replace(
                check,
                condition=expression(check.condition),
                value=optional(check.value),
                least=optional(check.least),
                most=optional(check.most),
            )
            for check in gate.checks
        )
        return replace(gate, checks=tuple(checks))

    def _asked(self, node: Expr, legs: Sequence[Leg]) -> Expr:
        """Return what a leaf stands for, over legs."""
        found = self._within(node.name, node.args[0], legs) if node.args else self._value(node.name, legs)
        return found if node.op == "desk" else self.pool.substitute(found, {"cell": "before"})

    def _value(self, name: str, legs: Sequence[Leg]) -> Expr:
        make = self.pool.make
        match name:
            case "gross":
                return self._add([self._size(leg) for leg in legs])
            case "net":
                return make("abs", (self._add([self._signed(leg) for leg in legs]),))
            case "equity":
                return self._equity(legs)
            case "orders":
                return self._add([make("sub", (self._count(leg), self._count_before(leg))) for leg in legs])
            case "traded":
                return self._add([self._if_ordered(leg, self._traded(leg)) for leg in legs])
            case "jump":
                return self._jump(legs)
        raise AssertionError(name)

    def _within(self, name: str, period: Expr, legs: Sequence[Leg]) -> Expr:
        if name == "repeats":
            return self._add([self._if_ordered(leg, self._repeats(leg, period)) for leg in legs])
        return self._in_panes(name, period, legs)

    # ---------------------------------------------------------------------------------------------------- what is held

    def _worth(self, leg: Leg) -> Expr:
        return self.pool.make("mul", (self.pool.cell(leg.quantity), self._price(leg)))

    def _size(self, leg: Leg) -> Expr:
        size = self.pool.make("abs", (self.pool.cell(leg.quantity),))
        return self.pool.make("mul", (size, self._price(leg)))

    def _price(self, leg: Leg) -> Expr:
        return self.pool.cell(f"{leg.instrument}.price")

    def _signed(self, leg: Leg) -> Expr:
        worth = self._worth(leg)
        return self.pool.make("neg", (worth,)) if leg.side == "short" else worth

    def _equity(self, legs: Sequence[Leg]) -> Expr:
        """Return the equity of the parts whose legs these are, each summed as its own `equity` is."""
        parts: dict[str, Expr] = {}
        for leg in legs:
            owner = "".join(leg.name.rpartition(".")[:2])
            held = parts.get(owner, self.pool.cell(f"{owner}cash"))
            parts[owner] = self.pool.make("sub" if leg.side == "short" else "add", (held, self._worth(leg)))
        return self._add(tuple(parts.values()))

    # ------------------------------------------------------------------------------------------------- what is ordered

    def _note(self, leg: Leg, cell: Expr, value: Expr) -> Expr:
        """Let the fill of a leg assign a value to a cell, which is returned."""
        self.notes[leg.name][cell.name] = value
        return cell

    def _bind(self, leg: Leg, name: str, value: Expr) -> Expr:
        """Let the fill of a leg bind a value, which is returned by its name."""
        self.bound[leg.name][name] = value
        return self.pool.temp(name, value.type)

    def _count(self, leg: Leg) -> Expr:
        """Return how many orders a leg has made ever; one that crosses zero is two, see `step.orders_of`."""
        cell = self._cell(f"{leg.name}.orders", "1")
        return self._note(leg, cell, self.pool.make("add", (cell, self._orders(leg))))

    def _orders(self, leg: Leg) -> Expr:
        """Return how many orders a leg makes in its fill."""
        if leg.side != "both" or leg.order:
            return self.one  # a live order that crosses zero is one order
        make, held, after = self.pool.make, self.pool.cell(leg.quantity), self.pool.temp("after")
        turns = (
            self._and(make(one, (held, self.zero), "bool"), make(other, (after, self.zero), "bool"))
            for one, other in (("gt", "lt"), ("lt", "gt"))
        )
        return self._select(make("or", tuple(turns), "bool"), self._number(2), self.one)

    def _count_before(self, leg: Leg) -> Expr:
        return self.pool.make("before", (), name=self._count(leg).name)

    def _rests(self, leg: Leg) -> Expr:
        """Return whether the macrostep has not ordered a leg so far."""
        return self.pool.make("eq", (self._count(leg), self._count_before(leg)), "bool")

    def _is_first(self, leg: Leg) -> Expr:
        """Return, in the fill of a leg, whether the order is its first one in the macrostep."""
        return self._bind(leg, "first", self._rests(leg))

    def _if_ordered(self, leg: Leg, value: Expr) -> Expr:
        """Return, in a check, a value of a leg where the macrostep has ordered it, and 0 elsewhere."""
        return self._select(self._rests(leg), self.zero, value)

    def _traded(self, leg: Leg) -> Expr:
        """Return the notional that the last macrostep with orders of a leg ordered."""
        cell, notional = self._cell(f"{leg.name}.traded", self.whole.money), self.pool.temp("notional")
        more = self.pool.make("add", (cell, notional))
        return self._note(leg, cell, self._select(self._is_first(leg), notional, more))

    def _repeats(self, leg: Leg, period: Expr) -> Expr:
        """Return how many orders of that macrostep were what the leg had ordered last, within a period."""
        make, pool = self.pool.make, self.pool
        unit = self.units[leg.quantity]
        last, at = self._cell(f"{leg.name}.last", unit), self._cell(f"{leg.name}.last_at", "ns", "int")
        delta = pool.temp("delta")
        position = make("max", (make("abs", (pool.temp("after"),)), make("abs", (pool.cell(leg.quantity),))))
        apart = make("abs", (make("sub", (delta, last)),))
        same = make("le", (apart, make("mul", (self._number(ROUNDING), position))), "bool")
        some = make("gt", (self._count(leg), self.zero), "bool")
        recent = make("le", (self._seconds_since(at.name), period), "bool")
        found = self._select(self._and(self._and(some, same), recent), self.one, self.zero)
        cell = self._cell(f"{leg.name}.repeats({expression_text(period)})", "1")
        self._note(leg, last, delta)
        self._note(leg, at, self.now)
        earlier = self._select(self._is_first(leg), self.zero, cell)
        return self._note(leg, cell, make("add", (earlier, found)))

    def _jump(self, legs: Sequence[Leg]) -> Expr:
        """Return the largest move, as a fraction, of the marks at which the macrostep has ordered."""
        make = self.pool.make
        moves: list[Expr] = []
        for instrument in dict.fromkeys(leg.instrument for leg in legs):
            price = self.pool.cell(f"{instrument}.price")
            previous = self._cell(f"{instrument}.previous", self.units[price.name])
            self.previous[price.name] = previous.name
            rest = [self._rests(leg) for leg in legs if leg.instrument == instrument]
            move = make("abs", (make("sub", (make("div", (price, previous)), self.one)),))
            moves.append(self._select(self._joined(rest, self._and), self.zero, move))
        return self._joined(moves, lambda a, b: make("max", (a, b)))

    # ---------------------------------------------------------------------------------------------------- within a period

    def _in_panes(self, name: str, period: Expr, legs: Sequence[Leg]) -> Expr:
        """Return how many orders, or what notional of them, legs have made within a period, in panes of a quarter of it."""
        make, key = self.pool.make, f"{_owner(legs)}desk.{name}({expression_text(period)})"
        unit = "1" if name == "orders" else self.whole.money
        start = self._cell(f"{key} start", "ns", "int")
        sums = [self._cell(f"{key} {index}", unit) for index in range(QUARTERS + 1)]
        ats = [self._cell(f"{key} {index} at", "ns", "int") for index in range(QUARTERS + 1)]
        quarter = make("div", (period, self._number(QUARTERS)))
        passed = make("ge", (self._seconds_since(start.name), quarter), "bool")
        # Before the first order a pane begins at 0, which may be later than now.
        begins = make("or", (make("lt", (self.now, start), "bool"), passed), "bool")
        for leg in legs:
            opens = self._bind(leg, f"{key} opens", begins)
            amount = self._orders(leg) if name == "orders" else self.pool.temp("notional")
            self._note(leg, start, self._select(opens, self.now, start))
            self._note(leg, sums[0], self._select(opens, amount, make("add", (sums[0], amount))))
            self._note(leg, ats[0], self.now)
            for cells in (sums, ats):
                for older, newer in zip(cells[1:], cells, strict=False):
                    self._note(leg, older, self._select(opens, newer, older))
        within = (make("le", (self._seconds_since(at.name), period), "bool") for at in ats)
        return self._add([self._select(each, amount, self.zero) for each, amount in zip(within, sums, strict=True)])

    # ------------------------------------------------------------------------------------------------------- where noted

    def _noting(self, leg: Leg) -> Leg:
        notes = self.notes[leg.name]
        if not notes:
            return leg
        # INVARIANT: a fill binds what an order is and costs, and then assigns all at once, see `ledger.fill`.
        *ordered, booked = leg.fill
        bound = (Let(name, value) for name, value in self.bound[leg.name].items())
        return replace(leg, fill=(*ordered, *bound, Assign(tuple(notes.items())), booked))

    def _keeping(self, event: Event) -> Event:
        """Return an event that keeps the marks which it replaces."""
        return replace(event, marks=self._kept(event.marks), observe=tuple(map(self._kept, event.observe)))

    def _kept(self, block: Block) -> Block:
        return tuple(
            replace(each, targets=(*each.targets, *self._replaced(dict(each.targets))))
            if isinstance(each, Assign)
            else each
            for each in block
        )

    def _replaced(self, targets: Mapping[str, Expr]) -> list[tuple[str, Expr]]:
        return [(previous, self.pool.cell(mark)) for mark, previous in self.previous.items() if mark in targets]

    def _opening(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Return the parts; when the last one has opened, the first marks have no others before them but themselves."""
        if not self.previous:
            return tuple(parts)
        marks = Assign(tuple((previous, self.pool.cell(mark)) for mark, previous in self.previous.items()))
        *others, last = parts
        return (*others, replace(last, endow_late=(*last.endow_late, marks)))


def _owner(legs: Sequence[Leg]) -> str:
    """Return the name of the innermost part that all these legs are in, with a dot behind it; none for the whole desk."""
    paths = [leg.name.split(".")[:-1] for leg in legs]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))
    return "".join(f"{names[0]}." for names in shared)
