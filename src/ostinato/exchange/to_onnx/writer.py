"""A model as an ONNX file, checked against ONNX Runtime before it is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ... import __version__, extras
from ...architecture import ModelArchitecture, reduces
from ...errors import OptionError
from ...files import write_atomically
from .graph import IR_VERSION, OPSET, Graph
from .parts import Parts, state_inputs
from .ragged import Ragged

Array = NDArray[Any]
MOST_BYTES = 2**31 - 2**24
"""A file of the format holds less than 2 GiB; what is not weights is far below the rest."""
ARCHITECTURE = "architecture"
"""The name under which the metadata has the model's architecture, as JSON: for `from_onnx.own`."""
DOC = (
    "x: [time, batch, features], or symbols [time, batch]. lengths: the steps of each sequence, at least 0; y is zero "
    "beyond. Each state.<layer>.<name> is the state before the first step: zeros, or what the metadata has under that "
    "name. Each new_state.<layer>.<name> is the one after the last step, to go on from."
)


class Exported(NamedTuple):
    """What was written.

    size: the file's, in bytes. opset: its set of operations. layers: what each recurrent layer became, in order.
    inputs, outputs: their names. difference: how far ONNX Runtime's numbers were from the model's at most, as a part
    of the largest of them (or of 1, where that is less).
    """

    size: int
    opset: int
    layers: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float


class Built(NamedTuple):
    """A model in ONNX's form, and what each recurrent layer became."""

    content: bytes
    layers: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def export(
    path: str | os.PathLike[str],
    architecture: ModelArchitecture,
    weights: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
) -> Exported:
    """Write a model to an ONNX file, atomically, once ONNX Runtime has computed what the model does.

    weights: by the names of `ModelArchitecture.weight_shapes`. metadata: what the file says beside it.

    Raises ExportError with the difference when ONNX Runtime computes something else, OptionError for a model that is
    too large for the format, MissingExtraError without onnx and onnxruntime, OSError when the file cannot be written.
    The path is as it was then.
    """
    from .verification import verify

    built = build(architecture, weights, metadata)
    difference = verify(built.content, architecture, weights)
    write_atomically(path, built.content)
    return Exported(len(built.content), OPSET, built.layers, built.inputs, built.outputs, difference)


def build(
    architecture: ModelArchitecture, weights: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> Built:
    """Return a model in ONNX's form. Raises OptionError when it is too large for that, MissingExtraError."""
    extras.require("onnx", "onnx")
    from onnx import checker, helper

    size = sum(4 * array.size for array in weights.values())
    if size > MOST_BYTES:
        raise OptionError(
            f"this model has {size / 2**30:.1f} GiB of weights, and an ONNX file holds less than 2 GiB.",
            "export a smaller one.",
        )
    graph, parts = graph_of(architecture, weights)
    model = helper.make_model(
        graph.finished("ostinato"),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ostinato",
        producer_version=__version__,
        doc_string=DOC,
    )
    told = {ARCHITECTURE: msgspec.json.encode(architecture.to_data()).decode()}
    helper.set_model_props(model, {**(metadata or {}), **told, **parts.start})
    checker.check_model(model)
    inputs, outputs = (tuple(each.name for each in values) for values in (model.graph.input, model.graph.output))
    return Built(model.SerializeToString(), tuple(parts.layers), inputs, outputs)


def graph_of(
    architecture: ModelArchitecture, weights: Mapping[str, Array], kind: Any = np.float32
) -> tuple[Graph, Parts]:
    """Return a model's graph, and what was found out on the way. kind: the type of its weights."""
    graph = Graph(kind=kind)
    parts = Parts(graph, weights)
    if architecture.embedding is None:
        x = graph.read("x", ("time", "batch", architecture.input_size))
    else:
        x = graph.read("x", ("time", "batch"), "INT64")
    ragged = Ragged(graph, x, graph.read("lengths", ("batch",), "INT64"))
    for name, shape in state_inputs(architecture):
        graph.read(name, shape)
    y = parts.add_chain(architecture.parts, parts.embedded(x) if architecture.embedding else x, "parts.", ragged)
    if reduces(architecture.parts):
        graph.add("Identity", y, name="y")
        graph.write("y", ("batch", architecture.parts[-1].output_size))
    else:
        ragged.only_steps(y, name="y")
        graph.write("y", ("time", "batch", architecture.parts[-1].output_size))
    for name, shape in state_inputs(architecture):
        graph.write(f"new_{name}", shape)
    return graph, parts
