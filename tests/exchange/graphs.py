"""Small ONNX graphs for tests, and what ONNX Runtime makes of them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


def numbers(random, *shape, scale=0.4):
    """Numbers that are all distinct, in float32."""
    return random.normal(size=shape, scale=scale).astype(np.float32)


def graph(nodes, inputs, outputs, constants=None, opset=17, **more):
    """A model of nodes. inputs: name → shape, or (type, shape); outputs: names; constants: name → array."""
    typed = {n: s if isinstance(s, tuple) else (FLOAT, s) for n, s in inputs.items()}
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in typed.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, **more)


def node(operation, inputs, outputs, name="", **attributes):
    """A node; names are separated by spaces, and "-" stands for one that is left out."""
    names = [["" if name == "-" else name for name in text.split()] for text in (inputs, outputs)]
    return helper.make_node(operation, *names, name=name, **attributes)


def saved(model, path):
    onnx.save(model, path)
    return path


def run(model, feeds):
    """What ONNX Runtime computes, by the names of the outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


class Builder:
    """A graph written node by node, each reading what the one before gives; what it computes is ONNX Runtime's to say.

    x: [T, B, D], or [B, T, D] where batch_first. Weights are random, and all distinct.
    """

    def __init__(self, size, batch_first=False, seed=0, opset=17):
        self.random, self.opset = np.random.default_rng(seed), opset
        self.nodes, self.constants, self.more = [], {}, []
        self.size, self.batch_first = size, batch_first
        self.inputs = {"x": ["B", "T", size] if batch_first else ["T", "B", size]}
        self.here = "x"
        self.reduced = False

    def constant(self, *shape, array=None):
        name = f"c{len(self.constants)}"
        # Smaller where more are summed: large ones would make every rounding larger from layer to layer.
        scale = min(0.4, 0.8 / np.sqrt(shape[-1])) if shape else 0.0
        self.constants[name] = numbers(self.random, *shape, scale=scale) if array is None else np.asarray(array)
        return name

    def op(self, operation, *inputs, count=1, **attributes):
        """Add a node; return its first output's name, or all of them."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(operation, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if count == 1 else names

    def to(self, operation, *inputs, **attributes):
        """Go on with a node that reads what comes."""
        self.here = self.op(operation, self.here, *inputs, **attributes)

    def model(self):
        return graph(self.nodes, self.inputs, [self.here, *self.more], self.constants, self.opset)

    # ---- layers

    def recurrent(self, kind="LSTM", direction="forward", hidden=None, final=False, **attributes):
        """A layer as exporters write it: time first, and its directions side by side at the end."""
        hidden = hidden or self.size + 1
        count, gates = (2 if direction == "bidirectional" else 1), {"RNN": 1, "GRU": 3, "LSTM": 4}[kind] * hidden
        if self.batch_first:
            self.to("Transpose", perm=[1, 0, 2])
        weights = [self.constant(count, gates, n) for n in (self.size, hidden)] + [self.constant(count, 2 * gates)]
        y, h = self.op(kind, self.here, *weights, count=2, direction=direction, hidden_size=hidden, **attributes)
        self.size = hidden * count
        if final:
            self.here = self.op("Transpose", h, perm=[1, 0, 2])
            self.to("Reshape", self.constant(array=np.array([0, -1])))
            self.reduced = True
            return
        self.here = y
        if count == 1:
            self.to("Squeeze", self.constant(array=np.array([1])))
        else:
            self.to("Transpose", perm=[0, 2, 1, 3])
            self.to("Reshape", self.constant(array=np.array([0, 0, -1])))
        if self.batch_first:
            self.to("Transpose", perm=[1, 0, 2])

    def matmul(self, bias=True):
        self.to("MatMul", self.constant(self.size, self.size + 2))
        self.size += 2
        if bias:
            self.here = self.op("Add", self.constant(self.size), self.here)

    def gemm(self):
        """A Gemm over all steps of all sequences, as if they were one batch."""
        shape = self.op("Shape", self.here)
        lead = self.op("Slice", shape, *(self.constant(array=np.array([n])) for n in (0, -1)))
        self.to("Reshape", self.constant(array=np.array([-1, self.size])))
        self.size += 1
        weight, bias = self.constant(self.size, self.size - 1), self.constant(self.size)
        self.to("Gemm", weight, bias, transB=1, alpha=0.5, beta=2.0)
        self.to("Reshape", self.op("Concat", lead, self.constant(array=np.array([self.size])), axis=0))

    def norm(self):
        self.to("LayerNormalization", self.constant(self.size), self.constant(self.size), epsilon=1e-3)

    def residual(self):
        before = self.here
        self.to("MatMul", self.constant(self.size, self.size))
        self.to("Tanh")
        self.here = self.op("Add", before, self.here)

    def gate(self):
        self.here = self.op("Mul", self.here, self.op("Sigmoid", self.here))

    def branches(self):
        before = self.here
        first = self.op("Relu", self.op("MatMul", before, self.constant(self.size, 3)))
        self.here = self.op("Concat", first, before, self.op("Neg", before), axis=-1)
        self.size = 2 * self.size + 3

    def scale(self):
        self.to("Sub", self.constant(self.size))
        self.to("Div", self.constant(array=np.arange(1, self.size + 1, dtype=np.float32)))

    def affine(self):
        self.to("Mul", self.constant(array=np.float32(0.75)))
        self.to("Add", self.constant(array=np.array([[-0.5]], np.float32)))

    def last(self, how):
        axis = 1 if self.batch_first else 0
        if how == "gather":
            self.to("Gather", self.constant(array=np.array(-1)), axis=axis)
        else:
            ends = [self.constant(array=np.array([n])) for n in (-1, 2**63 - 1, axis)]
            self.to("Slice", *ends)
            self.to("Squeeze", ends[-1])
        self.reduced = True
