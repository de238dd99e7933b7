"""Words with their characters: each word's number beside how it is spelled."""

import numpy as np
from hypothesis import strategies as st

from ostinato.data.characters import CharacterEncoder
from ostinato.data.spellings import SpellingEncoder
from ostinato.data.words import WordEncoder, split_words
from tests.quick import examples


def spelled(encoder, units, place):
    row = units.spelling[place]
    return "".join(chr(encoder.characters.code_points[letter]) for letter in units.letters[row][: units.lengths[row]])


@examples(20, 200, st.lists(st.text(max_size=60)), st.integers(1, 9))
def test_each_word_is_spelled(texts, longest):
    encoder = SpellingEncoder.fit([*texts, "the Word"], least=1, longest=longest)
    units = encoder.encode(texts)
    words = [word for text in texts for word in split_words(text)]
    assert len(units.words.ids) == len(units.spelling) == len(words)
    assert units.letters.shape == (len(set(words)), longest)
    assert np.array_equal(units.words.ids, encoder.words.encode(list(map(split_words, texts))).ids)
    assert np.array_equal(units.words.starts, encoder.words.encode(list(map(split_words, texts))).starts)
    for place, word in enumerate(words):
        if len(word) <= longest:
            assert spelled(encoder, units, place) == word
    assert not units.letters[np.arange(longest) >= units.lengths[:, None]].any()


def test_case_stays_in_the_spelling():
    encoder = SpellingEncoder.fit(["The the"], least=1)
    units = encoder.encode(["the The"])
    assert units.words.ids.tolist() == [0, 0]
    assert [spelled(encoder, units, place) for place in (0, 1)] == ["the", "The"]


def test_of_a_long_word_its_beginning_and_end_are_read():
    encoder = SpellingEncoder.fit(["abcdefgh"], least=1, longest=5)
    assert spelled(encoder, encoder.encode(["abcdefgh"]), 0) == "abcgh"
    one = SpellingEncoder.fit(["abcdefgh"], least=1, longest=1)
    assert spelled(one, one.encode(["hgf abc"]), 0) == "h"


def test_lower_cased_characters_may_be_more():
    words, characters = WordEncoder(["a"]), CharacterEncoder.fit(["i\u0307a"], lower=True)
    encoder = SpellingEncoder(words, characters, longest=3)
    assert spelled(encoder, encoder.encode([["İİİ"]]), 0) == "i\u0307\u0307"


def test_nothing():
    units = SpellingEncoder.fit(["a"], least=1).encode([])
    assert (len(units.words.ids), units.letters.shape, units.words.starts.tolist()) == (0, (0, 24), [0])
