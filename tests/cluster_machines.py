"""A Dask cluster of processes on the loopback interface: `cluster_machines.py scheduler`, `… worker ADDRESS [WITH]`.

A process writes its address when it is ready, and ends when what it reads from has ended: with the test, at the latest.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent


class Process:
    """A scheduler or a worker in a process of its own; `end` ends it in order."""

    def __init__(self, *arguments: str, gate: Path | None = None) -> None:
        self.plain = len(arguments) <= 2
        path = os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", "")))
        environment = {**os.environ, "PYTHONPATH": path}
        if gate is not None:
            environment["HEDGEROW_TEST_GATE"] = str(gate)
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        self._address = ""

    @property
    def address(self) -> str:
        """Its address; waits until it is ready."""
        if not self._address:
            assert self.process.stdout is not None
            self._address = self.process.stdout.readline().strip()
        assert self._address, "the process did not start"
        return self._address

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


async def _scheduler() -> None:
    from distributed import Scheduler

    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        await _serve(scheduler)


async def _worker(address: str) -> None:
    from distributed import Worker

    with tempfile.TemporaryDirectory() as folder:
        async with Worker(
            address, host="127.0.0.1", nthreads=1, memory_limit=0, dashboard=False, local_directory=folder
        ) as worker:
            await _serve(worker)


async def _serve(server: Any) -> None:
    print(server.address, flush=True)  # noqa: T201  # what the other side waits for
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _without_llvmlite() -> None:
    import importlib.util

    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name == "llvmlite" else find(name, *rest)


def _with_an_old_hedgerow() -> None:
    import hedgerow
    from hedgerow.engine.sweep import cluster_task

    def run_batch(*_: object) -> None:
        raise AssertionError("a worker that does not fit was sent a task")

    hedgerow.__version__ = "0.0.1"
    cluster_task.run_batch = run_batch


def _with_other_code() -> None:
    """Stand for a worktree: the version is the same, and a program is another one."""
    from hedgerow.engine import load

    digest = load.digest
    load.digest = lambda program: digest(program)[::-1]


WITH = {"no-llvmlite": _without_llvmlite, "old": _with_an_old_hedgerow, "other": _with_other_code}

if __name__ == "__main__":
    import dask

    dask.config.set({"distributed.worker.daemon": False})
    for each in sys.argv[3:]:
        WITH[each]()
    asyncio.run(_scheduler() if sys.argv[1] == "scheduler" else _worker(sys.argv[2]))
