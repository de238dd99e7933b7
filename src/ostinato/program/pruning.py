"""Parts of a list of instructions: what some slots need, and a part by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .declarations import Instruction


def needed(instructions: Sequence[Instruction], slots: Iterable[int]) -> set[int]:
    """Return the given slots and every slot that they depend on."""
    found = set(slots)
    for slot in range(len(instructions) - 1, -1, -1):
        if slot in found:
            found.update(instructions[slot].arguments)
    return found


def selected(instructions: Sequence[Instruction], slots: set[int]) -> tuple[tuple[Instruction, ...], dict[int, int]]:
    """Return the instructions of some slots by themselves, and the new number of each of these slots.

    What they use must be among them.
    """
    numbers = {slot: number for number, slot in enumerate(sorted(slots))}
    moved = (
        instructions[slot]._replace(arguments=tuple(numbers[argument] for argument in instructions[slot].arguments))
        for slot in numbers
    )
    return tuple(moved), numbers
