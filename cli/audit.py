"""`hedgerow audit`: whether a journal is what was written, what stands in it, and what others need to see that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .json_text import json_text
from .main import DOES_NOT_HOLD, HOLDS
from .run import refuse

if TYPE_CHECKING:
    from ..engine.journal.problem import JournalError
    from ..engine.journal.records import Record
    from ..engine.journal.store import Store
    from ..engine.journal.verify import Verification

__all__ = ["command"]

_KINDS = (
    "genesis",
    "event",
    "step",
    "approval",
    "fill",
    "refusal",
    "snapshot",
    "checkpoint",
    "control",
    "machine",
    "delivery",
    "departure",
)
"""The words of `kinds.Kind`, which is not imported for `--help`; a test holds the two together."""


@click.group("audit")
def command() -> None:
    """Verify a journal, show or export its records, prove one of them to somebody else.

    JOURNAL is a file, or postgresql://user@host/database?journal=NAME. Only `checkpoint` changes it; the others
    read it while it is written, too.
    """


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, of a refusal too.")
_KEYS = click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A public key in PEM that must have signed the checkpoints; repeatable, one of them.",
)


def _selecting(function: Callable[..., int]) -> Callable[..., int]:
    """Add what chooses records."""
    options = (
        click.argument("journal"),
        click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only this kind; repeatable."),
        click.option("--from", "since", metavar="WHEN", help="From a record's number, or an instant of UTC, on."),
        click.option("--until", metavar="WHEN", help="Up to that record or instant, with it."),
        click.option("--tail", type=click.IntRange(min=1), metavar="N", help="The last N of them."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("verify")
@click.argument("journal")
@_KEYS
@click.option(
    "--expect",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Exported records, e.g. checkpoints, that must still stand in it.",
)
@_JSON
def verify(journal: str, keys: tuple[Path, ...], expect: Path | None, as_json: bool) -> int:
    """Read every byte of JOURNAL: is it what was written, and where is it not?

    What is cut off the end together with its checkpoints can only be seen by who has a later checkpoint: give it as
    --expect.

    Exit codes: 0 it holds, 1 it does not, 2 bad input.
    """
    from ..engine.journal.problem import JournalError

    try:
        store = _open(journal)
        try:
            from ..engine.journal.lines import hashes_of
            from ..engine.journal.verify import verify as verified

            expected = None if expect is None else hashes_of(expect)
            found = verified(store, keys=_public(keys), expected=expected)
        finally:
            store.close()
    except JournalError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text(found.to_json()))
    else:
        _echo(_lines(found, expected=expect is not None))
        if found.damage is not None:
            click.echo(str(found.damage), err=True)
    return HOLDS if found.holds else DOES_NOT_HOLD


@command.command("show")
@_selecting
@_JSON
def show(as_json: bool, **given: Any) -> int:
    """Show records of JOURNAL, a line each: number, kind, time, and what it says.

    Exit codes: 0 shown, 1 the journal is not what was written, 2 bad input.
    """

    def print_all(records: Iterator[Record]) -> None:
        from ..engine.journal.lines import readable, shown

        if as_json:
            click.echo(json_text({"records": [readable(record) for record in records]}))
        else:
            _echo(shown(records))

    return _read(print_all, as_json=as_json, **given)


@command.command("export")
@_selecting
@_JSON
def export(as_json: bool, **given: Any) -> int:
    """Print records of JOURNAL as JSON lines, with headers and hashes, to be verified or expected elsewhere.

    `--kind checkpoint` exports checkpoints: keep them where who holds the journal cannot write.

    Exit codes: 0 exported, 1 the journal is not what was written, 2 bad input.
    """

    def print_all(records: Iterator[Record]) -> None:
        from ..engine.journal.lines import exported

        for record in records:
            click.echo(json.dumps(exported(record), sort_keys=True, allow_nan=False))

    return _read(print_all, as_json=as_json, **given)


@command.command("prove-record")
@click.argument("journal")
@click.argument("number", type=click.IntRange(min=0))
@_JSON
def prove_record(journal: str, number: int, as_json: bool) -> int:
    """Print as JSON what shows somebody else that record NUMBER is in JOURNAL.

    That is the record, the checkpoint after it and a hash for each level of the tree between the two. `hedgerow audit
    check-proof` checks it, without the journal.

    Exit codes: 0 printed, 1 the journal is not what was written, 2 bad input.
    """

    def proof(store: Store) -> None:
        from ..engine.journal.proof import proof_of

        click.echo(json_text(proof_of(store, number)))

    return _with(journal, proof, as_json=as_json)


@command.command("check-proof")
@click.argument("proof", type=click.Path(path_type=Path, dir_okay=False))
@_KEYS
@_JSON
def check_proof(proof: Path, keys: tuple[Path, ...], as_json: bool) -> int:
    """Check what `hedgerow audit prove-record` printed.

    Exit codes: 0 it holds, 2 it does not, or bad input.
    """
    from ..engine.journal.problem import JournalError, need

    try:
        need("journal", "google_crc32c")
        from ..engine.journal.lines import readable, shown
        from ..engine.journal.proof import read_proof

        record, key = read_proof(proof, _public(keys))
    except JournalError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text({"holds": True, "key": key, "record": readable(record)}))
    else:
        _echo(shown([record]))
        _echo([f"in the journal up to its next checkpoint, signed with {key}" if key else _UNSIGNED_PROOF])
    return HOLDS


@command.command("key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_JSON
def key(file: Path, as_json: bool) -> int:
    """Make an Ed25519 key that signs checkpoints: FILE, which only you can read, and FILE.pub for everybody.

    Exit codes: 0 made, 2 bad input.
    """
    from ..engine.journal.keys import make_key
    from ..engine.journal.problem import JournalError

    try:
        public = make_key(file)
    except JournalError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text({"private": str(file), "public": f"{file}.pub", "key": public}))
    else:
        _echo([f"{file}: the private key; keep it", f"{file}.pub: the public key, {public}"])
    return HOLDS


@command.command("checkpoint")
@click.argument("journal")
@click.option(
    "--key",
    "private",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The private key of the journal, in PEM.  [default: none, for a journal that has none]",
)
@_JSON
def checkpoint(journal: str, private: Path | None, as_json: bool) -> int:
    """Add a checkpoint to JOURNAL, which nobody may be writing, unless it ends with one.

    A journal gets one when it is closed; one whose process was killed gets it so. All of it is verified before.

    Exit codes: 0 it ends with a checkpoint, 1 it is not what was written, 2 bad input.
    """

    def add(store: Store) -> None:
        from ..engine.journal.journal import Journal
        from ..engine.journal.keys import Signer
        from ..engine.journal.verify import verify as verified

        signer = None if private is None else Signer.read(private)
        if (damage := verified(store).damage) is not None:
            raise damage
        number = Journal.resume(store, signer=signer).checkpoint()
        click.echo(json_text({"checkpoint": number}) if as_json else f"record {number:,} is a checkpoint")

    return _with(journal, add, as_json=as_json, write=True)


# ------------------------------------------------------------------------------------------------------------ reading


def _open(journal: str, *, write: bool = False) -> Store:
    from ..engine.journal.opening import is_url, open_store

    if write and not is_url(journal):
        # Nobody means to make a journal by auditing one: what is none is refused before anything is written beside it.
        open_store(journal).close()
    return open_store(journal, write=write)


def _public(keys: tuple[Path, ...]) -> frozenset[str]:
    from ..engine.journal.keys import public_key

    return frozenset(public_key(path) for path in keys)


def _with(journal: str, work: Callable[[Store], None], *, as_json: bool, write: bool = False) -> int:
    """Open a journal, do something with it, and return the exit code."""
    from ..engine.journal.problem import DamageError, JournalError

    try:
        store = _open(journal, write=write)
        try:
            work(store)
        finally:
            store.close()
    except DamageError as error:
        refuse(error, as_json=as_json)
        return DOES_NOT_HOLD
    except JournalError as error:
        return refuse(error, as_json=as_json)
    return HOLDS


def _read(
    print_all: Callable[[Iterator[Record]], None],
    *,
    as_json: bool,
    journal: str,
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    tail: int | None,
) -> int:
    def read(store: Store) -> None:
        from ..engine.journal.kinds import Kind
        from ..engine.journal.lines import ALWAYS, selected

        chosen = frozenset(int(Kind[kind.upper()]) for kind in kinds)
        begin = ALWAYS if since is None else _when("--from", since)
        end = ALWAYS if until is None else _when("--until", until)
        print_all(selected(store, kinds=chosen, since=begin, until=end, tail=tail))

    return _with(journal, read, as_json=as_json)


def _when(option: str, text: str) -> Any:
    from ..engine.journal.lines import read_when

    return read_when(option, text)


# --------------------------------------------------------------------------------------------------------------- text


_UNSIGNED_PROOF = (
    "in the journal up to its next checkpoint, which nobody has signed: whoever sent this can have made it up"
)
_UNSIGNED = "unsigned: whoever can write the journal can have written all of it anew"
_CUT = "what was cut off its end, no journal can show: keep its last checkpoint elsewhere, and give it as --expect"


def _echo(lines: Iterator[str] | list[str]) -> None:
    from ..engine.diagnostics import printable

    for line in lines:
        click.echo(printable(line))


def _lines(found: Verification, *, expected: bool) -> Iterator[str]:
    yield f"{found.place}: " + (
        "holds" if found.holds else f"does not hold from record {_first_bad(found.damage):,} on"
    )
    if found.genesis:
        host = found.genesis.get("host")
        machine = f"{found.genesis.get('machine')}, program {str(found.genesis.get('program'))[:16]}"
        yield f"  machine      {machine}" if host is None else f"  host         {host}"
    yield f"  records      {found.records:,} as they were written" + ("" if found.holds else ", in the groups before")
    signed = _UNSIGNED if found.key is None else f"signed with {found.key}"
    yield f"  checkpoints  {found.checkpoints:,}" + (f", {signed}" if found.checkpoints else "")
    if found.signed_through is not None:
        after = found.records - 1 - found.signed_through
        yield f"  signed       through record {found.signed_through:,}" + (
            f"; what vouches for the {after:,} after it is the chain alone" if after else ""
        )
    if expected:
        yield f"  expected     {found.expected:,} stand as they were seen"
    elif found.holds:
        yield _CUT


def _first_bad(damage: JournalError | None) -> int:
    return getattr(damage, "sequence", None) or 0
