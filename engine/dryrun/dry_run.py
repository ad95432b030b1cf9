"""One dry run, from a checked spec and the name of some data to a summary and a trace."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ..compose import raised_by
from ..diagnostics import suggestion
from ..ir import Event, FillMode
from ..load import Spec
from .beside import beside
from .data import Data, Window
from .problem import RunError
from .stress import open_run
from .subject import Subject, compiled_for, subject_of
from .summary import summarise
from .trace import Trace, record

if TYPE_CHECKING:
    from ..script import Script

__all__ = ["DryRun", "dry_run", "event_of"]


@dataclass(frozen=True)
class DryRun:
    """A finished run: what it was of, what it did, and what to tell about it."""

    subject: Subject
    trace: Trace
    summary: dict[str, Any]

    @property
    def held(self) -> bool:
        """Whether every invariant held on every event."""
        return not self.trace.broken


def event_of(spec: Spec, name: str | None) -> Event:
    """Return the event that the rows of the data are.

    Args:
        spec: a checked spec.
        name: the event's name, or None where the spec has one event with fields only, besides those that it raises.

    Raises:
        RunError: no such event, or none or several to choose from.
    """
    program = spec.program()
    # No data bring people.
    events = {event.name: event for event in program.events if event.fields and event.person is None}
    if name is None:
        raised = {each for each, _ in raised_by(program)}
        fed = [event for event in events.values() if event.name not in raised] or list(events.values())
        if len(fed) == 1:
            return fed[0]
        known = ", ".join(f"`{each}`" for each in events)
        message = "the spec has several events with fields" if events else "the spec has no event with fields"
        help = f"write --event with one of {known}" if events else "a dry run needs an event that data can feed"
        raise RunError("HR807", message, "--event", help)
    if name not in events:
        help = suggestion(
            name,
            events,
            "the events with fields are " + (", ".join(f"`{each}`" for each in events) or "none"),
        )
        raise RunError("HR807", f"the spec has no event `{name}` with fields", "--event", help)
    return events[name]


def dry_run(
    spec: Spec,
    source: str | None,
    *,
    stress: str | None = None,
    event: str | None = None,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    fill: FillMode | None = None,
    parameters: Mapping[str, str] | None = None,
    permitted: tuple[str, ...] = (),
    skip_bad: bool = False,
    seed: int = 0,
    script: Script | None = None,
    progress: Callable[[float], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> DryRun:
    """Run a spec over recorded data.

    Args:
        spec: a checked spec.
        source: `sp500`, `nasdaq`, `wti`, `vix`, a scenario, or a CSV or Parquet file; None only with a stress, which then
            is all of the data.
        stress: a crash to lay over the data, or a stretch of them, such as `1987` or `2008`; see `read_stress`.
        event: what a row is; None where the spec has one event with fields.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep; None keeps all.
        fill: None takes `next` for bars and `same` for ticks.
        parameters: name → a constant of its type, as text with units.
        permitted: the codes that were waived when the spec was loaded, for the fingerprint.
        skip_bad: go on after a bad row.
        seed: of the bootstrap.
        script: events that come between the rows, such as a person's release; one with the time of a row comes before it.
        progress: called with the share of the data read.
        interrupted: asked now and then whether to stop; what was done until then is the run.

    Raises:
        RunError: options, data or a script that do not fit, or no event at all. A bad row raises only if no event
            came before it.
        ValueError: neither a source nor a stress.
    """
    fed = event_of(spec, event)
    data = open_run(source, stress, fed, spec.program(), mapping=mapping, time_column=time_column, window=window)
    chosen: FillMode = fill or ("next" if data.kind == "bars" else "same")
    compiled = compiled_for(spec, parameters or {}, chosen)
    subject = subject_of(compiled)
    between = None if script is None else beside(script)
    trace = record(
        compiled.machine(),
        subject.columns,
        fed.name,
        data,
        field_types=[field.type for field in fed.fields],
        skip_bad=skip_bad,
        twin=compiled.machine() if subject.timers else None,
        beside=between,
        progress=progress,
        interrupted=interrupted,
    )
    if trace.interrupted and not len(trace):
        raise KeyboardInterrupt
    if not len(trace):
        raise _nothing(trace, data)
    notes = list(data.notes)
    notes += [] if between is None else between.notes()
    if trace.interrupted:
        notes.append(f"interrupted after row {int(trace.rows[-1]):,}: the rows after it were not run")
    if subject.legs:
        notes.append(f"fills at the {chosen} mark ({'given' if fill else f'the default for {data.kind}'})")
    last = trace.fills[-1] if trace.fills else None
    if chosen == "next" and last is not None and last.index == len(trace) - 1 and last.when != "before":
        notes.append("the orders of the last event are filled at its own mark, because no later one came")
    fingerprint = {
        "spec": {"file": Path(spec.file).name, "sha256": spec.source_sha256},
        "program": subject.digest,
        "data": {
            "name": data.name,
            "sha256": data.sha256(),
            "kind": data.kind,
            "columns": data.mapping,
            "time": data.time_column,
            "window": str(data.window),
        },
        "stress": data.stress.text if data.stress else None,
        "fill": chosen,
        "event": fed.name,
        "script": None if between is None else between.digest,
        "permitted": list(permitted),
        "skip_bad": skip_bad,
        "seed": seed,
        "parameters": subject.parameters,
        "versions": _versions(data),
    }
    return DryRun(subject, trace, summarise(subject, trace, data, fingerprint=fingerprint, notes=notes, seed=seed))


def _nothing(trace: Trace, data: Data) -> RunError:
    bad = trace.stopped or next(iter(trace.rejections), None)
    if bad is None:
        return data.nothing()
    if trace.stopped is None:
        message = f"all {trace.rejected:,} rows are bad; row {bad.row} is the first: {bad.reason}"
        return RunError("HR806", message, data.name, "is this the right column? see --map and --time", bad.line)
    return bad_row(trace, data.name, "nothing was run; mend the row, or pass over bad rows with --skip-bad")


def bad_row(trace: Trace, file: str, help: str) -> RunError:
    """Return the error for the row that stopped a run."""
    bad = trace.stopped
    assert bad is not None
    if bad.reason.startswith("the time "):
        help = f"sort the rows by time, and split a file of several series; {help}"
    return RunError("HR806", f"row {bad.row} is bad: {bad.reason}", file, help, bad.line)


def _versions(data: Data) -> dict[str, str]:
    found = {"hedgerow": __version__, "python": platform.python_version()}
    for package in ("numpy", "pyarrow", *(("arch",) if data.reader.daily else ())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
