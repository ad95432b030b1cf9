"""The published JSON Schema: generated, complete, and of one mind with the loader about what shape a spec has."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.cli.main import main
from hedgerow.engine.diagnostics import Findings
from hedgerow.engine.schema import ID, json_schema
from hedgerow.engine.shape import read_shape
from hedgerow.engine.source import parse_text, read

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "schemas" / "spec.v1.schema.json"
SPECS = sorted(path for path in (ROOT / "specs").iterdir() if path.suffix in (".yaml", ".json"))
STARTER = ROOT / "cli" / "starter.yaml"
SCHEMA = json.loads(PUBLISHED.read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# What the shipped specs leave out: every key once, in shape only.
WHOLE = {
    "hedgerow": 1,
    "name": "whole",
    "about": "all keys",
    "units": ["USD", "IDX"],
    "capital": {"USD": 1000},
    "events": {
        "tick": {"price": {"type": "real", "unit": "USD/IDX", "range": [0, "1e7"], "about": "x"}},
        "alarm": {},
        "tick.fast": {},
    },
    "params": {"k": {"default": 8, "type": "int", "unit": "USD", "range": [1, 9], "about": "x"}},
    "instruments": {
        "index": {
            "unit": "IDX",
            "price": {"tick": "tick.price"},
            "fee": 0,
            "slippage": "0.1",
            "half_spread": 0,
            "borrow": 0,
            "funding": {"tick": 0},
            "lot": 1,
            "minimum_notional": 1,
            "about": "x",
        }
    },
    "legs": {"long": {"instrument": "index", "side": "both", "quantity": 1, "about": "x"}},
    "state": {"n": {"initial": 0, "type": "int", "unit": "USD", "range": [0, 9], "about": "x"}},
    "let": {"price": "index.price", "yes": True},
    "windows": {"w": {"of": "price", "on": "tick", "length": 5, "until_full": "skip", "about": "x"}},
    "observe": {
        "tick": {
            "a": "peak(price)",
            "b": {"call": "some.function", "with": {"x": "w"}, "initial": 0, "ensures": "b >= 0"},
            "c": {"call": "some.function", "initial": {"ok": True}, "ensures": ["c.ok", "a > 0"]},
        }
    },
    "use": {"breaker": {"spec": "b.yaml", "params": {"limit": "k"}, "events": {"a": "tick", "b": {"tick": {"x": 1}}}}},
    "raises": ["alarm"],
    "fills": "external",
    "machine": {
        "initial": "on",
        "fail_safe": "off",
        "states": {
            "on": {
                "initial": "inner",
                "states": {"inner": {}},
                "entry": "act",
                "exit": [{"set": {"n": 1}}, "act"],
                "always": [{"if": True, "to": "off"}],
                "tags": ["loud"],
                "about": "x",
                "on": {
                    "tick": {
                        "name": "t",
                        "if": "n > 1",
                        "to": "off",
                        "do": {"let": {"a": 1}},
                        "approval": "p",
                        "about": "x",
                    },
                    "error.*": [{"do": ["act", {"increase": {"long": 1}}, {"reduce": {"long": 1}}]}],
                    "alarm tick.*": {"to": ["inner"], "internal": True},
                },
                "after": {"30m": {"to": "off"}, "2 * k": [{"if": True}, {}]},
                "every": {"1d": {"do": "act"}},
                "fail_safe": "inner",
            },
            "both": {
                "parallel": True,
                "states": {
                    "first": {
                        "initial": {"to": ["x"], "do": "act"},
                        "states": {"x": {}, "h": {"history": "deep", "default": ["x"], "about": "x"}},
                    },
                    "second": {
                        "initial": ["y"],
                        "states": {"y": {}, "h2": {"history": "shallow", "default": {"to": "y", "do": ["act"]}}},
                    },
                },
            },
            "off": {"final": True},
        },
    },
    "oversight": "supervised",
    "people": {"anna": ["risk"], "ben": []},
    "approvals": {"p": {"role": "risk", "persons": 2, "within": "1h", "again": "1d", "about": "x"}},
    "actions": {
        "act": [{"target": {"long": 1}}, {"close": "long"}, {"close": ["long"]}, {"raise": "alarm"}],
        "late": [{"raise": "alarm", "after": "30m", "id": "soon"}, {"cancel": "soon"}, {"cancel": "tick.fast"}],
        "more": {"raise": {"tick": {"price": 1}}},
        "call": [
            {"call": "a.b", "with": {"x": 1}, "into": "n"},
            {"call": "a.b", "into": {"y": "n"}, "ensures": [True]},
        ],
    },
    "gates": {
        "sanity": {
            "applies": "increase",
            "checks": {
                "cash": {"of": "cash", "least": "0", "most": "1e9 USD", "max_age": {"tick": "1d"}},
                "open": {"holds": "not In(off)", "max_age": {"tick": "1d"}},
                "drain": {
                    "call": "liquidity.drain_within",
                    "with": {"outflow": "1 USD", "inflow": "0 USD", "forecast": "cash"},
                    "deadline": "50ms",
                    "isolate": True,
                    "max_age": {"tick": "1d"},
                },
            },
        }
    },
    "invariants": {"one": "n >= 0"},
    "conserved": {"four": "n"},
    "unchanged": {"five": {"of": "n"}, "six": {"while": "on", "of": ["n", 1]}},
    "helpers": {"two": True},
    "decreases": {
        "e": {"while": "on", "by": "t", "measure": "n", "factor": 0.5, "until": 1, "within": "1d"},
    },
    "claims": {
        "f": {"says": "x", "backed_by": {"invariant": "one"}},
        "g": {
            "says": "x",
            "backed_by": [
                *({kind: "one"} for kind in ("conserved", "unchanged", "helper", "decreases", "study")),
                {"test": "a.py::test_x"},
            ],
        },
    },
    "report": {"harvest": {"t": 1}, "overshoot": {"t": 1}, "limits": {"net": 1, "gross": 2}},
}


def shape_holds(document: dict[str, Any]) -> bool:
    findings = Findings()
    read_shape(parse_text(json.dumps(document), "spec.json"), findings)
    return not findings.errors


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key that the schema names, with its own schema."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from properties(each, f"{path}/{index}")
    elif isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            yield f"{path}/{key}", value
        for key, value in schema.items():
            if key not in ("examples", "default", "enum"):
                yield from properties(value, f"{path}/{key}")


KEYS = list(properties(SCHEMA))


def test_the_published_schema_is_what_the_model_says() -> None:
    assert PUBLISHED.read_text("utf-8") == json.dumps(json_schema(), indent=2) + "\n", "run `hedgerow schema --out`"


def test_the_command_prints_the_published_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text("utf-8")
    assert main(["schema", "--out", str(tmp_path / "s.json")]) == 0
    assert (tmp_path / "s.json").read_bytes() == PUBLISHED.read_bytes()


def test_a_schema_that_cannot_be_written_is_bad_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schema", "--out", str(tmp_path / "no" / "s.json")]) == 2
    assert "no such file or directory" in capsys.readouterr().err


def test_the_schema_is_one_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == ID


def test_there_are_keys_to_describe() -> None:
    assert len(KEYS) > 80
    assert {path.rsplit("/", 1)[1] for path, _ in KEYS} >= {"hedgerow", "if", "with", "raise", "until_full", "while"}


@pytest.mark.parametrize(("path", "schema"), KEYS, ids=[path for path, _ in KEYS])
def test_every_key_has_a_description_and_a_valid_example(path: str, schema: dict[str, Any]) -> None:
    assert schema["description"].strip()
    assert schema["examples"]
    for example in schema["examples"]:
        VALIDATOR.evolve(schema={**schema, "$defs": SCHEMA["$defs"]}).validate(example)


@pytest.mark.parametrize("path", [*SPECS, STARTER], ids=lambda path: path.name)
def test_shipped_specs_have_the_shape(path: Path) -> None:
    VALIDATOR.validate(read(path).plain())


def test_a_spec_with_every_key_has_the_shape() -> None:
    used = {path.rsplit("/", 1)[1] for path, _ in KEYS}
    assert used - keys_of(WHOLE) == set()
    assert shape_holds(WHOLE)
    VALIDATOR.validate(WHOLE)


def keys_of(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*map(keys_of, document))
    return set(document).union(*map(keys_of, document.values())) if isinstance(document, dict) else set()


def places(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value below the root."""
    children: Any = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(document: dict[str, Any], path: tuple[str | int, ...], change: str, value: Any) -> dict[str, Any]:
    """Return the document with the value at a path replaced, left out, wrapped, or its key renamed."""
    made = copy.deepcopy(document)
    parent: Any = made
    for part in path[:-1]:
        parent = parent[part]
    last: Any = path[-1]
    match change:
        case "replace":
            parent[last] = value
        case "leave out":
            del parent[last]
        case "wrap":
            parent[last] = [parent[last]]
        case "rename" if isinstance(parent, dict):
            parent[str(value)] = parent.pop(last)
        case "add" if isinstance(parent[last], dict):
            parent[last][str(value)] = value
        case "add" if isinstance(parent[last], list):
            parent[last].append(value)
    return made


VALUES: list[Any] = [
    None, True, False, 0, 1, -3, 2.5, "", "x", "on", "a b", "1x", "a__b", "real", "skip", "a.b", "call", "set", "if_",
    "with_", "n" * 65, "n" * 129, "u" * 4001, [], [0], [0, 1], [0, 1, 2], ["x", "y"], {}, {"x": 1}, {"set": {"n": 1}},
    {"set": {}},
    {"close": []}, {"raise": {"e": {}}}, {"set": {"n": 1}, "let": {"n": 1}}, {"call": "a.b", "into": "n"}, {"initial": 0},
    {"to": "off"}, [{"to": "off"}], [[{"to": "off"}]], {"x": None}, {"x": [1]}, {"x": {"y": 1}},
]  # fmt: skip
PARALLEL = {**WHOLE, "machine": {"parallel": True, "states": {"a": {}, "b": {"initial": ["c"], "states": {"c": {}}}}}}
BASES = [WHOLE, PARALLEL, *(read(path).plain() for path in SPECS)]


@settings(max_examples=600)
@given(data=st.data())
def test_schema_and_loader_accept_and_refuse_the_same_shapes(data: st.DataObject) -> None:
    document: dict[str, Any] = data.draw(st.sampled_from(BASES))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(document))))
        change = data.draw(st.sampled_from(("replace", "replace", "leave out", "wrap", "rename", "add")))
        document = changed(document, path, change, data.draw(st.sampled_from(VALUES)))
        if not document:
            return
    told = [error.message for error in VALIDATOR.iter_errors(document)]
    assert shape_holds(document) == (not told), told


@pytest.mark.parametrize("version", [True, "1", 2, None, [1]])
def test_another_version_is_refused_by_both(version: object) -> None:
    document = {**WHOLE, "hedgerow": version}
    assert not shape_holds(document)
    assert not VALIDATOR.is_valid(document)
