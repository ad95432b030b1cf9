"""Machines that leave a host and are taken up by another: nothing is lost on the way, and nothing is done twice."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import chained_anew, groups_of, held_back, kept
from pages import ROOT
from test_host import BAND, LIVE, SECOND, WAY, Said, host, records, ticking, ticks
from test_host_migration import NEW, OLD, declared

from hedgerow.cli.main import main
from hedgerow.engine.host.departure import Departed, departed_of, departure_at
from hedgerow.engine.host.history import explained, repeat
from hedgerow.engine.host.host import Host
from hedgerow.engine.host.problem import Divergence, HostError
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.records import DOMAIN, FIELDS, FORMAT, Group, State
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.load import load, loads

WILD = (*WAY, 4800.0, 5200.0, 4700.0)


def left(store: Any = None, prices: tuple[float, ...] = WAY, spec: Any = BAND) -> tuple[Departed, Any]:
    """Return a machine that has left a host, and the journal that it left."""
    store = MemoryStore() if store is None else store
    with host(store, spec) as running:
        running.submit_all(ticks(prices)).result()
        return running.remove("desk").result(), store


def came(moved: Departed, spec: Any = BAND, store: Any = None, **given: Any) -> Host:
    target = Host(MemoryStore() if store is None else store, {}, clock=ticking())
    target.add("desk", spec, moved=moved, **given).result()
    return target


def copied(store: MemoryStore) -> MemoryStore:
    """Return what a crash would leave now."""
    found = MemoryStore()
    found._groups, found._states = list(store._groups), list(store._states)
    return found


def refused(call: Any, *arguments: Any, **named: Any) -> HostError:
    """Return the error with which a call fails, or its future."""
    try:
        future = call(*arguments, **named)
    except HostError as error:
        return error
    error = future.exception(10)
    assert isinstance(error, HostError)
    return error


# --- what leaves, and what comes ---


def test_a_machine_that_moves_does_what_it_would_have_done_and_so_does_a_recovery_of_its_new_host() -> None:
    stays = MemoryStore()
    with host(stays) as running:
        expected = running.submit_all([*ticks(), *ticks(WILD, 20)]).result()
        last = running.snapshot("desk").result()
    moved, _ = left()
    target = MemoryStore()
    with came(moved, store=target) as running:
        assert running.submit_all(ticks(WILD, 20)).result() == expected[len(WAY) :]
        assert running.snapshot("desk").result() == last
        out = running.outbox()
    target._states.clear()
    for again in (target, copied(target)):
        found = rebuild(again, {"desk": BAND.compile()})
        assert found.machines["desk"].snapshot() == last
        assert tuple(found.machines.orders.values()) == out
    with Host(target, {"desk": BAND}, clock=ticking()) as running:
        assert running.outbox() == out
        assert running.snapshot("desk").result() == last
    assert verify(target).holds


def test_orders_keep_their_ids_and_new_ones_say_how_often_their_machine_has_moved() -> None:
    with host(MemoryStore()) as running:
        running.submit_all(ticks()).result()
        before = running.outbox()
        moved = running.remove("desk").result()
        assert running.outbox() == ()
        assert running.delivered(before[0].id).result() is False
    assert moved.orders == tuple((each.id, each.order) for each in before)
    with came(moved) as running:
        assert [(each.id, each.order) for each in running.outbox()] == list(moved.orders)
        # The first record of the new journal that leads to orders may have the number of one in the old.
        running.submit_all(ticks(WILD, 20)).result()
        new = running.outbox()[len(before) :]
        assert new
        assert {each.id for each in new} == {f"desk-{each.sequence}-{each.id.split('-')[2]}-1" for each in new}
        assert running.delivered(before[0].id).result() is True
        again = running.remove("desk").result()
    assert again.moves == 2
    assert [id for id, _ in again.orders] == [each.id for each in (*before, *new)][1:]
    third = MemoryStore()
    with came(again, store=third) as running:
        running.submit_all(ticks(WILD, 40)).result()
        out = running.outbox()
        assert [each.id for each in out[: len(again.orders)]] == [id for id, _ in again.orders]
        assert {each.id.split("-")[3] for each in out[len(again.orders) :]} == {"2"}
    with Host(third, {"desk": BAND}) as running:
        assert running.outbox() == out


def test_orders_that_came_leave_no_earlier_than_their_machine_is_durably_here() -> None:
    (moved, _), store = left(), MemoryStore()
    with Host(store, {}) as running:
        writing, go = held_back(store)
        coming = running.add("desk", BAND, moved=moved)
        assert writing.wait(10)
        assert running.outbox() == ()
        go.set()
        coming.result(10)
        assert [each.id for each in running.outbox()] == [id for id, _ in moved.orders] != []


def test_what_is_sent_twice_is_known_where_the_machine_has_gone() -> None:
    moved, _ = left()
    assert moved.ids == tuple(f"t-{number}" for number in range(len(WAY)))
    target = MemoryStore()
    with came(moved, store=target) as running:
        assert all(step.rejected for step in running.submit_all(ticks()).result())
    with Host(target, {"desk": BAND}, clock=ticking()) as running:
        assert all(step.rejected for step in running.submit_all(ticks()).result())
        assert running.submit("desk", "tick", 99 * SECOND, {"price": 5000.0}, id="new").result().rejected is None


def test_what_sources_have_come_to_goes_with_a_machine() -> None:
    tick = ("desk", "tick", 0, {"price": 5000.0})
    with host(MemoryStore()) as running:
        running.submit(*tick, source="feed", sequence=5).result()
        moved = running.remove("desk").result()
    store = MemoryStore()
    with came(moved, store=store) as running:
        refusal = running.submit(*tick, source="feed", sequence=4).result().rejected
        assert refusal == "out of order: number 4 of `feed`, which has come to 5"
    store._states.clear()
    assert rebuild(store, {"desk": BAND.compile()}).machines["desk"].sequences == {"feed": 5}


def test_ids_that_came_are_forgotten_after_as_many_records_as_others() -> None:
    moved, _ = left()
    with Host(MemoryStore(), {}, remembered=4) as running:
        running.add("desk", BAND, moved=moved).result()
        running.submit_all(ticks((5000.0,) * 8, 20)).result()
        assert running.submit("desk", "tick", 99 * SECOND, {"price": 5000.0}, id="t-2").result().rejected is None


def test_a_recovery_knows_the_ids_that_a_host_knows_that_machines_have_left_and_come_back_to() -> None:
    store = MemoryStore()
    with Host(store, {"desk": BAND, "other": BAND}, clock=ticking()) as running:
        running.submit_all([*ticks(), *(each._replace(machine="other") for each in ticks())]).result()
        moved = running.remove("desk").result()
        for back in (None, moved):
            if back is not None:
                running.add("desk", BAND, moved=back).result()
                running.submit_all(ticks(WILD, 20)).result()
            found = rebuild(store, {"desk": BAND.compile(), "other": BAND.compile()}, remembered=65_536)
            assert list(found.machines.memory._seen.items()) == list(running._machines.memory._seen.items())


def test_a_machine_in_the_shadow_stays_there() -> None:
    with host(MemoryStore(), LIVE, shadow={"desk"}) as running:
        running.submit_all(ticks()).result()
        moved = running.remove("desk").result()
    assert (moved.shadow, moved.fill) == (True, "same")
    store = MemoryStore()
    with came(moved, LIVE, store) as running:
        steps = running.submit_all(ticks(WILD, 20)).result()
        assert any(step.shadowed for step in steps)
        assert running.outbox() == ()
    assert [body["shadow"] for kind, body in records(store) if kind == "machine"] == [True]
    changed = loads(LIVE.text + "\n# no other program\n", "changed.yaml")
    for against in (False, True):
        assert repeat(store, {"desk": changed}, against=against).machines["desk"].shadow


def test_a_machine_that_never_began_can_move() -> None:
    moved, _ = left(prices=())
    with came(moved) as running, host(MemoryStore()) as stays:
        assert running.submit_all(ticks()).result() == stays.submit_all(ticks()).result()


# --- the source ---


def test_who_sends_to_what_has_left_is_told_with_which_record() -> None:
    store = MemoryStore()
    with host(store) as running:
        moved = running.remove("desk").result()
        error = refused(running.submit, "desk", "tick", 0, {"price": 5000.0})
        assert str(error) == (
            f"memory: error[HR872]: `desk` has left this host, at record {moved.record}\n"
            "   help: send to where it is now; what left can be had again: `Host.departed(machine)`"
        )
        for call in (running.remove, running.snapshot):
            assert refused(call, "desk").code == "HR872"
    # Neither its spec is needed here any more, nor does that begin it a second time.
    for machines in ({"desk": BAND}, {}):
        with Host(store, machines) as running:
            assert refused(running.submit, "desk", "tick", 0, {"price": 5000.0}).code == "HR872"
            assert running.departed("desk").result() == moved
    assert departed_of(store, "desk") == moved


def test_a_host_that_was_killed_after_a_departure_comes_back_without_that_spec() -> None:
    store = MemoryStore()
    running = host(store)
    running.submit_all(ticks()).result()
    moved = running.remove("desk").result()
    killed = copied(store)
    running.close()
    with Host(killed, {"other": BAND}) as again:
        assert again.departed("desk").result() == moved
    assert departed_of(killed, "desk") == departure_at(killed, moved.record) == moved
    error = refused(departure_at, killed, moved.record - 1)
    assert (error.code, error.message) == ("HR877", f"no machine left with record {moved.record - 1}")
    killed._states.clear()
    found = repeat(killed, {"desk": BAND})
    assert (list(found.machines.members), found.repeated) == (["other"], len(WAY))


def test_what_was_on_its_way_when_a_machine_left_is_refused_and_may_go_to_where_it_is() -> None:
    store = MemoryStore()
    with Host(store, {"desk": BAND, "other": BAND}, clock=ticking()) as running:
        writing, go = held_back(store)
        first = running.submit_all(ticks(WAY[:2]))
        assert writing.wait(10)
        leaving = running.remove("desk")
        late = running.submit_all(
            [ticks(WAY[2:3], 2)[0]._replace(source="feed", sequence=7), ticks()[0]._replace(machine="other")]
        )
        passing, again = running.advance("desk", 9 * SECOND), running.remove("desk")
        known = running.departed("desk")
        behind = running.snapshot("desk")
        go.set()
        assert [step.rejected for step in first.result(10)] == [None, None]
        assert [step.rejected for step in late.result(10)] == ["the machine has left this host", None]
        assert passing.result(10).rejected == "the machine has left this host"
        assert (refused(lambda: again).code, refused(lambda: behind).code) == ("HR872", "HR872")
        moved = leaving.result(10)
        assert known.result(10) == moved
    refusals = [body for kind, body in records(store) if kind == "refusal"]
    for body in refusals:
        assert (body["machine"], body["reason"]) == ("desk", "the machine has left this host")
    of = [tuple(body.get(each) for each in ("name", "id", "source", "sequence")) for body in refusals]
    assert of == [("tick", "t-2", "feed", 7), ("", None, None, None)]
    with came(moved) as target:
        assert target.submit_all(ticks(WAY[2:3], 2)).result()[0].rejected is None
    with Host(store, {"other": BAND}) as running:
        assert running.departed("desk").result() == moved


def test_more_than_a_record_holds_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with host(MemoryStore()) as running:
        running.submit_all(ticks()).result()
        monkeypatch.setattr("hedgerow.engine.host.moving.MAX_PAYLOAD_BYTES", 2**20 + 100)
        error = refused(running.remove, "desk")
        assert (error.code, "more than a record" in error.message) == ("HR877", True)
        assert all(step.rejected for step in running.submit_all(ticks()).result())
        assert refused(running.departed, "desk").code == "HR877"
        monkeypatch.undo()
        moved = running.remove("desk").result()
    with Host(MemoryStore(), {}) as target:
        monkeypatch.setattr("hedgerow.engine.host.moving.MAX_PAYLOAD_BYTES", 1000)
        error = refused(target.add, "desk", BAND, moved=moved)
        assert (error.code, "more than a record" in error.message) == ("HR877", True)
        monkeypatch.undo()
        target.add("desk", BAND, moved=moved).result()


# --- coming back, and coming twice ---


def test_a_name_comes_back_with_what_left_and_not_otherwise() -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
        first = running.snapshot("desk").result()
        moved = running.remove("desk").result()
        error = refused(running.add, "desk", BAND)
        assert (error.code, error.help) == (
            "HR872",
            "give what left, `moved=host.departed(machine).result()`, or choose another name",
        )
        running.add("desk", BAND, moved=moved).result()
        with pytest.raises(HostError) as gone:
            departed_of(store, "desk")
        assert (gone.value.code, gone.value.message) == ("HR877", "`desk` has not left this journal")
        assert running.snapshot("desk").result() == first
        assert all(step.rejected for step in running.submit_all(ticks()).result())
        assert refused(running.add, "desk", BAND, moved=moved).code == "HR872"
        again = running.remove("desk").result()
        error = refused(running.add, "desk", BAND, moved=moved)
        assert (error.code, "has been here since" in error.message) == ("HR877", True)
        running.add("desk", BAND, moved=again).result()
        running.submit_all(ticks(WILD, 20)).result()
        last, out = running.snapshot("desk").result(), running.outbox()
    store._states.clear()
    with host(store) as running:
        assert (running.snapshot("desk").result(), running.outbox()) == (last, out)
    assert len({each.id for each in out}) == len(out)


def test_a_departure_that_was_taken_up_is_refused_after_a_restart_too() -> None:
    moved, _ = left()
    store = MemoryStore()
    with came(moved, store=store) as running:
        running.remove("desk").result()
    for _ in range(2):
        with Host(store, {}, known={"desk": BAND}) as running:
            assert refused(running.add, "desk", BAND, moved=moved).code == "HR877"
        store._states.clear()


def test_another_program_or_other_parameters_are_refused_and_a_migration_is_taken(tmp_path: Path) -> None:
    old, new = loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    with Host(MemoryStore(), {"desk": old}) as running:
        for number in range(5):
            running.submit("desk", "up", number).result()
        moved = running.remove("desk").result()
    store, migration = MemoryStore(), declared(tmp_path)
    with Host(store, {}) as running:
        for spec in (new, old.compile(step=2)):
            assert refused(running.add, "desk", spec, moved=moved).code == "HR873"
        assert refused(running.add, "desk", old, moved=moved, migration=migration).code == "HR875"
        assert refused(running.add, "tisch", old, moved=moved).code == "HR877"
        running.add("desk", new, moved=moved, migration=migration).result()
        running.submit("desk", "up", 9).result()
        last = running.snapshot("desk").result()
    assert (last.configuration, last.cells["total"], last.cells["later"]) == (("adding",), 6, 7)
    # It came with all that is needed: the journal can be repeated from its first record on.
    assert repeat(store, {"desk": new}).machines["desk"].snapshot() == last
    store._states.clear()
    with Host(store, {"desk": new}) as running:
        assert running.snapshot("desk").result() == last
    with pytest.raises(HostError) as error:
        Host(store, {"desk": old})
    assert error.value.code in ("HR873", "HR875")


@pytest.mark.parametrize("where", ["away", "at home, then away", "coming back"])
def test_a_machine_that_comes_back_with_another_program_is_replayed_from_there(where: str, tmp_path: Path) -> None:
    old, new = loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    store, migration = MemoryStore(), declared(tmp_path)
    with Host(store, {"desk": old}) as running:
        running.submit("desk", "up", 1).result()
    migrated = where == "at home, then away"
    with Host(store, {"desk": new if migrated else old}, migrations=[migration] * migrated) as running:
        moved = running.remove("desk").result()
    if where == "away":
        with Host(MemoryStore(), {}) as running:
            running.add("desk", new, moved=moved, migration=migration).result()
            moved = running.remove("desk").result()
    running = Host(store, {})
    running.add("desk", new, moved=moved, migration=migration if where == "coming back" else None).result()
    running.submit("desk", "up", 5).result()
    last = running.snapshot("desk").result()
    crashed = copied(store)
    running.close()
    assert last.cells["total"] == 2
    assert repeat(crashed, {"desk": new}).machines["desk"].snapshot() == last
    assert repeat(store, {"desk": new}).machines["desk"].snapshot() == last
    with Host(crashed, {"desk": new}) as running:
        assert running.snapshot("desk").result() == last


# --- halted ---


def test_a_machine_may_leave_while_halted_and_only_a_halted_host_takes_it_up() -> None:
    lane, other = Said(), Said()
    with host(MemoryStore(), lane=lane) as running:
        running.submit_all(ticks()).result()
        lane.say("halt")
        moved = running.remove("desk").result()
    assert moved.halted
    assert moved.orders
    with Host(MemoryStore(), {}, lane=other) as target:
        error = refused(target.add, "desk", BAND, moved=moved)
        assert (error.code, "whose machines were halted" in error.message) == ("HR877", True)
        other.say("halt")
        target.add("desk", BAND, moved=moved).result()
        assert target.outbox() == ()
        other.say("release")
        target.snapshot("desk").result()
        assert [each.id for each in target.outbox()] == [id for id, _ in moved.orders]


def test_what_left_another_halted_host_with_the_same_record_does_not_come_back_here() -> None:
    here, there = Said(), Said()
    with host(MemoryStore(), lane=here) as running, host(MemoryStore(), lane=there, name="there") as other:
        here.say("release")
        there.say("halt")
        was, moved = running.remove("desk").result(), other.remove("desk").result()
        assert (was.record, moved.halted) == (moved.record, True)
        error = refused(running.add, "desk", BAND, moved=moved)
        assert (error.code, "whose machines were halted" in error.message) == ("HR877", True)


def test_only_the_departure_keeps_a_state_that_is_not_due() -> None:
    store = MemoryStore()
    with Host(store, {"desk": BAND, "other": BAND}) as running:
        running.remove("desk").result()
        for each in ticks():
            running.submit_all([each._replace(machine="other")]).result()
    assert sum(kind == "snapshot" for kind, _ in records(store)) == 2


def test_a_machine_that_left_while_halted_comes_back_to_where_a_person_has_released_it() -> None:
    lane = Said()
    with host(MemoryStore(), lane=lane) as running:
        running.submit_all(ticks()).result()
        lane.say("halt")
        moved = running.remove("desk").result()
        lane.say("release")
        running.add("desk", BAND, moved=moved).result()
        assert [each.id for each in running.outbox()] == [id for id, _ in moved.orders]


def test_an_act_that_is_said_before_a_machine_leaves_has_its_effect_on_it() -> None:
    lane = Said()
    with host(MemoryStore(), lane=lane, flatten={"desk": "manual_exit"}) as running:
        running.submit_all(ticks(WAY[:2])).result()
        lane.say("flatten")
        moved = running.remove("desk").result()
    assert moved.snapshot.configuration == ("winding_down",)
    assert "act-1" in moved.ids


# --- the value ---


def test_what_leaves_is_a_value_that_goes_through_text_and_is_refused_if_that_was_changed() -> None:
    moved, _ = left()
    text = moved.to_json()
    assert Departed.from_json(text) == moved
    assert canonical(value_of(text.encode())).decode() == text
    assert (moved.machine, moved.program, dict(moved.parameters)) == (
        "desk",
        BAND.compile().digest,
        dict(BAND.compile().parameters),
    )
    with pytest.raises(FrozenInstanceError):
        moved.record = 1  # type: ignore[misc]  # what is tested
    for wrong in ("", "null", "{}", text[:-1], text.replace("5300.0", "5301.0"), text.replace("departed/1", "other")):
        with pytest.raises(HostError) as error:
            Departed.from_json(wrong)
        assert error.value.code == "HR877"


@given(st.data())
def test_no_character_of_it_can_be_changed(data: Any) -> None:
    text = left(prices=WAY[:3])[0].to_json()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([each for each in '01aZ"{}[],: é' if each != text[place]]))
    changed = text[:place] + other + text[place + 1 :]
    try:
        found = Departed.from_json(changed)
    except HostError as error:
        assert error.code == "HR877"  # noqa: PT017  # most changes end here, and some, of the journal's name, cannot
    else:
        assert (found.record, found.hash, found.payload) == (lambda was: (was.record, was.hash, was.payload))(
            Departed.from_json(text)
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"record": -1},
        {"record": 2**64},
        {"record": "5"},
        {"journal": None},
        {"departure": {"to": 5}},
        {"departure": {"pinned": [1]}},
        {"departure": {"machine": ["desk"]}},
        {"departure": {"machine": "a-b"}},
        {"state": {"ids": [["t-1"]]}},
        {"state": {"ids": 5}},
        {"state": {"sequences": 5}},
        {"state": {"sequences": {"feed": "x"}}},
        {"state": {"moves": -1}},
        {"state": {"moves": 1.5}},
        {"state": {"halted": "no"}},
        {"state": {"orders": [{"id": "desk", "order": {}}]}},
        {"order": "desk"},
        {"order": "other-1-1"},
        {"order": "desk-1-x"},
        {"order": "desk-1-1-1-1"},
        {"order": "desk-1-1\n"},
        {"order": 5},
    ],
)
def test_what_somebody_wrote_as_if_it_had_left_is_refused(changed: dict[str, Any]) -> None:
    moved, _ = left()
    body = json.loads(moved.to_json())
    departure = body["departure"]
    for name, value in changed.items():
        match name:
            case "departure":
                departure.update(value)
            case "state":
                departure["state"].update(value)
            case "order":
                departure["state"]["orders"][0]["id"] = value
            case _:
                body[name] = value
    # The hash is no secret: who writes such a text can write the right one.
    payload = canonical(departure)
    fields = FIELDS.pack(FORMAT, Kind.DEPARTURE, moved.record, len(payload), bytes.fromhex(moved.previous))
    body["hash"] = sha256(DOMAIN + fields + payload).hexdigest()
    with pytest.raises(HostError) as error:
        Departed.from_json(json.dumps(body))
    assert error.value.code == "HR877"


# --- repeating ---


@pytest.mark.parametrize("member", ["snapshot", "orders", "moves", "halted", "fill"])
def test_a_departure_whose_state_is_not_that_of_its_machine_is_found(member: str) -> None:
    moved, store = left()
    body = moved.body
    match member:
        case "snapshot":
            body["state"]["snapshot"]["cells"]["anchor"] = 1.0
        case "orders" | "fill":
            del body["state"][member]
        case _:
            body["state"][member] = 1
    forged = kept(chained_anew(groups_of(store), moved.record, canonical(body)))
    with pytest.raises(Divergence) as error:
        repeat(forged, {"desk": BAND})
    assert (error.value.sequence, error.value.machine, error.value.member) == (moved.record, "desk", member)


def test_the_command_line_reads_journals_that_machines_have_left_and_come_to(tmp_path: Path, capsys: Any) -> None:
    spec = ROOT / "specs" / "band_limited_hedge.yaml"
    first, second = str(tmp_path / "first.journal"), str(tmp_path / "second.journal")
    with Host(first, {"desk": load(spec), "other": load(spec)}) as running:
        running.submit_all(ticks()).result()
        moved = running.remove("desk", to="second").result()
    with Host(second, {}) as running:
        running.add("desk", load(spec), moved=moved).result()
        running.submit_all(ticks(WILD, 20)).result()
    for journal, events in ((first, len(WAY)), (second, len(WILD))):
        assert main(["replay", journal]) == 0
        assert f": {events} events up to record " in capsys.readouterr().out
        assert main(["replay", journal, "--against", str(spec)]) == 0
        assert main(["audit", "verify", journal]) == 0
        capsys.readouterr()
    assert main(["replay", first, "--until", str(moved.record - 1)]) == 0
    assert "  desk: " in capsys.readouterr().out
    assert main(["replay", first]) == 0
    told = capsys.readouterr().out
    assert f"  desk: left at record {moved.record}\n" in told
    assert main(["audit", "show", first, "--kind", "departure"]) == 0
    shown = capsys.readouterr().out
    assert '"to": "second"' in shown
    number = next(place for place, (kind, _) in enumerate(_records(second)) if kind == "event")
    assert main(["explain", str(spec), "--journal", second, "--record", str(number)]) == 0
    capsys.readouterr()
    assert main(["replay", first, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == {"desk": moved.record}


def _records(place: str) -> list[tuple[str, Any]]:
    from hedgerow.engine.journal.opening import open_store

    store = open_store(place)
    try:
        return records(store)
    finally:
        store.close()


def test_a_changed_spec_goes_on_from_the_state_in_which_a_machine_came() -> None:
    moved, _ = left()
    store = MemoryStore()
    with came(moved, store=store) as running:
        steps = running.submit_all(ticks(WILD, 20)).result()
    assert any(step.fired for step in steps)
    same = loads(BAND.text + "\n# no other program\n", "changed.yaml")
    assert repeat(store, {"desk": same}, against=True).repeated == len(WILD)
    other = loads(OLD, "counter.yaml")
    with pytest.raises(HostError) as error:
        repeat(store, {"desk": other}, against=True)
    assert error.value.code == "HR873"
    assert explained(store, BAND, next(n for n, (kind, _) in enumerate(records(store)) if kind == "event"))


# --- crashes ---


def test_a_crash_at_any_commit_of_either_side_neither_loses_a_machine_nor_runs_it_twice() -> None:
    writes: list[tuple[str, Group, State | None]] = []

    class Noted(MemoryStore):
        side = ""

        def write(self, group: Group, state: State | None = None) -> None:
            super().write(group, state)
            writes.append((self.side, group, state))

    def stores(count: int) -> tuple[Noted, Noted]:
        found = Noted(), Noted()
        found[0].side, found[1].side = "source", "target"
        for side, group, state in writes[:count]:
            MemoryStore.write(found[side == "target"], group, state)
        return found

    sent = [*ticks(), *ticks(WILD, 20)]

    def go_on(source: Any, target: Any) -> tuple[Any, dict[str, Any], int]:
        """Do all that is to be done, as somebody does who knows only what stands in the two journals."""
        venue: dict[str, Any] = {}
        with host(source, state_every=5) as here, Host(target, {}, known={"desk": BAND}, state_every=5) as there:
            gone = "desk" not in here._machines.members
            if not gone:
                for each in ticks():
                    here.submit_all([each]).result()
                order = here.outbox()[0]
                venue[order.id] = order.order
                here.delivered(order.id).result()
                here.remove("desk", to="target").result()
            if "desk" not in there._machines.members:
                there.add("desk", BAND, moved=here.departed("desk").result()).result()
            taken = 0
            for each in sent:
                taken += there.submit_all([each]).result()[0].rejected is None
            for order in there.outbox():
                assert venue.setdefault(order.id, order.order) == order.order
                there.delivered(order.id).result()
            assert here.outbox() == ()
            return there.snapshot("desk").result(), venue, taken

    last, orders, _ = go_on(*stores(0))
    total = len(writes)
    assert total > len(sent)
    for commits in range(total + 1):
        source, target = stores(commits)
        again, venue, _ = go_on(source, target)
        del writes[total:]
        assert again == last
        delivered = {body["order"] for store in (source, target) for kind, body in records(store) if kind == "delivery"}
        assert len(delivered) == len(orders)
        assert set(venue) <= delivered
        events = [body["id"] for store in (source, target) for kind, body in records(store) if kind == "event"]
        assert sorted(events) == sorted(each.id or "" for each in sent)
        for store in (source, target):
            assert verify(store).holds
            assert Journal.resume(store)
