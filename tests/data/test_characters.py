"""Text into characters: who has a number, and that all others share one."""

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data.characters import UNSEEN, CharacterEncoder
from ostinato.errors import DataError
from tests.quick import examples

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def refusal(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_ids_are_places_among_the_code_points():
    encoder = CharacterEncoder.fit(["ba", "é a"])
    assert encoder.code_points == [32, 97, 98, 233, 0xFFFD]
    assert (encoder.size, encoder.unseen) == (5, 4)
    units = encoder.encode(["é!", "", "ab🎵"])
    assert units.ids.tolist() == [3, 4, 1, 2, 4]
    assert units.starts.tolist() == [0, 2, 2, 5]
    assert units.ids.dtype == np.int32


@examples(20, 200, st.lists(ANY_TEXT, min_size=1), st.lists(ANY_TEXT))
def test_the_known_keep_their_place_and_all_others_share_one(known, texts):
    encoder = CharacterEncoder.fit([*known, "x"])
    own = {character for text in known for character in text} | {"x"}
    units = encoder.encode(texts)
    back = "".join(chr(encoder.code_points[number]) for number in units.ids)
    assert back == "".join(c if c in own else UNSEEN for text in texts for c in text)
    assert units.lengths.tolist() == list(map(len, texts))


def test_characters_that_mean_something_in_expressions():
    odd = "^]-\\[a-z.*"
    encoder = CharacterEncoder.fit([odd])
    assert encoder.unseen not in encoder.encode([odd]).ids
    assert encoder.encode(["bmy"]).ids.tolist() == [encoder.unseen] * 3


def test_the_most_frequent_are_kept():
    assert CharacterEncoder.fit(["aab", "bc"], most=2).code_points == [97, 98, 0xFFFD]
    assert CharacterEncoder.fit(["aab", "bc"], most=1).code_points == [97, 0xFFFD]
    assert CharacterEncoder.fit(["aab", "bc"], least=2).code_points == [97, 98, 0xFFFD]


def test_case():
    encoder = CharacterEncoder.fit(["aB"], lower=True)
    assert encoder.encode(["Ab"]).ids.tolist() == [0, 1]
    assert encoder.encode(["İ"]).lengths.tolist() == [2], "its dot is a character of its own when lower-cased"


def test_what_cannot_be_learned():
    assert refusal(CharacterEncoder.fit, ["", ""]).startswith("the texts hold no character to learn.")
    assert "one text was given" in refusal(CharacterEncoder.fit, "abc")
    assert "not possible" in refusal(CharacterEncoder.fit, ["a"], most=0)
    assert "not possible" in refusal(CharacterEncoder.fit, ["a"], least=0)
