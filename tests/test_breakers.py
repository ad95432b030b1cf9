"""The shipped breakers: proved, walked, lived through, and each classic failure caught where one is made on purpose."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import fences
from twins import Twins

from hedgerow import Spec
from hedgerow.engine.backends.native.able import why_not
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.diagram import mermaid, picture
from hedgerow.engine.explore.exploration import explore
from hedgerow.engine.explore.findings import findings_of
from hedgerow.engine.load import load, loads
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.prove.result import Proof, Result

pytest.importorskip("z3", reason="the solver is in the extra `prove`")

SPECS = Path(__file__).parent.parent / "specs"
PAGE = SPECS.parent / "docs" / "breakers.md"
SHIPPED = sorted((SPECS / "governance").glob("*_breaker.yaml"))
ALL = [SPECS / "drawdown_breaker.yaml", *SHIPPED]
SECOND = 10**9
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
HALTED = ("HR910", "HR911", "HR912")
MEASURING = [path for path in SHIPPED if path.stem != "rejected_orders_breaker"]
"""Breakers of a statistic, which close by a reading."""


def text_of(name: str) -> str:
    return next(path for path in ALL if path.stem == f"{name}_breaker").read_text("utf-8")


def mutilated(name: str, *changes: tuple[str, str]) -> Spec:
    """Return a shipped breaker with parts of its text replaced, each of which it must have once."""
    text = text_of(name)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return loads(text)


def of(name: str) -> Spec:
    return loads(text_of(name))


@cache
def proof_of(path: Path) -> Proof:
    """Return the proof of all that a shipped breaker claims."""
    return prove(load(path), workers=1, seconds=5.0)


def results_of(spec: Spec, *only: str) -> dict[tuple[str, str], Result]:
    proof = prove(spec, only=only, workers=1, seconds=2.0)
    return {(each.code, each.name): each for each in proof.results}


def run(spec: Spec, **parameters: float) -> Twins:
    """Return both backends of a breaker, which must agree to the last bit in all that follows."""
    return Twins(spec.compile(**parameters))


# --- what is shipped ---


def test_the_page_has_every_breaker_and_draws_it_as_the_command_does() -> None:
    page = PAGE.read_text("utf-8")
    assert len(SHIPPED) == 6
    assert [path.name for path in SHIPPED if f"specs/governance/{path.name}" not in page] == []
    drawn = {mermaid(picture(load(path))).strip() for path in SHIPPED}
    shown = [fence.text.strip() for fence in fences(PAGE) if fence.language == "mermaid"]
    assert len(shown) == 3
    assert set(shown) <= drawn


def test_the_desk_on_the_page_stands_down_and_up_again() -> None:
    (fence,) = (fence for fence in fences(PAGE) if fence.language == "text" and fence.heading == "In a desk")
    spec = loads(fence.text, folder=SPECS)
    assert [each for each in spec.diagnostics if each.severity == "warning"] == []
    machine = Twins(spec.compile(**{"risk_limit.max_age": "30d"}))
    machine.send("tick", 0, price=1000.0)
    step = machine.send("risk", 1, value_at_risk=2.0, limit=1.0)
    assert "strategy.winding_down" in step.configuration
    assert "stood_down" in step.configuration
    for day in range(1, 4):
        step = machine.send("risk", day * DAY, value_at_risk=0.0, limit=1.0)
        assert step.broken == ()
    assert "trading" in step.configuration


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_breaker_needs_no_python_and_gives_nothing_to_note(path: Path) -> None:
    spec = load(path)
    assert spec.diagnostics == ()
    assert spec.program().calls == ()
    assert why_not(spec.program()) is None


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_shipped_breaker_is_proved_free_of_the_classic_failures(path: Path) -> None:
    spec = load(path)
    proof = proof_of(path)
    assert [f"{each.code} {each.name}: {each.because}" for each in proof.results if each.verdict != "proved"] == []
    (halted,) = (state.name for state in spec.program().states if "halted" in state.tags)
    found = {(each.code, each.name) for each in proof.results}
    assert {(code, halted) for code in HALTED} <= found
    assert {name for code, name in found if code == "HR901"} == {name for name, _ in spec.program().invariants}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_walks_in_floats_break_nothing_of_a_shipped_breaker(path: Path) -> None:
    found = explore(load(path), steps=200_000, workers=1)
    coverage = found.found.coverage
    assert not findings_of(found, 1000)
    assert coverage.steps >= 200_000
    assert coverage.fired[[rule.name for rule in load(path).program().rules].index("trip_over")] > 0


# --- how each lives ---


def risk(machine: Twins, time: int, value: float, limit: float = 100.0) -> tuple[str, ...]:
    return machine.send("risk", time, value_at_risk=value, limit=limit).configuration


def test_the_value_at_risk_breaker_opens_above_its_level_and_closes_after_a_calm_trial() -> None:
    machine = run(of("value_at_risk"))
    assert risk(machine, 0, 110) == ("closed",)  # at the level, not above it
    step = machine.send("risk", HOUR, value_at_risk=111, limit=100)
    assert (step.fired, step.raised, step.configuration) == (("trip_over",), ("tripped",), ("cooling",))
    assert risk(machine, HOUR + 10, 1) == ("cooling",)  # a latch: what is calm within the cool-down counts for nothing
    assert risk(machine, 2 * HOUR, 89) == ("waiting",)  # hysteresis: below the level and not calm
    assert risk(machine, 3 * HOUR, 88) == ("trying",)
    assert risk(machine, 20 * HOUR, 50) == ("trying",)
    step = machine.send("risk", 3 * HOUR + DAY, value_at_risk=88, limit=100)
    assert (step.fired, step.raised) == (("fresh", "tried", "passed"), ("closed_again",))
    assert step.configuration == ("closed",)
    assert step.broken == ()


def test_what_is_not_calm_during_the_trial_opens_it_again_and_the_cool_down_begins_anew() -> None:
    machine = run(of("value_at_risk"))
    for time, value in ((0, 200), (HOUR, 0), (2 * HOUR, 89)):
        found = risk(machine, time, value)
    assert found == ("cooling",)
    assert risk(machine, 3 * HOUR - 1, 0) == ("cooling",)
    assert risk(machine, 3 * HOUR, 0) == ("trying",)


@pytest.mark.parametrize(
    ("name", "event", "calm"),
    [
        ("value_at_risk", "risk", {"value_at_risk": 1.0, "limit": 100.0}),
        ("liquidity_drain", "flows", {"outflow": 1.0, "inflow": 0.0, "forecast": 100.0}),
        ("population_stability", "population", {"index": 0.01, "critical": 0.4}),
        ("correlation", "dependence", {"z": 0.1, "critical": 2.5}),
    ],
)
def test_a_statistic_that_comes_no_more_or_is_no_number_opens_its_breaker(
    name: str, event: str, calm: dict[str, float]
) -> None:
    machine = run(of(name), max_age=60)
    for second in range(0, 600, 30):
        assert machine.send(event, second * SECOND, **calm).configuration == ("closed",)
    bad = dict.fromkeys(calm, float("nan"))
    assert machine.send(event, 600 * SECOND, **bad).rejected
    assert machine.advance(659 * SECOND).configuration == ("closed",)
    step = machine.advance(660 * SECOND)
    assert (step.fired[-1], step.raised[0]) == ("stale", "tripped")


def test_the_liquidity_breaker_watches_the_net_drain_against_the_forecast() -> None:
    machine = run(of("liquidity_drain"))

    def flows(time: int, outflow: float, inflow: float, forecast: float = 1000) -> tuple[str, ...]:
        return machine.send("flows", time, outflow=outflow, inflow=inflow, forecast=forecast).configuration

    assert flows(0, 900, 650) == ("closed",)  # a quarter, net
    assert flows(1, 251, 0) == ("cooling",)
    assert flows(4 * HOUR, 0, 0) == ("cooling",)
    assert flows(4 * HOUR + 1, 151, 0) == ("waiting",)
    assert flows(5 * HOUR, 150, 0) == ("trying",)
    assert flows(6 * HOUR, 1, 0, forecast=0) == ("cooling",)  # against a forecast of nothing every drain is too large
    assert flows(12 * HOUR, 0, 5) == ("trying",)
    assert flows(12 * HOUR + DAY, 0, 0) == ("closed",)


def test_the_intraday_breaker_wants_the_next_session_and_then_a_person() -> None:
    machine = run(of("intraday_drawdown"))
    for time, equity in ((0, 100.0), (1, 200.0), (2, 188.0)):
        assert machine.send("mark", time, equity=equity).configuration == ("closed",)
    assert machine.send("mark", 3, equity=187.9).raised == ("tripped",)
    assert machine.send("release", 4).configuration == ("until_session",)  # a person cannot do without the session
    assert machine.send("mark", 5, equity=500.0).configuration == ("until_session",)
    assert machine.send("session", DAY).configuration == ("until_release",)
    assert machine.send("session", 2 * DAY).configuration == ("until_release",)  # nor the session without a person
    assert machine.send("mark", 2 * DAY, equity=100.0).configuration == ("until_release",)
    assert machine.send("release", 2 * DAY).configuration == ("trying",)
    assert machine.value("high") == 100
    assert machine.send("mark", 2 * DAY, equity=97.0).configuration == ("trying",)
    assert machine.send("mark", 2 * DAY, equity=96.9).configuration == (
        "until_session",
    )  # the trial allows half as much


@pytest.mark.parametrize(
    ("index", "critical", "opens"), [(0.24, 0.1, False), (0.3, 0.43, False), (0.25, 0.1, False), (0.44, 0.43, True)]
)
def test_the_stability_breaker_opens_on_a_shift_that_is_large_and_no_accident(
    index: float, critical: float, opens: bool
) -> None:
    step = run(of("population_stability")).send("population", 0, index=index, critical=critical)
    assert step.raised == (("tripped", "retrain") if opens else ())
    assert step.configuration == (("distrusted",) if opens else ("closed",))


def test_the_stability_breaker_wants_a_new_fit_and_then_a_review() -> None:
    machine = run(of("population_stability"))
    machine.send("population", 0, index=1.0, critical=0.4)
    assert machine.send("reviewed", 1).configuration == ("distrusted",)  # of the old model
    assert machine.send("population", 2, index=0.0, critical=0.4).configuration == ("distrusted",)
    assert machine.send("retrained", 3).configuration == ("in_review",)
    assert machine.send("reviewed", DAY).configuration == ("trying",)
    assert machine.send("population", 2 * DAY, index=0.3, critical=0.4).configuration == ("trying",)
    assert machine.send("population", 8 * DAY, index=0.05, critical=0.02).configuration == ("closed",)


def test_the_correlation_breaker_lets_a_person_accept_the_new_correlation() -> None:
    machine = run(of("correlation"))
    assert machine.send("dependence", 0, z=-2.5, critical=2.5).configuration == ("closed",)
    assert machine.send("dependence", 1, z=-2.6, critical=2.5).configuration == ("cooling",)
    assert machine.send("release", 2).configuration == ("cooling",)
    step = machine.send("release", DAY + 1)
    assert (step.fired, step.raised, step.configuration) == (("cooled", "reset"), ("rebase",), ("trying",))
    assert machine.send("dependence", 2 * DAY, z=2.6, critical=2.5).configuration == ("cooling",)


# --- failures that are known from elsewhere, each made on purpose ---


def comes_back(machine: Twins) -> bool:
    """Return whether a tripped intraday breaker closes although the equity stands still, as that of an empty book does."""
    for time, equity in ((0, 100.0), (1, 90.0)):
        machine.send("mark", time, equity=equity)
    for day in range(1, 30):
        machine.send("session", day * DAY)
        machine.send("release", day * DAY)
        machine.send("mark", day * DAY, equity=90.0)
    return machine.machine.snapshot().configuration == ("closed",)


def test_a_drawdown_breaker_does_not_deadlock_for_ever() -> None:
    assert comes_back(run(of("intraday_drawdown")))
    reset = "release: {name: reset, to: half_open, do: {set: {high: last}}}"
    waits = mutilated("intraday_drawdown", (reset, "release: {name: reset, if: not beyond, to: half_open}"))
    assert not comes_back(run(waits))  # it waits for a gain that nothing can earn
    with pytest.raises(SpecError) as caught:
        mutilated("intraday_drawdown", (reset, "release: {name: reset, to: until_session}"))
    (told,) = (each for each in caught.value.diagnostics if each.code == "HR460")
    line = text_of("intraday_drawdown").splitlines()[told.span.line - 1]
    assert line.strip() == "capital_preservation:"
    never = mutilated("intraday_drawdown", (reset, "release: {name: reset, if: high < last, to: half_open}"))
    result = results_of(never, "capital_preservation")["HR910", "capital_preservation"]
    assert result.verdict == "refuted"


def test_a_high_water_mark_that_is_never_reset_is_refuted() -> None:
    reset = "release: {name: reset, to: half_open, do: {set: {high: last}}}"
    keeps = mutilated("intraday_drawdown", (reset, "release: {name: reset, to: half_open}"))
    assert results_of(keeps, "capital_preservation")["HR912", "capital_preservation"].verdict == "refuted"
    assert results_of(KEEPS_ITS_PEAK, "open")["HR912", "open"].verdict == "refuted"


def test_each_session_has_a_high_water_mark_of_its_own() -> None:
    def opens(spec: Spec) -> bool:
        """Lose 4 % in each of two sessions."""
        machine, tripped = run(spec), False
        for day, equities in enumerate(((100.0, 96.0), (96.0, 92.2))):
            machine.send("session", day * DAY) if day else None
            for equity in equities:
                tripped |= "tripped" in machine.send("mark", day * DAY, equity=equity).raised
        return tripped

    assert not opens(of("intraday_drawdown"))
    assert opens(
        mutilated("intraday_drawdown", ("{name: new_session, do: {set: {high: last}}}", "{name: new_session}"))
    )


@given(gains=st.lists(st.floats(0, 0.1), min_size=1, max_size=5), loss=st.floats(0.07, 0.9))
def test_a_winning_trade_after_the_reset_trips_nothing(gains: list[float], loss: float) -> None:
    assert not trips_on_gains(RELEASED, gains, loss)


def test_a_breaker_that_keeps_its_old_peak_trips_on_a_winning_trade() -> None:
    assert trips_on_gains(KEEPS_ITS_PEAK, [0.01], 0.2)


def trips_on_gains(spec: Spec, gains: list[float], loss: float) -> bool:
    """Return whether a drawdown breaker, tripped and released, trips again on nothing but gains."""
    machine = run(spec)
    equity = 100.0
    machine.send("mark", 0, equity=equity)
    equity *= 1 - loss
    assert machine.send("mark", 1, equity=equity).raised == ("tripped",)
    assert machine.send("release", 2 * DAY).fired[-1] == "reset"
    tripped = False
    for day, gain in enumerate(gains, 3):
        equity *= 1 + gain
        tripped |= "tripped" in machine.send("mark", day * DAY, equity=equity).raised
    return tripped


RELEASED = of("drawdown")
KEEPS_ITS_PEAK = mutilated("drawdown", ("[{set: {high: last}}, {raise: closed_again}]", "{raise: closed_again}"))


def test_a_reset_without_a_look_at_what_tripped_it_trips_again_at_once() -> None:
    old = "risk: {name: reset, if: calm, to: half_open}"
    blind = mutilated("value_at_risk", (old, "risk: {name: reset, to: half_open}"))
    assert results_of(blind, "open")["HR912", "open"].verdict == "refuted"


def test_a_reset_that_keeps_the_old_statistic_trips_again_at_once() -> None:
    keeps = mutilated("population_stability", ("set: {index: 0, heard: true}", "set: {heard: true}"))
    assert results_of(keeps, "open")["HR912", "open"].verdict == "refuted"


def test_a_breaker_that_is_stuck_half_open_is_refuted() -> None:
    # What is shipped is proved above to leave its trial in time.
    stuck = mutilated("intraday_drawdown", ("{name: tried, to: last_look}", "{name: tried, if: beyond, to: last_look}"))
    assert results_of(stuck, "trial_ends")["HR901", "trial_ends"].verdict == "refuted"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_breaker_claims_that_its_trial_ends(path: Path) -> None:
    claimed = dict(load(path).program().invariants).keys()
    assert claimed >= {"closed_is_within", "trial_ends", "trial_comes_first"}


@pytest.mark.parametrize("path", MEASURING, ids=lambda path: path.stem)
def test_a_trial_ends_by_a_time_and_then_closes_by_a_reading(path: Path) -> None:
    spec = load(path)
    leads = {rule.source: rule.targets for rule in spec.program().rules if rule.name in ("tried", "passed")}
    assert leads == {"trying": ("last_look",), "last_look": ("closed",)}


def test_three_stopped_orders_open_a_breaker_for_five_minutes_and_one_more_in_the_trial_does_again() -> None:
    machine = run(of("rejected_orders"))
    minute = 60 * SECOND
    assert machine.send("rejected", 0).configuration == ("closed",)
    assert machine.send("rejected", 5 * minute).configuration == ("closed",)
    assert machine.send("rejected", 10 * minute + 1).fired == ("count",)  # too long after the one before
    assert machine.send("rejected", 11 * minute).fired == ("count",)
    step = machine.send("rejected", 16 * minute)
    assert (step.fired, step.raised, step.configuration) == (("trip_over",), ("flatten", "tripped"), ("open",))
    assert machine.advance(21 * minute - 1).configuration == ("open",)
    assert machine.send("rejected", 21 * minute).fired == ("reset", "trip_again")
    assert machine.advance(26 * minute).configuration == ("half_open",)
    step = machine.advance(86 * minute)
    assert (step.fired, step.raised, step.configuration) == (("passed",), ("closed_again",), ("closed",))
    assert machine.send("rejected", 86 * minute).fired == ("count",)  # what was counted before counts no more
    assert machine.value("stopped") == 1


# --- in a desk ---

TRADER = """
hedgerow: 1
name: trader
about: Buys one on each tick until it is told to stop. It loses when prices fall.
units: [USD, IDX]
capital: {USD: 100000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1e4]}}, stop: {}, go: {}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {held: {instrument: index, side: long}}
machine:
  initial: buying
  fail_safe: stopped
  states:
    buying: {on: {tick: {name: buy, do: {increase: {held: 1}}}, stop: {to: stopped}}}
    stopped: {entry: {close: held}, on: {go: {to: buying}}}
"""
DESK = """
hedgerow: 1
name: governed
about: A trader whom two breakers stop. What is closed at a loss stays lost.
units: [USD, IDX]
use:
  trader: {spec: trader.yaml}
  risk_limit: {spec: value_at_risk_breaker.yaml}
  liquidity: {spec: liquidity_drain_breaker.yaml}
machine:
  initial: trading
  states:
    trading:
      on:
        tripped: {name: stand_down, to: stood_down, do: {raise: stop}}
    stood_down:
      on:
        closed_again: {name: stand_up, if: In(risk_limit.closed) and In(liquidity.closed), to: trading, do: {raise: go}}
invariants:
  stands_down: implies(In(risk_limit.open) or In(liquidity.open), In(stood_down))
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    (tmp_path / "trader.yaml").write_text(TRADER, "utf-8")
    for path in SHIPPED:
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    return tmp_path


def test_a_desk_stops_when_any_breaker_opens_and_goes_on_when_all_are_closed(desk: Path) -> None:
    machine = Twins(loads(DESK, folder=desk).compile(**{"risk_limit.trial": 60, "risk_limit.cool_down": 60}))
    for second in range(3):
        machine.send("tick", second * SECOND, price=100.0)
    assert machine.value("trader.held.quantity") > 0
    machine.send("risk", 3 * SECOND, value_at_risk=2.0, limit=1.0)
    assert machine.value("trader.held.quantity") == 0
    machine.send("flows", 4 * SECOND, outflow=1.0, inflow=0.0, forecast=1.0)
    for time, value in ((100, 0.0), (200, 0.0)):
        step = machine.send("risk", time * SECOND, value_at_risk=value, limit=1.0)
    assert "risk_limit.passed" in step.fired
    assert "stood_down" in step.configuration  # the other one is open
    assert machine.send("tick", 201 * SECOND, price=100.0).orders == ()
    machine.send("flows", 5 * HOUR, outflow=0.0, inflow=0.0, forecast=1.0)
    step = machine.send("flows", 5 * HOUR + DAY, outflow=0.0, inflow=0.0, forecast=1.0)
    assert {"liquidity.passed", "stand_up"} <= set(step.fired)
    assert "trading" in step.configuration


EMERGENCY = """
hedgerow: 1
name: emergency
about: A trader who may hold five, and a breaker that closes all when he asks for more. What is closed at a loss stays lost.
units: [USD, IDX]
use:
  trader: {spec: trader.yaml}
  rejections: {spec: rejected_orders_breaker.yaml, events: {rejected: gate.rejected, flatten: stop}}
gates:
  size: {applies: increase, checks: {held: {of: trader.held.quantity, most: 5 IDX}}}
invariants:
  few: trader.held.quantity <= 5 IDX
  flat_while_open: implies(In(rejections.open), trader.held.quantity == 0 IDX)
"""


def test_three_stopped_orders_flatten_at_once_what_is_held_and_nothing_is_bought_until_the_trial(desk: Path) -> None:
    machine = Twins(loads(EMERGENCY, folder=desk).compile())
    for second in range(7):
        step = machine.send("tick", second * SECOND, price=100.0)
    assert (step.fired, machine.value("trader.held.quantity")) == (("rejections.count",), 5)
    step = machine.send("tick", 7 * SECOND, price=90.0)
    assert step.fired == ("rejections.trip_over", "trader.buying.stop")
    assert [(order.leg, order.quantity) for order in step.orders] == [("trader.held", 5)]
    assert machine.value("trader.held.quantity") == 0
    machine.send("go", 8 * SECOND)  # whoever lets it trade again is not asked
    step = machine.send("tick", 9 * SECOND, price=90.0)
    assert ([verdict.gate for verdict in step.verdicts], step.orders) == (["rejections.no_new_risk"], ())
    assert machine.advance(400 * SECOND).configuration == ("trader.buying", "rejections.half_open")
    assert machine.send("tick", 401 * SECOND, price=90.0).fired == ("trader.buy",)


def test_a_desk_with_an_emergency_flatten_is_proved(desk: Path) -> None:
    proof = prove(loads(EMERGENCY, folder=desk), workers=2, seconds=5.0)
    found = {(each.code, each.name): each.verdict for each in proof.results}
    claims = [("HR901", name) for name in ("few", "flat_while_open", "rejections.closed_is_within")]
    assert {found[claim] for claim in (*claims, *((code, "rejections.open") for code in HALTED))} == {"proved"}
    assert "refuted" not in found.values()


def test_stopped_orders_are_told_to_what_governs_them_and_to_nobody_else(desk: Path) -> None:
    (desk / "emergency.yaml").write_text(EMERGENCY, "utf-8")
    outer = """
    hedgerow: 1
    name: outer
    units: [USD, IDX]
    use:
      inner: {spec: emergency.yaml}
      other: {spec: trader.yaml}
      all: {spec: rejected_orders_breaker.yaml, events: {rejected: gate.rejected}, params: {most: 1000}}
    gates: {few: {applies: increase, checks: {other: {of: other.held.quantity, most: 6 IDX}}}}
    machine:
      initial: on
      states: {on: {on: {gate.rejected: {name: told, do: []}}}}
    """
    machine = Twins(loads(outer.replace("\n    ", "\n"), folder=desk).compile())
    for second in range(7):
        step = machine.send("tick", second * SECOND, price=100.0)
    # The fifth order of the inner trader was the last; the inner breaker, the outer one and the outer desk are told.
    assert step.fired == ("other.buy", "inner.rejections.count", "all.count", "told") or step.fired[-3:] == (
        "inner.rejections.count",
        "all.count",
        "told",
    )
    machine.send("stop", 8 * SECOND)
    assert machine.value("inner.rejections.stopped") == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("rejected: {}  ", "rejected: {x: {}}"), "has fields"),
        (("let:", "observe: {rejected: {stopped: '1'}}\nlet:"), "observes `rejected`"),
        (("raises: [flatten,", "raises: [rejected, flatten,"), "raises `rejected` itself"),
    ],
)
def test_what_cannot_be_the_event_of_stopped_orders_is_refused_in_its_place(
    desk: Path, change: tuple[str, str], said: str
) -> None:
    name = "rejected_orders_breaker.yaml"
    text = (desk / name).read_text("utf-8").replace(*change)
    (desk / name).write_text(
        text.replace("[{raise: flatten}", "[{raise: rejected}") if "raises" in said else text, "utf-8"
    )
    with pytest.raises(SpecError, match="HR211") as caught:
        loads(EMERGENCY, folder=desk)
    (told,) = caught.value.diagnostics
    assert said in told.message
    assert "gate.rejected" in EMERGENCY.splitlines()[told.span.line - 1]


def test_a_spec_with_legs_is_not_told_of_the_stopped_orders_of_others(desk: Path) -> None:
    text = EMERGENCY.replace("{spec: trader.yaml}", "{spec: trader.yaml, events: {go: gate.rejected}}")
    with pytest.raises(SpecError, match="`trader` has legs"):
        loads(text, folder=desk)


@pytest.mark.slow
def test_a_desk_that_believes_any_closed_again_is_refuted_and_one_that_looks_is_proved(desk: Path) -> None:
    # Whoever sends `closed_again` from outside would let trading go on while a breaker is open.
    one = DESK.replace("  liquidity: {spec: liquidity_drain_breaker.yaml}\n", "")
    one = one.replace(" and In(liquidity.closed)", "").replace(" or In(liquidity.open)", "")
    looks = results_of(loads(one, folder=desk), "stands_down")["HR901", "stands_down"]
    assert looks.verdict == "proved", looks.because
    believes = one.replace("if: In(risk_limit.closed), ", "")
    assert believes != one
    assert results_of(loads(believes, folder=desk), "stands_down")["HR901", "stands_down"].verdict == "refuted"


def test_every_shipped_breaker_stands_beside_the_band_limited_hedge() -> None:
    used = "".join(f"  b{index}: {{spec: governance/{path.name}}}\n" for index, path in enumerate(SHIPPED))
    text = "hedgerow: 1\nname: all\nunits: [USD, IDX]\nuse:\n  strategy: {spec: band_limited_hedge.yaml}\n" + used
    marked = "{spec: governance/intraday_drawdown_breaker.yaml, events: {mark: {tick: {equity: strategy.equity}}}}"
    spec = loads(text.replace("{spec: governance/intraday_drawdown_breaker.yaml}", marked), folder=SPECS)
    assert [each for each in spec.diagnostics if each.severity == "warning"] == []
    machine = Twins(spec.compile())
    stale = []
    for day in range(16):
        step = machine.send("tick", day * DAY, price=1000.0 + day % 3)
        stale += [name for name in step.fired if name.endswith(".stale")]
        assert step.broken == ()
    assert len(stale) == 4  # all that nobody measures; the drawdown is measured on each tick
