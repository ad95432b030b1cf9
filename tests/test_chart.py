"""Statecharts as they are written: what can be active together, what one step or two regions would do twice, timers.

What must be refused is found here by brute force: a chart is small enough to list all its configurations.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.ir import NEVER, Assign
from hedgerow.engine.load import loads
from hedgerow.engine.modes import timer_delays
from hedgerow.engine.printer import expression_text

# --- mistakes, each told once where it is written ---

HEAD = """hedgerow: 1
name: charted
units: [USD]
events: {tick: {x: {}}, tick.fast: {y: {}}, stop: {}, alarm: {loss: {unit: USD}}}
params: {wait: {default: 10, unit: s, range: [0, 100]}}
state: {n: {initial: 0}}
"""

PAIR = "r: {initial: a, states: {a: {}, b: {}}}, s: {initial: c, states: {c: {}, d: {}}}"
PARALLEL = f"parallel: true, states: {{{PAIR}}}"
DEEP = "h: {history: deep, default: b}"


def states(text: str) -> str:
    """Return a machine of these states, which starts in `a`."""
    return f"machine: {{initial: a, states: {{{text}}}}}"


def alone(text: str) -> str:
    """Return a machine of one state that has these keys."""
    return states(f"a: {{{text}}}")


def outer(text: str) -> str:
    """Return a machine of a state `a` with `b` and these states in it."""
    return alone(f"initial: b, states: {{b: {{}}, {text}}}")


MISTAKES = {
    # what is entered
    "no way in": ("HR102", "‹machine›: {states: {a: {}}}"),
    "no way in below": ("HR405", states("‹a›: {states: {b: {}}}")),
    "a first state elsewhere": ("HR205", states("a: {initial: ‹b›, states: {c: {}}}, b: {}")),
    "a first state of no states": ("HR205", states("a: {initial: ‹b›}, b: {}")),
    "a first state of itself": ("HR205", alone("initial: {to: ‹a›}, states: {b: {}}")),
    "an unknown state of several": ("HR205", "machine: {initial: [a, ‹x›], states: {a: {}}}"),
    "two states of one": ("HR412", "machine: {initial: [a, ‹b›], states: {a: {}, b: {}}}"),
    "two states in one of two": ("HR412", states(f"o: {{initial: [q, ‹a›], states: {{q: {{{PARALLEL}}}}}}}")),
    "one state twice": ("HR412", alone("on: {stop: {to: [a, ‹a›]}}")),
    "a state and what is in it": ("HR412", states(f"p: {{on: {{stop: {{to: [d, ‹s›]}}}}, {PARALLEL}}}")),
    # parallel states
    "a first of several regions": ("HR414", f"machine: {{‹initial›: r, {PARALLEL}}}"),
    "a first region below": ("HR414", states(f"p: {{‹initial›: [a], {PARALLEL}}}")),
    "a region that is final": ("HR414", "machine: {parallel: true, states: {a: {}, ‹b›: {final: true}}}"),
    "no regions": ("HR414", states("‹a›: {parallel: true}")),
    "a region called as the chart": ("HR211", "machine: {parallel: true, states: {a: {}, ‹machine›: {}}}"),
    "a state called as the chart": ("HR211", states("a: {}, ‹machine›: {}")),
    "nothing but a state called as the chart": ("HR211", "machine: {initial: machine, states: {‹machine›: {}}}"),
    "two states of one name": ("HR202", states("a: {initial: b, states: {b: {}}}, ‹b›: {}")),
    # history
    "history of the machine": ("HR415", states("a: {}, ‹h›: {history: deep, default: a}")),
    "history without default": ("HR415", outer("‹h›: {history: deep}")),
    "history that acts": ("HR415", outer("h: {history: deep, default: b, ‹entry›: {set: {n: 1}}}")),
    "history that leads away": ("HR205", outer("h: {history: deep, default: ‹a›}")),
    "history of itself": ("HR415", outer("h: {history: deep, default: ‹h›}")),
    "history in a circle": ("HR415", outer(f"{DEEP}, i: {{history: shallow, default: [‹h›]}}")),
    "history of nothing": ("HR415", states("‹a›: {states: {h: {history: deep, default: h}}}")),
    "history beside what it remembers": ("HR412", outer(f"{DEEP}, c: {{on: {{stop: {{to: [h, ‹b›]}}}}}}")),
    "a default of no history": ("HR415", alone("‹default›: a")),
    "being in a history state": ("HR205", outer(f"{DEEP}, c: {{on: {{stop: {{if: In(‹h›)}}}}}}")),
    "history with a state that writes": (
        "HR415",
        outer("h: {history: deep, default: b, ‹states›: {d: {entry: {set: {n: 1}}}}}"),
    ),
    # final and fail-safe states
    "a final state with a timer": ("HR410", alone("final: true, ‹after›: {1s: {to: a}}")),
    "a final state that is parallel": ("HR410", alone("final: true, ‹parallel›: true")),
    "a fail-safe of an atomic state": ("HR406", alone("‹fail_safe›: a")),
    "a fail-safe outside": ("HR406", states("a: {initial: b, fail_safe: ‹c›, states: {b: {}}}, c: {}")),
    "a fail-safe with states in it": ("HR406", "machine: {fail_safe: ‹r›, " + PARALLEL + "}"),
    "an unknown fail-safe below": ("HR205", alone("initial: b, fail_safe: ‹bb›, states: {b: {}}")),
    # events
    "an unknown event of several": ("HR206", alone("on: {'stop ‹tack› tick': {to: a}}")),
    "no event": ("HR206", alone("on: {‹' '›: {to: a}}")),
    "the end of a state without states": ("HR206", alone("on: {‹done.state.a›: {to: a}}")),
    "the event of a timer": ("HR206", alone("on: {‹after.a.1›: {to: a}}, after: {1s: {to: a}}")),
    "a field of one of two events": ("HR204", alone("on: {'tick.fast stop': {if: ‹tick.fast.y› > 0, to: a}}")),
    "a field of one of two that match": ("HR204", alone("on: {tick: {if: ‹tick.x› > 0, to: a}}")),
    "a field beside the engine's events": ("HR204", alone("on: {'tick.fast error': {if: ‹tick.fast.y› > 0, to: a}}")),
    "a field on a timer": ("HR204", alone("after: {1s: {if: ‹tick.x› > 0, to: a}}")),
    "a delayed event that there is none of": ("HR206", alone("entry: {raise: ‹later›, after: 1s}")),
    # timers
    "a delay below 0": ("HR304", alone("after: {‹-1s›: {to: a}}")),
    "a period of 0": ("HR304", alone("every: {‹0s›: {do: {set: {n: 1}}}}")),
    "a period below the clock": ("HR304", alone("every: {‹0.4ns›: {do: {set: {n: 1}}}}")),
    "a delay without a value": ("HR304", alone("after: {‹1s / (2 - 2)›: {to: a}}")),
    "a delay of no time": ("HR302", alone("after: {‹'1 USD'›: {to: a}}")),
    "a delay of a cell": ("HR210", alone("after: {'wait + ‹n› * 1s': {to: a}}")),
    "a delay of an unknown": ("HR201", alone("every: {'2 * ‹weight›': {to: a}}")),
    "a delay cut short": ("HR110", alone("after: {'wait *‹›': {to: a}}")),
    "an unknown state after a while": ("HR205", alone("after: {1s: [{if: n > 0, to: a}, {to: ‹x›}]}")),
    "a wrong transition after a while": ("HR103", alone("after: {1s: ‹5›, 2s: {to: a}}")),
    "a wrong transition before others": (
        "HR103",
        alone("on: {stop: [‹5›, {name: go, if: n > 0, to: a}]}, always: {if: since(go) > 1s, to: a}"),
    ),
    # delayed events
    "a delayed event in the past": ("HR304", alone("entry: {raise: stop, after: ‹-1m›}")),
    "a delay of a number": ("HR302", alone("entry: {raise: stop, after: ‹n›}")),
    "an id of what comes at once": ("HR102", alone("entry: {raise: stop, ‹id›: late}")),
    "an id of two events": (
        "HR416",
        alone("entry: {raise: stop, after: 1s, id: late}, exit: {raise: {tick: {x: 1}}, after: 1s, id: ‹late›}"),
    ),
    "an id that is a cell": ("HR202", alone("entry: {raise: stop, after: 1s, id: ‹n›}")),
    "an id that is another event": ("HR202", alone("entry: {raise: stop, after: 1s, id: ‹alarm›}")),
    "an id that is a word": ("HR211", alone("entry: {raise: stop, after: 1s, id: ‹time›}")),
    "an id that is a unit": ("HR211", alone("entry: {raise: stop, after: 1s, id: ‹USD›}")),
    "nothing to cancel": ("HR214", alone("entry: {raise: stop, after: 1s}, exit: {cancel: ‹stopp›}")),
    "nothing late to cancel": ("HR214", alone("entry: {raise: stop}, exit: {cancel: ‹stop›}")),
    "a late event without its field": ("HR102", alone("entry: {raise: ‹alarm›, after: 1s}, exit: {cancel: alarm}")),
    # what does not fit the model is told once
    "a delay of the wrong shape": (
        "HR103",
        alone("entry: {raise: stop, after: ‹[1]›, id: late}, exit: {cancel: late}"),
    ),
    "states of the wrong shape": ("HR103", alone("initial: b, on: {stop: {to: c}}, states: ‹[b, c]›")),
    "parallel or not": ("HR103", alone("parallel: ‹5›, states: {b: {}}")),
    "history or not": ("HR104", outer("h: {history: ‹long›, default: b}")),
}


def findings(text: str) -> list[tuple[str, int, int]]:
    """Return (code, line, column) of every error of a spec."""
    try:
        loads(text)
    except SpecError as error:
        return [(d.code, d.span.line, d.span.column) for d in error.diagnostics]
    return []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_once_where_it_is_written(name: str) -> None:
    code, machine = MISTAKES[name]
    plain = machine.replace("‹", "").replace("›", "")
    try:
        loads(HEAD + plain + "\n")
    except SpecError as error:
        found = [(d.code, d.span.line, d.span.column, d.span.end_column) for d in error.diagnostics]
    else:
        found = []
    column = machine.index("‹") + 1
    end = machine.index("›")
    line = HEAD.count("\n") + 1
    if end == column:  # where something is missing, what comes next, or the end, is underlined
        assert [each[:3] for each in found] == [(code, line, column)]
    else:
        assert found == [(code, line, column, end)]


GOOD = {
    "a parallel machine": f"machine: {{fail_safe: a, {PARALLEL}}}",
    "several first states": f"machine: {{initial: [b, d], states: {{p: {{{PARALLEL}}}}}}}",
    "a first state deep inside": alone("initial: [c], states: {b: {initial: {to: c}, states: {c: {}}}}"),
    "a first state that is history": alone(f"initial: h, states: {{b: {{}}, {DEEP}}}"),
    "history of a parallel state": states(
        "a: {on: {stop: {to: h}}}, p: {parallel: true, states: {r: {}, s: {}, h: {history: shallow, default: [r, s]}}}"
    ),
    "history beside a state": alone(
        "on: {stop: {to: [h, d]}}, parallel: true, "
        f"states: {{r: {{initial: b, states: {{b: {{}}, {DEEP}}}}}, s: {{initial: c, states: {{c: {{}}, d: {{}}}}}}}}"
    ),
    "a default that is the history of a state inside": outer(
        "c: {initial: d, states: {d: {}, i: {history: deep, default: d}}}, h: {history: deep, default: i}"
    ),
    "the end of a parallel state": f"machine: {{initial: p, states: {{p: {{on: {{done.state.p: {{}}}}, {PARALLEL}}}}}}}",
    "a field of the only event": alone("on: {tick.fast: {if: tick.fast.y > 0}, tick.fast.*: {if: tick.fast.y > 0}}"),
    "several events and all": alone("on: {'tick stop error.* *': {to: a}}"),
    "observing an event of two words": alone("")
    + "\nobserve: {tick.fast: {n: tick.fast.y + previous(tick.fast.y) + elapsed(tick.fast) / 1s}}",
    "a delay of 0": alone("after: {0s: {to: a}}"),
    "a number of seconds": alone("after: {'30': {to: a}}, every: {wait: {}}"),
    "a delay from a field": alone("on: {tick.fast: {do: {raise: stop, after: abs(tick.fast.y) * wait}}}"),
    "one id in two places": alone("entry: {raise: stop, after: 1s}, exit: [{raise: stop, after: 2s}, {cancel: stop}]"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_accepted(name: str) -> None:
    assert findings(HEAD + GOOD[name] + "\n") == []


@pytest.mark.parametrize("event", ["after", "every.day", "error.mine", "done.state", "before.x", "time.out"])
def test_an_event_does_not_take_the_first_word_of_the_engines_events_or_of_the_language(event: str) -> None:
    text = f"hedgerow: 1\nname: x\nevents: {{{event}: {{}}}}\nmachine: {{initial: a, states: {{a: {{}}}}}}\n"
    assert findings(text) == [("HR211", 3, 10)]


# --- charts by brute force ---


@dataclass(frozen=True)
class Node:
    """A state of a random chart; `children` of a parallel one are regions."""

    name: str
    kind: str
    children: tuple[Node, ...] = ()

    def all(self) -> Iterable[Node]:
        yield self
        for child in self.children:
            yield from child.all()

    def configurations(self) -> list[frozenset[str]]:
        """Return every set of states that can be active in this one."""
        inside = [child.configurations() for child in self.children]
        if self.kind == "parallel":
            found = [frozenset().union(*parts) for parts in itertools.product(*inside)]
        else:
            found = [each for parts in inside for each in parts] or [frozenset()]
        return [each | {self.name} for each in found]


@st.composite
def trees(draw: st.DrawFn) -> Node:
    """A chart of at most 12 states below a root that is compound."""
    names = (f"s{index}" for index in itertools.count())
    left = [12]

    def node(depth: int, name: str) -> Node:
        kind = "compound" if depth == 0 else draw(st.sampled_from(("atomic", "atomic", "compound", "parallel")))
        count = draw(st.integers(2 if depth == 0 else 1, 3)) if depth < 4 and kind != "atomic" else 0
        count = min(count, left[0])
        left[0] -= count
        children = tuple(node(depth + 1, next(names)) for _ in range(count))
        return Node(name, kind if children else "atomic", children)

    return node(0, "")


class Chart:
    """A random chart, and what happens in it, worked out without the engine."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.nodes = {node.name: node for node in root.all()}
        self.parent = {child.name: node.name for node in root.all() for child in node.children}
        self.names = [name for name in self.nodes if name]
        self.atoms = [name for name in self.names if self.nodes[name].kind == "atomic"]
        self.configurations = root.configurations()

    def around(self, name: str) -> list[str]:
        found = []
        while name:
            name = self.parent[name]
            found.append(name)
        return found

    def written(self, keys: dict[str, str], node: Node | None = None) -> str:
        """Return the states as YAML, with what is said of each besides."""
        node = self.root if node is None else node
        inside = ", ".join(f"{child.name}: {self.written(keys, child)}" for child in node.children)
        states = f"states: {{{inside}}}" if inside else ""
        first = f"initial: {node.children[0].name}" if node.kind == "compound" else ""
        parallel = "parallel: true" if node.kind == "parallel" else ""
        return "{" + ", ".join(filter(None, (first, parallel, keys.get(node.name, ""), states))) + "}"

    def together(self, names: list[str]) -> bool:
        """Return whether states are a legal specification: some configuration has them, and none is inside another."""
        apart = not any(a in self.around(b) or a == b for a, b in itertools.permutations(names, 2))
        distinct = len(set(names)) == len(names)
        return distinct and apart and any(active.issuperset(names) for active in self.configurations)

    def domain(self, source: str, target: str, internal: bool) -> str:
        if internal and self.nodes[source].kind == "compound" and source in self.around(target):
            return source
        shared = [name for name in self.around(source) if name in self.around(target)]
        return next(name for name in shared if self.nodes[name].kind == "compound")

    def entered(self, target: str, domain: str) -> set[str]:
        """Return what is entered on the way from a domain to a target: the smallest whole configuration with it."""
        path = [target, *self.around(target)]
        found = set(path[: path.index(domain)])
        while True:
            more = set[str]()
            for node in map(self.nodes.__getitem__, found):
                children = [child.name for child in node.children]
                if node.kind == "parallel":
                    more |= set(children)
                elif children and not found & set(children):
                    more.add(children[0])
            if more <= found:
                return found
            found |= more


@settings(max_examples=150)
@given(trees(), st.data())
def test_targets_are_accepted_where_some_configuration_has_them_all(root: Node, data: st.DataObject) -> None:
    chart = Chart(root)
    names = data.draw(st.lists(st.sampled_from(chart.names), min_size=1, max_size=3))
    source = data.draw(st.sampled_from(chart.names))
    keys = {source: f"on: {{stop: {{to: [{', '.join(names)}]}}}}"}
    found = {code for code, *_ in findings(f"{HEAD}machine: {chart.written(keys)}\n")}
    assert found == (set() if chart.together(names) else {"HR412"})


BOOKS = """hedgerow: 1
name: ordering
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 9]}}, stop: {}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {one: {instrument: index, side: long}, two: {instrument: index, side: long}}
"""


@settings(max_examples=200)
@given(trees(), st.data())
def test_a_leg_is_ordered_twice_where_some_configuration_would_order_it_twice(root: Node, data: st.DataObject) -> None:
    chart = Chart(root)
    kinds = st.sampled_from(("entry", "exit"))
    orders = data.draw(st.lists(st.tuples(kinds, st.sampled_from(chart.names)), min_size=1, max_size=3, unique=True))
    entry, exit = (
        {name: "one" if (kind, name) in orders else "" for name in chart.names} for kind in ("entry", "exit")
    )
    action = data.draw(st.sampled_from(("", "", "", "one")))
    inner = [name for name in chart.names if chart.parent[name]]
    target = data.draw(st.sampled_from([*chart.names, *inner]))
    internal = data.draw(st.booleans())
    around = [name for name in chart.around(target) if name]
    source = data.draw(st.sampled_from(around if internal and around else chart.names))
    safe = data.draw(st.sampled_from(chart.atoms))

    steps = [[entry[name] for name in chart.entered(root.children[0].name, "")]]
    domain = chart.domain(source, target, internal)
    for active in chart.configurations:
        if source in active:
            left = [exit[name] for name in active if domain in chart.around(name)]
            steps.append([*left, action, *(entry[name] for name in chart.entered(target, domain))])
        if safe not in active:
            around = next(n for n in chart.around(safe) if n in active and chart.nodes[n].kind == "compound")
            left = [exit[name] for name in active if around in chart.around(name)]
            steps.append([*left, *(entry[name] for name in chart.entered(safe, around))])
    twice = any(count > 1 for step in steps for leg, count in Counter(step).items() if leg)

    keys = dict.fromkeys(chart.names, "")
    for name in chart.names:
        parts = [f"{key}: {{close: {legs[name]}}}" for key, legs in (("entry", entry), ("exit", exit)) if legs[name]]
        if name == source:
            do = f", do: {{close: {action}}}" if action else ""
            parts.append(f"on: {{stop: {{to: {target}, internal: {str(internal).lower()}{do}}}}}")
        keys[name] = ", ".join(parts)
    machine = chart.written({**keys, "": f"fail_safe: {safe}"})
    assert {code for code, *_ in findings(f"{BOOKS}machine: {machine}\n")} == ({"HR403"} if twice else set())


@settings(max_examples=150)
@given(trees(), st.data())
def test_regions_that_write_one_cell_are_refused_and_other_states_are_not(root: Node, data: st.DataObject) -> None:
    chart = Chart(root)
    writers = {name: data.draw(st.sampled_from(("", "", "", "entry", "exit", "do"))) for name in chart.names}
    keys = {}
    for name, where in writers.items():
        step = "{set: {n: 1}}"
        keys[name] = f"on: {{stop: {{do: {step}}}}}" if where == "do" else f"{where}: {step}" if where else ""

    def apart(a: str, b: str) -> bool:
        """Return whether two states lie in different regions of one parallel state."""
        first, second = ([name, *chart.around(name)] for name in (a, b))
        common = next(name for name in first if name in second)
        return common not in (a, b) and chart.nodes[common].kind == "parallel"

    wrong = any(apart(a, b) for a, b in itertools.combinations((n for n in writers if writers[n]), 2))
    found = {code for code, *_ in findings(f"{HEAD}machine: {chart.written(keys)}\n")}
    assert found == ({"HR413"} if wrong else set())


RESTORED = """machine:
  initial: out
  fail_safe: out
  states:
    out: {on: {stop: {to: KIND, do: {close: one}}}}
    around:
      initial: first
      states:
        shallow: {history: shallow, default: first}
        deep: {history: deep, default: first}
        first: {}
        second:
          initial: third
          states: {third: {ENTRY}, fourth: {OTHER}}
"""


@pytest.mark.parametrize("kind", ["shallow", "deep"])
def test_what_history_may_bring_back_counts_as_entered(kind: str) -> None:
    order = "entry: {close: one}"
    text = BOOKS + RESTORED.replace("KIND", kind)
    line = text[: text.index("ENTRY")].count("\n") + 1
    column = text.splitlines()[line - 1].index("ENTRY") + len("entry: {close: ") + 1
    assert findings(text.replace("ENTRY", order).replace("OTHER", "")) == [("HR403", line, column)]
    assert findings(text.replace("ENTRY", "").replace("OTHER", "exit: {close: one}")) == []


def test_a_conflict_of_regions_names_both_places() -> None:
    text = HEAD + "actions: {count: {set: {n: n + 1}}}\nmachine:\n  parallel: true\n  states:\n"
    text += "    r: {initial: a, states: {a: {exit: count}}}\n    s: {on: {stop: {do: [{let: {m: 1}}, count]}}}\n"
    with pytest.raises(SpecError) as caught:
        loads(text, "s.yaml")
    (found,) = caught.value.diagnostics
    assert found.message == "the regions `r` and `s` both write `n`: here and at s.yaml:11:40"
    assert (found.code, found.span.line, found.span.column) == ("HR413", 12, 25)
    assert found.help == "let `r` alone write it, on an event that `s` raises"


# --- what the program is ---

TIMED = """machine:
  initial: a
  states:
    a:
      every: {1d: {name: daily, do: {set: {n: n + 1}}}, 2 * wait: {}}
      on:
        tick.fast: {do: [{raise: {alarm: {loss: 5}}, after: n * 1s, id: late}, {cancel: late}]}
      after: {30m: [{if: n > 3, to: b}, {to: a}], wait: {to: b}}
    b: {after: {1h: {to: a}}, exit: {raise: stop, after: 1m}}
"""


def assignments(block: tuple[object, ...]) -> dict[str, str]:
    return {name: expression_text(value) for each in block if isinstance(each, Assign) for name, value in each.targets}


def test_timers_stand_in_the_order_of_the_file() -> None:
    program = loads(HEAD + TIMED).program()
    assert [(timer.name, timer.event, timer.due) for timer in program.timers] == [
        ("every.a.1", "every.a.1", "due(every.a.1)"),
        ("every.a.2", "every.a.2", "due(every.a.2)"),
        ("late", "alarm", "due(late)"),
        ("after.a.1", "after.a.1", "due(after.a.1)"),
        ("after.a.2", "after.a.2", "due(after.a.2)"),
        ("after.b.1", "after.b.1", "due(after.b.1)"),
        ("stop", "stop", "due(stop)"),
    ]
    periods = [None if timer.period is None else expression_text(timer.period) for timer in program.timers]
    assert periods == ["86400", "(2 * wait)", None, None, None, None, None]
    assert [timer.fields for timer in program.timers if timer.fields] == [(("alarm.loss", "late.loss"),)]


def test_a_state_arms_its_timers_and_disarms_them() -> None:
    state = loads(HEAD + TIMED).program().state("a")
    assert assignments(state.stamp) == {
        "due(after.a.1)": "due(now, 1800)",
        "due(after.a.2)": "due(now, wait)",
        "due(every.a.1)": "due(now, 86400)",
        "due(every.a.2)": "due(now, (2 * wait))",
    }
    assert assignments(state.leave) == dict.fromkeys(assignments(state.stamp), "never")


def test_a_delayed_event_is_kept_in_cells_and_a_cancelled_one_is_not_due() -> None:
    program = loads(HEAD + TIMED).program()
    (rule,) = (rule for rule in program.rules if rule.name == "a.tick.fast")
    raised, cancelled = (assignments((each,)) for each in rule.action)
    assert raised == {"due(late)": "due(now, (n * 1))", "late.loss": "5"}
    assert cancelled == {"due(late)": "never"}
    kept = {cell.name: (cell.type, cell.unit, cell.initial) for cell in program.cells if cell.kind == "timer"}
    assert kept["late.loss"] == ("real", "USD", Fraction(0))
    assert kept["due(late)"] == ("int", "ns", NEVER)
    assert len(kept) == 8


def test_transitions_of_timers_are_named_by_state_and_place() -> None:
    program = loads(HEAD + TIMED).program()
    assert [(rule.name, rule.events) for rule in program.rules] == [
        ("a.tick.fast", ("tick.fast",)),
        ("a.after.1.1", ("after.a.1",)),
        ("a.after.1.2", ("after.a.1",)),
        ("a.after.2", ("after.a.2",)),
        ("daily", ("every.a.1",)),
        ("a.every.2", ("every.a.2",)),
        ("b.after.1", ("after.b.1",)),
    ]


def test_the_delays_of_a_program_are_listed_with_the_least_allowed() -> None:
    listed = [
        (name, expression_text(delay), least) for name, delay, least in timer_delays(loads(HEAD + TIMED).program())
    ]
    assert listed == [
        ("after.a.1", "1800", 0),
        ("after.a.2", "wait", 0),
        ("every.a.1", "86400", Fraction(1, 10**9)),
        ("every.a.2", "(2 * wait)", Fraction(1, 10**9)),
        ("after.b.1", "3600", 0),
    ]


def test_an_action_that_nothing_runs_arms_no_timer() -> None:
    machine = "machine: {initial: a, states: {a: {}}}\nactions: {idle: [{raise: stop, after: 1s}, {cancel: stop}]}\n"
    program = loads(HEAD + machine).program()
    assert program.timers == ()
    assert [cell.name for cell in program.cells] == ["n"]


def test_a_parallel_machine_is_a_parallel_state_around_its_regions() -> None:
    program = loads(f"{HEAD}machine: {{parallel: true, states: {{{PAIR}}}}}\n").program()
    assert program.initial == ("machine",)
    assert [(state.name, state.parent, state.kind) for state in program.states][:3] == [
        ("machine", None, "parallel"),
        ("r", "machine", "compound"),
        ("a", "r", "atomic"),
    ]
    assert [(region.root, region.leaves) for region in program.regions] == [
        (None, ("machine",)),
        ("r", ("a", "b")),
        ("s", ("c", "d")),
    ]


def test_what_leads_in_by_itself_has_its_own_block() -> None:
    machine = "machine: {initial: a, states: {a: {initial: {to: [h], do: {set: {n: 1}}}, states: {b: {},"
    machine += " h: {history: deep, default: {to: b, do: {set: {n: 2}}}}}}}}\n"
    program = loads(HEAD + machine).program()
    outer, history = program.state("a"), program.state("h")
    assert (outer.initial, assignments(outer.initially)) == (("h",), {"n": "1"})
    assert (history.kind, history.deep, history.initial, assignments(history.initially)) == (
        "history", True, ("b",), {"n": "2"},
    )  # fmt: skip


def test_borrow_is_charged_from_a_cell_that_holds_when_it_last_was() -> None:
    books = BOOKS.replace("price: tick.price}", "price: tick.price, borrow: 0.1 / 365d}")
    machine = "machine: {initial: a, fail_safe: a, states: {a: {}}}\n"
    long_only = loads(books + machine).program()
    assert long_only.accrue == ()
    assert "accrued" not in {cell.name for cell in long_only.cells}
    program = loads(books.replace("side: long}}", "side: short}}") + machine).program()
    (accrued,) = (cell for cell in program.cells if cell.name == "accrued")
    assert (accrued.type, accrued.unit, accrued.kind, accrued.initial) == ("int", "ns", "ledger", 0)
    first, *_, last = program.accrue
    assert expression_text(first.value) == "seconds(now - accrued)"  # type: ignore[union-attr]  # it is a let
    assert assignments((last,)) == {"accrued": "now"}
    assert assignments(program.parts[0].begin) == {"accrued": "now"}
