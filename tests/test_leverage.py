"""Leverage: what can exceed its equity is told, or refused where that is certain, until a cap and a ruin guard are there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow import SpecError
from hedgerow.engine.diagnostics import Diagnostic
from hedgerow.engine.load import load, loads

SPECS = Path(__file__).parent.parent / "specs"
STARTER = Path(__file__).parent.parent / "cli" / "starter.yaml"
HEAD = """\
hedgerow: 1
name: held
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [0.01, 1e7]}}, stop: {}}
params:
  stake: {default: 1000, unit: USD, range: [1, 1e6]}
  most: {default: 20, unit: IDX, range: [1, 1e6]}
  floor: {default: 500, unit: USD, range: [1, 1e6]}
  strike: {default: 50, unit: USD/IDX, range: [1, 1e6]}
instruments: {index: {unit: IDX, price: tick.price}}
"""
TRADING = "on: {on: {tick: {name: more, if: index.price > strike, do: {increase: {stock: 1}}}, stop: {to: halted}}}"
QUIET = "on: {on: {stop: {to: halted}}}"
GUARDED = (
    "on: {on: {tick: [{name: ruin, if: GUARD, to: halted}, "
    "{name: more, if: index.price > strike, do: {increase: {stock: 1}}}], stop: {to: halted}}}"
)


def spec(
    *,
    side: str = "long",
    quantity: str = "stake / index.price",
    state: str = TRADING,
    claims: str = "{}",
    halted: str = "{on: {stop: {to: on}}}",
) -> str:
    return (
        f"{HEAD}legs: {{stock: {{instrument: index, side: {side}, quantity: {quantity}}}}}\n"
        f"machine: {{initial: on, fail_safe: halted, states: {{{state}, halted: {halted}}}}}\ninvariants: {claims}\n"
    )


def told(text: str, folder: Path | None = None) -> list[tuple[str, str]]:
    """Return (code, what is lacking) of what is said of leverage."""
    found: tuple[Diagnostic, ...]
    try:
        found = loads(text, "spec.yaml", folder=folder).diagnostics
    except SpecError as error:
        found = error.diagnostics
    assert {each.code for each in found if each.severity == "error"} <= {"HR452"}, found
    said = [each for each in found if each.code in ("HR452", "HR708")]
    assert all(each.severity == ("error" if each.code == "HR452" else "note") for each in said)
    return [(each.code, each.message.partition("without ")[2]) for each in said]


BOTH = "a cap on `stock` and a ruin guard"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What is bought is not known to be paid for.
        (spec(), [("HR708", BOTH)]),
        (spec(claims="{paid: cash >= 0}"), []),
        (spec(claims="{paid: 0 < cash and stock.quantity >= 0}"), []),
        (spec(claims="{paid: cash >= -10 USD}"), [("HR708", BOTH)]),
        (spec(claims="{paid: 'implies(In(on), cash >= 0)'}"), [("HR708", BOTH)]),
        # What is only held, and was paid for.
        (spec(state=QUIET), []),
        (spec(state=QUIET, quantity="0.5 * stake / index.price"), []),
        (spec(state=QUIET, quantity="5 IDX"), [("HR708", "a ruin guard")]),
        # More than the capital pays for, at any price.
        (spec(quantity="2 * stake / index.price"), [("HR452", BOTH)]),
        (spec(state=QUIET, quantity="2 * stake / index.price"), [("HR452", "a ruin guard")]),
        (spec(quantity="2 * stake / index.price", claims="{paid: cash >= 0}"), []),
        # A short leg owes what nobody knows, and cash does not bound it.
        (spec(side="short", claims="{paid: cash >= 0}"), [("HR708", BOTH)]),
        (spec(side="both", claims="{paid: cash >= 0}"), [("HR708", BOTH)]),
    ],
)
def test_what_may_exceed_its_equity_is_told(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("claim", "caps"),
    [
        ("stock.quantity <= most", True),
        ("most > stock.quantity and stock.quantity >= 0", True),
        ("stock.quantity * index.price <= stake", True),
        ("abs(stock.quantity) <= most", True),
        ("stock.quantity <= before.stock.quantity", False),
        ("stock.quantity <= stock.quantity + most", False),
        ("stock.quantity >= most", False),
        ("most - stock.quantity <= most", False),
        ("implies(In(on), stock.quantity <= most)", False),
        ("stock.quantity <= most or In(on)", False),
    ],
)
def test_a_cap_bounds_a_leg_from_above_whatever_happens(claim: str, caps: bool) -> None:
    assert told(spec(claims=f"{{it: '{claim}'}}")) == [("HR708", "a ruin guard" if caps else BOTH)]


@pytest.mark.parametrize(
    ("guard", "lacking"),
    [
        ("stock.quantity * index.price > stake", None),
        ("stake < stock.quantity * index.price or index.price < strike", None),
        ("equity < floor", "a cap on `stock`"),
        ("cash < 0", "a cap on `stock`"),
        ("index.price > strike", BOTH),
    ],
)
def test_a_ruin_guard_reads_the_books_and_caps_what_it_compares(guard: str, lacking: str | None) -> None:
    assert told(spec(state=GUARDED.replace("GUARD", guard))) == ([] if lacking is None else [("HR708", lacking)])


@pytest.mark.parametrize(
    ("gate", "lacking"),
    [
        ("checks: {size: {of: stock.quantity, most: most}}", "a ruin guard"),
        ("applies: increase, checks: {size: stock.quantity <= most}", "a ruin guard"),
        ("applies: reduce, checks: {size: {of: stock.quantity, most: most}}", BOTH),
        ("checks: {size: {of: stock.quantity, least: 0}}", BOTH),
        ("checks: {size: {of: desk.gross, most: floor}}", "a ruin guard"),
        ("checks: {rate: desk.orders(1m) <= 3}", BOTH),
    ],
)
def test_a_check_that_stops_orders_is_a_cap(gate: str, lacking: str) -> None:
    assert told(spec() + f"gates: {{sanity: {{{gate}}}}}\n") == [("HR708", lacking)]


def test_a_guard_may_read_what_is_observed_of_the_books() -> None:
    observed = "observe: {tick: {high: peak(equity), fallen: high - equity}}\nmachine:"
    text = spec(state=GUARDED.replace("GUARD", "fallen > floor"), claims="{it: stock.quantity <= most}")
    assert told(text.replace("machine:", observed)) == []
    assert told(
        text.replace("machine:", observed.replace("equity", "index.price")).replace("fallen > floor", "fallen > strike")
    ) == [("HR708", "a ruin guard")]


@pytest.mark.parametrize(
    "halted",
    [
        "{on: {tick: {do: {increase: {stock: 1}}}, stop: {to: on}}}",
        "{entry: {target: {stock: 5}}, on: {stop: {to: on}}}",
    ],
)
def test_a_state_in_which_a_leg_grows_is_no_way_out(halted: str) -> None:
    text = spec(state=GUARDED.replace("GUARD", "equity < floor"), claims="{it: stock.quantity <= most}", halted=halted)
    assert told(text) == [("HR708", "a ruin guard")]


@pytest.mark.parametrize(
    "halted",
    [
        "{on: {tick: {do: {reduce: {stock: stock.quantity / 2}}}, stop: {to: on}}}",
        "{entry: {close: stock}, on: {stop: {to: on}}}",
        "{entry: {target: {stock: 0}}, on: {stop: {to: on, do: {increase: {stock: 1}}}}}",
    ],
)
def test_a_state_that_only_reduces_is_a_way_out(halted: str) -> None:
    text = spec(state=GUARDED.replace("GUARD", "equity < floor"), claims="{it: stock.quantity <= most}", halted=halted)
    assert told(text) == []


@pytest.mark.parametrize(
    ("transition", "guards"),
    [
        ("{if: equity < floor, do: {close: stock}}", True),
        ("{if: equity < floor, to: halted, do: {close: stock}}", True),
        ("{if: index.price < strike, do: {close: stock}}", False),
        ("{if: equity < floor, to: halted}", False),
    ],
)
def test_what_only_holds_is_guarded_by_what_closes_it(transition: str, guards: bool) -> None:
    state = f"on: {{on: {{tick: {transition}, stop: {{to: halted}}}}}}"
    for quantity, code in (("5 IDX", "HR708"), ("2 * stake / index.price", "HR452")):
        assert told(spec(state=state, quantity=quantity)) == ([] if guards else [(code, "a ruin guard")])


def test_a_net_position_caps_neither_of_its_legs() -> None:
    two = "legs: {stock: {instrument: index, side: long}, hedge: {instrument: index, side: short}}\nmachine:"
    for claim, lacking in (
        ("abs(stock.quantity - hedge.quantity) <= most", "a cap on `stock`, a cap on `hedge` and a ruin guard"),
        ("stock.quantity - hedge.quantity <= most", "a cap on `stock`, a cap on `hedge` and a ruin guard"),
        ("stock.quantity + hedge.quantity <= most", "a ruin guard"),
        ("hedge.quantity <= stock.quantity and stock.quantity <= most", "a ruin guard"),
    ):
        state = "on: {on: {tick: {do: {increase: {stock: 1, hedge: 1}}}, stop: {to: halted}}}"
        text = spec(state=state, claims=f"{{it: '{claim}'}}")
        head, _, rest = text.partition("legs:")
        assert told(head + two + rest.partition("machine:")[2]) == [("HR708", lacking)]


def test_a_breaker_beside_it_is_a_ruin_guard(tmp_path: Path) -> None:
    breaker = (SPECS / "drawdown_breaker.yaml").read_text("utf-8")
    (tmp_path / "breaker.yaml").write_text(breaker, "utf-8")
    use = "use: {breaker: {spec: breaker.yaml, events: {mark: {tick: {equity: equity}}}}}\nmachine:"
    text = spec(claims="{it: stock.quantity <= most}").replace("machine:", use)
    assert told(text, tmp_path) == [("HR708", "a ruin guard")]
    stopped = text.replace("stop: {to: halted}", "'stop tripped': {to: halted}")
    assert told(stopped, tmp_path) == []


def test_the_shipped_specs_say_what_they_are() -> None:
    found = {}
    for path in (*sorted(SPECS.glob("*.yaml")), STARTER):
        permit = ["HR302"] if "as_written" in path.name else []
        said = [each.message for each in load(path, permit=permit).diagnostics if each.code == "HR708"]
        found[path.stem] = said
    # The band-limited hedge opens at twice its capital; it bounds its gross and gives up beyond.
    assert found["band_limited_hedge"] == found["drawdown_desk"] == found["drawdown_breaker"] == []
    # The starter sells everything below a floor of its equity.
    assert found["starter"] == []
    assert found["signal_hedge"] == ["the legs may come to be worth more than the equity, without a ruin guard"]
    assert found["delta_band_hedge"] == [
        "the legs may come to be worth more than the equity, without a cap on `call` and a ruin guard"
    ]


def test_the_hedge_without_its_limits_is_refused() -> None:
    text = (SPECS / "band_limited_hedge.yaml").read_text("utf-8")
    assert "or abs(net) * price > net_max or gross * price > gross_max" in text
    bare = text.replace("or abs(net) * price > net_max or gross * price > gross_max", "")
    assert told(bare) == [("HR452", "a cap on `long`, a cap on `short` and a ruin guard")]


@settings(max_examples=60)
@given(
    st.fractions(min_value=0, max_value=3),
    st.lists(st.floats(min_value=1, max_value=1e4), min_size=1, max_size=8),
)
def test_a_spec_of_which_nothing_is_said_never_exceeds_its_equity(share: Fraction, prices: list[float]) -> None:
    text = spec(state=QUIET, quantity=f"{float(share):.6f} * stake / index.price")
    said = told(text)
    assert [code for code, _ in said] == (["HR452"] if float(f"{float(share):.6f}") > 1 else [])
    if said:
        return
    compiled = loads(text).compile()
    machine = compiled.machine()
    for time, price in enumerate(prices):
        machine.send("tick", time, price=price)
        held = machine.snapshot().cells["stock.quantity"] * price
        assert held <= (machine.snapshot().cells["cash"] + held) * (1 + 1e-9)
