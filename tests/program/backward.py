"""Gradients of a whole run by `hoist` and `derivative` over NumPy, and the same by torch's autograd.

Sequences stand in order of length, longest first, and arrays over steps are lists: one array for each step, with a row
for each sequence that is still live.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import torch

from ostinato.engine.interpreter import Interpreter
from ostinato.engine.numpy import LIBRARY, NumpyInterpreter
from ostinato.engine.torch import LIBRARY as TORCH_LIBRARY
from ostinato.program import Program, derivative, hoist

SIZES = {"H": 3, "P": 2}


class Problem(NamedTuple):
    """A run of a program, and the gradients of what it gives: of the output at each step, and of the final states."""

    program: Program
    weights: dict[str, np.ndarray]
    x: list[np.ndarray]
    state: list[np.ndarray]
    streams: list[dict[str, np.ndarray]]
    d_y: list[np.ndarray]
    d_final: list[np.ndarray]

    @property
    def counts(self):
        """The live sequences at each step."""
        return [len(rows) for rows in self.x]


def random_problem(program, lengths, seed=0):
    """Return a run over sequences of the given lengths, with random values everywhere."""
    random = np.random.default_rng(seed)
    counts = [sum(length > t for length in lengths) for t in range(max(lengths))]
    shapes = program.weight_shapes(SIZES["H"], SIZES)
    return Problem(
        program,
        weights={name: random.normal(size=shape) for name, shape in shapes.items()},
        x=[random.normal(size=(n, SIZES["H"])) for n in counts],
        state=[random.normal(size=(len(lengths), SIZES[width])) for _, width in program.states],
        streams=[{name: random.normal(size=(n, SIZES[w])) for name, w in program.streams} for n in counts],
        d_y=[random.normal(size=(n, program.output_width(SIZES))) for n in counts],
        d_final=[random.normal(size=(len(lengths), SIZES[width])) for _, width in program.states],
    )


# ---- by the derivative


def gradients(problem, constant=frozenset()):
    """Return the gradients of weights, x and initial states, by name; those of constant states are left out."""
    hoisted = hoist(problem.program)
    if hoisted.parameters is None:
        return _gradients_of_step(problem, constant)
    outside = _parameters_problem(problem, hoisted.parameters)
    names = hoisted.parameters.state_names
    vectors = dict(zip(names, _final_state(outside), strict=True))
    weights = problem.weights | {f"p_{name}": value[0] for name, value in vectors.items()}
    found = _gradients_of_step(problem._replace(program=hoisted.step, weights=weights), constant)
    d_vectors = [found.pop(f"p_{name}")[None] for name in names]
    of_parameters = _gradients_of_step(outside._replace(d_final=d_vectors), frozenset())
    for name in outside.weights:
        found[name] = found.get(name, 0.0) + of_parameters[name]
    return found


def _parameters_problem(problem, parameters):
    """Return one step of one row, which has no input and whose states are never read."""
    state = [np.full((1, SIZES[width]), np.nan) for _, width in parameters.states]
    d_y = np.zeros((1, sum(part.shape[1] for part in state)))
    weights = {name: value for name, value in problem.weights.items() if name.startswith(("p_", "M_"))}
    return Problem(parameters, weights, [np.zeros((1, 0))], state, [{}], [d_y], state)


def _final_state(problem):
    interpreter = NumpyInterpreter(problem.program, problem.weights, problem.x[0])
    return interpreter.sequence(problem.x[0], [1], problem.state)[1]


def _gradients_of_step(problem, constant):
    back = derivative(problem.program, constant)
    recorded = _forward(problem)
    carried, sums, emitted = _backward(problem, back, recorded)
    found = defaultdict(float, {f"p_{vector}": sums[a].sum(axis=0) for a, vector in back.accumulated})
    found |= {f"state {name}": carried[d] for d, name in back.carried}
    _add_gradients_of_products(found, problem, back, recorded, emitted)
    _add_gradients_of_input(found, problem, back, emitted)
    zeros = {name: np.zeros_like(value) for name, value in problem.weights.items()}
    return zeros | {name: zeros.get(name, 0.0) + value for name, value in found.items()}


def _forward(problem):
    """Return, for each step, every slot's value and the states before and after the step."""
    state = dict(zip(problem.program.state_names, problem.state, strict=True))
    steps = []
    for x, streams in zip(problem.x, problem.streams, strict=True):
        state = {name: part[: len(x)] for name, part in state.items()}
        values = _slot_values(problem, x, state, streams)
        after = {name: values[s] for name, s in zip(problem.program.state_names, problem.program.results, strict=True)}
        steps.append({"kept": values, "before": state, "new": after, "given": streams, "raw": x})
        state = after
    return steps


def _slot_values(problem, x, state, streams):
    program, weights = problem.program, problem.weights
    sources = {"raw": lambda _: x, "state": state.get, "stream": streams.get, "size": SIZES.get}
    sources["vector"] = lambda name: weights[f"p_{name}"]
    values: list[Any] = []
    for slot, (operation, arguments, name, number) in enumerate(program.instructions):
        given = [values[argument] for argument in arguments]
        if operation == "input":
            value = x @ _block(problem, "W", name).T + _block(problem, "W_bias", name)
        elif operation == "recurrent":
            value = given[0] @ _block(problem, "R", name).T + _block(problem, "R_bias", name)
        elif operation == "matrix":
            value = given[0] @ weights[f"M_{name}"].T
        elif operation == "constant":
            value = number
        elif operation in sources:
            value = sources[operation](name)
        else:
            value = (LIBRARY.operations | LIBRARY.reductions)[operation](*given)
        width = SIZES.get(program.types[slot].width, 1)
        values.append(np.broadcast_to(value, (len(x), width)))
    return values


def _gates(program, weight):
    return {
        "W": program.input_gates,
        "W_bias": program.input_gates,
        "R": program.recurrent_gates,
        "R_bias": program.recurrent_bias_gates,
    }[weight]


def _block(problem, weight, gate):
    """Return one gate's rows of a weight that stacks gates; 0 for a bias that the gate does not have."""
    gates = _gates(problem.program, weight)
    return np.split(problem.weights[weight], len(gates))[gates.index(gate)] if gate in gates else 0.0


def _backward(problem, back, recorded):
    """Run the backward program, from the last step to the first.

    Returns the gradients of the initial states, the sums for vectors, one row a sequence, and the emitted rows.
    """
    program, weights = problem.program, _transposed(problem, back.program)
    d_final = dict(zip(program.state_names, problem.d_final, strict=True))
    interpreter = NumpyInterpreter(back.program, weights, np.zeros(0))
    names = back.program.state_names
    state = {name: np.zeros((0, SIZES[width])) for name, width in back.program.states}
    emitted = [{} for _ in recorded]
    for t in reversed(range(len(recorded))):
        state = _with_rows(state, back, d_final, problem.counts[t])
        streams = {name: _rows_of(source, recorded[t], problem, t) for name, source in back.streams.items()}
        before = [state[name] for name in names]
        _, after = interpreter.sequence(problem.x[t], [problem.counts[t]], before, streams)
        state = dict(zip(names, after, strict=True))
        emitted[t] = {name: state[name] for name in names if name.startswith("e")}
    state = _with_rows(state, back, d_final, len(problem.d_final[0]))
    return state, state, emitted


def _transposed(problem, program):
    """Return the backward program's weights."""
    forward = problem.program
    weights = {name: value for name, value in problem.weights.items() if name.startswith("p_")}
    for matrix, *_ in program.matrices:
        index = int(matrix[1:])
        is_recurrent = matrix.startswith("R")
        whole = _block(problem, "R", forward.gates[index]) if is_recurrent else None
        weights[f"M_{matrix}"] = (whole if is_recurrent else problem.weights[f"M_{forward.matrices[index].name}"]).T
    return weights


def _with_rows(state, back, d_final, count):
    """Let the sequences enter that have their last step here: with the gradients of their final states."""
    enters = {d: d_final[name] for d, name in back.carried}
    return {
        name: np.concatenate([part, enters.get(name, np.zeros((count, part.shape[1])))[len(part) : count]])
        for name, part in state.items()
    }


def _rows_of(source, step, problem, t):
    """Return the rows at one step of a source that is not emitted."""
    if source.kind == "output":
        return _d_output(problem, t)[source.name]
    if source.kind == "kept":
        return step["kept"][source.slot]
    return step["raw"] if source.kind == "raw" else step[source.kind][source.name]


def _d_output(problem, t):
    widths = [SIZES[dict(problem.program.states)[name]] for name in problem.program.output]
    parts = np.split(problem.d_y[t], np.cumsum(widths)[:-1], axis=1)
    return dict(zip(problem.program.output, parts, strict=True))


def _add_gradients_of_products(found, problem, back, recorded, emitted):
    program = problem.program
    blocks = defaultdict(float)
    for kind, name, gradient, operand in back.products:
        for t, step in enumerate(recorded):
            rows = emitted[t][operand.name] if operand.kind == "emitted" else _rows_of(operand, step, problem, t)
            blocks[kind, name] = blocks[kind, name] + emitted[t][gradient].T @ rows
            blocks["bias", name] = blocks["bias", name] + emitted[t][gradient].sum(axis=0)
    for kind, weight in (("recurrent", "R"), ("bias", "R_bias")):
        if weight in problem.weights:
            zeros = np.zeros_like(np.split(problem.weights[weight], len(_gates(program, weight)))[0])
            found[weight] = np.concatenate([blocks[kind, gate] + zeros for gate in _gates(program, weight)])
    for name, *_ in program.matrices:
        found[f"M_{name}"] = blocks["matrix", name]


def _add_gradients_of_input(found, problem, back, emitted):
    gates, states = problem.program.input_gates, dict(back.input_gradients)
    found["x"] = []
    for x, now in zip(problem.x, emitted, strict=True):
        zeros = np.zeros((len(x), SIZES["H"]))
        projected = np.concatenate([now[states[g]] if g in states else zeros for g in gates] or [zeros[:, :0]], axis=1)
        d_x = projected @ problem.weights["W"] if gates else np.zeros_like(x)
        if gates:
            found["W"] = found["W"] + projected.T @ x
            found["W_bias"] = found["W_bias"] + projected.sum(axis=0)
        found["x"].append(d_x + now[back.raw_gradient] if back.raw_gradient else d_x)
    found["x"] = np.concatenate(found["x"])


# ---- by torch


def torch_gradients(problem):
    """Return what `gradients` does, by autograd through the interpreter over torch."""
    weights = {name: _leaf(value) for name, value in problem.weights.items()}
    x, state = _leaf(np.concatenate(problem.x)), [_leaf(part) for part in problem.state]
    streams = {n: _tensor(np.concatenate([step[n] for step in problem.streams])) for n, _ in problem.program.streams}
    interpreter = Interpreter(problem.program, weights, TORCH_LIBRARY, x)
    live = [part[: problem.counts[0]] for part in state]
    y, final = interpreter.sequence(x, problem.counts, live, streams)
    whole = [torch.cat([part, first[len(part) :]]) for part, first in zip(final, state, strict=True)]
    loss = (y * _tensor(np.concatenate(problem.d_y))).sum()
    loss = loss + sum((part * _tensor(d)).sum() for part, d in zip(whole, problem.d_final, strict=True))
    leaves = weights | {"x": x} | dict(zip([f"state {n}" for n in problem.program.state_names], state, strict=True))
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return {name: gradient.numpy() for name, gradient in zip(leaves, found, strict=True)}


def _tensor(values):
    return torch.from_numpy(np.ascontiguousarray(values))


def _leaf(values):
    return _tensor(values).requires_grad_()
