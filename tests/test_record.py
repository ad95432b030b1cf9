"""Records behave as the frozen dataclasses that they take the place of."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from hedgerow.engine.record import Record


class Point(Record):
    x: int
    y: int = 2
    label: str = field(default="p", compare=False)


@dataclass(frozen=True)
class AsBefore:
    x: int
    y: int = 2
    label: str = field(default="p", compare=False)


GIVEN = [((1,), {}), ((1, 3), {}), ((1, 3, "q"), {}), ((), {"x": 1}), ((1,), {"label": "q"}), ((), {"y": 5, "x": 1})]
WRONG = [((), {}), ((1, 2, "q", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1}), ((1, 2, "q"), {"y": 1})]


@pytest.mark.parametrize(("values", "named"), GIVEN)
def test_a_record_has_the_values_of_a_dataclass(values: tuple[object, ...], named: dict[str, object]) -> None:
    record, as_before = Point(*values, **named), AsBefore(*values, **named)
    assert [getattr(record, each.name) for each in fields(record)] == [
        getattr(as_before, each.name) for each in fields(as_before)
    ]
    assert repr(record) == repr(as_before).replace("AsBefore", "Point")


@pytest.mark.parametrize(("values", "named"), WRONG)
def test_a_record_refuses_what_a_dataclass_refuses(values: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        AsBefore(*values, **named)
    with pytest.raises(TypeError, match="Point has the fields x, y, label, and is given"):
        Point(*values, **named)


def test_records_are_equal_by_what_is_compared_and_of_one_class_only() -> None:
    class Other(Record):
        x: int
        y: int = 2
        label: str = field(default="p", compare=False)

    assert Point(1, label="a") == Point(1, label="b")
    assert hash(Point(1, label="a")) == hash(Point(1, label="b"))
    assert Point(1) != Point(2)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 2)


def test_a_record_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    assert point == Point(1)


def test_a_record_is_replaced_matched_copied_and_pickled() -> None:
    point = Point(1, 3, "q")
    assert repr(replace(point, y=4)) == "Point(x=1, y=4, label='q')"
    match point:
        case Point(x, y, label):
            assert (x, y, label) == (1, 3, "q")
    for copied in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert repr(copied) == repr(point)
