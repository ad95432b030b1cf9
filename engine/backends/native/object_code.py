"""From LLVM's assembly language to machine code in this process; object code is kept from one process to the next.

The code may use the processor's optional instructions, which are faster and round alike: nothing is fused or
reordered that was not written so, and results are the same to the last bit without them. A kept file is named by the hash of
what it was made from and of what it was made for, and carries its own: a damaged one is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ObjectCode", "assembly", "cache_folder", "machine_code"]

_HASH = 32
_PASSES = ("sroa", "simplify_cfg", "instruction_combine", "simplify_cfg", "aggressive_dce")
"""What LLVM does to the text. Values are numbered and invariants hoisted while it is written; the whole of `-O2` makes the
loop some 7 % faster, and takes 18 times as long: 5.4 s against 0.3 s for 600 transitions in four regions."""
_CLEARANCE = "-partial-reg-update-clearance=512"


class ObjectCode:
    """Machine code in memory."""

    def __init__(self, engine: Any, cached: bool) -> None:
        self._engine = engine  # it owns the memory
        self.cached = cached
        """Whether it was kept from before."""

    def address(self, function: str) -> int:
        """Return where a function begins."""
        found: int = self._engine.get_function_address(function)
        return found


def cache_folder() -> Path:
    """Return where object code is kept: `$HEDGEROW_CACHE`, or the user's cache folder."""
    own = os.environ.get("HEDGEROW_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hedgerow"


def machine_code(write: Callable[[], str], origin: str | None = None, *, plain: bool = False) -> ObjectCode:
    """Return the machine code of a text in LLVM's assembly language.

    Args:
        write: returns the text; it is not called where `origin` is known and code of it is kept.
        origin: what decides the text, see `origin_of`; None where only the text itself does.
        plain: whether to use no optional instructions.
    """
    write = cache(write)
    made_from = write() if origin is None else origin
    name = hashlib.sha256("\0".join((made_from, *_made_for(plain))).encode()).hexdigest()
    file = cache_folder() / "native" / f"{name}.o"
    code = _read(file)
    cached = code is not None
    if code is None:
        code = _target_machine(plain).emit_object(_optimised(write(), plain))
        _keep(file, code)
    return ObjectCode(_loaded(code), cached)


def assembly(text: str) -> str:
    """Return the optimised code as assembly language, to read."""
    found: str = _target_machine(False).emit_assembly(_optimised(text, False))
    return found


def _made_for(plain: bool) -> tuple[str, ...]:
    """Return what decides the code of a text: who compiles it, for which machine, and how."""
    import llvmlite
    from llvmlite import binding as llvm

    compiler = (llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)))
    return (*compiler, _target().triple, *_processor(plain), *_PASSES, _CLEARANCE)


@cache
def _target() -> Any:
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    if target.triple.startswith("x86_64"):
        # An int is converted into a part of a register, whose other part makes it wait for what stood there before: in a
        # loop, for the last division of the round before. LLVM clears the register only where that was 64 instructions
        # ago or less; processors look further ahead.
        llvm.set_option("hedgerow", _CLEARANCE)
    return target


@cache
def _processor(plain: bool) -> tuple[str, str]:
    """Return the name of the processor, and the features that it has beyond its architecture."""
    from llvmlite import binding as llvm

    return ("", "") if plain else (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def _target_machine(plain: bool) -> Any:
    name, features = _processor(plain)
    return _target().create_target_machine(cpu=name, features=features, opt=2, reloc="pic", codemodel="small")


def _optimised(text: str, plain: bool) -> Any:
    from llvmlite import binding as llvm

    machine = _target_machine(plain)
    module = llvm.parse_assembly(text)
    module.triple = _target().triple
    module.data_layout = str(machine.target_data)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    passes = llvm.create_new_function_pass_manager()
    for name in _PASSES:
        getattr(passes, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module


def _loaded(code: bytes) -> Any:
    from llvmlite import binding as llvm

    empty = llvm.parse_assembly("")
    empty.triple = _target().triple
    engine = llvm.create_mcjit_compiler(empty, _target_machine(plain=False))
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
