"""Models of random weights, their ONNX files, and what ONNX Runtime makes of those."""

import numpy as np
import onnxruntime

from ostinato import Network
from ostinato.architecture import ModelArchitecture, RecurrentArchitecture


def network(parts, input_size, embedding=None, seed=0, scale=0.5):
    """Return a network all of whose weights differ."""
    architecture = ModelArchitecture(input_size, parts, embedding)
    random = np.random.default_rng(seed)
    shapes = architecture.weight_shapes()
    return Network(architecture, {n: random.normal(size=s, scale=scale).astype(np.float32) for n, s in shapes.items()})


def layer(cell, input_size, hidden_size, *more, **options):
    """Return a network of one stack; width letters beside H get 3 units."""
    further = dict.fromkeys(cell.program.width_letters[1:], 3)
    return network(
        [RecurrentArchitecture(cell, input_size, hidden_size, *more, further_widths=further, **options)], input_size
    )


def numbers(*shape, seed=5):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Session:
    """An ONNX file in ONNX Runtime, with the model's own order of inputs and outputs."""

    def __init__(self, file):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]
        self.metadata = self.session.get_modelmeta().custom_metadata_map

    def run(self, x, lengths, state):
        """Return y and the state after it, a list of arrays a layer as `state` has them."""
        flat = [part for parts in state for part in parts]
        given = dict(zip(self.inputs, [x, np.array(lengths, np.int64), *flat], strict=True))
        y, *after = self.session.run(None, given)
        remaining = iter(after)
        return y, [[next(remaining) for _ in parts] for parts in state]


def random_state(model, batch, seed=7):
    """Return a state of the model's shapes with random numbers."""
    random = np.random.default_rng(seed)
    start = model.runtime.initial_state(batch)
    return [[random.normal(size=part.shape, scale=0.5).astype(np.float32) for part in parts] for parts in start]
