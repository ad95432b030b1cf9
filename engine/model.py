"""The typed model of a spec: its shape, before any name or expression is looked at.

The published JSON Schema (`schemas/spec.v1.schema.json`) is generated from these classes, so each field carries the
description and the example that an editor shows.
"""

# Annotations are values here and no texts: pydantic would evaluate each, a quarter of what these classes take to make.
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, WithJsonSchema
from pydantic.functional_validators import BeforeValidator
from pydantic_core import PydanticCustomError

__all__ = ["STEPS", "Spec", "UseShape"]

NAME = r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$"
EVENT = r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*(\.[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*)*$"
FUNCTION = r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$"


def _expression(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return value
    raise PydanticCustomError("expression", "an expression (text, a number, true or false) is expected here")


def _version(value: Any) -> Any:
    # `true` equals 1 in Python, and a version it is not.
    if isinstance(value, bool):
        raise PydanticCustomError("literal_error", "1 is expected here", {"expected": "1"})
    return value


def _count(value: Any) -> Any:
    # `true` equals 1 in Python, and a count it is not.
    if isinstance(value, bool):
        raise PydanticCustomError("literal_error", "1 or 2 is expected here", {"expected": "1 or 2"})
    return value


Expression = Annotated[
    Any,
    BeforeValidator(_expression),
    WithJsonSchema({"type": ["string", "number", "boolean"], "description": "an expression, see docs/language.md"}),
]
Name = Annotated[str, Field(pattern=NAME, max_length=64, description="a name: letters, digits, single underscores")]
Event = Annotated[str, Field(pattern=EVENT, max_length=128, description="an event: names joined by dots")]
Descriptors = Annotated[
    str, Field(max_length=512, description="events, or prefixes such as `error.*`, parted by blanks")
]
Delay = Annotated[str, Field(description="an expression in seconds over params and constants, such as `30m`")]
UnitText = Annotated[str, Field(max_length=100, description="a product of base units", examples=["USD/IDX", "1/s"])]
About = Annotated[str, Field(max_length=4000, description="what it is, in plain words", examples=["one-way fee"])]
Range = Annotated[
    list[Expression],
    Field(min_length=2, max_length=2, description="smallest and largest value, both allowed", examples=[[0, 1]]),
]


def _mapping_or_one(value: Any) -> str:
    return "mapping" if isinstance(value, (dict, BaseModel)) else "one"


def _one_or_list(value: Any) -> str:
    return "list" if isinstance(value, list) else "one"


def _one_list_or_mapping(value: Any) -> str:
    return "list" if isinstance(value, list) else _mapping_or_one(value)


Expressions = Annotated[
    Annotated[Expression, Tag("one")] | Annotated[list[Expression], Field(min_length=1), Tag("list")],
    Discriminator(_one_or_list),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class FieldShape(_Shape):
    """A field of an event."""

    type: Literal["real", "int", "bool", "person"] = Field(
        "real", description="its type; `person` is one of those under `people`", examples=["real"]
    )
    unit: UnitText | None = Field(None, description="its unit; none for a pure number", examples=["USD/IDX"])
    range: Range | None = Field(None, description="values outside are refused", examples=[[0.01, 1e7]])
    about: About | None = Field(None, description="what it is", examples=["last traded price"])


class ParameterShape(_Shape):
    """A constant of one run, set by `--set name=value`."""

    default: Expression = Field(description="its value unless set", examples=[8])
    type: Literal["real", "int", "bool"] = Field("real", description="its type", examples=["real"])
    unit: UnitText | None = Field(None, description="its unit; none for a pure number", examples=["USD"])
    range: Range | None = Field(None, description="checked at load and assumed by proofs", examples=[[6, 10]])
    about: About | None = Field(None, description="what it is", examples=["band half-width in fees"])


class InstrumentShape(_Shape):
    """Something with a price. Its last mark is `NAME.price`, in scope everywhere."""

    unit: UnitText = Field(description="the unit of a quantity of it", examples=["IDX"])
    price: Annotated[
        Annotated[Expression, Tag("one")] | Annotated[dict[Event, Expression], Tag("mapping")],
        Discriminator(_mapping_or_one),
    ] = Field(description="its mark, or one mark for each event that sets it", examples=["tick.price"])
    fee: Expression = Field(0, description="share of the notional paid on each order", examples=["0.0005"])
    slippage: Expression = Field(0, description="share of the notional lost on each fill", examples=["0.0001"])
    half_spread: Expression = Field(0, description="price lost on each unit filled", examples=["0.25 USD"])
    borrow: Expression = Field(0, description="rate paid on a short position, per second", examples=["0.02 / 365d"])
    funding: dict[Event, Expression] = Field(
        {},
        description="share of the position's value paid by longs on an event",
        examples=[{"funding": "funding.rate"}],
    )
    lot: Expression | None = Field(None, description="orders are cut to multiples of it", examples=["0.001"])
    minimum_notional: Expression | None = Field(None, description="smaller orders are not sent", examples=["10"])
    about: About | None = Field(None, description="what it is", examples=["front E-mini future"])


class LegShape(_Shape):
    """A position in one instrument."""

    instrument: Name = Field(description="what it holds", examples=["index"])
    side: Literal["long", "short", "both"] = Field(
        description="long and short quantities are at least 0; `both` is signed", examples=["long"]
    )
    quantity: Expression = Field(
        0, description="opening quantity, endowed at the first mark", examples=["stake / price"]
    )
    about: About | None = Field(None, description="what it is for", examples=["the hedge"])


class StateShape(_Shape):
    """A cell: a value that actions set and a snapshot carries."""

    initial: Expression = Field(description="its first value", examples=["price"])
    type: Literal["real", "int", "bool"] = Field("real", description="its type", examples=["real"])
    unit: UnitText | None = Field(None, description="its unit; none for a pure number", examples=["USD/IDX"])
    range: Range | None = Field(None, description="checked after every transition", examples=[[0, 1]])
    about: About | None = Field(None, description="what it is", examples=["price of the last trade"])


class WindowShape(_Shape):
    """The last values of an expression, handed to bound functions as an array, oldest first."""

    of: Expression = Field(description="the value that is kept", examples=["price / previous(price) - 1"])
    on: Event = Field(description="the event that adds a value", examples=["tick"])
    length: int = Field(ge=1, le=1_000_000, description="how many values are kept", examples=[250])
    until_full: Literal["skip", "partial"] = Field(
        description="`skip`: calls that read it wait and keep their initial results; `partial`: they see what there is",
        examples=["skip"],
    )
    about: About | None = Field(None, description="what it is", examples=["daily returns"])


class ObservedCall(_Shape):
    """A bound function, called on each event; its results are values that guards and lets can use."""

    call: Annotated[str, Field(pattern=FUNCTION, max_length=200)] = Field(
        description="a name that `hedgerow bindings` lists", examples=["risk.value_at_risk_within"]
    )
    with_: dict[Name, Expression] = Field(
        {}, alias="with", description="its arguments; a window by name", examples=[{"returns": "returns"}]
    )
    initial: (
        Annotated[
            Annotated[Expression, Tag("one")] | Annotated[dict[Name, Expression], Tag("mapping")],
            Discriminator(_mapping_or_one),
        ]
        | None
    ) = Field(None, description="results before the first call", examples=[{"ok": True, "value": 0}])
    ensures: Expressions | None = Field(
        None,
        description="what holds of its results after each call, one condition or several; an error where it does not",
        examples=["value >= 0", ["value >= 0", "0 <= delta <= 1"]],
    )


Observed = Annotated[
    Annotated[Expression, Tag("one")] | Annotated[ObservedCall, Tag("mapping")],
    Discriminator(_mapping_or_one),
]


class SetStep(_Shape):
    """Set cells, all from the values before."""

    set: dict[Name, Expression] = Field(
        min_length=1, description="cells and their new values", examples=[{"anchor": "price"}]
    )


class LetStep(_Shape):
    """Bind names for the rest of the list, once."""

    let: dict[Name, Expression] = Field(
        min_length=1, description="names and values", examples=[{"bite": "beta * step"}]
    )


class IncreaseStep(_Shape):
    """Order more of a leg."""

    increase: dict[Name, Expression] = Field(min_length=1, description="legs and amounts ≥ 0", examples=[{"long": "1"}])


class ReduceStep(_Shape):
    """Order less of a leg."""

    reduce: dict[Name, Expression] = Field(min_length=1, description="legs and amounts ≥ 0", examples=[{"long": "1"}])


class TargetStep(_Shape):
    """Order what takes a leg to a quantity, netted to one order."""

    target: dict[Name, Expression] = Field(min_length=1, description="legs and quantities", examples=[{"long": "2"}])


class CloseStep(_Shape):
    """Order what takes legs to exactly 0."""

    close: Annotated[Annotated[Name, Tag("one")] | Annotated[list[Name], Tag("list")], Discriminator(_one_or_list)] = (
        Field(description="a leg, or several", examples=[["long", "short"]])
    )


class RaiseStep(_Shape):
    """Queue an internal event, processed in this macrostep, or later where it says `after`."""

    raise_: Annotated[
        Annotated[Event, Tag("one")] | Annotated[dict[Event, dict[Name, Expression]], Tag("mapping")],
        Discriminator(_mapping_or_one),
    ] = Field(alias="raise", description="an event, or an event with its fields", examples=["alarm"])
    after: Expression | None = Field(None, description="the seconds until it comes; none is at once", examples=["30m"])
    id: Name | None = Field(
        None,
        description="what `cancel` calls a delayed event; its own name unless given",
        examples=["late_alarm"],
    )


class CancelStep(_Shape):
    """Forget a delayed event that has not come yet."""

    cancel: Event = Field(description="the `id` of a delayed `raise`, or the name of its event", examples=["alarm"])


class CallStep(_Shape):
    """Call a bound function and keep its results in cells."""

    call: Annotated[str, Field(pattern=FUNCTION, max_length=200)] = Field(
        description="a name that `hedgerow bindings` lists", examples=["sizing.hedge_curve"]
    )
    with_: dict[Name, Expression] = Field({}, alias="with", description="its arguments", examples=[{"score": "score"}])
    into: Annotated[
        Annotated[Name, Tag("one")] | Annotated[dict[Name, Name], Tag("mapping")],
        Discriminator(_mapping_or_one),
    ] = Field(description="the cell for the result, or a cell for each field of it", examples=[{"hedge": "ratio"}])
    ensures: Expressions | None = Field(
        None,
        description="what holds of these cells after each call, one condition or several; an error where it does not",
        examples=["0 <= ratio <= 1", ["ratio >= 0", "ratio <= most"]],
    )


STEPS: dict[str, type[_Shape]] = {
    "set": SetStep,
    "let": LetStep,
    "increase": IncreaseStep,
    "reduce": ReduceStep,
    "target": TargetStep,
    "close": CloseStep,
    "raise": RaiseStep,
    "cancel": CancelStep,
    "call": CallStep,
}


def _step_tag(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    if isinstance(value, dict):
        for key in value:
            if key in STEPS:
                return str(key)
    for key, shape in STEPS.items():
        if isinstance(value, shape):
            return key
    return None


Step = Annotated[
    Annotated[Name, Tag("name")]
    | Annotated[SetStep, Tag("set")]
    | Annotated[LetStep, Tag("let")]
    | Annotated[IncreaseStep, Tag("increase")]
    | Annotated[ReduceStep, Tag("reduce")]
    | Annotated[TargetStep, Tag("target")]
    | Annotated[CloseStep, Tag("close")]
    | Annotated[RaiseStep, Tag("raise")]
    | Annotated[CancelStep, Tag("cancel")]
    | Annotated[CallStep, Tag("call")],
    Discriminator(
        _step_tag,
        custom_error_type="step",
        custom_error_message="an action is expected here: the name of one, or one of set, let, increase, reduce, target, "
        "close, raise, cancel, call",
    ),
]


Steps = Annotated[
    Annotated[Step, Tag("one")] | Annotated[list[Step], Tag("list")],
    Discriminator(_one_or_list),
    Field(description="an action by name, one step, or a list that runs in order"),
]


States = Annotated[
    Annotated[Name, Tag("one")] | Annotated[list[Name], Field(min_length=1), Tag("list")],
    Discriminator(_one_or_list),
]


class TransitionShape(_Shape):
    """A transition; without `to` it stays where it is and only acts."""

    name: Name | None = Field(None, description="its name in traces, `since(…)` and reports", examples=["freeze"])
    if_: Expression | None = Field(None, alias="if", description="its guard; none is true", examples=["price > anchor"])
    to: States | None = Field(
        None, description="the state it goes to, or several in parallel regions", examples=["paused"]
    )
    internal: bool = Field(
        False, description="whether a state that goes to one inside it is not left itself", examples=[True]
    )
    do: Steps | None = Field(None, description="what it does", examples=["re_anchor"])
    approval: Name | None = Field(
        None,
        description="the policy under `approvals` under which it waits for people before it fires",
        examples=["structural"],
    )
    about: About | None = Field(None, description="why it is there", examples=["friction ate the edge"])


Transitions = Annotated[
    Annotated[TransitionShape, Tag("one")] | Annotated[list[TransitionShape], Tag("list")],
    Discriminator(_one_or_list),
    Field(description="one transition, or several of which the first whose guard holds fires"),
]


class DefaultShape(_Shape):
    """Where a state, or a history state, leads by itself, and what is done on the way."""

    to: States = Field(description="the state that is entered, or several in parallel regions", examples=["watching"])
    do: Steps | None = Field(None, description="what is done on the way", examples=["re_anchor"])


Default = Annotated[
    Annotated[Name, Tag("one")]
    | Annotated[list[Name], Field(min_length=1), Tag("list")]
    | Annotated[DefaultShape, Tag("mapping")],
    Discriminator(_one_list_or_mapping),
]


class NodeShape(_Shape):
    """A state of the machine (a mode); one with `states` is nested, or has parallel regions."""

    initial: Default | None = Field(
        None,
        description="the state inside it that is entered first, several in parallel regions, or `{to, do}`",
        examples=["watching"],
    )
    parallel: bool = Field(False, description="whether its states are regions, all active together", examples=[True])
    states: dict[Name, "NodeShape"] = Field({}, description="the states inside it", examples=[{"watching": {}}])
    entry: Steps | None = Field(None, description="done when it is entered", examples=["re_anchor"])
    exit: Steps | None = Field(None, description="done when it is left", examples=["re_anchor"])
    on: dict[Descriptors, Transitions] = Field(
        {},
        description="transitions by event, or by several parted by blanks, tried from the top",
        examples=[{"stop": {"to": "flat"}}, {"stop error.*": {"to": "flat"}}],
    )
    always: Transitions | None = Field(
        None, description="transitions that need no event", examples=[{"if": "gross == 0", "to": "flat"}]
    )
    after: dict[Delay, Transitions] = Field(
        {},
        description="transitions by the seconds since it was entered",
        examples=[{"30m": {"to": "flat"}}],
    )
    every: dict[Delay, Transitions] = Field(
        {},
        description="transitions by a period in seconds, due again and again while it is active",
        examples=[{"1d": {"do": "re_anchor"}}],
    )
    fail_safe: Name | None = Field(
        None,
        description="a state inside it, where an error in it leads that nothing in it handles",
        examples=["halted"],
    )
    final: bool = Field(False, description="whether it ends the machine, or its parent", examples=[True])
    history: Literal["shallow", "deep"] | None = Field(
        None,
        description="whether it stands for what was active in its parent when that was left: the state in it, or all "
        "the way down",
        examples=["shallow"],
    )
    default: Default | None = Field(
        None, description="where a history state leads before its parent was ever left", examples=["watching"]
    )
    tags: list[Name] = Field([], description="words that reports and other regions look for", examples=[["halted"]])
    about: About | None = Field(None, description="what the mode is for", examples=["no new trades"])


class MachineShape(_Shape):
    """The statechart (W3C SCXML)."""

    initial: States | None = Field(
        None, description="the state entered first, or several in parallel regions", examples=["active"]
    )
    parallel: bool = Field(False, description="whether its states are regions, all active together", examples=[True])
    states: dict[Name, "NodeShape"] = Field(min_length=1, description="the modes", examples=[{"active": {}}])
    fail_safe: Name | None = Field(
        None,
        description="where an error that nothing else handles leads; mandatory with legs or bound functions",
        examples=["halted"],
    )


class UseShape(_Shape):
    """Another spec, as a region beside this spec's own states, under a name that its names get in front."""

    spec: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="its file, from the folder of this one", examples=["drawdown_breaker.yaml"]
    )
    params: dict[Descriptors, Expression] = Field(
        {}, description="values of its params, over the params of this spec", examples=[{"limit": "max_drawdown"}]
    )
    events: dict[
        Event,
        Annotated[
            Annotated[Event, Tag("one")]
            | Annotated[dict[Event, dict[Name, Expression]], Field(min_length=1, max_length=1), Tag("mapping")],
            Discriminator(_mapping_or_one),
        ],
    ] = Field(
        {},
        description="its events that are called otherwise here, or happen on an event of this spec with other fields",
        examples=[{"release": "resume", "mark": {"tick": {"equity": "strategy.equity"}}}],
    )
    approvals: dict[Event, Name] = Field(
        {},
        description="its transitions that wait for people here, each with a policy of this spec",
        examples=[{"reset": "release"}],
    )
    about: About | None = Field(None, description="what it is here for", examples=["stops the strategy"])


class UnchangedShape(_Shape):
    """A claim that values stay what they are as long as the machine stays in a state."""

    while_: Annotated[str, Field(pattern=EVENT, max_length=300)] | None = Field(
        None,
        alias="while",
        description="the state that the machine was in and is in; of a used spec with its name in front; any unless given",
        examples=["hedging"],
    )
    of: Expressions = Field(
        description="what stays as it is, one value or several", examples=["strike", ["strike", "call.quantity"]]
    )


class _CheckShape(_Shape):
    max_age: dict[Event, Delay] | None = Field(
        None,
        min_length=1,
        description="events that must have come within a time before now; without one of them it is a no",
        examples=[{"risk": "1d"}],
    )


class ConditionCheck(_CheckShape):
    """A condition that must hold as orders would leave the machine."""

    holds: Expression = Field(description="the condition", examples=["not In(open)"])


class CheckShape(_CheckShape):
    """A value that orders must leave within limits."""

    of: Expression = Field(description="the value, as the orders would leave it", examples=["gross * index.price"])
    most: Expression | None = Field(None, description="the most that it may be", examples=["gross_max"])
    least: Expression | None = Field(None, description="the least that it may be", examples=["-net_max"])


class CalledCheck(_CheckShape):
    """A bound function that must say yes to orders; an error, no answer in time and no number are a no."""

    call: Annotated[str, Field(pattern=FUNCTION, max_length=200)] = Field(
        description="a name that `hedgerow bindings` lists, of a function whose result has `ok: bool`",
        examples=["risk.value_at_risk_within"],
    )
    with_: dict[Name, Expression] = Field(
        {},
        alias="with",
        description="its arguments, as the orders would leave the machine; a window by name",
        examples=[{"returns": "returns", "equity": "equity", "limit": "var_max"}],
    )
    deadline: Delay | None = Field(
        None, description="the time of the wall clock after which no answer is a yes", examples=["50ms"]
    )
    isolate: bool = Field(
        False,
        description="whether it runs in a process of its own, which is ended at the deadline; for what may hang",
        examples=[True],
    )


def _check_tag(value: Any) -> str:
    if not isinstance(value, (dict, BaseModel)):
        return "one"
    keys = value if isinstance(value, dict) else type(value).model_fields
    return "called" if "call" in keys else "condition" if "holds" in keys else "mapping"


AnyCheck = Annotated[
    Annotated[Expression, Tag("one")]
    | Annotated[CheckShape, Tag("mapping")]
    | Annotated[ConditionCheck, Tag("condition")]
    | Annotated[CalledCheck, Tag("called")],
    Discriminator(_check_tag),
]


class GateShape(_Shape):
    """Checks that orders must pass before they leave."""

    applies: Literal["increase", "reduce", "all"] = Field(
        "all",
        description="to orders that enlarge a leg or turn it round, to those that do neither, or to all",
        examples=["increase"],
    )
    checks: dict[Name, AnyCheck] = Field(
        min_length=1,
        description="conditions, values with limits, or bound functions; an order that one of them does not let through is "
        "dropped",
        examples=[{"gross": {"of": "gross * index.price", "most": "gross_max"}, "open": "not In(halted)"}],
    )


class PolicyShape(_Shape):
    """Who approves a transition that waits, and how long it waits."""

    role: Name = Field(description="the role that whoever approves holds", examples=["risk"])
    persons: Annotated[Literal[1, 2], BeforeValidator(_count)] = Field(
        1, description="how many persons it needs, one or two", examples=[2]
    )
    within: Delay = Field(description="how long it waits; that no one answers is a no", examples=["1h"])
    again: Delay | None = Field(
        None, description="how long after a no it is not asked again; at once unless given", examples=["1d"]
    )
    about: About | None = Field(None, description="what it is for", examples=["changes of the structure"])


class RankingShape(_Shape):
    """A claim that something ends: each firing shrinks a measure, and time forces a firing."""

    while_: Name = Field(alias="while", description="the state in which it holds", examples=["winding_down"])
    by: Name = Field(description="the transition that shrinks the measure", examples=["exit_step"])
    measure: Expression = Field(description="what shrinks", examples=["gross"])
    factor: Expression = Field(description="by at least this factor at each firing", examples=["1 - eta"])
    until: Expression = Field(description="down to this", examples=["residue"])
    within: Expression = Field(description="the longest time between two firings", examples=["exit_every"])
    if_: Expression | None = Field(
        None,
        alias="if",
        description="a condition on params without which `within` is not claimed",
        examples=["timed_exit"],
    )


def _one_backing(value: Any) -> Any:
    if isinstance(value, dict) and len(value) != 1:
        raise PydanticCustomError("backing", "one thing that backs the claim is expected here")
    return value


class BackingShape(_Shape):
    """One thing that backs a claim: a claim of the spec that is proved or watched, a study, or a test."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    invariant: Event | None = Field(
        None,
        description="a name under `invariants:`; of a used spec with its name in front",
        examples=["legs_positive"],
    )
    conserved: Event | None = Field(None, description="a name under `conserved:`", examples=["money"])
    unchanged: Event | None = Field(None, description="a name under `unchanged:`", examples=["strike_is_kept"])
    helper: Event | None = Field(None, description="a name under `helpers:`", examples=["anchor_positive"])
    decreases: Event | None = Field(None, description="a name under `decreases:`", examples=["exit_ends"])
    study: Name | None = Field(None, description="a study that `hedgerow study` conducts", examples=["band_limited"])
    test: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None,
        description="a test function: its file from the folder of this one, `::`, its name",
        examples=["tests/test_hedge.py::test_it_earns_when_prices_return"],
    )


Backing = Annotated[BackingShape, BeforeValidator(_one_backing)]


class ClaimShape(_Shape):
    """Something that the spec says of itself in words, and what backs it."""

    says: Annotated[str, Field(min_length=1, max_length=4000)] = Field(
        description="what is claimed, in plain words", examples=["no order enlarges the gross exposure"]
    )
    backed_by: Annotated[
        Annotated[Backing, Tag("one")] | Annotated[list[Backing], Field(min_length=1), Tag("list")],
        Discriminator(_one_or_list),
    ] = Field(
        description="what backs it, one thing or several: a claim to prove, a study, a test",
        examples=[{"invariant": "gross_never_grows"}, [{"invariant": "gross_never_grows"}, {"study": "band_limited"}]],
    )


class ReportShape(_Shape):
    """What the report of a run shows of this spec."""

    harvest: dict[Name, Expression] = Field(
        {},
        description="money earned by a transition, evaluated before its actions",
        examples=[{"up": "step * distance"}],
    )
    overshoot: dict[Name, Expression] = Field(
        {},
        description="share by which a trigger was overshot when it fired",
        examples=[{"up": "distance / band - 1"}],
    )
    limits: dict[Literal["net", "gross"], Expression] = Field(
        {}, description="limits on net and gross notional, over the parameters", examples=[{"net": "net_max"}]
    )


class Spec(_Shape):
    """A hedging strategy, its modes and its claims."""

    hedgerow: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="the version of the language", examples=[1]
    )
    name: Name = Field(description="its name", examples=["band_limited_hedge"])
    about: About | None = Field(
        None, description="what it does and how it can lose money", examples=["Holds two legs."]
    )
    units: list[Name] = Field([], description="base units, besides s for seconds", examples=[["USD", "IDX"]])
    capital: dict[Name, Expression] | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="cash at the start, in one unit; mandatory with legs",
        examples=[{"USD": 1000000}],
    )
    events: dict[Event, dict[Name, FieldShape]] = Field(
        {},
        description="what can happen, with its fields; each event also carries its time",
        examples=[{"tick": {"price": {"unit": "USD/IDX"}}}],
    )
    params: dict[Name, ParameterShape] = Field({}, description="constants of one run", examples=[{"k": {"default": 8}}])
    instruments: dict[Name, InstrumentShape] = Field(
        {}, description="what can be held", examples=[{"index": {"unit": "IDX", "price": "tick.price"}}]
    )
    legs: dict[Name, LegShape] = Field(
        {},
        description="positions; the ledger keeps them",
        examples=[{"long": {"instrument": "index", "side": "long"}}],
    )
    fills: Literal["simulated", "external"] = Field(
        "simulated",
        description="whether a live machine fills its orders itself, or by events from outside",
        examples=["external"],
    )
    state: dict[Name, StateShape] = Field(
        {}, description="cells that actions set", examples=[{"anchor": {"initial": "price"}}]
    )
    let: dict[Name, Expression] = Field(
        {}, description="named expressions, expanded where used", examples=[{"band": "k * fee"}]
    )
    windows: dict[Name, WindowShape] = Field(
        {},
        description="histories for bound functions",
        examples=[
            {"returns": {"of": "price / previous(price) - 1", "on": "tick", "length": 250, "until_full": "skip"}}
        ],
    )
    observe: dict[Event, dict[Name, Observed]] = Field(
        {},
        description="values computed once on each event, before any guard, from the top",
        examples=[{"tick": {"calm": "streak(distance < band, max=100)"}}],
    )
    use: dict[Name, UseShape] = Field(
        {},
        description="other specs, each a region beside the states of this one",
        examples=[{"breaker": {"spec": "drawdown_breaker.yaml"}}],
    )
    raises: list[Event] = Field(
        [], description="events that its actions raise, for specs that use this one", examples=[["tripped"]]
    )
    machine: MachineShape | None = Field(
        None, description="the modes and their transitions", examples=[{"initial": "on", "states": {"on": {}}}]
    )
    gates: dict[Name, GateShape] = Field(
        {},
        description="checks that orders must pass before they leave",
        examples=[{"sanity": {"applies": "increase", "checks": {"gross": {"of": "gross", "most": 100}}}}],
    )
    oversight: Literal["autonomous", "collaborative", "supervised"] | None = Field(
        None,
        description="what waits for a person: nothing; what has an `approval`, which is so unless given; or also what "
        "enlarges a leg",
        examples=["collaborative"],
    )
    people: dict[Name, list[Name]] = Field(
        {}, description="who may approve, each with the roles that he or she holds", examples=[{"anna": ["risk"]}]
    )
    approvals: dict[Name, PolicyShape] = Field(
        {},
        description="policies under which transitions wait for people",
        examples=[{"structural": {"role": "risk", "persons": 1, "within": "1h", "again": "1d"}}],
    )
    actions: dict[Name, Steps] = Field(
        {}, description="named actions", examples=[{"re_anchor": [{"set": {"anchor": "price"}}]}]
    )
    invariants: dict[Name, Expression] = Field(
        {},
        description="claims that hold after every event; `before` is the state when it came",
        examples=[{"gross_never_grows": "gross <= before.gross"}],
    )
    conserved: dict[Name, Expression] = Field(
        {},
        description="claims that a value is what it was, whatever an event does",
        examples=[{"money": "equity + fees"}],
    )
    unchanged: dict[Name, UnchangedShape] = Field(
        {},
        description="claims that values stay what they are as long as the machine stays in a state",
        examples=[{"strike_is_kept": {"while": "hedging", "of": "strike"}}],
    )
    helpers: dict[Name, Expression] = Field(
        {}, description="what a proof needs to know besides", examples=[{"sane": "anchor > 0"}]
    )
    decreases: dict[Name, RankingShape] = Field(
        {},
        description="claims that something ends",
        examples=[
            {
                "exit_ends": {
                    "while": "winding_down",
                    "by": "exit_step",
                    "measure": "gross",
                    "factor": "1 - eta",
                    "until": "residue",
                    "within": "exit_every",
                }
            }
        ],
    )
    claims: dict[Name, ClaimShape] = Field(
        {},
        description="what the spec says of itself in words, each with what backs it",
        examples=[
            {
                "it_only_shrinks": {
                    "says": "no order enlarges the gross exposure",
                    "backed_by": {"invariant": "gross_never_grows"},
                }
            }
        ],
    )
    report: ReportShape = Field(
        default_factory=lambda: ReportShape.model_validate({}),
        description="what the report of a run shows",
        examples=[{"limits": {"gross": "gross_max"}}],
    )
