"""What the forward pass keeps, so that the backward pass has the values that it asks for.

The states of every step, and for each product, projection or sum over a row that some value depends on, one slot: the
highest that still stands for it alone, such as the gate's activation. Everything else is recomputed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from .operations import ELEMENTWISE, PRODUCTS, REDUCTIONS
from .program import Program

BASES = ("input", *PRODUCTS)
"""Operations whose results cannot be recomputed in the backward pass."""
KEPT = (*BASES, *REDUCTIONS)
"""Operations whose results are kept: a number a row costs less to keep than whole rows to add up again."""
PRESENT = ("state", "raw", "vector", "constant", "size", "stream")
"""Sources that the backward pass has in any case."""


class Source(NamedTuple):
    """Where rows of values come from: those of a stream of the backward program, or a product's operand.

    kind: "before" or "new", the state `name` before or after the step; "kept", slot `slot` of the forward program;
    "given", its stream `name`; "raw", the input itself; "output", the gradient of the state `name` in the output;
    "emitted", the state `name` of the backward program.
    """

    kind: Literal["before", "new", "kept", "given", "raw", "output", "emitted"]
    name: str = ""
    slot: int = -1


def available_slots(program: Program, asked: set[int], recorded: Iterable[str]) -> dict[int, Source]:
    """Return slots that, with the sources in `PRESENT`, are enough to compute the slots `asked`, and their sources.

    recorded: names of states that are recorded at every step in any case.
    """
    recorded = set(recorded)
    while True:
        available = _new_states(program, recorded)
        computed = _computed(program, asked, available)
        read = {program.instructions[slot].name for slot in computed if program.instructions[slot].operation == "state"}
        if read <= recorded:
            break
        recorded |= read
    every_new = _new_states(program, program.state_names)
    for slot in computed:
        if program.instructions[slot].operation in KEPT:
            top = _climbed(program, slot, asked, computed)
            available[top] = every_new.get(top, Source("kept", slot=top))
    return available


def _new_states(program: Program, names: Iterable[str]) -> dict[int, Source]:
    """Return the slots whose values are the new values of the named states, where they are not there in any case."""
    found: dict[int, Source] = {}
    for name, slot in zip(program.state_names, program.results, strict=True):
        if name in set(names) and program.instructions[slot].operation not in PRESENT:
            found.setdefault(slot, Source("new", name))
    return found


def _computed(program: Program, asked: set[int], available: Iterable[int]) -> set[int]:
    """Return the slots that must be had, one way or another, to compute `asked` from what is available."""
    available, found = set(available), asked - set(available)
    for slot in range(len(program.instructions) - 1, -1, -1):
        operation, arguments, _, _ = program.instructions[slot]
        if slot in found and operation not in KEPT:
            found.update(argument for argument in arguments if argument not in available)
    return found


def _climbed(program: Program, slot: int, asked: set[int], computed: set[int]) -> int:
    """Follow a slot upwards as long as it is asked for through one elementwise instruction alone."""
    while slot not in asked:
        above = {user for user in program.users[slot] if user in computed and not _is_kept(program, user)}
        if len(above) != 1:
            break
        (user,) = above
        if program.instructions[user].operation not in ELEMENTWISE or program.types[user] != program.types[slot]:
            break
        slot = user
    return slot


def _is_kept(program: Program, slot: int) -> bool:
    return program.instructions[slot].operation in KEPT
