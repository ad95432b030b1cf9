"""`hedgerow validate`: which files it takes, what it says about them, and what it answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.cli.main import main
from hedgerow.engine import source
from hedgerow.engine.codes import CODES

SPECS = Path(__file__).parent.parent / "specs"
GOOD = "hedgerow: 1\nname: good\nevents: {go: {}}\nmachine: {initial: on, states: {on: {on: {go: {}}}}}\n"
BAD = GOOD.replace("initial: on", "initial: off").replace("good", "bad")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a good and a bad spec, and files that are none."""
    files = {
        "good.yaml": GOOD,
        "deep/er/bad.yml": BAD,
        "deep/good.json": json.dumps({"hedgerow": 1, "name": "j", "machine": {"initial": "on", "states": {"on": {}}}}),
        "deep/other.yaml": "name: no spec\n",
        "deep/data.json": '{"versions": {"hedgerow": "0.1.0"}}',
        "deep/notes.txt": GOOD,
        ".hidden/bad.yaml": BAD,
        "node_modules/bad.yaml": BAD,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def validated(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, bool], dict[str, object]]:
    """Return the exit code, what `--json` says of each file, and the whole document."""
    code = main(["validate", "--json", *arguments])
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    return code, {one["file"]: one["ok"] for one in document["files"]}, document


def test_a_good_spec_is_ok_and_says_which_backends_can_run_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "good.yaml"]) == 0
    assert capsys.readouterr() == (
        "good.yaml: ok\n  backends: reference, live, native, prove\n",
        "",
    )


def test_findings_go_to_stderr_and_the_summary_to_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "deep/er/bad.yml", "good.yaml"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("deep/er/bad.yml:4:20: error[HR205]: unknown state `off`\n")
    assert out.splitlines()[0] == "deep/er/bad.yml: not ok, 1 error"
    assert out.splitlines()[-1] == "2 paths; 1 not ok"


def test_a_folder_stands_for_the_specs_below_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, files, document = validated(capsys, ".")
    assert code == 2
    assert files == {"./good.yaml": True, "./deep/good.json": True, "./deep/er/bad.yml": False}
    assert document["passed_over"] == 2


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.yaml", {"good.yaml": True}),
        ("**/*.yml", {"deep/er/bad.yml": False}),
        ("deep/g*", {"deep/good.json": True}),
        ("d*p/er", {"deep/er/bad.yml": False}),
    ],
)
def test_a_glob_stands_for_what_it_matches(
    folder: Path, capsys: pytest.CaptureFixture[str], pattern: str, expected: dict[str, bool]
) -> None:
    assert validated(capsys, pattern)[1] == expected


def test_a_named_file_is_checked_whatever_it_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validated(capsys, "deep/other.yaml", "deep/notes.txt")[1] == {
        "deep/other.yaml": False,
        "deep/notes.txt": True,
    }


def test_a_file_named_twice_is_checked_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validated(capsys, "good.yaml", "good.yaml", "*.yaml")[1] == {"good.yaml": True}


def test_a_file_that_several_specs_use_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):
        text = f"hedgerow: 1\nname: {name}\nuse: {{good: {{spec: good.yaml}}}}\n"
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    read, asked = source.read, []

    def counted(path: str) -> source.Document:
        asked.append(path)
        return read(path)

    monkeypatch.setattr(source, "read", counted)
    assert main(["validate", "one.yaml", "good.yaml", "other.yaml"]) == 0
    assert asked == ["one.yaml", "good.yaml", "other.yaml"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.yaml", "`missing.yaml` does not exist"),
        ("missing/*.yaml", "`missing/*.yaml` matches no spec"),
        ("empty", "the folder `empty` has no spec in it"),
        ("emp*", "`emp*` matches no spec"),
    ],
)
def test_a_path_that_leads_to_no_spec_is_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, message: str
) -> None:
    (folder / "empty").mkdir()
    assert main(["validate", path]) == 2
    assert f"error[HR001]: {message}" in capsys.readouterr().err


def test_what_cannot_be_read_in_a_folder_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deep" / "er" / "gone.yaml").symlink_to("nowhere.yaml")
    os.mkfifo(folder / "deep" / "er" / "pipe.yaml")  # waits for ever if it is opened to be read
    assert validated(capsys, "deep/er")[1] == {"deep/er/bad.yml": False, "deep/er/gone.yaml": False}


def test_the_json_is_one_sorted_ascii_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ü.yaml").write_text(BAD.replace("name: bad", "name: bäd"), "utf-8")
    assert main(["validate", "--json", "ü.yaml", "good.yaml"]) == 2
    out = capsys.readouterr().out
    document = json.loads(out)
    assert out.isascii()
    assert out == json.dumps(document, indent=2, sort_keys=True) + "\n"
    assert document["files"][1] == {
        "file": "good.yaml",
        "name": "good",
        "ok": True,
        "diagnostics": [],
        "backends": [
            {"backend": "reference", "able": True, "reason": ""},
            {"backend": "live", "able": True, "reason": ""},
            {"backend": "native", "able": True, "reason": ""},
            {"backend": "prove", "able": True, "reason": ""},
        ],
        "claims": [],
    }


def test_a_waived_finding_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(SPECS / "band_limited_hedge.as_written.yaml")
    assert main(["validate", path]) == 2
    assert "error[HR302]" in capsys.readouterr().err
    assert main(["validate", path, "--permit", "hr302"]) == 0
    out, err = capsys.readouterr()
    assert "warning[HR302]" in err
    assert "error" not in err
    assert ": ok, " in out


def test_waiving_an_unknown_code_names_near_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "good.yaml", "--permit", "HR3O2"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"no finding has the code `HR3O2`; near ones: HR302 ({CODES['HR302']})" in err


def test_shipped_specs_hold() -> None:
    shipped = [path for path in SPECS.iterdir() if path.suffix in (".yaml", ".json") and "as_written" not in path.name]
    assert len(shipped) >= 4
    assert main(["validate", *map(str, shipped)]) == 0


def test_checking_a_spec_without_windows_imports_no_heavy_package(folder: Path) -> None:
    code = (
        "import sys; from hedgerow.cli.main import main; main(['validate', 'good.yaml']);"
        "print({'numpy', 'rich', 'jsonschema', 'structlog', 'scipy', 'transitions'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(("name", "asked"), [("band_limited_hedge", ""), ("signal_hedge", "packages")])
def test_installed_packages_are_looked_through_once_for_specs_that_bind_functions(name: str, asked: str) -> None:
    code = (
        "import importlib.metadata as metadata, sys; from hedgerow.cli.main import main\n"
        "metadata.entry_points = lambda: print('packages', file=sys.stderr) or metadata.EntryPoints()\n"
        f"main(['validate', '--json', {str(SPECS / f'{name}.yaml')!r}])"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stderr.strip() == asked


# --- logs ---


def logged(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    main([*arguments])
    main(["--version"])  # the next command is quiet again
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_logs_are_quiet_unless_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert logged(capsys, "validate", "good.yaml") == []


def test_logs_in_json_are_one_event_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (event,) = logged(capsys, "--log-json", "validate", "good.yaml")
    assert event.pop("timestamp")
    assert event == {"event": "spec.holds", "level": "info", "file": "good.yaml", "name": "good", "findings": 0}


def test_a_level_says_how_much_is_logged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = logged(capsys, "--log-json", "--log-level", "debug", "validate", "good.yaml")
    assert [event["event"] for event in events] == ["command.begins", "spec.holds", "command.ends"]
    assert events[-1]["exit_code"] == 0
    assert logged(capsys, "--log-json", "--log-level", "error", "validate", "good.yaml") == []


def test_logs_for_people_are_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--log-level", "info", "validate", "good.yaml"])
    assert "spec.holds" in capsys.readouterr().err


def test_a_tree_that_leads_back_into_itself_ends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deep" / "loop").symlink_to(folder)
    assert len(validated(capsys, ".")[1]) == 3
    shutil.rmtree(folder / "node_modules")
    assert len(validated(capsys, ".")[1]) == 3
