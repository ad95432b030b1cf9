"""The value of an expression whose leaves are symbols, and the condition under which it has one."""

from __future__ import annotations

from ..evaluate import Environment, Failure
from ..ir import Expr, Type
from .symbols import Explorer

__all__ = ["Values"]

_REASONS = {
    "div": "division by zero",
    "sqrt": "the square root of a negative number",
    "due": "a delay below 0",
}


class Values:
    """Evaluates expressions to expressions."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.algebra = explorer.algebra

    def of(self, expr: Expr, env: Environment) -> Expr:
        """Return the value.

        Raises:
            Failure: on the path that is followed it has none.
        """
        value, defined = self.both(expr, env)
        if not self.explorer.decide(defined):
            raise Failure(" or ".join(dict.fromkeys(self._reasons(expr))))
        return value

    def holding(self, claim: Expr, env: Environment) -> Expr:
        """Return the condition under which a claim has a value and holds."""
        value, defined = self.both(claim, env)
        return self.algebra.all_of(defined, value)

    def _reasons(self, expr: Expr) -> list[str]:
        return [_REASONS.get(node.op, node.name) for node in expr.walk() if node.op in _REASONS or node.op == "given"]

    def both(self, expr: Expr, env: Environment) -> tuple[Expr, Expr]:
        """Return the value, and the condition under which there is one."""
        algebra = self.algebra
        found: dict[int, tuple[Expr, Expr]] = {}
        for node in expr.walk():
            args = [found[id(argument)] for argument in node.args]
            if not args:
                found[id(node)] = self._leaf(node, env), algebra.true
                continue
            values = tuple(value for value, _ in args)
            defined = algebra.all_of(*(each for _, each in args))
            a = values[0]
            match node.op:
                case "and":
                    defined = algebra.all_of(args[0][1], algebra.implies(a, args[1][1]))
                case "or":
                    defined = algebra.all_of(args[0][1], algebra.any_of(a, args[1][1]))
                case "select":
                    defined = algebra.all_of(args[0][1], algebra.choice(a, args[1][1], args[2][1]))
                case "given":
                    # What it guards is asked for only where it holds.
                    found[id(node)] = values[1], algebra.all_of(args[0][1], a, algebra.implies(a, args[1][1]))
                    continue
                case "div":
                    zero = algebra.constant(0, values[1].type)
                    defined = algebra.all_of(defined, algebra.make("ne", (values[1], zero), "bool"))
                case "sqrt":
                    zero = algebra.constant(0, "real")
                    defined = algebra.all_of(defined, algebra.make("ge", (a, zero), "bool"))
                case "due":
                    zero = algebra.constant(0, "real")
                    defined = algebra.all_of(defined, algebra.make("ge", (values[1], zero), "bool"))
            found[id(node)] = algebra.make(node.op, values, node.type), defined
        return found[id(expr)]

    def _leaf(self, node: Expr, env: Environment) -> Expr:
        type: Type = node.type
        match node.op:
            case "const":
                assert node.value is not None
                return self.algebra.constant(node.value, type)
            case "param":
                return self.explorer.lift(env.parameters[node.name], type)
            case "cell":
                return self.explorer.lift(env.cells[node.name], type)
            case "before":
                return self.explorer.lift(env.before[node.name], type)
            case "field":
                return self.explorer.lift(env.fields[node.name], type)
            case "temp":
                return self.explorer.lift(env.temps[node.name], type)
            case "now":
                return self.explorer.lift(env.now, type)
            case "person":
                return self.explorer.lift(env.person, type)
            case "active":
                return self.algebra.constant(node.name in env.active, "bool")
            case "was":
                return self.algebra.constant(node.name in env.was, "bool")
            case "ordered":
                return self.algebra.constant(any(leg.startswith(node.name) for leg in env.ordered), "bool")
        raise AssertionError(node.op)
