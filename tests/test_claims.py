"""What an event conserves and leaves unchanged: as the invariants that one would write by hand, in every backend."""

from __future__ import annotations

from pathlib import Path

import pytest
from twins import Twins, spec, twins

from hedgerow import load
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import loads
from hedgerow.engine.printer import digest

TEXT = """
hedgerow: 1
name: claims
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX, range: [0.01, 1e7]}}
  move: {by: {}}
  call: {}
  stop: {}
params: {slippage_share: {default: 0, range: [0, 0.1]}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.01, slippage: slippage_share}}
legs:
  long: {instrument: index, side: long, quantity: 10}
  short: {instrument: index, side: short, quantity: 10}
state:
  a: {initial: 1e6}
  b: {initial: 999999.999999}
  n: {type: int, initial: 0, range: [0, 9]}
  sure: {type: bool, initial: true}
let: {difference: a - b}
machine:
  initial: idle
  fail_safe: halted
  states:
    idle:
      on:
        tick: {name: trade, do: [{increase: {long: 1}}, {reduce: {short: 1}}]}
        move: {name: move, do: {set: {a: a + move.by, b: b + move.by}}}
        call: {name: turn, to: busy, do: {set: {sure: not sure, n: n + 1}}}
        stop: {name: leave, to: halted, do: {set: {b: b - 1}}}
    busy:
      on:
        move: {name: shift, do: {set: {a: a + move.by, n: n + 1}}}
        call: {name: again, to: busy, do: {set: {a: a + 1}}}
        stop: {name: back, to: idle, do: {set: {a: a + 1, n: 0}}}
    halted: {}
CLAIMS
"""


def text(claims: str) -> str:
    return TEXT.replace("CLAIMS", claims)


def machine(claims: str, fill: FillMode = "same", **parameters: float) -> Twins:
    made = twins(text(claims), fill=fill, **parameters)
    made.send("tick", 0, price=100.0)
    return made


def findings(claims: str) -> list[tuple[str, str, str]]:
    """Return code, message and the text underlined of each error."""
    with pytest.raises(SpecError) as caught:
        loads(text(claims))
    lines = text(claims).split("\n")
    errors = [found for found in caught.value.diagnostics if found.severity == "error"]
    return [(f.code, f.message, lines[f.span.line - 1][f.span.column - 1 : f.span.end_column - 1]) for f in errors]


# ---------------------------------------------------------------------------------------------------------- conserved


def test_what_is_conserved_is_the_invariant_that_it_is_what_it_was() -> None:
    short = "conserved: {money: equity + fees, gap: difference, sure: sure, count: n}"
    long = "invariants: {money: equity + fees == before.equity + before.fees, gap: a - b == before.a - before.b,"
    long += " sure: sure == before.sure, count: n == before.n}"
    assert digest(spec(text(short)).program()) == digest(spec(text(long)).program())


def test_conserved_claims_stand_behind_the_invariants() -> None:
    program = spec(text("conserved: {second: a - b}\ninvariants: {first: n >= 0}")).program()
    assert [name for name, _ in program.invariants] == ["first", "second"]


@pytest.mark.parametrize("fill", ["same", "next"])
def test_equity_and_fees_are_conserved_where_nothing_slips(fill: FillMode) -> None:
    claims = "conserved: {money: equity + fees}"
    both = machine(claims, fill)
    for day, price in enumerate((110.0, 95.0, 97.3, 1e6, 0.01, 100.0), 1):
        step = both.send("tick", day, price=price)
        assert step.fired == ("trade",)
        assert step.broken == ()
    both = machine(claims, fill, slippage_share=0.01)
    assert both.send("tick", 1, price=110.0).broken == ("money",)


def test_what_cancels_may_be_off_by_the_rounding_of_what_it_is_made_of() -> None:
    both = machine("conserved: {gap: a - b}")
    gaps = set()
    for time, by in enumerate((0.1, 1e9, 0.3, -1e9), 1):
        assert both.send("move", time, by=by).broken == ()
        gaps.add(float(both.value("a")) - float(both.value("b")))
    assert max(gaps) - min(gaps) > 1e-9 * max(gaps)  # by its own size it would be broken
    assert both.send("stop", 9).broken == ("gap",)


def test_a_truth_and_a_whole_number_are_conserved_exactly() -> None:
    both = machine("conserved: {sure: sure, count: n, idle: In(idle)}")
    assert both.send("move", 1, by=1.0).broken == ()
    assert both.send("call", 2).broken == ("sure", "count", "idle")


def test_a_used_spec_conserves_what_it_conserves_alone(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(text("conserved: {gap: a - b}"), encoding="utf-8")
    outer = "hedgerow: 1\nname: outer\nunits: [USD, IDX]\nuse: {inner: {spec: inner.yaml}}\n"
    outer += "conserved: {theirs: inner.a - inner.b, count: inner.n}\n"
    (tmp_path / "outer.yaml").write_text(outer, encoding="utf-8")
    both = Twins(load(tmp_path / "outer.yaml").compile())
    both.send("tick", 0, price=100.0)
    assert both.send("move", 1, by=1.0).broken == ()
    assert both.send("call", 2).broken == ("count",)
    assert both.send("move", 3, by=1.0).broken == ("inner.gap", "theirs", "count")


# ---------------------------------------------------------------------------------------------------------- unchanged


def test_what_stays_unchanged_is_the_invariant_that_it_is_what_it_was_where_the_machine_stayed() -> None:
    short = "unchanged: {kept: {while: busy, of: [a, difference, n]}, sure: {of: sure}, one: {while: idle, of: [b]}}"
    long = "invariants: {kept: implies(was(busy) and In(busy), a == before.a and a - b == before.difference and "
    long += "n == before.n), sure: sure == before.sure, one: implies(was(idle) and In(idle), b == before.b)}"
    long = (
        long.replace("implies(", "'implies(").replace("before.n),", "before.n)',").replace("before.b)}", "before.b)'}")
    )
    assert digest(spec(text(short)).program()) == digest(spec(text(long)).program())


def test_unchanged_claims_stand_behind_what_is_conserved() -> None:
    program = spec(text("unchanged: {c: {of: n}}\nconserved: {b: a - b}\ninvariants: {a: n >= 0}")).program()
    assert [name for name, _ in program.invariants] == ["a", "b", "c"]


def test_what_changes_on_the_way_into_a_state_or_out_of_it_is_no_breach() -> None:
    both = machine("unchanged: {kept: {while: busy, of: [n, sure]}}")
    assert both.send("move", 1, by=1.0).broken == ()
    step = both.send("call", 2)  # n and sure change on the way in
    assert (step.configuration, step.broken) == (("busy",), ())
    assert both.send("call", 3).broken == ()
    assert both.send("move", 4, by=1.0).broken == ("kept",)
    assert both.send("stop", 5).broken == ()  # and out of it
    assert both.value("n") == 0


def test_one_of_several_values_that_changes_is_a_breach() -> None:
    for values in ("[a, n]", "[n, a]", "[b, a, n]"):
        both = machine(f"unchanged: {{kept: {{while: busy, of: {values}}}}}")
        both.send("call", 1)
        assert both.send("call", 2).broken == ("kept",), values


def test_without_a_state_a_value_never_changes() -> None:
    both = machine("unchanged: {count: {of: n}, where: {of: In(idle)}}")
    assert both.send("move", 1, by=1.0).broken == ()
    assert both.send("call", 2).broken == ("count", "where")


def test_a_state_of_a_used_spec_can_be_that_in_which_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(text("unchanged: {kept: {while: busy, of: b}}"), encoding="utf-8")
    outer = "hedgerow: 1\nname: outer\nunits: [USD, IDX]\nuse: {inner: {spec: inner.yaml}}\n"
    outer += "unchanged: {seen: {while: inner.busy, of: inner.a}}\n"
    (tmp_path / "outer.yaml").write_text(outer, encoding="utf-8")
    program = load(tmp_path / "outer.yaml").program()
    assert [name for name, _ in program.invariants] == ["inner.kept", "seen"]
    both = Twins(load(tmp_path / "outer.yaml").compile())
    both.send("tick", 0, price=100.0)
    assert both.send("call", 1).broken == ()
    assert both.send("move", 2, by=1.0).broken == ("seen",)


# ------------------------------------------------------------------------------------------------------ what is wrong

WRONG = {
    "a name that is not there": ("conserved: {c: a + lost}", "HR201", "unknown name `lost`", "lost"),
    "two units": ("conserved: {c: a + equity}", "HR302", "this adds `1` and `USD`", "a + equity"),
    "before": ("conserved: {c: before.a}", "HR210", "`before` cannot be read in a conserved value", "before.a"),
    "memory": (
        "conserved: {c: previous(a)}",
        "HR210",
        "`previous` remembers, and can stand in `observe` and `windows` only",
        "previous(a)",
    ),
    "a field": (
        "conserved: {c: move.by}",
        "HR204",
        "`move.by` exists only while `move` is processed; no event's fields are in scope here",
        "move.by",
    ),
    "no expression": (
        "conserved: {c: [a]}",
        "HR103",
        "an expression (text, a number, true or false) is expected here",
        "[a]",
    ),
    "a state that is not there": (
        "unchanged: {c: {while: bsy, of: a}}",
        "HR205",
        "unknown state `bsy`",
        "bsy",
    ),
    "no state at all": ("unchanged: {c: {while: a b, of: a}}", "HR104", "`a b` is not a name", "a b"),
    "nothing that stays": ("unchanged: {c: {while: busy}}", "HR102", "`of` is missing", "c"),
    "an empty list": (
        "unchanged: {c: {of: []}}",
        "HR104",
        "at least 1 is expected here",
        "[]",
    ),
    "another key": ("unchanged: {c: {of: a, when: busy}}", "HR101", "unknown key `when`", "when"),
    "the second of a list": ("unchanged: {c: {of: [a, lost]}}", "HR201", "unknown name `lost`", "lost"),
    "before in a list": (
        "unchanged: {c: {of: [was(busy)]}}",
        "HR210",
        "`was` cannot be used in what stays unchanged",
        "was(busy)",
    ),
    "no expression in a list": (
        "unchanged: {c: {of: [a, {b: 1}, lost]}}",
        "HR103",
        "an expression (text, a number, true or false) is expected here",
        "{b: 1}",
    ),
    "no name": ("conserved: {1c: a}", "HR104", "`1c` is not a name", "1c"),
}


@pytest.mark.parametrize(("claims", "code", "message", "underlined"), WRONG.values(), ids=WRONG)
def test_a_wrong_claim_is_told_where_it_stands(claims: str, code: str, message: str, underlined: str) -> None:
    assert findings(claims) == [(code, message, underlined)]


def test_claims_of_one_name_are_told_with_both_places() -> None:
    claims = "invariants:\n  one: n >= 0\nconserved:\n  one: a - b\n  two: n\nunchanged: {one: {of: n}, two: {of: n}}\n"
    line = text(claims).split("\n").index("  one: n >= 0") + 1
    one = ("HR202", f"`one` exists already, at <text>:{line}:3", "one")
    assert findings(claims) == [one, one, ("HR202", f"`two` exists already, at <text>:{line + 3}:3", "two")]


def test_more_values_than_a_claim_can_hold_are_told() -> None:
    many = ", ".join(["a", "b"] * 100)
    message = "these are too many values for one claim"
    assert [found[:2] for found in findings(f"unchanged: {{c: {{of: [{many}]}}}}")] == [("HR111", message)]


def test_a_claim_may_be_called_as_a_helper() -> None:
    program = spec(text("conserved: {gap: a - b}\nhelpers: {gap: n >= 0}")).program()
    assert [name for name, _ in (*program.invariants, *program.helpers)] == ["gap", "gap"]
