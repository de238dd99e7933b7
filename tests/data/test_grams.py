"""Grams of text against plain Python: dictionaries of grams, and their hashes in whole numbers."""

from collections import Counter
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data import grams as module
from ostinato.data.grams import BUCKETS, count_grams, joined
from ostinato.data.words import split_words
from ostinato.errors import DataError
from tests.quick import examples

KINDS = ["words", "characters"]


def word_grams(text):
    words = split_words(text.lower())
    return [(word,) for word in words] + list(pairwise(words))


def character_grams(text):
    padded = [f" {word} " for word in text.lower().split()]
    return [word[at : at + size] for word in padded for size in (1, 2, 3, 4) for at in range(len(word) - size + 1)]


def bucket(gram):
    """The module's formula; a gram is a tuple of words or a string of characters."""
    value = 0x9E3779B97F4A7C15
    for unit in gram:
        code = ord(unit) if isinstance(gram, str) else crc32(unit.encode("utf-8", "surrogatepass"))
        value = (value + code) % 2**64
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
        value ^= value >> 31
    return value >> (64 - 22)


def by_hand(text, kind):
    return Counter(map(bucket, (word_grams if kind == "words" else character_grams)(text)))


def found_in(texts, kind):
    """A dictionary of counts by bucket for each text; buckets of a text rise."""
    buckets, counts, starts = joined(count_grams(texts, kind))
    parts = [slice(start, end) for start, end in pairwise(starts)]
    assert all((np.diff(buckets[part]) > 0).all() for part in parts)
    return [dict(zip(buckets[part].tolist(), counts[part].tolist(), strict=True)) for part in parts]


TEXT = st.lists(
    st.sampled_from(
        ["a", "b", "B", "ab", "don't", "e\u0301", " ", "  ", "\n", "\0", "\udc80", "中", "!", "\u2003", "İ"]
    ),
    max_size=12,
).map("".join)


@examples(60, 1000, st.lists(TEXT, max_size=5), st.sampled_from(KINDS), st.sampled_from([1, 5, 10**6]))
def test_counts_by_hand(texts, kind, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_CHARACTERS", block)
        assert found_in(texts, kind) == [by_hand(text, kind) for text in texts]


def test_the_comparison_can_fail():
    assert found_in(["a b"], "words") != [by_hand("b a", "words")]
    assert found_in(["ab"], "characters") != [by_hand("ba", "characters")]


def test_buckets_are_the_same_for_ever():
    # Model files are made of them.
    assert found_in(["Not good"], "words") == [{bucket(gram): 1 for gram in (("not",), ("good",), ("not", "good"))}]
    assert [bucket(("not",)), bucket(("not", "good")), bucket(" a")] == [1354018, 4012536, 321739]


@pytest.mark.parametrize("kind", KINDS)
def test_grams_of_one_text_do_not_reach_into_another(kind):
    apart, together = found_in(["x y", "z"], kind), found_in(["x y z"], kind)
    assert sum(map(Counter, apart), Counter()).total() == Counter(together[0]).total() - (kind == "words")
    assert found_in(["", "x y", "", ""], kind)[1] == apart[0]


def test_grams_are_spread_evenly():
    words = [f"w{number}" for number in range(60_000)]
    buckets = joined(count_grams([" ".join(words)], "words")).buckets
    expected = BUCKETS * (1 - np.exp(-(2 * len(words) - 1) / BUCKETS))
    assert abs(len(buckets) - expected) < 250  # some five deviations of the number of collisions
    assert np.bincount(buckets >> 16, minlength=64).min() > 1500


def test_blocks():
    texts = ["a b", "", "c" * 30, "d", "e f"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_CHARACTERS", 5)
        parts = list(count_grams(texts, "words"))
    assert [len(part.starts) - 1 for part in parts] == [2, 1, 2]
    for one, other in zip(joined(parts), joined(count_grams(texts, "words")), strict=True):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_without_texts(kind):
    assert joined(count_grams([], kind)).starts.tolist() == [0]
    assert found_in(["", " \n"], kind) == [{}, {}]


def test_one_text_by_itself_is_refused():
    with pytest.raises(DataError, match="one text was given"):
        list(count_grams("a b", "words"))
