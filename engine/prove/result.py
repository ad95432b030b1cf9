"""What a proof says: of each property a verdict, what it rests on, and, where it is refuted, the events that break it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..ir import Value

if TYPE_CHECKING:
    from ..counterexample.sent import Sent

__all__ = ["Counterexample", "Obligation", "Proof", "Result", "Verdict"]

Verdict = Literal["proved", "refuted", "not decided", "noted"]
"""`noted` is true and no fault: two guards overlap, and their order decides."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One question to a solver: `unsat` means that nothing contradicts the property there.

    `place` says of which control state, event and transitions it is; `sha256` is of the script that was asked, empty where
    the form of the claim already shows that it holds.
    """

    place: str
    sha256: str
    verdict: Literal["unsat", "sat", "unknown"]
    solver: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Events that show something, replayed in exact fractions and shortened.

    `parameters` are those that differ from their defaults; `table` shows the events and what they did, `script` replays them
    with `hedgerow run --events`.
    """

    parameters: Mapping[str, Value]
    events: tuple[Sent, ...]
    table: str
    script: str


@dataclass(frozen=True, slots=True)
class Result:
    """A property and its verdict.

    `because` says why, where it is not proved; `help` what to try. `opaque` names bound functions of whose results only what
    the spec requires is known.
    """

    code: str
    kind: str
    name: str
    words: str
    verdict: Verdict
    obligations: tuple[Obligation, ...] = ()
    because: str = ""
    help: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    opaque: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.obligations)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of one program.

    `facts` are what the proof found out by itself and rests on; `assumed` and `unproved` say in words what is taken for
    granted and what is not claimed. `program` is the digest of the IR, `source` the SHA-256 of the file. `grounds` are the
    questions that all results rest on, whatever they are about: that the facts hold, and that ways which were not followed
    are impossible. `scripts` has the text of every question that an obligation or a ground names by its SHA-256.
    """

    name: str
    program: str
    source: str
    fill: str
    engine: str
    solver: str
    seconds: float
    outcomes: int
    questions: int
    results: tuple[Result, ...]
    facts: tuple[str, ...]
    assumed: tuple[str, ...]
    unproved: tuple[str, ...]
    grounds: tuple[Obligation, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of all: refuted, then not decided, then proved."""
        found = {result.verdict for result in self.results}
        return "refuted" if "refuted" in found else "not decided" if "not decided" in found else "proved"
