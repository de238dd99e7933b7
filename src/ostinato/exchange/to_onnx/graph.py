"""An ONNX graph while it is built: nodes, weights and names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
OPSET = 17
"""The set of operations that is written: the first with LayerNormalization."""
IR_VERSION = 8
"""The first version of the format with that set; a runtime refuses versions newer than itself."""


class Graph:
    """Nodes in the order of work. A value is known by its name; each name is given once in the whole file.

    The body of a loop is a graph of its own, which sees the values and the weights of the one around it. kind: the type
    of the weights.
    """

    def __init__(self, around: Graph | None = None, kind: Any = np.float32) -> None:
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self._root: Graph = self if around is None else around._root
        self._kind = kind
        self.held: dict[str, Array] = {}
        """The arrays that the file holds, by name."""
        self._count = 0

    def body(self) -> Graph:
        """Return a new graph, for the body of a loop in this one."""
        return Graph(self)

    # ---- values

    def weight(self, name: str, array: Array) -> str:
        """Return a value that the file holds; one name, one value."""
        return self._hold(name, array, self._root._kind)

    def number(self, value: float) -> str:
        """Return a number without axes."""
        with np.errstate(over="ignore"):
            number = np.float32(value)
        return self._hold(f"number_{number!s}", number, np.float32)

    def integer(self, value: int) -> str:
        """Return a whole number without axes."""
        return self._hold(f"integer_{value}", value, np.int64)

    def integers(self, *values: int) -> str:
        """Return whole numbers along one axis."""
        return self._hold(f"integers_{'_'.join(map(str, values))}", values, np.int64)

    def _hold(self, name: str, array: Any, kind: Any) -> str:
        if name not in self._root.held:
            self._root.held[name] = np.asarray(array, kind, order="C")
        return name

    def read(self, name: str, shape: tuple[str | int, ...], kind: str = "FLOAT") -> str:
        """Declare an input: its name, its sizes, by name where they may be any, and ONNX's word for its type."""
        self.inputs.append(_typed(name, shape, kind))
        return name

    def write(self, name: str, shape: tuple[str | int, ...]) -> None:
        """Declare an output."""
        self.outputs.append(_typed(name, shape, "FLOAT"))

    def unused(self, stem: str) -> str:
        """Return a name that no value has."""
        self._root._count += 1
        return f"{stem}_{self._root._count}"

    # ---- nodes

    def add(self, operation: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Append a node with one result, and return that; `name`: that of the result."""
        (result,) = self.add_many(operation, inputs, [self.unused(operation) if name is None else name], **attributes)
        return result

    def add_many(self, operation: str, inputs: Any, results: list[str], **attributes: Any) -> list[str]:
        """Append a node whose results have the given names, and return those."""
        from onnx import helper

        self.nodes.append(helper.make_node(operation, list(inputs), results, name=self.unused(operation), **attributes))
        return results

    def split(self, value: str, count: int, size: int) -> list[str]:
        """Cut a value's last axis into so many pieces of a size."""
        if count == 1:
            return [value]
        results = [self.unused("piece") for _ in range(count)]
        return self.add_many("Split", [value, self.integers(*[size] * count)], results, axis=-1)

    def join(self, values: list[str], axis: int = -1) -> str:
        """Join values along an axis."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=axis)

    def finished(self, name: str) -> Any:
        """Return the graph in ONNX's form."""
        from onnx import helper, numpy_helper

        held = [numpy_helper.from_array(array, name) for name, array in self.held.items()]
        return helper.make_graph(self.nodes, name, self.inputs, self.outputs, held)


def _typed(name: str, shape: tuple[str | int, ...], kind: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.DataType.Value(kind), shape)
