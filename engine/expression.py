"""Expressions: text → syntax tree.

Nothing is evaluated and no name is resolved here; `check` does that. Numbers are exact fractions. Every node
knows its place in the text, brackets around it included, so that `text[node.start:node.end]` parses to
the same node. Length, depth and size are bounded: a hostile text costs no more than a long honest one.

    2 * gross > 5 USD  →  Compare((Binary("*", Number(2), Name(("gross",))), Number(5, "USD")), (">",))
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal, cast

from .syntax import (
    DESK,
    LEVELS,
    ArithmeticOperator,
    Binary,
    Call,
    Choice,
    Compare,
    CompareOperator,
    Level,
    Logic,
    Name,
    Node,
    Number,
    Power,
    Truth,
    Unary,
    children,
    to_text,
    walk,
)
from .tokens import FOREIGN_HELP, FOREIGN_OPERATORS, ExpressionError, Token, clipped, tokens
from .units import TIME_SUFFIXES

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_NODES",
    "Binary",
    "Call",
    "Choice",
    "Compare",
    "ExpressionError",
    "Logic",
    "Name",
    "Node",
    "Number",
    "Power",
    "Truth",
    "Unary",
    "children",
    "parse",
    "to_text",
    "walk",
]

MAX_LENGTH = 4_000
MAX_DEPTH = 64
MAX_NODES = 2_000
_MAX_POWER = 8
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_POWER_HELP = f"write a literal power from 1 to {_MAX_POWER}, or `sqrt(x)`; other powers are for bound functions"
_SPLIT_HELP = "name parts of it with `let`"


def parse(text: str) -> Node:
    """Return the syntax tree of an expression.

    Precedence is Python's: `if else`, `or`, `and`, `not`, comparison, `+ -`, `* /`, unary `-`, `**`.

    Args:
        text: at most 4,000 characters; line breaks count as blanks. The tree has at most 2,000 nodes, and
            neither brackets nor operators nest deeper than 64 (a sum of n terms nests n - 1 deep), so that
            every later pass may recurse.

    Raises:
        ExpressionError: the first mistake, with its place.
    """
    if len(text) > MAX_LENGTH:
        message = f"expression has {len(text)} characters, more than {MAX_LENGTH}"
        raise ExpressionError(message, 0, len(text), _SPLIT_HELP, "HR111")
    return _Parser(text).whole()


class _Parser:
    """Precedence climbing: one call a nesting level, so that `MAX_DEPTH` bounds Python's own stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens, self._lexical_error = tokens(text)
        self._position = 0
        self._nodes = 0

    def whole(self) -> Node:
        if self._tokens[0].kind == "end":
            help = "write a number, a name or a comparison"
            raise ExpressionError("expression is empty", 0, len(self._text), help)
        node, _ = self._expression(Level.CHOICE, 0)
        if self._token.kind != "end":
            raise self._unexpected_operator()
        return node

    # Tokens

    @property
    def _token(self) -> Token:
        token = self._tokens[self._position]
        if token.kind == "error":
            raise cast(ExpressionError, self._lexical_error)
        return token

    def _take(self) -> Token:
        token = self._token
        self._position += 1
        return token

    def _at(self, *texts: str) -> bool:
        token = self._token
        return token.kind in ("operator", "word") and token.text in texts

    def _next_is(self, text: str) -> bool:
        """Look one token past the present one; a mistake there is not reported yet."""
        token = self._tokens[self._position + 1]
        return token.kind == "operator" and token.text == text

    # Expressions: each returns a node and its height, a leaf having 0

    def _expression(self, level: int, depth: int) -> tuple[Node, int]:
        if depth > MAX_DEPTH:
            raise self._too_deep()
        left, height = self._prefix(level, depth)
        while True:
            token = self._token
            if self._at("+", "-", "*", "/"):
                own = LEVELS[token.text]
                if own < level:
                    return left, height
                self._take()
                right, other = self._expression(own + 1, depth + 1)
                height = self._above(token, height, other)
                op = cast(ArithmeticOperator, token.text)
                left = Binary(op, left, right, left.start, right.end)
            elif self._at("**"):
                left, height = self._power(left, height)
            elif self._at(*_COMPARISONS):
                if level > Level.COMPARE:
                    return left, height
                left, height = self._comparison(left, height, depth)
            elif self._at("and", "or"):
                own = LEVELS[token.text]
                if own < level:
                    return left, height
                left, height = self._logic(left, height, depth)
            elif self._at("if"):
                if level > Level.CHOICE:
                    return left, height
                self._take()
                condition, second = self._expression(Level.OR, depth + 1)
                if not self._at("else"):
                    raise self._missing("`else`", "write `a if condition else b`")
                self._take()
                otherwise, third = self._expression(Level.CHOICE, depth + 1)
                height = self._above(token, height, second, third)
                left = Choice(left, condition, otherwise, left.start, otherwise.end)
            else:
                return left, height

    def _prefix(self, level: int, depth: int) -> tuple[Node, int]:
        token = self._token
        if self._at("not"):
            if level > Level.NOT:
                raise self._error(token, "`not` stands here without brackets", "write `(not …)`")
            self._take()
            operand, height = self._expression(Level.NOT, depth + 1)
            return Unary("not", operand, token.start, operand.end), self._above(token, height)
        if self._at("-"):
            self._take()
            operand, height = self._expression(Level.NEGATE, depth + 1)
            return Unary("-", operand, token.start, operand.end), self._above(token, height)
        if self._at("("):
            self._take()
            inner, height = self._expression(Level.CHOICE, depth + 1)
            close = self._close(token, "`)`")
            return replace(inner, start=token.start, end=close.end), height
        return self._operand(depth)

    def _operand(self, depth: int) -> tuple[Node, int]:
        token = self._token
        if token.kind == "number":
            self._count(token)
            self._take()
            return self._number(token), 0
        if token.text in ("true", "True", "false", "False"):
            self._count(token)
            self._take()
            return Truth(token.text in ("true", "True"), token.start, token.end), 0
        if token.kind == "name":
            if self._next_is("("):
                return self._call(depth)
            self._count(token)
            self._take()
            return Name(tuple(token.text.split(".")), token.start, token.end), 0
        if self._at("+"):
            raise self._error(token, "a sign `+` says nothing", "leave the `+` out")
        if self._at("="):
            raise self._foreign(token)
        if token.kind == "end":
            raise self._missing("a value", "write a number, a name or a call here")
        help = "write a number, a name or a call before it"
        raise self._error(token, f"a value is missing before `{token.text}`", help)

    def _number(self, token: Token) -> Number:
        digits = token.text.rstrip("abcdefghijklmnopqrstuvwxyz")
        suffix = token.text[len(digits) :]
        value = Fraction(digits)
        if suffix:
            return Number(value * TIME_SUFFIXES[suffix], "s", token.text, token.start, token.end)
        unit = self._token_or_none()
        if unit is None or unit.kind != "name" or unit.text in FOREIGN_OPERATORS or self._next_is("("):
            return Number(value, None, token.text, token.start, token.end)
        self._take()
        if "." in unit.text:
            help = "a unit after a number is one base unit, such as `5 USD`; write `*` to multiply"
            raise self._error(unit, f"`{clipped(unit.text)}` is no unit", help)
        return Number(value, unit.text, f"{token.text} {unit.text}", token.start, unit.end)

    def _token_or_none(self) -> Token | None:
        """Return the present token, or nothing where it is a mistake that is to be reported later."""
        token = self._tokens[self._position]
        return None if token.kind == "error" else token

    def _call(self, depth: int) -> tuple[Node, int]:
        name = self._take()
        opening = self._take()
        if "." in name.text and not name.text.startswith(f"{DESK}."):
            help = "only plain names can be called, and a bound function by `call:` in `do` or `observe`"
            raise self._error(name, f"`{clipped(name.text)}` cannot be called", help, "HR112")
        self._count(name)
        arguments: list[Node] = []
        keywords: dict[str, Node] = {}
        heights = [0]
        while not (self._at(")") and not arguments and not keywords):
            keyword = self._token if self._token.kind == "name" and self._next_is("=") else None
            if keyword is not None:
                self._position += 2
                if "." in keyword.text:
                    message = f"`{clipped(keyword.text)}` is no name of an argument"
                    raise self._error(keyword, message, "write `==` to compare")
                if keyword.text in keywords:
                    message = f"argument `{clipped(keyword.text)}` is given twice"
                    raise self._error(keyword, message, "leave one out")
            elif keywords:
                place = self._token
                message = "an argument without a name follows one with a name"
                help = "write the arguments without names first"
                raise self._error(place, message, help)
            argument, height = self._expression(Level.CHOICE, depth + 1)
            heights.append(height)
            if keyword is None:
                arguments.append(argument)
            else:
                keywords[keyword.text] = argument
            if not self._at(","):
                break
            self._take()
        close = self._close(opening, "`,` or `)`")
        node = Call(name.text, tuple(arguments), tuple(keywords.items()), name.end, name.start, close.end)
        return node, self._above(name, *heights)

    def _power(self, base: Node, height: int) -> tuple[Node, int]:
        star = self._take()
        if isinstance(base, Power) and self._text[base.end - 1] != ")":
            help = "write `(x ** 2) ** 3`, or the product of the two powers"
            raise self._error(star, "a power of a power wants brackets", help)
        token = self._token
        if self._at("-", "+") or token.kind not in ("number", "end"):
            end = self._tokens[self._position].end
            raise ExpressionError("a power must be a literal", token.start, end, _POWER_HELP)
        if token.kind == "end":
            raise self._missing("a power", _POWER_HELP)
        self._take()
        if not token.text.isdigit() or not 1 <= int(token.text) <= _MAX_POWER:
            message = f"a power must be a whole number from 1 to {_MAX_POWER}"
            raise self._error(token, message, _POWER_HELP)
        above = self._above(star, height)
        return Power(base, int(token.text), base.start, token.end), above

    def _comparison(self, left: Node, height: int, depth: int) -> tuple[Node, int]:
        first = self._token
        operands, ops, heights = [left], [], [height]
        while self._at(*_COMPARISONS):
            ops.append(cast(CompareOperator, self._take().text))
            operand, other = self._expression(Level.SUM, depth + 1)
            operands.append(operand)
            heights.append(other)
        node = Compare(tuple(operands), tuple(ops), left.start, operands[-1].end)
        return node, self._above(first, *heights)

    def _logic(self, left: Node, height: int, depth: int) -> tuple[Node, int]:
        word = self._token
        operands, heights = [left], [height]
        while self._at(word.text):
            self._take()
            operand, other = self._expression(LEVELS[word.text] + 1, depth + 1)
            operands.append(operand)
            heights.append(other)
        op = cast(Literal["and", "or"], word.text)
        return Logic(op, tuple(operands), left.start, operands[-1].end), self._above(word, *heights)

    # Bounds and mistakes

    def _error(self, token: Token, message: str, help: str, code: str = "HR110") -> ExpressionError:
        return ExpressionError(message, token.start, token.end, help, code)

    def _count(self, token: Token) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"expression has more than {MAX_NODES} parts"
            raise self._error(token, message, _SPLIT_HELP, "HR111")

    def _above(self, token: Token, *heights: int) -> int:
        """Count an inner node and return its height; `token` is the place if that is too much."""
        self._count(token)
        height = max(heights) + 1
        if height > MAX_DEPTH:
            raise self._too_deep(token)
        return height

    def _too_deep(self, token: Token | None = None) -> ExpressionError:
        message = f"expression is nested deeper than {MAX_DEPTH}"
        return self._error(token or self._token, message, _SPLIT_HELP, "HR111")

    def _close(self, opening: Token, expected: str) -> Token:
        if self._at(")"):
            return self._take()
        if self._token.kind == "end":
            raise self._error(opening, "`(` is never closed", "write the `)` that is missing")
        if self._at(","):
            help = "only the arguments of a call are separated by `,`"
            raise self._error(self._token, "unexpected `,`", help)
        raise self._unexpected_operator(expected)

    def _missing(self, what: str, help: str) -> ExpressionError:
        return self._error(self._token, f"{what} is missing", help)

    def _foreign(self, token: Token) -> ExpressionError:
        message = f"there is no `{token.text}` in this language"
        return self._error(token, message, FOREIGN_HELP[token.text], "HR112")

    def _unexpected_operator(self, expected: str = "an operator such as `*`") -> ExpressionError:
        """Return what is wrong with a token that cannot follow a value."""
        token = self._token
        if token.text in FOREIGN_OPERATORS or token.text == "=":
            return self._foreign(token)
        if token.text == ")":
            return self._error(token, "`)` closes nothing", "leave it out, or write the `(`")
        if token.text == "(":
            help = "only plain names can be called; write `*` to multiply"
            return self._error(token, "a value cannot be called", help, "HR112")
        if token.text == ",":
            help = "one expression has one value; only the arguments of a call are separated by `,`"
            return self._error(token, "unexpected `,`", help)
        if token.text == "else":
            return self._error(token, "`else` without `if`", "write `a if condition else b`")
        help = f"{expected} is missing before it"
        return self._error(token, f"unexpected `{clipped(token.text)}`", help)
