"""What each axis of a tensor is, followed by name through transpositions and reshapes.

An axis is a tuple of atoms: none for an axis of size 1, several where a reshape made one axis of neighbours. Reshaping
never changes the order of atoms, transposing changes that of axes alone.

A size that is not known before the model runs is a number that no file can mean: a large prime. Shape arithmetic in a
graph is then arithmetic on constants, and a product of sizes says which sizes are in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import DataError


class Atom(NamedTuple):
    """A size with its meaning, a letter of `ostinato.shapes`, or N: what is stacked, such as directions."""

    letter: str
    size: int


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]

UNKNOWN = {"T": 2147483629, "B": 2147483587, "D": 2147483579}
"""What stands for a size that is not known: the largest primes that a 32-bit number holds, but for the largest."""


def is_open(size: int) -> bool:
    """Whether a size depends on the number of steps or of sequences, so that no memory can be laid out for it."""
    return any(size >= prime and size % prime == 0 for prime in UNKNOWN.values())


def size_of(axis: Axis) -> int:
    """Return the size of an axis."""
    return math.prod(atom.size for atom in axis)


def sizes_of(axes: Axes) -> list[int]:
    """Return the shape that the axes have."""
    return [size_of(axis) for axis in axes]


def letters_of(axis: Axis) -> str:
    """Return an axis's letters; those of an axis of size 1 are none."""
    return "".join(atom.letter for atom in axis)


def is_axis(axis: Axis, letter: str) -> bool:
    """Whether an axis is the named one, or may be taken for it, having a single place."""
    return letters_of(axis) == letter or size_of(axis) == 1


def place_of(axes: Axes, letter: str) -> int | None:
    """Return which axis is the named one alone; None where there is none."""
    return next((index for index, axis in enumerate(axes) if letters_of(axis) == letter), None)


def has(axes: Axes, letter: str) -> bool:
    """Whether some axis has a part in the named one."""
    return any(atom.letter == letter for axis in axes for atom in axis)


def normalised(index: int, count: int) -> int:
    """Return an axis counted from the beginning. Raises DataError where there is no such axis."""
    if not -count <= index < count:
        raise DataError(f"it names axis {index} of {count}")
    return index % count


def described(axes: Axes, features: int) -> str:
    """Return the axes as a reader writes them: ``[B, T, 16]``."""
    names = {"T": "T", "B": "B", "F": f"{features}"}

    def name(axis: Axis) -> str:
        return "·".join(names.get(atom.letter, str(atom.size)) for atom in axis) or "1"

    return f"[{', '.join(map(name, axes))}]"


# ---- moving axes


def transposed(axes: Axes, order: Sequence[int] | None) -> Axes:
    """Return the axes in another order; in the reverse one where none is given."""
    order = list(range(len(axes)))[::-1] if order is None else [normalised(i, len(axes)) for i in order]
    if sorted(order) != list(range(len(axes))):
        raise DataError(f"it puts {len(axes)} axes in the order {order}")
    return tuple(axes[index] for index in order)


def squeezed(axes: Axes, at: Sequence[int] | None) -> Axes:
    """Return the axes without those of size 1 that are named; without all of them where none are."""
    if at is None:
        return tuple(axis for axis in axes if size_of(axis) != 1)
    dropped = {normalised(index, len(axes)) for index in at}
    for index in dropped:
        if size_of(axes[index]) != 1:
            raise DataError(f"it takes away axis {index}, which has more than one place")
    return tuple(axis for index, axis in enumerate(axes) if index not in dropped)


def unsqueezed(axes: Axes, at: Sequence[int]) -> Axes:
    """Return the axes with one of size 1 at each of the named places of the result."""
    count = len(axes) + len(at)
    new = {normalised(index, count) for index in at}
    if len(new) != len(at):
        raise DataError("it names an axis twice")
    old = iter(axes)
    return tuple(() if index in new else next(old) for index in range(count))


def reshaped(axes: Axes, sizes: Sequence[int], stacked: int, zero_copies: bool = True) -> Axes:
    """Return the axes after a reshape, in which -1 stands for what is left, and 0 for the size that was there.

    stacked: of how many equal parts the features consist, which a reshape may take apart.

    Raises DataError where the new axes are no neighbours of before, taken together or apart.
    """
    atoms = [atom for axis in axes for atom in axis]
    wanted = [
        sizes_of(axes)[i] if size == 0 and zero_copies and i < len(axes) else size for i, size in enumerate(sizes)
    ]
    total, known = math.prod(atom.size for atom in atoms), math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) > 1 or any(size < 1 and size != -1 for size in wanted) or known == 0 or total % known:
        raise DataError(f"it reshapes to {list(sizes)}, which cannot be followed")
    grouped = []
    for size in (total // known if size == -1 else size for size in wanted):
        axis, atoms = _taken(atoms, size, stacked)
        grouped.append(_together(axis))
    if math.prod(atom.size for atom in atoms) != 1:
        raise DataError(f"it reshapes to {list(sizes)}, which cannot be followed")
    return tuple(grouped)


def _taken(atoms: list[Atom], size: int, stacked: int) -> tuple[list[Atom], list[Atom]]:
    """Return the first atoms that make up a size, and those that are left."""
    count = 1 if size == 1 and atoms and atoms[0].size == 1 else 0
    while math.prod(atom.size for atom in atoms[:count]) < size and count < len(atoms):
        count += 1
    taken, product = atoms[:count], math.prod(atom.size for atom in atoms[:count])
    if product == size:
        return taken, atoms[count:]
    # The features of several directions lie side by side: [N·H] becomes [N, H].
    *before, last = taken or [Atom("", 0)]
    if last.letter == "F" and math.prod(a.size for a in before) * stacked == size and last.size % stacked == 0:
        return [*before, Atom("N", stacked)], [Atom("F", last.size // stacked), *atoms[count:]]
    raise DataError("it reshapes across what is no single axis, which cannot be followed")


def _together(atoms: list[Atom]) -> Axis:
    """Return atoms as one axis: those of size 1 vanish in it, and the features of each direction become features."""
    axis: list[Atom] = []
    for atom in atoms if len(atoms) == 1 else [atom for atom in atoms if atom.size != 1 or atom.letter == "F"]:
        if atom.letter == "F" and axis and axis[-1].letter == "N":
            atom = Atom("F", axis.pop().size * atom.size)
        axis.append(atom)
    return tuple(axis)
