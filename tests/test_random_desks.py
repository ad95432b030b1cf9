"""Random desks: no order leaves without a yes of every gate that judges it, and the emergency close always gets through.

The judge is a book-keeper (`random_desks.Books`), who knows the orders and the limits and nothing of the engine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import random_desks
import verdicts
from random_desks import Books, Made, desk, events
from runners import same_in_native_code

from hedgerow.engine import bound, isolation
from hedgerow.engine.load import Compiled
from hedgerow.engine.registry import Registry
from hedgerow.engine.semantics import Reference
from hedgerow.engine.step import Step

DESKS = 40
FEW, MANY = 1_500, 25_000
"""Ticks of a desk; the slow tests take more than a million events through the 40 desks."""


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "time", verdicts.CLOCK)


class Run:
    """A desk and its books, event by event."""

    def __init__(self, made: Made, compiled: Compiled) -> None:
        self.machine = compiled.machine()
        self.ports = {event.name: self.machine.port(event.name) for event in compiled.program.events}
        self.made = made
        self.steps = self.ended = 0
        """How many events it took, and how many functions were ended in them."""

    def over(self, sent_events: Any) -> Books:
        sent = next(sent_events)
        first = self.ports["tick"](sent.time_ns, sent.price)
        assert not first.orders
        held = {leg: float(self.machine.value(f"{leg}.quantity")) for leg in self.made.legs}
        books = Books(self.made, held, float(self.machine.value(f"{next(iter(held)).partition('.')[0]}.cash")))
        books.take(sent, first)
        for sent in sent_events:
            if sent.name in self.ports:
                self.take(sent, books)
        return books

    def take(self, sent: random_desks.Sent, books: Books) -> None:
        step: Step = self.ports[sent.name](sent.time_ns, *((sent.price,) if sent.name == "tick" else ()))
        self.steps += 1
        self.ended += sum("was ended" in verdict.reason for verdict in step.verdicts)
        books.take(sent, step)
        if step.orders:
            now = {leg: self.machine.value(f"{leg}.quantity") for leg in self.made.legs}
            assert now == pytest.approx(books.held, abs=1e-6)
            books.held = now


@pytest.mark.parametrize("ticks", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(DESKS))
def test_no_order_leaves_a_desk_without_a_yes_of_every_gate_and_flatten_always_closes_it(
    seed: int, ticks: int, tmp_path: Path
) -> None:
    made = desk(seed)
    run = Run(made, made.load(tmp_path).compile())
    books = run.over(events(seed, ticks))
    assert books.wrong == []
    assert run.steps > ticks


def test_the_desks_order_and_are_stopped_in_every_way_and_opened_breakers_close(tmp_path: Path) -> None:
    stopped: set[str] = set()
    moods: set[str] = set()
    increases, reached = 0, set()
    for seed in range(DESKS):
        made = desk(seed)
        machine = made.load(tmp_path).compile().machine()
        ports = {name: machine.port(name) for name in ("tick", "risk", "flatten", "resume")}
        for sent in events(seed, 600):
            if sent.name in ports:
                step = ports[sent.name](sent.time_ns, *((sent.price,) if sent.name == "tick" else ()))
                stopped |= {verdict.check for verdict in step.verdicts}
                moods |= {_mood(verdict.reason) for verdict in step.verdicts if verdict.check == "asked"}
                increases += len(step.orders)
                reached |= {leaf for leaf in step.configuration if leaf in random_desks.OPEN_LEAVES}
    assert stopped == {"closed", "gross", "net", "cash", "fresh", "asked", "one", "two"}
    assert moods == {"raises", "is not a number", "is no verdict", "is late", "exits", "is infinite", "says no"}
    assert increases > 1000
    assert reached >= {"intraday.until_session", "drawdown.cooling"}


def _mood(reason: str) -> str:
    known = {
        "no convergence": "raises",
        "returned nan": "is not a number",
        "returned 'yes'": "is no verdict",
        "it answered after": "is late",
        "returned inf": "is infinite",
        "above": "says no",
    }
    return next((mood for text, mood in known.items() if text in reason), "exits")


def test_a_desk_whose_gates_say_yes_to_everything_is_seen_to_be_wrong(tmp_path: Path) -> None:
    """Break the gates on purpose: the book-keeper must notice, or he is no judge."""
    found: dict[str, int] = {}
    for seed in range(DESKS):
        made = desk(seed)
        open_gates = {name: text.replace("applies: increase", "applies: reduce") for name, text in made.texts.items()}
        broken = Made(open_gates, made.limits, made.legs)
        books = Run(broken, broken.load(tmp_path).compile()).over(iter([*events(seed, 3000)]))
        for wrong in books.wrong:
            found[wrong.rpartition(", and ")[2].split(" is ")[0].split(" was ")[0].split(" came ")[0]] = 1
    assert {"gross", "net", "cash", "`risk`", "the function"} <= found.keys()
    assert any("drawdown" in why or "intraday" in why for why in found)


def test_isolated_functions_that_hang_and_die_let_nothing_through(tmp_path: Path) -> None:
    isolation._WORKERS.end()
    ended = increases = 0
    for seed in range(6):
        made = desk(seed, isolated=True)
        run = Run(made, made.load(tmp_path, verdicts.ISOLATED).compile())
        books = run.over(events(seed, 400))
        assert books.wrong == []
        assert len(isolation._WORKERS._all) <= 1
        ended, increases = ended + run.ended, increases + books.increases
    isolation._WORKERS.end()
    assert ended > 3 and increases > 10


@pytest.mark.parametrize("seed", range(4))
def test_a_function_that_has_gone_lets_nothing_grow_and_everything_close(seed: int, tmp_path: Path) -> None:
    made = desk(seed, isolated=True)
    compiled = made.load(tmp_path, verdicts.ISOLATED).compile()
    reference = Reference(compiled.program, compiled.parameters, Registry({}))
    snapshot = reference.initial()
    for sent in events(seed, 400):
        if sent.name in reference.events:
            held = {leg: snapshot.cells[f"{leg}.quantity"] for leg in made.legs}
            snapshot, _ = reference.step(
                snapshot, sent.name, sent.time_ns, (sent.price,) if sent.name == "tick" else ()
            )
            now = {leg: snapshot.cells[f"{leg}.quantity"] for leg in made.legs}
            assert all(abs(now[leg]) <= abs(held[leg]) for leg in made.legs) or sent.time_ns == 0
            assert sent.name != "flatten" or not any(now.values())


@pytest.mark.parametrize("seed", range(8))
def test_native_code_stops_what_the_live_machine_stops(seed: int, tmp_path: Path) -> None:
    prices = [sent.price for sent in events(seed, 2000) if sent.name == "tick" and sent.price > 0]
    same_in_native_code(desk(seed).load(tmp_path), prices)
