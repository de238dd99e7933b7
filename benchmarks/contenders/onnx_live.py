"""A step as an ONNX model whose states go in and come out; where text is written, from symbol to symbol."""

from __future__ import annotations

from onnx import TensorProto, helper

from ..problem import Array, Problem
from . import onnx_model
from .onnx_model import typed


def inputs(problem: Problem) -> list[str]:
    """Return the names of what goes in: x [1, B, D], or a symbol [1, B], and the states."""
    return ["x", *(f"state_{k}" for k in range(len(problem.state)))]


def first_states(problem: Problem) -> list[Array]:
    """Return the states [1, B, H] before the first step."""
    return [part[None] for part in problem.state]


def model(problem: Problem) -> bytes:
    """Return the model. What comes out: the likeliest next symbol [1, B] where text is written, and the states
    [1, B, H], the first of which is y.
    """
    point, names = problem.point, inputs(problem)
    states = [f"new_{name}" for name in names[1:]]
    values = onnx_model.values(problem)
    state_shape = (1, point.batch, point.hidden)
    before, after = ([typed(name, state_shape) for name in some] for some in (names[1:], states))
    if point.group != "generation":
        nodes = [onnx_model.node(problem, ["x", "W", "R", "B", "", *names[1:]], ["", *states])]
        return onnx_model.made(nodes, [typed("x", (1, point.batch, point.inputs)), *before], after, values)
    symbol, likeliest = (typed(name, (1, point.batch), TensorProto.INT64) for name in ("x", "y"))
    nodes = [
        helper.make_node("Gather", ["embedding", "x"], ["entered"]),
        onnx_model.node(problem, ["entered", "W", "R", "B", "", *names[1:]], ["", *states]),
        helper.make_node("MatMul", [states[0], "head"], ["product"]),
        helper.make_node("Add", ["product", "head_bias"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["y"], axis=-1, keepdims=0),
    ]
    weights = problem.weights
    values |= {"embedding": weights["embedding"], "head": weights["head"].T, "head_bias": weights["head_bias"]}
    return onnx_model.made(nodes, [symbol, *before], [likeliest, *after], values)
