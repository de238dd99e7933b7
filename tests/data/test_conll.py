"""Tagged sentences from CoNLL columns and CoNLL-U, there and back, and every line that is refused."""

import lzma

import pytest
from hypothesis import strategies as st

from ostinato.data.conll import EMPTY_NODES, RANGES, STARTS, TagLayout
from ostinato.data.labelled import tagged_sentences
from ostinato.errors import OptionError
from tests.data.labelled_files import assert_same, fact, file_of, write
from tests.quick import examples

CONLL = "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\n\n\nPeter NNP B-PER\n"
CONLLU = """# newdoc
# sent_id = s1
# text = don't go
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tdo\tdo\tAUX\tVBP\tMood=Ind\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
2.1\tever\t_\t_\t_\t_\t_\t_\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

# sent_id = s2
1\tNew York\tNew York\tPROPN\tNNP\t_\t0\troot\t_\t_
"""


def read(path, labelled=None, **layout):
    return tagged_sentences(path, TagLayout(**layout), labelled=labelled)


class TestColumns:
    @pytest.mark.parametrize(
        "pack",
        [
            str.encode,
            lambda text: text.replace("\n", "\r\n").encode(),
            lambda text: text.replace(" ", "\t").replace("\n\n", "\n\t\n").encode("utf-8-sig"),
            lambda text: text.replace(" ", "   ").replace("\n\n", "\n \n").encode(),
            lambda text: text.encode("utf-16"),
        ],
    )
    def test_however_they_are_parted(self, tmp_path, pack):
        path = write(tmp_path, pack(CONLL), "t.conll")
        found = read(path)
        assert found.words == [["EU", "rejects"], ["Peter"]]
        assert found.tags == [["B-ORG", "O"], ["B-PER"]]
        assert found.left_out == {STARTS: 1}
        assert [found.places[0], found.places[1]] == [f"{path}, line 3", f"{path}, line 7"]
        assert found.ids is None
        assert found.summary == [
            "2 sentences of 1 to 2 words, 3 words",
            "3 tags: B-ORG (1), B-PER (1), O (1)",
            "left out: 1 -DOCSTART- lines",
        ]
        assert read(path, tag=2).tags == [["NNP", "VBZ"], ["NNP"]]
        assert read(path, word="2", tag=3).words == [["NNP", "VBZ"], ["NNP"]]

    def test_words_that_look_like_something_else(self, tmp_path):
        content = '#tag\tO\n\u00a0\tO\n\u2028\tO\n"\tO\n# x\tO\n'
        assert read(write(tmp_path, content, "t.txt")).words == [["#tag", "\u00a0", "\u2028", '"', "# x"]]

    def test_one_column_is_words_without_tags(self, tmp_path):
        path = write(tmp_path, "a\nb\n\nc", "t.txt")
        assert (read(path).words, read(path).tags) == ([["a", "b"], ["c"]], None)
        assert fact(read, path, labelled=True) == f"{path} has no labels."
        assert read(write(tmp_path, CONLL, "t.conll"), labelled=False).tags is None

    def test_where_tags_do_not_matter_a_lone_column_is_the_word(self, tmp_path):
        path = write(tmp_path, "a\nb\n", "t.txt")
        assert read(path, word=2, tag=3, labelled=False).words == [["a", "b"]]
        assert "has no column 2" in fact(read, path, word=2)

    @pytest.mark.parametrize("content", ["the dog barks\n", "the dog\n\na cat\n", "-DOCSTART- O\n\nthe dog\n"])
    def test_where_tags_do_not_matter_a_sentence_a_line_is_refused(self, tmp_path, content):
        path = write(tmp_path, content, "t.txt")
        assert "the sentence is a line of" in fact(read, path, labelled=False)
        assert [len(words) for words in read(path, word=1, labelled=False).words] == [1] * len(read(path).words)
        assert read(write(tmp_path, "the D\ndog N\n\nIt P\n", "b.txt"), labelled=False).words == [
            ["the", "dog"],
            ["It"],
        ]

    def test_columns_that_have_no_part_are_told(self, tmp_path):
        path = write(tmp_path, CONLL, "t.conll")
        assert read(path).remarks == ["columns not read: 2"]
        assert read(path, labelled=False).remarks == ["columns not read: 2, 3"]
        assert read(write(tmp_path, "a X\n", "t.txt")).remarks == []

    def test_a_document_ends_a_sentence(self, tmp_path):
        path = write(tmp_path, "a X\nb Y\n-DOCSTART- O\nc Z\n-DOCSTART- O\n-DOCSTART- O\n\nd X\n", "t.txt")
        found = read(path)
        assert found.words == [["a", "b"], ["c"], ["d"]]
        assert [found.places[number] for number in range(3)] == [f"{path}, line {line}" for line in (1, 4, 8)]
        assert found.left_out == {STARTS: 3}

    @pytest.mark.parametrize(
        ("content", "layout", "message"),
        [
            ("", {}, " holds no words."),
            ("\n \n", {}, " holds no words."),
            ("-DOCSTART- O\n", {}, " holds no words."),
            ("a O\nb\n", {}, ", line 2: it has 1 columns, and the first word has 2."),
            ("a\nb O\n", {}, ", line 2: it has 2 columns, and the first word has 1."),
            ("a\tO\n\tO\n", {}, ", line 2: the word is missing."),
            ("a\tO\nb\t\n", {}, ", line 2: the tag is missing."),
            ("a O\n", {"tag": 3}, " has no column 3; its 2 columns are 1, 2."),
            ("a\0b", {}, " is binary, not text."),
            (b"\xe9 O\n", {}, " is not valid utf-8: byte 0xE9 at offset 0."),
        ],
    )
    def test_refused(self, tmp_path, content, layout, message):
        path = write(tmp_path, content, "t.conll")
        assert fact(read, path, **layout) == f"{path}{message}"

    def test_a_word_that_is_its_tag(self, tmp_path):
        path = write(tmp_path, CONLL, "t.conll")
        assert fact(read, path, tag=1, error=OptionError) == "column 1 cannot be word and tag."

    def test_another_encoding(self, tmp_path):
        path = write(tmp_path, "é O\n".encode("latin-1"), "t.conll")
        assert read(path, encoding="latin-1").words == [["é"]]


class TestConllU:
    def test_ranges_and_empty_nodes_are_no_words(self, tmp_path):
        path = write(tmp_path, lzma.compress(CONLLU.encode()), "t.conllu.xz")
        found = read(path)
        assert found.words == [["do", "n't", "go"], ["New York"]]
        assert found.tags == [["AUX", "PART", "VERB"], ["PROPN"]]
        assert found.ids == ["s1", "s2"]
        assert found.left_out == {RANGES: 1, EMPTY_NODES: 1}
        assert found.places[0] == f"{path}, line 5"
        for tag, tags in (("XPOS", "VBP"), (5, "VBP"), ("FEATS", "Mood=Ind"), ("8", "aux"), ("LEMMA", "do")):
            assert read(path, tag=tag).tags[0][0] == tags
        assert read(path, tag="FEATS").tags[1] == ["_"]
        assert read(path, word="LEMMA").words[0] == ["do", "not", "go"]
        assert read(write(tmp_path, CONLLU, "t.txt"), format="conllu").words == found.words

    def test_tags_that_are_not_known(self, tmp_path):
        blind = CONLLU
        for tag in ("AUX", "PART", "VERB", "PROPN"):
            blind = blind.replace(f"\t{tag}\t", "\t_\t")
        assert read(write(tmp_path, blind, "t.conllu")).tags is None
        path = write(tmp_path, CONLLU.replace("PART", "_"), "some.conllu")
        assert fact(read, path) == (
            f"{path}, line 5: word 2 has the tag _, which is unknown, and others have known ones."
        )
        assert read(path, labelled=False).words == [["do", "n't", "go"], ["New York"]]

    def test_other_columns(self, tmp_path):
        content = "# global.columns = ID FORM PARSEME:MWE\n1\ta\t1:VID\n2\tb\t*\n"
        assert read(write(tmp_path, content, "t.conllup"), tag="PARSEME:MWE").tags == [["1:VID", "*"]]
        assert "has no column 'UPOS'" in fact(read, tmp_path / "t.conllup")

    def test_names_that_occur_twice(self, tmp_path):
        path = write(tmp_path, CONLLU.replace("s2", "s1"), "t.conllu")
        assert read(path).remarks == [
            f"names of sentences that occur more than once: 1, such as 's1' at {path}, line 11"
        ]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("# only\n", " holds no words."),
            ("1\ta\n", ", line 1: it has 2 columns and not 10, parted by tabs."),
            ("1 a a X _ _ _ _ _ _\n", ", line 1: it has 1 columns and not 10, parted by tabs."),
            (CONLLU.replace("3\tgo", "4\tgo"), ", line 8: the word is numbered '4' and not 3."),
            (CONLLU.replace("1\tdo\t", "x\tdo\t"), ", line 5: the word is numbered 'x' and not 1."),
            (CONLLU.replace("\n\n", "\n"), ", line 10: the word is numbered '1' and not 4."),
            (CONLLU.replace("1\tdo\t", "1\t\t"), ", line 5: the word is missing."),
            (CONLLU.replace("VERB", " "), ", line 8: the tag is missing."),
        ],
    )
    def test_refused(self, tmp_path, content, message):
        path = write(tmp_path, content, "t.conllu")
        assert fact(read, path) == f"{path}{message}"


WORDS = st.text(st.characters(exclude_characters="\0\t\r\n\ufeff", exclude_categories=["Cs"]), min_size=1, max_size=5)
WORDS = WORDS.filter(lambda word: word.strip(" "))
SENTENCES = st.lists(
    st.lists(st.tuples(WORDS, st.sampled_from(["O", "B-x", "_a"])), min_size=1, max_size=4), min_size=1
)


def expected(sentences):
    return tagged_sentences([[w for w, _ in s] for s in sentences], tags=[[t for _, t in s] for s in sentences])


@examples(50, 2000, SENTENCES)
def test_columns_there_and_back(sentences):
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    with file_of(text, "t.conll") as path:
        assert_same(read(path), expected(sentences))


@examples(50, 2000, SENTENCES)
def test_conllu_there_and_back(sentences):
    rest = "\t_" * 6
    blocks = [
        "".join(f"{number}\t{word}\t_\t{tag}{rest}\n" for number, (word, tag) in enumerate(sentence, 1))
        for sentence in sentences
    ]
    with file_of("\n".join(blocks), "t.conllu") as path:
        assert_same(read(path), expected(sentences))


def test_sentences_that_differ_are_told_apart():
    one = tagged_sentences([["a"], ["b"]], tags=[["x"], ["y"]])
    for other in (
        tagged_sentences([["a"], ["c"]], tags=[["x"], ["y"]]),
        tagged_sentences([["a"], ["b"]], tags=[["x"], ["x"]]),
        tagged_sentences([["a"], ["b"]]),
    ):
        with pytest.raises(AssertionError):
            assert_same(one, other)
