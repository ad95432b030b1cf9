"""Many hosts in processes of their own, as one: machines by name, each at home in one of them.

    shards -> shard 0 -> | process: host, journal 0 |
           -> shard 1 -> | process: host, journal 1 |

Where a machine is, the journals say: it is where one of them holds it. Where a new one begins, its name says
(`rendezvous`), unless somebody chose. So there is no list beside the journals that could differ from them, and a move that
was cut off is found by what stands in them: a machine that has left one and is in no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ..dryrun.problem import RunError
from ..forks import left_in_forks
from ..journal.opening import is_url
from ..load import Compiled, Spec
from ..snapshot import Snapshot
from ..step import Step
from .arguments import check_limits, check_machine_names, check_names, check_types, not_in_the_shadow
from .freight import document_of, listed, outgoing_from, step_from
from .gathered import Gathered
from .given import MACHINE_NAME, Sent, plain, plain_sent, plain_text
from .homes import Homes, Move
from .machines import Outgoing
from .migration import Migration
from .problem import HostError
from .rendezvous import home_of
from .resolving import answer, fail
from .shard import Shard, end
from .shard_journals import journal_of, refuse_more

__all__ = ["Shards"]

T = TypeVar("T")
_TOGETHER = 256
"""So many machines move together."""


class Shards:
    """Journalled machines over several processes, with the calls of a `Host`.

    A machine is in one process at a time. A process that ends takes nobody with it: what waited for it fails with HR870,
    the others go on, and `restart` brings it back.
    """

    def __init__(
        self,
        place: str | Path,
        machines: Mapping[str, Compiled | Spec],
        *,
        processes: int,
        shadow: Collection[str] = (),
        key: Path | str | None = None,
        lanes: Sequence[Path | str] | None = None,
        flatten: Mapping[str, str] | None = None,
        migrations: Collection[Migration] = (),
        waiting: int = 10_000,
        undelivered: int = 10_000,
        group: int = 1_024,
        remembered: int = 65_536,
        state_every: int = 262_144,
        patience_s: float | None = 60.0,
    ) -> None:
        """Start the processes and bring back their machines; finish moves that were cut off, begin what is new.

        Args:
            place: a folder, in which journals are `shard-0.journal` and on; or a PostgreSQL URL, whose `journal=NAME` is
                for `NAME_0` and on.
            machines: the specs by the names of their machines, of all shards.
            processes: how many, at least one; not fewer than have machines.
            shadow: the machines that send nothing.
            key: the file of the private key that signs checkpoints, of all journals.
            lanes: the folder of the stop lane of each shard, in their order.
            flatten: as of `Host`, for each shard; so are those that follow.
            migrations: how states of other programs become those of these specs.
            waiting: how much may wait in a shard to be journalled.
            undelivered: how many orders may wait in a shard to be delivered.
            group: how much is committed together at most.
            remembered: an id is known for so many records of its shard at least.
            state_every: after so many records the state of all machines of a shard is kept.
            patience_s: a process that is asked and answers nothing for so many seconds hangs: who waits in `move`,
                `rebalance` or `outbox` is let go, and where it is to end, it is killed. None waits for ever.

        Raises:
            RunError: as `Host`; (HR878) the shards do not fit: a machine is in two, or in one that is not among these.
            TypeError, ValueError: as `Host`; there is no process, or patience that no clock can wait for.
        """
        check_types(
            place,
            specs={"machines": machines},
            shadow=shadow,
            flatten=flatten,
            migrations=migrations,
            lanes=() if lanes is None else lanes,
        )
        if processes < 1:
            raise ValueError("shards are at least one process")
        if patience_s is not None and not 0 < patience_s <= threading.TIMEOUT_MAX:
            raise ValueError(f"patience is more than 0 and at most {threading.TIMEOUT_MAX:,.0f} seconds, or None")
        limits = {
            "waiting": waiting,
            "undelivered": undelivered,
            "group": group,
            "remembered": remembered,
            "state_every": state_every,
        }
        check_limits(**limits)
        if lanes is not None and len(lanes) != processes:
            raise ValueError("there is one lane a shard")
        check_machine_names(machines, str(place))
        self._place = str(place)
        self._documents = {name: document_of(spec) for name, spec in machines.items()}
        check_names(machines, shadow, flatten or {}, self._place)
        self._shadow = frozenset(shadow)
        self._lanes = [None] * processes if lanes is None else [str(each) for each in lanes]
        self._waiting, self._patience_s = waiting, patience_s
        self._given = {
            "key": None if key is None else str(key),
            "flatten": dict(flatten or {}),
            "migrations": [each.to_json() for each in migrations],
            "limits": limits,
        }
        self._changing = threading.Lock()
        """Held by the one that moves, restarts or closes."""
        self._shards: list[Shard] = []
        self._opening: list[Shard] = []
        """Those that are to take the place of others."""
        self._homes = Homes(self._place, self._shards, self._documents)
        self._closed = False
        if not is_url(self._place):
            with suppress(OSError):  # the first journal that cannot be there tells why
                Path(self._place).mkdir(parents=True, exist_ok=True)
        try:
            self._open(processes)
        except BaseException:
            end(self._shards)
            raise
        _OPEN.add(self)

    # ---------------------------------------------------------------------------------------------------------- events

    def submit(
        self,
        machine: str,
        event: str,
        time_ns: int,
        fields: Mapping[str, object] | None = None,
        *,
        id: str | None = None,
        source: str | None = None,
        sequence: int | None = None,
    ) -> Future[Step]:
        """Give an event to a machine; the future has its step once that is durable; see `Host.submit`.

        Raises:
            Busy: (HR871) too much waits there, or the machine is on its way; nothing was taken. In the future: too many
                orders wait to be delivered.
            HostError: (HR870) its process has ended; (HR872) there is no such machine.
            TypeError: an argument is of a type that no event has.
        """
        given = plain_sent(Sent(machine, event, time_ns, fields or {}, id, source, sequence))
        return self._send(machine, "submit", *given, become=step_from)

    def submit_all(self, events: Sequence[Sent]) -> Future[list[Step]]:
        """Give many events to machines at once; the future has their steps, in the same order, once all are durable.

        Those of one shard wait there as one. Where one shard fails, so does the future, and what the others took is taken:
        send all again, with their ids. Raises as `submit`; nothing was taken then.
        """
        parts: dict[int, list[int]] = {}
        given = [plain_sent(each) for each in events]
        with self._homes.lock:
            for place, each in enumerate(given):
                parts.setdefault(self._homes.of(each.machine), []).append(place)
            reserved: list[Shard] = []
            try:
                for number in parts:
                    self._shards[number].reserve()
                    reserved.append(self._shards[number])
            except HostError:
                for shard in reserved:
                    shard.release()
                raise
            steps: Future[list[Step]] = Future()
            steps.set_running_or_notify_cancel()
            gathered = Gathered(steps, len(given), len(parts))
            for number, places in parts.items():
                try:
                    sent = self._shards[number].send("submit_all", [given[place] for place in places], become=_steps)
                except (HostError, TypeError) as error:
                    gathered.failed(error)
                else:
                    sent.add_done_callback(gathered.taker(places))
        if not given:
            steps.set_result([])
        return steps

    def advance(self, machine: str, time_ns: int) -> Future[Step]:
        """Let time pass for a machine without an event; otherwise as `submit`."""
        return self._send(machine, "advance", machine, plain(time_ns), become=step_from)

    def snapshot(self, machine: str) -> Future[Snapshot]:
        """Return the state of a machine after all that was submitted before, once that is durable; raises as `submit`."""
        return self._send(machine, "snapshot", machine, become=Snapshot.from_members)

    def outbox(self) -> tuple[Outgoing, ...]:
        """Return the orders that may leave and are not known to have been delivered, shard after shard; see `Host.outbox`.

        Those of a process that has ended, or hangs (`patience_s`), are there again when it is back.
        """
        found: list[Outgoing] = []
        asked: list[Future[list[Outgoing]]] = []
        for shard in self._shards:
            with suppress(HostError):  # its process has ended
                asked.append(shard.ask("outbox", become=_outbox))
        until = None if self._patience_s is None else time.monotonic() + self._patience_s
        for each in asked:
            try:
                found += each.result(None if until is None else max(0.0, until - time.monotonic()))
            except TimeoutError:
                continue
            except HostError as error:
                if error.code != "HR870":
                    raise
        return tuple(found)

    def delivered(self, order: str) -> Future[bool]:
        """Note that an order of `outbox()` has reached who takes orders; the future says whether that was new.

        Raises:
            Busy, HostError: as `submit`.
        """
        known = plain_text("the id of an order", order)
        return self._send(known.partition("-")[0], "delivered", known)

    def _send(self, machine: str, call: str, *given: Any, become: Callable[[Any], Any] | None = None) -> Future[Any]:
        # Held so that nothing is sent to where a machine is behind that which lets it leave.
        with self._homes.lock:
            shard = self._shards[self._homes.of(machine)]
            shard.reserve()
            return shard.send(call, *given) if become is None else shard.send(call, *given, become=become)

    # -------------------------------------------------------------------------------------------------------- machines

    @property
    def homes(self) -> dict[str, int]:
        """In which shard each machine is; one that is on its way is in none."""
        with self._homes.lock:
            return {name: number for name, number in self._homes.at.items() if name not in self._homes.away}

    def add(
        self, machine: str, compiled: Compiled | Spec, *, shadow: bool = False, shard: int | None = None
    ) -> Future[int]:
        """Take up a new machine, in the shard that its name says or that is chosen; the future has its record there.

        Raises:
            Busy, HostError: as `submit`; (HR872) there is one of this name, one has left, or it is no name.
        """
        document = document_of(compiled)
        with self._homes.lock:
            if machine in self._homes.at or machine in self._homes.coming or not MACHINE_NAME.fullmatch(machine):
                what = f"`{machine[:80]}` is no name for a new machine"
                raise HostError("HR872", what, self._place, "choose another name")
            if machine in self._homes.left:
                what = f"a machine `{machine}` has left these shards"
                help = (
                    f"give back what left, to a host of shard {self._homes.left[machine]} alone, or choose another name"
                )
                raise HostError("HR872", what, self._place, help)
            target = home_of(machine, len(self._shards)) if shard is None else self._number(shard)
            self._shards[target].reserve()
            coming = self._shards[target].send("add", machine, document, shadow, shard is not None, None)
            self._homes.coming.add(machine)
            # Known from now on: it may be there even where nobody is told of it.
            self._documents[machine] = document

        joined: Future[int] = Future()
        joined.set_running_or_notify_cancel()

        def done(future: Future[int]) -> None:
            error = future.exception()
            with self._homes.lock:
                self._homes.coming.discard(machine)
                if error is None:
                    self._homes.at[machine] = target
            if error is None:
                answer(joined, future.result())
            else:
                fail(joined, error)

        coming.add_done_callback(done)
        return joined

    def move(self, machine: str, shard: int) -> None:
        """Let a machine go on in another shard, and wait until it does; it stays there whatever `rebalance` would say.

        Meanwhile what is sent to it is refused with `Busy`. Where the other shard does not take it, it is back where it was.
        One that is there already is left as it is: `rebalance` may let it go.

        Raises:
            Busy, HostError: as `submit`; what keeps the other shard from taking it (HR870, HR877). After HR870, that one of
                the two has ended or hangs (`patience_s`), `restart` of it finishes the move.
        """
        target = self._number(shard)
        with self._changing:
            with self._homes.lock:
                source = self._homes.of(machine)
            self._homes.move([Move(machine, source, target, pinned=True)])

    def rebalance(self, processes: int | None = None) -> tuple[str, ...]:
        """Let all machines go to where their names say, but for those for which somebody chose; return those that went.

        Args:
            processes: as if there were so many shards, so that those beyond are empty afterwards; None is all.

        Raises:
            HostError: as `move`.
        """
        count = len(self._shards) if processes is None else self._number(processes - 1) + 1
        with self._changing:
            pinned = set()
            for shard in self._shards:
                here = shard.result_of(shard.ask("stands"))["here"]
                pinned |= {name for name, (_, chosen, _) in here.items() if chosen and shard.number < count}
            moves = []
            for name, source in self.homes.items():
                target = home_of(name, count)
                if name not in pinned and target != source:
                    moves.append(Move(name, source, target, pinned=False))
            for first in range(0, len(moves), _TOGETHER):
                self._homes.move(moves[first : first + _TOGETHER])
        return tuple(each.machine for each in moves)

    def _number(self, shard: int) -> int:
        if not 0 <= shard < len(self._shards):
            what = f"there is no shard {shard}"
            raise HostError("HR872", what, self._place, f"the shards are 0 to {len(self._shards) - 1}")
        return shard

    # --------------------------------------------------------------------------------------------------------- opening

    def _open(self, processes: int) -> None:
        places = [journal_of(self._place, number) for number in range(processes)]
        left: dict[str, tuple[int, int]] = {}
        opening = []
        for number, place in enumerate(places):
            shard = Shard(number, place, self._waiting, self._patience_s)
            self._shards.append(shard)
            opening.append(self._begin(shard))
        for number, each in enumerate(_results(opening)):
            for name, (_, _, shadow) in each["here"].items():
                if name in self._homes.at:
                    raise self._twice(name, self._homes.at[name], number)
                if name in self._shadow and not shadow:
                    raise not_in_the_shadow(name, self._place)
                self._homes.at[name] = number
            for name, moves in each["left"].items():
                left[name] = max(left.get(name, (-1, -1)), (moves, number))
        refuse_more(self._place, processes, self._homes.at, left)
        for name in [name for name in left if name not in self._homes.at]:
            self._homes.finish(name, left[name][1], shadow=name in self._shadow)
        new = [name for name in self._documents if name not in self._homes.at and name not in left]
        _results([self._begins(name) for name in new])

    def _begin(self, shard: Shard) -> Future[dict[str, Any]]:
        """Let a new process open its host."""
        texts, known = listed(self._documents)
        given = {
            **self._given,
            "place": shard.place,
            "name": f"shard {shard.number}",
            "lane": self._lanes[shard.number],
            "texts": texts,
            "known": known,
        }
        return shard.ask("open", given)

    def _begins(self, name: str) -> Future[int]:
        """Let a machine begin that no journal holds."""
        target = home_of(name, len(self._shards))
        self._homes.at[name] = target
        return self._shards[target].ask("add", name, self._documents[name], name in self._shadow, False, None)

    def _twice(self, name: str, first: int, second: int) -> HostError:
        help = "one departure was taken up twice, by hand: decide which journal is right, and open without the other"
        return HostError("HR878", f"`{name}` is in shard {first} and in shard {second}", self._place, help)

    # ---------------------------------------------------------------------------------------------------- end and again

    def restart(self, shard: int) -> None:
        """End a process, if it has not ended by itself, and start it anew: its machines come back exactly.

        What waits there is done first, unless the process hangs (`patience_s`): then it fails with HR870. Moves from it and
        to it that were cut off are finished.

        Raises:
            RunError: as at the beginning; (HR870) all of them were closed.
        """
        number = self._number(shard)
        with self._alone(number):
            if self._closed:
                help = "open them again: their machines come back as they were"
                raise HostError("HR870", "the shards take no more: they were closed", self._place, help)
            end([self._shards[number]])
            again = Shard(number, self._shards[number].place, self._waiting, self._patience_s)
            self._opening.append(again)
            try:
                stands = self._begin(again).result()
            except BaseException:
                end([again])
                raise
            finally:
                self._opening.remove(again)
            with self._homes.lock:
                self._shards[number] = again
                for name in stands["here"]:
                    # One whose adding nobody was told of is here as well.
                    if name not in self._homes.away:
                        self._homes.at[name] = number
            self._homes.find(number)

    @contextmanager
    def _alone(self, number: int | None = None) -> Iterator[None]:
        """Wait until nobody moves, restarts or closes; who does so for long waits for a process that hangs, and that of a
        shard, or of any, is to end.
        """
        while not self._changing.acquire(timeout=-1 if self._patience_s is None else self._patience_s):
            ending = [each for each in (*self._shards, *self._opening) if number in (None, each.number)]
            end(ending)
        try:
            yield
        finally:
            self._changing.release()

    @property
    def processes(self) -> tuple[int, ...]:
        """The numbers of the processes, in the order of the shards."""
        return tuple(shard.process for shard in self._shards)

    def close(self) -> None:
        """Let every process finish what waits, keep the state of its machines, and end.

        Raises:
            HostError: (HR870) one of them has failed or ended before, or hung (`patience_s`); all are closed nevertheless.
        """
        with self._alone():
            wrong: list[BaseException] = []
            closing = []
            # Whom Ctrl-C kept from waiting for their end has asked them, and calls again.
            asking, self._closed = () if self._closed else tuple(self._shards), True
            for shard in asking:
                try:
                    closing.append(shard.close())
                except HostError as error:
                    wrong.append(error)
            end(self._shards)
            wrong += [found for each in closing if (found := each.exception()) is not None]
        if wrong:
            raise wrong[0]

    def __enter__(self) -> Shards:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except RunError:
            if kind is None:  # the error on its way says more than that of closing
                raise


def _leave(shards: Shards) -> None:
    """Let go of locks that threads of the process held that this one was forked from; its shards it has left."""
    shards._changing, shards._homes.lock = threading.Lock(), threading.Lock()


_OPEN = left_in_forks(_leave)


def _outbox(told: list[Any]) -> list[Outgoing]:
    return [outgoing_from(each) for each in told]


def _steps(told: list[Any]) -> list[Step]:
    return [step_from(each) for each in told]


def _results(futures: Iterable[Future[T]]) -> list[T]:
    """Return what futures have, when all are done; the first that failed is raised."""
    waited = [(future, future.exception()) for future in futures]
    for _, error in waited:
        if error is not None:
            raise error
    return [future.result() for future, _ in waited]
