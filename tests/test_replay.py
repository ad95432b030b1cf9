"""Recorded histories, repeated: by the code that is, from the command line, and against changed specs."""

from __future__ import annotations

import importlib
import json
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from golden_journals import FOLDER, HISTORIES, read
from pages import ROOT

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.host.history import repeat
from hedgerow.engine.host.host import Host
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.lines import When
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.load import load, loads

SPEC = ROOT / "specs" / "band_limited_hedge.yaml"


def test_the_folder_holds_the_histories_and_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.jsonl" for name in HISTORIES}


@pytest.mark.parametrize("name", HISTORIES)
def test_machines_do_today_what_they_did_in_the_golden_journals(name: str) -> None:
    # Only what they do is held, and no digest: a change of the IR that changes nothing else passes.
    spec, _ = HISTORIES[name]
    store = read(name)
    assert verify(store).holds
    found = repeat(store, {"desk": load(ROOT / spec)}, against=True)
    assert found.repeated == {"band": 20, "desk": 36}[name]


@pytest.fixture
def journal(tmp_path: Path) -> str:
    _, sent = HISTORIES["band"]
    place = tmp_path / "desk.journal"
    with Host(place, {"desk": load(SPEC)}) as host:
        host.submit_all(list(sent())).result()
    return str(place)


def run(*arguments: str) -> int:
    return main(list(arguments))


def test_a_replay_shows_the_machines_as_they_were(journal: str, capsys: Any) -> None:
    assert run("replay", journal) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{journal}: 20 events up to record ")
    assert "\n  desk: winding_down at 9d\n" in told
    assert run("replay", journal, "--spec", str(SPEC), "--json", "--until", "2") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["record"], found["repeated"], found["machines"]["desk"]["time_ns"]) == (2, 1, 0)


def test_a_changed_spec_is_held_to_what_was_done(journal: str, tmp_path: Path, capsys: Any) -> None:
    same, other = tmp_path / "same.yaml", tmp_path / "other.yaml"
    text = SPEC.read_text(encoding="utf-8")
    same.write_text(f"# another comment\n{text}", encoding="utf-8")
    other.write_text(text.replace("(1 + alpha) / 2", "(1 + 2 * alpha) / 2"), encoding="utf-8")
    assert other.read_text(encoding="utf-8") != text
    assert run("replay", journal, "--against", str(same)) == 0
    assert run("replay", journal, "--against", f"desk={other}") == 1
    assert "error[HR874]: record " in capsys.readouterr().err
    assert run("replay", journal, "--against", str(other), "--json") == 1
    difference = json.loads(capsys.readouterr().out)["difference"]
    assert (difference["machine"], difference["member"]) == ("desk", "orders")
    assert difference["journalled"] != difference["found"]
    # The same spec by --spec must be the very program.
    assert run("replay", journal, "--spec", str(other)) == 2
    assert "HR873" in capsys.readouterr().err


def test_a_replay_ends_at_a_record_or_an_instant() -> None:
    store, spec = read("band"), load(SPEC)
    whole = repeat(store, {"desk": spec}, against=True)
    assert whole.record > 20
    early = repeat(store, {"desk": spec}, until=When(sequence=3), against=True)
    assert (early.record, early.repeated) == (3, 1)
    timed = repeat(store, {"desk": spec}, until=When(time_ns=1_700_000_000_000_004_000), against=True)
    assert 0 < timed.repeated < whole.repeated
    bodies = [value_of(record.payload) for record in records_since(store)]
    times = accumulate((body.get("received_ns", body.get("time_ns", 0)) for body in bodies), max)
    assert timed.record == sum(at <= 1_700_000_000_000_004_000 for at in times) - 1
    assert repeat(store, {"desk": spec}, until=When(sequence=10**6), against=True).record == whole.record


def test_a_machine_that_comes_later_may_be_named_and_a_spec_that_books_by_itself_be_given() -> None:
    text = SPEC.read_text(encoding="utf-8")
    live, band = loads(text.replace("\nlegs:", "\nfills: external\nlegs:", 1), "live.yaml"), load(SPEC)
    store = MemoryStore()
    with Host(store, {"desk": live}) as host:
        host.submit("desk", "tick", 0, {"price": 5000.0}).result()
        record = host.add("later", live).result()
    found = repeat(store, {"desk": live, "later": live}, until=When(sequence=record - 1)).machines
    assert list(found.members) == ["desk"]
    assert repeat(store, {"desk": band, "later": live}, against=True).machines["desk"].compiled.program.fill == "same"


def test_what_is_missing_or_contradicts_itself_is_told(journal: str, tmp_path: Path, capsys: Any) -> None:
    assert run("replay", journal, "--spec", str(SPEC), "--against", str(SPEC)) == 2
    assert "HR807" in capsys.readouterr().err
    assert run("replay", journal, "--spec", f"dask={SPEC}") == 2
    assert "the journal holds no machine `dask`\n   help: its machines are `desk`" in capsys.readouterr().err
    _, sent = HISTORIES["band"]
    place = tmp_path / "gone.journal"
    with Host(place, {"desk": loads(SPEC.read_text(encoding="utf-8"), "gone.yaml")}) as host:
        host.submit_all(list(sent())).result()
    assert run("replay", str(place)) == 2
    assert "the spec of `desk` was `gone.yaml`, which is not here" in capsys.readouterr().err


def test_a_past_decision_is_explained_from_its_journal(journal: str, capsys: Any) -> None:
    assert run("audit", "show", journal, "--kind", "step", "--json") == 0
    steps = json.loads(capsys.readouterr().out)["records"]
    fired = next(each for each in steps if each["payload"].get("fired"))
    for number in (fired["sequence"], fired["payload"]["of"]):
        assert run("explain", str(SPEC), "--journal", journal, "--record", str(number), "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["fired"] == fired["payload"]["fired"]
        assert [each["quantity"] for each in told["orders"]] == [
            each["quantity"] for each in fired["payload"]["orders"]
        ]
    assert run("explain", str(SPEC), "--journal", journal, "--record", "0") == 2
    assert "record 0 is no event that a machine took" in capsys.readouterr().err
    assert run("explain", str(SPEC), "--journal", journal) == 2
    assert run("explain", str(SPEC), "--journal", journal, "--record", "4", "--set", "k=9") == 2
    assert "--set belongs to runs over data, not to --journal" in capsys.readouterr().err


def test_without_the_extra_the_refusal_names_it(
    journal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [each for each in sys.modules if each.startswith(("hedgerow.engine.host", "google_crc32c"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    assert run("replay", journal) == 2
    assert run("explain", str(SPEC), "--journal", journal, "--record", "4") == 2
    told = capsys.readouterr().err
    assert told.count("error[HR809]: a journal needs `google_crc32c`, which is not installed") == 2
    with pytest.raises(RunError, match="HR809"):
        importlib.import_module("hedgerow.engine.host.host")
