"""A host whose server ends its session: it stops, and whoever opens it again finds all that was acknowledged."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from journals import POSTGRES, drop, end_writer
from pages import ROOT

import hedgerow
from hedgerow.engine.host.host import Host
from hedgerow.engine.host.problem import HostError
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.verify import verify

pytestmark = pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")

COMPILED = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml").compile()
SECOND = 10**9


@pytest.fixture
def journal() -> Iterator[str]:
    name = f"ended_{uuid.uuid4().hex}"
    yield name
    drop(name)


def price(number: int) -> float:
    return 5000.0 + 200.0 * (number % 3)


def run_until_it_is_ended(journal: str, first: int, after: int) -> tuple[set[int], HostError]:
    """Run a host that sends ticks from one on, end its session some time after so many; return what it acknowledged."""
    acknowledged, enough, stopped = set[int](), Event(), list[HostError]()
    # No second writer is in the way: the session that was ended before has let go of its lock.
    host = Host(f"{POSTGRES}?journal={journal}", {"desk": COMPILED}, state_every=40, undelivered=10**6)

    def send() -> None:
        number, waiting = first, list[tuple[int, Any]]()
        try:
            while True:
                sent = host.submit("desk", "tick", number * SECOND, {"price": price(number)}, id=f"t-{number}")
                waiting.append((number, sent))
                number += 1
                if len(waiting) == 8:
                    for each, future in waiting:
                        assert future.result(30).rejected is None
                        acknowledged.add(each)
                    waiting.clear()
                    if len(acknowledged) >= after:
                        enough.set()
        except HostError as error:
            stopped.append(error)
            for each, future in waiting:
                if future.exception(30) is None:
                    acknowledged.add(each)

    sender = Thread(target=send)
    sender.start()
    assert enough.wait(60)
    end_writer(journal)
    sender.join(60)
    (error,) = stopped
    assert error.code == "HR870"
    assert "the journal cannot be written: the server has ended the session" in error.message
    assert host.outbox() == ()
    with pytest.raises(HostError) as again:
        host.close()
    assert str(again.value) == str(error)
    return acknowledged, error


def check(journal: str, ends: int, seed: int) -> None:
    chance, acknowledged, following = Random(seed), set[int](), 0
    for _ in range(ends):
        found, _ = run_until_it_is_ended(journal, following, chance.randrange(1, 80))
        acknowledged |= found
        store = open_store(f"{POSTGRES}?journal={journal}")
        assert verify(store).holds
        bodies = [value_of(each.payload) for each in records_since(store) if each.kind == Kind.EVENT]
        numbers = [int(body["id"].removeprefix("t-")) for body in bodies]
        assert numbers == list(range(len(numbers)))
        assert acknowledged <= set(numbers)
        twin = COMPILED.machine()
        for number in numbers:
            twin.send("tick", number * SECOND, price=price(number))
        assert rebuild(store, {"desk": COMPILED}).machines["desk"].snapshot() == twin.snapshot()
        store.close()
        following = len(numbers)


def test_a_host_whose_session_is_ended_stops_and_loses_nothing(journal: str, tmp_path: Path) -> None:
    check(journal, 4, 1)


@pytest.mark.slow
def test_a_host_whose_session_is_ended_ten_times_loses_nothing(journal: str, tmp_path: Path) -> None:
    check(journal, 10, 2)
