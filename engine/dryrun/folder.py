"""The folder of a run: trades.csv, verdicts.csv, trace.parquet, summary.json and report.html.

All files are written under other names first and moved in place last, summary.json the very last: a folder
with a summary is whole. A folder that is no run's is left alone.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..diagnostics import reason_of
from ..step import Verdict
from .arrow import array_of, names_of
from .page import page
from .positions import delays
from .problem import RunError
from .subject import Subject
from .summary import FORMAT, books
from .times import iso
from .trace import Trace

__all__ = ["FILES", "check_folder", "read_summary", "trades_csv", "verdicts_csv", "write_folder"]

FILES = ("trades.csv", "verdicts.csv", "trace.parquet", "report.html", "summary.json")
MAX_SUMMARY_BYTES = 20_000_000
TRADE_COLUMNS = (
    "row",
    "time",
    "rule",
    "leg",
    "instrument",
    "side",
    "quantity",
    "mark",
    "notional",
    "fee",
    "slippage",
    "delay",
    "price",
)


def check_folder(folder: Path, *, force: bool = False) -> None:
    """Refuse a folder that holds something else than a run.

    Args:
        folder: where the run is to be written.
        force: take it all the same, if it is a folder; files of other names stay.

    Raises:
        RunError: a file, or a folder with files but no run's summary.
    """
    try:
        there = folder.exists()
    except OSError as error:
        raise _unwritable(folder, error) from None
    if not there:
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise RunError("HR808", "there is no folder to make it in", str(folder), f"make `{parent.name}` first")
        return
    if not folder.is_dir():
        raise RunError("HR808", "this is a file, not a folder", str(folder), "name another folder with --out")
    if not force and any(folder.iterdir()) and not _is_run(folder / "summary.json"):
        help = "name another folder with --out, or write into this one with --force"
        raise RunError("HR808", "the folder holds files that are no run's", str(folder), help)


def write_folder(folder: Path, subject: Subject, trace: Trace, summary: dict[str, Any], *, report: bool = True) -> None:
    """Write the files of a run; files of an earlier run in the same folder are replaced.

    Raises:
        RunError: the folder cannot be written.
    """
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        (draft / "trades.csv").write_text(trades_csv(subject, trace), encoding="utf-8", newline="")
        (draft / "verdicts.csv").write_text(verdicts_csv(trace), encoding="utf-8", newline="")
        _write_trace(draft / "trace.parquet", subject, trace)
        if report:
            (draft / "report.html").write_text(page(subject, trace, summary), encoding="utf-8")
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (draft / "summary.json").write_text(text + "\n", encoding="utf-8")
        folder.mkdir(exist_ok=True)
        (folder / "summary.json").unlink(missing_ok=True)
        for name in FILES:
            if (draft / name).exists():
                (draft / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_summary(path: Path) -> dict[str, Any]:
    """Return the summary in a run's folder, or in a summary file.

    Raises:
        RunError: there is none, or it is no summary of this format.
    """
    try:
        file = path / "summary.json" if path.is_dir() else path
        # A pipe or a device would be waited for, or read for ever.
        text = file.read_bytes().decode() if file.is_file() and file.stat().st_size <= MAX_SUMMARY_BYTES else None
    except (OSError, UnicodeDecodeError):
        text = None
    if text is None:
        help = "name the folder of a run, or its summary.json"
        raise RunError("HR801", "there is no run here", str(path), help)
    try:
        summary = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict) or summary.get("format") != FORMAT or not _is_whole(summary):
        raise RunError("HR802", f"this is no summary in the format `{FORMAT}`", str(path), "run the spec again")
    return summary


def trades_csv(subject: Subject, trace: Trace) -> str:
    """Return one line an order, in order.

    `delay` is what waiting for the next mark cost (0 when fills are at the same mark); `price` is what was
    paid or got for a unit: the mark, worse by slippage and delay. An order that a timer decided has the row
    with which it came and the time at which it was decided.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRADE_COLUMNS)
    for fill, delay in zip(trace.fills, delays(subject, trace), strict=True):
        bought = 1.0 if fill.side == "buy" else -1.0
        price = fill.mark + bought * (fill.slippage + delay) / fill.quantity
        row = int(trace.rows[fill.index])
        time = iso(int(trace.times[fill.index]) if fill.time_ns is None else fill.time_ns)
        costs = (fill.notional, fill.fee, fill.slippage, delay, price)
        order = (fill.rule, fill.leg, fill.instrument, fill.side, fill.quantity, fill.mark)
        writer.writerow((row, time, *order, *costs))
    return text.getvalue()


def verdicts_csv(trace: Trace) -> str:
    """Return one line for each no of a check of a gate, in order: what it said of the orders of which transition."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("row", "time", *Verdict._fields))
    for line, verdict in trace.verdicts:
        writer.writerow((int(trace.rows[line]), iso(int(trace.times[line])), *verdict))
    return text.getvalue()


def _write_trace(path: Path, subject: Subject, trace: Trace) -> None:
    """Write a line an accepted event: time, row, states and rules by name, and the columns of the
    observation.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table: dict[str, Any] = {
        "time": array_of(trace.times, pa.timestamp("ns", "UTC")),
        "row": array_of(trace.rows, pa.int64()),
    }
    registers = {region.column: region.leaves for region in subject.regions}
    for name in trace.columns:
        values = trace.column(name)
        if name in registers:
            # A region that is not active is in no state.
            table[name] = names_of(values.astype(np.int32), registers[name], values >= 0)
        else:
            table[name] = array_of(values, pa.float64())
    account = books(subject, trace)
    if account is not None:
        table["equity"] = array_of(account.equity, pa.float64())
    table["fired"] = _fired(trace)
    # No dictionaries for numbers, fastest level: half the time of the defaults at the same size.
    names = [*registers, "fired"]
    parquet.write_table(pa.table(table), path, compression="zstd", compression_level=1, use_dictionary=names)


def _fired(trace: Trace) -> Any:
    by_line: dict[int, str] = {}
    for line, rules in trace.fired:
        by_line[line] = ",".join((*filter(None, (by_line.get(line),)), *rules))
    codes = np.zeros(len(trace), np.int32)
    there = np.zeros(len(trace), np.bool_)
    index = {name: position for position, name in enumerate(dict.fromkeys(by_line.values()))}
    for line, name in by_line.items():
        codes[line] = index[name]
        there[line] = True
    return names_of(codes, tuple(index), there)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _whole(text: str) -> int:
    return int(text) if len(text) < 20 else int(_no_number(text))


def _is_whole(summary: dict[str, Any]) -> bool:
    """Return whether a summary has the parts that a comparison reads."""
    groups = [summary.get(name) for name in ("fingerprint", "triggers", "states", "invariants")]
    groups.append(summary.get("timers", {}))  # runs of earlier versions had none
    if not isinstance(summary.get("name"), str) or not all(isinstance(group, dict) for group in groups):
        return False
    return all("share" in one for one in summary["states"].values() if isinstance(one, dict)) and all(
        isinstance(one, dict) for one in summary["invariants"].values()
    )


def _is_run(path: Path) -> bool:
    try:
        read_summary(path)
    except RunError:
        return False
    return True


def _unwritable(folder: Path, error: OSError) -> RunError:
    reason = reason_of(error)
    return RunError("HR808", f"the folder cannot be written: {reason}", str(folder), "name another folder with --out")
