"""What is allowed and hardly meant: told where it is, and never told of what in fact happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_charts import Case, cases

from hedgerow import load
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.halts import closed_groups
from hedgerow.engine.load import loads
from hedgerow.engine.semantics import Reference, Selection

SPECS = Path(__file__).parent.parent / "specs"
NAME = re.compile(r"`([^`]+)`")

CHART = """
hedgerow: 1
name: chart
events: {tick: {x: {}}, go: {}, stop: {}}
state: {n: {initial: 0}}
machine:
  initial: a
  states:
"""


def told(states: str, *, fail_safe: str = "") -> list[tuple[str, str, str]]:
    """Return (code, severity, message) of all that is found in the states of a chart."""
    text = CHART + "".join(f"    {line}\n" for line in states.strip().splitlines())
    if fail_safe:
        text = text.replace("  initial: a\n", f"  initial: a\n  fail_safe: {fail_safe}\n", 1)
    return [(found.code, found.severity, found.message) for found in loads(text).diagnostics]


def codes(states: str, *, fail_safe: str = "") -> set[str]:
    return {code for code, _, _ in told(states, fail_safe=fail_safe)} - {"HR704"}


def test_a_state_inside_one_that_is_not_reached_is_not_told_again() -> None:
    found = told("a: {on: {go: {to: b}, stop: {}, tick: {}}}\nb: {on: {go: {to: a}}}\nc: {initial: d, states: {d: {}}}")
    assert found == [("HR701", "warning", "no transition leads to `c`")]


def test_what_errors_lead_to_is_reached() -> None:
    found = told("a: {on: {go: {to: a}, stop: {}, tick: {}}}\nb: {on: {go: {to: a}}}", fail_safe="b")
    assert found == []


def test_a_state_whose_only_way_is_dead_is_not_reached() -> None:
    found = codes("a: {on: {go: [{to: b}, {to: c}]}}\nb: {on: {go: {to: a}}}\nc: {on: {go: {to: a}}}")
    assert found == {"HR701", "HR702"}


@pytest.mark.parametrize(
    ("transitions", "dead"),
    [
        ("go: [{name: one}, {name: two}]", {"two"}),
        ("go: [{name: one, if: n > 1}, {name: two, if: n > 1 and In(a)}]", {"two"}),
        ("go: [{name: one, if: n > 1 and In(a)}, {name: two, if: n > 1}]", set()),
        ("go: {name: one, if: n > 1 and n <= 1}", {"one"}),
        ("go: {name: one, if: n > 2 and n < 1}", {"one"}),
        ("go: {name: one, if: not In(a) and In(a)}", {"one"}),
        ("go: {name: one, if: n > 1 and n < 2}", set()),
        ("go: {name: one, if: false}", {"one"}),
        ("'go stop': {name: one}\n      stop: {name: two}", {"two"}),
        ("go: {name: one}\n      '*': {name: two}", set()),
        ("'*': {name: one}\n      go: {name: two}", {"two"}),
    ],
)
def test_a_transition_is_dead_where_another_always_goes_first(transitions: str, dead: set[str]) -> None:
    found = told(f"a:\n  on:\n    {transitions.replace(chr(10) + '      ', chr(10) + '    ')}")
    assert {NAME.findall(message)[0] for code, _, message in found if code == "HR702"} == dead


def test_an_outer_transition_is_dead_where_every_inner_state_takes_its_event() -> None:
    inner = (
        "a: {{initial: b, on: {{go: {{name: outer, to: a}}}}, "
        "states: {{b: {{on: {{go: {{to: c}}}}}}, c: {{on: {{go: {{{}to: b}}}}}}}}}}"
    )
    assert codes(inner.format("")) == {"HR702"}
    assert codes(inner.format("if: n > 1, ")) == set()


def test_what_waits_for_a_state_that_is_never_done_is_dead() -> None:
    chart = (
        "a: {{initial: b, on: {{done.state.a: {{to: z}}, stop: {{to: z}}}}, "
        "states: {{b: {{on: {{go: {{to: c}}}}}}, c: {{{}}}}}}}\nz: {{final: true}}"
    )
    assert codes(chart.format("on: {go: {to: b}}")) == {"HR702"}
    assert codes(chart.format("final: true")) == set()


def test_a_fail_safe_state_that_cannot_be_left_is_a_note_and_another_one_a_warning() -> None:
    found = told("a: {on: {go: {to: b}, stop: {to: c}, tick: {}}}\nb: {}\nc: {}", fail_safe="c")
    assert found == [
        ("HR703", "warning", "`b` cannot be left"),
        ("HR703", "note", "`c` cannot be left"),
    ]


def test_a_timer_is_a_way_out() -> None:
    assert codes("a: {on: {go: {to: b}}}\nb: {after: {1h: {to: a}}}") == set()


def test_the_transition_of_a_state_around_is_a_way_out() -> None:
    chart = "a: {initial: b, on: {stop: {to: z}}, states: {b: {on: {go: {to: c}}}, c: {}}}\nz: {final: true}"
    assert codes(chart) == set()


@pytest.mark.parametrize(
    ("guards", "overlap"),
    [
        (("n > 1", "n > 2"), True),
        (("n > 1", "n <= 1"), False),
        (("n > 1", "1 > n"), False),
        (("n > 1", "n == 1"), False),
        (("n >= 1", "n == 1"), True),
        (("n > 3", "n < 2"), False),
        (("n > 2", "n < 3"), True),
        (("In(a)", "not In(a)"), False),
        (("In(a) and n > 1", "n > 1 and not In(a)"), False),
        (("n > 2 or n < 0", "n == 1"), False),
        (("n > 2 or n < 0", "n < 1"), True),
        (("not n > 2", "n > 2"), False),
        (("n != 2", "n == 2"), False),
    ],
)
def test_an_overlap_is_told_where_two_guards_can_hold_together(guards: tuple[str, str], overlap: bool) -> None:
    found = codes("a: {on: {go: [{name: one, if: '%s'}, {name: two, if: '%s', to: a}]}}" % guards)  # noqa: UP031
    assert found == ({"HR705"} if overlap else set())


def test_a_last_transition_without_a_guard_is_no_overlap() -> None:
    assert codes("a: {on: {go: [{if: n > 1, to: a}, {}]}}") == set()


HIDDEN = """
a: {{initial: b, on: {{tick: {{name: crash, if: tick.x > 9, to: z}}}}, states: {{b: {{on: {{tick: {}}}}}}}}}
z: {{tags: [halted], on: {{go: {{to: a}}}}}}
"""


@pytest.mark.parametrize(
    ("inner", "hides"),
    [
        ("{if: tick.x > 1}", True),
        ("{if: tick.x <= 9}", False),
        ("{if: tick.x > 1, to: z}", False),
        ("[{if: tick.x > 9, to: z}, {if: tick.x > 1}]", False),
        ("[{if: tick.x > 10, to: z}, {if: tick.x > 1}]", True),
        ("{if: tick.x > 1, to: a}", True),
    ],
)
def test_a_way_to_safety_is_hidden_by_an_inner_transition_on_its_event(inner: str, hides: bool) -> None:
    assert ("HR706" in codes(HIDDEN.format(inner))) is hides


def test_an_event_that_a_spec_raises_for_others_is_taken_by_them() -> None:
    chart = "a: {on: {go: {do: {raise: stop}}, tick: {}}}"
    assert told(chart) == [("HR704", "warning", "nothing takes the event `stop`")]
    text = CHART.replace("state:", "raises: [stop]\nstate:") + f"    {chart}\n"
    assert loads(text).diagnostics == ()


HALT = """\
a: {on: {tick: {name: trip, if: tick.x > 9, to: open}}}
open:
  initial: b
  tags: [halted]
  states:
    b: {on: {go: {to: c}}}
    c: {on: {stop: STOP}}
"""


def refused(states: str, *, fail_safe: str = "") -> list[tuple[str, str, str]]:
    with pytest.raises(SpecError) as caught:
        told(states, fail_safe=fail_safe)
    return [(found.code, found.severity, found.message) for found in caught.value.diagnostics]


def test_a_breaker_that_nothing_leads_out_of_is_refused_where_it_is_and_told_once() -> None:
    message = "`open` halts and has no reset: no transition leads out of it"
    assert refused(HALT.replace("STOP", "{to: b}")) == [("HR460", "error", message)]
    # Neither a dead end inside nor a fail-safe state in it is told a second time.
    assert refused(HALT.replace("STOP", "{do: []}")) == [("HR460", "error", message)]
    assert refused(HALT.replace("STOP", "{do: []}"), fail_safe="c") == [("HR460", "error", message)]


def test_so_is_one_of_a_single_state_but_not_where_only_errors_lead() -> None:
    open_ = "a: {on: {tick: {name: trip, if: tick.x > 9, to: WHERE}, go: {}, stop: {}}}\nopen: {tags: [halted]}\n"
    message = "`open` halts and has no reset: no transition leads out of it"
    assert refused(open_.replace("WHERE", "open")) == [("HR460", "error", message)]
    assert told(open_.replace("WHERE", "a"), fail_safe="open") == [("HR703", "note", "`open` cannot be left")]
    assert told(open_.replace("WHERE", "open").replace("[halted]", "[halted], final: true")) == []


@pytest.mark.parametrize("way", ["{to: a}", "{to: a, if: n > 3}"])
def test_a_breaker_with_a_way_out_is_not_told(way: str) -> None:
    assert codes(HALT.replace("STOP", way)) == set()


def test_a_history_state_may_lead_out_of_a_breaker_whatever_its_default() -> None:
    inner = "".join(f"    {line}\n" for line in HALT.replace("STOP", "{to: was}").splitlines())
    outer = f"m:\n  initial: a\n  states:\n{inner}    was: {{history: shallow, default: open}}\n"
    text = CHART.replace("initial: a", "initial: m") + "".join(f"    {line}\n" for line in outer.splitlines())
    assert {found.severity for found in loads(text).diagnostics} <= {"warning", "note"}


def test_a_deep_history_may_lead_out_of_a_breaker_though_its_default_lies_inside() -> None:
    open_ = "    open: {tags: [halted], initial: b, states: {b: {on: {go: {to: was}}}, c: {on: {go: {to: b}}}}}\n"
    closed = "    a: {on: {tick: {to: open}, stop: {}}}\n"
    assert told(f"m:\n  initial: a\n  states:\n{closed}{open_}    was: {{history: deep, default: c}}\n") == []


def test_a_way_out_that_never_fires_is_none() -> None:
    found = refused(HALT.replace("STOP", "[{name: one, to: b}, {name: two, to: a}]"))
    assert [code for code, _, _ in found] == ["HR460", "HR702"]
    assert found[0][2] == "`open` halts and has no reset: no transition leads out of it, as `two` never fires"


def test_nor_is_one_that_starts_where_nothing_leads() -> None:
    found = refused(
        HALT.replace("c: {on: {stop: STOP}}", "c: {on: {stop: {to: b}}}\n    d: {on: {tick: {name: out, to: a}}}")
    )
    assert found == [
        ("HR460", "error", "`open` halts and has no reset: no transition leads out of it, as `out` never fires"),
        ("HR701", "warning", "no transition leads to `d`"),
    ]


CIRCLE = """\
a: {on: {tick: {to: b}, stop: {}}}
b: {tags: [halted], on: {go: {to: c}}}
c: {tags: [halted], on: {go: {to: d}}}
d: {tags: [TAG], on: {go: [WAYS]}}
"""


def circle(ways: str = "{to: b}", tag: str = "halted") -> str:
    return CIRCLE.replace("WAYS", ways).replace("TAG", tag)


@pytest.mark.parametrize(
    ("ways", "why"),
    [
        ("{to: b}", ""),
        ("{to: b}, {name: late, to: a}", ", as `late` never fires"),
        ("{name: out, if: n > 1 and n < 0, to: a}, {to: b}, {name: late, to: a}", ", as `out` and `late` never fire"),
    ],
)
def test_halted_states_that_lead_only_to_each_other_are_refused_together(ways: str, why: str) -> None:
    message = f"`b`, `c` and `d` halt and have no reset: they lead only to each other{why}"
    assert refused(circle(ways))[0] == ("HR460", "error", message)


def test_a_circle_of_halted_states_is_left_where_one_leads_out_or_ends_or_does_not_halt() -> None:
    assert codes(circle("{if: n > 0, to: b}, {to: a}")) == set()
    assert codes(circle("{if: n > 0, to: b}, {to: z}") + "z: {tags: [halted], final: true}\n") == set()
    assert codes(circle(tag="calm")) == set()
    assert codes(circle().replace("on: {go: [", "on: {error.execution: {to: a}, go: [")) == set()


def test_a_way_into_a_circle_is_no_part_of_it_and_one_inside_a_breaker_is_not_told_again() -> None:
    into = circle() + "e: {tags: [halted], on: {go: {to: d}}}\n"
    found = refused(into.replace("tick: {to: b}", "tick: {to: e}"))
    assert [found[0][2]] == ["`b`, `c` and `d` halt and have no reset: they lead only to each other"]
    inside = (
        HALT.replace("STOP", "{to: b}").replace("b: {", "b: {tags: [halted], ").replace("c: {", "c: {tags: [halted], ")
    )
    assert [message for _, _, message in refused(inside)] == [
        "`open` halts and has no reset: no transition leads out of it"
    ]


def test_a_state_that_halts_beside_another_one_does_not_take_its_place() -> None:
    regions = "a: {on: {go: {to: both}, stop: {}, tick: {}}}\nboth:\n  parallel: true\n  states:\n"
    # Each halts one region and, on its way out, the other one: neither region is halted for ever.
    one = "    one: {initial: p, states: {p: {on: {tick: {to: q}}}, q: {tags: [halted], on: {go: {to: s}}}}}\n"
    other = "    other: {initial: r, states: {r: {}, s: {tags: [halted], on: {go: {to: q}}}}}\n"
    assert codes(regions + one + other) == set()


def test_a_breaker_that_another_region_ends_has_a_reset() -> None:
    regions = "a: {on: {go: {to: both}, stop: {}, tick: {}}}\nboth:\n  parallel: true\n  states:\n"
    open_ = "    open: {tags: [halted], initial: b, states: {b: {on: {tick: {to: c}}}, c: {on: {tick: {to: b}}}}}\n"
    beside = "    beside: {initial: d, states: {d: {on: {stop: WAY}}}}\n"
    assert codes(regions + open_ + beside.replace("WAY", "{to: a}")) == set()
    assert "HR460" in {code for code, _, _ in refused(regions + open_ + beside.replace("WAY", "{do: []}"))}


def test_the_shipped_specs_have_notes_and_no_warnings() -> None:
    for path in sorted(SPECS.rglob("*.yaml")):
        found = load(path, permit=["HR302"]).diagnostics
        assert {each.code for each in found if each.severity == "warning"} <= {"HR302"}, path


def test_an_absorbing_pause_as_the_paper_writes_it_is_only_a_matter_of_guards() -> None:
    # The states of the literal strategy are well connected; that its pause is never left needs a proof.
    found = load(SPECS / "band_limited_hedge.as_written.yaml", permit=["HR302"]).diagnostics
    assert "HR703" not in {each.code for each in found if each.severity == "warning"}


@settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=cases(states=16))
def test_what_happens_was_never_told_to_be_impossible(case: Case) -> None:
    spec = loads(case.chart.text, "chart.json")
    found = [(each.code, NAME.findall(each.message)) for each in spec.diagnostics]
    dead = {names[0] for code, names in found if code == "HR702"}
    islands = {names[0] for code, names in found if code == "HR701"}
    stuck = {names[0] for code, names in found if code == "HR703"}
    deaf = {names[0] for code, names in found if code == "HR704"}
    hidden = {(names[0], names[1]) for code, names in found if code == "HR706"}
    compiled = spec.compile()
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    tree, rules = reference.tree, {rule.name: rule for rule in compiled.program.rules}
    # Any states will do as halted ones: those whose number has a certain bit, and those that have not.
    leaves = [state.name for state in compiled.program.states if state.kind == "atomic"]
    halted = [[leaf for i, leaf in enumerate(leaves) if (i >> bit & 1) == one] for bit in range(4) for one in (0, 1)]
    closed = [set(group) for some in halted for group in closed_groups(tree, some, compiled.program.rules)]
    for items in (case.happened, case.other):
        snapshot = reference.initial()
        for item in items:
            before, watch = set(snapshot.configuration), list[Selection]()
            if item.event is None:
                snapshot, step = reference.advance(snapshot, item.time_ns, watch)
            else:
                snapshot, step = reference.step(snapshot, item.event, item.time_ns, item.values, watch=watch)
            assert dead.isdisjoint(step.fired)
            assert islands.isdisjoint(step.configuration)
            if "fail_safe" not in step.fired:
                assert before & stuck <= set(step.configuration)
                fired = [rules[name] for name in step.fired]
                for state in tree.with_ancestors(before) - tree.with_ancestors(step.configuration):
                    assert any(tree.leads_out(rule, state) for rule in fired)
                assert all(before.isdisjoint(group) or not group.isdisjoint(step.configuration) for group in closed)
            assert all(each.event not in deaf for each in watch if each.fired)
            for each in watch:
                assert not any(inner in each.fired and outer in each.fired for inner, outer in hidden)
