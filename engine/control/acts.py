"""What a person may do to a machine as a whole, read from what a client sent, and as it stands in the log.

    halt       orders are held until a release
    flatten    the event that the lane has for it: the machine winds down as its spec says
    release    ends a halt
    override   an event of the spec, brought by a person

Each says by whom and why. Its id is the sender's, so that one that is sent again is not done again; its number is that
of its record in the log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from ..diagnostics import suggestion
from ..journal import kinds
from ..journal.canonical import canonical, value_of
from ..journal.problem import JournalError
from ..journal.records import Record as Written
from ..record import Record
from .problem import ControlError

__all__ = ["KINDS", "MAX_ACT_BYTES", "TAKEN", "Act", "Asked", "act_from", "act_of", "payload_of", "read_asked"]

Kind = Literal["halt", "flatten", "release", "override"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TAKEN = "taken"
"""In the log: the engine has taken the act of a number."""
MAX_ACT_BYTES = 4_000
"""An act as canonical JSON; the flag has so much room for one."""
_MAX_NAME = 64
_MAX_REASON = 500
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_MEMBERS = frozenset(("act", "by", "reason", "id", "event", "fields", "until_ns"))


class Asked(Record):
    """An act that somebody asks for; whether the machine knows its event is for `terms` to say."""

    act: Kind
    by: str
    reason: str
    id: str
    event: str
    fields: Mapping[str, Any]
    until_ns: int | None = None
    """When nobody waits for it any more, UTC; then only a halt is still done."""


class Act(Record):
    """An act that is durable.

    Fields:
        number: that of its record in the lane's log, so that later ones have greater ones. A halt that an engine makes
            for itself, where it can no longer read the lane, has the number after the last one; whoever serves the lane
            next logs a halt before all else.
        act: what was done.
        by, reason: who did it, and why.
        time_ns: when it was logged, UTC.
        id: given by who sent it; the same act has the same one. Empty for a halt that no log holds.
        event, fields: what the machine is to be sent; no event, nothing.
    """

    number: int
    act: Kind
    by: str
    reason: str
    time_ns: int
    id: str
    event: str
    fields: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "act": self.act,
            "by": self.by,
            "event": self.event,
            "fields": dict(self.fields),
            "id": self.id,
            "number": self.number,
            "reason": self.reason,
            "time_ns": self.time_ns,
        }


def read_asked(document: object, place: str) -> Asked:
    """Return the act that a client asks for.

    Raises:
        ControlError: (HR883) it is none, or says not by whom or why.
    """
    if not isinstance(document, Mapping) or not document.keys() <= _MEMBERS:
        raise _no_act(place, "this is no act", "send a JSON object with " + ", ".join(sorted(_MEMBERS)))
    kind = document.get("act")
    if kind not in KINDS:
        shown = kind[:_MAX_NAME] if isinstance(kind, str) else ""
        raise _no_act(place, f"unknown act `{shown}`", suggestion(shown, KINDS, "the acts are " + ", ".join(KINDS)))
    by = _text(document, "by", _MAX_NAME, place, "say who acts: `--as anna`")
    reason = _text(document, "reason", _MAX_REASON, place, 'say why: `--why "the feed is wrong"`; it is logged')
    id, event, fields = document.get("id"), document.get("event", ""), document.get("fields", {})
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise _no_act(place, "the act has no id", f"give it up to {_MAX_NAME} letters, digits and `._:-`")
    if not isinstance(event, str) or (kind == "override") != bool(event) or not isinstance(fields, Mapping):
        raise _no_act(place, f"`{kind}` does not stand like that", "only `override` has an event, and may have fields")
    if fields and kind != "override":
        raise _no_act(place, f"`{kind}` has no fields", "only `override` has an event, and may have fields")
    until = document.get("until_ns")
    if until is not None and (isinstance(until, bool) or not isinstance(until, int)):
        raise _no_act(place, "`until_ns` is no time", "send UTC nanoseconds, a whole number")
    return Asked(cast(Kind, kind), by, reason, id, event, dict(fields), until)


def _text(document: Mapping[str, Any], name: str, most: int, place: str, help: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.strip():
        what = "nobody to answer for it" if name == "by" else "no reason"
        raise _no_act(place, f"the act has {what}", help)
    if len(value) > most or not value.isprintable():
        what = f"`{name}` is longer than {most} characters" if len(value) > most else f"`{name}` is not plain text"
        raise _no_act(place, what, f"write up to {most} printable characters")
    return value.strip()


def _no_act(place: str, message: str, help: str) -> ControlError:
    return ControlError("HR883", message, place, help)


# ------------------------------------------------------------------------------------------------------------ the log


def payload_of(act: Act, place: str) -> bytes:
    """Return what is journalled of an act.

    Raises:
        ControlError: (HR883) it does not fit.
    """
    entry = kinds.control(act.act, act.by, act.reason, act.time_ns, id=act.id, event=act.event, fields=act.fields)
    try:
        payload = canonical(entry.payload)
    except JournalError as error:
        raise _no_act(place, error.message, error.help) from None
    if len(payload) > MAX_ACT_BYTES:
        raise _no_act(place, f"the act has {len(payload):,} bytes", f"an act has up to {MAX_ACT_BYTES:,} bytes of JSON")
    return payload


def act_from(number: int, payload: bytes) -> Act | int | None:
    """Return what a record of the log says: an act, the number of one that was taken, or nothing that this Hedgerow
    knows.
    """
    try:
        body = value_of(payload)
        if body["act"] == TAKEN:
            return int(body["number"])
        if body["act"] not in KINDS:
            return None
        return Act(
            number,
            body["act"],
            body["by"],
            body["reason"],
            body["time_ns"],
            body["id"],
            body.get("event", ""),
            body.get("fields", {}),
        )
    except (ValueError, KeyError, TypeError):
        return None


def act_of(record: Written) -> Act | int | None:
    """Return what a record says, as `act_from`; nothing where it is of another kind."""
    return act_from(record.sequence, record.payload) if record.kind == kinds.Kind.CONTROL else None
