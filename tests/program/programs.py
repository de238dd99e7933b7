"""Random valid programs, for hypothesis, and an evaluator that shares nothing with the interpreters."""

import math

import numpy as np
from hypothesis import strategies as st

from ostinato.program import Instruction, Matrix, Program
from ostinato.program.declarations import SCALAR, Declarations

DECLARED = {
    "gates": ("a", "b", "c"),
    "states": (("h", "H"), ("q", "P")),
    "vectors": (("u", "H"), ("w", "P")),
    "matrices": (Matrix("up", "H", "P"), Matrix("down", "P", "H")),
}
STREAMS = (("e", "H"), ("f", "P"))
SOURCES = [("state", "h"), ("state", "q"), ("vector", "u"), ("vector", "w"), ("raw", "")]
SOURCES += [("input", gate) for gate in DECLARED["gates"]]
COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]


class Builder:
    """Grows a program instruction by instruction; `draw` is hypothesis's. Values stay moderate."""

    def __init__(self, draw, output, streams=()):
        self.draw = draw
        self.declared = Declarations(**DECLARED, output=output, streams=streams)
        self.instructions, self.types = [], []
        self.recurrent_width = self.choose(["H", "P"])
        for operation, name in [*SOURCES, *(("stream", name) for name, _ in streams)]:
            self.add(operation, name=name)
        self.add("constant", value=self.number())

    def choose(self, options):
        return self.draw(st.sampled_from(options))

    def number(self):
        return self.choose([-1.5, -0.25, 0.0, 0.3, 1.0, 2.0])

    def add(self, operation, *arguments, name="", value=0.0):
        instruction = Instruction(operation, arguments, name, value)
        if instruction not in self.instructions:
            self.types.append(self.declared.type_of(instruction, self.types))
            self.instructions.append(instruction)
        return self.instructions.index(instruction)

    def any_value(self, *widths):
        """Choose a slot of one of the widths (all of them by default) that is no comparison."""
        return self.choose([s for s, t in enumerate(self.types) if not t.is_mask and (not widths or t.width in widths)])

    def partner(self, slot):
        """Choose a slot that an elementwise operation can take beside `slot`."""
        width = self.types[slot].width
        return self.any_value() if width == SCALAR else self.any_value(width, SCALAR)

    def bounded(self, slot):
        return self.add("tanh", slot)

    def positive(self, slot):
        return self.add("add", self.add("square", self.bounded(slot)), self.add("constant", value=0.5))

    # ---- one more value

    def function(self):
        self.add(self.choose(["tanh", "sigmoid", "relu", "softplus", "negate", "abs"]), self.any_value())

    def bounded_function(self):
        self.add(self.choose(["exp", "square", "sin", "cos"]), self.bounded(self.any_value()))

    def positive_function(self):
        self.add(self.choose(["log", "sqrt"]), self.positive(self.any_value()))

    def pair(self):
        first = self.any_value()
        self.add(self.choose(["add", "subtract", "maximum", "minimum"]), first, self.partner(first))

    def product_of_pair(self):
        first = self.any_value()
        self.add("multiply", first, self.bounded(self.partner(first)))

    def quotient(self):
        first = self.any_value()
        self.add("divide", first, self.positive(self.partner(first)))

    def choice(self):
        first = self.any_value()
        # The threshold is one that values computed in two ways do not straddle.
        mask = self.add(self.choose(COMPARISONS), self.partner(first), self.add("constant", value=0.123456789))
        width = {self.types[first].width, self.types[mask].width} - {SCALAR}
        self.add("where", mask, first, self.any_value(*width, SCALAR))

    def recurrent_product(self):
        self.add("recurrent", self.any_value(self.recurrent_width), name=self.choose(self.declared.gates))

    def matrix_product(self):
        matrix = self.choose(self.declared.matrices)
        self.add("matrix", self.any_value(matrix.columns), name=matrix.name)

    def mean(self):
        """The mean of a row's units: one number a row, which then stands beside other values."""
        slot = self.any_value("H", "P")
        self.add("divide", self.add("sum", slot), self.add("size", name=self.types[slot].width))

    def normalised(self):
        slot = self.any_value("H", "P")
        size = self.add("size", name=self.types[slot].width)
        centred = self.add("subtract", slot, self.add("divide", self.add("sum", slot), size))
        variance = self.add("divide", self.add("sum", self.add("square", centred)), size)
        self.add("divide", centred, self.add("sqrt", self.add("add", variance, self.add("constant", value=0.3))))

    def result(self, width):
        """Choose a new state: a source as it is, or anything else bounded, so that time does not make it grow."""
        slot = self.any_value(width)
        is_source = self.instructions[slot].operation in ("state", "input", "vector", "raw", "stream")
        return slot if is_source else self.bounded(slot)


GROWTH = [
    Builder.function,
    Builder.bounded_function,
    Builder.positive_function,
    Builder.pair,
    Builder.product_of_pair,
    Builder.quotient,
    Builder.choice,
    Builder.recurrent_product,
    Builder.matrix_product,
    Builder.mean,
    Builder.normalised,
]


@st.composite
def programs(draw, streams=()):
    """Any program over `DECLARED`: shared parts, unused parts, states that depend on the input or nothing."""
    output = draw(st.sampled_from([("h",), ("q",), ("h", "q"), ("q", "h")]))
    builder = Builder(draw, output, streams)
    for grow in draw(st.lists(st.sampled_from(GROWTH), max_size=12)):
        grow(builder)
    results = tuple(builder.result(width) for _, width in DECLARED["states"])
    instructions = tuple(builder.instructions)
    return Program(**DECLARED, output=output, instructions=instructions, results=results, streams=streams)


# ---- an evaluator in plain Python

FORMULAS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negate": lambda v: -v,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "where": lambda condition, a, b: a if condition else b,
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v)),
    "tanh": math.tanh,
    "relu": lambda v: max(v, 0.0),
    "exp": math.exp,
    "log": math.log,
    "softplus": lambda v: max(v, 0.0) + math.log1p(math.exp(-abs(v))),
    "sqrt": math.sqrt,
    "square": lambda v: v * v,
    "abs": abs,
    "sin": math.sin,
    "cos": math.cos,
    "maximum": max,
    "minimum": min,
}

PLAIN_SOURCES = ("raw", "state", "vector", "constant", "stream", "size")


def evaluate(program, weights, x, state, lengths, streams=None):
    """Run sequence by sequence, step by step, instruction by instruction. Returns y and the final state."""
    streams = streams or {}
    names = [name for name, _ in program.states]
    y, final = [], []
    for b, length in enumerate(lengths):
        s, outputs = {name: part[b] for name, part in zip(names, state, strict=True)}, []
        for t in range(length):
            now = {name: values[t, b] for name, values in streams.items()}
            s = dict(zip(names, _step(program, weights, x[t, b], s, now), strict=True))
            outputs.append(np.concatenate([s[name] for name in program.output]))
        width = sum(len(s[name]) for name in program.output)
        y.append(np.array(outputs + [np.zeros(width)] * (len(x) - length)))
        final.append([s[name] for name in names])
    return np.stack(y, axis=1), [np.stack(parts) for parts in zip(*final, strict=True)]


def _step(program, weights, x, s, streams):
    widths = _widths(program, weights, s, streams, x)

    def block(weight, operation, gate):
        """The rows of one gate in a weight that stacks all gates with that operation."""
        used = [g for g in program.gates if any(i.operation == operation and i.name == g for i in program.instructions)]
        if weight == "R_bias":
            used = [g for g in used if g in program.recurrent_bias_gates]
        return np.split(weights[weight], len(used))[used.index(gate)] if gate in used else 0.0

    values = []
    for operation, arguments, name, number in program.instructions:
        given = [values[slot] for slot in arguments]
        if operation == "input":
            values.append(block("W", "input", name) @ x + block("W_bias", "input", name))
        elif operation == "recurrent":
            values.append(block("R", "recurrent", name) @ given[0] + block("R_bias", "recurrent", name))
        elif operation == "matrix":
            values.append(weights[f"M_{name}"] @ given[0])
        elif operation == "sum":
            values.append(math.fsum(given[0]))
        elif operation in PLAIN_SOURCES:
            sources = {"raw": x, "state": s.get(name), "vector": weights.get(f"p_{name}"), "constant": number}
            sources |= {"stream": streams.get(name), "size": widths.get(name)}
            values.append(sources[operation])
        else:
            values.append(np.vectorize(FORMULAS[operation])(*given))
    return [values[slot] for slot in program.results]


def _widths(program, weights, s, streams, x):
    """The number of units of each width, from whatever is that wide."""
    gates = {i.name for i in program.instructions if i.operation == "input"}
    found = {"H": len(weights["W"]) // len(gates) if gates else len(x)}
    found |= {width: len(s[name]) for name, width in program.states}
    found |= {width: len(weights[f"p_{name}"]) for name, width in program.vectors}
    return found | {width: len(streams[name]) for name, width in program.streams}
