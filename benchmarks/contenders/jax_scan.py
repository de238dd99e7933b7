"""JAX: the input product over all steps, then ``lax.scan``, jitted as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from ..problem import Array, Problem
from .contender import Contender, Run


class JaxScan(Contender):
    """A ragged batch is run as a full one, with outputs beyond each length set to zero."""

    def prepare(self, problem: Problem) -> Run:
        x, weights = jnp.asarray(problem.x), {name: jnp.asarray(v) for name, v in _natural(problem.weights).items()}
        mask = 1.0 if problem.mask is None else jnp.asarray(problem.mask)
        layer = _layer(problem.point.cell, [part.shape for part in problem.state])
        if problem.d_y is None:
            forward = jax.jit(lambda x, w: layer(x, w) * mask)
            return _run(lambda: {"y": forward(x, weights)})
        d_y = jnp.asarray(problem.d_y)

        @jax.jit
        def train(x: Any, weights: Any, d_y: Any) -> Any:
            y, backward = jax.vjp(lambda x, w: layer(x, w) * mask, x, weights)
            return y, *backward(d_y)

        def call() -> dict[str, Any]:
            y, d_x, d_weights = train(x, weights, d_y)
            return {"y": y, "d_x": d_x} | {f"d_{name}": gradient for name, gradient in d_weights.items()}

        return _run(call)


def _run(call: Callable[[], dict[str, Any]]) -> Run:
    def arrays() -> dict[str, Array]:
        found = {name: np.asarray(values) for name, values in call().items()}
        return found | {name: np.ascontiguousarray(found[name].T) for name in ("d_W", "d_R") if name in found}

    return Run(lambda: jax.block_until_ready(call()), arrays)


def _natural(weights: dict[str, Array]) -> dict[str, Array]:
    """Return matrices as [inputs, outputs], the order in which JAX's own layers keep them."""
    return {name: np.ascontiguousarray(v.T) for name, v in weights.items()}


def _layer(cell: str, state_shapes: list[tuple[int, ...]]) -> Callable[[Any, Any], Any]:
    step = _STEPS[cell]

    def layer(x: Any, weights: Any) -> Any:
        start = tuple(jnp.zeros(shape, x.dtype) for shape in state_shapes)

        def body(state: Any, x_t: Any) -> Any:
            state = step(x_t, state, weights)
            return state, state[0]

        return jax.lax.scan(body, start, x @ weights["W"] + weights["W_bias"])[1]

    return layer


def _elman(x: Any, state: Any, weights: Any) -> Any:
    return (jnp.tanh(x + state[0] @ weights["R"]),)


def _gru(x: Any, state: Any, weights: Any) -> Any:
    (h,) = state
    (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, axis=-1), jnp.split(h @ weights["R"], 3, axis=-1)
    r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
    return ((1 - z) * jnp.tanh(x_n + r * (h_n + weights["R_bias"])) + z * h,)


def _lstm(x: Any, state: Any, weights: Any) -> Any:
    h, c = state
    i, f, g, o = jnp.split(x + h @ weights["R"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


_STEPS = {"elman": _elman, "gru": _gru, "lstm": _lstm}
