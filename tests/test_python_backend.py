"""Expressions: the evaluator, the generated code and Python itself give the same bits, or all of them none.

The third opinion is Python's own arithmetic over a translation made here, which shares nothing with the engine.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from hedgerow.engine.evaluate import EXACT, FLOAT, Environment, Failure, evaluate
from hedgerow.engine.ir import Expr, Pool
from hedgerow.engine.laws import MAX_DEPTH
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.step import Step

SPEC = """hedgerow: 1
name: one_value
events:
  tick: {{x: {{}}, y: {{}}, z: {{}}, n: {{type: int, range: [-4, 4]}}, p: {{type: bool}}}}
params:
  k: {{default: 0.1}}
state:
  out: {{{kind}initial: {zero}}}
{lets}machine:
  initial: a
  states:
    a:
      on:
        tick: {{name: go, do: {{set: {{out: '{text}'}}}}}}
        error.execution: {{name: failed}}
"""
LARGEST = 1.7976931348623157e308
EDGES = (0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.0, -1.0, 0.1, 3.0, 1e154, 1e308, LARGEST, -LARGEST)
NUMBERS = st.one_of(st.sampled_from(EDGES), st.floats(-100, 100), st.floats(allow_nan=False, allow_infinity=False))
ATOMS = ("tick.x", "tick.y", "tick.z", "k", "2.5", "0.0", "1e300", "5e-324")


def reals(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(ATOMS)
    below = reals(depth - 1)
    pair, triple = st.tuples(below, below), st.tuples(below, below, below)
    return st.one_of(
        st.sampled_from(ATOMS),
        *(pair.map(lambda p, op=op: f"({p[0]} {op} {p[1]})") for op in ("+", "-", "*")),
        # A literal zero as a divisor is refused at load; one that is computed is not.
        pair.map(lambda p: f"({p[0]} / {p[1] if p[1] != '0.0' else '(tick.z * 0.0)'})"),
        *(pair.map(lambda p, name=name: f"{name}({p[0]}, {p[1]})") for name in ("min", "max")),
        *(below.map(lambda e, name=name: f"{name}({e})") for name in ("abs", "sqrt")),
        below.map(lambda e: f"(-{e})"),
        below.map(lambda e: f"({e}) ** 3"),
        triple.map(lambda t: f"clip({t[0]}, {t[1]}, {t[2]})"),
        st.tuples(below, truths(depth - 1), below).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        wholes(depth - 1).map(lambda e: f"(0.5 * {e})"),
    )


def wholes(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(("tick.n", "2", "3"))
    below = wholes(depth - 1)
    pair = st.tuples(below, below)
    return st.one_of(
        below,
        *(pair.map(lambda p, op=op: f"({p[0]} {op} {p[1]})") for op in ("+", "-", "*")),
        pair.map(lambda p: f"max({p[0]}, {p[1]})"),
        below.map(lambda e: f"abs({e})"),
        st.tuples(below, truths(depth - 1), below).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    )


def truths(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(("tick.p", "true", "(tick.n > 1)", "(tick.x < tick.y)"))
    below, numbers = truths(depth - 1), reals(depth - 1)
    pair = st.tuples(below, below)
    return st.one_of(
        st.sampled_from(("tick.p", "(tick.n == 2)")),
        *(
            st.tuples(numbers, numbers).map(lambda p, op=op: f"({p[0]} {op} {p[1]})")
            for op in ("<", "<=", ">", ">=", "==", "!=")
        ),
        st.tuples(numbers, numbers, numbers).map(lambda t: f"({t[0]} <= {t[1]} < {t[2]})"),
        *(pair.map(lambda p, op=op: f"({p[0]} {op} {p[1]})") for op in ("and", "or", "==", "!=")),
        pair.map(lambda p: f"implies({p[0]}, {p[1]})"),
        below.map(lambda e: f"(not {e})"),
    )


# --- Python's own opinion ---


def smallest(a: float, b: float) -> float:
    return b if b < a else a


def largest(a: float, b: float) -> float:
    return b if b > a else a


FUNCTIONS = {
    "min": smallest,
    "max": largest,
    "abs": abs,
    "sqrt": math.sqrt,
    "clip": lambda x, low, high: smallest(largest(x, low), high),
    "true": True,
}


def translated(text: str) -> str:
    """Return the expression in Python: fields by their names, powers as products, `implies` as a disjunction."""
    import ast

    class Translation(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # ast's own name
            return ast.Name(node.attr, ast.Load())

        def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
            left, right = self.visit(node.left), self.visit(node.right)
            if not isinstance(node.op, ast.Pow):
                return ast.BinOp(left, node.op, right)
            assert isinstance(right, ast.Constant)
            assert isinstance(right.value, int)
            product = left
            for _ in range(right.value - 1):
                product = ast.BinOp(product, ast.Mult(), left)
            return product

        def visit_Call(self, node: ast.Call) -> ast.AST:
            assert isinstance(node.func, ast.Name)
            arguments = [self.visit(argument) for argument in node.args]
            if node.func.id == "implies":
                return ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), arguments[0]), arguments[1]])
            return ast.Call(node.func, arguments, [])

    return ast.unparse(ast.fix_missing_locations(Translation().visit(ast.parse(text, mode="eval"))))


Fields = tuple[float, float, float, int, bool]


def by_python(text: str, fields: Fields, kind: str) -> float | int | bool | None:
    """Return the value by Python's rules; None where it has none or is not finite."""
    names = dict(zip(("x", "y", "z", "n", "p"), fields, strict=True))
    try:
        value = eval(translated(text), {**FUNCTIONS, **names, "k": 0.1, "__builtins__": {}})  # noqa: S307
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    if kind == "real":
        value = float(value)
        return value if math.isfinite(value) else None
    return value  # type: ignore[no-any-return]  # whatever the text computes


KINDS = {"real": ("", "0"), "int": ("type: int, range: [-9000000000000000, 9000000000000000], ", "0")}
KINDS["bool"] = ("type: bool, ", "false")


def compiled(text: str, kind: str = "real", lets: str = "") -> Compiled:
    head, zero = KINDS[kind]
    return loads(SPEC.format(kind=head, zero=zero, text=text, lets=lets)).compile()


def bits(value: object) -> object:
    return (type(value), value.hex()) if isinstance(value, float) else (type(value), value)


def by_code(spec: Compiled, fields: Fields) -> tuple[object, Step]:
    """Return what the generated code writes, or None where it fails, and the step."""
    machine = spec.machine()
    step = machine.port("tick")(0, 0.0, 0.0, 0.0, 0, False)
    machine = spec.machine() if step.errors else machine
    step = machine.port("tick")(1, *fields)
    return (None if step.errors else machine.value("out")), step


def by_evaluator(spec: Compiled, fields: Fields) -> object:
    """Return what the definition of an expression gives for the value that is set."""
    rule = next(rule for rule in spec.program.rules if rule.name == "go")
    names = dict(zip(("tick.x", "tick.y", "tick.z", "tick.n", "tick.p"), fields, strict=True))
    ((_, expr),) = rule.action[0].targets  # type: ignore[union-attr]  # the action is one assignment
    try:
        value = evaluate(expr, Environment(spec.parameters, FLOAT, fields=names))
    except Failure:
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


FIELDS = st.tuples(NUMBERS, NUMBERS, NUMBERS, st.integers(-4, 4), st.booleans())
MANY = settings(max_examples=80, phases=(Phase.explicit, Phase.generate))


def agree(text: str, kind: str, samples: list[Fields]) -> None:
    spec = compiled(text, kind)
    for fields in samples:
        expected = by_python(text, fields, kind)
        assert bits(by_evaluator(spec, fields)) == bits(expected), (text, fields)
        found, step = by_code(spec, fields)
        assert bits(found) == bits(expected), (text, fields)
        assert step.fired == (("go",) if expected is not None else ("failed",))


@MANY
@given(reals(3), st.lists(FIELDS, min_size=1, max_size=4))
@example("min(tick.x, tick.y)", [(0.0, -0.0, 0.0, 0, False), (-0.0, 0.0, 0.0, 0, False)])
@example("max(tick.x, tick.y)", [(0.0, -0.0, 0.0, 0, False), (-0.0, 0.0, 0.0, 0, False)])
@example("max(abs(tick.x), min(tick.y, abs(tick.z)))", [(-1.0, 2.0, -3.0, 0, False)])
@example("(0.0 - tick.x)", [(0.0, 0.0, 0.0, 0, False), (-0.0, 0.0, 0.0, 0, False)])
@example("(-tick.x)", [(0.0, 0.0, 0.0, 0, False)])
@example("(tick.x / tick.y)", [(1.0, 0.0, 0.0, 0, False), (1e308, 5e-324, 0.0, 0, False), (5e-324, 3.0, 0.0, 0, False)])
@example("sqrt(tick.x)", [(-0.0, 0.0, 0.0, 0, False), (-5e-324, 0.0, 0.0, 0, False)])
@example("(tick.x) ** 3", [(1e154, 0.0, 0.0, 0, False), (1.1, 0.0, 0.0, 0, False)])
@example("((tick.x * 1e300) - (tick.x * 1e300))", [(1e300, 0.0, 0.0, 0, False)])
@example("(1e300 if (tick.x / tick.y) > 2.5 else 2.5)", [(1.0, 0.0, 0.0, 0, False)])
@example("(tick.x if tick.p else (tick.x / tick.z * tick.y if tick.p else k))", [(1.0, 2.0, 0.0, 0, True)])
def test_a_real_expression_has_one_value(text: str, samples: list[Fields]) -> None:
    agree(text, "real", samples)


@MANY
@given(truths(3), st.lists(FIELDS, min_size=1, max_size=4))
@example("(tick.p and ((tick.x / tick.y) > 1e300))", [(1.0, 0.0, 0.0, 0, False), (1.0, 0.0, 0.0, 0, True)])
@example("(tick.p or ((tick.x / tick.y) > 1e300))", [(1.0, 0.0, 0.0, 0, False), (1.0, 0.0, 0.0, 0, True)])
@example("implies(tick.p, ((tick.x / tick.y) > 1e300))", [(1.0, 0.0, 0.0, 0, False), (1.0, 0.0, 0.0, 0, True)])
@example("(tick.x == tick.y)", [(0.0, -0.0, 0.0, 0, False)])
def test_a_condition_has_one_value(text: str, samples: list[Fields]) -> None:
    agree(text, "bool", samples)


@MANY
@given(wholes(2), st.lists(FIELDS, min_size=1, max_size=4))
def test_a_whole_number_has_one_value(text: str, samples: list[Fields]) -> None:
    agree(text, "int", samples)


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate))
@given(reals(2), FIELDS)
def test_what_is_not_finite_never_reaches_a_cell(text: str, fields: Fields) -> None:
    machine = compiled(f"({text}) * 1e300 * 1e300").machine()
    machine.port("tick")(0, *fields)
    assert math.isfinite(machine.value("out"))


# --- the two arithmetics ---


@settings(max_examples=60)
@given(st.fractions(), st.fractions())
def test_exact_arithmetic_is_that_of_fractions(a: Fraction, b: Fraction) -> None:
    pool = Pool()
    x, y = pool.temp("x"), pool.temp("y")

    def value(op: str, *args: Expr) -> object:
        return evaluate(pool.make(op, args), Environment({}, EXACT, temps={"x": a, "y": b}))

    assert value("add", x, y) == a + b
    assert value("sub", x, y) == a - b
    assert value("mul", x, y) == a * b
    assert value("floor", x) == math.floor(a)
    assert value("sqrt", pool.make("mul", (x, x))) == abs(a)
    if b:
        assert value("div", x, y) == a / b
    else:
        with pytest.raises(Failure, match="division by zero"):
            value("div", x, y)
    if a < 0:
        with pytest.raises(Failure, match="negative"):
            value("sqrt", x)


# --- the deepest expressions ---

STEPS = {
    "min": ("min(L, I)", 1),
    "min of a sum": ("min(tick.x + I, L)", 1),
    "max twice": ("max(min(L, I * 2.0), tick.y)", 2),
    "abs": ("abs(L)", 1),
    "sum": ("tick.x + L", 1),
    "quotient": ("2.0 / L", 1),
    "quotient both": ("tick.x / (1.5 + L)", 2),
    "root": ("sqrt(abs(L))", 2),
    "choice": ("(L if tick.p else tick.y / tick.x)", 1),
    "other choice": ("(tick.y / tick.x if tick.n > 2 else 1.0 / L)", 2),
    "choice on it": ("(tick.z if L > I else tick.y)", 2),
    "choice on both": ("(tick.z if L > I and tick.p else 0.5 / tick.x)", 3),
    "negation": ("1.0 - L", 1),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_deepest_expression_compiles_and_has_one_value(name: str) -> None:
    step, height = STEPS[name]
    count = (MAX_DEPTH - 1) // height
    lines, text = ["  l0: tick.x\n"], "tick.x"
    for index in range(1, count):
        lines.append(f"  l{index}: '{step.replace('L', f'l{index - 1}').replace('I', f'{index}.0')}'\n")
        text = step.replace("L", f"({text})").replace("I", f"{index}.0")
    spec = compiled(f"l{count - 1}", lets="let:\n" + "".join(lines))
    deepest = max(expr.depth for rule in spec.program.rules[:1] for _, expr in rule.action[0].targets)  # type: ignore[union-attr]
    assert deepest > MAX_DEPTH - 2 * height
    for fields in ((0.5, 1.5, -2.0, 3, True), (-3.0, 0.1, 7.0, -1, False), (0.0, 4.0, 1.0, 3, False)):
        expected = by_hand(step, count, fields)
        assert bits(by_evaluator(spec, fields)) == bits(expected), fields
        assert bits(by_code(spec, fields)[0]) == bits(expected), fields


def by_hand(step: str, count: int, fields: Fields) -> float | None:
    """Compute a chain of lets one by one; Python reads no text as deep as the whole."""
    names: dict[str, object] = dict(zip(("x", "y", "z", "n", "p"), fields, strict=True))
    value = fields[0]
    for index in range(1, count):
        code = translated(step.replace("L", "last").replace("I", f"{index}.0"))
        try:
            value = eval(code, {**FUNCTIONS, **names, "last": value, "__builtins__": {}})  # noqa: S307
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
    return value


def test_a_deep_guard_and_a_deep_claim_compile_and_hold() -> None:
    lets = "let:\n  l0: tick.x\n  c0: out\n"
    for index in range(1, 70):
        lets += (
            f"  l{index}: min(l{index - 1}, 2.0 / l{index - 1})\n" if index < 9 else f"  l{index}: abs(-l{index - 1})\n"
        )
        lets += f"  c{index}: max(min(c{index - 1}, {index}.0), 1.0)\n"
    text = SPEC.format(kind="", zero="0", text="1.0", lets=lets).replace("name: go,", "name: go, if: l69 > 0.25,")
    machine = loads(text + "invariants: {small: c69 <= 1.0}\n").compile().machine()
    assert machine.port("tick")(0, 0.5, 0.0, 0.0, 0, False).fired == ("go",)
    assert machine.port("tick")(1, 0.125, 0.0, 0.0, 0, False).fired == ()
    step = machine.port("tick")(2, 0.0, 0.0, 0.0, 0, False)
    assert step.fired == ("failed",)
    assert "division by zero" in step.errors[0]
    assert step.broken == ()


AGAIN = """hedgerow: 1
name: again
events: {tick: {x: {}}}
state: {u: {initial: 2}, v: {initial: 3}, w: {initial: 0}, p: {initial: 0}, q: {initial: 0}}
let: {product: u * v + u}
machine: {initial: a, states: {a: {on: {tick: {if: product > 0, do: act, to: b}}}, b: {entry: act}}}
actions:
  act:
    - set: {p: product}
    - let: {earlier: product * 2}
    - set: {u: 'u + 1', w: product}
    - set: {q: product + earlier, v: product}
    - set: {w: product}
invariants: {kept: product == 0 or before.product > 0}
"""


def test_a_value_is_computed_again_after_what_it_reads_was_written() -> None:
    machine = loads(AGAIN).compile().machine()
    machine.port("tick")(0, 0.0)
    u, v, w, p, q = 2.0, 3.0, 0.0, 0.0, 0.0
    for _ in range(2):  # the action, then the entry
        p = u * v + u
        earlier = p * 2
        u, w = u + 1, p
        q, v = u * v + u + earlier, u * v + u
        w = u * v + u
    assert [machine.value(name) for name in "uvwpq"] == [u, v, w, p, q]


MEMORY = """hedgerow: 1
name: remembering
events: {tick: {x: {}}}
let: {there: In(b)}
observe: {tick: {last: previous(tick.x)}}
machine: {initial: a, states: {a: {on: {tick: {if: tick.x > 1, to: b}}}, b: {}}}
invariants: {came: 'implies(changed(there), not before.there)', never: not before.there}
"""


def test_before_asks_where_the_machine_was_and_previous_what_it_saw() -> None:
    machine = loads(MEMORY).compile().machine()
    seen = [(machine.port("tick")(time, x).broken, machine.value("last")) for time, x in enumerate((1.0, 2.0, 3.0))]
    assert seen == [((), 1.0), ((), 1.0), (("never",), 2.0)]


RANGED = """
hedgerow: 1
name: ranged
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price, lot: 0.1}}
legs: {held: {instrument: index, side: long, quantity: 0.3 IDX}}
state: {count: {type: int, range: [0, 1], initial: 0}}
observe: {tick: {seen: tick.price}}
machine:
  initial: counting
  fail_safe: halted
  states:
    counting:
      on:
        tick: {if: tick.price > 5 USD / 1 IDX, do: [{set: {count: count + 1}}, {target: {held: 0}}]}
    halted: {}
invariants:
  before_is_after_the_marks: before.index.price == index.price
  before_is_after_the_observation: before.seen == index.price
"""


def test_a_cell_that_leaves_its_range_fails_its_transition() -> None:
    machine = loads(RANGED).compile().machine()
    machine.send("tick", 0, price=2)
    assert machine.send("tick", 1, price=6).fired == ("counting.tick",)
    step = machine.send("tick", 2, price=7)
    assert (step.fired, step.configuration, machine.value("count")) == (("fail_safe",), ("halted",), 1)


def test_before_is_the_machine_with_the_new_marks_and_observations() -> None:
    machine = loads(RANGED).compile().machine()
    assert [machine.send("tick", index, price=price).broken for index, price in enumerate((2, 3, 6, 4))] == [()] * 4


def test_closing_the_last_lots_does_not_overshoot_zero_by_a_rounding() -> None:
    # 0.3 / 0.1 is three lots to rounding, and three lots are 0.30000000000000004.
    machine = loads(RANGED).compile().machine()
    machine.send("tick", 0, price=2)
    step = machine.send("tick", 1, price=6)
    assert (step.errors, machine.value("held.quantity")) == ((), 0.0)
