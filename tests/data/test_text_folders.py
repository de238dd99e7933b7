"""Texts from folders: a folder a class, a file a class, and parts, aclImdb's own among them."""

import gzip

import pytest

from ostinato.data import tables
from ostinato.data.labelled import text_examples
from ostinato.data.text_tables import TextLayout
from tests.data.labelled_files import fact, write


def filled(folder, files):
    for name, content in files.items():
        write(folder, content, name)
    return folder


ACL = {
    "README": "about",
    "imdb.vocab": "the\n",
    "train/labeledBow.feat": "9 0:9\n",
    "train/urls_pos.txt": "http://\n",
    "train/pos/0_9.txt": "good",
    "train/pos/10_8.txt": "fine<br />\r\nfilm",
    "train/neg/0_2.txt": "bad",
    "train/unsup/0_0.txt": "who knows",
    "test/pos/0_10.txt": "great",
    "test/neg/0_1.txt": "awful",
}


class TestAclImdb:
    def test_the_part_of_training_is_read_unless_another_is_asked_for(self, tmp_path):
        folder = filled(tmp_path, ACL)
        found = text_examples(folder)
        assert list(zip(found.texts, found.labels, strict=True)) == [
            ("bad", "neg"),
            ("good", "pos"),
            ("fine<br />\nfilm", "pos"),
        ]
        assert found.places[2] == str(folder / "train/pos/10_8.txt")
        assert found.remarks == [
            f"of the parts of {folder}, train was read; not read: test",
            "left out: 2 files beside the folders: README, imdb.vocab",
            "left out: unsup, texts without labels",
            "left out: 2 files beside the folders: labeledBow.feat, urls_pos.txt",
        ]
        test = text_examples(folder, TextLayout(part="test"))
        assert (test.texts, test.labels) == (["awful", "great"], ["neg", "pos"])
        assert test.remarks == []
        assert text_examples(folder / "test").texts == test.texts

    def test_a_part_that_is_not_there(self, tmp_path):
        message = f"the folder {tmp_path} has no part 'valid'."
        assert fact(text_examples, filled(tmp_path, ACL), TextLayout(part="valid")) == message


def test_classes_of_any_name_deep_folders_and_archives(tmp_path):
    folder = filled(
        tmp_path,
        {
            "train/a.txt": "x",
            "plane/b/c.txt.gz": gzip.compress(b"y"),
            "plane/b/.hidden": "h",
            ".git/config": "g",
            "plane/empty.txt": "",
            "unsup/1": "z",
            "unsup/binary": b"PNG\0\0",
            "nothing/picture.png": b"\0",
            "wide/1.txt": "w".encode("utf-16"),
        },
    )
    found = text_examples(folder)
    assert (found.texts, found.labels) == (["y", "", "x", "z", "w"], ["plane", "plane", "train", "unsup", "wide"])
    assert found.remarks == [
        "left out: 2 binary files: nothing/picture.png, unsup/binary",
        "left out: nothing, which holds no text",
    ]
    assert text_examples(folder, labelled=False).labels is None


class TestAFileAClass:
    def test_a_text_a_line(self, tmp_path):
        folder = filled(
            tmp_path, {"Greek.txt": "Α\n\nΒ \n", "U.S.txt": "Smith", "Dutch.txt.gz": gzip.compress(b"Aak\r\n")}
        )
        found = text_examples(folder)
        assert (found.texts, found.labels) == (["Aak", "Α", "Β ", "Smith"], ["Dutch", "Greek", "Greek", "U.S"])
        assert found.places[2] == f"{folder / 'Greek.txt'}, line 3"
        assert found.remarks == ["each file was taken as a class, and each line as a text"]

    def test_without_labels_each_file_is_a_text(self, tmp_path):
        found = text_examples(filled(tmp_path, {"1.txt": "a\nb\n", "2.txt": "c"}), labelled=False)
        assert (found.texts, found.labels) == (["a\nb\n", "c"], None)
        assert found.places[0] == str(tmp_path / "1.txt")


class TestRefused:
    @pytest.mark.parametrize("files", [{}, {"a.txt": " \n"}, {"pos/.hidden": "a", "neg/picture": b"\0"}])
    def test_a_folder_without_texts(self, tmp_path, files):
        assert fact(text_examples, filled(tmp_path, files)) == f"the folder {tmp_path} holds no text."

    def test_a_file_of_another_encoding(self, tmp_path):
        folder = filled(tmp_path, {"pos/1.txt": "é".encode("latin-1"), "neg/1.txt": "e"})
        assert fact(text_examples, folder) == f"{folder / 'pos/1.txt'} is not valid utf-8: byte 0xE9 at offset 0."
        assert text_examples(folder, TextLayout(encoding="latin-1")).texts == ["e", "é"]

    def test_more_than_fits(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "MOST_BYTES", 20_000)
        folder = filled(tmp_path, {f"pos/{number}.txt": "x" * 9000 for number in range(3)})
        assert fact(text_examples, folder).startswith(f"{folder} holds more than ")

    def test_a_damaged_archive(self, tmp_path):
        folder = filled(tmp_path, {"pos/1.txt.gz": gzip.compress(b"x" * 99)[:15]})
        assert "is damaged" in fact(text_examples, folder)
