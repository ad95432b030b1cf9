"""`hedgerow prove`: the claims of a spec, proved for all prices and parameters or refuted by events that break them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .json_text import json_text
from .main import DOES_NOT_HOLD, HOLDS, NOT_DECIDED
from .permit import permit as permit_option
from .prove_text import check_named, proving_progress, show
from .prove_widest import tell_widest
from .run import pairs, refuse
from .simulated import tell_simulated

if TYPE_CHECKING:
    from ..engine.load import Spec
    from ..engine.prove.certificate import Certificate
    from ..engine.prove.result import Proof
    from ..engine.prove.second import SecondOpinion

__all__ = ["command"]

LIMIT = 5.0
"""Seconds for a question where nobody says otherwise."""


@click.command("prove")
@click.argument("path", type=click.Path(path_type=Path), metavar="SPEC")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PARAM=VALUE",
    help="Prove for this value only, e.g. tau_max=30d; repeatable. Params are free within their ranges otherwise.",
)
@click.option(
    "--fill", type=click.Choice(["same", "next"]), help="Price of a fill: the mark that triggered it, or the next."
)
@click.option("--only", multiple=True, metavar="NAME", help="Decide this property only; repeatable.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    metavar="SECONDS",
    help=f"For each question to the solver.  [default: {LIMIT:g}]",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Solver processes.  [default: one a processor]"
)
@click.option("--all", "every", is_flag=True, help="Show each property and fact by itself.")
@click.option("--events", type=click.Path(path_type=Path), metavar="FOLDER", help="Write counterexamples as scripts.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the certificate, a JSON document.")
@click.option("--check", type=click.Path(path_type=Path), metavar="FILE", help="Prove again what a certificate says.")
@click.option("--widest", metavar="PARAM", help="Instead: how far this param may go with every claim proved.")
@click.option("--second-solver", "twice", is_flag=True, help="Ask each question of cvc5, too.")
@permit_option
@click.option("--json", "as_json", is_flag=True, help="Print the certificate.")
def command(
    path: Path,
    settings: tuple[str, ...],
    fill: Literal["same", "next"] | None,
    only: tuple[str, ...],
    timeout: float | None,
    workers: int | None,
    every: bool,
    events: Path | None,
    out: Path | None,
    check: Path | None,
    widest: str | None,
    twice: bool,
    permit: tuple[str, ...],
    as_json: bool,
) -> int:
    """Prove the claims of SPEC for all prices, times and params, or refute them by events.

    With --widest, find instead how far a param may go, beyond its range or short of it, with every claim proved.
    With --check, what is fixed, asked for and given as time is as in the certificate where no option says otherwise.

    Exit codes: 0 every property is proved, 1 one is refuted, the solvers disagree, or the certificate does not hold,
    2 bad input, 3 one is not decided, or not proved in all of the param's range.
    """
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.problem import RunError
    from ..engine.load import ParameterError, load
    from ..engine.prove.solvers import SolverError
    from ..engine.prove.symbols import TooManyError

    try:
        if widest is not None:
            _check_alone()
        _check_installed(twice=twice)
        _check_writable(out, events)
        from ..engine.prove.certificate import read_certificate

        given = None if check is None else read_certificate(check)
        asked = _asked(given, settings, fill, only, timeout)
        spec = load(path, permit=permit)
        if not as_json:
            tell_simulated(spec)
        if widest is not None:
            return tell_widest(
                spec, widest, fill=asked.fill, only=only, seconds=asked.limit, workers=workers, as_json=as_json
            )
        answer = _answer(spec, asked, given, workers, twice=twice, early=not as_json)
        _write(answer, out, events)
    except SpecError as error:
        if as_json:
            click.echo(json_text({"diagnostics": [found.to_json() for found in error.diagnostics]}))
        raise
    except RunError as error:
        return refuse(error, as_json=as_json)
    except ParameterError as error:
        option = "--set" if widest is None else "--widest"
        help = "the params, their ranges and their defaults are in the spec"
        return refuse(RunError("HR807", str(error), option, help), as_json=as_json)
    except SolverError as error:
        help = "try again with fewer --workers or a shorter --timeout: a solver may need much memory"
        return refuse(
            RunError("HR841", f"the solver gives no answer: {error}", "hedgerow prove", help), as_json=as_json
        )
    except TooManyError as error:
        from ..engine.prove.words import SMALLER

        refuse(RunError("HR842", f"not decided: {error}", str(path), SMALLER[0]), as_json=as_json)
        return NOT_DECIDED
    if as_json:
        click.echo(json_text(_document(answer)))
    else:
        show(
            answer.proof,
            path,
            events,
            permit=permit,
            every=every,
            second=answer.second,
            differences=answer.differences,
            said=spec.backed_claims,
        )
    return answer.code


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is proved; `limit` is in seconds a question."""

    fill: Literal["same", "next"]
    parameters: dict[str, str]
    only: tuple[str, ...]
    limit: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of it; `differences` are None where no certificate was given."""

    proof: Proof
    second: SecondOpinion | None
    made: Certificate
    differences: tuple[str, ...] | None

    @property
    def code(self) -> int:
        if self.differences or (self.second is not None and self.second.disagreements):
            return DOES_NOT_HOLD
        return {"refuted": DOES_NOT_HOLD, "not decided": NOT_DECIDED, "proved": HOLDS}[self.made.verdict]


def _asked(
    given: Certificate | None,
    settings: tuple[str, ...],
    fill: Literal["same", "next"] | None,
    only: tuple[str, ...],
    timeout: float | None,
) -> _Asked:
    parameters = pairs(settings, "--set", "k=9")
    if given is None:
        return _Asked(fill or "same", parameters, only, timeout or LIMIT)
    about = given.about
    return _Asked(fill or about.fill, parameters or dict(about.parameters), only or about.only, timeout or given.limit)


def _answer(
    spec: Spec, asked: _Asked, given: Certificate | None, workers: int | None, *, twice: bool, early: bool
) -> _Answer:
    """Prove; `early` tells on stderr, before that, how the spec is not the one of the certificate."""
    from ..engine.diagnostics import printable
    from ..engine.prove.agreement import identity_differences, proof_differences
    from ..engine.prove.certify import certificate, identity
    from ..engine.prove.prove import prove
    from ..engine.prove.second import second_opinion

    about = identity(spec, asked.fill, asked.parameters, asked.only)
    differences = [] if given is None else list(identity_differences(given.about, about))
    for told in differences if early else ():
        click.echo(f"certificate: {printable(told)}", err=True)
    with proving_progress() as progress:
        proof = prove(
            spec,
            fill=asked.fill,
            parameters=asked.parameters,
            seconds=asked.limit,
            workers=workers,
            only=asked.only,
            progress=progress,
        )
        names = [name for each in proof.results for name in (each.name, each.name.partition(".")[0])]
        check_named(asked.only, names)
        second = None
        if twice:
            second = second_opinion(proof, seconds=asked.limit, workers=workers, progress=progress)
    made = certificate(about, proof, asked.limit, second)
    if given is None:
        return _Answer(proof, second, made, None)
    return _Answer(proof, second, made, (*differences, *proof_differences(given, made)))


# --------------------------------------------------------------------------------------------------- what there must be


_WITH_WIDEST = frozenset(("path", "widest", "fill", "only", "timeout", "workers", "permit", "as_json"))


def _check_alone() -> None:
    """See that no option is given that says something of a proof and nothing of `--widest`.

    Raises:
        RunError: (HR807) one is.
    """
    from ..engine.dryrun.problem import RunError

    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
        if given and option.name not in _WITH_WIDEST:
            help = "leave it out: --fill, --only, --timeout, --workers, --permit and --json go with --widest"
            raise RunError("HR807", f"`{option.opts[0]}` does not go with --widest", option.opts[0], help)


def _check_installed(*, twice: bool) -> None:
    """See that the solvers are there, without loading them: they run in processes of their own.

    Raises:
        RunError: (HR809) one is not.
    """
    from ..engine.dryrun.problem import RunError

    if importlib.util.find_spec("z3") is None:
        help = "install the extra: pip install 'hedgerow[prove]'"
        raise RunError("HR809", "a proof needs `z3-solver`, which is not installed", "hedgerow prove", help)
    if twice and importlib.util.find_spec("cvc5") is None:
        message = "a second opinion needs `cvc5`, which is not installed"
        raise RunError("HR809", message, "--second-solver", "install it: pip install cvc5")


def _check_writable(out: Path | None, events: Path | None) -> None:
    """Make the folder of events and see that the certificate has one, so that a long proof does not end without a place.

    Raises:
        RunError: (HR808) they cannot be.
    """
    from ..engine.dryrun.problem import RunError

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        told = "this is a folder, not a file" if out.is_dir() else "there is no folder to write it in"
        raise RunError("HR808", told, str(out), "name a file in a folder that is there")
    if events is not None:
        from ..engine.studies.folder import check_folder

        check_folder(events)


# ----------------------------------------------------------------------------------------------------------- what is said


def _write(answer: _Answer, out: Path | None, events: Path | None) -> None:
    from ..engine.diagnostics import reason_of
    from ..engine.dryrun.problem import RunError
    from ..engine.prove.certify import certificate_text
    from ..engine.prove.text import script_name

    texts = {} if out is None else {out: certificate_text(answer.made)}
    if events is not None:
        for result in answer.proof.results:
            if result.verdict == "refuted" and result.counterexample is not None:
                texts[events / script_name(result)] = result.counterexample.script
    for file, text in texts.items():
        try:
            draft = file.with_name(f".{file.name}.draft")
            draft.write_text(text, encoding="utf-8", newline="\n")
            draft.replace(file)
        except OSError as error:
            reason = reason_of(error)
            raise RunError("HR808", f"it cannot be written: {reason}", str(file), "name another place") from None


def _document(answer: _Answer) -> dict[str, Any]:
    made = answer.made.model_dump(mode="json")
    return made if answer.differences is None else {"differences": list(answer.differences), "proof": made}
