"""Gates: no order leaves without a yes of every check that judges it, in every way of running."""

from __future__ import annotations

import csv
import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runners import same_in_native_code
from traders import SECOND, buyer, composed, head, steps

from hedgerow.cli.main import main
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.semantics import Reference

HEAD = head(events="stop: {}, back: {}, ")
BOOK = buyer(person=True)
SANITY = """\
gates:
  sanity:
    applies: increase
    checks:
      gross: {of: abs(book.quantity) * index.price, most: most}
      cash: cash > 0 USD
"""


def spec_of(*parts: str) -> Spec:
    return loads("".join(textwrap.dedent(part) for part in parts), "small.yaml")


def test_an_order_that_a_check_does_not_let_through_is_dropped_with_its_transition() -> None:
    found = steps(spec_of(HEAD, BOOK, SANITY), [40, 41, 42, 70])
    assert [step.fired for step in found] == [("buy",), ("buy",), ("told",), ("sell",)]
    assert [len(step.orders) for step in found] == [1, 1, 0, 1]
    assert [step.errors for step in found] == [()] * 4
    (verdict,) = found[2].verdicts
    assert verdict[:3] == ("sanity", "gross", "buy")
    assert verdict[3:7] == (504.0, None, 500.0, "USD")
    assert verdict.reason == "`sanity.gross` would be 504 USD, above 500"
    assert found[2].raised == ("gate.rejected",)


def test_every_check_that_says_no_is_told() -> None:
    checks = """
    gates:
      a: {checks: {no: cash < 0 USD, size: {of: book.quantity, most: 1}}}
      b: {checks: {n: cash < 0 USD}}
    """
    (step,) = steps(spec_of(HEAD, BOOK, checks), [40])
    assert [(each.gate, each.check) for each in step.verdicts] == [("a", "no"), ("a", "size"), ("b", "n")]
    assert step.verdicts[0].reason == "`a.no` does not hold"
    assert step.raised[0] == "gate.rejected"


def test_what_only_reduces_passes_a_gate_for_what_increases() -> None:
    never = SANITY.replace("cash: cash > 0 USD", "never: cash < 0 USD")
    spec = spec_of(
        HEAD,
        BOOK.replace(
            "legs: {book: {instrument: index, side: both}}",
            "legs: {book: {instrument: index, side: long, quantity: 5}}",
        ),
        never,
    )
    machine = spec.compile().machine()
    assert machine.send("tick", 0, price=40.0).verdicts
    step = machine.send("stop", SECOND)
    assert [order.side for order in step.orders] == ["sell"]
    assert machine.value("book.quantity") == 0


def test_a_position_that_turns_round_increases() -> None:
    spec = spec_of(
        HEAD.replace("default: 500", "default: 10000"),
        BOOK,
        SANITY.replace("cash: cash > 0 USD", "long_only: book.quantity >= 0"),
    )
    found = steps(spec, [40, 950])
    assert found[1].verdicts[0].check == "long_only"
    assert found[1].orders == ()


def test_a_gate_for_what_reduces_judges_nothing_else() -> None:
    reduce = "gates: {keep: {applies: reduce, checks: {held: {of: book.quantity, least: 4}}}}"
    found = steps(spec_of(HEAD, BOOK, reduce), [40, 41, 70])
    assert [step.fired for step in found] == [("buy",), ("buy",), ("told",)]


@pytest.mark.parametrize("check", ["1 / (book.quantity - 4 IDX) > 0 / 1 IDX", "sqrt((cash - 1000 USD) / 1 USD) >= 0"])
def test_a_check_without_a_value_is_a_no(check: str) -> None:
    (step,) = steps(spec_of(HEAD, BOOK, f"gates: {{g: {{checks: {{c: '{check}'}}}}}}"), [40])
    assert not step.orders and not step.errors
    assert step.verdicts[0].reason.startswith("`g.c` has no value: ")
    assert step.verdicts[0].value is None


TWO = """
legs: {one: {instrument: index, side: long}, two: {instrument: index, side: long}}
machine:
  initial: both
  fail_safe: off
  states:
    off: {}
    both:
      parallel: true
      states:
        left:
          initial: l
          states: {l: {on: {tick: {name: first, do: [{target: {one: 3 IDX}}]}, gate.rejected: {name: left_told}}}}
        right:
          initial: r
          states: {r: {on: {tick: {name: second, do: [{target: {two: 3 IDX}}]}, gate.rejected: {name: right_told}}}}
gates: {both: {checks: {sum: {of: one.quantity + two.quantity, most: MOST}}}}
"""


@pytest.mark.parametrize(
    ("most", "fired", "legs"),
    [
        (6, ["first", "second"], ["one", "two"]),
        (5, ["first", "right_told"], ["one"]),
        (2, ["left_told", "right_told"], []),
    ],
)
def test_orders_of_one_step_are_judged_together_and_the_later_gives_way(
    most: int, fired: list[str], legs: list[str]
) -> None:
    (step,) = steps(spec_of(HEAD, TWO.replace("MOST", str(most))), [100])
    assert sorted(step.fired) == fired
    assert [order.leg for order in step.orders] == legs


def test_all_orders_of_a_transition_go_or_none() -> None:
    body = """
    legs: {one: {instrument: index, side: long}, two: {instrument: index, side: long}}
    machine:
      initial: on
      fail_safe: off
      states: {on: {on: {tick: {name: both, do: [{target: {one: 1 IDX, two: 9 IDX}}]}}}, off: {}}
    gates: {size: {checks: {two: {of: two.quantity, most: 5}}}}
    """
    (step,) = steps(spec_of(HEAD, body), [100])
    assert step.fired == () and step.orders == ()


def test_what_a_state_orders_on_entry_at_the_start_and_in_fail_safe_is_judged() -> None:
    body = """
    legs: {one: {instrument: index, side: long}}
    machine:
      initial: on
      fail_safe: off
      states:
        on: {entry: [{increase: {one: 9 IDX}}], on: {tick: {if: 1 / (tick.price - 100 USD / 1 IDX) > 0 IDX / 1 USD}}}
        off: {entry: [{increase: {one: 9 IDX}}]}
    gates: {size: {checks: {one: {of: one.quantity, most: 5}}}}
    """
    spec = spec_of(HEAD, body)
    machine = spec.compile().machine()
    step = machine.send("tick", 0, price=100.0)
    assert step.orders == () and machine.value("one.quantity") == 0
    assert machine.configuration == ("off",)
    assert [verdict.check for verdict in step.verdicts] == ["one"]


def test_an_eventless_transition_that_is_stopped_is_not_tried_again_in_the_same_event() -> None:
    body = """
    legs: {one: {instrument: index, side: long}}
    machine:
      initial: on
      fail_safe: off
      states:
        on: {always: {name: more, if: one.quantity < 9 IDX, do: [{increase: {one: 4 IDX}}]}}
        off: {}
    gates: {size: {checks: {one: {of: one.quantity, most: 5}}}}
    """
    found = steps(spec_of(HEAD, body), [100, 101])
    assert [len(step.orders) for step in found] == [1, 0]
    assert [len(step.verdicts) for step in found] == [1, 1]
    assert all(not step.errors for step in found)


# ---------------------------------------------------------------------------------------------------- in compositions

BREAKER = """\
hedgerow: 1
name: breaker
events: {stop: {}, back: {}}
machine:
  initial: closed
  states:
    closed: {on: {stop: {name: trip, to: open}}}
    open: {tags: [halted], on: {back: {name: reset, to: closed}}}
gates: {no_new_risk: {applies: increase, checks: {closed: not In(open)}}}
"""
DESK = """\
hedgerow: 1
name: desk
use:
  breaker: {spec: breaker.yaml}
  a: {spec: strategy.yaml}
  b: {spec: strategy.yaml, params: {most: 100}}
"""


def desk(tmp_path: Path) -> Spec:
    return composed(DESK, breaker=BREAKER, strategy=head() + buyer() + SANITY)


def test_a_spec_without_legs_gates_every_order_of_a_desk_and_others_their_own(tmp_path: Path) -> None:
    spec = desk(tmp_path)
    machine = spec.compile().machine()
    step = machine.send("tick", 0, price=40.0)
    assert [order.leg for order in step.orders] == ["a.book"]
    assert [verdict.gate for verdict in step.verdicts] == ["b.sanity"]
    machine.send("stop", SECOND)
    step = machine.send("tick", 2 * SECOND, price=41.0)
    assert step.orders == ()
    assert {verdict.gate for verdict in step.verdicts} == {"breaker.no_new_risk", "b.sanity"}
    step = machine.send("tick", 3 * SECOND, price=70.0)
    assert [order.side for order in step.orders] == ["sell"]


def test_no_new_risk_while_a_breaker_is_open_is_proved_with_its_gate_and_refuted_without(tmp_path: Path) -> None:
    pytest.importorskip("z3", reason="the solver is in the extra `prove`")
    from hedgerow.engine.prove.prove import prove

    (tmp_path / "strategy.yaml").write_text(
        """
hedgerow: 1
name: strategy
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {book: {instrument: index, side: long}}
machine:
  initial: on
  fail_safe: off
  states:
    on: {on: {tick: [{if: tick.price < 50 USD / 1 IDX, do: [{target: {book: 4 IDX}}]}, {do: [{close: book}]}]}}
    off: {}
"""
    )
    desk = "hedgerow: 1\nname: desk\nuse: {breaker: {spec: breaker.yaml}, a: {spec: strategy.yaml}}\n"
    for text, verdict in ((BREAKER, "proved"), (BREAKER.replace("not In(open)", "In(open) or In(closed)"), "refuted")):
        (tmp_path / "breaker.yaml").write_text(text)
        proof = prove(loads(desk, "desk.yaml", folder=tmp_path), only=["breaker.open"], workers=1, seconds=2.0)
        assert {each.kind: each.verdict for each in proof.results}["orders"] == verdict


def test_a_proof_follows_as_many_ways_through_a_gate_of_many_checks_as_of_one() -> None:
    from hedgerow.engine.prove.prove import prove

    def followed(checks: str) -> int:
        return prove(spec_of(HEAD, BOOK, checks), workers=1, seconds=2.0, only=["book"]).outcomes

    one, many = "c: cash > 0 USD", ", ".join(f"c{n}: cash > {n} USD" for n in range(6))
    gate = "gates: {{sane: {{applies: increase, checks: {{{}}}}}}}\n"
    assert followed(gate.format(one)) == followed(gate.format(many))


# ------------------------------------------------------------------------------------------------ in every way of running


@cache
def gated_book() -> Spec:
    return spec_of(HEAD, BOOK, SANITY)


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from([30.0, 40.0, 45.0, 55.0, 70.0, 950.0]), min_size=1, max_size=40),
    st.sampled_from(("same", "next")),
)
def test_no_order_leaves_without_a_yes_whatever_runs_the_spec(prices: list[float], fill: Any) -> None:
    spec = gated_book()
    compiled = spec.compile(fill=fill)
    machine, reference = compiled.machine(), Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot, released = reference.initial(), 0
    for index, price in enumerate(prices):
        before = snapshot.cells["book.quantity"]
        snapshot, step = reference.step(snapshot, "tick", index * SECOND, [price])
        assert machine.send("tick", index * SECOND, price=price) == step
        after = snapshot.cells["book.quantity"]
        released += len(step.orders)
        if abs(after) > abs(before) or after * before < 0:
            assert abs(after) * price <= 500 and snapshot.cells["cash"] > 0
        assert bool(step.verdicts) == ("gate.rejected" in step.raised)
    assert same_in_native_code(spec, prices, fill).orders[0] == released


def test_the_adapter_to_transitions_stops_what_the_reference_stops() -> None:
    from hedgerow.engine.backends.transitions import Adapter

    compiled = gated_book().compile()
    machine, adapter = compiled.machine(), Adapter(compiled)
    stopped = 0
    for index, price in enumerate([40.0, 41, 42, 70, 40, 45, 950, 30, 30]):
        step = machine.send("tick", index * SECOND, price=price)
        assert adapter.send("tick", index * SECOND, price=price) == step
        stopped += len(step.verdicts)
    assert stopped > 1


CLOSING = """
legs: {book: {instrument: index, side: SIDE, quantity: 5}}
machine:
  initial: on
  fail_safe: off
  states:
    off: {}
    on:
      on:
        tick:
          - {name: less, if: tick.price > 60 USD / 1 IDX, do: [{target: {book: book.quantity / 2}}]}
          - {name: turn, if: tick.price > 55 USD / 1 IDX, do: [{target: {book: -book.quantity}}]}
          - {name: more, if: tick.price < 50 USD / 1 IDX, do: [{target: {book: 2 * book.quantity}}]}
gates: {shut: {applies: APPLIES, checks: {never: cash < 0 USD and cash > 0 USD}}}
"""


@pytest.mark.parametrize(
    ("side", "applies", "prices", "handed"),
    [
        ("both", "increase", [52, 61, 62, 63], 0),
        ("both", "increase", [52, 61, 56, 63], 1),
        ("both", "reduce", [52, 45, 56, 46], 0),
        ("both", "reduce", [52, 45, 61, 46], 1),
        ("long", "increase", [52, 61, 62, 45], 1),
        ("short", "reduce", [52, 45, 44, 61], 1),
        ("both", "all", [52, 61, 45, 56], 3),
    ],
)
def test_an_order_is_not_held_up_by_a_gate_that_does_not_judge_it(
    side: str, applies: str, prices: list[float], handed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = CLOSING.replace("SIDE", side).replace("APPLIES", applies)
    spec = spec_of(HEAD.replace("capital: {USD: 1000}", "capital: {USD: 100000}"), body)
    machine = spec.compile().machine()
    asked = []
    defer = type(machine)._defer
    monkeypatch.setattr(type(machine), "_defer", lambda *given: (asked.append(given[1]), defer(*given))[1])
    found = [machine.send("tick", index * SECOND, price=price) for index, price in enumerate(prices)]
    assert len(asked) - 1 == sum(bool(step.verdicts) for step in found) == handed  # the first one starts the machine
    assert sum(len(step.orders) for step in found) > 0 or applies == "all"
    assert same_in_native_code(spec, prices).handed[0] == handed


# --------------------------------------------------------------------------------------------------------- what is told


def test_a_run_and_a_script_tell_what_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(HEAD + BOOK + SANITY)
    Path("d.csv").write_text("time,price\n" + "".join(f"{index * SECOND},{40 + index}\n" for index in range(4)))
    assert main(["run", "small.yaml", "--data", "d.csv", "--out", "out", "--no-report"]) == 0
    assert "stopped by sanity.gross ×2" in capsys.readouterr().out
    assert json.loads(Path("out/summary.json").read_text())["gates"] == {"sanity.gross": 2, "sanity.cash": 0}
    with Path("out/verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["gate"], row["check"], row["rule"], float(row["value"])) for row in rows] == [
        ("3", "sanity", "gross", "buy", 12 * 42.0),
        ("4", "sanity", "gross", "buy", 12 * 43.0),
    ]
    assert {row["reason"][:33] for row in rows} == {
        "`sanity.gross` would be 504 USD, ",
        "`sanity.gross` would be 516 USD, ",
    }
    assert main(["run", "small.yaml", "--data", "d.csv", "--out", "out"]) == 0
    report = Path("out/report.html").read_text("utf-8")
    assert "gates: orders that were stopped" in report
    assert report.count("would be 504 USD, above 500") == 1
    item = "- {event: tick, with: {price: %d}, at: %ds, expect: {%s}}\n"
    script = item % (40, 0, "stopped: []") + item % (60, 1, "fired: []") + item % (49, 2, "orders: []")
    Path("s.yaml").write_text(script.replace("orders: []", "stopped: []"))
    Path("t.yaml").write_text(item % (40, 0, "stopped: [sanity.gros]"))
    assert main(["run", "small.yaml", "--events", "s.yaml"]) == 0
    assert main(["run", "small.yaml", "--events", "t.yaml"]) != 0
    assert "sanity.gross" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gate", "code", "told"),
    [
        ("{checks: {c: {of: cash}}}", "HR417", "this check has no limit"),
        ("{checks: {c: {of: cash, most: most / index.price}}}", "HR302", "the limit is in `USD`"),
        ("{checks: {c: cash}}", "HR301", "a check is true or false"),
        ("{checks: {c: tick.price > 0}}", "HR204", "tick"),
        ("{checks: {c: nobody > 0}}", "HR201", "nobody"),
        ("{checks: {}}", "HR104", "at least 1 is expected here"),
        ("{applies: sometimes, checks: {c: cash > 0 USD}}", "HR104", "reduce"),
    ],
)
def test_a_gate_that_cannot_be_is_refused_with_its_place(gate: str, code: str, told: str) -> None:
    with pytest.raises(SpecError) as error:
        spec_of(HEAD, BOOK, f"gates: {{g: {gate}}}")
    (found,) = error.value.diagnostics
    assert found.code.startswith(code) and told in f"{found.message} {found.help}"
    assert found.span.line > 7


GATED_DESK = """\
hedgerow: 1
name: desk
units: [USD, IDX]
use:
  breaker: {spec: breaker.yaml}
  a: {spec: strategy.yaml}
  b: {spec: strategy.yaml, params: {most: 300}}
gates:
  desk:
    checks:
      together: {of: abs(a.book.quantity * a.index.price) + abs(b.book.quantity * b.index.price), most: 700 USD}
      step: {of: a.book.quantity - before.a.book.quantity, least: -6 IDX, most: 6 IDX}
      calm: was(breaker.closed) or In(breaker.open) or ORDERED
"""
FALLING = """\
hedgerow: 1
name: breaker
units: [USD, IDX]
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
let: {one: 1 USD / 1 IDX}
machine:
  initial: closed
  states:
    closed: {on: {tick: {name: trip, if: tick.price == 30 * one or tick.price == 950 * one, to: open}}}
    open: {tags: [halted], on: {tick: {name: reset, if: tick.price == 70 * one, to: closed}}}
gates: {no_new_risk: {applies: increase, checks: {closed: not In(open)}}}
"""


@cache
def gated_desk(ordered: str) -> Spec:
    strategy = head() + buyer() + SANITY
    return composed(GATED_DESK.replace("ORDERED", ordered), breaker=FALLING, strategy=strategy)


@pytest.mark.parametrize("ordered", ["false", "ordered()"])
@settings(max_examples=10)
@given(prices=st.lists(st.sampled_from([30.0, 40.0, 45.0, 55.0, 70.0, 950.0]), min_size=1, max_size=40))
def test_a_gated_desk_runs_alike_on_every_backend(ordered: str, prices: list[float]) -> None:
    spec = gated_desk(ordered)
    compiled = spec.compile()
    machine, reference = compiled.machine(), Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot = reference.initial()
    stopped = dict.fromkeys(compiled.program.check_names, 0)
    for index, price in enumerate(prices):
        snapshot, step = reference.step(snapshot, "tick", index * SECOND, [price])
        assert machine.send("tick", index * SECOND, price=price) == step
        for verdict in step.verdicts:
            stopped[verdict.name] += 1
        if step.orders:
            held = abs(snapshot.cells["a.book.quantity"]) + abs(snapshot.cells["b.book.quantity"])
            assert held * price <= 700
    assert same_in_native_code(spec, prices).stopped.tolist() == [list(stopped.values())]


def test_orders_that_every_check_lets_through_stay_in_native_code() -> None:
    spec = spec_of(HEAD.replace("default: 500", "default: 10000"), BOOK, SANITY)
    native = same_in_native_code(spec, [40.0, 41.0, 70.0, 42.0, 45.0])
    assert native.orders[0] == 5 and native.handed[0] == 0
