"""Loading is compiling: from a file to a spec whose every name, type and unit has been checked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from .compose import Files
from .desk import resolve
from .diagnostics import Diagnostic, Findings, SpecError
from .evaluate import FLOAT, Environment, Failure, due, evaluate
from .honesty import Backed, backed_claims, check_backing, check_texts
from .ir import Expr, FillMode, Parameter, Program, Value
from .lower import Lowering, lower
from .modes import timer_delays
from .printer import digest
from .record import Record
from .registry import Registry, builtin_registry
from .shape import read_shape
from .source import Document, parse_text, read
from .verify import verify

if TYPE_CHECKING:
    from .backends.live import Machine
    from .backends.python import Source
    from .bound import Functions

__all__ = ["Compiled", "ParameterError", "Spec", "load", "loads", "parameter_value"]


class ParameterError(ValueError):
    """A parameter that a spec does not have, or a value outside its type or range."""


class Capability(Record):
    """Whether a backend can run a spec, and why not."""

    backend: str
    able: bool
    reason: str


class Spec:
    """A checked spec: compile it with parameters, as often as wanted."""

    def __init__(
        self,
        document: Document,
        programs: Mapping[str, Program],
        diagnostics: tuple[Diagnostic, ...],
        registry: Registry,
        sources: Mapping[str, str],
    ) -> None:
        self._document = document
        self._programs = programs
        self._registry = registry
        self._sources: dict[str, Source] = {}
        self.sources = sources
        """The text of every file of the spec, its own first."""
        self.diagnostics = diagnostics
        """What was found that is no error: warnings, notes and waived errors."""

    def __getstate__(self) -> dict[str, object]:
        """Leave out the generated code: another process makes its own."""
        return {**self.__dict__, "_sources": {}}

    @property
    def name(self) -> str:
        return self.program("same").name

    @property
    def file(self) -> str:
        return self._document.file

    def __repr__(self) -> str:
        return f"<Spec {self.name} from {self.file}>"

    @cached_property
    def source_sha256(self) -> str:
        """The SHA-256 of the file's text, in hex; with those that it uses, of all texts in the order of their use."""
        import hashlib

        return hashlib.sha256("\0".join(self.sources.values()).encode()).hexdigest()

    @property
    def text(self) -> str:
        return self._document.text

    @property
    def registry(self) -> Registry:
        """The functions that it may bind."""
        return self._registry

    @property
    def claims(self) -> dict[str, str]:
        """Its claims as they are written, by name."""
        from .claims import texts_of

        return texts_of(self._document.plain())

    @property
    def backed_claims(self) -> tuple[Backed, ...]:
        """What it says of itself in words under `claims:`, each with what backs it, in the order of the file."""
        return backed_claims(self._document.plain())

    @property
    def fill(self) -> FillMode:
        """How a live machine fills its orders: by events from outside where the spec says `fills: external`."""
        return "external" if "external" in self._programs else "same"

    def program(self, fill: FillMode = "same") -> Program:
        """Return the IR."""
        return self._programs[fill]

    def compile(self, /, *, fill: FillMode | None = None, **parameters: str | float | int | bool) -> Compiled:
        """Return the spec with its parameters bound; text is read as a constant with units, e.g. ``tau_max="30d"``.

        Args:
            fill: None is `Spec.fill`; `same` and `next` simulate fills, whatever the spec says of a live machine.
            parameters: the values of those that are not to be at their defaults.

        Raises:
            ParameterError: an unknown parameter, a value that does not fit its declaration, or another fill.
        """
        return self.bind(parameters, fill=fill)

    def bind(self, parameters: Mapping[str, str | float | int | bool], *, fill: FillMode | None = None) -> Compiled:
        """Return what `compile` does; here a parameter may have any name, `fill` too."""
        fill = self.fill if fill is None else fill
        if fill == "external" and fill not in self._programs:
            raise ParameterError("`fill` is `external` only for a spec that says `fills: external`")
        if fill not in self._programs:
            raise ParameterError(f"`fill` is {' or '.join(f'`{each}`' for each in self._programs)}")
        program = self._programs[fill]
        known = {parameter.name: parameter for parameter in program.parameters}
        for name in parameters:
            if name not in known:
                from .diagnostics import suggestion

                help = suggestion(name, known, "the params are " + (", ".join(f"`{each}`" for each in known) or "none"))
                raise ParameterError(f"unknown param `{name[:64]}`: {help}")
        values: dict[str, Value] = {}
        for name, parameter in known.items():
            if parameter.given is not None:
                if name in parameters:
                    raise ParameterError(f"`{name}` cannot be set: the spec gives it a value under `use:`")
                continue
            exact = parameter_value(parameter, parameters[name]) if name in parameters else parameter.default
            values[name] = float(exact) if parameter.type == "real" else exact
        return self.bind_values(values, fill=fill)

    def bind_values(self, values: Mapping[str, Value], *, fill: FillMode | None = None) -> Compiled:
        """Return what `bind` does for values that are known to fit their declarations: floats, ints and bools, one for
        each parameter that the spec does not give itself.

        Raises:
            ParameterError: a parameter that follows from these lies outside its range, or a delay cannot be waited for.
        """
        program = self._programs[self.fill if fill is None else fill]
        values = _with_given(program, values)
        _check_delays(program, values)
        return Compiled(self, program, values, self._registry)

    def live_source(self, fill: FillMode) -> Source:
        """Return the generated code of the live backend, made once however many parameter sets use it."""
        if fill not in self._sources:
            from .backends.python import source_of

            self._sources[fill] = source_of(self.program(fill))
        return self._sources[fill]

    def capabilities(self) -> tuple[Capability, ...]:
        """Return which backends can run this spec, and why the others cannot."""
        from .backends.native.able import why_not

        reason = why_not(self.program("same"))
        return (
            Capability("reference", True, ""),
            Capability("live", True, ""),
            Capability("native", reason is None, reason or ""),
            Capability("prove", True, ""),
        )


class Compiled:
    """A spec with its parameters: makes machines."""

    def __init__(
        self,
        spec: Spec,
        program: Program,
        parameters: Mapping[str, Value],
        registry: Registry,
        functions: Functions | None = None,
    ) -> None:
        self.spec = spec
        self.program = program
        self.parameters = parameters
        self.registry = registry
        self.functions = functions
        """Who asks bound functions for its machines; None where nobody listens."""

    def with_functions(self, functions: Functions) -> Compiled:
        """Return the same, with machines that ask bound functions through somebody else."""
        return Compiled(self.spec, self.program, self.parameters, self.registry, functions)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 that names the program."""
        return digest(self.program)

    @cached_property
    def _machine_class(self) -> type[Machine]:
        from .backends.live import generate

        return generate(self)

    @cached_property
    def _shadow_class(self) -> type[Machine]:
        from .backends.shadow import shadowing

        simulated = self if self.program.fill != "external" else self.spec.bind_values(self.parameters, fill="same")
        simulated.functions = self.functions
        return shadowing(simulated._machine_class)

    def machine(self, *, shadow: bool = False) -> Machine:
        """Return a new machine, not yet started.

        Args:
            shadow: nothing is sent: fills are simulated, at the mark if they would come from outside, and what each step
                ordered is in `Step.shadowed`.
        """
        return self._shadow_class() if shadow else self._machine_class()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what `Machine.observation()` returns, in order."""
        return self._machine_class.columns


def parameter_value(parameter: Parameter, given: str | float | int | bool) -> Fraction | int | bool:
    """Return a parameter's exact value from text or a number, checked against its declaration."""
    from .check import Checker
    from .declare import constant
    from .ir import Pool
    from .symbols import Symbols
    from .units import parse_unit

    name = parameter.name
    if parameter.type == "bool" and isinstance(given, bool):
        return given
    if isinstance(given, bool) and parameter.type != "bool":
        raise ParameterError(f"`{name}` is a number, not true or false")
    if isinstance(given, float) and not math.isfinite(given):
        raise ParameterError(f"`{name}` = {given} is not a finite number")
    try:
        text = given if isinstance(given, str) else repr(float(given)) if isinstance(given, float) else str(given)
    except ValueError:  # Python writes out no int of over 4,300 digits
        raise ParameterError(f"`{name}` is a number of too many digits") from None
    bases = tuple(base for base in _bases(parameter.unit) if base != "s")
    findings = Findings()
    try:
        document = parse_text(f"value: {_quoted(text)}\n", f"--set {name}")
        checker = Checker(document, Symbols(bases=bases), Pool(), findings)
        value = constant(checker, ("value",), parameter.type, parse_unit(parameter.unit, bases), f"`{name}`")
    except SpecError as error:
        raise ParameterError(f"`{name}`: {error.diagnostics[0].message}") from None
    if value is None or findings.errors:
        first = findings.errors[0]
        help = "give a number, with its unit as in `30d`, or true or false" if first.code == "HR201" else first.help
        if first.code == "HR302":
            help = f"it is in `{parameter.unit}`" if parameter.unit != "1" else "it is a pure number"
        subject = "" if f"`{name}`" in first.message and first.code != "HR201" else f"`{name}`: "
        raise ParameterError(f"{subject}{first.message}: {help}")
    if (parameter.low is not None and value < parameter.low) or (parameter.high is not None and value > parameter.high):
        low = "-" if parameter.low is None else f"{float(parameter.low):g}"
        high = "-" if parameter.high is None else f"{float(parameter.high):g}"
        unit = "" if parameter.unit == "1" else f" {parameter.unit}"
        raise ParameterError(f"`{name}` = {text[:40]} is outside its range [{low}, {high}]{unit}")
    return Fraction(value) if parameter.type == "real" else value


def _with_given(program: Program, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values of all parameters, with those that follow from others, in declared order."""
    found = dict(values)
    waiting = [each for each in program.parameters if each.given is not None]
    while waiting:
        # INVARIANT: a spec gives values over its own parameters only, so there is no cycle.
        for each in list(waiting):
            given = each.given
            assert given is not None
            if all(node.name in found for node in given.walk() if node.op == "param"):
                found[each.name] = _given(each, given, found)
                waiting.remove(each)
    return {each.name: found[each.name] for each in program.parameters}


def _given(parameter: Parameter, given: Expr, values: Mapping[str, Value]) -> Value:
    try:
        value: Value = evaluate(given, Environment(values, FLOAT))
    except Failure as failure:
        raise ParameterError(f"`{parameter.name}`: {failure}") from None
    if parameter.type == "real" and not math.isfinite(value):
        raise ParameterError(f"`{parameter.name}` is given {value:g}, which is not a finite number")
    low, high = parameter.low, parameter.high
    if (low is not None and value < float(low)) or (high is not None and value > float(high)):
        shown = f"[{'-' if low is None else f'{float(low):g}'}, {'-' if high is None else f'{float(high):g}'}]"
        raise ParameterError(f"`{parameter.name}` is given {value:g}, which is outside its range {shown}")
    return value


def _check_delays(program: Program, values: Mapping[str, Value]) -> None:
    """Tell delays of `after` and `every` that no timer can wait for."""
    for name, delay, least in timer_delays(program):
        try:
            nanoseconds = due(0, evaluate(delay, Environment(values, FLOAT)))
        except Failure as failure:
            raise ParameterError(f"the delay of `{name}` has no value with these params: {failure}") from None
        if nanoseconds < least * 10**9:
            raise ParameterError(f"the period of `{name}` is below a nanosecond with these params")


def _bases(unit: str) -> tuple[str, ...]:
    import re

    return tuple(re.findall(r"[A-Za-z]\w*", unit))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def load(
    path: str | Path,
    *,
    permit: Iterable[str] = (),
    registry: Registry | None = None,
    reader: Callable[[str], Document] = read,
) -> Spec:
    """Read, check and lower a spec, and those that it uses.

    Args:
        path: a YAML or JSON file.
        permit: codes of findings that are waived: they are told as warnings.
        registry: the functions that it may bind; the shipped and installed ones by default.
        reader: reads a file; one that remembers spares specs that use each other a second reading.

    Raises:
        SpecError: every mistake of the file, in its order.
    """
    return _check(reader(os.fspath(path)), Path(path).parent, permit, registry, reader)


def loads(
    text: str,
    file: str = "<text>",
    *,
    folder: str | Path | None = None,
    permit: Iterable[str] = (),
    registry: Registry | None = None,
) -> Spec:
    """Check a spec that is already in memory; see `load`. Only one that stands in a `folder` can use others."""
    return _check(parse_text(text, file), None if folder is None else Path(folder), permit, registry)


def _check(
    document: Document,
    folder: Path | None,
    permit: Iterable[str],
    registry: Registry | None,
    reader: Callable[[str], Document] = read,
) -> Spec:
    findings = Findings(permit)
    registry = builtin_registry() if registry is None else registry
    path = "" if folder is None else os.path.normpath(folder / Path(document.file).name)
    files = Files(partial(_lower, registry=registry), reader, frozenset(permit))
    lowering = _lower(document, findings, files, (path,), folder, registry=registry)
    sources = {document.file: document.text, **files.sources}
    if findings.failed or lowering is None:
        raise SpecError(findings, sources)
    modes: tuple[FillMode, ...] = ("same", "next", "external") if lowering.fills.external else ("same", "next")
    linked: dict[str, Program] = {fill: lowering.program(fill) for fill in modes}
    programs = {fill: resolve(program, lowering.pool) for fill, program in linked.items()}
    # INVARIANT: all that can be told has been told before the first program is built.
    assert not findings.failed
    for program in programs.values():
        verify(program)
    spec = Spec(document, programs, tuple(findings), registry, sources)
    try:
        spec.bind({})
    except ParameterError as error:
        message = f"with the defaults of its params the spec cannot run: {error}"
        findings.error("HR304", message, document.key(("params",)).span, "change a default")
        raise SpecError(findings, sources) from None
    return spec


def _lower(
    document: Document,
    findings: Findings,
    files: Files,
    open_: tuple[str, ...],
    folder: Path | None,
    *,
    registry: Registry,
) -> Lowering | None:
    """Check one document, after those that it uses; `open_` are the files that are being read, outermost first."""
    check_texts(document, findings)
    shape, left_out = read_shape(document, findings)
    if shape is None:
        return None
    used, failed = files.used(shape.use, document, folder, findings, open_)
    # What cannot be known of a spec that does not hold is no mistake of its user.
    own = findings if not failed else Findings(files.permit)
    lowering = lower(shape, document, registry, own, left_out | failed, used)
    check_backing(shape, document, folder, own, used)
    for found in own if failed else ():
        if found.code not in OF_OTHERS:
            findings.add(found)
    for found in () if findings.failed else lowering.lints():
        findings.add(found)
    return lowering


OF_OTHERS = frozenset(("HR206", "HR404", "HR407"))
"""What a spec is told that lacks the events of another one."""
