"""The compiled core: any program, on the CPU, in float32 and float64; NumPy arrays and torch tensors."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ..errors import OptionError, closest
from ..program import Program
from ..program.hoist import Hoisted, hoist
from .call import Call
from .compiled import core
from .packing import Packing
from .plan import OPCODES
from .sized import Sizes

Array = Any
DESCRIPTION = "the compiled core"
LEVELS = ("baseline", "neon", "avx2", "avx512")
"""Instruction sets that the core may be built for, each with those before it that its family of processors has."""


@cache
def missing() -> str | None:
    """Return why the core is not there, or None; warns the first time. Chooses the level on the way.

    Raises OptionError when OSTINATO_MAX_ISA names no level, or only levels above this machine's.
    """
    try:
        module = core()
    except ImportError as error:
        warnings.warn(
            f"Ostinato's compiled core is not there ({error}); everything works, several times slower. "
            "Install a C++ compiler and run `pip install --force-reinstall --no-deps ostinato`.",
            RuntimeWarning,
            stacklevel=2,
        )
        return f"it was not built ({error})"
    if tuple(module.OPERATIONS) != OPCODES:
        raise RuntimeError("ostinato._core was built from another version of the sources; build it again.")
    _use_highest_level(module, os.environ.get("OSTINATO_MAX_ISA", LEVELS[-1]))
    return None


def _use_highest_level(module: Any, most: str) -> None:
    if most not in LEVELS:
        raise OptionError(f"OSTINATO_MAX_ISA names no instruction set: {most!r}.", closest(most, LEVELS))
    allowed = [level for level in module.levels() if LEVELS.index(level) <= LEVELS.index(most)]
    if not allowed:
        raise OptionError(f"OSTINATO_MAX_ISA is {most}, but this machine has only {', '.join(module.levels())}.")
    module.use_level(allowed[-1])


def threads() -> int:
    """Return how many threads a call may use: OSTINATO_THREADS, else torch's count if torch is in use, else all."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_num_threads"):
        return int(core().default_threads())
    _share_threads_with_torch()
    return int(core().default_threads(torch.get_num_threads()))


@cache
def _share_threads_with_torch() -> None:
    """Have the core compute on torch's threads, which would else hold the processors against the core's own."""
    core().borrow_openmp()


def refuse(call: Call) -> str | None:
    """Return why the core cannot run a call, or None."""
    return missing() or _refuse_kind(call)


def _refuse_kind(call: Call) -> str | None:
    reason = _refuse_types(call.x, *call.weights.values())
    if reason or isinstance(call.x, np.ndarray):
        return reason
    from . import operators

    return operators.refuse(call)


def _refuse_types(*arrays: Array) -> str | None:
    dtypes = {array.dtype for array in arrays}
    kinds = {str(dtype).removeprefix("torch.") for dtype in dtypes}
    if kinds in ({"float32"}, {"float64"}):
        return None
    return f"it computes in float32 or float64, all of one kind, not {' and '.join(sorted(kinds)) or 'nothing'}"


def refuse_weights(weights: Mapping[str, Array]) -> str | None:
    """Return why NumPy weights cannot be bound to the core, or None."""
    return missing() or (_refuse_types(*weights.values()) if weights else None)


def bind(program: Program, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> Any:
    """Bind a program to NumPy weights, packed once."""
    from .numpy_core import NumpyCore

    return NumpyCore(program, weights, dtype)


def run(call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Run a call; return y [T, B, O] and the state after it."""
    if isinstance(call.x, np.ndarray):
        from .numpy_core import NumpyCore

        return NumpyCore(call.program, call.weights, call.x.dtype).run(call, state)
    from . import operators

    return operators.run(call, state)


@cache
def hoisted(program: Program) -> Hoisted:
    """Return a program cut into what depends on parameters alone, and the step."""
    return hoist(program)


def sizes_of(program: Program, widths: Mapping[str, int], weights: Mapping[str, Array], input_size: int) -> Sizes:
    """Return the numbers that a compiled step needs."""
    heads = widths[program.recurrent_width] // weights["R"].shape[1] if "R" in weights else 1
    return Sizes(tuple(widths[letter] for letter in program.width_letters), input_size, heads)


@lru_cache(maxsize=16)
def rows_of(packing: Packing) -> Any:
    """Return the core's description of a packing."""
    none = np.empty(0, np.int64)
    given = (np.asarray(packing.counts, np.int64), packing.sources, packing.order)
    return core().Rows(*(none if part is None else part for part in given))


def scratch(itemsize: int, count: int) -> Any:
    """Return an array of `count` floats that speaks DLPack, in memory that the core uses again."""
    return core().floats(count) if itemsize == 4 else core().doubles(count)
