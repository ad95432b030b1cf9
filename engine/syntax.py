"""The syntax tree of an expression: its nodes, a walk over them, and their text.

Nodes are equal when they say the same thing, wherever they stand: `start` and `end`, the offsets in the text
of the expression, brackets around the node included, take no part in a comparison. Tell places apart
by identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from enum import IntEnum
from fractions import Fraction
from typing import Literal

from .record import Record

__all__ = [
    "DESK",
    "LEVELS",
    "ArithmeticOperator",
    "Binary",
    "Call",
    "Choice",
    "Compare",
    "CompareOperator",
    "Level",
    "Logic",
    "Name",
    "Node",
    "Number",
    "Power",
    "Truth",
    "Unary",
    "children",
    "to_text",
    "walk",
]

DESK = "desk"
"""What stands before the names by which a check asks for all legs whose orders its gate judges, see `engine.desk`."""

ArithmeticOperator = Literal["+", "-", "*", "/"]
CompareOperator = Literal["<", "<=", ">", ">=", "==", "!="]


class Number(Record):
    """A literal ≥ 0: `30d` is 2,592,000 of unit `s`, `5 USD` is 5 of unit `USD`, a bare one has none."""

    value: Fraction
    unit: str | None
    text: str = field(compare=False)
    start: int = field(compare=False)
    end: int = field(compare=False)


class Truth(Record):
    """`true` or `false`."""

    value: bool
    start: int = field(compare=False)
    end: int = field(compare=False)


class Name(Record):
    """A dotted name of a few parts: `price`, `before.long.quantity`."""

    path: tuple[str, ...]
    start: int = field(compare=False)
    end: int = field(compare=False)


class Unary(Record):
    """`-operand` or `not operand`."""

    op: Literal["-", "not"]
    operand: Node
    start: int = field(compare=False)
    end: int = field(compare=False)


class Binary(Record):
    """`left op right` with op one of `+ - * /`."""

    op: ArithmeticOperator
    left: Node
    right: Node
    start: int = field(compare=False)
    end: int = field(compare=False)


class Power(Record):
    """`base ** exponent`, the exponent a literal from 1 to 8."""

    base: Node
    exponent: int
    start: int = field(compare=False)
    end: int = field(compare=False)


class Compare(Record):
    """A chain: `a < b <= c` has three operands and two ops, and holds where each neighbouring pair does."""

    operands: tuple[Node, ...]
    ops: tuple[CompareOperator, ...]
    start: int = field(compare=False)
    end: int = field(compare=False)


class Logic(Record):
    """Two or more operands joined by one word."""

    op: Literal["and", "or"]
    operands: tuple[Node, ...]
    start: int = field(compare=False)
    end: int = field(compare=False)


class Choice(Record):
    """`then if condition else otherwise`."""

    then: Node
    condition: Node
    otherwise: Node
    start: int = field(compare=False)
    end: int = field(compare=False)


class Call(Record):
    """`function(arguments, keyword=argument)`; `name_end` is the offset after the function's name."""

    function: str
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...]
    name_end: int = field(compare=False)
    start: int = field(compare=False)
    end: int = field(compare=False)


Node = Number | Truth | Name | Unary | Binary | Power | Compare | Logic | Choice | Call


def children(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node, in the order of the text."""
    match node:
        case Number() | Truth() | Name():
            return ()
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Power():
            return (node.base,)
        case Compare() | Logic():
            return node.operands
        case Choice():
            return (node.then, node.condition, node.otherwise)
        case Call():
            return (*node.arguments, *(argument for _, argument in node.keywords))


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it, each before its operands."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


class Level(IntEnum):
    """How tightly an operator binds; Python's order."""

    CHOICE = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARE = 4
    SUM = 5
    PRODUCT = 6
    NEGATE = 7
    POWER = 8
    ATOM = 9


LEVELS: dict[str, Level] = {
    "or": Level.OR,
    "and": Level.AND,
    "+": Level.SUM,
    "-": Level.SUM,
    "*": Level.PRODUCT,
    "/": Level.PRODUCT,
}
"""The level of each operator that joins two operands or more; comparisons are all at `Level.COMPARE`."""


def to_text(node: Node) -> str:
    """Return the node as text with the fewest brackets: `parse(to_text(node)) == node`."""
    return _print(node, Level.CHOICE)


def _print(node: Node, level: int) -> str:
    match node:
        case Number():
            return node.text
        case Truth():
            return "true" if node.value else "false"
        case Name():
            return ".".join(node.path)
        case Unary(op="not"):
            own, text = Level.NOT, "not " + _print(node.operand, Level.NOT)
        case Unary():
            own, text = Level.NEGATE, "-" + _print(node.operand, Level.NEGATE)
        case Binary():
            own = LEVELS[node.op]
            text = f"{_print(node.left, own)} {node.op} {_print(node.right, own + 1)}"
        case Power():
            own, text = Level.POWER, f"{_print(node.base, Level.ATOM)} ** {node.exponent}"
        case Compare():
            own = Level.COMPARE
            parts = [_print(node.operands[0], Level.SUM)]
            for op, operand in zip(node.ops, node.operands[1:], strict=True):
                parts += [op, _print(operand, Level.SUM)]
            text = " ".join(parts)
        case Logic():
            own = LEVELS[node.op]
            text = f" {node.op} ".join(_print(operand, own + 1) for operand in node.operands)
        case Choice():
            own = Level.CHOICE
            then, condition = _print(node.then, Level.OR), _print(node.condition, Level.OR)
            text = f"{then} if {condition} else {_print(node.otherwise, Level.CHOICE)}"
        case Call():
            arguments = [_print(argument, Level.CHOICE) for argument in node.arguments]
            arguments += [f"{name}={_print(argument, Level.CHOICE)}" for name, argument in node.keywords]
            return f"{node.function}({', '.join(arguments)})"
    return text if own >= level else f"({text})"
