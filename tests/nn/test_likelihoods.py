"""Networks that learn a distribution: their loss, its gradients, what they read on, and the runtime beside them."""

import numpy as np
import pytest
import torch

from ostinato.distributions import PARAMETRIC
from ostinato.runtime.forecast import ForecastRuntime
from tests.comparison import assert_close
from tests.nn.forecasting import CASES, architecture_of, batch_of, network_of, weights_in
from tests.nn.test_forecast import _gradients, _loss_beside

LIKELIHOODS = tuple(PARAMETRIC)
SOME = ["direct", "direct, mixed, masked, inputs", "stepwise, masked, inputs", "stepwise, mixed, masked, inputs"]


def sizes_of(case, likelihood):
    return architecture_of(
        **CASES[case],
        likelihood=likelihood,
        outputs=PARAMETRIC[likelihood].outputs,
        middle=PARAMETRIC[likelihood].middle,
    )


def counted(sizes, dtype=np.float64):
    """Return a batch whose truth is counts, in windows that differ in shift and scale."""
    batch = batch_of(sizes, windows=5, dtype=dtype)
    random = np.random.default_rng(7)
    shift = random.integers(0, 6, batch.shift.shape).astype(np.float64)
    scale = random.uniform(0.5, 4, batch.scale.shape)
    counts = random.poisson(3, batch.truth.shape)
    return batch._replace(truth=((counts - shift) / scale * batch.known).astype(dtype), shift=shift, scale=scale)


def given(batch):
    return [
        None if each is None else torch.from_numpy(each) for each in (batch.x, batch.future, batch.shift, batch.scale)
    ]


def softplus(values):
    return np.log1p(np.exp(values))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("case", SOME)
def test_the_runtime_gives_what_the_network_gives(case, likelihood):
    sizes = sizes_of(case, likelihood)
    network, batch = network_of(sizes, torch.float32).eval(), counted(sizes, np.float32)
    runtime = ForecastRuntime(sizes, weights_in(network))
    with torch.no_grad():
        expected = network(*given(batch))
    found = runtime.run(batch.x, batch.future, batch.shift, batch.scale)
    assert found.dtype == np.float32
    assert found.shape == (batch.x.shape[1], sizes.horizon, sizes.joint, sizes.outputs)
    assert_close(found, expected)
    at = np.array([0.05, 0.5, 0.95])
    ours, theirs = (
        PARAMETRIC[likelihood].quantiles(each, at, batch.shift, batch.scale) for each in (found, expected.numpy())
    )
    largest = 1 if likelihood == "negative-binomial" else 1e-5 * np.abs(theirs).max()
    assert np.abs(ours - theirs).max() <= largest
    with torch.no_grad():
        network.output.bias[0] += 1e-3
        with pytest.raises(AssertionError):
            assert_close(found, network(*given(batch)))


@pytest.mark.parametrize("case", ["stepwise", "stepwise, mixed, masked, inputs"])
def test_counts_are_read_on_by_their_mean_in_the_windows_unit(case):
    """The second segment is what a network of one segment fewer gives that has read the mean of the first."""
    sizes = sizes_of(case, "negative-binomial")
    network, batch = network_of(sizes).eval(), counted(sizes)
    with torch.no_grad():
        whole = network(*given(batch)).numpy()
    read = (softplus(batch.shift + batch.scale * whole[:, : sizes.segment, :, 0]) - batch.shift) / batch.scale
    parts = [read.reshape(len(read), -1)]
    if sizes.masked:
        parts.append(np.ones_like(parts[0]))
    if batch.future is not None:
        parts.append(batch.future[0])
    longer = batch._replace(x=np.concatenate([batch.x, np.concatenate(parts, axis=1)[None]]))
    if batch.future is not None:
        longer = longer._replace(future=np.concatenate([batch.future[1:], batch.future[-1:]]))
    with torch.no_grad():
        found = network(*given(longer)).numpy()
        other = network(*given(longer._replace(shift=batch.shift + 1))).numpy()
    assert_close(found[:, : sizes.horizon - sizes.segment], whole[:, sizes.segment :])
    assert_close(other[:, : sizes.segment], found[:, : sizes.segment])
    with pytest.raises(AssertionError):
        assert_close(other, found)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("case", SOME[1:3])
def test_all_is_learned_together_gradients_equal_central_differences(case, likelihood):
    sizes = sizes_of(case, likelihood)
    network, batch = network_of(sizes), counted(sizes)
    gradients = _gradients(network, batch)
    generator = torch.Generator().manual_seed(5)
    for name, weight in network.named_parameters():
        direction = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        above, below = (_loss_beside(network, weight, sign * 1e-6 * direction, batch) for sign in (1, -1))
        expected = (gradients[name] * direction).sum().item()
        assert (above - below) / 2e-6 == pytest.approx(expected, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_loss_is_the_mean_over_what_is_known(likelihood):
    sizes = sizes_of("direct, masked, inputs", likelihood)
    network, batch = network_of(sizes), counted(sizes)
    whole, _ = network.loss(batch, None)
    marked = batch._replace(truth=np.where(batch.known, batch.truth, 1e6))
    assert network.loss(marked, None)[0].item() == whole.item()
    rows = batch.x.shape[1]
    halves = [batch._replace(known=batch.known * (np.arange(rows) % 2 == half)[:, None, None]) for half in (0, 1)]
    parts = [network.loss(half, None)[0].item() * half.known.sum() for half in halves]
    assert whole.item() == pytest.approx(sum(parts) / batch.known.sum())
    nothing, _ = network.loss(batch._replace(known=0 * batch.known), None)
    assert nothing.item() == 0


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_bias_starts_where_the_truth_lies(likelihood):
    sizes = sizes_of("direct, mixed", likelihood)
    batch = counted(sizes)
    network = network_of(sizes)
    network.start_at(batch)
    start = network.output.bias.detach().numpy().reshape(sizes.segment, sizes.joint, sizes.outputs)
    padded = np.full((len(batch.truth), 9, sizes.joint), np.nan)
    padded[:, :7] = np.where(batch.known > 0, batch.truth, np.nan)
    steps = padded.reshape(-1, sizes.segment, sizes.joint)
    shift, scale = (np.repeat(each, 3, axis=0) for each in (batch.shift, batch.scale))
    assert_close(start.astype(np.float32), PARAMETRIC[likelihood].start(steps, shift, scale))
