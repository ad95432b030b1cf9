"""Names that mean something already, marks that need each other, orders that meet in one step: told, or right."""

from __future__ import annotations

import pytest

from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads
from hedgerow.engine.step import Step

SECOND = 10**9


def codes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        loads(text)
    return [found.code for found in caught.value.diagnostics]


def book(**parts: str) -> str:
    """Return a spec with one long leg of 10 and what is given for its sections."""
    lines = {
        "events": "tick: {price: {unit: USD/IDX, range: [1, 1000]}}, go: {}",
        "instruments": "index: {unit: IDX, price: tick.price}",
        "legs": "long: {instrument: index, side: long, quantity: 10 IDX}",
        "state": "n: {initial: 1}",
        "observe": "",
        "initial": "on",
        "on": "{}",
        "more": "",
    } | parts
    return f"""
hedgerow: 1
name: book
units: [USD, IDX]
capital: {{USD: 1000}}
events: {{{lines["events"]}}}
instruments: {{{lines["instruments"]}}}
legs: {{{lines["legs"]}}}
state: {{{lines["state"]}}}
observe: {{{lines["observe"]}}}
machine:
  initial: {lines["initial"]}
  fail_safe: halted
  states:
    on: {lines["on"]}
    halted: {{}}
{lines["more"]}"""


@pytest.mark.parametrize("name", ["error", "input", "gate", "done"])
def test_an_event_cannot_have_the_name_of_the_engines_own_events(name: str) -> None:
    assert codes(book(events=f"tick: {{price: {{unit: USD/IDX, range: [1, 9]}}}}, {name}: {{x: {{}}}}")) == ["HR211"]


def test_a_transition_cannot_be_called_fail_safe() -> None:
    assert codes(book(on="{on: {go: {name: fail_safe, to: halted}}}")) == ["HR211"]


@pytest.mark.parametrize("name", ["slippage", "flows"])
def test_a_cell_of_the_ledger_cannot_be_declared_again(name: str) -> None:
    assert codes(book(state=f"{name}: {{initial: 7}}")) == ["HR211"]


def test_an_event_named_always_lives_beside_eventless_transitions() -> None:
    spec = loads(book(events="tick: {price: {unit: USD/IDX, range: [1, 9]}}, always: {}",
                      on="{on: {always: {to: halted}}, always: {if: n > 5, to: halted}}"))  # fmt: skip
    assert [rule.name for rule in spec.program().rules] == ["on.always", "on.(always)"]


def test_a_let_of_an_action_cannot_be_a_word_of_the_language() -> None:
    assert codes(book(on="{on: {go: {do: [{let: {before: 1}}, {set: {n: 2}}]}}}")) == ["HR211"]


def prices(text: str, *ticks: float) -> list[dict[str, object]]:
    machine = loads(text).compile().machine()
    found = []
    for index, price in enumerate(ticks):
        assert machine.send("tick", index, price=price).rejected is None
        found.append({name: machine.value(f"{name}.price") for name in ("index", "twice")})
    return found


def test_a_mark_may_read_a_mark_that_is_written_below_it() -> None:
    text = book(instruments="twice: {unit: IDX, price: {tick: 2 * index.price}}, index: {unit: IDX, price: tick.price}")
    assert prices(text, 100.0, 200.0) == [{"index": 100, "twice": 200}, {"index": 200, "twice": 400}]


def test_marks_that_need_each_other_are_a_cycle() -> None:
    text = book(
        instruments="index: {unit: IDX, price: {tick: twice.price}}, twice: {unit: IDX, price: {tick: index.price}}"
    )
    assert codes(text) == ["HR203", "HR203"]


def test_an_observation_cannot_read_a_mark_that_is_set_from_it() -> None:
    text = book(
        instruments="index: {unit: IDX, price: {tick: level}}", observe="tick: {level: tick.price, seen: index.price}",
    )  # fmt: skip
    assert codes(text) == ["HR408"]


def test_observations_see_the_opened_book_on_the_first_event() -> None:
    machine = (
        loads(book(observe="tick: {top: peak(equity)}", on="{on: {go: {if: equity < top, to: halted}}}"))
        .compile()
        .machine()
    )
    machine.send("tick", 0, price=50.0)
    assert machine.value("top") == 1000


def test_a_price_below_zero_is_refused_unless_its_range_allows_it() -> None:
    free = "tick: {price: {unit: USD/IDX}}, go: {}"
    machine = loads(book(events=free)).compile().machine()
    assert machine.send("tick", 0, price=5.0).rejected is None
    assert machine.send("tick", 1, price=-5.0).rejected == "the marks cannot be set: the price of `index` is below 0"
    assert (machine.value("index.price"), machine.time_ns) == (5.0, 0)
    oil = loads(book(events="tick: {price: {unit: USD/IDX, range: [-100, 1000]}}, go: {}")).compile().machine()
    assert oil.send("tick", 0, price=-37.6).rejected is None


NESTED = (
    "{initial: inner, exit: [{increase: {long: 1 IDX}}], on: {go: {to: halted}}, "
    "states: {inner: {exit: [{reduce: {long: 1 IDX}}]}}}"
)


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"on": NESTED}, "an inner and an outer exit"),
        (
            {
                "on": "{initial: inner, entry: [{increase: {long: 1}}], states: {inner: {entry: [{increase: {long: 1}}]}}}"
            },
            "the start",
        ),
        ({"on": "{exit: [{close: long}], on: {go: {to: halted, do: [{close: long}]}}}"}, "an exit and an action"),
    ],
)
def test_two_orders_for_one_leg_in_one_step_are_told(parts: dict[str, str], what: str) -> None:
    assert set(codes(book(**parts))) == {"HR403"}, what


def test_two_orders_for_one_leg_are_told_beside_other_mistakes() -> None:
    text = book(on="{exit: [{close: long}], on: {go: {to: halted, if: nothing, do: [{close: long}]}}}")
    assert sorted(set(codes(text))) == ["HR201", "HR403"]


def test_constants_that_no_float_holds_are_told() -> None:
    text = book(more="params: {big: {default: 1e308 * 1e308}}\n")
    assert codes(text) == ["HR304"]


@pytest.mark.parametrize("lot", ["0", "0.0", "-1"])
def test_a_lot_is_above_zero(lot: str) -> None:
    assert codes(book(instruments=f"index: {{unit: IDX, price: tick.price, lot: {lot}}}")) == ["HR304"]


def test_a_measure_reads_the_values_before_the_exit() -> None:
    text = book(
        on="{exit: [{set: {n: 100}}], on: {go: {name: leave, to: halted}}}", more="report: {overshoot: {leave: n}}\n",
    )  # fmt: skip
    machine = loads(text).compile().machine()
    machine.send("tick", 0, price=50.0)
    step: Step = machine.send("go", 1)
    assert (step.fired, machine.value("report.overshoot"), machine.value("n")) == (("leave",), 1, 100)


@pytest.mark.parametrize("spot", ["30d", "5 USD", "2"])
def test_the_unit_of_an_argument_is_checked_whatever_the_order(spot: str) -> None:
    rest = "volatility: 0.2, cost: 0.001, risk_aversion: '1 / 1 USD', previous: 0, size: 1 IDX"
    call = f"{{spot: '{spot}', strike: tick.price, expiry: 30d, {rest}}}"
    text = book(observe=f"tick: {{band: {{call: hedging.no_trade_band, with: {call}}}}}")
    if spot == "2":
        loads(text)
    else:
        assert codes(text) == ["HR504"]


def test_a_product_with_the_literal_zero_has_the_unit_of_the_other_factor() -> None:
    assert codes(book(on="{on: {go: {if: '0 * index.price + 5 USD > 3 USD', to: halted}}}")) == ["HR302"]


def test_parameters_of_a_snapshot_cannot_be_changed() -> None:
    compiled = loads(book(more="params: {k: {default: 1}}\n")).compile()
    with pytest.raises(TypeError):
        compiled.machine().snapshot().parameters["k"] = 3  # type: ignore[index]  # what must not work
