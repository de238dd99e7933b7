"""The parts that lie between a graph's input and a tensor: a tree, since several tensors can come of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...architecture import (
    MAX_DEPTH,
    ActivationArchitecture,
    LinearArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
    reduces,
)
from ...errors import DataError

Array = NDArray[Any]
Weights = Mapping[str, Array]
Merge = Literal["concat", "sum", "mul", "ave"]
Runs = frozenset[tuple[str, int]]
"""The title of a recurrent node, and which of its directions."""
NO_RUNS: Runs = frozenset()
MAX_BRANCHES = 64
"""Of `ParallelArchitecture`."""
MAX_DIAGONAL = 1024
"""The most features for which a scale of each is written as a dense layer, which has as many weights squared."""


class Path:
    """What is computed of the graph's input so far: a last part, and the path before it.

    The first of a path has no part: it is the input itself, or an embedding of it [V, E]. runs: the recurrent nodes on
    it, each direction by itself; ragged: whether one of them stops at each sequence's length; twice: which of them run
    in several branches.
    """

    def __init__(
        self,
        before: Path | None = None,
        part: Part | None = None,
        weights: Weights | None = None,
        *,
        size: int | None = None,
        embedding: Array | None = None,
        runs: Runs = NO_RUNS,
        twice: Runs = NO_RUNS,
        ragged: bool = False,
    ) -> None:
        self.before, self.part, self.weights = before, part, dict(weights or {})
        self._size = part.output_size if part is not None else size
        self.embedding = embedding
        self.runs: Runs = runs | (before.runs if before else NO_RUNS)
        self.twice: Runs = twice | (before.twice if before else NO_RUNS)
        self._joined: dict[tuple[Path, ...], Path] = {}
        self.ragged: bool = ragged or (before is not None and before.ragged)
        self.reduced: bool = (before is not None and before.reduced) or (part is not None and reduces([part]))

    @property
    def size(self) -> int:
        """The features that come out. Raises DataError where nothing before says how many."""
        if self._size is None:
            raise DataError("the file does not say how many features come to it")
        return self._size

    def expect(self, size: int) -> None:
        """Raise DataError unless so many features come out; an input of which the file does not say it has so many."""
        if self._size is None:
            self._size = size
        if self._size != size:
            raise DataError(f"it reads {size} features, but {self._size} come to it")

    def then(self, part: Part, weights: Weights | None = None, **facts: Any) -> Path:
        """Return the path that goes on with a part."""
        return Path(self, part, weights, **facts)

    def line(self) -> list[Path]:
        """Return every path from the input to this one."""
        found: list[Path] = []
        here: Path | None = self
        while here is not None:
            found.append(here)
            here = here.before
        return found[::-1]


# ---- dense layers


def linear(path: Path, weight: Array, bias: Array | None = None) -> Path:
    """Return the path that goes on with weight · x + bias. weight: [O, D]."""
    path.expect(weight.shape[1])
    part = LinearArchitecture(weight.shape[1], weight.shape[0], bias is not None)
    return path.then(part, {"weight": weight} | ({} if bias is None else {"bias": bias}))


def scaled(path: Path, scale: Array | float, shift: Array | float) -> Path:
    """Return the path that goes on with scale ⊙ x + shift, numbers or one for each feature.

    A dense layer just before takes both up. Raises DataError for more than `MAX_DIAGONAL` features without one.
    """
    scale, shift = np.asarray(scale, np.float64), np.asarray(shift, np.float64)
    if (count := max(scale.size, shift.size)) > 1:
        path.expect(count)
    if path.before is not None and isinstance(path.part, LinearArchitecture):
        weight, bias = path.weights["weight"].astype(np.float64), path.weights.get("bias", np.zeros(1))
        size = (path.size,)
        scale, shift = np.broadcast_to(scale, size), np.broadcast_to(scale * bias + shift, size)
        return linear(path.before, weight * scale[:, None], shift)
    if (scale == scale.flat[0]).all() and (shift == shift.flat[0]).all():
        return _affine(path, float(scale.flat[0]), float(shift.flat[0]))
    if count > MAX_DIAGONAL:
        raise DataError(
            f"it scales or shifts each of {count} features by itself, of which at most {MAX_DIAGONAL} can be"
        )
    shift = np.broadcast_to(shift, count)
    return linear(path, np.diag(np.broadcast_to(scale, count)), shift if shift.any() else None)


def _affine(path: Path, scale: float, shift: float) -> Path:
    if (scale, shift) == (1.0, 0.0):
        return path
    return path.then(ActivationArchitecture(path.size, "affine", scale, shift))


# ---- several paths as one


def joined(paths: tuple[Path, ...]) -> Path:
    """Return the path whose features are those of several, side by side; the same for the same ones.

    Raises DataError as `merged` does.
    """
    known = paths[0]._joined
    if paths not in known:
        known[paths] = merged(paths, "concat")
    return known[paths]


def merged(paths: Sequence[Path], how: Merge) -> Path:
    """Return the path that joins several: after all that they share, one branch for each.

    Raises DataError where they share nothing, or only some of them answer once a sequence.
    """
    if len(paths) == 1:
        return paths[0]
    if len({path.reduced for path in paths}) > 1:
        raise DataError("it joins all steps of a sequence with a single one")
    lines = [path.line() for path in paths]
    shared = 0
    while all(len(line) > shared and line[shared] is lines[0][shared] for line in lines):
        shared += 1
    if not shared:
        raise DataError("it joins what comes from two inputs, or of two embeddings")
    start = lines[0][shared - 1]
    branches = [line[shared:] for line in lines]
    return _known(start, branches, how) or _parallel(start, branches, how)


def _parallel(start: Path, branches: list[list[Path]], how: Merge) -> Path:
    parts: list[list[Part]] = []
    weights: dict[str, Array] = {}
    for number, branch in enumerate(branches):
        # What reads the shared part as it is: a branch that changes nothing.
        branch = branch or [start.then(ActivationArchitecture(start.size, "affine", 1.0, 0.0))]
        parts.append([step.part for step in branch if step.part is not None])
        for index, step in enumerate(branch):
            weights |= {f"branches.{number}.{index}.{name}": array for name, array in step.weights.items()}
    if len(parts) > MAX_BRANCHES:
        raise DataError(f"{len(parts)} branches are joined, of which at most {MAX_BRANCHES} can be")
    part = ParallelArchitecture(parts, how)
    if _depth(part) > MAX_DEPTH:
        raise DataError(f"branches lie more than {MAX_DEPTH} deep in branches")
    ends = [branch[-1] for branch in branches if branch]
    own = [end.runs - start.runs for end in ends]
    twice = NO_RUNS.union(*(one & other for one, other in combinations(own, 2)), *(end.twice for end in ends))
    runs, ragged = NO_RUNS.union(*own), any(end.ragged for end in ends)
    return start.then(part, weights, runs=runs, twice=twice, ragged=ragged)


def _known(start: Path, branches: list[list[Path]], how: Merge) -> Path | None:
    """Return two branches as the one part that they are, if they are one."""
    if how == "mul" and sorted(map(len, branches)) == [0, 1]:
        ((only,),) = (branch for branch in branches if branch)
        if isinstance(only.part, ActivationArchitecture) and only.part.function == "sigmoid":
            return start.then(ActivationArchitecture(start.size, "silu"))
    if how == "concat" and [len(branch) for branch in branches] == [1, 1]:
        return _both_directions(start, branches[0][0], branches[1][0])
    return None


def _both_directions(start: Path, forth: Path, back: Path) -> Path | None:
    first, second = forth.part, back.part
    if not (isinstance(first, RecurrentArchitecture) and isinstance(second, RecurrentArchitecture)):
        return None
    if first.reverse or not second.reverse or _facts(first) != _facts(second):
        return None
    weights = dict(forth.weights)
    weights |= {name.replace("layers.0.0.", "layers.0.1.", 1): array for name, array in back.weights.items()}
    both = RecurrentArchitecture(
        first.cell,
        first.input_size,
        first.hidden_size,
        bias=first.bias,
        bidirectional=True,
        learned_initial_state=first.learned_initial_state,
    )
    return start.then(both, weights, runs=forth.runs | back.runs, ragged=forth.ragged)


def _facts(part: RecurrentArchitecture) -> tuple[Any, ...]:
    return (part.cell, part.input_size, part.hidden_size, part.num_layers, part.bias, part.learned_initial_state)


def _depth(part: Part) -> int:
    if not isinstance(part, ParallelArchitecture):
        return 0
    return 1 + max(_depth(inner) for branch in part.branches for inner in branch)
