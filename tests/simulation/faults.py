"""Bugs, each of which breaks one promise of a host: a world that does not find them shows nothing.

Each puts something else into the place of what is right, as somebody's mistake would, and is undone by `monkeypatch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest

from hedgerow.engine.host import recovery, taking_up
from hedgerow.engine.host.committing import Committing
from hedgerow.engine.host.journalled import Journalled
from hedgerow.engine.host.machines import Machines
from hedgerow.engine.journal import chain, journal, kinds, verify
from hedgerow.engine.journal.records import DOMAIN, FIELD_BYTES, FIELDS, HEADER_BYTES, Record
from hedgerow.engine.journal.sqlite import SqliteStore

__all__ = ["FAULTS", "FAULTS_OF_LYING_DISKS"]


def _answers_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    def answer(self: Any, asked: Any) -> None:
        for future, work, arguments in asked:
            self._look()
            if future.set_running_or_notify_cancel():
                future.set_result(work(*arguments))
        self._journal.commit()

    patch.setattr(Committing, "_answer", answer)


def _forgets_ids(patch: pytest.MonkeyPatch) -> None:
    def remember(machines: Any, store: Any) -> None:
        return

    for module in (recovery, taking_up):
        patch.setattr(module, "remember", remember)


def _forgets_orders(patch: pytest.MonkeyPatch) -> None:
    state = Machines.state

    def without(self: Any) -> bytes:
        orders, self.orders = self.orders, {}
        try:
            return state(self)
        finally:
            self.orders = orders

    patch.setattr(Machines, "state", without)


def _loses_an_act(patch: pytest.MonkeyPatch) -> None:
    def look(self: Any) -> None:
        while (act := self._lane.pending()) is not None:
            self._lane.taken(act)  # and only then is it made durable
            self._machines.obey(self._journal, act, self._flatten, self._clock())
            self._journal.commit()

    patch.setattr(Committing, "_look", look)


def _does_acts_again(patch: pytest.MonkeyPatch) -> None:
    def note(self: Any, act: str, id: str) -> None:
        if act in ("halt", "release"):
            self.halted = act == "halt"

    patch.setattr(Machines, "note", note)


def _releases_when_it_comes_back(patch: pytest.MonkeyPatch) -> None:
    restore = Machines.restore

    def released(self: Any, *arguments: Any) -> Any:
        found = restore(self, *arguments)
        self.halted = False
        return found

    patch.setattr(Machines, "restore", released)


def _sends_while_halted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Committing, "holds_orders", lambda self: self.failure is not None)


def _takes_events_while_halted(patch: pytest.MonkeyPatch) -> None:
    take = Machines.take

    def anything(self: Any, *arguments: Any) -> Any:
        halted, self.halted = self.halted, False
        try:
            return take(self, *arguments)
        finally:
            self.halted = halted

    patch.setattr(Machines, "take", anything)


def _numbers_orders_anew(patch: pytest.MonkeyPatch) -> None:
    send = Machines.send
    patch.setattr(Machines, "send", lambda self, member, _, step: send(self, member, len(self.orders), step))


def _takes_what_is_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqliteStore, "_empty_log", lambda _: True)


def _goes_on_after_a_commit_has_failed(patch: pytest.MonkeyPatch) -> None:
    write = SqliteStore.write

    def shrug(self: Any, *arguments: Any) -> None:
        try:
            write(self, *arguments)
        except Exception:  # noqa: BLE001  # that is the bug
            return

    patch.setattr(SqliteStore, "write", shrug)


def _believes_what_it_reads(patch: pytest.MonkeyPatch) -> None:
    def records_of(store: Any, group: Any, expected: int, previous: Any) -> list[Record]:
        found, at = list[Record](), 0
        while at < len(group.records):
            fields = group.records[at : at + FIELD_BYTES]
            _, kind, sequence, length, _ = FIELDS.unpack(fields)
            payload = group.records[at + HEADER_BYTES : at + HEADER_BYTES + length]
            found.append(Record(sequence, kind, fields, payload, sha256(DOMAIN + fields + payload).digest()))
            at += HEADER_BYTES + length
        return found

    for module in (chain, journal):
        patch.setattr(module, "records_of", records_of)
    patch.setattr(verify, "trouble_with", lambda *_: None)


def _asks_functions_again(patch: pytest.MonkeyPatch) -> None:
    repeat = Journalled.repeat

    def again(self: Any, *arguments: Any) -> Any:
        answers, self._answers = self._answers, None
        try:
            return repeat(self, *arguments)
        finally:
            self._answers = answers

    patch.setattr(Journalled, "repeat", again)


def _journals_no_answers(patch: pytest.MonkeyPatch) -> None:
    step = kinds.step
    patch.setattr(kinds, "step", lambda of, done, _: step(of, done, ()))


def _goes_over_from_an_older_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taking_up, "records_since", lambda *_: iter(()))


FAULTS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "answers before the commit": _answers_before_the_commit,
    "forgets ids when it comes back": _forgets_ids,
    "keeps no orders": _forgets_orders,
    "loses an act": _loses_an_act,
    "does acts again": _does_acts_again,
    "is not halted any more when it comes back": _releases_when_it_comes_back,
    "sends while halted": _sends_while_halted,
    "takes events while halted": _takes_events_while_halted,
    "numbers orders anew": _numbers_orders_anew,
    "takes what is not synced": _takes_what_is_not_synced,
    "goes on after a commit has failed": _goes_on_after_a_commit_has_failed,
    "asks functions again": _asks_functions_again,
    "journals no answers": _journals_no_answers,
    "goes over from an older state": _goes_over_from_an_older_state,
}
FAULTS_OF_LYING_DISKS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "believes what it reads": _believes_what_it_reads,
}
