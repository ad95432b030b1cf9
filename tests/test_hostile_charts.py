"""Charts, timers, compositions and scripts, as an attacker would write them.

Nothing may hang, nothing may be executed, and whatever is refused changes nothing. `test_hostile` has the same of specs
without regions, of data and of the command line.
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from twins import Twins, twins

from hedgerow import SpecError, load
from hedgerow.cli.main import main
from hedgerow.engine.ir import NEVER
from hedgerow.engine.load import Compiled, ParameterError, Spec, loads
from hedgerow.engine.semantics import TIMERS
from hedgerow.engine.snapshot import SnapshotError

SPECS = Path(__file__).parents[1] / "specs"
SECOND = 10**9
YEAR = 365 * 86_400 * SECOND
FIRST, LAST = -(2**63), 2**63 - 1

HEAD = "hedgerow: 1\nname: small\nevents: {tick: {x: {}}, go: {}}\nstate: {n: {type: int, initial: 0, range: [0, 100000]}}\n"
CHART = """\
hedgerow: 1
name: chart
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX, range: [1, 1000]}}
  stop: {}
  go: {}
  late: {x: {range: [0, 5]}, k: {type: int, range: [0, 3]}, f: {type: bool}}
  fund: {r: {range: [-1, 1]}}
instruments: {index: {unit: IDX, price: tick.price, borrow: 0.02 / 365d, funding: {fund: fund.r}}}
legs:
  long: {instrument: index, side: long, quantity: 1}
  short: {instrument: index, side: short, quantity: 1}
state: {n: {type: int, initial: 0, range: [0, 1000000]}, z: {initial: 0, range: [0, 100]}}
windows: {past: {of: index.price, on: tick, length: 3, until_full: skip}}
observe: {tick: {gap: elapsed(tick), mean: "ewma(index.price, decay=0.5, initial=1 USD / 1 IDX)"}}
machine:
  initial: both
  fail_safe: halted
  states:
    both:
      parallel: true
      on: {stop: {to: halted}}
      states:
        one:
          initial: a
          states:
            shallow: {history: shallow, default: a}
            a:
              on: {tick: {if: index.price > 50 USD / 1 IDX, to: b, do: [{set: {z: n * 1.5}}, {reduce: {long: 0.1}}]}}
              after: {5s: {to: b}}
              every: {2s: {do: {set: {n: n + 1}}}}
            b:
              initial: b1
              states:
                b1: {always: {if: n > 3, to: b2}, on: {late: {if: late.x > z, to: b2}}}
                b2: {after: {1s: {to: a}}}
        two:
          initial: c
          states:
            deep: {history: deep, default: c}
            c:
              initial: c1
              states:
                c1: {on: {tick: {name: arm, to: c2, do: {raise: {late: {x: 1, k: 2, f: true}}, after: 3s, id: timed}}}}
                c2: {on: {tick: {if: since(arm) > 2s, to: c1}, go: {do: {cancel: timed}}}}
    halted: {on: {go: {to: [shallow, deep]}}}
"""
COUNTER = """\
hedgerow: 1
name: counter
events: {tick: {x: {}}, full: {}}
raises: [full]
params: {most: {default: 3, range: [1, 100]}, wait: {default: 1s, unit: s}}
state: {n: {type: int, initial: 0, range: [0, 1000]}}
machine:
  initial: counting
  fail_safe: halted
  states:
    counting:
      on: {tick: [{if: n + 1 >= most, to: done, do: {raise: full}}, {do: {set: {n: n + 1}}}]}
    done: {after: {wait: {to: counting, do: {set: {n: 0}}}}}
    halted: {on: {tick: {to: counting}}}
"""


def small(states: str) -> str:
    return f"{HEAD}machine: {{initial: a, states: {{{states}}}}}\n"


@cache
def chart() -> Compiled:
    return loads(CHART).compile()


def send(pair: Twins, event: str, time: int) -> None:
    fields: dict[str, Any] = {"tick": {"price": 60.0}, "late": {"x": 1.0, "k": 1, "f": True}, "fund": {"r": 0.01}}
    pair.send(event, time, **fields.get(event, {}))


def compose(folder: Path, text: str, **files: str) -> Spec:
    for name, each in {"counter": COUNTER, **files, "main": "hedgerow: 1\nname: main\n" + text}.items():
        (folder / f"{name}.yaml").write_text(each, encoding="utf-8")
    return load(folder / "main.yaml")


def mistakes(folder: Path, text: str, **files: str) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        compose(folder, text, **files)
    return [(Path(found.span.file).name, found.code) for found in caught.value.diagnostics if found.severity == "error"]


# ----------------------------------------------------------------------------------------------------------- timers


@pytest.mark.parametrize(
    "states",
    [
        "a: {every: {1ns: {do: {set: {n: n + 1}}}}}",
        "a: {after: {0s: {to: b}}}, b: {after: {0s: {to: a}}}",
    ],
)
def test_timers_that_never_run_out_are_stopped_and_told(states: str) -> None:
    machine = loads(small(states)).compile().machine()
    machine.send("go", 0)
    step = machine.send("go", 3 * YEAR)
    assert len(step.timers) == TIMERS
    assert "error.divergence" in step.raised
    assert machine.time_ns == 3 * YEAR
    assert machine.next_due is not None
    assert machine.next_due <= 3 * YEAR + 1


@pytest.mark.parametrize("delay", ["1e300 * 1s", "1e8 * 365d", "9223372037 * 1s", "1e300 * 1e8s"])
@pytest.mark.parametrize("kind", ["after", "every"])
def test_a_delay_that_no_clock_reaches_is_never_due(kind: str, delay: str) -> None:
    pair = twins(small(f'a: {{{kind}: {{"{delay}": {{to: b}}}}}}, b: {{}}'))
    pair.send("go", 0)
    assert pair.machine.next_due is None
    assert pair.advance(LAST).timers == ()


DELAYED = small("a: {on: {tick: {do: [{set: {n: 7}}, {raise: go, after: tick.x * 1s}]}}}")


@pytest.mark.parametrize("delay", [0.0, -0.0, 5e-324, 1e-10, 9223372036.0])
def test_a_delay_from_a_field_is_due_at_once_or_later(delay: float) -> None:
    pair = twins(DELAYED)
    assert pair.send("tick", 5, x=delay).errors == ()
    assert pair.machine.next_due is not None
    assert 5 <= pair.machine.next_due < LAST


@pytest.mark.parametrize("delay", [-5e-324, -1.0, -1e308])
def test_a_delay_into_the_past_fails_with_its_transition(delay: float) -> None:
    pair = twins(DELAYED)
    assert "a delay of -" in pair.send("tick", 5, x=delay).errors[0]
    assert (pair.value("n"), pair.machine.next_due) == (0, None)


@pytest.mark.parametrize(("value", "what"), [(-1.0, "a delay of -1 s"), (float("inf"), "not a finite number")])
def test_a_delay_that_params_make_impossible_is_refused_in_a_line(value: float, what: str) -> None:
    spec = loads(
        "hedgerow: 1\nname: small\nparams: {wait: {default: 1s, unit: s}}\n"
        "machine: {initial: a, states: {a: {after: {wait: {to: b}}}, b: {}}}\n"
    )
    with pytest.raises(ParameterError, match=what) as caught:
        spec.compile(wait=value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "time",
    [None, "6", 6.0, True, LAST + 1, FIRST - 1, 10**5000, float("nan"), [], 4],
    ids=lambda time: type(time).__name__,
)
def test_time_that_is_none_or_runs_backwards_is_refused_and_changes_nothing(time: Any) -> None:
    machine = chart().machine()
    assert machine.advance(time).rejected is not None
    assert machine.configuration == ()
    machine.send("tick", 5, price=60.0)
    before = machine.snapshot()
    step = machine.advance(time)
    assert step.rejected is not None
    assert len(step.rejected) < 200
    assert (step.raised, step.timers) == (("input.rejected",), ())
    assert machine.snapshot() == before


def test_the_first_and_the_last_nanosecond_are_times_like_others() -> None:
    pair = Twins(chart())
    send(pair, "tick", FIRST)
    assert pair.machine.next_due == FIRST + 3 * SECOND
    due = [("timed", 3), ("after.b2.1", 4), ("every.a.1", 6), ("every.a.1", 8), ("after.a.1", 9)]
    assert pair.advance(LAST).timers == tuple((name, FIRST + second * SECOND) for name, second in due)
    assert pair.advance(LAST).rejected is None
    send(pair, "tick", LAST)
    send(pair, "tick", LAST)
    assert pair.machine.configuration == ("b1", "c2")
    # What is due after the end of time is never due.
    assert pair.machine.next_due is None
    assert pair.value("due(timed)") == NEVER


# -------------------------------------------------------------------------------------------------------- snapshots


@cache
def bodies() -> tuple[dict[str, Any], ...]:
    """Return snapshots of a run that sees every state, as JSON values."""
    pair, chosen, time = Twins(chart()), random.Random(3), 0
    found = [json.loads(pair.machine.snapshot().to_json())]
    for _ in range(60):
        time += chosen.choice([0, 1, SECOND, 3 * SECOND])
        send(pair, chosen.choice(["tick", "tick", "stop", "go", "go", "late", "fund"]), time)
        found.append(json.loads(pair.machine.snapshot().to_json()))
    return tuple(found)


def stopped() -> dict[str, Any]:
    """Return the snapshot of a machine that remembers histories."""
    return copy.deepcopy(next(body for body in bodies() if body["configuration"] == ["halted"]))


@pytest.mark.parametrize(
    "changes",
    [
        *({"history": {"shallow": value}} for value in (["c"], ["a", "b"], ["shallow"], ["halted"], [1], ["b1"])),
        *({"history": {"deep": value}} for value in (["c"], ["deep"], ["c1", "c2"], ["a"], ["nope"], [[]], 5, None)),
        {"history": {"more": []}},
        *({"history": value} for value in (None, 5, [], "x", {})),
        *({"cells": {"due(timed)": value}} for value in (None, 1.5, True, "never", 2**63)),
        *({"cells": {"timed.x": value}} for value in (6, -1, None, "x", float("nan"))),
        *({"cells": {"timed.k": value}} for value in (4, 1.0, None)),
        *({"cells": {"accrued": value}} for value in (None, 0.5, 2**63)),
        *(
            {"configuration": value}
            for value in (["a"], ["c1", "a"], ["a", "c1", "c2"], ["a", "c"], ["both"], ["shallow", "c1"])
        ),
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_a_forged_history_timer_or_configuration_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    body = stopped()
    for key, change in changes.items():
        body[key] = {**body[key], **change} if isinstance(change, dict) and change else change
    machine = chart().machine()
    machine.send("tick", 7, price=60.0)
    before = machine.snapshot()
    with pytest.raises(SnapshotError) as caught:
        machine.restore(json.dumps(body))
    assert len(str(caught.value)) < 300
    assert machine.snapshot() == before


VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    5,
    1.5,
    1e308,
    FIRST,
    LAST,
    2**63,
    "x",
    [],
    {},
    ["a", "c1"],
    ["b2", "c2"],
    ["halted"],
)


def mutate(body: dict[str, Any], chosen: random.Random) -> None:
    node: Any = body
    while True:
        key = chosen.choice(sorted(node)) if isinstance(node, dict) else chosen.randrange(len(node))
        if not isinstance(node[key], (dict, list)) or not node[key] or chosen.random() < 0.2:
            break
        node = node[key]
    if key not in ("program", "format"):
        node[key] = chosen.choice(VALUES)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_snapshot_is_accepted_runs_on_in_both_backends_and_gives_good_ones(seed: int) -> None:
    chosen, accepted = random.Random(seed), 0
    for _ in range(80):
        body = copy.deepcopy(chosen.choice(bodies()))
        for _ in range(chosen.choice([1, 1, 2])):
            mutate(body, chosen)
        pair = Twins(chart())
        try:
            pair.machine.restore(json.dumps(body))
        except SnapshotError:
            continue
        accepted += 1
        pair.snapshot = pair.machine.snapshot()
        time = pair.machine.time_ns or 0
        for _ in range(3):
            time = min(LAST, time + chosen.choice([0, 1, SECOND, 4 * SECOND]))
            send(pair, chosen.choice(["tick", "stop", "go", "late", "fund"]), time)
        chart().machine().restore(pair.machine.snapshot().to_json())
    assert accepted > 5


# -------------------------------------------------------------------------------------------------- files that are used


def special(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("/dev/zero", "loop.yaml"):
        path.symlink_to(kind if kind.startswith("/") else path.name)
    elif kind == "folder":
        path.mkdir()
    else:
        bodies = {"binary": bytes(range(256)), "huge": b"#" * 600_000, "empty": b"", "list": b"- {event: go}"}
        path.write_bytes(bodies[kind])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
@pytest.mark.parametrize(
    ("kind", "file", "code"),
    [
        ("pipe", "main.yaml", "HR600"),
        ("/dev/zero", "main.yaml", "HR600"),
        ("loop.yaml", "main.yaml", "HR600"),
        ("folder", "main.yaml", "HR600"),
        ("binary", "odd.yaml", "HR003"),
        ("huge", "odd.yaml", "HR002"),
        ("empty", "odd.yaml", "HR004"),
        ("list", "odd.yaml", "HR012"),
    ],
)
def test_a_used_file_that_is_no_spec_is_refused_without_being_waited_for(
    tmp_path: Path, kind: str, file: str, code: str
) -> None:
    special(tmp_path / "odd.yaml", kind)
    assert mistakes(tmp_path, "use: {odd: {spec: odd.yaml}}\n") == [(file, code)]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/etc/x.yaml", "../../../../etc/passwd", "C:/x.yaml", "x\\\\y.yaml", ".", "counter", "~/counter.yaml",
     "http://x/counter.yaml", "$HOME/counter.yaml", "a" * 300 + ".yaml", "%00.yaml"],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_refused_where_it_stands(tmp_path: Path, path: str) -> None:
    assert mistakes(tmp_path, f'use: {{odd: {{spec: "{path}"}}}}\n') == [("main.yaml", "HR600")]


def test_a_circle_is_told_however_its_paths_are_written(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    again = "hedgerow: 1\nname: again\nuse: {again: {spec: ../x/../main.yaml}}\n"
    (tmp_path / "x" / "again.yaml").write_text(again)
    assert mistakes(tmp_path, "use: {again: {spec: ./x/../x/again.yaml}}\n") == [("again.yaml", "HR601")]


def test_a_circle_over_links_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(tmp_path)
    assert {code for _, code in mistakes(tmp_path, "use: {again: {spec: self/main.yaml}}\n")} == {"HR600"}


def test_specs_are_used_to_a_depth_only(tmp_path: Path) -> None:
    chain = {f"l{i}": f"hedgerow: 1\nname: l{i}\nuse: {{deeper: {{spec: l{i + 1}.yaml}}}}\n" for i in range(40)}
    assert [code for _, code in mistakes(tmp_path, "use: {l: {spec: l0.yaml}}\n", **chain)] == ["HR600"]


# --------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name", ["after", "every", "done", "error", "input", "gate", "self", "type", "class", "def", "quantity", "snapshot"]
)
def test_a_used_spec_may_be_called_as_anything_that_is_no_word_of_the_language(tmp_path: Path, name: str) -> None:
    pair = Twins(compose(tmp_path, f"use: {{{name}: {{spec: counter.yaml}}}}\n").compile(**{f"{name}.most": 2}))
    for time in range(4):
        pair.send("tick", time * SECOND, x=1.0)
    assert pair.value(f"{name}.n") == 1
    assert pair.machine.configuration == (f"{name}.done",)


@pytest.mark.parametrize(
    "name",
    ["machine", "In", "cash", "before", "was", "min", "s", "main", "own", "cell", "tick", "a__b", "_a", "1a", "аb", "a.b"],
)  # fmt: skip
def test_a_used_spec_may_not_be_called_as_what_there_is(tmp_path: Path, name: str) -> None:
    own = (
        "events: {tick: {x: {}}}\nstate: {cell: {initial: 0}}\n"
        "machine: {initial: own, states: {own: {on: {tick: {do: {set: {cell: 1}}}}}}}\n"
    )
    found = mistakes(tmp_path, f"use: {{{name}: {{spec: counter.yaml}}}}\n{own}")
    assert found[0][0] == "main.yaml"
    assert found[0][1] in ("HR104", "HR105", "HR202", "HR211")


@pytest.mark.parametrize(
    "name", ["error.x", "after.x", "done.state.x", "every", "'*'", "a b", "tick.*", "__init__", "1a", "аb"]
)
def test_an_event_is_not_renamed_to_what_is_no_event(tmp_path: Path, name: str) -> None:
    codes = {code for _, code in mistakes(tmp_path, f"use: {{u: {{spec: counter.yaml, events: {{full: {name}}}}}}}\n")}
    assert codes <= {"HR104", "HR211"}


def test_events_that_swap_their_names_are_told_apart(tmp_path: Path) -> None:
    swapped = (
        "hedgerow: 1\nname: swapped\nevents: {a: {}, b: {}}\n"
        "machine: {initial: x, states: {x: {on: {a: {to: y}}}, y: {on: {b: {to: x}}}}}\n"
    )
    spec = compose(tmp_path, "use: {u: {spec: swapped.yaml, events: {a: b, b: a}}}\n", swapped=swapped)
    pair = Twins(spec.compile())
    assert [pair.send(event, 0).configuration[0] for event in "abba"] == ["u.x", "u.y", "u.y", "u.x"]


# ------------------------------------------------------------------------------------ what regions do to one another

MARKED = """\
hedgerow: 1
name: marked
events: {mark: {v: {range: [-1e300, 1e300]}}}
state: {kept: {initial: 0}}
observe: {mark: {kept: mark.v}}
machine: {initial: on_watch, states: {on_watch: {on: {mark: {do: []}}}}}
"""


@pytest.mark.parametrize(
    "value", ["1 / tick.x", "1e200 * (1 / max(tick.x, 1e-200))", "1e301 if tick.x == 0 else 1", "sqrt(tick.x - 1)"]
)
def test_a_made_event_without_a_good_value_fails_in_its_own_region(tmp_path: Path, value: str) -> None:
    made = f'events: {{mark: {{tick: {{v: "{value}"}}}}}}'
    use = f"use:\n  bad: {{spec: marked.yaml, {made}}}\n  good: {{spec: counter.yaml}}\n"
    pair = Twins(compose(tmp_path, use, marked=MARKED).compile())
    pair.send("tick", 0, x=1.0)
    kept = pair.value("bad.kept")
    step = pair.send("tick", 1, x=0.0)
    assert step.rejected is None
    assert len(step.errors) == 1
    assert (pair.value("bad.kept"), pair.value("good.n")) == (kept, 2)


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ("most: 3 / z", {"z": 0}), ("most: 3 / z", {"z": 1e-320}), ("most: z", {"z": 101}), ("most: z", {"z": float("nan")}),
        ("wait: 1s / z", {"z": -1}), ("wait: wait_long - 1s", {"wait_long": "0s"}),
        ("most: z", {"u.most": 5}), ("most: z", {"u.nope": 5}),
    ],
)  # fmt: skip
def test_a_param_that_a_used_spec_cannot_have_is_refused_in_a_line(
    tmp_path: Path, given: str, settings: dict[str, Any]
) -> None:
    params = "params: {z: {default: 3}, wait_long: {default: 1d, unit: s}}\n"
    spec = compose(tmp_path, f"{params}use: {{u: {{spec: counter.yaml, params: {{{given}}}}}}}\n")
    with pytest.raises(ParameterError) as caught:
        spec.compile(**settings)
    assert len(str(caught.value)) < 200


def test_deep_regions_are_bounded_and_hold_up_to_the_bound() -> None:
    def text(depth: int) -> str:
        inner = "{}"
        for level in range(depth):
            inner = f"{{parallel: true, states: {{p{level}: {inner}, q{level}: {{on: {{go: {{to: p{level}}}}}}}}}}}"
        return f"hedgerow: 1\nname: deep\nevents: {{go: {{}}}}\nmachine: {inner}\n"

    pair = twins(text(13))
    assert len(pair.send("go", 0).configuration) == 14
    with pytest.raises(SpecError, match="HR006"):
        loads(text(2000))


# ---------------------------------------------------------------------------------------------------------- the same again

ASK = """
import hashlib, sys
from hedgerow import SpecError, load
for path in sys.argv[1:]:
    try:
        compiled = load(path).compile()
        print(compiled.digest, hashlib.sha256(compiled.spec.live_source("same").text.encode()).hexdigest())
    except SpecError as error:
        print(error)
"""


def test_hashing_at_random_changes_no_program_no_code_and_no_order_of_mistakes(tmp_path: Path) -> None:
    uses = "\n".join(f"  u{i}: {{spec: counter.yaml, events: {{full: full_{i}}}}}" for i in range(3))
    compose(tmp_path, f"use:\n{uses}\n")
    (tmp_path / "chart.yaml").write_text(CHART)
    wrong = CHART.replace("to: b2", "to: nowhere").replace("cancel: timed", "cancel: tamed").replace("{z: n", "{q: m")
    (tmp_path / "wrong.yaml").write_text(wrong)
    paths = [
        str(SPECS / "drawdown_desk.yaml"),
        *(str(tmp_path / f"{name}.yaml") for name in ("main", "chart", "wrong")),
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, *paths],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("0", "1")
    ]
    said = [each.communicate(timeout=60)[0] for each in running]
    assert said[0].count("error[") == 4
    assert said[0] == said[1]


# ------------------------------------------------------------------------------------------------------------- scripts

Told = Callable[[str, str], tuple[int, str]]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return what runs a text as a script, and returns its exit code and all that was said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(HEAD + "machine: {initial: a, states: {a: {on: {'tick go': {to: a}}}}}\n")

    def run(text: str, suffix: str) -> tuple[int, str]:
        (tmp_path / f"script{suffix}").write_bytes(text.encode("utf-8", "surrogatepass"))
        code = main(("run", "small.yaml", "--events", f"script{suffix}"))
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted((f"script{suffix}", "small.yaml"))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out + said.err

    return run


@pytest.mark.parametrize(
    "text",
    [
        "- !!python/object/apply:os.system [touch broken_in]\n", "- &a {event: go}\n- *a\n", "- {<<: {event: go}}\n",
        "- " * 5000 + "x", "[" * 5000, "- {event: go, event: go}\n", "- {event: go, advance: 1s}\n", "- null\n", "hello", "",
        "- {event: error.execution}\n", "- {event: after.a.1}\n", "- {event: '*'}\n", '- {event: "\\x1b[2J"}\n',
        "- {event: tick, with: {x: __import__}}\n", "- {event: tick, with: {x: [1]}}\n", "- {event: go}\n---\n- {event: go}",
        "- {event: tick, with: {x: " + "9" * 5000 + "}}\n", "- {event: go, expect: {values: {n: .nan}}}\n",
        "- {event: go, expect: {in: nowhere}}\n", "events: [{event: go}]\n",
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_a_hostile_script_is_refused_before_anything_is_sent(play: Told, text: str) -> None:
    code, said = play(text, ".yaml")
    assert code == 2
    assert said.startswith("script.yaml:")


@pytest.mark.parametrize(
    "time",
    ["nan", ".inf", "1e9", "1.5", "1_000", "0.1ns", "1e300s", "+-5s", "+", "''", "5 s", "٣s", "１s", "1h30m", "null", "true",
     "[1]", "2024-02-30T00:00:00Z", "2024-01-01", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00+02:00", "9" * 5000],
    ids=lambda time: time[:40],
)  # fmt: skip
def test_a_text_that_is_no_time_is_refused(play: Told, time: str) -> None:
    code, said = play(f"- {{event: go, at: {time}}}\n", ".yaml")
    assert code == 2
    assert "script.yaml:1:19: error[HR" in said


@pytest.mark.parametrize("time", ["9223372036854775808", "-9223372036854775809", "9999999999w", "2300-01-01T00:00:00Z"])
def test_a_time_that_no_clock_holds_is_refused_by_the_machine(play: Told, time: str) -> None:
    code, said = play(f"- {{event: go, at: {time}, expect: {{rejected: does not fit in 64 bits}}}}\n", ".yaml")
    assert (code, "all hold" in said) == (0, True)


@pytest.mark.parametrize(
    "line",
    ["[]", "5", '{"event": "go"} x', '{"event":', '{"event": "go", "event": "go"}', '{"a":' * 10_000, "[" * 60_000,
     '{"event": "tick", "with": {"x": NaN}}', '{"event": "tick", "with": {"x": ' + "9" * 5000 + "}}", '{"event": "\ud800"}',
     '{"event": "\\ud800"}', '{"event": "go"}\x00', '{"event": "go"}\u2028{"event": "go"}', '{"event": "' + "y" * 70_000],
    ids=lambda line: ascii(line[:30]),
)  # fmt: skip
def test_a_hostile_line_is_refused_at_its_place(play: Told, line: str) -> None:
    code, said = play('{"event": "go"}\n' + line + "\n", ".jsonl")
    assert code == 2
    assert said.startswith("script.jsonl:2:")
