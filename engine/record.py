"""Records: frozen dataclasses that are quick to define.

`@dataclass(frozen=True, slots=True)` writes six methods of a class as text, compiles each and makes the class twice, each
time that its module is imported. To check one file takes some seventy such classes, and to define them was a sixth of its
time. A `Record` has the same methods from its base.

It takes half a microsecond longer to make. What one file has by the thousand stays a dataclass: `Scalar`, `Typed`, `Expr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from typing import Any, ClassVar, dataclass_transform

__all__ = ["Record"]

_set = object.__setattr__


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """The base of a frozen dataclass; its fields are declared as in any other, but without a `default_factory`.

    class Let(Record):
        temp: str
        value: Expr
        span: Span | None = None
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls) -> None:
        # It notes the fields, for `replace`, `fields` and `match`, and has no method left to write.
        dataclass(init=False, repr=False, eq=False)(cls)
        fields = cls.__dataclass_fields__.values()
        cls._compared = tuple(each.name for each in fields if each.compare)
        cls._defaults = {each.name: each.default for each in fields if each.default is not MISSING}

    def __init__(self, *values: object, **named: object) -> None:
        names = self.__match_args__
        if named or len(values) != len(names):
            values = self._complete(values, named)
        for name, value in zip(names, values, strict=True):
            _set(self, name, value)

    def _complete(self, values: tuple[object, ...], named: Mapping[str, object]) -> tuple[object, ...]:
        """Return the values of all fields, from those given in order, those given by name, and the defaults."""
        names = self.__match_args__
        rest = names[len(values) :]
        given = {**self._defaults, **named}
        if len(values) > len(names) or not named.keys() <= set(rest) or not given.keys() >= set(rest):
            told = ", ".join((*(f"value {index}" for index in range(1, len(values) + 1)), *named))
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(names)}, and is given {told or 'none'}")
        return (*values, *[given[name] for name in rest])

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self._compared])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(self) is not type(other):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")
