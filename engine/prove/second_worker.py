"""A process that answers questions with cvc5: one JSON object a line, in and out, as `worker` does with Z3.

{"script": "(declare-const …", "strategies": ["cvc5"], "seconds": 5, "model": false, "effort": null}
{"verdict": "unsat", "solver": "cvc5", "seconds": 0.002, "model": null}
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import cvc5  # type: ignore[import-untyped]  # it ships no types

__all__: list[str] = []

_LOGIC = "(set-logic QF_NRA)\n"
"""Polynomials over the reals, without quantifiers: all that `smt` writes."""


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        verdict = _verdict(question["script"], question["seconds"])
    except RuntimeError as error:  # how cvc5 says that it cannot read a script
        return {"verdict": "error", "solver": "cvc5", "seconds": 0.0, "model": None, "reason": str(error)[:500]}
    return {"verdict": verdict, "solver": "cvc5", "seconds": time.perf_counter() - began, "model": None}


def _verdict(script: str, seconds: float) -> str:
    solver = cvc5.Solver()
    solver.setOption("tlimit-per", str(max(1, int(1000 * seconds))))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, f"{_LOGIC}{script}", "question")
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        command.invoke(solver, symbols)
    answer = solver.checkSat()
    return "sat" if answer.isSat() else "unsat" if answer.isUnsat() else "unknown"


def _serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
