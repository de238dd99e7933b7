"""Who runs a sequence: the only place that decides.

An ordered table of candidates. Each can refuse a call, with a reason; the first that does not runs
it. The interpreters stand last and refuse nothing that is theirs. A candidate that raises is a bug
that surfaces, never a silent fallback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from .. import shapes
from ..errors import ShapeError
from ..program import Program
from .call import Call
from .packing import Index, Packing


@dataclass(frozen=True)
class Candidate:
    """A way to run a call: its name, and the kinds of arrays it takes. Its module is imported when asked."""

    name: str
    takes: tuple[str, ...]

    @cached_property
    def module(self) -> Any:
        """The module with `refuse`, `run` and `DESCRIPTION`."""
        return import_module(f".{self.name}", __package__)


TENSOR, ARRAY = "torch tensor", "NumPy array"

CANDIDATES = (
    Candidate("core", (TENSOR, ARRAY)),
    Candidate("aten", (TENSOR,)),
    Candidate("torch", (TENSOR,)),
    Candidate("numpy", (ARRAY,)),
)


class Runnable(Protocol):
    """A layer or stack that can say what it would ask the engine to run."""

    def engine_call(self, x: Any, lengths: Any = None) -> Call:
        """Return the call for its first layer."""
        ...


@dataclass(frozen=True)
class Explanation:
    """Who runs a call (`runner`) and what was said of every other candidate (`others`), printable."""

    runner: str
    description: str
    others: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{self.runner:6} runs: {self.description}"]
        lines += [f"{name:6} {said}" for name, said in self.others.items()]
        return "\n".join(lines)

    __repr__ = __str__


def sequence(
    program: Program,
    weights: Mapping[str, Any],
    x: Any,
    state: Sequence[Any],
    lengths: Index | None = None,
    reverse: bool = False,
    streams: Mapping[str, Any] | None = None,
    checkpoint_steps: int | None = None,
) -> tuple[Any, list[Any]]:
    """Run a program over x [T, B, D] from a state [B, width] each; NumPy arrays or torch tensors.

    lengths [B]: the steps of each sequence (None: all T). reverse: from each sequence's last step to
    its first. streams: [T, B, width] for each of the program's streams, by name. checkpoint_steps: for
    training, keep the states every so many steps only, and run the steps between again on the way back;
    a candidate that has no such way keeps everything.

    Returns y [T, B, O], zero beyond each length, and the state after each last step.
    """
    streams = _checked_streams(program, streams or {}, x)
    if _kind(x) == TENSOR:
        from . import tensors

        if tensors.are_traced():
            return tensors.traced(program, weights, x, state, lengths, reverse, streams, checkpoint_steps)
        if tensors.are_cast(x):
            x, state, streams = tensors.in_one_type(weights, x, state, streams)
            with tensors.as_they_are(x):
                return sequence(program, weights, x, state, lengths, reverse, streams, checkpoint_steps)
    packing = Packing.of(x.shape[0], x.shape[1], lengths, reverse)
    call = Call(program, weights, x, packing, streams, checkpoint_steps)
    return run(call, state)


def run(call: Call, state: Sequence[Any], runner: Any = None) -> tuple[Any, list[Any]]:
    """Run a call; `runner` is what `bind` returned, or None to choose a candidate."""
    if not call.packing.counts:
        return _run_nothing(call, state)
    result: tuple[Any, list[Any]] = (runner or _choose(call).module).run(call, state)
    return result


def _run_nothing(call: Call, state: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return y of zeros and the state as it was, for a call without a row."""
    widths = {name: part.shape[-1] for name, part in zip(call.program.state_names, state, strict=True)}
    shape = (*call.x.shape[:2], sum(widths[name] for name in call.program.output))
    # An empty sum is zero whatever the values, and in torch a function of them, with a gradient of zero.
    tensors = (call.x, *call.weights.values()) if _kind(call.x) == TENSOR else ()
    zero = sum(part[:0].sum() for part in tensors)
    zeros = _kind_module(call.x).LIBRARY.zeros(shape, call.x)
    return zeros - zero, [part - zero for part in state]


def _checked_streams(program: Program, streams: Mapping[str, Any], x: Any) -> Mapping[str, Any]:
    """Return the streams. Raises ShapeError when they are not those of the program, or not over the steps of x."""
    names = [name for name, _ in program.streams]
    if set(streams) != set(names):
        expected, came = " ".join(names) or "none", " ".join(streams) or "none"
        raise ShapeError(f"this program expected streams: {expected}; got {came}.", "give [T, B, width] for each.")
    for name, values in streams.items():
        shapes.expect("this program", f"stream {name!r}", values, "T B width", T=x.shape[0], B=x.shape[1])
    return streams


def bind(program: Program, weights: Mapping[str, Any], dtype: np.dtype[Any]) -> Any:
    """Bind a program to NumPy weights, with the first candidate that can: it has `run` as here and `step`.

    dtype: what a program without weights computes in.
    """
    dtype = next((weight.dtype for weight in weights.values()), dtype)
    able = (candidate.module for candidate in CANDIDATES if ARRAY in candidate.takes)
    return next(module for module in able if module.refuse_weights(weights) is None).bind(program, weights, dtype)


def explain(layer: Runnable, x: Any, lengths: Any = None) -> Explanation:
    """Tell who would run ``layer(x, lengths=lengths)``, and why the others would not."""
    call = layer.engine_call(x, lengths)
    runner = _choose(call)
    others = {}
    for candidate in CANDIDATES:
        if candidate is not runner:
            reason = _refusal(candidate, call)
            others[candidate.name] = f"refused: {reason}" if reason else f"not needed: {runner.name} comes first"
    return Explanation(runner.name, runner.module.DESCRIPTION, others)


def _choose(call: Call) -> Candidate:
    return next(candidate for candidate in CANDIDATES if _refusal(candidate, call) is None)


def _refusal(candidate: Candidate, call: Call) -> str | None:
    kind = _kind(call.x)
    if kind not in candidate.takes:
        return f"x is a {kind}"
    reason: str | None = candidate.module.refuse(call)
    return reason


def _kind(x: Any) -> str:
    return ARRAY if isinstance(x, np.ndarray) else TENSOR


def _kind_module(x: Any) -> Any:
    """Return the interpreter's module for arrays such as x."""
    return next(candidate.module for candidate in reversed(CANDIDATES) if _kind(x) in candidate.takes)
