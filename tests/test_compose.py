"""Specs that use specs: names, parameters, events, regions, and mistakes told in the right file."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from twins import Twins

from hedgerow import SpecError, load
from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import ParameterError, Spec, loads

SPECS = Path(__file__).parent.parent / "specs"
DAY = 86_400 * 10**9

COUNTER = """
hedgerow: 1
name: counter
events: {go: {by: {type: int, range: [0, 5]}}, full: {}}
raises: [full]
params: {most: {type: int, default: 3, range: [1, 100]}}
state: {n: {type: int, initial: 0, range: [0, 1000]}}
let: {left: most - n}
machine:
  initial: counting
  fail_safe: halted
  states:
    counting:
      on:
        go:
          - {name: last, if: n + go.by >= most, to: done, do: [{set: {n: "min(n + go.by, 1000)"}}, {raise: full}]}
          - {name: count, do: {set: {n: "min(n + go.by, 1000)"}}}
    done: {final: true}
    halted: {}
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def both(spec: Spec, **parameters: float) -> Twins:
    return Twins(spec.compile(**parameters))


def composed(folder: Path, text: str, **files: str) -> Spec:
    write(folder, counter=COUNTER, **files)
    write(folder, main="hedgerow: 1\nname: main\n" + text)
    return load(folder / "main.yaml")


def mistakes(folder: Path, text: str, **files: str) -> list[tuple[str, str, str]]:
    with pytest.raises(SpecError) as caught:
        composed(folder, text, **files)
    return [(Path(f.span.file).name, f.code, f.message) for f in caught.value.diagnostics if f.severity == "error"]


# ----------------------------------------------------------------------------------------------------- what a desk does


def test_two_uses_of_one_spec_share_nothing_but_events(tmp_path: Path) -> None:
    spec = composed(tmp_path, "use: {a: {spec: counter.yaml, params: {most: 5}}, b: {spec: counter.yaml}}")
    machine = both(spec)
    step = machine.send("go", 0, by=2)
    assert step.configuration == ("a.counting", "b.counting")
    step = machine.send("go", 1, by=2)
    assert step.fired == ("a.count", "b.last")
    assert step.raised == ("full", "done.state.b")
    assert (machine.value("a.n"), machine.value("b.n")) == (4, 4)
    assert machine.send("go", 2, by=2).configuration == ("a.done", "b.done")
    assert machine.machine.ended


def test_events_of_two_uses_can_have_two_names(tmp_path: Path) -> None:
    text = "use: {a: {spec: counter.yaml}, b: {spec: counter.yaml, events: {go: push, full: b_full}}}"
    machine = both(composed(tmp_path, text))
    machine.send("go", 0, by=1)
    assert machine.send("push", 1, by=3).raised == ("b_full", "done.state.b")
    assert (machine.value("a.n"), machine.value("b.n")) == (1, 3)


def test_a_star_takes_the_events_of_its_own_spec_and_no_others(tmp_path: Path) -> None:
    star = """
hedgerow: 1
name: star
events: {ping: {}}
state: {n: {type: int, initial: 0, range: [0, 9]}}
machine: {initial: on, states: {on: {on: {"*": {name: any, do: {set: {n: "min(n + 1, 9)"}}}}}}}
"""
    machine = both(composed(tmp_path, "use: {x: {spec: star.yaml}, c: {spec: counter.yaml}}", star=star))
    assert machine.send("go", 0, by=1).fired == ("c.count",)
    assert machine.send("ping", 1).fired == ("x.any",)
    assert machine.send("ping", 0).fired == ("x.any",)  # input.rejected


def test_a_spec_reads_cells_lets_and_states_of_those_it_uses(tmp_path: Path) -> None:
    machine = both(
        composed(
            tmp_path,
            """
use: {c: {spec: counter.yaml, params: {most: 4}}}
machine:
  initial: low
  states:
    low: {on: {go: {name: rise, if: c.left < 3 and c.n > 0 and In(c.counting), to: high}}}
    high: {always: {name: stop, if: In(c.done), to: low}}
invariants:
  counted: c.n >= before.c.n and c.most == 4
  stays: implies(was(c.done), In(c.done))
""",
        )
    )
    assert machine.send("go", 0, by=2).fired == ("c.count",)
    assert machine.send("go", 1, by=1).fired == ("c.count", "rise")
    step = machine.send("go", 2, by=1)
    assert step.fired == ("c.last", "stop")
    assert step.configuration == ("c.done", "low")
    assert step.broken == ()


def test_params_that_are_not_given_stay_params_of_the_user(tmp_path: Path) -> None:
    text = """
params: {k: {type: int, default: 2, range: [1, 9]}}
use: {a: {spec: counter.yaml, params: {most: k * 2}}, b: {spec: counter.yaml}}
"""
    spec = composed(tmp_path, text)
    assert spec.compile().parameters == {"a.most": 4, "b.most": 3, "k": 2}
    assert spec.compile(**{"k": 3, "b.most": 7}).parameters == {"a.most": 6, "b.most": 7, "k": 3}
    with pytest.raises(ParameterError, match=r"`a\.most` cannot be set"):
        spec.compile(**{"a.most": 3})
    with pytest.raises(ParameterError, match=r"unknown param `most`"):
        spec.compile(most=3)


def test_a_given_param_outside_its_range_is_told_when_it_is_set(tmp_path: Path) -> None:
    text = "params: {k: {type: int, default: 1, range: [0, 9]}}\nuse: {a: {spec: counter.yaml, params: {most: k}}}"
    spec = composed(tmp_path, text)
    with pytest.raises(ParameterError, match=r"`a\.most` is given 0, which is outside its range \[1, 100\]"):
        spec.compile(k=0)


def test_compositions_compose(tmp_path: Path) -> None:
    inner = """
hedgerow: 1
name: inner
params: {m: {type: int, default: 2, range: [1, 9]}}
raises: [full]
use: {c: {spec: counter.yaml, params: {most: m}}}
"""
    spec = composed(tmp_path, "use: {i: {spec: inner.yaml, params: {m: 4}}, j: {spec: inner.yaml}}", inner=inner)
    machine = both(spec)
    step = machine.send("go", 0, by=2)
    assert step.fired == ("i.c.count", "j.c.last")
    assert step.configuration == ("i.c.counting", "j.c.done")
    assert spec.compile().parameters == {"i.c.most": 4, "i.m": 4, "j.c.most": 2, "j.m": 2}


def test_an_observation_that_fails_stops_its_own_spec_only(tmp_path: Path) -> None:
    fragile = """
hedgerow: 1
name: fragile
events: {go: {by: {type: int, range: [0, 5]}}}
state: {x: {initial: 1}}
observe: {go: {x: 1 / go.by}}
machine: {initial: on, fail_safe: off, states: {on: {on: {go: {name: ran}}}, off: {}}}
"""
    machine = both(composed(tmp_path, "use: {f: {spec: fragile.yaml}, c: {spec: counter.yaml}}", fragile=fragile))
    assert machine.send("go", 0, by=1).fired == ("f.ran", "c.count")
    step = machine.send("go", 1, by=0)
    assert step.fired == ("fail_safe", "c.count")
    assert step.configuration == ("f.off", "c.counting")
    assert step.raised == ("error.execution",)
    assert machine.value("f.x") == 1.0


def test_an_error_in_one_region_is_not_seen_in_another(tmp_path: Path) -> None:
    text = """
use: {c: {spec: counter.yaml}}
machine: {initial: on, states: {on: {on: {error.*: {name: seen}, go: {name: broken, if: c.n > 0, do: {set: {x: 1 / x}}}}}}}
state: {x: {initial: 0}}
"""
    machine = both(composed(tmp_path, text))
    machine.send("go", 0, by=1)
    step = machine.send("go", 1, by=1)
    assert step.fired == ("c.count", "seen")
    assert machine.value("c.n") == 2


def walk(seed: int, count: int) -> list[float]:
    source, price, found = random.Random(seed), 1000.0, []
    for _ in range(count):
        found.append(price)
        price = min(max(price * math.exp(source.gauss(0, 0.03)), 1.0), 1e6)
    return found


def test_a_strategy_does_in_a_desk_what_it_does_alone_until_the_breaker_opens() -> None:
    alone = load(SPECS / "band_limited_hedge.yaml").compile().machine()
    desk = both(load(SPECS / "drawdown_desk.yaml"), max_drawdown=0.5)
    for day, price in enumerate(walk(3, 300)):
        one, two = alone.send("tick", day * DAY, price=price), desk.send("tick", day * DAY, price=price)
        assert tuple(f"strategy.{name}" for name in one.fired) == two.fired
        assert [(f"strategy.{o.leg}", *o[3:]) for o in one.orders] == [(o.leg, *o[3:]) for o in two.orders]
        for cell, value in alone.snapshot().cells.items():
            shared = cell if cell.startswith("report.") else f"strategy.{cell}"
            assert desk.value(shared) == value
    assert "breaker.closed" in desk.snapshot.configuration


def test_the_desk_winds_its_strategy_down_when_the_equity_falls() -> None:
    desk = both(
        load(SPECS / "drawdown_desk.yaml"), **{"max_drawdown": 0.01, "strategy.gross_max": 1e9, "strategy.net_max": 1e9}
    )
    fired: list[str] = []
    for day in range(60):
        step = desk.send("tick", day * DAY, price=1000.0 * 1.03**day)
        fired += step.fired
        assert step.broken == ()
        assert step.errors == ()
    assert fired.index("breaker.trip") < fired.index("stand_down") < fired.index("strategy.exit_step")
    assert "breaker.waiting" in desk.snapshot.configuration
    assert "stood_down" in desk.snapshot.configuration
    step = desk.send("release", 61 * DAY)
    assert step.fired == ("breaker.reset", "stand_up")
    # The peak is counted anew: the breaker does not open again at once.
    assert desk.send("tick", 61 * DAY, price=1000.0 * 1.03**59).raised == ()


def test_the_breaker_cannot_be_released_before_its_time() -> None:
    machine = both(load(SPECS / "drawdown_breaker.yaml"))
    machine.send("mark", 0, equity=100.0)
    assert machine.send("mark", 1, equity=93.9).raised == ("tripped",)
    assert machine.send("release", DAY).fired == ()
    assert machine.send("release", DAY + 1).fired == ("cooled", "reset")
    assert machine.send("mark", DAY + 2, equity=93.9).fired == ()
    assert machine.send("mark", DAY + 3, equity=88.0).fired == ("trip",)


def test_a_loaded_composition_is_the_same_every_time() -> None:
    one, two = load(SPECS / "drawdown_desk.yaml"), load(SPECS / "drawdown_desk.yaml")
    assert one.compile().digest == two.compile().digest
    assert [Path(file).name for file in one.sources] == [
        "drawdown_desk.yaml",
        "band_limited_hedge.yaml",
        "drawdown_breaker.yaml",
    ]


# ------------------------------------------------------------------------------------------------------------- mistakes


def test_mistakes_are_told_in_the_file_they_are_in(tmp_path: Path) -> None:
    broken = "hedgerow: 1\nname: broken\nmachine: {initial: a, states: {a: {on: {gone: {to: b}}}}}\n"
    found = mistakes(tmp_path, "use: {x: {spec: broken.yaml}}\nparams: {k: {default: z}}", broken=broken)
    assert found == [
        ("broken.yaml", "HR206", "unknown event `gone`"),
        ("broken.yaml", "HR205", "unknown state `b`"),
        ("main.yaml", "HR201", "unknown name `z`"),
    ]


def test_what_reads_a_spec_that_does_not_hold_is_no_second_mistake(tmp_path: Path) -> None:
    broken = "hedgerow: 1\nname: broken\nevents: {e: {}}\nmachine: {initial: a, states: {b: {}}}\n"
    text = "use: {x: {spec: broken.yaml}}\nmachine: {initial: s, states: {s: {on: {e: {if: In(x.b) and x.n > 0}}}}}"
    assert mistakes(tmp_path, text, broken=broken) == [("broken.yaml", "HR205", "unknown state `a`")]


def test_a_circle_is_told_where_it_closes(tmp_path: Path) -> None:
    other = "hedgerow: 1\nname: other\nuse: {m: {spec: main.yaml}}\n"
    ((file, code, message),) = mistakes(tmp_path, "use: {o: {spec: other.yaml}}", other=other)
    assert (file, code) == ("other.yaml", "HR601")
    assert message.startswith("`main.yaml` uses itself")


def test_a_spec_that_uses_itself_is_a_circle(tmp_path: Path) -> None:
    ((file, code, _),) = mistakes(tmp_path, "use: {o: {spec: ./main.yaml}}")
    assert (file, code) == ("main.yaml", "HR601")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("gone.yaml", "does not exist"),
        ("/etc/passwd", "is no relative path"),
        ("C:/x.yaml", "is no relative path"),
        ("notes.txt", "is no spec"),
        ("'a\\\\b.yaml'", "is no relative path"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_where_it_is_named(tmp_path: Path, place: str, message: str) -> None:
    ((file, code, found),) = mistakes(tmp_path, f"use: {{x: {{spec: {place}}}}}")
    assert (file, code) == ("main.yaml", "HR600")
    assert message in found


def test_a_text_that_stands_in_no_folder_uses_nothing(tmp_path: Path) -> None:
    text = "hedgerow: 1\nname: main\nuse: {c: {spec: counter.yaml}}\n"
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert [found.code for found in caught.value.diagnostics] == ["HR600"]
    write(tmp_path, counter=COUNTER)
    assert loads(text, folder=tmp_path).program().states[1].name == "c"


def test_many_uses_end_in_an_error_and_not_in_a_hang(tmp_path: Path) -> None:
    files = {
        f"s{i}": f"hedgerow: 1\nname: s{i}\nuse: {{a: {{spec: s{i + 1}.yaml}}, b: {{spec: s{i + 1}.yaml}}}}\n"
        for i in range(30)
    }
    found = mistakes(tmp_path, "use: {a: {spec: s0.yaml}}", **files)
    assert {code for _, code, _ in found} == {"HR600"}


PING = """
hedgerow: 1
name: ping
events: {go: {}, ping: {}}
machine: {initial: s, states: {s: {on: {go: {do: {raise: ping}}}}}}
"""


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("use: {c: {spec: counter.yaml, params: {mst: 3}}}", "HR201", "`c` has no param `mst`"),
        (
            "use: {c: {spec: counter.yaml, params: {most: 0}}}",
            "HR304",
            "`most` of `c` is 0, which is outside its range",
        ),
        (
            "params: {k: {type: int, default: 0, range: [0, 3]}}\nuse: {c: {spec: counter.yaml, params: {most: k}}}",
            "HR304",
            "`most` of `c` is 0 with the defaults of this spec, which is outside its range",
        ),
        ("use: {c: {spec: counter.yaml, params: {most: 2.5}}}", "HR301", "`most` of `c` is an integer"),
        ("use: {c: {spec: counter.yaml, events: {gone: go}}}", "HR206", "`c` has no event `gone`"),
        ("use: {c: {spec: counter.yaml, events: {go: {tick: {by: 1}}}}}", "HR206", "unknown event `tick`"),
        (
            "events: {tick: {}}\nuse: {c: {spec: counter.yaml, events: {go: {tick: {}}}}}",
            "HR102",
            "`by` of `go` is missing",
        ),
        (
            "events: {tick: {}}\nuse: {c: {spec: counter.yaml, events: {go: {tick: {by: 1, bye: 2}}}}}",
            "HR101",
            "`go` of `c` has no field `bye`",
        ),
        (
            "events: {go: {by: {}}}\nuse: {c: {spec: counter.yaml}}",
            "HR602",
            "`go` has other fields in `c` than in this spec: `by` int in `1`, not `by` real in `1`",
        ),
        (
            "events: {go.fast: {}}\nuse: {c: {spec: counter.yaml}}",
            "HR602",
            "`c` would take `go.fast` for `go`, which is another event to it",
        ),
        ("use: {p: {spec: ping.yaml}}", "HR603", "`ping` is raised and not declared under `raises:`"),
        ("use: {c: {spec: counter.yaml}}\nparams: {c: {default: 1}}", "HR202", "`c` exists already"),
        (
            "use: {c: {spec: counter.yaml}}\nmachine: {initial: c, states: {c: {}}}",
            "HR202",
            "`c` is a region, and a state of this spec or the name of it too",
        ),
        (
            (
                "events: {tick: {}}\nuse: {c: {spec: counter.yaml, events: {go: {tick: {by: d.n}}}}, "
                "d: {spec: counter.yaml, events: {go: other}}}"
            ),
            "HR210",
            "`d.n` is not known yet on `tick`: `d` stands after `c`",
        ),
        ("use: {c: {spec: counter.yaml}}\nlet: {x: c.gone + 1}", "HR201", "unknown name `c.gone`"),
        ("use: {c: {spec: counter.yaml}}\nlet: {x: c.go.by + 1}", "HR201", "unknown name `c.go.by`"),
        ("use: {}", "HR102", "`machine` is missing"),
    ],
)
def test_a_mistake_in_a_use_is_told(tmp_path: Path, text: str, code: str, message: str) -> None:
    found = mistakes(tmp_path, text, ping=PING)
    assert [(one[1], one[2].startswith(message)) for one in found] == [(code, True)], found


# ------------------------------------------------------------------------------------------- parts beside one another

BOOK = """
hedgerow: 1
name: book
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [0.01, 1e6]}}, note: {}, calm: {}}
raises: [calm]
params: {share: {default: 0.5, range: [0, 1]}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.01, slippage: 0.002}}
legs: {held: {instrument: index, side: long, quantity: 1}}
observe:
  tick:
    pace: ewma(tick.price / previous(tick.price), decay=0.5, initial=1)
machine:
  initial: on
  fail_safe: halted
  states:
    on:
      initial: low
      on: {note: {name: stop, to: off, do: {close: held}}}
      states:
        before: {history: deep, default: low}
        low:
          on: {tick: {name: buy, if: pace > 1.01 and cash > 0, to: high, do: {increase: {held: share * 1 IDX}}}}
        high:
          on: {tick: {name: sell, if: pace < 0.99, to: low, do: [{reduce: {held: held.quantity / 2}}, {raise: calm}]}}
          every: {3d: {name: trim, if: held.quantity > 0.1 IDX, do: {reduce: {held: 0.05}}}}
    off: {after: {2d: {name: back, to: before}}}
    halted: {on: {note: {to: on}}}
invariants:
  kept: equity > 0
  quiet: implies(not ordered(), held.quantity == before.held.quantity)
report: {harvest: {sell: held.profit}}
"""


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize(
    "shape", ["", "machine: {parallel: true, states: {x: {}, y: {}}}", "machine: {initial: z, states: {z: {}}}"]
)
def test_each_part_of_a_composition_does_what_it_does_alone(tmp_path: Path, fill: FillMode, shape: str) -> None:
    text = "use: {a: {spec: book.yaml, events: {note: a_note}}, b: {spec: book.yaml, params: {share: 0.2}}}\n" + shape
    together = Twins(composed(tmp_path, text, book=BOOK).compile(fill=fill))
    book = load(tmp_path / "book.yaml")
    alone = {"a": Twins(book.compile(fill=fill)), "b": Twins(book.compile(fill=fill, share=0.2))}
    source, time, price = random.Random(5), 0, 100.0
    for _ in range(150):
        time += source.choice((1, DAY // 2, DAY, 4 * DAY))
        price = min(max(price * math.exp(source.gauss(0, 0.04)), 1.0), 1e5)
        event = source.choice(("tick", "tick", "tick", "tick", "note", "a_note"))
        if together.snapshot.configuration == () and event != "tick":
            continue
        fields = {"price": price} if event == "tick" else {}
        step = together.send(event, time, **fields)
        for name, twin in alone.items():
            theirs = {"a": {"a_note": "note", "tick": "tick"}, "b": {"note": "note", "tick": "tick"}}[name].get(event)
            own = twin.send(theirs, time, **fields) if theirs else twin.advance(time)
            prefix = f"{name}."
            assert [each.removeprefix(prefix) for each in step.fired if each.startswith(prefix)] == list(own.fired)
            assert [each[3:] for each in step.orders if each.leg.startswith(prefix)] == [
                each[3:] for each in own.orders
            ]
            assert [each.removeprefix(prefix) for each in step.broken if each.startswith(prefix)] == list(own.broken)
            for cell, value in twin.snapshot.cells.items():
                if not cell.startswith("report."):
                    assert together.value(prefix + cell) == value, (cell, event)
    harvest = sum(float(twin.value("report.harvest")) for twin in alone.values())
    assert float(together.value("report.harvest")) == pytest.approx(harvest, rel=1e-12)


def test_a_failing_guard_in_one_part_forbids_nothing_in_another(tmp_path: Path) -> None:
    fragile = """
hedgerow: 1
name: fragile
events: {tick: {price: {unit: USD/IDX}}}
units: [USD, IDX]
state: {x: {initial: 0}}
machine: {initial: on, fail_safe: off, states: {on: {on: {tick: {name: ran, if: 1 / x > 0}}}, off: {}}}
"""
    text = "use: {f: {spec: fragile.yaml}, b: {spec: book.yaml}}"
    machine = both(composed(tmp_path, text, fragile=fragile, book=BOOK))
    machine.send("tick", 0, price=100.0)
    step = machine.send("tick", 1, price=110.0)
    assert step.fired == ("b.buy",)
    assert [order.side for order in step.orders] == ["buy"]
    assert step.configuration == ("f.off", "b.high")


def test_a_used_spec_is_given_what_the_books_of_its_user_hold(tmp_path: Path) -> None:
    gauge = """
hedgerow: 1
name: gauge
units: [USD, IDX]
events: {mark: {value: {unit: USD}, price: {unit: USD/IDX}}}
capital: {USD: 1}
instruments: {copy: {unit: IDX, price: mark.price}}
legs: {one: {instrument: copy, side: long, quantity: 1}}
state: {first: {unit: USD, initial: mark.value}}
observe: {mark: {last: mark.value}}
machine: {initial: on, fail_safe: off, states: {on: {}, off: {}}}
"""
    text = """
units: [USD, IDX]
capital: {USD: 500}
events: {tick: {price: {unit: USD/IDX, range: [0.01, 1e6]}}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {own: {instrument: index, side: long, quantity: 2}}
state: {n: {initial: 7}}
use:
  b: {spec: book.yaml}
  g: {spec: gauge.yaml, events: {mark: {tick: {value: equity + b.equity + n * 1 USD, price: index.price * b.pace}}}}
machine: {initial: on, fail_safe: off, states: {on: {}, off: {}}}
"""
    machine = both(composed(tmp_path, text, book=BOOK, gauge=gauge))
    assert machine.send("tick", 0, price=100.0).rejected is None
    assert (machine.value("g.first"), machine.value("g.last")) == (1507.0, 1507.0)
    assert machine.value("g.copy.price") == 100.0
    assert machine.value("g.cash") == 1.0 - 100.0
    machine.send("tick", 1, price=120.0)
    # As it was observed, before the order of this event: 900 and 1 at 120 in the used book, 300 and 2 at 120 in the own one.
    assert machine.value("g.last") == 1020 + 540 + 7
    assert machine.value("g.copy.price") == 120.0 * float(machine.value("b.pace"))


def test_a_made_event_that_has_no_value_stops_its_own_part_only(tmp_path: Path) -> None:
    text = """
events: {tick: {x: {range: [0, 5]}}}
state: {y: {initial: 1}}
use: {a: {spec: counter.yaml, events: {go: {tick: {by: "2 if 1 / tick.x > 0 else 0"}}}}, b: {spec: counter.yaml}}
"""
    machine = both(composed(tmp_path, text))
    assert machine.send("tick", 0, x=1.0).fired == ("a.count",)
    step = machine.send("tick", 1, x=0.0)
    assert step.fired == ("fail_safe",)
    assert step.errors == ("observing `tick`: division by zero",)
    assert step.configuration == ("a.halted", "b.counting")
    assert machine.send("go", 2, by=1).fired == ("b.count",)


def test_events_whose_fields_stand_in_another_order_are_one_event(tmp_path: Path) -> None:
    speaker = """
hedgerow: 1
name: speaker
events: {say: {}, pair: {a: {}, b: {}}}
raises: [pair]
machine: {initial: on, states: {on: {on: {say: {do: {raise: {pair: {a: 1, b: 2}}}}}}}}
"""
    text = """
events: {pair: {b: {}, a: {}}}
state: {x: {initial: 0}}
use: {talk: {spec: speaker.yaml}}
machine: {initial: on, states: {on: {on: {pair: {name: heard, do: {set: {x: 10 * pair.a + pair.b}}}}}}}
"""
    machine = both(composed(tmp_path, text, speaker=speaker))
    assert machine.send("say", 0).fired == ("talk.on.say", "heard")
    assert machine.value("x") == 12.0


def test_a_composition_ends_when_its_parts_have_ended_also_one_that_is_parallel_itself(tmp_path: Path) -> None:
    pair = """
hedgerow: 1
name: pair
events: {go: {by: {type: int, range: [0, 5]}}}
machine:
  parallel: true
  states:
    p: {initial: x, states: {x: {on: {go: {to: y}}}, y: {final: true}}}
    q: {initial: z, states: {z: {on: {go: {if: go.by > 1, to: w}}}, w: {final: true}}}
"""
    spec = composed(
        tmp_path,
        "use: {u: {spec: pair.yaml}}\n"
        "machine: {initial: on, states: {on: {on: {done.state.u: {to: off}}}, off: {final: true}}}",
        pair=pair,
    )
    machine = both(spec)
    assert machine.send("go", 0, by=1).configuration == ("u.y", "u.z", "on")
    step = machine.send("go", 1, by=2)
    assert step.configuration == ("u.y", "u.w", "off")
    assert machine.machine.ended


def test_a_strategy_cannot_veto_a_breaker_by_an_order_of_nothing() -> None:
    text = """
hedgerow: 1
name: veto
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX}}}
instruments: {index: {unit: IDX, price: tick.price, lot: 1}}
legs: {held: {instrument: index, side: long, quantity: 5}}
let: {low: index.price < 90 USD / 1 IDX}
machine:
  parallel: true
  fail_safe: halted
  states:
    strategy:
      initial: s
      states: {s: {on: {tick: {name: nibble, if: low, do: {reduce: {held: AMOUNT}}}}}}
    breaker:
      initial: b
      states: {b: {on: {tick: {name: stop, if: low, to: z, do: {close: held}}}}, z: {}, halted: {}}
"""
    for amount in ("0.2", "1", "3"):
        machine = Twins(loads(text.replace("AMOUNT", amount)).compile())
        machine.send("tick", 0, price=100.0)
        step = machine.send("tick", 1, price=80.0)
        assert "stop" in step.fired
        assert machine.value("held.quantity") == 0.0


def test_an_eventless_transition_that_fails_is_not_tried_again_and_undoes_nothing_else() -> None:
    text = """
hedgerow: 1
name: stubborn
events: {go: {}}
state: {x: {initial: 0}, n: {initial: 0}}
machine:
  parallel: true
  states:
    one:
      initial: a
      states: {a: {always: {name: bad, if: In(d), do: {set: {x: 1 / x}}}, on: {error.execution: {name: seen}}}}
    two: {initial: c, states: {c: {on: {go: {name: stop, to: d, do: {set: {n: n + 1}}}}}, d: {}}}
"""
    machine = Twins(loads(text).compile())
    step = machine.send("go", 0)
    assert step.fired == ("stop", "seen")
    assert step.errors == ("`bad`: division by zero",)
    assert (step.configuration, machine.value("n")) == (("a", "d"), 1.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            (
                "events: {tick: {}}\nuse: {c: {spec: counter.yaml, events: {go: {tick: {by: 1}}}}}\n"
                "machine: {initial: on, states: {on: {always: {if: c.n > 3, do: {raise: tick}}}}}"
            ),
            "HR605",
        ),
        (
            "events: {tick: {}}\nuse: {c: {spec: counter.yaml, events: {full: {tick: {}}}}}",
            "HR605",
        ),
        (
            "use: {b: {spec: book.yaml}, e: {spec: euros.yaml, events: {tick: tock, calm: e_calm}}}",
            "HR606",
        ),
        ("use: {c: {spec: counter.yaml}}\nmachine: {initial: main, states: {main: {}}}", "HR202"),
        ("use: {report: {spec: counter.yaml}}", "HR211"),
        ("use: {machine: {spec: counter.yaml}}", "HR211"),
        (
            "use: {c: {spec: counter.yaml, events: {go: push, full: push.full}}}",
            "HR602",
        ),
        (
            (
                "events: {n: {x: {}}}\nuse: {c: {spec: counter.yaml}}\n"
                "machine: {initial: on, states: {on: {on: {go: {do: {raise: {n: {x: 1}}, after: 1s, id: c}}}}}}"
            ),
            "HR202",
        ),
        (
            (
                "units: [USD, IDX]\ncapital: {USD: 5}\nevents: {tick: {price: {unit: USD/IDX}}}\n"
                "instruments: {index: {unit: IDX, price: tick.price}}\nuse: {b: {spec: book.yaml}}\n"
                "legs: {own: {instrument: index, side: long, quantity: b.held.quantity}}\n"
                "machine: {initial: on, fail_safe: off, states: {on: {}, off: {}}}"
            ),
            "HR210",
        ),
    ],
)
def test_what_cannot_be_together_is_told(tmp_path: Path, text: str, code: str) -> None:
    euros = BOOK.replace("USD", "EUR")
    found = mistakes(tmp_path, text, book=BOOK, euros=euros)
    assert code in {each for _, each, _ in found}, found


@pytest.mark.parametrize("used", [True, False])
def test_a_region_that_leaves_its_whole_spec_leaves_no_other(tmp_path: Path, used: bool) -> None:
    breaker = """
hedgerow: 1
name: breaker
events: {trip: {}}
machine: {initial: closed, states: {closed: {on: {trip: {to: open}}}, open: {after: {1d: {to: closed}}}}}
"""
    chart = "machine: {parallel: true, states: {r1: {on: {tick: {name: again, to: r1}}}, r2: {}}}\n"
    pair = "hedgerow: 1\nname: pair\nevents: {tick: {}}\n" + chart
    text = "use: {b: {spec: breaker.yaml}, p: {spec: pair.yaml}, q: {spec: pair.yaml}}"
    own = "events: {tick: {}}\nuse: {b: {spec: breaker.yaml}}\n" + chart
    machine = both(composed(tmp_path, text if used else own, breaker=breaker, pair=pair))
    machine.send("trip", 0)
    step = machine.send("tick", 1)
    assert step.fired == (("p.again", "q.again") if used else ("again",))
    assert step.configuration[0] == "b.open"


PRICED = """
hedgerow: 1
name: priced
events: {go: {}, EVENT: {k: {type: int, range: [0, 3]}}}
raises: [EVENT]
machine: {initial: on, states: {on: {on: {go: {do: {raise: {EVENT: {k: 1}}}}, EVENT: {}}}}}
"""


@pytest.mark.parametrize(
    ("event", "text", "code"),
    [
        ("x", "params: {x: {default: 1}}\nuse: {p: {spec: priced.yaml}}", "HR202"),
        ("alarm", "use: {p: {spec: priced.yaml, events: {alarm: equity}}}", "HR211"),
        ("alarm", "use: {p: {spec: priced.yaml, events: {alarm: p}}}", "HR202"),
        ("alarm", "events: {p.go: {}}\nuse: {p: {spec: priced.yaml}}", "HR202"),
        ("alarm", "events: {alarm: {k: {type: int, range: [0, 9]}}}\nuse: {p: {spec: priced.yaml}}", "HR602"),
        ("alarm", "params: {big: {default: 1e308}}\nuse: {c: {spec: scaled.yaml, params: {p: big * 10}}}", "HR304"),
    ],
)
def test_a_name_or_a_range_that_means_two_things_is_told(tmp_path: Path, event: str, text: str, code: str) -> None:
    scaled = (
        "hedgerow: 1\nname: scaled\nparams: {p: {default: 1, range: [0, 9]}}\nmachine: {initial: a, states: {a: {}}}\n"
    )
    found = mistakes(tmp_path, text, priced=PRICED.replace("EVENT", event), scaled=scaled)
    assert code in {each for _, each, _ in found}, found


def test_specs_are_counted_by_what_they_become_and_not_by_their_files(tmp_path: Path) -> None:
    files = {
        f"s{i}": f"hedgerow: 1\nname: s{i}\nuse: {{{', '.join(f'u{k}: {{spec: s{i + 1}.yaml}}' for k in range(6))}}}\n"
        for i in range(5)
    }
    files["s5"] = "hedgerow: 1\nname: s5\nmachine: {initial: a, states: {a: {}}}\n"
    found = mistakes(tmp_path, "use: {a: {spec: s0.yaml}}", **files)
    assert {code for _, code, _ in found} == {"HR600"}


def test_who_uses_a_spec_that_raises_need_not_declare_it_again(tmp_path: Path) -> None:
    middle = "hedgerow: 1\nname: middle\nuse: {c: {spec: counter.yaml}}\n"
    machine = both(composed(tmp_path, "use: {m: {spec: middle.yaml, params: {c.most: 2}}}", middle=middle))
    assert machine.send("go", 0, by=2).raised == (
        "full",
        "done.state.m.c",
        "done.state.m.machine",
        "done.state.m",
    )
