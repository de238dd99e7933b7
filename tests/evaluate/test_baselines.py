"""The baselines against slow, plain computations of the same, and against each other on real text."""

import lzma
import math
from collections import Counter
from pydoc_data import topics

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError
from ostinato.evaluate import baselines as module
from ostinato.evaluate.baselines import baselines, uniform, unigram, xz
from ostinato.evaluate.markov import markov_probabilities
from ostinato.evaluate.metrics import figures

ENGLISH = "\n".join(topics.topics.values())
TRAIN, HELD_OUT = ENGLISH[:200_000], ENGLISH[200_000:220_000]


def ids(values):
    return np.array(values, dtype=np.int32)


class SlowKneserNey:
    """Modified Kneser–Ney over dictionaries of tuples, one symbol at a time."""

    def __init__(self, train, size, order):
        self.size, self.order = size, order
        seen = [Counter(tuple(train[i : i + k]) for i in range(len(train) - k + 1)) for k in range(order + 2)]
        self.counts = [Counter(gram[1:] for gram in seen[k + 1]) for k in range(order + 1)] + [seen[order + 1]]
        self.discounts = [self.estimate(Counter(counts.values())) for counts in self.counts]

    @staticmethod
    def estimate(n):
        if n[1] and n[2] and n[3] and n[4]:
            y = n[1] / (n[1] + 2 * n[2])
            one, two, three = 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]
            if min(one, two, three) > 0:
                return one, two, three
        return 0.5, 1.0, 1.5

    def discount(self, gram):
        count = self.counts[len(gram)][gram]
        return self.discounts[len(gram)][min(count, 3) - 1] if count else 0.0

    def probability(self, context, symbol):
        shorter = self.probability(context[1:], symbol) if context else 1 / self.size
        grams = [(*context, other) for other in range(self.size)]
        total = sum(self.counts[len(context) + 1][gram] for gram in grams)
        if not total:
            return shorter
        gram = (*context, symbol)
        freed = sum(map(self.discount, grams))
        return (self.counts[len(gram)][gram] - self.discount(gram) + freed * shorter) / total

    def probabilities(self, text):
        return [self.probability(tuple(text[max(0, i - self.order) : i]), text[i]) for i in range(1, len(text))]


def texts(size):
    return st.lists(st.integers(0, size - 1), max_size=60)


class TestMarkov:
    @given(texts(3), texts(3), st.integers(0, 6))
    @example([], [0, 1, 2, 0], 5)
    @example([0], [0, 0, 0], 5)
    @example([0, 1] * 20, [0, 1, 0, 1, 2, 1, 0], 5)
    def test_equals_the_slow_one_on_small_texts(self, train, held_out, order):
        fast = markov_probabilities(ids(train), ids(held_out), 3, order)
        np.testing.assert_allclose(fast, SlowKneserNey(train, 3, order).probabilities(held_out), rtol=1e-12)

    def test_equals_the_slow_one_where_discounts_are_estimated(self):
        vocabulary = Vocabulary.of_characters(TRAIN)
        train, held_out = vocabulary.encode(TRAIN[:20_000]), vocabulary.encode(HELD_OUT[:300], "skip")
        slow = SlowKneserNey(train.tolist(), vocabulary.size, 5)
        assert slow.discounts[6] != (0.5, 1.0, 1.5)
        fast = markov_probabilities(train, held_out, vocabulary.size)
        np.testing.assert_allclose(fast, slow.probabilities(held_out.tolist()), rtol=1e-10)

    def test_the_comparison_can_fail(self):
        train, held_out = [0, 1, 2, 1] * 10, [0, 1, 1, 2, 1]
        fast = markov_probabilities(ids(train), ids(held_out), 3, order=2)
        assert not np.allclose(fast, SlowKneserNey(train, 3, order=1).probabilities(held_out), rtol=1e-3)

    @given(st.lists(st.integers(0, 3), max_size=200), st.lists(st.integers(0, 5), min_size=1, max_size=7))
    def test_sums_to_one_after_any_context(self, train, context):
        after = [markov_probabilities(ids(train), ids([*context, symbol]), 6)[-1] for symbol in range(6)]
        assert min(after) > 0
        assert math.isclose(sum(after), 1, rel_tol=1e-12)

    def test_sums_to_one_after_contexts_of_real_text(self):
        vocabulary = Vocabulary.of_characters(TRAIN)
        train, context = vocabulary.encode(TRAIN[:20_000]), vocabulary.encode(" the Python ")
        for length in (1, 5, 12):
            after = [
                markov_probabilities(train, ids([*context[-length:], symbol]), vocabulary.size)[-1]
                for symbol in range(vocabulary.size)
            ]
            assert math.isclose(sum(after), 1, rel_tol=1e-12)

    def test_one_symbol_is_certain(self):
        np.testing.assert_allclose(markov_probabilities(ids([0] * 30), ids([0] * 9), 1), np.ones(8))

    def test_many_symbols_are_not_mixed_up(self):
        random = np.random.default_rng(0)
        train, held_out = ids(random.integers(0, 50_000, 3_000)), ids(random.integers(0, 50_000, 50))
        held_out[10:30] = train[100:120]
        repeated = markov_probabilities(train, held_out, 50_000)
        assert (repeated[10:29] > 0.4).all()
        assert (np.delete(repeated, np.s_[10:29]) < 1e-3).all()

    def test_only_the_held_out_text_before_a_symbol_matters(self):
        train, held_out = ids([0, 1, 2, 1, 0, 2] * 9), ids([2, 0, 1, 1, 2, 0, 1])
        whole = markov_probabilities(train, held_out, 3)
        for length in range(2, len(held_out)):
            np.testing.assert_array_equal(markov_probabilities(train, held_out[:length], 3), whole[: length - 1])

    @pytest.mark.parametrize("length", [0, 1])
    def test_nothing_to_score(self, length):
        assert markov_probabilities(ids([0, 1]), ids([0] * length), 2).shape == (0,)


class TestSmallerBaselines:
    def test_uniform(self):
        assert uniform(ids([0, 1, 2, 3]), 65) == 3 * math.log(65)

    @given(texts(4), st.lists(st.integers(0, 3), min_size=1, max_size=60))
    def test_unigram(self, train, held_out):
        count = Counter(train)
        expected = sum(math.log((len(train) + 4) / (count[symbol] + 1)) for symbol in held_out[1:])
        assert math.isclose(unigram(ids(train), ids(held_out), 4), expected, rel_tol=1e-12, abs_tol=1e-12)

    def test_xz_is_what_the_text_adds_to_the_training_text(self):
        train, held_out = TRAIN.encode(), HELD_OUT.encode()

        def size(content):
            compressor = lzma.LZMACompressor(
                lzma.FORMAT_RAW,
                filters=[{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}],
            )
            return len(compressor.compress(content) + compressor.flush())

        expected = (size(train + held_out) - size(train)) * 8 * math.log(2)
        assert math.isclose(xz(train, held_out), expected, rel_tol=0.01)
        assert xz(train, held_out) < 0.75 * xz(b"", held_out)

    def test_xz_finds_a_repetition_at_any_distance(self):
        noise = np.random.default_rng(0).bytes(20_000)
        assert xz(noise + TRAIN.encode(), noise) < 0.02 * xz(b"", noise)

    def test_xz_is_primed_with_the_end_of_a_long_text(self, monkeypatch):
        noise = np.random.default_rng(0).bytes(20_000)
        monkeypatch.setattr(module, "XZ_BYTES", 20_000)
        assert xz(noise + bytes(20_000), noise) > 0.98 * xz(b"", noise)
        assert xz(bytes(20_000) + noise, noise) < 0.02 * xz(b"", noise)


class TestAll:
    def test_on_real_text_what_knows_more_is_stronger(self):
        vocabulary = Vocabulary.of_characters(TRAIN)
        train, held_out = vocabulary.encode(TRAIN), vocabulary.encode(HELD_OUT, "skip")
        found = baselines(vocabulary, held_out, train)
        assert list(found) == ["uniform", "unigram", "markov5", "xz"]
        rate = {name: figure["nats_per_character"] for name, figure in found.items()}
        assert rate["uniform"] == pytest.approx(math.log(vocabulary.size), rel=1e-12)
        assert rate["uniform"] > 1.2 * rate["unigram"] > 2 * max(rate["markov5"], rate["xz"])
        assert min(rate.values()) > 0.5

    def test_without_training_text_only_uniform_can_be_computed(self):
        found = baselines(Vocabulary.of_bytes(), ids(list(b"abc")))
        assert list(found) == ["uniform"]
        assert found["uniform"] == pytest.approx(figures(2 * math.log(256), 2))

    def test_bytes_and_characters_give_the_same_xz_and_rates_a_character(self):
        text = "Süße Grüße, ça va très bien. " * 40
        train, held_out = text[:800], text[800:]
        found = {}
        for vocabulary in (Vocabulary.of_characters(text), Vocabulary.of_bytes()):
            found[vocabulary.kind] = baselines(vocabulary, vocabulary.encode(held_out), vocabulary.encode(train))
        assert found["bytes"]["xz"] == found["characters"]["xz"]
        bytes_a_character = len(held_out[1:].encode()) / len(held_out[1:])
        uniform_bytes = found["bytes"]["uniform"]["bits_per_character"]
        assert uniform_bytes == pytest.approx(8 * bytes_a_character, rel=1e-12)

    @pytest.mark.parametrize("held_out", ["", "a"])
    def test_too_short_a_text(self, held_out):
        vocabulary = Vocabulary.of_characters("abc")
        with pytest.raises(DataError) as caught:
            baselines(vocabulary, vocabulary.encode(held_out), vocabulary.encode("abc"))
        assert str(caught.value) == (
            "the text is too short to score: its first symbol is only read.\n"
            "  hint: give a text of two characters or more."
        )


class TestFigures:
    def test_one_bit_a_character(self):
        assert figures(10 * math.log(2), 10) == pytest.approx(
            {"nats_per_character": math.log(2), "bits_per_character": 1.0, "perplexity": 2.0}, rel=1e-12
        )

    def test_a_hopeless_model(self):
        assert figures(1e6, 10)["perplexity"] == math.exp(709)
