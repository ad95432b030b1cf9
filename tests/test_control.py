"""The stop lane without a process: acts, terms, the flag, the one writer, and what the engine sees."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lanes import DESK, asked, made, said, take_all, terms

import hedgerow
from hedgerow.engine.control.acts import Act, Asked, act_from, payload_of, read_asked
from hedgerow.engine.control.client import status
from hedgerow.engine.control.flag import BYTES, FLAG, POSTED, SLOTS, TAKEN, Flag, number_of, word_of
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.log import LOG, is_halted, read_history
from hedgerow.engine.control.problem import ControlError
from hedgerow.engine.control.terms import check, make_lane, read_terms, terms_of
from hedgerow.engine.control.writer import Writer
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.load import loads

MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path)


@pytest.fixture
def writer(folder: Path) -> Iterator[Writer]:
    with Writer(folder) as writer:
        yield writer


@pytest.fixture
def lane(writer: Writer, folder: Path) -> Iterator[Lane]:
    with Lane.open(folder) as lane:
        yield lane


def done(writer: Writer, kind: str, number: int | str = 1, **more: Any) -> Act:
    (outcome,) = writer.act([asked(kind, number, **more)])
    assert not isinstance(outcome, ControlError), outcome
    return outcome[0]


def served_once(folder: Path) -> Path:
    """Return a lane that has a flag."""
    with Writer(folder):
        return folder


def refused(document: object) -> tuple[str, str, str]:
    with pytest.raises(ControlError) as raised:
        read_asked(document, "lane")
    return raised.value.code, raised.value.message, raised.value.help


# --- acts ---


def test_an_act_says_by_whom_and_why() -> None:
    assert refused(said("halt") | {"by": " "}) == (
        "HR883", "the act has nobody to answer for it", "say who acts: `--as anna`"
    )  # fmt: skip
    assert refused(said("halt") | {"reason": ""})[:2] == ("HR883", "the act has no reason")
    assert refused(said("halted")) == ("HR883", "unknown act `halted`", "did you mean `halt`?")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "halt",
        {},
        said("halt") | {"more": 1},
        said("halt") | {"by": 1},
        said("halt") | {"by": "a" * 65},
        said("halt") | {"reason": "a" * 501},
        said("halt") | {"reason": "two\nlines"},
        said("halt") | {"reason": "\ud800"},
        said("halt") | {"id": "a b"},
        said("halt") | {"id": ""},
        said("halt") | {"event": "tick"},
        said("halt") | {"fields": {"price": 1}},
        said("override"),
        said("override") | {"event": "tick", "fields": []},
        said("halt") | {"until_ns": "soon"},
        said("halt") | {"until_ns": True},
    ],
    ids=repr,
)
def test_what_is_no_act_is_refused(document: object) -> None:
    assert refused(document)[0] == "HR883"


def test_an_act_is_the_same_when_it_is_read_back() -> None:
    act = Act(7, "override", "anna", "wegen Überlast", 5, "x", "tick", {"price": 0.1, "big": 2**60})
    assert act_from(7, payload_of(act, "lane")) == act


def test_an_act_that_has_no_room_in_the_flag_is_refused() -> None:
    with pytest.raises(ControlError, match="an act has up to 4,000 bytes"):
        payload_of(Act(7, "override", "anna", "w", 5, "x", "tick", {"a" * 4000: 1}), "lane")


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b'{"act":"halt"}', b'{"act":"bow","of":1}', b'{"act":[]}'])
def test_a_record_that_is_no_act_is_none(payload: bytes) -> None:
    assert act_from(1, payload) is None


# --- what the machine takes ---


def test_terms_are_the_same_when_they_are_read_back(tmp_path: Path) -> None:
    told = terms(DESK)
    make_lane(tmp_path / "lane", told)
    assert read_terms(tmp_path / "lane") == told
    assert (tmp_path / "lane").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"event": "tik", "fields": {"price": 1.0}}, "HR884", "unknown event `tik`"),
        ({"event": "tick"}, "HR884", "`tick` came without its field `price`"),
        ({"event": "tick", "fields": {"prize": 1.0}}, "HR884", "`tick` has no field `prize`"),
        ({"event": "tick", "fields": {"price": -1.0}}, "HR884", "`price` = -1.0 is below 0.01"),
        ({"event": "tick", "fields": {"price": "high"}}, "HR884", "`price` = 'high' is not a number"),
        ({"event": "tick", "fields": {"price": float("nan")}}, "HR884", "`price` = nan is not a finite number"),
        ({"event": "approve", "fields": {"number": 1, "by": "ben"}}, "HR884", "`by` = ben is not who acts, `anna`"),
        ({"event": "approve", "fields": {"number": 1, "by": 1}}, "HR884", "`by` = 1 is not who acts, `anna`"),
    ],
    ids=repr,
)
def test_an_event_that_the_machine_would_refuse_is_no_act(more: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ControlError) as raised:
        check(terms(DESK), asked("override", **more), "lane")
    assert (raised.value.code, raised.value.message) == (code, message)


def test_who_acts_is_who_approves() -> None:
    found = check(terms(DESK), asked("override", event="approve", fields={"number": 3}), "lane")
    assert found.fields == {"number": 3, "by": "anna"}


def test_a_machine_without_an_event_for_it_cannot_be_flattened() -> None:
    with pytest.raises(ControlError, match=r"HR885.*`band_limited_hedge` has no event that flattens it"):
        check(terms(flatten=None), asked("flatten"), "lane")


def test_a_host_of_several_machines_takes_what_any_of_them_takes(tmp_path: Path) -> None:
    text = "hedgerow: 1\nname: other\nevents: {tick: {bid: {}}, stop: {}}\nmachine: {initial: on, states: {on: {}}}\n"
    programs = [hedgerow.load(DESK).program("same"), loads(text).program("same")]
    make_lane(tmp_path / "lane", terms_of(*programs, machine="host", flatten="stop"))
    told = read_terms(tmp_path / "lane")
    assert (told.machine, told.flatten) == ("host", "stop")
    for fields in ({"price": 7.5}, {"bid": 7.5}):
        assert check(told, asked("override", event="tick", fields=fields), "lane").fields == fields
    with pytest.raises(ControlError, match=r"HR884.*`tick` has no field `ask`"):
        check(told, asked("override", event="tick", fields={"ask": 7.5}), "lane")


@pytest.mark.parametrize("event", ["tick", "manual_exits"])
def test_what_flattens_is_an_event_without_fields(event: str) -> None:
    with pytest.raises(ControlError, match="HR885"):
        terms_of(hedgerow.load(DESK).program("same"), flatten=event)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "hedgerow.lane/1"}', '{"format": "hedgerow.lane/2"}', "[" * 50_000, "\xff" * 9]
)
def test_a_damaged_description_is_no_lane(folder: Path, text: str) -> None:
    (folder / "lane.json").write_text(text, "latin-1")
    with pytest.raises(ControlError, match="HR880"):
        read_terms(folder)


def test_a_folder_that_others_may_enter_is_no_lane(folder: Path) -> None:
    folder.chmod(0o750)
    for opened in (Writer, Lane.open):
        with pytest.raises(ControlError, match="others may look into the folder"):
            opened(folder)


# --- the flag ---


@given(st.integers(0, 2**40 - 1))
def test_a_word_is_the_number_that_it_was_made_of(number: int) -> None:
    assert number_of(word_of(number)) == number
    assert word_of(number) not in (0, 2**64 - 1)


@given(st.integers(0, 2**40 - 1), st.integers(0, 63))
def test_a_word_with_another_bit_is_no_number(number: int, bit: int) -> None:
    assert number_of(word_of(number) ^ 1 << bit) is None


@pytest.mark.parametrize("word", [0, 1, 2**63, 2**64 - 1])
def test_what_an_empty_disk_holds_is_no_number(word: int) -> None:
    assert number_of(word) is None


def test_a_slot_holds_its_act_until_another_needs_it(writer: Writer) -> None:
    flag = writer.flag
    flag.put(5, 3, b"five")
    assert flag.get(5) == (3, b"five")
    flag.put(5 + SLOTS, 5, b"later")
    assert (flag.get(5), flag.get(5 + SLOTS)) == (None, (5, b"later"))


def test_a_number_that_another_process_writes_is_seen_whole(writer: Writer, folder: Path) -> None:
    numbers = (0, 2**40 - 1)
    code = (
        "import sys; from pathlib import Path; from hedgerow.engine.control.flag import Flag\n"
        "flag = Flag(Path(sys.argv[1]))\n"
        "print(flush=True)\n"
        f"while True: flag.post({numbers[0]}); flag.post({numbers[1]})"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None and other.stdout.readline()
            seen = {writer.flag.posted for _ in range(200_000)}
        finally:
            other.kill()
    assert seen == set(numbers)
    writer.flag.post(0)


# --- an act on its way ---


@pytest.mark.parametrize("kind", ["halt", "flatten", "release", "override"])
def test_an_act_is_seen_once_and_then_has_had_its_effect(kind: str, writer: Writer, lane: Lane, folder: Path) -> None:
    more = {"event": "tick", "fields": {"price": 7.5}} if kind == "override" else {}
    assert lane.pending() is None
    act = done(writer, kind, **more)
    event = {"flatten": "manual_exit", "override": "tick"}.get(kind, "")
    assert (act.act, act.by, act.reason, act.event, act.fields) == (
        kind,
        "anna",
        "a test",
        event,
        more.get("fields", {}),
    )
    assert lane.pending() == lane.pending() == act
    assert writer.flag.taken == 0
    lane.taken(act)
    assert lane.pending() is None
    assert writer.flag.taken == act.number
    assert lane.halted is (kind == "halt")
    writer.look()
    assert read_history(folder).taken == act.number


def test_only_what_is_pending_can_be_taken(writer: Writer, lane: Lane) -> None:
    act = done(writer, "halt")
    with pytest.raises(ValueError, match="act 1 is not what is pending"):
        lane.taken(act)
    assert lane.pending() == act
    lane.taken(act)
    with pytest.raises(ValueError, match="act 1 is not what is pending"):
        lane.taken(act)


def test_acts_come_in_their_order_also_where_the_flag_no_longer_holds_them_all(writer: Writer, lane: Lane) -> None:
    numbers = [done(writer, "halt" if each % 2 else "release", each).number for each in range(2 * SLOTS + 5)]
    assert take_all(lane) == numbers == sorted(set(numbers))


def test_threads_that_look_together_see_each_act_once(writer: Writer, lane: Lane) -> None:
    numbers: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            lane.pending()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        numbers += [done(writer, "halt", each).number for each in range(40)]
        assert take_all(lane) == numbers
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert lane.pending() is None


def test_an_act_that_is_sent_again_is_done_once(writer: Writer, lane: Lane, folder: Path) -> None:
    both = writer.act([asked("halt"), asked("halt")])
    assert [(act.number, again) for act, again in both] == [(1, False), (1, True)]
    assert writer.act([asked("halt")]) == [(both[0][0], True)]
    assert take_all(lane) == [1]
    assert len(read_history(folder).acts) == 1


def test_an_id_belongs_to_one_act(writer: Writer) -> None:
    done(writer, "halt")
    (outcome,) = writer.act([asked("release")])
    assert isinstance(outcome, ControlError)
    assert (outcome.code, outcome.message) == ("HR887", "the id `id-1` is that of another act, number 1")


def test_an_act_that_nobody_waits_for_is_not_done_but_a_halt_is(writer: Writer) -> None:
    (late,) = writer.act([asked("release", 1, until_ns=1)])
    assert isinstance(late, ControlError) and late.message == "nobody waits for this act any more"
    assert done(writer, "halt", 2, until_ns=1).act == "halt"


def test_one_that_does_not_stand_keeps_none_of_its_group_back(writer: Writer, lane: Lane) -> None:
    outcomes = writer.act([asked("halt", 1), asked("override", 2, event="tik"), asked("release", 3)])
    assert [isinstance(outcome, ControlError) for outcome in outcomes] == [False, True, False]
    assert len(take_all(lane)) == 2


def test_the_log_is_a_journal_that_holds(folder: Path) -> None:
    with Writer(folder) as writer:
        done(writer, "halt")
    found = verify(open_store(str(folder / LOG)))
    assert found.holds and found.genesis["machine"] == "band_limited_hedge"


# --- restarts ---


@given(st.lists(st.sampled_from(["halt", "release", "flatten", "writer", "engine", "take"]), max_size=25))
@MANY
def test_a_halt_stays_until_a_release_whoever_starts_again(
    tmp_path_factory: pytest.TempPathFactory, course: list[str]
) -> None:
    folder = made(tmp_path_factory.mktemp("lane"))
    writer, lane = Writer(folder), None
    expected: list[int] = []
    seen: list[int] = []
    halted = False
    try:
        lane = Lane.open(folder)
        for number, step in enumerate(course):
            if step == "writer":
                writer.close()
                writer = Writer(folder)
            elif step == "engine":
                lane.close()
                lane = Lane.open(folder)
            elif step == "take":
                seen += take_all(lane)
            else:
                expected.append(done(writer, step, number).number)
                halted = step == "halt" or (halted and step == "flatten")
        seen += take_all(lane)
        assert seen == expected
        assert lane.halted is halted is writer.halted
        assert status(folder).halted is halted
    finally:
        writer.close()
        if lane is not None:
            lane.close()


def test_an_act_that_was_logged_and_not_shown_is_done_by_whoever_comes_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writer(folder) as writer, Lane.open(folder) as lane:
        with monkeypatch.context() as dying:
            dying.setattr(Flag, "post", lambda *_: None)
            done(writer, "halt")
        assert lane.pending() is None
        writer.look()
        assert take_all(lane) == [1]
    with Lane.open(folder) as lane:
        assert lane.pending() is None and lane.halted


def test_an_engine_does_what_was_logged_and_never_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Writer(folder) as writer, monkeypatch.context() as dying:
        dying.setattr(Flag, "post", lambda *_: None)
        done(writer, "halt")
        with Lane.open(folder) as lane:
            assert take_all(lane) == [1] and lane.halted
            dying.undo()
            writer.look()
            assert lane.pending() is None


def test_a_host_says_what_it_has_taken(folder: Path) -> None:
    with Writer(folder) as writer:
        numbers = [done(writer, kind, kind).number for kind in ("halt", "flatten", "release")]
    with Lane.open(folder, taken=numbers[0]) as lane:
        assert lane.halted and take_all(lane) == numbers[1:] and not lane.halted


def test_a_flag_that_is_older_than_the_log_brings_no_act_back(folder: Path) -> None:
    with Writer(folder) as writer, Lane.open(folder) as lane:
        done(writer, "flatten", 1)
        assert take_all(lane) == [1]
        writer.look()
        done(writer, "halt", 2)
        writer.flag.words[TAKEN] = word_of(0)
    with Lane.open(folder) as lane:
        assert [act.act for act in (lane.pending(),) if act] == ["halt"]
    flag = Flag(folder)
    flag.words[TAKEN] = word_of(0)
    flag.close()
    with Writer(folder) as writer:
        assert writer.flag.taken == 1


def test_a_host_does_not_take_another_lane_for_its_own(folder: Path) -> None:
    with Writer(folder) as writer:
        done(writer, "halt")
    with pytest.raises(ControlError, match=r"HR880.*act 3 was taken, and the log of this lane ends with act 1"):
        Lane.open(folder, taken=3)
    with Lane.open(folder, taken=2) as lane:
        assert lane.pending() is None and lane.halted


# --- one of each ---


def test_a_lane_has_one_writer(writer: Writer, folder: Path) -> None:
    with pytest.raises(ControlError, match=r"HR882.*another process serves this lane"):
        Writer(folder)


def test_a_lane_has_one_engine(lane: Lane, folder: Path) -> None:
    with pytest.raises(ControlError, match=r"HR882.*another engine looks at this lane"):
        Lane.open(folder)
    lane.halted = False
    assert status(folder).engine == os.getpid()


def test_a_lane_that_nobody_ever_served_has_no_flag(folder: Path) -> None:
    with pytest.raises(ControlError, match=r"HR880.*the flag cannot be mapped"):
        Lane.open(folder)


# --- damage ---


def test_garbage_in_the_flag_is_a_halt_until_a_release(folder: Path, writer: Writer, lane: Lane) -> None:
    writer.flag.words[POSTED] = 0x1234
    act = lane.pending()
    assert act is not None
    assert (act.number, act.id, act.act, act.reason) == (1, "", "halt", "the flag is damaged")
    lane.taken(act)
    assert lane.pending() is None and lane.halted
    assert status(folder).damaged
    writer.look()
    assert take_all(lane) == [1] and lane.halted
    assert read_history(folder).acts[0].reason == "the flag was damaged"
    done(writer, "release")
    assert take_all(lane) == [2] and not lane.halted


@given(st.binary(min_size=1, max_size=64), st.integers(0, 300))
@MANY
def test_whatever_is_written_over_the_flag_no_act_is_lost_and_none_is_made_up(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, at: int
) -> None:
    folder = made(tmp_path_factory.mktemp("lane"))
    with Writer(folder) as writer, Lane.open(folder) as lane:
        expected = [done(writer, "halt", 1).number, done(writer, "flatten", 2).number]
        with (folder / FLAG).open("r+b") as file:
            file.seek(at)
            file.write(garbage)
        seen = take_all(lane)
        assert lane.halted
        writer.look()
        expected += [act.number for act in writer.history.since(expected[-1])]
        seen += take_all(lane)
        assert [number for number in seen if number] == expected
        assert lane.halted
        done(writer, "release", 3)
        assert take_all(lane) and not lane.halted


@given(st.binary(max_size=4096), st.sampled_from([0, 4096, 4096 * 2, 4096 * 3]), st.booleans())
@MANY
def test_a_flag_of_garbage_that_is_found_at_the_start_is_a_halt_or_none_of_its_words_was_touched(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes, at: int, shorter: bool
) -> None:
    folder = made(tmp_path_factory.mktemp("lane"))
    with Writer(folder) as writer:
        done(writer, "flatten")
        whole = bytes((folder / FLAG).read_bytes())
    text = whole[:at] + garbage + (b"" if shorter else whole[at + len(garbage) :])
    (folder / FLAG).write_bytes(text)
    with Writer(folder) as writer, Lane.open(folder) as lane:
        damaged = (
            len(text) < 136 or text[:136][:8] + text[64:72] + text[128:136] != whole[:8] + whole[64:72] + whole[128:136]
        )
        assert writer.halted is damaged
        assert len(writer.history.acts) == 1 + damaged
        take_all(lane)
        assert lane.halted is damaged
        assert len((folder / FLAG).read_bytes()) >= BYTES


def test_damage_is_a_halt_also_where_an_act_comes_before_the_next_look(writer: Writer, lane: Lane) -> None:
    writer.flag.spoil()
    done(writer, "release")
    acts = [(act.act, act.by) for act in writer.history.acts]
    assert acts == [("halt", "hedgerow"), ("release", "anna")]
    assert take_all(lane) == [1, 2] and not lane.halted


def test_damage_while_an_act_is_written_is_a_halt_after_it(
    writer: Writer, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(store: SqliteStore, *given: Any) -> None:
        written(store, *given)
        writer.flag.spoil()
        assert take_all(lane) in ([0], [])

    written = SqliteStore.write
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(SqliteStore, "write", write)
        done(writer, "release")
    take_all(lane)
    writer.look()
    take_all(lane)
    assert [act.act for act in writer.history.acts][:2] == ["release", "halt"]
    assert lane.halted


def test_a_flag_that_has_gone_is_a_halt(folder: Path) -> None:
    with Writer(folder) as writer:
        done(writer, "flatten")
    (folder / FLAG).unlink()
    with Writer(folder) as writer:
        assert writer.halted


@pytest.mark.parametrize("replaced", [False, True])
def test_a_flag_that_goes_while_an_engine_looks_at_it_halts_the_engine(folder: Path, replaced: bool) -> None:
    with Lane.open(served_once(folder)) as lane:
        writer = Writer(folder)
        (folder / FLAG).unlink()
        if replaced:
            (folder / FLAG).write_bytes(bytes(BYTES))
        with pytest.raises(ControlError, match=r"HR880.*the flag of the lane has gone"):
            writer.look()
        writer.close()
        assert take_all(lane) == [0] and lane.halted
    with Writer(folder) as writer:
        assert writer.halted


def test_a_number_that_no_log_holds_is_a_halt(folder: Path, writer: Writer, lane: Lane) -> None:
    writer.flag.words[POSTED] = word_of(40)
    act = lane.pending()
    assert act is not None and (act.id, act.act, act.reason) == ("", "halt", "an act that is posted cannot be read")
    writer.look()
    assert writer.halted


def test_a_number_beyond_the_log_is_a_halt_at_the_start(folder: Path) -> None:
    with Writer(folder) as writer:
        done(writer, "flatten")
    flag = Flag(folder)
    flag.words[POSTED] = word_of(40)
    flag.words[TAKEN] = word_of(39)
    flag.close()
    with Lane.open(folder) as lane:
        acts = []
        while (act := lane.pending()) is not None:
            acts.append((act.act, act.id))
            lane.taken(act)
        assert acts == [("flatten", "id-1"), ("halt", "")]


def test_a_slot_of_garbage_is_read_from_the_log(folder: Path, writer: Writer, lane: Lane) -> None:
    act = done(writer, "flatten")
    with (folder / FLAG).open("r+b") as file:
        file.seek(4096 * (1 + act.number % SLOTS) + 30)
        file.write(b"garbage")
    assert lane.pending() == act


def test_acts_that_are_neither_in_the_flag_nor_in_a_log_that_can_be_read_are_a_halt(
    folder: Path, writer: Writer, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = done(writer, "release")
    with (folder / FLAG).open("r+b") as file:
        file.seek(4096 * (1 + act.number % SLOTS))
        file.write(bytes(64))

    def gone(*_: object) -> None:
        raise JournalError("HR863", "the journal cannot be read", "log", "look at its disk")

    monkeypatch.setattr(SqliteStore, "groups", gone)
    found = lane.pending()
    assert found is not None and (found.act, found.id) == ("halt", "")


# --- a log that takes nothing ---


def full(*_: object) -> None:
    raise JournalError("HR862", "the disk is full; the group is not journalled", "log", "make room")


@pytest.mark.parametrize("kind", ["halt", "release", "flatten"])
def test_what_cannot_be_logged_is_not_done_and_halts_the_machine(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writer(folder) as writer, Lane.open(folder) as lane:
        with monkeypatch.context() as disk:
            disk.setattr(SqliteStore, "write", full)
            with pytest.raises(ControlError, match=r"HR886.*nothing can be logged: the disk is full"):
                writer.act([asked(kind)])
        assert take_all(lane) == [0] and lane.halted
    with Writer(folder) as writer:
        assert [(act.act, act.reason) for act in writer.history.acts] == [("halt", "the flag was damaged")]


def test_a_halt_is_the_last_word_on_itself() -> None:
    def act(number: int, kind: Any) -> Act:
        return Act(number, kind, "anna", "w", 0, str(number), "", {})

    acts = [act(1, "halt"), act(2, "flatten"), act(4, "release"), act(6, "halt")]
    assert [is_halted(acts, until) for until in range(7)] == [False, True, True, True, False, False, True]
    assert isinstance(asked("halt"), Asked)
