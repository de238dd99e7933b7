"""The CRF against every path written down: probabilities and gradients, in batches of any lengths."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.data.tag_schemes import find_scheme
from ostinato.errors import DataError, OptionError, ShapeError, TrainingError
from ostinato.nn.crf import CRF
from ostinato.runtime.crf import CRFRuntime
from ostinato.training.loop import weights_of
from tests.comparison import are_close, assert_close
from tests.crf_cases import Case, telling_case
from tests.oracles import crf as oracle

SEEDS = st.integers(0, 2**32 - 1)
WEIGHTS = ("transitions", "first", "last")


def module_of(weights, dtype=torch.float64):
    crf = CRF(len(weights["first"]), weights["legal"]).to(dtype)
    crf.load_state_dict({name: torch.from_numpy(np.asarray(weights[name])) for name in WEIGHTS}, strict=False)
    return crf


def given_to(case, dtype=torch.float64):
    emissions = torch.from_numpy(case.emissions).to(dtype).requires_grad_()
    return emissions, torch.from_numpy(case.tags), torch.from_numpy(case.lengths)


def gradients(crf, loss, emissions):
    crf.zero_grad()
    emissions.grad = None
    loss.backward()
    return {"emissions": emissions.grad} | {name: weight.grad.clone() for name, weight in crf.named_parameters()}


@given(SEEDS)
@settings(max_examples=60)
def test_probabilities_equal_those_of_all_paths(seed):
    case = Case(seed)
    crf, (emissions, tags, lengths) = module_of(case.weights), given_to(case)
    every = range(case.batch)
    assert_close(
        crf(emissions, tags, lengths), [oracle.log_p(case.weights, case.sequence(b), case.path(b)) for b in every]
    )
    assert_close(
        crf.log_partition(emissions, lengths), [oracle.log_partition(case.weights, case.sequence(b)) for b in every]
    )


@given(SEEDS)
@settings(max_examples=60)
def test_gradients_equal_those_of_all_paths(seed):
    """That of log p is what the path has, less what is expected of all paths."""
    case = Case(seed)
    crf, (emissions, tags, lengths) = module_of(case.weights), given_to(case)
    weigh = np.random.default_rng(seed).normal(size=case.batch)
    found = gradients(crf, (crf(emissions, tags, lengths) * torch.from_numpy(weigh)).sum(), emissions)
    wanted = {name: np.zeros_like(case.weights[name]) for name in WEIGHTS} | {
        "emissions": np.zeros_like(case.emissions)
    }
    for b, factor in enumerate(weigh):
        sequence, path = case.sequence(b), case.path(b)
        has, expects = oracle.counts(path, sequence.shape), oracle.expected(case.weights, sequence)
        wanted["emissions"][: len(path), b] = factor * (has["emissions"] - expects["emissions"])
        for name in WEIGHTS:
            wanted[name] += factor * (has[name] - expects[name])
    assert_close(found, wanted)


def test_the_comparison_can_fail():
    case = telling_case()
    turned = case.weights | {"transitions": case.weights["transitions"].T}
    one, other = (module_of(weights)(*given_to(case)) for weights in (case.weights, turned))
    assert not are_close(one, other)
    assert are_close(one, one)


def test_gradients_equal_finite_differences():
    case = telling_case()
    crf, (emissions, tags, lengths) = module_of(case.weights), given_to(case)
    names, weights = zip(*crf.named_parameters(), strict=True)

    def loss(emissions, *weights):
        return torch.func.functional_call(crf, dict(zip(names, weights, strict=True)), (emissions, tags, lengths))

    leaves = [weight.detach().clone().requires_grad_() for weight in weights]
    assert torch.autograd.gradcheck(loss, (emissions, *leaves))


def test_a_second_derivative_is_refused():
    case = telling_case()
    emissions, tags, lengths = given_to(case)
    loss = module_of(case.weights).loss(emissions, tags, lengths)
    with pytest.raises(TrainingError, match="no second derivative"):
        torch.autograd.grad(loss, emissions, create_graph=True)


@given(SEEDS)
@settings(max_examples=30)
def test_the_probabilities_of_all_paths_add_up_to_1(seed):
    case = Case(seed)
    crf, length = module_of(case.weights), int(case.lengths[0])
    paths = oracle.paths(case.weights, length)
    emissions = torch.from_numpy(case.sequence(0))[:, None].expand(-1, len(paths), -1)
    log_p = crf(emissions, torch.tensor(paths).reshape(len(paths), length).T)
    assert_close(log_p.exp().sum().item(), 1.0)


@given(SEEDS)
@settings(max_examples=30)
def test_padding_changes_no_bit(seed):
    """Neither what stands there, nor how much of it there is; a gradient there is 0."""
    case = Case(seed)
    crf, (emissions, tags, lengths) = module_of(case.weights), given_to(case)
    beyond = np.arange(case.steps + 3)[:, None] >= case.lengths
    padded = np.concatenate([case.emissions, np.zeros((3, *case.emissions.shape[1:]))])
    padded[beyond] = np.nan
    filled = np.concatenate([case.tags, np.zeros((3, case.batch), int)])
    filled[beyond] = -100
    other = torch.from_numpy(padded).requires_grad_()
    one = crf.loss(emissions, tags, lengths)
    same = crf.loss(other, torch.from_numpy(filled), lengths)
    assert one.item() == same.item()
    before, after = gradients(crf, one, emissions), gradients(crf, same, other)
    assert (after["emissions"][torch.from_numpy(beyond)] == 0).all()
    after["emissions"] = after["emissions"][: case.steps]
    for name, gradient in before.items():
        assert torch.equal(gradient, after[name]), name


def test_a_full_batch_needs_no_lengths():
    case = telling_case()
    crf, (emissions, _, _) = module_of(case.weights), given_to(case)
    tags = torch.tensor([oracle.best(case.weights, case.emissions[:, b]) for b in range(case.batch)]).T
    full = torch.full((case.batch,), case.steps)
    assert torch.equal(crf(emissions, tags), crf(emissions, tags, full))
    assert torch.equal(crf.loss(emissions, tags), crf.loss(emissions, tags, full.tolist()))


@pytest.mark.parametrize(("steps", "batch"), [(0, 0), (0, 3), (4, 0)])
def test_nothing_has_probability_1(steps, batch):
    crf = CRF(2)
    emissions, tags = torch.zeros(steps, batch, 2, requires_grad=True), torch.zeros(steps, batch, dtype=torch.long)
    assert crf(emissions, tags).tolist() == [0.0] * batch
    assert crf.log_partition(emissions).tolist() == [0.0] * batch
    loss = crf.loss(emissions, tags)
    loss.backward()
    assert loss.item() == 0
    assert emissions.grad.shape == emissions.shape


def test_a_new_one_has_the_loss_of_independent_labels():
    case = telling_case()
    emissions, tags, lengths = given_to(case)
    live = torch.arange(case.steps)[:, None] < lengths
    expected = torch.nn.functional.cross_entropy(emissions[live], tags[live])
    assert 0 < live.sum() < live.numel()
    assert_close(CRF(case.size).loss(emissions, tags, lengths), expected)


def test_it_is_precise_in_float32_and_over_long_sequences():
    """log Z of 200 steps is about 1,700 here, of which float32 would know no more than 0.0001."""
    torch.manual_seed(0)
    crf = CRF(9)
    with torch.no_grad():
        for weight in crf.parameters():
            weight.normal_()
    emissions, tags = 3 * torch.randn(200, 3, 9), torch.randint(0, 9, (200, 3))
    found = []
    for dtype in (torch.float32, torch.float64):
        crf.to(dtype)
        x = emissions.detach().clone().to(dtype).requires_grad_()
        loss = crf.loss(x, tags, [200, 199, 1])
        found.append({"loss": loss} | gradients(crf, loss, x))
    assert found[0]["emissions"].dtype == torch.float32
    assert_close(found[0], found[1])
    assert abs(found[0]["loss"].item() - found[1]["loss"].item()) < 1e-12 * found[1]["loss"].item()


def test_huge_scores_and_dead_ends_give_finite_numbers():
    """Tag 1 can never go on and tag 2 never be reached, however much they are asked for."""
    legal = np.ones((4, 4), bool)
    legal[1, :] = legal[:, 2] = False
    crf = CRF(3, legal).double()
    emissions = torch.tensor([[-1e5, 1e5, 1e5]] * 4).double()[:, None].requires_grad_()
    tags = torch.zeros(4, 1, dtype=torch.long)
    loss = crf.loss(emissions, tags)
    assert loss.item() == 0
    for gradient in gradients(crf, loss, emissions).values():
        assert (gradient == 0).all()


def test_illegal_tags_have_no_probability():
    tags = ["O", "B-a", "I-a"]
    crf = CRF(3, find_scheme(tags, [["O", "B-a", "I-a"]]).legal)
    paths = torch.tensor([[0, 1, 2], [0, 2, 2], [2, 2, 2], [1, 1, 0]]).T
    log_p = crf(torch.zeros(3, 4, 3), paths)
    # Of 27 paths those are legal in which each I has a B or an I before it: 13.
    assert_close(log_p, np.array([-math.log(13), -math.inf, -math.inf, -math.log(13)]))
    assert math.isinf(crf.loss(torch.zeros(3, 4, 3), paths).item())


def test_gradients_of_illegal_transitions_are_0_and_training_leaves_them():
    case = telling_case()
    crf, (emissions, tags, lengths) = module_of(case.weights), given_to(case)
    illegal = torch.from_numpy(~case.weights["legal"][:-1, :-1])
    assert illegal.any()
    found = gradients(crf, crf.loss(emissions, tags, lengths), emissions)
    assert (found["transitions"][illegal] == 0).all()
    assert (found["transitions"][~illegal] != 0).any()


def test_it_learns_what_follows_what():
    """Tags that go round, of which the emissions say nothing but the first."""
    torch.manual_seed(1)
    crf = CRF(3)
    first = torch.randint(0, 3, (40,))
    tags = (first + torch.arange(7)[:, None]) % 3
    emissions = torch.zeros(7, 40, 3)
    emissions[0] = torch.nn.functional.one_hot(first, 3) * 4.0
    optimiser = torch.optim.Adam(crf.parameters(), lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        loss = crf.loss(emissions, tags)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    found, _ = CRFRuntime(weights_of(crf.state_dict())).best(emissions.numpy())
    assert np.array_equal(found, tags.numpy())


def test_what_is_legal_goes_with_the_weights():
    case = telling_case()
    crf = module_of(case.weights, torch.float32)
    kept = weights_of(crf.state_dict())
    assert {name: array.shape[0] for name, array in kept.items()} == {
        **dict.fromkeys(WEIGHTS, case.size),
        "legal": case.size + 1,
    }
    other = CRF(case.size)
    other.load_state_dict(crf.half().state_dict())
    assert np.array_equal(other.legal.numpy() > 0, case.weights["legal"])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((torch.zeros(4, 2, 3), torch.zeros(4, 2, dtype=int)), ShapeError, r"emissions of shape \[T, B, O=2\]"),
        ((torch.zeros(4, 2, 2), torch.zeros(4, 3, dtype=int)), ShapeError, r"tags of shape \[T=4, B=2\]"),
        ((torch.zeros(4, 2, 2), torch.zeros(4, 2, dtype=int), [5, 0]), ShapeError, "lengths: 2 whole numbers"),
        ((torch.zeros(4, 2, 2), torch.full((4, 2), 2)), DataError, "2 is no tag; they go from 0 to 1"),
        ((torch.zeros(4, 2, 2), torch.full((4, 2), -1)), DataError, "-1 is no tag"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        CRF(2)(*arguments)


def test_impossible_options_are_refused():
    with pytest.raises(OptionError, match="outputs must be a whole number"):
        CRF(0)
    with pytest.raises(OptionError, match=r"legal should be \[O \+ 1, O \+ 1\] for O=2 tags, but is \[2, 2\]"):
        CRF(2, np.ones((2, 2), bool))
    with pytest.raises(OptionError, match="leaves some sentence without any path"):
        CRF(2, 1 - np.eye(3))
