"""The shipped desk: a strategy under a sanity gate, two breakers and people, in a year that needs all of it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from twins import Twins

from hedgerow import Spec, load
from hedgerow.cli.main import main
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.dryrun.dry_run import DryRun, dry_run
from hedgerow.engine.dryrun.narrative import narrate
from hedgerow.engine.load import loads
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.script import parse_script

SPECS = Path(__file__).parent.parent / "specs"
DESK = SPECS / "desk.yaml"
DAY = 86_400 * 10**9
SCRIPT = """
- {event: release, at: 2008-11-20T09:00:00Z}
- {event: approve, with: {number: 1, by: anna}, at: 2008-11-20T10:00:00Z}
- {event: approve, with: {number: 1, by: ben}, at: 2008-11-20T11:00:00Z}
"""


@cache
def desk() -> Spec:
    return load(DESK)


@cache
def year_2008() -> DryRun:
    spec = desk()
    return dry_run(spec, "sp500", stress="2008", script=parse_script(SCRIPT, "people.yaml", spec))


def test_both_breakers_trip_in_2008_and_are_reset_one_by_calm_and_one_by_two_people() -> None:
    run = year_2008()
    assert run.held
    fired = run.summary["triggers"]
    for rule in ("drawdown.trip", "drawdown.cooled", "drawdown.reset", "loss.trip_over", "loss.reset", "loss.passed"):
        assert fired[rule] == 1, rule
    assert run.summary["approvals"] == {
        "asked drawdown.reset": 1,
        "granted drawdown.reset": 1,
        "noted drawdown.reset": 1,
    }
    assert fired["strategy.finish"] == 1  # the drawdown breaker has made it wind down


def test_what_people_said_is_told_and_else_that_nobody_answers() -> None:
    said = {each.heading: each.text for each in narrate(year_2008().summary)}["Approvals"]
    assert said.startswith("What people said") and "granted drawdown.reset 1 ×" in said
    script = parse_script(SCRIPT.splitlines()[1], "people.yaml", desk())
    asked = [each.text for each in narrate(dry_run(desk(), "sp500", stress="2008", script=script).summary)]
    assert any(text.startswith("Nobody answers") and "expired drawdown.reset 1 ×" in text for text in asked)


def test_nothing_that_enlarges_a_leg_leaves_while_a_breaker_is_open() -> None:
    trace = year_2008().trace
    stopped = {verdict.name for _, verdict in trace.verdicts}
    assert stopped == {"drawdown.no_new_risk.closed", "loss.no_new_risk.closed"}
    gross = trace.column("strategy.long.quantity") + trace.column("strategy.short.quantity")
    first = min(line for line, _ in trace.verdicts)
    assert gross[first] > gross[-1] == 0
    assert all(later <= earlier for earlier, later in zip(gross[first:-1], gross[first + 1 :], strict=True))


def test_the_report_shows_each_verdict_trip_and_approval_on_the_time_axis(tmp_path: Path) -> None:
    script = tmp_path / "people.yaml"
    script.write_text(SCRIPT, "utf-8")
    out = tmp_path / "run"
    given = ["run", str(DESK), "--data", "sp500", "--stress", "2008", "--events", str(script), "--out", str(out)]
    assert main(given) == 0
    report = (out / "report.html").read_text("utf-8")
    for said in ("gates: orders that were stopped", "loss.no_new_risk.closed", "approvals", "granted drawdown.reset"):
        assert said in report, said
    assert json.loads((out / "summary.json").read_text("utf-8"))["approvals"]["granted drawdown.reset"] == 1


@pytest.mark.parametrize("year", ["1987", "2020"])
def test_the_collar_stops_orders_at_the_prices_of_a_crash(year: str) -> None:
    run = dry_run(desk(), "sp500", stress=year)
    assert run.held
    assert run.summary["gates"]["sanity.new_risk.collar"] >= 1


def test_one_person_alone_resets_nothing() -> None:
    machine = Twins(desk().compile(**{"max_drawdown": 0.001, "sanity.collar": 1}))
    for day, price in enumerate((1000.0, 800.0, 500.0, 500.0, 500.0)):
        machine.send("tick", day * DAY, price=price)
    step = machine.send("release", 4 * DAY)
    assert [each.outcome for each in step.approvals] == ["asked"]
    for _ in range(2):
        step = machine.send("approve", 4 * DAY, number=1, by="anna")
    assert [each.outcome for each in step.approvals] == ["refused"]
    assert "drawdown.waiting" in step.configuration
    step = machine.send("approve", 4 * DAY, number=1, by="ben")
    assert step.fired == ("drawdown.reset",)


# --- transitions of a used spec that wait here ---

BREAKER = """
hedgerow: 1
name: breaker
events: {tick: {x: {}}, release: {}}
machine:
  initial: closed
  fail_safe: open
  states:
    closed: {on: {tick: {name: trip, if: tick.x > 9, to: open}}}
    open:
      tags: [halted]
      on: {release: {name: reset, to: closed}}
      after: {1h: {name: tired, to: closed}}
"""
USER = """
hedgerow: 1
name: user
people: {anna: [risk], ben: [risk]}
approvals: {release: {role: risk, persons: 2, within: 4h}}
use:
  breaker: {spec: breaker.yaml, approvals: {reset: release}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "breaker.yaml").write_text(BREAKER, "utf-8")
    return tmp_path


def test_a_transition_of_a_used_spec_waits_for_the_people_of_its_user(folder: Path) -> None:
    machine = Twins(loads(USER, folder=folder).compile())
    machine.send("tick", 0, x=10.0)
    step = machine.send("release", 1)
    assert [(each.outcome, each.rule) for each in step.approvals] == [("asked", "breaker.reset")]
    machine.send("approve", 2, number=1, by="ben")
    assert machine.send("approve", 3, number=1, by="anna").fired == ("breaker.reset",)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("reset: release}", "rest: release}"), "HR209", "`breaker` has no transition `rest`"),
        (("reset: release}", "reset: relase}"), "HR430", "unknown policy `relase`"),
        (("reset: release}", "tired: release}"), "HR432", "`tired` comes once"),
        (("reset: release}", "trip: release}"), "HR432", "`trip` reads `tick.x`"),
        (("ben: [risk]", "ben: []"), "HR431", "`anna` alone holds the role"),
    ],
)
def test_one_that_cannot_wait_is_refused_where_it_is_used(
    folder: Path, change: tuple[str, str], code: str, said: str
) -> None:
    text = USER.replace(*change)
    with pytest.raises(SpecError) as caught:
        loads(text, folder=folder)
    (told,) = caught.value.diagnostics
    assert (told.code, told.severity) == (code, "error")
    assert said in told.message
    assert ("approvals:" if code == "HR431" else "breaker:") in text.splitlines()[told.span.line - 1]


@pytest.mark.slow
def test_all_of_it_is_proved() -> None:
    proof = prove(desk(), workers=2)
    assert {each.verdict for each in proof.results} <= {"proved", "noted"}
    claimed = {each.name for each in proof.results if each.kind == "invariant"}
    assert {"no_new_risk_while_open", "strategy.gross_never_grows", "loss.trial_ends"} <= claimed
