"""A process that runs one host, for `shards`: a line of JSON for each call in, one for each answer out.

    {"id": 7, "call": "submit", "given": ["desk", "tick", 0, {"price": 100.0}, null]}
    {"id": 7, "returned": [["up"], ["flat"], ["active"], …]}
    {"id": 7, "error": {"code": "HR872", …}}

An answer is written once what it says is durable, in whatever order that becomes so. Where the input ends, whoever asked is
gone: what was taken is finished, the host closed, and the process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from ..journal.keys import Signer
from ..pipes import taken_over
from ..snapshot import Snapshot
from .departure import Departed
from .freight import Specs, error_of
from .given import Sent
from .host import Host
from .migration import Migration

__all__: list[str] = []

_Answer = tuple[int, dict[str, Any]] | None


def _serve(calls: BinaryIO, answers: SimpleQueue[_Answer]) -> None:
    """Run a host for as long as somebody calls."""
    if (first := _read(calls)) is None:
        return
    try:
        served = _Served(*first["given"])
    except Exception as error:  # noqa: BLE001  # whoever opens it is told, whatever it is
        answers.put((first["id"], {"error": error_of(error)}))
        return
    answers.put((first["id"], {"returned": served.stands()}))
    closing: int | None = None
    while (call := _read(calls)) is not None:
        if call["call"] == "close":
            closing = call["id"]
            break
        _answer(served, call, answers)
    ended: dict[str, Any] = {"returned": None}
    try:
        served.close()
    except Exception as error:  # noqa: BLE001
        ended = {"error": error_of(error)}
    if closing is not None:
        answers.put((closing, ended))


def _read(calls: BinaryIO) -> Any:
    """Return the next call; None where nobody calls any more, be it in the middle of one."""
    line = calls.readline()
    return json.loads(line) if line.endswith(b"\n") else None


def _answer(served: _Served, call: Mapping[str, Any], answers: SimpleQueue[_Answer]) -> None:
    number = call["id"]
    try:
        found = served.calls[call["call"]](*call["given"])
    except Exception as error:  # noqa: BLE001  # what goes wrong for one is no reason to end the others
        answers.put((number, {"error": error_of(error)}))
        return
    if not isinstance(found, Future):
        answers.put((number, {"returned": found}))
        return

    def told(future: Future[Any]) -> None:
        error = future.exception()
        answers.put((number, {"returned": future.result()} if error is None else {"error": error_of(error)}))

    found.add_done_callback(told)


class _Served:
    """A host, and what can be called."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """Open what a shard is told to; the arguments of `Host`, as JSON.

        Raises:
            RunError: it cannot be opened.
        """
        specs, self._added = Specs(given["place"]), Specs(given["place"])
        for name, document in given["known"].items():
            specs.add(name, {**document, **given["texts"][document["text"]]})
        self._lane: Any = None
        key = given["key"]
        if given["lane"] is not None:
            from ..control.lane import Lane

            self._lane = Lane.open(given["lane"])
        try:
            self._host = Host(
                given["place"],
                {},
                known=specs,
                name=given["name"],
                signer=None if key is None else Signer.read(Path(key)),
                lane=self._lane,
                flatten=given["flatten"],
                migrations=[Migration.model_validate(each) for each in given["migrations"]],
                # What may wait, and that moves wait for nobody's room, whoever asks has seen to.
                **{**given["limits"], "waiting": sys.maxsize},
            )
        except BaseException:
            if self._lane is not None:
                self._lane.close()
            raise
        host = self._host
        self.calls: dict[str, Callable[..., object]] = {
            "submit": lambda machine, event, time_ns, fields, id, source, sequence: host.submit(
                machine, event, time_ns, fields, id=id, source=source, sequence=sequence
            ),
            "submit_all": lambda events: host.submit_all([Sent(*each) for each in events]),
            "advance": host.advance,
            "delivered": host.delivered,
            "outbox": host.outbox,
            "snapshot": lambda machine: _changed(host.snapshot(machine), Snapshot.members),
            "add": self._add,
            "remove": lambda machine, to, pinned: _changed(
                host.remove(machine, to=to, pinned=pinned), Departed.to_json
            ),
            "departed": lambda machine: _changed(host.departed(machine), Departed.to_json),
            "stands": self.stands,
        }

    def stands(self) -> dict[str, Any]:
        """Return which machines are here, how often each has moved, whether somebody chose this place for it and whether it
        is in the shadow, and which have left after how many moves.
        """
        machines = self._host.recovered.machines
        return {
            "here": {name: [each.moves, each.pinned, each.shadow] for name, each in list(machines.members.items())},
            "left": {name: each.moves for name, each in list(machines.left.items())},
        }

    def _add(self, machine: str, document: Mapping[str, Any], shadow: bool, pinned: bool, moved: str | None) -> object:
        self._added.add(machine, document)
        came = None if moved is None else Departed.from_json(moved)
        return self._host.add(machine, self._added[machine], shadow=shadow, pinned=pinned, moved=came)

    def close(self) -> None:
        """Finish all that was taken, and close the host.

        Raises:
            RunError: it has failed before.
        """
        try:
            self._host.close()
        finally:
            if self._lane is not None:
                self._lane.close()


def _changed(future: Future[Any], change: Callable[[Any], object]) -> Future[object]:
    """Return the future of what is made of the result of another one."""
    found: Future[object] = Future()

    def done(future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            found.set_result(change(future.result()))
        else:
            found.set_exception(error)

    future.add_done_callback(done)
    return found


def _write(answers: SimpleQueue[_Answer], descriptor: int) -> None:
    """Write answers, as many at once as there are."""
    going = True
    while going:
        lines: list[bytes] = []
        answer = answers.get()
        while answer is not None:
            number, body = answer
            lines.append(json.dumps({"id": number, **body}).encode("ascii") + b"\n")
            if answers.empty() or len(lines) > 1_000:
                break
            answer = answers.get()
        going = answer is not None
        unsent = memoryview(b"".join(lines))
        with contextlib.suppress(BrokenPipeError):  # nobody is there any more to hear the answer
            while unsent:
                unsent = unsent[os.write(descriptor, unsent) :]


def _main() -> None:
    calls, descriptor = taken_over()
    answers: SimpleQueue[_Answer] = SimpleQueue()
    writer = Thread(target=_write, args=(answers, descriptor))
    writer.start()
    try:
        _serve(calls, answers)
    finally:
        answers.put(None)
        writer.join()


if __name__ == "__main__":
    _main()
