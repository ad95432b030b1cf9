"""The command `hedgerow` itself: its table of commands and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from hedgerow import __version__
from hedgerow.cli import main as main_module
from hedgerow.cli.findings import show
from hedgerow.cli.main import COMMANDS, group, main
from hedgerow.engine.diagnostics import Diagnostic, Span, SpecError

FINDING = Diagnostic("HR201", "unknown guard `drift`", Span("a.yaml", 2, 5, 2, 10), "did you mean `drifts`?")
SOURCES = {"a.yaml": "if:\n    drift\n"}
RENDERED = """\
a.yaml:2:5: error[HR201]: unknown guard `drift`
    2 |     drift
      |     ^^^^^
   help: did you mean `drifts`?
"""


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Put a command `probe` with the given body into the table."""

    def put(body: Callable[[], object]) -> None:
        module = ModuleType("probe_command")
        module.command = click.command("probe")(lambda: body())  # type: ignore[attr-defined]  # a module made here
        monkeypatch.setitem(sys.modules, "probe_command", module)
        monkeypatch.setitem(COMMANDS, "probe", ("probe_command:command", "Probe."))

    return put


def raiser(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


def test_help_lists_every_command_with_its_line_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from hedgerow.cli.main import main; main(['--help'])\n"
        "print(*(name for name in sys.modules if name.startswith('hedgerow.cli.')), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    listed = answer.stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split(maxsplit=1) for line in listed] == [[name, line] for name, (_, line) in COMMANDS.items()]
    assert answer.stderr.split() == ["hedgerow.cli.log", "hedgerow.cli.main"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_the_table_is_a_command_of_that_name(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_every_module_with_a_command_is_in_the_table() -> None:
    folder = Path(main_module.__file__).parent
    commands = {path.stem for path in folder.glob("*.py") if "@click.command" in path.read_text("utf-8")}
    assert commands <= set(COMMANDS)


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hedgerow {__version__}\n"


def test_an_unknown_command_is_bad_input_with_the_nearest_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validat"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "Error: no command `validat`; did you mean `validate`?"


@pytest.mark.parametrize("arguments", [[], ["--wrong"], ["probe", "--wrong"], ["probe", "left over"]])
def test_wrong_usage_is_bad_input(
    arguments: list[str], probe: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    probe(lambda: 0)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: hedgerow")


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (1, 1), (2, 2), (3, 3)])
def test_a_command_returns_its_exit_code(
    answer: int | None, code: int, probe: Callable[[Callable[[], object]], None]
) -> None:
    probe(lambda: answer)
    assert main(["probe"]) == code


def test_a_command_may_leave_with_its_exit_code(probe: Callable[[Callable[[], object]], None]) -> None:
    probe(lambda: click.get_current_context().exit(3))
    assert main(["probe"]) == 3


def test_a_spec_that_does_not_load_is_shown_and_is_bad_input(
    probe: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    probe(raiser(SpecError([FINDING], SOURCES)))
    assert main(["probe"]) == 2
    assert capsys.readouterr() == ("", RENDERED)


def test_a_click_error_is_bad_input_and_not_an_answer(
    probe: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    probe(raiser(click.ClickException("no such folder")))
    assert main(["probe"]) == 2
    assert capsys.readouterr() == ("", "Error: no such folder\n")


def test_a_defect_is_no_answer(
    probe: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    probe(raiser(KeyError("a defect")))
    assert main(["probe"]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "Traceback (most recent call last):"
    assert err.splitlines()[-1] == "KeyError: 'a defect'"


def test_an_interrupt_is_quiet(
    probe: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    probe(raiser(KeyboardInterrupt()))
    assert main(["probe"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_gone_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from hedgerow.cli.main import main; sys.exit(main(['--help']))"
    answer = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (answer.returncode, answer.stderr) == (141, "")


def test_findings_have_a_blank_line_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    show([FINDING, FINDING], SOURCES)
    assert capsys.readouterr().err == f"{RENDERED}\n{RENDERED}"


def shown_on_a_terminal(environment: dict[str, str]) -> str:
    terminal, end = os.openpty()
    code = "from test_main_command import *; show([FINDING], SOURCES)"
    places = {"PYTHONPATH": str(Path(__file__).parent), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], check=True, stderr=end, env=places | environment)
    os.close(end)
    text = os.read(terminal, 10_000).decode("utf-8").replace("\r\n", "\n")
    os.close(terminal)
    return text


def test_findings_on_a_terminal_are_the_same_text_in_colour() -> None:
    text = shown_on_a_terminal({})
    assert "\x1b[31m" in text
    assert click.unstyle(text) == RENDERED


def test_findings_are_plain_where_colour_is_not_wanted() -> None:
    assert shown_on_a_terminal({"NO_COLOR": "1"}) == RENDERED
