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
