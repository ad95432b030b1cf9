"""From LLVM's assembly language to machine code in this process; object code is kept from one process to the next.

The code is for the plain architecture of the machine, without its optional instructions, so that results do not depend on
them. A kept file is named by the hash of the text it was made from, and carries its own: a damaged one is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ObjectCode", "assembly", "cache_folder", "machine_code"]

_HASH = 32


class ObjectCode:
    """Machine code in memory; `address` is that of its function `run`."""

    def __init__(self, engine: Any, cached: bool) -> None:
        self._engine = engine  # it owns the memory
        self.cached = cached
        """Whether it was kept from before."""
        self.address: int = engine.get_function_address("run")


def cache_folder() -> Path:
    """Return where object code is kept: `$HEDGEROW_CACHE`, or the user's cache folder."""
    own = os.environ.get("HEDGEROW_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hedgerow"


def machine_code(text: str) -> ObjectCode:
    """Return the machine code of a text in LLVM's assembly language."""
    import llvmlite

    triple = _target()[0].triple
    name = hashlib.sha256(f"{text}\0{llvmlite.__version__}\0{triple}".encode()).hexdigest()
    file = cache_folder() / "native" / f"{name}.o"
    code = _read(file)
    cached = code is not None
    if code is None:
        code = _target()[1].emit_object(_optimised(text))
        _keep(file, code)
    return ObjectCode(_loaded(code), cached)


def assembly(text: str) -> str:
    """Return the optimised code as assembly language, to read."""
    found: str = _target()[1].emit_assembly(_optimised(text))
    return found


@cache
def _target() -> tuple[Any, Any]:
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    if target.triple.startswith("x86_64"):
        # An int is converted into a part of a register, whose other part makes it wait for what stood there before: in a
        # loop, for the last division of the round before. LLVM clears the register only where that was 64 instructions
        # ago or less; processors look further ahead.
        llvm.set_option("hedgerow", "-partial-reg-update-clearance=512")
    # INVARIANT: no optional instructions, and with them no fused multiply and add.
    return target, target.create_target_machine(cpu="", features="", opt=2, reloc="pic", codemodel="small")


def _optimised(text: str) -> Any:
    from llvmlite import binding as llvm

    module = llvm.parse_assembly(text)
    module.triple = _target()[0].triple
    module.data_layout = str(_target()[1].target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(_target()[1], tuning)
    builder.getModulePassManager().run(module, builder)
    return module


def _loaded(code: bytes) -> Any:
    from llvmlite import binding as llvm

    target, _ = _target()
    empty = llvm.parse_assembly("")
    empty.triple = target.triple
    # The engine takes the target machine over.
    own = target.create_target_machine(cpu="", features="", opt=2, reloc="pic", codemodel="small")
    engine = llvm.create_mcjit_compiler(empty, own)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _read(file: Path) -> bytes | None:
    """Return kept object code, if it is whole and nobody else could have written it."""
    try:
        if hasattr(os, "getuid") and file.stat().st_uid != os.getuid():
            return None
        data = file.read_bytes()
    except OSError:
        return None
    code, mark = data[:-_HASH], data[-_HASH:]
    return code if hashlib.sha256(code).digest() == mark else None


def _keep(file: Path, code: bytes) -> None:
    """Keep object code; where that is impossible, it is made again next time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(code + hashlib.sha256(code).digest())
            Path(name).replace(file)
        except OSError:
            Path(name).unlink()
            raise
