"""The activation functions that other tools name, written in the operations of a cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import OptionError, closest
from ..program.trace import Value
from .language import exp, maximum, minimum, relu, sigmoid, softplus, tanh, where

Function = Callable[[Value], Value]


@dataclass(frozen=True)
class Activation:
    """A function of one value and of the numbers α and β. alpha, beta: their defaults; None where it has none."""

    apply: Callable[[Value, float, float], Value]
    alpha: float | None = None
    beta: float | None = None


def _gelu_tanh(v: Value) -> Value:
    """The approximation of Hendrycks & Gimpel 2016."""
    return 0.5 * v * (1.0 + tanh(math.sqrt(2.0 / math.pi) * (v + 0.044715 * (v * v * v))))


def _elu(v: Value, alpha: float) -> Value:
    # The exponential of what is above zero is not looked at, and must not overflow.
    return where(v > 0.0, v, alpha * (exp(minimum(v, 0.0)) - 1.0))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(lambda v, a, b: relu(v)),
    "sigmoid": Activation(lambda v, a, b: sigmoid(v)),
    "tanh": Activation(lambda v, a, b: tanh(v)),
    "affine": Activation(lambda v, a, b: a * v + b, 1.0, 0.0),
    "leaky_relu": Activation(lambda v, a, b: where(v >= 0.0, v, a * v), 0.01),
    "thresholded_relu": Activation(lambda v, a, b: where(v > a, v, 0.0), 1.0),
    "scaled_tanh": Activation(lambda v, a, b: a * tanh(b * v), 1.0, 1.0),
    "hard_sigmoid": Activation(lambda v, a, b: maximum(minimum(a * v + b, 1.0), 0.0), 0.2, 0.5),
    "elu": Activation(lambda v, a, b: _elu(v, a), 1.0),
    "softsign": Activation(lambda v, a, b: v / (1.0 + abs(v))),
    "softplus": Activation(lambda v, a, b: softplus(v)),
    "clip": Activation(lambda v, a, b: maximum(minimum(v, b), a), -1.0, 1.0),
    "exponential": Activation(lambda v, a, b: exp(v)),
    "selu": Activation(lambda v, a, b: SELU_SCALE * _elu(v, SELU_ALPHA)),
    "silu": Activation(lambda v, a, b: v * sigmoid(v)),
    "gelu_tanh": Activation(lambda v, a, b: _gelu_tanh(v)),
    "mish": Activation(lambda v, a, b: v * tanh(softplus(v))),
}
"""By name: those of ONNX's recurrent operators, and more that Keras and torch have. α and β as ONNX names them; those
of `clip` are the least and the largest value."""


def activation(name: str, alpha: float | None = None, beta: float | None = None) -> Function:
    """Return an activation with its numbers, for use in a cell; α and β are its defaults where they are None.

    Raises OptionError for an unknown name, a number that the function does not have, or one that is not finite.
    """
    if name not in ACTIVATIONS:
        raise OptionError(f"there is no activation named {name!r:.60}.", closest(name, ACTIVATIONS))
    found = ACTIVATIONS[name]
    numbers = []
    for letter, given, default in (("alpha", alpha, found.alpha), ("beta", beta, found.beta)):
        if given is not None and default is None:
            raise OptionError(f"the activation {name} has no {letter}.")
        if given is not None and not math.isfinite(given):
            raise OptionError(f"{letter} of the activation {name} must be finite, not {given}.")
        numbers.append(default if given is None else given)
    return lambda v: found.apply(v, *(number or 0.0 for number in numbers))
