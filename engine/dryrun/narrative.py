"""A summary in plain words: what the strategy is, what its P&L is made of, and how far to believe it.

Works on the summary alone, so that the page, the terminal and a summary read back from disk tell the same
story.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

__all__ = ["Paragraph", "headline", "money", "narrate", "number", "percent", "span", "stressed"]

Json = dict[str, Any]
SHOWN = 6
REPEATED = 0.05
"""The share of events at the time of the event before from which bars look like several series in one file."""
REFUSED = 0.5
"""The share of refused rows from which a run says little about its data."""


class Paragraph(NamedTuple):
    """A heading and its text; `tone` is `warn` where the reader should be careful."""

    heading: str
    text: str
    tone: str = "plain"


def number(value: float) -> str:
    """Return a number to about five figures, with thousands marked: 12,345 and 1.2346 and 0.00012346."""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:
        return _minus(f"{value:,.0f}")
    decimals = min(12, max(0, 4 - math.floor(math.log10(size))))
    text = f"{value:.{decimals}f}"
    return _minus(text.rstrip("0").rstrip(".") if "." in text else text)


def money(value: float, unit: str = "") -> str:
    """Return an amount, whole from a thousand on, with its unit behind."""
    if abs(value) < 1e-9:
        text = "0"  # what rounding leaves of a sum of doubles
    elif 0.005 <= abs(value) < 1000:
        text = _minus(f"{value:,.2f}")
    else:
        text = number(value)
    return f"{text} {unit}".rstrip()


def percent(share: float) -> str:
    """Return a share in per cent, at least two figures."""
    size = abs(share) * 100
    decimals = (
        0
        if size >= 100
        else 1
        if size >= 10
        else 2
        if size >= 0.1 or size == 0
        else min(8, 1 - math.floor(math.log10(size)))
    )
    return _minus(f"{share * 100:,.{decimals}f} %")


def span(days: float) -> str:
    """Return a length of time in the unit that suits it."""
    for size, unit in ((365.25, "years"), (1.0, "days"), (1 / 24, "hours"), (1 / 1440, "minutes")):
        if days >= 2 * size:
            return f"{days / size:,.1f} {unit}"
    return f"{days * 86400:,.1f} seconds"


def headline(summary: Json) -> str:
    """Return the result of a run in one line."""
    account = summary["money"]
    if account is None:
        return f"{summary['rows']['accepted']:,} events, {sum(summary['triggers'].values()):,} transitions"
    word = "profit" if account["profit"] >= 0 else "loss"
    share = f" ({percent(abs(account['profit']) / account['capital'])} of capital)" if account["capital"] > 0 else ""
    return f"{word} {money(abs(account['profit']), account['unit'])}{share}"


def narrate(summary: Json) -> list[Paragraph]:
    """Return the story of a run, in the order in which it should be read."""
    told = [_result(summary), *_stress(summary), *_doubts(summary)]
    if summary["money"] is not None:
        told += [_split(summary), _fill(summary), _verdict(summary), _risk(summary)]
        told += [_exposure(summary)]
    if summary["overshoot"] is not None and summary["overshoot"]["triggers"]:
        told.append(_overshoot(summary))
    told.append(_behaviour(summary))
    judged = _gates(summary), _approvals(summary)
    told += [each for each in (*judged, _errors(summary), _invariants(summary), _rows(summary)) if each]
    return told


def _result(summary: Json) -> Paragraph:
    time, rows, account = summary["time"], summary["rows"], summary["money"]
    text = f"From {time['first']} to {time['last']} ({span(time['days'])}) "
    text += f"the machine took {rows['accepted']:,} events"
    if account is None:
        return Paragraph("The run", text + ". The spec has no legs, so no money was at stake.")
    trades, unit = summary["trades"], account["unit"]
    text += (
        f" and sent {trades['count']:,} orders on {trades['events']:,} of them, "
        f"{money(account['turnover'], unit)} in all. From {money(account['capital'], unit)} it ended at "
        f"{money(account['equity'], unit)}: {headline(summary)}. Before costs {money(account['realised'])} "
        f"is realised and {money(account['unrealised'])} still open."
    )
    return Paragraph("The run", text)


def stressed(stress: Json) -> str:
    """Return in a few words what was done to the prices of a run; `stress` is that of its summary."""
    if stress["history"]:
        return f"the stress of {stress['name']} as recorded"
    return f"not history: stressed by {stress['name']}"


def _stress(summary: Json) -> list[Paragraph]:
    """Return what must be known of prices that are no history."""
    stress = summary.get("stress")
    if not stress:
        return []
    if stress["history"]:
        text = f"The run is {stress['about']}, {stress['first']} to {stress['last']}, cut out of the data. "
        text += "No price was changed." + _books_over(stress, summary)
        return [Paragraph(f"Stress: {stress['name']}", text)]
    sessions = stress["sessions"]
    text = f"From {stress['first']} to {stress['last']} ({len(sessions)} sessions) "
    if stress["form"] == "spliced":
        text += "the prices are not those of the data. They repeat "
    else:
        text += "the prices are no record of a market. They repeat "
    text += f"{stress['about']}: {stress['published']} closes are published levels of the S&P 500, rescaled"
    text += f"; {_closes(stress['synthetic'])}. All prices between closes are synthetic, a Brownian bridge of "
    text += f"volatility {percent(stress['volatility'])} per √session, seed {stress['seed']}."
    if stress["form"] == "spliced":
        text += " After it the data's own moves go on from where it left the price."
    text += _books_over(stress, summary)
    text += " No result of this run is history."
    return [Paragraph(f"Not history: stressed by {stress['name']}", text, "warn")]


def _books_over(stress: Json, summary: Json) -> str:
    books = stress["books"]
    if books is None:
        return ""
    unit = summary["money"]["unit"]
    if not books["gross_before"] and not books["orders"]:
        return " No position was open at its begin and no order was sent in it: it says nothing about this strategy."
    return (
        f" At its begin positions of {money(books['gross_before'], unit)} gross were open; over it the equity changed by "
        f"{money(books['profit'], unit)}, at worst {money(min(books['worst'], 0.0), unit)}, with {books['orders']:,} orders."
    )


def _closes(days: list[str]) -> str:
    if not days:
        return "no close is synthetic"
    return f"the close of {' and '.join(days)} is synthetic" if len(days) == 1 else f"{len(days)} closes are synthetic"


def _doubts(summary: Json) -> list[Paragraph]:
    """Return what may make the numbers worth nothing, whatever they are."""
    time, events = summary["time"], summary["rows"]["accepted"]
    found = []
    if events > 1 and time["repeated"] == events - 1:
        text = f"Every event has the time {time['first']}, so that nothing that counts time means anything here. "
        text += "Is this the right column? See `--time`."
        found.append(Paragraph("The clock stands still", text, "warn"))
    elif summary["fingerprint"].get("data", {}).get("kind") == "bars" and time["repeated"] > REPEATED * events:
        text = (
            f"{time['repeated']:,} of {events:,} bars have the time of the bar before. Such a file often holds several "
            "series (contracts, venues, strikes), and this run took them for one: its prices jump from one to the "
            "other, and its P&L is of no strategy. Give a file with one series."
        )
        found.append(Paragraph("More than one series?", text, "warn"))
    if summary["modelled"]:
        marks = ", ".join(
            f"`{name}` is marked by {' and '.join(f'`{one}`' for one in functions)}"
            for name, functions in summary["modelled"].items()
        )
        text = f"{marks}, not by prices in the data, and its orders fill there. "
        text += "Equity, P&L and verdict are right as far as the model and its parameters are."
        found.append(Paragraph("Marked by a model", text, "warn"))
    return found


def _split(summary: Json) -> Paragraph:
    split, unit = summary["split"], summary["money"]["unit"]
    own = [name for name in split if name not in ("inventory", "fees", "slippage", "flows", "profit")]
    first, *others = (*own, "inventory")
    parts = f"{first} {money(split[first])}"
    for name in (*others, "fees", "slippage", "flows"):
        if split[name] or name in ("inventory", "fees"):
            parts += f" {'+' if split[name] > 0 else '−'} {name} {money(abs(split[name]))}"
    text = f"P&L {money(split['profit'], unit)} = {parts}, exactly. "
    if any(name.rpartition(".")[2] == "harvest" for name in own):
        text += (
            "Harvest is what the spec counts at each trigger: the realised variance that its band caught. "
            "Inventory is all the rest, the P&L of the net position that the triggers leave behind: it gains "
            "when prices return and loses in a trend, about with the square of the move. For a price without "
            "drift the two cancel on average, and the costs remain."
        )
    else:
        text += (
            "Inventory is the P&L of the positions at the marks, before costs and carry. For prices without "
            "drift it is zero on average, and the costs remain."
        )
    return Paragraph("What the P&L is made of", text)


def _fill(summary: Json) -> Paragraph:
    print_, account = summary["fingerprint"], summary["money"]
    kind = print_.get("data", {}).get("kind", "ticks")
    if print_.get("fill") == "next":
        text = (
            "Orders fill at the next mark after the one that triggered them; the difference is booked as "
            f"slippage, {money(account['delay'], account['unit'])} in all. This is the honest choice for "
            f"{kind}: nobody trades at a price that has only just been seen."
        )
        return Paragraph("Fills: next mark", text)
    text = "Orders fill at the very mark that triggered them. "
    if kind == "bars":
        text += (
            "On bars this flatters: the price that ends a bar is known only when it can no longer be traded, "
            "and a rule that trades against the last move gets each reversal for free. Try `--fill next`."
        )
        return Paragraph("Fills: same mark", text, "warn")
    return Paragraph("Fills: same mark", text + "On ticks this leaves out the delay between seeing and trading.")


def _verdict(summary: Json) -> Paragraph:
    verdict, unit = summary["verdict"], summary["money"]["unit"]
    text = "Without an edge the same trades would earn their carry less their fees and spread: "
    text += f"{money(verdict['no_edge'], unit)}. "
    if verdict["interval"] is None:
        return Paragraph("Verdict: too short to say", text + "The run is too short for an interval.", "warn")
    low, high = verdict["interval"]
    text += (
        f"The {verdict['confidence'] * 100:.0f} % interval of the P&L runs from {money(low)} to "
        f"{money(high)} (circular block bootstrap, {verdict['periods']:,} periods of one {verdict['period']} "
        f"in blocks of {verdict['block']}, {verdict['replications']:,} draws) and "
    )
    caution = (
        f" The interval redraws each {verdict['period']} of this run and does not rerun the strategy; "
        "another regime is not in it."
    )
    if verdict["distinguishable"]:
        text += "leaves that value out: over this period the result is not only costs"
        text += ", though it may still be no profit: 0 lies inside. " if low < 0 < high else ". "
        text += "It need be no edge either: a position held while prices drifted does the same."
        return Paragraph("Verdict: distinguishable from −fees", text + caution)
    beyond = ", beyond its carry," if summary["money"]["flows"] else ""
    text += f"holds that value: this result{beyond} cannot be told from having no edge and paying the costs."
    return Paragraph("Verdict: not distinguishable from −fees", text + caution, "warn")


def _risk(summary: Json) -> Paragraph:
    risk, account = summary["risk"], summary["money"]
    unit = account["unit"]
    parts = []
    fall = risk["max_drawdown"]
    if fall is not None and fall["amount"] > 0:
        back = f"made good by {fall['recovered']}" if fall["recovered"] else "not made good by the end"
        parts.append(
            f"The deepest drawdown was {money(fall['amount'], unit)} ({percent(fall['share'])} of its peak), "
            f"{fall['peak']} to {fall['trough']}, {back}."
        )
    day, tail = risk["worst_day"], risk["cvar"]
    word = "loss" if tail["loss"] >= 0 else "gain"
    parts.append(
        f"The worst day was {day['date']} with {money(day['profit'], unit)}; the mean of the worst "
        f"{100 - 100 * tail['confidence']:.0f} % of days is a {word} of {money(abs(tail['loss']), unit)}."
    )
    fee = account["break_even_fee"]
    if fee is not None:
        parts.append(
            f"At a one-way fee of {percent(fee)} on the same orders nothing would have been left."
            if fee > 0
            else "It is a loss before any fee."
        )
    return Paragraph("Risk", " ".join(parts))


def _exposure(summary: Json) -> Paragraph:
    exposure, unit = summary["exposure"], summary["money"]["unit"]
    ratio = exposure["net_to_gross"]
    text = (
        f"The net position was at most {percent(ratio['max'])} of the gross ({ratio['max_at']}), "
        f"{percent(ratio['mean'])} on average over time."
    )
    tone = "plain"
    for name in ("net", "gross"):
        side = exposure[name]
        text += f" {name.capitalize()} notional peaked at {money(side['max'], unit)}"
        if side["limit"]:
            text += f", {percent(side['share_of_limit']['max'])} of its limit {money(side['limit'])}"
            if side["time_over_limit"]:
                tone = "warn"
                text += f", and was above it {percent(side['time_over_limit'])} of the time"
        text += "."
    return Paragraph("Exposure", text, tone)


def _overshoot(summary: Json) -> Paragraph:
    found = summary["overshoot"]
    return Paragraph(
        "Overshoot",
        f"Triggers fired beyond their threshold, by {percent(found['median'])} of it at the median of "
        f"{found['triggers']:,}, {percent(found['p95'])} at the 95th percentile and {percent(found['max'])} "
        "at most. Much overshoot means that the data are coarse for this trigger; a finer feed trades more.",
    )


def _behaviour(summary: Json) -> Paragraph:
    text = " ".join(f"{_time_in(region, shares)}." for region, shares in _shares(summary).items())
    fired = [f"`{rule}` {count:,}" for rule, count in summary["triggers"].items() if count]
    text += f" Fired: {', '.join(fired)}." if fired else " No rule fired."
    due = [f"`{timer}` {count:,}" for timer, count in summary["timers"].items() if count]
    if due:
        text += f" Timers that fell due: {', '.join(due)}, each with the first row after it."
    never = summary["never"]
    for what in ("states", "rules"):
        if never[what]:
            text += f" {what.capitalize()} never reached: {_some(never[what])}."
    if summary["ended_at"]:
        end = summary["ended_at"]
        text += f" The machine reached a final state at row {end['row']:,} ({end['time']})."
    return Paragraph("Behaviour", text.strip())


def _shares(summary: Json) -> dict[str | None, list[str]]:
    """Return the shares of the time in words, by region.

    One region has no name to be told, and of several those are left out that have one state only.
    """
    states = Counter(state["region"] for state in summary["states"].values())
    found: dict[str | None, list[str]] = {}
    for name, state in summary["states"].items():
        if state["share"] and (len(states) == 1 or states[state["region"]] > 1):
            region = state["region"] if len(states) > 1 else None
            found.setdefault(region, []).append(f"`{name}` {percent(state['share'])}")
    return found


def _time_in(region: str | None, shares: list[str]) -> str:
    return f"Time in {', '.join(shares)}" if region is None else f"In `{region}`, time in {', '.join(shares)}"


def _gates(summary: Json) -> Paragraph | None:
    found: dict[str, int] = summary["gates"]
    if not found:
        return None
    stopped = [f"`{check}` {count:,} ×" for check, count in found.items() if count]
    if not stopped:
        what = f"All {len(found)} checks" if len(found) > 1 else f"`{next(iter(found))}`"
        return Paragraph("Gates", f"{what} let every order through.")
    text = f"Orders were stopped, each with its transition: {', '.join(stopped)}."
    return Paragraph(f"Gates: {sum(found.values()):,} × no", text, "warn")


def _approvals(summary: Json) -> Paragraph | None:
    found: dict[str, int] = summary["approvals"]
    if not found:
        return None
    told = ", ".join(f"{what} {count:,} ×" for what, count in found.items())
    if any(what.partition(" ")[0] not in ("asked", "expired") for what in found):
        return Paragraph("Approvals", f"What people said to what waited for them: {told}.")
    text = f"Nobody answers in a run over data, unless a script does (`--events`): {told}."
    return Paragraph("Approvals: what waits for people does not happen", text, "warn")


def _errors(summary: Json) -> Paragraph | None:
    errors = summary["errors"]
    if not errors:
        return None
    parts = [f"{reason} ({count:,} ×)" for reason, count in list(errors.items())[:SHOWN]]
    more = f"; and {len(errors) - SHOWN} more kinds" if len(errors) > SHOWN else ""
    text = f"What failed was undone, its orders with it: {'; '.join(parts)}{more}."
    return Paragraph(f"Errors: {sum(errors.values()):,}", text, "warn")


def _invariants(summary: Json) -> Paragraph | None:
    found = summary["invariants"]
    if not found:
        return None
    broken = [name for name, one in found.items() if not one["held"]]
    if not broken:
        what = f"All {len(found)}" if len(found) > 1 else "It"
        text = f"{what} held on every event of this run. That is a test, not a proof."
        return Paragraph("Invariants", text)
    parts = []
    for name in broken:
        first, times = found[name]["first"], found[name]["events"]
        rules = f" while {_some(first['rules'])} fired" if first["rules"] else ""
        place = f"row {first['row']:,} ({first['time']}){rules}"
        parts.append(f"`{name}` first broke at {place}; {times:,} events broke it.")
    return Paragraph(f"Invariants: {len(broken)} of {len(found)} broken", " ".join(parts), "warn")


def _rows(summary: Json) -> Paragraph | None:
    stopped, rejected = summary["stopped_at"], summary["rows"]["rejected"]
    if stopped:
        where = f" (line {stopped['line']})" if stopped["line"] else ""
        text = f"Row {stopped['row']}{where} is bad: {stopped['reason']}. "
        text += "The run stopped there; `--skip-bad` goes on."
        return Paragraph("Stopped on a bad row", text, "warn")
    if rejected:
        first = summary["rejections"][0]
        many = "1 bad row was" if rejected == 1 else f"{rejected:,} bad rows were"
        text = f"{many} refused, the first at row {first['row']}: {first['reason']}."
        share = rejected / (rejected + summary["rows"]["accepted"])
        if share > REFUSED:
            text += f" That is {percent(share)} of all: this run says little about the data."
        return Paragraph("Bad rows", text, "warn")
    return None


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _minus(text: str) -> str:
    return text.replace("-", "−")
