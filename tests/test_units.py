"""Units form a group, print what they read, and say where a text is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.units import ONE, SECOND, TIME_SUFFIXES, Unit, UnitSyntaxError, parse_unit

BASES = ["IDX", "USD"]

units = st.dictionaries(st.sampled_from([*BASES, "s"]), st.integers(-8, 8)).map(
    lambda powers: Unit(tuple(sorted((name, power) for name, power in powers.items() if power)))
)


@given(units, units, units)
def test_units_are_a_commutative_group(a: Unit, b: Unit, c: Unit) -> None:
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * ONE == a == ONE * a
    assert a / a == ONE
    assert (a / b) * b == a


@given(units, st.integers(0, 5))
def test_a_power_is_a_repeated_product(a: Unit, exponent: int) -> None:
    product = ONE
    for _ in range(exponent):
        product = product * a
    assert a**exponent == product
    assert a**-exponent == ONE / product


@given(units)
def test_sqrt_undoes_a_square_and_nothing_else(a: Unit) -> None:
    assert (a * a).sqrt() == a
    root = a.sqrt()
    assert root is None or root * root == a
    assert (root is None) == any(power % 2 for _, power in a.powers)


@given(units)
def test_a_unit_reads_back_from_its_text(a: Unit) -> None:
    assert parse_unit(str(a), BASES) == a


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1", "1"),
        ("USD/IDX", "USD/IDX"),
        ("1/s", "1/s"),
        ("s * USD ** 2", "USD^2*s"),
        ("USD / IDX / s", "USD/IDX/s"),
        ("USD/IDX*s", "USD*s/IDX"),
        ("USD^-1", "1/USD"),
        (" USD*IDX/USD ", "IDX"),
        ("USD^16", "USD^16"),
        ("USD^0", "1"),
    ],
)
def test_a_unit_is_printed_in_one_way(text: str, shown: str) -> None:
    assert str(parse_unit(text, BASES)) == shown


EXAMPLE = "write base units joined by `*` and `/`, such as `IDX/s`, or `1` for a pure number"


@pytest.mark.parametrize(
    ("text", "message", "place", "help"),
    [
        ("", "a unit is missing here", (0, 0), EXAMPLE),
        ("USD/", "a unit is missing here", (4, 4), EXAMPLE),
        ("USD IDX", "unexpected `IDX` in a unit", (4, 7), EXAMPLE),
        ("2*USD", "unexpected `2` in a unit", (0, 1), EXAMPLE),
        ("USD*1", "unexpected `1` in a unit", (4, 5), EXAMPLE),
        ("USD/(IDX)", "unexpected `(` in a unit", (4, 5), EXAMPLE),
        ("USD/IDS", "unknown unit `IDS`", (4, 7), "did you mean `IDX`?"),
        ("share", "unknown unit `share`", (0, 5), "the units are `IDX`, `USD`, `s`"),
        ("USD^17", "the power of `USD` is too large", (4, 6), "a power lies between -16 and 16"),
        (
            "USD^x",
            "a power is a whole number",
            (3, 4),
            "write a literal power after a base unit, such as `s^2`",
        ),
        (
            "USD**",
            "a power is a whole number",
            (3, 5),
            "write a literal power after a base unit, such as `s^2`",
        ),
        ("U" * 201, "unit is too long", (0, 201), "a unit has at most 200 characters"),
    ],
)
def test_a_text_that_is_no_unit_is_refused_where_it_errs(
    text: str, message: str, place: tuple[int, int], help: str
) -> None:
    with pytest.raises(UnitSyntaxError) as caught:
        parse_unit(text, BASES)
    error = caught.value
    assert (error.message, (error.offset, error.end), error.help) == (message, place, help)


@given(st.text("US DIX/*^-123s(", max_size=20))
def test_any_text_is_a_unit_or_refused_inside_it(text: str) -> None:
    refused = None
    try:
        unit = parse_unit(text, BASES)
    except UnitSyntaxError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.offset <= refused.end <= len(text)
        assert refused.help
    else:
        assert parse_unit(str(unit), BASES) == unit or any(abs(power) > 16 for _, power in unit.powers)


def test_the_second_is_a_base_unit_of_every_file() -> None:
    assert parse_unit("s", []) == SECOND


def test_time_suffixes_are_multiples_of_each_other() -> None:
    assert TIME_SUFFIXES["us"] == 1000 * TIME_SUFFIXES["ns"]
    assert TIME_SUFFIXES["ms"] == 1000 * TIME_SUFFIXES["us"]
    assert TIME_SUFFIXES["s"] == 1000 * TIME_SUFFIXES["ms"] == 1
    assert TIME_SUFFIXES["m"] == 60 * TIME_SUFFIXES["s"]
    assert TIME_SUFFIXES["h"] == 60 * TIME_SUFFIXES["m"]
    assert TIME_SUFFIXES["d"] == 24 * TIME_SUFFIXES["h"]
    assert TIME_SUFFIXES["w"] == 7 * TIME_SUFFIXES["d"]
