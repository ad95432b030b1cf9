"""The stop lane under a host: a process of its own logs what a person says, and the machines of the host do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from lanes import SPEC, kill, made, said, served

import hedgerow
from hedgerow.engine.control.client import act, has_effect
from hedgerow.engine.control.flag import POSTED
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.problem import ControlError
from hedgerow.engine.host.problem import HostError
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.opening import open_store

SECOND = 10**9
BAND = hedgerow.load(SPEC)


def host(folder: Path, lane: Lane) -> hedgerow.Host:
    return hedgerow.Host(folder / "desk.journal", {"desk": BAND}, lane=lane)


def tick(running: hedgerow.Host, second: int, price: float) -> Any:
    return running.submit("desk", "tick", second * SECOND, {"price": price}, id=f"t-{second}").result(10)


def in_effect(folder: Path, kind: str, number: int) -> bool:
    return has_effect(folder, act(folder, said(kind, number)).act.number, 10.0)


def acts(folder: Path) -> list[tuple[str, str]]:
    store = open_store(str(folder / "desk.journal"))
    found = [value_of(each.payload) for each in records_since(store, 0) if each.kind == Kind.CONTROL]
    store.close()
    return [(body["act"], body["by"]) for body in found]


def test_a_person_halts_flattens_and_releases_machines_over_a_restart(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with served(folder) as process:
        with Lane.open(folder) as lane, host(tmp_path, lane) as running:
            tick(running, 0, 5000.0)
            assert in_effect(folder, "halt", 1)
            assert running.halted
            assert tick(running, 1, 5200.0).rejected == "the machines are halted"
        act(folder, said("flatten", 2))  # nobody looks at the lane now
        kill(process)
    with Lane.open(folder) as lane, host(tmp_path, lane) as again:
        assert again.halted
        with served(folder):
            assert in_effect(folder, "release", 3)
        assert not again.halted
        assert again.snapshot("desk").result(10).configuration == ("winding_down",)
        assert tick(again, 2, 5200.0).rejected is None
    assert acts(tmp_path) == [("halt", "anna"), ("flatten", "anna"), ("release", "anna")]


def test_a_lane_whose_flag_is_damaged_halts_the_machines(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with served(folder), Lane.open(folder) as lane, host(tmp_path, lane) as running:
        tick(running, 0, 5000.0)
        with (folder / "flag").open("r+b") as flag:
            flag.seek(8 * POSTED)
            flag.write(b"\xff" * 8)
        assert tick(running, 1, 5200.0).rejected == "the machines are halted"
        assert running.outbox() == ()


def test_a_lane_that_is_closed_before_its_host_stops_that_and_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with served(folder):
        lane = Lane.open(folder)
        running = host(tmp_path, lane)
        tick(running, 0, 5000.0)
        lane.close()
        lane.close()
        running._thread.join(10)
        with pytest.raises(HostError, match=r"the lane was closed \(HR880\)"):
            tick(running, 1, 5000.0)
        assert running.outbox() == ()
        with pytest.raises(HostError):
            running.close()
        with pytest.raises(ControlError, match="the lane was closed"):
            lane.pending()
        with Lane.open(folder) as again, host(tmp_path, again) as back:
            assert tick(back, 1, 5000.0).rejected is None


def test_two_hosts_have_two_lanes(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with served(folder), Lane.open(folder) as lane:
        with host(tmp_path, lane):
            with pytest.raises(HostError) as error:
                hedgerow.Host(tmp_path / "other.journal", {"desk": BAND}, lane=lane)
            assert (error.value.code, error.value.message) == ("HR882", "another host looks at this lane")
        with hedgerow.Host(tmp_path / "other.journal", {"desk": BAND}, lane=lane) as after:
            assert tick(after, 0, 5000.0).rejected is None


def test_a_lane_is_given_as_itself_and_not_as_its_folder(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"Lane\.open"):
        hedgerow.Host(tmp_path / "desk.journal", {"desk": BAND}, lane=str(made(tmp_path)))  # type: ignore[arg-type]  # that is the mistake
    assert not (tmp_path / "desk.journal").exists()
