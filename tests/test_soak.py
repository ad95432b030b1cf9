"""A host under load for a while: nothing of it grows that should not, and its journal is what was sent.

`python tests/soak.py` does the same for as long as it is asked to, and judges times too.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from soak import Soaked, soak

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def check(folder: Path, events: int, state_every: int, remembered: int) -> None:
    # In a process of its own: one that ran other tests has memory of theirs, which comes and goes.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found: Soaked = pool.submit(soak, folder, events, state_every=state_every, remembered=remembered).result()
    assert len(found.samples) == 100
    assert found.taken == found.events == events
    assert found.same
    assert found.records > events + found.delivered > events
    assert found.since_state <= state_every
    early, late = found.memory
    assert late - early <= 4_000_000  # a tenth of what the events would take
    assert found.log_is_bounded


@linux_only
def test_a_host_under_load_journals_each_event_once_and_does_not_grow(tmp_path: Path) -> None:
    check(tmp_path, 12_800, state_every=1_000, remembered=256)


@linux_only
@pytest.mark.slow
def test_a_host_that_has_taken_a_hundred_thousand_events_does_not_grow(tmp_path: Path) -> None:
    check(tmp_path, 100_032, state_every=10_000, remembered=4_096)
