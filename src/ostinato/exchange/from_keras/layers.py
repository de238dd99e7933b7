"""Keras's layers, read one after the other into a chain of parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...architecture import reduces
from ...errors import FileFormatError, OstinatoError
from ..functions import part_of
from ..imported import Chain
from ..layers import Merge, Read, Refusal, batch_norm, last, linear, norm, parallel, pooling, two_ways
from ..operators import Squashing
from .activations import LAYERS as FUNCTION_LAYERS
from .activations import activation_of, layer_function
from .file import Store
from .model import Layer, Placed, layer_of, layers_of
from .recurrent import LAYERS as RECURRENT_LAYERS
from .recurrent import LayerConfig, options, read_recurrent

IN_TRAINING_ALONE = (
    "Dropout",
    "SpatialDropout1D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
)
FLOAT32 = ("float32", "mixed_float16", "mixed_bfloat16")
"""The types of layers whose variables are float32."""


class _Embedding(msgspec.Struct):
    input_dim: int
    output_dim: int
    mask_zero: bool = False


class _Masking(msgspec.Struct):
    mask_value: float = 0.0


class _Dense(msgspec.Struct):
    units: int
    activation: Any = None
    use_bias: bool = True


class _Norm(msgspec.Struct):
    axis: Any
    epsilon: float
    scale: bool = True
    center: bool = True
    rms_scaling: bool = False
    renorm: bool = False


class _Pooling(msgspec.Struct):
    data_format: str = "channels_last"
    keepdims: bool = False


class _Bidirectional(msgspec.Struct):
    layer: dict[str, Any]
    backward_layer: dict[str, Any] | None = None
    merge_mode: Merge | None = "concat"


class _Wrapper(msgspec.Struct):
    layer: dict[str, Any]


class _Reshape(msgspec.Struct):
    target_shape: list[int]


class Reader:
    """Reads a model's layers in order, one `read` each, into a chain."""

    def __init__(self, store: Store) -> None:
        self.store, self.chain = store, Chain()
        self.reads: list[Read] = []
        self.size: int | None = None
        self._steps: int | None = None
        self._refused = False
        self._embedded = self._vectors = self._flipped = self._masked = False
        self._training_alone: list[str] = []
        self._halves: list[str] = []

    def read(self, placed: Placed) -> None:
        """Read a layer, or remember why it cannot be."""
        try:
            self._read(placed.layer, placed.path)
        except FileFormatError:
            raise
        except OstinatoError as error:
            self._refuse(placed.layer.label, error.message)

    def finish(self) -> Chain:
        """Return the chain with all parts, and notes of what was left out."""
        if self._flipped and not self._once:
            self.chain.refuse("the model", "it puts its steps out in reverse order of time, because of go_backwards.")
        if self._vectors:
            self.chain.note("Keras's model reads single vectors; here each step of x is one.")
        if self._training_alone:
            self.chain.note(f"left out, since it acts in training alone: {', '.join(self._training_alone)}.")
        if self._halves:
            self.chain.note(f"Keras computes in half precision, float32 is used here: {', '.join(self._halves)}.")
        if self.store.converted:
            self.chain.note(f"weights were converted to float32 from {', '.join(sorted(self.store.converted))}.")
        for read in self.reads:
            self.chain.add(*read)
        return self.chain

    # ---- the state of reading

    def _refuse(self, label: str, reason: str) -> None:
        # What comes to the layers after it is not known; they are read for their own faults alone.
        self.chain.refuse(label, reason)
        self._refused, self.size = True, None

    @property
    def _once(self) -> bool:
        """Whether one step a sequence comes to the next layer."""
        return reduces(read.part for read in self.reads)

    def _add(self, *reads: Read) -> None:
        self.reads.extend(reads)
        self.size = self.reads[-1].part.output_size

    def _add_function(self, function: Squashing) -> None:
        part = part_of(function, self._coming())
        if part is not None:
            self._add(Read(part))

    def _coming(self) -> int:
        if self.size is None and self._refused:
            return 1
        if self.size is None:
            raise Refusal("the file does not say how many features come to it.")
        return self.size

    def _read(self, layer: Layer, path: str) -> None:
        if layer.is_operation:
            raise Refusal("it is an operation on tensors and no layer.")
        if not layer.is_kerass:
            raise Refusal("its class is not one of Keras's own, and its code is not in the file.")
        shape = layer.input_shape
        if self.size is None and shape is not None and len(shape) > 1:
            self.size = shape[-1]
        if layer.class_name not in READERS:
            raise Refusal(f"a {layer.class_name:.60} has no counterpart here.")
        self._check_name(layer, path)
        self._check_type(layer)
        if _drops(layer.config):
            self._training_alone.append(f"the dropout of {layer.own_name:.60}")
        READERS[layer.class_name](self, layer, path)

    def _check_name(self, layer: Layer, path: str) -> None:
        """Refuse a file whose variables are those of another layer than the config says."""
        name = self.store.name_of(path)
        if name is not None and name != layer.own_name:
            raise FileFormatError(
                f"{self.store.path} is damaged: the variables of {layer.own_name:.60} are those of {name:.60}.",
                "save the model again: model.save('model.keras')",
            )

    def _check_type(self, layer: Layer) -> None:
        policy = layer.config.get("dtype")
        kind = policy.get("class_name") if isinstance(policy, dict) else None
        config = policy.get("config") if isinstance(policy, dict) else None
        name = config.get("name") if isinstance(config, dict) else policy
        if kind not in (None, "DTypePolicy") or layer.config.get("quantization_config"):
            raise Refusal("it is quantised; save the model before quantize() is called.")
        if isinstance(name, str) and "float16" in name:
            self._halves.append(layer.own_name)

    # ---- layers

    def _input(self, layer: Layer, path: str) -> None:
        shape = layer.config.get("batch_shape")
        if self.reads or self._embedded or not isinstance(shape, list):
            return
        if not 2 <= len(shape) <= 3:
            raise Refusal(
                f"x has {len(shape)} axes with the batch's, where steps and features, or symbols, were expected."
            )
        self._vectors = len(shape) == 2
        steps, size = (None, *shape[1:])[-2:]
        self._steps = steps if type(steps) is int else None
        self.size = size if type(size) is int else None

    def _embedding(self, layer: Layer, path: str) -> None:
        own: _Embedding = options(layer, _Embedding)
        if self.reads or self._embedded:
            raise Refusal("an embedding reads symbols, so it stands at the beginning.")
        if len(layer.input_shape or (None, None)) != 2:
            raise Refusal("it reads several symbols a step, where a sequence has one.")
        (weight,) = self.store.variables(path, [(own.input_dim, own.output_dim)])
        self.chain.embed(weight)
        # An input of two axes is known now: symbols at each of so many steps.
        self._steps = self.size if self._vectors else None
        self._embedded, self._vectors, self.size = True, False, own.output_dim
        if own.mask_zero:
            self._mask(layer, "Keras skips symbol 0 as padding")

    def _masking(self, layer: Layer, path: str) -> None:
        own: _Masking = options(layer, _Masking)
        self._mask(layer, f"Keras skips steps whose features are all {own.mask_value:g}")

    def _mask(self, layer: Layer, what: str) -> None:
        self._masked = True
        self.chain.note(
            f"{layer.own_name:.60}: {what}; here no step is skipped, and `lengths` says where padding begins."
        )

    def _recurrent(self, layer: Layer, path: str) -> None:
        own: LayerConfig = options(layer, LayerConfig)
        self._check_sequence()
        reads = read_recurrent(layer, path, self.store, self._flipped)
        self._add(*reads)
        self._told_stateful(layer, own)
        if not own.return_sequences:
            self._add(last(reads[-1]))
        self._flip(layer, own)

    def _flip(self, layer: Layer, own: LayerConfig) -> None:
        """Keep that steps go on in the other order of time, where a layer goes backwards."""
        self._flipped ^= own.go_backwards
        if self._masked and own.go_backwards and own.return_sequences:
            name = f"{layer.own_name:.60}"
            self.chain.note(
                f"{name}: Keras leaves its mask as it was after go_backwards, so it skips other steps then."
            )

    def _told_stateful(self, layer: Layer, own: LayerConfig) -> None:
        if own.stateful:
            self.chain.note(f"{layer.own_name:.60} is stateful: here `run` goes on from the state that it is given.")

    def _check_sequence(self) -> None:
        if self._once and not self._refused:
            raise Refusal("it reads sequences, but of each only one step comes to it.")

    def _bidirectional(self, layer: Layer, path: str) -> None:
        own: _Bidirectional = options(layer, _Bidirectional)
        if own.merge_mode is None:
            raise Refusal("with merge_mode=None it has two outputs.")
        if own.backward_layer is None:
            raise Refusal("its config has no backward layer.")
        self._check_sequence()
        inner = [layer_of(own.layer), layer_of(own.backward_layer)]
        for one in inner:
            self._check_inner(one, RECURRENT_LAYERS)
        forward, backward = (options(one, LayerConfig) for one in inner)
        if forward.return_sequences != backward.return_sequences or forward.go_backwards == backward.go_backwards:
            raise Refusal("its two layers do not fit together.")
        places = (f"{path}/forward_layer", f"{path}/backward_layer")
        branches = [
            read_recurrent(one, place, self.store, self._flipped) for one, place in zip(inner, places, strict=True)
        ]
        self._told_stateful(layer, forward)
        if not forward.return_sequences:
            branches = [[*branch, last(branch[-1])] for branch in branches]
        if forward.return_sequences and len(branches[0]) == len(branches[1]) == 1:
            self._add(two_ways(branches[0][0], branches[1][0], own.merge_mode))
        else:
            self._add(parallel(branches, own.merge_mode))
        self._flip(layer, forward)

    def _check_inner(self, layer: Layer, known: tuple[str, ...]) -> None:
        if layer.class_name not in known or not layer.is_kerass:
            raise Refusal(f"the layer within it, {layer.label}, cannot be imported.")
        self._check_type(layer)

    def _time_distributed(self, layer: Layer, path: str) -> None:
        inner = layer_of(options(layer, _Wrapper).layer)
        self._check_sequence()
        here = f"{path}/layer"
        if inner.class_name in ("Sequential", "Functional") and inner.is_kerass:
            reasons: list[str] = []
            found = list(layers_of(inner, lambda name, reason: reasons.append(f"{name}: {reason}"), f"{here}/"))
            if reasons:
                raise Refusal(f"of the model within it {reasons[0]}")
        else:
            found = [Placed(inner, here)]
        for placed in found:
            self._check_inner(placed.layer, STEPWISE)
            READERS[placed.layer.class_name](self, placed.layer, placed.path)

    def _dense(self, layer: Layer, path: str) -> None:
        own: _Dense = options(layer, _Dense)
        function = activation_of(own.activation)
        shapes: list[tuple[int | None, ...]] = [(self.size, own.units), (own.units,)]
        kernel, *bias = self.store.variables(path, shapes if own.use_bias else shapes[:1])
        self._add(linear(kernel.T, bias[0] if bias else None))
        self._add_function(function)

    def _function(self, layer: Layer, path: str) -> None:
        self._add_function(layer_function(layer.class_name, layer.config))

    def _layer_norm(self, layer: Layer, path: str) -> None:
        own = self._norm_options(layer)
        if own.rms_scaling:
            raise Refusal("rms_scaling, which takes no mean away, has no counterpart here.")
        size = self._coming()
        found = iter(self.store.variables(path, [(size,)] * (own.scale + own.center)))
        scale, shift = next(found) if own.scale else None, next(found) if own.center else None
        self._add(norm(size, scale, shift, own.epsilon))

    def _batch_norm(self, layer: Layer, path: str) -> None:
        own = self._norm_options(layer)
        if own.renorm:
            raise Refusal("renorm, batch renormalisation, cannot be imported.")
        size = self._coming()
        found = iter(self.store.variables(path, [(size,)] * (own.scale + own.center + 2)))
        scale, shift = next(found) if own.scale else None, next(found) if own.center else None
        mean, variance = found
        reads = batch_norm(self.reads[-1] if self.reads else None, mean, variance, scale, shift, own.epsilon)
        self.reads = self.reads[:-1]
        self._add(*reads)

    def _norm_options(self, layer: Layer) -> _Norm:
        own: _Norm = options(layer, _Norm)
        axes = own.axis if isinstance(own.axis, list) else [own.axis]
        rank = len(layer.input_shape or ())
        if len(axes) != 1 or axes[0] not in (-1, *([rank - 1] if rank else [])):
            raise Refusal(f"it normalises over axis {own.axis!r:.30}, where the features are the last one.")
        return own

    def _pooling(self, layer: Layer, path: str) -> None:
        own: _Pooling = options(layer, _Pooling)
        if own.data_format != "channels_last" or own.keepdims:
            raise Refusal("it pools with data_format='channels_first' or keepdims=True.")
        self._check_sequence()
        kind = "mean" if "Average" in layer.class_name else "max"
        if kind == "max" and self._masked:
            self.chain.note(
                f"{layer.own_name:.60}: Keras's maximum takes in padding; here it is over live steps alone."
            )
        self._add(*pooling(kind, self._coming()))

    def _flatten(self, layer: Layer, path: str) -> None:
        if not (self._once or self._vectors):
            raise Refusal("it makes one vector of a sequence of fixed length.")

    def _reshape(self, layer: Layer, path: str) -> None:
        shape = options(layer, _Reshape).target_shape
        same = [self.size] if self._once or self._vectors else [self._steps, self.size]
        fits = len(shape) == len(same) and all(new in (-1, old) for new, old in zip(shape, same, strict=True))
        if not fits:
            raise Refusal(f"it gives each sequence another shape, {shape}.")

    def _without_effect(self, layer: Layer, path: str) -> None:
        if layer.class_name in IN_TRAINING_ALONE:
            self._training_alone.append(f"{layer.own_name:.60}")


def _drops(given: Any) -> bool:
    """Whether a layer's arguments, or those of one within it, drop inputs or states in training."""
    if isinstance(given, list):
        return any(map(_drops, given))
    if not isinstance(given, dict):
        return False
    own = given.get("dropout") or given.get("recurrent_dropout")
    return bool(own) or any(_drops(given.get(key)) for key in ("layer", "cell", "cells", "config"))


READERS: dict[str, Callable[[Reader, Layer, str], None]] = {
    "InputLayer": Reader._input,
    "Embedding": Reader._embedding,
    "Masking": Reader._masking,
    **dict.fromkeys(RECURRENT_LAYERS, Reader._recurrent),
    "Bidirectional": Reader._bidirectional,
    "TimeDistributed": Reader._time_distributed,
    "Dense": Reader._dense,
    **dict.fromkeys(FUNCTION_LAYERS, Reader._function),
    "LayerNormalization": Reader._layer_norm,
    "BatchNormalization": Reader._batch_norm,
    "GlobalAveragePooling1D": Reader._pooling,
    "GlobalMaxPooling1D": Reader._pooling,
    "Flatten": Reader._flatten,
    "Reshape": Reader._reshape,
    "Identity": Reader._without_effect,
    **dict.fromkeys(IN_TRAINING_ALONE, Reader._without_effect),
}
STEPWISE = ("InputLayer", "Dense", *FUNCTION_LAYERS, "LayerNormalization", "Dropout", "Identity", "GaussianNoise")
"""The layers that TimeDistributed may hold: what they do to a step is what they do to each step of a sequence."""
