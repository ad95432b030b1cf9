"""Breakers that wait for each other are refused when a spec is loaded; those that anything else resets are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.engine.diagnostics import Diagnostic, SpecError
from hedgerow.engine.load import loads

BREAKER = """
hedgerow: 1
name: breaker
events: {tick: {x: {}}, freed: {}, let_go: {}}
raises: [freed]
machine:
  initial: on
  fail_safe: off
  states:
    on: {on: {tick: {name: trip, if: tick.x > 9, to: off}}}
    off: {tags: [halted], on: {let_go: {name: reset, to: on, do: {raise: freed}}}}
"""
DESK = """
hedgerow: 1
name: desk
events: {tick: {x: {}}}
use:
  first: {spec: breaker.yaml, events: {freed: first_freed, let_go: second_freed}}
  second: {spec: breaker.yaml, events: {freed: second_freed, let_go: first_freed}}
"""


def told(folder: Path, desk: str, breaker: str = BREAKER) -> list[Diagnostic]:
    (folder / "breaker.yaml").write_text(breaker, "utf-8")
    try:
        found = loads(desk, folder=folder).diagnostics
    except SpecError as error:
        found = error.diagnostics
    assert {each.code for each in found if each.severity == "error"} <= {"HR461"}, found
    return [each for each in found if each.code == "HR461"]


def test_two_used_breakers_that_wait_for_each_other_are_refused_where_they_are_used(tmp_path: Path) -> None:
    found = told(tmp_path, DESK)
    assert [(each.severity, each.span.line) for each in found] == [("error", 6), ("error", 7)]
    assert found[0].message == (
        "`first.off` is halted for ever: `first.reset` waits for `second_freed`, "
        "which nothing raises before `first.off` is left"
    )


OFF = "off: {tags: [halted], on: {let_go: {name: reset, to: on, do: {raise: freed}}}}"


def test_what_is_named_is_the_transition_that_waits_though_the_way_out_starts_further_in(tmp_path: Path) -> None:
    further_in = """off:
      tags: [halted]
      initial: shut
      states:
        shut: {on: {let_go: {name: ready, to: further}}}
        further: {on: {tick: {name: further_still, to: last}}}
        last: {on: {tick: {name: reset, to: on, do: {raise: freed}}}}
"""
    assert OFF in BREAKER
    found = told(tmp_path, DESK, BREAKER.replace("fail_safe: off", "fail_safe: shut").replace(OFF, further_in))
    assert [each.message for each in found] == [
        f"`{one}.off` is halted for ever: `{one}.ready` waits for `{other}_freed`, "
        f"which nothing raises before `{one}.off` is left"
        for one, other in (("first", "second"), ("second", "first"))
    ]


def test_halted_states_that_lead_to_each_other_wait_together(tmp_path: Path) -> None:
    both = OFF.replace("on: {", "on: {tick: {to: dark}, ") + "\n    dark: {tags: [halted], on: {tick: {to: off}}}"
    found = told(tmp_path, DESK, BREAKER.replace(OFF, both))
    assert [each.span.line for each in found] == [6, 7]
    assert found[0].message == (
        "`first.off` and `first.dark` are halted for ever: `first.reset` waits for `second_freed`, "
        "which nothing raises before one of them is left"
    )
    assert told(tmp_path, DESK, BREAKER.replace(OFF, both.replace("tick: {to: off}", "tick: {to: on}"))) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("let_go: first_freed}", "let_go: release}"),  # a person
        ("freed: second_freed, ", ""),  # nobody here raises what the first one waits for
    ],
)
def test_one_that_somebody_else_resets_resets_the_other(tmp_path: Path, old: str, new: str) -> None:
    assert told(tmp_path, DESK.replace(old, new)) == []


@pytest.mark.parametrize(
    "way",
    ["after: {1h: {to: on}}, on: {", "always: {if: n > 3, to: on}, on: {", "on: {error.execution: {to: on}, "],
)
def test_a_time_a_condition_and_an_error_are_ways_out(tmp_path: Path, way: str) -> None:
    text = BREAKER.replace("off: {tags: [halted], on: {", f"off: {{tags: [halted], {way}")
    text = text.replace("machine:", "state: {n: {initial: 0}}\nmachine:")
    assert told(tmp_path, DESK, text) == []


def test_a_delayed_event_comes_and_one_that_is_raised_on_the_way_in_or_by_others_too(tmp_path: Path) -> None:
    on_entry = BREAKER.replace("off: {tags: [halted],", "off: {tags: [halted], entry: {raise: freed},")
    assert told(tmp_path, DESK, on_entry) == []
    assert told(tmp_path, DESK, BREAKER.replace("do: {raise: freed}", "do: {raise: freed, after: 1h}")) == []
    others = DESK + "machine: {initial: on, states: {on: {on: {tick: {do: {raise: first_freed}}}}}}\n"
    assert told(tmp_path, others) == []


def test_what_leaving_raises_comes_only_with_leaving(tmp_path: Path) -> None:
    on_exit = BREAKER.replace(", do: {raise: freed}", "").replace("off: {tags", "off: {exit: {raise: freed}, tags")
    assert len(told(tmp_path, DESK, on_exit)) == 2
    # Through a third one, which passes on what it hears.
    passed_on = DESK.replace("let_go: first_freed", "let_go: passed_on").replace("{x: {}}}", "{x: {}}, passed_on: {}}")
    passed_on += "machine: {initial: on, states: {on: {on: {first_freed: {do: {raise: passed_on}}}}}}\n"
    assert len(told(tmp_path, passed_on)) == 2


def test_a_region_beside_it_may_lead_out_of_a_halted_state() -> None:
    text = """
hedgerow: 1
name: regions
events: {tick: {x: {}}, one: {}, two: {}, free: {}}
machine:
  initial: both
  states:
    both:
      parallel: true
      states:
        a: {initial: p, states: {p: {on: {tick: {to: q}}}, q: {tags: [halted], on: {two: {to: p, do: {raise: one}}}}}}
        b: {initial: r, states: {r: {on: {tick: {to: s}}}, s: {tags: [halted], on: {one: {to: r, do: {raise: two}}}}}}
        c: {initial: t, states: {t: {on: {free: WAY}}}}
"""
    assert loads(text.replace("WAY", "{to: a}")).diagnostics == ()
    with pytest.raises(SpecError, match="HR461"):
        loads(text.replace("WAY", "{do: []}"))


WAITING = """
hedgerow: 1
name: waiting
people: {anna: [risk]}
approvals: {release: {role: risk, within: 4h}}
events: {trip: {}, release: {}, clear: {}, freed: {}}
machine:
  parallel: true
  states:
    a: {initial: p, states: {p: {on: {trip: {to: q}}}, q: {tags: [halted], on: {WAYS}}}}
    b: {initial: r, states: {r: {on: {trip: {to: s}}}, s: {on: {freed: {to: r, do: {raise: clear}}}}}}
"""


def waiting(event: str) -> str:
    ways = f"{event}: {{name: out, to: p, do: {{raise: freed}}}}, release: {{approval: release, do: []}}"
    return WAITING.replace("WAYS", ways)


def test_an_answer_of_people_is_a_way_out_and_one_waiting_state_need_not_be_halted() -> None:
    assert "HR461" not in {found.code for found in loads(waiting("approval.denied")).diagnostics}
    with pytest.raises(SpecError, match="HR461"):
        loads(waiting("clear"))
