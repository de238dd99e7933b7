"""torch's state dicts: which tensors belong to one layer, and which layer that can be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ...architecture import RecurrentArchitecture
from ..layers import Refusal
from ..weight_groups import Group, Sizes
from .layers import NAME, kind_of, read_recurrent

Array = NDArray[Any]
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
STATISTICS = {"running_mean", "running_var"}


def unwrapped(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return a state dict without what wrappers put before every name."""
    names = list(arrays)
    for wrapper in WRAPPERS * 2:
        if names and all(name.startswith(wrapper) for name in names):
            names = [name.removeprefix(wrapper) for name in names]
    return dict(zip(names, arrays.values(), strict=True))


def groups_of(arrays: Mapping[str, Array]) -> tuple[list[Group], list[str]]:
    """Return the layers of a state dict, in its order; and what can be none, with shapes and reasons."""
    by_layer: dict[str, dict[str, Array]] = {}
    for key, array in arrays.items():
        layer, _, name = key.rpartition(".")
        by_layer.setdefault(layer, {})[name] = array
    groups: list[Group] = []
    unknown: list[str] = []
    for layer, weights in by_layer.items():
        try:
            groups.append(_group(layer, weights))
        except Refusal as refusal:
            told = ", ".join(f"{name} {list(weight.shape)}" for name, weight in weights.items())
            unknown.append(f"{layer or '(the whole file)'}: {told}: {refusal.message}")
    return groups, unknown


def _group(layer: str, weights: dict[str, Array]) -> Group:
    if any(array.dtype.kind != "f" for name, array in weights.items() if name != "num_batches_tracked"):
        raise Refusal("whole numbers are no weights; a quantised layer cannot be imported.")
    if not all(array.size for array in weights.values()):
        raise Refusal("there is nothing in it.")
    if any(NAME.fullmatch(name) for name in weights):
        part = read_recurrent(weights).part
        assert isinstance(part, RecurrentArchitecture)
        sizes = Sizes(part.input_size, part.output_size)
        return Group(layer, {kind_of(weights): sizes}, weights, partial(read_recurrent, weights))
    return Group(layer, _words(weights), {name: w for name, w in weights.items() if name != "num_batches_tracked"})


def _words(weights: dict[str, Array]) -> dict[str, Sizes]:
    """Return the words that weights can be, by their names and shapes. Raises Refusal for none."""
    weight, bias = weights.get("weight"), weights.get("bias")
    names = set(weights) - {"num_batches_tracked"}
    if weight is None and not names >= STATISTICS:
        raise Refusal("these are the weights of no layer that is known here.")
    size = len(weights["running_mean"] if weight is None else weight) if weight is None or weight.ndim else 0
    flat = all(weights[name].shape == (size,) for name in names if name != "weight")
    if names - {"weight", "bias"} == STATISTICS and flat and (weight is None or weight.ndim == 1):
        return {"batch_norm": Sizes(size, size)}
    if names <= {"weight", "bias"} and weight is not None and flat:
        if weight.ndim == 2:
            linear = {"linear": Sizes(weight.shape[1], size)}
            return linear if bias is not None else {"embedding": Sizes(None, weight.shape[1]), **linear}
        if weight.ndim == 1 and bias is not None:
            return {"norm": Sizes(size, size)}
    raise Refusal("no embedding, linear layer, layer normalisation or batch normalisation has such weights.")
