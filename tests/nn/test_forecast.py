"""The forecast network against the oracle's plain loops, its loss against a formula, and its gradients."""

import numpy as np
import pytest
import torch

from ..comparison import assert_close
from ..oracles.forecaster import quantile_loss
from .forecasting import CASES, LEVELS, architecture_of, batch_of, by_oracle, network_of, weights_in

SOME = ["direct, mixed, masked, inputs", "stepwise, masked, inputs"]


def run(network, batch):
    with torch.no_grad():
        return network(torch.from_numpy(batch.x), None if batch.future is None else torch.from_numpy(batch.future))


@pytest.mark.parametrize("case", CASES)
def test_equals_the_oracle(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), batch_of(sizes)
    found = run(network, batch)
    assert found.shape == (batch.x.shape[1], sizes.horizon, sizes.joint, sizes.outputs)
    assert_close(found, by_oracle(sizes, weights_in(network), batch))


@pytest.mark.parametrize("case", SOME)
def test_every_weight_and_every_input_counts(case):
    """So that the comparison can fail: a change anywhere changes what comes out."""
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), batch_of(sizes)
    before = run(network, batch)
    for name, weight in network.named_parameters():
        with torch.no_grad():
            weight.view(-1)[-1] += 0.5
        with pytest.raises(AssertionError):
            assert_close(run(network, batch), before, name)
        with torch.no_grad():
            weight.view(-1)[-1] -= 0.5
    for place, array in ((0, batch.x), (-1, batch.x), (0, batch.future)):
        array[place] += 0.5
        with pytest.raises(AssertionError):
            assert_close(run(network, batch), before)
        array[place] -= 0.5
    assert_close(run(network, batch), before)


@pytest.mark.parametrize("case", CASES)
def test_parameters_have_the_shapes_of_the_architecture(case):
    sizes = architecture_of(**CASES[case])
    shapes = {name: tuple(weight.shape) for name, weight in network_of(sizes).named_parameters()}
    assert shapes == sizes.weight_shapes()
    assert set(network_of(sizes).state_dict()) == set(shapes)


@pytest.mark.parametrize("case", SOME)
def test_the_loss_is_the_mean_quantile_loss_of_what_is_known(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), batch_of(sizes)
    loss, state = network.loss(batch, None)
    assert state is None
    forecasts = by_oracle(sizes, weights_in(network), batch)
    assert loss.item() == pytest.approx(quantile_loss(batch.truth, batch.known, forecasts, LEVELS), rel=1e-6)
    assert loss.item() != pytest.approx(quantile_loss(batch.truth, np.ones_like(batch.known), forecasts, LEVELS))


def test_for_the_median_alone_the_loss_is_the_mean_absolute_error():
    truth, forecasts = np.random.default_rng(0).normal(size=(2, 5, 3, 2))
    found = quantile_loss(truth, np.ones_like(truth), forecasts[..., None], (0.5,))
    assert found == pytest.approx(np.abs(truth - forecasts).mean())


def test_nothing_known_is_no_loss():
    sizes = architecture_of(**CASES["direct"])
    network, batch = network_of(sizes), batch_of(sizes)
    loss, _ = network.loss(batch._replace(known=np.zeros_like(batch.known)), None)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in network.parameters())


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_central_differences(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes).eval(), batch_of(sizes)
    gradients = _gradients(network, batch)
    generator = torch.Generator().manual_seed(5)
    for name, weight in network.named_parameters():
        direction = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        above, below = (_loss_beside(network, weight, sign * 1e-7 * direction, batch) for sign in (1, -1))
        expected = (gradients[name] * direction).sum().item()
        assert (above - below) / 2e-7 == pytest.approx(expected, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("case", SOME)
def test_in_training_the_recurrence_learns_the_middle_quantile_alone(case):
    sizes = architecture_of(**CASES[case])
    batch = batch_of(sizes)
    found, every = (_gradients(network, batch) for network in (network_of(sizes), network_of(sizes).eval()))
    middle = _of_the_middle(network_of(sizes).eval(), batch)
    for name, gradient in found.items():
        if not name.startswith("output"):
            assert_close(gradient, middle[name], name)
        elif not sizes.stepwise:  # The output layer itself learns all; stepwise the recurrence would read it again.
            assert_close(gradient, every[name], name)
    with pytest.raises(AssertionError):
        assert_close(every["input.weight"], middle["input.weight"])


def _of_the_middle(network, batch):
    """Return the gradients of the part of the loss that the middle quantile has."""
    forecast = network(torch.from_numpy(batch.x), None if batch.future is None else torch.from_numpy(batch.future))
    truth, known = torch.from_numpy(batch.truth), torch.from_numpy(batch.known)
    error = (truth - forecast[..., network.architecture.middle]).abs() / len(LEVELS)
    ((error * known).sum() / known.sum()).backward()
    return {name: weight.grad for name, weight in network.named_parameters()}


@pytest.mark.parametrize("case", SOME)
def test_missing_truth_changes_no_gradient_whatever_stands_there(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), batch_of(sizes)
    marked = batch._replace(truth=np.where(batch.known, batch.truth, 1e6))
    before, after = _gradients(network, batch), _gradients(network, marked)
    assert all(torch.equal(before[name], after[name]) for name in before)
    spoilt = batch._replace(truth=np.where(batch.known, 1e6, batch.truth))
    with pytest.raises(AssertionError):
        assert_close(_gradients(network, spoilt), before)


@pytest.mark.parametrize("case", SOME)
def test_windows_without_any_truth_change_no_gradient(case):
    sizes = architecture_of(**CASES[case])
    network, batch, more = network_of(sizes), batch_of(sizes), batch_of(sizes, seed=9)
    more = more._replace(known=np.zeros_like(more.known))
    axes = {"x": 1, "future": 1}
    joined = batch._replace(
        **{
            name: np.concatenate([getattr(batch, name), getattr(more, name)], axes.get(name, 0))
            for name in batch._fields
        }
    )
    assert_close(_gradients(network, joined), _gradients(network, batch))


def test_dropout_acts_in_training_only():
    sizes = architecture_of(**CASES["stepwise, masked, inputs"])
    network, batch = network_of(sizes, dropout=0.5), batch_of(sizes)
    torch.manual_seed(1)
    assert not torch.equal(run(network.train(), batch), run(network, batch))
    assert torch.equal(run(network.eval(), batch), run(network, batch))
    assert_close(run(network, batch), by_oracle(sizes, weights_in(network), batch))


def test_the_forecast_itself_is_what_is_read_on_wherever_it_stands():
    """Stepwise, levels that are not the same to both sides have 0.5 elsewhere than in their middle."""
    first, other = (architecture_of("gru", stepwise=True, middle=place) for place in (0, 1))
    batch = batch_of(first)
    found = [run(network_of(sizes), batch) for sizes in (first, other)]
    assert torch.equal(found[0][:, :3], found[1][:, :3])
    assert not torch.equal(found[0][:, 3:], found[1][:, 3:])


def _gradients(network, batch):
    network.zero_grad()
    network.loss(batch, None)[0].backward()
    return {name: weight.grad for name, weight in network.named_parameters()}


def _loss_beside(network, weight, change, batch):
    with torch.no_grad():
        weight += change
        loss = network.loss(batch, None)[0].item()
        weight -= change
    return loss
