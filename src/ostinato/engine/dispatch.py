"""Who runs a sequence: the only place that decides.

An ordered table of candidates. Each can refuse a call, with a reason; the first that does not runs
it. The interpreters stand last and refuse nothing that is theirs. A candidate that raises is a bug
that surfaces, never a silent fallback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..program import Program
from .call import Call
from .packing import Index, Packing


class Candidate(NamedTuple):
    """A way to run a call: its name, and the kind of arrays it takes. Its module is imported when asked."""

    name: str
    takes: str

    @property
    def module(self) -> Any:
        """The module with `refuse`, `run` and `DESCRIPTION`."""
        return import_module(f".{self.name}", __package__)


CANDIDATES = (
    Candidate("aten", "torch tensor"),
    Candidate("torch", "torch tensor"),
    Candidate("numpy", "NumPy array"),
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
) -> tuple[Any, list[Any]]:
    """Run a program over x [T, B, D] from a state [B, width] each; NumPy arrays or torch tensors.

    lengths [B]: the steps of each sequence (None: all T). reverse: from each sequence's last step to
    its first. Returns y [T, B, O], zero beyond each length, and the state after each last step.
    """
    call = Call(program, weights, x, Packing.of(x.shape[0], x.shape[1], lengths, reverse))
    library = _kind_module(x).LIBRARY
    packing, (steps, batch) = call.packing, x.shape[:2]
    if not packing.counts:
        widths = {name: part.shape[-1] for name, part in zip(program.state_names, state, strict=True)}
        return library.zeros((steps, batch, sum(widths[name] for name in program.output)), x), list(state)
    rows = x.reshape(steps * batch, x.shape[2])
    if packing.sources is not None:
        rows = library.take(rows, packing.sources)
    if packing.order is not None:
        state = [library.take(part, packing.order) for part in state]
    y, final = _choose(call).module.run(call, rows, packing.counts, state)
    if packing.sources is not None:
        y = library.put(y, packing.sources, steps * batch)
    if packing.order is not None:
        back = np.argsort(packing.order)
        final = [library.take(part, back) for part in final]
    return y.reshape(steps, batch, y.shape[-1]), final


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
    if candidate.takes != kind:
        return f"x is a {kind}"
    reason: str | None = candidate.module.refuse(call)
    return reason


def _kind(x: Any) -> str:
    return "NumPy array" if isinstance(x, np.ndarray) else "torch tensor"


def _kind_module(x: Any) -> Any:
    """Return the interpreter's module for arrays such as x."""
    return next(candidate.module for candidate in reversed(CANDIDATES) if candidate.takes == _kind(x))
