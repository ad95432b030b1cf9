"""`hedgerow audit`: what a person is told of a journal, and what a program reads."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from journals import POSTGRES, filled, seeded
from pages import ROOT, fences

from hedgerow.cli.main import main
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.keys import Signer, make_key
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.problem import JournalError, need

Capture = pytest.CaptureFixture[str]
SECOND = 10**9
DAY = 1_700_000_000 * SECOND


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a signed journal in the current folder: 0 genesis, 1 to 7 events, 8 checkpoint, 9 event, 10 checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    make_key(tmp_path / "desk.pem")
    path = tmp_path / "desk.journal"
    filled(open_store(str(path), write=True), [7, 1], signer=Signer.read(tmp_path / "desk.pem")).close()
    return path


def ran(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(["audit", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def public() -> str:
    return Signer.read(Path("desk.pem")).public


def tamper(statement: str) -> None:
    with sqlite3.connect("desk.journal") as database:
        database.execute(statement)
    database.close()


# --- verify ---


def test_a_journal_that_holds_is_told_with_what_vouches_for_it(desk: Path, capsys: Capture) -> None:
    code, out, err = ran(capsys, "verify", "desk.journal", "--key", "desk.pem.pub")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "desk.journal: holds",
        "  machine      desk, program abababababababab",
        "  records      11 as they were written",
        f"  checkpoints  2, signed with {public()}",
        "  signed       through record 10",
        "what was cut off its end, no journal can show: keep its last checkpoint elsewhere, and give it as --expect",
    ]


def test_an_unsigned_journal_is_told_plainly(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bare.journal"
    filled(open_store(str(path), write=True), [7]).close()
    code, out, _ = ran(capsys, "verify", str(path))
    assert code == 0
    assert "2, unsigned: whoever can write the journal can have written all of it anew" not in out
    assert "1, unsigned: whoever can write the journal can have written all of it anew" in out
    assert "signed  " not in out


def test_what_the_chain_alone_vouches_for_is_counted(desk: Path, capsys: Capture) -> None:
    tamper("DELETE FROM record_group WHERE first > 8")
    code, out, _ = ran(capsys, "verify", "desk.journal")
    assert code == 0
    assert "  signed       through record 8\n" in out


def test_a_changed_record_is_found_and_told(desk: Path, capsys: Capture) -> None:
    tamper("UPDATE record_group SET records = CAST(replace(records, '\"price\":100.', '\"price\":900.') AS BLOB)")
    code, out, err = ran(capsys, "verify", "desk.journal")
    assert code == 1
    assert out.splitlines()[0] == "desk.journal: does not hold from record 1 on"
    assert out.splitlines()[2] == "  records      1 as they were written, in the groups before"
    assert err == (
        "desk.journal: error[HR869]: record 1: it is not what the next record was chained to\n"
        "   help: go back to a copy; `hedgerow audit verify` says up to where it holds\n"
    )


def test_a_tail_that_was_dropped_with_its_checkpoints_is_seen_by_who_has_one(desk: Path, capsys: Capture) -> None:
    code, out, _ = ran(capsys, "export", "desk.journal", "--kind", "checkpoint")
    assert code == 0
    Path("kept.jsonl").write_text(out, "utf-8")
    code, out, err = ran(capsys, "verify", "desk.journal", "--expect", "kept.jsonl")
    assert (code, err) == (0, "")
    assert "  expected     2 stand as they were seen" in out
    tamper("DELETE FROM record_group WHERE first > 8")
    assert ran(capsys, "verify", "desk.journal")[0] == 0
    code, out, err = ran(capsys, "verify", "desk.journal", "--expect", "kept.jsonl")
    assert code == 1
    assert "error[HR869]: record 9: the journal ends here; it has gone on to record 10 at least" in err


def test_another_key_than_expected_is_no_key(desk: Path, capsys: Capture) -> None:
    make_key(Path("other.pem"))
    code, _, err = ran(capsys, "verify", "desk.journal", "--key", "other.pem")
    assert code == 1
    assert "error[HR869]: record 0: another key signs its checkpoints than was expected" in err


def test_a_program_reads_what_was_found(desk: Path, capsys: Capture) -> None:
    code, out, _ = ran(capsys, "verify", "desk.journal", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["holds"], found["records"], found["signed_through"], found["damage"]) == (True, 11, 10, None)
    tamper("UPDATE record_group SET first = 2 WHERE first = 1")
    code, out, _ = ran(capsys, "verify", "desk.journal", "--json")
    found = json.loads(out)
    assert code == 1
    assert {name: found["damage"][name] for name in ("code", "fault", "sequence", "last")} == {
        "code": "HR869",
        "fault": "changed",
        "sequence": 1,
        "last": False,
    }


def test_what_is_no_journal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ran(capsys, "verify", "none.journal")
    assert (code, out) == (2, "")
    assert err == "none.journal: error[HR860]: there is no journal here\n   help: name the file of a journal\n"
    code, out, _ = ran(capsys, "show", "none.journal", "--json")
    assert code == 2
    assert json.loads(out)["diagnostics"][0]["code"] == "HR860"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["apsw", "google_crc32c"])
def test_a_package_that_is_missing_is_told(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, package: str
) -> None:
    monkeypatch.setattr("hedgerow.engine.journal.problem.find_spec", lambda name: None if name == package else object())
    code, _, err = ran(capsys, "verify", "desk.journal")
    assert code == 2
    assert err == (
        f"hedgerow audit: error[HR809]: a journal needs `{package}`, which is not installed\n"
        "   help: install the extra: pip install 'hedgerow[journal]'\n"
    )


def test_a_package_that_cannot_be_is_missing() -> None:
    with pytest.raises(JournalError, match=r"needs `no_such_package`"):
        need("journal", "json", "no_such_package")


@pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")
def test_a_journal_on_a_server_is_named_by_its_url(capsys: Capture) -> None:
    code, _, err = ran(capsys, "verify", f"{POSTGRES}?journal=no_such_journal")
    assert code == 2
    assert "?journal=no_such_journal: error[HR860]: there is no journal here" in err


def test_the_page_shows_what_is_told_of_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    page = list(fences(ROOT / "docs" / "journal.md"))
    exec(next(fence.text for fence in page if fence.language == "python"), {})  # noqa: S102 - a page of this repository
    (session,) = [fence.text for fence in page if fence.language == "console"]
    command, _, shown = session.partition("\n")
    capsys.readouterr()
    code, out, _ = ran(capsys, *command.removeprefix("$ hedgerow audit ").split())
    # The key is drawn anew each time, and the digest changes with the spec.
    unnamed = re.compile(r"\b[0-9a-f]{64}|(?<=program )[0-9a-f]{16}")
    assert code == 0
    assert unnamed.sub("", out) == unnamed.sub("", shown)


# --- show and export ---


def test_records_are_shown_a_line_each(desk: Path, capsys: Capture) -> None:
    code, out, _ = ran(capsys, "show", "desk.journal", "--from", "2", "--until", "3")
    assert code == 0
    assert out.splitlines() == [
        (
            '        2  event       2s                              {"fields": {"price": 100.28571428571429}, '
            '"name": "tick", "time_ns": 2000000000}'
        ),
        (
            '        3  event       3s                              {"fields": {"price": 100.42857142857143}, '
            '"name": "tick", "time_ns": 3000000000}'
        ),
    ]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], list(range(11))),
        (["--kind", "checkpoint"], [8, 10]),
        (["--kind", "checkpoint", "--kind", "genesis"], [0, 8, 10]),
        (["--from", "9"], [9, 10]),
        (["--until", "1"], [0, 1]),
        (["--from", "99"], []),
        (["--tail", "2"], [9, 10]),
        (["--kind", "event", "--tail", "2", "--until", "7"], [6, 7]),
    ],
)
def test_records_are_chosen(desk: Path, capsys: Capture, options: list[str], numbers: list[int]) -> None:
    _, out, _ = ran(capsys, "export", "desk.journal", *options)
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == numbers
    _, out, _ = ran(capsys, "show", "desk.journal", *options, "--json")
    assert [record["sequence"] for record in json.loads(out)["records"]] == numbers


def test_records_are_chosen_by_when_the_host_received_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    with filled(open_store("desk.journal", write=True), [], every=100) as journal:  # it begins at DAY
        for minute in (1, 2, 3):
            at = DAY + minute * 60 * SECOND
            journal.append(*kinds.event("tick", {}, DAY, at))
            journal.append(
                kinds.Kind.STEP, {"of": journal.next - 1, "configuration": ["on"]}
            )  # has the time of the event
    chosen: list[tuple[list[str], list[int]]] = [
        (["--until", "1970-01-01T00:00:00Z"], []),
        (["--from", "2023-11-14T22:15:20Z", "--until", "2023-11-14T22:15:20Z"], [3, 4]),
        (["--until", "2023-11-14T22:14:19Z"], [0, 7]),  # the checkpoint was made by a clock that begins at 1
        (["--from", "2023-11-14T22:16:20Z"], [5, 6]),
    ]
    for options, numbers in chosen:
        _, out, _ = ran(capsys, "export", "desk.journal", *options)
        assert [json.loads(line)["sequence"] for line in out.splitlines()] == numbers


@pytest.mark.parametrize("text", ["soon", "-1", "2023-13-01T00:00:00Z", "30m", "1e3", "9" * 30, "²"])
def test_what_is_no_place_in_a_journal_is_refused(desk: Path, capsys: Capture, text: str) -> None:
    code, _, err = ran(capsys, "show", "desk.journal", f"--from={text}")
    assert code == 2
    assert err.startswith(f"--from: error[HR807]: `{text}` is no place in a journal\n")


@pytest.mark.parametrize("words", [["show"], ["export"], ["prove-record"]])
def test_what_reads_a_damaged_journal_says_so(desk: Path, capsys: Capture, words: list[str]) -> None:
    tamper("UPDATE record_group SET head = zeroblob(32) WHERE first = 1")
    number = ["3"] if words == ["prove-record"] else []
    code, _, err = ran(capsys, *words, "desk.journal", *number)
    assert code == 1
    assert "desk.journal: error[HR869]: record 8: the hash that is kept beside its group was changed" in err


def test_a_terminal_is_not_moved_by_what_a_journal_holds(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "sly.journal"
    with filled(open_store(str(path), write=True), []) as journal:
        journal.append(kinds.Kind.EVENT, b'{"name":"\x1b[2J"}')
        journal.append(99, b"\x1b]0;no JSON\x07")
    code, out, _ = ran(capsys, "show", str(path))
    assert code == 0
    assert "\x1b" not in out
    assert "kind 99" in out


@pytest.mark.parametrize("payload", [b'{"x":NaN}', b'{"time_ns":1e999}', b"-Infinity", b"[" * 100_000, b"\xff", b""])
def test_a_payload_that_is_no_json_is_shown_as_its_text(tmp_path: Path, capsys: Capture, payload: bytes) -> None:
    path = tmp_path / "odd.journal"
    with filled(open_store(str(path), write=True), []) as journal:
        journal.append(kinds.Kind.EVENT, payload)
    assert ran(capsys, "show", str(path))[0] == 0
    code, out, _ = ran(capsys, "show", str(path), "--json", "--from", "1", "--until", "1")
    assert code == 0
    assert json.loads(out)["records"][0]["payload"] == payload.decode("latin-1")
    assert ran(capsys, "show", str(path), "--until", "2100-01-01T00:00:00Z")[0] == 0


# --- checkpoints, proofs and keys ---


def test_a_journal_whose_process_was_killed_is_signed_later(desk: Path, capsys: Capture) -> None:
    tamper("DELETE FROM record_group WHERE first > 9")  # as it was before it was closed
    assert ran(capsys, "checkpoint", "desk.journal", "--key", "desk.pem") == (0, "record 10 is a checkpoint\n", "")
    assert ran(capsys, "checkpoint", "desk.journal", "--key", "desk.pem")[1] == "record 10 is a checkpoint\n"
    assert "signed       through record 10\n" in ran(capsys, "verify", "desk.journal")[1]


def test_what_does_not_hold_gets_no_checkpoint(desk: Path, capsys: Capture) -> None:
    filled(open_store("other.journal", write=True), [7, 1, 4, 1]).checkpoint()
    with sqlite3.connect("other.journal") as database:
        # Far before the last checkpoint, where a journal is read from that is to be gone on with.
        database.execute("UPDATE record_group SET records = zeroblob(length(records)) WHERE first = 9")
        database.execute("DELETE FROM record_group WHERE first > 14")
    database.close()
    code, out, err = ran(capsys, "checkpoint", "other.journal")
    assert (code, out) == (1, "")
    assert err.startswith("other.journal: error[HR869]: record 9: ")


def test_nobody_makes_a_journal_by_asking_for_a_checkpoint(desk: Path, capsys: Capture) -> None:
    code, _, err = ran(capsys, "checkpoint", "dusk.journal")
    assert code == 2
    assert "dusk.journal: error[HR860]: there is no journal here" in err
    assert not Path("dusk.journal").exists()


def test_a_checkpoint_of_what_is_no_journal_leaves_it_and_its_folder_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").write_bytes(b"")
    Path("notes.txt").write_text("no database")
    Path("folder").mkdir()
    for name, what in (
        ("empty", "the file is empty"), ("notes.txt", "this is no database"), ("folder", "this is no file")
    ):  # fmt: skip
        code, _, err = ran(capsys, "checkpoint", name)
        assert (code, err.splitlines()[0]) == (2, f"{name}: error[HR860]: {what}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "folder", "notes.txt"]
    assert Path("empty").read_bytes() == b""


def test_a_record_is_proved_to_who_has_the_key_and_no_journal(desk: Path, capsys: Capture) -> None:
    code, out, _ = ran(capsys, "prove-record", "desk.journal", "3")
    assert code == 0
    Path("proof.json").write_text(out, "utf-8")
    desk.unlink()
    code, out, _ = ran(capsys, "check-proof", "proof.json", "--key", "desk.pem.pub")
    assert code == 0
    assert out.splitlines()[0].split()[:2] == ["3", "event"]
    assert out.splitlines()[1] == f"in the journal up to its next checkpoint, signed with {public()}"
    _, out, _ = ran(capsys, "check-proof", "proof.json", "--json")
    assert json.loads(out)["record"]["payload"]["fields"] == {"price": 100.42857142857143}


def test_a_proof_that_nobody_signed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    filled(open_store("bare.journal", write=True), [7]).close()
    Path("proof.json").write_text(ran(capsys, "prove-record", "bare.journal", "3")[1], "utf-8")
    code, out, _ = ran(capsys, "check-proof", "proof.json")
    assert code == 0
    assert "which nobody has signed: whoever sent this can have made it up" in out


@pytest.mark.parametrize("text", [None, "", "[]", "{", "{}", "[" * 100_000])
def test_what_is_no_proof_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, text: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("proof.json").write_text(text, "utf-8")
    code, _, err = ran(capsys, "check-proof", "proof.json")
    assert code == 2
    assert err.startswith("proof.json: error[HR867]: ")


def test_a_key_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(capsys, "key", "desk.pem")
    assert code == 0
    assert out.splitlines() == [
        "desk.pem: the private key; keep it",
        f"desk.pem.pub: the public key, {public()}",
    ]
    code, out, _ = ran(capsys, "key", "desk.pem", "--json")
    assert (code, json.loads(out)["diagnostics"][0]["message"]) == (2, "the file is there already")
    found: dict[str, Any] = json.loads(ran(capsys, "key", "other.pem", "--json")[1])
    assert found == {"private": "other.pem", "public": "other.pem.pub", "key": Signer.read(Path("other.pem")).public}


def test_the_signer_of_these_tests_is_always_the_same() -> None:
    assert seeded().public == seeded().public != seeded(2).public
