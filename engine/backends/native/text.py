"""LLVM's assembly language, written line by line.

A variable is a stack slot that LLVM promotes to a register (`mem2reg`), so that a branch may write what a later one reads
without a word about how the values meet; or it stays in memory, where it costs no register while nothing touches it.
"""

from __future__ import annotations

import struct
from typing import Literal

__all__ = ["Code", "Kind", "real"]

Kind = Literal["double", "i64", "i1"]


class Code:
    """The body of one function."""

    def __init__(self, prefix: str = "v") -> None:
        self.prefix = prefix
        """What the names of values begin with."""
        self.lines: list[str] = []
        self.kinds: dict[str, Kind] = {}
        """The type of each variable that is promoted."""
        self.places: dict[str, Kind] = {}
        """The type of each variable that stays in memory, at `%at.NAME`."""
        self._count = 0
        self._labels = 0

    # ----------------------------------------------------------------------------------------------------- instructions

    def op(self, text: str) -> str:
        """Write an instruction that has a value, and return its name."""
        name = f"%{self.prefix}{self._count}"
        self._count += 1
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a value."""
        self.lines.append(f"  {text}")

    def at(self, base: str, index: str | int, kind: str = "i64") -> str:
        """Return the place of an element of an array."""
        return self.op(f"getelementptr {kind}, ptr {base}, i64 {index}")

    def load(self, kind: str, place: str) -> str:
        return self.op(f"load {kind}, ptr {place}")

    # --------------------------------------------------------------------------------------------------------- variables

    def declare(self, name: str, kind: Kind) -> None:
        """Make a variable known; its stack slot is written by `allocations`."""
        self.kinds[name] = kind

    def leave(self, name: str, kind: Kind) -> None:
        """Make a variable known that stays in memory, in 8 bytes; a bool is 0 or 1 there."""
        self.places[name] = kind

    def allocations(self) -> list[str]:
        return [f"  %var.{name} = alloca {kind}" for name, kind in self.kinds.items()]

    def get(self, name: str) -> str:
        if name in self.places:
            return self.take(f"%at.{name}", self.places[name])
        return self.op(f"load {self.kinds[name]}, ptr %var.{name}")

    def set(self, name: str, value: str) -> None:
        if name in self.places:
            self.put(f"%at.{name}", self.places[name], value)
        else:
            self.do(f"store {self.kinds[name]} {value}, ptr %var.{name}")

    def take(self, place: str, kind: Kind) -> str:
        """Return what 8 bytes of memory hold."""
        if kind == "i1":
            return self.op(f"icmp ne i64 {self.load('i64', place)}, 0")
        return self.load(kind, place)

    def put(self, place: str, kind: Kind, value: str) -> None:
        if kind == "i1":
            kind, value = "i64", self.op(f"zext i1 {value} to i64")
        self.do(f"store {kind} {value}, ptr {place}")

    # ---------------------------------------------------------------------------------------------------------- branches

    def new_label(self, about: str) -> str:
        self._labels += 1
        return f"{about}.{self._labels}"

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def jump(self, label: str) -> None:
        self.do(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str, *, rarely: bool = False) -> None:
        """Go on at one label or the other; `rarely` says that the first one is the exception."""
        hint = ", !prof !0" if rarely else ""
        self.do(f"br i1 {condition}, label %{yes}, label %{no}{hint}")

    def switch(self, value: str, otherwise: str, cases: dict[int, str]) -> None:
        chosen = " ".join(f"i64 {number}, label %{label}" for number, label in cases.items())
        self.do(f"switch i64 {value}, label %{otherwise} [ {chosen} ]")

    # ---------------------------------------------------------------------------------------------------------- operators

    def both(self, one: str, other: str) -> str:
        if "true" in (one, other):
            return other if one == "true" else one
        return "false" if "false" in (one, other) else self.op(f"and i1 {one}, {other}")

    def either(self, one: str, other: str) -> str:
        if "false" in (one, other):
            return other if one == "false" else one
        return "true" if "true" in (one, other) else self.op(f"or i1 {one}, {other}")

    def negate(self, condition: str) -> str:
        if condition in ("true", "false"):
            return "false" if condition == "true" else "true"
        return self.op(f"xor i1 {condition}, true")


def real(value: float) -> str:
    """Return a double as LLVM writes it, to the last bit."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
