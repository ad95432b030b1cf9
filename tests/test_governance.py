"""Where gates, people, breakers and fills from outside meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twins import Twins

from hedgerow.cli.main import main
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads

SECOND = 10**9
HOUR = 3600 * SECOND
GOVERNANCE = Path(__file__).parent.parent / "specs" / "governance"
TRADER = """
hedgerow: 1
name: trader
about: Buys ten on each tick. It loses when prices fall.
units: [USD, IDX]
capital: {USD: 100000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, stop: {}}
FILLS
instruments: {index: {unit: IDX, price: tick.price}}
legs: {book: {instrument: index, side: long}}
machine:
  initial: on
  fail_safe: off
  states:
    on: {on: {tick: {name: buy, do: {increase: {book: 10 IDX}}}, stop: {to: off}}}
    off: {entry: {close: book}}
"""
HEARS = "{spec: rejected_orders_breaker.yaml, events: {rejected: gate.rejected}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("rejected_orders_breaker", "sanity_gate"):
        (tmp_path / f"{name}.yaml").write_text((GOVERNANCE / f"{name}.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "trader.yaml").write_text(TRADER.replace("FILLS\n", ""), "utf-8")
    (tmp_path / "venue.yaml").write_text(TRADER.replace("FILLS", "fills: external"), "utf-8")
    return tmp_path


def heads(uses: str, rest: str = "") -> str:
    return f"hedgerow: 1\nname: top\nunits: [USD, IDX]\nuse:\n{uses}{rest}"


STOPPING = "gates: {few: {applies: increase, checks: {held: {of: trader.book.quantity, most: 5 IDX}}}}\n"


def test_a_breaker_hears_of_stopped_orders_whatever_else_it_is_given(folder: Path) -> None:
    (folder / "marked.yaml").write_text(
        (folder / "rejected_orders_breaker.yaml")
        .read_text("utf-8")
        .replace("events:\n", "events:\n  mark: {equity: {unit: USD}}\n", 1)
        .replace("name: rejected", "units: [USD]\nname: rejected", 1)
        .replace("let:", "observe: {mark: {worth: mark.equity}}\nlet:", 1)
        .replace("state:\n", "state:\n  worth: {unit: USD, initial: 0}\n", 1),
        "utf-8",
    )
    made = "{spec: marked.yaml, events: {mark: {tick: {equity: trader.equity}}, rejected: gate.rejected}}"
    machine = Twins(
        loads(heads(f"  trader: {{spec: trader.yaml}}\n  rej: {made}\n", STOPPING), folder=folder).compile()
    )
    for second in range(3):
        step = machine.send("tick", second * SECOND, price=10.0)
    assert step.fired == ("rej.trip_over",)


def test_a_bundle_of_governance_hears_what_its_gates_stop(folder: Path) -> None:
    sanity = "  sanity: {spec: sanity_gate.yaml, params: {gross_max: 50}}\n"
    bundle = heads(f"{sanity}  rej: {HEARS}\n").replace("name: top", "name: bundle").replace("[USD, IDX]", "[USD]")
    (folder / "bundle.yaml").write_text(bundle, "utf-8")
    text = heads("  trader: {spec: trader.yaml}\n  gov: {spec: bundle.yaml}\n")
    machine = Twins(loads(text, folder=folder).compile())
    for second in range(3):
        step = machine.send("tick", second * SECOND, price=10.0)
    assert step.fired == ("gov.rej.trip_over",)


def test_an_order_that_works_is_no_stopped_order_to_who_governs(folder: Path) -> None:
    text = heads(f"  trader: {{spec: venue.yaml}}\n  rej: {HEARS}\n")
    machine = Twins(loads(text, folder=folder).compile())
    steps = [machine.send("tick", second * SECOND, price=10.0) for second in range(5)]
    assert [[verdict.check for verdict in step.verdicts] for step in steps] == [[], *[["working"]] * 4]
    assert machine.value("rej.stopped") == 0
    # A gate's no is one, with fills from outside too.
    stopped = Twins(loads(text + STOPPING, folder=folder).compile())
    assert stopped.send("tick", 0, price=10.0).fired == ("rej.count",)


def test_nobody_approves_after_the_deadline_however_many_timers_were_due() -> None:
    text = """
hedgerow: 1
name: late
people: {anna: [risk], ben: [risk]}
approvals: {release: {role: risk, within: 4h}}
events: {stop: {}, release: {}}
state: {beats: {type: int, initial: 0, range: [0, 10]}}
machine:
  initial: on
  states:
    on: {on: {stop: {name: halt, to: off}}}
    off:
      every: {1s: {name: beat, do: {set: {beats: "min(beats + 1, 9)"}}}}
      on: {release: {name: reset, approval: release, to: on}}
"""
    machine = Twins(loads(text).compile())
    machine.send("stop", 0)
    machine.send("release", SECOND)
    step = machine.send("approve", 5 * HOUR, number=1, by="anna")
    assert [each.outcome for each in step.approvals] == ["expired"]
    assert "reset" not in step.fired


def test_what_waits_in_a_live_machine_is_listed_and_approved(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    people = "people: {anna: [risk]}\napprovals: {p: {role: risk, within: 1h}}\n"
    Path("held.yaml").write_text(
        TRADER.replace("FILLS\n", f"fills: external\n{people}").replace("name: buy,", "name: buy, approval: p,"),
        "utf-8",
    )
    Path("s.json").write_text(json.dumps([{"event": "tick", "with": {"price": 10}, "at": 0}]), "utf-8")
    assert main(["run", "held.yaml", "--events", "s.json", "--state", "st.json"]) == 0
    assert main(["approvals", "list", "held.yaml", "--state", "st.json"]) == 0
    assert "buy: on → on" in capsys.readouterr().out
    assert main(["approvals", "approve", "held.yaml", "--state", "st.json", "1", "--as", "anna"]) == 0
    assert "fired: buy" in capsys.readouterr().out


@pytest.mark.parametrize("event", ["book.filled", "book.cancelled"])
def test_a_check_cannot_want_fills_to_be_recent(folder: Path, event: str) -> None:
    gate = "gates: {g: {checks: {x: {holds: BOOK.quantity < 100 IDX, max_age: {EVENT: 1h}}}}}\n"
    own = TRADER.replace("FILLS", "fills: external") + gate.replace("BOOK", "book").replace("EVENT", event)
    used = heads("  v: {spec: venue.yaml}\n", gate.replace("BOOK", "v.book").replace("EVENT", f"v.{event}"))
    for text in (own, used):
        with pytest.raises(SpecError, match=r"HR419.*fills orders: where fills are simulated it never comes"):
            loads(text, folder=folder)


def test_supervision_refuses_what_could_not_wait() -> None:
    text = TRADER.replace(
        "FILLS\n", "oversight: supervised\npeople: {anna: [r]}\napprovals: {structural: {role: r, within: 1h}}\n"
    )
    late = text.replace(
        "off: {entry: {close: book}}", "off: {after: {1m: {name: back, to: on, do: {increase: {book: 1 IDX}}}}}"
    )
    with pytest.raises(SpecError, match=r"HR432.*supervised, it would wait, but `back` comes once"):
        loads(late)


def test_a_policy_of_a_used_spec_is_not_replaced(folder: Path) -> None:
    people = "people: {anna: [risk], ben: [risk]}\n"
    inner = f"{people}approvals: {{p: {{role: risk, persons: 2, within: 1h}}}}\n"
    spec = TRADER.replace("FILLS\n", inner).replace("stop: {to: off}", "stop: {name: halt, approval: p, to: off}")
    (folder / "strict.yaml").write_text(spec, "utf-8")
    weak = f"{people}approvals: {{weak: {{role: risk, within: 1h}}}}\n"
    with pytest.raises(SpecError, match=r"HR432.*`halt` of `t` waits already"):
        loads(heads("  t: {spec: strict.yaml, approvals: {halt: weak}}\n", weak), folder=folder)


def test_a_desk_is_not_told_of_fill_events_that_nothing_takes(folder: Path) -> None:
    found = loads(heads("  v: {spec: venue.yaml}\n"), folder=folder).diagnostics
    assert "HR704" not in {each.code for each in found}


def test_a_live_order_that_crosses_zero_is_counted_once() -> None:
    text = TRADER.replace("side: long", "side: both").replace("{increase: {book: 10 IDX}}", "{target: {book: aim}}")
    text = text.replace("instruments:", "state: {aim: {unit: IDX, initial: 10}}\ninstruments:").replace(
        "stop: {to: off}", "stop: {do: {set: {aim: -10}}}"
    )
    text += "gates: {pace: {checks: {one: {of: desk.orders, most: 1}}}}\n"
    counted = []
    for fills in ("", "fills: external\n"):
        machine = Twins(loads(text.replace("FILLS\n", fills)).compile())
        machine.send("tick", 0, price=10.0)
        if fills:
            machine.send("book.filled", 1, order=1, quantity=10.0, price=10.0, fee=0.0, total=10.0)
        machine.send("stop", 2)
        counted.append(len(machine.send("tick", SECOND, price=10.0).orders))
    assert counted == [0, 1]  # two orders of a simulation; one that is sent
