"""A host in a simulated world keeps its promises, whatever breaks; and a world finds the bugs that would break them.

`python tests/simulate.py` runs worlds by hand, and the one of a seed again.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from random import Random

import pytest

pytest.importorskip("apsw")  # the extra `journal`

import apsw
import simulate
from click.testing import CliRunner
from journals import beginning
from pages import ROOT
from simulation.chance import stream
from simulation.clock import Clock
from simulation.disk import Disk
from simulation.faults import FAULTS, FAULTS_OF_LYING_DISKS
from simulation.world import Outcome, run

from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify

FEW, MANY = 6, 24
"""Worlds in a default run, and with the slow ones; every other disk lies."""


@cache
def world(seed: int, hours: float) -> Outcome:
    return run(seed, hours, lies=seed % 2 == 1)


@pytest.mark.parametrize("seed", range(FEW))
def test_a_host_keeps_its_promises_in_every_world(seed: int) -> None:
    outcome = world(seed, 60)
    assert outcome.broken is None, outcome


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FEW, MANY))
def test_a_host_keeps_its_promises_in_more_worlds_for_longer(seed: int) -> None:
    outcome = world(seed, 120)
    assert outcome.broken is None, outcome


def test_the_worlds_of_a_default_run_are_not_quiet_ones() -> None:
    counts = sum((world(seed, 60).counts for seed in range(FEW)), Counter[str]())
    assert {name.removeprefix("fault ") for name in counts if name.startswith("fault ")} >= FAULTS_OF_A_DISK
    assert (
        min(counts[each] for each in ("events", "order", "filled", "refusals", "act", "answers", "verified", "quiet"))
        > 5
    )


# --- one seed decides everything ---


def told_by_another_process(seed: int, hours: int, hashes: str) -> str:
    command = [
        sys.executable,
        str(ROOT / "tests" / "simulate.py"),
        "--seed",
        str(seed),
        "--hours",
        str(hours),
        "--lies",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": hashes}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return re.findall(r"^trace ([0-9a-f]{64})$", answer.stdout, re.M)[0]


def test_a_seed_has_one_history_in_every_process() -> None:
    # With every byte that is on its disk in the end.
    here = run(2, 20, lies=True)
    assert run(2, 20, lies=True).trace == here.trace != run(3, 20, lies=True).trace
    assert [told_by_another_process(2, 20, hashes) for hashes in ("1", "2")] == [here.trace] * 2


def test_one_more_draw_in_a_part_moves_no_other() -> None:
    one, other = stream(1, "disk"), stream(1, "bus")
    one.random()
    assert other.random() == stream(1, "bus").random() != stream(2, "bus").random()


def test_what_is_planned_for_one_time_is_done_in_the_order_in_which_it_was_planned() -> None:
    clock, done = Clock(), list[str]()
    for name in "bcad":
        clock.after(5, done.append, name)
    clock.after(1, done.append, "first")
    assert not clock.run(clock.now + 5)
    assert done == ["first", *"bcad"]


# --- the disk ---

FAULTS_OF_A_DISK = frozenset(("kill", "power", "sync", "full", "flip", "misdirected"))


def written(disk: Disk, **settings: str) -> apsw.Connection:
    connection = apsw.Connection(str(disk.folder / "a.db"), vfs=disk.vfs)
    for name, value in {"journal_mode": "wal", "synchronous": "full", **settings}.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.execute("CREATE TABLE seen (number)")
    for number in range(20):
        connection.execute("INSERT INTO seen VALUES (?)", (number,))
    return connection


def left(disk: Disk, how: str) -> int:
    disk.die(how)
    disk.come_back()
    connection = apsw.Connection(str(disk.folder / "a.db"), vfs=disk.vfs)
    try:
        return connection.execute("SELECT count(*) FROM seen").fetchall()[0][0]
    except apsw.SQLError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("how", "synchronous", "kept"), [("kill", "off", True), ("power", "full", True), ("power", "off", False)]
)
def test_a_kill_loses_nothing_that_was_written_and_a_power_cut_what_was_not_synced(
    how: str, synchronous: str, kept: bool
) -> None:
    found = []
    for seed in range(8):
        disk = Disk(Random(seed))
        connection = written(disk, synchronous=synchronous)
        found.append(left(disk, how))
        connection.close()
        disk.close()
    assert (set(found) == {20}) is kept


@pytest.mark.parametrize("after", [False, True])
def test_a_journal_whose_making_loses_its_power_is_made_by_who_comes_next(after: bool) -> None:
    reached = 0
    for operation in range(1, 30):
        for seed in range(3):
            disk = Disk(Random(seed))
            disk.arm("power", operation, after=after)
            with contextlib.suppress(JournalError, apsw.Error):
                begun = Journal.begin(SqliteStore(disk.folder / "a.journal", write=True, vfs=disk.vfs), beginning())
                begun.store.close()
            reached += disk.gone is not None
            if disk.gone is None:
                disk.die("power")
            disk.come_back()
            store = SqliteStore(disk.folder / "a.journal", write=True, vfs=disk.vfs)
            if store.last() is None:
                Journal.begin(store, beginning())
            assert verify(store).records == 1
            store.close()
            disk.close()
    assert reached > 50


def test_a_lie_in_the_log_can_take_its_end_away_and_only_what_was_kept_elsewhere_tells() -> None:
    disk = Disk(Random(1))
    journal = Journal.begin(SqliteStore(disk.folder / "a.journal", write=True, vfs=disk.vfs), beginning())
    for number in range(5):
        journal.append(Kind.EVENT, {"n": number})
        journal.commit()
    kept = {journal.durable: journal.head.hex()}
    disk.die("power")
    journal.store.close()
    log = disk._platter["a.journal-wal"]
    log[log.index(b'{"n":2}')] ^= 1  # the frame that brought it, and all that came after
    disk.come_back()
    store = SqliteStore(disk.folder / "a.journal", write=True, vfs=disk.vfs)
    assert verify(store).holds
    assert verify(store).records == 3
    damage = verify(store, expected=kept).damage
    assert damage is not None
    assert (damage.fault, damage.sequence) == ("unexpected", 3)
    store.close()
    disk.close()


# --- a world that finds nothing shows nothing ---


def first_broken(lies: bool, synchronous: str = "FULL") -> Outcome:
    """Return the first of a few worlds in which a promise was broken, or else the last of them."""
    outcomes = (run(seed, 100, lies=lies, synchronous=synchronous) for seed in range(12))
    last = None
    for last in outcomes:
        if last.broken is not None:
            break
    assert last is not None
    return last


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bug_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    assert first_broken(lies=False).broken is not None


@pytest.mark.parametrize("fault", FAULTS_OF_LYING_DISKS)
def test_a_bug_that_a_lying_disk_shows_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS_OF_LYING_DISKS[fault](monkeypatch)
    assert first_broken(lies=True).broken is not None


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_journal_that_does_not_sync_each_commit_is_found(synchronous: str) -> None:
    assert first_broken(lies=False, synchronous=synchronous).broken is not None


def test_a_failing_seed_is_printed_and_fails_again_by_the_command_that_is_printed_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FAULTS["answers before the commit"](monkeypatch)
    outcome = first_broken(lies=False)
    told = CliRunner().invoke(simulate.main, ["--honest", "--seed", str(outcome.seed), "--hours", "100"])
    assert told.exit_code == 1
    assert str(outcome) in told.output
    command = re.findall(r"python tests/simulate.py (.*)", told.output)[0].split()
    assert command == ["--seed", str(outcome.seed), "--hours", "100", "--honest", "--trace"]
    again = CliRunner().invoke(simulate.main, command)
    assert outcome.trace in told.output
    assert outcome.trace in again.output
    assert f"broken       {outcome.broken}" in again.output
