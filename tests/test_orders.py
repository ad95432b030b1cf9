"""Orders and the ledger (DESIGN rules 14 and 15) against a book kept by hand in exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import Twins, spec, twins

from hedgerow import Step
from hedgerow.engine.evaluate import EXACT
from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import Compiled
from hedgerow.engine.semantics import Reference

SECOND = 10**9
FEW = settings(max_examples=60)

TEXT = """
hedgerow: 1
name: orders
units: [USD, X]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/X, range: [0.01, 1000]}}
  increase: {by: {unit: X}}
  reduce: {by: {unit: X}}
  target: {to: {unit: X}}
  close: {}
  funding: {rate: {}}
state: {heard: {initial: 0}}
instruments:
  thing: {unit: X, price: tick.price, fee: 0.01, slippage: 0.02, half_spread: 0.25, TERMS}
legs: {leg: {instrument: thing, side: SIDE, quantity: OPENING}}
machine:
  initial: a
  fail_safe: halted
  states:
    a:
      on:
        error.execution: {name: caught, do: {set: {heard: heard + 1}}}
        increase: {name: increase, do: {increase: {leg: increase.by}}}
        reduce: {name: reduce, do: {reduce: {leg: reduce.by}}}
        target: {name: target, do: {target: {leg: target.to}}}
        close: {name: close, do: {close: leg}}
    halted: {}
"""


def text(side: str, opening: float = 0, terms: str = "") -> str:
    found = TEXT.replace("SIDE", side).replace("OPENING", str(opening))
    return found.replace(", TERMS", f", {terms}" if terms else "")


def book(side: str, opening: float = 0, terms: str = "", price: float = 10.0, fill: FillMode = "same") -> Twins:
    machine = twins(text(side, opening, terms), fill=fill)
    machine.send("tick", 0, price=price)
    return machine


# ---------------------------------------------------------------------------------------------------- verbs


@pytest.mark.parametrize(
    ("side", "held", "event", "amount", "after", "sides"),
    [
        ("long", 2, "increase", 3, 5, ["buy"]),
        ("long", 5, "reduce", 3, 2, ["sell"]),
        ("long", 5, "target", 7, 7, ["buy"]),
        ("long", 5, "target", 0, 0, ["sell"]),
        ("short", 2, "increase", 3, 5, ["sell"]),
        ("short", 5, "reduce", 3, 2, ["buy"]),
        ("short", 5, "target", 1, 1, ["buy"]),
        ("both", 2, "increase", 3, 5, ["buy"]),
        ("both", -2, "increase", 3, -5, ["sell"]),
        ("both", -5, "reduce", 3, -2, ["buy"]),
        ("both", 5, "reduce", 3, 2, ["sell"]),
        ("both", 0, "increase", 3, 3, ["buy"]),
        ("both", 2, "target", -3, -3, ["sell", "sell"]),
        ("both", -2, "target", 3, 3, ["buy", "buy"]),
    ],
)
def test_a_verb_takes_the_leg_where_it_says(
    side: str, held: float, event: str, amount: float, after: float, sides: list[str]
) -> None:
    machine = book(side, held)
    step = machine.send(event, 1, **{"to" if event == "target" else "by": float(amount)})
    assert machine.value("leg.quantity") == after
    assert [order.side for order in step.orders] == sides
    assert sum(float(order.quantity) for order in step.orders) == abs(after - held)
    assert {(order.leg, order.instrument, order.rule, order.price) for order in step.orders} == {
        ("leg", "thing", event, 10.0)
    }


@pytest.mark.parametrize(
    ("side", "held", "event", "fields"),
    [
        ("long", 2, "reduce", {"by": 3.0}),
        ("short", 2, "reduce", {"by": 3.0}),
        ("long", 2, "target", {"to": -1.0}),
        ("short", 2, "target", {"to": -1.0}),
        ("long", 2, "increase", {"by": -1.0}),
        ("both", 2, "increase", {"by": -1.0}),
        ("both", 2, "reduce", {"by": -1.0}),
        ("both", 2, "reduce", {"by": 5.0}),
        ("both", -2, "reduce", {"by": 5.0}),
    ],
)
def test_an_order_below_zero_is_refused_and_not_clipped(
    side: str, held: float, event: str, fields: dict[str, float]
) -> None:
    machine = book(side, held)
    step = machine.send(event, 1, **fields)
    assert (step.orders, step.fired) == ((), ("caught",))
    assert machine.value("leg.quantity") == held


@pytest.mark.parametrize(
    ("event", "fields"),
    [("increase", {"by": 0.0}), ("reduce", {"by": 0.0}), ("target", {"to": 2.0}), ("target", {"to": 2})],
)
def test_no_change_is_no_order_and_costs_nothing(event: str, fields: dict[str, float]) -> None:
    machine = book("long", 2)
    before = machine.snapshot.cells
    step = machine.send(event, 1, **fields)
    assert (step.fired, step.orders) == ((event,), ())
    assert machine.snapshot.cells == before


def test_closing_an_empty_leg_is_no_order() -> None:
    assert book("long").send("close", 1).orders == ()


def test_closing_writes_exactly_zero_whatever_the_lot_and_the_least_notional() -> None:
    machine = book("long", 0.1, "lot: 0.04, minimum_notional: 500")
    machine.send("close", 1)
    assert repr(machine.value("leg.quantity")) == "0.0"
    assert repr(machine.value("leg.average")) == "0.0"


def test_the_cost_of_an_order_is_fee_slippage_and_half_spread_on_what_moved() -> None:
    (order,) = book("long", 2).send("target", 1, to=6.0).orders
    assert order == ("leg", "thing", "target", "buy", 4.0, 10.0, 40.0, 0.4, 0.8 + 1.0, 0)


def test_an_order_that_crosses_zero_is_two_which_share_its_costs_and_realises_what_was_closed() -> None:
    machine = book("both", -2)
    machine.send("tick", 1, price=8.0)
    closing, opening = machine.send("target", 2, to=3.0).orders
    assert (closing.quantity, opening.quantity) == (2, 3)
    for cost, total in (("notional", 40.0), ("fee", 0.4), ("slippage", 0.8 + 1.25)):
        parts = getattr(closing, cost), getattr(opening, cost)
        assert sum(parts) == pytest.approx(total, rel=1e-15)
        assert parts[0] == pytest.approx(total * 2 / 5, rel=1e-15)
    cells = machine.snapshot.cells
    assert cells["leg.realised"] == 2 * (10 - 8)
    assert cells["leg.average"] == 8


# ---------------------------------------------------------------------------------------------------- lots


@pytest.mark.parametrize("side", ["long", "short", "both"])
@given(held=st.integers(0, 40), wanted=st.integers(0, 400))
@FEW
def test_a_change_is_cut_towards_zero_to_whole_lots(side: str, held: int, wanted: int) -> None:
    lot = Fraction(1, 10)
    machine = Reference(lots(side).program, {}, lots(side).registry, EXACT)
    snapshot, _ = machine.step(machine.initial(), "tick", 0, (Fraction(10),))
    snapshot, _ = machine.step(snapshot, "target", 0, (Fraction(held) * lot,))
    after, _ = machine.step(snapshot, "target", 0, (Fraction(wanted, 37),))
    change = Fraction(wanted, 37) - held * lot
    assert after.cells["leg.quantity"] - held * lot == int(change / lot) * lot


@cache
def lots(side: str) -> Compiled:
    return spec(text(side, terms="lot: 0.1")).compile()


@pytest.mark.parametrize(("wanted", "after"), [(0.3, 0.3), (0.7, 0.7), (0.69, 0.6), (0.05, 0.0)])
def test_a_quotient_that_rounding_keeps_below_a_whole_number_counts_as_that_number(wanted: float, after: float) -> None:
    machine = book("long", terms="lot: 0.1")
    machine.send("target", 1, to=wanted)
    assert machine.value("leg.quantity") == pytest.approx(after, abs=1e-12)


def test_an_order_worth_less_than_the_least_notional_is_not_sent() -> None:
    machine = book("long", 2, "minimum_notional: 30")
    assert machine.send("increase", 1, by=2.9).orders == ()
    assert len(machine.send("increase", 1, by=3.0).orders) == 1
    assert machine.send("reduce", 2, by=2.9).orders == ()
    assert machine.value("heard") == 0


# ---------------------------------------------------------------------------------------------------- several legs

PAIR = """
hedgerow: 1
name: pair
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 1000]}}, go: {}, next: {}}
state: {seen: {unit: X, initial: -1}, cash_seen: {unit: USD, initial: 0}}
instruments: {thing: {unit: X, price: tick.price, fee: 0.01, TERMS}}
legs:
  up: {instrument: thing, side: long, quantity: 3}
  down: {instrument: thing, side: short, quantity: 2}
machine:
  initial: a
  fail_safe: halted
  states:
    a: {on: {GO}}
    b: {always: {name: look, if: seen < 0, do: {set: {seen: up.quantity}}}}
    z: {final: true}
    halted: {}
"""


def pair(go: str, terms: str = "", fill: FillMode = "same") -> Twins:
    machine = twins(PAIR.replace("{GO}", "{" + go + "}").replace(", TERMS", f", {terms}" if terms else ""), fill=fill)
    machine.send("tick", 0, price=10.0)
    return machine


def test_opening_positions_are_booked_at_the_mark_without_fee_so_that_equity_is_the_capital() -> None:
    cells = pair("go: {}").snapshot.cells
    assert (cells["cash"], cells["fees"], cells["slippage"]) == (1000 - 3 * 10 + 2 * 10, 0, 0)
    assert (cells["up.average"], cells["down.average"]) == (10, 10)


def test_an_action_never_sees_its_own_orders_and_the_next_microstep_does() -> None:
    machine = pair("go: {to: b, do: [{target: {up: 7}}, {set: {seen: -up.quantity, cash_seen: cash}}]}")
    machine.send("go", 1)
    assert machine.value("cash_seen") == 990
    assert machine.value("seen") == 7


def test_orders_are_booked_in_the_order_of_the_legs_in_the_file() -> None:
    machine = pair("go: {do: [{increase: {down: 1}}, {increase: {up: 1}}]}")
    assert [order.leg for order in machine.send("go", 1).orders] == ["up", "down"]


def test_where_one_order_of_a_transition_fails_none_is_sent() -> None:
    machine = pair("go: {do: {reduce: {up: 1, down: 5}}}")
    assert machine.send("go", 1).orders == ()
    assert (machine.value("up.quantity"), machine.value("down.quantity")) == (3, 2)


def test_the_average_of_an_empty_leg_has_no_value() -> None:
    machine = pair("go: {do: {close: up}}, next: {name: ask, do: {set: {cash_seen: up.average * 1 X}}}")
    machine.send("go", 1)
    (error,) = machine.send("next", 2).errors
    assert "`up`" in error
    assert machine.value("up.average") == 0


def test_ordered_tells_whether_this_event_released_an_order() -> None:
    text = PAIR.replace(", TERMS", "") + "invariants: {quiet: not ordered()}\n"
    machine = twins(text.replace("{GO}", "{go: {do: {increase: {up: 1}}}, next: {do: {increase: {up: 0}}}}"))
    machine.send("tick", 0, price=10.0)
    assert [machine.send(event, 1).broken for event in ("go", "next", "go")] == [("quiet",), (), ("quiet",)]


# ---------------------------------------------------------------------------------------------------- carry


def test_borrow_is_charged_for_the_time_since_the_last_event_at_the_marks_before_it() -> None:
    machine = book("short", 5, "borrow: 0.001")
    machine.send("tick", 4 * SECOND, price=20.0)
    assert machine.value("flows") == pytest.approx(-5 * 10 * 0.001 * 4)
    machine.send("close", 6 * SECOND)
    assert machine.value("flows") == pytest.approx(-5 * 10 * 0.001 * 4 - 5 * 20 * 0.001 * 2)
    machine.send("tick", 60 * SECOND, price=20.0)
    assert machine.value("flows") == pytest.approx(-0.4)


@pytest.mark.parametrize(("side", "held"), [("long", 5), ("both", 5)])
def test_a_long_position_pays_no_borrow(side: str, held: float) -> None:
    machine = book(side, held, "borrow: 0.001")
    machine.send("tick", 4 * SECOND, price=20.0)
    assert machine.value("flows") == 0


@pytest.mark.parametrize(("side", "held", "sign"), [("long", 5, -1), ("short", 5, 1), ("both", -5, 1), ("both", 5, -1)])
def test_funding_is_paid_by_longs_to_shorts_at_the_mark_before_the_event(side: str, held: float, sign: int) -> None:
    machine = book(side, held, "funding: {funding: funding.rate}")
    cash = machine.value("cash")
    machine.send("funding", 1, rate=0.01)
    assert machine.value("flows") == sign * 5 * 10 * 0.01
    assert machine.value("cash") - cash == pytest.approx(sign * 0.5)
    machine.send("funding", 2, rate=-0.01)
    assert machine.value("flows") == pytest.approx(0)


# ---------------------------------------------------------------------------------------------------- fill next


def test_with_fill_next_the_move_to_the_next_mark_is_booked_as_slippage_when_it_comes() -> None:
    machine = pair("go: {do: {target: {up: 5, down: 1}}}", fill="next")
    machine.send("go", 1)
    assert machine.value("slippage") == 0
    machine.send("tick", 2, price=13.0)
    assert machine.value("slippage") == (2 + 1) * (13 - 10)  # both orders bought
    machine.send("tick", 3, price=20.0)
    assert machine.value("slippage") == 9


def test_an_ended_machine_settles_its_last_fills_at_the_next_mark_and_then_ends() -> None:
    machine = pair("go: {to: z, do: {close: [up, down]}}", fill="next")
    machine.send("go", 1)
    assert machine.snapshot.configuration == ("z",)
    assert not machine.snapshot.ended
    step = machine.send("tick", 2, price=13.0)
    assert (step.rejected, step.fired) == (None, ())
    assert machine.value("slippage") == -(3 - 2) * (13 - 10)
    assert machine.snapshot.ended
    assert machine.send("tick", 3, price=14.0).rejected


def test_decisions_are_the_same_with_either_fill() -> None:
    steps = [pair("go: {do: {target: {up: 5}}}", fill=fill).send("go", 1) for fill in ("same", "next")]
    assert steps[0] == steps[1]


# ------------------------------------------------------------------------------------------- a book kept by hand


@dataclass
class Hand:
    """One leg's book, lot by lot in exact fractions: first principles, no formula of the engine."""

    sign: int
    cash: Fraction = Fraction(1000)
    held: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    slippage: Fraction = Fraction(0)
    late: Fraction = Fraction(0)

    def trade(self, after: Fraction, mark: Fraction) -> None:
        """Move to a signed position: close first, then open."""
        for end in (Fraction(0), after) if self.held * after < 0 else (after,):
            change = end - self.held
            if abs(end) > abs(self.held):
                self.cost += change * mark
            elif self.held:
                gone = self.cost * (self.held - end) / self.held
                self.realised += (self.held - end) * mark - gone
                self.cost -= gone
            self.held = end
            self.cash -= change * mark
            self.late += change
            fee, slippage = abs(change) * mark / 100, abs(change) * (mark / 50 + Fraction(1, 4))
            self.cash -= fee + slippage
            self.fees += fee
            self.slippage += slippage


quarters = st.integers(0, 40).map(lambda n: Fraction(n, 4))
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(1, 4000).map(lambda n: Fraction(n, 100))),
        st.tuples(st.sampled_from(["increase", "reduce"]), quarters),
        st.tuples(st.just("target"), st.integers(-40, 40).map(lambda n: Fraction(n, 4))),
        st.tuples(st.just("close"), st.just(Fraction(0))),
    ),
    max_size=25,
)


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize("side", ["long", "short", "both"])
@FEW
@given(happened=happenings)
def test_the_ledger_is_the_book_kept_by_hand(side: str, fill: FillMode, happened: list[tuple[str, Fraction]]) -> None:
    compiled = spec(text(side)).compile(fill=fill)
    reference = Reference(compiled.program, {}, compiled.registry, EXACT)
    mark = Fraction(10)
    snapshot, _ = reference.step(reference.initial(), "tick", 0, (mark,))
    hand = Hand(-1 if side == "short" else 1)
    for name, amount in happened:
        snapshot, step = reference.step(snapshot, name, 0, () if name == "close" else (amount,))
        if name == "tick":
            moved, mark = amount - mark, amount
            if fill == "next":
                hand.slippage += hand.late * moved
                hand.cash -= hand.late * moved
            hand.late = Fraction(0)
        else:
            held = hand.sign * hand.held
            outward = -1 if held < 0 else 1
            after = {
                "increase": held + outward * amount,
                "reduce": held - outward * amount,
                "target": amount,
                "close": Fraction(0),
            }[name]
            refused = (side != "both" and after < 0) or (name == "reduce" and amount > abs(held))
            assert (step.fired == ("caught",)) == refused
            if not refused:
                hand.trade(hand.sign * after, mark)
        check(snapshot.cells, hand, step)


def check(cells: object, hand: Hand, step: Step) -> None:
    assert isinstance(cells, dict)
    assert cells["leg.quantity"] == hand.sign * hand.held
    assert cells["leg.average"] == (hand.cost / hand.held if hand.held else 0)
    assert cells["leg.realised"] == hand.realised
    assert cells["cash"] == hand.cash
    assert cells["fees"] == hand.fees
    assert cells["slippage"] == hand.slippage
    assert all(order.quantity > 0 for order in step.orders)
