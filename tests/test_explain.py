"""Explanations: candidates in their order, what guards said of which numbers, and why the others did not fire.

What is expected here is worked out by hand from the specs; the laws hold explanations to the reference.
"""

from __future__ import annotations

import json
import operator
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from generated import Event, Sketch, events, sketches
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import ROOT, fences

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.dry_run import dry_run
from hedgerow.engine.dryrun.until import before_row
from hedgerow.engine.examine import Condition, Side
from hedgerow.engine.explain import Asked, Explanation, explain
from hedgerow.engine.explain_text import lines
from hedgerow.engine.ir import Expr
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.readable import readable
from hedgerow.engine.semantics import Reference

PAGE = ROOT / "docs" / "explain.md"
BAND = ROOT / "specs" / "band_limited_hedge.yaml"
DESK = ROOT / "specs" / "drawdown_desk.yaml"
SECOND = 1_000_000_000


@cache
def band() -> Spec:
    return load(BAND)


class Story:
    """A spec's machine by the reference, an explanation for each thing that happens to it."""

    def __init__(self, text: str, file: str = "spec.yaml", **parameters: str | float) -> None:
        self.compiled = loads(text, file).compile(**parameters)
        self.reference = Reference(self.compiled.program, self.compiled.parameters, self.compiled.registry)
        self.snapshot = self.reference.initial()

    def send(self, event: str, seconds: float, *values: object) -> Explanation:
        found = explain(self.compiled, self.snapshot, event, int(seconds * SECOND), values)
        self.snapshot, _ = self.reference.step(self.snapshot, event, int(seconds * SECOND), values)
        return found

    def advance(self, seconds: float) -> Explanation:
        found = explain(self.compiled, self.snapshot, None, int(seconds * SECOND))
        self.snapshot, _ = self.reference.advance(self.snapshot, int(seconds * SECOND))
        return found


def candidates(explanation: Explanation) -> list[Asked]:
    """Return the candidates for the event itself, leaf by leaf."""
    asked = explanation.asked
    assert asked is not None
    return [each for _, leaf in asked.leaves for each in leaf]


def fates(explanation: Explanation) -> list[tuple[str, str, str]]:
    return [(each.name, each.fate, each.why) for each in candidates(explanation)]


def only(explanation: Explanation) -> Asked:
    (asked,) = candidates(explanation)
    return asked


def guarded(guard: str, extra: str = "") -> str:
    """Return a spec with one guarded transition on `tick`, whose fields are x, y, z."""
    return f"""
hedgerow: 1
name: guarded
events: {{tick: {{x: {{}}, y: {{}}, z: {{}}}}}}
state: {{n: {{type: int, initial: 2, range: [0, 9]}}}}
{extra}
machine:
  initial: here
  states:
    here: {{on: {{tick: {{name: only, if: "{guard}", do: {{set: {{n: 2}}}}}}}}}}
"""


def condition(guard: str, *values: float, extra: str = "") -> Condition:
    found = only(Story(guarded(guard, extra)).send("tick", 0, *values)).condition
    assert found is not None
    return found


def outline(found: Condition) -> Any:
    """Return a condition as nested tuples: what a part is, and what it said."""
    parts = tuple(outline(part) for part in found.parts)
    return (found.kind, found.said, *parts) if parts else (found.text, found.said)


# --- candidates ---

ORDER = """
hedgerow: 1
name: order
events: {tick: {x: {}}, stop: {}, lost: {}}
machine:
  initial: outer
  states:
    outer:
      initial: inner
      on:
        tick: {name: around, to: away}
      states:
        inner:
          on:
            stop: {name: stopped, to: away}
            tick:
              - {name: first, if: tick.x > 3}
              - {name: second, if: 1 / tick.x > 0.4}
              - {name: third, if: tick.x >= 1}
    away: {}
"""


def test_candidates_come_in_the_order_of_asking_and_each_says_why_it_did_not_fire() -> None:
    story = Story(ORDER)
    assert fates(story.send("tick", 0, 2.0)) == [
        ("first", "false", "its guard is false"),
        ("second", "fired", ""),
        ("third", "not asked", "`second` was selected before it"),
        ("around", "not asked", "`second` was selected before it"),
    ]
    failed = "its guard failed, and counts as false: division by zero"
    assert fates(story.send("tick", 1, 0.0)) == [
        ("first", "false", "its guard is false"),
        ("second", "failed", failed),
        ("third", "false", "its guard is false"),
        ("around", "fired", ""),
    ]


def test_a_candidate_has_its_state_its_place_and_its_guard_as_written() -> None:
    asked = candidates(Story(ORDER).send("tick", 0, 2.0))
    assert [(each.source, each.file, each.line, each.guard) for each in asked] == [
        ("inner", "spec.yaml", 17, "tick.x > 3"),
        ("inner", "spec.yaml", 18, "1 / tick.x > 0.4"),
        ("inner", "spec.yaml", 19, "tick.x >= 1"),
        ("outer", "spec.yaml", 11, ""),
    ]


def test_a_transition_on_another_event_is_no_candidate_and_where_none_is_the_handled_events_are_told() -> None:
    story = Story(ORDER)
    assert "stopped" not in [name for name, _, _ in fates(story.send("tick", 0, 2.0))]
    found = story.send("lost", 1)
    assert found.asked is None
    assert found.handled == ("stop", "tick")
    assert "`lost` has no candidate: no active state has a transition for it" in found.text()
    assert "inner and the states around take `stop`, `tick`" in found.text()


REGIONS = """
hedgerow: 1
name: regions
events: {go: {}, both: {}}
state: {count: {type: int, initial: 0, range: [0, 1]}}
machine:
  initial: pair
  states:
    pair:
      parallel: true
      states:
        left:
          initial: a
          states:
            a: {on: {go: {name: step, to: b}, both: {name: count_up, do: {set: {count: count + 1}}}}}
            b: {on: {go: {name: leave_left, to: away}}}
        right: {initial: c, states: {c: {on: {go: {name: leave, to: away}}}}}
      on: {go: {name: leave_both, to: away}, both: {name: leave_later, to: away}}
    away: {final: true}
"""


def test_a_preempted_transition_names_the_one_that_leaves_the_same_states() -> None:
    assert fates(Story(REGIONS).send("go", 0)) == [
        ("step", "fired", ""),
        ("leave_both", "not asked", "`step` was selected before it"),
        ("leave", "preempted", "pre-empted by `step`, which leaves the same states"),
        ("leave_both", "not asked", "`leave` was selected before it"),
    ]


def test_what_fires_in_a_region_beside_it_does_not_preempt_a_transition() -> None:
    text = """
hedgerow: 1
name: nested
events: {go: {}}
machine:
  parallel: true
  states:
    here:
      initial: pair
      states:
        pair:
          parallel: true
          states:
            left: {initial: a, states: {a: {on: {go: {name: step, to: b}}}, b: {}}}
            right: {initial: c, states: {c: {on: {go: {name: leave, to: flat}}}}}
        flat: {}
    beside: {initial: d, states: {d: {on: {go: {name: move, to: e}}}, e: {}}}
"""
    assert fates(Story(text).send("go", 0)) == [
        ("step", "fired", ""),
        ("leave", "preempted", "pre-empted by `step`, which leaves the same states"),
        ("move", "fired", ""),
    ]


def test_an_inner_transition_preempts_an_outer_one_that_another_region_selected() -> None:
    story = Story(REGIONS)
    assert fates(story.send("both", 0)) == [
        ("count_up", "fired", ""),
        ("leave_later", "not asked", "`count_up` was selected before it"),
        ("leave_later", "fired", ""),
    ]


def test_a_transition_that_fails_is_told_as_dropped_with_its_reason() -> None:
    text = REGIONS.replace(", both: {name: leave_later, to: away}", "")
    story = Story(text)
    story.send("both", 0)
    found = story.send("both", 1)
    reason = "`count` becomes 2, above 1"
    assert fates(found) == [("count_up", "dropped", f"it failed and was undone: {reason}")]
    assert found.asked is not None and found.asked.fired == ()
    assert found.errors == (f"`count_up`: {reason}",)
    assert found.changes == ()


def test_a_transition_that_two_leaves_ask_is_told_in_full_once() -> None:
    text = REGIONS.replace("both: {name: leave_later", "both: {name: leave_later, if: count > 5")
    asked = candidates(Story(text).send("both", 0))
    assert [(each.name, each.fate) for each in asked] == [
        ("count_up", "fired"),
        ("leave_later", "not asked"),
        ("leave_later", "false"),
    ]
    text = text.replace(", both: {name: count_up, do: {set: {count: count + 1}}}", "")
    told = Story(text).send("both", 0).text()
    assert told.count("if: count > 5") == 1
    assert told.count("leave_later of pair  false") == 2
    assert told.count("asked above") == 1


# --- guards, part by part ---


def test_a_guard_is_taken_apart_into_comparisons_with_the_values_of_both_sides() -> None:
    found = condition("abs(tick.x - tick.y) >= 2 * tick.z", 1.0, 4.5, 1.5)
    assert found == Condition(
        "comparison",
        "abs(tick.x - tick.y) >= 2 * tick.z",
        "true",
        operator=">=",
        sides=(Side("abs(tick.x - tick.y)", 3.5, ""), Side("2 * tick.z", 3.0, "")),
    )


@pytest.mark.parametrize(
    ("guard", "values", "expected"),
    [
        # What decides ends it: the parts behind are not evaluated.
        ("tick.x > 1 and tick.y > 1", (0, 5, 0), ("all", "false", ("tick.x > 1", "false"), ("tick.y > 1", "not evaluated"))),
        ("tick.x > 1 or tick.y > 1", (2, 0, 0), ("any", "true", ("tick.x > 1", "true"), ("tick.y > 1", "not evaluated"))),
        ("tick.x > 1 or tick.y > 1", (0, 5, 0), ("any", "true", ("tick.x > 1", "false"), ("tick.y > 1", "true"))),
        # A chain of one word is one list.
        (
            "tick.x > 0 and tick.y > 0 and tick.z > 0",
            (1, 1, 0),
            ("all", "false", ("tick.x > 0", "true"), ("tick.y > 0", "true"), ("tick.z > 0", "false")),
        ),
        ("0 < tick.x < 2", (1, 0, 0), ("all", "true", ("0 < tick.x", "true"), ("tick.x < 2", "true"))),
        ("not tick.x > 1", (0, 0, 0), ("not", "true", ("tick.x > 1", "false"))),
        (
            "not (tick.x > 1 or In(here))",
            (0, 0, 0),
            ("not", "false", ("any", "true", ("tick.x > 1", "false"), ("In(here)", "true"))),
        ),
        (
            "implies(tick.x > 1, tick.y > 1)",
            (2, 0, 0),
            ("any", "false", ("not", "false", ("tick.x > 1", "true")), ("tick.y > 1", "false")),
        ),
        (
            "tick.x > 1 if In(here) else tick.y > 1",
            (2, 0, 0),
            ("choice", "true", ("In(here)", "true"), ("tick.x > 1", "true"), ("tick.y > 1", "not evaluated")),
        ),
        # A part that fails fails the guard, and nothing behind it is evaluated.
        (
            "tick.x > 1 and 1 / tick.y > 0 and tick.z > 0",
            (2, 0, 1),
            ("all", "failed", ("tick.x > 1", "true"), ("1 / tick.y > 0", "failed"), ("tick.z > 0", "not evaluated")),
        ),
        (
            "tick.x > 1 and 1 / tick.y > 0",
            (0, 0, 0),
            ("all", "false", ("tick.x > 1", "false"), ("1 / tick.y > 0", "not evaluated")),
        ),
        ("true", (0, 0, 0), ("true", "true")),
    ],
)  # fmt: skip
def test_parts_say_what_they_said_as_far_as_they_were_asked(
    guard: str, values: tuple[float, ...], expected: tuple[object, ...]
) -> None:
    assert outline(condition(guard, *map(float, values))) == expected


def test_a_part_that_failed_has_its_reason_and_so_has_the_guard() -> None:
    found = condition("tick.x > 1 and sqrt(tick.y) > 0", 2.0, -1.0, 0.0)
    assert found.reason == "the square root of a negative number, or a number that is none"
    assert [part.reason for part in found.parts] == ["", found.reason]
    assert [[side.value for side in part.sides] for part in found.parts] == [[2.0, 1.0], [None, None]]


def test_a_let_is_expanded_below_the_guard_that_names_it() -> None:
    asked = only(Story(guarded("far and n == 2", "let: {far: tick.x > tick.y}")).send("tick", 0, 3.0, 1.0, 0.0))
    assert asked.guard == "far and n == 2"
    assert asked.condition is not None
    assert outline(asked.condition) == ("all", "true", ("tick.x > tick.y", "true"), ("n == 2", "true"))


def test_a_guard_says_what_it_reads_once_each_with_units() -> None:
    text = """
hedgerow: 1
name: readings
units: [USD, IDX]
events: {tick: {price: {unit: USD/IDX}}}
params: {least: {default: 3, unit: USD/IDX}, wait: {default: 1h, unit: s}}
state: {seen: {unit: USD/IDX, initial: 2}, on: {type: bool, initial: true}}
machine:
  initial: here
  states:
    here:
      on:
        tick:
          name: act
          if: (tick.price > seen or tick.price > least or tick.price * 2 > seen) and since(act) < wait and on
"""
    story = Story(text)
    story.send("tick", 0, 1.0)
    asked = only(story.send("tick", 60, 5.0))
    assert [(each.name, each.value, each.unit) for each in asked.readings] == [
        ("tick.price", 5.0, "USD/IDX"),
        ("seen", 2.0, "USD/IDX"),
        ("least", 3.0, "USD/IDX"),
        ("since(act)", 60.0, "s"),
        ("wait", 3600.0, "s"),
        ("on", True, ""),
    ]
    assert asked.condition is not None
    assert asked.condition.parts[1].sides == (Side("since(act)", 60.0, "s"), Side("wait", 3600.0, "s"))


def test_numbers_that_twelve_digits_cannot_tell_apart_are_told_to_the_last_bit() -> None:
    told = Story(guarded("tick.x >= tick.y")).send("tick", 0, 0.3, 0.1 + 0.2, 0.0).text()
    assert "false  tick.x = 0.3 >= tick.y = 0.30000000000000004\n" in told
    told = Story(guarded("tick.x >= tick.y")).send("tick", 0, 1 / 3, 0.25, 0.0).text()
    assert "true   tick.x = 0.333333333333 >= tick.y = 0.25\n" in told


def test_a_guard_folded_over_lines_is_told_on_one() -> None:
    text = ORDER.replace("if: tick.x > 3}", "if: tick.x > 3\n                 and tick.x > 4}")
    assert candidates(Story(text).send("tick", 0, 2.0))[0].guard == "tick.x > 3 and tick.x > 4"


def test_a_guard_in_json_is_found_as_written() -> None:
    text = json.dumps(
        {
            "hedgerow": 1,
            "name": "j",
            "events": {"tick": {"x": {}}},
            "machine": {"initial": "a", "states": {"a": {"on": {"tick": {"if": "(tick.x) > 3", "to": "a"}}}}},
        }
    )
    asked = only(Story(text, "spec.json").send("tick", 0, 2.0))
    assert (asked.file, asked.line, asked.guard) == ("spec.json", 1, "(tick.x) > 3")


def test_a_guard_that_grows_when_it_is_expanded_stays_readable() -> None:
    chain = "let: {a0: tick.x + tick.y, " + ", ".join(f"a{i}: a{i - 1} * a{i - 1} + n" for i in range(1, 9)) + "}"
    found = Story(guarded("a8 > 0 and a7 > 0", chain)).send("tick", 0, 0.5, 0.5, 0.0)
    asked = only(found)
    assert asked.condition is not None and asked.condition.said == "true"
    assert max(map(len, found.text().splitlines())) <= 2 * 110


def test_a_guard_of_shared_parts_beyond_measure_is_still_told() -> None:
    chain = ", ".join(f"b{i}: b{i - 1} and b{i - 1}" for i in range(1, 10))
    asked = only(Story(guarded("b9", f"let: {{b0: tick.x > 0, {chain}}}")).send("tick", 0, 1.0, 0.0, 0.0))
    assert asked.condition is not None
    assert (asked.condition.said, asked.condition.parts) == ("true", ())
    assert len(asked.condition.text) <= 64


# --- expressions as text ---


def guard_of(text: str) -> Expr:
    guard = loads(guarded(text)).program().rules[0].guard
    assert guard is not None
    return guard


@pytest.mark.parametrize(
    "text",
    [
        "tick.x + tick.y * tick.z > 1",
        "(tick.x + tick.y) * tick.z > 1",
        "tick.x - (tick.y - tick.z) > -1.5",
        "tick.x / (tick.y * tick.z) > 0",
        "(tick.x + 1) ** 2 >= max(tick.y, 0.25)",
        "not (tick.x > 1 and In(here)) or n == 3",
        "(tick.x if n > 2 else tick.y) > tick.z",
        "since(only) >= elapsed(tick)",
        "sqrt(abs(-tick.x)) != min(tick.y, tick.z)",
    ],
)
def test_an_expression_is_written_as_the_language_writes_it(text: str) -> None:
    assert readable(guard_of(text)) == text


@pytest.mark.parametrize("width", [12, 20, 40, 64])
def test_a_long_expression_keeps_its_outside_and_fits_the_width(width: int) -> None:
    guard = (
        loads(guarded("abs(tick.x * tick.y - tick.z) * (tick.x + tick.y) >= tick.z * tick.x + 1"))
        .program()
        .rules[0]
        .guard
    )
    assert guard is not None
    text = readable(guard, width)
    assert len(text) <= width
    assert text.startswith(("abs(", "…")) and "…" in text


def test_the_parts_that_are_left_out_are_the_inner_ones() -> None:
    guard = guard_of("abs(tick.x * tick.y - tick.z) > tick.z")
    assert [readable(guard, width) for width in (40, 30, 20)] == [
        "abs(tick.x * tick.y - tick.z) > tick.z",
        "abs(… - tick.z) > tick.z",
        "abs(…) > tick.z",
    ]


# --- what was selected when ---

TIMED = """
hedgerow: 1
name: timed
events: {tick: {x: {}}, alarm: {size: {}}}
state: {level: {initial: 0}}
machine:
  initial: idle
  states:
    idle:
      after: {10s: {name: late, if: level > 0, to: busy}}
      every: {4s: {name: beat, do: {set: {level: level + 1}}}}
      on:
        tick: {name: warn, do: {raise: {alarm: {size: tick.x}}, after: 6s}}
        alarm: {name: heard, if: alarm.size > 2, do: {raise: {alarm: {size: alarm.size - 2}}}}
    busy:
      always: {name: calm, if: level < 3, to: idle}
"""


def test_timers_that_fire_before_the_event_are_told_with_their_times_and_numbers() -> None:
    story = Story(TIMED)
    story.send("tick", 0, 5.0)
    found = story.send("tick", 9, 0.0)
    # every 4 s: at 4 and 8; the alarm of 5 at 6, which raises one of 3, which raises one of 1; then the tick itself.
    assert found.timers == (("every.idle.1", 4 * SECOND), ("alarm", 6 * SECOND), ("every.idle.1", 8 * SECOND))
    told = [(each.origin, each.event, each.time_ns // SECOND, each.fired) for each in found.selections]
    assert told == [
        ("timer", "every.idle.1", 4, ("beat",)),
        ("timer", "alarm", 6, ("heard",)),
        ("internal", "alarm", 6, ("heard",)),
        ("internal", "alarm", 6, ()),
        ("timer", "every.idle.1", 8, ("beat",)),
        ("event", "tick", 9, ("warn",)),
    ]
    sizes = [each.fields[0].value for each in found.selections if each.event == "alarm"]
    assert sizes == [5.0, 3.0, 1.0]


def test_a_guard_of_a_timer_is_told_of_the_numbers_of_its_own_moment() -> None:
    story = Story(TIMED)
    story.send("tick", 0, 0.0)
    late = next(each for each in story.advance(11).selections if each.event == "after.idle.1")
    ((_, (asked,)),) = late.leaves
    assert asked.condition is not None
    # Two beats before it, at 4 and 8.
    assert (asked.fate, asked.condition.sides[0]) == ("fired", Side("level", 2.0, ""))


def test_a_transition_without_an_event_is_told_as_such() -> None:
    story = Story(TIMED)
    story.send("tick", 0, 0.0)
    found = story.advance(10)
    assert [(each.origin, each.event, each.fired) for each in found.selections][-2:] == [
        ("timer", "after.idle.1", ("late",)),
        ("eventless", "", ("calm",)),
    ]


def test_an_event_raised_under_the_name_of_the_one_from_outside_is_told_as_internal() -> None:
    story = Story(TIMED)
    found = story.send("alarm", 0, 3.0)
    assert [(each.origin, each.event, each.fired) for each in found.selections] == [
        ("event", "alarm", ("heard",)),
        ("internal", "alarm", ()),
    ]


def test_time_in_which_nothing_is_due_is_explained_too() -> None:
    story = Story(TIMED)
    story.send("tick", 0, 0.0)
    found = story.advance(1)
    assert (found.event, found.selections, found.timers) == ("", (), ())
    assert found.text() == (
        "timed: time passes to 1s\n"
        "  in idle\n"
        "  no timer was due\n"
        "\n"
        "what came of it\n"
        "  fired    nothing\n"
        "  states   idle, as before\n"
        "  values   as before\n"
    )


def test_guards_without_an_event_that_are_asked_again_in_vain_are_told_once() -> None:
    text = TIMED.replace("initial: idle", "initial: busy").replace("level < 3", "level < 0")
    story = Story(text)
    found = story.send("tick", 0, 0.0)
    # Before the event, and after it found no candidate.
    assert [each.origin for each in found.selections] == ["eventless", "eventless"]
    assert found.text().count("calm  false") == 1


def test_a_macrostep_that_does_not_settle_is_told_by_its_first_and_last_microsteps() -> None:
    text = """
hedgerow: 1
name: restless
events: {go: {}}
machine:
  initial: a
  fail_safe: safe
  states:
    a: {on: {go: {name: begin, to: b}}}
    b: {always: {name: there, to: c}}
    c: {always: {name: back, to: b}}
    safe: {}
"""
    found = Story(text).send("go", 0)
    assert len(found.selections) == 1000
    told = found.text()
    assert "… and 976 microsteps more …" in told
    assert len(told.splitlines()) < 200
    assert "fail_safe" in found.fired and found.configuration == ("safe",)
    assert "`fail_safe` leads an error that no transition takes to the state that the spec names" in told


# --- the event itself, and what came of it ---


def test_a_refused_event_says_why_and_what_saw_its_refusal() -> None:
    counting = "input.rejected: {name: count, do: {set: {level: level + 1}}}"
    text = TIMED.replace("alarm: {name: heard", f"{counting}\n        alarm: {{name: heard")
    story = Story(text)
    story.send("tick", 0, 1.0)
    found = story.send("tick", 1, float("nan"))
    assert found.rejected == "`x` = nan is not a finite number"
    assert [(each.origin, each.event, each.fired) for each in found.selections] == [
        ("internal", "input.rejected", ("count",))
    ]
    assert [(change.name, change.before, change.after) for change in found.changes] == [("level", 0.0, 1.0)]
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["fields"][0]["value"] == "nan"


@pytest.mark.parametrize(
    ("event", "values", "reason"),
    [
        ("nope", {}, "unknown event `nope`: the events are `tick`, `alarm`"),
        ("tick", {}, "`tick` came without its field `x`"),
        ("tick", {"x": 1.0, "y": 2.0}, "`tick` has no field `y`: it has x"),
        ("tick", {"x": "much"}, "`x` = 'much' is not a number"),
        ("tick", (1.0, 2.0), "`tick` takes 1 values, 2 came"),
    ],
)
def test_what_is_no_event_of_the_spec_is_explained_as_refused(event: str, values: Any, reason: str) -> None:
    story = Story(TIMED)
    story.send("tick", 0, 1.0)
    found = explain(story.compiled, story.snapshot, event, SECOND, values)
    assert found.rejected == reason
    assert f"refused: {reason}\n" in found.text()
    assert found.asked is None


def test_an_event_that_could_not_be_observed_reached_no_transition() -> None:
    text = """
hedgerow: 1
name: blind
events: {tick: {x: {}}}
observe: {tick: {inverse: 1 / tick.x}}
machine:
  initial: a
  fail_safe: safe
  states:
    a: {on: {tick: {name: seen, to: a}}}
    safe: {}
"""
    story = Story(text)
    assert story.send("tick", 0, 1.0).fired == ("seen",)
    found = story.send("tick", 1, 0.0)
    assert found.asked is None
    assert "`tick` reached no transition: observing it failed\n" in found.text()
    assert found.fired == ("fail_safe",)


def test_an_event_that_came_after_a_timer_had_ended_the_machine_reached_no_transition() -> None:
    story = Story(TIMED.replace("always: {name: calm, if: level < 3, to: idle}", "final: true"))
    story.send("tick", 0, 0.0)
    found = story.send("tick", 20, 0.0)
    assert (found.asked, found.ended) == (None, True)
    assert "`tick` reached no transition: the machine had ended\n" in found.text()


def test_a_time_before_the_clock_is_told_as_the_clock_writes_it() -> None:
    story = Story(TIMED)
    story.send("tick", 3, 1.0)
    told = story.send("tick", 2, 1.0).text()
    assert "refused: the time 2s is before the last event at 3s\n" in told


def test_the_event_that_starts_the_machine_says_so_and_tells_values_without_a_before() -> None:
    found = Story(TIMED).send("tick", 1, 0.0)
    assert found.started and found.before == ()
    # Ten seconds, four, and six from the tick at one.
    assert {change.name: (change.before, change.after) for change in found.changes} == {
        "due(after.idle.1)": (None, 11 * SECOND),
        "due(every.idle.1)": (None, 5 * SECOND),
        "due(alarm)": (None, 7 * SECOND),
    }
    assert "it starts the machine\n" in found.text()
    assert "due(after.idle.1) = 11s\n" in found.text()


def test_values_that_changed_are_told_from_what_to_what_in_their_units() -> None:
    story = Story(next(fence.text for fence in fences(PAGE) if fence.language == "yaml"))
    story.send("tick", 0, 100.0)
    changed = {
        each.name: (each.kind, each.before, each.after, each.unit) for each in story.send("tick", 1, 110.0).changes
    }
    # One of ten is sold at 110 for a fee of a thousandth; cash was 1000 less the ten bought at 100.
    assert changed == {
        "index.price": ("ledger", 100.0, 110.0, "USD/IDX"),
        "cash": ("ledger", 0.0, 110.0 - 0.11, "USD"),
        "fees": ("ledger", 0.0, 0.11, "USD"),
        "stock.quantity": ("ledger", 10.0, 9.0, "IDX"),
        "stock.realised": ("ledger", 0.0, 10.0, "USD"),
        "anchor": ("state", 100.0, 110.0, "USD/IDX"),
    }


def test_the_machine_that_is_explained_is_not_touched() -> None:
    compiled = loads(TIMED).compile()
    machine = compiled.machine()
    machine.send("tick", 0, x=1.0)
    before = machine.snapshot()
    explain(compiled, before, "tick", 20 * SECOND, {"x": 3.0})
    assert machine.snapshot() == before


# --- laws ---

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def parts(found: Condition) -> Iterator[Condition]:
    yield found
    for part in found.parts:
        yield from parts(part)


def check(found: Explanation) -> None:
    """Hold an explanation to itself: guards to their parts, comparisons to their numbers, firings to fates."""
    for selected in found.selections:
        fired = {each.name for _, asked in selected.leaves for each in asked if each.fate == "fired"}
        assert fired == set(selected.fired)
        for _, asked in selected.leaves:
            for each in asked:
                if each.condition is None:
                    continue
                expected = each.fate if each.fate in ("false", "failed") else "true"
                assert each.condition.said == expected
                for part in parts(each.condition):
                    if part.kind == "comparison" and part.said in ("true", "false"):
                        left, right = (side.value for side in part.sides)
                        assert OPERATORS[part.operator](left, right) == (part.said == "true")
    json.dumps(found.to_json(), allow_nan=False)
    assert found.text()


@settings(max_examples=12)
@given(st.data())
def test_explanations_of_random_machines_agree_with_the_reference_and_with_themselves(data: st.DataObject) -> None:
    sketch: Sketch = data.draw(sketches())
    compiled = loads(sketch.text).compile()
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot = reference.initial()
    sent: list[Event] = data.draw(events(8))
    for event in sent:
        found = explain(compiled, snapshot, event.name, event.time_ns, event.values)
        before = snapshot
        snapshot, step = reference.step(snapshot, event.name, event.time_ns, event.values)
        assert (found.fired, found.orders, found.raised) == (step.fired, step.orders, step.raised)
        assert (found.rejected, found.errors, found.broken) == (step.rejected, step.errors, step.broken)
        assert (found.before, found.configuration) == (step.before, step.configuration)
        changed = {name for name in before.cells if before.cells[name] != snapshot.cells[name]}
        assert {change.name for change in found.changes if change.kind != "window"} == changed
        check(found)


def test_explanations_of_the_shipped_desk_agree_with_the_reference_and_name_the_right_files() -> None:
    compiled = load(DESK).compile()
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot = reference.initial()
    named: dict[str, set[str]] = {}
    price = 100.0
    for index in range(120):
        price *= 1.012 if index % 3 else 0.97
        found = explain(compiled, snapshot, "tick", index * 86400 * SECOND, (price,))
        snapshot, step = reference.step(snapshot, "tick", index * 86400 * SECOND, (price,))
        assert found.fired == step.fired
        check(found)
        for asked in candidates(found):
            named.setdefault(asked.part, set()).add(Path(asked.file).name)
    assert named["strategy"] == {"band_limited_hedge.yaml"}
    assert named["breaker"] == {"drawdown_breaker.yaml"}


def test_a_transition_of_a_used_spec_is_told_in_the_names_of_its_own_file() -> None:
    compiled = load(DESK).compile()
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot, _ = reference.step(reference.initial(), "tick", 0, (100.0,))
    up = next(
        each for each in candidates(explain(compiled, snapshot, "tick", SECOND, (101.0,))) if each.fate == "fired"
    )
    assert (up.name, up.part, up.guard) == ("strategy.up", "strategy", "out_of_band and price > anchor")
    assert up.condition is not None
    assert [part.text for part in up.condition.parts] == [
        "abs(index.price - anchor) >= k * fee * min(index.price, anchor)",
        "index.price > anchor",
    ]
    assert [each.name for each in up.readings][:2] == ["strategy.index.price", "strategy.anchor"]


# --- rows of data ---

ROWS = """
hedgerow: 1
name: rows
events: {tick: {x: {range: [0, 100]}}, begin: {at: {}}}
state: {sum: {initial: 0}, bad: {type: int, initial: 0, range: [0, 99]}}
machine:
  initial: adding
  states:
    adding:
      on:
        tick:
          - {name: finish, if: sum > 20, to: done}
          - {name: add, if: tick.x > 0, do: {set: {sum: sum + tick.x}}}
        input.rejected: {name: count, do: {set: {bad: "min(bad + 1, 99)"}}}
    done: {final: true}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    Path("rows.yaml").write_text(ROWS)
    return tmp_path


def write(*values: object) -> None:
    body = "".join(f"2024-01-0{day},{value}\n" for day, value in enumerate(values, 1))
    Path("rows.csv").write_text("time,x\n" + body)


def run(*arguments: object) -> int:
    return main(["explain", "rows.yaml", *map(str, arguments)])


def row(number: int, *arguments: str) -> int:
    return run("--event", "tick", "--data", "rows.csv", "--row", number, *arguments)


def test_a_row_is_explained_with_the_machine_as_the_run_has_it_there(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(1, 5, 7, 2)
    assert row(3) == 0
    told = capsys.readouterr().out
    assert told.startswith("rows, row 3: `tick` at 2024-01-03\n  tick.x = 7\n  in adding\n")
    assert "  state    sum  6 → 13\n" in told


@settings(max_examples=10)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=12), st.data())
def test_the_machine_before_a_row_is_the_one_after_the_row_before(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("data") / "prices.csv"
    lines_ = [f"{1_700_000_000 + second},{value + 1!r}" for second, value in enumerate(values)]
    file.write_text("time,price\n" + "\n".join(lines_) + "\n")
    spec = band()
    number = data.draw(st.integers(2, len(values)))
    earlier = before_row(spec, str(file), number - 1)
    later = before_row(spec, str(file), number)
    reference = Reference(later.compiled.program, later.compiled.parameters, later.compiled.registry)
    after, _ = reference.step(earlier.snapshot, earlier.event, earlier.time_ns, earlier.values)
    assert later.snapshot == after
    assert (later.time_ns, later.values) == ((1_700_000_000 + number - 1) * SECOND, (values[number - 1] + 1,))


@pytest.mark.parametrize(
    ("values", "options", "message", "help"),
    [
        ((1, 2), ("3",), "--row: error[HR807]: there is no row 3", "there are 2 rows in rows.csv, counted from 1"),
        ((), ("1",), "rows.csv: error[HR805]: the data have a header and no row", "give a file with rows"),
        (
            (30, 1, 5, 5),
            ("4",),
            "--row: error[HR807]: the machine ended at row 2, so that row 4 was no event",
            "ask for row 2 or one before it",
        ),
        (
            (1, 2, 3),
            ("1", "--from", "2024-01-02"),
            "--row: error[HR807]: row 1 was left out of the run",
            "it lies outside of --from and --to (or the year of --stress), has no price, or nothing stands in it",
        ),
        (
            (1, 200, 3),
            ("3",),
            "rows.csv:3: error[HR806]: row 2 is bad: `x` = 200.0 is above 100",
            "pass over bad rows with --skip-bad, as the run did",
        ),
        (
            (1, "much", 3),
            ("2",),
            "rows.csv:3: error[HR806]: row 2 is bad: `x` is `much`, not a finite number",
            "pass over bad rows with --skip-bad, as the run did",
        ),
    ],
)
def test_a_row_that_cannot_be_explained_is_bad_input(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    values: tuple[object, ...],
    options: tuple[str, ...],
    message: str,
    help: str,
) -> None:
    write(*values)
    number, *rest = options
    assert row(int(number), *rest) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{message}\n   help: {help}\n")


def test_a_bad_row_that_the_run_sent_is_explained_as_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(1, "much", 200, 4)
    assert row(2, "--skip-bad") == 0
    told = capsys.readouterr().out
    assert "  tick.x = nan\n  refused: `x` = nan is not a finite number\n" in told
    # The clock stands where the row before left it.
    seen = "internal event `input.rejected`, at 2024-01-01\n  in adding\n    1. count  fired  rows.yaml:14\n"
    assert seen in told
    assert row(4, "--skip-bad") == 0
    assert "  in adding\n" in (told := capsys.readouterr().out)
    assert "  state    sum  1 → 5\n" in told


def test_the_last_row_before_the_end_is_explained_and_says_that_it_ends_the_machine(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(30, 1, 5)
    assert row(2) == 0
    assert "  ended    the machine is in a final state: it takes no more events\n" in capsys.readouterr().out


def test_options_of_the_run_change_what_is_explained(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.csv").write_text("time,mid\n" + "".join(f"{second},{100 + second}\n" for second in range(1, 6)))
    band = ["explain", str(BAND), "--data", "data.csv", "--map", "price=mid", "--time", "time", "--row", "4"]
    for option, value in (("--set", "fee=0.002"), ("--from", "1970-01-01T00:00:02Z"), ("--fill", "next")):
        assert main([*band, "--json"]) == 0
        plain = json.loads(capsys.readouterr().out)
        assert main([*band, option, value, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) != plain


@pytest.mark.parametrize(
    ("source", "stress", "number", "told"),
    [
        ("sp500", "1987:at=2006-05-10,seed=3", 1_850, "not history: stressed by 1987"),  # within the crash
        ("sp500", "2020:seed=3", 4_000, "not history: stressed by 2020"),  # long after it
        (None, "2020:start=3386.15", 40, "not history: stressed by 2020"),
        (None, "2008", 2_300, "the stress of 2008 as recorded"),
    ],
)
def test_a_row_of_stressed_data_is_explained_as_the_stressed_run_has_it(
    capsys: pytest.CaptureFixture[str], source: str | None, stress: str, number: int, told: str
) -> None:
    stressed = dry_run(band(), source, stress=stress)
    trace = stressed.trace
    at = trace.rows.tolist().index(number)
    before = before_row(band(), source, number, stress=stress)
    assert before.values == (trace.column("index.price")[at],)
    assert before.snapshot.cells["cash"] == trace.column("cash")[at - 1]
    data = () if source is None else ("--data", source)
    assert main(["explain", str(BAND), *data, "--stress", stress, "--row", str(number)]) == 0
    assert capsys.readouterr().out.startswith(f"band_limited_hedge, row {number:,} ({told}): `tick` at ")
    assert main(["explain", str(BAND), *data, "--stress", stress, "--row", str(number), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stress"] == stressed.summary["fingerprint"]["stress"]


# --- items of scripts ---

SCRIPT = """
- {event: tick, with: {x: 7}, at: 1m}
- {expect: {configuration: [adding]}}
- {event: tick, with: {x: 100.5}, at: 2m}
- {advance: 10m}
- {event: tick, with: {x: 15}, at: 11m}
- {event: tick, with: {x: 1}, at: 12m}
- {event: tick, with: {x: 2}, at: 13m}
"""


def item(number: int, *arguments: str) -> int:
    Path("script.yaml").write_text(SCRIPT)
    return run("--events", "script.yaml", "--item", number, *arguments)


def test_an_item_of_a_script_is_explained_in_the_times_of_scripts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert item(5) == 0
    assert capsys.readouterr().out == (
        "rows, item 5: `tick` at 11m\n"
        "  tick.x = 15\n"
        "  in adding\n"
        "\n"
        "`tick`\n"
        "  in adding\n"
        "    1. finish  false  rows.yaml:12\n"
        "         if: sum > 20\n"
        "           false  sum = 7 > 20\n"
        "    2. add  fired  rows.yaml:13\n"
        "         if: tick.x > 0\n"
        "           true   tick.x = 15 > 0\n"
        "  fires: add\n"
        "\n"
        "what came of it\n"
        "  fired    add\n"
        "  states   adding, as before\n"
        "  state    sum  7 → 22\n"
    )


def test_a_refused_item_and_one_of_time_alone_are_explained(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert item(3) == 0
    assert "  refused: `x` = 100.5 is above 100\n" in capsys.readouterr().out
    assert item(4) == 0
    assert capsys.readouterr().out.startswith("rows, item 4: time passes to 10m\n  in adding\n  no timer was due\n")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, "item 2 only says what is expected: nothing happens"),
        (7, "the machine ended at item 6, so that item 7 did nothing"),
        (8, "there is no item 8"),
    ],
)
def test_an_item_that_cannot_be_explained_is_bad_input(
    place: Path, capsys: pytest.CaptureFixture[str], number: int, message: str
) -> None:
    assert item(number) == 2
    assert capsys.readouterr().err.startswith(f"--item: error[HR807]: {message}\n   help: ")


def test_an_item_before_the_start_is_bad_input(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = ROWS.replace("sum: {initial: 0}", "sum: {initial: begin.at}")
    Path("rows.yaml").write_text(text)
    assert item(1) == 2
    assert capsys.readouterr().err == (
        "--item: error[HR807]: the machine had not started: the machine starts with its first `begin`\n"
        "   help: ask for the item that starts it, or a later one\n"
    )


def test_params_of_the_script_and_of_the_command_line_hold_where_it_is_explained(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ROWS.replace("state:", "params: {top: {default: 20}}\nstate:").replace("sum > 20", "sum > top")
    Path("rows.yaml").write_text(text)
    body = SCRIPT.replace("\n", "\n  ").rstrip()
    Path("set.yaml").write_text(f"hedgerow_events: 1\nset: {{top: 5}}\nevents:{body}\n")
    for options, told in (((), "sum = 7 > top = 5"), (("--set", "top=6"), "sum = 7 > top = 6")):
        assert run("--events", "set.yaml", "--item", 5, *options) == 0
        assert f"true   {told}\n" in capsys.readouterr().out


# --- the command ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["rows.yaml"],
        ["rows.yaml", "--data", "rows.csv"],
        ["rows.yaml", "--events", "script.yaml"],
        ["rows.yaml", "--row", "1"],
        ["rows.yaml", "--data", "rows.csv", "--events", "script.yaml", "--row", "1"],
        ["rows.yaml", "--data", "rows.csv", "--row", "1", "--item", "1"],
        ["rows.yaml", "--data", "rows.csv", "--row", "0"],
        ["rows.yaml", "--events", "script.yaml", "--item", "1", "--skip-bad"],
        ["rows.yaml", "--events", "script.yaml", "--item", "1", "--map", "x=y"],
        ["rows.yaml", "--events", "script.yaml", "--item", "1", "--stress", "1987"],
    ],
)
def test_options_that_do_not_name_one_event_are_a_usage_error(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["explain", *arguments]) == 2
    assert "Error: " in capsys.readouterr().err


def test_a_spec_with_mistakes_is_bad_input_in_text_and_in_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.yaml").write_text(ROWS.replace("sum > 20", "summ > 20"))
    write(1)
    assert row(1) == 2
    assert "error[HR201]: unknown name `summ`" in capsys.readouterr().err
    assert row(1, "--json") == 2
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (found["code"], found["line"]) == ("HR201", 12)


def test_json_holds_what_the_text_does(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(1, 5)
    assert row(2, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["row"], found["spec"], found["event"]) == (2, "rows", "tick")
    ((leaf,),) = [selected["leaves"] for selected in found["selections"]]
    assert leaf["leaf"] == "adding"
    finish, add = leaf["candidates"]
    assert (finish["name"], finish["fate"], finish["why"]) == ("finish", "false", "its guard is false")
    assert finish["condition"]["sides"] == [
        {"text": "sum", "value": 1.0, "unit": ""},
        {"text": "20", "value": 20.0, "unit": ""},
    ]
    assert (add["name"], add["fate"], add["line"], add["guard"]) == ("add", "fired", 13, "tick.x > 0")
    assert found["changes"] == [{"kind": "state", "name": "sum", "before": 1.0, "after": 6.0, "unit": ""}]


def test_the_session_of_the_page_is_what_the_command_prints(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = {fence.language: fence.text for fence in reversed(list(fences(PAGE)))}
    Path("trim.yaml").write_text(blocks["yaml"])
    Path("ticks.csv").write_text(blocks["csv"])
    command, _, expected = blocks["console"].partition("\n")
    assert main(shlex.split(command.removeprefix("$ hedgerow "))) == 0
    assert capsys.readouterr().out == expected


def test_every_fate_and_origin_is_explained_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    table = set(re.findall(r"^\| (\w[\w ]*) \| ", text, re.MULTILINE))
    assert {"fired", "false", "failed", "not asked", "preempted", "dropped"} <= table


def test_lines_have_tones_and_their_text_is_the_plain_one() -> None:
    found = Story(ORDER).send("tick", 0, 2.0)
    tones = [(piece.text.strip(), piece.tone) for line in lines(found) for piece in line]
    assert [each for each in tones if each[0] in ("fired", "not asked", "fires: second")] == [
        ("fired", "good"),  # the second candidate
        ("not asked", "faint"),
        ("not asked", "faint"),
        ("fires: second", "good"),
        ("fired", "faint"),  # the heading of what fired in all
    ]
    written = "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in lines(found))
    assert written == found.text()


def test_readable_takes_what_no_guard_holds() -> None:
    assert readable(Expr("const", (), "int", value=2**63 - 1)) == "never"
