"""Approvals: what waits for people fires on their yes alone, in time, and never larger than they saw it."""

from __future__ import annotations

import json
import shlex
import textwrap
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pages import ROOT, fences
from twins import Twins

from hedgerow import Spec, Step
from hedgerow.cli.main import main
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.explain import explain
from hedgerow.engine.explore.events import outside_events
from hedgerow.engine.ir import NEVER
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.printer import digest
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.snapshot import Snapshot, SnapshotError
from hedgerow.engine.step import Ruling
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, native_runner
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.engine.waiting import waiting

SECOND = 10**9
HOUR = 3600 * SECOND
HEAD = """\
hedgerow: 1
name: small
units: [USD, IDX]
capital: {USD: 100000}
people: {anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}
approvals:
  structural: {role: risk, within: 1h, again: 1d}
  release: {role: risk, persons: 2, within: 4h}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, stop: {}, release: {by: {type: person}}}
params: {dear: {default: 50, unit: USD/IDX, range: [1, 1000]}}
instruments: {index: {unit: IDX, price: tick.price}}
"""
BOOK = """\
legs: {book: {instrument: index, side: both}}
machine:
  initial: trading
  fail_safe: stopped
  states:
    trading:
      on:
        tick:
          - {name: buy, if: index.price < dear, approval: structural, do: [{increase: {book: 1000 USD / index.price}}]}
          - {name: count, do: [{set: {seen: "min(seen + 1, 1000)"}}]}
        stop: {name: halt, to: stopped}
    stopped:
      entry: [{close: book}]
      on: {release: {name: reset, approval: release, to: trading}}
state: {seen: {initial: 0, type: int, range: [0, 1000]}}
"""


def spec_of(*parts: str) -> Spec:
    return loads("".join(textwrap.dedent(part) for part in parts), "small.yaml")


def book(*parts: str, **settings: float) -> Twins:
    """Return both backends of the small book, at a price at which nothing is proposed."""
    both = Twins(spec_of(*(parts or (HEAD, BOOK))).bind(settings))
    both.send("tick", 0, price=60.0)
    return both


def outcomes(step: Step) -> list[str]:
    return [each.outcome for each in step.approvals]


# ------------------------------------------------------------------------------------------------------------ proposals


def test_what_says_so_waits_and_fires_on_a_yes() -> None:
    both = book()
    asked = both.send("tick", SECOND, price=40.0)
    assert asked.approvals == (Ruling(1, "buy", "asked", None, "", (("book", 25.0),)),)
    assert asked.raised == ("approval.asked",)
    assert asked.orders == ()
    step = both.send("approve", 2 * SECOND, number=1, by="anna")
    assert step.approvals == (Ruling(1, "buy", "granted", "anna"),)
    assert step.fired == ("buy",)
    assert [(order.leg, order.quantity) for order in step.orders] == [("book", 25.0)]


def test_what_waits_is_passed_over_and_lower_candidates_go_on() -> None:
    both = book()
    assert [both.send("tick", second * SECOND, price=40.0).fired for second in (1, 2, 3)] == [("count",)] * 3
    assert both.value("approval()") == 1


def test_a_proposal_shows_what_its_guard_read() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    both.send("tick", 60 * SECOND, price=90.0)
    (found,) = waiting(both.program, both.snapshot)
    assert (found.number, found.rule, found.source, found.targets) == (1, "buy", "trading", ())
    assert found.orders == (("book", 25.0, "IDX"),)
    assert found.evidence == (("index.price", 40.0, "USD/IDX"),)
    assert (found.role, found.persons, found.proposer, found.approver) == ("risk", 1, None, None)
    assert found.may_approve == ("anna", "ben", "dora")
    assert found.left_s == 3600 - 59


def test_a_proposal_that_would_fail_is_dropped_and_never_shown() -> None:
    failing = BOOK.replace("increase: {book: 1000 USD / index.price}", "set: {seen: seen - 900}")
    both = book(HEAD, failing)
    step = both.send("tick", SECOND, price=40.0)
    assert step.approvals == ()
    assert step.fired == ("fail_safe",)
    assert step.errors == ("`buy`: `seen` becomes -899, below 0",)


def test_a_proposal_that_gates_stop_is_never_shown_and_no_lower_candidate_replaces_it() -> None:
    gate = "gates: {sanity: {checks: {size: {of: book.quantity, most: 20}}}}\n"
    both = book(HEAD, BOOK, gate)
    step = both.send("tick", SECOND, price=40.0)
    assert step.approvals == ()
    assert step.fired == ()
    assert step.raised == ("gate.rejected",)
    assert [each.rule for each in step.verdicts] == ["buy"]
    assert both.send("tick", 2 * SECOND, price=60.0).fired == ("count",)


def test_gates_judge_again_when_somebody_approves() -> None:
    gate = "gates: {sanity: {checks: {worth: {of: index.price * book.quantity, most: 1200}}}}\n"
    both = book(HEAD, BOOK.replace("1000 USD / index.price", "25 IDX"), gate)
    assert outcomes(both.send("tick", SECOND, price=40.0)) == ["asked"]
    both.send("tick", 2 * SECOND, price=49.0)
    step = both.send("approve", 3 * SECOND, number=1, by="anna")
    assert step.fired == ()
    assert [each.check for each in step.verdicts] == ["worth"]
    assert both.value("book.quantity") == 0


def test_numbers_go_on() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    both.send("approve", 2 * SECOND, number=1, by="anna")
    step = both.send("tick", 3 * SECOND, price=40.0)
    assert [(each.number, each.rule) for each in step.approvals] == [(2, "buy")]


# -------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("number", "by", "reason"),
    [
        (7, "anna", "no proposal 7 waits"),
        (1, "carl", "`carl` does not hold the role `risk`"),
    ],
)
@pytest.mark.parametrize("event", ["approve", "deny"])
def test_an_answer_that_does_not_count_changes_nothing(event: str, number: int, by: str, reason: str) -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    before = dict(both.snapshot.cells)
    step = both.send(event, 2 * SECOND, number=number, by=by)
    rule = "buy" if number == 1 else ""
    assert step.approvals == (Ruling(number, rule, "refused", by, reason),)
    assert step.raised == ("approval.refused",)
    assert step.fired == ()
    assert dict(both.snapshot.cells) == before


def test_a_person_whom_nobody_knows_is_refused_input() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    step = both.send("approve", 2 * SECOND, number=1, by="zoe")
    assert step.rejected == "`by` = 'zoe' is nobody known: the people are `anna`, `ben`, `carl`, `dora`"
    assert step.raised == ("input.rejected",)


def test_nobody_approves_a_proposal_of_his_own_and_may_take_it_back() -> None:
    both = book()
    both.send("stop", SECOND)
    assert both.send("release", 2 * SECOND, by="ben").approvals == (Ruling(1, "reset", "asked", "ben"),)
    step = both.send("approve", 3 * SECOND, number=1, by="ben")
    told = "`ben` proposed it, and nobody approves a proposal of his or her own"
    assert step.approvals == (Ruling(1, "reset", "refused", "ben", told),)
    assert outcomes(both.send("deny", 4 * SECOND, number=1, by="ben")) == ["denied"]
    assert outcomes(both.send("release", 5 * SECOND, by="carl")) == ["asked"]
    assert outcomes(both.send("deny", 6 * SECOND, number=2, by="carl")) == ["denied"]


def test_two_persons_are_two() -> None:
    both = book()
    both.send("stop", SECOND)
    both.send("release", 2 * SECOND, by="carl")
    first = both.send("approve", 3 * SECOND, number=1, by="anna")
    assert first.approvals == (Ruling(1, "reset", "noted", "anna", "it needs another person"),)
    assert first.fired == ()
    again = both.send("approve", 4 * SECOND, number=1, by="anna")
    told = "`anna` has approved it already, and it needs another person"
    assert again.approvals == (Ruling(1, "reset", "refused", "anna", told),)
    second = both.send("approve", 5 * SECOND, number=1, by="dora")
    assert (second.fired, second.configuration, outcomes(second)) == (("reset",), ("trading",), ["granted"])


def test_one_no_outweighs_a_yes_of_two() -> None:
    both = book()
    both.send("stop", SECOND)
    both.send("release", 2 * SECOND, by="carl")
    both.send("approve", 3 * SECOND, number=1, by="anna")
    assert both.send("deny", 4 * SECOND, number=1, by="dora").raised == ("approval.denied",)
    assert outcomes(both.send("approve", 5 * SECOND, number=1, by="ben")) == ["refused"]


def test_what_a_person_brings_is_his_proposal_through_the_events_that_it_raises() -> None:
    text = """\
    hedgerow: 1
    name: relay
    people: {anna: [risk], ben: [risk]}
    approvals: {p: {role: risk, within: 1h}}
    events: {wish: {by: {type: person}}, go: {}}
    machine:
      initial: on
      states:
        on: {on: {wish: {do: {raise: go}}, go: {name: leave, approval: p, to: off}}}
        off: {}
    """
    both = Twins(spec_of(text).compile())
    assert both.send("wish", 0, by="anna").approvals == (Ruling(1, "leave", "asked", "anna"),)
    assert outcomes(both.send("approve", 1, number=1, by="anna")) == ["refused"]
    assert both.send("approve", 2, number=1, by="ben").configuration == ("off",)


def test_what_cannot_start_a_machine_is_no_answer() -> None:
    text = """\
    hedgerow: 1
    name: early
    people: {anna: [risk]}
    approvals: {p: {role: risk, within: 1h}}
    events: {go: {}}
    machine: {initial: on, states: {on: {on: {go: {approval: p, to: off}}}, off: {on: {go: {to: on}}}}}
    """
    both = Twins(spec_of(text).compile())
    assert both.send("approve", 0, number=1, by="anna").rejected == "nothing waits: the machine has not started"
    assert both.send("go", 1).configuration == ("on",)
    assert both.send("approve", 2, number=1, by="anna").configuration == ("off",)


def test_answers_are_the_engines_and_no_transition_takes_them() -> None:
    text = BOOK.replace("stop: {name: halt, to: stopped}", '"*": {name: any, do: []}')
    both = book(HEAD, text.replace("- {name: count", "- {name: count, if: false"))
    assert both.send("tick", SECOND, price=40.0).fired == ("any", "any")  # the tick, and what told of the proposal
    assert both.send("approve", 2 * SECOND, number=1, by="anna").fired == ("buy",)


# ------------------------------------------------------------------------------------------------------- a no, and time


def test_after_a_no_it_is_not_asked_again_so_soon() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    denied = both.send("deny", 2 * SECOND, number=1, by="ben")
    assert (outcomes(denied), denied.raised, denied.fired) == (["denied"], ("approval.denied",), ())
    day = 86_400 * SECOND
    assert outcomes(both.send("tick", 2 * SECOND + day - 1, price=40.0)) == []
    assert outcomes(both.send("tick", 2 * SECOND + day, price=40.0)) == ["asked"]


def test_no_answer_in_time_is_a_no() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    assert both.machine.next_due == SECOND + HOUR
    step = both.send("approve", SECOND + HOUR, number=1, by="anna")
    assert step.timers == (("approval(buy)", SECOND + HOUR),)
    assert outcomes(step) == ["expired", "refused"]
    assert step.raised == ("approval.refused",)
    assert step.fired == ()
    assert both.value("book.quantity") == 0
    assert outcomes(both.send("tick", SECOND + 2 * HOUR, price=40.0)) == []
    assert outcomes(both.send("tick", SECOND + 25 * HOUR, price=40.0)) == ["asked"]


def test_a_yes_at_the_last_moment_counts() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    assert both.send("approve", SECOND + HOUR - 1, number=1, by="anna").fired == ("buy",)


def test_a_transition_may_take_what_becomes_of_a_proposal() -> None:
    late = BOOK.replace("stop: {name: halt, to: stopped}", "approval.expired: {name: late, to: stopped}")
    both = book(HEAD, late)
    both.send("tick", SECOND, price=40.0)
    assert both.advance(SECOND + HOUR).fired == ("late",)


def test_a_proposal_goes_with_its_state() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    both.send("stop", 2 * SECOND)
    assert both.machine.next_due is None
    assert waiting(both.program, both.snapshot) == ()
    assert outcomes(both.send("approve", 3 * SECOND, number=1, by="anna")) == ["refused"]


# ------------------------------------------------------------------------------------------------ the yes, and the guard


def test_a_guard_that_holds_no_more_lets_the_approval_lapse() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    both.send("tick", 2 * SECOND, price=60.0)
    step = both.send("approve", 3 * SECOND, number=1, by="anna")
    assert step.approvals == (Ruling(1, "buy", "lapsed", "anna", "its guard does not hold any more"),)
    assert (step.fired, step.raised) == ((), ("approval.lapsed",))
    assert outcomes(both.send("tick", 4 * SECOND, price=40.0)) == ["asked"]


def test_a_guard_that_fails_lets_the_approval_lapse() -> None:
    both = book(HEAD, BOOK.replace("if: index.price < dear", "if: index.price < dear and 1 / (2 - seen) > 0"))
    assert outcomes(both.send("tick", SECOND, price=40.0)) == ["asked"]
    step = both.send("approve", 2 * SECOND, number=1, by="anna")
    assert step.approvals == (Ruling(1, "buy", "lapsed", "anna", "division by zero"),)
    assert step.errors == ("the guard of `buy`: division by zero",)
    assert both.value("book.quantity") == 0


@pytest.mark.parametrize(
    ("order", "now", "quantity"),
    [
        ("increase: {book: 1000 USD / index.price}", 20.0, [25.0]),  # 50 now, 25 shown
        ("increase: {book: 1000 USD / index.price}", 40.0, [25.0]),
        ("increase: {book: 1 IDX * (index.price * 1 IDX / 1 USD)}", 20.0, [20.0]),  # 40 shown
        ("target: {book: index.price * 1 IDX * 1 IDX / 1 USD - 30 IDX}", 20.0, []),  # from +10 to −10
    ],
)
def test_no_order_is_larger_than_shown_or_goes_the_other_way(order: str, now: float, quantity: list[float]) -> None:
    both = book(HEAD, BOOK.replace("increase: {book: 1000 USD / index.price}", order))
    both.send("tick", SECOND, price=40.0)
    both.send("tick", 2 * SECOND, price=now)
    step = both.send("approve", 3 * SECOND, number=1, by="anna")
    assert step.fired == ("buy",)
    assert [each.quantity for each in step.orders] == quantity


@cache
def holding() -> Compiled:
    """Return a book in which `stop` holds what the price says, and a tick proposes a tenth of the price more."""
    hold = "{name: hold, do: [{target: {book: index.price * 0.7 IDX * 1 IDX / 1 USD}}]}"
    text = BOOK.replace("1000 USD / index.price", "0.1 IDX * (index.price * 1 IDX / 1 USD)")
    return spec_of(HEAD, text.replace("{name: halt, to: stopped}", hold)).compile(dear=1000.0)


@given(first=st.floats(1, 1000), shown=st.floats(1, 500), second=st.floats(1, 500))
@example(first=40.0, shown=0.3 + 1, second=300.7)
def test_a_rounded_order_is_not_larger_than_shown_either(first: float, shown: float, second: float) -> None:
    both = Twins(holding())
    both.send("tick", 0, price=first)
    both.send("stop", 1)
    both.send("deny", 2, number=1, by="anna")
    later = 86_400 * SECOND
    (asked,) = both.send("tick", 2 + later, price=shown).approvals
    both.send("tick", 3 + later, price=second)
    both.send("stop", 4 + later)
    held = both.value("book.quantity")
    both.send("tick", 5 + later, price=999.0)
    assert both.send("approve", 6 + later, number=2, by="anna").fired == ("buy",)
    assert 0 <= both.value("book.quantity") - held <= asked.orders[0][1]


# -------------------------------------------------------------------------------------------------- oversight and desks


def test_under_supervision_what_enlarges_a_leg_waits_and_nothing_else() -> None:
    text = BOOK.replace(", approval: structural", "").replace(
        "increase: {book: 1000 USD / index.price}", "target: {book: wish}"
    )
    text += "let: {wish: 25 IDX - seen * 10 IDX}\n"
    both = book(HEAD, "oversight: supervised\n", text)
    assert both.send("tick", SECOND, price=40.0).approvals == (Ruling(1, "buy", "asked", None, "", (("book", 15.0),)),)
    assert both.send("approve", 2 * SECOND, number=1, by="anna").fired == ("buy",)
    both.send("tick", 3 * SECOND, price=60.0)
    step = both.send("tick", 4 * SECOND, price=40.0)  # from 5 to −5: it turns round
    assert outcomes(step) == ["asked"]
    both.send("stop", 5 * SECOND)
    assert both.value("book.quantity") == 0


def test_under_supervision_a_target_that_only_reduces_waits_for_nobody() -> None:
    text = BOOK.replace(", approval: structural", "").replace(
        "increase: {book: 1000 USD / index.price}", "target: {book: 0 IDX}"
    )
    text = text.replace("side: both}", "side: both, quantity: 5}")
    both = book(HEAD, "oversight: supervised\n", text)
    step = both.send("tick", SECOND, price=40.0)
    assert (step.fired, step.approvals) == (("buy",), ())


def test_under_supervision_what_fires_beside_a_transition_does_not_make_it_enlarge_a_leg() -> None:
    text = """\
    legs: {book: {instrument: index, side: long, quantity: 5}}
    state: {wish: {initial: 2, unit: IDX}}
    machine:
      parallel: true
      fail_safe: stopped
      states:
        first:
          initial: one
          states: {one: {on: {tick: {name: ask, if: index.price < dear, do: [{set: {wish: 9 IDX}}]}}}}
        second:
          initial: two
          states:
            two: {on: {tick: {name: follow, if: index.price < dear, do: [{target: {book: wish}}]}}}
            stopped: {on: {release: {approval: release, to: two}}}
    """
    both = book(HEAD, "oversight: supervised\n", text)
    step = both.send("tick", SECOND, price=40.0)
    assert step.approvals == ()
    assert step.errors == ("`follow`: nobody has approved that `book` grows",)
    assert both.value("book.quantity") == 5


def test_nothing_waits_where_the_spec_is_autonomous_and_that_is_noted() -> None:
    spec = spec_of(HEAD, "oversight: autonomous\n", BOOK)
    assert [found.severity for found in spec.diagnostics if found.code == "HR720"] == ["note"]
    both = Twins(spec.compile())
    assert both.send("tick", 0, price=40.0).fired == ("buy",)
    assert "approve" not in {event.name for event in spec.program().events}


PART = """\
hedgerow: 1
name: part
people: {eve: [risk], fay: [risk]}
approvals: {p: {role: risk, persons: 2, within: 1h}}
events: {wish: {by: {type: person}}, back: {}}
machine:
  initial: on
  states: {on: {on: {back: {name: leave, approval: p, to: off}}}, off: {on: {back: {to: on}, wish: {do: []}}}}
"""


def desk(tmp_path: Any, head: str, part: str = PART) -> Spec:
    (tmp_path / "part.yaml").write_text(part)
    return loads(f"hedgerow: 1\nname: desk\nuse: {{a: {{spec: part.yaml}}}}\n{head}", "desk.yaml", folder=tmp_path)


def test_the_people_of_a_desk_answer_for_all_that_it_uses(tmp_path: Any) -> None:
    spec = desk(tmp_path, "people: {gus: [risk], hal: [risk, trading]}\n")
    assert [event.fields[0].people for event in spec.program().events if event.name == "wish"] == [("gus", "hal")]
    both = Twins(spec.compile())
    assert both.send("back", 0).approvals == (Ruling(1, "a.leave", "asked", None),)
    assert both.send("approve", 1, number=1, by="eve").rejected is not None
    assert outcomes(both.send("approve", 2, number=1, by="gus")) == ["noted"]
    assert both.send("approve", 3, number=1, by="hal").configuration == ("a.off",)


@pytest.mark.parametrize(
    ("desks", "parts", "waits"),
    [
        ("", "", True),
        ("autonomous", "", False),
        ("autonomous", "collaborative", True),
        ("collaborative", "autonomous", True),
        ("autonomous", "autonomous", False),
    ],
)
def test_a_used_spec_is_under_the_stricter_of_two_levels(tmp_path: Any, desks: str, parts: str, waits: bool) -> None:
    level, own = (f"oversight: {each}\n" if each else "" for each in (desks, parts))
    spec = desk(tmp_path, f"people: {{gus: [risk], hal: [risk]}}\n{level}", PART + own)
    assert [each.rule for each in spec.program().approvals] == (["a.leave"] if waits else [])


def test_a_supervised_desk_supervises_what_it_uses_under_a_policy_of_its_own(tmp_path: Any) -> None:
    strategy = HEAD.replace("people: {anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}\n", "")
    strategy = strategy[: strategy.index("approvals:")] + strategy[strategy.index("events:") :]
    strategy = strategy.replace(", release: {by: {type: person}}", "")
    text = BOOK.replace(", approval: structural", "").replace(
        "      on: {release: {name: reset, approval: release, to: trading}}\n", ""
    )
    head = "people: {gus: [risk]}\noversight: supervised\napprovals: {structural: {role: risk, within: 1h}}\n"
    spec = desk(tmp_path, head, strategy + text)
    (approval,) = spec.program().approvals
    assert (approval.rule, approval.always, approval.who) == ("a.buy", False, (0,))
    with pytest.raises(SpecError, match=r"HR434.*no policy `structural` says who approves it"):
        desk(tmp_path, "people: {gus: [risk]}\noversight: supervised\n", strategy + text)


def test_a_desk_whose_people_cannot_satisfy_what_it_uses_is_refused(tmp_path: Any) -> None:
    with pytest.raises(
        SpecError, match=r"desk.yaml:3:7: error\[HR431\]: `p` of `a` needs 2 of the role `risk`, and `gus` alone"
    ):
        desk(tmp_path, "people: {gus: [risk]}\n")
    with pytest.raises(SpecError) as raised:
        desk(tmp_path, "")
    assert "`p` of `a` needs 2 of the role `risk`, and nobody here holds it" in str(raised.value)
    assert "error[HR433]: `wish.by` is a person, and this spec knows nobody" in str(raised.value)


# ------------------------------------------------------------------------------------------------- refused at load


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "approval: structural",
            "approval: structurl",
            "error[HR430]: unknown policy `structurl`|did you mean `structural`?",
        ),
        (
            "{anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}",
            "{}",
            "error[HR431]: nobody holds the role `risk`|people: {anna: [risk]}|error[HR433]: `release.by` is a person",
        ),
        (
            "{role: risk, within: 1h",
            "{role: rsk, within: 1h",
            "error[HR431]: nobody holds the role `rsk`|did you mean `risk`?",
        ),
        (
            "{anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}",
            "{anna: [risk], carl: [trading]}",
            "error[HR431]: two persons must approve, and `anna` alone holds the role `risk`|`persons: 1`",
        ),
        (
            "{anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}",
            "{anna: [risk], ben: [risk]}",
            "error[HR431]: whoever brings `release` may not approve `reset`, and too few others hold its role|another",
        ),
        (
            "people: {anna: [risk], ben: [risk, trading], carl: [trading], dora: [risk]}\n",
            "",
            "error[HR433]: `release.by` is a person, and the spec knows nobody|people: {anna: [risk]}",
        ),
        (
            "release: {by: {type: person}}",
            "release: {by: {type: person, unit: USD}}",
            "error[HR433]: a person has no unit|remove it",
        ),
        (
            "release: {by: {type: person}}",
            "release: {by: {type: person}, to: {type: person}}",
            "error[HR433]: `release` brings two persons, `by` and `to`|make two events of it",
        ),
        (
            "if: index.price < dear",
            "if: tick.price < dear",
            "error[HR432]: `buy` reads `tick.price`, which is gone when somebody approves|`observe`",
        ),
        (
            "book: 1000 USD / index.price",
            "book: 1000 USD / tick.price",
            "error[HR432]: `buy` reads `tick.price`, which is gone when somebody approves|`observe`",
        ),
        (
            "stop: {name: halt, to: stopped}",
            "stop: {name: halt, to: stopped}\n      always: {name: now, if: seen > 5, approval: release, to: stopped}",
            "error[HR432]: `now` needs no event: it would be asked for again and again|`on:`",
        ),
        (
            "stop: {name: halt, to: stopped}",
            "stop: {name: halt, to: stopped}\n      after: {1h: {name: soon, approval: release, to: stopped}}",
            "error[HR432]: `soon` comes once: after a no it would never come again|a state of its own",
        ),
        ("stop: {}", "approve: {}, stop: {}", "error[HR211]: `approve` is what people say|another name"),
        ("within: 4h", "within: 0s", "error[HR304]: a delay is at least 1ns, this is 0 s|longer"),
        ("persons: 2", "persons: 3", "error[HR104]|1"),
    ],
)
def test_what_could_never_be_approved_is_refused_with_a_place_and_a_help_line(old: str, new: str, told: str) -> None:
    text = HEAD + BOOK
    assert old in text
    with pytest.raises(SpecError) as raised:
        loads(text.replace(old, new, 1), "small.yaml")
    for each in told.split("|"):
        assert each in str(raised.value)
    assert str(raised.value).startswith("small.yaml:")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "{name: reset, approval: release, to: trading}",
            "{if: release.by > 0, to: trading}",
            "`release.by` is a person",
        ),
        ("stop: {name: halt, to: stopped}", "stop: {do: {raise: {release: {by: 0}}}}", "for whom no action speaks"),
    ],
)
def test_no_expression_and_no_action_speaks_for_a_person(old: str, new: str, told: str) -> None:
    with pytest.raises(SpecError, match=r"HR433") as raised:
        loads((HEAD + BOOK).replace(old, new), "small.yaml")
    assert told in str(raised.value)


def test_what_a_desk_supervises_may_not_read_what_is_gone() -> None:
    text = BOOK.replace(", approval: structural", "").replace("if: index.price", "if: tick.price")
    with pytest.raises(SpecError, match=r"HR432.*supervised, it would wait, but `buy` reads `tick.price`"):
        spec_of(HEAD, "oversight: supervised\n", text)


# --------------------------------------------------------------------------------------------------- every way of running


@dataclass
class _Known:
    """What an independent reader of the steps knows of a proposal."""

    rule: str
    proposer: str | None
    until: int
    shown: dict[str, float]
    yes: set[str] = field(default_factory=set)


PEOPLE = ("anna", "ben", "carl", "dora")
RISK = frozenset(("anna", "ben", "dora"))
NEEDED = {"buy": 1, "reset": 2}
WITHIN = {"buy": HOUR, "reset": 4 * HOUR}
GAPS = st.sampled_from((0, 1, SECOND, HOUR - 1, HOUR, 5 * HOUR, 30 * HOUR))
ACTIONS = st.one_of(
    st.tuples(st.just("tick"), st.fixed_dictionaries({"price": st.sampled_from((20.0, 40.0, 60.0))})),
    st.tuples(
        st.sampled_from(("approve", "approve", "deny")),
        st.fixed_dictionaries({"number": st.integers(1, 6), "by": st.sampled_from(PEOPLE)}),
    ),
    st.tuples(st.just("stop"), st.just({})),
    st.tuples(st.just("release"), st.fixed_dictionaries({"by": st.sampled_from(PEOPLE)})),
    st.tuples(st.just("advance"), st.just({})),
)
SMALL = spec_of(HEAD, BOOK)
COMPILED = SMALL.compile()


@settings(max_examples=300)
@given(happened=st.lists(st.tuples(GAPS, ACTIONS), max_size=40))
def test_nothing_fires_without_enough_persons_in_time_under_its_guard_and_no_larger(
    happened: list[tuple[int, tuple[str, dict[str, Any]]]],
) -> None:
    both, now, known = Twins(COMPILED), 0, dict[int, _Known]()
    both.send("tick", now, price=60.0)
    for gap, (event, fields) in happened:
        now += gap
        price = both.value("index.price")
        if event == "approve" and (proposal := known.get(fields["number"])) is not None:
            proposal.yes.add(fields["by"])
        step = both.advance(now) if event == "advance" else both.send(event, now, **fields)
        for rule in step.fired:
            if rule not in NEEDED:
                continue
            assert event == "approve"
            proposal = known[fields["number"]]
            assert proposal.rule == rule
            assert len((proposal.yes & RISK) - {proposal.proposer}) >= NEEDED[rule]
            assert now < proposal.until
            assert rule != "buy" or price < 50
            for order in step.orders:
                assert order.quantity <= abs(proposal.shown[order.leg])
                assert (order.side == "buy") == (proposal.shown[order.leg] > 0)
        if any(each in NEEDED for each in step.fired):
            del known[fields["number"]]
        for each in step.approvals:
            if each.outcome == "asked":
                brought = fields["by"] if event == "release" else None
                known[each.number] = _Known(each.rule, brought, now + WITHIN[each.rule], dict(each.orders))
            if each.outcome in ("denied", "expired", "lapsed"):
                known.pop(each.number, None)
        snapshot = Snapshot.from_json(both.snapshot.to_json())
        both.machine.restore(snapshot)
    assert both.machine.snapshot() == both.snapshot


def test_a_snapshot_keeps_what_waits() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    other = both.machine.__class__()
    other.restore(both.machine.snapshot().to_json())
    step = other.send("approve", 2 * SECOND, number=1, by="dora")
    assert (step.fired, step) == (("buy",), both.send("approve", 2 * SECOND, number=1, by="dora"))


@pytest.mark.parametrize("cell", ["approval(buy).proposer", "approval(buy).approver"])
def test_a_snapshot_with_a_person_whom_nobody_knows_is_refused(cell: str) -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    text = both.machine.snapshot().to_json().replace(f'"{cell}":-1', f'"{cell}":4')
    with pytest.raises(SnapshotError, match=r"outside its range"):
        both.machine.restore(text)


def test_native_code_leaves_proposals_to_the_reference_and_agrees() -> None:
    pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
    head = HEAD.replace("within: 1h, again: 1d", "within: 50s, again: 100s")
    spec = spec_of(head, BOOK)
    prices = np.array([60.0, 40.0, 30.0, 60.0] * 200)
    event = spec.program().event("tick")
    path = path_of(event, np.arange(len(prices), dtype=np.int64) * 5 * SECOND, [prices], skip_bad=True)
    shape, capitals = shape_of(spec.program(), len(path.stops)), np.zeros(1)
    runner = native_runner(spec, "same", path.event, 1)
    assert isinstance(runner, NativeRunner)
    native, live = Results.empty(shape, 1), Results.empty(shape, 1)
    parameters = [spec.bind({}).parameters]
    assert runner.run(parameters, capitals, path, native) == 1
    assert LiveRunner(spec, "same", path.event).run(parameters, capitals, path, live) == 1
    for name, values in vars(native).items():
        if name != "handed":
            np.testing.assert_array_equal(values, getattr(live, name), err_msg=name)
    # A proposal and its end each 150 s or so: of 800 rows few are left to the reference.
    assert 20 <= native.handed[0] <= 80


def test_a_spec_without_approvals_is_the_program_that_it_was() -> None:
    text = HEAD[: HEAD.index("people:")] + HEAD[HEAD.index("events:") :].replace(", release: {by: {type: person}}", "")
    body = BOOK.replace(", approval: structural", "").replace(
        "      on: {release: {name: reset, approval: release, to: trading}}\n", ""
    )
    program = loads(text + body).program()
    assert not any(cell.kind == "approval" for cell in program.cells)
    assert "approve" not in {event.name for event in program.events}
    # Computed by the version before there were approvals: snapshots of then are valid now.
    assert digest(program) == "9d1f1af94ed9eb4b64a908a6d0ad98b580d5ba3be60bb9ef7c124282fdda580b"


def test_explain_tells_what_waits() -> None:
    both = book()
    both.send("tick", SECOND, price=40.0)
    compiled = SMALL.compile()
    told = explain(compiled, both.snapshot, "tick", 2 * SECOND, {"price": 40.0})
    assert told.asked is not None
    ((_, asked),) = told.asked.leaves
    assert [(each.name, each.fate, each.why, each.guard) for each in asked] == [
        ("buy", "waits", "it waits for approval 1", "index.price < dear"),
        ("count", "fired", "", ""),
    ]
    told = explain(compiled, both.snapshot, "approve", 2 * SECOND, {"number": 1, "by": "anna"})
    assert told.fired == ("buy",)
    assert [each.outcome for each in told.approvals] == ["granted"]


def test_what_never_ends_has_no_timer() -> None:
    both = book(HEAD.replace("within: 1h", "within: 1000000d"), BOOK)
    both.send("tick", SECOND, price=40.0)
    assert both.value("due(approval(buy))") == NEVER
    (found,) = waiting(both.program, both.snapshot)
    assert (found.due_ns, found.left_s) == (None, None)
    assert both.send("approve", 400 * 86_400 * SECOND, number=1, by="anna").fired == ("buy",)


# ------------------------------------------------------------------------------------------------------ the command line

PAGE = list(fences(ROOT / "docs" / "approvals.md"))
SESSIONS = [fence for fence in PAGE if fence.language == "console"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds the files of the page."""
    (tmp_path / "careful.yaml").write_text(next(fence.text for fence in PAGE if fence.info == ("yaml",)), "utf-8")
    (tmp_path / "asked.yaml").write_text(next(f.text for f in PAGE if f.info == ("yaml", "script")), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def run(command: str) -> int:
    return main(shlex.split(command.removeprefix("$ hedgerow ")))


def test_the_commands_on_the_page_print_what_it_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(SESSIONS) == 3
    for fence in SESSIONS:
        command, _, expected = fence.text.partition("\n")
        assert run(command) == 0
        assert capfd.readouterr().out == expected


@pytest.fixture
def saved(folder: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    assert run("run careful.yaml --events asked.yaml --state careful.json") == 0
    capfd.readouterr()
    return folder / "careful.json"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "approve careful.yaml --state careful.json 1 --as zoe",
            "--as: error[HR807]: `zoe` is none of the people of `careful`",
        ),
        ("approve careful.yaml --state careful.json 2 --as anna", "NUMBER: error[HR807]: no proposal 2 waits"),
        ("deny careful.yaml --state careful.json 1 --as anna --time soon", "--time: error[HR807]: `soon` is no time"),
        (
            "deny careful.yaml --state careful.json 1 --as anna --time 1s",
            "--time: error[HR807]: the answer was refused",
        ),
        ("approve careful.yaml --state none.json 1 --as anna", "none.json: error[HR850]: the file cannot be read"),
        ("approve careful.yaml --state asked.yaml 1 --as anna", "asked.yaml: error[HR850]: this is no snapshot"),
        ("approve other.yaml --state careful.json 1 --as anna", "the state of another program than `careful`"),
    ],
)
def test_a_wrong_answer_is_told_and_leaves_the_file_alone(
    command: str, told: str, saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (saved.parent / "other.yaml").write_text(
        (saved.parent / "careful.yaml").read_text("utf-8").replace("10 IDX", "9 IDX")
    )
    before = saved.read_bytes()
    assert run(f"approvals {command}") == 2
    out, err = capfd.readouterr()
    assert (out, told in err, "help: " in err) == ("", True, True)
    assert saved.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"approval(buy).number":1', '"approval(buy).number":"1"'),
        ('"index.price":90.0', '"index.price":null'),
        ('"format":2', '"format":true'),
        ('"cheap":100.0', '"cheap":99.0'),
        ('"cheap":100.0', '"cheap":[]'),
    ],
)
def test_a_state_that_somebody_has_changed_is_refused(
    old: str, new: str, saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = saved.read_text("utf-8")
    assert old in text
    saved.write_text(text.replace(old, new, 1), "utf-8")
    code = run("approvals list careful.yaml --state careful.json")
    # Other params are another machine, and no damage: it is shown as it is.
    assert code == (0 if new == '"cheap":99.0' else 2)
    assert ("careful.json: error[HR850]: " in capfd.readouterr().err) == (code == 2)


def test_an_answer_that_does_not_count_exits_with_1(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("approvals approve careful.yaml --state careful.json 1 --as carl") == 1
    assert capfd.readouterr().out.splitlines()[0] == "1 buy refused by carl: `carl` does not hold the role `risk`"
    assert run("approvals approve careful.yaml --state careful.json 1 --as ben --time +2h") == 1
    assert "1 buy expired" in capfd.readouterr().out


def test_the_commands_answer_in_json(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("approvals list careful.yaml --state careful.json --json") == 0
    (found,) = json.loads(capfd.readouterr().out)["waiting"]
    assert (found["number"], found["rule"], found["may_approve"]) == (1, "buy", ["anna", "ben"])
    assert found["orders"] == [{"name": "book", "value": 10.0, "unit": "IDX"}]
    assert run("approvals deny careful.yaml --state careful.json 1 --as ben --json") == 0
    told = json.loads(capfd.readouterr().out)
    assert [(each["outcome"], each["by"]) for each in told["approvals"]] == [("denied", "ben")]
    assert run("approvals list careful.yaml --state careful.json") == 0
    assert capfd.readouterr().out == "nothing waits\n"


def test_a_state_that_cannot_be_written_is_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("run careful.yaml --events asked.yaml --state no/where.json") == 2
    assert (
        "no/where.json: error[HR850]: the state cannot be written: no such file or directory" in capfd.readouterr().err
    )


def test_a_script_gives_text_to_persons_only(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "asked.yaml").write_text("- {event: tick, with: {price: anna}}\n", "utf-8")
    assert run("run careful.yaml --events asked.yaml") == 2
    assert "error[HR103]: a number, true or false is expected here, this is text" in capfd.readouterr().err


# --------------------------------------------------------------------------------------------------------------- proofs


def test_a_proof_knows_that_only_an_approval_leads_out() -> None:
    text = """\
    hedgerow: 1
    name: latch
    people: {anna: [risk], ben: []}
    approvals: {release: {role: risk, within: 4h}}
    events: {trip: {}, release: {by: {type: person}}}
    machine:
      initial: closed
      states:
        closed: {on: {trip: {name: open_up, to: open}}}
        open: {on: {release: {name: reset, approval: release, to: closed}}}
    state: {releases: {initial: 0, type: int, range: [0, 10]}}
    observe: {release: {releases: "min(releases + 1, 10)"}}
    invariants:
      not_by_a_release: implies(In(closed) and was(open), releases == before.releases)
      never: implies(In(closed), not was(open))
    """
    proof = prove(spec_of(text), workers=1, seconds=5.0)
    found = {(each.kind, each.name): each for each in proof.results}
    assert found["invariant", "not_by_a_release"].verdict == "proved"
    assert found["invariant", "never"].verdict == "refuted"
    shown = found["invariant", "never"].counterexample
    assert shown is not None
    assert "event: approve, with: {number: 1, by: anna}" in shown.script
    assert all(each.verdict == "proved" for (kind, _), each in found.items() if kind != "invariant")


# ------------------------------------------------------------------------------------------------------------ over data


def test_a_run_over_data_asks_in_vain_and_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"2024-01-{day:02},{price}\n" for day, price in enumerate((120, 90, 90, 90), start=1))
    Path("prices.csv").write_text("time,price\n" + rows)
    assert run("run careful.yaml --data prices.csv --no-report") == 0
    capfd.readouterr()
    summary = json.loads(Path("careful-run/summary.json").read_text())
    assert summary["approvals"] == {"asked buy": 2, "expired buy": 1}
    assert summary["triggers"]["buy"] == 0


def test_walks_send_answers_between_what_streams_are_made_of() -> None:
    outside = outside_events(SMALL.program())
    assert [event.name for event in outside.streamed] == ["tick"]
    assert [event.name for event in outside.others] == ["stop", "release", "approve", "deny"]
