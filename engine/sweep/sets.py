"""The parameter sets of a sweep: points of a grid, or a sample of a box, checked before any of them is run.

A grid is counted before it is made, in exact decimals: `0:0.3:0.05` has seven values and ends at 0.3, and a grid of 10^12
points costs nothing to refuse. The first grid that is given varies slowest.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from ..diagnostics import suggestion
from ..dryrun.problem import RunError, missing_extra
from ..ir import Exact, Parameter, Value
from ..load import ParameterError, Spec
from .axes import Axis, Given, Plain, Span, Values, constant, plain, span

__all__ = ["METHODS", "MOST", "Method", "ParameterSets", "parameter_sets"]

MOST = 1_000_000
"""Sets that one sweep may have."""
Method = Literal["sobol", "random", "latin"]
METHODS: tuple[Method, ...] = ("sobol", "random", "latin")


@dataclass(frozen=True, eq=False)
class ParameterSets(Sequence[Mapping[str, Value]]):
    """The values of every parameter, set by set; `sets[i]` is what `Spec.bind_values` takes, those that follow included.

    Fields:
        names: the params that vary, as they were given.
        columns: for each of them its value in each set, (S,) float64, int64 or bool.
        axes: for each of those on a grid the values of the grid, in its order.
        method: `grid`, or how the sets were drawn.
        seed: of a sample; None of a grid.
        fixed: params that were set to one value for all sets.
    """

    spec: Spec
    names: tuple[str, ...]
    columns: Mapping[str, npt.NDArray[Any]]
    axes: Mapping[str, tuple[Plain, ...]]
    method: Literal["grid", "sobol", "random", "latin"]
    seed: int | None
    fixed: Mapping[str, Plain]
    size: int
    _base: Mapping[str, Value] = field(repr=False)

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Mapping[str, Value]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mapping[str, Value]]: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, Value] | Sequence[Mapping[str, Value]]:
        if isinstance(index, slice):
            return self.take(np.arange(self.size)[index])
        if not -self.size <= index < self.size:
            raise IndexError(index)
        values = dict(self._base)
        for name, column in self.columns.items():
            values[name] = column.item(index)
        return self.spec.bind_values(values).parameters if self._follows else values

    @cached_property
    def _follows(self) -> bool:
        """Whether the spec has params that follow from others."""
        return any(each.given is not None for each in self.spec.program().parameters)

    def take(self, rows: npt.NDArray[np.int64]) -> ParameterSets:
        """Return some of the sets, in the order of `rows`."""
        return replace(self, columns={name: each[rows] for name, each in self.columns.items()}, size=len(rows))

    @property
    def digest(self) -> str:
        """The SHA-256 of what is set in each set, in order."""
        found = hashlib.sha256(json.dumps([list(self.names), sorted(self.fixed.items()), self.size]).encode())
        for column in self.columns.values():
            found.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
        return found.hexdigest()

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return (S,) the value of a param in each set, whether it varies or not."""
        if name in self.columns:
            return self.columns[name]
        return np.array([self[index][name] for index in range(self.size)])


def parameter_sets(
    spec: Spec,
    *,
    grid: Mapping[str, Values] | None = None,
    ranges: Mapping[str, str | None] | None = None,
    sample: Method | None = None,
    n: int | None = None,
    seed: int = 0,
    fixed: Mapping[str, Given] | None = None,
) -> ParameterSets:
    """Return the parameter sets of a sweep.

    Args:
        spec: a checked spec.
        grid: param → `low:high:step` with both ends, `value,value,…`, or a sequence of values. Constants are read as `--set`
            reads them, with units and in exact decimals.
        ranges: with `sample`: param → `low:high`, or None for the range that it is declared with.
        sample: draw sets instead of taking all points: `sobol` (scrambled), `latin` (hypercube) or `random` (independent and
            uniform). Reals and whole numbers are uniform over their ranges; a param on a grid is one of its values, each as
            likely as another. Without grid and ranges, all params vary that are declared with a range and not fixed.
        n: how many sets to draw, in [1, `MOST`].
        seed: of the sample.
        fixed: param → the value that it has in every set.

    Raises:
        RunError: unknown params (HR807), values outside a param's range (HR807), an empty or contradictory grid or sample
            (HR830), or more than `MOST` sets (HR831).

    Source: Sobol' (1967), scrambled after Matoušek (1998), and McKay, Beckman, Conover (1979), as `scipy.stats.qmc` draws
        them.
    """
    declared = {each.name: each for each in spec.program().parameters}
    grid, ranges, fixed = dict(grid or {}), dict(ranges or {}), dict(fixed or {})
    for option, names in (("--set", fixed), ("--grid", grid), ("--range", ranges)):
        for name in names:
            _known(declared, name, option)
    _once(grid, ranges, fixed)
    held = {name: constant(declared[name], value, "--set") for name, value in fixed.items()}
    sides: dict[str, tuple[Exact, ...] | Span] = {}
    counts = {name: Axis(declared[name], values) for name, values in grid.items()}
    if sample is None:
        if ranges or n is not None:
            option = "--range" if ranges else "--n"
            help = "write --sample sobol --n 1000, or give a grid with --grid NAME=low:high:step"
            raise RunError("HR830", f"`{option}` belongs to a sample, and none is asked for", option, help)
        if not grid:
            help = "write --grid NAME=low:high:step, or --sample sobol --n 1000"
            raise RunError("HR830", "no param varies, so that there is nothing to sweep", "--grid", help)
        size = math.prod(axis.count for axis in counts.values())
    else:
        size = _drawn(sample, n)
        if not grid and not ranges:
            ranges = {
                each.name: None
                for each in declared.values()
                if each.low is not None and each.high is not None and each.name not in fixed and each.given is None
            }
            if not ranges:
                help = "write --range NAME=low:high or --grid NAME=low:high:step"
                raise RunError("HR830", "no param is declared with a range, so that none varies", "--sample", help)
    if size > MOST:
        told = " × ".join(f"{axis.count:,}" for axis in counts.values()) if sample is None else f"{size:,}"
        told = f"{told} = {size:,}" if sample is None and len(counts) > 1 else f"{size:,}"
        help = f"a sweep has at most {MOST:,}: take larger steps, or draw from the grid with --sample sobol --n 1000"
        raise RunError("HR831", f"{told} sets are too many", "--n" if sample else "--grid", help)
    for name, axis in counts.items():
        if axis.count > MOST:  # of a grid that is only drawn from
            raise RunError("HR831", f"`{name}` has {axis.count:,} values", "--grid", f"write --range {name}=low:high")
        sides[name] = axis.values()
    for name, text in ranges.items():
        sides[name] = span(declared[name], text)
    base: dict[str, Value] = {
        each.name: float(each.default) if each.type == "real" else each.default
        for each in declared.values()
        if each.given is None
    }
    base |= held
    columns = _points(sides, declared, size) if sample is None else _drawn_from(sides, declared, sample, size, seed)
    axes = {
        name: tuple(plain(declared[name], value) for value in side)
        for name, side in sides.items()
        if isinstance(side, tuple)
    }
    method = "grid" if sample is None else sample
    made = ParameterSets(
        spec, tuple(sides), columns, axes, method, None if sample is None else seed, held, size, base
    )  # fmt: skip
    _check_sets(made)
    return made


def _known(declared: Mapping[str, Parameter], name: str, option: str) -> None:
    if name not in declared:
        help = suggestion(name, declared, "the params are " + (", ".join(f"`{each}`" for each in declared) or "none"))
        raise RunError("HR807", f"unknown param `{name[:64]}`", option, help)
    if declared[name].given is not None:
        message = f"`{name}` cannot be set: the spec gives it a value under `use:`"
        raise RunError("HR807", message, option, "vary what it is computed from, or change the spec")


def _once(*groups: Mapping[str, object]) -> None:
    seen: dict[str, str] = {}
    for option, group in zip(("--grid", "--range", "--set"), groups, strict=True):
        for name in group:
            if name in seen:
                message = f"`{name}` is given with both {seen[name]} and {option}"
                raise RunError("HR830", message, option, "give each param once")
            seen[name] = option


def _drawn(sample: str, n: int | None) -> int:
    if sample not in METHODS:
        raise RunError("HR830", f"there is no sample `{sample[:40]}`", "--sample", f"write {', '.join(METHODS)}")
    if n is None:
        raise RunError("HR830", "it is not said how many sets to draw", "--n", "write --n 1000")
    if n < 1:
        raise RunError("HR830", f"{n} sets cannot be drawn", "--n", "write a number from 1 on")
    return n


def _points(
    sides: Mapping[str, tuple[Exact, ...] | Span], declared: Mapping[str, Parameter], size: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of all points of a grid; the last param varies fastest."""
    found: dict[str, npt.NDArray[Any]] = {}
    each = size
    for name, side in sides.items():
        assert isinstance(side, tuple)
        each //= len(side)
        values = np.array([plain(declared[name], value) for value in side])
        found[name] = np.tile(np.repeat(values, each), size // (each * len(side)))
    return found


def _drawn_from(
    sides: Mapping[str, tuple[Exact, ...] | Span], declared: Mapping[str, Parameter], sample: Method, n: int, seed: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of n points of a box."""
    points = _unit_points(sample, n, len(sides), seed)
    found: dict[str, npt.NDArray[Any]] = {}
    for index, (name, side) in enumerate(sides.items()):
        share = points[:, index]
        if isinstance(side, tuple):
            values = np.array([plain(declared[name], value) for value in side])
            found[name] = values[np.minimum((share * len(side)).astype(np.int64), len(side) - 1)]
        elif declared[name].type == "int":
            low, many = int(side.low), int(side.high - side.low) + 1
            found[name] = low + np.minimum((share * many).astype(np.int64), many - 1)
        else:
            least, most = float(side.low), float(side.high)
            found[name] = np.clip(least + share * (most - least), least, most)
    return found


def _unit_points(sample: Method, n: int, sides: int, seed: int) -> npt.NDArray[np.float64]:
    """Return (n, sides) points in [0, 1)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    if sample == "random":
        return generator.random((n, sides))
    try:
        from scipy.stats import qmc
    except ImportError:
        raise missing_extra("scipy", f"a sample `{sample}`") from None
    if sample == "latin":
        points = qmc.LatinHypercube(sides, seed=generator).random(n)
    else:
        # Only whole powers of two are balanced; of a longer sequence the first n points are taken.
        points = qmc.Sobol(sides, scramble=True, seed=generator).random_base2(math.ceil(math.log2(n)))[:n]
    found: npt.NDArray[np.float64] = np.asarray(points, np.float64)
    return found


def _check_sets(sets: ParameterSets) -> None:
    """Check what follows from the params in every set: given params and delays."""
    from ..modes import timer_delays

    program = sets.spec.program()
    given = [each.given for each in program.parameters if each.given is not None]
    follows = [*given, *(delay for _, delay, _ in timer_delays(program))]
    read = {node.name for each in follows for node in each.walk() if node.op == "param"}
    # One check stands for all sets where nothing that varies is read.
    for index in range(len(sets)) if read.intersection(sets.names) else (0,):
        try:
            sets.spec.bind_values(_own(sets, index))
        except ParameterError as error:
            values = ", ".join(f"{name} = {column[index].item()}" for name, column in sets.columns.items())
            message = f"set {index:,} ({values}) cannot run: {error}"
            raise RunError("HR807", message, "--grid" if sets.method == "grid" else "--sample", "narrow it") from None


def _own(sets: ParameterSets, index: int) -> dict[str, Value]:
    return {**sets._base, **{name: column[index].item() for name, column in sets.columns.items()}}
