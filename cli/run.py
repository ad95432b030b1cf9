"""`hedgerow run`: a spec over recorded data, to a table on the terminal and a folder with a report; or over a script."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .data_options import data_options
from .main import BAD_INPUT, DOES_NOT_HOLD, HOLDS, INTERRUPTED
from .simulated import tell_simulated

if TYPE_CHECKING:
    from rich.table import Table

    from ..engine.dryrun.dry_run import DryRun
    from ..engine.dryrun.problem import RunError

__all__ = ["command", "interruptible", "pairs", "reading_progress", "refuse"]


@click.command("run")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "source",
    metavar="DATA",
    help="sp500, nasdaq, wti, vix, or a CSV or Parquet file. With --stress it may be left out.",
)
@click.option(
    "--events",
    "script",
    type=click.Path(path_type=Path),
    metavar="SCRIPT",
    help="A script of events, .yaml, .json or .jsonl: instead of data, or between their rows.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --events: save the machine there as it stands in the end; an old one is replaced.",
)
@data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write.  [default: NAME-run, or NAME-stress]",
)
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--force", is_flag=True, help="Write into a folder that holds other files.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary, or what each event did, as JSON.")
def command(
    spec: Path,
    source: str | None,
    stress: str | None,
    script: Path | None,
    state: Path | None,
    mapping: tuple[str, ...],
    time_column: str | None,
    event: str | None,
    settings: tuple[str, ...],
    start: str | None,
    end: str | None,
    fill: Literal["same", "next"] | None,
    skip_bad: bool,
    permit: tuple[str, ...],
    out: Path | None,
    no_report: bool,
    force: bool,
    seed: int,
    as_json: bool,
) -> int:
    """Run SPEC over recorded data and write trades.csv, verdicts.csv, trace.parquet, summary.json and report.html.

    With --events alone, send it the events of a script instead and print what each one did; of the options, --set, --fill,
    --permit, --state and --json go with it. With data or a stress, the events of the script are sent between the rows, each
    at its time: what a person does meanwhile.

    Exit codes: 0 every invariant (or expectation of the script) held, 1 one did not, 2 bad input. A bad row stops the
    run, and what was done so far is written.
    """
    if script is not None and source is None and stress is None:
        return _play(spec, script, state, settings, fill, permit, as_json=as_json)
    if state is not None:
        raise click.UsageError("--state belongs to --events SCRIPT, not to runs over data")
    if source is None and stress is None:
        raise click.UsageError("give --data DATA to run over recorded data, or --events SCRIPT to send events")
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.data import Window, parse_bound
    from ..engine.dryrun.dry_run import bad_row, dry_run
    from ..engine.dryrun.folder import check_folder, write_folder
    from ..engine.dryrun.problem import RunError
    from ..engine.load import load
    from ..engine.script import read_script

    try:
        loaded = load(spec, permit=permit)
        between = None if script is None else read_script(script, loaded)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"diagnostics": [found.to_json() for found in error.diagnostics]}, indent=2))
        raise
    try:
        # A stressed run does not take the place of a run over history.
        folder = out or Path(f"{loaded.name}-run" if stress is None else f"{loaded.name}-stress")
        check_folder(folder, force=force)
        with reading_progress() as progress, interruptible() as interrupted:
            run = dry_run(
                loaded,
                source,
                stress=stress,
                event=event,
                mapping=pairs(mapping, "--map", "price=close"),
                time_column=time_column,
                window=Window(parse_bound(start, "--from"), parse_bound(end, "--to")),
                fill=fill,
                parameters=pairs(settings, "--set", "k=9"),
                permitted=permit,
                skip_bad=skip_bad,
                seed=seed,
                script=between,
                progress=progress,
                interrupted=interrupted,
            )
            write_folder(folder, run.subject, run.trace, run.summary, report=not no_report)
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json.dumps(run.summary, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        tell_simulated(loaded)
        _show(run, folder, report=not no_report)
    if run.trace.interrupted:
        click.echo(f"interrupted; what was done before it is in {folder}", err=True)
        return INTERRUPTED
    if run.trace.stopped is not None:
        help = f"what was done before it is in {folder}; pass over bad rows with --skip-bad"
        click.echo(str(bad_row(run.trace, source or str(stress), help)), err=True)
        return BAD_INPUT
    return HOLDS if run.held else DOES_NOT_HOLD


_OF_SCRIPTS = frozenset(("spec", "script", "state", "settings", "fill", "permit", "as_json"))


def _play(
    spec: Path,
    script: Path,
    state: Path | None,
    settings: tuple[str, ...],
    fill: Literal["same", "next"] | None,
    permit: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    from ..engine.dryrun.problem import RunError
    from .events import play_events

    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in _OF_SCRIPTS
        and context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    try:
        if given:
            told = ", ".join(f"`{option}`" for option in given)
            help = "add --data; of the options, --set, --fill, --permit, --state and --json go with --events alone"
            verb = "belongs" if len(given) == 1 else "belong"
            raise RunError("HR807", f"{told} {verb} to runs over data", given[0], help)
        chosen = pairs(settings, "--set", "k=9")
    except RunError as error:
        return refuse(error, as_json=as_json)
    return play_events(spec, script, settings=chosen, fill=fill, permit=permit, state=state, as_json=as_json)


def refuse(error: RunError, *, as_json: bool) -> int:
    """Show what kept a command from running, and return the exit code for bad input."""
    if as_json:
        click.echo(json.dumps({"diagnostics": [error.to_json()]}, indent=2, ensure_ascii=False))
    click.echo(str(error), err=True)
    return BAD_INPUT


def pairs(texts: tuple[str, ...], option: str, example: str) -> dict[str, str]:
    """Return the names and values of an option that is given as NAME=VALUE, any number of times."""
    from ..engine.dryrun.problem import RunError

    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and name and value):
            raise RunError(
                "HR807",
                f"`{text[:60]}` is no pair of a name and a value",
                option,
                f"write {option} {example}",
            )
        if found.get(name, value) != value:
            raise RunError("HR807", f"`{name}` is given twice, with different values", option, "give it once")
        found[name] = value
    return found


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yield what says whether a person has pressed Ctrl-C; the second time leaves at once."""
    import signal
    import threading

    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield lambda: asked
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def reading_progress() -> Iterator[Callable[[float], None] | None]:
    """Draw a progress bar on stderr while a person watches; yield what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("running"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("run", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _show(run: DryRun, folder: Path, *, report: bool) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from ..engine.dryrun.narrative import headline, narrate

    console = Console(highlight=False)
    summary = run.summary
    console.print(Text.assemble((summary["name"], "bold"), f": {headline(summary)}"))
    console.print(_table(summary))
    for paragraph in narrate(summary):
        if paragraph.tone == "warn" or paragraph.heading.startswith("Verdict"):
            console.print(Text(paragraph.heading, style="bold yellow" if paragraph.tone == "warn" else "bold"))
            console.print(Padding(Text(paragraph.text), (0, 0, 0, 2)))
    console.print(Text(f"written to {folder}" + (f"; open {folder / 'report.html'}" if report else "")))


def _table(summary: dict[str, Any]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from ..engine.diagnostics import printable

    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    for lines in (_inputs(summary), _account(summary), _risk(summary), _behaviour(summary)):
        for name, value in lines:
            table.add_row(Text(name, style="cyan"), Text(printable(value)))
        if lines:
            table.add_section()
    return table


def _inputs(summary: dict[str, Any]) -> list[tuple[str, str]]:
    made, rows, time = summary["fingerprint"], summary["rows"], summary["time"]
    data = made["data"]
    return [
        ("data", f"{data['name']} ({data['kind']}), {rows['accepted']:,} events"),
        *([("stress", _stress(summary["stress"]))] if summary["stress"] else []),
        ("time", f"{time['first']} to {time['last']}"),
        ("columns", ", ".join(f"{name} ← {column}" for name, column in data["columns"].items())),
        *([("fills", f"at the {made['fill']} mark")] if summary["money"] else []),
        (
            "fingerprint",
            f"program {made['program'][:12]}, spec {made['spec']['sha256'][:12]}, data {data['sha256'][:12]}",
        ),
    ]


def _stress(stress: dict[str, Any]) -> str:
    from ..engine.dryrun.narrative import stressed

    return stressed(stress) if stress["history"] else f"{stressed(stress)}; {stress['text']}"


def _account(summary: dict[str, Any]) -> list[tuple[str, str]]:
    from ..engine.dryrun.narrative import money, number, percent

    account = summary["money"]
    if account is None:
        cells = summary["cells"].items()
        return [(name, f"{number(one['first'])} → {number(one['last'])} {one['unit']}") for name, one in cells]
    unit, split, trades = account["unit"], summary["split"], summary["trades"]
    lines = [
        ("orders", f"{trades['count']:,} on {trades['events']:,} events"),
        ("turnover", money(account["turnover"], unit)),
        ("realised", f"{money(account['realised'], unit)} before costs"),
        ("unrealised", money(account["unrealised"], unit)),
        ("final equity", f"{money(account['equity'], unit)} from {money(account['capital'])}"),
    ]
    lines += [(f"P&L: {name}", money(value, unit)) for name, value in split.items() if name != "profit"]
    lines.append(("P&L", money(split["profit"], unit)))
    if account["delay"]:
        lines.append(("cost of waiting", f"{money(account['delay'], unit)} of the slippage, to the next mark"))
    fee = account["break_even_fee"]
    told = "–" if fee is None else percent(fee) if fee > 0 else "none, a loss before any fee"
    lines.append(("break-even fee", told))
    return lines


def _risk(summary: dict[str, Any]) -> list[tuple[str, str]]:
    from ..engine.dryrun.narrative import money, percent

    if summary["money"] is None:
        return []
    unit, risk, verdict = summary["money"]["unit"], summary["risk"], summary["verdict"]
    exposure, overshoot, fall = summary["exposure"], summary["overshoot"], summary["risk"]["max_drawdown"]
    ratio = exposure["net_to_gross"]
    lines = [("|net| / gross", f"{percent(ratio['max'])} at most, {percent(ratio['mean'])} on average")]
    for name in ("net", "gross"):
        used = exposure[name]["share_of_limit"]
        if used:
            lines.append((f"{name} limit used", f"{percent(used['max'])} at most, {percent(used['mean'])} on average"))
    if overshoot and overshoot["triggers"]:
        lines.append(
            (
                "overshoot",
                f"{percent(overshoot['median'])} at the median, {percent(overshoot['max'])} at most",
            )
        )
    if fall:
        lines.append(("max drawdown", f"{money(fall['amount'], unit)}, {percent(fall['share'])}, {fall['trough']}"))
    lines.append(("worst day", f"{money(risk['worst_day']['profit'], unit)}, {risk['worst_day']['date']}"))
    lines.append((f"CVaR {risk['cvar']['confidence'] * 100:.0f} %, daily", money(risk["cvar"]["loss"], unit)))
    if verdict["interval"]:
        low, high = verdict["interval"]
        lines.append((f"P&L {verdict['confidence'] * 100:.0f} % interval", f"{money(low)} to {money(high, unit)}"))
    told = {True: "yes", False: "no", None: "too short to say"}[verdict["distinguishable"]]
    lines.append(("distinguishable from −fees", told))
    return lines


def _behaviour(summary: dict[str, Any]) -> list[tuple[str, str]]:
    from ..engine.dryrun.narrative import percent

    times = [f"{name} {percent(state['share'])}" for name, state in summary["states"].items() if state["share"]]
    fired = [f"{rule} {count:,}" for rule, count in summary["triggers"].items() if count]
    never, found = summary["never"], summary["invariants"]
    broken = [f"{name} (row {one['first']['row']:,})" for name, one in found.items() if not one["held"]]
    lines = [
        ("time in states", ", ".join(times) or "–"),
        ("rules fired", ", ".join(fired) or "none"),
        ("states never reached", ", ".join(never["states"]) or "none"),
        ("rules never reached", ", ".join(never["rules"]) or "none"),
    ]
    if found:
        lines.append(("invariants", f"broken: {', '.join(broken)}" if broken else f"all {len(found)} held on this run"))
    if summary["gates"]:
        stopped = [f"{check} ×{count:,}" for check, count in summary["gates"].items() if count]
        lines.append(("gates", f"stopped by {', '.join(stopped)}" if stopped else "let every order through"))
    if summary["errors"]:
        lines.append(("errors", ", ".join(f"{name} ×{count:,}" for name, count in summary["errors"].items())))
    if summary["rows"]["rejected"]:
        lines.append(("bad rows", f"{summary['rows']['rejected']:,}"))
    if summary["ended_at"]:
        lines.append(("ended", f"row {summary['ended_at']['row']:,}, {summary['ended_at']['time']}"))
    return lines
