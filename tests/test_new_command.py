"""`hedgerow new`: a spec to start from, which validates, runs, and replaces nothing unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

import hedgerow
from hedgerow.cli.main import main
from hedgerow.engine.source import read


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_starter_validates_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine"]) == 0
    spec = hedgerow.load("mine.yaml")
    assert spec.name == "mine"
    assert spec.diagnostics == ()
    assert capsys.readouterr().out == "written to mine.yaml; check it with `hedgerow validate mine.yaml`\n"


def test_the_starter_names_its_schema_first_and_explains_every_section() -> None:
    main(["new", "mine"])
    lines = Path("mine.yaml").read_text("utf-8").splitlines()
    assert lines[0].startswith("# yaml-language-server: $schema=")
    for key in read("mine.yaml").plain():
        (at,) = [index for index, line in enumerate(lines) if line.startswith(f"{key}:")]
        assert key in ("hedgerow", "name", "about") or lines[at - 1].startswith("#"), key


def test_the_starter_hedges_a_fall_and_lifts_the_hedge_after_the_rise() -> None:
    main(["new", "mine"])
    machine = hedgerow.load("mine.yaml").compile().machine()
    prices = [100.0, 95.0, 84.0, 80.0, 96.0, 98.0]
    steps = [machine.send("tick", index, price=price) for index, price in enumerate(prices)]
    assert [step.fired for step in steps] == [(), (), ("shelter",), (), (), ("recover",)]
    assert machine.value("hedge.quantity") == 0
    assert machine.value("hedges") == 1
    assert not any(step.broken or step.errors for step in steps)


def test_the_starter_sells_everything_where_too_much_is_lost_and_waits_for_a_person() -> None:
    main(["new", "mine"])
    machine = hedgerow.load("mine.yaml").compile().machine()
    fired = [machine.send("tick", index, price=price).fired for index, price in enumerate([100.0, 84.0, 10.0, 200.0])]
    assert fired == [(), ("shelter",), ("give_up",), ()]
    assert machine.configuration == ("halted",)
    assert machine.value("stock.quantity") == machine.value("hedge.quantity") == 0
    assert not machine.send("manual_exit", 4).broken
    assert machine.ended


def test_the_starter_runs_on_twenty_years_of_prices(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("arch")
    main(["new", "mine"])
    assert main(["run", "mine.yaml", "--data", "sp500", "--no-report", "--out", "out"]) == 0
    assert "invariants" in capsys.readouterr().out
    assert Path("out/summary.json").is_file()


def test_a_file_that_is_there_is_left_alone_unless_forced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("precious", "utf-8")
    assert main(["new", "mine"]) == 2
    assert Path("mine.yaml").read_text("utf-8") == "precious"
    assert "`mine.yaml` is there already" in capsys.readouterr().err
    assert main(["new", "mine", "--force"]) == 0
    assert hedgerow.load("mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("name", "help"),
    [("my-hedge", "; try `my_hedge`"), ("mine.yaml", "; try `mine`"), ("../up", "; try `up`"), ("1", "")],
)
def test_what_is_no_name_is_refused_and_writes_nothing(
    name: str, help: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", name]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"Error: `{name}` is not a name: ")
    assert err.endswith(f"underscores{help}\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["true", "Null", "FALSE", "e5"])
def test_a_name_that_yaml_reads_as_a_value_is_still_a_name(name: str) -> None:
    assert main(["new", name]) == 0
    assert hedgerow.load(f"{name}.yaml").name == name


@pytest.mark.parametrize("file", ["with blank.yaml", "line\nbreak: x.yaml"])
def test_the_name_of_the_file_cannot_break_the_comments(file: str) -> None:
    assert main(["new", "mine", "--out", file]) == 0
    assert hedgerow.load(file).name == "mine"


def test_a_folder_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine", "--out", "no/mine.yaml"]) == 2
    assert capsys.readouterr().err == "Error: cannot write `no/mine.yaml`: no such file or directory\n"
