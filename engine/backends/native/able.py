"""Whether a program has a native form."""

from __future__ import annotations

from ...ir import Program

__all__ = ["why_not"]


def why_not(program: Program) -> str | None:
    """Return why a program cannot run in native code, or None."""
    functions = sorted({call.function for call in program.calls})
    if functions:
        return "it binds Python: " + ", ".join(f"`{name}`" for name in functions)
    if program.windows:
        return "it keeps windows, which bound functions read"
    return None
