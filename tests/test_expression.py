"""Expressions: what is read is what was written, Python agrees, and every refusal has its place."""

from __future__ import annotations

import ast
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.expression import (
    Binary,
    Call,
    Choice,
    Compare,
    ExpressionError,
    Logic,
    Name,
    Node,
    Number,
    Power,
    Truth,
    Unary,
    children,
    parse,
    to_text,
    walk,
)

POWER_HELP = "write a literal power from 1 to 8, or `sqrt(x)`; other powers are for bound functions"
SPLIT_HELP = "name parts of it with `let`"
OPERATOR_HELP = "an operator such as `*` is missing before it"
GENERAL_HELP = "an expression has numbers, names, calls and `+ - * / ** < <= > >= == !=`"
NAME_HELP = (
    "names start with a letter and have no `__`; nothing in a spec is executed; bind a function by its name instead"
)
SUFFIX_HELP = "a time is joined, as in `30d` (ns us ms s m h d w); a unit stands after a blank, as in `5 USD`"


plain_names = st.sampled_from(["a", "b", "price", "x_1", "In", "lambda_", "iffy", "notable", "t2"])
names = st.lists(plain_names, min_size=1, max_size=4).map(lambda path: Name(tuple(path), 0, 0))
literals = st.one_of(
    st.sampled_from(["0", "8", "0.0001", "1e-5", "2.5E3", ".5", "1e400"]).map(
        lambda text: (Fraction(text), None, text)
    ),
    st.sampled_from(["5 USD", "0.01 IDX", "1 s"]).map(lambda text: (Fraction(text.split()[0]), text.split()[1], text)),
    st.sampled_from([("30d", 2_592_000), ("25h", 90_000), ("1.5m", 90), ("2w", 1_209_600), ("1e3ms", 1)]).map(
        lambda pair: (Fraction(pair[1]), "s", pair[0])
    ),
).map(lambda parts: Number(*parts, 0, 0))
leaves = st.one_of(names, literals, st.booleans().map(lambda value: Truth(value, 0, 0)))


def branches(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    comparison = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        st.builds(Unary, st.sampled_from(["-", "not"]), inner, st.just(0), st.just(0)),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/"]), inner, inner, st.just(0), st.just(0)),
        st.builds(Power, inner, st.integers(1, 8), st.just(0), st.just(0)),
        several.flatmap(
            lambda operands: st.lists(comparison, min_size=len(operands) - 1, max_size=len(operands) - 1).map(
                lambda ops: Compare(operands, tuple(ops), 0, 0)
            )
        ),
        st.builds(Logic, st.sampled_from(["and", "or"]), several, st.just(0), st.just(0)),
        st.builds(Choice, inner, inner, inner, st.just(0), st.just(0)),
        st.builds(
            Call,
            plain_names,
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(plain_names, inner, max_size=2).map(lambda found: tuple(found.items())),
            st.just(0),
            st.just(0),
            st.just(0),
        ),
    )


trees = st.recursive(leaves, branches, max_leaves=12)


@given(trees)
def test_a_tree_reads_back_from_its_text(tree: Node) -> None:
    assert parse(to_text(tree)) == tree


@given(trees)
def test_the_place_of_a_node_holds_that_node_and_nothing_else(tree: Node) -> None:
    text = to_text(tree)
    for node in walk(parse(text)):
        assert parse(text[node.start : node.end]) == node


@given(trees)
def test_no_pair_of_brackets_can_be_left_out(tree: Node) -> None:
    text = to_text(tree)
    closing = {}
    opened: list[int] = []
    for offset, char in enumerate(text):
        if char == "(":
            opened.append(offset)
        elif char == ")":
            closing[opened.pop()] = offset
    for start, end in closing.items():
        if start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
            continue  # a call
        bare = f"{text[:start]} {text[start + 1 : end]} {text[end + 1 :]}"
        try:
            without = parse(bare)
        except ExpressionError:
            continue
        assert without != tree


def python_tree(node: Node) -> object:
    """The same shape that `mirror` makes of Python's own tree."""
    match node:
        case Number():
            return float(node.value)
        case Truth():
            return node.value
        case Name():
            return ".".join(node.path)
        case Unary():
            return (node.op, python_tree(node.operand))
        case Binary():
            return (node.op, python_tree(node.left), python_tree(node.right))
        case Power():
            return ("**", python_tree(node.base), float(node.exponent))
        case Compare():
            return ("compare", node.ops, [python_tree(operand) for operand in node.operands])
        case Logic():
            return (node.op, [python_tree(operand) for operand in node.operands])
        case Choice():
            return ("if", *(python_tree(child) for child in children(node)))
        case Call():
            return (
                node.function,
                [python_tree(argument) for argument in node.arguments],
                {keyword: python_tree(argument) for keyword, argument in node.keywords},
            )


OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.USub: "-", ast.Not: "not",
    ast.And: "and", ast.Or: "or", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==",
    ast.NotEq: "!=",
}  # fmt: skip


def mirror(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{mirror(node.value)}.{node.attr}"
        case ast.UnaryOp():
            return (OPERATORS[type(node.op)], mirror(node.operand))
        case ast.BinOp():
            return (OPERATORS[type(node.op)], mirror(node.left), mirror(node.right))
        case ast.Compare():
            ops = tuple(OPERATORS[type(op)] for op in node.ops)
            return ("compare", ops, [mirror(operand) for operand in (node.left, *node.comparators)])
        case ast.BoolOp():
            return (OPERATORS[type(node.op)], [mirror(operand) for operand in node.values])
        case ast.IfExp():
            return ("if", mirror(node.body), mirror(node.test), mirror(node.orelse))
        case ast.Call(func=ast.Name(id=function)):
            keywords = {keyword.arg: mirror(keyword.value) for keyword in node.keywords}
            return (function, [mirror(argument) for argument in node.args], keywords)
    raise AssertionError(ast.dump(node))


TOKENS = [
    "a", "b.c", "f(", "(", ")", "+", "-", "*", "/", "**2", "** 3", "1", "0.5", "1e3", "<", "<=", "==", "!=",
    "and", "or", "not", "if", "else", ",", "True", "False", "k=", ".5", "2",
]  # fmt: skip


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=14).map(" ".join))
def test_python_reads_every_accepted_text_in_the_same_way(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError:
        return
    if any(isinstance(node, Number) and node.unit for node in walk(tree)):
        return  # Python has no units
    assert python_tree(tree) == mirror(ast.parse(text.strip(), mode="eval").body)


INFIX = ["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or", "if a else", "**2 +", "**2 *"]
PREFIX = ["", "-", "not ", "- -", "not not ", "not -"]


@pytest.mark.parametrize("second", INFIX)
@pytest.mark.parametrize("first", INFIX)
def test_every_pair_of_operators_binds_as_in_python(first: str, second: str) -> None:
    for prefix in PREFIX:
        text = f"{prefix}a {first} b {second} c ** 3"
        assert python_tree(parse(text)) == mirror(ast.parse(text, mode="eval").body)


@given(trees)
def test_python_reads_printed_trees_in_the_same_way(tree: Node) -> None:
    text = to_text(tree)
    if any(isinstance(node, Number) and node.unit for node in walk(tree)) or "1e400" in text:
        return  # Python has no units, and no number as large as that
    text = text.replace("true", "True").replace("false", "False")
    assert python_tree(tree) == mirror(ast.parse(text, mode="eval").body)


FRAGMENTS = [
    *TOKENS,
    "30d",
    "5 ",
    "USD",
    "é",
    "'",
    '"',
    "[",
    "]",
    "$",
    ".",
    "1e",
    "__",
    "&&",
    "=",
    "\n",
    "\t",
    "\0",
    "²",
    "x",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=16).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_refused_inside_it_with_help(text: str) -> None:
    refused = None
    try:
        assert parse(to_text(parse(text))) == parse(text)
    except ExpressionError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.start <= refused.end <= len(text)
        assert refused.help
        assert refused.code in ("HR110", "HR111", "HR112")


@pytest.mark.parametrize(
    ("text", "value", "unit", "printed"),
    [
        ("0.0001", Fraction(1, 10_000), None, "0.0001"),
        ("1e-5", Fraction(1, 100_000), None, "1e-5"),
        ("0.1", Fraction(1, 10), None, "0.1"),
        ("30d", Fraction(2_592_000), "s", "30d"),
        ("1ns", Fraction(1, 10**9), "s", "1ns"),
        ("5   USD", Fraction(5), "USD", "5 USD"),
        ("9" * 400, Fraction(10**400 - 1), None, "9" * 400),
        ("1e-400", Fraction(1, 10**400), None, "1e-400"),
    ],
)
def test_a_literal_is_exact_and_keeps_its_unit(text: str, value: Fraction, unit: str | None, printed: str) -> None:
    number = parse(text)
    assert isinstance(number, Number)
    assert (number.value, number.unit, number.text, number.start, number.end) == (
        value,
        unit,
        printed,
        0,
        len(text),
    )


def test_a_word_after_a_number_is_a_unit_only_where_it_can_be_one() -> None:
    assert parse("5 USD if x else 1") == parse("(5 USD) if x else (1)")
    assert parse("1 if x else 5 USD") == parse("(1) if x else (5 USD)")
    assert parse("1 and x") == parse("(1) and x")
    assert parse("5 USD ** 2") == parse("(5 USD) ** 2")


def test_places_include_brackets_and_calls_know_the_end_of_their_name() -> None:
    call = parse(" max( a , (b + 1)) ")
    assert isinstance(call, Call)
    assert (call.start, call.name_end, call.end) == (1, 4, 18)
    assert [(argument.start, argument.end) for argument in call.arguments] == [(6, 7), (10, 17)]


def test_nodes_are_equal_by_meaning_not_by_place() -> None:
    assert parse("a + 1") == parse("( a )+1.0")
    assert parse("a - 1") != parse("a + 1")
    assert parse("5 USD") != parse("5 IDX")


def test_a_walk_goes_through_the_text_in_order() -> None:
    text = "f(a, k=b if c < 2 else -d) + (e and not g) ** 2"
    starts = [node.start for node in walk(parse(text)) if isinstance(node, Name | Number)]
    assert starts == sorted(starts)
    assert [text[start] for start in starts] == ["a", "b", "c", "2", "d", "e", "g"]


REFUSALS = [
    # text, code, message, the text at the place, where it starts, help
    ("", "HR110", "expression is empty", "", 0, "write a number, a name or a comparison"),
    ("a +", "HR110", "a value is missing", "", 3, "write a number, a name or a call here"),
    ("* a", "HR110", "a value is missing before `*`", "*", 0, "write a number, a name or a call before it"),
    ("f(a,)", "HR110", "a value is missing before `)`", ")", 4, "write a number, a name or a call before it"),
    ("(a + b", "HR110", "`(` is never closed", "(", 0, "write the `)` that is missing"),
    ("a)", "HR110", "`)` closes nothing", ")", 1, "leave it out, or write the `(`"),
    ("a b", "HR110", "unexpected `b`", "b", 2, OPERATOR_HELP),
    ("5 min(a)", "HR110", "unexpected `min`", "min", 2, OPERATOR_HELP),
    ("f(a b)", "HR110", "unexpected `b`", "b", 4, "`,` or `)` is missing before it"),
    ("+a", "HR110", "a sign `+` says nothing", "+", 0, "leave the `+` out"),
    ("a == not b", "HR110", "`not` stands here without brackets", "not", 5, "write `(not …)`"),
    ("a if b", "HR110", "`else` is missing", "", 6, "write `a if condition else b`"),
    ("a else b", "HR110", "`else` without `if`", "else", 2, "write `a if condition else b`"),
    ("a, b", "HR110", "unexpected `,`", ",", 1,
     "one expression has one value; only the arguments of a call are separated by `,`"),
    ("(a, b)", "HR110", "unexpected `,`", ",", 2, "only the arguments of a call are separated by `,`"),
    ("a ** b", "HR110", "a power must be a literal", "b", 5, POWER_HELP),
    ("a ** -2", "HR110", "a power must be a literal", "-", 5, POWER_HELP),
    ("a ** 0.5", "HR110", "a power must be a whole number from 1 to 8", "0.5", 5, POWER_HELP),
    ("a ** 9", "HR110", "a power must be a whole number from 1 to 8", "9", 5, POWER_HELP),
    ("a ** 0", "HR110", "a power must be a whole number from 1 to 8", "0", 5, POWER_HELP),
    ("a ** 2d", "HR110", "a power must be a whole number from 1 to 8", "2d", 5, POWER_HELP),
    ("a ** 2 USD", "HR110", "unexpected `USD`", "USD", 7, OPERATOR_HELP),
    ("a **", "HR110", "a power is missing", "", 4, POWER_HELP),
    ("(a) ** 2 ** 3", "HR110", "a power of a power wants brackets", "**", 9,
     "write `(x ** 2) ** 3`, or the product of the two powers"),
    ("f(k=1, k=2)", "HR110", "argument `k` is given twice", "k", 7, "leave one out"),
    ("f(k=1, 2)", "HR110", "an argument without a name follows one with a name", "2", 7,
     "write the arguments without names first"),
    ("f(a.b = 2)", "HR110", "`a.b` is no name of an argument", "a.b", 2, "write `==` to compare"),
    ("1_000", "HR110", "a number has no `_` inside", "1_000", 0, "write `1000`"),
    ("1e", "HR110", "a power of ten is missing", "e", 1, "write `1e-5`, or leave the `e` out"),
    ("0x10", "HR110", "numbers are decimal", "0x10", 0, "write the number with the digits 0 to 9"),
    ("5USD", "HR110", "unknown suffix `USD`", "USD", 1, SUFFIX_HELP),
    ("5 USD.x", "HR110", "`USD.x` is no unit", "USD.x", 2,
     "a unit after a number is one base unit, such as `5 USD`; write `*` to multiply"),
    ("a.if", "HR110", "`if` cannot be part of a name", "a.if", 0,
     "write another name; `and or not if else true false` are words of the language"),
    ("a && b", "HR112", "there is no `&&` in this language", "&&", 2, "write `and`"),
    ("a || b", "HR112", "there is no `||` in this language", "||", 2, "write `or`"),
    ("!a", "HR112", "there is no `!` in this language", "!", 0, "write `not`"),
    ("a AND b", "HR112", "there is no `AND` in this language", "AND", 2, "write `and`"),
    ("5 OR b", "HR112", "there is no `OR` in this language", "OR", 2, "write `or`"),
    ("a = b", "HR112", "there is no `=` in this language", "=", 2,
     "write `==` to compare; a `set` action assigns"),
    ("(a := b)", "HR112", "there is no `:=` in this language", ":=", 3,
     "write `==` to compare; a `let` names a value"),
    ("a ^ 2", "HR112", "there is no `^` in this language", "^", 2,
     "write `**` with a literal power from 1 to 8"),
    ("a % 2", "HR112", "there is no `%` in this language", "%", 2,
     "there is no remainder and no percentage; write `0.05` for 5 %"),
    ("a // 2", "HR112", "there is no `//` in this language", "//", 2,
     "write `/`; there is no whole-number division"),
    ("a; b", "HR112", "there is no `;` in this language", ";", 1,
     "one expression has one value; name parts of it with `let`"),
    ("a[0]", "HR112", "there is no `[` in this language", "[", 1,
     "arrays live between bound functions only; group with `(` and `)`"),
    ("{a}", "HR112", "there is no `{` in this language", "{", 0, "group with `(` and `)`"),
    ("a ? b : c", "HR112", "there is no `?` in this language", "?", 2, "write `a if condition else b`"),
    ("a <> b", "HR112", "there is no `<>` in this language", "<>", 2, "write `!=`"),
    ("a ≤ b", "HR112", "there is no `≤` in this language", "≤", 2, "write `<=`"),
    ("a − b", "HR112", "there is no `−` in this language", "−", 2, "write `-`, the one on the keyboard"),
    ("x²", "HR112", "`x²` has a character that names do not have", "²", 1, "write `** 2`"),
    ("prix_é", "HR112", "`prix_é` has a character that names do not have", "é", 5,
     "names are made of the letters a to z, digits and `_`"),
    ("a\xa0+ b", "HR112", "there is no `U+00A0` in this language", "\xa0", 1,
     "this blank is a no-break space; write an ordinary one"),
    ("$a", "HR112", "there is no `$` in this language", "$", 0, GENERAL_HELP),
    ("mode == 'calm'", "HR112", "there is no text in an expression", "'calm'", 8,
     "states, events and legs are written as names, without quotes"),
    ('"open', "HR112", "there is no text in an expression", '"open', 0,
     "states, events and legs are written as names, without quotes"),
    ("lambda: 1", "HR112", "there is no `lambda` in this language", "lambda", 0,
     "nothing in a spec is executed; bind a function by its name instead"),
    ("None", "HR112", "there is no `None` in this language", "None", 0,
     "there is no empty value; every name has one"),
    ("x in y", "HR112", "there is no `in` in this language", "in", 2,
     "write `In(state)` to ask for a state, or compare with `<=`"),
    ("a is b", "HR112", "there is no `is` in this language", "is", 2, "write `==`"),
    ("__import__('os')", "HR112", "`__import__` is no name", "__import__", 0, NAME_HELP),
    ("_x", "HR112", "`_x` is no name", "_x", 0, NAME_HELP),
    ("tick.__class__", "HR112", "`tick.__class__` is no name", "tick.__class__", 0, NAME_HELP),
    ("a.b.c.d.e.f.g.h.i", "HR112", "`a.b.c.d.e.f.g.h.i` has too many parts", "a.b.c.d.e.f.g.h.i", 0,
     "a name has at most 8 parts, such as `before.long.quantity`"),
    ("os.system(1)", "HR112", "`os.system` cannot be called", "os.system", 0,
     "only plain names can be called, and a bound function by `call:` in `do` or `observe`"),
    ("f(1)(2)", "HR112", "a value cannot be called", "(", 4,
     "only plain names can be called; write `*` to multiply"),
    ("f(1).real", "HR112", "there is no `.` in this language", ".", 4,
     "only names have parts, with no blank beside the `.`"),
    ("1e401", "HR111", "number is out of reach", "1e401", 0,
     "a number has at most 400 digits and a power of ten of at most 400"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "message", "shown", "start", "help"), REFUSALS, ids=[row[0] for row in REFUSALS]
)
def test_a_refusal_says_where_and_what_to_write(
    text: str, code: str, message: str, shown: str, start: int, help: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    error = caught.value
    assert (error.code, error.message, error.start, error.end, error.help) == (
        code, message, start, start + len(shown), help,
    )  # fmt: skip
    assert text[error.start : error.end] == shown


def test_the_first_mistake_is_the_one_reported() -> None:
    with pytest.raises(ExpressionError, match="unexpected `b`"):
        parse("a b && c $")


DEEPEST = {
    "brackets": "(" * 64 + "a" + ")" * 64,
    "signs": "-" * 64 + "a",
    "nots": "not " * 64 + "a",
    "calls": "f(" * 64 + "a" + ")" * 64,
    "sum": "+".join(["a"] * 65),
    "choices": "a if b else " * 64 + "c",
}


@pytest.mark.parametrize("text", DEEPEST.values(), ids=DEEPEST.keys())
def test_the_deepest_expression_is_read_and_printed(text: str) -> None:
    assert parse(to_text(parse(text))) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 65 + "a" + ")" * 65,
        "-" * 65 + "a",
        "not " * 65 + "a",
        "f(" * 65 + "a" + ")" * 65,
        "+".join(["a"] * 66),
        "a if b else " * 65 + "c",
        "(" * 4000,
        "(a if b else " * 300,
        "-(" * 1999,
    ],
)
def test_a_deeper_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert (caught.value.code, caught.value.message, caught.value.help) == (
        "HR111", "expression is nested deeper than 64", SPLIT_HELP,
    )  # fmt: skip


def test_a_wide_expression_is_bounded_by_its_parts() -> None:
    parse("<".join(["a"] * 1999))
    with pytest.raises(ExpressionError) as caught:
        parse("<".join(["a"] * 2000))
    assert (caught.value.code, caught.value.message) == ("HR111", "expression has more than 2000 parts")


def test_a_long_expression_is_refused_whole() -> None:
    parse("a" + " " * 3999)
    with pytest.raises(ExpressionError) as caught:
        parse("a" * 100_000)
    error = caught.value
    assert (error.code, error.message, error.start, error.end, error.help) == (
        "HR111", "expression has 100000 characters, more than 4000", 0, 100_000, SPLIT_HELP,
    )  # fmt: skip
