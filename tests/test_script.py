"""Event scripts: what they say is read exactly, what is wrong is told where it stands, what they expect is judged."""

from __future__ import annotations

import calendar
import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.cli.main import main
from hedgerow.engine import script as script_module
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads
from hedgerow.engine.script import Item, Script, parse_script, read_script
from hedgerow.engine.script_model import ID, json_schema
from hedgerow.engine.script_run import Played, play
from hedgerow.engine.script_time import TimeTextError, read_time, show_time
from hedgerow.engine.source import parse_text
from hedgerow.engine.units import TIME_SUFFIXES

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE

TRADER = loads(
    """\
hedgerow: 1
name: trader
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX, range: [1, 1000]}}
  alarm: {}
  stop: {}
params:
  wait: {default: 30m, unit: s, range: [1s, 1d]}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001}}
legs: {stock: {instrument: index, side: long}}
state:
  count: {type: int, initial: 1000000000, range: [0, 1000000000]}
  seen: {type: bool, initial: false}
  ratio: {initial: 0}
machine:
  initial: running
  fail_safe: halted
  states:
    running:
      parallel: true
      on: {stop: {name: finish, to: over}}
      states:
        trade:
          initial: flat
          states:
            flat:
              on:
                tick:
                  name: buy
                  if: tick.price < 100 USD / 1 IDX
                  do: [{increase: {stock: 2 IDX}}, {set: {seen: true}}]
                  to: long
            long:
              on: {tick: {name: divide, do: {set: {ratio: 1 USD / (index.price * 1 IDX - 600 USD)}}}}
            last: {history: shallow, default: flat}
        watch:
          initial: quiet
          states:
            quiet:
              on:
                tick: {name: warn, if: tick.price < 50 USD / 1 IDX, do: {raise: alarm}}
                alarm: {name: wake, to: loud}
            loud: {after: {wait: {name: calm, to: quiet}}}
    halted: {}
    over: {final: true}
invariants: {rich: equity >= 999.95 USD}
"""
)
"""At a price of 40: two are bought for 80, the fee is 0.08, and the alarm is on for half an hour."""


def read_text(text: str, file: str = "script.yaml") -> Script:
    return parse_script(text, file, TRADER)


def played(text: str, file: str = "script.yaml") -> list[Played]:
    return list(play(TRADER.compile(), read_text(text, file)))


def told(text: str, file: str = "script.yaml") -> list[tuple[str, int, int, str]]:
    """Return code, line, column and message of each mistake in a script."""
    with pytest.raises(SpecError) as raised:
        read_text(text, file)
    found = raised.value.diagnostics
    assert list(found) == sorted(found, key=lambda each: each.span)
    assert {each.span.file for each in found} == {file}
    return [(each.code, each.span.line, each.span.column, each.message) for each in found]


# --- times ---


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("30m", 30 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("-1h", -HOUR),
        ("0.000000001s", 1),
        ("0.001us", 1),
        ("9007199.254740993s", 2**53 + 1),  # no double holds it
        ("106751d", 106751 * 24 * HOUR),
        ("+30m", HOUR + 30 * MINUTE),
        ("+0ns", HOUR),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2024-01-02T15:00:00Z", calendar.timegm((2024, 1, 2, 15, 0, 0)) * 10**9),
        ("2024-01-02T15:00Z", calendar.timegm((2024, 1, 2, 15, 0, 0)) * 10**9),
        ("2024-02-29T23:59:59.123456789Z", calendar.timegm((2024, 2, 29, 23, 59, 59)) * 10**9 + 123456789),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
        (1500, 1500),
        (-(10**30), -(10**30)),
    ],
)
def test_a_time_is_exact_to_the_nanosecond(text: str | int, nanoseconds: int) -> None:
    assert read_time(text, before=HOUR) == nanoseconds


@pytest.mark.parametrize("suffix", TIME_SUFFIXES)
def test_the_suffixes_of_times_are_those_of_the_language(suffix: str) -> None:
    assert read_time(f"1{suffix}") == TIME_SUFFIXES[suffix] * 10**9


@pytest.mark.parametrize(
    "text",
    [
        "", "m", "30", "30 m", "30M", "1e3s", "1h30m", "+-1s", "--1s", "1.s", ".5s", "30m\n", "soon", "0.5ns", "1_0s", "٣m",
        "2024-01-02", "2024-01-02T15:00:00", "2024-01-02T15:00:00+01:00", "2024-02-30T00:00:00Z", "2024-01-02T24:01:00Z",
        "2024-01-02T15:00:60Z", "2024-01-02T15:00:00.1234567890Z", "2024-01-02 15:00:00Z", "1" * 41 + "s",
        1.0, 1e9, float("nan"), True, None, [1],
    ],
)  # fmt: skip
def test_what_is_no_time_is_told(text: object) -> None:
    with pytest.raises(TimeTextError) as raised:
        read_time(text)
    assert raised.value.message
    assert raised.value.help


@given(
    time_ns=st.integers(-(2**64), 2**64)
    | st.integers(-(10**30), 10**30)
    | st.integers(-(10**6), 10**6).map(lambda seconds: seconds * 10**9)
)
def test_a_time_is_shown_as_it_can_be_read(time_ns: int) -> None:
    shown = show_time(time_ns)
    assert read_time(0 if shown == "0" else shown) == time_ns


@given(seconds=st.integers(5 * 10**8, 9 * 10**9), nanoseconds=st.integers(0, 999_999_999))
def test_an_instant_is_shown_as_the_standard_library_shows_it(seconds: int, nanoseconds: int) -> None:
    shown = show_time(seconds * 10**9 + nanoseconds)
    assert shown[:19] == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert shown[19:] == (f".{nanoseconds:09d}".rstrip("0") if nanoseconds else "") + "Z"


# --- reading ---

FORMS = {
    "mapping.yaml": """\
hedgerow_events: 1
about: The same in four forms.
events:
  - event: tick
    with: {price: 100}
    at: 1h
  - {event: stop, expect: {ended: true}}
  - {advance: +1s}
  - {expect: {in: [over], values: {count: 1000000000}}}
""",
    "list.yaml": """\
# only a list
- {event: tick, with: {price: 100}, at: 1h}

- {event: stop, expect: {ended: true}}
- advance: +1s
- {expect: {in: over, values: {count: 1000000000}}}
""",
    "list.json": """\
[{"event": "tick", "with": {"price": 100}, "at": "1h"},
 {"event": "stop", "expect": {"ended": true}},
 {"advance": "+1s"}, {"expect": {"in": ["over"], "values": {"count": 1000000000}}}]
""",
    "lines.jsonl": """\
{"event": "tick", "with": {"price": 100}, "at": "1h"}

{"event": "stop", "expect": {"ended": true}}
\t {"advance": "+1s"}
{"expect": {"in": ["over"], "values": {"count": 1000000000}}}""",
}


@pytest.mark.parametrize("file", FORMS)
def test_a_script_says_the_same_in_every_form(file: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_text(FORMS[file], "utf-8")
    script = read_script(path, TRADER)
    assert script.items == read_text(FORMS[file], file).items
    # Line ends of another system and a byte order mark change nothing.
    path.write_bytes(b"\xef\xbb\xbf" + FORMS[file].replace("\n", "\r\n").encode())
    assert read_script(path, TRADER).items == script.items
    said = [(item.kind, item.event, dict(item.fields), item.time_ns) for item in script.items]
    assert said == [
        ("event", "tick", {"price": 100}, HOUR),
        ("event", "stop", {}, HOUR),
        ("advance", "", {}, HOUR + 10**9),
        ("expect", "", {}, HOUR + 10**9),
    ]
    assert [[(each.key, each.name, each.wanted) for each in item.expect] for item in script.items] == [
        [],
        [("ended", "", True)],
        [],
        [("in", "", ("over",)), ("values", "count", 1000000000)],
    ]


def test_an_item_knows_its_number_and_its_line() -> None:
    text = FORMS["list.yaml"]
    assert [(item.index, item.line) for item in read_text(text).items] == [(1, 2), (2, 4), (3, 5), (4, 6)]


def test_a_time_counts_from_the_item_before_and_stays_without_one() -> None:
    text = """
- {event: stop}
- {event: stop, at: +30m}
- {expect: {ended: true}}
- {event: stop}
- {event: stop, at: 10m}
- {advance: +1m}
- {event: stop, at: 2024-01-02T00:00:00Z}
- {advance: +1ns}
"""
    start = calendar.timegm((2024, 1, 2, 0, 0, 0)) * 10**9
    half = 30 * MINUTE
    assert [item.time_ns for item in read_text(text).items] == [
        0, half, half, half, 10 * MINUTE, 11 * MINUTE, start, start + 1,
    ]  # fmt: skip


def test_when_a_timer_is_due_counts_from_the_item_itself() -> None:
    (item,) = read_text("[{event: stop, at: 10m, expect: {next_due: +5m}}]").items
    assert item.expect[0].wanted == 15 * MINUTE


def test_values_are_read_as_they_stand_and_not_computed() -> None:
    fields = [
        item.fields["price"]
        for item in read_text(
            "[{event: tick, with: {price: 1e400}}, {event: tick, with: {price: true}}, {event: tick, with: {price: 0x10}}]"
        ).items
    ]
    assert fields == [float("inf"), True, 16]
    assert told("[{event: tick, with: {price: 2 * 50}}]") == [
        ("HR103", 1, 30, "a number, true or false is expected here, this is text")
    ]


# --- mistakes ---

TIME_FORMS = "write whole nanoseconds, or e.g. `30m`, `+30m` or `2024-01-02T15:00:00Z`"


@pytest.mark.parametrize(
    ("item", "mistake"),
    [
        ("{evnt: tick}", ("HR101", "evnt", "unknown key `evnt`", "did you mean `event`?")),
        ("{event: tikc, with: {price: 1}}", ("HR206", "tikc", "unknown event `tikc`", "did you mean `tick`?")),
        ("{event: tick}", ("HR102", "tick", "`tick` comes without `price`", "write e.g. `with: {price: 1}`")),
        ("{event: stop, with: {prize: 1}}", ("HR101", "prize", "`stop` has no field `prize`", "there are no fields")),
        (
            "{event: stop, with: 5}",
            ("HR103", "5", "a mapping is expected here, this is a number", "write e.g. `with: {price: 101.5}`"),
        ),
        ("{event: }", ("HR103", "", "text is expected here, this is empty", "write e.g. `event: tick`")),
        (
            "{event: stop, at: 1.5}",
            ("HR820", "1.5", "`1.5` is no time", TIME_FORMS),
        ),
        (
            "{event: stop, at: +5}",
            (
                "HR820",
                "+5",
                "`+5` is the time 5, counted from 0",
                "write `+5ns` to count from the item before, or leave out the `+`",
            ),
        ),
        (
            "{advance: 0.5ns}",
            ("HR820", "0.5ns", "`0.5ns` falls between two nanoseconds", "a time is a whole number of nanoseconds"),
        ),
        (
            "{event: stop, advance: 1s}",
            (
                "HR104",
                "advance",
                "an item has `event` or `advance`, not both",
                "write two items: time passes until an event anyway, see `at`",
            ),
        ),
        (
            "{at: 1s, expect: {ended: true}}",
            (
                "HR104",
                "at",
                "`at` belongs to an event",
                "write `event: NAME` beside it, or `advance: TIME` to let time pass",
            ),
        ),
        ("{}", ("HR102", "{}", "nothing happens here", "an item has `event: NAME`, `advance: TIME` or `expect: {…}`")),
        ("tick", ("HR103", "tick", "a mapping is expected here, this is text", "write e.g. `{event: tick, at: 30m}`")),
        ("{expect: {}}", ("HR104", "{}", "nothing is expected", "write what, or leave it out")),
        (
            "{expect: {fird: []}}",
            ("HR101", "fird", "unknown key `fird`", "did you mean `fired`?"),
        ),
        ("{expect: {configuration: [hlated]}}", ("HR205", "hlated", "unknown state `hlated`", "did you mean `halted`?")),
        (
            "{expect: {configuration: [flat, watch]}}",
            ("HR104", "watch", "`watch` has states inside it", "name the innermost states, or write `in: watch`"),
        ),
        (
            "{expect: {in: last}}",
            ("HR104", "last", "`last` is a history state and never active", "name the state it leads to"),
        ),
        (
            "{expect: {not_in: [trade, nowhere]}}",
            (
                "HR205",
                "nowhere",
                "unknown state `nowhere`",
                "the states are `running`, `trade`, `flat`, `long`, `last`, `watch`, `quiet`, `loud`, `halted`, `over`",
            ),
        ),
        ("{expect: {fired: [bye]}}", ("HR209", "bye", "unknown transition `bye`", "did you mean `buy`?")),
        ("{expect: {raised: [alarms]}}", ("HR206", "alarms", "unknown event `alarms`", "did you mean `alarm`?")),
        (
            "{expect: {timers: [after.loud.2]}}",
            ("HR201", "after.loud.2", "unknown timer `after.loud.2`", "did you mean `after.loud.1`?"),
        ),
        ("{expect: {broken: [rcih]}}", ("HR201", "rcih", "unknown invariant `rcih`", "did you mean `rich`?")),
        (
            "{expect: {values: {stock.quantty: 1}}}",
            ("HR201", "stock.quantty", "unknown value `stock.quantty`", "did you mean `stock.quantity`?"),
        ),
        ("{expect: {values: {seen: 1}}}", ("HR301", "1", "`seen` is true or false", "write true or false")),
        ("{expect: {values: {count: true}}}", ("HR301", "true", "`count` is a number", "write a number")),
        (
            "{expect: {values: {ratio: .inf}}}",
            ("HR104", ".inf", "a machine holds finite numbers only", "write e.g. `12.5`"),
        ),
        (
            "{expect: {orders: [{leg: stok, side: buy, quantity: 1}]}}",
            ("HR208", "stok", "unknown leg `stok`", "did you mean `stock`?"),
        ),
        (
            "{expect: {orders: [{leg: stock, side: hold, quantity: 1}]}}",
            ("HR104", "hold", "`buy` or `sell` is expected here", "write `buy` or `sell`"),
        ),
        (
            "{expect: {orders: [{leg: stock, side: buy}]}}",
            ("HR102", "{leg: stock, side: buy}", "`quantity` is missing", "write e.g. `quantity: 12.5`"),
        ),
        (
            "{expect: {orders: [{leg: stock, side: buy, quantity: 1, rule: bui}]}}",
            ("HR209", "bui", "unknown transition `bui`", "did you mean `buy`?"),
        ),
        (
            "{expect: {rejected: 1}}",
            (
                "HR103",
                "1",
                "true, false or text is expected here, this is a number",
                "write `true`, `false`, or a part of the reason",
            ),
        ),
        (
            "{expect: {errors: -1}}",
            (
                "HR103",
                "-1",
                "true, false, a count or text is expected here, this is a number",
                "write `true`, `false`, how many, or a part of one",
            ),
        ),
        (
            "{expect: {ended: yes}}",
            ("HR103", "yes", "true or false is expected here, this is text", "write e.g. `ended: false`"),
        ),
        (
            "{expect: {next_due: soon}}",
            ("HR820", "soon", "`soon` is no time", TIME_FORMS),
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_an_item_is_told_where_it_stands(item: str, mistake: tuple[str, str, str, str]) -> None:
    text = f"- {item}\n"
    with pytest.raises(SpecError) as raised:
        read_text(text)
    (found,) = raised.value.diagnostics
    span = found.span
    assert (found.code, text[span.column - 1 : span.end_column - 1], found.message, found.help) == mistake
    assert (span.line, span.end_line) == (1, 1)


def test_every_mistake_of_a_script_is_told_at_once_in_its_order() -> None:
    text = """\
hedgerow_events: 2
abuot: a test
set: {wait: 2d, loss: 1}
events:
  - {event: tick, with: {price: 30d}, at: sonn}
  - {event: tikc, with: {price: 1}, expect: {in: hlated, fird: []}}
  - stop
"""
    with pytest.raises(SpecError) as raised:
        read_text(text)
    assert (
        str(raised.value)
        == """\
script.yaml:1:18: error[HR104]: 1 is expected here
    1 | hedgerow_events: 2
      |                  ^
   help: write 1

script.yaml:2:1: error[HR101]: unknown key `abuot`
    2 | abuot: a test
      | ^^^^^
   help: did you mean `about`?

script.yaml:3:13: error[HR104]: `wait` = 2d is outside its range [1, 86400] s
    3 | set: {wait: 2d, loss: 1}
      |             ^^
   help: give a value that the declaration of the param allows

script.yaml:3:17: error[HR201]: unknown param `loss`
    3 | set: {wait: 2d, loss: 1}
      |                 ^^^^
   help: the params are `wait`

script.yaml:5:33: error[HR103]: a number, true or false is expected here, this is text
    5 |   - {event: tick, with: {price: 30d}, at: sonn}
      |                                 ^^^
   help: a script holds plain values, e.g. `101.5`; nothing is computed

script.yaml:5:43: error[HR820]: `sonn` is no time
    5 |   - {event: tick, with: {price: 30d}, at: sonn}
      |                                           ^^^^
   help: write whole nanoseconds, or e.g. `30m`, `+30m` or `2024-01-02T15:00:00Z`

script.yaml:6:13: error[HR206]: unknown event `tikc`
    6 |   - {event: tikc, with: {price: 1}, expect: {in: hlated, fird: []}}
      |             ^^^^
   help: did you mean `tick`?

script.yaml:6:50: error[HR205]: unknown state `hlated`
    6 |   - {event: tikc, with: {price: 1}, expect: {in: hlated, fird: []}}
      |                                                  ^^^^^^
   help: did you mean `halted`?

script.yaml:6:58: error[HR101]: unknown key `fird`
    6 |   - {event: tikc, with: {price: 1}, expect: {in: hlated, fird: []}}
      |                                                          ^^^^
   help: did you mean `fired`?

script.yaml:7:5: error[HR103]: a mapping is expected here, this is text
    7 |   - stop
      |     ^^^^
   help: write e.g. `{event: tick, at: 30m}`"""
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ("HR004", 1, 1, "the file is empty")),
        ("tick", ("HR012", 1, 1, "a script is a list of items, or a mapping that has them under `events`")),
        ("[]", ("HR104", 1, 1, "this is empty")),
        ("hedgerow_events: 1\nevents: []\n", ("HR104", 2, 9, "this is empty")),
        ("hedgerow_events: 1\n", ("HR102", 1, 1, "`events` is missing")),
        ("events: [{event: stop}]\n", ("HR102", 1, 1, "`hedgerow_events` is missing")),
        ("hedgerow: 1\nname: trader\n", ("HR104", 1, 1, "this is a spec and no script")),
        ("- {event: stop\n", ("HR005", 1, 3, "`{` is never closed")),
        ("- {event: stop, event: stop}\n", ("HR008", 1, 17, "key `event` is given twice")),
        ("- {event: !!python/object:os.system stop}\n", ("HR009", 1, 11, "`!!python/object:os.system` is a tag")),
        ("- &a {event: stop}\n- *a\n", ("HR010", 1, 3, "`&a` is an anchor")),
        ("- " + "[" * 33, ("HR006", 1, 34, "nested deeper than 32")),
    ],
)
def test_a_script_that_is_none_is_told_in_the_words_of_scripts(text: str, found: tuple[str, int, int, str]) -> None:
    with pytest.raises(SpecError) as raised:
        read_text(text)
    first = raised.value.diagnostics[0]
    assert (first.code, first.span.line, first.span.column, first.message) == found
    assert "spec" not in first.help or "SPEC" in first.help


def test_a_script_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("none.yaml", "none.jsonl"):
        with pytest.raises(SpecError) as raised:
            read_script(tmp_path / name, TRADER)
        (found,) = raised.value.diagnostics
        assert (found.code, found.message) == ("HR001", f"`{tmp_path / name}` does not exist")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(SpecError, match="is a folder"):
        read_script(tmp_path / "folder.jsonl", TRADER)


def test_params_that_only_together_cannot_be_are_told_together() -> None:
    spec = loads(
        "hedgerow: 1\nname: late\nparams: {a: {default: 1}, b: {default: 1}}\n"
        "machine: {initial: x, states: {x: {after: {'(a + b + 1) * 1s': {do: []}}}}}\n"
    )
    assert parse_script("{hedgerow_events: 1, set: {a: -1}, events: [{advance: 1s}]}", "s.yaml", spec).parameters == {
        "a": -1
    }
    with pytest.raises(SpecError) as raised:
        parse_script("{hedgerow_events: 1, set: {a: -1, b: -1}, events: [{advance: 1s}]}", "s.yaml", spec)
    (found,) = raised.value.diagnostics
    assert (found.code, found.span.column) == ("HR104", 27)


# --- lines ---


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"event": "tikc", "with": {}}', ("HR206", 11, "unknown event `tikc`")),
        ('{"event": "stop", "event": "stop"}', ("HR008", 19, "key `event` is given twice")),
        ('{"event": "tick", "with": {"price": NaN}}', ("HR005", 37, "unexpected `NaN`")),
        ('{"event": "tick", "with": {"price": ' + "1" * 401 + "}}", ("HR013", 37, "number is too long")),
        ('{"event": "stop"} {"event": "stop"}', ("HR005", 19, "unexpected `{`")),
        ('["stop"]', ("HR012", 1, "an item is a mapping")),
        ("{event: stop}", ("HR005", 2, "unexpected `event`")),
        ('{"event": "st\\u006fp", "at": "so\\u006fn"}', ("HR820", 30, "`soon` is no time")),
        ('{"event": "stop", "at": "日"}', ("HR820", 25, "`日` is no time")),
        ('{"expect": ' + '{"in": ' * 40 + "1" + "}" * 41, ("HR006", 229, "nested deeper than 32")),
        ('{"hedgerow_events": 1}', ("HR101", 2, "unknown key `hedgerow_events`")),
    ],
)
def test_a_mistake_in_a_line_is_told_in_its_line(line: str, found: tuple[str, int, str]) -> None:
    text = f'{{"event": "stop"}}\n\n{line}\n{{"event": "stop"}}\n'
    code, column, message = found
    assert told(text, "script.jsonl") == [(code, 3, column, message)]


def test_the_line_of_a_mistake_is_shown() -> None:
    with pytest.raises(SpecError) as raised:
        read_text('{"event": "stop"}\n{"event": "stpo"}\n{"event": "tick"}\n', "script.jsonl")
    assert (
        str(raised.value)
        == """\
script.jsonl:2:11: error[HR206]: unknown event `stpo`
    2 | {"event": "stpo"}
      |           ^^^^^^
   help: did you mean `stop`?

script.jsonl:3:11: error[HR102]: `tick` comes without `price`
    3 | {"event": "tick"}
      |           ^^^^^^
   help: write e.g. `with: {price: 1}`"""
    )


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"event": "stpo"}\n')
    with pytest.raises(SpecError) as raised:
        read_script(path, TRADER)
    assert str(raised.value).splitlines()[1:3] == ['    1 | {"event": "stpo"}', "      |           ^^^^^^"]


def test_a_line_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_bytes(b'{"event": "stop"}\n{"event": "st\xe9p"}\n')
    with pytest.raises(SpecError) as raised:
        read_script(path, TRADER)
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("HR003", "byte 0xe9 is no UTF-8")
    assert (found.span.line, found.span.column) == (2, 14)


def test_a_line_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    long = b'{"event": "stop"}' + b" " * (script_module.MAX_LINE - 18) + b"\n"
    path.write_bytes(long)
    assert len(read_script(path, TRADER).items) == 1
    path.write_bytes(long + b" " + long)
    with pytest.raises(SpecError) as raised:
        read_script(path, TRADER)
    (found,) = raised.value.diagnostics
    assert (found.code, found.span.line, found.message) == ("HR002", 2, "the line is longer than 65,536 bytes")


def test_a_script_of_lines_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_module, "MAX_ITEMS", 3)
    assert len(read_text('{"event": "stop"}\n' * 3, "script.jsonl").items) == 3
    assert told('{"event": "stop"}\n' * 4, "script.jsonl") == [("HR007", 4, 1, "more than 3 items")]


def test_a_script_of_nothing_but_mistakes_is_not_read_to_its_end() -> None:
    found = told('{"event": "stpo"}\n' * 1000, "script.jsonl")
    assert [line for _, line, _, _ in found] == list(range(1, 101))


def test_a_script_of_more_items_than_a_document_may_have_is_read_from_lines() -> None:
    script = read_text('{"event": "tick", "with": {"price": 100}, "at": "+1s"}\n' * 5_000, "script.jsonl")
    assert len(script.items) == 5_000
    assert script.items[-1].time_ns == 5_000 * 10**9


TEXTS = st.text(max_size=4) | st.sampled_from(["é", '"', "\\"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(value=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3), ascii=st.booleans(), data=st.data())
def test_the_quick_way_through_a_line_reads_what_the_careful_way_reads(
    value: dict[str, Any], ascii: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(list('{}[]:,"1e-+. \tNa\x7f\n'))) + text[at:]
    quick = script_module._quick(text)
    if quick is not None:
        careful = parse_text(text, "line.json").plain()
        assert json.dumps(quick) == json.dumps(careful)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": "\\u0000"}', '{"a": "\x85"}', "[1]", "1", "{"]
)
def test_the_quick_way_leaves_what_is_out_of_the_ordinary(text: str) -> None:
    assert script_module._quick(text) is None
    assert script_module._quick('{"a": [1, "b", 2.5, true, null]}') == {"a": [1, "b", 2.5, True, None]}


# --- playing ---

FIRST = "{event: tick, with: {price: 40}, at: 1h, expect: {%s}}"
"""The first event of the trader: see above what it does."""


def failures(expect: str, first: str = FIRST, *more: str) -> list[tuple[str, str, str, str]]:
    """Return key, message, and what is underlined, of what does not hold; and what to write if it is right."""
    text = "\n".join(f"- {item}" for item in (first % expect, *more)) + "\n"
    lines = text.splitlines()
    found = [failure for each in played(text) for failure in each.failures]
    assert {failure.diagnostic.code for failure in found} <= {"HR821"}
    return [
        (
            failure.key,
            failure.diagnostic.message,
            lines[failure.span.line - 1][failure.span.column - 1 : failure.span.end_column - 1],
            failure.diagnostic.help.rpartition("write `")[2].removesuffix("`"),
        )
        for failure in found
    ]


@pytest.mark.parametrize(
    "expect",
    [
        "configuration: [loud, long]",
        "in: loud",
        "in: [running, trade, long]",
        "not_in: [halted, flat]",
        "fired: [buy, warn, wake]",
        "raised: [alarm]",
        "timers: []",
        "orders: [{leg: stock, side: buy, quantity: 2}]",
        "orders: [{leg: stock, side: buy, quantity: 2, price: 40, rule: buy}]",
        "orders: [{leg: stock, side: buy, quantity: 2, instrument: index, notional: 80, fee: 0.08, slippage: 0}]",
        "rejected: false",
        "errors: false",
        "errors: 0",
        "broken: [rich]",
        "values: {count: 1000000000, seen: true, ratio: 0, stock.quantity: 2, index.price: 40, cash: 919.92}",
        "values: {cash: 919.9200009}",
        "ended: false",
        "next_due: +30m",
        "next_due: 90m",
    ],
)
def test_what_happens_as_expected_holds(expect: str) -> None:
    assert failures(expect) == []


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        (
            "configuration: [long]",
            ("`configuration` is expected to be [long], and is [long, loud]", "[long]", "configuration: [long, loud]"),
        ),
        (
            "in: [running, flat]",
            (
                "`flat` is expected to be active, and what is active is [running, trade, long, watch, loud]",
                "[running, flat]",
                "not_in: [flat]",
            ),
        ),
        (
            "not_in: trade",
            (
                "`trade` is expected not to be active, and what is active is [running, trade, long, watch, loud]",
                "trade",
                "in: [trade]",
            ),
        ),
        (
            "fired: [warn, buy, wake]",
            (
                "`fired` is expected to be [warn, buy, wake], and is [buy, warn, wake]",
                "[warn, buy, wake]",
                "fired: [buy, warn, wake]",
            ),
        ),
        ("raised: []", ("`raised` is expected to be [], and is [alarm]", "[]", "raised: [alarm]")),
        (
            "timers: [after.loud.1]",
            ("`timers` is expected to be [after.loud.1], and is []", "[after.loud.1]", "timers: []"),
        ),
        (
            "orders: []",
            (
                "`orders` is expected to be [], and is [{leg: stock, side: buy, quantity: 2.0}]",
                "[]",
                "orders: [{leg: stock, side: buy, quantity: 2.0}]",
            ),
        ),
        (
            "orders: [{leg: stock, side: sell, quantity: 2}]",
            ("`side` of order 1 is expected to be sell, and is buy", "sell", "side: buy"),
        ),
        (
            "orders: [{leg: stock, side: buy, quantity: 2, fee: 0.08001}]",
            ("`fee` of order 1 is expected to be 0.08001, and is 0.08", "0.08001", "fee: 0.08"),
        ),
        ("rejected: true", ("`rejected` is expected to be true, and is false", "true", "rejected: false")),
        ("rejected: range", ('`rejected` is expected to be "range", and is false', "range", "rejected: false")),
        ("errors: true", ("`errors` is expected to be true, and 0 came", "true", "errors: 0")),
        ("broken: []", ("`broken` is expected to be [], and is [rich]", "[]", "broken: [rich]")),
        (
            "values: {ratio: 0, count: 999999999}",
            ("`count` is expected to be 999999999, and is 1000000000", "999999999", "count: 1000000000"),
        ),
        ("values: {seen: false}", ("`seen` is expected to be false, and is true", "false", "seen: true")),
        ("values: {ratio: 1.0e-300}", ("`ratio` is expected to be 1e-300, and is 0.0", "1.0e-300", "ratio: 0.0")),
        ("ended: true", ("`ended` is expected to be true, and is false", "true", "ended: false")),
        ("next_due: null", ("`next_due` is expected to be null, and is 90m", "null", "next_due: 90m")),
    ],
)
def test_what_happens_otherwise_is_told_with_what_was_found(expect: str, failure: tuple[str, str, str]) -> None:
    ((_, *found),) = failures(expect)
    assert tuple(found) == failure


def test_every_expectation_that_does_not_hold_is_told_in_the_order_of_the_script() -> None:
    assert [key for key, *_ in failures("next_due: null, ended: true, in: long, fired: []")] == [
        "next_due",
        "ended",
        "fired",
    ]


@pytest.mark.parametrize(
    ("factor", "holds"), [(1 + 9e-10, True), (1 - 9e-10, True), (1 + 2e-9, False), (1 - 2e-9, False)]
)
def test_reals_hold_to_a_relative_billionth(factor: float, holds: bool) -> None:
    assert (failures(f"values: {{cash: {919.92 * factor!r}}}") == []) is holds
    assert (failures(f"orders: [{{leg: stock, side: buy, quantity: {2 * factor!r}}}]") == []) is holds


def test_an_error_is_counted_and_its_text_found() -> None:
    # The second price is where `divide` divides by zero; nothing takes the error but `fail_safe`.
    second = "{event: tick, with: {price: 600}, expect: {errors: %s, fired: [fail_safe], configuration: [halted]}}"
    for expect in ("true", "1", "division by zero"):
        assert failures("ended: false", FIRST, second % expect) == []
    ((_, message, _, instead),) = failures("ended: false", FIRST, second % "2")
    assert (message, instead) == (
        '`errors` is expected to be 2, and 1 came: ["`divide`: division by zero"]',
        "errors: 1",
    )
    ((_, message, *_),) = failures("ended: false", FIRST, second % "out of range")
    assert message.startswith('`errors` is expected to be "out of range", and 1 came: ')


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("{event: tick, with: {price: .nan}}", "`price` = nan is not a finite number"),
        ("{event: tick, with: {price: .inf}}", "`price` = inf is not a finite number"),
        ("{event: tick, with: {price: true}}", "`price` = True is not a number"),
        ("{event: tick, with: {price: 2000}}", "`price` = 2000 is above 1000"),
        ("{event: stop, at: 59m}", "the time 3540000000000 is before the last event at 3600000000000"),
        ("{advance: 59m}", "the time 3540000000000 is before the last event at 3600000000000"),
        ("{event: stop, at: 9223372036854775808}", "the time 9223372036854775808 does not fit in 64 bits"),
    ],
)
def test_what_a_machine_refuses_reaches_it_and_can_be_expected(item: str, reason: str) -> None:
    expect = f", expect: {{rejected: {json.dumps(reason)}, raised: [input.rejected], configuration: [long, loud]}}}}"
    assert failures("ended: false", FIRST, item[:-1] + expect) == []
    assert played(f"[{FIRST % 'ended: false'}, {item}]")[1].step.rejected == reason


def test_an_item_that_only_expects_looks_at_the_step_before_and_does_nothing() -> None:
    first, again, end = played(f"""
- {FIRST % "ended: false"}
- {{expect: {{fired: [buy, warn, wake], rejected: false, next_due: +30m}}}}
- {{event: stop, expect: {{fired: [finish], ended: true, next_due: null, in: over}}}}
""")
    assert again.step == first.step
    assert first.failures == again.failures == end.failures == ()


def test_before_the_first_event_a_machine_is_nowhere() -> None:
    (looked,) = played("[{expect: {configuration: [], not_in: running, fired: [], rejected: false, ended: false}}]")
    assert looked.configuration == ()
    assert looked.failures == ()
    ((failure,),) = (each.failures for each in played("[{expect: {in: running}}]"))
    assert failure.diagnostic.message == "`running` is expected to be active, and nothing is active"
    assert failure.diagnostic.help.startswith("before any event")


def test_time_that_passes_fires_timers() -> None:
    assert failures(
        "next_due: 90m",
        FIRST,
        "{advance: +1799.999999999s, expect: {timers: [], fired: [], in: loud}}",
        "{advance: +1ns, expect: {timers: [after.loud.1], fired: [calm], configuration: [long, quiet], next_due: null}}",
        "{event: tick, with: {price: 100}, at: +1d, expect: {timers: [], fired: [divide], broken: []}}",
    ) == []  # fmt: skip


def test_an_event_is_sent_when_its_result_is_asked_for_and_two_plays_share_nothing() -> None:
    script = read_text(f"[{FIRST % 'ended: false'}, {{event: stop}}]")
    compiled = TRADER.compile()
    one, other = play(compiled, script), play(compiled, script)
    assert next(one).configuration == ("long", "loud")
    assert next(other).configuration == ("long", "loud")
    assert next(one).configuration == ("over",)
    assert [each.configuration for each in other] == [("over",)]


def test_the_params_of_a_script_are_bound_by_whoever_compiles() -> None:
    script = read_text(f"{{hedgerow_events: 1, set: {{wait: 10m}}, events: [{FIRST % 'next_due: +10m'}]}}")
    assert [each.failures for each in play(TRADER.bind(script.parameters), script)] == [()]
    assert [len(each.failures) for each in play(TRADER.compile(), script)] == [1]


def test_a_failure_of_a_line_is_told_at_its_place() -> None:
    script = read_text(
        '{"event": "stop"}\n\n{"event": "stop", "expect": {"rejected": true, "ended": true}}\n', "s.jsonl"
    )
    _, second = play(TRADER.compile(), script)
    (failure,) = second.failures
    assert str(failure.span) == "s.jsonl:3:57"
    assert script.sources(failure.span)["s.jsonl"].split("\n")[2][56:60] == "true"


def test_an_event_with_a_name_of_several_words_is_sent_by_it() -> None:
    spec = loads(
        "hedgerow: 1\nname: dotted\nevents: {tick.fast: {price: {}}}\nstate: {last: {initial: 0}}\n"
        "machine: {initial: on, states: {on: {on: {tick.fast: {do: {set: {last: tick.fast.price}}}}}}}\n"
    )
    script = parse_script("[{event: tick.fast, with: {price: 7}, expect: {values: {last: 7}}}]", "s.yaml", spec)
    assert [each.failures for each in play(spec.compile(), script)] == [()]


# --- the schema ---

PUBLISHED = Path(__file__).parent.parent / "schemas" / "events.v1.schema.json"
SCHEMA = json.loads(PUBLISHED.read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EVERY_KEY: dict[str, Any] = {
    "hedgerow_events": 1,
    "about": "every key once",
    "set": {"wait": "10m"},
    "events": [
        {
            "event": "tick",
            "with": {"price": 40},
            "at": "1h",
            "expect": {
                "configuration": ["long", "loud"],
                "in": "running",
                "not_in": ["halted"],
                "fired": ["buy"],
                "raised": ["alarm"],
                "orders": [
                    {
                        "leg": "stock", "side": "buy", "quantity": 2, "price": 40, "rule": "buy",
                        "instrument": "index", "notional": 80, "fee": 0.08, "slippage": 0, "number": 1,
                    }
                ],
                "timers": ["after.loud.1"],
                "rejected": False,
                "errors": 0,
                "broken": ["rich"],
                "stopped": [],
                "approvals": [],
                "values": {"cash": 919.92, "seen": True},
                "ended": False,
                "next_due": "+10m",
            },
        },
        {"advance": "+1s", "expect": {"next_due": None}},
        {"expect": {"rejected": "range", "errors": True}},
    ],
}  # fmt: skip


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key that the schema names, with its own schema."""
    for name, definition in schema["$defs"].items():
        for key, value in definition["properties"].items():
            yield f"{name}/{key}", value


KEYS = list(properties(SCHEMA))


def test_the_published_schema_is_what_the_model_says() -> None:
    assert PUBLISHED.read_text("utf-8") == json.dumps(json_schema(), indent=2) + "\n", (
        "run `hedgerow schema --events --out`"
    )


def test_the_command_prints_the_published_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schema", "--events"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text("utf-8")
    assert main(["schema", "--events", "--out", str(tmp_path / "s.json")]) == 0
    assert (tmp_path / "s.json").read_bytes() == PUBLISHED.read_bytes()


def test_the_schema_is_one_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == ID


@pytest.mark.parametrize(("path", "schema"), KEYS, ids=[path for path, _ in KEYS])
def test_every_key_has_a_description_and_a_valid_example(path: str, schema: dict[str, Any]) -> None:
    assert schema["description"].strip()
    assert schema["examples"]
    for example in schema["examples"]:
        VALIDATOR.evolve(schema={**schema, "$defs": SCHEMA["$defs"]}).validate(example)


def keys_of(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*map(keys_of, document))
    return set(document).union(*map(keys_of, document.values())) if isinstance(document, dict) else set()


def test_a_script_with_every_key_is_one() -> None:
    assert {path.rpartition("/")[2] for path, _ in KEYS} - keys_of(EVERY_KEY) == set()
    VALIDATOR.validate(EVERY_KEY)
    assert len(read_text(json.dumps(EVERY_KEY), "s.json").items) == 3


def places(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value below the root."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


VALUES: list[Any] = [
    None, True, False, 0, 1, -3, 2.5, "", "x", "tick", "30m", "+1s", "1.5", "2024-01-02T15:00:00Z", "2024-01-02", "buy", [],
    ["x"], [None], [1], {}, {"x": 1}, {"x": "y"}, {"event": "stop"}, [{"event": "stop"}], [{}], {"ended": True},
    {"leg": "stock"}, "n" * 501, [{"leg": "stock", "side": "sell", "quantity": 1}],
]  # fmt: skip


OF_NAMES = re.compile(r"`\w+` (has no field|comes without|has states inside it|is a history state)|`wait`")
"""What the reader says of names and of the values of params, which have codes of shapes and are none."""


def shape_holds(document: Any) -> bool:
    """Return whether the reader finds the shape right, whatever it says of names."""
    try:
        read_text(json.dumps(document), "s.json")
    except SpecError as error:
        shapes = [
            found for found in error.diagnostics if found.code in ("HR012", "HR820") or found.code.startswith("HR10")
        ]
        return all(OF_NAMES.match(found.message) for found in shapes)
    return True


@settings(max_examples=200)
@given(data=st.data())
def test_schema_and_reader_accept_and_refuse_the_same_shapes(data: st.DataObject) -> None:
    document: Any = copy.deepcopy(EVERY_KEY)
    if data.draw(st.booleans()):
        document = document["events"]
    for _ in range(data.draw(st.integers(0, 2))):
        path = data.draw(st.sampled_from(list(places(document))))
        parent: Any = document
        for part in path[:-1]:
            parent = parent[part]
        last: Any = path[-1]
        value = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
        match data.draw(st.sampled_from(("replace", "replace", "leave out", "add"))):
            case "replace":
                parent[last] = value
            case "leave out":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[data.draw(st.sampled_from(("x", "event", "advance", "at", "expect", "in")))] = value
        if not document:
            return
    told = [error.message for error in VALIDATOR.iter_errors(document)]
    assert shape_holds(document) == (not told), told


def test_items_are_values() -> None:
    one, other = (read_text("[{event: stop, at: 1s, expect: {ended: true}}]").items for _ in range(2))
    assert one == other
    assert isinstance(one[0], Item)
