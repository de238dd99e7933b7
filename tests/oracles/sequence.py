"""A step repeated over time, and back-propagation through time (Werbos 1990)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Oracle(NamedTuple):
    """A recurrence: what one step computes, and how a gradient goes back through that step.

    step(w, x, s) -> new state, and whatever step_backward wants to remember.
    step_backward(w, x, s, memory, d_new, gradients) -> d_x, d_s; adds to the weights' `gradients`.
    """

    states: tuple[str, ...]
    gates: tuple[str, ...]
    step: Callable[..., Any]
    step_backward: Callable[..., Any]
    vectors: tuple[str, ...] = ()

    def draw_weights(self, random: np.random.Generator, input_size: int, hidden_size: int) -> dict[str, np.ndarray]:
        """Return random weights, of a size that keeps gates away from saturation."""
        shapes: dict[str, tuple[int, ...]] = {}
        for gate in self.gates:
            shapes |= {f"W_{gate}": (hidden_size, input_size), f"R_{gate}": (hidden_size, hidden_size)}
            shapes |= {f"b_{gate}": (hidden_size,)}
        shapes |= dict.fromkeys(self.vectors, (hidden_size,))
        return {name: 0.5 * random.normal(size=shape) for name, shape in shapes.items()}


def run(oracle: Oracle, w, x, state):
    """Run over x [T, B, D] from a state. Returns y [T, B, H], the last state, and the memory of all steps."""
    y, memories = [], []
    for x_t in x:
        new, memory = oracle.step(w, x_t, state)
        memories.append((x_t, state, memory))
        y.append(new["h"])
        state = new
    return np.stack(y), state, memories


def backpropagate(oracle: Oracle, w, memories, d_y, d_final):
    """Return the gradients of x, of the initial state and of the weights, given those of y and the last state."""
    gradients = {name: np.zeros_like(values) for name, values in w.items()}
    d_x, d_state = [], dict(d_final)
    for (x, s, memory), d_y_t in zip(reversed(memories), reversed(d_y), strict=True):
        d_state["h"] = d_state["h"] + d_y_t
        d_x_t, d_state = oracle.step_backward(w, x, s, memory, d_state, gradients)
        d_x.append(d_x_t)
    return np.stack(d_x[::-1]), d_state, gradients
