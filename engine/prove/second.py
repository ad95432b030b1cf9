"""A second opinion: every question of a proof asked again of cvc5, which shares no code with Z3.

An answer against that of the first solver means that one of the two is wrong, and then nothing is proved. No answer is no
opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .result import Proof
from .solvers import Question, SolverError, Solvers

__all__ = ["Disagreement", "SecondOpinion", "second_opinion", "second_version"]

_AT_ONCE = 256
"""Questions that are sent together; what is told of the progress comes between."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question that one solver answers with `sat` and the other with `unsat`; `sha256` is that of the script."""

    property: str
    place: str
    sha256: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What the second solver says of the questions of a proof, each counted once.

    `agreed` have the same answer from both, `silent` one from the first only, `alone` one from the second only, `open` from
    neither. `seconds` is the time that the second took, summed over its processes.
    """

    solver: str
    agreed: int
    silent: int
    alone: int
    open: int
    seconds: float
    disagreements: tuple[Disagreement, ...]

    @property
    def asked(self) -> int:
        return self.agreed + self.silent + self.alone + self.open + len(self.disagreements)


def second_version() -> str:
    """Return the name and version of the second solver.

    Raises:
        SolverError: it is not installed.
    """
    from importlib import metadata

    try:
        return f"cvc5 {metadata.version('cvc5')}"
    except metadata.PackageNotFoundError:
        raise SolverError("`cvc5` is not installed") from None


def second_opinion(
    proof: Proof, *, seconds: float, workers: int | None = None, progress: Callable[[str], None] | None = None
) -> SecondOpinion:
    """Ask every question of a proof again.

    Args:
        proof: has the scripts of its obligations and grounds.
        seconds: what each question may take, > 0.
        workers: processes, ≥ 1; one a processor where it is left out.
        progress: told how far it is.

    Raises:
        SolverError: cvc5 is not installed, does not start, or does not understand a script.
    """
    solver = second_version()
    asked = list(_asked(proof).items())
    counts = {"agreed": 0, "silent": 0, "alone": 0, "open": 0}
    disagreements, spent = [], 0.0
    with _Second(workers) as solvers:
        for start in range(0, len(asked), _AT_ONCE):
            if progress is not None:
                progress(f"{solver}: {start:,} of {len(asked):,} questions")
            part = asked[start : start + _AT_ONCE]
            answers = solvers.ask_all([Question(proof.scripts[sha256], seconds, ("cvc5",)) for sha256, _ in part])
            for (sha256, (owner, place, first)), answer in zip(part, answers, strict=True):
                spent += answer.seconds
                if (kind := _kind(first, answer.verdict)) is None:
                    disagreements.append(Disagreement(owner, place, sha256, first, answer.verdict))
                else:
                    counts[kind] += 1
    return SecondOpinion(solver, **counts, seconds=spent, disagreements=tuple(disagreements))


def _kind(first: str, second: str) -> str | None:
    if first == second:
        return "open" if first == "unknown" else "agreed"
    return "silent" if second == "unknown" else "alone" if first == "unknown" else None


def _asked(proof: Proof) -> dict[str, tuple[str, str, str]]:
    """Return SHA-256 → (property, place, answer) of each question; one that was answered counts before one that was not."""
    found: dict[str, tuple[str, str, str]] = {}
    for owner, place, sha256, verdict in _every(proof):
        if sha256 and (sha256 not in found or found[sha256][2] == "unknown"):
            found[sha256] = owner, place, verdict
    return found


def _every(proof: Proof) -> Iterator[tuple[str, str, str, str]]:
    for each in proof.grounds:
        yield "what all rests on", each.place, each.sha256, each.verdict
    for result in proof.results:
        for each in result.obligations:
            yield result.name, each.place, each.sha256, each.verdict


class _Second(Solvers):
    """Worker processes that answer with cvc5; the limits, and ending what does not heed them, are those of the first."""

    module = ".second_worker"
