"""A process that answers for bound functions, see `isolation`: a line of JSON and the bytes of arrays in, a line out.

What the functions themselves print goes to the standard error; answers have a pipe of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, BinaryIO

from .pipes import taken_over

__all__: list[str] = []

_GRACE_S = 1.0
"""How long after its deadline a call is ended by this process itself, should nobody else do so."""
_LONGEST = 500
"""Letters of an error, or of a text, that are told."""

_functions: dict[str, Callable[..., Any] | Exception] = {}


def _serve(questions: BinaryIO, answers: int) -> None:
    while line := questions.readline():
        question = json.loads(line)
        if "path" in question:
            sys.path[:] = question["path"]
            if question["arrays"]:
                import_module("numpy")  # while nobody waits
            _import(question["target"])
            answer = {"id": question["id"], "target": question["target"]}
        else:
            answer = {"id": question["id"], **_answered(question, _arrays(question["arrays"], questions))}
        os.write(answers, _line(answer))


def _import(target: str) -> None:
    """Import a function, or keep why it cannot be."""
    module, _, name = target.partition(":")
    try:
        _functions[target] = getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # other people's code: what it raises is the answer
        _functions[target] = ImportError(f"it cannot be imported from `{target}`: {error}")


def _arrays(lengths: Mapping[str, int], questions: BinaryIO) -> dict[str, Any]:
    found = {}
    for name, length in lengths.items():
        import numpy

        found[name] = numpy.frombuffer(questions.read(8 * length), dtype=numpy.float64)
    return found


def _answered(question: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    _set_alarm(question["deadline_ns"] / 1e9 + _GRACE_S)
    try:
        function = _functions[question["target"]]
        if isinstance(function, Exception):
            raise function
        returned = function(**question["arguments"], **arrays)
        return {"returned": {field: _plain(returned, field) for field in question["fields"]}}
    except (Exception, SystemExit) as error:  # noqa: BLE001  # other people's code: what it raises is the answer
        return {"raised": str(error)[:_LONGEST]}
    finally:
        _set_alarm(0)


def _plain(returned: object, field: str) -> object:
    """Return a field of what a function returned as a plain value; what is none comes as text in a list."""
    value: Any = getattr(returned, field, None) if field else returned
    if hasattr(value, "item") and not isinstance(value, (bool, int, float)):
        value = value.item()
    if isinstance(value, str):
        return value[:_LONGEST]
    return value if value is None or isinstance(value, (bool, int, float)) else [repr(value)[:60]]


def _line(answer: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(answer).encode() + b"\n"
    except (ValueError, RecursionError) as error:
        return json.dumps({"id": answer["id"], "raised": str(error)[:_LONGEST]}).encode() + b"\n"


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _main() -> None:
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # whoever started this may have ignored it
    questions, answers = taken_over()
    with contextlib.suppress(BrokenPipeError):  # nobody is there any more to hear the answer
        _serve(questions, answers)


if __name__ == "__main__":
    _main()
