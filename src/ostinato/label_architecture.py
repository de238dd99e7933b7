"""What a classifier or a tagger is made of, apart from its weights: a reader, a stack, a pooling, a score a class."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from .architecture import (
    EmbeddingArchitecture,
    LastArchitecture,
    Layers,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
    Size,
)
from .cells import Cell
from .cells.pooling import running_attention, running_max, running_mean
from .errors import ProgramError

Pooling = Literal["last", "mean", "max", "attention"]
POOLINGS = {"mean": running_mean, "max": running_max, "attention": running_attention}
"""The cell whose last state is the pooling; "last" takes the last state of the stack itself."""


class SpellingArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What reads the characters of a word: an embedding of E for each of C characters, a bidirectional layer of H.

    A word is the last state of either direction.
    """

    characters: Size
    embedding_size: Size
    hidden_size: Size


class LabelArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scores (logits) of K classes, for each sequence or for each of its steps:

        head(pool(stack(read(sequence))))

    reads: D, the numbers a step where x is numbers; 0 where it is units, which have vectors: of `embedding`, and beside
    them, where words are spelled, of `spelling`. poolings: one or several, joined; none where each step has scores of
    its own. The other fields mean what they mean to `RecurrentArchitecture`.

    Raises ShapeError where sizes do not fit the cell.
    """

    cell: Cell
    hidden_size: Size
    outputs: Size
    num_layers: Layers = 1
    bidirectional: bool = False
    poolings: Annotated[tuple[Pooling, ...], Meta(max_length=len(get_args(Pooling)))] = ()
    reads: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    embedding: EmbeddingArchitecture | None = None
    spelling: SpellingArchitecture | None = None

    @property
    def speller(self) -> ModelArchitecture | None:
        """What makes a vector of a word's characters."""
        sizes = self.spelling
        if sizes is None:
            return None
        stack = _stack(self.cell, sizes.embedding_size, sizes.hidden_size, 1, bidirectional=True)
        embedding = EmbeddingArchitecture(sizes.characters, sizes.embedding_size)
        return ModelArchitecture(sizes.embedding_size, [stack, *_pooled(("last",), stack)], embedding)

    @property
    def stack(self) -> RecurrentArchitecture:
        """The recurrent layers."""
        return next(part for part in self.chain.parts if isinstance(part, RecurrentArchitecture))

    @property
    def chain(self) -> ModelArchitecture:
        """What reads a vector a step, or a unit where it is no more than its embedding, and gives the scores."""
        speller, embedding = self.speller, self.embedding
        size = self.reads if embedding is None else embedding.size
        size += 0 if speller is None else speller.parts[-1].output_size
        entry: list[Part] = []
        if size != self.hidden_size and self.cell.program.reads_raw_input:
            # The input itself enters such a cell, so it must be as wide as the units.
            entry = [LinearArchitecture(size, self.hidden_size)]
        width = self.hidden_size if entry else size
        stack = _stack(self.cell, width, self.hidden_size, self.num_layers, self.bidirectional)
        pooling = _pooled(self.poolings, stack)
        read = pooling[-1].output_size if pooling else stack.output_size
        parts: list[Part] = [*entry, stack, *pooling, LinearArchitecture(read, self.outputs)]
        return ModelArchitecture(size, parts, embedding if speller is None else None)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        shapes = self.chain.weight_shapes()
        speller, embedding = self.speller, self.embedding
        if speller is not None and embedding is not None:
            shapes["embedding.weight"] = (embedding.vocabulary_size, embedding.size)
            shapes |= {f"speller.{name}": shape for name, shape in speller.weight_shapes().items()}
        return shapes

    def to_data(self) -> dict[str, Any]:
        """Return the architecture as plain data, for a model file."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data | {"cell": self.cell.to_data()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> LabelArchitecture:
        """Build an architecture from what `to_data` returned. Raises ProgramError for anything else."""
        try:
            found = msgspec.convert({**data, "cell": Cell.from_data(data["cell"])}, cls)
            found.weight_shapes()
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise ProgramError(f"this is no classifier's data: {error}") from None
        return found


def _stack(cell: Cell, size: int, hidden_size: int, num_layers: int, bidirectional: bool) -> RecurrentArchitecture:
    """Return a stack; H is the size of all of the cell's width letters."""
    further = dict.fromkeys(cell.program.width_letters[1:], hidden_size)
    return RecurrentArchitecture(
        cell, size, hidden_size, num_layers, bidirectional=bidirectional, further_widths=further
    )


def _pooled(poolings: tuple[Pooling, ...], stack: RecurrentArchitecture) -> list[Part]:
    """Return what makes one vector of the stack's outputs; nothing where each step has one."""
    branches = [branch for kind in poolings for branch in _branches(kind, stack)]
    return branches[0] if len(branches) == 1 else [ParallelArchitecture(branches)] if branches else []


def _branches(kind: Pooling, stack: RecurrentArchitecture) -> list[list[Part]]:
    """Return the chains of one pooling; the last state of the second direction is that of the first step."""
    size = stack.output_size
    if kind == "last":
        return [[LastArchitecture(size, reverse)] for reverse in (False, True)[: stack.num_directions]]
    # A bias would move all steps alike, which a mean over them does not tell.
    return [[RecurrentArchitecture(POOLINGS[kind], size, size, bias=False), LastArchitecture(size)]]
