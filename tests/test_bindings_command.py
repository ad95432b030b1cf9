"""`hedgerow bindings`: what specs can call, with the functions of installed packages, sound and broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.actions import ACTIONS
from hedgerow.cli.main import main
from hedgerow.engine.registry import builtin_registry
from hedgerow.guards import GUARDS

MODULE = '''
import math
from typing import Annotated, Literal, NamedTuple


class Sized(NamedTuple):
    ok: bool
    size: Annotated[float, "Q"]
    reason: str


def capped(*, wish: Annotated[float, "Q"], most: Annotated[float, "Q"] = math.inf, way: Literal["a", "b"] = "a") -> Sized:
    """Cap a wish.

    The rest of the doc.
    """
    return Sized(wish <= most, min(wish, most), "too much")


def untyped(x):
    return x
'''
ENTRIES = """\
[hedgerow.actions]
other.capped = other_bindings:capped
other.gone = other_bindings:gone
other.leaves = other_leaves:f
other.missing = no_such_module:f
[hedgerow.guards]
other.untyped = other_bindings:untyped
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with one sound binding and four broken ones."""
    (tmp_path / "other_bindings.py").write_text(MODULE, "utf-8")
    (tmp_path / "other_leaves.py").write_text("raise SystemExit(1)\n", "utf-8")
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(ENTRIES, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    builtin_registry.cache_clear()
    yield info
    builtin_registry.cache_clear()
    for module in ("other_bindings", "other_leaves"):
        sys.modules.pop(module, None)


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert main(["bindings", "--json"]) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_every_shipped_function_is_listed_and_can_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(capsys)
    assert list(found) == sorted({**ACTIONS, **GUARDS})
    for name, one in found.items():
        assert one["error"] is None
        assert one["kind"] == ("guard" if name in GUARDS else "action")
        assert one["doc"]
        assert one["arguments"]
        assert one["results"]


def test_the_table_has_every_function_with_its_arguments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["bindings"]) == 0
    out = capsys.readouterr().out
    for name in (*ACTIONS, *GUARDS):
        assert name in out
    assert "returns: a window" in out
    assert "confidence: real = 0.99" in out
    assert "Check that the equity's value at risk over the horizon is at most the limit." in out


def test_one_function_is_shown_with_its_whole_doc(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bindings", "risk.value_at_risk_within"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("risk.value_at_risk_within (guard, hedgerow.guards.risk:value_at_risk_within)\n\ntakes\n")
    assert "  equity: real in M\n" in out
    assert "  method: `historical` or `normal` = historical\n" in out
    assert "\ngives\n  ok: bool\n  value: real in M\n" in out
    assert "Source: McNeil, Frey, Embrechts" in out


def test_what_a_function_says_in_words_is_shown_with_its_results(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bindings", "other.capped"]) == 0
    assert "\ngives\n  ok: bool\n  size: real in Q\n  reason: text\n" in capsys.readouterr().out


def test_an_unknown_name_is_bad_input_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bindings", "sizing.hedge_kurve"]) == 2
    assert capsys.readouterr().err == (
        "Error: no bound function `sizing.hedge_kurve`: did you mean `sizing.hedge_curve`?\n"
    )


def test_functions_of_installed_packages_are_listed_with_their_signature(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argument = {"unit": "1", "words": [], "required": False, "default": None}
    assert listed(capsys)["other.capped"] == {
        "name": "other.capped",
        "kind": "action",
        "target": "other_bindings:capped",
        "doc": "Cap a wish.\n\nThe rest of the doc.",
        "error": None,
        "arguments": [
            {**argument, "name": "wish", "kind": "real", "unit": "Q", "required": True},
            {**argument, "name": "most", "kind": "real", "unit": "Q", "default": "inf"},
            {**argument, "name": "way", "kind": "word", "words": ["a", "b"], "default": "a"},
        ],
        "results": [
            {"name": "ok", "type": "bool", "unit": "1"},
            {"name": "size", "type": "real", "unit": "Q"},
            {"name": "reason", "type": "text", "unit": "1"},
        ],
    }


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("other.gone", "`other.gone` cannot be imported from `other_bindings:gone`: "),
        ("other.leaves", "`other.leaves` cannot be imported from `other_leaves:f`: "),
        (
            "other.missing",
            "`other.missing` cannot be imported from `no_such_module:f`: No module named 'no_such_module'",
        ),
        ("other.untyped", "`x` of `other.untyped` has no annotation"),
    ],
)
def test_a_broken_function_is_shown_with_its_error(
    installed: Path,
    name: str,
    error: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert str(listed(capsys)[name]["error"]).startswith(error)
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["bindings"]) == 0
    assert f"cannot be used: {error}" in capsys.readouterr().out
    assert main(["bindings", name]) == 2
    assert f"cannot be used: {error}" in capsys.readouterr().err


def test_two_packages_that_claim_one_name_are_an_error_and_no_crash(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (installed / "entry_points.txt").write_text(
        "[hedgerow.actions]\nsizing.hedge_curve = other_bindings:capped\n", "utf-8"
    )
    assert main(["bindings"]) == 2
    err = capsys.readouterr().err
    assert "`sizing.hedge_curve` is offered by `other_bindings:capped`" in err
