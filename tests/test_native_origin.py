"""Kept native code is found before a kernel is written, and never for one that would be written otherwise."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import time_ns
from typing import Any

import pytest
from generated import Sketch, sketches
from hypothesis import HealthCheck, given, settings

import hedgerow
from hedgerow.engine import FOLDER, IMPORTED_NS
from hedgerow.engine.backends.native import machine, object_code, origin
from hedgerow.engine.backends.native.able import why_not
from hedgerow.engine.backends.native.kernel import Options, kernel_text
from hedgerow.engine.backends.native.machine import Kernel
from hedgerow.engine.backends.native.object_code import cache_folder
from hedgerow.engine.backends.native.origin import origin_of, writer_of
from hedgerow.engine.diagnostics import Span
from hedgerow.engine.ir import Expr, Program
from hedgerow.engine.load import loads
from hedgerow.engine.printer import digest

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

SPECS = Path(__file__).parent.parent / "specs"
LATER_NS = 10**13
NOWHERE = Span("elsewhere.yaml", 1, 1, 1, 2)
DOOR = """
hedgerow: 1
name: door
units: []
events: {tick: {x: {range: [0, 9]}}, tock: {x: {range: [0, 9]}}}
state: {seen: {initial: 0}}
machine:
  initial: shut
  states:
    shut: {on: {tick: {name: open, if: tick.x > 5, to: open, do: {set: {seen: tick.x}}}}}
    open: {on: {tock: {name: shut, if: tock.x > 5, to: shut}}}
"""


def door(old: str = "", new: str = "", fill: Any = "same") -> Program:
    assert old in DOOR
    return loads(DOOR.replace(old, new) if old else DOOR, "door.yaml").program(fill)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the engine counts as unchanged since it was imported, even if it was edited a second ago."""
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path))
    monkeypatch.setattr(origin, "IMPORTED_NS", IMPORTED_NS + LATER_NS)
    return tmp_path


# --- what is kept is found without writing anything ---


def test_nothing_is_written_where_code_is_kept(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Kernel(door(), "tick", Options())

    def write(*_: object) -> str:
        raise AssertionError("a kernel is written")

    monkeypatch.setattr(machine, "kernel_text", write)
    again = Kernel(door(), "tick", Options())
    assert (first.code.cached, again.code.cached) == (False, True)
    assert first.scans and again.scans
    with pytest.raises(AssertionError, match="is written"):
        Kernel(door(), "tock", Options())


@pytest.mark.parametrize("options", [Options(), Options(trace=True), Options(watch=False), Options(pairs=True)])
def test_kept_code_knows_whether_it_leaves_rows_out(empty: Path, options: Options) -> None:
    says = "define i1 @scans() { ret i1 true }" in kernel_text(door(), "tick", options)
    found = [Kernel(door(), "tick", options) for _ in range(2)]
    assert [(each.code.cached, each.scans) for each in found] == [(False, says), (True, says)]
    assert says != options.trace


def test_an_origin_is_the_same_in_every_process() -> None:
    code = (
        "import sys, hedgerow\nfrom hedgerow.engine.backends.native import origin\n"
        f"origin.IMPORTED_NS += {LATER_NS}\n"
        "program = hedgerow.load(sys.argv[1]).program('same')\n"
        "print(origin.origin_of(program, 'tick', origin.Options()))"
    )
    command = [sys.executable, "-c", code, str(SPECS / "drawdown_desk.yaml")]
    answers = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in "12"
    ]
    assert answers[0] == answers[1]
    assert len(answers[0].split("\n")[0]) == 64


# --- what changes the code changes where it is kept ---

CHANGES: dict[str, Callable[[pytest.MonkeyPatch], tuple[Program, str, Options]]] = {
    "a constant": lambda _: (door("tick.x > 5", "tick.x > 6"), "tick", Options()),
    "an operator": lambda _: (door("tick.x > 5", "tick.x >= 5"), "tick", Options()),
    "the lower end of a range": lambda _: (door("tick: {x: {range: [0", "tick: {x: {range: [1"), "tick", Options()),
    "the upper end of a range": lambda _: (door("9]}}, tock", "8]}}, tock"), "tick", Options()),
    "a state": lambda _: (door("initial: shut", "initial: open"), "tick", Options()),
    "the mark that orders are filled at": lambda _: (door(fill="next"), "tick", Options()),
    "the event": lambda _: (door(), "tock", Options()),
    "no watch": lambda _: (door(), "tick", Options(watch=False)),
    "a trace": lambda _: (door(), "tick", Options(trace=True)),
    "pairs": lambda _: (door(), "tick", Options(pairs=True)),
    "the engine": lambda patch: changed(patch, origin, "writer_of", lambda *_: "another"),
    "an engine that is not sure": lambda patch: changed(patch, origin, "writer_of", lambda *_: None),
    "llvmlite": lambda patch: changed(patch, sys.modules["llvmlite"], "__version__", "0.0.1"),
    "LLVM": lambda patch: changed(patch, sys.modules["llvmlite.binding"], "llvm_version_info", (1, 2, 3)),
    "the processor": lambda patch: changed(patch, object_code, "_processor", lambda _: ("", "")),
    "the passes": lambda patch: changed(patch, object_code, "_PASSES", ("sroa",)),
}


def changed(patch: pytest.MonkeyPatch, owner: object, name: str, value: object) -> tuple[Program, str, Options]:
    patch.setattr(owner, name, value)
    return door(), "tick", Options()


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_code_depends_on_decides_where_it_is_kept(
    change: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Kernel(door(), "tick", Options()).code.cached
    what = CHANGES[change](monkeypatch)
    assert not Kernel(*what).code.cached
    assert Kernel(*what).code.cached
    assert len(list((cache_folder() / "native").iterdir())) == 2


def test_damaged_code_is_written_and_made_again(empty: Path) -> None:
    whole = Kernel(door(), "tick", Options())
    (kept,) = (cache_folder() / "native").iterdir()
    good = kept.read_bytes()
    for damaged in (good[:-1], b"", good[:100] + b"\0" + good[101:]):
        kept.write_bytes(damaged)
        again = Kernel(door(), "tick", Options())
        assert (again.code.cached, again.scans) == (False, whole.scans)
        assert kept.read_bytes() == good


def untold(value: Any) -> Any:
    """Return a part of a program without what its digest leaves out; expressions stay the same objects."""
    if isinstance(value, tuple):
        return tuple(map(untold, value))
    if not dataclasses.is_dataclass(value) or isinstance(value, type | Expr):
        return value
    parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    told = {name: NOWHERE if isinstance(part, Span) else untold(part) for name, part in parts.items()}
    return type(value)(**{**told, **({"about": "another"} if "about" in told else {})})


def holds_for(program: Program) -> None:
    """The digest decides the text: what it leaves out, no kernel depends on."""
    bare = untold(program)
    assert bare != program
    assert digest(bare) == digest(program)
    for event in program.events:
        if not event.name.startswith(("done.", "error.")):
            for options in (Options(), Options(trace=True), Options(watch=False, pairs=True)):
                assert kernel_text(bare, event.name, options) == kernel_text(program, event.name, options)


@pytest.mark.parametrize("name", sorted(path.name for path in SPECS.glob("*.yaml")))
def test_places_and_words_of_a_shipped_spec_change_no_kernel(name: str) -> None:
    program = hedgerow.load(SPECS / name, permit=("HR302",)).program("next")
    if why_not(program) is None:
        holds_for(program)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sketch=sketches())
def test_places_and_words_change_no_kernel(sketch: Sketch) -> None:
    program = loads(sketch.text).program("same")
    if why_not(program) is None:
        holds_for(program)


# --- the source files of what writes kernels ---


def test_all_that_takes_part_in_writing_a_kernel_is_hashed() -> None:
    code = (
        "import sys\nfrom hedgerow.engine.backends.native.kernel import Options, kernel_text\n"
        "from hedgerow.engine.backends.native.object_code import assembly\n"
        "import hedgerow.engine.printer\n"
        "before = {each for each in sys.modules if each.startswith('hedgerow')}\n"
        "import hedgerow\nprogram = hedgerow.load(sys.argv[1]).program('next')\n"
        "loaded = set(sys.modules)\n"
        "for options in (Options(), Options(trace=True), Options(pairs=True)):\n"
        "    assembly(kernel_text(program, 'tick', options))\n"
        "before |= {each for each in set(sys.modules) - loaded if each.startswith('hedgerow')}\n"
        "print(*sorted(before))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(SPECS / "drawdown_desk.yaml")], check=True, capture_output=True, text=True
    )
    homes = {each.rpartition(".")[0] for each in answer.stdout.split()}
    assert homes - {"", "hedgerow"} <= {
        "hedgerow.engine",
        "hedgerow.engine.backends",
        "hedgerow.engine.backends.native",
    }
    assert "hedgerow.engine.backends.native.bounds" in answer.stdout.split()


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    for name in ("ir.py", "backends/layout.py", "backends/native/kernel.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    return tmp_path


def seen(engine: Path) -> str | None:
    """Return the hash as a process sees it that begins much later."""
    writer_of.cache_clear()
    return writer_of(str(engine), time_ns() + LATER_NS)


@pytest.mark.parametrize("name", ["ir.py", "backends/layout.py", "backends/native/kernel.py"])
def test_every_source_file_decides_who_writes(engine: Path, name: str) -> None:
    file = engine / name
    about = file.stat()
    first, again = seen(engine), seen(engine)
    assert first == again
    assert first is not None
    file.write_text("x = 2\n")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    edited = seen(engine)  # in the same moment, at the same length
    file.write_text("x = 1\n")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    touched = seen(engine)  # bytecode may be of what stood there in between
    file.rename(file.with_name("other.py"))
    renamed = seen(engine)
    (file.parent / "more.py").write_text("")
    assert None not in (edited, touched, renamed, seen(engine))
    assert len({first, edited, touched, renamed, seen(engine)}) == 5


def test_what_may_have_changed_since_it_was_imported_says_nothing(engine: Path) -> None:
    # Copies of older files keep the times of their last changes: when they were put there counts too.
    for file in engine.rglob("*.py"):
        os.utime(file, ns=(0, 0))
    changed_ns = max(file.stat().st_ctime_ns for file in engine.rglob("*.py"))
    assert writer_of(str(engine), changed_ns - 1) is None
    assert writer_of(str(engine), changed_ns + 1_999_999_999) is None
    assert writer_of(str(engine), changed_ns + 2_000_000_000) is not None


def test_without_source_files_nothing_says_who_writes(engine: Path, tmp_path: Path) -> None:
    file = engine / "backends" / "native" / "kernel.py"
    file.rename(file.with_suffix(".pyc"))
    assert seen(engine) is None
    assert seen(tmp_path / "engine.zip") is None


def test_where_nothing_says_who_writes_the_text_decides(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "IMPORTED_NS", 0)
    assert origin_of(door(), "tick", Options()) is None
    assert not Kernel(door(), "tick", Options()).code.cached
    assert Kernel(door(), "tick", Options()).code.cached


def test_the_folder_of_the_engine_is_the_one_that_runs() -> None:
    assert Path(FOLDER, "backends", "native", "origin.py").samefile(origin.__file__)
    assert time_ns() > IMPORTED_NS
