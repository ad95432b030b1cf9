"""Parameter sets on the workers of a Dask cluster that is already there.

    hedgerow sweep SPEC --data DATA --grid … --on dask://10.0.0.7:8786

A task is a block of sets over one path. The spec and the path travel once to each worker (`cluster_task`), and only workers
that have proved able are sent tasks (`cluster_workers`). Tasks are pure: one that is lost with its worker is run again
elsewhere, to the same bits, and what comes back is put into the rows that it was asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..ir import FillMode, Value
from ..load import Spec
from .cluster_task import Batch, Freight, job_of, run_batch, stop
from .cluster_workers import Cluster, problem, scheduler_address
from .path import EventPath
from .pool import task_size
from .results import Results

if TYPE_CHECKING:
    from .choice import Backend

__all__ = ["ClusterRunner", "scheduler_address"]

MOST = 1000
"""Sets a task, at most: their values travel with it."""
ATTEMPTS = 10
"""How often a task is sent that is lost on its way or with what it needs; Dask itself counts the workers that it kills."""
FETCH_SECONDS = 60.0
"""How long the results of a task may take to arrive."""
ASKED_EVERY = 0.1


class _Task(NamedTuple):
    """Sets from `first` on, how often they have been sent, and the workers that the task may run on."""

    first: int
    sets: int
    sent: int = 0
    workers: frozenset[str] = frozenset()


class ClusterRunner:
    """Runs sets on a cluster; leave it with `close`."""

    def __init__(self, on: str, spec: Spec, fill: FillMode, event: str, backend: Backend) -> None:
        """Connect, and see to it that every worker that is there can run the spec.

        Raises:
            RunError: an address, a cluster or a worker that does not do, or a spec that cannot be sent.
        """
        scheduler_address(on)
        self._job = job_of(spec, fill, event, native=backend != "live")
        self._cluster = Cluster(on, self._job, backend)
        # A mixed cluster counts as live: only native code can say how many rows it handed over, so that no set does.
        self.backend = "native" if self._cluster.native else "live"
        self.reason = self._cluster.reason
        self._held: tuple[EventPath, Any] | None = None
        self._number = self._unsent = 0

    @property
    def notes(self) -> list[str]:
        """What happened that the reader of the results should know."""
        return self._cluster.notes

    @property
    def threads(self) -> int:
        """How many tasks the workers that are there run at a time, at least 1."""
        return max(1, sum(self._cluster.fit.values()))

    def close(self) -> None:
        self._cluster.close()

    def run(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int = 0,
        interrupted: Callable[[], bool] | None = None,
    ) -> int:
        """Run sets; see `Runner`. An interrupted worker finishes the set that it is at.

        Raises:
            RunError: the cluster is lost, or a task that kills workers; what came back before is in `into`.
        """
        size = min(MOST, task_size(len(parameters), self.threads))
        todo = [_Task(first, min(size, len(parameters) - first)) for first in range(0, len(parameters), size)]
        pending: dict[Any, _Task] = {}
        stopping = False
        while todo or pending:
            if self._cluster.look() and stopping:
                self._stop()  # once more: a worker may have joined
            if stopping and not self._cluster.fit:
                break
            todo = self._send(todo, parameters, capitals, path, pending)
            self._wait(pending)
            todo += self._collect(pending, into, first_row) + self._stranded(pending)
            if not stopping and interrupted is not None and interrupted():
                stopping = True
                self._stop()
            if stopping:
                todo = []
        mine = slice(first_row, first_row + len(parameters))
        done = int(into.done[mine].sum())
        if done < len(parameters) and not stopping:
            missing = f"{len(parameters) - done:,} of {len(parameters):,} sets"
            raise problem(f"{missing} did not come back whole", "go on with --resume")
        return done

    def _send(
        self,
        todo: list[_Task],
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        pending: dict[Any, _Task],
    ) -> list[_Task]:
        """Send tasks to the workers that can run them, and return those that have to wait."""
        fit = frozenset(self._cluster.fit)
        if not todo or not fit:
            return todo
        freight = self._freight(path)
        if freight is None:
            return todo
        for task in todo:
            rows = slice(task.first, task.first + task.sets)
            batch = Batch(tuple(dict(each) for each in parameters[rows]), capitals[rows], self._cluster.name)
            self._number += 1
            key = f"hedgerow-{self._cluster.name}-{self._number}"
            future = self._cluster.client.submit(
                run_batch, freight, batch, key=key, workers=sorted(fit), allow_other_workers=False, pure=False
            )
            pending[future] = task._replace(sent=task.sent + 1, workers=fit)
        return []

    def _freight(self, path: EventPath) -> Any | None:
        """Return what all tasks need, sent to every worker where it is not there yet; None where that has to wait."""
        if self._held is not None and self._held[0] is path and self._held[1].status == "finished":
            return self._held[1]
        from distributed import CancelledError

        try:
            future = self._cluster.client.scatter(
                Freight(self._job, path), workers=sorted(self._cluster.fit), broadcast=True, hash=False
            )
        except (OSError, KeyError, TimeoutError, CancelledError, asyncio.CancelledError) as error:
            # A worker that is gone, which Dask tells by a KeyError, is seen at the next look.
            self._unsent += 1
            if self._unsent >= ATTEMPTS:
                raise problem(f"the data cannot be sent to the workers: {error}", "go on with --resume") from error
            self._cluster.pause()
            return None
        self._held = path, future
        self._unsent = 0
        return future

    def _wait(self, pending: Mapping[Any, _Task]) -> None:
        """Wait a moment, or less where a task is finished before."""
        if not pending:
            time.sleep(ASKED_EVERY)
            return
        from distributed import CancelledError, wait

        with self._cluster.client.as_current(), suppress(TimeoutError, CancelledError, asyncio.CancelledError):
            wait(list(pending), timeout=ASKED_EVERY, return_when="FIRST_COMPLETED")

    def _collect(self, pending: dict[Any, _Task], into: Results, first_row: int) -> list[_Task]:
        """Put what has come back into its rows, and return the tasks that were lost."""
        from distributed import CancelledError

        again: list[_Task] = []
        for future in [each for each in pending if each.status != "pending"]:
            task = pending.pop(future)
            try:
                # A worker that dies with a result takes it along, and Dask runs its task again.
                found = future.result(timeout=FETCH_SECONDS) if future.status in ("finished", "error") else None
            except (CancelledError, asyncio.CancelledError, TimeoutError):
                found = None
            except Exception as error:  # noqa: BLE001  # whatever a task raises comes back here
                if future.status == "error":
                    self._failed(task, error)
                found = None
            if found is None:
                again.append(self._lost(task))
            elif len(found) != task.sets:
                raise problem(f"a task of {task.sets} sets came back with {len(found)}", "go on with --resume")
            else:
                if self.backend == "live":
                    found.handed[:] = 0
                into.put(first_row + task.first, found)
        return again

    def _failed(self, task: _Task, error: Exception) -> None:
        """Raise what a failed task means; return where it was only lost."""
        kind = type(error).__name__
        if kind == "NoValidWorkerError":  # some schedulers are set to give a task up that no worker takes
            return
        if kind == "KilledWorker":
            help = "see what the workers logged; they may be short of memory. What is done is kept: go on with --resume"
            raise problem(f"a task of {task.sets} sets was lost with every worker that it ran on", help) from error
        if isinstance(error, (OSError, MemoryError)):
            message = f"a worker failed: {str(error) or kind}"
            raise problem(message, "mend the worker, and go on with --resume") from error
        raise error

    def _lost(self, task: _Task) -> _Task:
        """Return a task to be sent again."""
        if task.sent >= ATTEMPTS:
            raise problem(f"a task was lost {task.sent} times", "see what the workers logged, and go on with --resume")
        return task

    def _stranded(self, pending: dict[Any, _Task]) -> list[_Task]:
        """Return the tasks all of whose workers are gone, while there are others to send them to."""
        there = frozenset(self._cluster.fit)
        left = [each for each, task in pending.items() if there and not task.workers & there]
        if left:
            self._cluster.client.cancel(left)
        return [pending.pop(each) for each in left]

    def _stop(self) -> None:
        self._cluster.ask(stop, self._cluster.name, of=self._cluster.fit)
