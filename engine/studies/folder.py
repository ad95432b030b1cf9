"""The files of a study: its page and its pictures, side by side."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..diagnostics import reason_of
from ..dryrun.problem import RunError
from .page import picture_name, render
from .report import Study

__all__ = ["check_folder", "write_study"]


def check_folder(folder: Path) -> None:
    """Make the folder and write into it for a try, so that a study of minutes does not end with a page that has no place.

    Raises:
        RunError: it is a file, there is nothing to make it in, or it cannot be written.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise RunError("HR808", "this is a file, not a folder", str(folder), "name another folder with --out")
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise RunError("HR808", "there is no folder to make it in", str(folder), f"make `{parent.name}` first")
        folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from None


def write_study(folder: Path, study: Study) -> tuple[Path, ...]:
    """Write the page and its pictures and return their paths; files of other names stay.

    Each file is written under another name first, the page last.

    Raises:
        RunError: the folder cannot be written.
    """
    texts = {picture_name(study.name, each.name): each.svg for part in study.parts for each in part.pictures}
    texts[f"{study.name}.md"] = render(study)
    written = []
    try:
        for name, text in texts.items():
            draft = folder / f".{name}.draft"
            draft.write_text(text, encoding="utf-8", newline="\n")
            written.append(draft.replace(folder / name))
    except OSError as error:
        raise _unwritable(folder, error) from None
    return tuple(written)


def _unwritable(folder: Path, error: OSError) -> RunError:
    reason = reason_of(error)
    return RunError("HR808", f"the folder cannot be written: {reason}", str(folder), "name another folder with --out")
