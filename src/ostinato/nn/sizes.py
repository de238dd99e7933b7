"""The sizes that a layer is given: each checked before a weight is made."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import OptionError, closest
from ..program import Program


def positive(name: str, value: int) -> int:
    """Return a size. Raises OptionError unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return value


def all_widths(program: Program, hidden_size: int, given: Mapping[str, int]) -> dict[str, int]:
    """Return a size for each of a program's width letters. Raises OptionError when one is missing or too many."""
    letters = program.width_letters[1:]
    missing = [letter for letter in letters if letter not in given]
    if missing:
        raise OptionError(
            f"this cell has a width {missing[0]} beside H, which needs a size.",
            f'give it as widths={{"{missing[0]}": 64}}.',
        )
    unknown = [letter for letter in given if letter not in letters]
    if unknown:
        raise OptionError(f"widths names {unknown[0]!r}, which the cell does not use.", closest(unknown[0], letters))
    return {"H": hidden_size} | {letter: positive(f"widths[{letter!r}]", given[letter]) for letter in letters}


def checked_heads(program: Program, widths: Mapping[str, int], heads: int) -> int:
    """Return a number of heads. Raises OptionError unless it divides all that the recurrent matrices take and give."""
    positive("heads", heads)
    if heads > 1 and not program.recurrent_gates:
        raise OptionError("heads cut recurrent matrices into blocks, but this cell has none.", "leave heads out.")
    for letter in ("H", program.recurrent_width):
        if widths[letter] % heads:
            raise OptionError(
                f"heads={heads} does not divide {letter}={widths[letter]}.", "choose sizes that are multiples of it."
            )
    return heads
