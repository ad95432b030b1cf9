"""What people read of a proof: never more than was proved."""

from __future__ import annotations

from pathlib import Path

import pytest
from proofs import BROKEN, OVERLAP, REFUTED, UNDECIDED, obligation, proof, result

from hedgerow.cli.prove_text import show
from hedgerow.engine.prove.kinds import KINDS
from hedgerow.engine.prove.result import Proof
from hedgerow.engine.prove.second import Disagreement, SecondOpinion
from hedgerow.engine.prove.text import _MANY, OWN, Reader, lines, script_name

READER = Reader("specs/hedge.yaml")
AGREED = SecondOpinion("cvc5 1.0", 2, 0, 0, 0, 0.5, ())


def text(made: Proof, reader: Reader = READER, second: SecondOpinion | None = None) -> list[str]:
    return [" " * line.indent + "".join(piece.text for piece in line.pieces) for line in lines(made, reader, second)]


def test_a_proof_begins_with_what_was_asked_and_ends_with_the_verdict() -> None:
    assert text(proof()) == [
        "hedge: 3 properties, fills at the same mark",
        "7 ways that an event can go, 1,234 questions to z3 4.0, 1.50 s",
        "The spec's own claims",
        "  proved       HR901 small  1 obligation, 0.25 s",
        "    after every event: small",
        "What every spec gets",
        "  proved       HR904 transitions that can fire: 2 of 2  2 obligations, 0.50 s",
        "Assumed",
        "  params are constant: k in [1, 10]",
        "Not proved",
        "  profit, or any expectation",
        "",
        "proved: 3 properties, under what is assumed",
    ]


def test_a_refuted_property_shows_the_events_and_how_to_replay_them() -> None:
    told = text(proof(REFUTED))
    start = told.index("  refuted      HR901 small  1 obligation, 0.25 s")
    assert told[start + 1 : start + 8] == [
        "    after every event: small",
        "    these events break it",
        "    with k = 9.5, calm = true:",
        "       time  event             fired",
        "    1  0     tick price=100",
        "    2  1m    tick price=100.5  up",
        "    write it with --events FOLDER, then replay it: hedgerow run specs/hedge.yaml --events FOLDER/small.yaml",
    ]
    assert told[-1] == "refuted: of 1 property 1 refuted"


def test_events_that_were_written_are_replayed_from_their_folder_and_with_the_same_fills() -> None:
    told = text(proof(REFUTED, fill="next"), Reader("h.yaml", events="broken"))
    assert "    replay it: hedgerow run h.yaml --events broken/small.yaml --fill next" in told


def test_a_property_that_is_not_decided_says_where_how_long_and_what_would_help() -> None:
    told = text(proof(UNDECIDED, REFUTED, result("helper", "aid")))
    start = told.index("  not decided  HR901 hard  2 obligations, 12 s")
    assert told[start + 1 : start + 5] == [
        "    after every event: hard",
        "    the solver gives no answer: on on tick",
        "    no answer after 12 s: off on tick",
        "    help: a helper that says what holds there",
    ]
    assert told[-1] == "refuted: of 3 properties 1 refuted, 1 not decided, 1 proved"
    assert text(proof(UNDECIDED, result("helper", "aid")))[-1] == "not decided: of 2 properties 1 not decided, 1 proved"


def test_of_many_questions_without_an_answer_the_longest_are_told() -> None:
    many = tuple(obligation(f"place {number}", verdict="unknown", seconds=number) for number in range(1, 6))
    told = text(proof(result("invariant", "hard", "not decided", obligations=many)))
    assert [line.strip() for line in told if "no answer" in line or "without" in line] == [
        "no answer after 5.00 s: place 5",
        "no answer after 4.00 s: place 4",
        "no answer after 3.00 s: place 3",
        "and 2 more without an answer",
    ]


@pytest.mark.parametrize("verdict", ["refuted", "not decided"])
def test_folding_hides_only_what_is_proved(verdict: str) -> None:
    bad = result("dead", "stuck", verdict, because="nothing leads there")  # type: ignore[arg-type]
    told = text(proof(result("dead", "up"), bad, result("dead", "down")))
    assert "  proved       HR904 transitions that can fire: 2 of 3  2 obligations, 0.50 s" in told
    assert f"  {verdict:<11}  HR904 stuck  1 obligation, 0.25 s" in told
    assert "    nothing leads there" in told


def test_every_kind_that_may_be_folded_has_words_for_many() -> None:
    assert set(_MANY) | OWN == set(KINDS)
    for kind in _MANY:
        (line,) = [line for line in text(proof(result(kind, "a"), result(kind, "b"))) if "2 of 2" in line]
        assert _MANY[kind] in line


def test_all_shows_each_property_and_each_fact_and_the_events_that_show_something_possible() -> None:
    shown = result("dead", "up", counterexample=BROKEN, obligations=())
    told = text(proof(shown, result("dead", "down")), Reader("h.yaml", every=True))
    assert "  proved       HR904 up  shown by events" in told
    assert "    1  0     tick price=100" in told
    assert "  proved       HR904 down  1 obligation, 0.25 s" in told
    assert told[told.index("Proved on the way, and used") + 1] == "  x >= 0"
    assert not any("replay" in line for line in told)


def test_overlaps_stand_in_one_list_by_the_transition_that_goes_first() -> None:
    unsure = result("overlap", "up, out", "noted", obligations=(obligation(verdict="unknown"),))
    late = result("reached", "halted", "noted", because="only what follows an error leads there")
    told = text(proof(result("invariant", "small"), OVERLAP, unsure, late))
    start = next(index for index, line in enumerate(told) if line.startswith("Noted"))
    assert told[start + 1 : start + 4] == [
        "  `up` goes before `down`, `out` (if both can hold)",
        "  HR905 `halted`: only what follows an error leads there",
        "Assumed",
    ]
    assert told[-1] == "proved: 1 property, under what is assumed"


def test_a_claim_over_several_lines_is_told_in_one_and_cannot_move_the_cursor() -> None:
    told = text(proof(result("invariant", "small", words="x >= 0\n   and y\x1b[2J")))
    assert "    x >= 0 and y�[2J" in told


def test_a_second_opinion_is_told_in_numbers() -> None:
    told = text(proof(), second=SecondOpinion("cvc5 1.0", 5, 3, 2, 1, 20.0, ()))
    start = told.index("A second opinion: cvc5 1.0")
    assert told[start + 1] == (
        "  5 of 11 questions have the same answer; 3 without an answer from it; 2 answered by it alone; "
        "1 answered by neither; 20 s"
    )
    assert told[-1] == "proved: 3 properties, under what is assumed"


def test_solvers_that_disagree_leave_nothing_proved() -> None:
    odd = Disagreement("small", "on on tick", "a" * 64, "unsat", "sat")
    told = text(proof(), second=SecondOpinion("cvc5 1.0", 0, 0, 0, 0, 0.1, (odd,)))
    said = "the first solver says unsat, cvc5 1.0 says sat"
    assert f"  DISAGREEMENT `small`, on on tick: {said}; {'a' * 64}" in told
    assert told[-1] == "the solvers disagree on 1 question"


def test_scripts_of_different_properties_have_different_names() -> None:
    alike = [result(kind, "halted") for kind in KINDS]
    names = [script_name(each) for each in (*alike, OVERLAP, REFUTED)]
    assert len(set(names)) == len(names)
    assert names[0] == "halted.yaml"
    assert names[-2:] == ["up-down-overlap.yaml", "small.yaml"]


def test_lines_fit_the_terminal_and_end_without_blanks_but_tables_are_not_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(proof(REFUTED), Path("h.yaml"), None, permit=(), every=False, second=AGREED, differences=None)
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line != line.rstrip()] == []
    assert {line.strip().split()[0] for line in told if len(line) > 40} == {"write"}
    assert "    2  1m    tick price=100.5  up" in told
