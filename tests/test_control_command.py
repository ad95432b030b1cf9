"""`hedgerow control`: what a person is told, and what a program reads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lanes import DESK, SPEC, made, served, take_all

from hedgerow.cli.main import main
from hedgerow.engine.control.client import serving
from hedgerow.engine.control.flag import POSTED
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.log import read_history
from hedgerow.engine.control.writer import Writer

Capture = pytest.CaptureFixture[str]
ANNA = ("--as", "anna", "--why", "the feed is wrong", "--wait", "ack")


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a lane `lane` in the current folder, which nobody serves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    made(tmp_path)
    with Writer(Path("lane")):
        pass
    return Path("lane")


@pytest.fixture
def engine(lane: Path) -> Iterator[Lane]:
    with Lane.open(lane) as engine:
        yield engine


def ran(capsys: Capture, *arguments: str) -> tuple[int, list[str], str]:
    code = main(["control", *arguments])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_an_act_is_told_with_its_number(lane: Path, capsys: Capture) -> None:
    alone = "nobody serves the lane: this command has logged and posted it itself"
    assert ran(capsys, "halt", "lane", *ANNA, "--id", "one") == (0, ["halt: act 2 by anna, logged now", alone], "")
    assert ran(capsys, "halt", "lane", *ANNA, "--id", "one") == (0, ["halt: act 2 by anna, logged before", alone], "")
    code, out, _ = ran(capsys, "flatten", "lane", *ANNA)
    assert (code, out[1]) == (0, "the machine is halted: orders are held until `hedgerow control release`")
    assert ran(capsys, "release", "lane", *ANNA)[0] == 0


def test_a_served_act_is_told_in_json_with_its_effect(lane: Path, capsys: Capture) -> None:
    with served(lane):
        code, out, err = ran(
            capsys, "override", "lane", "tick", "price=101.5", *ANNA, "--json", "--id", "mark", "--timeout", "20"
        )
    told: dict[str, Any] = json.loads("\n".join(out))
    (act,) = read_history(lane).acts
    assert (code, err) == (0, "")
    assert told == act.to_json() | {"again": False, "effect": False, "served": True}
    assert (told["fields"], told["reason"]) == ({"price": 101.5}, "the feed is wrong")


def test_a_command_waits_for_the_effect(
    lane: Path, engine: Lane, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    halt = ("halt", "lane", *ANNA[:-2], "--timeout", "20", "--id", "one")
    # The engine takes the act while the command waits for that.
    monkeypatch.setattr("hedgerow.engine.control.client.time.sleep", lambda _: take_all(engine))
    code, out, err = ran(capsys, *halt)
    assert (code, out[:2], err) == (0, ["halt: act 2 by anna, logged now", "the engine has taken it"], "")
    assert engine.halted


def test_the_status_tells_who_serves_and_what_waits(lane: Path, engine: Lane, capsys: Capture) -> None:
    ran(capsys, "halt", "lane", *ANNA)
    with served(lane) as number:
        code, out, err = ran(capsys, "status", "lane")
        told = json.loads("\n".join(ran(capsys, "status", "lane", "--json")[1]))
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out] == [
        ["lane:", "halted"],
        ["served", "by", "process"],
        ["engine", "process", out[2].split()[2]],
        ["last", "act", "2,"],
        ["waiting", "1", "for"],
    ]
    assert (told["serves"], told["halted"], told["damaged"], told["taken"], told["waiting"]) == (
        number,
        True,
        False,
        0,
        1,
    )
    assert take_all(engine) == [2]
    assert ran(capsys, "status", "lane")[1][-1] == "  waiting    0 for the engine"


def test_a_refusal_is_json_where_that_was_asked_for(lane: Path, capsys: Capture) -> None:
    code, out, err = ran(capsys, "flatten", "nowhere", *ANNA, "--json")
    (found,) = json.loads("\n".join(out))["diagnostics"]
    assert (code, found["code"], found["help"]) == (2, "HR880", "make one: `hedgerow control serve LANE --spec SPEC`")
    assert "error[HR880]" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("override", "lane", "tick", "price"), "error[HR807]: `price` is no pair of a name and a value"),
        (("override", "lane", "tick", "price=high"), "error[HR884]: `price` = 'high' is not a number"),
        (("override", "lane", "tick", "price=NaN"), "error[HR884]: `price` = nan is not a finite number"),
        (("override", "lane", "tick", "price=null"), "error[HR884]: `price` = 'null' is not a number"),
        (("halt", "lane", "--id", "a b"), "error[HR883]: the act has no id"),
    ],
)
def test_bad_input_does_nothing(lane: Path, capsys: Capture, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = ran(capsys, *arguments, *ANNA)
    assert (code, out) == (2, [])
    assert message in err
    assert read_history(lane).acts == ()


def test_a_halt_of_a_lane_that_is_held_halts_all_the_same(lane: Path, engine: Lane, capsys: Capture) -> None:
    with Writer(lane):
        code, _, err = ran(capsys, "halt", "lane", *ANNA, "--timeout", "0.02")
        assert take_all(engine) == [0] and engine.halted
    assert code == 3
    assert "the machine is halted all the same" in err


def test_a_damaged_flag_is_told_and_mended_by_the_next_act(lane: Path, engine: Lane, capsys: Capture) -> None:
    with Writer(lane) as writer:
        writer.flag.words[POSTED] = 7
        assert ran(capsys, "status", "lane")[0] == 1
    assert ran(capsys, "status", "lane")[:2] == (0, [
        "lane: halted", "  served by  nobody", *ran(capsys, "status", "lane")[1][2:]
    ])  # fmt: skip
    assert read_history(lane).acts[0].reason == "the flag was damaged"


def test_serving_makes_the_lane_and_ends_at_a_signal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hedgerow.cli.main", "control", "serve", str(tmp_path / "new")]
    with subprocess.Popen([*command, "--spec", str(DESK), "--flatten", "manual_exit"]) as process:
        while serving(tmp_path / "new", 5.0) is None:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert serving(tmp_path / "new", 1.0) is None


def test_serving_says_what_is_wrong(lane: Path, capsys: Capture) -> None:
    assert ran(capsys, "serve", "nowhere")[0] == 2
    assert "give --spec" in ran(capsys, "serve", "lane", "--flatten", "manual_exit")[2]
    code, _, err = ran(capsys, "serve", "lane", "--spec", str(SPEC), "--flatten", "manual_exits")
    assert (code, err.splitlines()[1]) == (2, "   help: did you mean `manual_exit`?")
