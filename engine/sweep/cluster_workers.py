"""A Dask cluster that is already there: the connection to its scheduler, and which of its workers can run a sweep.

Workers are asked before they are sent anything. Tasks go to those that gave the right answers and to no other, so that a
worker that joins later changes nothing before it has been asked, too.
"""

from __future__ import annotations

import asyncio
import pkgutil
import platform
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ... import __version__
from ..dryrun.problem import RunError
from .cluster_task import Answer, Job, answer

if TYPE_CHECKING:
    from .choice import Backend

__all__ = ["Cluster", "problem", "scheduler_address"]

CONNECT_SECONDS = 5.0
"""How long a scheduler may take to answer."""
WORKERS_SECONDS = 10.0
"""How long is waited for the first worker."""
LOST_SECONDS = 30.0
"""How long is waited for another worker when all are lost."""
LOOK_SECONDS = 1.0
"""How often is looked which workers are there."""

_ADDRESS = re.compile(r"(dask|tls)://(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@\[\]]+):([0-9]{1,5})")


def problem(message: str, help: str) -> RunError:
    """Return the error for a cluster that does not run the sweep."""
    return RunError("HR833", message, "--on", help)


def scheduler_address(on: str) -> str:
    """Return the address of a scheduler in Dask's own words.

    Args:
        on: `dask://host:port`, or `tls://host:port` for a scheduler that is spoken to in TLS.

    Raises:
        RunError: another text, or no `distributed` to speak to it with.
    """
    found = _ADDRESS.fullmatch(on)
    if found is None or not 0 < int(found[3]) < 65536:
        help = "write dask://host:port, e.g. dask://127.0.0.1:8786"
        raise problem(f"`{on[:80]}` is no address of a scheduler", help)
    try:
        import distributed  # noqa: F401  # whether it is there
    except ImportError:
        help = "install the extra: pip install 'hedgerow[cluster]'"
        raise RunError(
            "HR809", "a sweep on a cluster needs `distributed`, which is not installed", "--on", help
        ) from None
    return f"{'tcp' if found[1] == 'dask' else 'tls'}://{found[2]}:{found[3]}"


class Cluster:
    """A connection, and the workers that can run one job; leave it with `close`."""

    def __init__(self, on: str, job: Job, backend: Backend) -> None:
        """Connect, wait for a worker, and ask all that are there.

        Raises:
            RunError: no scheduler, no worker, a worker that cannot run the job, or one without the backend asked for.
        """
        self.on, self.job, self._backend = on, job, backend
        self.fit: dict[str, int] = {}
        """The workers that can run the job, by their address, and how many tasks each runs at a time."""
        self.native = False
        """Whether all of them run native code."""
        self.reason = ""
        """Why they do not."""
        self.notes: list[str] = []
        self._unfit: set[str] = set()
        self._looked = 0.0
        self._alone: float | None = None
        self.client: Any = _connected(on)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster; what it still runs for this sweep is dropped there."""
        self.client.close()

    @property
    def name(self) -> str:
        """What no other sweep on this cluster is called."""
        return str(self.client.id)

    def look(self) -> bool:
        """See from time to time which workers are there, ask those that are new, and return whether it was time to.

        Raises:
            RunError: the scheduler is lost, or there has been no worker for `LOST_SECONDS`.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        there = self._workers()
        self.fit = {each: there[each] for each in self.fit if each in there}
        new = [each for each in there if each not in self.fit and each not in self._unfit]
        if new:
            self._take_on(new, there)
        if self.fit:
            self._alone = None
            return True
        self._alone = now if self._alone is None else self._alone
        if now - self._alone >= LOST_SECONDS:
            help = "see what the workers logged, start some, and go on with --resume"
            raise problem(f"all workers of `{self.on}` are lost, and none came for {LOST_SECONDS:g} s", help)
        return True

    def pause(self) -> None:
        """Wait until it is time to look again."""
        time.sleep(LOOK_SECONDS)

    def ask(self, function: Callable[..., Any], *arguments: Any, of: Iterable[str]) -> dict[str, Any]:
        """Return what a function returns on each worker, or the error that it raised; who is gone says nothing."""
        try:
            found: dict[str, Any] = self.client.run(function, *arguments, workers=list(of), on_error="return")
        except (OSError, TimeoutError, asyncio.CancelledError):
            return {}
        return {each: said for each, said in found.items() if not isinstance(said, OSError)}

    def _workers(self) -> dict[str, int]:
        """Return the workers that the scheduler knows, and how many threads each has."""
        if self.client.status == "closed":
            raise problem(
                f"the connection to the scheduler at `{self.on}` is lost", "start it again, and go on with --resume"
            )
        if self.client.status != "running":
            return {}
        try:
            found = self.client.sync(self.client.scheduler.ncores, callback_timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncio.CancelledError):
            return {}
        return {each: max(1, found[each]) for each in sorted(found)}

    def _begin(self) -> None:
        try:
            self.client.wait_for_workers(1, timeout=WORKERS_SECONDS)
        except TimeoutError:
            help = "start one: dask worker HOST:PORT, with hedgerow installed"
            raise problem(f"`{self.on}` has no workers, and none came within {WORKERS_SECONDS:g} s", help) from None
        there = self._workers()
        answers, refused = self._asked(there)
        if refused:
            worker, why = min(refused.items())
            more = "" if len(refused) == 1 else f", and {len(refused) - 1} more of {len(there)} workers do not fit"
            raise problem(f"worker `{worker}`: {why}{more}", "give all workers what this machine has, or stop them")
        if not answers:
            raise problem(f"no worker of `{self.on}` answers", "see what the workers logged")
        self.fit = {each: there[each] for each in answers}
        without = {each: said.not_native for each, said in answers.items() if said.not_native}
        if self._backend == "native" and without:
            worker, why = min(without.items())
            message = f"there is no native code on `{worker}`: {why}"
            raise RunError("HR807", message, "--backend", "leave --backend out")
        self.native = not without
        if without:
            self.reason = next(iter(without.values()))
            if len(without) < len(answers):
                self.reason += f", on {len(without)} of {len(answers)} workers; the others ran native code"

    def _take_on(self, new: list[str], there: dict[str, int]) -> None:
        """Ask workers that joined; what one of them lacks is noted, and the sweep goes on without it."""
        answers, refused = self._asked(new)
        for worker, said in answers.items():
            if self.native and said.not_native:
                # INVARIANT: `handed` counts in every row of a table or in none.
                refused[worker] = f"there is no native code: {said.not_native}"
            else:
                self.fit[worker] = there[worker]
        self._unfit |= set(refused)
        self.notes += [f"worker {worker} joined and was left out: {why}" for worker, why in refused.items()]

    def _asked(self, workers: Iterable[str]) -> tuple[dict[str, Answer], dict[str, str]]:
        """Return the answers of those that can run the job, and why the others cannot."""
        pythons = self.ask(platform.python_version, of=workers)
        versions = self.ask(pkgutil.resolve_name, "hedgerow:__version__", of=pythons)
        refused = {each: why for each in versions if (why := _other(pythons[each], versions[each]))}
        answers = self.ask(answer, self.job, of=[each for each in versions if each not in refused])
        for each, said in answers.items():
            if not isinstance(said, Answer):
                refused[each] = f"it cannot take up the sweep: {said}"
            elif said.refusal:
                refused[each] = said.refusal
        return {each: said for each, said in answers.items() if each not in refused}, refused


def _other(python: Any, version: Any) -> str:
    """Return how a worker differs from this machine, or an empty text."""
    if isinstance(version, Exception):
        return f"it has no hedgerow: {version}"
    if version != __version__:
        return f"it has hedgerow {version}, and this machine {__version__}"
    own = platform.python_version()
    if str(python).split(".")[:2] != own.split(".")[:2]:
        return f"it has Python {python}, and this machine {own}"
    return ""


def _connected(on: str) -> Any:
    address = scheduler_address(on)
    from distributed import Client

    _secured(on, address)
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        message = f"no scheduler answers at `{on}` within {CONNECT_SECONDS:g} s"
        raise problem(message, "start one: dask scheduler, or check the address, and whether it is tls://") from error


def _secured(on: str, address: str) -> None:
    """Tell what Dask's own settings lack for an address: a client that fails on them is not left in order."""
    from distributed import Security

    try:
        security = Security()
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        message = f"the certificates of Dask's settings cannot be read: {error}"
        raise problem(message, "mend `distributed.comm.tls` in Dask's settings on this machine") from error
    if address.startswith("tls:") and context is None:
        help = "write `distributed.comm.tls` into Dask's settings on this machine"
        raise problem(f"there are no certificates to speak to `{on}` with", help)
    if address.startswith("tcp:") and security.require_encryption:
        raise problem(f"Dask's settings ask for TLS, and `{on}` has none", "write tls://host:port")
