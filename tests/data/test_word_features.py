"""What stands out of words: against a plain account of it, in any company, and the same for ever."""

import re
from zlib import crc32

import numpy as np
from hypothesis import strategies as st

from ostinato.data.word_features import MOST_OF_SHAPE, TEMPLATES, WordFeatures
from tests.quick import examples

WORDS = st.text(min_size=1, max_size=9)
SENTENCES = st.lists(st.lists(WORDS, max_size=6), max_size=5)
ALL = 2**64 - 1
GOLDEN = [
    [
        433,
        191,
        353,
        916,
        329,
        630,
        982,
        622,
        329,
        699,
        717,
        323,
        838,
        941,
        95,
        379,
        370,
        324,
        702,
        520,
        645,
        753,
        108,
        33,
        714,
        324,
        196,
        374,
        486,
        734,
        411,
        624,
        186,
        633,
        915,
        396,
        615,
        13,
    ],
    [
        433,
        183,
        721,
        839,
        156,
        365,
        329,
        411,
        123,
        160,
        917,
        173,
        860,
        210,
        941,
        95,
        379,
        370,
        660,
        44,
        543,
        346,
        542,
        386,
        314,
        474,
        771,
        231,
        906,
        986,
        664,
        399,
        63,
        838,
        909,
        801,
        99,
        265,
    ],
]


def mixed(code):
    code = code + 0x9E3779B97F4A7C15 & ALL
    code = (code ^ code >> 30) * 0xBF58476D1CE4E5B9 & ALL
    code = (code ^ code >> 27) * 0x94D049BB133111EB & ALL
    return code ^ code >> 31


def looks(word):
    """What is looked at in a word, as texts."""
    kinds = [("X", str.isupper), ("x", str.islower), ("d", str.isdigit), ("o", str.isalnum)]
    marks = "".join(next((mark for mark, holds in kinds if holds(letter)), letter) for letter in word)
    shape = re.sub(r"(.)\1\1+", r"\1\1", marks, flags=re.DOTALL)[:MOST_OF_SHAPE]
    outline = re.sub(r"(.)\1+", r"\1", shape, flags=re.DOTALL)
    small = word.lower()
    first = [small[:n] if len(small) >= n else "" for n in (1, 2, 3, 4)]
    last = [small[len(small) - n :] if len(small) >= n else "" for n in (1, 2, 3, 4)]
    return [small, word, shape, outline, *first, *last]


def expected(sentence, buckets):
    found = []
    for place in range(len(sentence)):
        row = []
        for number, template in enumerate(TEMPLATES, 1):
            code = number
            for beside, look in template:
                at = place + beside
                there = 0 <= at < len(sentence)
                text = crc32(looks(sentence[at])[look].encode("utf-8", "surrogatepass")) if there else 1
                code = mixed(code + text & ALL)
            row.append(code % buckets)
        found.append(row)
    return found


@examples(15, 300, SENTENCES, st.integers(1, 2**20))
def test_features_are_those_of_a_plain_account(sentences, buckets):
    found = WordFeatures(buckets).encode(sentences)
    assert found.dtype == np.int32
    assert found.shape == (sum(map(len, sentences)), len(TEMPLATES))
    assert found.tolist() == [row for sentence in sentences for row in expected(sentence, buckets)]


@examples(10, 100, SENTENCES)
def test_a_sentence_has_the_same_features_in_any_company(sentences):
    features = WordFeatures(2**16)
    alone = [features.encode([sentence]) for sentence in sentences]
    assert np.array_equal(np.concatenate([features.encode([]), *alone]), features.encode(sentences))


def test_features_are_the_same_on_every_machine_and_day():
    assert WordFeatures(1000).encode([["Ann", "saw", "7", "dogs", "."]])[[0, 3]].tolist() == GOLDEN


def test_case_is_told_by_the_shape_alone():
    small, large = WordFeatures(2**20).encode([["ulm"], ["Ulm"]])
    same = [template for template, a, b in zip(TEMPLATES, small, large, strict=True) if a == b]
    assert ((0, 0),) in same
    assert ((0, 5),) in same
    assert ((0, 1),) not in same
    assert ((0, 2),) not in same
