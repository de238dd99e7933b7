"""Keras 3 on JAX: its cells, a step of which is compiled whole by ``jax.jit`` with the weights in it.

Of the ways in which Keras runs a step that is the quickest by far. On torch a cell's own Python code runs each time; a
stateful layer's ``predict_on_batch`` goes through that of a whole model.
"""

from __future__ import annotations

import os
from typing import Any

from ..problem import Array, Problem
from .contender import Contender, Refused, Run
from .live import Push, live_run

BACKEND = "jax"
CELLS = {"elman": "SimpleRNNCell", "gru": "GRUCell", "lstm": "LSTMCell"}
ORDERS = {"elman": (0,), "gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
"""Which of our gates stands in each of Keras's places: h; r z n as z r h; i f g o as i f c o."""


class KerasCell(Contender):
    """A cell, and the state that it returned before."""

    def prepare(self, problem: Problem) -> Run:
        os.environ["KERAS_BACKEND"] = BACKEND
        import jax
        import keras
        from jax import numpy as jnp

        if keras.backend.backend() != BACKEND:
            raise Refused(f"Keras already runs on {keras.backend.backend()} in this process")
        point = problem.point
        cell = getattr(keras.layers, CELLS[point.cell])(point.hidden)
        cell.build((point.batch, point.inputs))
        cell.set_weights(_weights(problem))
        own = [[v.value for v in some] for some in (cell.trainable_variables, cell.non_trainable_variables)]

        @jax.jit
        def step(x: Any, state: Any) -> Any:
            (_, after), _ = cell.stateless_call(*own, x, state)
            return after

        def begin() -> Push:
            state = [jnp.asarray(part) for part in problem.state]

            def push(x: Any) -> Any:
                nonlocal state
                state = step(x, state)
                return state[0].block_until_ready()

            return push

        return live_run(problem, begin, jnp.asarray)


def _weights(problem: Problem) -> list[Array]:
    """Return the input's matrix, the recurrent one and the biases, as Keras keeps them: [inputs, outputs]."""
    import numpy as np

    def placed(stacked: Array) -> Array:
        blocks = np.split(stacked, len(ORDERS[problem.point.cell]))
        return np.concatenate([blocks[gate] for gate in ORDERS[problem.point.cell]])

    weights, bias = problem.weights, problem.weights["W_bias"]
    if "R_bias" in weights:
        recurrent = np.zeros_like(bias)
        recurrent[-len(weights["R_bias"]) :] = weights["R_bias"]
        biases = np.stack([placed(bias), placed(recurrent)])
    else:
        biases = placed(bias)
    return [placed(weights["W"]).T, placed(weights["R"]).T, biases]
