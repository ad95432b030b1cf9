"""What a spec says of itself: honest sentences pass, dishonest ones do not, however they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # how a pattern is read
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import ROOT, fences

from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.honesty.denial import claimed
from hedgerow.engine.honesty.folded import fold
from hedgerow.engine.honesty.phrases import PARTS, PHRASES, Phrase, terms_of
from hedgerow.engine.load import load, loads

SPECS = sorted(path for path in (ROOT / "specs").iterdir() if path.suffix in (".yaml", ".json"))

DISHONEST: dict[str, tuple[str, ...]] = {
    "riskless profit": (
        "Riskless, market-neutral income.",
        "Earns riskless carry.",
        "Risk free gains forever.",
        "Earns a riskless profit on every rebalance.",
        "A risk-free arbitrage between two venues.",
        "It makes RISK FREE, STEADY INCOME.",
        "Collects a riskless return from the band.",
        "Profit without risk.",
        "Once both legs are open the position is completely risk-free.",
        "Steady gains with no risk at all.",
        "riskless_profit",
        "RisklessProfit",
        "It is not only riskless profit, it is fast.",
        "There is no doubt that this is a riskless profit.",
    ),
    "no risk": (
        "Safe, steady, riskless.",
        "A strategy with zero downside.",
        "The position is fully hedged and therefore free of risk.",
        "The hedge takes no risk.",
        "It trades without any risk, day and night.",
        "A zero-risk overlay.",
        "Large upside, no downside.",
        "There is no risk.",
    ),
    "guaranteed profit": (
        "The band turns every tick into guaranteed cash.",
        "Guaranteed not to lose.",
        "A certain profit each time the band is left.",
        "It earns a sure profit.",
        "Guaranteed 20% annual returns!",
        "Consistent profits, guaranteed.",
        "Guaranteed profits in any market.",
        "This guarantees you a positive return.",
        "The harvest is guaranteed to make money.",
        "Returns are mathematically guaranteed.",
        "Profit guaranteed!",
        "It promises a steady 2 % monthly return.",
        "No fees, guaranteed profit.",
        "It has no edge but guaranteed gains.",
    ),
    "always profitable": (
        "The equity can only go up.",
        "Wins 100% of the time.",
        "It makes a profit on every trade.",
        "A win rate of 100 %.",
        "Makes money whether the market goes up or down.",
        "It wins no matter what the market does.",
        "Always ends in profit.",
        "It never has a losing trade.",
        "Always profitable.",
        "It wins every day.",
        "The band makes money in all market conditions.",
        "Every trade is profitable.",
        "It has had no losing months.",
        "A 100% win rate.",
        "It is never unprofitable.",
        "It profits whatever happens to the price.",
    ),
    "cannot lose": (
        "You cannot go wrong with it.",
        "It is impossible to lose with this approach.",
        "It can't possibly lose.",
        "A no-lose strategy.",
        "This hedge never loses money.",
        "never-losing",
        "This strategy cannot lose.",
        "You can't lose money with it.",
        "It can’t lose.",
        "It never loses, even in a crash.",
        "An unbeatable, unlosable hedge.",
        "A foolproof overlay.",
        "It will never lose a cent.",
    ),
    "no loss": (
        "The strategy is immune to losses.",
        "A lossless strategy.",
        "No losses are possible.",
        "Hedged so well that losses cannot occur.",
        "It earns in both directions with no losses.",
        "Trades without loss.",
        "Losses are impossible.",
        "A loss-free strategy.",
        "no_loss",
    ),
    "infinite money": (
        "Get rich quickly.",
        "It pays for itself and generates infinite returns.",
        "Infinite money.",
        "An endless stream: endless, effortless profits.",
        "A money machine.",
        "It prints money.",
        "Unlimited income from a flat price.",
        "infinite_profit",
    ),
    "a free lunch": (
        "Profit from nothing.",
        "Money for nothing.",
        "A free lunch for hedgers.",
        "Free money from the spread.",
        "Pure arbitrage, nothing else.",
        "It is something for nothing.",
    ),
    "always beats the market": (
        "It cannot be beaten.",
        "It outperforms buy and hold every year.",
        "Beats the index without fail.",
        "It beats the market always.",
        "It always beats the market.",
        "Consistently outperforms the S&P 500.",
        "Beats every index in all years.",
        "It is guaranteed to outperform.",
    ),
    "a sure win": (
        "A sure win.",
        "A surefire way to hedge.",
        "Heads I win, tails you lose.",
        "sure_thing",
    ),
    "always recovers": (
        "Every drawdown is always recovered.",
        "Always recovers its losses.",
        "It always recovers.",
        "Doubles the position until it wins.",
        "Every loss is won back.",
        "It recovers all losses by the next day.",
        "The price must come back.",
        "A martingale that doubles until the position recovers.",
        "It always breaks even.",
    ),
    "no ruin": (
        "Absolutely no risk of losing money.",
        "It can never go broke.",
        "There is no risk of ruin.",
        "Zero probability of loss.",
        "Ruin is impossible.",
    ),
    "certain prediction": (
        "It is never wrong about the direction.",
        "It predicts the next move with certainty.",
        "The model knows the future.",
        "A forecast that is 100 % accurate.",
    ),
    "removes all risk": (
        "Profits are locked in from day one and risk is eliminated.",
        "The second leg eliminates all risk.",
        "The book is perfectly hedged.",
        "It hedges away every market risk.",
    ),
}

HONEST = (
    "It has no edge.",
    "It has no edge: under a martingale it loses its fees on average.",
    "There is no free lunch.",
    "No free lunch, and no free money.",
    "This is not riskless.",
    "This is not a riskless profit.",
    "It earns no riskless profit.",
    "It comes without a guarantee.",
    "It earns no guaranteed profit.",
    "It isn't risk-free.",
    "It isn’t a risk-free arbitrage.",
    "Nothing here is guaranteed to make money.",
    "It does not promise its users anything like a guaranteed profit.",
    "It cannot promise a sure win.",
    "It has never been riskless profit.",
    "Neither a riskless profit nor a sure win.",
    "It is far from a guaranteed return.",
    "Riskless profit does not exist.",
    "A guaranteed profit is impossible.",
    "A sure win is a myth.",
    "Guaranteed returns are ruled out by the first fundamental theorem.",
    "It does not always recover.",
    "It does not always beat the market.",
    "It is not true that it cannot lose.",
    "It is not without losses.",
    "Nobody can print money.",
    "It is no money machine.",
    "Prices don't always come back.",
    "It cannot lose more than the premium.",
    "It never loses its anchor.",
    "The risk-free rate is 0.",
    "Cash earns the risk-free rate, and returns are told in excess of the risk-free return.",
    "risk_free_rate",
    "Interest on the riskless bond.",
    "The riskless asset and the profit of the legs.",
    "Without loss of generality the price is 1.",
    "A stop-loss limit at 6 %.",
    "no_loss_limit",
    "It stops after a loss.",
    "It has no risk limit of its own; the desk has one.",
    "No new risk while halted.",
    "While it is open no order enlarges a leg.",
    "Never without a stop: it may lose everything.",
    "A short call: its loss is unlimited.",
    "It gives up an unlimited upside.",
    "Entering the state cannot fail.",
    "The machine always recovers from an error.",
    "It locks in the gain of the winning leg.",
    "It loses where falls come back.",
    "An index, partly hedged after a fall. It loses where falls come back.",
    "The hedge is not perfectly hedged between two ticks.",
    "No hedge eliminates all risk.",
    "It predicts nothing.",
    "It knows nothing of the future.",
    "A guaranteed stop costs a premium.",
    "It doubles the hedge when the volatility doubles.",
    "share of the profit that is realised",
    "What it earns on average is minus its fees.",
    "Past returns say little about what comes.",
    "It may lose all of its capital and more.",
    "Under a martingale the expected profit is minus the fees.",
    "The arbitrage desk's name for the account.",
    "It is never right to call this a sure thing.",
    "It has no riskless profit or sure win in it.",
    "It loses its fees on average when the price wanders.",
    "Not financial advice, and no promise of profit.",
    "A hedge reduces risk; it does not remove it.",
    "It does not eliminate all risk, and it can lose all of its capital.",
    "Past profits do not guarantee future returns.",
    "There's no guarantee of profit.",
    "Nobody should expect a sure win from this.",
    "It earns the risk-free rate on idle cash.",
    "The stop does not guarantee that losses stay below the limit.",
    "It is never certain to recover.",
    "It cannot guarantee a profit.",
    "No strategy is risk-free, and this one is not either.",
    "It has lost money in every year since 2009.",
    "Doubling the stake does not help: it only speeds up ruin.",
    "It trades without leverage and without shorts.",
    "After a loss it waits a day.",
    "A profit is realised only when the band is left.",
    "Nothing about this is riskless.",
    "The hedge ratio is always between 0 and 1.",
    "It always closes the hedge before it opens another.",
    "Losses are limited by the cap on gross exposure.",
    "The premium is the most that it can lose.",
    "It returns to the anchor always.",
    "Free cash is kept at 10 %.",
    "The maximum loss is unlimited.",
    "share of the profit that repairs the losing leg",
    "A market without arbitrage has a pricing measure.",
    "We do not believe in free lunches.",
    "Riskless arbitrage is excluded by assumption.",
    "The price may never come back.",
    "Perfect hedging would need trading at every instant.",
    "A no-arbitrage price of the option.",
    "Without costs the hedge would be perfect.",
    "It makes money in mean-reverting markets and loses it in trends.",
    "There is always a risk of loss.",
    "Gains in calm markets are paid for by losses in trends.",
    "It sells volatility and can lose a multiple of the premium.",
    "No claim of profit is made.",
    "It gives no guarantee whatsoever.",
    "It cannot know the future.",
    "The breaker guarantees nothing but a halt.",
    "Equity may fall below zero where the market gaps.",
    "It does not outperform the index after costs.",
    "It has not always beaten the index.",
    "The risk-neutral measure is a device of pricing.",
    "A free parameter.",
    "Every trade pays its fee.",
    "It always trades at the last mark.",
    "The harvest is never negative; the inventory may be.",
    "A leg never goes below zero.",
    "Without a price no order is sent.",
    "Returns without costs are told as well.",
    "Certain events raise an alarm.",
    "No risk is measured while the window fills.",
    "The worst loss so far, as a share of the peak.",
    "It loses no more than its fees inside the band.",
    "Cash is never lent.",
    "It would be wrong to call it a money machine.",
    "There are no sure wins.",
    "Nothing guarantees that the price returns to the anchor.",
    "This strategy can lose money.",
    "The loss limit is never raised.",
)

DISHONEST_CASES = [(name, text) for name, texts in DISHONEST.items() for text in texts]


def kinds(text: str) -> list[str]:
    return [each.phrase.name for each in claimed(text)]


def spec(about: str) -> str:
    quoted = "'" + about.replace("'", "''") + "'"
    return f"hedgerow: 1\nname: lamp\nabout: {quoted}\nmachine: {{initial: on, states: {{on: {{}}}}}}\n"


# ------------------------------------------------------------------------------------------------------------- the list


def test_the_corpus_has_every_kind_of_claim_and_is_large() -> None:
    assert list(DISHONEST) == [phrase.name for phrase in PHRASES]
    assert len(DISHONEST_CASES) >= 40
    assert len(HONEST) >= 40


@pytest.mark.parametrize(("kind", "text"), DISHONEST_CASES, ids=[text for _, text in DISHONEST_CASES])
def test_a_dishonest_sentence_is_told(kind: str, text: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_sentence_passes(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It earns a riskless profit.", True),
        ("It earns no riskless profit.", False),
        ("It never earns a riskless profit.", False),
        ("It is not without a riskless profit.", True),
        ("There is no day without a riskless profit.", True),
        ("Not merely a riskless profit.", True),
        ("Without doubt a riskless profit.", True),
        ("Without a doubt a riskless profit.", True),
        ("No matter what, a riskless profit.", True),
        ("It does not stop: a riskless profit.", True),
        ("It does not stop; a riskless profit.", True),
        ("It does not stop. A riskless profit!", True),
        ("It does not stop, a riskless profit.", True),
        ("It does not stop (a riskless profit).", True),
        ("It does not stop — a riskless profit.", True),
        ("It does not stop\n\na riskless profit", True),
        ("It does not stop but makes a riskless profit.", True),
        ("It does not stop because of its riskless profit.", True),
        ("It does not earn\na riskless profit.", False),
        ("It does not wait for prices to come to make a riskless profit.", True),
        ("It does not claim to wait for prices to come to make a riskless profit.", False),
        ("A riskless profit is not impossible.", True),
        ("A riskless profit is not only possible.", True),
        ("A riskless profit never fails.", True),
        ("A riskless profit does not exist.", False),
        ("A riskless profit, which does not stop.", True),
        ("A riskless profit and never a doubt.", True),
        ("A riskless profit that cannot stop.", True),
        ("A riskless profit cannot exist.", False),
        ("A riskless profit is not what it earns.", False),
    ],
)
def test_what_denies_a_claim_and_what_does_not(text: str, told: bool) -> None:
    assert ("riskless profit" in kinds(text)) == told


def test_every_entry_says_why_where_it_is_from_and_what_to_write() -> None:
    assert len({phrase.name for phrase in PHRASES}) == len(PHRASES)
    for phrase in PHRASES:
        assert phrase.reason[0].islower()
        assert not phrase.reason.endswith(".")
        assert re.search(r"\((?:18|19|20)\d\d\)", phrase.source), phrase.name
        assert phrase.instead.startswith("say ")
        for pattern in phrase.patterns:
            assert set(re.findall(r"\{([a-z_]+)\}", pattern)) <= set(PARTS)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.name)
def test_no_pattern_of_the_list_is_a_guess(phrase: Phrase) -> None:
    # Each pattern by itself finds a sentence of the corpus.
    for pattern in phrase.patterns:
        alone = replace(phrase, patterns=(pattern,))
        assert any(alone.pattern.search(fold(text).text) for _, text in DISHONEST_CASES), pattern


# What is read so far of a text: the last whole word, and what there is of the next. `?` stands for any letters.
Reading = tuple[str, str]


def unknown(phrase: Phrase) -> set[Reading]:
    """Return how texts end that a phrase matches and that have none of its words; none, if its words are all that it needs.

    What a pattern asks of the text around is left out, so that no match is missed.
    """

    def put(readings: set[Reading], letter: str) -> set[Reading]:
        if letter.isalnum() or letter == "?":
            return {(last, word if word[-1:] == letter == "?" else word + letter) for last, word in readings}
        whole = {reading for reading in readings if phrase.words.isdisjoint({reading[1], " ".join(reading)})}
        return {(word or last, "") for last, word in whole}

    def follow(readings: set[Reading], tree: Any) -> set[Reading]:
        for kind, told in tree:
            match str(kind):
                case "LITERAL":
                    readings = put(readings, chr(told))
                case "IN":
                    letters = {chr(each) if str(what) == "LITERAL" else "?" for what, each in told}
                    readings = {reading for letter in letters for reading in put(readings, letter)}
                case "BRANCH":
                    readings = {reading for way in told[1] for reading in follow(readings, way)}
                case "SUBPATTERN":
                    readings = follow(readings, told[-1])
                case "MAX_REPEAT" | "MIN_REPEAT":
                    least, most, again = told
                    for _ in range(least):
                        readings = follow(readings, again)
                    for _ in range(least, most):
                        more = readings | follow(readings, again)
                        if more == readings:
                            break
                        readings = more
                case around:
                    assert around in ("AT", "ASSERT", "ASSERT_NOT")
        return readings

    return put(follow({("", "")}, _parser.parse(phrase.pattern.pattern)), " ")


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.name)
def test_whatever_a_pattern_matches_has_a_word_of_its_entry(phrase: Phrase) -> None:
    assert unknown(phrase) == set()
    # And each of them is needed.
    for word in phrase.words:
        assert unknown(replace(phrase, words=phrase.words - {word})), word


@pytest.mark.parametrize(("kind", "text"), DISHONEST_CASES)
def test_what_no_word_points_to_is_found_by_no_pattern(kind: str, text: str) -> None:
    folded = fold(text).text
    assert {each.name for each in PHRASES if each.pattern.search(folded)} <= {
        each.name for each in PHRASES if each.may_match(terms_of(folded))
    }


def test_the_page_shows_the_list_as_it_is() -> None:
    page = (ROOT / "docs" / "honesty.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]+?) \|$", page, re.MULTILINE)
    assert rows[1:] == [(phrase.name, phrase.reason, phrase.source) for phrase in PHRASES]


# ----------------------------------------------------------------------------------------------------- ways of writing

CLAIM = "earns a riskless profit and cannot lose"


@pytest.mark.parametrize(
    "text",
    [
        "EARNS A RISKLESS PROFIT AND CANNOT LOSE",
        "earns a risk-less profit and can not lose!!",
        "earns a risk‑less profit, and CAN'T lose",
        "earns a risk-\n  less\tprofit\nand cannot\n   lose",
        "earns a ri\u200bskless pro\u00adfit and can\u2060not lo\ufeffse",
        "earns a rіskless рrоfit and cаnnоt lоse",
        "earns a rískléss pröfit and cännot lose",
        "earns a ｒｉｓｋｌｅｓｓ profit and ｃａｎｎｏｔ lose",
        "earns a 𝐫𝐢𝐬𝐤𝐥𝐞𝐬𝐬 proﬁt and 𝒸𝒶𝓃𝓃ℴ𝓉 lose",
        "earns a “riskless” *profit* and _cannot lose_",
        "earns a riskless_profit and cannot__lose",
        "earns a riskless / profit and cannot lose",
    ],
)
def test_no_way_of_writing_hides_a_claim(text: str) -> None:
    assert kinds(text) == ["riskless profit", "cannot lose"]


HIDDEN = st.sampled_from(["", "\u200b", "\u00ad", "\u200d", "\u2060", "\ufeff", "\u0301"])
SENTENCES = [case for case in DISHONEST_CASES if " " in case[1]]
"""Names aside: their case parts their words."""


@given(
    st.sampled_from(SENTENCES),
    st.lists(HIDDEN, min_size=1, max_size=8),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from([" ", "  ", "\n", "\t", "\u00a0", "\u2003"]),
)
def test_case_blanks_and_unseen_characters_change_nothing(
    case: tuple[str, str], hidden: list[str], cased: Callable[[str], str], blank: str
) -> None:
    kind, text = case
    shown = (char + (hidden[place % len(hidden)] if char.isalpha() else "") for place, char in enumerate(cased(text)))
    assert kind in kinds("".join(shown).replace(" ", blank))


@given(st.sampled_from(HONEST), st.sampled_from(HONEST), st.sampled_from([" ", "\n\n", "; "]))
def test_two_honest_sentences_are_honest_together(one: str, other: str, between: str) -> None:
    ended = one if one[-1] in ".!" else f"{one}."
    assert kinds(f"{ended}{between}{other}") == []


@given(st.sampled_from(HONEST), st.sampled_from(DISHONEST_CASES))
def test_an_honest_sentence_before_or_after_hides_nothing(honest: str, case: tuple[str, str]) -> None:
    kind, text = case
    assert kind in kinds(f"{honest.rstrip('.')}. {text}")
    assert kind in kinds(f"{text.rstrip('.!')}. {honest}")


@given(st.text("az09 _.A", max_size=12))
def test_a_plain_text_is_folded_as_any_other(text: str) -> None:
    # An apostrophe is dropped, and makes a text one that is not plain.
    assert fold(text) == fold(f"{text}'")


@given(st.text(max_size=200))
def test_any_text_folds_to_words_that_know_their_places(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.places)
    assert list(folded.places) == sorted(folded.places)
    assert "  " not in folded.text
    assert folded.text == folded.text.strip()
    assert not any(unicodedata.category(char) in ("Cf", "Mn") for char in folded.text)
    for found in claimed(text):
        assert 0 <= found.start < found.end <= len(text)


# --------------------------------------------------------------------------------------------------------------- in a spec


def refusals(text: str) -> list[tuple[str, int, int, int]]:
    """Return (code, line, column, end column) of what a spec is refused for."""
    with pytest.raises(SpecError) as raised:
        loads(text, "lamp.yaml")
    return [(d.code, d.span.line, d.span.column, d.span.end_column) for d in raised.value.diagnostics]


def test_a_claim_is_told_at_its_words_with_its_reason_its_source_and_what_to_write() -> None:
    with pytest.raises(SpecError) as raised:
        loads(spec("A lamp that earns a riskless profit."), "lamp.yaml")
    (found,) = raised.value.diagnostics
    assert (found.code, found.span.line, found.span.column, found.span.end_column) == ("HR450", 3, 29, 44)
    assert found.message.startswith("no market allows `riskless profit`: a gain that risks nothing is an arbitrage")
    assert "Harrison & Pliska (1981)" in found.message
    assert found.help.startswith("say what it earns, from whom, and in which market it loses")


def test_all_claims_of_all_texts_and_names_are_told_at_once() -> None:
    text = """\
hedgerow: 1
name: sure_win
about: >
  A lamp. It always
  recovers.
params: {k: {default: 1, about: free money}}
state: {money_machine: {initial: 0}}
machine:
  initial: on
  states:
    on: {about: "no losses", on: {}}
    always_wins: {tags: [riskless_profit], always: {name: cannot_lose, if: money_machine > k, to: on, about: infinite money}}
"""
    assert [(code, line) for code, line, _, _ in refusals(text)] == [
        ("HR450", 2),
        ("HR450", 4),
        ("HR450", 6),
        ("HR450", 7),
        ("HR450", 11),
        ("HR450", 12),
        ("HR450", 12),
        ("HR450", 12),
        ("HR450", 12),
    ]


def test_a_text_over_several_lines_is_underlined_from_its_first_word() -> None:
    text = spec("A lamp.").replace("'A lamp.'", "|\n  A lamp:\n  guaranteed\n  profit.")
    with pytest.raises(SpecError) as raised:
        loads(text)
    (found,) = raised.value.diagnostics
    assert (found.span.line, found.span.column, found.span.end_line, found.span.end_column) == (5, 3, 6, 9)


def test_a_name_is_told_where_it_stands_first_only() -> None:
    text = spec("A lamp.").replace("machine:", "state: {sure_win: {initial: 0}}\nlet: {twice: 2 * sure_win}\nmachine:")
    text = text.replace("on: {}", "on: {entry: {set: {sure_win: 1}}}")
    assert [place[:2] for place in refusals(text)] == [("HR450", 4)]


def test_other_mistakes_of_the_file_come_out_with_it() -> None:
    text = spec("It cannot lose.").replace("initial: on", "initial: onn")
    assert {code for code, *_ in refusals(text)} == {"HR205", "HR450"}


def test_a_claim_in_a_used_spec_is_told_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "lamp.yaml").write_text(spec("It cannot lose."), "utf-8")
    (tmp_path / "desk.yaml").write_text("hedgerow: 1\nname: desk\nuse: {lamp: {spec: lamp.yaml}}\n", "utf-8")
    with pytest.raises(SpecError) as raised:
        load(tmp_path / "desk.yaml")
    found = {(diagnostic.code, Path(diagnostic.span.file).name) for diagnostic in raised.value.diagnostics}
    assert ("HR450", "lamp.yaml") in found


def test_it_cannot_be_waived() -> None:
    with pytest.raises(ValueError, match="cannot be waived"):
        loads(spec("It cannot lose."), permit=["HR450"])


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_the_shipped_specs_claim_nothing_of_the_kind(path: Path) -> None:
    permit = ["HR302"] if "as_written" in path.name else []
    try:
        found = load(path, permit=permit).diagnostics
    except SpecError as error:
        found = error.diagnostics
    assert [each for each in found if each.code.startswith("HR45")] == []


@pytest.mark.parametrize("page", ["README.md", "docs/language.md"])
def test_the_pages_of_this_repository_claim_nothing_of_the_kind_in_their_specs(page: str) -> None:
    for fence in fences(ROOT / page):
        if fence.language == "yaml":
            assert kinds(fence.text) == [], fence
