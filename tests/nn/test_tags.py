"""The network of a tagger and its runtime: against sums and paths written down, in any company."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ostinato import cells
from ostinato.architecture import EmbeddingArchitecture
from ostinato.data.spellings import SpellingEncoder
from ostinato.data.tag_sequences import SentenceEncoder, TagNumbers, WordsBatch
from ostinato.data.word_features import WordFeatures
from ostinato.label_architecture import LabelArchitecture, SpellingArchitecture
from ostinato.nn.labels import Noise
from ostinato.nn.tags import Tagged, TagNetwork
from ostinato.runtime.tags import TagRuntime
from ostinato.tag_architecture import TagArchitecture
from tests.comparison import are_close, assert_close
from tests.oracles import crf as oracle

SENTENCES = [["a", "Walk", "in", "York"], [], ["we", "walk"], ["walk", "we", "7"], ["York"]]
ENCODER = SentenceEncoder(SpellingEncoder.fit(SENTENCES, least=1, buckets=3, longest=5), WordFeatures(11))
TAGS = 3


def architecture(crf, buckets=11, **sizes):
    words, characters = ENCODER.spellings.words.size, ENCODER.spellings.characters.size
    network = LabelArchitecture(
        cells.find("gru"),
        4,
        TAGS,
        bidirectional=True,
        embedding=EmbeddingArchitecture(words, 5),
        spelling=SpellingArchitecture(characters, 3, 2),
    )
    return TagArchitecture(network, buckets, crf)


def legal():
    found = np.ones((TAGS + 1, TAGS + 1), bool)
    found[0, 2] = found[-1, 2] = False
    return found


def legal_paths(length):
    return set(oracle.paths({"first": [0] * TAGS, "legal": legal()}, int(length)))


def network(crf=True, buckets=11, noise=Noise(), seed=0):  # noqa: B008 - a constant
    torch.manual_seed(seed)
    found = TagNetwork(architecture(crf, buckets), noise, legal() if crf else None)
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.7)
    return found


def weights(network):
    return {name: value.numpy().astype(np.float32) for name, value in network.state_dict().items()}


def sentences(some=None):
    words = ENCODER.encode(SENTENCES)
    return words.take(np.arange(len(SENTENCES)) if some is None else np.array(some))


def tags(seed=1):
    """Legal tags of the sentences."""
    random, found = np.random.default_rng(seed), []
    for sentence in SENTENCES:
        paths = sorted(legal_paths(len(sentence)))
        found.append(paths[random.integers(len(paths))])
    starts = np.cumsum([0, *map(len, SENTENCES)])
    return TagNumbers(np.array([tag for path in found for tag in path], np.int64), starts), found


def tagged():
    numbers, _ = tags()
    every = np.arange(len(SENTENCES))
    return Tagged(sentences(), numbers.take(every), every)


def own(values, b):
    """What is a sentence's of [T, B, …]."""
    return values[: len(SENTENCES[b]), b]


@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize("buckets", [0, 11])
def test_parameters_are_named_as_the_architecture_says(crf, buckets):
    sizes = architecture(crf, buckets)
    found = {name: tuple(value.shape) for name, value in TagNetwork(sizes).state_dict().items()}
    assert found == sizes.weight_shapes()
    assert TagArchitecture.from_data(sizes.to_data()) == sizes


def test_features_add_their_weights_to_what_the_network_says():
    found = network()
    batch = sentences()
    rows = weights(found)["features.weight"]
    with torch.no_grad():
        alone = found.network(batch.sequences).numpy()
        whole = found(batch).numpy()
    expected = alone + rows[batch.features].sum(axis=2)
    assert_close(whole, expected)
    assert not are_close(whole, alone)


def test_features_start_at_zero_and_are_none_beyond_a_length():
    assert not TagNetwork(architecture(True)).features.weight.any()
    batch = sentences()
    for b, sentence in enumerate(SENTENCES):
        assert np.array_equal(own(batch.features, b), WordFeatures(11).encode([sentence]))
        assert not batch.features[len(sentence) :, b].any()


def test_the_loss_of_tags_by_themselves_is_their_mean_cross_entropy():
    found, batch, (_, paths) = network(crf=False), tagged(), tags()
    with torch.no_grad():
        emissions = found(batch.words).double().numpy()
        loss = found.loss(batch, None)[0].item()
    log_p = emissions - np.log(np.exp(emissions).sum(axis=-1, keepdims=True))
    each = [-log_p[t, b, tag] for b, path in enumerate(paths) for t, tag in enumerate(path)]
    assert_close(np.float32(loss), np.float32(np.mean(each)))


def test_the_loss_of_paths_is_that_of_every_path_written_down():
    found, batch, (_, paths) = network(), tagged(), tags()
    kept = {name.removeprefix("crf."): array for name, array in weights(found).items() if name.startswith("crf.")}
    kept["legal"] = kept["legal"] > 0.5
    with torch.no_grad():
        emissions = found(batch.words).double().numpy()
        loss = found.loss(batch, None)[0].item()
    total = -sum(oracle.log_p(kept, own(emissions, b), path) for b, path in enumerate(paths))
    assert_close(loss, total / sum(map(len, SENTENCES)))
    other = {**kept, "transitions": kept["transitions"].T}
    assert not are_close(loss, -sum(oracle.log_p(other, own(emissions, b), p) for b, p in enumerate(paths)) / 10)


@pytest.mark.parametrize("crf", [True, False])
def test_what_lies_beyond_a_length_changes_neither_loss_nor_gradients(crf):
    batch = tagged()
    words, spelled = batch.words, batch.words.sequences.spelled
    beyond = np.arange(len(words.sequences.x))[:, None] >= words.sequences.lengths

    def changed(values, to):
        return np.where(beyond.reshape(*beyond.shape, *[1] * (values.ndim - 2)), to, values).astype(values.dtype)

    sequences = words.sequences._replace(
        x=changed(words.sequences.x, 2), spelled=spelled._replace(words=changed(spelled.words, 3))
    )
    other = Tagged(WordsBatch(sequences, changed(words.features, 7)), changed(batch.tags, 1), batch.numbers)
    results = []
    for one in (batch, other):
        found = network(crf)
        loss = found.loss(one, None)[0]
        loss.backward()
        results.append((loss.item(), {name: p.grad.numpy() for name, p in found.named_parameters()}))
    assert results[0][0] == results[1][0]
    assert_close(results[1][1], results[0][1])


# ---- the runtime


@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize("buckets", [0, 11])
def test_the_runtime_says_what_the_network_does(crf, buckets):
    found = network(crf, buckets)
    with torch.no_grad():
        expected = found(sentences()).numpy()
    runtime = TagRuntime(architecture(crf, buckets), weights(found))
    emissions, log_p = runtime.emissions(sentences()), runtime.log_probabilities(sentences())
    for b, sentence in enumerate(SENTENCES):
        assert_close(own(emissions, b), own(expected, b))
        assert_close(own(log_p, b), _log_p(weights(found), own(emissions, b), crf) if sentence else own(log_p, b))


def _log_p(kept, emissions, crf):
    """Return log p of each tag of each word, from every path."""
    emissions = emissions.astype(float)
    if not crf:
        return emissions - np.log(np.exp(emissions).sum(axis=-1, keepdims=True))
    w = {name.removeprefix("crf."): array for name, array in kept.items() if name.startswith("crf.")}
    w["legal"] = w["legal"] > 0.5
    with np.errstate(divide="ignore"):
        return np.log(oracle.expected(w, emissions)["emissions"])


@pytest.mark.parametrize("crf", [True, False])
def test_a_sentence_has_the_same_bits_alone_and_in_company(crf):
    found = network(crf)
    runtime = TagRuntime(architecture(crf), weights(found))
    together = runtime.log_probabilities(sentences())
    for b, sentence in enumerate(SENTENCES):
        alone = runtime.log_probabilities(sentences([b]))
        assert np.array_equal(alone[: len(sentence), 0], own(together, b))
    for some in itertools.permutations([0, 2, 3]):
        beside = runtime.log_probabilities(sentences(some))
        for place, b in enumerate(some):
            assert np.array_equal(beside[: len(SENTENCES[b]), place], own(together, b))


def test_the_best_tags_are_the_legal_ones_with_the_largest_sum():
    runtime = TagRuntime(architecture(True), weights(network()))
    random = np.random.default_rng(3)
    lengths = np.array([len(sentence) for sentence in SENTENCES])
    for _ in range(20):
        log_p = np.log(random.dirichlet(np.ones(TAGS), (4, len(SENTENCES))))
        chosen = runtime.best(log_p, lengths)
        for b, length in enumerate(lengths):
            best = max(legal_paths(length), key=lambda path: sum(log_p[t, b, tag] for t, tag in enumerate(path)))
            assert tuple(chosen[:length, b].tolist()) == best
    likeliest = log_p.argmax(axis=-1)
    assert any(not legal_paths(len(SENTENCES[b])) >= {tuple(own(likeliest, b).tolist())} for b in range(len(SENTENCES)))
    free = TagRuntime(architecture(False), weights(network(crf=False)))
    assert np.array_equal(free.best(log_p, lengths), likeliest)
