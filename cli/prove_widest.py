"""`hedgerow prove --widest PARAM`: how far a param may go with every claim proved, on the terminal or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import click

from .json_text import json_text
from .main import HOLDS, NOT_DECIDED
from .prove_text import check_named, proving_progress

if TYPE_CHECKING:
    from ..engine.load import Spec
    from ..engine.prove.widest import End, Widest

__all__ = ["tell_widest"]


def tell_widest(
    spec: Spec,
    parameter: str,
    *,
    fill: Literal["same", "next"],
    only: tuple[str, ...],
    seconds: float,
    workers: int | None,
    as_json: bool,
) -> int:
    """Find and print the widest range; return 0 where it holds all of the declared one, 3 where it does not.

    Raises:
        ParameterError: it is no param with a range.
        RunError: (HR807) a name in `only` is none of a claim.
        SolverError: the solver gives no answer.
        TooManyError: the spec has more outcomes than are followed.
    """
    from ..engine.prove.widest import NotProvedError, widest

    try:
        with proving_progress() as progress:
            found = widest(spec, parameter, fill=fill, only=only, seconds=seconds, workers=workers, progress=progress)
    except NotProvedError as error:
        click.echo(json_text({"parameter": parameter, "not_proved": str(error)}) if as_json else f"not proved: {error}")
        return NOT_DECIDED
    check_named(only, found.claims)
    declared = next(each for each in spec.program(fill).parameters if each.name == parameter)
    beyond = _beyond(found, declared.low, declared.high)
    if as_json:
        ends = {"low": _end(found.low), "high": _end(found.high)}
        about = {"parameter": found.parameter, "unit": found.unit, "claims": found.claims, "tried": found.tried}
        click.echo(json_text({**about, **ends, "declared_is_proved": not beyond}))
    else:
        for line in _lines(found, beyond):
            click.echo(line)
    return NOT_DECIDED if beyond else HOLDS


def _beyond(found: Widest, low: Fraction | int | None, high: Fraction | int | None) -> tuple[str, ...]:
    """Return the ends at which the declared range goes beyond the one that was found."""
    ends = []
    if found.low.bound is not None and (low is None or low < found.low.bound):
        ends.append("below")
    if found.high.bound is not None and (high is None or high > found.high.bound):
        ends.append("above")
    return tuple(ends)


def _lines(found: Widest, beyond: tuple[str, ...]) -> Iterator[str]:
    low, high = found.low.bound, found.high.bound
    if low is None and high is None:
        span = "every value"
    elif low is None:
        span = f"every value up to {_value(found, high)}"
    elif high is None:
        span = f"every value from {_value(found, low)}"
    else:
        span = f"every value from {_value(found, low)} to {_value(found, high)}"
    claims = "1 claim is" if len(found.claims) == 1 else f"{len(found.claims)} claims are"
    yield f"{click.style(found.parameter, bold=True)}: {claims} proved for {span}"
    for where, end in (("below", found.low), ("above", found.high)):
        if end.beyond is not None:
            names = ", ".join(f"`{name}`" for name in end.broken)
            yield f"  {where} it, as for {_value(found, end.beyond)}, not proved: {names}"
    if beyond:
        yield click.style(f"  the declared range goes beyond it, {' and '.join(beyond)}", fg="magenta")
    else:
        yield click.style("  all of the declared range is in it", fg="green")
    yield f"  {found.tried} ranges were tried"


def _value(found: Widest, value: Fraction | None) -> str:
    assert value is not None
    unit = {"1": "", "s": "s"}.get(found.unit, f" {found.unit}")
    return f"{float(value):.6g}{unit}"


def _end(end: End) -> dict[str, Any]:
    """Return an end with its values as exact fractions; None where there is none."""
    exact = {"bound": end.bound, "beyond": end.beyond}
    return {**{key: None if value is None else str(value) for key, value in exact.items()}, "broken": end.broken}
