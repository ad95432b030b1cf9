"""What guards depend on: found through whatever a value passes, and not where it does not pass."""

from __future__ import annotations

import pytest
from pages import ROOT

from hedgerow.engine.ir import Program
from hedgerow.engine.load import load, loads
from hedgerow.engine.prove.reads import books, books_read, reads

SHIPPED = load(ROOT / "specs" / "band_limited_hedge.yaml")
EXITS = ("give_up", "paused.tick.1", "exit_step", "finish")
STATISTICS = {"squared", "spacing", "elapsed(tick)", "last(tick)", "observed(tick)", "previous(tick, index.price)"}


def changed(*changes: tuple[str, str]) -> Program:
    """Return the program of the shipped spec with some things changed."""
    text = SHIPPED.text
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return loads(text, "changed.yaml").program()


def test_the_books_are_what_was_gained_and_lost_and_no_position() -> None:
    assert books(SHIPPED.program()) == {
        "cash", "fees", "slippage", "flows", "long.average", "long.realised", "short.average", "short.realised",
        "report.harvest", "report.overshoot",
    }  # fmt: skip


@pytest.mark.parametrize("rule", [rule.name for rule in SHIPPED.program().rules])
def test_no_guard_of_the_shipped_rule_depends_on_the_books_not_even_through_its_positions(rule: str) -> None:
    assert books_read(SHIPPED.program(), rule, through_quantities=True) == ()


def test_what_gives_up_reads_prices_positions_and_statistics() -> None:
    quantities = {"long.quantity", "short.quantity"}
    found = reads(SHIPPED.program(), "give_up", up_to=quantities)
    assert found.names == STATISTICS | quantities | {"calm", "index.price", "tick.price"}
    assert found.way("tick.price") == ("index.price", "tick.price")


def test_a_quantity_is_made_of_what_its_orders_looked_at() -> None:
    found = reads(SHIPPED.program(), "finish")
    assert found.way("anchor") == ("long.quantity", "orders for long", "anchor")
    # A thaw moves the anchor too, and asks how prices have varied.
    assert found.way("squared") == ("long.quantity", "orders for long", "anchor", "squared")


def test_a_drawdown_is_found_through_what_is_observed() -> None:
    program = changed(
        ("    squared: ewma(", "    high: peak(equity)\n    low: equity / high\n    squared: ewma("),
        ("  fails:       calm >= calm_checks or", "  fails:       low < 0.9 or calm >= calm_checks or"),
    )
    assert ("low", "cash") in books_read(program, "give_up")
    assert reads(program, "give_up").way("high") == ("low", "high")
    assert books_read(program, "exit_step") == (("anchor", "low", "cash"),)


def test_an_average_is_found_where_a_guard_names_it() -> None:
    program = changed(("if: gross < residue,", "if: gross < residue or price < long.average,"))
    assert books_read(program, "finish") == (("long.average",),)
    assert books_read(program, "give_up") == ()


def test_a_loss_is_found_through_a_flag_that_another_transition_sets() -> None:
    anchor, up = "  anchor: {unit: USD/IDX, initial: price}", "          - {name: up, if: out_of_band"
    hurt = "          - {name: hurt, if: cash < 0 USD, do: [{set: {sore: true}}]}"
    program = changed(
        (anchor, f"{anchor}\n  sore: {{type: bool, initial: false}}"),
        (up, f"{hurt}\n{up}"),
        ("if: gross < residue,", "if: gross < residue or sore,"),
    )
    assert books_read(program, "finish") == (("sore", "cash"),)


def test_a_size_that_looks_at_the_cash_is_found_through_quantities_only() -> None:
    program = changed(
        ("{bite: beta * step * long.quantity}", "{bite: (beta if cash > 0 USD else beta / 2) * step * long.quantity}")
    )
    assert books_read(program, "give_up") == ()
    assert books_read(program, "give_up", through_quantities=True) == (("long.quantity", "orders for long", "cash"),)


def test_a_breaker_that_is_handed_the_equity_reads_the_cash() -> None:
    program = load(ROOT / "specs" / "drawdown_desk.yaml").program()
    assert books_read(program, "breaker.trip") == (("breaker.high", "breaker.mark.equity", "strategy.cash"),)
    assert [books_read(program, f"strategy.{rule}") for rule in EXITS] == [()] * 4


def test_the_state_of_another_region_is_made_of_the_guards_that_lead_there() -> None:
    program = loads(
        """
hedgerow: 1
name: watchers
events: {tick: {level: {range: [0, 1]}}}
machine:
  parallel: true
  states:
    first: {initial: low, states: {low: {on: {tick: {if: tick.level > 0.5, to: high}}}, high: {}}}
    second: {initial: asleep, states: {asleep: {on: {tick: {name: wake, if: In(high), to: awake}}}, awake: {}}}
""",
        "watchers.yaml",
    ).program()
    assert reads(program, "wake").way("tick.level") == ("In(high)", "tick.level")


def test_a_transition_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        reads(SHIPPED.program(), "nothing")
