"""A process that answers questions with Z3: one JSON object a line, in and out.

    {"script": "(declare-const …", "strategies": ["nlsat", "default"], "seconds": 5, "model": false, "effort": null}
    {"verdict": "unsat", "solver": "nlsat", "seconds": 0.002, "model": null}

It is a process so that a question that does not heed its limit can be ended from outside.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from typing import Any

import z3  # type: ignore[import-untyped]  # it ships no types

__all__: list[str] = []

_DIGITS = 30
"""Decimal digits to which an irrational number of a model is given."""
_NLSAT = z3.Tactic("qfnra-nlsat")


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    verdict, used, model = "unknown", "", None
    for strategy in question["strategies"]:
        solver = _NLSAT.solver() if strategy == "nlsat" else z3.Solver()
        solver.set("timeout", max(1, int(1000 * question["seconds"])))
        if question["effort"] is not None:
            solver.set("rlimit", question["effort"])
        used = strategy
        try:
            solver.from_string(question["script"])
            verdict = str(solver.check())
        except z3.Z3Exception as error:
            return {"verdict": "error", "solver": used, "seconds": 0.0, "model": None, "reason": str(error)[:500]}
        if verdict != "unknown":
            if verdict == "sat" and question["model"]:
                model = _model(solver.model())
            break
    return {"verdict": verdict, "solver": used, "seconds": time.perf_counter() - began, "model": model}


def _model(model: Any) -> dict[str, str]:
    """Return the values of the symbols: fractions as `n/d`, truth values as `true` and `false`."""
    found = {}
    for each in model.decls():
        value = model[each]
        if z3.is_algebraic_value(value):
            value = value.approx(_DIGITS)
        if z3.is_rational_value(value):
            found[each.name()] = str(Fraction(value.numerator_as_long(), value.denominator_as_long()))
        elif z3.is_bool(value):
            found[each.name()] = "true" if z3.is_true(value) else "false"
    return found


def _serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
