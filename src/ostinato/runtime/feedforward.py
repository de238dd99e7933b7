"""Layers without memory, as programs that never read their state: equal bits in any batch, as a stack gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cells.activations import Function
from ..cells.language import layer_norm
from ..engine import prepare
from ..program import Instruction, Program
from ..program.declarations import Declarations
from ..program.trace import Tracer, Value
from .memoryless import Memoryless

Array = NDArray[Any]
Read = Callable[..., Value]


def _program(build: Callable[[Read], Value], gates: str = "", vectors: str = "") -> Program:
    """Return the program whose one state, H wide, is its output; `build` makes it of sources that it reads by name."""
    widths = tuple((name, "H") for name in vectors.split())
    declared = Declarations(tuple(gates.split()), (("y", "H"),), widths, (), ("y",))
    tracer = Tracer(declared)
    y = build(lambda operation, name="": tracer.record(Instruction(operation, name=name)))
    return Program(
        declared.gates, declared.states, declared.vectors, (), declared.output, tuple(tracer.instructions), (y.slot,)
    )


LINEAR = _program(lambda read: read("input", "y"), gates="y")
"""y = W x + b."""


def _norm(epsilon: float) -> Program:
    """Return (x - mean) / sqrt(variance + ε) ⊙ scale + shift, over the features of each step (Ba et al. 2016)."""
    return _program(
        lambda read: layer_norm(read("raw"), read("vector", "scale"), read("vector", "shift"), epsilon),
        vectors="scale shift",
    )


class Feedforward(Memoryless):
    """A program without memory, applied to each step by itself; where a stack has a state, this has none.

    program: one whose only state is its output, H = O wide, and that never reads it. weights: by the names of
    `Program.weight_shapes`.
    """

    def __init__(self, program: Program, weights: Mapping[str, Array], output_size: int, dtype: Any) -> None:
        self.text, self.weights, self.output_size = program.text, dict(weights), output_size
        self._prepared = prepare(program, weights, dtype)
        self._dtype = np.dtype(dtype)

    @classmethod
    def linear(cls, weight: Array, bias: Array | None = None) -> Feedforward:
        """Y = weight · x + bias. weight [O, D]; bias [O], or None."""
        weights = {"W": weight} | ({} if bias is None else {"W_bias": bias})
        return cls(LINEAR, weights, len(weight), weight.dtype)

    @classmethod
    def norm(cls, scale: Array, shift: Array, epsilon: float = 1e-5) -> Feedforward:
        """Layer normalisation of each step's features. scale, shift: [D]."""
        return cls(_norm(epsilon), {"p_scale": scale, "p_shift": shift}, len(scale), scale.dtype)

    @classmethod
    def activation(cls, function: Function, size: int, dtype: Any = np.float32) -> Feedforward:
        """A function of each of the features, such as `ostinato.cells.activations.activation` returns."""
        return cls(_program(lambda read: function(read("raw"))), {}, size, dtype)

    def sequence(self, x: Array, state: Any = (), lengths: Any = None) -> tuple[Array, tuple[()]]:
        """Return y [T, B, O] of x [T, B, D], zero beyond each length."""
        y, _ = self._prepared.sequence(x, self._unread(x.shape[1]), lengths)
        return y, ()

    def step(self, x: Array, state: Any = ()) -> tuple[Array, tuple[()]]:
        """Return y [B, O] of x [B, D]."""
        y, _ = self._prepared.step(x, self._unread(len(x)))
        return y, ()

    def advance(self, x: Array, before: Any = (), after: Any = (), places: Array | None = None) -> Array:
        """Return y [B, O] of x [B, D]: no state moves."""
        return self.step(x)[0]

    def _unread(self, batch: int) -> list[Array]:
        return [np.zeros((batch, self.output_size), self._dtype)]
