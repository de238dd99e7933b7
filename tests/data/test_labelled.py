"""The one entry for each kind: Python's own objects, several files as one, and some examples of all."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ostinato.data.labelled import series_examples, tagged_sentences, text_examples
from ostinato.errors import OptionError, ShapeError
from tests.data.labelled_files import assert_same, fact, write


class TestTexts:
    def test_lists(self):
        found = text_examples(["a", "", "c"], labels=[1, 0, 1])
        assert (found.texts, found.labels) == (["a", "", "c"], ["1", "0", "1"])
        assert found.places[1] == "text 1 (from 0)"
        assert text_examples("one").texts == ["one"]
        assert text_examples(("a", np.str_("b"))).texts == ["a", "b"]
        assert type(text_examples(np.array(["a"])).texts[0]) is str

    def test_refused(self):
        assert fact(text_examples, ["a", 7]) == "text 1 (from 0): int is no text."
        assert fact(text_examples, []) == "there are no texts."
        assert fact(text_examples, ["a"], labelled=True) == "the examples have no labels."
        message = "expected 1 labels, one for each text, got 2."
        assert fact(text_examples, ["a"], labels=["x", "y"], error=ShapeError) == message
        assert fact(text_examples, ["a", Path("b")], error=OptionError) == (
            "item 0 (from 0) of the list is str, and others are paths."
        )
        assert fact(series_examples, [None, "a"], error=OptionError) == (
            "item 0 (from 0) of the list is NoneType, and others are texts or paths."
        )

    def test_labels_of_files_come_with_them(self, tmp_path):
        path = write(tmp_path, "text,label\na,b\n", "t.csv")
        message = "labels were given beside files."
        assert fact(text_examples, path, labels=["c"], error=OptionError) == message

    def test_several_files(self, tmp_path):
        one = write(tmp_path, "text,label\na,x\n", "one.csv")
        two = write(tmp_path, '{"text": "b", "label": ["y", "z"]}\n', "two.jsonl")
        write(tmp_path, "c", "three/k/1.txt")
        found = text_examples([one, two, tmp_path / "three"])
        assert (found.texts, found.labels) == (["a", "b", "c"], [["x"], ["y", "z"], ["k"]])
        places = [f"{one}, row 2", f"{two}, line 1", str(tmp_path / "three/k/1.txt")]
        assert [found.places[number] for number in range(3)] == places
        bare = write(tmp_path, "a\n", "bare.txt")
        assert fact(text_examples, [one, bare]) == f"{bare} has no labels, and others do."


def test_several_files_of_series(tmp_path):
    one = write(tmp_path, "@classLabel true\n@data\n1,2:a\n", "one.ts")
    two = write(tmp_path, "@classLabel true\n@data\n3:b\n", "two.ts")
    assert_same(series_examples([one, str(two)]), series_examples([[1, 2], [3]], labels=["a", "b"]))
    wide = write(tmp_path, "@classLabel true\n@data\n3:4:b\n", "wide.ts")
    assert fact(series_examples, [one, wide]) == f"{wide} has the channels 1, 2, and {one} has 1."


class TestSentences:
    def test_lists(self):
        found = tagged_sentences([("a", "b"), []], tags=[[1, "x"], ()])
        assert (found.words, found.tags) == ([["a", "b"], []], [["1", "x"], []])
        assert found.places[0] == "sentence 0 (from 0)"
        assert tagged_sentences([["a"]], tags=[["x"]], labelled=False).tags is None

    @pytest.mark.parametrize(
        ("data", "tags", "message"),
        [
            (["a b"], None, "expected a list of sentences, each a list of words, got a list of texts."),
            ("a b", None, "expected a list of sentences, each a list of words, got str."),
            ([], None, "there are no sentences."),
            ([["a", 7]], None, "sentence 0 (from 0): int is no word."),
            ([7], None, "sentence 0 (from 0): int is no word."),
            ([["a"]], [[None]], "sentence 0 (from 0): tag 0 is missing."),
        ],
    )
    def test_refused(self, data, tags, message):
        assert fact(tagged_sentences, data, tags=tags) == message

    @pytest.mark.parametrize(
        ("tags", "message"),
        [
            ([["x"], []], "expected 1 lists of tags, one for each sentence, got 2."),
            ("x", "expected 1 lists of tags, one for each sentence, got 1."),
            (7, "expected 1 lists of tags, one for each sentence, got int."),
            (["x"], "sentence 0 (from 0) has 1 words and 0 tags."),
            ([["x", "y"]], "sentence 0 (from 0) has 1 words and 2 tags."),
        ],
    )
    def test_tags_of_another_number(self, tags, message):
        assert fact(tagged_sentences, [["a"]], tags=tags, error=ShapeError) == message

    def test_without_tags(self):
        assert fact(tagged_sentences, [["a"]], labelled=True) == "the sentences have no tags."

    def test_several_files(self, tmp_path):
        one = write(tmp_path, "# sent_id = s\n1\ta" + "\t_" * 8 + "\n", "one.conllu")
        two = write(tmp_path, "b\n", "two.txt")
        found = tagged_sentences([one, two])
        assert (found.words, found.tags, found.ids) == ([["a"], ["b"]], None, ["s", ""])


def test_some_examples_of_each_kind():
    texts = text_examples(["a", "b", "c"], labels=[["x"], [], ["y"]])
    assert_same(texts.select([2, 0, 2]), text_examples(["c", "a", "c"], labels=[["y"], ["x"], ["y"]]))
    arrays = [np.arange(length * 2.0).reshape(length, 2) + length for length in (3, 0, 2)]
    series = series_examples(arrays, labels=list("abc"))
    assert_same(series.select([2, 0]), series_examples([arrays[2], arrays[0]], labels=list("ca")))
    assert len(series.select([])) == 0
    sentences = tagged_sentences([["a"], ["b", "c"]], tags=[["x"], ["y", "z"]])
    assert_same(sentences.select(np.array([1])), tagged_sentences([["b", "c"]], tags=[["y", "z"]]))


def test_texts_and_arrays_need_neither_polars_nor_narwhals(tmp_path):
    paths = [
        write(tmp_path, "text,label\na,b\n", "t.csv"),
        write(tmp_path, '{"text": "a"}\n', "t.jsonl"),
        write(tmp_path, "a", "f/k/1"),
    ]
    series = write(tmp_path, "@classLabel false\n@data\n1,2\n", "t.ts")
    code = (
        "import sys\n"
        "for name in ('polars', 'narwhals', 'pandas', 'pyarrow', 'torch'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from ostinato.data.labelled import series_examples, text_examples\n"
        f"for path in {[*map(str, paths[:2]), str(tmp_path / 'f')]}: print(text_examples(Path(path)).texts)\n"
        f"print(series_examples([[1, 2]]).lengths, series_examples({str(series)!r}).lengths)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['a']\n['a']\n['a']\n[2] [2]\n"
