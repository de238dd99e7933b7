"""The letters in which shapes are written, everywhere in code, docstrings and errors.

B  batch: sequences side by side          H  hidden units
T  time: steps                            P  projection: the width of a projected state
D  features of the input at one step      G  gates
N  rows: all live steps of a batch        L  layers
O  width of the output                    V  vocabulary: distinct symbols
E  width of a symbol's embedding
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import ShapeError


def expect(owner: str, name: str, array: Any, letters: str, **sizes: int) -> None:
    """Check that `array` has one axis a letter, and the given size where one is given. A number stands for itself.

    ``expect("Recurrent", "x", x, "T B D", D=16)`` passes for any x of shape [T, B, 16].

    Raises ShapeError naming the owner, the argument, the expected and the given shape.
    """
    axes = letters.split()
    given = tuple(array.shape)
    fits = len(given) == len(axes)
    # Every call of a layer comes by here, so this is spelled out: a generator takes twice as long.
    for axis, size in zip(axes, given):  # noqa: B905 - of several lengths where it does not fit
        if (int(axis) if axis.isdigit() else sizes.get(axis, size)) != size:
            fits = False
    if not fits:
        raise ShapeError(f"{owner} expected {name} of shape {spell(axes, sizes)}, got {list(given)}.")


def spell(axes: Sequence[str], sizes: dict[str, int]) -> str:
    """Write a shape in letters, with the sizes that are fixed: ``[T, B, D=16]``."""
    return "[" + ", ".join(f"{a}={sizes[a]}" if a in sizes else a for a in axes) + "]"
