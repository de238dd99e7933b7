"""The forecast runtime against the torch network with the same weights, and against itself in other company."""

import numpy as np
import pytest
import torch

from ostinato.runtime.forecast import ForecastRuntime
from tests.comparison import assert_close
from tests.nn.forecasting import CASES, architecture_of, batch_of, by_oracle, network_of, weights_in


def both(case, seed=0):
    sizes = architecture_of(**CASES[case])
    network = network_of(sizes, torch.float32, seed).eval()
    return network, ForecastRuntime(sizes, weights_in(network)), batch_of(sizes, windows=7, dtype=np.float32)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_network_and_the_oracle(case):
    network, runtime, batch = both(case)
    with torch.no_grad():
        expected = network(torch.from_numpy(batch.x), None if batch.future is None else torch.from_numpy(batch.future))
    found = runtime.run(batch.x, batch.future)
    assert found.dtype == np.float32
    assert_close(found, expected)
    assert_close(found, by_oracle(runtime.architecture, weights_in(network), batch))


def test_other_weights_give_other_forecasts():
    network, _, batch = both("direct")
    _, other, _ = both("direct", seed=1)
    with torch.no_grad(), pytest.raises(AssertionError):
        assert_close(other.run(batch.x), network(torch.from_numpy(batch.x)))


@pytest.mark.parametrize("case", CASES)
def test_company_changes_no_bit(case):
    _, runtime, batch = both(case)
    sizes = runtime.architecture
    each = sizes.channels // sizes.joint
    whole = runtime.run(batch.x, batch.future)
    for few in (1, 2, 5):
        rows = slice(each, each * (1 + few))
        future = None if batch.future is None else np.ascontiguousarray(batch.future[:, rows])
        assert np.array_equal(runtime.run(np.ascontiguousarray(batch.x[:, rows]), future), whole[rows])


def test_inputs_are_not_changed():
    _, runtime, batch = both("stepwise, masked, inputs")
    before = batch.x.copy(), batch.future.copy()
    runtime.run(batch.x, batch.future)
    assert np.array_equal(batch.x, before[0])
    assert np.array_equal(batch.future, before[1])
