"""ONNX files that Ostinato wrote, read back as the models that they were: writing, done backwards."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...architecture import ModelArchitecture
from ...errors import OstinatoError
from ..imported import Imported
from ..to_onnx.writer import ARCHITECTURE, graph_of

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]


def read_own(model: onnx.ModelProto) -> Imported | None:
    """Return the model that a file was made of, its own cells included; None where the file is not ours any more.

    The file says the architecture; its graph must be the one that is written of that, node by node and number by
    number. A file that another tool has changed, or another version of Ostinato wrote, is to be read by its nodes.
    """
    said = {entry.key: entry.value for entry in model.metadata_props}
    try:
        architecture = ModelArchitecture.from_data(msgspec.json.decode(said[ARCHITECTURE]))
        weights = _weights(architecture, _numbers(model, said))
        graph, parts = graph_of(architecture, weights)
    except (LookupError, ValueError, TypeError, ArithmeticError, RecursionError, OstinatoError):
        return None
    is_same = graph.finished("ostinato") == model.graph and parts.start.items() <= said.items()
    return Imported(architecture, weights, ()) if is_same else None


def _numbers(model: onnx.ModelProto, said: Mapping[str, str]) -> dict[str, Array]:
    """Return all that a file holds, by name: its arrays, and the starts of states in its metadata.

    Raises ValueError where they are damaged, or elsewhere.
    """
    from onnx import TensorProto, numpy_helper

    if any(held.data_location == TensorProto.EXTERNAL for held in model.graph.initializer):
        raise ValueError("its numbers are in another file.")
    starts = {name: text for name, text in said.items() if name.startswith("state.")}
    return {
        **{held.name: numpy_helper.to_array(held) for held in model.graph.initializer},
        **{name: np.asarray(json.loads(text), np.float32) for name, text in starts.items()},
    }


def _weights(architecture: ModelArchitecture, numbers: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights that are written as these numbers.

    Writing moves numbers and leaves them as they are. So numbers that say where they come from are written, and where
    each arrives, there is what belongs to its origin. What no output depends on is not written, and zero.

    Raises ValueError when the architecture has more weights than there are numbers, or they do not fit.
    """
    shapes = architecture.weight_shapes()
    ends = np.cumsum([0, *(math.prod(shape) for shape in shapes.values())], dtype=object)
    if ends[-1] > sum(array.size for array in numbers.values()):
        raise ValueError("there are more weights than numbers.")
    places = {
        name: np.arange(end - math.prod(shape), end).reshape(shape) + 1
        for (name, shape), end in zip(shapes.items(), ends[1:], strict=True)
    }
    graph, parts = graph_of(architecture, places, np.int64)
    written = graph.held | {name: np.asarray(json.loads(text)) for name, text in parts.start.items()}
    # Place 0 is for the zeros that stand where an operator has a number and the model has none.
    values = np.zeros(ends[-1] + 1, np.float32)
    for name, origin in written.items():
        found = numbers.get(name)
        # Only weights are of float32 there and of whole numbers here.
        if found is not None and found.dtype == np.float32 and origin.dtype == np.int64:
            if found.shape != origin.shape:
                raise ValueError(f"{name} has another shape.")
            values[origin] = found
    return {name: values[place] for name, place in places.items()}
