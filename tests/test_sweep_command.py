"""`hedgerow sweep`, from a spec and a file to a folder and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from sweep_market import GATED, SMALL, market, walk, write_csv

from hedgerow.cli.main import main
from hedgerow.engine.load import loads

TAME = SMALL.replace("<= 350 USD", "<= 3500 USD")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that holds the small spec and its data."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(TAME)
    write_csv(Path(), market(loads(SMALL), walk(200, 41)))
    return tmp_path


def swept(*options: str, spec: str = "small.yaml") -> int:
    return main(["sweep", spec, "--data", "ticks.csv", "--backend", "live", "--workers", "1", *options])


GRID = ("--grid", "step=0.01:0.03:0.01", "--grid", "stake=100,200 USD")


def test_a_sweep_writes_its_files_and_tells_its_result(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(*GRID) == 0
    assert sorted(path.name for path in Path("small-sweep").iterdir()) == [
        "report.html",
        "results.parquet",
        "summary.json",
        "sweep.json",
    ]
    out, err = capsys.readouterr()
    assert "small: a sweep of 6 parameter sets" in out
    assert "backend" in out and "live" in out
    assert "step (3 values), stake (2 values)" in out
    assert "beat −fees" in out
    assert "all 1 held in every set" in out
    assert "What luck finds" in out
    assert err == ""
    table = parquet.read_table("small-sweep/results.parquet").to_pydict()
    assert table["step"] == [0.01, 0.01, 0.02, 0.02, 0.03, 0.03]
    assert table["stake"] == [100.0, 200.0] * 3


def test_the_summary_is_printed_and_written_as_one_document(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(*GRID, "--json", "--no-report") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads(Path("small-sweep/summary.json").read_text())
    assert summary["sets"]["done"] == 6
    assert summary["invariants"] == {"small_enough": 0}
    assert not Path("small-sweep/report.html").exists()
    profit = parquet.read_table("small-sweep/results.parquet").column("profit").to_numpy()
    assert (summary["best"]["profit"], summary["worst"]["profit"]) == (profit.max(), profit.min())
    assert summary["median"] == float(np.median(profit))


def test_two_sweeps_give_the_same_bytes(place: Path) -> None:
    for folder in ("a", "b"):
        assert swept(*GRID, "--days", "--out", folder) == 0
    for file in ("results.parquet", "days.parquet", "summary.json", "report.html", "sweep.json"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes(), file


def test_a_broken_invariant_is_told_by_the_exit_code(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("wild.yaml").write_text(SMALL)
    assert swept(*GRID, "--no-report", spec="wild.yaml") == 1
    assert "broken: small_enough in" in capsys.readouterr().out


def test_gates_tell_how_often_they_stopped_orders(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gated.yaml").write_text(GATED)
    stakes = ("--grid", "stake=50,100,300 USD", "--no-report")
    assert swept(*stakes, spec="gated.yaml") == 0
    assert "stopped orders: limits.worth in 1 set" in capsys.readouterr().out
    table = parquet.read_table("small-sweep/results.parquet")
    told = []
    for stake in (50, 100, 300):
        options = ("--data", "ticks.csv", "--set", f"stake={stake}", "--no-report", "--json", "--force")
        main(["run", "gated.yaml", *options])
        told.append(json.loads(capsys.readouterr().out)["gates"])
    stopped = ("limits.worth", "limits.stock")
    assert {name: table[f"stopped.{name}"].to_pylist() for name in stopped} == {
        name: [each[name] for each in told] for name in stopped
    }
    assert json.loads(Path("small-sweep/summary.json").read_text())["gates"] == {"limits.worth": 1, "limits.stock": 0}
    assert swept(*GRID, "--no-report", "--force") == 0
    assert not any(
        name.startswith("stopped") for name in parquet.read_table("small-sweep/results.parquet").column_names
    )
    assert "gates" not in capsys.readouterr().out


def test_a_sample_is_drawn_from_ranges(place: Path) -> None:
    assert swept("--sample", "latin", "--n", "20", "--range", "step=0.01:0.02", "--range", "most", "--seed", "3") == 0
    table = parquet.read_table("small-sweep/results.parquet")
    assert table.column_names[:3] == ["set", "most", "step"]
    assert 0.01 <= min(table.column("step").to_pylist()) < max(table.column("step").to_pylist()) <= 0.02


def test_set_from_and_fill_reach_the_runs(place: Path) -> None:
    for folder, options in (
        ("a", ()),
        ("b", ("--set", "most=1")),
        ("c", ("--fill", "next")),
        ("d", ("--from", "2020-09-15")),
    ):
        assert swept(*GRID, *options, "--out", folder, "--no-report") == 0
    found = [parquet.read_table(f"{folder}/results.parquet").column("turnover").to_pylist() for folder in "abcd"]
    assert found[0] != found[1] != found[2] != found[3]


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--grid: error[HR830]: no param varies, so that there is nothing to sweep"),
        (("--grid", "stak=1:2:1"), "--grid: error[HR807]: unknown param `stak`"),
        (("--grid", "stake"), "--grid: error[HR807]: `stake` is no pair of a name and a value"),
        (
            ("--grid", "step=0.1", "--grid", "step=0.2"),
            "--grid: error[HR807]: `step` is given twice, with different values",
        ),
        (("--grid", "stake=1:1000:1"), "--grid: error[HR807]: `stake` = 1000 is outside its range [1, 900] USD"),
        (("--grid", "stake=1:900:1e-9"), "--grid: error[HR831]: 899,000,000,001 sets are too many"),
        (("--n", "5"), "--n: error[HR830]: `--n` belongs to a sample, and none is asked for"),
        (
            ("--sample", "sobol", "--n", "4", "--range", "step", "--range", "step=0.1:0.2"),
            "--range: error[HR807]: `step` is given twice, with different values",
        ),
        (
            ("--grid", "step=0.01", "--set", "stake=-1"),
            "--set: error[HR807]: `stake` = -1 is outside its range [1, 900] USD",
        ),
        (("--grid", "step=0.01", "--event", "tock"), "--event: error[HR807]: the spec has no event `tock` with fields"),
        (("--grid", "step=0.01", "--resume"), "small-sweep: error[HR832]: there is no sweep here to go on with"),
        (("--grid", "step=0.01", "--out", "no/where"), "no/where: error[HR808]: there is no folder to make it in"),
        (("--grid", "step=0.01", "--backend", "native"), "--backend: error[HR807]: there is no native code: not today"),
    ],
)
def test_bad_input_is_told_and_writes_nothing(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setattr("hedgerow.engine.sweep.choice._native", lambda *_: "not today")
    assert swept(*options) == 2
    assert refusal(capsys) == message
    assert not Path("small-sweep/results.parquet").exists()


def test_a_refusal_is_a_document_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept("--grid", "stak=1", "--json") == 2
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (found["code"], found["file"], found["help"]) == ("HR807", "--grid", "did you mean `stake`?")


def test_a_spec_that_does_not_hold_is_refused_as_elsewhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("hedgerow: 1\nname: bad\n")
    assert swept(*GRID, "--json", spec="bad.yaml") == 2
    assert json.loads(capsys.readouterr().out)["diagnostics"]


def test_bad_rows_stop_a_sweep_unless_they_are_skipped(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("ticks.csv").open("a") as file:
        file.write("2020-10-01,-5\n2020-10-02,nan\n2020-10-03,100\n2020-10-02,100\n")
    text = Path("ticks.csv").read_text().splitlines()
    moved = [
        text[0],
        *(
            f"2020-09-{1 + index // 20:02d}T{index % 20:02d}:00Z,{line.split(',')[1]}"
            for index, line in enumerate(text[1:201])
        ),
        *text[201:],
    ]
    Path("ticks.csv").write_text("\n".join(moved) + "\n")
    assert swept(*GRID) == 2
    assert refusal(capsys) == "ticks.csv:202: error[HR806]: row 201 is bad: `price` = -5.0 is below 1"
    assert not Path("small-sweep").exists()
    assert swept(*GRID, "--skip-bad", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["refused"] == 6
    assert "3 bad rows were sent to every machine, and refused" in summary["notes"]


def test_many_sets_are_asked_for_first(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.cli.sweep.ASKED", 5)
    assert swept(*GRID) == 2
    told = refusal(capsys)
    assert told.startswith("--yes: error[HR831]: 6 sets over 200 rows take about ")
    assert not Path("small-sweep").exists()
    assert swept(*GRID, "--yes", "--no-report") == 0


def test_a_sweep_in_the_folder_is_spared_until_told_otherwise(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert swept(*GRID) == 0
    before = Path("small-sweep/results.parquet").read_bytes()
    assert swept("--grid", "step=0.5") == 2
    assert refusal(capsys) == "small-sweep: error[HR808]: the folder holds a sweep"
    assert Path("small-sweep/results.parquet").read_bytes() == before
    assert swept("--grid", "step=0.5", "--force", "--no-report") == 0
    assert sorted(path.name for path in Path("small-sweep").iterdir()) == [
        "results.parquet",
        "summary.json",
        "sweep.json",
    ]


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on_to_the_same_bytes(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hedgerow.engine.sweep import live

    assert swept(*GRID, "--out", "whole") == 0
    run, ran = live._Run.run, []

    def press(self: Any) -> None:
        run(self)
        ran.append(1)
        if len(ran) == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as pressed:
        pressed.setattr(live._Run, "run", press)
        assert swept(*GRID) == 130
    out, err = capsys.readouterr()
    assert "interrupted; 3 of 6 sets are done and kept in small-sweep; the same command with --resume goes on" in err
    assert "a sweep of 3 of 6 parameter sets" in out
    assert not Path("small-sweep/report.html").exists()
    assert swept(*GRID, "--resume") == 0
    for file in ("results.parquet", "summary.json", "report.html", "sweep.json"):
        assert Path("small-sweep", file).read_bytes() == Path("whole", file).read_bytes(), file


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="Ctrl-C reaches a group of processes")
def test_ctrl_c_in_a_terminal_reaches_all_processes_and_ends_in_order(place: Path) -> None:
    write_csv(Path(), market(loads(SMALL), walk(20_000, 41)))
    command = [
        sys.executable,
        "-m",
        "hedgerow.cli.main",
        "sweep",
        "small.yaml",
        "--data",
        "ticks.csv",
        "--backend",
        "live",
    ]
    command += ["--workers", "2", "--grid", "step=0.001:0.4:0.00005", "--no-report"]
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    # A part is written some seconds after the first sets are done; all of them take a minute.
    while child.poll() is None and not list(Path().glob("small-sweep/parts/part-*.parquet")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.1)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert err.startswith("interrupted; "), err
    kept = sum(parquet.read_metadata(part).num_rows for part in Path().glob("small-sweep/parts/part-*.parquet"))
    assert f"interrupted; {kept:,} of 7,981 sets are done" in err
