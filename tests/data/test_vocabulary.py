"""The vocabulary: ids and text turn into each other, whole or bit by bit, and nothing odd gets in."""

import json
from pydoc_data import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError, FileFormatError, OptionError

ENGLISH = "\n".join(topics.topics.values())
ANY_TEXT = st.text(st.characters(exclude_categories=()), min_size=1)
"""Text of any code point, lone surrogates included."""


def message_of(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return str(caught.value)


class TestCharacters:
    def test_the_symbols_are_the_characters_by_code_point(self):
        vocabulary = Vocabulary.of_characters("caba é")
        assert vocabulary.code_points == (32, 97, 98, 99, 233)
        assert vocabulary.size == 5
        ids = vocabulary.encode("abé c")
        assert ids.dtype == np.int32
        assert ids.tolist() == [1, 2, 4, 0, 3]
        assert vocabulary.decode([3, 1, 2, 4]) == "cabé"
        assert repr(vocabulary) == "<Vocabulary of 5 characters>"

    @given(ANY_TEXT)
    def test_round_trip(self, text):
        vocabulary = Vocabulary.of_characters(text)
        ids = vocabulary.encode(text)
        assert len(ids) == vocabulary.count_characters(ids) == len(text)
        assert set(ids.tolist()) == set(range(vocabulary.size))
        assert vocabulary.decode(ids) == text
        assert vocabulary.decode_bytes(ids) == text.encode("utf-8", "surrogatepass")

    def test_a_text_of_several_blocks(self):
        text = ENGLISH * 3
        assert len(text) > 1024 * 1024
        vocabulary = Vocabulary.of_characters(text)
        assert vocabulary.decode(vocabulary.encode(text)) == text

    def test_an_unknown_character_is_named_with_its_place(self):
        vocabulary = Vocabulary.of_characters("abcdefghijk ")
        assert message_of(DataError, vocabulary.encode, "abcdefghijkéüé") == (
            "the model does not know 'é' (U+00E9), at character 12.\n  hint: --unknown skip leaves such characters out."
        )

    @pytest.mark.parametrize(
        ("character", "named"),
        [("A", "'A' (U+0041)"), ("\0", r"'\x00' (U+0000)"), ("🎵", "'🎵' (U+1F3B5)"), ("\udc80", r"'\udc80' (U+DC80)")],
    )
    def test_unknown_below_between_and_above_the_known(self, character, named):
        vocabulary = Vocabulary.of_characters("azÿ")
        assert f"know {named}, at character 1." in message_of(DataError, vocabulary.encode, character)

    def test_an_unknown_character_far_into_the_text(self):
        vocabulary = Vocabulary.of_characters("a")
        assert "at character 1500001." in message_of(DataError, vocabulary.encode, "a" * 1_500_000 + "b")

    @given(ANY_TEXT, ANY_TEXT)
    def test_unknown_characters_can_be_left_out_and_counted(self, known, text):
        vocabulary = Vocabulary.of_characters(known)
        kept = "".join(character for character in text if character in known)
        assert vocabulary.decode(vocabulary.encode(text, unknown="skip")) == kept
        assert vocabulary.count_unknown(text) == len(text) - len(kept)

    def test_an_unknown_way_with_unknown_characters(self):
        message = message_of(OptionError, Vocabulary.of_bytes().encode, "a", unknown="drop")
        assert message == "unknown must be error or skip, not 'drop'."

    def test_no_characters(self):
        assert Vocabulary.of_characters("a").encode("").tolist() == []
        assert Vocabulary.of_characters("a").decode([]) == ""
        assert message_of(DataError, Vocabulary.of_characters, "") == (
            "an empty text has no characters to learn.\n  hint: give a text with something in it."
        )

    def test_bytes_are_not_characters(self):
        assert message_of(DataError, Vocabulary.of_characters("a").encode, b"a") == (
            "a vocabulary of characters was given bytes.\n  hint: decode them first, or use one of bytes."
        )


class TestBytes:
    def test_every_byte_is_its_own_id(self):
        vocabulary = Vocabulary.of_bytes()
        everything = bytes(range(256))
        assert vocabulary.size == 256
        assert vocabulary.encode(everything).tolist() == list(range(256))
        assert vocabulary.decode_bytes(range(256)) == everything
        assert repr(vocabulary) == "<Vocabulary of 256 bytes>"

    @given(st.text())
    def test_text_is_its_utf_8(self, text):
        vocabulary = Vocabulary.of_bytes()
        ids = vocabulary.encode(text)
        assert ids.tolist() == list(text.encode())
        assert vocabulary.decode(ids) == text
        assert vocabulary.count_characters(ids) == len(text)
        assert vocabulary.count_unknown(text) == 0

    @given(st.binary())
    def test_what_is_not_utf_8_is_replaced(self, content):
        vocabulary = Vocabulary.of_bytes()
        ids = vocabulary.encode(content)
        assert vocabulary.decode(ids) == content.decode("utf-8", "replace")
        assert vocabulary.decode_bytes(ids) == content

    def test_a_lone_surrogate_does_not_crash(self):
        vocabulary = Vocabulary.of_bytes()
        assert vocabulary.decode(vocabulary.encode("a\udc80b")) == "a\ufffd\ufffd\ufffdb"


class TestDecoding:
    @pytest.mark.parametrize("wrong", [-1, 3, 2**40])
    def test_an_id_that_no_symbol_has(self, wrong):
        vocabulary = Vocabulary.of_characters("abc")
        message = f"{wrong} is no id of this vocabulary; they go from 0 to 2."
        assert message_of(DataError, vocabulary.decode, [0, wrong, 1]) == message

    @given(ANY_TEXT)
    def test_characters_come_one_by_one(self, text):
        vocabulary = Vocabulary.of_characters(text)
        decoder = vocabulary.decoder()
        assert [decoder.feed([symbol]) for symbol in vocabulary.encode(text)] == list(text)
        assert decoder.finish() == ""

    @given(st.binary())
    def test_bytes_come_one_by_one(self, content):
        decoder = Vocabulary.of_bytes().decoder()
        streamed = "".join(decoder.feed([byte]) for byte in content) + decoder.finish()
        assert streamed == content.decode("utf-8", "replace")

    def test_an_unfinished_character_is_held_back(self):
        decoder = Vocabulary.of_bytes().decoder()
        assert [decoder.feed([byte]) for byte in "a€b".encode()] == ["a", "", "", "€", "b"]
        assert decoder.feed(list("€".encode()[:2])) == ""
        assert decoder.finish() == "\ufffd"


class TestData:
    @given(ANY_TEXT)
    def test_round_trip_through_json(self, text):
        vocabulary = Vocabulary.of_characters(text)
        assert Vocabulary.from_data(json.loads(json.dumps(vocabulary.to_data()))) == vocabulary

    def test_bytes_round_trip(self):
        assert Vocabulary.of_bytes().to_data() == {"kind": "bytes"}
        assert Vocabulary.from_data({"kind": "bytes"}) == Vocabulary.of_bytes()

    def test_different_vocabularies_differ(self):
        assert Vocabulary.of_characters("ab") != Vocabulary.of_characters("abc")
        assert Vocabulary.of_bytes() != Vocabulary.of_characters("".join(map(chr, range(256))))

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            "bytes",
            {},
            {"kind": "words"},
            {"kind": ["bytes"]},
            {"kind": "bytes", "code_points": [1]},
            {"kind": "characters"},
            {"kind": "characters", "code_points": [97], "more": 1},
            *(
                {"kind": "characters", "code_points": points}
                for points in (
                    [],
                    "abc",
                    {"0": 97},
                    ["a", "b"],
                    [97, 97],
                    [98, 97],
                    [97.0, 98.0],
                    [True, 97],
                    [None],
                    [[97]],
                    [-1, 97],
                    [97, 0x110000],
                    [97, 2**80],
                    [97, float("nan")],
                )
            ),
        ],
    )
    def test_odd_data_is_refused(self, data):
        assert message_of(FileFormatError, Vocabulary.from_data, data) == (
            "the vocabulary is neither one of bytes nor a sorted list of distinct code points.\n"
            "  hint: the file is damaged, or was not written by ostinato."
        )

    def test_the_highest_code_point_is_fine(self):
        vocabulary = Vocabulary.from_data({"kind": "characters", "code_points": [0, 0x10FFFF]})
        assert vocabulary.encode("\U0010ffff\0").tolist() == [1, 0]
