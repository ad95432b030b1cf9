"""The IR as text, and the digest: neither leaves out anything that decides a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import hedgerow
from hedgerow.engine.ir import Assign, Pool, Program
from hedgerow.engine.printer import digest, expression_text, program_text

GOLDEN = Path(__file__).parent / "golden" / "ir"
POOL = Pool()
NOW = POOL.make("now", (), "int")
TWO = POOL.constant(Fraction(2), "real")


@pytest.fixture(scope="module")
def clockwork() -> Program:
    return hedgerow.load(GOLDEN / "clockwork.yaml").program()


def test_regions_history_and_timers_become_the_program_that_was_reviewed(clockwork: Program) -> None:
    golden = GOLDEN / "clockwork.txt"
    if os.environ.get("HEDGEROW_WRITE_GOLDEN"):
        golden.write_text(program_text(clockwork), "utf-8")
    assert program_text(clockwork) == golden.read_text("utf-8")


def state(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        states=tuple(replace(s, **changes) if s.name == name else s for s in p.states),  # type: ignore[arg-type]
    )


def rule(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        rules=tuple(replace(r, **changes) if r.name == name else r for r in p.rules),  # type: ignore[arg-type]
    )


def timer(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        timers=tuple(replace(t, **changes) if t.name == name else t for t in p.timers),  # type: ignore[arg-type]
    )


def part(**changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(p, parts=(replace(p.parts[0], **changes),))  # type: ignore[arg-type]


DOES = (Assign((("n", TWO),)),)
CHANGES: dict[str, Callable[[Program], Program]] = {
    "first states": lambda p: replace(p, initial=("off", "busy")),
    "a kind": state("plant", kind="compound"),
    "an initial state": state("work", initial=("busy",)),
    "steps on the way in": state("work", initially=DOES),
    "how deep a history goes": state("back", deep=True),
    "what is armed": state("idle", stamp=()),
    "what is disarmed": state("idle", leave=()),
    "an inner fail_safe": state("work", fail_safe="idle"),
    "the order of two states": lambda p: replace(p, states=(*p.states[:-2], *p.states[:-3:-1])),
    "an event of two": rule("again", events=("alarm",)),
    "no event": rule("again", events=()),
    "a target of two": rule("start", targets=("open",)),
    "an external transition": rule("inward", internal=False),
    "a timer's event": timer("late", event="begin"),
    "a timer's cell": timer("late", due="due(after.idle.1)"),
    "a period": timer("every.busy.1", period=TWO),
    "a timer's fields": timer("late", fields=()),
    "the order of timers": lambda p: replace(p, timers=p.timers[::-1]),
    "a part's name": part(name="other"),
    "a part's region": part(region="work"),
    "what begins": part(begin=DOES),
    "what opens": part(endow=DOES),
    "what opens late": part(endow_late=DOES),
    "one more part": lambda p: replace(
        p,
        parts=(*p.parts, replace(p.parts[0], name="other")),
        events=tuple(replace(event, observe=event.observe * 2) for event in p.events),
    ),
    "what is observed": lambda p: replace(p, events=(replace(p.events[0], observe=(DOES,)), *p.events[1:])),
    "a given value": lambda p: replace(p, parameters=(replace(p.parameters[0], given=TWO),)),
    "the leaves of a region": lambda p: replace(p, regions=p.regions[:2]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_a_run_is_in_the_text_and_in_the_digest(change: str, clockwork: Program) -> None:
    other = CHANGES[change](clockwork)
    assert program_text(other) != program_text(clockwork)
    assert digest(other) != digest(clockwork)


def test_what_only_people_read_is_in_neither(clockwork: Program) -> None:
    other = state("idle", about="waits")(replace(clockwork, about="another"))
    assert program_text(other) == program_text(clockwork)
    assert digest(other) == digest(clockwork)


def test_times_and_states_are_written_in_the_language_of_the_ir() -> None:
    shown = {
        "due(now, 2)": POOL.make("due", (NOW, TWO), "int"),
        "In(work)": POOL.make("active", (), "bool", name="work"),
        "was(work)": POOL.make("was", (), "bool", name="work"),
        "never": POOL.constant(2**63 - 1, "int"),
    }
    assert {expression_text(expr): expr for expr in shown.values()} == shown
