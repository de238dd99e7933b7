"""A step repeated over time, and back-propagation through time (Werbos 1990)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Oracle(NamedTuple):
    """A recurrence: what one step computes, and how a gradient goes back through that step.

    step(w, x, s) -> new state, and whatever step_backward wants to remember.
    step_backward(w, x, s, memory, d_new, gradients) -> d_x, d_s; adds to the weights' `gradients`.

    recurrent: the gates with a recurrent matrix (None: all). matrices: name, rows and columns of each further one.
    projected: the states that are P wide instead of H; recurrent matrices take the first state. positive: the states
    that are never below zero. output: the states that are joined into y. takes_raw_input: whether D must equal H.
    """

    states: tuple[str, ...]
    gates: tuple[str, ...]
    step: Callable[..., Any]
    step_backward: Callable[..., Any]
    vectors: tuple[str, ...] = ()
    recurrent: tuple[str, ...] | None = None
    matrices: tuple[tuple[str, str, str], ...] = ()
    projected: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    output: tuple[str, ...] = ("h",)
    takes_raw_input: bool = False

    def input_size(self, input_size: int, hidden_size: int) -> int:
        """Return D: the one asked for, or H where it must be."""
        return hidden_size if self.takes_raw_input else input_size

    def state_widths(self, hidden_size: int) -> dict[str, int]:
        """Return the width of each state."""
        return {name: widths(hidden_size)["P" if name in self.projected else "H"] for name in self.states}

    def output_size(self, hidden_size: int) -> int:
        """Return the width of y."""
        return sum(self.state_widths(hidden_size)[name] for name in self.output)

    def draw_weights(self, random: np.random.Generator, input_size: int, hidden_size: int) -> dict[str, np.ndarray]:
        """Return random weights, of a size that keeps gates away from saturation."""
        sizes = widths(hidden_size)
        shapes: dict[str, tuple[int, ...]] = {}
        for gate in self.gates:
            shapes |= {f"W_{gate}": (hidden_size, input_size)}
            if self.recurrent is None or gate in self.recurrent:
                shapes |= {f"R_{gate}": (hidden_size, self.state_widths(hidden_size)[self.states[0]])}
            shapes |= {f"b_{gate}": (hidden_size,)}
        shapes |= dict.fromkeys(self.vectors, (hidden_size,))
        shapes |= {name: (sizes[rows], sizes[columns]) for name, rows, columns in self.matrices}
        return {name: 0.5 * random.normal(size=shape) for name, shape in shapes.items()}

    def draw_state(self, random: np.random.Generator, batch: int, hidden_size: int) -> dict[str, np.ndarray]:
        """Return a random state, [B, width] each."""
        drawn = {name: random.normal(size=(batch, size)) for name, size in self.state_widths(hidden_size).items()}
        return drawn | {name: 0.5 + np.abs(drawn[name]) for name in self.positive}


def widths(hidden_size: int) -> dict[str, int]:
    """Return a size for each width letter: P is about half of H."""
    return {"H": hidden_size, "P": hidden_size // 2 + 1}


def run(oracle: Oracle, w, x, state):
    """Run over x [T, B, D] from a state. Returns y [T, B, O], the last state, and the memory of all steps."""
    y, memories = [], []
    for x_t in x:
        new, memory = oracle.step(w, x_t, state)
        memories.append((x_t, state, memory))
        y.append(np.concatenate([new[name] for name in oracle.output], axis=1))
        state = new
    return np.stack(y), state, memories


def backpropagate(oracle: Oracle, w, memories, d_y, d_final):
    """Return the gradients of x, of the initial state and of the weights, given those of y and the last state."""
    gradients = {name: np.zeros_like(values) for name, values in w.items()}
    d_x, d_state = [], dict(d_final)
    for (x, s, memory), d_y_t in zip(reversed(memories), reversed(d_y), strict=True):
        sizes = [s[name].shape[1] for name in oracle.output]
        for name, d in zip(oracle.output, np.split(d_y_t, np.cumsum(sizes)[:-1], axis=1), strict=True):
            d_state[name] = d_state[name] + d
        d_x_t, d_state = oracle.step_backward(w, x, s, memory, d_state, gradients)
        d_x.append(d_x_t)
    return np.stack(d_x[::-1]), d_state, gradients
