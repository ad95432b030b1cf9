"""Bound functions in a journal: what they have answered is read when a machine comes back, and nobody is asked."""

from __future__ import annotations

from typing import Any

import pytest
from traders import SECOND, buyer, head
from verdicts import REGISTRY

from hedgerow.engine.host.history import explained
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.machines import Machines
from hedgerow.engine.host.problem import Divergence
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.host.replaying import replay
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.registry import Binding, Registry

ASKED: list[float] = []
ANSWER = [2.0]


def answers(*, x: float) -> float:
    ASKED.append(x)
    if x > 60:
        raise ValueError("too much")
    return ANSWER[0] * x


HERE = Registry({"my.answers": Binding("my.answers", "action", f"{__name__}:answers")})
OBSERVING = head(fee=0, events="stop: {}, ") + (
    "observe: {tick: {model: {call: my.answers, with: {x: tick.price * 1 IDX / 1 USD}}}}\n" + buyer("1 IDX")
)
PRICES = (40.0, 45.0, 50.0, 70.0, 45.0)


def observing() -> Spec:
    return loads(OBSERVING, "observing.yaml", registry=HERE)


def journalled(store: Any, spec: Spec) -> Any:
    with Host(store, {"desk": spec}) as host:
        sent = [Sent("desk", "tick", n * SECOND, {"price": price}) for n, price in enumerate(PRICES)]
        host.submit_all(sent).result()
        return host.snapshot("desk").result()


def test_what_functions_answered_is_journalled_and_read_again() -> None:
    store, spec = MemoryStore(), observing()
    ASKED.clear()
    last = journalled(store, spec)
    assert ASKED
    given = [
        each
        for record in records_since(store)
        if record.kind == Kind.STEP
        for each in value_of(record.payload).get("results", [])
    ]
    assert given[0] == {"function": "my.answers", "returned": {"": 80.0}}
    assert given[3] == {"function": "my.answers", "failed": "`my.answers`: too much"}
    store._states.clear()
    ASKED.clear()
    ANSWER[0] = 3.0
    try:
        assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last
    finally:
        ANSWER[0] = 2.0
    assert ASKED == []
    # What comes after a recovery is asked again.
    with Host(store, {"desk": spec}) as again:
        assert again.recovered.repeated == len(PRICES)
        step = again.submit("desk", "tick", 9 * SECOND, {"price": 45.0}).result()
    assert (step.errors, ASKED) == ((), [45.0])


def test_one_function_that_is_asked_twice_on_an_event_answers_as_often_again() -> None:
    second = "second: {call: my.answers, with: {x: tick.price * 0.5 IDX / 1 USD}}"
    spec = loads(OBSERVING.replace("1 USD}}}}", f"1 USD}}}}, {second}}}}}"), "observing.yaml", registry=HERE)
    store = MemoryStore()
    last = journalled(store, spec)
    assert (last.cells["model"], last.cells["second"]) == (90.0, 45.0)
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


def test_an_event_that_asks_is_told_from_a_quiet_one_before_it_that_does_not() -> None:
    store, spec = MemoryStore(), observing()
    with Host(store, {"desk": spec}) as host:
        events = [("tick", {"price": 55.0}), ("stop", {}), ("tick", {"price": 55.0}), ("stop", {}), ("stop", {})]
        host.submit_all([Sent("desk", name, n * SECOND, fields) for n, (name, fields) in enumerate(events)]).result()
        last = host.snapshot("desk").result()
    kinds = [record.kind for record in records_since(store)][2:]
    assert kinds[:7] == [Kind.EVENT, Kind.STEP, Kind.EVENT, Kind.EVENT, Kind.STEP, Kind.EVENT, Kind.EVENT]
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


class Hidden(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError


def test_a_function_that_fails_with_more_than_a_record_holds_stops_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: Exception = ValueError("x" * 2**25)

    def fails(*, x: float) -> float:
        raise raised

    monkeypatch.setitem(globals(), "answers", fails)
    store, spec = MemoryStore(), observing()
    with Host(store, {"desk": spec}) as host:
        host.submit("desk", "tick", 0, {"price": 40.0}).result(10)
        raised = Hidden()
        host.submit("desk", "tick", SECOND, {"price": 40.0}).result(10)
        last = host.snapshot("desk").result(10)
    told = [value_of(each.payload)["results"][0]["failed"] for each in records_since(store) if each.kind == Kind.STEP]
    assert told == ["`my.answers`: " + "x" * 1_000, "`my.answers`: Hidden, which cannot be shown"]
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


def test_a_check_that_was_asked_is_not_asked_again() -> None:
    check = "{call: my.at_most, with: {value: abs(book.quantity) * index.price, limit: most}}"
    gates = f"gates: {{g: {{applies: increase, checks: {{c: {check}}}}}}}\n"
    text = head(params="most: {default: 100, unit: USD, range: [1, 1e6]}", fee=0, events="stop: {}, ") + buyer("1 IDX")
    spec = loads(text + gates, "checked.yaml", registry=REGISTRY)
    store = MemoryStore()
    last = journalled(store, spec)
    results = [value_of(record.payload).get("results") for record in records_since(store) if record.kind == Kind.STEP]
    assert any(results)
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


def test_a_function_that_was_not_asked_then_is_no_answer_now() -> None:
    store = MemoryStore()
    plain = loads(head(fee=0) + buyer("1 IDX"), "plain.yaml")
    journalled(store, plain)
    with pytest.raises(Divergence) as error:
        replay(Machines("memory"), records_since(store), {"desk": observing().compile()}, changed=True)
    assert error.value.member in ("results", "errors", "configuration")


def test_a_past_decision_is_explained_with_the_answers_of_then() -> None:
    store, spec = MemoryStore(), observing()
    journalled(store, spec)
    events = [record.sequence for record in records_since(store) if record.kind == Kind.EVENT]
    ASKED.clear()
    found = explained(store, spec, events[2])
    assert ASKED == []
    assert {change.name: change.after for change in found.changes}["model"] == 100.0
