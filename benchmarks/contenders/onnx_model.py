"""A problem as an ONNX model of one RNN, GRU or LSTM node, for the engines that run such models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from ..problem import Array, Problem

OPSET = 17
IR_VERSION = 8
"""The first with that set of operations; engines refuse versions newer than themselves."""
NODES = {"elman": "RNN", "gru": "GRU", "lstm": "LSTM"}
ORDERS = {"elman": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Which of our gates stands in each of ONNX's places: h; r z n as z r h; i f g o as i o f c."""


def model(problem: Problem) -> bytes:
    """Return the model: inputs ``x`` and, in a step, the states; outputs ``y`` [T, 1, B, H] and the states."""
    point = problem.point
    is_step = point.group == "step"
    states = [f"state_{k}" for k in range(len(problem.state))]
    inputs = ["x", "W", "R", "B", "lengths" if problem.lengths is not None else "", *(states if is_step else [])]
    outputs = ["y", *(f"new_{name}" for name in states)] if is_step else ["y"]
    state_shape = (1, point.batch, point.hidden)
    return made(
        [node(problem, inputs, outputs)],
        [typed("x", problem.x.shape), *(typed(name, state_shape) for name in states if is_step)],
        [typed("y", (point.steps, 1, point.batch, point.hidden)), *(typed(n, state_shape) for n in outputs[1:])],
        values(problem),
    )


def node(problem: Problem, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Return the node of the layer."""
    point = problem.point
    options: dict[str, Any] = {"linear_before_reset": 1} if point.cell == "gru" else {}
    return helper.make_node(NODES[point.cell], inputs, outputs, hidden_size=point.hidden, **options)


def made(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], values: Mapping[str, Array]) -> bytes:
    """Return the model of some nodes, checked. values: what it holds, by name."""
    tensors = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in values.items()]
    graph = helper.make_graph(nodes, "layer", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def feeds(problem: Problem) -> dict[str, Array]:
    """Return what the model's inputs are given."""
    if problem.point.group != "step":
        return {"x": problem.x}
    return {"x": problem.x} | {f"state_{k}": part[None] for k, part in enumerate(problem.state)}


def arrays(outputs: Any) -> dict[str, Array]:
    """Return what the model gave, by the names of `Run`."""
    y, *state = outputs
    return {"y": y[:, 0]} | {f"state_{k}": part[0] for k, part in enumerate(state)}


def values(problem: Problem) -> dict[str, Array]:
    """Return what the layer's node reads beside x and the states."""
    weights, order = problem.weights, ORDERS[problem.point.cell]
    recurrent_bias = np.zeros_like(weights["W_bias"])
    if "R_bias" in weights:
        recurrent_bias[-len(weights["R_bias"]) :] = weights["R_bias"]
    bias = np.concatenate([_placed(weights["W_bias"], order), _placed(recurrent_bias, order)])
    held = {"W": _placed(weights["W"], order)[None], "R": _placed(weights["R"], order)[None], "B": bias[None]}
    return held if problem.lengths is None else held | {"lengths": problem.lengths.astype(np.int32)}


def _placed(stacked: Array, order: tuple[int, ...]) -> Array:
    blocks = np.split(stacked, len(order))
    return np.concatenate([blocks[gate] for gate in order])


def typed(name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> Any:
    """Return what the model says of an input or an output."""
    return helper.make_tensor_value_info(name, kind, shape)
