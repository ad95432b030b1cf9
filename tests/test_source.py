"""Files become nodes with exact places, or errors that say where and what to write; nothing else escapes."""

from __future__ import annotations

import io
import json
import math
import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hedgerow.engine.diagnostics import Diagnostic, SpecError
from hedgerow.engine.source import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    parse_text,
    read,
)
from hedgerow.engine.yaml_text import _tools

Found = tuple[str, str, tuple[int, int, int, int], str]


def refusals(text: str, file: str = "spec.yaml") -> list[Found]:
    """Code, message, place and help of everything that is wrong with a text."""
    with pytest.raises(SpecError) as caught:
        parse_text(text, file)
    return [shape(found) for found in caught.value.diagnostics]


def shape(found: Diagnostic) -> Found:
    span = found.span
    return found.code, found.message, (span.line, span.column, span.end_line, span.end_column), found.help


def place(node: Node) -> tuple[int, int, int, int]:
    return node.span.line, node.span.column, node.span.end_line, node.span.end_column


# What is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("12", 12), ("-3", -3),
        ("+4", 4), ("010", 10), ("0o17", 15), ("0xff", 255), ("0.5", 0.5), ("1e-5", 1e-5), (".5", 0.5),
        ("1e999", math.inf), ("-.inf", -math.inf), ("yes", "yes"), ("on", "on"), ("Off", "Off"),
        ("1_000", "1_000"), ("0b1", "0b1"), ("2020-01-01", "2020-01-01"), ("1:30", "1:30"), ("30d", "30d"),
        ("+", "+"),
        ("=", "="), ("'1'", "1"), ('"true"', "true"), ("''", ""), ("9007199254740993", 9007199254740993),
        ("1" * 400, int("1" * 400)),
    ],
)  # fmt: skip
def test_a_scalar_has_the_value_of_the_core_schema(text: str, value: object) -> None:
    found = parse_text(f"key: {text}\n", "spec.yaml").plain()["key"]
    assert (found, type(found)) == (value, type(value))


def test_nan_is_a_number_and_keeps_its_text() -> None:
    node = parse_text("key: .nan\n", "spec.yaml").at(("key",))
    assert isinstance(node, Scalar)
    assert isinstance(node.value, float)
    assert math.isnan(node.value)
    assert node.text == ".nan"


def test_on_is_a_key() -> None:
    assert parse_text("on: {tick: yes}\n", "spec.yaml").plain() == {"on": {"tick": "yes"}}


def test_a_key_without_a_value_may_have_blanks_outside_of_braces() -> None:
    assert parse_text("a:\n  long leg:\n", "spec.yaml").plain() == {"a": {"long leg": None}}


scalars = st.one_of(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Cn", "Co")),
        max_size=12,
    ),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
keys = st.text("abcdefgh_ :#{}'\"-", min_size=1, max_size=8)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=10,
    ),
    min_size=1,
    max_size=4,
)


@given(documents, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_reads_as_the_standard_library_reads_it(document: object, indent: int | str | None, plain: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=plain)
    assert parse_text(text, "spec.json").plain() == json.loads(text)


@given(documents)
def test_what_ruamel_writes_and_reads_back_is_read_here_too(document: object) -> None:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    text = stream.getvalue()
    try:
        if "!" in text or YAML(typ="safe", pure=True).load(text) != document:
            return  # it tags what it would take for something else
    except YAMLError:
        return  # it does not always write what it can read
    assert parse_text(text, "spec.yaml").plain() == document


def test_a_json_file_reads_alike_as_yaml() -> None:
    text = '{\n  "a": "\\ud83d\\ude00 \\u00e9\\t\\"/\\/",\n  "b": [1, 2.5, true, null, {}]\n}\n'
    assert parse_text(text, "spec.yaml").plain() == parse_text(text, "spec.json").plain() == json.loads(text)


def test_a_byte_order_mark_and_carriage_returns_shift_no_place(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes("\ufeffa: 1\r\nb:\r\n  c: 2\r\n".encode())
    document = read(file)
    assert document.plain() == {"a": 1, "b": {"c": 2}}
    assert place(document.at(("b", "c"))) == (3, 6, 3, 7)


# Places -------------------------------------------------------------------------------------------

LAYOUT = """\
a: 1
b: {c: x > 1, d: [10, 'it''s']}
e:
  - f: >
      folded
      text
  - "quo\\u0074ed"
g:
"""


def test_every_node_has_its_place() -> None:
    document = parse_text(LAYOUT, "spec.yaml")
    assert {loc: place(document.at(loc)) for loc in [
        ("a",), ("b",), ("b", "c"), ("b", "d"), ("b", "d", 1), ("e",), ("e", 0, "f"), ("e", 1), ("g",),
    ]} == {
        ("a",): (1, 4, 1, 5),
        ("b",): (2, 4, 2, 32),
        ("b", "c"): (2, 8, 2, 13),
        ("b", "d"): (2, 18, 2, 31),
        ("b", "d", 1): (2, 23, 2, 30),
        ("e",): (4, 3, 7, 18),
        ("e", 0, "f"): (4, 8, 6, 11),
        ("e", 1): (7, 5, 7, 18),
        ("g",): (8, 3, 8, 3),
    }  # fmt: skip


def test_json_nodes_have_the_places_that_yaml_nodes_have() -> None:
    text = '{"a": 1,\n "b": ["x", {"c": null}]}\n'
    yaml, as_json = parse_text(text, "same"), parse_text(text, "same.json")
    for loc in [(), ("a",), ("b",), ("b", 0), ("b", 1), ("b", 1, "c")]:
        assert place(yaml.at(loc)) == place(as_json.at(loc))
        assert place(yaml.key(loc)) == place(as_json.key(loc))


def test_a_path_skips_what_is_no_key_or_index_where_it_stands() -> None:
    document = parse_text(LAYOUT, "spec.yaml")
    assert document.at(("b", "tag", "d", "list[int]", 0)) == document.at(("b", "d", 0))
    assert document.at(("b", "missing")) == document.at(("b",))
    assert document.at(("e", 7)) == document.at(("e",))
    assert document.at(("b", "d", -1)) == document.at(("b", "d"))
    assert document.at((0,)) == document.root


def test_the_key_is_that_of_the_last_component_found() -> None:
    document = parse_text(LAYOUT, "spec.yaml")
    assert place(document.key(("b", "d"))) == (2, 15, 2, 16)
    assert document.key(("b", "d", "tag")) == document.key(("b", "d"))
    assert document.key(("b", "d", 0)) == document.at(("b", "d", 0))
    assert document.key(("nothing",)) == document.root


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("key: a > bad\n", "bad", (1, 10, 1, 13)),
        ("key: 'a > bad'\n", "bad", (1, 11, 1, 14)),
        ('key: "a > bad"\n', "bad", (1, 11, 1, 14)),
        ("key: a\n  and bad\n", "bad", (2, 7, 2, 10)),
        ("key: 'a\n  and bad'\n", "bad", (2, 7, 2, 10)),
        ("key: >  # why\n  a and\n  bad or\n  c\n", "bad", (3, 3, 3, 6)),
        ("key: |-\n  a\n    + bad\n", "bad", (3, 7, 3, 10)),
        ("key: >\n  a\n  + bad(1,\n  2)\n", "bad(1, 2)", (3, 5, 4, 5)),
        ('key: "\\u0061 > bad"\n', "bad", (1, 6, 1, 20)),
        ("key: 'it''s bad'\n", "bad", (1, 6, 1, 17)),
    ],
)
def test_a_part_of_a_text_is_placed_where_it_is_written(
    text: str, word: str, expected: tuple[int, int, int, int]
) -> None:
    document = parse_text(text, "spec.yaml")
    scalar = document.at(("key",))
    assert isinstance(scalar, Scalar)
    start = scalar.text.index(word)
    span = document.span_in(scalar, start, start + len(word))
    assert (span.line, span.column, span.end_line, span.end_column) == expected


def test_the_end_of_a_text_is_a_place_too() -> None:
    for text in ("key: a +\n", "key: >\n  a\n  +\n"):
        document = parse_text(text, "spec.yaml")
        scalar = document.at(("key",))
        assert isinstance(scalar, Scalar)
        end = len(scalar.text.rstrip())
        span = document.span_in(scalar, end, end)
        line = text.split("\n")[span.line - 1]
        assert line[: span.column - 1].endswith("+")
        assert (span.end_line, span.end_column) == (span.line, span.column)


@given(st.lists(st.sampled_from(["aa", "(b", "+ c", "d)", "e"]), min_size=1, max_size=8), st.data())
def test_a_place_in_a_folded_text_holds_the_same_characters(words: list[str], data: st.DataObject) -> None:
    breaks = [data.draw(st.sampled_from([" ", "\n    "])) for _ in words]
    body = "".join(word + gap for word, gap in zip(words, breaks, strict=True)).rstrip()
    text = f"key: >-\n    {body}\n"
    document = parse_text(text, "spec.yaml")
    scalar = document.at(("key",))
    assert isinstance(scalar, Scalar)
    start = data.draw(st.integers(0, len(scalar.text) - 1))
    end = data.draw(st.integers(start + 1, len(scalar.text)))
    span = document.span_in(scalar, start, end)
    first = document.places.offset(span.line, span.column)
    last = document.places.offset(span.end_line, span.end_column)
    assert text[first:last].split() == scalar.text[start:end].split()


# What is refused ----------------------------------------------------------------------------------

BLOCK = "indent it as its neighbours are; quote a text of several lines that has a colon and a blank"
COMMA = "quote this: a comma inside { } ends the value"
COLON = "quote this: a colon and a blank begin a mapping"
FIT = "indent it as its neighbours are, and keep `-` items and names apart"
GOES_ON = "quote the whole value: it begins with a quote or a bracket and goes on after it"
NAME = "begin the name with a letter"
ANCHOR = "write the value out where it is used, or name it with `let`"
TAG = "leave it out; quote a text that begins with `!`, and write `not` to negate"
ROOT = "begin with `hedgerow: 1`, and write `name: value` with a blank after each colon"
EMPTY = "begin with `hedgerow: 1`; `hedgerow new` writes a spec to start from"

REFUSALS: list[tuple[str, Found]] = [
    ("a: 'b\x00'\n", ("HR003", "character U+0000 is not readable", (1, 6, 1, 7),
                        "save the file as UTF-8 text")),
    ("a: b\x07\n", ("HR003", "character U+0007 is not readable", (1, 5, 1, 6), "leave it out")),
    ("a: b\x85c: d\n", ("HR003", "character U+0085 is not readable", (1, 5, 1, 6), "leave it out")),
    ("# \u202e\na: 1\n", ("HR003", "character U+202E is not readable", (1, 3, 1, 4), "leave it out")),
    ('a: "\\x1b[31m"\n', ("HR003", "an escape gives U+001B", (1, 4, 1, 14), "leave the escape out")),
    ("", ("HR004", "the file is empty", (1, 1, 1, 1), EMPTY)),
    ("# nothing\n---\n", ("HR004", "the file is empty", (1, 1, 1, 1), EMPTY)),
    ("a:\n\tb: 1\n", ("HR005", "a tab cannot stand here", (2, 1, 2, 2), "indent with blanks, two a level")),
    ("a: b\t# c\nd: 1\n", ("HR005", "a tab cannot stand here", (1, 5, 1, 6),
                              "indent with blanks, two a level")),
    ("about: note: this # c\n", ("HR005", "a second `: ` on one line", (1, 8, 1, 18), COLON)),
    ("a: {b: note: this, c: 1}\n", ("HR005", "a second `: ` in one entry", (1, 8, 1, 18), COLON)),
    ("a: {b: x ? y : z}\n", ("HR005", "a second `: ` in one entry", (1, 8, 1, 17), COLON)),
    ("a: {b: 1\nc: 2\n", ("HR005", "`{` is never closed", (1, 4, 1, 5), "write the `}` that is missing")),
    ("a: [1, 2\nb: 3\n", ("HR005", "`[` is never closed", (1, 4, 1, 5), "write the `]` that is missing")),
    ("a: [{b: '}'}, [", ("HR005", "`[` is never closed", (1, 15, 1, 16), "write the `]` that is missing")),
    ("a: {b: [1, 2}\n", ("HR005", "unexpected text inside `[ ]`", (1, 13, 1, 14),
                          "write a `,` or `]` before it, or quote the whole value")),
    ("a: {b: 'c' d}\n", ("HR005", "unexpected text inside `{ }`", (1, 12, 1, 13),
                          "write a `,` or `}` before it, or quote the whole value")),
    ("a: 'b\nc: d\n", ("HR005", "this quote is never closed", (1, 4, 1, 5),
                        "write the closing quote; inside single quotes a quote is doubled")),
    ('a: "b\nc: "d"\n', ("HR005", "this quote closes only on a later line", (1, 4, 1, 5),
                          "write the closing quote on its line")),
    ("a: 'it's'\n", ("HR005", "the value has ended before this", (1, 8, 1, 10), GOES_ON)),
    ("a: (b) and c\nd: [e] and f\n", ("HR005", "the value has ended before this", (2, 8, 2, 13), GOES_ON)),
    ("a: 1\nb\nc: 2\n", ("HR005", "a name without a value", (2, 1, 2, 2),
                          "write `name: value`; indent a text that goes on from the line before")),
    ("a:\n  b:c\n  d: e\n", ("HR005", "a blank is missing after `b:`", (2, 3, 2, 5),
                              "write `b: ` with a blank after the colon")),
    ("a:\n  - b:c\n    d: e\n", ("HR005", "a blank is missing after `b:`", (2, 5, 2, 7),
                                  "write `b: ` with a blank after the colon")),
    ("a: @b\n", ("HR005", "a value cannot begin with `@`", (1, 4, 1, 6), "quote this")),
    ("a: 5\nb: %x # c\n", ("HR005", "a value cannot begin with `%`", (2, 4, 2, 6), "quote this")),
    ("if: > 5\n", ("HR005", "no value can begin so", (1, 5, 1, 8),
                     "quote this: `>` begins a text of several lines")),
    ('a: "b\\qc"\n', ("HR005", "unknown escape", (1, 6, 1, 8),
                       r"write `\\` for a backslash, or use single quotes")),
    ('a: "\\ud83d"\n', ("HR003", "an escape gives U+D83D", (1, 4, 1, 12), "leave the escape out")),
    ('a: "\\UFFFFFFFF"\n', ("HR005", "an escape is out of range", (1, 2, 1, 3),
                             r"look at the escapes (`\x`, `\u`, `\U`) after this place")),
    ("%YAML 1.1\n---\na: 1\n", ("HR005", "a line begins with `%`", (1, 1, 1, 10),
                                 "leave the line out; a spec is YAML 1.2 without directives")),
    ("a: 1\n  b: 2\n", ("HR005", "a mapping cannot begin here", (2, 1, 2, 5),
                         BLOCK)),
    ("a:\n  b: 1\n c: 2\n", ("HR005", "this line does not fit the ones above", (3, 2, 3, 6), FIT)),
    ("a: 1\n- b\n", ("HR005", "this line does not fit the ones above", (2, 1, 2, 4), FIT)),
    ("a: - b\n", ("HR005", "a list or a name cannot begin here", (1, 4, 1, 5),
                   "begin it on a line of its own, or quote this")),
    ("a: 1\nb: 2\na: 3\n", ("HR008", "key `a` is given twice", (3, 1, 3, 2),
                                 "leave one out; the first is on line 1")),
    ("a: !!python/object:os.system x\n", ("HR009", "`!!python/object:os.system` is a tag",
                                           (1, 4, 1, 29), TAG)),
    ("if: !ready\n", ("HR009", "`!ready` is a tag", (1, 5, 1, 11), TAG)),
    ("a: &b 1\n", ("HR010", "`&b` is an anchor", (1, 4, 1, 6), ANCHOR)),
    ("a: *b\n", ("HR010", "`*b` is an alias", (1, 4, 1, 6), ANCHOR)),
    ("a: * 2\n", ("HR010", "`*` is an alias", (1, 4, 1, 5), "quote this: `*` begins an alias")),
    ("a: 1\n---\nb: 2\n", ("HR011", "a second document begins here", (2, 1, 2, 4),
                            "a file holds one spec; put the other into a file of its own")),
    ("- a\n", ("HR012", "a spec is a mapping, and this is a list", (1, 1, 1, 4), ROOT)),
    ("hedgerow:1\n", ("HR012", "a spec is a mapping, and this is one value", (1, 1, 1, 11), ROOT)),
    ("a: " + "1" * 401, ("HR013", "number is too long", (1, 4, 1, 405),
                          "a number has at most 400 characters; quote it if it is a text")),
    ("a: 2\nb: " + "1" * 4500, ("HR013", "number is too long", (2, 4, 2, 4504),
                                "a number has at most 400 characters; quote it if it is a text")),
    ("1: a\n", ("HR105", "a key must be a name, and `1` is none", (1, 1, 1, 2), NAME)),
    ("true: a\n", ("HR105", "a key must be a name, and `true` is none", (1, 1, 1, 5), NAME)),
    (": a\n", ("HR105", "a key must be a name", (1, 1, 1, 1), "write a name before the colon")),
    ("? [a, b]\n: c\n", ("HR105", "a key must be a name", (1, 3, 1, 9), "write one name before the colon")),
    ("<<: {a: 1}\n", ("HR105", "a key must be a name, and `<<` is none", (1, 1, 1, 3),
                       "write the entries out; specs have no merge keys")),
    ("a: {if: min(a, b) > 0, to: c}\n", ("HR105", "`b) > 0` is no key", (1, 16, 1, 22), COMMA)),
    ("a: {about: first, then that}\n", ("HR105", "`then that` is no key", (1, 19, 1, 28), COMMA)),
    ("a: {b:1}\n", ("HR105", "`b:1` is no key", (1, 5, 1, 8), "write `b: ` with a blank after the colon")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), REFUSALS, ids=[repr(text[:30]) for text, _ in REFUSALS])
def test_a_refusal_says_where_and_what_to_write(text: str, found: Found) -> None:
    assert refusals(text) == [found]


JSON_REFUSALS: list[tuple[str, str, tuple[int, int, int, int], str]] = [
    ('{"a": 1,}', "unexpected `}`", (1, 9, 1, 10), "leave out the `,` before it"),
    ('{"a": [1, 2}', "unexpected `}`", (1, 12, 1, 13), "write `,` or the closing bracket here"),
    ('{"a": 1 "b": 2}', 'unexpected `"`', (1, 9, 1, 10), "write a `,` before it"),
    ("{a: 1}", "unexpected `a`", (1, 2, 1, 3), 'write `"a"`, in double quotes'),
    ("{'a': 1}", "unexpected `'`", (1, 2, 1, 3), "JSON has double quotes only"),
    ('{"a" 1}', "unexpected `1`", (1, 6, 1, 7), "write `:` here"),
    ('{"a": 01}', "unexpected `01`", (1, 7, 1, 9), "write a value here"),
    ('{"a": NaN}', "unexpected `NaN`", (1, 7, 1, 10), "JSON has finite numbers only"),
    ('{"a": 1} // c', "unexpected `//`", (1, 10, 1, 12),
     "JSON has no comments; name the file `.yaml` to have them"),
    ('{"a": 1} 2', "unexpected `2`", (1, 10, 1, 11), "write the end of the file here"),
    ('{"a": [', "`[` is never closed", (1, 7, 1, 8), "write the `]`"),
    ('{"a": "b', "this quote is never closed", (1, 7, 1, 8), "write the closing quote"),
    ('{"a": "b\n"}', "a text in double quotes ends on its line", (1, 7, 1, 9),
     r"close the quote on its line; write `\n` for a line break and `\t` for a tab"),
    ('{"a": "\\x"}', "unknown escape", (1, 8, 1, 10),
     r"escapes are `\" \\ \/ \b \f \n \r \t` and `\u` with four hexadecimal digits"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "where", "help"), JSON_REFUSALS, ids=[row[0] for row in JSON_REFUSALS])
def test_json_is_refused_where_it_errs(text: str, message: str, where: tuple[int, int, int, int], help: str) -> None:
    assert refusals(text, "spec.JSON") == [("HR005", message, where, help)]


def test_half_a_character_is_refused_in_json() -> None:
    found = ("HR003", "an escape gives U+D83D", (1, 7, 1, 15), "leave the escape out")
    assert refusals('{"a": "\\ud83d"}', "spec.json") == [found]


def test_json_has_duplicate_keys_refused_too() -> None:
    assert refusals('{"a": 1,\n "a": 2}', "spec.json") == [
        ("HR008", "key `a` is given twice", (2, 2, 2, 5), "leave one out; the first is on line 1")
    ]


def test_all_that_can_be_collected_comes_out_together_in_file_order() -> None:
    text = "a: &x 1\na: 2\n3: *x\nb: !t {c: min(d, e) < 0}\n<<: {}\nf: 'unclosed\n"
    assert [(found[0], found[2][:2]) for found in refusals(text)] == [
        ("HR010", (1, 4)), ("HR008", (2, 1)), ("HR105", (3, 1)), ("HR010", (3, 4)), ("HR009", (4, 4)),
        ("HR105", (4, 18)), ("HR105", (5, 1)), ("HR005", (6, 4)),
    ]  # fmt: skip


def test_a_file_full_of_mistakes_is_given_up_early() -> None:
    assert len(refusals("a: 1\n" * 10_000)) == 25


def test_an_error_shows_the_line() -> None:
    with pytest.raises(SpecError) as caught:
        parse_text("up: {if: min(a, b) > 0}\n", "specs/x.yaml")
    assert str(caught.value) == (
        "specs/x.yaml:1:17: error[HR105]: `b) > 0` is no key\n"
        "    1 | up: {if: min(a, b) > 0}\n"
        "      |                 ^^^^^^\n"
        "   help: quote this: a comma inside { } ends the value"
    )


# Files --------------------------------------------------------------------------------------------


def file_refusal(path: Path | str, limit: int = MAX_BYTES) -> Found:
    with pytest.raises(SpecError) as caught:
        read(path, limit=limit)
    (found,) = caught.value.diagnostics
    assert found.span.file == str(path)
    return shape(found)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    message = f"`{path}` does not exist"
    assert file_refusal(path) == ("HR001", message, (1, 1, 1, 1), "check the path and the folder you are in")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    help = "name a file in it, such as `specs/band_limited_hedge.yaml`"
    assert file_refusal(tmp_path) == ("HR001", f"`{tmp_path}` is a folder", (1, 1, 1, 1), help)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    message = f"`{path}` is not a regular file"
    assert file_refusal(path) == ("HR001", message, (1, 1, 1, 1), "name a YAML or JSON file")


def test_a_device_is_refused() -> None:
    assert file_refusal("/dev/zero")[:2] == ("HR001", "`/dev/zero` is not a regular file")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1\n")

    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)  # a test that runs as root could read any file
    message = f"`{path}` may not be read"
    assert file_refusal(path) == ("HR001", message, (1, 1, 1, 1), "ask for permission to read it, or copy it")


@pytest.mark.parametrize("path", ["a\0b.yaml", "x" * 5000])
def test_an_impossible_path_is_refused(path: str) -> None:
    assert file_refusal(path)[0] == "HR001"


def test_a_file_is_read_up_to_its_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" + b"#" * 95)
    assert read(path, limit=100).plain() == {"a": 1}
    help = "a spec has at most 99 bytes; keep data in data files"
    assert file_refusal(path, 99) == ("HR002", f"`{path}` is larger than 99 bytes", (1, 1, 1, 1), help)


def test_a_file_of_fifty_megabytes_is_refused_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(50_000_000)
    taken: list[int] = []
    genuine = os.read

    def counted(descriptor: int, size: int) -> bytes:
        content = genuine(descriptor, size)
        taken.append(len(content))
        return content

    monkeypatch.setattr(os, "read", counted)
    assert file_refusal(path)[0] == "HR002"
    assert sum(taken) <= MAX_BYTES + 1


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_utf8_are_refused_where_they_stand(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(mark + "a: 1\r\n# é caf".encode() + b"\xe9\n")
    assert file_refusal(path) == ("HR003", "byte 0xe9 is no UTF-8", (2, 8, 2, 9), "save the file as UTF-8")


def test_utf16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text("a: 1\n", encoding="utf-16")
    assert file_refusal(path)[0] == "HR003"


# Bounds -------------------------------------------------------------------------------------------


def test_nesting_is_bounded() -> None:
    deepest = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert parse_text(deepest, "spec.yaml").plain()
    found = ("HR006", "nested deeper than 32", (1, 35, 1, 36),
             "a spec nests far less; look for a bracket or an indentation too many")  # fmt: skip
    assert refusals("a: " + "[" * MAX_DEPTH) == [found]


def test_the_number_of_values_is_bounded() -> None:
    most = "a: [" + "1," * (MAX_NODES - 3) + "]"
    assert parse_text(most, "spec.yaml").plain()
    found = refusals("a: [" + "1," * (MAX_NODES - 2) + "]")
    assert [(code, message, help) for code, message, _, help in found] == [
        ("HR007", "more than 20,000 values", "keep data in data files")
    ]


BOMB = "a: &a [x, x]\n" + "".join(f"b{level}: &b{level} [*a, *a, *a, *a, *a]\n" for level in range(9))
HOSTILE = {
    "brackets": ("[" * 50_000, "HR006"),
    "braces": ("{" * 50_000, "HR006"),
    "brackets on lines": ("[\n" * 50_000, "HR006"),
    "objects": ('{"a":' * 50_000, "HR006"),
    "dashes": ("- " * 10_000, "HR006"),
    "questions": ("? " * 10_000, "HR006"),
    "blocks": ("".join(" " * level + "a:\n" for level in range(700)), "HR006"),
    "aliases": (BOMB, "HR010"),
    "anchors": ("a: " + "&a " * 100_000, "HR010"),
    "tags": ("a: " + "!a " * 100_000, "HR009"),
    "a long tag": ("a: !" + "a" * 400_000, "HR009"),
    "a long number": ("a: " + "1" * 400_000, "HR013"),
    "a long float": ("a: 0." + "1" * 400_000, "HR013"),
    "a long key": ("k" * 400_000 + ": 1", "HR005"),
    "documents": ("---\n" * 50_000, "HR011"),
    "quotes": ("'" * 400_001, "HR005"),
    "commas": ("a: [" + "," * 400_000, "HR005"),
}


@pytest.mark.parametrize(("text", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_refused(text: str, code: str) -> None:
    assert code in {found[0] for found in refusals(text)}


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * 100_000,
        "a: '" + "x " * 200_000 + "'",
        "a: |\n" + "  x\n" * 100_000,
        "a: 1" + "\n" * 400_000,
    ],
)
def test_a_long_text_is_read(text: str) -> None:
    assert set(parse_text(text, "spec.yaml").plain()) == {"a"}


PIECES = [
    "a", "b: ", "- ", ": ", "{", "}", "[", "]", ",", "\n", "  ", "\t", "'", '"', "\\", "|", "> ", "#", " #",
    "&a ", "*a", "!t ", "!!", "%", "@", "? ", "---", "...", "1", "-1.5e3", "<<: ", "~", "true", ":x", "\\u12",
    "é", "=", "|2\n",
    "|-\n", "\\x", "\\U", "\x85", "if: min(a, b) > 0", "!<", "%TAG", "\r", "\ud800", "😀",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60),
    st.sampled_from(["spec.yaml", "spec.json"]),
)
def test_only_a_spec_error_escapes_from_any_text(text: str, file: str) -> None:
    found = None
    try:
        document = parse_text(text, file)
    except SpecError as error:
        found = error
    if found is None:
        assert isinstance(document.root, Mapping)
        return
    assert found.diagnostics
    lines = (found.sources[file] + "\n").split("\n")
    for diagnostic in found.diagnostics:
        assert diagnostic.help
        assert 1 <= diagnostic.span.column <= len(lines[diagnostic.span.line - 1]) + 1
    str(found).encode()


# What the scanner refuses before ruamel sees it, or would not see alike: tags, anchors, aliases, directives, line breaks.
ORDINARY = [piece for piece in PIECES if not set(piece) & set("&*!%\r\x85\ud800")]


def events(text: str, *, ours: bool) -> list[object]:
    """Return the events of a text with their places, up to the error that ends them."""
    yaml = YAML(typ="safe", pure=True)
    if ours:
        yaml.Reader, scanner = _tools()
        yaml.Scanner = partial(scanner, text, pytest.fail)
    found: list[object] = []
    try:
        for event in yaml.parse(text):
            value = getattr(event, "value", None)
            found.append((type(event), value, str(event.start_mark), str(event.end_mark)))
    except YAMLError as error:
        found.append(str(error))
    return found


@given(st.lists(st.sampled_from(ORDINARY), max_size=25).map("".join))
def test_the_scanner_takes_what_that_of_ruamel_takes(text: str) -> None:
    try:
        expected = events(text, ours=False)
    except ValueError:  # ruamel's way with an escape that is no number
        return
    assert events(text, ours=True) == expected


@given(content=st.binary(max_size=200))
def test_only_a_spec_error_escapes_from_any_bytes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(read(path).root, Mapping)
    except SpecError as error:
        assert error.diagnostics  # noqa: PT017 - either outcome is right; neither may be another exception


def test_nodes_are_of_three_kinds() -> None:
    root = parse_text("a: [1]\n", "spec.yaml").root
    ((key, value),) = root.entries
    assert isinstance(key, Scalar)
    assert isinstance(value, Sequence)
    assert isinstance(value.items[0], Scalar)
    assert root.entries[0][0].exact
