"""The functions that other tools name, each as a part of a chain or within a cell, where it is exactly one of ours."""

from __future__ import annotations

from ..architecture import ActivationArchitecture, Part, SoftmaxArchitecture
from .layers import Refusal
from .operators import Squashing

LINEAR, SOFTMAX, LOG_SOFTMAX = Squashing("linear"), Squashing("softmax"), Squashing("log_softmax")
"""What is a function in other tools' words, and none of ours."""
RELU6 = Squashing("clip", 0.0, 6.0)
HARD_SIGMOID = Squashing("hard_sigmoid", 1 / 6, 0.5)
"""relu6(x + 3) / 6: that of torch, and of Keras 3."""


def part_of(function: Squashing, size: int) -> Part | None:
    """Return a function of D features as a part; None for the one that changes nothing."""
    if function == LINEAR:
        return None
    if function in (SOFTMAX, LOG_SOFTMAX):
        return SoftmaxArchitecture(size, function == LOG_SOFTMAX)
    return ActivationArchitecture(size, *function)


def in_cell(function: Squashing) -> Squashing:
    """Return a function as a cell has it. Raises Refusal for one that does not take each unit by itself."""
    if function in (SOFTMAX, LOG_SOFTMAX):
        raise Refusal(f"{function.function} within a recurrence, which takes all units together, is no cell of ours.")
    return Squashing("affine", 1.0, 0.0) if function == LINEAR else function
