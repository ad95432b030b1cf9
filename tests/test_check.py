"""Types, units, ranges, names and scopes: every operator over every kind of operand, and every mistake at its place.

What must come out is computed here by rules of its own: units are vectors of exponents, ranges are found by trying every
value. In the tables of mistakes the place of the finding stands between ‹ and ›.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.ir import Cell
from hedgerow.engine.laws import MAX_DEPTH, MAX_SIZE
from hedgerow.engine.load import loads

HEAD = """hedgerow: 1
name: checked
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX}, x: {}, y: {}, usd: {unit: USD}, idx: {unit: IDX}, area: {unit: USD^2}, sure: {type: bool},
         n: {type: int, range: [-3, 5]}, m: {type: int, range: [0, 4]}, big: {type: int, range: [0, 100000000]}}
  other: {z: {}}
params:
  rate: {default: 0.5, range: [0, 1]}
  most: {type: int, default: 3, range: [1, 9]}
instruments:
  index: {unit: IDX, price: tick.price}
legs:
  long: {instrument: index, side: long}
  both: {instrument: index, side: both}
state:
  level: {unit: USD, initial: 0}
  count: {type: int, range: [0, 10], initial: 0}
  ready: {type: bool, initial: false}
"""
MACHINE = """machine:
  initial: calm
  fail_safe: calm
  states:
    calm: {on: {tick: {name: go, to: outer}, other: {name: back}}}
    outer: {initial: inner, states: {inner: {}}}
"""


def findings(text: str) -> list[tuple[str, int, int, int]]:
    """Return (code, line, column, end column) of every error of a spec."""
    try:
        loads(text)
    except SpecError as error:
        return [(d.code, d.span.line, d.span.column, d.span.end_column) for d in error.diagnostics]
    return []


def observed(lines: list[str]) -> tuple[list[Cell], dict[int, list[tuple[str, int, int]]]]:
    """Return the cells of observed expressions, or by line what was wrong: (code, first column, last), from its start."""
    names = [f"o{index:04}" for index in range(len(lines))]
    section = "".join(f"    {name}: {line}\n" for name, line in zip(names, lines, strict=True))
    text = HEAD + MACHINE + "observe:\n  tick:\n" + section
    first = text[: text.index("    o0000")].count("\n") + 1
    try:
        program = loads(text).program()
    except SpecError as error:
        wrong: dict[int, list[tuple[str, int, int]]] = {}
        for d in error.diagnostics:
            start = len("    o0000: ") + 1
            wrong.setdefault(d.span.line - first, []).append((d.code, d.span.column - start, d.span.end_column - start))
        return [], wrong
    cells = {cell.name: cell for cell in program.cells}
    return [cells[name] for name in names], {}


# --- operators over types and units ---


@dataclass(frozen=True)
class Kind:
    text: str
    type: str
    unit: tuple[int, int, int] | None
    """Powers of USD, IDX and s; None for the literal 0, which fits any."""


KINDS = (
    Kind("tick.x", "real", (0, 0, 0)),
    Kind("tick.usd", "real", (1, 0, 0)),
    Kind("tick.price", "real", (1, -1, 0)),
    Kind("tick.area", "real", (2, 0, 0)),
    Kind("tick.n", "int", (0, 0, 0)),
    Kind("tick.sure", "bool", (0, 0, 0)),
    Kind("0", "int", None),
    Kind("0.0", "real", None),
    Kind("2", "int", (0, 0, 0)),
    Kind("0.5", "real", (0, 0, 0)),
    Kind("30d", "real", (0, 0, 1)),
    Kind("5 USD", "real", (1, 0, 0)),
    Kind("long.quantity", "real", (0, 1, 0)),
    Kind("elapsed(tick)", "real", (0, 0, 1)),
)
Outcome = tuple[str, int, int] | tuple[str, tuple[int, int, int] | None]
"""(code, start, end) of a finding, or (type, unit) of a value."""


def joined(left: Kind, right: Kind) -> tuple[bool, tuple[int, int, int] | None]:
    """Return whether two operands share a unit, and which."""
    if left.unit is None or right.unit is None:
        return True, left.unit if right.unit is None else right.unit
    return left.unit == right.unit, left.unit


def binary(op: str, left: Kind, right: Kind) -> Outcome:
    """Say what `left op right` is, from the language page and from nothing of the engine."""
    width, second = len(left.text), len(left.text) + len(op) + 2
    whole = (0, second + len(right.text))
    if op in ("and", "or"):
        wrong = [(s, s + len(k.text)) for s, k in ((0, left), (second, right)) if k.type != "bool"]
        return ("HR301", *wrong[0]) if wrong else ("bool", (0, 0, 0))
    if op in ("<", "<=", ">", ">=", "==", "!="):
        if "bool" in (left.type, right.type):
            good = left.type == right.type and op in ("==", "!=")
            return ("bool", (0, 0, 0)) if good else ("HR301", *whole)
        return ("bool", (0, 0, 0)) if joined(left, right)[0] else ("HR302", *whole)
    if left.type == "bool":
        return "HR301", 0, width
    if right.type == "bool":
        return "HR301", second, whole[1]
    type = "int" if left.type == right.type == "int" else "real"
    if op in ("+", "-"):
        good, unit = joined(left, right)
        return (type, unit) if good else ("HR302", *whole)
    # As a factor the literal 0 is a pure number.
    first, other = left.unit or (0, 0, 0), right.unit or (0, 0, 0)
    if op == "*":
        a, b, c = (one + two for one, two in zip(first, other, strict=True))
        return type, (a, b, c)
    if right.text in ("0", "0.0"):
        return "HR304", *whole
    a, b, c = (one - two for one, two in zip(first, other, strict=True))
    return "real", (a, b, c)


def monomial(unit: tuple[int, int, int] | None) -> str:
    if unit is None:
        return "1"
    above = [n if p == 1 else f"{n}^{p}" for n, p in zip(("USD", "IDX", "s"), unit, strict=True) if p > 0]
    below = [n if p == -1 else f"{n}^{-p}" for n, p in zip(("USD", "IDX", "s"), unit, strict=True) if p < 0]
    return "/".join(["*".join(sorted(above)) or "1", *sorted(below)])


def hold(expected: list[tuple[str, Outcome]]) -> None:
    """Check expressions against what is expected of each, the wrong ones and the right ones in one load each."""
    wrong = [(text, each) for text, each in expected if each[0].startswith("HR")]
    right = [(text, each) for text, each in expected if not each[0].startswith("HR")]
    _, found = observed([text for text, _ in wrong])
    told = {text: found.get(index, [])[:1] for index, (text, _) in enumerate(wrong)}
    assert told == {text: [each] for text, each in wrong}
    cells, found = observed([text for text, _ in right])
    assert not found, [(right[index], told) for index, told in found.items()]
    got = {text: (cell.type, cell.unit) for (text, _), cell in zip(right, cells, strict=True)}
    assert got == {text: (each[0], monomial(each[1])) for text, each in right}


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
def test_an_operator_takes_and_gives_the_types_and_units_it_should(op: str) -> None:
    hold([(f"{a.text} {op} {b.text}", binary(op, a, b)) for a, b in itertools.product(KINDS, KINDS)])


def shift(outcome: Outcome, by: int) -> Outcome:
    return (outcome[0], outcome[1] + by, outcome[2] + by) if len(outcome) == 3 else outcome


@pytest.mark.parametrize("name", ["min", "max"])
def test_extremes_want_numbers_of_one_unit(name: str) -> None:
    def outcome(left: Kind, right: Kind) -> Outcome:
        found = binary("+", left, right)
        if found[0] == "HR302":
            return "HR302", 0, len(f"{name}({left.text}, {right.text})")
        second = len(f"{name}({left.text}, ")
        if found[0] == "HR301":
            at, width = (len(name) + 1, len(left.text)) if left.type == "bool" else (second, len(right.text))
            return "HR301", at, at + width
        return found

    hold([(f"{name}({a.text}, {b.text})", outcome(a, b)) for a, b in itertools.product(KINDS, KINDS)])


def test_a_choice_wants_a_condition_and_branches_of_one_type_and_unit() -> None:
    expected: list[tuple[str, Outcome]] = []
    for a, b in itertools.product(KINDS, KINDS):
        text = f"{a.text} if tick.sure else {b.text}"
        if (a.type == "bool") != (b.type == "bool"):
            expected.append((text, ("HR301", 0, len(text))))
        elif a.type == "bool":
            expected.append((text, ("bool", (0, 0, 0))))
        else:
            good, unit = joined(a, b)
            type = "int" if a.type == b.type == "int" else "real"
            expected.append((text, (type, unit) if good else ("HR302", 0, len(text))))
    for kind in KINDS:
        start = len("1 if ")
        good_outcome: Outcome = ("int", (0, 0, 0))
        wrong: Outcome = ("HR301", start, start + len(kind.text))
        expected.append((f"1 if {kind.text} else 2", good_outcome if kind.type == "bool" else wrong))
    hold(expected)


def test_a_unary_operator_and_a_function_of_one_argument_keep_or_halve_the_unit() -> None:
    expected: list[tuple[str, Outcome]] = []
    for kind in KINDS:
        width = len(kind.text)
        number = kind.type != "bool"
        expected.append((f"'-{kind.text}'", (kind.type, kind.unit) if number else ("HR301", 2, 2 + width)))
        expected.append((f"not {kind.text}", ("HR301", 4, 4 + width) if number else ("bool", (0, 0, 0))))
        expected.append((f"abs({kind.text})", (kind.type, kind.unit) if number else ("HR301", 4, 4 + width)))
        if not number:
            expected.append((f"sqrt({kind.text})", ("HR301", 5, 5 + width)))
        elif kind.unit is not None and any(power % 2 for power in kind.unit):
            expected.append((f"sqrt({kind.text})", ("HR303", 0, 6 + width)))
        else:
            root = None if kind.unit is None else tuple(power // 2 for power in kind.unit)
            expected.append((f"sqrt({kind.text})", ("real", root)))
        for power in (1, 2, 3):
            unit = None if kind.unit is None else tuple(power * each for each in kind.unit)
            # A power stands after a number, not after its unit.
            text = f"({kind.text}) ** {power}"
            expected.append((text, (kind.type, unit) if number else ("HR301", 0, 2 + width)))
    hold(expected)


def test_clip_and_implies_want_what_their_parts_want() -> None:
    hold(
        [
            ("clip(tick.usd, 0, 5 USD)", ("real", (1, 0, 0))),
            ("clip(0, tick.usd, 5 USD)", ("real", (1, 0, 0))),
            ("clip(tick.n, 0, 2)", ("int", (0, 0, 0))),
            ("clip(tick.n, 0.5, 2)", ("real", (0, 0, 0))),
            ("clip(tick.usd, 0, tick.idx)", ("HR302", 0, 27)),
            ("clip(tick.usd, tick.idx, 0)", ("HR302", 0, 27)),
            ("clip(tick.x, tick.sure, 1)", ("HR301", 13, 22)),
            ("implies(tick.sure, tick.x > 0)", ("bool", (0, 0, 0))),
            ("implies(tick.x, tick.sure)", ("HR301", 8, 14)),
            ("implies(tick.sure, tick.x)", ("HR301", 19, 25)),
            ("tick.usd < 5 USD < tick.usd + 1 USD", ("bool", (0, 0, 0))),
            ("0 < tick.usd < tick.idx", ("HR302", 4, 23)),
        ]
    )


def test_chained_comparisons_are_read_as_a_conjunction_of_neighbours() -> None:
    section = "observe:\n  tick:\n    a: tick.x < tick.y <= 1\n    b: tick.x < tick.y and tick.y <= 1\n"
    ((first, second),) = loads(HEAD + MACHINE + section).program().event("tick").observe
    assert first.targets[0][1] is second.targets[0][1]  # type: ignore[union-attr]  # both are assignments


# --- ranges of whole numbers ---

INTS = {"tick.n": range(-3, 6), "tick.m": range(5), "2": (2,), "-7": (-7,), "0": (0,)}


def whole(depth: int) -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["tick.n", "tick.m", "2", "(-7)", "0"])
    if depth == 0:
        return atoms
    below = whole(depth - 1)
    pair = st.tuples(below, below)
    return st.one_of(
        atoms,
        *(pair.map(lambda p, op=op: f"({p[0]} {op} {p[1]})") for op in "+-*"),
        *(pair.map(lambda p, name=name: f"{name}({p[0]}, {p[1]})") for name in ("min", "max")),
        below.map(lambda e: f"abs({e})"),
        below.map(lambda e: f"(-{e})"),
        below.map(lambda e: f"({e}) ** 3"),
        st.tuples(below, below, below).map(lambda p: f"({p[0]} if {p[1]} > 1 else {p[2]})"),
        st.tuples(below, below, below).map(lambda p: f"clip({p[0]}, {p[1]}, {p[2]})"),
    )


def clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def values(text: str) -> Iterator[int]:
    """Evaluate a whole-number expression, in Python's own arithmetic, at every pair of inputs."""
    code = compile(text.replace("tick.", ""), "<law>", "eval")
    for n, m in itertools.product(INTS["tick.n"], INTS["tick.m"]):
        yield eval(code, {"n": n, "m": m, "clip": clip})  # noqa: S307  # a text that this file made


@settings(max_examples=60)
@given(st.lists(whole(3), min_size=1, max_size=8))
@example(["(tick.n * tick.n)", "abs(tick.n)", "(-tick.m)", "((tick.n if tick.m > 1 else 2))"])
def test_every_value_of_a_whole_number_lies_in_its_inferred_range(texts: list[str]) -> None:
    cells, wrong = observed([f"'{text}'" for text in texts])
    assume(not wrong)
    for text, cell in zip(texts, cells, strict=True):
        assert cell.type == "int"
        assert cell.low is not None
        assert cell.high is not None
        found = list(values(text))
        assert cell.low <= min(found), text
        assert max(found) <= cell.high, text


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("tick.n + tick.m", -3, 9),
        ("tick.n - tick.m", -7, 5),
        ("tick.n * tick.m", -12, 20),
        ("tick.n * (-2)", -10, 6),
        ("-tick.n", -5, 3),
        ("abs(tick.n)", 0, 5),
        ("abs(tick.n - 9)", 4, 12),
        ("abs(tick.m + 1)", 1, 5),
        ("min(tick.n, tick.m)", -3, 4),
        ("max(tick.n, tick.m)", 0, 5),
        ("min(tick.big, 7)", 0, 7),
        ("clip(tick.n, 0, 2)", 0, 2),
        ("tick.n if tick.sure else 40", -3, 40),
        ("tick.m ** 2", 0, 16),
        ("streak(tick.sure, max=most)", 0, 9),
        ("previous(tick.n)", -3, 5),
        ("peak(tick.n)", -3, 5),
        ("peak(tick.n, initial=-8)", -3, 5),
        ("peak(tick.n, initial=10)", 10, 10),
        ("peak(tick.n, initial=2)", 2, 5),
        ("most + 0", 1, 9),
    ],
)
def test_the_range_of_an_operator_is_the_tightest_one(text: str, low: int, high: int) -> None:
    (cell,), wrong = observed([f"'{text}'"])
    assert not wrong
    assert (cell.type, cell.low, cell.high) == ("int", low, high)


def test_a_peak_that_begins_above_its_values_keeps_its_beginning() -> None:
    text = "hedgerow: 1\nname: p\nevents: {tick: {n: {type: int, range: [0, 5]}}}\n"
    text += "observe: {tick: {top: 'peak(tick.n, initial=10)'}}\nmachine: {initial: a, states: {a: {}}}\n"
    machine = loads(text).compile().machine()
    assert machine.port("tick")(0, 3).rejected is None
    assert machine.value("top") == 10


def test_a_whole_number_may_reach_two_to_the_53_and_not_leave_it() -> None:
    hold(
        [
            ("tick.big * tick.big", ("HR305", 0, 19)),
            ("tick.big * 90071992", ("int", (0, 0, 0))),
            ("tick.big * 90071993", ("HR305", 0, 19)),
            ("'(-tick.big) * 90071993'", ("HR305", 1, 23)),
            ("tick.big ** 3", ("HR305", 0, 13)),
            ("tick.n + 9007199254740987", ("int", (0, 0, 0))),
            ("tick.n + 9007199254740988", ("HR305", 0, 25)),
            ("tick.n - 9007199254740989", ("int", (0, 0, 0))),
            ("tick.n - 9007199254740990", ("HR305", 0, 25)),
            ("tick.n + 9007199254740993", ("real", (0, 0, 0))),
            ("tick.big * tick.big * 1.0", ("HR305", 0, 19)),
            ("min(tick.big * 2, 5) * tick.big", ("int", (0, 0, 0))),
        ]
    )


# --- names, scopes and functions: one mistake, one finding, at its place ---

ONE_MISTAKE = {
    "a price against a share": ("HR302", "let: {a: '‹abs(index.price - 5 USD / 1 IDX) >= rate›'}"),
    "a sum deep inside": ("HR302", "let: {a: 'min(1, ‹(2 + rate + long.quantity)› * 3)'}"),
    "the log of a name": ("HR212", "let: {a: '‹log›(rate)'}"),
    "too few arguments": ("HR213", "let: {a: 'rate + ‹min(rate)›'}"),
    "too many arguments": ("HR213", "let: {a: '‹abs(rate, 2)›'}"),
    "a keyword nobody knows": ("HR213", "let: {a: 'min(rate, 2, low=‹3›)'}"),
    "a constant that is no float": ("HR304", "let: {a: 'rate * ‹1e309›'}"),
    "an unknown unit": ("HR302", "let: {a: '‹5 EUR› * rate'}"),
    "a unit for a name": ("HR201", "let: {a: 'rate * ‹USD›'}"),
    "an unknown name": ("HR201", "let: {a: 'rate * ‹raet›'}"),
    "an event as a value": ("HR201", "let: {a: '‹tick› > 0'}"),
    "a leg as a value": ("HR201", "let: {a: '‹long› > 0'}"),
    "a part that no leg has": ("HR201", "let: {a: '‹long.size› > 0'}"),
    "a field without its event": ("HR201", "let: {a: '‹x› > 0'}"),
    "an unknown state": ("HR205", "let: {a: In(‹clam›)}"),
    "a state that is a number": ("HR205", "let: {a: In(‹3›)}"),
    "an unknown transition": ("HR209", "let: {a: since(‹gone›) > 1s}"),
    "an unknown event": ("HR206", "let: {a: elapsed(‹tock›) > 1s}"),
    "a let that needs itself": ("HR203", "let: {a: b + 1, b: ‹a * 2›}"),
    "a let that is itself": ("HR203", "let: {a: ‹a›}"),
    "a division by nothing": ("HR304", "let: {a: '‹rate / 0›'}"),
    "before outside a claim": ("HR210", "let: {b: rate}\nobserve: {tick: {a: ‹before.level›}}"),
    "was outside a claim": ("HR210", "observe: {tick: {a: ‹was(calm)›}}"),
    "changed outside a claim": ("HR210", "observe: {tick: {a: ‹changed(level)›}}"),
    "ordered outside a claim": ("HR210", "observe: {tick: {a: ‹ordered()›}}"),
    "before of nothing": ("HR201", "invariants: {a: ‹before› > 0}"),
    "before of an unknown": ("HR201", "invariants: {a: ‹before.lvl› > 0}"),
    "an event's field in a claim": ("HR204", "invariants: {a: ‹tick.x› > 0}"),
    "another event's field": ("HR204", "observe: {tick: {a: ‹other.z› + 1}}"),
    "a claim that is a number": ("HR301", "invariants: {a: ‹level›}"),
    "memory in a claim": ("HR210", "invariants: {a: ‹previous(level)› > 0}"),
    "memory in a param": ("HR210", "params: {late: {default: '‹previous(1)›'}}"),
    "decay with a unit": ("HR302", "observe: {tick: {a: '‹ewma(tick.x, decay=1s, initial=0)›'}}"),
    "decay above 1": ("HR304", "observe: {tick: {a: '‹ewma(tick.x, decay=1.5, initial=0)›'}}"),
    "decay of a cell": ("HR210", "observe: {tick: {a: 'ewma(tick.x, decay=‹level›, initial=0)'}}"),
    "no initial": ("HR213", "observe: {tick: {a: '‹ewma(tick.x, decay=0.5)›'}}"),
    "an initial of another unit": ("HR302", "observe: {tick: {a: '‹ewma(tick.x, decay=0.5, initial=1 USD)›'}}"),
    "a peak of another unit": ("HR302", "observe: {tick: {a: '‹peak(tick.x, initial=1 USD)›'}}"),
    "a streak of a number": ("HR301", "observe: {tick: {a: 'streak(‹tick.x›, max=3)'}}"),
    "a streak without end": ("HR301", "observe: {tick: {a: '‹streak(tick.sure, max=0)›'}}"),
    "a streak to a real": ("HR301", "observe: {tick: {a: '‹streak(tick.sure, max=2.5)›'}}"),
    "a value further down": ("HR408", "observe: {tick: {a: '‹b› + 1', b: tick.x}}"),
    "a value that needs itself": ("HR408", "observe: {tick: {a: '‹a› + 1'}}"),
    "a value of a later event": ("HR407", "observe: {tick: {a: tick.x}, other: {b: ‹other.z›}}"),
    "a cell in an initial value": ("HR210", "state: {late: {initial: ‹level / 1 USD›}}"),
    "the machine in a default": ("HR210", "params: {late: {type: bool, default: ‹In(calm)›}}"),
    "a price in a cost": ("HR210", "instruments: {second: {unit: IDX, price: tick.price, fee: '‹index.price› * 0'}}"),
    "a price with a mistake": ("HR201", "instruments: {second: {unit: IDX, price: '‹tick.prise›'}}"),
    "a let in a default": ("HR210", "let: {l: rate}\nparams: {late: {default: ‹l›}}"),
    "an int cell from a real": ("HR301", "actions: {a: {set: {count: ‹2.0›}}}"),
    "a real cell from another unit": ("HR302", "actions: {a: {set: {level: ‹long.quantity›}}}"),
    "a bool cell from a number": ("HR301", "actions: {a: {set: {ready: ‹1›}}}"),
    "an order in money": ("HR302", "actions: {a: {increase: {long: ‹5 USD›}}}"),
    "a set of a param": ("HR409", "actions: {a: {set: {‹rate›: 1}}}"),
    "a let of a taken name": ("HR202", "actions: {a: {let: {‹rate›: 1}}}"),
    "a let of one list in another": ("HR201", "actions: {a: [{let: {t: 1}}, b], b: {set: {count: ‹t›}}}"),
    "two orders of a leg": ("HR403", "actions: {a: [{close: long}, {reduce: {long: ‹1 IDX›}}]}"),
}


def merged(section: str) -> str:
    """Return the base spec with a section added, its top keys merged into those that are there."""
    text = HEAD
    for line in section.split("\n"):
        key, _, inside = line.partition(": ")
        if f"\n{key}:\n" in text:
            name, _, value = inside[1:-1].partition(": ")
            text = text.replace(f"\n{key}:\n", f"\n{key}:\n  {name}: {value}\n", 1)
        else:
            text += line + "\n"
    return text + MACHINE


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_a_mistake_is_told_once_where_it_is_written(name: str) -> None:
    code, section = ONE_MISTAKE[name]
    marked = merged(section)
    line = next(index for index, each in enumerate(marked.split("\n"), 1) if "‹" in each)
    text = marked.split("\n")[line - 1]
    column, end = text.index("‹") + 1, text.index("›")
    assert findings(marked.replace("‹", "").replace("›", "")) == [(code, line, column, end)]


GOOD = {
    "zero fits any unit": "let: {a: 'level > 0 and 0 < long.quantity and max(0, level) >= 0 * level'}",
    "a literal with a unit": "let: {a: 'level > 5 USD and elapsed(tick) < 30d and index.price > 5 USD / 1 IDX'}",
    "history in a claim": "invariants: {a: 'implies(was(calm) and ordered(), changed(level) or before.level > 0)'}",
    "history in a let of a claim": "let: {h: before.level}\ninvariants: {a: level >= h}",
    "before of a let": "let: {h: level * 2}\ninvariants: {a: before.h >= 0}",
    "a let of an event on that event": "let: {p: tick.x * 2}\nobserve: {tick: {a: p + 1}}",
    "a value from above": "observe: {tick: {a: tick.x, b: a + 1}}",
    "a previous value further down": "observe: {tick: {a: 'ewma(tick.x, decay=0.5, initial=0)', b: previous(a)}}",
    "a param as a decay": "observe: {tick: {a: 'ewma(tick.x, decay=rate, initial=1)'}}",
    "a state around the states": "let: {a: In(outer) or In(inner)}",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_accepted(name: str) -> None:
    assert findings(merged(GOOD[name])) == []


def test_a_let_sees_the_event_of_its_user_and_is_wrong_only_where_it_is_used_without() -> None:
    good = merged("let: {p: tick.x > 1}\nobserve: {tick: {a: p}}")
    assert findings(good) == []
    bad = good.replace("other: {name: back}", "other: {name: back, if: p}")
    line = next(index for index, each in enumerate(bad.split("\n"), 1) if each.startswith("let:"))
    assert findings(bad) == [("HR204", line, 10, 16)]


def test_mistakes_of_every_stage_come_out_together_in_the_order_of_the_file() -> None:
    text = HEAD.replace("rate: {default: 0.5", "rate: {default: 5") + MACHINE.replace(
        "to: outer", "to: otter, if: nope"
    )
    text += "let:\n  a: 1 +\n  b: 1 + level\n  c: missing\nobserve: {tock: {q: 1}}\ninvariants: {i: level}\nextra: 1\n"
    found = findings(text)
    assert [code for code, *_ in found] == [
        "HR304", "HR205", "HR201", "HR110", "HR302", "HR201", "HR206", "HR301", "HR101",
    ]  # fmt: skip
    assert [place for _, *place in found] == sorted(place for _, *place in found)


def test_every_let_that_is_wrong_is_told_once_however_often_it_is_used() -> None:
    lets = "let:\n  a: rate + level\n" + "".join(f"  b{i}: a * {i + 1}\n" for i in range(20))
    assert [code for code, *_ in findings(HEAD + lets + MACHINE)] == ["HR302"]


# --- size ---


def chain(count: int, step: str) -> str:
    """Return lets that each use the one before."""
    return "let:\n  l0: rate\n" + "".join(f"  l{i}: {step.replace('L', f'l{i - 1}')}\n" for i in range(1, count))


@pytest.mark.parametrize("step", ["L + 1", "min(L, 2)", "1 if L > 2 else 3", "abs(L)", "max(L, 1)"])
def test_how_deep_lets_may_nest_depends_on_the_expression_alone(step: str) -> None:
    deepest = MAX_DEPTH // 2 if step.startswith("1 if") else MAX_DEPTH
    assert findings(HEAD + chain(deepest, step) + MACHINE) == []
    found = findings(HEAD + chain(deepest + 1, step) + MACHINE)
    assert [code for code, *_ in found] == ["HR111"]
    assert found == findings_of_a_deep_caller(HEAD + chain(deepest + 1, step) + MACHINE, 300)


def findings_of_a_deep_caller(text: str, frames: int) -> list[tuple[str, int, int, int]]:
    return findings(text) if frames == 0 else findings_of_a_deep_caller(text, frames - 1)


def test_lets_that_double_are_refused_where_they_become_too_large() -> None:
    found = findings(HEAD + chain(2000, "L + L") + MACHINE)
    assert [code for code, *_ in found] == ["HR111"]
    largest = next(power for power in range(99) if 2 ** (power + 2) - 1 > MAX_SIZE)
    line = HEAD.count("\n") + 2 + largest + 1
    assert found[0][1] == line


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("elapsed(tick) > 30 d", "a time is written without a blank: `30d`"),
        ("params.a > 1", "write `a`: names stand without their section"),
    ],
)
def test_frequent_slips_are_told_what_to_write(written: str, help: str) -> None:
    text = (
        "hedgerow: 1\nname: slips\nevents: {tick: {}}\nparams: {a: {default: 1}}\n"
        f"machine: {{initial: on, states: {{on: {{on: {{tick: {{if: '{written}', to: off}}}}}}, off: {{}}}}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert [found.help for found in caught.value.diagnostics] == [help]
