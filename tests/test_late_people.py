"""Who brings what comes late: a person stays the proposer through delayed events, timeouts, errors and snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from late_people import APART, LATE, SECOND, Sent, happenings
from twins import Twins, spec

from hedgerow import Step
from hedgerow.cli.main import main
from hedgerow.engine.ir import NEVER
from hedgerow.engine.load import loads
from hedgerow.engine.printer import program_text
from hedgerow.engine.snapshot import Snapshot, SnapshotError

ANNA, BEN, NOBODY = 0, 1, -1
REASON = "`anna` proposed it, and nobody approves a proposal of his or her own"


def late(text: str = LATE) -> Twins:
    both = Twins(spec(text).compile())
    both.send("tick", 0)
    both.send("drop", 0)
    return both


def said(step: Step) -> list[tuple[str, str | None]]:
    return [(each.outcome, each.by) for each in step.approvals]


# --------------------------------------------------------------------------------------------------- through delayed events


@pytest.mark.parametrize("text", [LATE, APART], ids=["one", "two"])
@pytest.mark.parametrize(("event", "seconds"), [("pull", 10), ("wish", 120)])
def test_nobody_approves_what_came_late_of_an_event_of_his_own(text: str, event: str, seconds: int) -> None:
    both = late(text)
    both.send(event, SECOND, by="anna")
    assert said(both.advance((1 + seconds) * SECOND)) == [("asked", "anna")]
    refused = both.send("approve", 200 * SECOND, number=1, by="anna")
    assert [(each.outcome, each.reason) for each in refused.approvals] == [("refused", REASON)]
    assert (refused.fired, both.value("gone")) == ((), 0)
    assert both.send("approve", 201 * SECOND, number=1, by="ben").fired == ("leave",)


@pytest.mark.parametrize(
    ("after", "proposer"),
    [
        ([("drop", None), ("tick", None)], None),
        ([("tick", None)], None),
        ([("pull", "ben")], "ben"),
        ([("drop", None), ("pull", "ben")], "ben"),
        ([("undo", None), ("undo", None)], "anna"),
    ],
)
def test_who_arms_it_anew_is_who_brings_it(after: list[tuple[str, str | None]], proposer: str | None) -> None:
    both = late()
    both.send("pull", SECOND, by="anna")
    for name, by in after:
        both.send(name, 2 * SECOND, **({} if by is None else {"by": by}))
    assert said(both.advance(100 * SECOND)) == [("asked", proposer)]


def test_what_is_cancelled_or_has_come_is_nobodys() -> None:
    both = late()
    both.send("pull", SECOND, by="anna")
    assert (both.value("by(go)"), both.value("due(go)")) == (ANNA, 11 * SECOND)
    both.send("drop", 2 * SECOND)
    assert (both.value("by(go)"), both.value("due(go)")) == (NOBODY, NEVER)
    both.send("pull", 3 * SECOND, by="ben")
    assert both.value("by(go)") == BEN
    both.advance(13 * SECOND)
    assert both.value("by(go)") == NOBODY


def test_a_dropped_transition_arms_nothing_for_anybody() -> None:
    failing = LATE.replace("{name: pull, do: {raise", "{name: pull, do: [{set: {gone: gone - 1}}, {raise").replace(
        "after: 10s}}", "after: 10s}]}"
    )
    both = late(failing)
    assert both.send("pull", SECOND, by="anna").errors == ("`pull`: `gone` becomes -1, below 0",)
    assert both.value("by(go)") == NOBODY


@pytest.mark.parametrize("text", [LATE, APART], ids=["one", "two"])
@settings(max_examples=150)
@given(happened=happenings(), answer=st.sampled_from(("anna", "ben")))
def test_a_proposal_is_of_whoever_armed_what_led_to_it(text: str, happened: list[Sent], answer: str) -> None:
    both = Twins(spec(text).compile())
    armed: dict[str, tuple[int, str | None]] = {}
    waits: list[str | None] = []

    def pass_until(now: int) -> list[tuple[str, str | None]]:
        asked = []
        while due := sorted((at, name) for name, (at, _) in armed.items() if at <= now):
            at, name = due[0]
            _, by = armed.pop(name)
            if name == "first":
                armed["go"] = at + 60 * SECOND, by
            elif not waits:
                waits.append(by)
                asked.append(("asked", by))
        return asked

    for name, now, by in happened:
        step = both.advance(now) if not name else both.send(name, now, **({} if by is None else {"by": by}))
        assert said(step) == pass_until(now)
        if name in ("wish", "pull", "tick"):
            delay = {"wish": 60, "pull": 10, "tick": 90}[name]
            armed["first" if name == "wish" else "go"] = now + delay * SECOND, by
        elif name:
            armed.pop("go" if name == "drop" else "first", None)
        both.machine.restore(Snapshot.from_json(both.snapshot.to_json()))
        for proposer in waits:
            number = both.value("approval()")
            granted = proposer != answer
            fired = both.send("approve", now, number=number, by=answer).fired
            assert fired == (("leave",) if granted else ())
            if granted:
                waits.clear()


# ------------------------------------------------------------------------------------------------------------ other ways


AGAIN = """\
hedgerow: 1
name: again
people: {anna: [risk], ben: [risk]}
approvals: {p: {role: risk, within: 1h}}
events: {wish: {by: {type: person}}, go: {}, tick: {}, spoil: {}}
state: {stale: {type: bool, initial: "false"}}
machine:
  initial: on
  states:
    on:
      on:
        wish: {name: first, if: not stale, approval: p, do: {raise: go, after: 1s}}
        tick: {name: first_again, approval: p, do: {raise: go, after: 1s}}
        spoil: {name: spoil, do: {set: {stale: "true"}}}
        approval.expired approval.denied approval.lapsed: {name: retry, do: {raise: go}}
        go: {name: second, approval: p, to: off}
    off: {}
"""


@pytest.mark.parametrize("end", ["expired", "denied", "lapsed", "granted"])
def test_what_comes_of_the_end_of_a_proposal_is_of_who_made_it_whoever_answered(end: str) -> None:
    both = Twins(loads(AGAIN).compile())
    both.send("wish", 0, by="anna")
    if end == "lapsed":
        both.send("spoil", 1)
    answer = "deny" if end == "denied" else "approve"
    step = both.advance(3600 * SECOND) if end == "expired" else both.send(answer, 2, number=1, by="ben")
    assert step.approvals[0].outcome == end
    asked = both.advance(2 * SECOND) if end == "granted" else step
    assert said(asked)[-1] == ("asked", "anna")
    assert said(both.send("approve", both.snapshot.time_ns, number=2, by="anna")) == [("refused", "anna")]


@pytest.mark.parametrize(("answer", "later"), [("deny", 0), ("approve", 1)])
def test_what_comes_of_an_answer_to_what_nobody_proposed_is_of_who_answered(answer: str, later: int) -> None:
    both = Twins(loads(AGAIN).compile())
    both.send("tick", 0)
    step = both.send(answer, 1, number=1, by="ben")
    asked = both.advance(2 * SECOND) if later else step
    assert said(asked)[-1] == ("asked", "ben")


def test_what_comes_of_an_event_that_cannot_be_observed_is_of_who_brought_it() -> None:
    text = """\
hedgerow: 1
name: unseen
people: {anna: [risk], ben: [risk]}
approvals: {p: {role: risk, within: 1h}}
events: {wish: {by: {type: person}, size: {}}}
state: {inverse: {initial: 0}}
observe: {wish: {inverse: 1 / wish.size}}
machine:
  initial: on
  fail_safe: off
  states: {on: {on: {error.execution: {name: leave, approval: p, to: off}}}, off: {}}
"""
    both = Twins(loads(text).compile())
    both.send("wish", 0, by="ben", size=1.0)
    step = both.send("wish", 1, by="anna", size=0.0)
    assert (said(step), step.errors != ()) == ([("asked", "anna")], True)


def test_what_the_first_states_arm_is_of_who_brought_the_first_event() -> None:
    text = LATE.replace("    on:\n      on:\n", "    on:\n      entry: {raise: go, after: 5s}\n      on:\n")
    both = Twins(loads(text).compile())
    both.send("pull", 0, by="anna")
    assert both.value("by(go)") == ANNA
    other = Twins(loads(text).compile())
    other.send("drop", 0)
    other.advance(SECOND)
    assert other.value("by(go)") == NOBODY


def test_the_people_of_a_desk_bring_what_comes_late_in_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_text(f"{LATE}raises: [more, go]\n", "utf-8")
    desk = "hedgerow: 1\nname: desk\nuse: {a: {spec: late.yaml}}\npeople: {gus: [risk], anna: [risk]}\n"
    both = Twins(loads(desk, "desk.yaml", folder=tmp_path).compile())
    both.send("wish", 0, by="anna")
    assert both.value("by(a.first)") == 1
    assert said(both.advance(120 * SECOND)) == [("asked", "anna")]
    assert said(both.send("approve", 121 * SECOND, number=1, by="anna")) == [("refused", "anna")]


# ------------------------------------------------------------------------------------------------------------- what is kept


def test_a_snapshot_keeps_who_armed_what_comes_late() -> None:
    both = late()
    both.send("wish", SECOND, by="anna")
    other = both.machine.__class__()
    other.restore(both.machine.snapshot().to_json())
    step = other.advance(121 * SECOND)
    assert said(step) == [("asked", "anna")]
    assert step == both.advance(121 * SECOND)


def test_a_snapshot_in_which_nobody_known_armed_it_is_refused() -> None:
    both = late()
    both.send("wish", SECOND, by="anna")
    text = both.machine.snapshot().to_json()
    assert '"by(first)":0' in text
    with pytest.raises(SnapshotError, match="`by\\(first\\)` of the snapshot is outside its range"):
        both.machine.restore(text.replace('"by(first)":0', '"by(first)":3'))


def test_only_what_waits_for_people_and_comes_late_keeps_them() -> None:
    assert "timer go: event go() at due(go) of by(go)" in program_text(spec(LATE).program())
    without_people = LATE.replace("people: {anna: [risk], ben: [risk], carl: []}\n", "")
    without_people = without_people.replace("approvals: {p: {role: risk, within: 1000d}}\n", "")
    without_people = without_people.replace("{by: {type: person}}", "{}").replace("approval: p, ", "")
    nobody_asked = LATE.replace("approval: p, ", "")
    never_late = LATE[: LATE.index("        wish:")] + LATE[LATE.index("        go:") :]
    for text in (without_people, nobody_asked, never_late):
        program = loads(text).program()
        assert not any(cell.name.startswith("by(") for cell in program.cells)
        assert not any(timer.person for timer in program.timers)


def test_the_generated_code_notes_who_arms_it_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (LATE, APART):
        machine = spec(text).compile().machine()
        machine.send("tick", 0)
        monkeypatch.setattr(type(machine), "_defer", lambda *_: pytest.fail("the event was handed to the reference"))
        machine.send("pull", SECOND, by="ben")
        assert machine.value("by(go)") == BEN
        machine.send("tick", 2 * SECOND)
        assert machine.value("by(go)") == NOBODY


def test_the_command_refuses_who_brought_what_came_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.yaml").write_text(LATE, "utf-8")
    Path("wish.yaml").write_text("- {event: wish, with: {by: anna}, at: 0}\n- {advance: +3m}\n", "utf-8")
    assert main(["run", "late.yaml", "--events", "wish.yaml", "--state", "late.json"]) == 0
    assert main(["approvals", "list", "late.yaml", "--state", "late.json"]) == 0
    assert "proposed by: anna\n" in capsys.readouterr().out
    assert main(["approvals", "approve", "late.yaml", "--state", "late.json", "1", "--as", "anna"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == f"1 leave refused by anna: {REASON}"
    assert main(["approvals", "approve", "late.yaml", "--state", "late.json", "1", "--as", "ben"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "1 leave granted by ben"


def test_the_explanation_names_who_brought_what_comes_late_and_who_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.yaml").write_text(LATE, "utf-8")
    Path("said.yaml").write_text(
        "- {event: tick, at: 0}\n- {event: pull, with: {by: anna}, at: 1s}\n- {advance: 20s}\n"
        "- {event: approve, with: {number: 1, by: anna}, at: 30s}\n",
        "utf-8",
    )

    def told(item: int) -> list[str]:
        assert main(["explain", "late.yaml", "--events", "said.yaml", "--item", str(item)]) == 0
        return capsys.readouterr().out.splitlines()

    assert "  timer    by(go)  nobody → anna" in told(2)
    assert "  timer    by(go)  anna → nobody" in told(3)
    assert "`approve` let nothing out: it is an answer, which no transition takes" in told(4)
