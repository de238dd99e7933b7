"""Reading a live torch module: the architecture and the weights of what it computes outside of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..architecture import EmbeddingArchitecture, ModelArchitecture, RecurrentArchitecture
from ..errors import OptionError
from ..exchange import layers
from ..exchange.from_torch.layers import read_recurrent
from ..exchange.functions import HARD_SIGMOID, LOG_SOFTMAX, RELU6, SOFTMAX, part_of
from ..exchange.layers import Read, Refusal
from ..exchange.operators import RELU, SIGMOID, TANH, Squashing
from .recurrent import Recurrent

WITHOUT_EFFECT = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.Identity,
)
"""What computes nothing outside of training."""
SOFTPLUS_THRESHOLD = 20.0
"""From here on softplus(v) is v in float32: what torch takes it for above its threshold."""


def read_modules(modules: nn.Module | Iterable[nn.Module]) -> tuple[ModelArchitecture, dict[str, Any]]:
    """Return the architecture of a chain of modules, and their weights as float32 NumPy arrays.

    modules: one, or several in the order in which each reads the one before; an `nn.Sequential` stands for its own. A
    recurrent layer's output goes on, its state does not. Known: `nn.Embedding` (at the beginning), `nn.RNN`, `nn.LSTM`,
    `nn.GRU`, Ostinato's in their place, `Recurrent`, `nn.Linear`, `nn.LayerNorm`, softmax and its logarithm over the
    features, the activations of `FUNCTIONS`, and what acts in training alone.

    Raises OptionError naming the module that is none of these, or that is not exactly one of ours, with its place.
    """
    chain = list(_flat("", [modules] if isinstance(modules, nn.Module) else modules))
    embedding = chain[0][1] if chain and isinstance(chain[0][1], nn.Embedding) else None
    chain = chain[1:] if embedding is not None else chain
    coming = None if embedding is None else embedding.embedding_dim
    found: list[Read] = []
    for place, module in chain:
        if not isinstance(module, WITHOUT_EFFECT):
            found += _read(place, module, found[-1].part.output_size if found else coming)
    if not found:
        raise OptionError("there is nothing to read: a model has at least one layer.")
    architecture = ModelArchitecture(
        found[0].part.input_size if coming is None else coming,
        [part for part, _ in found],
        None if embedding is None else EmbeddingArchitecture(embedding.num_embeddings, embedding.embedding_dim),
    )
    weights = {f"parts.{index}.{name}": w for index, (_, own) in enumerate(found) for name, w in own.items()}
    if embedding is not None:
        weights["embedding.weight"] = _array(embedding.weight)
    return architecture, weights


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


def _read(place: str, module: nn.Module, coming: int | None) -> list[Read]:
    """Read a module to which so many features come; None at the beginning. What changes nothing is no part."""
    name = type(module).__name__
    try:
        if type(module) in FUNCTIONS:
            return _function(module, coming)
        for kind, read in READERS.items():
            if isinstance(module, kind):
                return [read(module)]
    except Refusal as refusal:
        raise OptionError(f"module {place} is a {name}, which cannot be read: {refusal.message}") from None
    known = ", ".join(kind.__name__ for kind in (*READERS, *FUNCTIONS, *WITHOUT_EFFECT))
    hint = f"known: {known}."
    if isinstance(module, nn.Embedding):
        hint = "an embedding reads symbols, so it stands at the beginning."
    raise OptionError(f"module {place} is a {name}, which cannot be read.", hint)


# ---- layers with weights


def _recurrent(module: Recurrent) -> Read:
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
    return Read(part, {name: _array(weight) for name, weight in module.named_parameters()})


def _torch_layers(module: nn.RNNBase) -> Read:
    names = [name for layer in module._all_weights for name in layer]
    weights = {name: _array(getattr(module, name)) for name in names}
    return read_recurrent(weights, relu=module.mode == "RNN_RELU")


def _linear(module: nn.Linear) -> Read:
    return layers.linear(_array(module.weight), _optional(module.bias))


def _norm(module: nn.LayerNorm) -> Read:
    if len(module.normalized_shape) != 1:
        raise Refusal(f"it normalises over {len(module.normalized_shape)} axes, not over the features alone.")
    return layers.norm(module.normalized_shape[0], _optional(module.weight), _optional(module.bias), module.eps)


def _optional(weight: Tensor | None) -> Any:
    return None if weight is None else _array(weight)


READERS: dict[type[nn.Module], Callable[[Any], Read]] = {
    Recurrent: _recurrent,
    nn.RNNBase: _torch_layers,
    nn.Linear: _linear,
    nn.LayerNorm: _norm,
}


# ---- functions


def _function(module: nn.Module, coming: int | None) -> list[Read]:
    if coming is None:
        raise Refusal("it does not say how many features x has; let a layer that does come first.")
    given = FUNCTIONS[type(module)]
    part = part_of(given if isinstance(given, Squashing) else given(module), coming)
    return [] if part is None else [Read(part)]


def _over_features(module: nn.Softmax | nn.LogSoftmax) -> Squashing:
    if module.dim not in (-1, 2):
        raise Refusal(f"it is over dim={module.dim}, not over the features: write dim=-1.")
    return LOG_SOFTMAX if isinstance(module, nn.LogSoftmax) else SOFTMAX


def _celu(module: nn.CELU) -> Squashing:
    if module.alpha != 1.0:
        raise Refusal(f"with alpha={module.alpha} it is no elu; with 1 it is one.")
    return Squashing("elu", 1.0)


def _softplus(module: nn.Softplus) -> Squashing:
    if module.beta != 1.0 or module.threshold < SOFTPLUS_THRESHOLD:
        raise Refusal(f"beta must be 1 and the threshold at least {SOFTPLUS_THRESHOLD:g}.")
    return Squashing("softplus")


def _threshold(module: nn.Threshold) -> Squashing:
    if module.value != 0.0:
        raise Refusal(f"below its threshold it is {module.value}; only 0 can be read.")
    return Squashing("thresholded_relu", module.threshold)


def _gelu(module: nn.GELU) -> Squashing:
    if module.approximate != "tanh":
        raise Refusal('it is the exact one, made of the error function; only approximate="tanh" can be read.')
    return Squashing("gelu_tanh")


FUNCTIONS: dict[type[nn.Module], Squashing | Callable[[Any], Squashing]] = {
    nn.ReLU: RELU,
    nn.Sigmoid: SIGMOID,
    nn.Tanh: TANH,
    nn.LeakyReLU: lambda module: Squashing("leaky_relu", module.negative_slope),
    nn.ELU: lambda module: Squashing("elu", module.alpha),
    nn.CELU: _celu,
    nn.SELU: Squashing("selu"),
    nn.ReLU6: RELU6,
    nn.Hardtanh: lambda module: Squashing("clip", module.min_val, module.max_val),
    nn.Hardsigmoid: HARD_SIGMOID,
    nn.Softplus: _softplus,
    nn.Softsign: Squashing("softsign"),
    nn.SiLU: Squashing("silu"),
    nn.Mish: Squashing("mish"),
    nn.GELU: _gelu,
    nn.Threshold: _threshold,
    nn.Softmax: _over_features,
    nn.LogSoftmax: _over_features,
}
"""torch's modules that are a function of each step; those of a class of one's own are none of these."""
