"""The contenders are right, and the reference tells when one is not."""

import numpy as np
import pytest
from benchmarks.contenders import CONTENDERS, REFERENCE, STORED, Refused
from benchmarks.contenders.live import live_run, written
from benchmarks.grid import VOCABULARY, Point, points
from benchmarks.parity import fault
from benchmarks.problem import PUSHES, Problem, cells_with_full_matrices
from benchmarks.worker import Worker

from ostinato import engine

ON_TORCH = [entry for entry in CONTENDERS if entry.libraries == ("torch",)]
OTHERS = [entry for entry in CONTENDERS if entry.libraries != ("torch",) and entry.name != "keras"]
QUICK = points(cells_with_full_matrices(), quick=True)
PAIRS = [(entry, point) for entry in ON_TORCH for point in QUICK if entry.takes(point)]


@pytest.fixture(autouse=True)
def keep_threads():
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def entry_of(name, group="push"):
    return next(entry for entry in CONTENDERS if entry.name == name and group in entry.groups)


def arrays_of(entry, point):
    return entry.load()(threads=1).prepare(Problem.of(point)).arrays()


@pytest.mark.parametrize(("entry", "point"), PAIRS, ids=lambda value: value.name)
def test_contenders_on_torch_are_right(entry, point):
    try:
        given = arrays_of(entry, point)
    except Refused:
        assert (entry.name, point.cell) == ("torch-log-scan", "rg_lru")
        return
    assert fault(given, arrays_of(REFERENCE, point), entry.tolerance) is None


@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry.name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_contenders_of_the_extra_are_right(entry):
    for library in entry.libraries:
        pytest.importorskip(library)
    for point in QUICK:
        if entry.takes(point):
            assert fault(arrays_of(entry, point), arrays_of(REFERENCE, point), entry.tolerance) is None, point.name


def test_keras_is_right():
    """In a process of its own, since a process has Keras on one backend for good."""
    keras = entry_of("keras")
    if keras.missing:
        pytest.skip(f"{' '.join(keras.missing)} not installed")
    worker = Worker(keras, threads=1)
    try:
        for point in QUICK:
            if keras.takes(point):
                assert fault(worker.prepare(point), arrays_of(REFERENCE, point), keras.tolerance) is None, point.name
    finally:
        worker.close()


def test_the_reference_agrees_with_differences():
    """Its gradient is the slope of its own output, and so of what it says it computes."""
    point = Point("ragged-training", "gru", 3, 12, 4, 5)
    problem = Problem.of(point)
    problem.x = problem.x.astype(np.float64)
    contender = REFERENCE.load()(threads=1)
    gradient = contender.prepare(problem).arrays()["d_x"]
    step = 1e-6

    def value():
        return (contender.prepare(problem).arrays()["y"] * problem.d_y).sum()

    problem.x[3, 1, 2] += step
    above = value()
    problem.x[3, 1, 2] -= 2 * step
    assert (above - value()) / (2 * step) == pytest.approx(gradient[3, 1, 2], rel=1e-5)


def test_swapped_gates_are_seen():
    point = Point("forward", "lstm", 2, 6, 4, 5)
    problem = Problem.of(point)
    blocks = np.split(problem.weights["W"], 4)
    problem.weights["W"] = np.concatenate([blocks[1], blocks[0], *blocks[2:]])
    given = entry_of("torch", "forward").load()(threads=1).prepare(problem).arrays()
    assert fault(given, arrays_of(REFERENCE, point)).startswith("y differs")


# ---- states that live

LIVE_POINTS = [Point("push", "lstm", 1, 1, 12, 20), Point("pool", "lstm", 7, 1, 12, 20)]
WRITING = Point("generation", "lstm", 1, 100, 32, 128)
LARGER = [Point("push", "lstm", 1, 1, 128, 128), Point("pool", "lstm", 100, 1, 64, 64), WRITING]
"""Where a few bytes stand out from gates in another order, as they do where it is timed."""


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("point", LARGER, ids=lambda point: point.group)
def test_swapped_gates_are_further_off_than_few_bytes_may_be(point, name):
    entry, problem = entry_of(name), Problem.of(point)
    expected = arrays_of(REFERENCE, point)
    assert fault(arrays_of(entry, point), expected, entry.tolerance) is None
    blocks = np.split(problem.weights["R"], 4)
    problem.weights["R"] = np.concatenate([blocks[1], blocks[0], *blocks[2:]])
    given = entry.load()(threads=1).prepare(problem).arrays()
    assert fault(given, expected, entry.tolerance).startswith("y differs")


@pytest.mark.parametrize("point", LIVE_POINTS, ids=lambda point: point.group)
def test_a_state_that_is_lost_is_seen(point):
    problem = Problem.of(point)

    def forgetful(x):
        first = Problem(point, problem.weights, x[None], None, problem.state)
        return entry_of("torch-cell").load()(threads=1).prepare(first).arrays()["y"][0]

    given = live_run(problem, lambda: forgetful).arrays()
    expected = arrays_of(REFERENCE, point)
    assert fault({"y": given["y"][:1]}, {"y": expected["y"][:1]}) is None
    assert fault(given, expected).startswith("y differs")


@pytest.mark.parametrize("name", ["ostinato", "torch-cell"])
@pytest.mark.parametrize("point", LIVE_POINTS, ids=lambda point: point.group)
def test_what_is_timed_goes_on_from_call_to_call(name, point):
    run = entry_of(name).load()(threads=1).prepare(Problem.of(point))
    called = [np.asarray(run.call()).copy().reshape(point.batch, -1) for _ in range(PUSHES)]
    assert np.array_equal(called, run.arrays()["y"])
    # The first input comes again, but the state is another.
    assert not np.array_equal(np.asarray(run.call()).reshape(point.batch, -1), called[0])


def test_the_text_that_is_written_is_never_in_doubt():
    problem = Problem.of(WRITING)
    assert np.array_equal(arrays_of(REFERENCE, WRITING)["y"], written(problem.x[1:])["y"])
    embedded = problem.weights["embedding"][problem.x[:-1]]
    y, _ = engine.prepare(problem.program, problem.weights).sequence(embedded, problem.state)
    scores = np.sort(y @ problem.weights["head"].T + problem.weights["head_bias"], axis=-1)
    assert (scores[..., -1] - scores[..., -2]).min() > 0.3


def test_one_wrong_symbol_is_seen():
    symbols = Problem.of(WRITING).x[1:]
    wrong = symbols.copy()
    wrong[-1] = (wrong[-1] + 1) % VOCABULARY
    assert fault(written(wrong), written(symbols), max(STORED.values())).startswith("y differs")
