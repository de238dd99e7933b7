"""The networks that label, against the oracle's plain loops; their losses against formulas; padding, and noise."""

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.data.sequences import SequenceBatch
from ostinato.data.vectors import Vectors
from ostinato.nn.labels import Labelled, Noise

from ..comparison import assert_close
from ..oracles.labels import log_loss, several_loss
from .labelling import CASES, LENGTHS, WORDS, architecture_of, batch_of, by_oracle, network_of, weights_in

POOLED = [case for case in CASES if CASES[case].get("poolings")]
SOME = ["series, blocks", "units, every pooling", "spellings"]


def run(network, batch):
    with torch.no_grad():
        return network(batch)


def truth_of(architecture, several=False, seed=3):
    random = np.random.default_rng(seed)
    if several:
        return random.random((len(LENGTHS), architecture.outputs)) < 0.4
    return random.integers(0, architecture.outputs, len(LENGTHS))


def labelled(architecture, **how):
    return Labelled(batch_of(architecture), truth_of(architecture, **how), np.arange(len(LENGTHS)))


@pytest.mark.parametrize("case", CASES)
def test_scores_equal_the_oracle(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes).eval(), batch_of(sizes)
    found = run(network, batch)
    is_there = (np.arange(len(batch.x))[:, None] < batch.lengths)[..., None]
    if not sizes.poolings:
        assert found.shape == (*batch.x.shape[:2], sizes.outputs)
        found = torch.where(torch.from_numpy(is_there), found, 0.0)
    assert_close(found, by_oracle(sizes, weights_in(network), batch))


@pytest.mark.parametrize("case", CASES)
def test_every_weight_counts(case):
    """So that the comparison can fail: a change anywhere changes what comes out."""
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes).eval(), batch_of(sizes)
    before = run(network, batch)
    for name, weight in network.named_parameters():
        row = weight.view(len(weight), -1)
        if name == "embedding.weight":
            row = row[batch.x[0, 0]][None]
        if name == "speller.embedding.weight":
            row = row[batch.spelled.letters[0, batch.spelled.words[0, 0]]][None]
        with torch.no_grad():
            row[-1, -1] += 0.5
        with pytest.raises(AssertionError):
            assert_close(run(network, batch), before, name)
        with torch.no_grad():
            row[-1, -1] -= 0.5
    assert_close(run(network, batch), before)


@pytest.mark.parametrize("case", CASES)
def test_parameters_have_the_shapes_of_the_architecture(case):
    sizes = architecture_of(**CASES[case])
    network = network_of(sizes)
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    assert shapes == sizes.weight_shapes()
    assert set(network.state_dict()) == set(shapes)


# ---- the loss


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("case", SOME)
def test_the_loss_is_that_of_the_formula(case, smoothing):
    sizes = architecture_of(**CASES[case])
    network = network_of(sizes, smoothing=smoothing)
    scores = by_oracle(sizes, weights_in(network), batch_of(sizes))
    for several, formula in ((False, log_loss), (True, several_loss)):
        batch = labelled(sizes, several=several)
        loss, state = network.loss(batch, None)
        assert state is None
        assert loss.item() == pytest.approx(formula(scores, batch.truth, smoothing), rel=1e-6)
        other = Labelled(batch.sequences, batch.truth[::-1].copy(), batch.numbers)
        assert loss.item() != pytest.approx(network.loss(other, None)[0].item())


@pytest.mark.parametrize("several", [False, True])
def test_as_frequent_classes_count_as_they_do_by_themselves(several):
    sizes = architecture_of(**CASES["series, mean"])
    batch = labelled(sizes, several=several)
    even = np.full(sizes.outputs, 0.5 if several else 1 / sizes.outputs)
    plain = network_of(sizes).loss(batch, None)[0].item()
    assert network_of(sizes, shares=even).loss(batch, None)[0].item() == pytest.approx(plain, rel=1e-6)
    uneven = np.linspace(0.1, 0.6, sizes.outputs)
    assert network_of(sizes, shares=uneven).loss(batch, None)[0].item() != pytest.approx(plain)


@pytest.mark.parametrize("several", [False, True])
def test_where_classes_count_alike_a_rare_one_gains(several):
    """Of two classes, one of which is nine times as frequent, the mere frequencies leave no preference."""
    sizes = architecture_of("elman", poolings=("mean",), reads=1, outputs=2)
    network = network_of(sizes, shares=np.array([0.9, 0.1]))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    x = SequenceBatch(np.zeros((1, 10, 1)), np.ones(10, np.int64))
    truth = np.arange(10) == 9
    truth = np.stack([~truth, truth], axis=1) if several else truth.astype(np.int64)
    network.loss(Labelled(x, truth, np.arange(10)), None)[0].backward()
    assert network.parts[-1].bias.grad.abs().max() < 1e-6
    plain = network_of(sizes)
    plain.load_state_dict(network.state_dict())
    plain.loss(Labelled(x, truth, np.arange(10)), None)[0].backward()
    assert plain.parts[-1].bias.grad.abs().min() > 0.1


@pytest.mark.parametrize("case", POOLED)
def test_gradients_equal_central_differences(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), labelled(sizes)
    gradients = gradients_of(network, batch)
    generator = torch.Generator().manual_seed(5)
    for name, weight in network.named_parameters():
        direction = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        above, below = (_loss_beside(network, weight, sign * 1e-6 * direction, batch) for sign in (1, -1))
        expected = (gradients[name] * direction).sum().item()
        assert (above - below) / 2e-6 == pytest.approx(expected, rel=1e-4, abs=1e-7), name


def gradients_of(network, batch):
    network.zero_grad()
    network.loss(batch, None)[0].backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters()}


def _loss_beside(network, weight, change, batch):
    with torch.no_grad():
        weight += change
        loss = network.loss(batch, None)[0].item()
        weight -= change
    return loss


# ---- padding


def with_padding(batch, fill, more=0):
    """Return a batch with other things beyond the lengths, and so many more steps of them."""
    x = np.concatenate([batch.x, np.zeros((more, *batch.x.shape[1:]), batch.x.dtype)])
    beyond = np.arange(len(x))[:, None] >= batch.lengths
    x[beyond] = fill
    spelled = batch.spelled
    if spelled is not None:
        words = np.concatenate([spelled.words, np.zeros((more, len(batch.lengths)), np.int64)])
        words[beyond] = spelled.words.max()
        letters = spelled.letters.copy()
        letters[np.arange(len(letters))[:, None] >= spelled.lengths] = 1
        spelled = spelled._replace(words=words, letters=letters)
    return SequenceBatch(x, batch.lengths, spelled)


@pytest.mark.parametrize("case", POOLED)
def test_what_stands_beyond_a_length_changes_no_bit(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes, torch.float32), batch_of(sizes, dtype=np.float32)
    fills = (np.nan, 1e30) if sizes.embedding is None else (WORDS - 1,)
    for fill in fills:
        assert torch.equal(run(network, with_padding(batch, fill)), run(network, batch))
        # A linear part of torch's own may round a larger batch in another way.
        assert_close(run(network, with_padding(batch, fill, more=3)), run(network, batch))
    spoilt = batch.x.copy()
    spoilt[0, 0] = spoilt[0, 0] + 1 if sizes.embedding is None else (spoilt[0, 0] + 1) % WORDS
    assert not torch.equal(run(network, batch._replace(x=spoilt)), run(network, batch))


@pytest.mark.parametrize("case", POOLED)
def test_what_stands_beyond_a_length_changes_no_gradient(case):
    sizes = architecture_of(**CASES[case])
    network, batch = network_of(sizes), labelled(sizes)
    filled = with_padding(batch.sequences, 7.0 if sizes.embedding is None else WORDS - 1, more=2)
    assert_close(
        gradients_of(network, batch._replace(sequences=filled)),
        gradients_of(network, batch),
    )


@pytest.mark.parametrize("case", POOLED)
def test_company_and_order_change_nothing(case):
    sizes = architecture_of(**CASES[case])
    network = network_of(sizes)
    batch = batch_of(sizes)
    whole = run(network, batch)
    order = np.random.default_rng(0).permutation(len(LENGTHS))
    for rows in (order, [1], [2], [2, 4]):
        rows = np.array(rows)
        spelled = None if batch.spelled is None else batch.spelled._replace(words=batch.spelled.words[:, rows])
        some = SequenceBatch(batch.x[:, rows], batch.lengths[rows], spelled)
        assert_close(run(network, some), whole[torch.from_numpy(rows)])


# ---- noise


def only_read(sizes, noise):
    """Return a network that gives the vectors that its stack would read."""
    network = network_of(sizes, noise=noise)
    size = sizes.chain.input_size
    same = nn.Linear(size, size, bias=False, dtype=torch.float64)
    nn.init.eye_(same.weight)
    network.parts = nn.ModuleList([same])
    return network


def often(batch, count=2000):
    """Return the first sequence of a batch so often."""
    rows = np.zeros(count, np.int64)
    spelled = None if batch.spelled is None else batch.spelled._replace(words=batch.spelled.words[:, rows])
    return SequenceBatch(batch.x[:, rows], batch.lengths[rows], spelled)


@pytest.mark.parametrize("case", ["series, mean", "units, each step", "spellings"])
def test_inputs_are_dropped_by_feature_the_same_at_all_steps(case):
    sizes = architecture_of(**CASES[case])
    network, batch = only_read(sizes, Noise(inputs=0.4)), often(batch_of(sizes, (6,)))
    whole = run(network.eval(), batch)
    torch.manual_seed(0)
    shares = run(network.train(), batch) / whole
    assert_close(shares, shares[:1].expand_as(shares).contiguous(), "the same at all steps")
    dropped = shares[0] < 0.5
    assert_close(shares[0], torch.where(dropped, 0.0, torch.tensor(1 / 0.6, dtype=torch.float64)))
    assert (dropped.double().mean(0) - 0.4).abs().max() < 0.04, "each feature as often"
    assert (shares.mean(1) - 1).abs().max() < 0.07
    together = dropped.double().T.corrcoef() if dropped.shape[1] > 1 else torch.eye(1)
    assert (together - torch.eye(len(together))).abs().max() < 0.1, "each by itself"


def test_units_are_dropped_whole_as_if_they_were_unknown():
    sizes = architecture_of(**CASES["units, each step"])
    network, batch = only_read(sizes, Noise(units=0.3)), often(batch_of(sizes, (6,)))
    whole = run(network.eval(), batch)
    torch.manual_seed(0)
    drawn = run(network.train(), batch)
    gone = (drawn == 0).all(dim=-1)
    assert torch.equal(gone, (drawn == 0).any(dim=-1))
    assert torch.equal(drawn[~gone], whole[~gone]), "what is left is not scaled"
    assert (gone.double().mean(1) - 0.3).abs().max() < 0.04, "each step as often"


def test_noise_is_added_to_numbers_and_to_nothing_else():
    sizes = architecture_of(**CASES["series, mean"])
    network, batch = only_read(sizes, Noise(added=0.3)), often(batch_of(sizes, (6,)))
    torch.manual_seed(0)
    off = run(network.train(), batch) - run(network.eval(), batch)
    assert off.mean(1).abs().max() < 0.03
    assert (off.std(1) - 0.3).abs().max() < 0.02
    together = off.transpose(0, 1).flatten(1).T.corrcoef()
    assert (together - torch.eye(len(together))).abs().max() < 0.1, "each step and feature by itself"
    sizes = architecture_of(**CASES["units, each step"])
    network, batch = only_read(sizes, Noise(added=0.3)), batch_of(sizes)
    assert torch.equal(run(network.train(), batch), run(network.eval(), batch))


def test_of_spelled_words_the_spelling_stays():
    sizes = architecture_of(**CASES["spellings"])
    network, batch = only_read(sizes, Noise(units=0.9)), batch_of(sizes, (6, 6, 6))
    torch.manual_seed(0)
    own = sizes.embedding.size
    found, whole = run(network.train(), batch), run(network.eval(), batch)
    assert torch.equal(found[..., own:], whole[..., own:])
    assert (found[..., :own] == 0).any()


def test_outputs_and_what_enters_recurrent_matrices_are_dropped_in_training_only():
    sizes = architecture_of(**CASES["series, last"])
    for noise in (Noise(outputs=0.5), Noise(recurrent=0.5)):
        network, batch = network_of(sizes, noise=noise), batch_of(sizes)
        torch.manual_seed(1)
        assert not torch.equal(run(network.train(), batch), run(network, batch))
        assert_close(run(network.eval(), batch), by_oracle(sizes, weights_in(network), batch))


def test_recurrent_dropout_is_for_cells_with_recurrent_matrices():
    """A pooling, and a block without such a matrix, are left alone."""
    sizes = architecture_of(**CASES["series, blocks"])
    network, batch = network_of(sizes, noise=Noise(recurrent=0.5)), batch_of(sizes)
    assert torch.equal(run(network.train(), batch), run(network.eval(), batch))


# ---- vectors


def test_embeddings_start_at_the_vectors_that_a_file_had():
    network = network_of(architecture_of(**CASES["units, every pooling"]), torch.float32)
    before = network.embedding.weight.detach().clone()
    found = np.zeros(WORDS - 2, bool)
    found[[1, 4]] = True
    matrix = np.arange((WORDS - 2) * 3.0).reshape(-1, 3).astype(np.float32)
    network.start_at(Vectors(matrix, found))
    assert network.embedding.weight[[1, 4]].tolist() == matrix[[1, 4]].tolist()
    others = [row for row in range(WORDS) if row not in (1, 4)]
    assert torch.equal(network.embedding.weight[others], before[others])
