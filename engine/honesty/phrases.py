"""The word list: what no market allows, why, and the theorem or source that says so.

A pattern is a regular expression over a folded text (`folded.py`): small letters, one blank between words, hyphens and
underscores as blanks, no apostrophes (`can't` is `cant`), `,` for a comma and `|` for the end of a clause. Names in braces
stand for the alternatives in `PARTS`. What a spec denies is not told (`denial.py`); a pattern that holds a denial itself
(`cannot lose`) is denied by one before it.

docs/honesty.md shows the list to readers; a test keeps the two together. Compiling the patterns takes longer than checking
many a spec, so each entry names the words without which they match nothing; a test proves that from the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cache
from itertools import pairwise

from ..record import Record

__all__ = ["PHRASES", "Phrase", "terms_of"]


class Phrase(Record):
    """A kind of claim. `reason` says in one sentence why it cannot hold, `instead` what an honest text says."""

    name: str
    words: frozenset[str]
    """Words and pairs of words one of which is in whatever it matches: most texts have none, and need no pattern."""
    patterns: tuple[str, ...]
    reason: str
    source: str
    instead: str

    def may_match(self, terms: Set[str]) -> bool:
        """Return whether it may match a text of these terms, see `terms_of`."""
        return not self.words.isdisjoint(terms)

    @property
    def pattern(self) -> re.Pattern[str]:
        """All its patterns as one, over whole words."""
        return _compiled(self.patterns)


def terms_of(text: str) -> Set[str]:
    """Return the words of a folded text, and each two that follow one another."""
    words = _WORD.findall(text)
    return {*words, *map(" ".join, pairwise(words))}


@cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(_PART.sub(lambda part: f"(?:{PARTS[part[1]]})", pattern) for pattern in patterns)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")


_WORD = re.compile(r"\w+")
_PART = re.compile(r"\{([a-z_]+)\}")


def _terms(written: str) -> frozenset[str]:
    return frozenset(written.split("|"))


_RISK = _terms("risk|risks|riskless|riskfree")
_EVERY = _terms("every single|every day|every week|every month|every quarter|every year|every time")
_ALWAYS = _EVERY | _terms(
    "always|consistently|certainly|surely|reliably|invariably|constantly|unfailingly|inevitably|without fail"
)
_WHATEVER = _ALWAYS | _terms(
    "every trade|every trades|each day|each week|each month|each year|each trade|each trades|all trade|all trades|in any|"
    "in every|in all|whatever|no matter|regardless|forever|for ever|100|whether the|whether market|whether markets|"
    "whether price|whether prices|whether index|with certainty|guaranteed|both ways"
)
_CANNOT = _terms(
    "cannot|can not|cant|never ever|never possibly|never really|never actually|never lose|never loses|never losing|"
    "never lost|never go|never miss|never fail|could not|couldnt|will not|wont|does not|doesnt|do not|dont|did not|"
    "unable|incapable|impossible|no way|not able"
)

_HARRISON_PLISKA = (
    "first fundamental theorem of asset pricing: Harrison & Pliska (1981), Stoch. Process. Appl. 11(3); "
    "Delbaen & Schachermayer (1994), Math. Ann. 300"
)
_DOOB = "optional stopping: Doob (1953), Stochastic Processes, ch. VII"
_RUIN = "gambler's ruin: Feller (1968), An Introduction to Probability Theory, vol. 1, ch. XIV"

PARTS = {
    "riskless": r"risk ?less|risk ?free|no risk|zero risk",
    "gain": r"profits?|gains?|earnings|incomes?|money|winnings?|pnl|wealth|cash",
    "gain_or_return": r"cash|carry|profits?|gains?|earnings|incomes?|money|winnings?|pnl|wealth|returns?|yields?|"
    r"alpha|success",
    # What may stand between an adjective and its noun.
    "between": r"(?: ,)?(?: (?:market neutral|delta neutral|and|or|yet|pure|easy|quick|steady|stable|daily|weekly|"
    r"monthly|annual|yearly|trading|net|"
    r"positive|minimum|real|true|big|huge|high|large|constant|regular|guaranteed|certain|sure|\w{2,20}ly|\w{2,20}less|"
    r"\d+ ?%|\d+))*(?: ,)?",
    "end": r"(?= [|,]| (?:and|or|but|at all|whatsoever|ever|whatever|in any|in all|in every|no matter|regardless)\b|$)",
    "risk_end": r"(?! (?:of|that|from|limits?|measures?|models?|managers?|management|budgets?|parameters?|premi\w+|rates?|"
    r"assets?|bonds?|adjust\w+|weights?|gates?|controls?|guards?|checks?|figures?|factors?|neutral|aversion|reports?|"
    r"appetite|estimates?|free|less|is|are)\b)",
    "rate_end": r"(?! (?:rates?|assets?|bonds?|securit\w+|bills?|borrowing|lending|interest|account|discount\w*|"
    r"numeraire|investments?|benchmarks?|curves?|yields?|returns?)\b)",
    "cannot": r"cannot|can not|cant|can never|could never|could not|couldnt|never|will not|wont|will never|does not|"
    r"doesnt|do not|dont|did not|has never|have never|is unable to|is incapable of|impossible to|no way to|not able to",
    "always": r"always|consistently|certainly|surely|reliably|invariably|constantly|unfailingly|inevitably|without fail|"
    r"every (?:single )?(?:day|week|month|quarter|year|time)",
    "whatever": r"always|every (?:single )?(?:day|week|month|quarter|year|time|trade)|each (?:day|week|month|year|trade)|"
    r"in (?:any|every|all)(?: \w+)? (?:markets?|conditions?|years?|weather|regimes?)|"
    r"in (?:any|every|all) markets?|whatever (?:happens|the|prices?|markets?)|no matter|regardless of|for ?ever|"
    r"on (?:every|each|all) trades?|100 ?% of the time|"
    r"whether (?:the )?(?:markets?|prices?|index)|with certainty|without fail|consistently|guaranteed|both ways",
    "market": r"(?:the |every |any |all |all of )*(?:markets?|index|indices|benchmarks?|s p(?: 500)?|buy and hold|everyone)",
}

PHRASES: tuple[Phrase, ...] = (
    Phrase(
        "riskless profit",
        _RISK,
        (
            r"{riskless}{between} (?:{gain}|arbitrage|carry|trades?|trading|strategy|strategies|bets?)",
            (
                r"(?:earn|make|generate|deliver|offer|produce|yield|give|promise|provide|pay|harvest|collect)(?:s|es|ing)?"
                r"(?: a| an| some| steady)? {riskless} returns?"
            ),
            (
                r"{gain_or_return} (?:without|with no|with zero|free of|at no|at zero)(?: any| the|"
                r" all)?(?: market)? risks?{risk_end}"
            ),
            (
                r"(?:is|are|be|being|becomes?|stays?|remains?|makes? it|makes? this)(?: \w+ly)? "
                r"(?:risk ?free|risk ?less|free of(?: any| all)? risks?){rate_end}"
            ),
        ),
        "a gain that risks nothing is an arbitrage, and prices that leave one open have no equivalent martingale measure",
        _HARRISON_PLISKA,
        "say what it earns, from whom, and in which market it loses",
    ),
    Phrase(
        "no risk",
        _RISK | _terms("downside|downsides"),
        (
            (
                r"(?:has|have|having|with|bears?|carries|carry|takes?|taking|runs?|involves?|at|poses?|there is|theres)"
                r"(?: absolutely| virtually)? (?:no|zero)(?: market| price| downside)? risks?{risk_end}"
            ),
            r"without(?: any)?(?: market| price| downside)? risks?{risk_end}",
            r"(?:zero|0) risk{risk_end}",
            r"no risk{end}",
            r"(?:no|zero) downsides?{end}",
            r"free of(?: any| all)? risks?{risk_end}",
            r"(?<!as )(?:risk ?free|risk ?less)(?= [|,]|$)",
        ),
        "what cannot fall in value earns no more than the riskless rate, and trading costs come off that",
        _HARRISON_PLISKA,
        "say which risks are left and how large they may grow; `no new risk` is said of a state without orders",
    ),
    Phrase(
        "guaranteed profit",
        _terms(
            "guarantee|guarantees|guaranteed|guaranteeing|assured|ensure|ensures|ensured|promise|promises|promised|"
            "certain|sure|bound|destined|inevitable|a certainty|a given"
        ),
        (
            (
                r"(?:guarantee[sd]?|guaranteeing|assured|ensured?|ensures|promise[sd]?)"
                r"(?: (?:a|an|the|you|your|us|its|of|that it|positive))*{between} {gain_or_return}"
            ),
            r"(?:guaranteed|certain|sure|bound) (?:not|never) to (?:lose|fail)",
            (
                r"(?:guaranteed|certain|sure|bound|destined|mathematically certain) to (?:\w+ )?"
                r"(?:win|profit|gain|earn|pay off|make (?:a )?(?:money|profits?)|be profitable|recover|succeed)"
            ),
            (
                r"{gain_or_return} (?:is|are|comes|being|will be)(?: \w+ly)? "
                r"(?:guaranteed|assured|certain|inevitable|ensured|a certainty|a given)"
            ),
            r"{gain_or_return}(?: ,)? (?:guaranteed|guarantees?)",
            r"(?:certain|sure) (?:profits?|winnings?|money)",
        ),
        "a gain that is certain is an arbitrage: where none is open, some probability puts a loss against every gain",
        _HARRISON_PLISKA,
        "say what it earned, on which data, with which interval; or what is claimed and proved under `invariants:`",
    ),
    Phrase(
        "always profitable",
        _WHATEVER
        | _terms(
            "losing day|losing days|losing week|losing weeks|losing month|losing months|losing year|losing years|"
            "losing trade|losing trades|losing streak|losing streaks|can only|100percent|100per|unprofitable|a losing|"
            "the red|a loss"
        ),
        (
            (
                r"{always} (?:profitable|profits|wins?|winning|makes? (?:a )?(?:money|profits?|gains?)|earns?|in profit|"
                r"pays? off|ends? (?:up )?in profit|gains?(?= [|,]| and|$))"
            ),
            r"(?:profitable|profits|wins|makes? (?:a )?(?:money|profits?)|earns(?: money)?) (?:{whatever})",
            (
                r"(?:every|each|all) trades? (?:wins?|is profitable|are profitable|makes? (?:money|a profit)|is a winner|"
                r"profits?)"
            ),
            (
                r"(?:no|never a|not a single|without a(?: single)?|zero) losing (?:days?|weeks?|months?|years?|trades?|"
                r"streaks?)"
            ),
            (
                r"100 ?(?:%|percent|per cent) (?:win|wins|winning|success|successful|profitable|safe|hit|"
                r"certain|sure|profits?)"
                r"(?: rate)?"
            ),
            r"win rate of 100",
            r"(?:equity|value|wealth|account|profits?|it) can only (?:go up|rise|grow|win)",
            r"never (?:has |had |been |is )*(?:unprofitable|a losing \w+|in the red|a loss)",
        ),
        "no stopping or betting rule turns a martingale into a gain: what it expects is what it had, less its costs",
        _DOOB,
        "say when it earns and when it loses",
    ),
    Phrase(
        "cannot lose",
        _CANNOT
        | _terms(
            "no lose|unlosable|un losable|unloseable|un loseable|unbeatable|un beatable|foolproof|fool proof|infallible|"
            "lossproof|loss proof"
        ),
        (
            (
                r"{cannot} (?:ever |possibly |really |actually )*(?:lose|loses|losing|lost)"
                r"(?= [|,]| (?:and|or|but|money|capital|cash|anything|wealth|ever|again|even|whatever|no matter|regardless|"
                r"your|over time|a (?:cent|penny|dollar|trade|day|bet|single)|any (?:money|capital|trades?)|"
                r"with (?:it|this|us)|in (?:any|every|all|the long run)|on (?:any|every|a single))\b|$)"
            ),
            r"no lose|un ?los[e]?able|un ?beatable|fool ?proof|infallible|loss ?proof",
            (
                r"(?:cannot|can not|cant|can never|never) (?:go wrong|miss(?= [|,]|$)|fail to (?:profit|win|earn|gain|"
                r"make money))"
            ),
        ),
        "what cannot lose and may gain is an arbitrage; what a position can lose is bounded only by what limits it",
        _HARRISON_PLISKA,
        "say how much it can lose and what bounds that: `it cannot lose more than …` is a claim to prove",
    ),
    Phrase(
        "no loss",
        _terms(
            "loss|losses|lossless|no drawdown|no drawdowns|zero drawdown|zero drawdowns|drawdown free|never has|"
            "never had|never a|never any|never drawdown|never drawdowns"
        ),
        (
            (
                r"(?:no|zero|without|without any|without ever a|not a single|free of|free of all)"
                r"(?: possible| net| real| potential)? loss(?:es)?{end}"
            ),
            r"(?:no|zero) (?:loss(?:es)?|drawdowns?) (?:is|are) (?:ever )?possible",
            r"loss(?:es)? (?:cannot|can not|cant|can never|never|will never)(?: ever)? (?:occurs?|happens?|arises?|comes?)",
            r"loss(?:es)? (?:is|are)(?: \w+ly)? (?:impossible|excluded|ruled out|eliminated|a thing of the past)",
            r"(?:immune to|safe from|protected from)(?: any| all)? loss(?:es)?{end}",
            r"loss free|drawdown free|zero drawdowns?{end}|never (?:has |had )*(?:a |any )?drawdowns?{end}",
            r"loss ?less(?= (?:trad\w*|hedg\w*|strateg\w*|profits?|returns?|investing|systems?|portfolios?)\b)",
        ),
        "a strategy without a loss in any outcome that gains in one is an arbitrage",
        _HARRISON_PLISKA,
        "say how it loses money, and how much at most if something bounds it",
    ),
    Phrase(
        "infinite money",
        _terms(
            "infinite|endless|limitless|never ending|inexhaustible|boundless|perpetual|eternal|unlimited|unbounded|"
            "money machine|money printer|money glitch|money making|money printing|print money|prints money|"
            "printing money|get rich"
        ),
        (
            (
                r"(?:infinite|endless|limitless|never ending|inexhaustible|boundless|perpetual|eternal){between} "
                r"(?:{gain_or_return})"
            ),
            r"(?:unlimited|unbounded){between} (?:money|incomes?|wealth|cash|earnings|profits?|returns?)",
            r"money (?:machine|printer|glitch|making machine|printing machine)",
            r"(?:prints?|printing) money",
            r"get rich quick(?:ly)?",
        ),
        "wealth multiplies by bets that can be lost: its rate of growth is bounded by the edge there is",
        "Kelly (1956), Bell Syst. Tech. J. 35(4); Thorp (2006), Handbook of Asset and Liability Management 1, ch. 9",
        "say what the edge is, where it comes from, and how much of it was measured",
    ),
    Phrase(
        "a free lunch",
        _terms("free money|free lunch|free lunches|free profit|free profits|free gain|free gains|nothing|arbitrage"),
        (
            r"free (?:money|lunch(?:es)?|profits?|gains?)",
            r"something for nothing",
            r"(?:risk ?less|risk ?free|pure|guaranteed|certain|sure) arbitrage",
            r"(?:money|profits?|gains?|returns?) (?:for|from) nothing",
        ),
        "prices without a free lunch with vanishing risk are what a market has that anyone else trades in",
        "Delbaen & Schachermayer (1994), Math. Ann. 300",
        "say who pays for what it earns, and why they would",
    ),
    Phrase(
        "always beats the market",
        _terms(
            "beat|beats|beating|beaten|outperform|outperforms|outperforming|out perform|out performs|"
            "underperform|underperforms|under perform|under performs"
        ),
        (
            r"{always}(?: \w+ly)? (?:beats?|beating|outperforms?|outperforming|out performs?) {market}",
            r"(?:beats?|beating|outperforms?|outperforming|out performs?) {market} (?:{whatever})",
            r"(?:guaranteed|certain|sure|bound) to (?:beat|outperform)",
            r"(?:cannot|can not|cant|can never|never) (?:be beaten|underperforms?|under performs?)",
        ),
        "the average active position earns the market less its costs, so what one wins always, others would lose always",
        "Sharpe (1991), The Arithmetic of Active Management, Financ. Anal. J. 47(1)",
        "say by how much, over which days, and whether it differs from luck (docs/walk-forward.md)",
    ),
    Phrase(
        "a sure win",
        _terms("sure|certain|guaranteed|assured|surefire|dead cert|no brainer|heads"),
        (
            r"(?:sure|certain|guaranteed|assured) (?:wins?|winners?|things?|bets?|victory)",
            r"sure ?fire|dead cert|no brainer (?:profits?|trades?|money)",
            r"heads (?:i|we|you|it) wins? ,? ?tails",
        ),
        "a bet that cannot be lost has no one on its other side",
        _HARRISON_PLISKA,
        "say how often it wins, how much it loses when it does not, and over which days that was counted",
    ),
    Phrase(
        "always recovers",
        _ALWAYS
        | _terms(
            "recover|recovers|recoup|recoups|win back|wins back|make good|makes good|earn back|earns back|recovered|"
            "recouped|won back|made good|made up|earned back|double|doubles|doubling|martingale|must|has to|"
            "have to|bound|cannot but"
        ),
        (
            (
                r"{always} (?:recovers?|recoups?|wins? (?:it |everything )?back|comes? back|gets? (?:it |everything )?back|"
                r"breaks? even|makes? (?:it |them |all |its |the )*(?:loss(?:es)? )?(?:up|good)(?= [|,]| again|$))"
                r"(?! from (?:an? |the )?(?:errors?|failures?|faults?))"
            ),
            (
                r"(?:recovers?|recoups?|wins? back|makes? good|earns? back) (?:every|all|any|each)(?: of)?(?: its| the|"
                r" past)? loss(?:es)?"
            ),
            (
                r"(?:every|each|any|all) (?:loss(?:es)?|drawdowns?) (?:is|are|will be|gets?|get) (?:\w+ly |always )?"
                r"(?:recovered|won back|made good|made up|recouped|earned back)"
            ),
            (
                r"(?:doubles?|doubling|martingale)(?: \w+){0,5} (?:until|till)(?: \w+){0,3} "
                r"(?:wins?|recovers?|recovered|profits?|profitable|even|back)"
            ),
            (
                r"(?:prices?|markets?|index|spreads?) (?:always|must|has to|have to|is bound to|are bound to|cannot but)"
                r"(?: \w+ly)? (?:come|comes|go|goes|return|returns|revert|reverts|recover|recovers|bounce|bounces)"
            ),
        ),
        "doubling after losses wins only with unbounded credit: with any limit to wealth the rare ruin weighs up the gains",
        f"{_DOOB}; Dybvig & Huang (1988), Rev. Financ. Stud. 1(4)",
        "say how long and how deep it may stay under water, and what stops it there",
    ),
    Phrase(
        "no ruin",
        _terms(
            "broke|bankrupt|bust|ruined|insolvent|risk of|risks of|chance of|chances of|possibility of|possibilitys of|"
            "probability of|probabilitys of|danger of|dangers of|ruin|bankruptcy|insolvency"
        ),
        (
            (
                r"{cannot} (?:ever |possibly )*(?:go|goes|be|become|becomes|end up|going) (?:broke|bankrupt|bust|ruined|"
                r"insolvent)"
            ),
            (
                r"(?:no|zero|without|without any|0)(?: \w+ly)? (?:risk|chance|possibility|probability|danger)s? "
                r"of(?: any| a)? "
                r"(?:ruin|loss(?:es)?|bankruptcy|losing(?: money| anything)?|drawdowns?)"
            ),
            r"(?:ruin|bankruptcy|insolvency) is(?: \w+ly)? (?:impossible|excluded|ruled out)",
        ),
        "a fair bet repeated with limited wealth is ruined in the end, and too large a favourable one is as well",
        f"{_RUIN}; Kelly (1956), Bell Syst. Tech. J. 35(4)",
        "say what bounds the loss: a cap on the exposure, and a guard that winds down",
    ),
    Phrase(
        "certain prediction",
        _terms(
            "certainty|perfectly|without error|flawlessly|the future|every move|each move|every turn|100|100percent|"
            "100per|never wrong|never mistaken"
        ),
        (
            (
                r"(?:predicts?|predicting|knows?|foresees?|forecasts?)(?: \w+){1,5} (?:with certainty|perfectly|"
                r"without error|flawlessly)"
            ),
            r"(?:knows|sees|predicts|foresees) (?:the future|every move|each move|every turn)",
            r"100 ?(?:%|percent|per cent) (?:accurate|accuracy|correct|reliable)",
            r"never (?:wrong|mistaken) (?:about|on) (?:prices?|(?:the )?markets?|(?:the )?direction)",
        ),
        "changes of properly anticipated prices cannot be forecast: what is certain about them is in the price already",
        "Samuelson (1965), Ind. Manag. Rev. 6(2)",
        "say how often it is right, out of sample, and what a wrong forecast costs",
    ),
    Phrase(
        "removes all risk",
        _terms("risk|risks|perfectly|completely|totally"),
        (
            (
                r"(?:remov|eliminat|cancel|abolish|neutrali[sz]|hedg)(?:e|es|s|ed|ing)(?: away| out| against| off)?(?: of)? "
                r"(?:all|any|every|all the|each)(?: of the)?(?: \w+)? risks?{risk_end}"
            ),
            r"(?:perfectly|completely|totally) (?:hedged|safe|secure|protected)(?! from (?:errors?|typing))",
            r"risks? (?:is|are)(?: \w+ly)? (?:gone|eliminated|removed|abolished)",
        ),
        "with trading costs the only hedge that leaves nothing open is to hold all of what was sold",
        "Soner, Shreve & Cvitanić (1995), Ann. Appl. Probab. 5(2)",
        "say which risk it hedges, how far, and what is left",
    ),
)
"""Every kind of claim that is refused, in the order in which they are looked for; of two that overlap the first is told."""
