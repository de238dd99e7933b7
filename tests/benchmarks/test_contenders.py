"""The contenders are right, and the reference tells when one is not."""

import numpy as np
import pytest
from benchmarks.contenders import CONTENDERS, REFERENCE, Refused
from benchmarks.grid import Point, points
from benchmarks.parity import fault
from benchmarks.problem import Problem, cells_with_full_matrices

ON_TORCH = [entry for entry in CONTENDERS if entry.libraries == ("torch",)]
OTHERS = [entry for entry in CONTENDERS if entry.libraries != ("torch",)]
QUICK = points(cells_with_full_matrices(), quick=True)
PAIRS = [(entry, point) for entry in ON_TORCH for point in QUICK if entry.takes(point)]


@pytest.fixture(autouse=True)
def keep_threads():
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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
            assert fault(arrays_of(entry, point), arrays_of(REFERENCE, point)) is None, point.name


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
    torch_layer = next(entry for entry in ON_TORCH if entry.name == "torch")
    given = torch_layer.load()(threads=1).prepare(problem).arrays()
    assert fault(given, arrays_of(REFERENCE, point)).startswith("y differs")
