"""`Network`: layers that were trained elsewhere, as one file that runs, steps and streams without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from .. import model_file
from ..architecture import (
    ActivationArchitecture,
    LastArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
)
from ..runtime import Model
from ..stored import kind_of
from ..versions import versions
from .parts import damaged
from .runs import Runs

if TYPE_CHECKING:
    from torch import nn

TASK = "network"


class Document(msgspec.Struct, frozen=True):
    """What a network's file says beside its weights."""

    versions: dict[str, str]
    architecture: Any


class Network(Runs):
    """A chain of layers: x [T, B, D], or symbols, in; y [T, B, O] out.

        network = ostinato.Network.from_torch([embedding, lstm, head])
        network.save("mine.safetensors")
        y, state = ostinato.load("mine.safetensors").run(ids)  # no torch

    After `from_torch`, `from_foreign` or `ostinato.load`: ``architecture_``, ``weights_``, ``versions_``; after
    `from_foreign` ``notes_``, too: what is otherwise than in the file, in words.
    """

    task = TASK
    notes_: tuple[str, ...] = ()

    def __init__(
        self, architecture: ModelArchitecture, weights: Mapping[str, Any], made_with: dict[str, str] | None = None
    ) -> None:
        self.architecture_ = architecture
        self.weights_ = dict(weights)
        self.versions_ = versions() if made_with is None else made_with

    @classmethod
    def from_torch(cls, modules: nn.Module | Iterable[nn.Module]) -> Network:
        """Return the network that a torch module is, or a chain of them; `ostinato.nn.reading` says which are known.

        Raises OptionError naming the module that cannot be read.
        """
        from ..nn.reading import read_modules

        return cls(*read_modules(modules))

    @classmethod
    def from_foreign(cls, path: str | os.PathLike[str], layers: str | None = None) -> Network:
        """Return the network in another tool's file: ONNX, Keras, or a torch state dict.

        layers: what a state dict is made of, in a few words.

        Raises what `ostinato.exchange.reading.read_foreign` does: an error that names what cannot be read, and why.
        """
        from ..exchange.reading import read_foreign

        network, notes = read_foreign(path, layers)
        network.notes_ = notes
        return network

    @cached_property
    def runtime(self) -> Model:
        """What runs the weights; made at first use."""
        return Model.of(self.architecture_, self.weights_)

    def as_chain(self) -> tuple[ModelArchitecture, dict[str, Any]]:
        """Return the architecture and the weights."""
        return self.architecture_, self.weights_

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one file, atomically. Raises OSError when it cannot be written."""
        model_file.write(path, TASK, Document(self.versions_, self.architecture_.to_data()), self.weights_)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], plain: dict[str, Any], tensors: model_file.Tensors) -> Network:
        """Build a network from what `model_file.read` returned, checking everything. Raises FileFormatError."""
        document = model_file.decode(path, plain, Document)
        with damaged(path):
            architecture = ModelArchitecture.from_data(document.architecture)
        model_file.check_shapes(path, tensors, architecture.weight_shapes())
        return cls(architecture, tensors, document.versions)

    def summary(self) -> Mapping[str, Any]:
        """Return what `ostinato info` tells, as plain data."""
        parts = {
            f"{index}": f"{_named(part)}  {part.input_size} → {part.output_size} features"
            for index, part in enumerate(self.architecture_.parts)
        }
        embedding, size = self.architecture_.embedding, self.architecture_.input_size
        return {
            "task": TASK,
            "reads": f"{size} numbers a step" if embedding is None else f"{embedding.vocabulary_size} symbols",
            "parts": parts,
            "weights": sum(array.size for array in self.weights_.values()),
            "matrices": kind_of(self.weights_),
            "versions": self.versions_,
        }

    def __repr__(self) -> str:
        return f"Network({' → '.join(_named(part) for part in self.architecture_.parts)})"


def _named(part: Part) -> str:
    match part:
        case RecurrentArchitecture():
            ways = ", in both directions" if part.bidirectional else ", from the end" if part.reverse else ""
            return f"{part.cell.name}, {part.num_layers} × {part.hidden_size} units{ways}"
        case ParallelArchitecture():
            branches = "; ".join(" → ".join(map(_named, branch)) for branch in part.branches)
            return f"{part.merge} of ({branches})"
        case ActivationArchitecture():
            return part.function
        case LastArchitecture():
            return "first step" if part.reverse else "last step"
        case _:
            return str(part.__struct_config__.tag)
