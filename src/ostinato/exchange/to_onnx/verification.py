"""Whether a file computes what a model does: run by ONNX Runtime, beside Ostinato's own runtime."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import extras
from ...architecture import ModelArchitecture, ParallelArchitecture, Part, RecurrentArchitecture
from ...cells.initialisers import draw_weights
from ...errors import ExportError
from ...runtime import Model

Array = NDArray[Any]
TOLERANCE = 1e-4
"""Largest difference allowed, as a part of the largest value of an output (or of 1, where that is less).

Both compute in float32, which carries 6e-8, but add in another order, and ONNX Runtime's functions are short
polynomials, good to 1e-6 or so; a few steps carry the difference on. A gate in another's place differs by 1e-1.
"""
SENSITIVITY, MOST_TOLERANCE = 30.0, 1e-2
"""A network that magnifies small differences may differ by more: by so many times what the last bit of x and of the
state does to the model's own result, but never by more than the second number."""
BATCHES: tuple[tuple[int, tuple[int, ...]], ...] = ((7, (7, 0, 3, 1, 6)), (1, (1, 0, 1)), (4, (4,)))
"""Steps and lengths that are run: odd ones, full ones, one step, no step."""
JITTERS = (0.1, 0.01, 0.0)
"""How far random weights are from how a cell starts them: as far as its numbers stay finite."""
WRONG = "nothing was written. A model whose numbers grow without bound may differ so; otherwise, please report it."
SEED = 20_240_229
"""A file that was written can be written again."""


def verify(content: bytes, architecture: ModelArchitecture, weights: Mapping[str, Array]) -> float:
    """Run an ONNX file beside the model that it was made of, and one of random weights beside its own model.

    Returns the largest difference, as a part of the largest value of an output (or of 1, where that is less).

    Raises ExportError when it is above `TOLERANCE`, or when ONNX Runtime cannot run the file.
    """
    from .writer import build

    extras.require("onnxruntime", "onnx")
    random = np.random.default_rng(SEED)
    found = [_largest_difference(content, architecture, weights, random)]
    drawn = _finite_weights(architecture, random)
    found.append(_largest_difference(build(architecture, drawn).content, architecture, drawn, random))
    return max(found)


def _largest_difference(
    content: bytes, architecture: ModelArchitecture, weights: Mapping[str, Array], random: np.random.Generator
) -> float:
    model, session = Model.of(architecture, weights), _session(content)
    names = [output.name for output in session.get_outputs()]
    states = [name.removeprefix("new_") for name in names[1:]]
    worst = 0.0
    for steps, lengths in BATCHES:
        x = _inputs(architecture, random, steps, len(lengths))
        # Where a stream could stand: the state after some steps, from which each sequence goes on.
        _, state = model.run(_inputs(architecture, random, 5, len(lengths)))
        expected = _flat(model.run(x, lengths, state))
        near = _flat(
            model.run(_nudged(x, random), lengths, [[_nudged(part, random) for part in layer] for layer in state])
        )
        given = {"x": _beyond(x, lengths), "lengths": np.array(lengths, np.int64)}
        given |= zip(states, itertools.chain.from_iterable(state), strict=True)
        for name, came, *values in zip(names, _run(session, given), expected, near, strict=True):
            worst = max(worst, compared(name, came, *values))
    return worst


def _flat(result: tuple[Array, Any]) -> list[Array]:
    y, state = result
    return [y, *itertools.chain.from_iterable(state)]


def _nudged(values: Array, random: np.random.Generator) -> Array:
    """Return numbers that are greater or less by a last bit; symbols as they are."""
    if values.dtype.kind in "iu":
        return values
    factors = 1 + random.choice([-1, 1], values.shape) * np.finfo(values.dtype).eps
    return np.asarray(values * factors, values.dtype)


def _session(content: bytes) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _refused(error) from error


def _run(session: Any, given: Mapping[str, Array]) -> Sequence[Array]:
    try:
        found: Sequence[Array] = session.run(None, given)
    except Exception as error:
        raise _refused(error) from error
    return found


def _refused(error: Exception) -> ExportError:
    return ExportError(f"ONNX Runtime cannot run what was exported: {error}", "nothing was written; please report it.")


def compared(name: str, came: Array, expected: Array, near: Array) -> float:
    """Return how far an output is from what was expected. near: what the model makes of almost the same.

    Raises ExportError when it is too far.
    """
    if came.shape != expected.shape:
        raise ExportError(f"ONNX Runtime gives {name} the shape {list(came.shape)}, not {list(expected.shape)}.", WRONG)
    finite = np.isfinite(expected)
    # What is no number for the model, such as the logarithm of a negative one, has to be none for the file.
    if not np.array_equal(came[~finite], expected[~finite], equal_nan=True):
        raise ExportError(f"ONNX Runtime gives {name} other infinities, or other values that are no numbers.", WRONG)
    largest = max(1.0, float(np.abs(expected[finite]).max(initial=0.0)))
    worst, own = (
        float(np.abs(other[finite].astype(float) - expected[finite]).max(initial=0.0)) / largest
        for other in (came, near)
    )
    allowed = min(max(TOLERANCE, SENSITIVITY * own), MOST_TOLERANCE) if np.isfinite(own) else TOLERANCE
    # Not `>`: what is no number is not near either.
    if not worst <= allowed:
        raise ExportError(
            f"ONNX Runtime and Ostinato differ in {name} by {worst:.2g} of its largest value, where {allowed:.2g} is "
            "allowed.",
            WRONG,
        )
    return worst


# ---- what is run


def _inputs(architecture: ModelArchitecture, random: np.random.Generator, steps: int, batch: int) -> Array:
    """Return x [T, B, D], or symbols [T, B]."""
    if architecture.embedding is not None:
        return random.integers(0, architecture.embedding.vocabulary_size, (steps, batch))
    return random.normal(size=(steps, batch, architecture.input_size)).astype(np.float32)


def _beyond(x: Array, lengths: Sequence[int]) -> Array:
    """Return x with what must have no effect: no numbers beyond each length."""
    if x.ndim == 2:
        return x
    return np.where((np.arange(len(x))[:, None] < np.array(lengths))[:, :, None], x, np.float32(np.nan))


def _finite_weights(architecture: ModelArchitecture, random: np.random.Generator) -> dict[str, Array]:
    """Return random weights, no two alike, for which what the model computes is finite, where there are such."""
    start = _drawn(architecture.parts, "parts.", random)
    if architecture.embedding is not None:
        size = architecture.embedding
        start["embedding.weight"] = random.normal(size=(size.vocabulary_size, size.size))
    weights: dict[str, Array] = {}
    for jitter in JITTERS:
        weights = {n: (w + jitter * random.normal(size=w.shape)).astype(np.float32) for n, w in start.items()}
        y, state = Model.of(architecture, weights).run(_inputs(architecture, random, 7, 3))
        if all(np.isfinite(part).all() for part in (y, *itertools.chain.from_iterable(state))):
            break
    return weights


def _drawn(parts: Sequence[Part], prefix: str, random: np.random.Generator) -> dict[str, Array]:
    """Return weights for a chain: a recurrent layer's as its cell starts them, others evenly around zero."""
    weights: dict[str, Array] = {}
    for index, part in enumerate(parts):
        here = f"{prefix}{index}."
        weights |= {here + n: random.normal(size=s) / np.sqrt(s[-1]) for n, s in part.weight_shapes().items()}
        if isinstance(part, ParallelArchitecture):
            for branch, chain in enumerate(part.branches):
                weights |= _drawn(chain, f"{here}branches.{branch}.", random)
        elif isinstance(part, RecurrentArchitecture):
            weights |= {here + name: array for name, array in _of_cell(part, random)}
    return weights


def _of_cell(part: RecurrentArchitecture, random: np.random.Generator) -> Iterator[tuple[str, Array]]:
    program, init = part.cell.program, dict(part.cell.init)
    for layer, direction in itertools.product(range(part.num_layers), range(part.num_directions)):
        size = part.output_size if layer else part.input_size
        for name, array in draw_weights(program, init, random, size, part.widths, part.bias, part.heads).items():
            yield f"layers.{layer}.{direction}.{name}", array
