"""A recurrent forecaster by plain loops: one sequence after the other, one segment after the other.

x_s = relu(W_in · segment_s + b_in)
direct:    y_m = W_out · step(state, place_m + channel_c + W_future · future_m) + b_out
stepwise:  y_m = W_out · output + b_out, and the forecast in y_m, with ones where masks are, is the next segment
"""

import math
from typing import NamedTuple

import numpy as np

from .sequence import Oracle


class Sizes(NamedTuple):
    """C channels, J of them in a sequence; h steps, w of them in a segment; Q outputs, the forecast at `middle`."""

    channels: int
    joint: int
    horizon: int
    segment: int
    outputs: int
    middle: int
    stepwise: bool
    masked: bool


def forecast(cell: Oracle, w, layers, widths, sizes: Sizes, x, future=None):
    """Return forecasts [R, h, J, Q] of segments x [n, R, I], with future [m, R, w F].

    layers: the cell's weights, a dict a layer. widths: of each state. w: the other weights, by the network's names.
    """
    found = np.full((x.shape[1], sizes.horizon, sizes.joint, sizes.outputs), np.nan)
    for row in range(x.shape[1]):
        ahead = None if future is None else future[:, row]
        for step, numbers in enumerate(_one(cell, w, layers, widths, sizes, x[:, row], row % sizes.channels, ahead)):
            found[row, step] = numbers
    return found


def _one(cell, w, layers, widths, sizes, segments, channel, future):
    state = [{name: np.zeros((1, width)) for name, width in widths.items()} for _ in layers]
    output = None
    for segment in segments:
        output, state = _step(cell, layers, _entered(w, segment), state)
    steps = []
    for m in range(math.ceil(sizes.horizon / sizes.segment)):
        if not sizes.stepwise:
            entered = w["place"][m].copy()
            if sizes.channels > sizes.joint:
                entered += w["channel"][channel]
            if future is not None:
                entered += w["future.weight"] @ future[m]
            output, _ = _step(cell, layers, entered, state)
        numbers = (w["output.weight"] @ output + w["output.bias"]).reshape(sizes.segment, sizes.joint, sizes.outputs)
        steps += list(numbers)
        if sizes.stepwise:
            read = [step[target][sizes.middle] for step in numbers for target in range(sizes.joint)]
            read += [1.0] * len(read) if sizes.masked else []
            read += [] if future is None else list(future[m])
            output, state = _step(cell, layers, _entered(w, np.array(read)), state)
    return steps[: sizes.horizon]


def _entered(w, segment):
    return np.maximum(w["input.weight"] @ segment + w["input.bias"], 0)


def _step(cell, layers, x, state):
    """One step of a stack; each layer reads the output of the one before."""
    after = []
    for weights, own in zip(layers, state, strict=True):
        new, _ = cell.step(weights, x[None], own)
        after.append(new)
        x = np.concatenate([new[name][0] for name in cell.output])
    return x, after


def quantile_loss(truth, known, forecasts, levels):
    """2 max(q (y - f), (q - 1) (y - f)), averaged over levels, and over the values that are known."""
    terms = []
    for place in np.ndindex(truth.shape):
        if known[place]:
            errors = [(truth[place] - forecasts[(*place, i)], level) for i, level in enumerate(levels)]
            terms.append(sum(2 * (level * e if e > 0 else (level - 1) * e) for e, level in errors) / len(levels))
    return sum(terms) / max(len(terms), 1)
