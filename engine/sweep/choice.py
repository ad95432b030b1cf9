"""What runs the sets of a sweep: native code where it can be had, the live backend elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

from ..dryrun.problem import RunError
from ..ir import FillMode
from ..load import Spec
from .cluster import ClusterRunner
from .live import LiveRunner, Runner
from .pool import LivePool

if TYPE_CHECKING:
    from .runner import Sweep

__all__ = ["Backend", "chosen_runner"]

Backend = Literal["auto", "native", "live"]
FEW = 300_000
"""Below so many events in all, live processes cost more time to start than they save."""


@contextmanager
def chosen_runner(sweep: Sweep, *, alone: bool = False) -> Iterator[tuple[Runner, str]]:
    """Yield what runs the sets of a sweep, and why it is not native code where it is not; `alone` starts no processes.

    Raises:
        RunError: native code was asked for and cannot be had, or a cluster that does not run the sweep.
    """
    if sweep.on is not None and not alone:
        with closing(ClusterRunner(sweep.on, sweep.spec, sweep.fill, sweep.path.event, sweep.backend)) as cluster:
            yield cluster, cluster.reason
        return
    spec, path, reason = sweep.spec, sweep.path, "asked for"
    if sweep.backend != "live":
        native = _native(spec, sweep.fill, path.event, sweep.workers)
        if not isinstance(native, str):
            yield native, ""
            return
        reason = native
        if sweep.backend == "native":
            raise RunError("HR807", f"there is no native code: {reason}", "--backend", "leave --backend out")
    if sweep.workers > 1 and len(sweep.sets) > 1 and len(path) * len(sweep.sets) >= FEW and not alone:
        try:
            pool = LivePool(spec, sweep.fill, path.event, sweep.workers)
        except ValueError:  # a function of the spec's registry cannot be handed to another process
            pass
        else:
            try:
                yield pool, reason
            finally:
                pool.close()
            return
    yield LiveRunner(spec, sweep.fill, path.event), reason


def _native(spec: Spec, fill: FillMode, event: str, workers: int) -> Runner | str:
    from .native_runner import native_runner

    return native_runner(spec, fill, event, workers)
