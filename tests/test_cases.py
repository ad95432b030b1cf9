"""The cases of tests/conformance: what they expect is derived from the W3C text, and every backend must do it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from twins import Twins, spec

from hedgerow import Step
from hedgerow.engine.script import Item, parse_script
from hedgerow.engine.script_run import play
from hedgerow.engine.snapshot import Snapshot

CASES = Path(__file__).parent / "conformance"
NAMES = sorted(str(path.relative_to(CASES).with_suffix("")) for path in CASES.rglob("*.yaml"))
SOURCES = ("W3C SCXML", "DESIGN rule")


class Case:
    """A case, and the items of its script with what each expects, as it is written."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        # JSON is how a script and a spec are handed over without a second look at how the case writes them.
        self.spec = spec(json.dumps(body["spec"], ensure_ascii=False))
        self.compiled = self.spec.compile()
        self.script = parse_script(json.dumps(body["script"], ensure_ascii=False), "script.json", self.spec)

    @property
    def items(self) -> list[tuple[Item, Mapping[str, Any]]]:
        written = (item.get("expect", {}) for item in self.body["script"])
        return list(zip(self.script.items, written, strict=True))

    def twins(self) -> Twins:
        return Twins(self.compiled)


@cache
def case(name: str) -> Case:
    return Case(YAML(typ="safe", pure=True).load(CASES / f"{name}.yaml"))


def taken(twins: Twins, item: Item) -> Step:
    """Let both backends take an item; they may not differ."""
    if item.kind == "event":
        return twins.send(item.event, item.time_ns, **item.fields)
    assert item.kind == "advance"
    live = twins.machine.advance(item.time_ns)
    twins.snapshot, expected = twins.reference.advance(twins.snapshot, item.time_ns)
    assert live == expected
    assert twins.machine.snapshot().to_json() == twins.snapshot.to_json()
    return live


def differences(twins: Twins, step: Step, expect: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an item did otherwise than it expects: exactly, in order, and no error that is not expected."""
    found = {
        "configuration": list(step.configuration),
        "fired": list(step.fired),
        "raised": list(step.raised),
        "timers": [name for name, _ in step.timers],
        "ended": twins.snapshot.ended,
    }
    for key, value in found.items():
        if key in expect and expect[key] != value:
            yield f"{key} is {value}, not {expect[key]}"
    for cell, wanted in expect.get("values", {}).items():
        value = twins.value(cell)
        if value != wanted:
            yield f"{cell} is {value}, not {wanted}"
    if step.rejected is not None and "rejected" not in expect:
        yield f"it is rejected: {step.rejected}"
    if (
        step.errors
        and "errors" not in expect
        and not any(name.startswith("error.") for name in expect.get("raised", ()))
    ):
        yield f"errors are {step.errors}"


def hold(this: Case) -> None:
    """Play a case on both backends and hold every item to what it expects."""
    twins = this.twins()
    for item, expect in this.items:
        wrong = list(differences(twins, taken(twins, item), expect))
        assert not wrong, f"item {item.index}, {item.event or item.kind}: " + "; ".join(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_both_backends_do_what_the_case_expects(name: str) -> None:
    hold(case(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_case_holds_as_a_script_too(name: str) -> None:
    this = case(name)
    failures = [failure for played in play(this.compiled, this.script) for failure in played.failures]
    assert failures == []


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_restored_at_any_point_of_a_case_continues_identically(name: str) -> None:
    this = case(name)
    first = this.twins()
    kept, steps = [first.snapshot.to_json()], []
    for item in this.script.items:
        steps.append(taken(first, item))
        kept.append(first.snapshot.to_json())
    for index, text in enumerate(kept):
        second = this.twins()
        second.restore(Snapshot.from_json(text))
        assert second.machine.snapshot().to_json() == text
        assert [taken(second, item) for item in this.script.items[index:]] == steps[index:]
        assert second.snapshot.to_json() == kept[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_case_says_where_its_expectation_comes_from_and_expects_something(name: str) -> None:
    body = case(name).body
    assert set(body) == {"about", "spec", "script"}
    assert any(source in body["about"] for source in SOURCES)
    assert any(item.get("expect") for item in body["script"])


def test_there_are_at_least_120_cases_and_no_two_are_alike() -> None:
    assert len(NAMES) >= 120
    alike = [json.dumps([{**case(name).body["spec"], "name": ""}, case(name).body["script"]]) for name in NAMES]
    assert len(set(alike)) == len(NAMES)


SMALL: Mapping[str, Any] = {
    "hedgerow": 1,
    "name": "small",
    "events": {"go": {}, "note": {}},
    "state": {"n": {"initial": 1}},
    "machine": {
        "initial": "a",
        "states": {
            "a": {"on": {"go": {"name": "leave", "to": "b", "do": [{"raise": "note"}]}}},
            "b": {
                "on": {"go": {"name": "fail", "do": {"set": {"n": "1 / (n - 1)"}}}},
                "after": {"1s": {"name": "timed"}},
            },
        },
    },
}
RIGHT: Mapping[str, Any] = {
    "configuration": ["b"],
    "fired": ["leave"],
    "raised": ["note"],
    "values": {"n": 1},
    "timers": [],
    "ended": False,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"configuration": ["a"]},
        {"fired": []},
        {"raised": ["note", "note"]},
        {"values": {"n": 2}},
        {"timers": ["after.b.1"]},
        {"ended": True},
    ],
    ids=str,
)
def test_a_case_with_a_wrong_expectation_fails(wrong: Mapping[str, Any]) -> None:
    hold(Case({"spec": SMALL, "script": [{"event": "go", "expect": RIGHT}]}))
    with pytest.raises(AssertionError, match="item 1, go"):
        hold(Case({"spec": SMALL, "script": [{"event": "go", "expect": {**RIGHT, **wrong}}]}))


@pytest.mark.parametrize("second", [{"event": "go"}, {"event": "go", "at": -1}], ids=str)
def test_an_error_or_a_refusal_that_a_case_does_not_expect_fails_it(second: Mapping[str, Any]) -> None:
    with pytest.raises(AssertionError, match="item 2, go"):
        hold(Case({"spec": SMALL, "script": [{"event": "go"}, second]}))
