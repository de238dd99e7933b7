"""Keras's `.weights.h5`: which variables belong to one layer, and which layer that can be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..layers import Read, Refusal, stack, two_ways
from ..operators import RELU, Kind, cell_of, operator, weights_from_onnx
from ..weight_groups import Group, Sizes
from .recurrent import onnx_weights

Array = NDArray[Any]
KINDS: dict[int, tuple[str, Kind]] = {1: ("rnn", "RNN"), 3: ("gru", "GRU"), 4: ("lstm", "LSTM")}
"""The word of a description and the operator, by how many gates there are."""
_PLACE = re.compile(r"(?P<layer>.*?)(?P<part>/(?:forward_layer/|backward_layer/)?cell|/layer)?/vars/(?P<index>\d+)")
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


class _Cell(NamedTuple):
    """The variables of a recurrent layer's cell in one direction: kernel, recurrent kernel, and a bias, if any."""

    variables: list[Array]

    def kind(self) -> tuple[str, Kind]:
        """Return its word and its operator, by the shapes of its matrices. Raises Refusal for others."""
        if len(self.variables) not in (2, 3) or any(array.ndim != 2 for array in self.variables[:2]):
            raise Refusal("a recurrent layer has a kernel, a recurrent kernel and perhaps a bias.")
        kernel, recurrent, *bias = self.variables
        hidden, columns = recurrent.shape
        gates = columns // max(hidden, 1)
        known = gates in KINDS and kernel.shape[1] == columns == gates * hidden
        if not known or any(array.shape not in ((columns,), (2, columns)) for array in bias):
            raise Refusal("its kernels are those of no SimpleRNN, GRU or LSTM.")
        if gates == 3 and not bias:
            raise Refusal("a GRU without a bias does not say its reset_after; save the whole model as .keras.")
        return KINDS[gates]

    def read(self, relu: bool, reverse: bool = False) -> Read:
        """Return the stack that it is, with the activations that Keras takes unless it is told others."""
        _, kind = self.kind()
        bias = self.variables[2:]
        activations = [RELU] if relu else None
        recurrence = operator(kind, activations, linear_before_reset=bool(bias) and bias[0].ndim == 2)
        weights = weights_from_onnx(recurrence, onnx_weights(kind, self.variables))
        return stack(cell_of(recurrence), weights, bool(bias), reverse)


def groups_of(arrays: Mapping[str, Array]) -> tuple[list[Group], list[str]]:
    """Return the layers of a file's variables, given by their paths; and what can be none, with shapes and reasons."""
    by_layer: dict[str, dict[str, list[Array]]] = {}
    unknown: list[str] = []
    for path in sorted(arrays, key=_natural):
        match = _PLACE.fullmatch(path)
        if match is None:
            unknown.append(f"{path}: {list(arrays[path].shape)}")
            continue
        by_layer.setdefault(match["layer"], {}).setdefault((match["part"] or "").strip("/"), []).append(arrays[path])
    groups: list[Group] = []
    for layer, parts in by_layer.items():
        try:
            groups.append(_group(layer, parts, by_layer))
        except Refusal as refusal:
            told = ", ".join(str(list(array.shape)) for variables in parts.values() for array in variables)
            unknown.append(f"{layer}: {told}: {refusal.message}")
    return groups, unknown


def _natural(path: str) -> list[Any]:
    """Return a key that puts ``dense_10`` after ``dense_2``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def _group(layer: str, parts: Mapping[str, list[Array]], others: Mapping[str, Any]) -> Group:
    after = _before(layer, others)
    named = {f"{part}/{i}".strip("/"): array for part, own in parts.items() for i, array in enumerate(own)}
    if set(parts) == {"cell"}:
        cell = _Cell(parts["cell"])
        word, _ = cell.kind()
        hidden, coming = cell.variables[1].shape[0], cell.variables[0].shape[0]
        return Group(layer, {word: Sizes(coming, hidden)}, named, cell.read, after)
    if set(parts) == {"forward_layer/cell", "backward_layer/cell"}:
        ways = [_Cell(parts["forward_layer/cell"]), _Cell(parts["backward_layer/cell"])]
        word, other = (way.kind()[0] for way in ways)
        if word != other:
            raise Refusal("its two directions are of different kinds.")
        hidden, coming = sum(way.variables[1].shape[0] for way in ways), ways[0].variables[0].shape[0]
        return Group(layer, {word: Sizes(coming, hidden)}, named, partial(_both, ways), after)
    if set(parts) in ({""}, {"layer"}):
        words, weights = _without_memory(layer, next(iter(parts.values())))
        return Group(layer, words, weights, after=after)
    raise Refusal("these are the variables of no layer that is known here.")


def _before(layer: str, others: Mapping[str, Any]) -> str | None:
    """Return the layer of the same class that Keras numbered before this one, if any has weights."""
    match = _NUMBERED.fullmatch(layer)
    assert match is not None
    for number in range(int(match[2] or 0) - 1, -1, -1):
        name = f"{match[1]}_{number}" if number else match[1]
        if name in others:
            return name
    return None


def _both(ways: Sequence[_Cell], relu: bool) -> Read:
    return two_ways(ways[0].read(relu), ways[1].read(relu, reverse=True), "concat")


def _without_memory(layer: str, variables: Sequence[Array]) -> tuple[dict[str, Sizes], dict[str, Array]]:
    """Return the words of a layer without memory, and its weights by the names that torch has for them."""
    kind, shapes = layer.rpartition("/")[2], [array.shape for array in variables]
    if kind.startswith("embedding") and len(shapes) == 1 and len(shapes[0]) == 2:
        return {"embedding": Sizes(None, shapes[0][1])}, {"weight": variables[0]}
    if len(shapes) in (1, 2) and len(shapes[0]) == 2 and shapes[1:] in ([], [shapes[0][1:]]):
        weights = {"weight": variables[0].T} | ({"bias": variables[1]} if len(shapes) == 2 else {})
        return {"linear": Sizes(*shapes[0])}, weights
    flat = len(set(shapes)) == 1 and len(shapes[0]) == 1
    if kind.startswith("layer_normalization") and flat and len(shapes) == 2:
        names = ["weight", "bias"]
        return {"norm": Sizes(*shapes[0] * 2)}, dict(zip(names, variables, strict=True))
    if kind.startswith("batch_normalization") and flat and len(shapes) == 4:
        names = ["weight", "bias", "running_mean", "running_var"]
        return {"batch_norm": Sizes(*shapes[0] * 2)}, dict(zip(names, variables, strict=True))
    raise Refusal(f"a layer of the class {kind:.60} cannot be imported from its variables alone.")
