"""ONNX's recurrent operators, RNN, LSTM and GRU: which there are, each as a cell, and its weights both ways.

What a field means is what the ONNX standard says of it, and, where that leaves a choice, what ONNX Runtime does:
`clip` bounds what goes into the activations of the gates and of the candidate, not the c that goes into an LSTM's
last one, and `input_forget` makes f = 1 - i.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cells import Cell, cell, elman, elman_relu, elman_sigmoid, gru, gru_v1, lstm, maximum, minimum, peephole_lstm
from ..cells.activations import ACTIVATIONS, Function, activation
from ..errors import OptionError, ShapeError, closest
from ..program import Program
from ..program.trace import Value

Array = NDArray[Any]
Kind = Literal["RNN", "LSTM", "GRU"]

GATES: dict[Kind, tuple[str, ...]] = {"RNN": ("h",), "LSTM": ("i", "o", "f", "g"), "GRU": ("z", "r", "n")}
"""The gates, in the order in which ONNX stacks them. What ONNX calls c of an LSTM is g here, h of a GRU is n."""
PEEPHOLES = ("pi", "po", "pf")
"""An LSTM's peepholes, in ONNX's order."""
STATES: dict[Kind, tuple[str, ...]] = {"RNN": ("h",), "LSTM": ("h", "c"), "GRU": ("h",)}
"""The states, in the order of the operator's inputs and outputs."""
FUNCTIONS = {
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Affine": "affine",
    "LeakyRelu": "leaky_relu",
    "ThresholdedRelu": "thresholded_relu",
    "ScaledTanh": "scaled_tanh",
    "HardSigmoid": "hard_sigmoid",
    "Elu": "elu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}
"""ONNX's name of each activation, and ours."""
WITHOUT_DEFAULT = ("affine", "thresholded_relu", "scaled_tanh")
"""The activations whose α and β ONNX Runtime takes for 0 where a file gives none, against the standard."""


class Squashing(NamedTuple):
    """An activation by our name, with its α and β; None for a number that it does not have."""

    function: str
    alpha: float | None = None
    beta: float | None = None


SIGMOID, TANH, RELU = Squashing("sigmoid"), Squashing("tanh"), Squashing("relu")
DEFAULTS: dict[Kind, tuple[Squashing, ...]] = {"RNN": (TANH,), "GRU": (SIGMOID, TANH), "LSTM": (SIGMOID, TANH, TANH)}
"""The activations of an operator that names none: f of the gates, g of the candidate, h of an LSTM's output."""


@dataclass(frozen=True)
class Operator:
    """One of the operators, as one direction of it computes; its widths and its weights apart.

    activations: as many as `DEFAULTS` has for the kind. clip: the largest magnitude that goes into the gates'
    activations, or None. peepholes, input_forget: of an LSTM; linear_before_reset: of a GRU.
    """

    kind: Kind
    activations: tuple[Squashing, ...]
    clip: float | None = None
    peepholes: bool = False
    input_forget: bool = False
    linear_before_reset: bool = False

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that have an effect, in ONNX's order: with input_forget f has none, though it has weights."""
        return tuple(gate for gate in GATES[self.kind] if not (self.input_forget and gate == "f"))

    @property
    def vectors(self) -> tuple[str, ...]:
        """The peepholes that have an effect, in ONNX's order."""
        return tuple(p for p in PEEPHOLES if self.peepholes and p[1:] in self.gates)


def operator(kind: Kind, activations: Sequence[Squashing] | None = None, **fields: Any) -> Operator:
    """Return an operator with ONNX's default activations where none are given."""
    return Operator(kind, DEFAULTS[kind] if activations is None else tuple(activations), **fields)


KNOWN: dict[Operator, Cell] = {
    operator("RNN"): elman,
    operator("RNN", [RELU]): elman_relu,
    operator("RNN", [SIGMOID]): elman_sigmoid,
    operator("LSTM"): lstm,
    operator("LSTM", peepholes=True): peephole_lstm,
    operator("GRU"): gru_v1,
    operator("GRU", linear_before_reset=True): gru,
}
"""The operators that are cells of Ostinato's own."""


# ---- cells


def cell_of(operator: Operator) -> Cell:
    """Return the cell of an operator: one of Ostinato's own where it is one.

    Its gates and vectors are `Operator.gates` and `Operator.vectors`, its states `STATES`; their order is its own.

    Raises OptionError for an activation's number that is not finite, or that it does not have.
    """
    if operator in KNOWN:
        return KNOWN[operator]
    clip = operator.clip
    functions = [activation(*squashing) for squashing in operator.activations]
    return traced(operator, functions, lambda v: v if clip is None else maximum(minimum(v, clip), -clip))


def traced(operator: Operator, functions: Sequence[Function], clip: Function) -> Cell:
    """Return an operator's equations over the given activations and clipping, in place of its own, as a cell."""
    equations = _EQUATIONS[operator.kind](operator, functions, clip)
    equations.__name__ = f"onnx_{operator.kind.lower()}"
    equations.__doc__ = _doc(operator)
    gates, states, vectors = operator.gates, STATES[operator.kind], operator.vectors
    return cell(gates=" ".join(gates), state=" ".join(states), vectors=" ".join(vectors))(equations)


def _rnn(operator: Operator, functions: Sequence[Function], clip: Function) -> Callable[..., Any]:
    (f,) = functions
    return lambda x, R, s: f(clip(x.h + R.h(s.h)))


def _gru(operator: Operator, functions: Sequence[Function], clip: Function) -> Callable[..., Any]:
    f, g = functions

    def equations(x: Any, R: Any, s: Any) -> Value:
        z = f(clip(x.z + R.z(s.h)))
        r = f(clip(x.r + R.r(s.h)))
        product = r * R.n(s.h) if operator.linear_before_reset else R.n(r * s.h)
        n = g(clip(x.n + product))
        h: Value = (1 - z) * n + z * s.h
        return h

    return equations


def _lstm(operator: Operator, functions: Sequence[Function], clip: Function) -> Callable[..., Any]:
    f, g, h = functions

    def equations(x: Any, R: Any, s: Any, p: Any) -> tuple[Value, Value]:
        def seen(gate: str, c: Value) -> Value:
            v = getattr(x, gate) + getattr(R, gate)(s.h)
            return f(clip(v + getattr(p, f"p{gate}") * c if operator.peepholes else v))

        i = seen("i", s.c)
        forget = 1 - i if operator.input_forget else seen("f", s.c)
        c = forget * s.c + i * g(clip(x.g + R.g(s.h)))
        return seen("o", c) * h(c), c

    return equations


_EQUATIONS: dict[Kind, Callable[[Operator, Sequence[Function], Function], Callable[..., Any]]] = {
    "RNN": _rnn,
    "GRU": _gru,
    "LSTM": _lstm,
}


def _doc(operator: Operator) -> str:
    """Return an operator's equations in words."""
    f, g, h = [squashing.function for squashing in (*operator.activations, *DEFAULTS["LSTM"])[:3]]
    peephole = {gate: f" + p_{gate} ⊙ c" if operator.peepholes else "" for gate in "iof"}

    def line(gate: str, function: str, product: str, what: str = "") -> str:
        inner = f"W_{gate} x + b_{gate} + {product}"
        return f"{gate} = {function}({inner if operator.clip is None else f'clip({inner})'})" + what

    product = "r ⊙ (R_n h + d_n)" if operator.linear_before_reset else "R_n (r ⊙ h)"
    lines = {
        "RNN": [line("h", f, "R_h h")],
        "GRU": [
            line("z", f, "R_z h", "   update gate"),
            line("r", f, "R_r h", "   reset gate"),
            line("n", g, product, "   candidate"),
            "h = (1 - z) ⊙ n + z ⊙ h",
        ],
        "LSTM": [
            line("i", f, "R_i h" + peephole["i"], "   input gate"),
            "f = 1 - i" if operator.input_forget else line("f", f, "R_f h" + peephole["f"], "   forget gate"),
            line("g", g, "R_g h", "   candidate"),
            "c = f ⊙ c + i ⊙ g",
            line("o", f, "R_o h" + peephole["o"], "   output gate"),
            f"h = o ⊙ {h}(c)",
        ],
    }[operator.kind]
    legend = [told for squashing in dict.fromkeys(operator.activations) if (told := _numbers(squashing))]
    legend += [] if operator.clip is None else [f"clip: to at most {operator.clip:g} either way"]
    return "\n".join([f"The operator {operator.kind} of ONNX.", "", *lines, *(["", *legend] if legend else [])])


def _numbers(squashing: Squashing) -> str:
    """Return an activation's α and β in words; nothing where it has none."""
    pairs = zip("αβ", squashing[1:], strict=True)
    told = ", ".join(f"{letter} = {value:g}" for letter, value in pairs if value is not None)
    return f"{squashing.function}: {told}" if told else ""


# ---- activations


def activations_from_onnx(
    kind: Kind, names: Sequence[str], alphas: Sequence[float] = (), betas: Sequence[float] = ()
) -> tuple[Squashing, ...]:
    """Return the activations of one direction, given the operator's attributes for it; the defaults if names are none.

    alphas, betas: taken in turn by the activations that have such a number, as ONNX Runtime does.

    Raises OptionError for an unknown activation, a wrong number of them, or one without the numbers that it needs.
    """
    if not names:
        return DEFAULTS[kind]
    if len(names) != len(DEFAULTS[kind]):
        raise OptionError(f"{kind} has {len(DEFAULTS[kind])} activations a direction, not {len(names)}.")
    known = {name.lower(): ours for name, ours in FUNCTIONS.items()}
    remaining = {"alpha": list(alphas), "beta": list(betas)}
    found = []
    for name in names:
        if name.lower() not in known:
            raise OptionError(f"there is no activation {name!r:.60} in ONNX.", closest(name, FUNCTIONS))
        function = known[name.lower()]
        found.append(Squashing(function, *(_number(function, letter, remaining[letter]) for letter in remaining)))
    return tuple(found)


def _number(function: str, letter: str, remaining: list[float]) -> float | None:
    default: float | None = getattr(ACTIVATIONS[function], letter)
    if default is None:
        return None
    if remaining:
        return float(remaining.pop(0))
    if function in WITHOUT_DEFAULT:
        raise OptionError(
            f"the activation {function} comes without its {letter}, which ONNX Runtime takes for 0 and the standard "
            f"for {default:g}.",
            f"write the {letter} into the file.",
        )
    return default


def activations_to_onnx(activations: Sequence[Squashing]) -> dict[str, Any]:
    """Return the attributes of an operator with these activations, one direction after the other; all of it stated."""
    names = {ours: name for name, ours in FUNCTIONS.items()}
    attributes: dict[str, Any] = {"activations": [names[squashing.function] for squashing in activations]}
    for letter in ("alpha", "beta"):
        values = [value for squashing in activations if (value := getattr(squashing, letter)) is not None]
        attributes |= {f"activation_{letter}": values} if values else {}
    return attributes


# ---- weights


class OnnxWeights(NamedTuple):
    """One direction's weights as ONNX has them: W [G·H, D], R [G·H, H], B [2·G·H] of W's and R's biases, P [3·H]."""

    W: Array
    R: Array
    B: Array | None = None
    P: Array | None = None


def weights_from_onnx(operator: Operator, given: OnnxWeights) -> dict[str, Array]:
    """Return the weights of an operator's cell by the names of `Program.weight_shapes`; no bias where B is None.

    Raises ShapeError when the weights do not fit the operator and one another.
    """
    _check_shapes(operator, given)
    program, gates = cell_of(operator).program, GATES[operator.kind]

    def stacked(array: Array, names: Sequence[str]) -> Array:
        blocks = dict(zip(gates, np.split(array, len(gates)), strict=True))
        return np.concatenate([blocks[name] for name in names])

    weights = {"W": stacked(given.W, program.input_gates), "R": stacked(given.R, program.recurrent_gates)}
    if given.B is not None:
        of_input, of_state = np.split(given.B, 2)
        own = program.recurrent_bias_gates
        added = np.repeat([name not in own for name in gates], given.R.shape[1])
        weights["W_bias"] = stacked(of_input + np.where(added, of_state, 0), program.input_gates)
        weights |= {"R_bias": stacked(of_state, own)} if own else {}
    if given.P is not None:
        vectors = dict(zip(PEEPHOLES, np.split(given.P, 3), strict=True))
        weights |= {f"p_{name}": vectors[name] for name in operator.vectors}
    return weights


def _check_shapes(operator: Operator, given: OnnxWeights) -> None:
    if given.W.ndim != 2 or given.R.ndim != 2:
        raise ShapeError(f"W and R of {operator.kind} must have two axes a direction.")
    rows, hidden = len(GATES[operator.kind]) * given.R.shape[1], given.R.shape[1]
    expected = {"W": (rows, given.W.shape[1]), "R": (rows, hidden), "B": (2 * rows,), "P": (3 * hidden,)}
    for name, array in given._asdict().items():
        if array is not None and array.shape != expected[name]:
            raise ShapeError(f"{name} of {operator.kind} must be {list(expected[name])}, not {list(array.shape)}.")
    if operator.peepholes and given.P is None:
        raise ShapeError(f"{operator.kind} with peepholes needs P.")


def weights_to_onnx(
    operator: Operator, program: Program, names: Mapping[tuple[str, str], str], weights: Mapping[str, Array]
) -> OnnxWeights:
    """Return one direction's weights for an operator, given those of a program that computes the same.

    names: which of the program's gates and vectors stands for which of the operator's, as ``("input", "i")``,
    ``("recurrent", "i")`` and ``("vector", "pi")``. What has no effect in the operator is zero.
    """
    hidden = weights["R"].shape[1]
    nothing = np.zeros(hidden, np.float32)

    def blocks(weight: str, operation: str, known: Sequence[str]) -> Array:
        pieces = dict(zip(known, np.split(weights[weight], len(known)), strict=True)) if weight in weights else {}
        like = np.zeros((hidden, *weights[weight].shape[1:]), np.float32) if weight in weights else nothing
        return np.concatenate([pieces.get(names.get((operation, gate), ""), like) for gate in GATES[operator.kind]])

    biases = blocks("W_bias", "input", program.input_gates), blocks("R_bias", "recurrent", program.recurrent_bias_gates)
    vectors = [weights[f"p_{names['vector', p]}"] if p in operator.vectors else nothing for p in PEEPHOLES]
    return OnnxWeights(
        blocks("W", "input", program.input_gates),
        blocks("R", "recurrent", program.recurrent_gates),
        np.concatenate(biases) if weights.keys() & {"W_bias", "R_bias"} else None,
        np.concatenate(vectors) if operator.peepholes else None,
    )
