"""A host under load for a while: nothing of it grows that should not, and its journal is what was sent.

`python tests/soak.py` does the same for as long as it is asked to, and judges times too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from soak import Soaked, soak

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def check(found: Soaked, events: int, state_every: int) -> None:
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
    check(soak(tmp_path, 12_800, state_every=1_000, remembered=256), 12_800, 1_000)


@linux_only
@pytest.mark.slow
def test_a_host_that_has_taken_a_hundred_thousand_events_does_not_grow(tmp_path: Path) -> None:
    check(soak(tmp_path, 100_032, state_every=10_000, remembered=4_096), 100_032, 10_000)
