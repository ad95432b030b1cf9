"""Every code: raised somewhere, titled, documented, and shown failing and mended; what people read, compared whole."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from journals import filled
from lanes import terms
from pages import ROOT, Fence, fences

from hedgerow.cli.main import main
from hedgerow.engine.codes import CODES
from hedgerow.engine.control.acts import read_asked
from hedgerow.engine.control.flag import BYTES
from hedgerow.engine.control.terms import make_lane
from hedgerow.engine.control.writer import Writer
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.journal.keys import Signer, make_key
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.load import loads
from hedgerow.engine.prove.kinds import KINDS
from hedgerow.engine.prove.solvers import SolverError
from hedgerow.engine.prove.symbols import TooManyError

PAGE = ROOT / "docs" / "codes.md"
GOLDEN = ROOT / "tests" / "golden" / "messages"
CODE = re.compile(r"\bHR\d{3}\b")

BLOCKS = list(fences(PAGE))
FAILING = [fence for fence in BLOCKS if fence.info[1:2] == ("fails",)]
WARNING = [fence for fence in BLOCKS if fence.info[1:2] == ("warns",)]
SESSIONS = [fence for fence in BLOCKS if fence.language == "console"]
HOLDER = next(fence.text for fence in BLOCKS if fence.heading == "Runs over data" and fence.language == "yaml")

# What the commands of the page find in the folder that they are run in.
FILES: dict[str, bytes] = {
    "holder.yaml": HOLDER.encode(),
    "large.yaml": b"# " + b"x" * 500_000,
    "latin1.yaml": b"hedgerow: 1\nname: caf\xe9\n",
    "many.yaml": b"".join(b"- %d\n" % number for number in range(20_100)),
    "long.yaml": b"hedgerow: 1\nname: long\nparams: {k: {default: " + b"1" * 401 + b"}}\n",
    "good.csv": next(fence.text for fence in BLOCKS if fence.language == "csv").encode(),
    "bad.csv": b"time,price\n2024-01-01,100\n2024-01-02,-5\n",
    "unnamed.csv": b"time,last\n2024-01-01,100\n2024-01-02,102\n",
    "timeless.csv": b"price\n100\n",
    "broken.parquet": b"no parquet\n",
    "counter.yaml": next(f.text for f in BLOCKS if f.heading == "Compositions" and f.language == "yaml").encode(),
    "lost.yaml": b"hedgerow: 1\nname: lost\nuse: {c: {spec: counters.yaml}}\n",
    "ring.yaml": b"hedgerow: 1\nname: ring\nuse: {me: {spec: ring.yaml}}\n",
    "unlike.yaml": b"hedgerow: 1\nname: unlike\nevents: {go: {by: {type: bool}}}\nuse: {c: {spec: counter.yaml}}\n",
    "shouter.yaml": b"hedgerow: 1\nname: shouter\nevents: {go: {}, full: {}}\n"
    b"machine: {initial: on, states: {on: {on: {go: {do: {raise: full}}, full: {}}}}}\n",
    "listener.yaml": b"hedgerow: 1\nname: listener\nuse: {c: {spec: shouter.yaml}}\n",
    "clock.yaml": b"hedgerow: 1\nname: clock\nevents: {tock: {x: {}}}\n"
    b"state: {first: {initial: tock.x}}\nmachine: {initial: on, states: {on: {}}}\n",
    "clocks.yaml": b"hedgerow: 1\nname: clocks\n"
    b"use: {one: {spec: clock.yaml}, two: {spec: clock.yaml, events: {tock: tick}}}\n",
    "echo.yaml": b"hedgerow: 1\nname: echo\nevents: {tick: {}}\n"
    b"use: {c: {spec: counter.yaml, events: {go: {tick: {by: 1}}}}}\n"
    b"machine: {initial: on, states: {on: {on: {full: {do: {raise: tick}}}}}}\n",
    "exchange.yaml": b"hedgerow: 1\nname: exchange\nunits: [EUR, IDX]\n"
    b"use: {here: {spec: dollars.yaml}, there: {spec: euros.yaml, events: {tick: {tick: {price: 90 EUR / 1 IDX}}}}}\n",
    **{
        f"{name}.yaml": (
            f"hedgerow: 1\nname: {name}\nunits: [{unit}, IDX]\ncapital: {{{unit}: 100}}\n"
            f"events: {{tick: {{price: {{unit: {unit}/IDX}}}}}}\ninstruments: {{index: {{unit: IDX, price: tick.price}}}}\n"
            "legs: {held: {instrument: index, side: long}}\n"
            "machine: {initial: on, fail_safe: off, states: {on: {}, off: {}}}\n"
        ).encode()
        for name, unit in (("dollars", "USD"), ("euros", "EUR"))
    },
    "photos/cat.txt": b"a cat\n",
    "cut.json": b'{"format": "hedgerow.proof/1", "about": {',
    "soon.yaml": b"- {event: tick, with: {price: 100.5}, at: soon}\n",
    "wrong.yaml": b"- {event: tick, with: {price: 100}, expect: {configuration: [halted]}}\n",
}


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# What no small spec brings about.
FULL = JournalError(
    "HR862",
    "the disk is full; the group is not journalled",
    "desk.journal",
    "make room, and start again from what is durable",
)
FAILURES: dict[str, tuple[str, Callable[..., object]]] = {
    "HR841": ("hedgerow.engine.prove.prove.prove", failing(SolverError("the solver has stopped with exit code -9"))),
    "HR842": (
        "hedgerow.engine.prove.widest.widest",
        failing(TooManyError("one event has more than 4,000 outcomes")),
    ),
    "HR862": ("hedgerow.engine.journal.sqlite.SqliteStore.write", failing(FULL)),
    "HR864": ("apsw.sqlite_lib_version", lambda: "3.51.2"),
    "HR886": ("hedgerow.engine.journal.sqlite.SqliteStore.write", failing(FULL)),
}


def outcome(text: str, file: str = "spec.yaml") -> tuple[set[str], str]:
    """Return the codes of the errors in a spec and the whole message."""
    try:
        loads(text, file)
    except SpecError as error:
        return {found.code for found in error.diagnostics if found.severity == "error"}, f"{error}\n"
    return set(), ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def journals(folder: Path) -> Iterator[Path]:
    """Add journals: a signed one, one without a checkpoint that is being written, one that somebody has changed."""
    make_key(folder / "desk.pem")
    signer = Signer.read(folder / "desk.pem")
    filled(SqliteStore(folder / "desk.journal", write=True), [7, 2], signer=signer).store.close()
    filled(SqliteStore(folder / "changed.journal", write=True), [7]).store.close()
    with contextlib.closing(sqlite3.connect(folder / "changed.journal")) as database, database:
        database.execute("UPDATE record_group SET head = zeroblob(32) WHERE first = 1")
    busy = filled(SqliteStore(folder / "busy.journal", write=True), [2])
    yield folder
    busy.store.close()


@pytest.fixture
def lanes(folder: Path) -> Iterator[Path]:
    """Add lanes: one with a halt, one that cannot flatten, one that a process holds, one with a damaged flag."""
    make_lane(folder / "plain", terms(flatten=None))
    for name in ("desk", "held", "spoiled"):
        make_lane(folder / name, terms())
        with Writer(folder / name) as writer:
            if name == "desk":
                writer.act(
                    [read_asked({"act": "halt", "by": "anna", "reason": "the feed is wrong", "id": "halt-1"}, "desk")]
                )
    (folder / "spoiled" / "flag").write_bytes(bytes(BYTES))
    with Writer(folder / "held"):
        yield folder


# --- the list of codes ---


def test_the_codes_in_the_sources_are_the_codes_that_have_a_title() -> None:
    used: set[str] = set()
    for part in ("engine", "cli", "actions", "guards", "src/hedgerow"):
        for path in (ROOT / part).rglob("*.py"):
            if path != ROOT / "engine" / "codes.py":
                used |= set(CODE.findall(path.read_text("utf-8")))
    assert used == set(CODES) | {about.code for about in KINDS.values()}


def test_the_code_of_a_property_is_that_of_its_kind_alone_and_of_no_finding() -> None:
    codes = [about.code for about in KINDS.values()]
    assert codes == [f"HR{number}" for number in range(901, 901 + len(KINDS))]
    assert set(codes) & set(CODES) == set()


def test_every_property_is_on_the_page_of_proofs_under_its_title_and_in_order() -> None:
    rows = re.findall(r"^\| (HR\d{3}) \| (.*?) \| \S", (ROOT / "docs" / "prove.md").read_text("utf-8"), re.MULTILINE)
    assert rows == [(about.code, about.title) for about in KINDS.values()]
    assert f"{rows[0][0]} to {rows[-1][0]} are properties" in PAGE.read_text("utf-8")


def test_the_page_has_one_section_a_code_under_its_title_and_in_order() -> None:
    found = re.findall(r"^### (HR\d{3}) (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found == sorted(CODES.items())


def test_every_code_is_shown_failing_and_mended() -> None:
    for code in CODES:
        section = [fence for fence in BLOCKS if fence.heading.startswith(code)]
        if code in {fence.info[2] for fence in FAILING + WARNING}:
            kinds = [fence.info[1:] for fence in section]
            verb = "fails" if code in {fence.info[2] for fence in FAILING} else "warns"
            assert kinds == [(verb, code), ()] * (len(kinds) // 2), code
        else:
            # What only a program meets is shown as one, which tests/test_docs.py runs.
            assert [fence.language for fence in section] in (["console"], ["python", "text"]), code


# --- the examples ---


@pytest.mark.parametrize("fence", FAILING, ids=str)
def test_the_failing_example_gives_its_code_and_no_other(fence: Fence) -> None:
    assert fence.heading.startswith(fence.info[2])
    codes, message = outcome(fence.text, f"spec.{fence.language}")
    assert codes == {fence.info[2]}, message


@pytest.mark.parametrize("fence", WARNING, ids=str)
def test_a_doubtful_example_gets_its_code_and_the_mended_one_nothing(fence: Fence) -> None:
    mended = BLOCKS[BLOCKS.index(fence) + 1]
    assert {found.code for found in loads(fence.text).diagnostics} == {fence.info[2]}
    assert loads(mended.text).diagnostics == ()


def test_the_mended_example_differs_from_the_failing_one_in_a_few_lines() -> None:
    for failing, mended in pairwise(BLOCKS):
        if failing in FAILING + WARNING and len(failing.text.splitlines()) > 3:
            before, after = failing.text.splitlines(), mended.text.splitlines()
            assert mended not in FAILING + WARNING
            assert len(set(before) - set(after)) <= 4, failing
            assert len(set(after) - set(before)) <= 4, failing


@pytest.mark.parametrize("fence", SESSIONS, ids=str)
def test_a_command_on_the_page_says_what_the_page_says(
    fence: Fence,
    folder: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if fence.heading.startswith("HR88"):
        request.getfixturevalue("lanes")
    if ".journal" in fence.text:
        request.getfixturevalue("journals")
    if fence.heading.startswith("HR809"):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    if fence.heading[:5] in FAILURES:
        function, fails = FAILURES[fence.heading[:5]]
        monkeypatch.setattr(function, fails)
    command, _, expected = fence.text.partition("\n")
    # What a script expects in vain is an answer, and no bad input; what is not decided is neither.
    code = {"HR821": 1, "HR842": 3, "HR869": 1, "HR881": 3, "HR886": 1, "HR888": 3, "HR889": 1}.get(
        fence.heading[:5], 2
    )
    assert main(shlex.split(command.removeprefix("$ hedgerow "))) == code
    # `validate` parts what it says of one file from the next by a blank line.
    assert capfd.readouterr().err.rstrip("\n") == expected.rstrip("\n")


def test_every_mended_run_runs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = ["run", "holder.yaml", "--no-report", "--data"]
    assert main([*run, "good.csv"]) == 0
    assert main([*run, "good.csv", "--set", "stake=100", "--out", "photos", "--force"]) == 0
    assert main([*run, "unnamed.csv", "--map", "price=last"]) == 0
    assert main([*run, "bad.csv", "--skip-bad"]) == 0


# --- what people read ---


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_common_mistake_is_told_in_these_words(path: Path) -> None:
    message = outcome(path.read_text("utf-8"), path.name)[1]
    golden = path.with_suffix(".txt")
    if os.environ.get("HEDGEROW_WRITE_GOLDEN"):
        golden.write_text(message, "utf-8")
    assert message == golden.read_text("utf-8")
    assert message
