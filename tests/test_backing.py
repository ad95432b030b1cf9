"""`claims:`: each names something that exists, and nothing of it reaches the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from proofs import proof, result

import hedgerow
from hedgerow import SpecError
from hedgerow.cli.main import main
from hedgerow.engine.honesty import Backed
from hedgerow.engine.load import load, loads
from hedgerow.engine.printer import digest
from hedgerow.engine.prove.text import Reader, lines
from hedgerow.engine.studies import STUDIES

SPECS = Path(__file__).parent.parent / "specs"
COUNTER = """\
hedgerow: 1
name: counter
events: {go: {}}
state: {n: {initial: 8}}
machine:
  initial: on
  states:
    on: {on: {go: {name: halve, do: {set: {n: n / 2}}}}}
invariants: {shrinks: n <= before.n}
conserved: {nothing: 0 * n}
unchanged: {at_rest: {of: 0 * n}}
helpers: {positive: n > 0}
decreases: {ends: {while: on, by: halve, measure: n, factor: 0.5, until: 1, within: 1d}}
"""
TESTS = """\
import pytest

def test_it_halves() -> None: ...

async def test_later() -> None: ...

def helper() -> None:
    def test_inside() -> None: ...

class TestCounter:
    def test_it_ends(self) -> None: ...
"""


def claiming(*backings: str) -> str:
    return COUNTER + f"claims:\n  it_ends: {{says: it comes to an end, backed_by: [{', '.join(backings)}]}}\n"


def told(text: str, folder: Path | None = None) -> list[tuple[str, str, str]]:
    """Return (code, message, help) of what a spec is refused for."""
    with pytest.raises(SpecError) as raised:
        loads(text, "spec.yaml", folder=folder)
    return [(found.code, found.message, found.help) for found in raised.value.diagnostics]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_counter.py").write_text(TESTS, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "backing",
    [
        "{invariant: shrinks}",
        "{conserved: nothing}",
        "{unchanged: at_rest}",
        "{helper: positive}",
        "{decreases: ends}",
        *(f"{{study: {name}}}" for name in STUDIES),
        "{test: 'tests/test_counter.py::test_it_halves'}",
        "{test: 'tests/test_counter.py::test_later'}",
        "{test: 'tests/test_counter.py::TestCounter::test_it_ends'}",
        "{test: './tests/../tests/test_counter.py::test_it_halves'}",
    ],
)
def test_what_exists_backs_a_claim(backing: str, folder: Path) -> None:
    assert len(loads(claiming(backing), folder=folder).backed_claims) == 1


@pytest.mark.parametrize(
    ("backing", "why", "help"),
    [
        ("{invariant: shrink}", "there is no `shrink` under `invariants:`", "did you mean `shrinks`?"),
        ("{invariant: positive}", "there is no `positive` under `invariants:`", "write `helper: positive`"),
        ("{invariant: other.shrinks}", "there is no `other.shrinks` under `invariants:`", "did you mean `shrinks`?"),
        ("{helper: zzz}", "there is no `zzz` under `helpers:`", "claim it under `helpers:`"),
        ("{study: band_limit}", "there is no study `band_limit`", "did you mean `band_limited`?"),
        (
            "{test: 'tests/test_counter.py::test_it_halvs'}",
            "`tests/test_counter.py` has no test `test_it_halvs`",
            "did you mean `test_it_halves`?",
        ),
        (
            "{test: 'tests/test_counter.py::test_inside'}",
            "`tests/test_counter.py` has no test `test_inside`",
            "write the test first, then its name here",
        ),
        (
            "{test: 'tests/test_none.py::test_it'}",
            "there is no file `tests/test_none.py`",
            "check the path: it starts in the folder of this file",
        ),
        (
            "{test: 'tests/test_counter.py::helper'}",
            "`helper` is no test",
            "name a function that pytest collects: `test_…`",
        ),
    ],
)
def test_what_does_not_exist_backs_nothing(backing: str, why: str, help: str, folder: Path) -> None:
    assert told(claiming(backing), folder) == [("HR451", f"`it_ends` is not backed: {why}", help)]


@pytest.mark.parametrize(
    "written",
    ["tests/test_counter.py", "test_it", "tests/test_counter.txt::test_it", "/a.py::test_it", "C:/a.py::test_it"],
)
def test_a_test_is_a_relative_file_and_a_name(written: str, folder: Path) -> None:
    ((code, _, help),) = told(claiming(f"{{test: '{written}'}}"), folder)
    assert code == "HR451"
    assert help == "write its file from the folder of this one and its name: `tests/test_hedge.py::test_it_holds`"


@pytest.mark.parametrize("content", [b"def test_it(:\n", b"\xff\xfe\x00", b"(" * 5000])
def test_a_file_that_is_no_python_backs_nothing(content: bytes, folder: Path) -> None:
    (folder / "tests" / "test_counter.py").write_bytes(content)
    ((code, message, _),) = told(claiming("{test: 'tests/test_counter.py::test_it'}"), folder)
    assert code == "HR451"
    assert message == "`it_ends` is not backed: `tests/test_counter.py` is no Python that can be read"


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    (folder / "tests" / "test_counter.py").write_bytes(b"#" * 2_000_001)
    ((_, message, _),) = told(claiming("{test: 'tests/test_counter.py::test_it'}"), folder)
    assert message == "`it_ends` is not backed: `tests/test_counter.py` is larger than 2,000,000 bytes"


def test_a_text_that_is_no_file_has_no_tests() -> None:
    ((code, message, _),) = told(claiming("{test: 'tests/test_counter.py::test_it'}"))
    assert (code, message) == ("HR451", "`it_ends` is not backed: a text that is no file has no tests beside it")


def test_every_backing_is_looked_at_and_told_at_its_place() -> None:
    text = claiming("{invariant: shrinks}", "{study: none}", "{helper: none}", "{decreases: none}")
    with pytest.raises(SpecError) as raised:
        loads(text)
    line = text.splitlines()[-1]
    starts = [line.index(f"{kind}: none") + len(kind) + 3 for kind in ("study", "helper", "decreases")]
    assert [(d.code, d.span.line, d.span.column) for d in raised.value.diagnostics] == [
        ("HR451", len(text.splitlines()), start) for start in starts
    ]


def test_one_item_names_one_thing_and_an_empty_list_backs_nothing() -> None:
    assert [found[:2] for found in told(claiming("{invariant: shrinks, study: band_limited}"))] == [
        ("HR103", "one thing that backs the claim is expected here")
    ]
    assert [code for code, *_ in told(claiming("{}"))] == ["HR103"]
    assert [code for code, *_ in told(claiming("{invariant: }"))] == ["HR103"]
    assert [code for code, *_ in told(claiming(""))] == ["HR104"]
    assert [code for code, *_ in told(claiming("{proof: shrinks}"))] == ["HR101"]


def test_a_claim_may_not_be_what_no_market_allows_however_it_is_backed() -> None:
    text = claiming("{invariant: shrinks}").replace("it comes to an end", "it cannot lose")
    assert [code for code, *_ in told(text)] == ["HR450"]


def test_an_invariant_that_is_itself_wrong_is_not_told_twice() -> None:
    text = claiming("{invariant: shrinks}").replace("shrinks: n <= before.n", "shrinks: [1]")
    assert [code for code, *_ in told(text)] == ["HR103"]


def test_claims_of_used_specs_back_one_under_the_name_of_the_part(tmp_path: Path) -> None:
    (tmp_path / "counter.yaml").write_text(COUNTER, "utf-8")
    (tmp_path / "inner.yaml").write_text("hedgerow: 1\nname: inner\nuse: {c: {spec: counter.yaml}}\n", "utf-8")
    desk = "hedgerow: 1\nname: desk\nuse: {part: {spec: inner.yaml}}\nclaims: {a: {says: x, backed_by: {NAME}}}\n"
    for backing in ("invariant: part.c.shrinks", "decreases: part.c.ends"):
        (tmp_path / "desk.yaml").write_text(desk.replace("NAME", backing), "utf-8")
        assert load(tmp_path / "desk.yaml").backed_claims[0].name == "a"
    for backing in ("invariant: part.shrinks", "helper: part.c.ends", "invariant: part.c"):
        assert [code for code, *_ in told(desk.replace("NAME", backing), tmp_path)] == ["HR451"]


def test_what_is_wrong_with_a_used_spec_leaves_claims_that_name_it_alone(tmp_path: Path) -> None:
    desk = "hedgerow: 1\nname: desk\nuse: {part: {spec: none.yaml}}\n"
    desk += "claims: {a: {says: x, backed_by: {invariant: part.b}}}\n"
    assert [code for code, *_ in told(desk, tmp_path)] == ["HR600"]


def test_claims_are_no_part_of_the_program() -> None:
    with_claims, without = loads(claiming("{invariant: shrinks}")), loads(COUNTER)
    for fill in ("same", "next"):
        assert digest(with_claims.program(fill)) == digest(without.program(fill))
    assert without.backed_claims == ()


def test_validate_lists_the_claims(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "counter.yaml").write_text(claiming("{invariant: shrinks}", "{study: band_limited}"), "utf-8")
    assert main(["validate", "--json", str(folder / "counter.yaml")]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["claims"] == [
        {
            "name": "it_ends",
            "says": "it comes to an end",
            "backed_by": [{"invariant": "shrinks"}, {"study": "band_limited"}],
        }
    ]


def test_a_proof_tells_beside_each_claim_what_came_of_what_backs_it() -> None:
    said = Backed(
        "it_is_small",
        "it stays small",
        (("invariant", "small"), ("helper", "small"), ("decreases", "ends"), ("study", "band_limited")),
    )
    made = proof(
        result("invariant", "small"), result("ends", "ends.shrinks"), result("ends", "ends.within", "not decided")
    )
    told = [" " * line.indent + "".join(p.text for p in line.pieces) for line in lines(made, Reader("x", said=(said,)))]
    start = told.index("What it says of itself, and what backs that")
    assert told[start + 1 : start + 6] == [
        "  it_is_small: it stays small",
        "    invariant small: proved",
        "    helper small: not asked",
        "    decreases ends: not decided",
        "    study band_limited",
    ]


def test_the_shipped_hedge_backs_what_it_says() -> None:
    yaml, twin = (hedgerow.load(SPECS / f"band_limited_hedge.{suffix}") for suffix in ("yaml", "json"))
    assert yaml.backed_claims[0].name == "no_edge"
    assert yaml.backed_claims == twin.backed_claims
