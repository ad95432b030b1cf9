"""Hosts that are killed at any moment: nothing acknowledged is lost, nothing is applied twice, no order is lost.

`python tests/crashes.py` does the same as often as it is asked to, and tells what it has seen.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from crashes import kill_hosts
from journals import POSTGRES

needs_server = pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")


def check(folder: Path, kills: int, seed: int, url: str | None = None) -> None:
    found = kill_hosts(folder, kills, seed, url)
    assert (found.kills, found.about.total()) == (kills, kills)
    # It has seen something: events that were told, and orders.
    assert found.events > 10 * kills
    assert found.orders > kills


def test_a_killed_host_comes_back_with_all_that_it_acknowledged(tmp_path: Path) -> None:
    check(tmp_path, 4, 1)


@pytest.mark.slow
def test_a_host_that_is_killed_twenty_five_times_comes_back_each_time(tmp_path: Path) -> None:
    check(tmp_path, 25, 2)


@needs_server
def test_a_killed_host_whose_journal_is_on_a_server_comes_back_too(tmp_path: Path) -> None:
    check(tmp_path, 3, 3, POSTGRES)


@needs_server
@pytest.mark.slow
def test_a_host_on_a_server_that_is_killed_ten_times_comes_back_each_time(tmp_path: Path) -> None:
    check(tmp_path, 10, 4, POSTGRES)
