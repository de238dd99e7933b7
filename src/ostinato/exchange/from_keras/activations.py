"""Keras's activations: by name, or as a layer, as a config has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..functions import HARD_SIGMOID, LINEAR, LOG_SOFTMAX, RELU6, SOFTMAX
from ..layers import Refusal
from ..operators import RELU, SIGMOID, TANH, Squashing

BY_NAME: dict[str, Squashing] = {
    "linear": LINEAR,
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX,
    "leaky_relu": Squashing("leaky_relu", 0.2),
    "relu6": RELU6,
    "hard_sigmoid": HARD_SIGMOID,
    "hard_tanh": Squashing("clip", -1.0, 1.0),
    "elu": Squashing("elu", 1.0),
    "celu": Squashing("elu", 1.0),
    "selu": Squashing("selu"),
    "softplus": Squashing("softplus"),
    "softsign": Squashing("softsign"),
    "exponential": Squashing("exponential"),
    "silu": Squashing("silu"),
    "swish": Squashing("silu"),
    "mish": Squashing("mish"),
}
"""The activations that Keras names by a string, each with the numbers that it has then."""
REASONS = {"gelu": "gelu is the exact one, made of the error function; only its approximation by tanh is one of ours"}


def activation_of(given: Any) -> Squashing:
    """Return an activation: a name, None, or a function or a layer as plain data.

    Raises Refusal for one that is not exactly one of ours.
    """
    if given is None:
        return LINEAR
    if isinstance(given, str):
        return _by_name(given)
    if isinstance(given, dict) and isinstance(given.get("class_name"), str):
        name, config = given["class_name"], given.get("config")
        if name == "function" and isinstance(config, str) and given.get("registered_name") in (None, config):
            return _by_name(config)
        if name in LAYERS and isinstance(config, dict):
            return layer_function(name, config)
        raise Refusal(f"the activation {name!r:.60} cannot be imported.")
    raise Refusal("its activation is nothing that Keras writes.")


def _by_name(name: str) -> Squashing:
    if name not in BY_NAME:
        why = f": {REASONS[name]}" if name in REASONS else ""
        raise Refusal(f"the activation {name!r:.60} cannot be imported{why}.")
    return BY_NAME[name]


# ---- layers that are a function


class _Activation(msgspec.Struct):
    activation: Any


class _ReLU(msgspec.Struct):
    max_value: float | None = None
    negative_slope: float | None = 0.0
    threshold: float | None = 0.0


class _LeakyReLU(msgspec.Struct):
    negative_slope: float


class _ELU(msgspec.Struct):
    # Keras 3.0 leaves it out, and reads 1.0 then.
    alpha: float = 1.0


class _Softmax(msgspec.Struct):
    axis: Any = -1


class _Rescaling(msgspec.Struct):
    scale: float
    offset: float = 0.0


def _relu(config: _ReLU) -> Squashing:
    most, slope, threshold = config.max_value, config.negative_slope or 0.0, config.threshold or 0.0
    if most is None and not threshold:
        return Squashing("leaky_relu", slope) if slope else RELU
    if most is not None and not slope and not threshold:
        return Squashing("clip", 0.0, most)
    if most is None and not slope:
        return Squashing("thresholded_relu", threshold)
    raise Refusal("of a largest value, a slope below and a threshold only one can be imported.")


def _softmax(config: _Softmax) -> Squashing:
    # Keras writes -1 as a number or as a list of one.
    if config.axis not in (-1, [-1]):
        raise Refusal(f"a softmax is over the features, axis -1, not over axis {config.axis!r:.20}.")
    return SOFTMAX


LAYERS: dict[str, tuple[type[msgspec.Struct], Callable[[Any], Squashing]]] = {
    "Activation": (_Activation, lambda config: activation_of(config.activation)),
    "ReLU": (_ReLU, _relu),
    "LeakyReLU": (_LeakyReLU, lambda config: Squashing("leaky_relu", config.negative_slope)),
    "ELU": (_ELU, lambda config: Squashing("elu", config.alpha)),
    "Softmax": (_Softmax, _softmax),
    "Rescaling": (_Rescaling, lambda config: Squashing("affine", config.scale, config.offset)),
}
"""Keras's layers that are a function of each step, by class."""


def layer_function(name: str, config: dict[str, Any]) -> Squashing:
    """Return the function that a layer is. Raises Refusal for one that is not exactly one of ours."""
    kind, read = LAYERS[name]
    try:
        return read(msgspec.convert(config, kind))
    except msgspec.ValidationError as error:
        raise Refusal(f"its config is not what Keras writes: {error}.") from None
