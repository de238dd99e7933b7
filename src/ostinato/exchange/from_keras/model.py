"""Keras's configs: the layers of a sequential or straight functional model, in order, with their places in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ...architecture import MAX_DEPTH
from ...errors import DataError
from ..layers import Refusal

MODELS = ("Sequential", "Functional")
MASK_OPERATIONS = ("NotEqual", "Any")
"""What a functional model's config lists beside its layers where Masking or mask_zero makes a mask."""


class Layer(msgspec.Struct):
    """A layer as Keras writes it: its class, its arguments, and, in a functional model, what it reads."""

    class_name: str
    config: dict[str, Any]
    module: str | None = None
    registered_name: str | None = None
    build_config: dict[str, Any] | None = None
    name: str | None = None
    inbound_nodes: list[Any] | None = None

    @property
    def own_name(self) -> str:
        """The name that Keras tells it by."""
        name = self.name or self.config.get("name")
        return name if isinstance(name, str) else self.class_name.lower()

    @property
    def label(self) -> str:
        """The layer for a message: its name and its class."""
        return f"{self.own_name:.60} ({self.class_name:.60})"

    @property
    def is_operation(self) -> bool:
        """Whether it is an operation on tensors, which has no weights and no group in the file."""
        return (self.module or "").startswith(("keras.src.ops", "keras.ops"))

    @property
    def is_kerass(self) -> bool:
        """Whether its class comes with Keras, so that its name says what it computes."""
        return (self.module or "keras").split(".")[0] == "keras" and self.registered_name in (None, self.class_name)

    @property
    def input_shape(self) -> Sequence[int | None] | None:
        """The shape of what it was built for, batch first, where the file says it."""
        shape = (self.build_config or {}).get("input_shape")
        known = isinstance(shape, list) and all(size is None or type(size) is int for size in shape)
        return shape if known else None


class Placed(msgspec.Struct):
    """A layer and the path of its group in the HDF5 file."""

    layer: Layer
    path: str


Refuse = Callable[[str, str], None]


def layer_of(data: Any) -> Layer:
    """Read a layer's data. Raises DataError for anything else."""
    try:
        return msgspec.convert(data, Layer)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DataError(f"this is no layer of Keras: {error}.") from None


def layers_of(model: Layer, refuse: Refuse, path: str = "", depth: int = 0) -> Iterator[Placed]:
    """Yield the layers of a model in the order in which each reads the one before; models within it stand for theirs.

    refuse: what is called with a layer and the reason why it cannot be imported, for each that lies beside the chain.

    Raises DataError for a config that is none.
    """
    if depth > MAX_DEPTH:
        raise DataError(f"models within models are read at most {MAX_DEPTH} deep.")
    given = model.config.get("layers")
    if not isinstance(given, list):
        raise DataError(f"the config of {model.label} lists no layers.")
    layers = [layer_of(data) for data in given]
    groups = _groups(layers)
    for layer in layers if model.class_name == "Sequential" else _chain(model, layers, refuse):
        here = f"{path}layers/{groups[id(layer)]}"
        if layer.class_name in MODELS and layer.is_kerass:
            yield from layers_of(layer, refuse, f"{here}/", depth + 1)
        else:
            yield Placed(layer, here)


def _groups(layers: Sequence[Layer]) -> dict[int, str]:
    """Return the group of each layer, by its identity: its class in snake case, numbered from the second one on."""
    groups: dict[int, str] = {}
    count: dict[str, int] = {}
    for layer in layers:
        name = snake_case(layer.class_name)
        if not layer.is_operation:
            count[name] = count.get(name, -1) + 1
        number = count.get(name, 0)
        groups[id(layer)] = f"{name}_{number}" if number else name
    return groups


def snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in a file: LSTMCell becomes lstm_cell, LeakyReLU leaky_re_lu."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


# ---- functional models


def _chain(model: Layer, layers: Sequence[Layer], refuse: Refuse) -> list[Layer]:
    """Return the layers that lead from the input to the output, in order."""
    by_name = {layer.own_name: layer for layer in layers}
    here = by_name.get(_output(model, refuse))
    if here is None:
        raise DataError(f"the config of {model.label} names no output.")
    chain: list[Layer] = []
    while here is not None:
        if any(here is layer for layer in chain):
            raise DataError(f"in the config of {model.label}, {here.label} reads itself.")
        chain.append(here)
        here = _before(here, by_name, refuse)
    for layer in layers:
        is_mask = layer.is_operation and layer.class_name in MASK_OPERATIONS
        if not is_mask and not any(layer is other for other in chain):
            refuse(layer.label, "it is none of the chain of layers that leads from the one input to the one output.")
    return chain[::-1]


def _output(model: Layer, refuse: Refuse) -> str:
    """Return the name of the layer that puts out what the model does; its states may come out beside it."""
    given = model.config.get("output_layers")
    ends = list(_ends(given))
    if not ends:
        raise DataError(f"the config of {model.label} names no output.")
    name, index = ends[0]
    others = {f"{other:.60}" for other, _ in ends if other != name}
    if others or index != 0:
        refuse(model.label, f"it has several outputs: {', '.join([name, *sorted(others)])}.")
    return name


def _ends(given: Any) -> Iterator[tuple[str, int]]:
    """Yield the layer and the number of its output for each [layer, node, output], however they are nested."""
    if isinstance(given, list) and len(given) == 3 and isinstance(given[0], str) and type(given[2]) is int:
        yield given[0], given[2]
    elif isinstance(given, (list, dict)):
        for part in given if isinstance(given, list) else given.values():
            if isinstance(part, (list, dict)) and part is not given:
                yield from _ends(part)


class _Node(msgspec.Struct):
    """A call of a layer."""

    args: list[Any] = []
    kwargs: dict[str, Any] = {}


def _before(layer: Layer, by_name: dict[str, Layer], refuse: Refuse) -> Layer | None:
    """Return the layer whose output a layer reads; None for an input."""
    nodes = layer.inbound_nodes or []
    if not nodes:
        return None
    try:
        if len(nodes) > 1:
            raise Refusal("it is used more than once.")
        node = msgspec.convert(nodes[0], _Node)
        given = [value for name, value in node.kwargs.items() if name != "mask"]
        sources = list(_ends(_histories([node.args, given])))
        if len(sources) != 1:
            raise Refusal(f"it reads {len(sources)} tensors, where a chain has one; states come as an argument here.")
        ((name, index),) = sources
        if index:
            raise Refusal(f"it reads a state of {name:.60}, where a chain reads the output.")
        if name not in by_name:
            raise DataError(f"{layer.label} reads {name!r:.60}, which is no layer of the model.")
        return by_name[name]
    except Refusal as refusal:
        refuse(layer.label, refusal.message)
        return None
    except msgspec.ValidationError as error:
        raise DataError(f"what {layer.label} reads is not written as Keras 3 does: {error}.") from None


def _histories(given: Any) -> list[Any]:
    """Return where each tensor among arguments comes from: [layer, node, output]."""
    if isinstance(given, dict):
        config = given.get("config")
        if given.get("class_name") == "__keras_tensor__" and isinstance(config, dict):
            return [config.get("keras_history")]
        given = list(given.values())
    return [found for part in given for found in _histories(part)] if isinstance(given, list) else []
