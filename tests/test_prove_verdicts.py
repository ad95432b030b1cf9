"""Verdicts on small specs: what holds is proved, what does not is refuted by events that show it, and nothing else."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hedgerow.cli.main import main
from hedgerow.engine.evaluate import EXACT
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.prove.result import Counterexample, Proof, Result
from hedgerow.engine.semantics import Reference

pytest.importorskip("z3", reason="the solver is in the extra `prove`")

SECONDS = 2.0


def proof_of(spec: Spec, *only: str, fill: str = "same") -> dict[str, Result]:
    """Return the results by name; those of states and transitions stand under theirs."""
    proof: Proof = prove(spec, only=only, workers=1, seconds=SECONDS, fill=fill)  # type: ignore[arg-type]
    return {result.name: result for result in proof.results}


def written(body: str) -> str:
    return "hedgerow: 1\nname: small\n" + textwrap.dedent(body).strip("\n") + "\n"


def breaks(spec: Spec, found: Counterexample, name: str, drop: int | None = None) -> bool:
    """Return whether the events of a counterexample break an invariant, without one of them if that is said."""
    values = {each.name: each.default for each in spec.program().parameters} | dict(found.parameters)
    reference = Reference(spec.program(), values, spec.registry, EXACT)
    snapshot, broken = reference.initial(), False
    for index, sent in enumerate(found.events):
        if index != drop:
            snapshot, step = reference.step(snapshot, sent.event, sent.time_ns, sent.values)
            broken = broken or name in step.broken
    return broken


COUNTER = """
events: {up: {}, down: {}}
state:
  n: {type: int, range: [0, 5], initial: 0}
  twice: {type: int, range: [0, 10], initial: 0}
machine:
  initial: on
  fail_safe: off
  states:
    on:
      on:
        up: {if: n < 3, do: {set: {n: n + 1, twice: twice + 2}}}
        down: {if: n > 0, do: {set: {n: n - 1, twice: twice - 2}}}
    off: {}
"""
DELAYED = """
events: {go: {}, look: {}}
state: {n: {type: int, range: [0, 9], initial: 0}}
machine:
  initial: idle
  states:
    idle: {on: {go: {name: begin, to: busy}}}
    busy:
      after: {5s: {name: over, to: idle}}
      every: {2s: {name: beat, do: {set: {n: 'min(n + 1, 9)'}}}}
"""
REGIONS = """
events: {tick: {x: {range: [0, 10]}}, calm: {}}
state: {n: {type: int, range: [0, 3], initial: 0}}
machine:
  parallel: true
  states:
    left:
      initial: low
      states:
        low: {on: {tick: {if: tick.x > 5, to: high}}}
        high: {on: {calm: {to: low}}}
    right:
      initial: quiet
      states:
        quiet: {on: {tick: {if: tick.x > 7, to: alarm}}}
        alarm: {on: {calm: {to: quiet}}}
"""
RAISED = """
events: {go: {x: {type: int, range: [0, 9]}, sure: {type: bool}}, ping: {y: {type: int, range: [0, 5]}}}
state: {n: {type: int, range: [0, 9], initial: 0}, seen: {type: bool, initial: false}}
machine:
  initial: a
  states:
    a:
      on:
        go: {if: go.sure, do: [{set: {n: 0}}, {raise: {ping: {y: 'min(go.x, 5)'}}}]}
        ping: {do: {set: {n: ping.y, seen: true}}}
"""
NESTED = """
events: {go: {}, halt: {}, back: {}}
state: {n: {type: int, range: [0, 9], initial: 0}}
machine:
  initial: work
  states:
    work:
      initial: one
      on: {halt: {to: rest}, done.state.work: {to: rest}}
      states:
        one: {on: {go: {to: two}}}
        two: {on: {go: {to: end}}}
        end: {final: true}
        last: {history: shallow, default: one}
    rest: {on: {back: {to: last}}}
"""
ALWAYS = """
events: {tick: {x: {range: [0, 10]}}}
state: {level: {initial: 0}}
machine:
  initial: low
  states:
    low:
      on: {tick: {do: {set: {level: tick.x}}}}
      always: {if: level > 5, to: high}
    high:
      on: {tick: {do: {set: {level: tick.x}}}}
      always: {if: level < 4, to: low}
"""
DIVIDES = """
events: {tick: {x: {range: [0, 10]}}}
state: {level: {initial: 1}}
machine:
  initial: calm
  fail_safe: safe
  states:
    calm: {on: {tick: {name: take, do: {set: {level: 1 / tick.x}}}}}
    safe: {}
"""
NUMBERS = """
events: {tick: {x: {type: int, range: [0, 3]}}}
state: {n: {type: int, range: [0, 3], initial: 1}}
machine: {initial: s, states: {s: {on: {tick: {name: t, do: {set: {n: tick.x}}}}}}}
"""
REMEMBERS = """
events: {tick: {x: {range: [1, 10]}}}
state: {n: {type: int, range: [0, 9], initial: 0}}
observe:
  tick:
    last: previous(tick.x)
    mean: ewma(tick.x, decay=0.5, initial=5)
    run: streak(tick.x > 5, max=3)
    top: peak(tick.x, initial=1)
machine: {initial: s, states: {s: {on: {tick: {name: t, do: {set: {n: run}}}}}}}
"""
PARAMS = """
events: {tick: {x: {range: [0, 10]}}}
params:
  share: {default: 0.5, range: [0, 1]}
  most: {type: int, default: 3, range: [1, 5]}
  strict: {type: bool, default: true}
state: {n: {type: int, range: [0, 9], initial: 0}, part: {initial: 0}}
machine:
  initial: s
  states:
    s: {on: {tick: {if: n < most or not strict, do: {set: {n: 'min(n + 1, 9)', part: share * tick.x}}}}}
"""
ALONE = """
state: {n: {type: int, range: [0, 9], initial: 0}}
machine: {initial: s, states: {s: {every: {1s: {do: {set: {n: 'min(n + 1, 4)'}}}}}}}
"""
STOPPED = """
events: {tick: {x: {range: [1, 10]}}}
state: {level: {initial: 1}}
observe: {tick: {level: tick.x}}
machine:
  initial: on
  fail_safe: safe
  states:
    on: {after: {1s: {to: over}}, on: {tick: {if: level > 5, to: safe}}}
    safe: {}
    over: {final: true}
"""
# spec, claim, verdict
CLAIMS = [
    (COUNTER, "n <= 3", "proved"),
    (COUNTER, "n >= 0", "proved"),
    (COUNTER, "n <= 0", "refuted"),
    (COUNTER, "n <= 1", "refuted"),
    (COUNTER, "n <= 2", "refuted"),
    (COUNTER, "implies(changed(n), n - before.n == 1 or before.n - n == 1)", "proved"),
    (COUNTER, "n >= before.n", "refuted"),
    (DELAYED, "implies(In(busy), since(begin) < 5s)", "not decided"),
    (DELAYED, "implies(In(busy), since(over) <= 5s)", "proved"),
    (DELAYED, "implies(In(busy) and n > 1, since(over) < 3s)", "refuted"),
    (DELAYED, "implies(In(busy) and n > 0, since(begin) < 1s)", "refuted"),
    (DELAYED, "n <= 1", "refuted"),
    (DELAYED, "implies(changed(n), was(busy))", "proved"),
    (REGIONS, "implies(was(low) and was(quiet) and In(alarm), In(high))", "proved"),
    (REGIONS, "not (In(high) and In(alarm))", "refuted"),
    (REGIONS, "not (In(low) and In(alarm))", "proved"),
    (RAISED, "n <= 5", "proved"),
    (RAISED, "n <= 4", "refuted"),
    (RAISED, "implies(n > 0, seen)", "proved"),
    (RAISED, "not seen", "refuted"),
    (NESTED, "not In(end)", "proved"),
    (NESTED, "implies(was(rest) and not In(rest), In(one) or In(two))", "proved"),
    (NESTED, "implies(was(rest) and not In(rest), In(one))", "refuted"),
    (ALWAYS, "implies(level > 5, In(high))", "proved"),
    (ALWAYS, "implies(level < 5, In(low))", "refuted"),
    (DIVIDES, "level > 0", "proved"),
    (DIVIDES, "not In(safe)", "refuted"),
    (NUMBERS, "1 / n > 0", "refuted"),
    (NUMBERS, "implies(n > 0, 1 / n > 0)", "proved"),
    (NUMBERS, "(1 / n if n > 0 else -1) > 0", "refuted"),
    (NUMBERS, "sqrt(n - 1) >= 0", "refuted"),
    (NUMBERS, "sqrt(n) * sqrt(n) <= 3", "proved"),
    (REMEMBERS, "mean <= 10", "proved"),
    (REMEMBERS, "mean >= 1", "proved"),
    (REMEMBERS, "mean >= 4", "refuted"),
    (REMEMBERS, "run <= 3", "proved"),
    (REMEMBERS, "top >= 1", "proved"),
    (REMEMBERS, "top <= 9", "refuted"),
    (PARAMS, "part <= 10", "proved"),
    (PARAMS, "part <= 9", "refuted"),
    (PARAMS, "n <= most", "refuted"),
    (PARAMS, "implies(strict, n <= most)", "proved"),
    (ALONE, "n <= 4", "proved"),
    # An event before which a timer stops the machine is taken still.
    (STOPPED, "not was(over)", "refuted"),
    (STOPPED, "implies(In(over), level <= 5)", "refuted"),
    (STOPPED, "implies(In(over) and not was(over), level <= 5)", "proved"),
    (STOPPED, "level <= 10", "proved"),
]


def _named(value: object) -> str | None:
    return next((name for name, text in globals().items() if text is value and name.isupper()), None)


@pytest.mark.parametrize(("body", "claim", "verdict"), CLAIMS, ids=_named)
def test_a_claim_has_its_verdict(body: str, claim: str, verdict: str, tmp_path: Path) -> None:
    text = written(body) + f"invariants:\n  claimed: '{claim}'\n"
    spec = loads(text)
    result = proof_of(spec, "claimed")["claimed"]
    assert result.verdict == verdict, result.because
    found = result.counterexample
    assert (found is not None) == (verdict == "refuted")
    if found is not None:
        assert breaks(spec, found, "claimed")
        # No event can be left out.
        assert not any(breaks(spec, found, "claimed", drop) for drop in range(len(found.events)))
        _replays(text, found, tmp_path)


def _replays(text: str, found: Counterexample, folder: Path) -> None:
    """Play a script in floats: the claim that it expects to hold does not."""
    (folder / "spec.yaml").write_text(text)
    (folder / "events.yaml").write_text(found.script)
    assert main(["run", str(folder / "spec.yaml"), "--events", str(folder / "events.yaml")]) == 1


@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_counterexample_has_as_many_events_as_it_takes(events: int) -> None:
    spec = loads(written(COUNTER) + f"invariants:\n  claimed: n < {events}\n")
    found = proof_of(spec, "claimed")["claimed"].counterexample
    assert found is not None
    assert [sent.event for sent in found.events] == ["up"] * events


def test_a_claim_that_no_step_keeps_is_proved_with_a_helper_and_not_without() -> None:
    claim = "invariants:\n  small: twice <= 6\n"
    alone = proof_of(loads(written(COUNTER) + claim), "small")["small"]
    helped = proof_of(loads(written(COUNTER) + claim + "helpers:\n  tied: twice == 2 * n\n"))
    assert alone.verdict == "not decided"
    assert (helped["small"].verdict, helped["tied"].verdict) == ("proved", "proved")


def test_a_helper_that_does_not_hold_helps_nothing() -> None:
    text = written(COUNTER) + "invariants:\n  small: n <= 2\nhelpers:\n  wrong: n <= 2\n"
    found = proof_of(loads(text), "small", "wrong")
    assert (found["small"].verdict, found["wrong"].verdict) == ("refuted", "refuted")


def test_a_claim_is_judged_when_an_input_is_refused_long_after_the_last_event() -> None:
    """A machine whose time was advanced sees `input.rejected` at that time."""
    spec = loads(written(NUMBERS) + "invariants:\n  fresh: since(t) <= 0s\n")
    assert proof_of(spec, "fresh")["fresh"].verdict != "proved"
    machine = spec.compile().machine()
    assert machine.send("tick", 0, x=1).broken == ()
    machine.advance(10**9)
    assert machine.send("tick", 10**9, x=9).broken == ("fresh",)


LOOP = """
events: {tick: {}}
state: {m: {type: int, range: [0, 3], initial: 0}, n: {type: int, range: [0, 3], initial: 0}}
machine:
  parallel: true
  states:
    left:
      initial: l1
      states:
        l1: {on: {tick: {do: {set: {n: 1}}}, error.divergence: {to: l2}}}
        l2: {}
    right:
      initial: r1
      states:
        r1: {on: {tick: {do: {set: {m: m + 1}}}ANSWER}}
"""


def test_regions_are_not_proved_apart_where_an_error_of_one_can_undo_all() -> None:
    from hedgerow.engine.prove.cone import cones

    looping = loads(written(LOOP.replace("ANSWER", ", error.execution: {do: {set: {m: m + 1}}}")))
    assert len(cones(looping.program())) == 1
    assert len(cones(loads(written(LOOP.replace("ANSWER", ""))).program())) == 2
    machine = looping.compile().machine()
    for second in range(4):
        machine.send("tick", second * 10**9)
    assert "l2" in machine.configuration


def test_regions_are_not_proved_apart_where_they_share_a_fail_safe_state() -> None:
    text = written(LOOP.replace("ANSWER", "")).replace("parallel: true", "parallel: true\n  fail_safe: l2")
    found = proof_of(loads(text + "invariants:\n  claimed: not In(l2)\n"), "claimed")
    assert found["claimed"].verdict == "refuted"


def test_a_measure_of_one_region_may_shrink_in_a_state_of_another() -> None:
    body = LOOP.replace("ANSWER", "").replace(
        "tick: {do: {set: {m: m + 1}}}", "tick: {name: less, do: {set: {h: h / 2}}}"
    )
    text = written(body).replace("state: {", "state: {h: {initial: 1, range: [0, 1]}, ")
    text += "decreases:\n  dwindles: {while: l1, by: less, measure: h, factor: 0.5, until: 0.1, within: 1s}\n"
    found = proof_of(loads(text), "dwindles")
    assert found["dwindles.shrinks"].verdict == found["dwindles.never_grows"].verdict == "proved"
    assert found["dwindles.is_left"].verdict == "not decided"


def test_an_event_that_asks_without_end_is_not_decided() -> None:
    body = """
    events: {go: {x: {range: [0, 1000]}}, ping: {}}
    state: {y: {initial: 0}, n: {type: int, range: [0, 100000], initial: 0}}
    machine:
      initial: s
      states:
        s:
          on:
            go: {do: [{set: {y: go.x}}, {raise: ping}]}
            ping: {if: n < y, do: [{set: {n: n + 1}}, {raise: ping}]}
    invariants:
      few: n <= 1001
    """
    result = proof_of(loads(written(body)), "few")["few"]
    assert (result.verdict, result.because) == ("not decided", "one event takes more than 500 decisions")


BOOK = """
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, halt: {}, reset: {}, funding: {rate: {range: [-0.1, 0.1]}}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001, borrow: 0.02 / 365d, funding: {funding: funding.rate}}}
legs: {book: {instrument: index, side: both}}
machine:
  initial: trading
  fail_safe: stopped
  states:
    trading:
      on:
        tick:
          - {name: buy, if: tick.price < 50 USD / 1 IDX, do: [{target: {book: 1 IDX}}]}
          - {name: sell, if: tick.price > 60 USD / 1 IDX, do: [{target: {book: -1 IDX}}]}
        halt: {name: stop, to: stopped}
    stopped:
      tags: [halted]
      on: {reset: {name: again, to: trading}, tick: {name: flatten, do: [CLOSE]}}
invariants:
  bounded: -1 IDX <= book.quantity <= 1 IDX
  told: implies(ordered(), changed(fees))
"""


@pytest.mark.parametrize("fill", ["same", "next"])
def test_what_every_book_gets_is_proved(fill: str) -> None:
    found = proof_of(loads(written(BOOK.replace("CLOSE", "{close: book}"))), fill=fill)
    verdicts = {f"{each.kind} {name}": each.verdict for name, each in found.items()}
    assert set(verdicts.values()) <= {"proved", "noted"}, verdicts
    assert found["ledger"].verdict == "proved"
    assert found["again"].kind == "dead"


def test_an_order_that_enlarges_a_leg_while_halted_is_found() -> None:
    spec = loads(written(BOOK.replace("CLOSE", "{target: {book: 1 IDX}}")))
    proof = prove(spec, workers=1, seconds=SECONDS)
    found = {(each.kind, each.name): each for each in proof.results}
    assert found["orders", "stopped"].verdict == "refuted"
    assert found["flat", "stopped"].verdict != "proved" or "again" in found["flat", "stopped"].because


def test_a_halted_state_that_nothing_leaves_is_refuted() -> None:
    never = "name: again, if: abs(book.quantity) < 0 IDX"
    text = written(BOOK.replace("CLOSE", "{close: book}")).replace("name: again", never)
    proof = prove(loads(text), only=["stopped"], workers=1, seconds=SECONDS)
    assert {each.kind: each.verdict for each in proof.results}["leaves"] == "refuted"


def test_a_transition_that_cannot_fire_and_a_state_that_cannot_be_reached_are_refuted() -> None:
    body = """
    events: {tick: {x: {range: [0, 10]}}}
    machine:
      initial: low
      states:
        low: {on: {tick: [{name: never, if: tick.x > 10, to: gone}, {name: ever, if: tick.x > 9, to: high}]}}
        high: {}
        gone: {}
    """
    found = proof_of(loads(written(body)))
    verdicts = {name: each.verdict for name, each in found.items() if each.kind in ("dead", "reached")}
    assert verdicts == {"never": "refuted", "ever": "proved", "low": "proved", "high": "proved", "gone": "refuted"}


def test_divisions_and_failures_are_told_apart() -> None:
    found = proof_of(loads(written(DIVIDES)), "divisions", "failures")
    assert (found["divisions"].verdict, found["failures"].verdict) == ("refuted", "proved")
    over = loads(written(COUNTER).replace("if: n < 3, ", "").replace("range: [0, 5]", "range: [0, 1]"))
    found = proof_of(over, "divisions", "failures")
    assert (found["divisions"].verdict, found["failures"].verdict) == ("proved", "refuted")


def test_a_param_that_a_composition_gives_is_as_wide_as_what_gives_it(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(written(PARAMS) + "invariants: {part_is_small: part <= 5}\n")
    outer = """
    params: {half: {default: 0.25, range: [0, 0.5]}}
    use:
      inner: {spec: inner.yaml, params: {share: half}}
    """
    narrow = loads(written(outer), folder=tmp_path)
    wide = loads(written(outer).replace("share: half", "share: 2 * half"), folder=tmp_path)
    assert proof_of(narrow, "inner")["inner.part_is_small"].verdict == "proved"
    assert proof_of(wide, "inner")["inner.part_is_small"].verdict == "refuted"


def test_a_way_out_that_whole_numbers_bar_is_not_proved() -> None:
    body = """
    events: {tick: {}, reset: {}}
    state: {n: {type: int, range: [0, 9], initial: 0}}
    machine:
      initial: calm
      states:
        calm: {on: {tick: {name: trip, do: {set: {n: 'min(n + 1, 9)'}}, to: stopped}}}
        stopped: {tags: [halted], on: {reset: {name: out, if: WHEN, to: calm}}}
    """
    for guard, verdict in (("2 * n == 5", "not decided"), ("n >= 1", "proved")):
        proof = prove(loads(written(body.replace("WHEN", guard))), only=["stopped"], workers=1, seconds=SECONDS)
        assert {each.kind: each.verdict for each in proof.results}["leaves"] == verdict


LATCHED = """
events: {tick: {price: {range: [1, 1000]}}, reset: {}}
state: {high: {initial: 1}, price: {initial: 1}}
observe: {tick: {price: tick.price}}
machine:
  initial: trading
  states:
    trading:
      on:
        tick:
          - {name: trip, if: price < high / 2, to: stopped}
          - {name: rise, if: price > high, do: [{set: {high: price}}]}
    stopped:
      tags: [halted]
      on: {reset: {name: again, to: trading, do: DO}}
"""


def test_a_high_water_mark_that_no_reset_moves_trips_again_at_once() -> None:
    for action, verdict in (("[]", "refuted"), ("[{set: {high: price}}]", "proved")):
        proof = prove(loads(written(LATCHED.replace("DO", action))), only=["stopped"], workers=1, seconds=SECONDS)
        assert {each.kind: each.verdict for each in proof.results}["trips"] == verdict


def test_a_book_that_nothing_closes_while_halted_has_no_way_to_flat() -> None:
    halted = "on: {reset: {name: again, to: trading}, tick: {name: flatten, do: [CLOSE]}}"
    dead = written(BOOK).replace(halted, "on: {reset: {name: again, if: abs(book.quantity) < 0 IDX, to: trading}}")
    closing = written(BOOK.replace("CLOSE", "{close: book}"))
    for text, verdict in ((dead, "refuted"), (closing, "proved")):
        proof = prove(loads(text), only=["stopped"], workers=1, seconds=SECONDS)
        assert {each.kind: each.verdict for each in proof.results}["flat"] == verdict


def test_what_is_not_conserved_and_what_changes_is_refuted() -> None:
    claims = """
    conserved: {kept: twice - 2 * n, lost: twice - n}
    unchanged: {still: {while: "off", of: n}, moving: {while: "on", of: n}}
    """
    spec = loads(written(COUNTER) + textwrap.dedent(claims))
    found = proof_of(spec, "kept", "lost", "still", "moving")
    verdicts = {name: each.verdict for name, each in found.items()}
    assert verdicts == {"kept": "proved", "lost": "refuted", "still": "proved", "moving": "refuted"}
    for name in ("lost", "moving"):
        assert found[name].counterexample is not None
        assert breaks(spec, found[name].counterexample, name)


def test_transitions_whose_order_decides_are_noted_and_others_are_not() -> None:
    body = """
    events: {tick: {x: {range: [0, 10]}}}
    machine:
      initial: low
      states:
        low: {on: {tick: [{name: one, if: tick.x > SPLIT, to: high}, {name: two, if: tick.x < 5, to: end}]}}
        high: {}
        end: {}
    """
    for split, verdict in (("4", "noted"), ("5", "proved")):
        proof = prove(loads(written(body.replace("SPLIT", split))), workers=1, seconds=SECONDS)
        assert {each.verdict for each in proof.results if each.kind == "overlap"} == {verdict}
