"""The command `hedgerow`: a table of commands, each imported when it is called, and the exit codes.

A command is the attribute `command` of its module and returns its exit code: `HOLDS`, `DOES_NOT_HOLD`,
`BAD_INPUT` or `NOT_DECIDED`; returning nothing means `HOLDS`. Its one-line help stands here, so that `--help`
imports none of them.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from .. import __version__
from .log import LEVELS, Level, configure, log

__all__ = ["BAD_INPUT", "COMMANDS", "CRASHED", "DOES_NOT_HOLD", "HOLDS", "INTERRUPTED", "NOT_DECIDED", "main"]

HOLDS = 0
DOES_NOT_HOLD = 1
BAD_INPUT = 2
NOT_DECIDED = 3
# A defect of Hedgerow must not be read as an answer, hence none of the four above (sysexits.h: EX_SOFTWARE).
CRASHED = 70
CANNOT_WRITE = 74  # sysexits.h: EX_IOERR
INTERRUPTED = 128 + 2  # what a shell reports for SIGINT
READER_GONE = 128 + 13  # what a shell reports for SIGPIPE

# name -> (module:attribute, the line that `hedgerow --help` shows)
COMMANDS = {
    "validate": ("hedgerow.cli.validate:command", "Check specs; report every mistake with its place."),
    "run": ("hedgerow.cli.run:command", "Run a spec over recorded data, or through a script of events."),
    "sweep": ("hedgerow.cli.sweep:command", "Run a spec over recorded data for many parameter sets."),
    "explore": ("hedgerow.cli.explore:command", "Send random events; report what is reached and what breaks."),
    "explain": ("hedgerow.cli.explain:command", "Say why one event of a run did what it did."),
    "approvals": (
        "hedgerow.cli.approvals:command",
        "List what waits for people in a saved machine; answer it.",
    ),
    "audit": ("hedgerow.cli.audit:command", "Verify a journal, show it, prove one of its records."),
    "replay": ("hedgerow.cli.replay:command", "Repeat a journal; hold a changed spec to what was done."),
    "control": ("hedgerow.cli.control:command", "Halt, flatten, release or override a running machine."),
    "prove": ("hedgerow.cli.prove:command", "Prove the claims of a spec for all prices, or refute them."),
    "study": ("hedgerow.cli.study:command", "Put the claims about a strategy to the test; write a page."),
    "compare": ("hedgerow.cli.compare:command", "Lay two runs side by side."),
    "diagram": ("hedgerow.cli.diagram:command", "Draw a spec's machine as Mermaid or SVG."),
    "bindings": ("hedgerow.cli.bindings:command", "List the guards and actions that specs can call."),
    "schema": ("hedgerow.cli.schema:command", "Print the JSON Schema of specs, for editors."),
    "new": ("hedgerow.cli.new:command", "Write a commented starter spec."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by the table and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"`{module}:{attribute}` is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from ..engine.diagnostics import suggestion

            ctx.fail(f"no command `{name}`; {suggestion(name, COMMANDS, 'see `hedgerow --help`')}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 holds, 1 does not hold, 2 bad input, 3 not decided.",
)
@click.version_option(__version__, prog_name="hedgerow", message="%(prog)s %(version)s")
@click.option("--log-level", type=click.Choice(LEVELS), help="Log to stderr from this level on; quiet if not given.")
@click.option("--log-json", is_flag=True, help="Log as JSON, one event a line; from `info` on if no level is given.")
def group(log_level: Level | None, log_json: bool) -> None:
    """A checked language for hedging strategies."""
    configure(log_level or ("info" if log_json else None), as_json=log_json)
    log("command.begins", "debug", command=click.get_current_context().invoked_subcommand)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what follows the program's name; the process's own arguments when not given.

    Returns:
        0 holds, 1 does not hold, 2 bad input, 3 not decided; 70 a defect of Hedgerow, 74 the output cannot be
        written, 130 interrupted, 141 the reader of the output has gone.
    """
    _start_lightly()
    try:
        code = _answer(list(sys.argv[1:] if arguments is None else arguments))
        if sys.stdout is not None:  # None where the caller has closed it
            sys.stdout.flush()  # a reader that has gone shows here and not while the interpreter shuts down
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    except SystemExit:  # rich leaves so when the reader has gone, with the code that says "does not hold" here
        return READER_GONE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            traceback.print_exc()
            return CRASHED
        _drop_output()
        with contextlib.suppress(OSError):
            click.echo(f"error: the output cannot be written: {(error.strerror or str(error)).lower()}", err=True)
        return CANNOT_WRITE
    except Exception:  # noqa: BLE001 - the edge of the program: the traceback is printed and the exit code says so
        traceback.print_exc()
        return CRASHED
    return code


def _answer(arguments: list[str]) -> int:
    """Return the exit code of the command that the arguments name, having shown what the input got wrong."""
    from ..engine.diagnostics import SpecError

    try:
        if instruction := os.environ.get("_HEDGEROW_COMPLETE"):
            from click.shell_completion import shell_complete

            return shell_complete(group, {}, "hedgerow", "_HEDGEROW_COMPLETE", instruction)
        # Not `group.main()`: it turns a broken pipe into exit code 1, which says "does not hold" here.
        with group.make_context("hedgerow", arguments) as context:
            code = group.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as mistake:
        mistake.show()
        return BAD_INPUT
    except SpecError as refusal:
        from .findings import show

        show(refusal.diagnostics, refusal.sources)
        return BAD_INPUT
    code = code if isinstance(code, int) else HOLDS
    log("command.ends", "debug", exit_code=code)
    return code


def _start_lightly() -> None:
    """Leave out what takes a good tenth of a short command's time and does nothing for it.

    Starting makes tens of thousands of objects and drops few: to go through them again and again while they are made, and
    once more before the process gives all its memory back anyhow, finds nothing. And pydantic looks in every installed
    package for plugins, of which none has a say in what a spec is.
    """
    gc.set_threshold(100_000, 10, 10)
    atexit.register(gc.freeze)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _drop_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
