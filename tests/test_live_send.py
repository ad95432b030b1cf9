"""`Machine.send` takes fields by name as fast as Python does, and refuses what the reference refuses."""

from __future__ import annotations

import pytest

from hedgerow.engine.load import Compiled, loads

TEXT = """\
hedgerow: 1
name: follow
units: [USD]
events:
  tick: {FIELD: {unit: USD, range: [1, 1000]}}
state:
  ref: {unit: USD, initial: 100}
machine:
  initial: watching
  states:
    watching:
      on:
        tick: {name: move, if: abs(tick.FIELD - ref) >= 1 USD, do: follow}
actions:
  follow: [{set: {ref: tick.FIELD}}]
"""


def compiled(field: str) -> Compiled:
    return loads(TEXT.replace("FIELD", field)).compile()


@pytest.mark.parametrize("field", ["price", "self", "class", "event", "time_ns"])
def test_a_field_may_have_any_name_of_the_language(field: str) -> None:
    machine = compiled(field).machine()
    assert machine.send("tick", 1, **{field: 102.0}).fired == ("move",)
    assert machine.value("ref") == 102.0


@pytest.mark.parametrize(
    "fields", [{}, {"prices": 102.0}, {"price": 102.0, "size": 1}, {"self": 1}, {"price": 1.0, "time_": 2}]
)
def test_fields_that_are_not_the_declared_ones_are_refused_and_change_nothing(fields: dict[str, float]) -> None:
    machine = compiled("price").machine()
    machine.send("tick", 1, price=100.0)
    before = machine.snapshot()
    assert machine.send("tick", 2, **fields).rejected is not None
    assert machine.snapshot() == before


def test_a_refused_value_is_told_as_it_came() -> None:
    machine = compiled("price").machine()
    machine.send("tick", 1, price=100)
    assert machine.send("tick", 2, price=1001).rejected == "`price` = 1001 is above 1000"
    assert machine.send("tick", 2, price=1001.0).rejected == "`price` = 1001.0 is above 1000"
    assert machine.send("tick", 2, price=102).fired == ("move",)


def test_the_generated_name_of_a_renamed_field_is_no_name_of_it() -> None:
    machine = compiled("class").machine()
    machine.send("tick", 1, **{"class": 100.0})
    assert machine.send("tick", 2, class_=102.0).rejected == "`tick` has no field `class_`: did you mean `class`?"


def test_a_defect_inside_an_event_is_not_taken_for_a_wrong_field(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = compiled("price").machine()
    calls: list[str] = []

    def broken(_self: object, event: str, *_: object) -> None:
        calls.append(event)
        raise TypeError("a defect")

    monkeypatch.setattr(type(machine), "_defer", broken)
    with pytest.raises(TypeError, match="a defect"):
        machine.send("tick", 1, price=100.0)
    assert calls == ["tick"]  # and not a second time, the slow way
