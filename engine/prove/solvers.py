"""Questions to solvers, in parallel processes, each with a limit; the same question is asked once.

A question is a script of SMT-LIB 2: can all that it asserts hold together? `unsat` answers no, and that is a proof; `sat`
answers yes, with values; `unknown` is no answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Literal

from ..processes import processors

__all__ = ["Answer", "Question", "SolverError", "Solvers", "solver_version"]

Verdict = Literal["sat", "unsat", "unknown"]
_PATIENCE = 2.0
"""A worker that takes longer than this many times its limit is ended."""
_AT_ONCE = 2
"""Workers that are started before there is a question: loading the solver takes as long as dozens of answers."""


class SolverError(Exception):
    """The solver is not installed, or does not start, or does not understand."""


@dataclass(frozen=True, slots=True)
class Question:
    """A script, and how long each strategy may take for it, in seconds; `model` asks for values.

    `effort` limits each strategy besides, in the solver's own count of what it does, which is the same on every machine.
    """

    script: str
    seconds: float
    strategies: tuple[str, ...] = ("nlsat", "default")
    model: bool = False
    effort: int | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: by which strategy and after how many seconds; `model` maps symbols to values."""

    verdict: Verdict
    solver: str
    seconds: float
    model: dict[str, Fraction | bool] | None = None


def solver_version() -> str:
    """Return the name and version of the solver.

    Raises:
        SolverError: it is not installed.
    """
    from importlib import metadata

    try:
        return f"z3 {metadata.version('z3-solver')}"
    except metadata.PackageNotFoundError:
        raise SolverError("`z3-solver` is not installed") from None


class Solvers:
    """Worker processes that answer questions; use it in a `with` statement."""

    module = ".worker"
    """What a worker runs, in this package."""

    def __init__(self, workers: int | None) -> None:
        """Take how many processes ask; None is one a processor."""
        self.workers = max(1, processors() if workers is None else workers)
        self.asked = 0
        """Questions that went to a worker."""
        self._decided: dict[tuple[str, bool], Answer] = {}
        """Answers to scripts, without values and with them: they hold whatever the limits were."""
        self._undecided: dict[Question, Answer] = {}
        self._idle: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Solvers:
        self._idle += (self._started() for _ in range(min(self.workers, _AT_ONCE)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end_all(self._idle)
        self._idle.clear()

    @property
    def scripts(self) -> dict[str, str]:
        """Every script that was asked, by its SHA-256."""
        asked = (*(script for script, _ in self._decided), *(each.script for each in self._undecided))
        return {hashlib.sha256(script.encode()).hexdigest(): script for script in dict.fromkeys(asked)}

    def ask(self, question: Question) -> Answer:
        """Return the answer to one question."""
        return self.ask_all([question])[0]

    def ask_all(self, questions: Sequence[Question]) -> list[Answer]:
        """Return the answers to questions, in their order.

        Raises:
            SolverError: a worker does not start, or a script is not understood.
        """
        new = dict.fromkeys(each for each in questions if self._known(each) is None)
        for question, answer in self._answers(list(new)):
            self._keep(question, answer)
        found = map(self._known, questions)
        return [each for each in found if each is not None]

    def _known(self, question: Question) -> Answer | None:
        return self._decided.get((question.script, question.model)) or self._undecided.get(question)

    def _keep(self, question: Question, answer: Answer) -> None:
        if answer.verdict == "unknown":
            self._undecided[question] = answer
            return
        self._decided[question.script, question.model] = answer
        if question.model or answer.verdict == "unsat":  # which answers the other question, too
            self._decided[question.script, not question.model] = answer

    def _answers(self, questions: Sequence[Question]) -> Iterator[tuple[Question, Answer]]:
        waiting = list(reversed(questions))
        busy: dict[subprocess.Popen[str], tuple[Question, float]] = {}
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            stack.callback(lambda: _end_all(busy))
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    question = waiting.pop()
                    worker = self._worker()
                    self._send(worker, question)
                    most = _PATIENCE * question.seconds * len(question.strategies) + _PATIENCE
                    busy[worker] = question, time.monotonic() + most
                    selector.register(worker.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]  # a pipe
                first = min(deadline for _, deadline in busy.values())
                ready = [each.data for each, _ in selector.select(max(0.0, first - time.monotonic()))]
                late = [worker for worker, (_, deadline) in busy.items() if deadline < time.monotonic()]
                for worker in dict.fromkeys((*ready, *late)):
                    selector.unregister(worker.stdout)
                    question, _ = busy.pop(worker)
                    if worker not in ready:
                        _end(worker)
                        yield question, Answer("unknown", "", _PATIENCE * question.seconds)
                        continue
                    try:
                        answer = _received(worker)
                    except SolverError:
                        _end(worker)
                        raise
                    self._idle.append(worker)
                    yield question, answer

    def _worker(self) -> subprocess.Popen[str]:
        return self._idle.pop() if self._idle else self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", f"{__package__}{self.module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
        )

    def _send(self, worker: subprocess.Popen[str], question: Question) -> None:
        self.asked += 1
        body = {
            "script": question.script,
            "strategies": question.strategies,
            "seconds": question.seconds,
            "model": question.model,
            "effort": question.effort,
        }
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # reading from it then says what is wrong
            worker.stdin.write(json.dumps(body) + "\n")
            worker.stdin.flush()


def _received(worker: subprocess.Popen[str]) -> Answer:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise SolverError(f"the solver has stopped with exit code {worker.wait()}")
    body: dict[str, Any] = json.loads(line)
    if body["verdict"] == "error":
        raise SolverError(f"the solver does not understand: {body['reason']}")
    model = body["model"]
    values = None if model is None else dict(_values(model.items()))
    return Answer(body["verdict"], body["solver"], body["seconds"], values)


def _values(model: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Fraction | bool]]:
    for name, text in model:
        yield name, text == "true" if text in ("true", "false") else Fraction(text)


def _end_all(workers: Iterable[subprocess.Popen[str]]) -> None:
    for worker in workers:
        _end(worker)


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
