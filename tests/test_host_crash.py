"""Hosts that are killed at any moment: nothing acknowledged is lost, nothing is applied twice, no order is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from threading import Timer

import pytest
from host_process import price
from pages import ROOT

import hedgerow
from hedgerow.engine.host.host import Host
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.verify import verify

SPEC = ROOT / "specs" / "band_limited_hedge.yaml"
COUNT = 200_000
"""More ticks than a process sends before it is killed."""


def killed(journal: Path, venue: Path, first: int, seconds: float) -> dict[int, str]:
    """Let a host run from a tick on, kill it, and return what it has acknowledged by then."""
    command = [sys.executable, str(ROOT / "tests" / "host_process.py"), journal, SPEC, venue, str(first), str(COUNT)]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    began = process.stdout.readline()  # it has acknowledged something before its time begins to run
    timer = Timer(seconds, process.kill)
    timer.start()
    told, errors = process.communicate()
    timer.cancel()
    assert errors == ""
    lines = [line.split(" ", 1) for line in (began + told).splitlines() if line.endswith(("taken", "taken\n", "id"))]
    return {int(number): what for number, what in lines if number.isdigit() and what}


def check(journal: Path, acknowledged: dict[int, str]) -> int:
    """Hold a journal to what was acknowledged and to an uncrashed twin; return the first tick that it does not have."""
    store, spec = open_store(str(journal)), hedgerow.load(SPEC).compile()
    try:
        assert verify(store).holds
        bodies = [value_of(each.payload) for each in records_since(store) if each.kind == Kind.EVENT]
        numbers = [int(body["id"].removeprefix("t-")) for body in bodies]
        assert len(set(numbers)) == len(numbers)
        assert acknowledged.keys() <= set(numbers)
        twin = spec.machine()
        for number, body in zip(numbers, bodies, strict=True):
            assert body["fields"] == {"price": price(number)}
            twin.send(body["name"], body["time_ns"], **body["fields"])
        assert rebuild(store, {"desk": spec}).machines["desk"].snapshot() == twin.snapshot()
        return max(numbers, default=-1) + 1
    finally:
        store.close()


def run_kills(tmp_path: Path, kills: int, seed: int) -> None:
    journal, venue, chance = tmp_path / "desk.journal", tmp_path / "venue", Random(seed)
    acknowledged: dict[int, str] = {}
    following = 0
    for _ in range(kills):
        # Some of what was durable is sent again, as a sender does that has no answer.
        acknowledged |= killed(journal, venue, max(0, following - 30), chance.uniform(0.01, 0.25))
        following = check(journal, acknowledged)
    handed = [line.split() for line in venue.read_text().splitlines()]
    once = {id: (leg, quantity) for id, leg, quantity in handed}
    # What came more than once is the same order each time: a venue that knows it by its id takes it once.
    assert all(once[id] == (leg, quantity) for id, leg, quantity in handed)
    with Host(journal, {"desk": hedgerow.load(SPEC)}) as host:
        left = {each.id: (each.order.leg, repr(each.order.quantity)) for each in host.outbox()}
    store = open_store(str(journal))
    decided, delivered = {}, set()
    for record in records_since(store):
        body = value_of(record.payload)
        if record.kind == Kind.STEP:
            for index, order in enumerate(body.get("orders", [])):
                decided[f"desk-{body['of']}-{index}"] = (order["leg"], repr(order["quantity"]))
        elif record.kind == Kind.DELIVERY:
            delivered.add(body["order"])
    store.close()
    assert len(decided) > 10
    # Neither lost nor made up: every order was handed over or is there to be, and what is noted was handed over.
    assert decided.keys() == once.keys() | left.keys()
    assert once.items() | left.items() == decided.items()
    assert delivered == decided.keys() - left.keys() <= once.keys()


def test_a_killed_host_comes_back_with_all_that_it_acknowledged(tmp_path: Path) -> None:
    run_kills(tmp_path, 4, 1)


@pytest.mark.slow
def test_a_host_that_is_killed_twenty_five_times_comes_back_each_time(tmp_path: Path) -> None:
    run_kills(tmp_path, 25, 2)
