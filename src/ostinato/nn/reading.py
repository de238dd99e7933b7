"""Reading a live torch module: the architecture and the weights of what it computes outside of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import cells
from ..architecture import (
    ActivationArchitecture,
    EmbeddingArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    NormArchitecture,
    Part,
    RecurrentArchitecture,
)
from ..cells import Cell
from ..errors import OptionError
from .recurrent import Recurrent

Weights = dict[str, Tensor]
CELLS: dict[str, Cell] = {
    "RNN_TANH": cells.elman,
    "RNN_RELU": cells.elman_relu,
    "LSTM": cells.lstm,
    "GRU": cells.gru,
}
"""The cell of each mode of torch's RNNBase, without a projection."""
ACTIVATIONS: dict[type[nn.Module], Any] = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
WITHOUT_EFFECT = (nn.Dropout, nn.Identity)
"""What computes nothing outside of training."""


class Read(NamedTuple):
    """What a module is: a part and its weights by the names of its `weight_shapes`."""

    part: Part
    weights: Weights


def read_modules(modules: nn.Module | Iterable[nn.Module]) -> tuple[ModelArchitecture, dict[str, Any]]:
    """Return the architecture of a chain of modules, and their weights as float32 NumPy arrays.

    modules: one, or several in the order in which each reads the one before; an `nn.Sequential` stands for its own. A
    recurrent layer's output goes on, its state does not. Known: `nn.Embedding` (at the beginning), `nn.RNN`, `nn.LSTM`,
    `nn.GRU`, Ostinato's in their place, `Recurrent`, `nn.Linear`, `nn.LayerNorm`, `nn.ReLU`, `nn.Sigmoid`, `nn.Tanh`,
    and what acts in training alone.

    Raises OptionError naming the module that is none of these, with its place.
    """
    chain = list(_flat("", [modules] if isinstance(modules, nn.Module) else modules))
    embedding = chain[0][1] if chain and isinstance(chain[0][1], nn.Embedding) else None
    chain = chain[1:] if embedding is not None else chain
    coming = None if embedding is None else embedding.embedding_dim
    found: list[Read] = []
    for place, module in chain:
        if not isinstance(module, WITHOUT_EFFECT):
            found.append(_read(place, module, found[-1].part.output_size if found else coming))
    if not found:
        raise OptionError("there is nothing to read: a model has at least one layer.")
    architecture = ModelArchitecture(
        found[0].part.input_size if coming is None else coming,
        [part for part, _ in found],
        None if embedding is None else EmbeddingArchitecture(embedding.num_embeddings, embedding.embedding_dim),
    )
    weights = {f"parts.{index}.{name}": w for index, (_, own) in enumerate(found) for name, w in own.items()}
    if embedding is not None:
        weights["embedding.weight"] = embedding.weight
    return architecture, {name: _array(weight) for name, weight in weights.items()}


def _flat(place: str, modules: Iterable[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    for index, module in enumerate(modules):
        here = f"{place}{index}"
        if isinstance(module, nn.Sequential):
            yield from _flat(f"{here}.", module)
        else:
            yield here, module


def _array(weight: Tensor) -> Any:
    # A copy: what is read does not change when training goes on.
    return weight.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()


def _read(place: str, module: nn.Module, coming: int | None) -> Read:
    """Read a module to which so many features come; None at the beginning."""
    for kind, read in READERS.items():
        if isinstance(module, kind):
            return read(place, module, coming)
    known = ", ".join(kind.__name__ for kind in (*READERS, *WITHOUT_EFFECT))
    hint = f"known: {known}."
    if isinstance(module, nn.Embedding):
        hint = "an embedding reads symbols, so it stands at the beginning."
    raise OptionError(f"module {place} is a {type(module).__name__}, which cannot be read.", hint)


def _recurrent(place: str, module: Recurrent, coming: int | None) -> Read:
    further = {letter: size for letter, size in module.widths.items() if letter != "H"}
    part = RecurrentArchitecture(
        module.cell,
        module.input_size,
        module.hidden_size,
        module.num_layers,
        module.bias,
        module.bidirectional,
        module.residual,
        module.heads,
        module.initial_state == "learned",
        further,
        dict(module.zoneout or {}),
    )
    return Read(part, dict(module.named_parameters()))


def _torch_layers(place: str, module: nn.RNNBase, coming: int | None) -> Read:
    cell = cells.projected_lstm if module.proj_size else CELLS[module.mode]
    part = RecurrentArchitecture(
        cell,
        module.input_size,
        module.hidden_size,
        module.num_layers,
        module.bias,
        module.bidirectional,
        further_widths={"P": module.proj_size} if module.proj_size else {},
    )
    weights: Weights = {}
    for layer in range(module.num_layers):
        for direction in range(part.num_directions):
            own = _torch_layer(module, f"l{layer}" + ("_reverse" if direction else ""), cell)
            weights |= {f"layers.{layer}.{direction}.{name}": weight for name, weight in own.items()}
    return Read(part, weights)


def _torch_layer(module: nn.RNNBase, suffix: str, cell: Cell) -> Weights:
    """Return the weights of one layer and direction: of torch's two biases our cells have the sum, where that is all.

    A GRU's n keeps its second one, which the reset gate multiplies.
    """
    weights = {"W": getattr(module, f"weight_ih_{suffix}"), "R": getattr(module, f"weight_hh_{suffix}")}
    if module.proj_size:
        weights["M_project"] = getattr(module, f"weight_hr_{suffix}")
    if module.bias:
        first, second = getattr(module, f"bias_ih_{suffix}"), getattr(module, f"bias_hh_{suffix}")
        own = len(cell.program.recurrent_bias_gates) * module.hidden_size
        summed = len(first) - own
        weights["W_bias"] = torch.cat([first[:summed] + second[:summed], first[summed:]])
        if own:
            weights["R_bias"] = second[summed:]
    return weights


def _linear(place: str, module: nn.Linear, coming: int | None) -> Read:
    has_bias = module.bias is not None
    weights: Weights = {"weight": module.weight} | ({"bias": module.bias} if has_bias else {})
    return Read(LinearArchitecture(module.in_features, module.out_features, has_bias), weights)


def _norm(place: str, module: nn.LayerNorm, coming: int | None) -> Read:
    if len(module.normalized_shape) != 1:
        raise OptionError(
            f"module {place} normalises over {len(module.normalized_shape)} axes, which cannot be read.",
            "normalise over the features alone.",
        )
    (size,) = module.normalized_shape
    scale = torch.ones(size) if module.weight is None else module.weight
    shift = torch.zeros(size) if module.bias is None else module.bias
    return Read(NormArchitecture(size, module.eps), {"scale": scale, "shift": shift})


def _activation(place: str, module: nn.Module, coming: int | None) -> Read:
    if coming is None:
        raise OptionError(
            f"module {place} is a {type(module).__name__}, which does not say how many features x has.",
            "let a layer that does come first.",
        )
    return Read(ActivationArchitecture(coming, ACTIVATIONS[type(module)]), {})


READERS: dict[type[nn.Module], Callable[[str, Any, int | None], Read]] = {
    Recurrent: _recurrent,
    nn.RNNBase: _torch_layers,
    nn.Linear: _linear,
    nn.LayerNorm: _norm,
    **dict.fromkeys(ACTIVATIONS, _activation),
}
