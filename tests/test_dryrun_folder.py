"""The folder of a run, and two of them side by side."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from band_machine import COLUMNS, BandMachine, subject

from hedgerow.engine.dryrun.comparison import compare
from hedgerow.engine.dryrun.data import open_data
from hedgerow.engine.dryrun.folder import FILES, check_folder, read_summary, trades_csv, write_folder
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.subject import Subject
from hedgerow.engine.dryrun.summary import summarise
from hedgerow.engine.dryrun.trace import Trace, record

MADE = {"data": {"name": "vix", "kind": "bars"}, "fill": "same", "parameters": {"k": 8.0}}


def ran(**options: Any) -> tuple[Subject, Trace, dict[str, Any]]:
    data = open_data("vix", ["price"])
    made = subject()
    trace = record(BandMachine(**options), COLUMNS, "tick", data)
    fingerprint = {**MADE, "parameters": {**MADE["parameters"], **options}}
    return made, trace, summarise(made, trace, data, fingerprint=fingerprint, notes=[])


def test_a_folder_holds_the_five_files_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "run", *ran())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_folder(tmp_path / name, *ran())
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_trace_file_holds_every_line_with_names_and_equity(tmp_path: Path) -> None:
    made, trace, summary = ran(tired_after=40)
    write_folder(tmp_path / "run", made, trace, summary, report=False)
    table = parquet.read_table(tmp_path / "run" / "trace.parquet").to_pydict()
    assert len(table["row"]) == len(trace)
    assert [moment.value for moment in table["time"]] == trace.times.tolist()
    assert table["long.quantity"] == trace.column("long.quantity").tolist()
    assert table["equity"][-1] == summary["money"]["equity"]
    assert table["state"][0] == "active"
    assert table["state"][-1] == "tired"
    fired = {line: ",".join(rules) for line, rules in trace.fired}
    assert [fired.get(line) for line in range(len(trace))] == table["fired"]
    assert "up,rest" in table["fired"] or "down,rest" in table["fired"]


def test_the_trades_add_up_to_the_summary(tmp_path: Path) -> None:
    made, trace, summary = ran(slip=0.0002)
    rows = list(csv.DictReader(io.StringIO(trades_csv(made, trace))))
    assert len(rows) == summary["trades"]["count"]
    for column, total in (("notional", "turnover"), ("fee", "fees"), ("slippage", "slippage")):
        assert sum(float(row[column]) for row in rows) == pytest.approx(summary["money"][total])
    for row in rows:
        worse = 1.0002 if row["side"] == "buy" else 0.9998
        assert float(row["price"]) == pytest.approx(float(row["mark"]) * worse)


def test_a_run_replaces_an_earlier_one_whole_and_spares_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write_folder(folder, *ran())
    (folder / "notes.txt").write_text("mine")
    check_folder(folder)
    write_folder(folder, *ran(fee=0.001), report=False)
    assert sorted(path.name for path in folder.iterdir()) == [
        "notes.txt",
        "summary.json",
        "trace.parquet",
        "trades.csv",
        "verdicts.csv",
    ]
    assert read_summary(folder)["fingerprint"]["parameters"]["fee"] == 0.001


def test_a_folder_that_is_no_run_is_refused_unless_forced(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    check_folder(folder)
    (folder / "trades.csv").write_text("mine")
    with pytest.raises(RunError) as refusal:
        check_folder(folder)
    assert refusal.value.code == "HR808"
    check_folder(folder, force=True)


def test_a_file_in_the_place_of_the_folder_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "no" / "run"):
        with pytest.raises(RunError) as refusal:
            check_folder(place)
        assert refusal.value.code == "HR808"


def test_a_failure_while_writing_leaves_no_draft_and_no_folder(tmp_path: Path) -> None:
    made, trace, summary = ran()
    with pytest.raises(ValueError, match="JSON"):
        write_folder(tmp_path / "run", made, trace, {**summary, "seed": float("nan")}, report=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other/1"}', "[" * 100_000])
def test_what_is_no_summary_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(RunError) as refusal:
        read_summary(tmp_path)
    assert refusal.value.code == "HR802"


def test_a_summary_is_read_back_as_it_was(tmp_path: Path) -> None:
    summary = ran()[2]
    write_folder(tmp_path / "run", *ran(), report=False)
    assert read_summary(tmp_path / "run") == json.loads(json.dumps(summary))
    assert read_summary(tmp_path / "run" / "summary.json") == read_summary(tmp_path / "run")


def test_a_run_differs_in_nothing_from_itself() -> None:
    summary = ran()[2]
    inputs, results = compare(summary, summary)
    assert inputs == []
    assert all(one.same for one in results)
    assert {one.change for one in results} <= {0, None}


def test_a_comparison_names_the_params_that_differ_and_turns_sign_when_turned_round() -> None:
    a, b = ran(fee=0.0005)[2], ran(fee=0.001)[2]
    inputs, results = compare(a, b)
    assert [(one.name, one.a, one.b) for one in inputs] == [("parameters.fee", 0.0005, 0.001)]
    changes = {one.name: one.change for one in results}
    backwards = {one.name: one.change for one in compare(b, a)[1]}
    assert changes["money.fees"] == b["money"]["fees"] - a["money"]["fees"]
    for name, change in changes.items():
        assert change == (None if backwards[name] is None else -backwards[name])
