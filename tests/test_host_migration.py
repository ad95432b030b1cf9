"""Machines that go over to another program: only as somebody has declared, and with a record of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hedgerow.engine.host.history import repeat
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.migration import Migration, migrated, read_migration
from hedgerow.engine.host.problem import HostError
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.lines import When
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.load import loads
from hedgerow.engine.snapshot import Snapshot

OLD = """\
hedgerow: 1
name: counter
events: {up: {}}
params: {step: {default: 1, type: int, range: [1, 9]}}
state: {count: {type: int, initial: 0, range: [0, 1000]}, spare: {type: int, initial: 0, range: [0, 9]}}
machine:
  initial: counting
  states:
    counting: {on: {up: {do: [{set: {count: count + step}}]}}}
"""
NEW = (
    OLD.replace("count: {type", "total: {type")
    .replace("spare: {type: int, initial: 0", "later: {type: int, initial: 3")
    .replace("{count: count + step}", "{total: total + step}")
    .replace("counting", "adding")
)

DIGESTS = tuple(loads(text, "counter.yaml").compile().digest for text in (OLD, NEW))


def told(store: Any, text: str, **given: Any) -> Any:
    with Host(store, {"desk": loads(text, "counter.yaml").compile(**given.pop("params", {}))}, **given) as host:
        host.submit_all([Sent("desk", "up", n) for n in range(5)]).result()
        return host.snapshot("desk").result()


def declared(folder: Path, **more: Any) -> Any:
    old, new = DIGESTS
    members = {
        "migration": 1,
        "machine": "desk",
        "from": f'"{old[:16]}"',
        "to": f'"{new}"',
        "states": "{counting: adding}",
        "cells": "{count: total}",
        "dropped": "[spare]",
        "initial": "{later: 7}",
        **more,
    }
    path = folder / "migration.yaml"
    path.write_text("".join(f"{name}: {value}\n" for name, value in members.items()), encoding="utf-8")
    return read_migration(path)


def test_a_declared_migration_maps_the_state_and_is_journalled(tmp_path: Path) -> None:
    store, spec = MemoryStore(), loads(NEW, "counter.yaml")
    assert told(store, OLD).cells["count"] == 5
    migration = declared(tmp_path)
    with Host(store, {"desk": spec}, migrations=[migration]) as host:
        killed = MemoryStore()
        killed._groups, killed._states = list(store._groups), list(store._states)
        found = host.snapshot("desk").result()
        assert (found.configuration, found.cells["total"], found.cells["later"]) == (("adding",), 5, 7)
        # It was durable once the host was open, with the state that nobody could repeat.
        with Host(killed, {"desk": spec}) as again:
            assert again.snapshot("desk").result() == found
        host.submit("desk", "up", 9).result()
    joins = [value_of(each.payload) for each in records_since(store) if each.kind == Kind.MACHINE]
    assert [body.get("migration") for body in joins] == [None, migration.to_json()]
    # Once is enough: a migration that has been made is no matter any more.
    for migrations in ([migration], []):
        with Host(store, {"desk": spec}, migrations=migrations) as host:
            assert host.snapshot("desk").result().cells["total"] == 6
    assert sum(each.kind == Kind.MACHINE for each in records_since(store)) == 2


def test_a_machine_in_the_shadow_goes_over_there(tmp_path: Path) -> None:
    store = MemoryStore()
    told(store, OLD, shadow={"desk"})
    for migrations in ([declared(tmp_path)], []):
        with Host(store, {"desk": loads(NEW, "counter.yaml")}, migrations=migrations, shadow={"desk"}) as host:
            assert host.recovered.machines["desk"].shadow
    joins = [value_of(each.payload) for each in records_since(store) if each.kind == Kind.MACHINE]
    assert [body["shadow"] for body in joins] == [True, True]
    elsewhere = MemoryStore()
    told(elsewhere, OLD, shadow={"desk"})
    with Host(elsewhere, {"desk": loads(OLD, "counter.yaml")}) as host:
        moved = host.remove("desk").result()
    with Host(MemoryStore(), {}) as host:
        host.add("desk", loads(NEW, "counter.yaml"), moved=moved, migration=declared(tmp_path)).result()
        assert host.recovered.machines["desk"].shadow


class Target:
    """What a migration gives a state to."""

    program = "b" * 64
    compiled = SimpleNamespace(parameters={"k": 2.0})

    def __init__(self, fresh: Snapshot) -> None:
        self.fresh, self.taken = fresh, fresh

    def snapshot(self) -> Snapshot:
        return self.fresh

    def restore(self, snapshot: Snapshot) -> None:
        self.taken = snapshot


def test_windows_history_and_an_end_go_over_under_their_new_names() -> None:
    old = Snapshot("a" * 64, {"k": 1.0}, 5, ("on",), {"n": 1}, {"w": (1.0, 2.0)}, {"h": ("on", "x")}, ended=True)
    target = Target(Snapshot("b" * 64, {"k": 2.0}, None, (), {"n": 0}, {"v": (), "u": ()}, {"g": (), "f": ("x",)}))
    declared = {"from": "a" * 16, "to": "b" * 16, "states": {"on": "off", "h": "g"}, "cells": {"w": "v"}}
    migration = Migration.model_validate({"migration": 1, "machine": "desk", "initial": {"u": [3.0]}, **declared})
    migrated(migration, old, cast("Any", target), "memory")
    assert target.taken == Snapshot(
        "b" * 64, {"k": 2.0}, 5, ("off",), {"n": 1}, {"v": (1.0, 2.0), "u": (3.0,)}, {"g": ("off", "x"), "f": ()}, True
    )


def test_other_parameters_are_a_migration_that_maps_nothing(tmp_path: Path) -> None:
    store, digest = MemoryStore(), loads(OLD, "counter.yaml").compile().digest
    told(store, OLD)
    same = {"from": f'"{digest}"', "to": f'"{digest}"', "states": "{}", "cells": "{}", "dropped": "[]", "initial": "{}"}
    compiled = loads(OLD, "counter.yaml").compile(step=3)
    with pytest.raises(HostError, match="other parameters: `step` = 1, now 3"):
        Host(store, {"desk": compiled})
    with Host(store, {"desk": compiled}, migrations=[declared(tmp_path, **same)]) as host:
        host.submit("desk", "up", 9).result()
        assert host.snapshot("desk").result().cells["count"] == 8
    # With what it has now from the beginning on it would have come further.
    kept = repeat(store, {"desk": loads(OLD, "counter.yaml")})
    assert kept.machines["desk"].snapshot().cells["count"] == 8
    last = max(each.sequence for each in records_since(store) if each.kind == Kind.EVENT)
    before = repeat(store, {"desk": loads(OLD, "counter.yaml")}, until=When(sequence=last - 1))
    assert before.machines["desk"].snapshot().cells["count"] == 5
    again = repeat(store, {"desk": loads(OLD, "counter.yaml")}, against=True)
    assert again.machines["desk"].snapshot().cells["count"] == 18


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dropped": "[]"}, "the migration does not fit: nothing takes `spare` over"),
        ({"initial": "{}"}, "the migration does not fit: nothing says what `later` is"),
        ({"cells": "{count: total, nothing: later}"}, "the migration does not fit: the old program has no `nothing`"),
        (
            {"from": f'"{"0" * 16}"'},
            f"the migration does not fit: it leads from program {'0' * 16}, the state is of {DIGESTS[0]}",
        ),
        (
            {"to": f'"{"0" * 16}"'},
            f"the migration does not fit: it leads to program {'0' * 16}, the spec is {DIGESTS[1]}",
        ),
        ({"dropped": "[spare, nothing]"}, "the migration does not fit: the old program has no `nothing`"),
        (
            {"cells": "{count: total, spare: other}", "dropped": "[]"},
            "the migration does not fit: the new program has no `other`",
        ),
        ({"initial": "{later: 7, other: 1}"}, "the migration does not fit: the new program has no `other`"),
        ({"cells": "{count: later}"}, "the migration does not fit: `later` would come from two places"),
        ({"initial": "{later: 10}"}, "the migration does not fit: `later` of the snapshot is outside its range"),
        (
            {"initial": "{later: 1.5}"},
            "the migration does not fit: `later` of the snapshot is not a whole number of 64 bits",
        ),
        ({"states": "{}"}, "the migration does not fit: the snapshot does not stand in states of its program"),
    ],
)
def test_a_migration_that_leaves_something_open_is_refused(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    store = MemoryStore()
    told(store, OLD)
    with pytest.raises(HostError) as error:
        Host(store, {"desk": loads(NEW, "counter.yaml")}, migrations=[declared(tmp_path, **changed)])
    assert (error.value.code, error.value.message) == ("HR875", message)
    with Host(store, {"desk": loads(OLD, "counter.yaml")}) as host:
        assert host.snapshot("desk").result().cells["count"] == 5


@pytest.mark.parametrize("wrong", [{"from": "12"}, {"to": '"xyz"'}, {"migration": 2}, {"unknown": 1}, {"cells": "[a]"}])
def test_a_file_that_declares_no_migration_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(HostError) as error:
        declared(tmp_path, **wrong)
    assert error.value.code == "HR875"


@pytest.mark.parametrize("one", [True, False])
def test_records_after_the_last_state_are_for_the_old_spec_to_repeat(tmp_path: Path, one: bool) -> None:
    store = MemoryStore()
    host = Host(store, {"desk": loads(OLD, "counter.yaml")}, state_every=3)
    host.submit_all([Sent("desk", "up", n) for n in range(5)]).result()
    if one:
        host.advance("desk", 9).result()  # one record, which changes the time alone
    else:
        host.submit("desk", "up", 9).result()
    crashed = MemoryStore()
    crashed._groups, crashed._states = list(store._groups), list(store._states)
    host.close()
    with pytest.raises(HostError) as error:
        Host(crashed, {"desk": loads(NEW, "counter.yaml")}, migrations=[declared(tmp_path)])
    assert error.value.code == "HR873"
    assert "the old spec has to repeat" in error.value.message


@pytest.mark.parametrize("states", [True, False])
def test_a_host_that_was_killed_repeats_with_the_old_spec_and_goes_over_then(tmp_path: Path, states: bool) -> None:
    store, old, new = MemoryStore(), loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    host = Host(store, {"desk": old, "other": old}, state_every=3 if states else 10**6)
    host.submit_all([Sent(name, "up", n) for n in range(5) for name in ("desk", "other")]).result()
    host.submit("desk", "up", 9, id="last").result()
    crashed = MemoryStore()
    crashed._groups, crashed._states = list(store._groups), list(store._states)
    host.close()
    given: dict[str, Any] = {"migrations": [declared(tmp_path)], "before": {"desk": old}}
    with pytest.raises(HostError) as error:
        Host(crashed, {"desk": new, "other": old}, migrations=given["migrations"])
    assert error.value.code == "HR873"
    both = [*given["migrations"], given["migrations"][0].model_copy(update={"machine": "other"})]
    with pytest.raises(HostError) as error:
        Host(crashed, {"desk": new, "other": new}, migrations=both, before={"desk": old})
    assert error.value.code == "HR873"
    last = None
    for _ in range(2):  # once it has gone over, nothing of this is any matter
        with Host(crashed, {"desk": new, "other": old}, **given) as host:
            found = host.snapshot("desk").result()
            assert (found.cells["total"], host.snapshot("other").result().cells["count"]) == (6, 5)
            assert host.submit("desk", "up", 10, id="last").result().rejected is not None
            assert last in (None, found)
            last = found
    joins = [value_of(each.payload) for each in records_since(crashed) if each.kind == Kind.MACHINE]
    assert ["migration" in body for body in joins] == [False, False, True]


def test_a_migration_that_was_made_stands_beside_one_that_is_to_be_made(tmp_path: Path) -> None:
    store, old, new = MemoryStore(), loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    first = declared(tmp_path)
    second = first.model_copy(update={"machine": "other"})
    with Host(store, {"desk": old, "other": old}) as host:
        for name in ("desk", "other"):
            host.submit(name, "up", 1).result()
    for other, migrations in ((old, [first]), (new, [first, second]), (new, [first, second])):
        Host(store, {"desk": new, "other": other}, migrations=migrations).close()
    joins = [value_of(each.payload) for each in records_since(store) if each.kind == Kind.MACHINE]
    assert [body["machine"] for body in joins if "migration" in body] == ["desk", "other"]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_machine_that_came_after_the_last_state_can_go_over_too(tmp_path: Path, arrives: bool) -> None:
    store, old, new = MemoryStore(), loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    moved = None
    if arrives:
        with Host(MemoryStore(), {"desk": old}) as elsewhere:
            elsewhere.submit("desk", "up", 0).result()
            moved = elsewhere.remove("desk").result()
    Host(store, {"other": old}).close()
    host = Host(store, {"other": old})
    host.add("desk", old, moved=moved).result()
    host.submit("desk", "up", 1).result()
    crashed = MemoryStore()
    crashed._groups, crashed._states = list(store._groups), list(store._states)
    host.close()
    given: dict[str, Any] = {"migrations": [declared(tmp_path)], "before": {"desk": old}}
    with Host(crashed, {"desk": new, "other": old}, **given) as host:
        assert host.snapshot("desk").result().cells["total"] == 1 + arrives


def test_a_migration_that_a_new_journal_has_no_need_of_does_nothing(tmp_path: Path) -> None:
    store, old, new = MemoryStore(), loads(OLD, "counter.yaml"), loads(NEW, "counter.yaml")
    given: dict[str, Any] = {"migrations": [declared(tmp_path)], "before": {"desk": old}}
    host = Host(store, {"desk": new}, **given)
    host.submit("desk", "up", 1).result()
    crashed = MemoryStore()
    crashed._groups = list(store._groups)
    host.close()
    with Host(crashed, {"desk": new}, **given) as host:
        assert host.snapshot("desk").result().cells["total"] == 1
