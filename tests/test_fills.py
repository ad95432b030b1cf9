"""Fills from outside and machines in the shadow (DESIGN rule 15): the ledger moves on what a venue tells, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import Twins

import hedgerow
from hedgerow import Step
from hedgerow.cli.main import main
from hedgerow.engine.backends.live import Machine
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.evaluate import EXACT
from hedgerow.engine.load import Compiled, ParameterError, Spec, loads
from hedgerow.engine.semantics import Reference
from hedgerow.engine.snapshot import Snapshot, SnapshotError
from hedgerow.engine.step import Order

FEW, MANY = settings(max_examples=40), settings(max_examples=120)

HEAD = """\
hedgerow: 1
name: filled
units: [USD, X]
capital: {USD: 1000}
fills: external
events:
  tick: {price: {unit: USD/X, range: [1, 1000]}}
  target: {leg: {type: int, range: [0, 2]}, to: {unit: X}}
  all: {to: {unit: X}}
  stop: {}
params: {most: {default: 1e9, unit: X, range: [1, 1e9]}}
state: {heard: {initial: 0}, told: {initial: 0}}
instruments: {thing: {unit: X, price: tick.price, fee: 0.01}}
legs:
  long: {instrument: thing, side: long}
  short: {instrument: thing, side: short}
  book: {instrument: thing, side: both}
gates: {size: {checks: {gross: {of: long.quantity + short.quantity + abs(book.quantity), most: most}}}}
"""
ON = """\
error.execution: {name: caught, do: {set: {heard: heard + 1}}}
gate.rejected: {name: stopped, do: {set: {told: told + 1}}}
all: {name: all, do: [{target: {book: all.to}}, {target: {short: all.to}}, {target: {long: all.to}}]}
target:
  - {name: one, if: target.leg == 0, do: [{target: {long: target.to}}]}
  - {name: two, if: target.leg == 1, do: [{target: {short: target.to}}]}
  - {name: three, do: [{target: {book: target.to}}]}
"""


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


ONE = HEAD + "machine:\n  initial: on\n  fail_safe: halted\n  states:\n    on:\n      on:\n" + indented(ON, 8)
ONE += "        stop: {name: stop, to: over}\n    halted: {}\n    over: {final: true}\n"
# The same beside a region that moves on each fill: its code is another generator's.
REGIONS = """\
machine:
  initial: both
  fail_safe: halted
  states:
    both:
      parallel: true
      states:
        trading:
          initial: on
          states:
            on:
              on:
CHART
        watching:
          initial: none
          states:
            none: {on: {long.filled: {name: first, to: some}}}
            some: {on: {long.filled: {name: next, do: {set: {told: told + long.filled.fee / 1 USD}}}}}
    halted: {}
"""
TWO = HEAD + REGIONS.replace("CHART\n", indented(ON, 16)).replace("told: told + 1}", "heard: heard + 100}")
LEGS = ("long", "short", "book")


@cache
def spec(text: str = ONE) -> Spec:
    return loads(text)


def halting(text: str = ONE) -> str:
    """Return a spec that leaves errors to its fail-safe state."""
    return text.replace("        error.execution: {name: caught, do: {set: {heard: heard + 1}}}\n", "")


def book(text: str = ONE, price: float = 10.0, **parameters: float) -> Twins:
    machine = Twins(spec(text).compile(**parameters))
    machine.send("tick", 0, price=price)
    return machine


def target(machine: Any, leg: str, to: float, time: int = 0) -> Step:
    step: Step = machine.send("target", time, leg=LEGS.index(leg), to=to)
    return step


def fill(
    machine: Any,
    leg: str,
    order: int,
    quantity: float,
    *,
    price: float = 10.0,
    fee: float = 0.0,
    total: float | None = None,
    time: int = 0,
) -> Step:
    so_far = quantity if total is None else total
    step: Step = machine.send(f"{leg}.filled", time, order=order, quantity=quantity, price=price, fee=fee, total=so_far)
    return step


def values(machine: Twins, *cells: str) -> tuple[Any, ...]:
    return tuple(machine.value(cell) for cell in cells)


# ------------------------------------------------------------------------------------------------- orders and fills


def test_an_order_moves_no_money_and_is_told_with_its_number_and_what_it_would_cost() -> None:
    machine = book()
    step = target(machine, "long", 4.0)
    assert step.orders == (Order("long", "thing", "one", "buy", 4.0, 10.0, 40.0, 0.4, 0.0, 1),)
    assert values(machine, "cash", "fees", "long.quantity") == (1000.0, 0.0, 0.0)
    assert values(machine, "long.working", "long.order", "long.target", "orders.count") == (4.0, 1, 4.0, 1)


def test_partial_fills_accumulate_and_slippage_is_what_they_cost_against_the_mark() -> None:
    machine = book()
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 1.0, price=12.0, fee=0.5)
    assert values(machine, "long.quantity", "long.working", "cash") == (1.0, 3.0, 1000 - 12 - 0.5)
    assert values(machine, "long.average", "slippage", "fees") == (10.0, 2.0, 0.5)
    machine.send("tick", 1, price=20.0)
    fill(machine, "long", 1, 3.0, price=19.0, fee=0.25, total=4.0, time=1)
    assert values(machine, "long.quantity", "long.working", "long.order") == (4.0, 0.0, 0)
    assert values(machine, "cash", "slippage", "fees") == (1000 - 12 - 57 - 0.75, 2.0 - 3.0, 0.75)
    assert values(machine, "long.average", "long.realised") == ((10 + 3 * 20) / 4, 0.0)
    target(machine, "long", 2.0, 1)
    fill(machine, "long", 2, 2.0, price=20.0, time=1)
    assert values(machine, "long.quantity", "long.realised") == (2.0, 2 * (20 - 17.5))


def test_a_short_leg_sells_what_it_grows_by() -> None:
    machine = book()
    (order,) = target(machine, "short", 4.0).orders
    assert (order.side, order.quantity) == ("sell", 4.0)
    fill(machine, "short", 1, 4.0, price=9.0, fee=0.5)
    assert values(machine, "short.quantity", "cash", "slippage") == (4.0, 1000 + 36 - 0.5, 4.0)


def test_an_order_that_crosses_zero_is_one_order() -> None:
    machine = book()
    target(machine, "book", 2.0)
    fill(machine, "book", 1, 2.0)
    (order,) = target(machine, "book", -3.0).orders
    assert (order.side, order.quantity, order.number) == ("sell", 5.0, 2)
    assert machine.value("book.working") == -5.0
    fill(machine, "book", 2, 4.0, price=11.0)
    assert values(machine, "book.quantity", "book.working", "book.average") == (-2.0, -1.0, 10.0)
    fill(machine, "book", 2, 1.0, price=11.0, total=5.0)
    assert values(machine, "book.quantity", "book.working", "cash") == (-3.0, 0.0, 1000 - 20 + 55)


def test_orders_of_one_event_have_their_numbers_in_the_order_of_the_legs() -> None:
    machine = book()
    target(machine, "short", 1.0)
    fill(machine, "short", 1, 1.0)
    orders = machine.send("all", 0, to=3.0).orders
    assert [(order.leg, order.number) for order in orders] == [("long", 2), ("short", 3), ("book", 4)]


@pytest.mark.parametrize("end", ["rejected", "cancelled"])
def test_what_is_rejected_or_cancelled_works_no_longer_and_what_was_filled_stays(end: str) -> None:
    machine = book()
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 1.0)
    machine.send(f"long.{end}", 0, order=1)
    assert values(machine, "long.quantity", "long.working", "long.order", "heard") == (1.0, 0.0, 0, 0.0)
    assert [order.number for order in target(machine, "long", 4.0).orders] == [2]


def test_what_is_closed_in_parts_is_exactly_nothing() -> None:
    machine = book()
    target(machine, "long", 0.3)
    fill(machine, "long", 1, 0.3)
    target(machine, "long", 0.0)
    fill(machine, "long", 2, 0.1)
    fill(machine, "long", 2, 0.1, total=0.2)
    assert machine.value("long.working") == -(0.3 - 0.2)
    fill(machine, "long", 2, 0.1, total=0.3)
    assert values(machine, "long.quantity", "long.average", "long.working") == (0.0, 0.0, 0.0)


# ----------------------------------------------------------------------------------------- what does not fit, and refusals

UNFIT = {
    "another order": ("filled", {"order": 7, "quantity": 1.0, "total": 2.0}, "no working order of `long`"),
    "a duplicate": ("filled", {"order": 1, "quantity": 1.0, "total": 1.0}, "booked already"),
    "more than was ordered": ("filled", {"order": 1, "quantity": 3.5, "total": 4.5}, "more than was ordered"),
    "after a lost one": ("filled", {"order": 1, "quantity": 1.0, "total": 3.0}, "`total` is not the fills so far"),
    "the rejection of another": ("rejected", {"order": 2}, "no working order of `long`"),
    "the cancellation of another": ("cancelled", {"order": 2}, "no working order of `long`"),
}


@pytest.mark.parametrize("case", UNFIT)
@pytest.mark.parametrize("text", [ONE, TWO], ids=["one", "two"])
def test_what_does_not_fit_books_nothing_is_told_and_leads_to_the_fail_safe_state(case: str, text: str) -> None:
    kind, fields, reason = UNFIT[case]
    lines = [line for line in text.splitlines() if "caught" not in line]
    machine = book("\n".join(lines) + "\n")
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 1.0)
    before = machine.snapshot
    more = {"price": 10.0, "fee": 0.25} if kind == "filled" else {}
    step = machine.send(f"long.{kind}", 0, **fields, **more)
    (error,) = step.errors
    assert reason in error and "nothing is booked" in error
    assert f"order {fields['order']}" in error and "order 1 has 3.0 outstanding" in error
    assert "halted" in machine.snapshot.configuration and "fail_safe" in step.fired
    assert machine.snapshot.cells == before.cells
    # The order still works, and what fits is still booked.
    fill(machine, "long", 1, 3.0, total=4.0)
    assert values(machine, "long.quantity", "long.working") == (4.0, 0.0)


def test_a_fill_of_what_is_filled_already_is_unknown() -> None:
    machine = book(halting())
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 4.0)
    (error,) = fill(machine, "long", 1, 4.0).errors
    assert "quantity 4.0" in error and "of `long` none is working" in error
    assert values(machine, "long.quantity", "cash") == (4.0, 960.0)


def test_a_spec_that_handles_the_error_goes_on() -> None:
    machine = book()
    step = fill(machine, "book", 1, 4.0)
    assert step.fired == ("caught",) and machine.snapshot.configuration == ("on",)
    assert values(machine, "book.quantity", "heard") == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": 0.0}, "the quantity of a fill is not above 0"),
        ({"quantity": -1.0}, "`quantity` = -1.0 is below 0"),
        ({"quantity": float("nan")}, "`quantity` = nan is not a finite number"),
        ({"price": -1.0}, "`price` = -1.0 is below 0"),
        ({"fee": float("inf")}, "`fee` = inf is not a finite number"),
        ({"order": 0}, "`order` = 0 is below 1"),
        ({"order": 1.5}, "`order` = 1.5 is not a whole number"),
        ({"total": float("nan")}, "`total` = nan is not a finite number"),
    ],
)
def test_what_is_no_fill_is_refused(change: dict[str, Any], reason: str) -> None:
    machine = book()
    target(machine, "long", 4.0)
    before = machine.snapshot
    fields: dict[str, Any] = {"order": 1, "quantity": 1.0, "price": 10.0, "fee": 0.0, "total": 1.0} | change
    step = machine.send("long.filled", 0, **fields)
    assert (step.rejected, step.raised) == (reason, ("input.rejected",))
    assert machine.snapshot == before


def test_a_fill_at_a_time_that_has_passed_is_refused() -> None:
    machine = book()
    machine.send("tick", 5, price=11.0)
    target(machine, "long", 4.0, 5)
    assert "before the last event" in str(fill(machine, "long", 1, 4.0, time=4).rejected)
    assert machine.value("long.working") == 4.0


# --------------------------------------------------------------------------------------------- while an order works


@pytest.mark.parametrize("text", [ONE, TWO], ids=["one", "two"])
def test_a_leg_on_which_an_order_works_takes_no_other_and_that_is_no_error(text: str) -> None:
    machine = book(text)
    target(machine, "long", 4.0)
    step = target(machine, "long", 6.0)
    assert (step.orders, step.errors, step.fired) == ((), (), ("stopped",))
    (verdict,) = step.verdicts
    assert (verdict.gate, verdict.check, verdict.rule, verdict.value) == ("long", "working", "one", 4.0)
    assert verdict.reason == "order 1 of `long` is working: 4 X of it are outstanding"
    assert values(machine, "long.working", "long.target", "orders.count") == (4.0, 4.0, 1)
    # A transition is dropped whole: no leg of it is ordered (rule 8).
    assert machine.send("all", 0, to=1.0).orders == ()
    assert [order.leg for order in target(machine, "short", 1.0).orders] == ["short"]


SHUT = """\
shut: {name: shut, do: [{close: [long, short, book]}, {set: {heard: heard + 0.5}}]}
back: {name: back, do: [{target: {long: 0 X}}]}
less: {name: less, do: [{reduce: {long: long.quantity}}]}
leave: {name: leave, to: aside}
"""
ASIDE = "aside: {entry: {close: [long, short, book]}, on: {leave: {name: come, to: on}}}\n"
"""What closes: in a transition, on entry, by another word; and what would take nothing from nothing."""


def shutting(text: str) -> str:
    """Return a spec in which events close legs, too."""
    deep = 16 if text is TWO else 8
    text = text.replace("  stop: {}\n", "  stop: {}\n  shut: {}\n  back: {}\n  less: {}\n  leave: {}\n")
    first, state = f"{' ' * deep}error.execution:", f"{' ' * (deep - 4)}on:\n"
    return text.replace(first, indented(SHUT, deep) + first).replace(state, indented(ASIDE, deep - 4) + state, 1)


@pytest.mark.parametrize("text", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("event", ["shut", "back", "leave"])
def test_a_leg_that_holds_nothing_yet_is_not_closed_while_an_order_opens_it(text: str, event: str) -> None:
    machine = book(shutting(text))
    target(machine, "long", 4.0)
    before = machine.snapshot.configuration
    step = machine.send(event, 1)
    assert (step.orders, step.errors, step.fired) == ((), (), ("stopped",))
    assert [verdict.reason for verdict in step.verdicts] == ["order 1 of `long` is working: 4 X of it are outstanding"]
    assert machine.snapshot.configuration == before
    machine.send("long.cancelled", 2, order=1)
    step = machine.send(event, 3)
    assert (step.fired, step.orders, step.verdicts) == ((event,), (), ())


def test_two_regions_that_order_a_leg_on_which_an_order_works_are_both_told_so_and_neither_fails() -> None:
    regions = """\
machine:
  parallel: true
  fail_safe: halted
  states:
    buyer: {initial: buying, states: {buying: {on: {all: {name: more, do: {increase: {long: 2 X}}}}}, halted: {}}}
    closer: {initial: closing, states: {closing: {on: {all: {name: shut, do: {close: long}}}}}}
"""
    machine = book(HEAD + regions)
    assert machine.send("all", 1, to=0.0).fired == ("more", "shut")
    step = machine.send("all", 2, to=0.0)
    assert (step.fired, step.errors) == ((), ())
    assert sorted((verdict.name, verdict.rule) for verdict in step.verdicts) == [
        ("long.working", "more"),
        ("long.working", "shut"),
    ]


def test_to_take_nothing_from_a_leg_is_no_order_of_it_whatever_works() -> None:
    machine = book(shutting(ONE))
    target(machine, "long", 4.0)
    assert (machine.send("less", 1).fired, machine.value("long.working")) == (("less",), 4.0)


def test_a_fail_safe_state_that_cannot_close_tells_of_the_order_that_works() -> None:
    text = halting(ONE).replace("    halted: {}\n", "    halted: {entry: {close: long}}\n")
    machine = book(text)
    target(machine, "long", 4.0)
    step = fill(machine, "short", 9, 1.0)
    assert machine.snapshot.configuration == ("halted",)
    assert step.errors[-1] == "entering `halted`: order 1 of `long` is working: 4 X of it are outstanding"


@pytest.mark.parametrize("text", [ONE, TWO], ids=["one", "two"])
@FEW
@given(
    deeds=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(("fill", "part", "cancelled", "rejected")), st.sampled_from(LEGS)),
            st.tuples(st.just("target"), st.sampled_from(LEGS), st.integers(-3, 3)),
            st.tuples(st.sampled_from(("shut", "back", "leave", "all"))),
        ),
        max_size=25,
    )
)
def test_no_close_fires_and_leaves_an_order_working_that_opens_the_leg_unseen(
    text: str, deeds: list[tuple[Any, ...]]
) -> None:
    machine = book(shutting(text))
    closes = {"shut": LEGS, "back": ("long",), "leave": LEGS}
    for kind, *rest in deeds:
        working = {leg: machine.value(f"{leg}.working") for leg in LEGS}
        if kind in ("shut", "back", "leave"):
            step = machine.send(kind, 0)
            for leg in closes[kind] if kind in step.fired else ():
                assert not working[leg]
                assert machine.value(f"{leg}.quantity") + machine.value(f"{leg}.working") == 0
        elif kind == "all":
            machine.send("all", 0, to=2.0)
        elif kind == "target":
            target(machine, rest[0], float(rest[1]))
        elif working[rest[0]]:
            (leg,) = rest
            number, left, done = (machine.value(f"{leg}.{each}") for each in ("order", "working", "total"))
            size = abs(left) / (2 if kind == "part" else 1)
            if kind in ("fill", "part"):
                fill(machine, leg, int(number), size, total=done + size)
            else:
                machine.send(f"{leg}.{kind}", 0, order=int(number))


def test_a_gate_sees_what_works_as_if_it_were_filled() -> None:
    machine = book(most=10.0)
    target(machine, "long", 6.0)
    assert machine.value("long.quantity") == 0.0
    (verdict,) = target(machine, "short", 5.0).verdicts
    assert (verdict.gate, verdict.value) == ("size", 11.0)
    assert target(machine, "short", 4.0).orders
    assert values(machine, "long.quantity", "short.quantity", "cash") == (0.0, 0.0, 1000.0)
    machine.send("long.rejected", 0, order=1)
    assert target(machine, "book", -6.0).orders


def test_what_a_desk_grows_by_counts_what_still_works_and_what_is_traded_does_not() -> None:
    checks = "{grown: {of: desk.gross - before.desk.gross, most: 50 USD}, traded: {of: desk.traded, most: 25 USD}}"
    machine = book(
        ONE.replace("{gross: {of: long.quantity + short.quantity + abs(book.quantity), most: most}}", checks)
    )
    target(machine, "long", 2.0)
    target(machine, "book", 2.0)
    # 20 each work; 20 more are 60 by the one and 20 by the other.
    (verdict,) = target(machine, "short", 2.0).verdicts
    assert (verdict.check, verdict.value) == ("grown", 60.0)
    fill(machine, "long", 1, 2.0)
    assert target(machine, "short", 1.0).orders


def test_a_gate_on_cash_sees_what_working_orders_will_cost() -> None:
    text = ONE.replace("gross: {of:", "paid: {of: cash, least: 500 USD}, gross: {of:")
    machine = book(text)
    target(machine, "long", 30.0)
    (verdict,) = target(machine, "book", 30.0).verdicts
    # 1,000 less 300 and a fee of 3 for each of both orders.
    assert (verdict.check, verdict.value) == ("paid", 394.0)
    assert machine.value("cash") == 1000.0


@FEW
@given(st.lists(st.tuples(st.sampled_from(LEGS), st.integers(-8, 8), st.booleans()), max_size=12))
def test_no_sequence_of_accepted_orders_passes_a_gross_limit_once_all_are_filled(
    orders: list[tuple[str, int, bool]],
) -> None:
    machine, working = book(most=10.0), dict[str, Order]()

    def done(order: Order) -> None:
        fill(machine, order.leg, order.number, float(order.quantity))

    for leg, to, at_once in orders:
        for order in target(machine, leg, float(to)).orders:
            if at_once:
                done(order)
            else:
                working[leg] = order
    for order in working.values():
        done(order)
    gross = sum(abs(float(machine.value(f"{leg}.quantity"))) for leg in LEGS)
    assert gross <= 10 and all(machine.value(f"{leg}.working") == 0 for leg in LEGS)


def test_invariants_see_the_ledger_as_it_is() -> None:
    machine = book(ONE + "invariants: {small: long.quantity <= 3 X, spent: cash >= 980 USD}\n")
    assert target(machine, "long", 4.0).broken == ()
    assert fill(machine, "long", 1, 4.0).broken == ("small", "spent")


def test_expressions_read_what_works() -> None:
    guarded = (
        "        long.filled: {name: complete, if: long.working == 0, do: {set: {told: told + 10}}}\n        stop:"
    )
    machine = book(ONE.replace("        stop:", guarded))
    target(machine, "long", 4.0)
    assert fill(machine, "long", 1, 1.0).fired == ()
    assert fill(machine, "long", 1, 3.0, total=4.0).fired == ("complete",)


def test_in_simulated_modes_nothing_ever_works_and_no_event_fills() -> None:
    text = ONE + "invariants: {idle: long.working == 0 and short.working == 0 and book.working == 0}\n"
    for mode in ("same", "next"):
        machine = Twins(spec(text).compile(fill=mode))
        machine.send("tick", 0, price=10.0)
        step = machine.send("all", 0, to=4.0)
        assert [order.number for order in step.orders] == [0, 0, 0] and not step.broken
        assert machine.value("long.quantity") == 4.0
        assert "unknown event" in str(fill(machine, "long", 1, 1.0).rejected)


def test_a_state_flattens_in_the_end_though_an_order_worked_when_it_was_entered() -> None:
    text = """\
    halted:
      entry: [{close: long}]
      on:
        long.cancelled: {name: flatten, do: [{close: long}]}
        long.filled: {name: rest, do: [{close: long}]}
"""
    machine = book(halting(ONE).replace("    halted: {}\n", text))
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 1.0)
    step = fill(machine, "long", 9, 1.0)
    assert machine.snapshot.configuration == ("halted",) and not step.orders
    assert "is working" in step.errors[-1]
    (order,) = machine.send("long.cancelled", 0, order=1).orders
    fill(machine, "long", order.number, float(order.quantity))
    assert values(machine, "long.quantity", "long.working") == (0.0, 0.0)


def test_a_machine_that_has_come_to_its_end_takes_fills_until_nothing_is_outstanding() -> None:
    machine = book()
    target(machine, "long", 4.0)
    machine.send("stop", 0)
    assert machine.snapshot.configuration == ("over",) and not machine.machine.ended
    fill(machine, "long", 1, 1.0)
    assert not machine.machine.ended
    (error,) = fill(machine, "long", 3, 1.0).errors
    assert "order 3" in error
    fill(machine, "long", 1, 3.0, total=4.0)
    assert machine.machine.ended and values(machine, "long.quantity", "cash") == (4.0, 960.0)
    assert machine.send("tick", 1, price=11.0).rejected == "the machine has ended"


def test_what_a_spec_observes_of_a_fill_cannot_undo_its_booking() -> None:
    text = ONE.replace("params:", "observe: {long.filled: {told: 1 / (long.filled.fee / 1 USD)}}\nparams:")
    machine = book(text)
    target(machine, "long", 4.0)
    assert "observing `long.filled`" in fill(machine, "long", 1, 1.0, fee=0.0).errors[0]
    assert values(machine, "long.quantity", "told") == (1.0, 0.0)
    fill(machine, "long", 1, 3.0, fee=0.5, total=4.0)
    assert values(machine, "long.quantity", "told") == (4.0, 2.0)


# ------------------------------------------------------------------------------------------------------- laws


@dataclass
class Venue:
    """What a venue knows of one leg, by hand."""

    position: Fraction = Fraction(0)
    number: int = 0
    ordered: Fraction = Fraction(0)
    filled: Fraction = Fraction(0)
    last: dict[str, Any] = field(default_factory=dict)

    @property
    def working(self) -> Fraction:
        return self.ordered - self.filled if self.number else Fraction(0)

    def end(self) -> None:
        self.number, self.ordered, self.filled = 0, Fraction(0), Fraction(0)


WHOLE = st.integers(1, 40).map(lambda n: Fraction(n, 7))
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), WHOLE.map(lambda x: x + 1)),
        st.tuples(st.just("target"), st.sampled_from(LEGS), st.integers(-9, 9).map(lambda n: Fraction(n, 3))),
        st.tuples(st.just("fill"), st.sampled_from(LEGS), st.integers(1, 4), WHOLE, st.integers(-2, 5).map(Fraction)),
        st.tuples(st.sampled_from(("again", "unknown", "too much", "rejected", "cancelled")), st.sampled_from(LEGS)),
    ),
    max_size=30,
)


class Books:
    """An exact machine beside venues, with what must hold of both after each deed."""

    def __init__(self) -> None:
        compiled = spec().compile()
        parameters = {p.name: p.default for p in compiled.program.parameters}
        self.reference = Reference(compiled.program, parameters, compiled.registry, EXACT)
        self.snapshot = self.reference.initial()
        self.venues = {leg: Venue() for leg in LEGS}
        self.fees = Fraction(0)
        self.send("tick", price=Fraction(10))

    def send(self, event: str, **fields: Any) -> Step:
        declared = self.reference.events[event].fields
        self.snapshot, step = self.reference.step(self.snapshot, event, 0, [fields[each.name] for each in declared])
        assert step.rejected is None
        return step

    def do(self, deed: Sequence[Any]) -> None:
        before = self.snapshot
        kind, *rest = deed
        if kind == "tick":
            self.send("tick", price=rest[0])
        elif kind == "target":
            self._target(*rest)
        elif kind == "fill":
            self._fill(*rest)
        else:
            self._tell(kind, *rest)
        self._laws(before)

    def _target(self, leg: str, to: Fraction) -> None:
        venue = self.venues[leg]
        step = self.send("target", leg=LEGS.index(leg), to=to)
        if venue.number and to != venue.position and (leg == "book" or to >= 0):
            assert step.fired == ("stopped",) and not step.orders and not step.errors
        elif to != venue.position and (leg == "book" or to >= 0):
            (order,) = step.orders
            assert order.quantity == abs(to - venue.position)
            venue.number, venue.ordered = order.number, to - venue.position
        else:
            assert not step.orders

    def _fill(self, leg: str, quarters: int, price: Fraction, fee: Fraction) -> None:
        venue = self.venues[leg]
        if not venue.number:
            return
        part = venue.working * Fraction(quarters, 4)
        venue.last = {"order": venue.number, "quantity": abs(part), "price": price, "fee": fee}
        venue.last["total"] = abs(venue.filled + part)
        assert self.send(f"{leg}.filled", **venue.last).errors == ()
        venue.filled += part
        venue.position += part
        self.fees += fee
        if not venue.working:
            venue.end()

    def _tell(self, kind: str, leg: str) -> None:
        venue, step = self.venues[leg], None
        some = {"price": Fraction(9), "fee": Fraction(1), "quantity": Fraction(1, 9), "total": Fraction(1, 9)}
        if kind == "again" and venue.last:
            step = self.send(f"{leg}.filled", **venue.last)
        elif kind == "unknown":
            step = self.send(f"{leg}.filled", **some, order=venue.number + 1)
        elif kind == "too much" and venue.number:
            rest, all_of_it = abs(venue.working) + 1, abs(venue.ordered) + 1
            step = self.send(f"{leg}.filled", **some | {"order": venue.number, "quantity": rest, "total": all_of_it})
        elif kind in ("rejected", "cancelled"):
            known, number = bool(venue.number), venue.number or 1
            told = self.send(f"{leg}.{kind}", order=number)
            assert bool(told.errors) != known
            venue.end()
        if step is not None:
            assert len(step.errors) == 1 and step.fired == ("caught",)

    def _laws(self, before: Snapshot) -> None:
        cells, old = self.snapshot.cells, before.cells
        price, signs = cells["thing.price"], {"long": 1, "short": -1, "book": 1}
        for leg, venue in self.venues.items():
            assert cells[f"{leg}.quantity"] == venue.position
            assert cells[f"{leg}.working"] == venue.working
            assert cells[f"{leg}.order"] == venue.number
        assert cells["fees"] == self.fees

        def equity(of: Mapping[str, Any]) -> Any:
            held = sum(sign * of[f"{leg}.quantity"] for leg, sign in signs.items())
            return of["cash"] + held * of["thing.price"]

        held = sum(sign * old[f"{leg}.quantity"] for leg, sign in signs.items())
        costs = sum(cells[name] - old[name] for name in ("fees", "slippage"))
        assert equity(cells) - equity(old) == held * (price - old["thing.price"]) - costs
        profit = sum(
            cells[f"{leg}.realised"] + sign * (price - cells[f"{leg}.average"]) * cells[f"{leg}.quantity"]
            for leg, sign in signs.items()
        )
        assert equity(cells) - 1000 == profit - cells["fees"] - cells["slippage"]


@MANY
@given(DEEDS)
def test_money_is_conserved_and_working_orders_are_what_is_not_filled_yet(deeds: list[Sequence[Any]]) -> None:
    books = Books()
    for deed in deeds:
        books.do(deed)


@FEW
@given(DEEDS, st.sampled_from([ONE, TWO, halting(ONE)]))
def test_the_generated_machine_agrees_with_the_reference_to_the_last_bit(deeds: list[Sequence[Any]], text: str) -> None:
    machine = book(text)
    last: dict[str, Any] = {}
    for time, deed in enumerate(deeds):
        kind, *rest = deed
        leg = rest[0]
        if kind == "tick":
            machine.send("tick", time, price=float(rest[0]))
        elif kind == "target":
            target(machine, leg, float(rest[1]), time)
        elif kind in ("rejected", "cancelled"):
            machine.send(f"{leg}.{kind}", time, order=max(int(machine.value(f"{leg}.order")), 1))
        else:
            part = abs(float(machine.value(f"{leg}.working"))) * (rest[1] / 4 if kind == "fill" else 1.5)
            if kind != "again":
                last = {"order": max(int(machine.value(f"{leg}.order")), 1), "quantity": part or 0.1, "price": 9.7}
                last |= {"fee": 0.3, "total": float(machine.value(f"{leg}.total")) + last["quantity"]}
            if last:
                machine.send(f"{leg}.filled", time, **last)
        # A machine that takes up the snapshot goes on as this one does.
        machine.restore(Snapshot.from_json(machine.snapshot.to_json()).fitted(*_of(machine)))


def _of(machine: Twins) -> tuple[Any, str, Any]:
    reference = machine.reference
    return reference.program, reference.digest, reference.given


@FEW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("tick"), st.floats(1, 1000)),
            st.tuples(st.sampled_from(LEGS), st.floats(-20, 20)),
        ),
        max_size=20,
    ),
    st.integers(1, 3),
)
def test_orders_that_are_filled_whole_at_the_mark_leave_what_a_simulation_leaves(
    deeds: list[tuple[str, float]], parts: int
) -> None:
    live, simulated = book(), Twins(spec().compile(fill="same"))
    simulated.send("tick", 0, price=10.0)
    price = 10.0
    for kind, value in deeds:
        if kind == "tick":
            price = value
            for machine in (live, simulated):
                machine.send("tick", 0, price=value)
        else:
            step, expected = target(live, kind, value), target(simulated, kind, value)
            # A simulated order that crosses zero is told as two.
            assert sum(order.quantity for order in step.orders) == pytest.approx(
                sum(order.quantity for order in expected.orders)
            )
            for order in step.orders:
                size, fee = float(order.quantity), float(order.fee)
                for part in range(1, parts):
                    fill(live, kind, order.number, size / parts, price=price, total=size * part / parts)
                share, total = (size, size) if parts == 1 else (size / parts, size)
                fill(live, kind, order.number, share, price=price, fee=fee, total=total)
        for cell in (*(f"{leg}.quantity" for leg in LEGS), "fees"):
            assert live.value(cell) == simulated.value(cell)
        if parts == 1:
            assert {name: live.value(name) for name in simulated.snapshot.cells} == simulated.snapshot.cells


# ------------------------------------------------------------------------------------------- snapshots and other backends


def test_a_snapshot_keeps_what_works() -> None:
    machine = book()
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 1.0)
    other = spec().compile().machine()
    other.restore(machine.machine.snapshot().to_json())
    assert fill(other, "long", 1, 3.0, total=4.0) == fill(machine, "long", 1, 3.0, total=4.0)
    assert other.snapshot() == machine.machine.snapshot()
    assert [order.number for order in target(other, "long", 1.0).orders] == [2]


def test_a_snapshot_of_a_simulated_machine_is_not_taken_up_by_one_with_fills_from_outside() -> None:
    saved = spec().compile(fill="same").machine().snapshot()
    with pytest.raises(SnapshotError, match="the spec, its fill mode or Hedgerow has changed"):
        spec().compile().machine().restore(saved)


def test_the_transitions_adapter_does_what_the_machine_does() -> None:
    adapter = pytest.importorskip("hedgerow.engine.backends.transitions")
    compiled = spec(halting()).compile(most=10.0)
    machine, other = compiled.machine(), adapter.to_transitions(compiled)

    def both(deed: Callable[[Any], Step]) -> Step:
        step = deed(machine)
        assert deed(other) == step and other.snapshot() == machine.snapshot()
        return step

    both(lambda each: each.send("tick", 0, price=10.0))
    assert both(lambda each: target(each, "long", 4.0)).orders
    assert both(lambda each: target(each, "long", 5.0)).verdicts
    assert both(lambda each: target(each, "short", 7.0)).verdicts
    both(lambda each: fill(each, "long", 1, 1.0))
    both(lambda each: each.send("long.cancelled", 0, order=1))
    assert both(lambda each: fill(each, "long", 1, 1.0)).fired == ("fail_safe",)


# ------------------------------------------------------------------------------------------------------- the shadow


@FEW
@given(DEEDS, st.sampled_from([ONE, TWO]))
def test_a_machine_in_the_shadow_is_in_the_state_of_a_dry_run_and_sends_nothing(
    deeds: list[Sequence[Any]], text: str
) -> None:
    compiled = spec(text).compile()
    shadow, dry = compiled.machine(shadow=True), spec(text).compile(fill="same").machine()
    for time, deed in enumerate([("tick", 10), *deeds, ("stop",), ("tick", float("nan"))]):
        kind, *rest = deed
        for machine in (shadow, dry):
            if kind in ("tick", "stop"):
                step = machine.send(kind, time, **({"price": float(rest[0])} if rest else {}))
            elif kind == "target":
                step = target(machine, rest[0], float(rest[1]), time)
            else:
                step = machine.advance(time)
            if machine is shadow:
                seen = step
        assert seen.orders == () and seen._replace(orders=seen.shadowed, shadowed=()) == step
        assert shadow.snapshot() == dry.snapshot()


def test_every_way_into_a_machine_in_the_shadow_sends_nothing() -> None:
    machine = spec().compile().machine(shadow=True)
    machine.port("tick")(0, 10.0)
    by_port = machine.port("target")(1, 0, 4.0)
    by_name = machine.send("target", 2, leg=1, to=4.0)
    assert [(step.orders, [each.leg for each in step.shadowed]) for step in (by_port, by_name)] == [
        ((), ["long"]),
        ((), ["short"]),
    ]
    assert machine.send("target", 3, leg=1).rejected == "`target` came without its field `to`"
    assert machine.value("long.quantity") == 4.0


def test_a_timer_of_a_machine_in_the_shadow_sends_nothing() -> None:
    timed = "    on:\n      after: {1s: {do: [{target: {long: 4 X}}]}}\n      on:\n"
    text = ONE.replace("    on:\n      on:\n", timed, 1)
    machine = loads(text).compile().machine(shadow=True)
    machine.send("tick", 0, price=10.0)
    step = machine.advance(2 * 10**9)
    assert (step.orders, [order.quantity for order in step.shadowed]) == ((), [4.0])


def test_a_spec_that_simulates_its_fills_can_stand_in_the_shadow_too() -> None:
    compiled = loads(ONE.replace("fills: external\n", "")).compile(fill="next")
    machine = compiled.machine(shadow=True)
    machine.send("tick", 0, price=10.0)
    step = machine.send("target", 0, leg=0, to=4.0)
    assert len(step.shadowed) == 1 and not step.orders
    assert compiled.machine().send("tick", 0, price=10.0).orders == ()


# ------------------------------------------------------------------------------------------------------- compositions

STRATEGY = """\
hedgerow: 1
name: strategy
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 1000]}}, buy: {by: {unit: X}}}
instruments: {thing: {unit: X, price: tick.price}}
legs: {long: {instrument: thing, side: long}}
FILLS
machine:
  initial: on
  fail_safe: halted
  states:
    on: {on: {buy: {name: buy, do: [{increase: {long: buy.by}}]}}}
    halted: {}
"""
DESK = """\
hedgerow: 1
name: desk
units: [USD, X]
capital: {USD: 500}
use: {first: {spec: strategy.yaml}, second: {spec: strategy.yaml, events: {buy: buy_second}}}
events: {tick: {price: {unit: USD/X, range: [1, 1000]}}}
instruments: {thing: {unit: X, price: tick.price}}
legs: {own: {instrument: thing, side: both}}
state: {seen: {initial: 0}}
FILLS
machine:
  initial: on
  fail_safe: halted
  states:
    on:
      on:
        first.long.filled: {name: heard, do: {set: {seen: seen + first.long.filled.price * 1 X / 1 USD}}}
        buy: {name: buy, do: [{target: {own: -1 X}}]}
    halted: {}
"""


def desk(tmp_path: Path, inside: str, outside: str) -> Twins:
    (tmp_path / "strategy.yaml").write_text(STRATEGY.replace("FILLS\n", inside))
    (tmp_path / "desk.yaml").write_text(DESK.replace("FILLS\n", outside))
    machine = Twins(hedgerow.load(tmp_path / "desk.yaml").compile())
    machine.send("tick", 0, price=10.0)
    return machine


@pytest.mark.parametrize(("inside", "outside"), [("fills: external\n", ""), ("", "fills: external\n")])
def test_a_composition_takes_all_its_fills_from_outside_where_one_of_its_specs_says_so(
    tmp_path: Path, inside: str, outside: str
) -> None:
    machine = desk(tmp_path, inside, outside)
    orders = machine.send("buy", 1, by=4.0).orders
    orders += machine.send("buy_second", 2, by=2.0).orders
    # One counter a machine, whichever part orders.
    assert [(each.leg, each.number) for each in orders] == [("first.long", 1), ("own", 2), ("second.long", 3)]
    step = fill(machine, "first.long", 1, 4.0, price=11.0, time=3)
    assert step.fired == ("heard",)
    assert values(machine, "first.long.quantity", "first.cash", "seen") == (4.0, 956.0, 11.0)
    fill(machine, "own", 2, 1.0, time=4)
    assert values(machine, "own.quantity", "cash") == (-1.0, 510.0)
    assert values(machine, "second.long.quantity", "second.long.working") == (0.0, 2.0)


def test_what_does_not_fit_one_part_leads_that_part_to_safety(tmp_path: Path) -> None:
    machine = desk(tmp_path, "", "fills: external\n")
    machine.send("buy", 1, by=4.0)
    step = fill(machine, "second.long", 1, 4.0, time=3)
    assert "of `second.long` none is working" in step.errors[0]
    assert machine.snapshot.configuration == ("first.on", "second.halted", "on")
    fill(machine, "own", 9, 4.0, time=3)
    assert machine.snapshot.configuration == ("first.on", "second.halted", "halted")


def test_a_gate_over_a_composition_sees_what_works_in_its_parts(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text(STRATEGY.replace("FILLS\n", "fills: external\n"))
    text = DESK.replace(
        "FILLS\n", "gates: {size: {checks: {gross: {of: first.long.quantity + abs(own.quantity), most: 4}}}}\n"
    )
    (tmp_path / "desk.yaml").write_text(text)
    machine = Twins(hedgerow.load(tmp_path / "desk.yaml").compile())
    machine.send("tick", 0, price=10.0)
    (verdict,) = machine.send("buy", 1, by=4.0).verdicts
    assert (verdict.check, verdict.value, verdict.rule) == ("gross", 5.0, "buy")


def test_a_desk_reads_what_works_in_a_spec_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text(STRATEGY.replace("FILLS\n", "fills: external\n"))
    (tmp_path / "desk.yaml").write_text(DESK.replace("FILLS\n", "invariants: {idle: first.long.working == 0}\n"))
    machine = Twins(hedgerow.load(tmp_path / "desk.yaml").compile())
    machine.send("tick", 0, price=10.0)
    assert machine.send("buy", 1, by=4.0).broken == ("idle",)


# ------------------------------------------------------------------------------------------------------- mistakes

MISTAKES: Iterable[tuple[str, str, str, str, str]] = [
    ("no legs", "fills: external\n", "HR419", "there is nothing to fill", "remove it"),
    ("an event of that name", "  long.filled: {}\n", "HR202", "`long.filled`, which fills orders of `long`", "another"),
    ("a longer name", "  book.rejected.late: {}\n", "HR202", "is called as `book.rejected`", "choose another name"),
    ("raised", "raise: {long.rejected: {order: 1}}", "HR419", "comes from outside", "an event of your own"),
    ("a price", "price: {tick: tick.price, long.filled: long.filled.price}", "HR419", "sets none", "of your own"),
    (
        "not such a fill",
        "fills: next\n",
        "HR104",
        "`simulated` or `external` is expected here",
        "write `simulated` or `external`",
    ),
]


def mistaken(case: str, written: str) -> str:
    if case == "no legs":
        return f"hedgerow: 1\nname: none\n{written}machine: {{initial: on, states: {{on: {{}}}}}}\n"
    if "name" in case:
        return ONE.replace("  stop: {}\n", f"  stop: {{}}\n{written}")
    if case == "raised":
        return ONE.replace("stop: {name: stop, to: over}", f"stop: {{name: stop, to: over, do: [{{{written}}}]}}")
    if case == "a price":
        return ONE.replace("price: tick.price", written)
    return ONE.replace("fills: external\n", written)


@pytest.mark.parametrize(("case", "written", "code", "message", "help"), MISTAKES, ids=[each[0] for each in MISTAKES])
def test_a_mistake_about_fills_is_told_where_it_is_written(
    case: str, written: str, code: str, message: str, help: str
) -> None:
    text = mistaken(case, written)
    with pytest.raises(SpecError) as raised:
        loads(text)
    found = raised.value.diagnostics[0]
    assert found.code == code and message in found.message and help in found.help
    first = written.strip().split(":")[0].removeprefix("raise: {")
    assert first.split("{")[-1].split()[0] in text.splitlines()[found.span.line - 1]


def test_an_event_that_fills_keeps_its_name_in_a_composition(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_text(STRATEGY.replace("FILLS\n", "fills: external\n"))
    text = DESK.replace("FILLS\n", "").replace("events: {buy: buy_second}", "events: {long.filled: done}")
    (tmp_path / "desk.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"here it is `second.long.filled`"):
        hedgerow.load(tmp_path / "desk.yaml")


def test_working_orders_are_unknown_to_a_spec_that_simulates_its_fills() -> None:
    text = ONE.replace("fills: external\n", "") + "invariants: {idle: long.working == 0}\n"
    with pytest.raises(SpecError, match="orders work where fills come from outside: add `fills: external`"):
        loads(text)


def test_only_a_spec_that_says_so_is_compiled_with_fills_from_outside() -> None:
    assert spec().fill == "external" and spec().compile().program.fill == "external"
    other = loads(ONE.replace("fills: external\n", ""))
    assert other.fill == "same" and other.compile().program.fill == "same"
    with pytest.raises(ParameterError, match="only for a spec that says `fills: external`"):
        other.compile(fill="external")
    with pytest.raises(ParameterError, match="`fill` is `same` or `next`"):
        other.compile(fill="later")  # type: ignore[arg-type]  # that is the test


def test_a_spec_that_says_that_it_simulates_its_fills_is_one_that_says_nothing() -> None:
    said, unsaid = (loads(ONE.replace("fills: external\n", text)) for text in ("fills: simulated\n", ""))
    assert said.compile().digest == unsaid.compile().digest


def test_an_order_of_more_money_than_a_float_holds_is_an_error() -> None:
    machine = book()
    machine.send("tick", 0, price=1000.0)
    step = target(machine, "long", 1e306)
    assert (step.orders, step.fired) == ((), ("caught",))
    assert "costs more than a float can hold" in step.errors[0]


def test_an_outlook_without_a_value_is_no_yes() -> None:
    machine = book()
    machine.send("tick", 0, price=170.0)
    assert target(machine, "book", 1e306).orders == ()  # more than the gate's limit
    unlimited = book(ONE.replace("most: {default: 1e9, unit: X, range: [1, 1e9]}", "most: {default: 1e308, unit: X}"))
    unlimited.send("tick", 0, price=170.0)
    assert target(unlimited, "long", 1e306).orders
    unlimited.send("tick", 0, price=1000.0)
    step = target(unlimited, "book", 1.0)
    assert (step.orders, step.fired) == ((), ("caught",))
    assert "not finite" in step.errors[0]


def test_what_fits_is_booked_by_the_generated_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (ONE, TWO):
        machine = spec(text).compile().machine()
        machine.send("tick", 0, price=10.0)
        with monkeypatch.context() as patch:
            patch.setattr(Machine, "_defer", lambda *_: pytest.fail("the event was handed to the reference"))
            target(machine, "long", 4.0)
            fill(machine, "long", 1, 1.0)
            fill(machine, "long", 1, 3.0, total=4.0)
            target(machine, "short", 1.0)
            machine.send("short.rejected", 0, order=2)
        assert machine.value("long.quantity") == 4.0


def test_a_proof_about_fills_from_outside_is_refused() -> None:
    prove = pytest.importorskip("hedgerow.engine.prove.prove")
    with pytest.raises(ParameterError, match="a proof simulates fills"):
        prove.prove(spec(), fill="external")


# ------------------------------------------------------------------------------------------------------- commands

SCRIPT = """\
- {event: tick, with: {price: 10}}
- event: target
  with: {leg: 0, to: 4}
  expect: {orders: [{leg: long, side: buy, quantity: 4, number: 1}], values: {long.working: 4}}
- event: target
  with: {leg: 0, to: 5}
  expect: {stopped: [long.working], raised: [gate.rejected]}
- event: long.filled
  with: {order: 1, quantity: 4, price: 10.5, fee: 0.2, total: 4}
  at: +1s
  expect: {values: {long.quantity: 4, long.working: 0, cash: 957.8}, errors: false}
- {event: long.rejected, with: {order: 3}, expect: {errors: no working order, fired: [caught]}}
- {event: target, with: {leg: 1, to: 1}, expect: {orders: [{leg: short, side: sell, quantity: 1}]}}
"""
SIMULATED = "fills are simulated here; a live machine of this spec takes them from outside\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "spec.yaml").write_text(ONE)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    (tmp_path / "prices.csv").write_text("time,price\n2024-01-02,10\n2024-01-03,11\n2024-01-04,12\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_script_sends_fills_and_expects_what_works(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "spec.yaml", "--events", "script.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "#1 buy 4.0 long at 10.0 (one)" in shown and "all hold" in shown and SIMULATED not in shown
    assert main(["explain", "spec.yaml", "--events", "script.yaml", "--item", "2"]) == 0
    assert "#1 buy 4 thing" in capsys.readouterr().out
    assert main(["run", "spec.yaml", "--events", "script.yaml", "--json"]) == 0
    assert '"number": 1' in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_script_with_fills_is_refused_where_fills_are_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "spec.yaml", "--events", "script.yaml", "--fill", "next"]) == 2
    told = capsys.readouterr().err
    assert "`long.filled` fills an order, which `--fill next` simulates" in told and "script.yaml:8" in told
    assert "leave out --fill, or the fills of the script" in told


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "command",
    [
        ["run", "spec.yaml", "--data", "prices.csv", "--event", "tick", "--no-report"],
        ["sweep", "spec.yaml", "--data", "prices.csv", "--event", "tick", "--grid", "most=1:3:1", "--no-report"],
        ["explore", "spec.yaml", "--steps", "50"],
        ["prove", "spec.yaml", "--only", "nothing_below_zero"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_simulates_fills_says_so_in_one_line(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.yaml").write_text(ONE + "invariants: {nothing_below_zero: long.quantity >= 0}\n")
    main(command)
    assert capsys.readouterr().out.count(SIMULATED) == 1


def test_a_report_of_what_a_rule_harvests_on_fills_is_of_live_machines_only() -> None:
    rule = "        long.filled: {name: got, do: []}\n        stop:"
    text = ONE.replace("        stop:", rule) + "report: {harvest: {got: long.filled.fee}}\n"
    loaded = loads(text)
    assert loaded.program("external").report.measures == (("harvest", ("got",)),)
    assert loaded.program("same").report.measures == (("harvest", ()),)
    machine = book(text)
    target(machine, "long", 4.0)
    fill(machine, "long", 1, 4.0, fee=0.5)
    assert machine.value("report.harvest") == 0.5


def test_a_compiled_spec_without_such_fills_is_what_it_was() -> None:
    compiled: Compiled = loads(ONE.replace("fills: external\n", "")).compile()
    assert all(leg.working == leg.order == "" for leg in compiled.program.legs)
    assert compiled.program.outlook == () and not any(event.leg for event in compiled.program.events)
    assert not any("working" in cell.name or "orders" in cell.name for cell in compiled.program.cells)
