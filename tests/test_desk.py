"""What a check asks of a whole desk: each figure against a plain bookkeeping of orders, and what may be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runners import same_in_native_code
from traders import SECOND, composed, head
from twins import Twins

from hedgerow.engine.counterexample.sent import Sent
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.printer import program_text
from hedgerow.engine.prove.player import Player

PERIOD = 60 * SECOND

# It orders what it is told to: three legs in two instruments, one of them on both sides.
PART = """\
hedgerow: 1
name: part
units: [USD, X, Y]
capital: {USD: 1024}
events:
  tick: {x: {unit: USD/X, range: [0, 1e6]}, y: {unit: USD/Y, range: [0, 1e6]}}
  go: {long: {unit: X}, short: {unit: X}, both: {unit: Y}}
instruments:
  x: {unit: X, price: tick.x}
  y: {unit: Y, price: tick.y}
legs:
  long: {instrument: x, side: long}
  short: {instrument: x, side: short}
  both: {instrument: y, side: both}
machine:
  initial: on
  fail_safe: off
  states:
    on:
      on:
        go:
          name: order
          do:
            target:
              long: max(long.quantity + go.long, 0 X)
              short: max(short.quantity + go.short, 0 X)
              both: both.quantity + go.both
    off: {}
"""
GATE = """\
hedgerow: 1
name: gate
units: [USD]
params:
  most: {default: 1e9, range: [-1e9, 1e9]}
  period: {default: 1m, unit: s, range: [1s, 1h]}
let: {gross: desk.gross, one: 1 USD}
machine: {initial: on, states: {on: {}}}
gates: {g: {checks: {asked: {of: FIGURE, most: most}}}}
"""
DESK = """\
hedgerow: 1
name: desk
use:
  gate: {spec: gate.yaml, events: {}}
  a: {spec: part.yaml}
  b: {spec: part.yaml, events: {go: go_b}}
"""


@cache
def asking(figure: str) -> Spec:
    """Return a desk whose gate asks for a figure, as a pure number."""
    return composed(DESK, part=PART, gate=GATE.replace("FIGURE", figure))


# ---------------------------------------------------------------------------------------------------- a plain bookkeeping


@dataclass
class Order:
    time: int
    leg: str
    delta: float
    notional: float
    count: int


@dataclass
class Books:
    """What a desk holds and has ordered: lists of all of it, and sums over them."""

    held: dict[str, float] = field(default_factory=dict)
    cash: dict[str, float] = field(default_factory=lambda: {"a": 1024.0, "b": 1024.0})
    marks: dict[str, float] = field(default_factory=dict)
    previous: dict[str, float] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def mark(self, x: float, y: float) -> None:
        new = {"x": x, "y": y}
        self.previous, self.marks = self.marks or new, new

    def price(self, leg: str) -> float:
        return self.marks["y" if leg.endswith("both") else "x"]

    def sign(self, leg: str) -> int:
        return -1 if leg.endswith("short") else 1

    def placed(self, time: int, part: str, sizes: Sequence[float]) -> tuple[Books, list[Order]]:
        """Return the books with the orders of a part, and these."""
        after = Books(dict(self.held), dict(self.cash), self.marks, self.previous, list(self.orders))
        made = []
        for name, size in zip(("long", "short", "both"), sizes, strict=True):
            leg = f"{part}.{name}"
            held = self.held.get(leg, 0.0)
            wanted = held + size if name == "both" else max(held + size, 0.0)
            if wanted == held:
                continue
            worth = (wanted - held) * self.price(leg)
            after.cash[part] -= self.sign(leg) * worth
            after.held[leg] = wanted
            made.append(Order(time, leg, wanted - held, abs(worth), 2 if wanted * held < 0 else 1))
        after.orders += made
        return after, made

    # Each figure, of books that hold the orders at hand already.

    def worths(self) -> dict[str, float]:
        return {leg: self.sign(leg) * quantity * self.price(leg) for leg, quantity in self.held.items()}

    def gross(self, _: Books, made: list[Order]) -> float:
        return sum(map(abs, self.worths().values()))

    def net(self, _: Books, made: list[Order]) -> float:
        return abs(sum(self.worths().values()))

    def equity(self, _: Books, made: list[Order]) -> float:
        return sum(self.cash.values()) + sum(self.worths().values())

    def counted(self, _: Books, made: list[Order]) -> float:
        return sum(order.count for order in made)

    def traded(self, _: Books, made: list[Order]) -> float:
        return sum(order.notional for order in made)

    def jump(self, _: Books, made: list[Order]) -> float:
        marks = {"y" if order.leg.endswith("both") else "x" for order in made}
        return max((abs(self.marks[each] / self.previous[each] - 1) for each in marks), default=0.0)

    def repeats(self, before: Books, made: list[Order]) -> float:
        last = {order.leg: order for order in before.orders}
        return sum(
            order.leg in last
            and last[order.leg].delta == order.delta
            and order.time - last[order.leg].time <= 5 * SECOND
            for order in made
        )

    def within(self, now: int, period: int, *, worth: bool = False) -> float:
        return sum(o.notional if worth else o.count for o in self.orders if now - o.time <= period)


FIGURES = {
    "desk.gross / one": Books.gross,
    "gross / one": Books.gross,
    "desk.net / one": Books.net,
    "desk.equity / one": Books.equity,
    "desk.orders": Books.counted,
    "desk.traded / one": Books.traded,
    "desk.jump": Books.jump,
    "desk.repeats(5s)": Books.repeats,
}
# Halves and quarters, so that doubles are exact and a limit can be hit.
sizes = st.sampled_from([0.0, 0.0, 1.0, 1.0, -1.0, 2.5, -4.0, 8.25])
prices = st.sampled_from([1.0, 2.0, 2.25, 4.0, 16.5])
waits = st.sampled_from([0, 1, SECOND, 4 * SECOND, 5 * SECOND, 7 * SECOND + 3, 15 * SECOND, 61 * SECOND])
ticks = st.tuples(st.just("tick"), waits, st.tuples(prices, prices))
go = st.tuples(st.sampled_from(["a", "b"]), waits, st.tuples(sizes, sizes, sizes))
sent = st.lists(st.one_of(ticks, go), max_size=14)


def send(machine: Twins, kind: str, time: int, values: Sequence[float]) -> Any:
    if kind == "tick":
        return machine.send("tick", time, x=values[0], y=values[1])
    event = {"a": "go", "b": "go_b"}[kind]
    return machine.send(event, time, **dict(zip(("long", "short", "both"), values, strict=True)))


@pytest.mark.parametrize("figure", FIGURES)
@settings(max_examples=15)
@given(
    events=sent, most=st.sampled_from([0.0, 0.5, 1.0, 2.0, 20.0, 66.0, 2048.0]), fill=st.sampled_from(["same", "next"])
)
def test_a_figure_is_that_of_a_plain_bookkeeping(figure: str, events: Any, most: float, fill: Any) -> None:
    # With the fill at the next mark the cash moves once more, and no other figure.
    fill = "same" if "equity" in figure else fill
    machine = Twins(asking(figure).compile(fill=fill, **{"gate.most": most}))
    machine.send("tick", 0, x=2.0, y=4.0)
    books, time = Books(), 0
    books.mark(2.0, 4.0)
    for kind, wait, values in events:
        time += wait
        step = send(machine, kind, time, values)
        if kind == "tick":
            books.mark(*values)
            continue
        after, made = books.placed(time, kind, values)
        wanted = FIGURES[figure](after, books, made)
        if made and wanted > most:
            assert [(verdict.check, verdict.value) for verdict in step.verdicts] == [("asked", wanted)]
            assert not step.orders and not step.errors
        else:
            assert not step.verdicts
            assert len(step.orders) == sum(order.count for order in made)
            books = after


@pytest.mark.parametrize(("figure", "worth"), [("desk.orders(period)", False), ("desk.traded(period) / one", True)])
@settings(max_examples=40)
@given(events=sent, most=st.sampled_from([1.0, 3.0, 7.0, 30.0]))
def test_no_order_of_a_period_is_missed_and_none_older_than_five_quarters_is_counted(
    figure: str, worth: bool, events: Any, most: float
) -> None:
    machine = Twins(asking(figure).compile(**{"gate.most": most}))
    machine.send("tick", 0, x=2.0, y=4.0)
    books, time = Books(), 0
    books.mark(2.0, 4.0)
    for kind, wait, values in events:
        time += wait
        step = send(machine, kind, time, values)
        if kind == "tick":
            books.mark(*values)
            continue
        after, made = books.placed(time, kind, values)
        least, greatest = (after.within(time, each, worth=worth) for each in (PERIOD, PERIOD * 5 // 4))
        if step.verdicts:
            (verdict,) = step.verdicts
            assert least <= float(verdict.value or 0) <= greatest
            assert greatest > most
        else:
            assert not made or least <= most
            books = after


def test_a_period_of_a_used_spec_has_the_range_that_it_has_there() -> None:
    own = "gates: {g: {checks: {c: desk.orders(a.wait) <= 3}}}\n"
    desk = "hedgerow: 1\nname: desk\nuse: {a: {spec: part.yaml}}\n" + own
    for low, fits in ("1s", True), ("0s", False):
        part = PART.replace("events:", f"params: {{wait: {{default: 5s, unit: s, range: [{low}, 9s]}}}}\nevents:")
        if fits:
            assert composed(desk, part=part)
        else:
            with pytest.raises(SpecError, match=r"`a.wait` may be 0, and counts nothing then"):
                composed(desk, part=part)


def test_a_period_is_closed_and_exact_where_orders_are_a_quarter_of_it_apart() -> None:
    machine = Twins(asking("desk.orders(period)").compile(**{"gate.most": 4}))
    machine.send("tick", 0, x=2.0, y=4.0)
    counts = []
    for index in range(9):
        step = send(machine, "a", 16 * SECOND * index, (1.0, 0.0, 0.0))
        counts.append(step.verdicts[0].value if step.verdicts else None)
    # Every 16 s: four are in a minute, and what is older than a minute is not counted.
    assert counts == [None] * 9
    machine = Twins(asking("desk.orders(period)").compile(**{"gate.most": 4}))
    machine.send("tick", 0, x=2.0, y=4.0)
    told = [send(machine, "a", 15 * SECOND * index, (1.0, 0.0, 0.0)).verdicts for index in range(6)]
    # Every 15 s: the fifth is the first one's, a minute later to the nanosecond.
    assert [bool(each) for each in told] == [False] * 4 + [True, False]


def test_the_clock_may_begin_before_1970_and_a_price_may_be_0() -> None:
    machine = Twins(asking("desk.orders(period)").compile(**{"gate.most": 2}))
    start = -(10**18)
    machine.send("tick", start, x=0.0, y=4.0)
    told = [bool(send(machine, "a", start + index * SECOND, (1.0, 0.0, 0.0)).verdicts) for index in (1, 2, 3, 100, 101)]
    assert told == [False, False, True, False, False]


def test_an_order_at_a_mark_that_follows_nothing_is_a_no() -> None:
    machine = Twins(asking("desk.jump").compile(**{"gate.most": 0.5}))
    machine.send("tick", 0, x=0.0, y=4.0)
    machine.send("tick", SECOND, x=2.0, y=4.0)
    step = send(machine, "a", 2 * SECOND, (1.0, 0.0, 0.0))
    assert step.verdicts[0].reason == "`gate.g.asked` has no value: division by zero"
    machine.send("tick", 3 * SECOND, x=2.0, y=4.0)
    assert send(machine, "a", 4 * SECOND, (1.0, 0.0, 0.0)).orders


def test_a_refused_mark_moves_neither_mark_nor_the_one_before_it() -> None:
    machine = Twins(asking("desk.jump").compile(**{"gate.most": 0.5}))
    machine.send("tick", 0, x=2.0, y=4.0)
    machine.send("tick", SECOND, x=4.0, y=4.0)
    assert machine.send("tick", 2 * SECOND, x=float("nan"), y=4.0).rejected
    step = send(machine, "a", 3 * SECOND, (1.0, 0.0, 0.0))
    assert step.verdicts[0].value == 1.0


def test_a_quantity_that_is_the_same_but_for_rounding_repeats() -> None:
    machine = Twins(asking("desk.repeats(5s)").compile(**{"gate.most": 0}))
    machine.send("tick", 0, x=2.0, y=4.0)
    assert send(machine, "a", 0, (0.1, 0.0, 0.0)).orders
    assert send(machine, "a", 6 * SECOND, (0.1, 0.0, 0.0)).orders
    # As doubles (0.2 + 0.1) - 0.2 is not 0.2 - 0.1.
    assert send(machine, "a", 7 * SECOND, (0.1, 0.0, 0.0)).verdicts
    assert send(machine, "a", 7 * SECOND, (0.2, 0.0, 0.0)).orders


def test_an_order_that_is_stopped_leaves_no_trace() -> None:
    machine = Twins(asking("desk.repeats(5s) + desk.orders(period) + desk.gross / one").compile(**{"gate.most": 3}))
    machine.send("tick", 0, x=2.0, y=4.0)
    before = dict(machine.snapshot.cells)
    assert send(machine, "a", 0, (1.0, 1.0, 1.0)).verdicts
    assert machine.snapshot.cells == before


def test_a_restored_machine_remembers_what_was_ordered() -> None:
    spec = asking("desk.repeats(5s)")
    first = Twins(spec.compile(**{"gate.most": 0}))
    first.send("tick", 0, x=2.0, y=4.0)
    assert send(first, "a", SECOND, (1.0, 0.0, 0.0)).orders
    second = Twins(spec.compile(**{"gate.most": 0}))
    second.restore(type(first.snapshot).from_json(first.snapshot.to_json()))
    assert send(second, "a", 2 * SECOND, (1.0, 0.0, 0.0)).verdicts


def test_orders_of_several_steps_of_one_event_are_counted_together() -> None:
    text = """\
hedgerow: 1
name: eager
units: [USD, X]
capital: {USD: 1000}
events: {tick: {x: {unit: USD/X, range: [1, 100]}}}
instruments: {x: {unit: X, price: tick.x}}
legs: {long: {instrument: x, side: long}}
machine:
  initial: on
  fail_safe: off
  states:
    on: {always: {name: more, if: long.quantity < 10 X, do: {increase: {long: 2 X}}}}
    off: {}
gates: {g: {checks: {WHAT}}}
"""
    found = {}
    for what in ("desk.orders <= 3", "desk.traded <= 21 USD", "desk.repeats(1s) <= 1", "desk.orders(1m) <= 4"):
        machine = Twins(loads(text.replace("WHAT", f"c: {what}")).compile())
        machine.send("tick", 0, x=5.0)
        found[what] = machine.value("long.quantity")
    assert found == {
        "desk.orders <= 3": 6,
        "desk.traded <= 21 USD": 4,
        "desk.repeats(1s) <= 1": 4,
        "desk.orders(1m) <= 4": 8,
    }


# ------------------------------------------------------------------------------------------------------- whose legs


def test_a_gate_of_a_spec_with_legs_asks_for_its_own_and_one_without_for_all_of_the_innermost_desk() -> None:
    own = PART + "gates: {own: {checks: {size: {of: desk.gross, most: 10 USD}}}}\n"
    inner = "hedgerow: 1\nname: inner\nuse: {gate: {spec: gate.yaml}, a: {spec: own.yaml}, b: {spec: part.yaml}}\n"
    outer = "hedgerow: 1\nname: outer\nuse: {d: {spec: inner.yaml}, c: {spec: part.yaml}}\n"
    gate = GATE.replace("FIGURE", "desk.gross / one")
    spec = composed(outer, part=PART, own=own, gate=gate, inner=inner)
    machine = Twins(spec.compile(**{"d.gate.most": 24}))
    machine.send("tick", 0, x=2.0, y=4.0)
    step = machine.send("go", SECOND, long=4.0, short=0.0, both=0.0)
    # Each of three orders 8 USD: `a` and `b` keep 24 together, `a` its own 10; `c` is none of theirs.
    assert [order.leg for order in step.orders] == ["d.a.long", "d.b.long", "c.long"]
    step = machine.send("go", 2 * SECOND, long=2.0, short=0.0, both=0.0)
    # `a` would hold 12, more than its own; `a` and `b` together 24, which is not more.
    assert [order.leg for order in step.orders] == ["d.b.long", "c.long"]
    assert {verdict.gate for verdict in step.verdicts} == {"d.a.own"}


def test_what_stood_before_the_event_can_be_asked_for() -> None:
    machine = Twins(asking("(desk.gross - before.desk.gross) / one + before.desk.orders").compile(**{"gate.most": 4}))
    machine.send("tick", 0, x=2.0, y=4.0)
    told = [send(machine, "a", 0, (size, 0.0, 0.0)).verdicts for size in (2.0, 2.0, 2.5)]
    assert [each[0].value if each else None for each in told] == [None, None, 5.0]


def test_a_bundle_of_governance_judges_who_uses_it() -> None:
    bundle = "hedgerow: 1\nname: bundle\nuse: {gate: {spec: gate.yaml}}\n"
    desk = "hedgerow: 1\nname: desk\nuse: {rules: {spec: bundle.yaml}, a: {spec: part.yaml}}\n"
    spec = composed(desk, part=PART, bundle=bundle, gate=GATE.replace("FIGURE", "desk.net / one"))
    machine = Twins(spec.compile(**{"rules.gate.most": 7}))
    machine.send("tick", 0, x=2.0, y=4.0)
    (verdict,) = send(machine, "a", 0, (4.0, 0.0, 0.0)).verdicts
    assert (verdict.gate, verdict.value) == ("rules.gate.g", 8.0)


def test_a_program_that_asks_nothing_of_a_desk_has_nothing_more_in_it() -> None:
    plain = composed(DESK.replace("  gate: {spec: gate.yaml, events: {}}\n", ""), part=PART)
    cells = {cell.name for cell in plain.program("same").cells}
    assert not {each for each in cells if "desk" in each or each.endswith((".orders", ".previous"))}
    gross = {cell.name for cell in asking("desk.gross / one").program("same").cells}
    assert gross == cells
    assert {cell.name for cell in asking("desk.orders").program("same").cells} - cells == {
        f"{part}.{leg}.orders" for part in "ab" for leg in ("long", "short", "both")
    }


def test_what_a_check_asks_becomes_ordinary_arithmetic_over_ordinary_cells() -> None:
    shown = {}
    for figure in ("desk.net / one", "desk.equity / one", "desk.orders", "desk.jump", "before.desk.gross / one"):
        text = GATE.replace("FIGURE", figure)
        desk = "hedgerow: 1\nname: d\nuse: {gate: {spec: gate.yaml}, a: {spec: part.yaml}}\n"
        lines = program_text(composed(desk, part=PART, gate=text).program("same")).splitlines()
        (check,) = (line for line in lines if line.startswith("  check asked: "))
        shown[figure] = check.removeprefix("  check asked: (").removesuffix(" <= gate.most) in 1")
    long, short, both = (
        "(a.long.quantity * a.x.price)",
        "(a.short.quantity * a.x.price)",
        "(a.both.quantity * a.y.price)",
    )
    counts = [f"(a.{leg}.orders - before.a.{leg}.orders)" for leg in ("long", "short", "both")]
    rest = [f"(a.{leg}.orders == before.a.{leg}.orders)" for leg in ("long", "short", "both")]
    moves = [f"abs(((a.{each}.price / a.{each}.previous) - 1))" for each in "xy"]
    gross = [
        f"(abs(a.{leg}.quantity) * a.{mark}.price)" for leg, mark in (("long", "x"), ("short", "x"), ("both", "y"))
    ]
    before = [each.replace("a.", "before.a.") for each in gross]
    assert shown == {
        "desk.net / one": f"(abs(({long} + (-{short} + {both}))) / 1)",
        "desk.equity / one": f"((((a.cash + {long}) - {short}) + {both}) / 1)",
        "desk.orders": f"({counts[0]} + ({counts[1]} + {counts[2]}))",
        "desk.jump": f"max((0 if ({rest[0]} and {rest[1]}) else {moves[0]}), (0 if {rest[2]} else {moves[1]}))",
        "before.desk.gross / one": f"(({before[0]} + ({before[1]} + {before[2]})) / 1)",
    }


# ------------------------------------------------------------------------------------------------ in every way of running

EVERYTHING = """\
hedgerow: 1
name: gate
units: [USD]
machine: {initial: on, states: {on: {}}}
gates:
  g:
    applies: increase
    checks:
      gross: {of: desk.gross, most: 900 USD}
      net: {of: desk.net, most: 600 USD}
      leverage: {of: desk.gross, most: 2 * desk.equity}
      orders: {of: desk.orders, most: 3}
      traded: {of: desk.traded, most: 500 USD}
      turnover: {of: desk.traded(20s), most: 1500 USD}
      rate: {of: desk.orders(10s), most: RATE}
      jump: {of: desk.jump, most: 0.6}
      repeats: {of: desk.repeats(2s), most: 0}
"""
TRADER = (
    head("trader", params="low: {default: 20, unit: USD/IDX, range: [1, 100]}")
    + """\
legs: {both: {instrument: index, side: both}, long: {instrument: index, side: long}}
machine:
  initial: on
  fail_safe: off
  states:
    on:
      on:
        tick:
          - {name: buy, if: tick.price < low, do: {increase: {both: 3 IDX, long: 1 IDX}}}
          - {name: turn, if: tick.price > 60 USD / 1 IDX, do: [{target: {both: -both.quantity}}, {close: long}]}
          - {name: sell, if: tick.price > 40 USD / 1 IDX, do: [{target: {both: 0 IDX}}]}
      after: {90s: {name: tired, do: {target: {long: 2 IDX}}}}
    off: {}
"""
)
PAIR = (
    "hedgerow: 1\nname: desk\nuse: {gate: {spec: gate.yaml}, a: {spec: t.yaml}, b: {spec: t.yaml, params: {low: 30}}}\n"
)


@cache
def traders(rate: int) -> Spec:
    return composed(PAIR, gate=EVERYTHING.replace("RATE", str(rate)), t=TRADER)


@settings(max_examples=25)
@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from([10.0, 15.0, 18.0, 25.0, 25.0, 35.0, 35.0, 35.0, 45.0, 62.0, 70.0]),
            st.sampled_from([0, SECOND // 2, SECOND, 3 * SECOND, 40 * SECOND]),
        ),
        min_size=1,
        max_size=60,
    ),
    rate=st.sampled_from([4, 100]),
    fill=st.sampled_from(("same", "next")),
)
def test_a_desk_runs_alike_on_every_backend_whatever_its_gate_asks(moves: Any, rate: int, fill: Any) -> None:
    spec = traders(rate)
    machine = Twins(spec.compile(fill=fill))
    times = np.cumsum([wait for _, wait in moves]).tolist()
    prices = [price for price, _ in moves]
    orders = sum(len(machine.send("tick", time, price=price).orders) for time, price in zip(times, prices, strict=True))
    assert same_in_native_code(spec, prices, fill, times).orders[0] == orders


@settings(max_examples=10)
@given(events=sent, most=st.sampled_from([3.0, 20.0, 66.0]))
def test_a_proof_stops_the_orders_that_a_machine_stops(events: Any, most: float) -> None:
    figure = "desk.repeats(5s) + desk.orders(period) + desk.gross / one + desk.jump"
    compiled = asking(figure).compile(**{"gate.most": most})
    exact = {name: Fraction(value) for name, value in compiled.parameters.items()}
    machine, player = Twins(compiled), Player(compiled.program, compiled.registry, exact)
    played, told, time = [Sent("tick", 0, (Fraction(2), Fraction(4)))], [machine.send("tick", 0, x=2.0, y=4.0)], 0
    for kind, wait, values in events:
        time += wait
        told.append(send(machine, kind, time, values))
        played.append(Sent({"tick": "tick", "a": "go", "b": "go_b"}[kind], time, tuple(map(Fraction, values))))
    for step, outcome in zip(told, player.play(played), strict=True):
        (only,) = outcome.outcomes
        assert only.stopped == tuple(verdict.name for verdict in step.verdicts)
        assert [order.leg for order in only.orders] == list(dict.fromkeys(order.leg for order in step.orders))


def test_orders_that_pass_every_check_of_a_desk_stay_in_native_code() -> None:
    prices = [35.0] * 5 + [25.0] + [35.0] * 5000 + [45.0] + [35.0] * 7 + [28.0]
    times = [index * 3 * SECOND for index in range(len(prices))]
    found = same_in_native_code(traders(100), prices, "same", times)
    # Rows that are left out leave the mark before the last one as it would be; the timers are native, too.
    assert found.orders[0] >= 7
    assert found.handed[0] <= 2


# ----------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("check", "code", "message", "help"),
    [
        ("desk.gros <= 5 USD", "HR201", "unknown name `desk.gros`", "did you mean `desk.gross`?"),
        ("desk <= 5 USD", "HR201", "unknown name `desk`", ""),
        ("desk.repeats <= 5", "HR201", "unknown name `desk.repeats`", "it needs a period: write `desk.repeats(5s)`"),
        ("desk.gross(5s) <= 5 USD", "HR212", "unknown function `desk.gross`", "it takes no period: write `desk.gross`"),
        ("desk.order(5s) <= 5", "HR212", "unknown function `desk.order`", "did you mean `desk.orders`?"),
        ("desk.orders(5s, 6s) <= 5", "HR213", "`desk.orders` takes a period", "write `desk.orders(5s)`"),
        ("desk.orders(5) <= 5", "HR301", "the period of `desk.orders` is a time, written out or a param", ""),
        ("desk.orders(2 * 5s) <= 5", "HR301", "the period of `desk.orders` is a time, written out or a param", ""),
        ("desk.orders(0s) <= 5", "HR304", "the period may be 0, and counts nothing then", ""),
        ("desk.orders(wait) <= 5", "HR304", "`wait` may be 0, and counts nothing then", "give it a `range:`"),
        ("desk.gross <= 5", "HR302", "this compares `USD` and `1`", ""),
    ],
)
def test_a_question_that_cannot_be_asked_is_told(check: str, code: str, message: str, help: str) -> None:
    text = GATE.replace("most: {default", "wait: {default: 1s, unit: s}\n  most: {default").replace(
        "{of: FIGURE, most: most}", f'"{check}"'
    )
    with pytest.raises(SpecError) as error:
        loads(text)
    (found,) = error.value.diagnostics
    assert (found.code, found.message) == (code, message)
    assert help in found.help
    assert found.span.line == 10


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("machine: {initial: on", "invariants: {never: desk.orders <= 3}\nmachine: {initial: on", "an invariant"),
        ("let: {gross: desk.gross,", "state: {held: {unit: USD, initial: desk.gross}}\nlet: {", "an initial value"),
    ],
)
def test_only_checks_ask_for_a_desk(old: str, new: str, place: str) -> None:
    with pytest.raises(SpecError) as error:
        loads(GATE.replace("FIGURE", "desk.orders").replace(old, new))
    first = error.value.diagnostics[0]
    assert first.code == "HR210"
    assert first.message.startswith("`desk.") and first.message.endswith(f"cannot be read in {place}")


def test_money_without_a_currency_is_told() -> None:
    gate = GATE.replace("units: [USD]\n", "").replace("let: {gross: desk.gross, one: 1 USD}\n", "")
    with pytest.raises(SpecError) as error:
        loads(gate.replace("FIGURE", "desk.gross"))
    (found,) = error.value.diagnostics
    assert found.code == "HR302"
    assert found.help == "declare the currency of the orders that the gate judges: `units: [USD]`"


def test_a_gate_that_counts_in_another_currency_than_the_legs_is_refused_where_it_is_used() -> None:
    gate = GATE.replace("FIGURE", "desk.gross / one").replace("USD", "EUR")
    with pytest.raises(SpecError) as error:
        composed(DESK, part=PART, gate=gate)
    (found,) = error.value.diagnostics
    assert (found.code, found.span.line) == ("HR606", 4)
    assert found.message == "the gates of `gate` count in `EUR`, and the legs that they judge in `USD`"
    assert "units: [USD]" in found.help
    # What counts orders only has no currency.
    plain = GATE.replace("FIGURE", "desk.orders").replace("units: [USD]", "units: [EUR]").replace(", one: 1 USD", "")
    assert composed(DESK, part=PART, gate=plain.replace("let: {gross: desk.gross}\n", ""))


def test_the_word_is_taken() -> None:
    with pytest.raises(SpecError) as error:
        loads(GATE.replace("FIGURE", "1").replace("  most:", "  desk: {default: 1}\n  most:"))
    assert [found.code for found in error.value.diagnostics] == ["HR211"]
