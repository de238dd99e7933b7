"""Nodes that compute: embeddings, dense layers, activations, sums and products of what comes, pooling over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...architecture import (
    ActivationArchitecture,
    LastArchitecture,
    NormArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ...cells.activations import SELU_ALPHA, SELU_SCALE
from ...cells.pooling import running_max, running_mean
from ...errors import DataError
from .axes import UNKNOWN, Atom, Axes, letters_of, normalised, place_of, size_of, sizes_of
from .paths import Merge, Path, linear, merged, scaled
from .values import Constant, Given, Node, Signal, Symbols

Array = NDArray[np.floating]
LARGEST = float(np.finfo(np.float32).max)


def compute(node: Node, given: Given) -> Signal | None:
    """Return what a node that is a layer puts out; None for an operator that none here is.

    Raises DataError where it is none that can be read.
    """
    operation = LAYERS.get(node.operation)
    return None if operation is None else operation(node, given)


# ---- what they read


def _signal(given: Given, place: int = 0) -> Signal:
    value = given[place]
    if not isinstance(value, Signal):
        raise DataError(f"its input {place + 1} is {_told(value)}, which it cannot read here")
    return value


def _told(value: object) -> str:
    return {"Constant": "a constant", "Symbols": "symbols", "OfLengths": "made of lengths", "NoneType": "left out"}.get(
        type(value).__name__, "a state"
    )


def _features_at(signal: Signal) -> int:
    """Return which axis holds the features. Raises DataError where none does, alone."""
    place = place_of(signal.axes, "F")
    if place is None:
        raise DataError("the features it reads lie on one axis with something else")
    return place


def _weights(given: Given, place: int, what: str) -> Array:
    array = given.constant(place, what)
    if array is None or array.dtype.kind != "f":
        raise DataError(f"its {what} is missing, or is not of floating-point numbers")
    return array


# ---- embeddings and dense layers


def embedding(node: Node, given: Given) -> Signal:
    """Return the vectors that a node Gather takes of a table [V, E] for each symbol."""
    table, symbols = given.constant(0, "table"), given[1]
    if table is None or not isinstance(symbols, Symbols):
        raise DataError("it gathers by places that are computed")
    if table.ndim != 2 or table.dtype.kind != "f" or node.get("axis", 0) != 0:
        raise DataError("it is no embedding: that takes rows of a matrix")
    size = table.shape[1]
    return Signal((Path(size=size, embedding=table),), (*symbols.axes, (Atom("F", size),)))


def _matmul(node: Node, given: Given) -> Signal:
    left = isinstance(given[0], Constant)
    signal, weight = _signal(given, int(left)), _weights(given, int(not left), "weight")
    if weight.ndim != 2:
        raise DataError(f"its weight has {weight.ndim} axes")
    if left:
        return _dense(signal, weight, None, at=len(signal.axes) - 2)
    return _dense(signal, weight.T, None, at=len(signal.axes) - 1)


def _gemm(node: Node, given: Given) -> Signal:
    signal, weight = _signal(given), _weights(given, 1, "weight")
    if node.get("transA", 0) or weight.ndim != 2 or len(signal.axes) != 2:
        raise DataError("it multiplies what comes the other way round")
    weight = weight if node.get("transB", 0) else weight.T
    weight = weight * weight.dtype.type(node.get("alpha", 1.0))
    bias = given.constant(2, "bias")
    if bias is None or not node.get("beta", 1.0):
        return _dense(signal, weight, None, at=1)
    if bias.size not in (1, bias.shape[-1] if bias.ndim else 1):
        raise DataError("its bias is not the same for all rows")
    bias = np.broadcast_to(bias.reshape(-1), weight.shape[:1]) * bias.dtype.type(node.get("beta", 1.0))
    return _dense(signal, weight, bias, at=1)


def _dense(signal: Signal, weight: Array, bias: Array | None, at: int) -> Signal:
    """Return weight · x + bias. weight: [O, D]; at: the axis that it is multiplied along."""
    signal = signal.featured(at)
    if _features_at(signal) != at:
        raise DataError("it multiplies along an axis that is not the features")
    axes = (*signal.axes[:at], (Atom("F", weight.shape[0]),), *signal.axes[at + 1 :])
    return signal.each(lambda path: linear(path, weight, bias), axes)


# ---- arithmetic


def _constant_along(signal: Signal, given: Given, at: int) -> tuple[Array, Axes]:
    """Return a constant as a number or one a feature, and the axes that the signal has after it is used on it."""
    array = given.constant(at, "constant")
    if array is None or array.dtype.kind != "f":
        raise DataError("its constant is not of floating-point numbers")
    axes: Axes = ((),) * max(array.ndim - len(signal.axes), 0) + signal.axes
    shape = (1,) * (len(axes) - array.ndim) + array.shape
    features = place_of(axes, "F")
    if any(size != 1 and index != features for index, size in enumerate(shape)):
        raise DataError("its constant is not the same for all steps and sequences")
    size = 1 if features is None else size_of(axes[features])
    if array.size not in (1, size) and size != UNKNOWN["D"]:
        raise DataError(f"its constant has {array.size} numbers for {size} features")
    return array.reshape(-1).astype(np.float64), axes


def _add(node: Node, given: Given) -> Signal:
    return _with_constant(given, 1.0) or _merged(node, given, "sum")


def _subtract(node: Node, given: Given) -> Signal:
    if isinstance(given[0], Constant) or isinstance(given[1], Constant):
        found = _with_constant(given, -1.0)
        if found is not None:
            return found
    second = _signal(given, 1)
    negated = second.each(lambda path: scaled(path, -1.0, 0.0))
    return _merged(node, Given((given[0], negated)), "sum")


def _with_constant(given: Given, sign: float) -> Signal | None:
    """Return the first plus sign times the second, one of which is a constant; None where none is."""
    first, second = given[0], given[1]
    if isinstance(second, Constant):
        signal = _signal(given, 0)
        shift, axes = _constant_along(signal, given, 1)
        return signal.each(lambda path: scaled(path, 1.0, sign * shift), axes)
    if isinstance(first, Constant):
        signal = _signal(given, 1)
        shift, axes = _constant_along(signal, given, 0)
        return signal.each(lambda path: scaled(path, sign, shift), axes)
    return None


def _multiply(node: Node, given: Given) -> Signal:
    for place in range(2):
        if isinstance(given[1 - place], Constant):
            signal = _signal(given, place)
            scale, axes = _constant_along(signal, given, 1 - place)
            return signal.each(partial(scaled, scale=scale, shift=0.0), axes)
    return _merged(node, given, "mul")


def _divide(node: Node, given: Given) -> Signal:
    signal = _signal(given)
    divisor, axes = _constant_along(signal, given, 1)
    if not divisor.all():
        raise DataError("it divides by zero")
    return signal.each(partial(scaled, scale=1.0 / divisor, shift=0.0), axes)


def _merged(node: Node, given: Given, how: Merge) -> Signal:
    signals = [_signal(given, place).joined() for place in range(len(given))]
    if len({signal.axes for signal in signals}) > 1:
        raise DataError("it takes together what has different axes")
    paths = tuple(merged(paths, how) for paths in zip(*(signal.paths for signal in signals), strict=True))
    return Signal(paths, signals[0].axes)


def _batch_norm(node: Node, given: Given) -> Signal:
    signal = _signal(given)
    if node.get("training_mode", 0):
        raise DataError("it acts as in training")
    if _features_at(signal) != 1:
        raise DataError("it normalises along an axis that is not the features")
    scale, shift, mean, variance = (_weights(given, place, "weight").astype(np.float64) for place in range(1, 5))
    if any(array.shape != (signal.features,) for array in (scale, shift, mean, variance)):
        raise DataError(f"its weights are not {signal.features} numbers each")
    if (variance < 0).any():
        raise DataError("one of its variances is below zero")
    scale = scale / np.sqrt(variance + node.get("epsilon", 1e-5))
    return signal.each(lambda path: scaled(path, scale, shift - scale * mean))


# ---- activations


def _activation(function: str) -> Callable[[Node, Given], Signal]:
    """Return a layer of an activation that has no numbers."""
    return lambda node, given: _activated(given, function)


def _activated(given: Given, function: str, alpha: float | None = None, beta: float | None = None) -> Signal:
    return _signal(given).each(lambda path: path.then(ActivationArchitecture(path.size, function, alpha, beta)))


def _leaky(node: Node, given: Given) -> Signal:
    return _activated(given, "leaky_relu", node.get("alpha", 0.01))


def _prelu(node: Node, given: Given) -> Signal:
    slope = _weights(given, 1, "slope")
    if (slope != slope.flat[0]).any():
        raise DataError("it has a slope for each feature; one slope for all is read")
    return _activated(given, "leaky_relu", float(slope.flat[0]))


def _selu(node: Node, given: Given) -> Signal:
    alpha, gamma = node.get("alpha", SELU_ALPHA), node.get("gamma", SELU_SCALE)
    if math.isclose(alpha, SELU_ALPHA, rel_tol=1e-6) and math.isclose(gamma, SELU_SCALE, rel_tol=1e-6):
        return _activated(given, "selu")
    return _activated(given, "elu", alpha).each(lambda path: scaled(path, gamma, 0.0))


def _celu(node: Node, given: Given) -> Signal:
    alpha = node.get("alpha", 1.0)
    if not alpha:
        raise DataError("its alpha is zero")
    narrowed = _signal(given).each(lambda path: scaled(path, 1.0 / alpha, 0.0))
    return _activated(Given((narrowed,)), "elu", 1.0).each(lambda path: scaled(path, alpha, 0.0))


def _gelu(node: Node, given: Given) -> Signal:
    if node.get("approximate", "none") != "tanh":
        raise DataError("it is exact, by the error function, which Ostinato lacks; approximate='tanh' is read")
    return _activated(given, "gelu_tanh")


def _hard_swish(node: Node, given: Given) -> Signal:
    gate = _activated(given, "hard_sigmoid", 1.0 / 6.0, 0.5)
    return _merged(node, Given((given[0], gate)), "mul")


def _clip(node: Node, given: Given) -> Signal:
    low = given.number(node, "min", 1, -LARGEST)
    high = given.number(node, "max", 2, LARGEST)
    if low == 0.0 and high >= LARGEST:
        return _activated(given, "relu")
    return _activated(given, "clip", max(low, -LARGEST), min(high, LARGEST))


def _softmax(log: bool) -> Callable[[Node, Given], Signal]:
    def layer(node: Node, given: Given) -> Signal:
        signal = _signal(given)
        axis = normalised(node.get("axis", -1 if node.version >= 13 else 1), len(signal.axes))
        # Before version 13 the operator took all axes from the named one on as one.
        after = sizes_of(signal.axes)[axis + 1 :] if node.version < 13 else []
        if axis != _features_at(signal) or any(size != 1 for size in after) or signal.is_stacked:
            raise DataError("it is taken over an axis that is not the features")
        return signal.each(lambda path: path.then(SoftmaxArchitecture(path.size, log)))

    return layer


def _layer_norm(node: Node, given: Given) -> Signal:
    signal, scale = _signal(given), _weights(given, 1, "scale")
    axis, last = normalised(node.get("axis", -1), len(signal.axes)), len(signal.axes) - 1
    if axis != last or _features_at(signal) != last:
        raise DataError("it normalises over other axes than the features alone")
    shift = np.zeros_like(scale) if given[2] is None else _weights(given, 2, "shift")
    size = signal.features if not signal.is_stacked else signal.paths[0].size
    if scale.size not in (1, size) or shift.size not in (1, size):
        raise DataError(f"its scale and shift are not {size} numbers each")
    weights = {name: np.broadcast_to(a.reshape(-1), (size,)) for name, a in (("scale", scale), ("shift", shift))}
    epsilon = node.get("epsilon", 1e-5)
    if not 0 < epsilon <= 1:
        raise DataError(f"its epsilon is {epsilon:g}, where one above 0 and up to 1 is read")
    return signal.each(lambda path: path.then(NormArchitecture(size, epsilon), weights))


# ---- over axes


def _reduce(how: str) -> Callable[[Node, Given], Signal]:
    """Return a layer that takes the mean, the sum or the largest of an axis: of time, or of what is stacked."""

    def layer(node: Node, given: Given) -> Signal:
        signal = _signal(given)
        named = given.numbers(node, "axes", 1)
        if named is None or len(named) != 1:
            raise DataError("it reduces several axes at once")
        at = normalised(named[0], len(signal.axes))
        left: Axes = ((),) if node.get("keepdims", 1) else ()
        return _reduced(signal, at, how, signal.axes[:at] + left + signal.axes[at + 1 :])

    return layer


def _global_pool(how: str) -> Callable[[Node, Given], Signal]:
    """Return a layer that pools all axes after the features: [B, D, T] becomes [B, D, 1]."""

    def layer(node: Node, given: Given) -> Signal:
        signal = _signal(given)
        if len(signal.axes) != 3 or _features_at(signal) != 1:
            raise DataError("it pools over other axes than time alone")
        return _reduced(signal, 2, how, (*signal.axes[:2], ()))

    return layer


def _reduced(signal: Signal, at: int, how: str, axes: Axes) -> Signal:
    letters = letters_of(signal.axes[at])
    if size_of(signal.axes[at]) == 1:
        return Signal(signal.paths, axes)
    if letters == "N" and how in ("sum", "ave"):
        return Signal((merged(signal.paths, "sum" if how == "sum" else "ave"),), axes)
    if letters != "T" or how == "sum":
        raise DataError(f"it takes the {how} over {'time' if letters == 'T' else 'an axis that is not time'}")
    pooling = running_mean if how == "ave" else running_max

    def pooled(path: Path) -> Path:
        if path.ragged:
            raise DataError("it pools over all steps, those beyond a sequence's length too, which Ostinato leaves out")
        every = path.then(RecurrentArchitecture(pooling, path.size, path.size))
        return every.then(LastArchitecture(path.size))

    return signal.each(pooled, axes)


LAYERS: dict[str, Callable[[Node, Given], Signal]] = {
    "Gather": embedding,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": lambda node, given: _signal(given).each(lambda path: scaled(path, -1.0, 0.0)),
    "Sum": lambda node, given: _merged(node, given, "sum"),
    "Mean": lambda node, given: _merged(node, given, "ave"),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    **{name: _activation(ours) for name, ours in [("Relu", "relu"), ("Tanh", "tanh"), ("Sigmoid", "sigmoid")]},
    **{
        name: _activation(ours) for name, ours in [("Softplus", "softplus"), ("Softsign", "softsign"), ("Mish", "mish")]
    },
    "Exp": _activation("exponential"),
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Elu": lambda node, given: _activated(given, "elu", node.get("alpha", 1.0)),
    "Selu": _selu,
    "Celu": _celu,
    "HardSigmoid": lambda node, given: _activated(given, "hard_sigmoid", node.get("alpha", 0.2), node.get("beta", 0.5)),
    "HardSwish": _hard_swish,
    "ThresholdedRelu": lambda node, given: _activated(given, "thresholded_relu", node.get("alpha", 1.0)),
    "Gelu": _gelu,
    "Clip": _clip,
    "Softmax": _softmax(log=False),
    "LogSoftmax": _softmax(log=True),
    "ReduceMean": _reduce("ave"),
    "ReduceMax": _reduce("max"),
    "ReduceSum": _reduce("sum"),
    "GlobalAveragePool": _global_pool("ave"),
    "GlobalMaxPool": _global_pool("max"),
}
"""The layers, by their operators' names."""
