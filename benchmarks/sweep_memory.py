"""The peak memory of a sweep, in a process of its own: `python -m benchmarks.sweep_memory SETS ROWS`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

__all__ = ["Growth", "growth"]

MIB = 1 << 20


class Growth(NamedTuple):
    """MiB: the peaks of a small and a large sweep, what the results of each take, and by how much the peak grows beyond."""

    small: float
    large: float
    small_results: float
    large_results: float
    beyond: float

    def words(self, small: int, large: int) -> str:
        """Return a sentence about them."""
        return (
            f"The peak memory of a process that does this on one thread is {self.small:.1f} MiB with {small:,} sets, whose "
            f"table takes {self.small_results:.2f} MiB, and {self.large:.1f} MiB with {large:,}, whose table takes "
            f"{self.large_results:.2f} MiB."
        )


def growth(small: int, large: int, rows: int, rounds: int, progress: Callable[[str], None]) -> Growth:
    """Return the peak memory of sweeps of two sizes, each the median of so many processes."""
    peaks: dict[int, list[float]] = {small: [], large: []}
    results: dict[int, float] = {}
    for number in range(rounds):
        for sets, found in peaks.items():
            progress(f"memory, round {number + 1} of {rounds}: {sets} sets")
            peak, results[sets] = _peak(sets, rows)
            found.append(peak)
    beyond = median(b - a for a, b in zip(peaks[small], peaks[large], strict=True)) - (results[large] - results[small])
    return Growth(median(peaks[small]), median(peaks[large]), results[small], results[large], beyond)


def _peak(sets: int, rows: int) -> tuple[float, float]:
    """Return the peak memory of a sweep in a new process and what its table takes, in MiB."""
    command = [sys.executable, "-m", "benchmarks.sweep_memory", str(sets), str(rows)]
    folder = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found = json.loads(done.stdout)
    return found["peak"] / MIB, found["results"] / MIB


def _main(sets: int, rows: int) -> None:
    import hedgerow

    from .sweep_sets import made

    spec, path, parameters = made(sets, rows)
    table = hedgerow.sweep(spec, path, parameters, backend="native")
    print(json.dumps({"peak": _high_water(), "results": sum(values.nbytes for values in table.columns.values())}))


def _high_water() -> int:
    """Return the most memory in bytes that this process has had since it began."""
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` tells of a process that another one started may be the peak of that other one.
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
