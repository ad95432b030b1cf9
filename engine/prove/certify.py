"""From a proof to its certificate: what it is about, what was asked, what came of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from ... import __version__
from ..ir import Value
from ..script_time import show_time
from .certificate import (
    FORMAT,
    Certificate,
    CounterexampleShape,
    EventShape,
    FileShape,
    Identity,
    ObligationShape,
    PropertyShape,
    SecondShape,
)
from .result import Counterexample, Obligation, Proof, Result
from .second import SecondOpinion
from .solvers import solver_version

if TYPE_CHECKING:
    from ..load import Spec

__all__ = ["ELSEWHERE", "certificate", "certificate_text", "engine_sha256", "identity"]

ELSEWHERE = frozenset(("dryrun", "studies", "sweep"))
"""Folders of the engine that no proof depends on; a new folder is part of the engine's hash until it is named here."""


def identity(
    spec: Spec, fill: Literal["same", "next"], parameters: Mapping[str, str], only: tuple[str, ...]
) -> Identity:
    """Return what names a proof before it is made.

    Args:
        spec: the loaded spec.
        fill: the mark that orders are filled at.
        parameters: those that are fixed, as texts with units.
        only: names of properties; empty for all.

    Raises:
        SolverError: the solver is not installed.
    """
    folder = os.path.dirname(spec.file)  # noqa: PTH120 - `<text>` is no path, and a spec in memory has that name
    return Identity(
        name=spec.name,
        files=tuple(
            FileShape(file=_seen_from(folder, file), sha256=hashlib.sha256(text.encode()).hexdigest())
            for file, text in spec.sources.items()
        ),
        program=spec.bind({}, fill=fill).digest,
        fill=fill,
        parameters=dict(sorted(parameters.items())),
        only=tuple(sorted(set(only))),
        version=__version__,
        engine=engine_sha256(),
        solver=solver_version(),
    )


def certificate(about: Identity, proof: Proof, limit: float, second: SecondOpinion | None = None) -> Certificate:
    """Return the certificate of a proof; `limit` is what each question was given, in seconds."""
    verdict = proof.verdict
    assert verdict != "noted"
    return Certificate(
        format=FORMAT,
        about=about,
        verdict=verdict,
        limit=limit,
        seconds=_rounded(proof.seconds),
        outcomes=proof.outcomes,
        questions=proof.questions,
        properties=tuple(_property(result) for result in proof.results),
        # What the form of a fact shows is no question, and there is nothing else to say of it.
        grounds=_obligations(tuple(each for each in proof.grounds if each.sha256)),
        facts=tuple(sorted(proof.facts)),
        assumed=proof.assumed,
        unproved=proof.unproved,
        second=None if second is None else _second(second),
    )


def certificate_text(made: Certificate) -> str:
    """Return a certificate as it is written: ASCII, sorted keys, two spaces, one line feed at the end."""
    document = made.model_dump(mode="json")
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def engine_sha256() -> str:
    """Return the hash of what proves: every source file of the engine but those that no proof depends on."""
    root = Path(__file__).parent.parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root)
        if name.parts[0] not in ELSEWHERE:
            text = path.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{name.as_posix()} {hashlib.sha256(text).hexdigest()}\n".encode())
    return found.hexdigest()


def _property(result: Result) -> PropertyShape:
    found = result.counterexample
    return PropertyShape(
        code=result.code,
        kind=result.kind,
        name=result.name,
        words=result.words,
        verdict=result.verdict,
        because=result.because,
        help=result.help,
        opaque=result.opaque,
        obligations=_obligations(result.obligations),
        counterexample=None if found is None else _counterexample(found),
    )


def _counterexample(found: Counterexample) -> CounterexampleShape:
    return CounterexampleShape(
        parameters={name: _exact(value) for name, value in found.parameters.items()},
        events=tuple(
            EventShape(event=sent.event, time=show_time(sent.time_ns), values=tuple(map(_exact, sent.values)))
            for sent in found.events
        ),
        script=found.script,
    )


def _obligations(obligations: tuple[Obligation, ...]) -> tuple[ObligationShape, ...]:
    """Return obligations in an order of their own, whichever answer came first."""
    return tuple(
        ObligationShape(
            place=each.place,
            sha256=each.sha256,
            verdict=each.verdict,
            solver=each.solver,
            seconds=_rounded(each.seconds),
        )
        for each in sorted(obligations, key=lambda each: (each.place, each.sha256, each.verdict))
    )


def _second(second: SecondOpinion) -> SecondShape:
    return SecondShape(
        solver=second.solver,
        agreed=second.agreed,
        silent=second.silent,
        alone=second.alone,
        open=second.open,
        disagreements=tuple(sorted(each.sha256 for each in second.disagreements)),
        seconds=_rounded(second.seconds),
    )


def _seen_from(folder: str, file: str) -> str:
    return PurePath(os.path.relpath(file, folder or ".")).as_posix()


def _exact(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
