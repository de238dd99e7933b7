"""ONNX in: a graph is read node by node, each name as what it stands for, until its output is a chain of parts."""

from __future__ import annotations

import os
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import DataError, OstinatoError
from ...extras import require
from ..imported import Chain, Imported
from . import lengths, recurrent
from .axes import UNKNOWN, Atom, described, letters_of
from .folding import fold
from .layers import compute
from .layout import INTEGERS, MOVING, TAKING, move
from .own import read_own
from .paths import NO_RUNS, Path, Runs, joined
from .tensors import NARROWED, array_of, text_of, type_name
from .values import CellState, Constant, Given, Node, OfLengths, Signal, Start, Symbols, Unread, Value

if TYPE_CHECKING:
    import onnx

OPSETS = range(7, 29)
"""The versions of the operators' standard whose meaning is known here."""
LAYOUTS = {
    ("numbers", 3): ("TBF", "BTF", "BFT", "TFB"),
    ("numbers", 2): ("TF", "BF", "TB", "BT"),
    ("symbols", 2): ("TB", "BT"),
    ("symbols", 1): ("T", "B"),
}
"""What the axes of the graph's input can be, in the order in which they are tried."""


def read_onnx(path: str | os.PathLike[str]) -> Imported:
    """Read an ONNX file: RNN, LSTM and GRU nodes and the layers around them, as a chain of parts.

    The graph's input is x, [T, B, D] or [B, T, D], or symbols; inputs that lengths or states come by are told in the
    notes, as is all else that is otherwise here. A file that Ostinato wrote is read as what it was written from.

    Raises DataError naming every node that cannot be read, with the reason; MissingExtraError without onnx.
    """
    require("onnx", "onnx")
    model = _parsed(FilePath(path))
    own = read_own(model)
    if own is not None:
        return own
    version = _version(model)
    graph = Graph(model.graph, FilePath(path).parent, version)
    inputs = _inputs(graph)
    readings = [Reading(graph, inputs, letters) for letters in _layouts(inputs.x)]
    # Which axis is time shows in what reads it: the right guess is the one that is understood furthest.
    best = max(readings, key=lambda reading: (not reading.refusals, reading.understood))
    return best.imported()


def _parsed(path: FilePath) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError) as error:
        raise DataError(f"{path} is damaged, or no ONNX file: {error}.") from None
    if not model.graph.node or not model.graph.output:
        raise DataError(f"{path} is damaged, or no ONNX file: it has no graph.")
    return model


def _version(model: onnx.ModelProto) -> int:
    """Return the version of the operators' standard that a model names. Raises DataError for an unknown one."""
    versions = [opset.version for opset in model.opset_import if text_of(opset.domain) in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        came = ", ".join(map(str, versions)) or "none"
        raise DataError(
            f"the file is written for opset {came}; versions {OPSETS[0]} to {OPSETS[-1]} are read.",
            "onnx.version_converter.convert_version makes one of another.",
        )
    return int(versions[0])


class Input(NamedTuple):
    """An input of a graph. sizes: None for one that the file leaves open; no sizes at all where it tells no shape."""

    name: str
    kind: str
    sizes: tuple[int | None, ...] | None


class Graph:
    """A graph as plain data: nodes, inputs, outputs, and the arrays it holds, read when they are asked for."""

    def __init__(self, graph: onnx.GraphProto, folder: FilePath, version: int) -> None:
        self._tensors = {text_of(tensor.name): tensor for tensor in graph.initializer}
        self._folder = folder
        self._arrays: dict[str, Constant] = {}
        self.narrowed: set[str] = set()
        self.sparse = {text_of(tensor.values.name) for tensor in graph.sparse_initializer}
        self.outputs = [text_of(output.name) for output in graph.output]
        self.inputs = [given for given in map(_input, graph.input) if given.name not in self._tensors]
        self.nodes: list[Node] = []
        self.unreadable: dict[int, str] = {}
        for index, proto in enumerate(graph.node):
            node, reason = self._node(proto, version)
            self.nodes.append(node)
            if reason:
                self.unreadable[index] = reason
        self.live = self._live()
        self.read = {name for node in self.nodes for name in node.inputs} | set(self.outputs)

    def _node(self, proto: onnx.NodeProto, version: int) -> tuple[Node, str]:
        attributes: dict[str, Any] = {}
        reason = ""
        for attribute in proto.attribute:
            try:
                attributes[text_of(attribute.name)] = self._attribute(attribute)
            except DataError as error:
                reason = error.message
        name, operation, domain = map(text_of, (proto.name, proto.op_type, proto.domain))
        domain = "" if domain == "ai.onnx" else domain
        inputs, outputs = tuple(map(text_of, proto.input)), tuple(map(text_of, proto.output))
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        return Node(name, operation, domain, inputs, outputs, attributes, version), reason

    def _attribute(self, attribute: onnx.AttributeProto) -> Any:
        from onnx import AttributeProto

        match attribute.type:
            case AttributeProto.FLOAT:
                return float(attribute.f)
            case AttributeProto.INT:
                return int(attribute.i)
            case AttributeProto.STRING:
                return attribute.s.decode(errors="replace")
            case AttributeProto.TENSOR:
                return self._read(attribute.t)
            case AttributeProto.FLOATS:
                return list(map(float, attribute.floats))
            case AttributeProto.INTS:
                return list(map(int, attribute.ints))
            case AttributeProto.STRINGS:
                return [text.decode(errors="replace") for text in attribute.strings]
        raise DataError(f"its attribute {attribute.name!r:.80} is of a kind that is not read")

    def constant(self, name: str) -> Constant | None:
        """Return the array of a name that the file holds one for. Raises DataError where it cannot be read."""
        if name not in self._arrays and name in self._tensors:
            self._arrays[name] = Constant(self._read(self._tensors[name]))
        return self._arrays.get(name)

    def _read(self, tensor: onnx.TensorProto) -> Any:
        array = array_of(tensor, self._folder)
        kind = type_name(tensor.data_type)
        if kind in NARROWED and array.ndim > 0:
            self.narrowed.add(kind.lower())
        return array

    def _live(self) -> list[bool]:
        """Return for each node whether an output depends on it."""
        wanted, live = set(self.outputs), [False] * len(self.nodes)
        for index in reversed(range(len(self.nodes))):
            if wanted & (set(self.nodes[index].outputs) - {""}):
                live[index] = True
                wanted |= set(self.nodes[index].inputs)
        return live

    def sides(self) -> tuple[set[str], set[str]]:
        """Return the names of what lengths, and first states, of recurrent nodes are made of."""
        return self._behind((recurrent.LENGTHS,)), self._behind((recurrent.INITIAL_H, recurrent.INITIAL_C))

    def _behind(self, places: tuple[int, ...]) -> set[str]:
        recurring = [node for node in self.nodes if node.operation in recurrent.OPERATORS]
        found = {node.inputs[place] for node in recurring for place in places if place < len(node.inputs)} - {""}
        for node in reversed(self.nodes):
            if found & set(node.outputs) and node.operation in (*MOVING, *TAKING, "Concat", "Expand"):
                found |= set(node.inputs)
        return found


def _input(given: onnx.ValueInfoProto) -> Input:
    tensor = given.type.tensor_type
    kind = type_name(tensor.elem_type)
    sizes = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
    return Input(text_of(given.name), kind, sizes if tensor.HasField("shape") else None)


# ---- the inputs


class Inputs(NamedTuple):
    """What a graph's inputs are for. lengths: that of the sequences, if there is one; states: in which to begin."""

    x: Input
    lengths: Input | None
    states: list[Input]


def _inputs(graph: Graph) -> Inputs:
    """Return what the inputs are for, as the recurrent nodes use them. Raises DataError unless one of them is x."""
    lengths, states = graph.sides()
    used = {name for node, live in zip(graph.nodes, graph.live, strict=True) if live for name in node.inputs}
    others = [given for given in graph.inputs if given.name in used and given.name not in lengths | states]
    counts = [given for given in graph.inputs if given.name in lengths]
    if len(others) == 2 and not counts:
        # Lengths of which masks alone are made.
        counts = [given for given in others if given.kind in INTEGERS and given.sizes and len(given.sizes) == 1]
    xs = [given for given in others if given not in counts]
    if len(xs) != 1 or len(counts) > 1:
        names = ", ".join(repr(given.name)[:80] for given in (*xs, *counts)) or "none"
        raise DataError(f"one input is read, beside lengths and states of recurrent nodes; the graph has {names}.")
    return Inputs(xs[0], counts[0] if counts else None, [given for given in graph.inputs if given.name in states])


def _layouts(x: Input) -> tuple[str, ...]:
    """Return all that the axes of x can be: T, B and F, the features. Raises DataError where it is no input of ours."""
    kind = "symbols" if x.kind in INTEGERS and (x.sizes is None or len(x.sizes) < 3) else "numbers"
    rank = {"symbols": 2, "numbers": 3}[kind] if x.sizes is None else len(x.sizes)
    if (kind, rank) not in LAYOUTS or x.kind not in (*INTEGERS, "FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"):
        raise DataError(f"the input {x.name!r:.80} of {rank} axes in {x.kind} is none that a model here has.")
    return LAYOUTS[kind, rank]


def _first_value(x: Input, letters: str) -> Signal | Symbols:
    """Return what the graph's input stands for. Numbers without an axis of features have one a step."""
    sizes = x.sizes or (None,) * len(letters)
    axes = tuple(
        (Atom(letter, UNKNOWN["D" if letter == "F" else letter] if size is None else size),)
        for letter, size in zip(letters, sizes, strict=True)
    )
    if x.kind in INTEGERS and "F" not in letters:
        return Symbols(axes)
    return Signal((Path(size=sizes[letters.index("F")] if "F" in letters else 1),), axes)


# ---- the graph, under one guess of what its input is


class Reading:
    """What each name of a graph stands for, if its input is laid out as supposed; and what could not be read."""

    def __init__(self, graph: Graph, inputs: Inputs, letters: str) -> None:
        self.graph, self.inputs = graph, inputs
        self.notes: dict[str, None] = {}
        self.refusals: list[tuple[str, str]] = []
        self.understood = 0
        self._x = _first_value(inputs.x, letters)
        self._example = lengths.Example.of(self._x.axes)
        self._values: dict[str, Value] = {inputs.x.name: self._x}
        self._values |= {given.name: Start(f"the input {given.name!r:.80}") for given in inputs.states}
        if inputs.lengths is not None:
            more = (1,) * (len(inputs.lengths.sizes or "1") - 1)
            self._values[inputs.lengths.name] = OfLengths(self._example.lengths.reshape(-1, *more))
        for index, node in enumerate(graph.nodes):
            if graph.live[index]:
                self._read(node, graph.unreadable.get(index))
        self.y = self._output()

    def _read(self, node: Node, unreadable: str | None) -> None:
        outputs: list[Value] = []
        try:
            if unreadable:
                raise DataError(unreadable)
            given = Given(tuple(self._value(name) for name in node.inputs))
            if not any(isinstance(value, Unread) for value in given.values):
                outputs = self._result(node, given)
                self.understood += 1
        except OstinatoError as error:
            self.refusals.append((node.title, error.message))
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            # What no valid file asks for: an axis that is not there, a shape that does not fit.
            self.refusals.append((node.title, f"it is not valid: {error}"))
        for place, name in enumerate(node.outputs):
            if name in self._values and name:
                self.refusals.append((node.title, f"it gives {name!r:.80} once more"))
            self._values[name] = outputs[place] if place < len(outputs) else Unread()
        self._missing(node, outputs)

    def _missing(self, node: Node, outputs: list[Value]) -> None:
        """Refuse a node whose further outputs, of which nothing is known, something reads."""
        for place, name in enumerate(node.outputs):
            if outputs and place >= len(outputs) and name and name in self.graph.read:
                self.refusals.append((node.title, f"its output {place + 1} is used, and cannot be read"))

    def _value(self, name: str) -> Value | None:
        if not name:
            return None
        if name in self._values:
            return self._values[name]
        constant = self.graph.constant(name)
        if constant is None:
            kind = "a sparse constant" if name in self.graph.sparse else "what nothing before it gives"
            raise DataError(f"it reads {name!r:.80}, {kind}")
        return constant

    def _result(self, node: Node, given: Given) -> list[Value]:
        if node.domain:
            raise DataError("it is no operator of ONNX's own")
        of_lengths = lengths.compute(node, given, self._example)
        if of_lengths is not None:
            return of_lengths
        if all(value is None or isinstance(value, Constant) for value in given.values):
            folded = fold(node, given)
            if folded is not None:
                return [*folded]
        if node.operation in recurrent.OPERATORS:
            return recurrent.run(node, given, self._example, self._tell)
        if any(isinstance(value, CellState) for value in given.values) and node.operation != "Concat":
            moved = move(node, given)
            if moved is None:
                raise DataError("it computes with the cell state c of an LSTM, which here only the LSTM itself sees")
            return moved
        if node.operation == "Cast" and node.get("to", 0) in (10, 16):
            self._tell("what the file rounds to 16 bits on its way is kept in float32.")
        if not (node.operation == "Gather" and isinstance(given[0], Constant)):
            moved = move(node, given)
            if moved is not None:
                return moved
        layer = compute(node, given)
        if layer is None:
            raise DataError("the operator is not among those that are read")
        return [layer]

    def _tell(self, text: str) -> None:
        self.notes[text] = None

    # ---- the output

    def _output(self) -> Signal | None:
        """Return what the graph's output is: the first that is not a state alone; the others must be states."""
        found = [(name, self._values.get(name)) for name in self.graph.outputs]
        if any(isinstance(value, Unread) for _, value in found):
            return None
        signals = [(name, value) for name, value in found if isinstance(value, Signal)]
        computed = [(name, value) for name, value in signals if not value.state] or signals[:1]
        if not computed:
            self.refusals.append((f"output {found[0][0]!r:.80}", "it is nothing that a model here puts out"))
            return None
        name, y = computed[0][0], self._joined(*computed[0])
        runs = NO_RUNS if y is None else y.paths[0].runs
        for other, value in found:
            if other != name:
                self._side(other, value, name, runs)
        return y

    def _joined(self, name: str, y: Signal) -> Signal | None:
        try:
            return Signal((joined(y.paths),), y.axes)
        except OstinatoError as error:
            self.refusals.append((f"output {name!r:.80}", error.message))
            return None

    def _side(self, name: str, value: Value | None, y: str, runs: Runs) -> None:
        state = value.state if isinstance(value, Signal | CellState) else NO_RUNS
        if state and state <= runs:
            self._tell(
                f"the output {name!r:.80} is a state after the last step; here it is in the state that run returns."
            )
        else:
            self.refusals.append((f"output {name!r:.80}", f"a model here has one output, which is {y!r:.80}"))

    # ---- what comes of it

    def imported(self) -> Imported:
        """Return the model. Raises DataError naming what could not be read."""
        chain = Chain()
        for title, reason in self.refusals:
            chain.refuse(title, f"{reason.rstrip('.')}.")
        if self.y is not None and not self.refusals:
            self._check_lengths(chain, self.y.paths[0])
            self._tell_more(self.y)
            for step in self.y.paths[0].line():
                if step.embedding is not None:
                    chain.embed(step.embedding)
                elif step.part is not None:
                    chain.add(step.part, step.weights)
        for note in self.notes:
            chain.note(note)
        with np.errstate(over="ignore"):
            return chain.finish()

    def _check_lengths(self, chain: Chain, path: Path) -> None:
        """Refuse a graph in which some recurrent nodes stop at a sequence's length and others do not."""
        titles = {title for title, _ in path.runs}
        recurring = [node for node in self.graph.nodes if node.title in titles]
        stops = [isinstance(self._value((*node.inputs, *[""] * 5)[4]), OfLengths) for node in recurring]
        if any(stops) and not all(stops):
            for node in recurring:
                chain.refuse(node.title, "it does not stop at the same lengths as the other recurrent nodes.")

    def _tell_more(self, y: Signal) -> None:
        dead = [node for node, live in zip(self.graph.nodes, self.graph.live, strict=True) if not live]
        for node in dead:
            self._tell(f"no output depends on {node.title}; it is left out.")
        if self.graph.narrowed:
            self._tell(f"weights in {' and '.join(sorted(self.graph.narrowed))} are kept in float32.")
        if self.inputs.lengths is not None:
            self._tell(
                f"the input {self.inputs.lengths.name!r:.80} is here the argument lengths of run; whatever stands "
                "behind the recurrent part, steps beyond a sequence's length are zero."
            )
        self._tell_axes(y)
        for title in sorted({title for title, _ in y.paths[0].twice}):
            self._tell(f"{title} runs in several branches, in each with a copy of its weights and a state of its own.")

    def _tell_axes(self, y: Signal) -> None:
        """Tell where the file's input and output are laid out otherwise than here, or are of one size only."""
        path = y.paths[0]
        axes = self._x.axes
        letters = "".join(map(letters_of, axes))
        size = path.line()[0].size if isinstance(self._x, Signal) else 0
        if letters != ("TBF" if size else "TB"):
            came, ours = described(axes, size), f"[T, B, {size}]" if size else "[T, B]"
            self._tell(f"the input {self.inputs.x.name!r:.80} is {came} in the file, and {ours} here.")
        here = "BF" if path.reduced else "TBF"
        if "".join(map(letters_of, y.axes)) != here:
            # Directions stacked on an axis of their own have their features on another.
            each = path.size // max(atom.size if atom.letter == "N" else 1 for axis in y.axes for atom in axis)
            ours = f"[B, {path.size}]" if path.reduced else f"[T, B, {path.size}]"
            self._tell(f"the output is {described(y.axes, each)} in the file, and {ours} here.")
        for letter, what in (("T", "step"), ("B", "sequence")):
            for atom in (atom for axis in axes for atom in axis if atom.letter == letter):
                if atom.size != UNKNOWN[letter]:
                    count = f"{atom.size} {what}{'s' * (atom.size != 1)}"
                    self._tell(f"the file is made for {count} at a time; here any number is read.")
