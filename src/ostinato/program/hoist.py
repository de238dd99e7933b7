"""A rewrite that takes out of a step what depends on parameters alone, so that it is computed once a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

from .declarations import SCALAR, Instruction
from .program import Program
from .pruning import needed, selected


@dataclass(frozen=True)
class Hoisted:
    """A program in two parts.

    parameters: computes the new vectors from the old vectors and matrices. It has no input, and its states, named as
    the new vectors, are never read: one step of one row gives them. None where there is nothing to compute.
    step: the rest, over the new vectors and those old ones that it still uses. It has the gates, the matrices and
    the biases of the whole program.
    """

    parameters: Program | None
    step: Program


def hoist(program: Program) -> Hoisted:
    """Take what depends on parameters alone out of a program, wherever it is a vector.

    Two things stay in the step: numbers, which cost nothing, and recurrent products of parameters with what is computed
    from them, since a gate's bias belongs to all of its products together.
    """
    stays, vectors = _divided(program)
    if not vectors:
        return Hoisted(None, program)
    names = dict(zip(sorted(vectors), _unused_names(program), strict=False))
    return Hoisted(_parameters(program, names), _step(program, stays, names))


def _divided(program: Program) -> tuple[set[int], set[int]]:
    """Return the slots that the step has, and those of them that are vectors computed outside it."""
    movable = _movable(program)
    stays = {slot for slot, moves in enumerate(movable) if not moves} | set(program.results)
    vectors = set()
    for slot in reversed(range(len(movable))):
        if slot not in stays:
            continue
        if movable[slot] and _is_computed_vector(program, slot):
            vectors.add(slot)
        else:
            stays.update(program.instructions[slot].arguments)
    return stays, vectors


def _movable(program: Program) -> list[bool]:
    """Tell for each slot whether it depends on parameters alone, and on no recurrent matrix."""
    movable: list[bool] = []
    for (operation, arguments, _, _), placement in zip(program.instructions, program.placements, strict=True):
        below = all(movable[slot] for slot in arguments)
        movable.append(below and placement == "parameters" and operation != "recurrent")
    return movable


def _is_computed_vector(program: Program, slot: int) -> bool:
    width, is_mask = program.types[slot]
    return width != SCALAR and not is_mask and program.instructions[slot].operation != "vector"


def _unused_names(program: Program) -> Iterator[str]:
    """Yield v0, v1, … without the names of the program's vectors."""
    taken = {name for name, _ in program.vectors}
    return (name for name in (f"v{index}" for index in count()) if name not in taken)


def _parameters(program: Program, names: Mapping[int, str]) -> Program:
    instructions, numbers = selected(program.instructions, needed(program.instructions, names))
    return Program(
        gates=(),
        states=tuple((name, program.types[slot].width) for slot, name in names.items()),
        vectors=program.vectors,
        matrices=program.matrices,
        output=tuple(names.values()),
        instructions=instructions,
        results=tuple(numbers[slot] for slot in names),
    )


def _step(program: Program, stays: set[int], names: Mapping[int, str]) -> Program:
    read = [
        Instruction("vector", name=names[slot]) if slot in names else instruction
        for slot, instruction in enumerate(program.instructions)
    ]
    instructions, numbers = selected(read, stays)
    used = {instruction.name for instruction in instructions if instruction.operation == "vector"}
    computed = tuple((name, program.types[slot].width) for slot, name in names.items())
    return replace(
        program,
        vectors=tuple(vector for vector in program.vectors if vector[0] in used) + computed,
        instructions=instructions,
        results=tuple(numbers[slot] for slot in program.results),
    )
