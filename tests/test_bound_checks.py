"""Checks that ask bound functions: what is no plain yes in time is a no, in every way of running, and is recorded."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import verdicts
from runners import same_in_native_code
from traders import SECOND, buyer, composed, head, steps
from verdicts import FAILURES, REGISTRY

from hedgerow.engine import bound, isolation
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.evaluate import Failure
from hedgerow.engine.ir import Program
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.printer import digest, program_text
from hedgerow.engine.registry import Registry, builtin_registry
from hedgerow.engine.semantics import Reference
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.runner import sweep
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.engine.verify import ProgramError, verify

PATIENT = 60 * SECOND
"""A deadline for what answers at once, on a machine that is busy."""
BOOK = head(
    params="how: {default: 0, type: int, range: [0, 100]}, most: {default: 100, unit: USD, range: [1, 1e6]}",
    events="risk: {}, ",
    fee=0,
) + buyer("1 IDX")
AT_MOST = "{call: my.at_most, with: {value: abs(book.quantity) * index.price, limit: most}}"


def spec_of(check: str, *parts: str, applies: str = "increase", registry: Registry = REGISTRY) -> Spec:
    gates = f"gates: {{g: {{applies: {applies}, checks: {{c: {check}}}}}}}\n"
    return loads(BOOK + "".join(map(textwrap.dedent, parts)) + gates, "small.yaml", registry=registry)


@pytest.fixture
def workers() -> Iterator[set[Any]]:
    """The workers there are; none is left to other tests."""
    isolation._WORKERS.end()
    yield isolation._WORKERS._all
    isolation._WORKERS.end()


# ---------------------------------------------------------------------------------------------------------- a verdict


def test_orders_leave_while_the_function_says_yes_and_the_no_is_told_in_its_figures() -> None:
    found = steps(spec_of(AT_MOST), [40, 45, 45])
    assert [len(step.orders) for step in found] == [1, 1, 0]
    (verdict,) = found[2].verdicts
    assert verdict == ("g", "c", "buy", 135.0, None, 100.0, "USD", "`g.c` would be 135 USD, above 100")
    assert found[2].raised == ("gate.rejected",) and found[2].errors == ()


def test_a_value_below_its_limit_is_below_the_least() -> None:
    check = "{call: my.at_least, with: {value: cash, limit: 970 USD}}"
    verdict = steps(spec_of(check), [40])[0].verdicts[0]
    assert verdict[3:6] == (960.0, 970.0, None)
    assert verdict.reason == "`g.c` would be 960 USD, below 970"


def test_a_function_gives_its_own_reason_and_unit() -> None:
    verdict = steps(spec_of("{call: my.worded, with: {value: cash, reason: policy}}"), [40])[0].verdicts[0]
    assert (verdict.unit, verdict.reason) == ("lots", "`g.c` says: because of policy")


SHIPPED = {
    "risk.value_at_risk_within": (
        "{returns: seen, equity: 1000 USD, limit: 20 USD}",
        (250.0, None, 20.0, "USD"),
        "`g.c` would be 250 USD, above 20",
    ),
    "liquidity.drain_within": (
        "{outflow: 40 USD, inflow: 10 USD, forecast: 100 USD}",
        (0.3, None, 0.25, "1"),
        "`g.c` would be 0.3, above 0.25",
    ),
    "drift.population_stability_within": (
        "{values: seen, recent: 10, bins: 2}",
        (0.5 * math.log(2) + 0.45 * math.log(10), None, 0.25, "1"),
        "`g.c` says: the index is 1.38: above 0.25, and above the 1.33 that chance explains",
    ),
    "drift.correlation_within": (
        "{first: seen, second: other, recent: 10}",
        (-2 * math.atanh(0.974559) / math.sqrt(2 / 7), None, None, "1"),
        "`g.c` says: the correlation was 0.975 and is -0.975: 8.14 standard errors away, and chance explains 2.58",
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_no_of_a_shipped_guard_tells_the_value_the_limit_and_why(name: str) -> None:
    given, figures, told = SHIPPED[name]
    moves = """\
    windows:
      seen: {of: (tick.price * 1 IDX / 1 USD - 50) / 40, on: tick, length: 20, until_full: skip}
      other: {of: (tick.price * 1 IDX / 1 USD - 50) ** 2, on: tick, length: 20, until_full: skip}
    """
    check = f"{{call: {name}, with: {given}, deadline: 60s}}"
    (verdict,) = steps(spec_of(check, moves, registry=builtin_registry()), [*range(51, 61), *range(49, 39, -1)])[
        -1
    ].verdicts
    value, least, most, unit = figures
    assert (verdict.value, verdict.least, verdict.most, verdict.unit) == (
        pytest.approx(value, rel=1e-5),
        least,
        most,
        unit,
    )
    assert verdict.reason == told


def test_a_bool_is_a_verdict() -> None:
    spec = spec_of("{call: my.plain, with: {yes: how == 0}}")
    assert len(steps(spec, [40])[0].orders) == 1
    assert steps(spec, [40], how=1)[0].verdicts[0].reason == "`g.c` does not hold"


def test_arguments_see_the_machine_as_the_orders_would_leave_it() -> None:
    verdicts.asked.clear()
    steps(spec_of("{call: my.at_most, with: {value: before.cash - cash, limit: equity}}"), [40])
    assert verdicts.asked == [(40.0, 1000.0)]


def test_what_a_gate_does_not_judge_asks_nothing() -> None:
    verdicts.asked.clear()
    found = steps(spec_of(AT_MOST), [40, 55, 70])
    assert [len(step.orders) for step in found] == [1, 0, 1]
    assert len(verdicts.asked) == 1


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("how", FAILURES)
def test_whatever_is_no_plain_yes_is_a_no_that_says_why(how: int, isolated: bool) -> None:
    more = ", deadline: 1m, isolate: true" if isolated else ""
    (step,) = steps(spec_of(f"{{call: my.judged, with: {{how: how}}{more}}}"), [40], how=how)
    assert step.orders == () and step.errors == () and step.raised == ("gate.rejected",)
    (verdict,) = step.verdicts
    assert verdict[3:6] == (None, None, None)
    assert verdict.reason.startswith("`g.c` has no answer: `my.judged`: ")
    assert verdict.reason.endswith(FAILURES[how])


def test_a_no_at_its_limit_does_not_hold() -> None:
    reason = steps(spec_of("{call: my.judged, with: {how: how}}"), [40], how=50)[0].verdicts[0].reason
    assert reason == "`g.c` does not hold at 1"


def test_a_function_that_is_not_there_any_more_is_a_no() -> None:
    compiled = spec_of(AT_MOST).compile()
    for registry, told in (
        (Registry({}), "there is no such function"),
        (Registry({"my.at_most": replace(REGISTRY["my.at_most"], target="verdicts:gone")}), "cannot be imported"),
    ):
        reference = Reference(compiled.program, compiled.parameters, registry)
        _, step = reference.step(reference.initial(), "tick", 0, [40.0])
        assert step.orders == () and told in step.verdicts[0].reason


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1 USD / (book.quantity / 1 IDX - 1)", "`g.c` has no answer: division by zero"),
        ("cash * 1e200 * 1e200", "its argument `value` would be inf"),
    ],
)
def test_an_argument_that_is_no_number_is_a_no(value: str, told: str) -> None:
    verdicts.asked.clear()
    (step,) = steps(spec_of(f"{{call: my.at_most, with: {{value: '{value}', limit: most}}}}"), [40])
    assert step.orders == () and told in step.verdicts[0].reason
    assert verdicts.asked == []


def test_a_function_whose_window_is_not_full_is_not_asked_and_that_is_a_no() -> None:
    windows = "windows: {past: {of: index.price, on: tick, length: 3, until_full: skip}}\n"
    for more in ("", ", deadline: 1m, isolate: true"):
        check = f"{{call: my.averaged, with: {{past: past, limit: 45 USD / 1 IDX}}{more}}}"
        found = steps(spec_of(check, windows), [40, 40, 45, 49])
        assert [len(step.orders) for step in found] == [0, 0, 1, 1]
        assert "waits until `past` is full" in found[0].verdicts[0].reason


# --------------------------------------------------------------------------------------------------------- deadlines


class Clock:
    """A clock that a test moves: each look at it is one stride later."""

    def __init__(self, stride: int) -> None:
        self.now, self.stride = 0, stride

    def monotonic_ns(self) -> int:
        self.now += self.stride
        return self.now


@pytest.mark.parametrize(("took", "orders"), [(50_000_000, 1), (50_000_001, 0)])
def test_a_late_yes_is_a_no(monkeypatch: pytest.MonkeyPatch, took: int, orders: int) -> None:
    monkeypatch.setattr(bound, "time", Clock(took))
    (step,) = steps(spec_of("{call: my.plain, with: {yes: true}, deadline: 50ms}"), [40])
    assert len(step.orders) == orders
    if not orders:
        assert "it answered after 50 ms, its deadline is 50 ms" in step.verdicts[0].reason


def test_what_the_clock_decided_is_replayed_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = spec_of("{call: my.at_most, with: {value: cash, limit: 1e6 USD}, deadline: 50ms}").compile()
    reference = Reference(compiled.program, compiled.parameters, REGISTRY)
    monkeypatch.setattr(bound, "time", Clock(SECOND))
    recorded: bound.Results = {}
    after, late = reference.step(reference.initial(), "tick", 0, [40.0], recorded)
    assert late.verdicts
    monkeypatch.setattr(bound, "time", Clock(1))
    verdicts.asked.clear()
    assert reference.step(reference.initial(), "tick", 0, [40.0], recorded) == (after, late)
    assert verdicts.asked == []
    assert reference.step(reference.initial(), "tick", 0, [40.0])[1].orders


TIMED = """\
hedgerow: 1
name: small
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {one: {instrument: index, side: long}, two: {instrument: index, side: long}}
machine:
  initial: both
  fail_safe: off
  states:
    off: {}
    both:
      parallel: true
      states:
        left: {initial: l, states: {l: {every: {1m: {name: first, do: [{increase: {one: 3 IDX}}]}}}}}
        right:
          initial: r
          states:
            r:
              every: {1m: {name: third, do: [{increase: {two: 1 IDX}}]}}
              on: {tick: {name: second, do: [{increase: {two: 3 IDX}}]}}
gates: {g: {checks: {sum: {call: my.at_most, with: {value: equity - cash, limit: 1000 USD}}}}}
"""


def test_what_timers_asked_before_an_event_is_recorded_too() -> None:
    compiled = loads(TIMED, "small.yaml", registry=REGISTRY).compile()
    reference = Reference(compiled.program, compiled.parameters, REGISTRY)
    snapshot, _ = reference.step(reference.initial(), "tick", 0, [100.0])
    for run in (
        lambda results: reference.step(snapshot, "tick", 150 * SECOND, [100.0], results),
        lambda results: reference.advance(snapshot, 150 * SECOND, results=results),
    ):
        recorded: bound.Results = {}
        verdicts.asked.clear()
        found = run(recorded)
        assert len(verdicts.asked) == len(recorded) >= 4
        verdicts.asked.clear()
        assert run(recorded) == found
        assert verdicts.asked == []


def test_each_macrostep_asks_for_itself() -> None:
    body = TIMED.replace("value: equity - cash, limit: 1000 USD", "value: 1 USD, limit: 2 USD")
    machine = loads(body, "small.yaml", registry=REGISTRY).compile().machine()
    machine.send("tick", 0, price=100.0)
    verdicts.asked.clear()
    step = machine.send("tick", 150 * SECOND, price=100.0)
    assert len(step.timers) == 4 and len(step.orders) == 5
    assert verdicts.asked == [(1.0, 2.0)] * 5


def test_the_orders_that_are_left_when_a_transition_gives_way_are_asked_for_by_themselves() -> None:
    body = TIMED.replace("limit: 1000 USD", "limit: 500 USD").replace(
        "l: {every: {1m: {name: first,", "l: {on: {tick: {name: first,"
    )
    verdicts.asked.clear()
    machine = loads(body, "small.yaml", registry=REGISTRY).compile().machine()
    step = machine.send("tick", 0, price=100.0)
    assert step.fired == ("first",) and [order.leg for order in step.orders] == ["one"]
    assert verdicts.asked == [(600.0, 500.0), (300.0, 500.0)]


# ---------------------------------------------------------------------------------------------------------- isolation

TROUBLE = {
    1: "did not answer in time",
    2: "did not answer in time",
    3: "died",
    4: "died",
    5: "wrote what is no answer",
    6: "wrote what is no answer",
    7: "wrote what is no answer",
    8: "wrote what is no answer",
    10: "wrote what is no answer",
}


def answered(target: str, deadline_ns: int = PATIENT, **arguments: object) -> object:
    return isolation.ask(f"verdicts:{target}", [""], arguments, deadline_ns)


@pytest.mark.parametrize("how", TROUBLE)
def test_a_process_that_hangs_dies_or_writes_rubbish_says_no_and_is_replaced(how: int, workers: set[Any]) -> None:
    first = answered("number")
    deadline = 20_000_000 if TROUBLE[how] == "did not answer in time" else PATIENT
    with pytest.raises(Failure, match=f"its process {TROUBLE[how]}, and was ended"):
        answered("troubled", deadline, how=how)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(first)), 0)  # neither alive nor left to be waited for
    assert len(workers) == 1
    assert answered("number") != first


def test_a_spec_goes_on_after_a_check_that_hangs(workers: set[Any]) -> None:
    spec = spec_of("{call: my.troubled, with: {how: how}, deadline: 20ms, isolate: true}")
    (step,) = steps(spec, [40], how=2)
    reason = "`g.c` has no answer: `my.troubled`: its process did not answer in time, and was ended"
    assert (step.orders, step.verdicts[0].reason) == ((), reason)


def test_a_crash_of_the_interpreter_is_a_no(workers: set[Any]) -> None:
    with pytest.raises(Failure):
        answered("troubled", how=9)


def test_a_process_is_started_when_it_is_wanted_and_used_again(workers: set[Any]) -> None:
    assert workers == set()
    processes = {answered("number") for _ in range(5)}
    assert len(processes) == len(workers) == 1
    assert processes != {os.getpid()}


def test_a_process_that_was_started_elsewhere_finds_modules_where_this_one_does(
    workers: set[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [".", *sys.path])
    monkeypatch.setattr(sys, "path_importer_cache", {})  # Python keeps what `.` was when it was first asked
    answered("number")
    (tmp_path / "written_later.py").write_text("def number() -> int:\n    return 7\n")
    monkeypatch.chdir(tmp_path)
    assert isolation.ask("written_later:number", [""], {}, PATIENT) == 7
    assert len(workers) == 1


def test_a_process_inherits_no_socket(workers: set[Any]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for each in (ours, theirs):
            each.set_inheritable(True)
        assert verdicts.sockets() >= 2
        assert answered("sockets") == 0


def test_what_a_function_prints_is_no_answer(workers: set[Any]) -> None:
    assert answered("talkative") is True


def test_arrays_and_texts_arrive_as_they_are(workers: set[Any]) -> None:
    past = np.array([1.0, 2.0, 0.1 + 0.2])
    assert answered("averaged", past=past, limit=float(np.mean(past))) is True
    assert answered("averaged", past=past, limit=float(np.nextafter(np.mean(past), 0))) is False
    large = np.full(1_000_000, 2.0)  # more than a pipe holds
    assert answered("averaged", past=large, limit=2.0) is True


def test_a_worker_that_died_while_idle_is_noticed_before_it_is_asked(workers: set[Any]) -> None:
    first = int(str(answered("number")))
    (worker,) = workers
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert answered("number") != first
    assert worker not in workers


def test_threads_ask_at_the_same_time(workers: set[Any]) -> None:
    barrier, found = threading.Barrier(4), []

    def ask() -> None:
        barrier.wait()
        found.extend(answered("plain", yes=yes) for yes in (True, False, True))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, found)) == [False] * 4 + [True] * 8
    assert 1 <= len(workers) <= 4


def test_a_forked_process_has_workers_of_its_own(workers: set[Any]) -> None:
    ours = answered("number")
    (worker,) = workers
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # While this end is open, the worker does not see that the process it serves has ended.
        closed = worker.input.closed and worker.output.closed
        os.write(writing, str(answered("number") if closed else "open").encode())
        isolation._WORKERS.end()
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100)
    os.close(reading)
    os.close(writing)
    assert theirs.isdigit() and int(theirs) != ours
    assert answered("number") == ours


SCRIPT = """
import sys, threading
from hedgerow.engine import isolation
print(isolation.ask("verdicts:number", [""], {}, 60 * 10**9), flush=True)
if sys.argv[1] == "hang":
    threading.excepthook = lambda _: None
    asked = "verdicts:lingering", [""], {"pipe": sys.argv[2]}, 10**9
    threading.Thread(target=isolation.ask, args=asked, daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nothing else tells when the child of another process ends")
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("how", ["idle", "hang"])
def test_no_worker_outlives_its_process(how: str, killed: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = os.pathsep.join(each for each in sys.path if each)
    command = [sys.executable, "-W", "error", "-c", SCRIPT, how, str(pipe)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, env={**os.environ, "PYTHONPATH": path}, **pipes) as process:
        worker = os.pidfd_open(int(process.stdout.readline()))
        if how == "hang":
            assert pipe.read_bytes() == b""  # it has come to where it hangs
        if killed:
            process.kill()
        else:
            process.stdin.close()
        ended, _, _ = select.select([worker], [], [], 60)
        os.close(worker)
        assert ended
        assert process.stderr.read() == ""


# ------------------------------------------------------------------------------------------------------ fresh inputs


@pytest.mark.parametrize("check", ["{holds: 'true'", "{of: cash, least: 0", "{call: my.plain, with: {yes: true}"])
def test_what_has_not_come_within_its_age_makes_any_check_a_no(check: str) -> None:
    machine = spec_of(check + ", max_age: {risk: 10s, tick: 1s}}").compile().machine()
    (verdict,) = machine.send("tick", 0, price=40.0).verdicts
    assert verdict.reason == "`g.c` is stale: `risk` has not come within 10 s"
    machine.send("risk", SECOND)
    assert len(machine.send("tick", 11 * SECOND, price=40.0).orders) == 1
    assert machine.send("tick", 11 * SECOND + 1, price=40.0).verdicts


def test_an_age_may_be_a_param_and_its_stamp_is_kept_where_it_is_asked_only() -> None:
    check = "{holds: 'true', max_age: {risk: age}}"
    text = BOOK.replace("params: {", "params: {age: {default: 10s, unit: s, range: [1s, 1d]}, ")
    spec = loads(text + f"gates: {{g: {{checks: {{c: {check}}}}}}}\n", "small.yaml")
    machine = spec.bind({"age": 20.0}).machine()
    machine.send("tick", 0, price=55.0)
    machine.send("risk", 0)
    assert machine.send("tick", 20 * SECOND, price=40.0).orders
    assert machine.send("tick", 21 * SECOND, price=40.0).verdicts
    hidden = [cell.name for cell in spec.program().cells if cell.kind == "memory"]
    assert hidden == ["last(risk)", "observed(risk)"]
    assert not [cell for cell in spec_of("cash > 0").program().cells if cell.kind == "memory"]


def test_an_age_and_elapsed_share_their_stamp() -> None:
    spec = spec_of("{holds: elapsed(risk) >= 0, max_age: {risk: 10s}}")
    names = [cell.name for cell in spec.program().cells if cell.kind == "memory"]
    assert sorted(names) == ["elapsed(risk)", "last(risk)", "observed(risk)"]
    machine = spec.compile().machine()
    machine.send("tick", 0, price=55.0)
    machine.send("risk", 0)
    assert machine.send("tick", 10 * SECOND, price=40.0).orders


# ------------------------------------------------------------------------------------------------ in every way of running


PRICES = [40.0, 55, 45, 49, 70, 55, 40, 40, 49, 49, 65, 30, 30, 30, 30, 30]


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize(
    "check",
    [
        AT_MOST,
        AT_MOST[:-1] + ", deadline: 1m, isolate: true}",
        "{of: abs(book.quantity) * index.price, most: most, max_age: {tick: 1s}}",
        "{holds: abs(book.quantity) * index.price <= most, max_age: {tick: 1s}}",
    ],
)
def test_reference_live_and_native_do_the_same(check: str, fill: Any) -> None:
    spec = spec_of(check)
    compiled = spec.compile(fill=fill)
    machine, reference = compiled.machine(), Reference(compiled.program, compiled.parameters, REGISTRY)
    snapshot, released, stopped = reference.initial(), 0, 0
    for index, price in enumerate(PRICES):
        snapshot, step = reference.step(snapshot, "tick", index * SECOND, [price])
        assert machine.send("tick", index * SECOND, price=price) == step
        released, stopped = released + len(step.orders), stopped + len(step.verdicts)
    assert machine.snapshot() == snapshot
    assert released > 4 and stopped > 2
    native = same_in_native_code(spec, PRICES, fill)
    assert (native.orders[0], native.stopped.tolist()) == (released, [[stopped]])


def test_generated_code_takes_what_no_function_has_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = spec_of(AT_MOST).compile().machine()
    machine.send("tick", 0, price=40.0)

    def never(*_: object) -> None:
        raise AssertionError("the reference was asked")

    monkeypatch.setattr(type(machine), "_defer", never)
    assert machine.send("tick", SECOND, price=55.0).orders == ()
    assert machine.send("tick", 2 * SECOND, price=70.0).orders
    with pytest.raises(AssertionError, match="the reference was asked"):
        machine.send("tick", 3 * SECOND, price=40.0)


def test_a_sweep_on_several_threads_asks_as_one_thread_does(tmp_path: Path, workers: set[Any]) -> None:
    pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
    (tmp_path / "small.yaml").write_text(spec_of(AT_MOST[:-1] + ", deadline: 1m, isolate: true}").text)
    spec = load(tmp_path / "small.yaml", registry=REGISTRY)
    times = np.arange(len(PRICES), dtype=np.int64) * SECOND
    path = path_of(spec.program("same").event("tick"), times, [np.array(PRICES)], skip_bad=True)
    sets = parameter_sets(spec, grid={"most": "50,100,150,200"})
    one, three = (sweep(spec, path, sets, backend="native", workers=each) for each in (1, 3))
    orders = one.column("orders").tolist()
    assert orders == three.column("orders").tolist()
    assert orders == sorted(orders) and orders[0] < orders[-1]
    assert len(workers) <= 4


GOVERNOR = """\
hedgerow: 1
name: governor
events: {risk: {}}
params: {most: {default: 2, range: [0, 100]}}
state: {n: {type: int, range: [0, 100], initial: 0}}
observe: {risk: {n: n + 1}}
gates:
  g:
    applies: increase
    checks: {c: {call: my.at_most, with: {value: real_n, limit: most}, max_age: {risk: 10s}}}
let: {real_n: n * 1.0}
machine: {initial: on, states: {on: {}}}
"""


def test_a_used_spec_asks_with_its_own_values_about_the_orders_of_all() -> None:
    desk = "hedgerow: 1\nname: desk\nuse: {rule: {spec: governor.yaml, params: {most: 1}}, a: {spec: book.yaml}}\n"
    spec = composed(desk, governor=GOVERNOR, book=BOOK, registry=REGISTRY)
    assert "check c: (observed(risk)" not in program_text(spec.program())
    assert spec.program().functions == ("my.at_most",)
    machine = spec.compile().machine()
    reasons = []
    for second in range(4):
        step = machine.send("tick", 2 * second * SECOND, price=40.0)
        reasons += [verdict.reason for verdict in step.verdicts] or ["yes"]
        machine.send("risk", (2 * second + 1) * SECOND)
    assert reasons == [
        "`rule.g.c` is stale: `risk` has not come within 10 s",
        "yes",
        "`rule.g.c` would be 2, above 1",
        "`rule.g.c` would be 3, above 1",
    ]


def test_an_age_of_an_event_that_is_made_is_that_of_the_event_it_is_made_from() -> None:
    governor = GOVERNOR.replace("value: real_n, limit: most", "value: real_n, limit: 1e9")
    uses = (
        "use: {rule: {spec: governor.yaml, events: {risk: {stamp: {}}}}, a: {spec: book.yaml}}\nevents: {stamp: {}}\n"
    )
    spec = composed(f"hedgerow: 1\nname: desk\n{uses}", governor=governor, book=BOOK, registry=REGISTRY)
    machine = spec.compile().machine()
    (verdict,) = machine.send("tick", 0, price=40.0).verdicts
    assert verdict.reason == "`rule.g.c` is stale: `stamp` has not come within 10 s"
    machine.send("stamp", SECOND)
    assert machine.send("tick", 2 * SECOND, price=40.0).orders


# ------------------------------------------------------------------------------------------------------------- proofs


def test_nothing_is_proved_by_what_a_function_says() -> None:
    pytest.importorskip("z3", reason="the solver is in the extra `prove`")
    from hedgerow.engine.prove.prove import prove

    claim = "invariants: {small: abs(book.quantity) * index.price <= 100 USD or not ordered()}\n"
    compiled = "{of: abs(book.quantity) * index.price, most: 100 USD}"
    asked = "{call: my.at_most, with: {value: abs(book.quantity) * index.price, limit: 100 USD}}"
    found = {}
    for check in (compiled, asked):
        proof = prove(spec_of(check, claim, applies="all"), only=["small"], workers=1, seconds=2.0)
        found[check] = next(each.verdict for each in proof.results if each.name == "small")
        assumed = "`my.at_most` may say yes or no to orders, whatever they are"
        assert (assumed in proof.assumed) == (check == asked)
    assert found == {compiled: "proved", asked: "not decided"}


# -------------------------------------------------------------------------------------------------------------- loading


@pytest.mark.parametrize(
    ("check", "code", "told", "marked"),
    [
        ("{call: my.nothing}", "HR501", "unknown function `my.nothing`", "my.nothing"),
        ("{call: my.no_verdict}", "HR506", "nothing that it returns is `ok`", "my.no_verdict"),
        ("{call: my.at_most, with: {value: cash}}", "HR502", "needs `limit`", "my.at_most"),
        ("{call: my.plain, with: {yes: true, no: true}}", "HR503", "no argument `no`", "no"),
        ("{call: my.plain, with: {yes: cash}}", "HR301", "this is a real number", "cash"),
        ("{call: my.at_most, with: {value: cash, limit: index.price}}", "HR504", "is in `USD`", "index.price"),
        ("{call: my.at_most, with: {value: tick.price, limit: 1}}", "HR204", "tick", "tick.price"),
        ("{call: my.talkative, isolate: true}", "HR418", "this has none", "isolate"),
        ("{call: my.talkative, deadline: 0s}", "HR304", "the deadline is at least 1ns", "0s"),
        ("{call: my.talkative, deadline: -1s}", "HR304", "the deadline is at least 1ns", "-1s"),
        ("{call: my.talkative, deadline: 5 USD}", "HR302", "the deadline is in `s`", "5 USD"),
        ("{call: my.talkative, deadline: how * 1s}", "HR210", "the deadline reads `how`", "how * 1s"),
        ("{call: my.talkative, max_age: {ticks: 1s}}", "HR206", "unknown event `ticks`", "ticks"),
        ("{holds: cash > 0, max_age: {tick: 0s}}", "HR304", "the age is at least 1ns", "0s"),
        ("{holds: cash > 0, max_age: {tick: cash}}", "HR210", "cash", "cash"),
        ("{holds: cash > 0, max_age: {}}", "HR104", "at least 1 is expected here", "{}"),
        ("{holds: cash > 0, most: 5}", "HR101", "unknown key `most`", "most"),
        ("{call: my.talkative, of: cash}", "HR101", "unknown key `of`", "of"),
        ("{with: {yes: true}}", "HR102", "`of` is missing", "c"),
        ("{holds: cash}", "HR301", "a check is true or false", "cash"),
    ],
)
def test_a_check_that_cannot_be_asked_is_refused_with_its_place(check: str, code: str, told: str, marked: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(check)
    finding = next(each for each in caught.value.diagnostics if each.code == code)
    assert told in finding.message
    line = (BOOK + f"gates: {{g: {{applies: increase, checks: {{c: {check}}}}}}}\n").splitlines()[finding.span.line - 1]
    assert line[finding.span.column - 1 :].startswith(marked)
    assert finding.help


def test_the_program_tells_what_is_asked_and_by_when() -> None:
    text = program_text(spec_of("{call: my.plain, with: {yes: true}, deadline: 50ms, isolate: true}").program())
    assert "  check c: true in 1 and call my.plain(yes=true) isolated by 50000000 ns\n" in text


def _first(program: Program, change: Callable[[Any], Any]) -> Program:
    gate = program.gates[0]
    return replace(program, gates=(replace(gate, checks=(change(gate.checks[0]),)),))


def test_the_digest_knows_all_that_a_check_asks_and_an_old_one_counts_as_it_did() -> None:
    program = spec_of("{call: my.plain, with: {yes: true}, deadline: 50ms, max_age: {risk: 1s}}").program()
    others = [
        _first(program, lambda check: replace(check, bound=None)),
        _first(program, lambda check: replace(check, bound=replace(check.bound, deadline_ns=1))),
        _first(program, lambda check: replace(check, bound=replace(check.bound, isolate=True))),
        _first(program, lambda check: replace(check, fresh=())),
    ]
    assert len({digest(each) for each in (program, *others)}) == 5
    known = "87af2d3c417b4094"
    # As printed before checks could ask functions: a snapshot of then is one of now.
    assert digest(spec_of("cash > 0").program()).startswith(known)


def test_a_broken_check_breaks_rules_of_the_ir() -> None:
    program = spec_of("{call: my.plain, with: {yes: true}, max_age: {risk: 1s}}").program()
    verify(program)
    for change, told in (
        (lambda check: replace(check, bound=replace(check.bound, isolate=True)), "it is isolated without a deadline"),
        (lambda check: replace(check, bound=replace(check.bound, deadline_ns=0)), "its deadline is not above 0"),
        (lambda check: replace(check, fresh=(replace(check.fresh[0], event="no"),)), "no event `no`"),
    ):
        with pytest.raises(ProgramError, match=told):
            verify(_first(program, change))
