"""Bound functions: quantitative models that a spec calls by name.

A binding is a name and a target `module:function`. Its signature is read from the function's annotations when a spec
uses it, so that listing names imports nothing:

    float, int, bool                    a pure number, a whole number, true or false
    Annotated[float, "M/Q"]             a number whose unit is a monomial over unit variables (upper case) and `s`; each
                                        variable stands for one unit throughout a call
    Annotated[NDArray[float64], "1"]    a window: a read-only array, oldest value first
    str, Literal["a", "b"]              a word written in the spec

A result is one of the first three, or a NamedTuple of them; texts among its fields (`str`) are for people, and only a check
of a gate tells them. Other packages add functions through the entry-point groups
`hedgerow.guards` and `hedgerow.actions`, whose entries are spelled the same way.
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from typing import Any, Literal

from ..models.windows import Window
from .ir import Type
from .record import Record

__all__ = [
    "Argument",
    "Binding",
    "BindingError",
    "Registry",
    "Result",
    "Signature",
    "builtin_registry",
    "checked_results",
    "checked_words",
]

_LONGEST = 300
"""Letters of a text that is told."""


class BindingError(Exception):
    """A bound function cannot be imported, or its annotations say nothing the engine understands."""


class Argument(Record):
    """A parameter of a bound function: `unit` is a monomial over unit variables, `words` are the literals allowed."""

    name: str
    kind: Literal["real", "int", "bool", "window", "word"]
    unit: str
    words: tuple[str, ...]
    required: bool
    default: object = None


class Result(Record):
    """A result field; `name` is empty for a plain result."""

    name: str
    type: Type
    unit: str


class Signature(Record):
    """The arguments and results of a bound function, in their order; `words` are the results that are texts."""

    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]
    words: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of what it returns; one empty name is the plain result itself."""
        return (*(result.name for result in self.results), *self.words)

    def verdict(self) -> dict[str, Result]:
        """Return the results that a check of a gate reads, by `ok`, `value` and `limit`; none where it gives no verdict."""
        found = {result.name: result for result in self.results if result.name in ("value", "limit")}
        found = {name: result for name, result in found.items() if result.type != "bool"}
        yes = [result for result in self.results if result.name in ("", "ok") and result.type == "bool"]
        return {"ok": yes[0], **found} if yes else {}

    def limit_given(self, arguments: Mapping[str, object]) -> object:
        """Return the limit that a function was given to judge its `value` by, where it does not return it; else None."""
        told = self.verdict()
        limit = next((each for each in self.arguments if (each.name, each.kind) == ("limit", "real")), None)
        if limit is None or "limit" in told or "value" not in told or limit.unit != told["value"].unit:
            return None
        return arguments.get(limit.name, limit.default)


class Binding(Record):
    """A name in the registry, imported when first used."""

    name: str
    kind: Literal["guard", "action"]
    target: str

    def function(self) -> Callable[..., Any]:
        """Import and return the function.

        Raises:
            BindingError: there is none.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (
            Exception,
            SystemExit,
        ) as error:  # an import runs other people's code: whatever it raises is the finding
            raise BindingError(f"`{self.name}` cannot be imported from `{self.target}`: {error}") from error
        if not callable(found):
            raise BindingError(f"`{self.target}` is not a function")
        return typing.cast(Callable[..., Any], found)

    def signature(self) -> Signature:
        """Return the arguments and results that the annotations state.

        Raises:
            BindingError: an annotation is missing or not understood.
        """
        return _signature(self.name, self.function())

    def doc(self) -> str:
        """Return the function's docstring."""
        return inspect.getdoc(self.function()) or ""


class Registry:
    """The functions that specs may bind, by name.

    What `later` returns is added when the registry is first asked, which most specs never do. Two bindings of one name
    are a BindingError then.
    """

    def __init__(self, bindings: Mapping[str, Binding], later: Callable[[], Iterable[Binding]] = tuple) -> None:
        self._given, self._later = bindings, later

    @cached_property
    def _bindings(self) -> dict[str, Binding]:
        found = dict(self._given)
        for binding in self._later():
            first = found.setdefault(binding.name, binding)
            if first != binding:
                raise BindingError(f"`{binding.name}` is offered by `{binding.target}` and by `{first.target}`")
        return dict(sorted(found.items()))

    def __iter__(self) -> Iterator[Binding]:
        return iter(self._bindings.values())

    def __contains__(self, name: str) -> bool:
        return name in self._bindings

    def __getitem__(self, name: str) -> Binding:
        return self._bindings[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self._bindings)


@cache
def builtin_registry() -> Registry:
    """Return the shipped functions and those of installed packages; these are looked for when it is first asked."""
    from ..actions import ACTIONS
    from ..guards import GUARDS

    guards = {name: Binding(name, "guard", target) for name, target in GUARDS.items()}
    actions = {name: Binding(name, "action", target) for name, target in ACTIONS.items()}
    return Registry({**guards, **actions}, _installed)


def _installed() -> list[Binding]:
    """Return what installed packages offer."""
    from importlib.metadata import entry_points

    kinds: tuple[Literal["guard", "action"], ...] = ("guard", "action")
    # Asked for one group it would read those of every package too, each time.
    found = entry_points()
    return [Binding(each.name, kind, each.value) for kind in kinds for each in found.select(group=f"hedgerow.{kind}s")]


@cache
def _signature(name: str, function: Callable[..., Any]) -> Signature:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters
    except Exception as error:  # annotations are evaluated: whatever they raise is the finding
        raise BindingError(f"the annotations of `{name}` cannot be read: {error}") from error
    arguments = []
    for parameter in parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise BindingError(f"`{parameter.name}` of `{name}` cannot be passed by name")
        if parameter.name not in hints:
            raise BindingError(f"`{parameter.name}` of `{name}` has no annotation")
        kind, unit, words = _kind(hints[parameter.name], f"`{parameter.name}` of `{name}`")
        required = parameter.default is parameter.empty
        arguments.append(Argument(parameter.name, kind, unit, words, required, None if required else parameter.default))
    return Signature(tuple(arguments), *_results(name, hints.get("return")))


def _kind(hint: Any, what: str) -> tuple[Literal["real", "int", "bool", "window", "word"], str, tuple[str, ...]]:
    unit = "1"
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        unit = next((extra for extra in extras if isinstance(extra, str)), "1")
    if hint is bool:
        return "bool", unit, ()
    if hint is int:
        return "int", unit, ()
    if hint is float:
        return "real", unit, ()
    if hint is str:
        return "word", unit, ()
    if typing.get_origin(hint) is Literal:
        return "word", unit, tuple(str(word) for word in typing.get_args(hint))
    if hint is Window or getattr(typing.get_origin(hint), "__name__", "") == "ndarray":
        return "window", unit, ()
    raise BindingError(f"{what} is annotated `{hint}`, which a spec cannot give")


def _results(name: str, hint: Any) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """Return the results that are numbers or true or false, and the names of those that are texts."""
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = typing.get_type_hints(hint, include_extras=True)
        words = tuple(field for field in hint._fields if fields[field] is str)
        return tuple(_result(field, fields[field], name) for field in hint._fields if field not in words), words
    return (_result("", hint, name),), ()


def _result(field: str, hint: Any, name: str) -> Result:
    kind, unit, _ = _kind(hint, f"the result of `{name}`")
    if kind not in ("real", "int", "bool"):
        raise BindingError(f"the result of `{name}` is neither a number nor true or false")
    return Result(field, kind, unit)


def checked_results(binding_name: str, results: tuple[Result, ...], returned: object) -> dict[str, float | int | bool]:
    """Return a call's results by field, coerced to plain Python values.

    Raises:
        ValueError: a result is missing, of another type, or not finite.
    """
    found: dict[str, float | int | bool] = {}
    for result in results:
        value: Any = getattr(returned, result.name, None) if result.name else returned
        label = f"`{binding_name}`" + (f" ({result.name})" if result.name else "")
        if hasattr(value, "item") and not isinstance(value, (bool, int, float)):
            value = value.item()
        whole = isinstance(value, int) and not isinstance(value, bool)
        exact = (
            isinstance(value, bool) if result.type == "bool" else result.type == "int" and whole and abs(value) <= 2**53
        )
        if exact:
            found[result.name] = value
        elif (
            result.type == "real"
            and isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
        ):
            found[result.name] = float(value)
        else:
            kinds = {"real": "a finite number", "int": "a whole number", "bool": "true or false"}
            shown = "nothing" if isinstance(value, types.NoneType) else repr(value)[:60]
            raise ValueError(f"{label} returned {shown}, not {kinds[result.type]}")
    return found


def checked_words(binding_name: str, words: tuple[str, ...], returned: object) -> dict[str, str]:
    """Return a call's texts by field, each on one line and no longer than is told.

    Raises:
        ValueError: one is missing, or is no text.
    """
    found: dict[str, str] = {}
    for word in words:
        value = getattr(returned, word, None)
        if not isinstance(value, str):
            raise ValueError(f"`{binding_name}` ({word}) returned {repr(value)[:60]}, not a text")
        found[word] = " ".join(value[:_LONGEST].split())
    return found
