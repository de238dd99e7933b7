"""Reading: every kind of source becomes the text that was written, and every misuse an error that helps."""

import errno
import gzip
import hashlib
import io
import lzma
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path
from pydoc_data import topics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato.data.text import Text, read_bytes, read_text
from ostinato.errors import DataError, OptionError

ENGLISH = "\n".join(topics.topics.values())
PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
BYTES_HINT = "a byte model takes any file: --tokens bytes."


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def message_of(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.fixture
def give_input(monkeypatch):
    """Put bytes on standard input."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


class TestSources:
    def test_a_file(self, tmp_path):
        path = write(tmp_path / "topics.txt", ENGLISH)
        text = read_text(path)
        assert text == Text(ENGLISH, (str(path),), files=1, left_out=0)
        assert text == read_text(str(path)) == read_text([path])

    @pytest.mark.parametrize(
        ("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".GZ", gzip.compress)]
    )
    def test_a_compressed_file_reads_as_what_is_in_it(self, tmp_path, suffix, pack):
        plain = write(tmp_path / "plain.txt", ENGLISH)
        packed = write(tmp_path / f"packed.txt{suffix}", pack(ENGLISH.encode()))
        assert read_text(packed).content == ENGLISH
        assert read_bytes(packed).content == ENGLISH.encode()
        assert read_text(packed).digest == read_text(plain).digest == hashlib.sha256(ENGLISH.encode()).hexdigest()

    def test_standard_input(self, give_input):
        give_input("déjà vu".encode())
        assert read_text("-") == Text("déjà vu", ("standard input",), files=1)

    def test_standard_input_beside_a_file_and_a_file_named_like_it(self, tmp_path, give_input, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "-", "from the file\n")
        give_input(b"from the pipe\n")
        assert read_text(["-", "./-"]).content == "from the pipe\nfrom the file\n"

    def test_several_files_are_joined_in_the_order_given(self, tmp_path):
        one, two, three = (write(tmp_path / name, name) for name in ("one", "two", "three\n"))
        text = read_text([two, three, one])
        assert text.content == "two\nthree\none"
        assert text.names == (str(two), str(three), str(one))
        assert read_bytes([two, three, one]).content == b"two\nthree\none"

    def test_a_folder_is_every_text_file_below_it_by_path(self, tmp_path):
        write(tmp_path / "b.txt", "b")
        write(tmp_path / "a" / "z.txt", "az")
        write(tmp_path / "a" / "deep" / "y.txt.xz", lzma.compress(b"ay"))
        write(tmp_path / "a.txt", "a")
        write(tmp_path / "a" / "picture.png", PICTURE)
        write(tmp_path / "picture.png.gz", gzip.compress(PICTURE))
        write(tmp_path / "empty.txt", "")
        write(tmp_path / ".hidden.txt", "hidden")
        write(tmp_path / ".git" / "config", "hidden")
        (tmp_path / "c.txt").symlink_to(tmp_path / "b.txt")
        (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "pipe")
        text = read_text(tmp_path)
        assert text == Text("ay\naz\na\nb\nb", (str(tmp_path),), files=5, left_out=2)

    def test_a_folder_of_bytes_leaves_nothing_but_hidden_files_out(self, tmp_path):
        write(tmp_path / "a.png", PICTURE)
        write(tmp_path / "b.txt", "b")
        write(tmp_path / ".c.txt", "c")
        assert read_bytes(tmp_path) == Text(PICTURE + b"\nb", (str(tmp_path),), files=2, left_out=0)


class TestDecoding:
    def test_line_ends_become_newlines_in_characters_and_stay_in_bytes(self, tmp_path):
        path = write(tmp_path / "lines", b"unix\ndos\r\nmac\r\r\n")
        assert read_text(path).content == "unix\ndos\nmac\n\n"
        assert read_bytes(path).content == b"unix\ndos\r\nmac\r\r\n"

    def test_a_byte_order_mark_is_dropped_from_each_file_but_not_from_bytes(self, tmp_path):
        path = write(tmp_path / "marked", b"\xef\xbb\xbfone \xef\xbb\xbf\n")
        assert read_text([path, path]).content == "one \ufeff\none \ufeff\n"
        assert read_bytes(path).content == b"\xef\xbb\xbfone \xef\xbb\xbf\n"

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-32-le", "utf-8-sig"])
    def test_other_encodings(self, tmp_path, encoding):
        path = write(tmp_path / "text", "Füße\n".encode(encoding))
        text = read_text(path, encoding)
        assert text.content == "Füße\n"
        assert text.digest == hashlib.sha256("Füße\n".encode()).hexdigest()

    def test_a_lone_surrogate_has_a_digest(self):
        assert len(Text("\udc80").digest) == 64

    def test_digests_of_different_texts_differ(self):
        assert len({Text(content).digest for content in ("a", "b", b"b\n", "é")}) == 4

    @given(st.text(min_size=1).filter(lambda text: "\0" not in text))
    @example("\ufeff\ufeff")
    @example("\r\r\n\n")
    def test_what_is_written_is_read(self, written):
        with tempfile.TemporaryDirectory() as folder:
            path = write(Path(folder) / "text", written)
            expected = "\n".join(written.replace("\r\n", "\n").split("\r")).removeprefix("\ufeff")
            if expected:
                assert read_text(path).content == expected
            else:
                assert "is empty" in message_of(DataError, read_text, path)
            assert read_bytes(path).content == written.encode()


class TestBinary:
    def test_a_binary_file_is_refused(self, tmp_path):
        path = write(tmp_path / "picture.png", PICTURE)
        assert message_of(DataError, read_text, path) == f"{path} is binary, not text.\n  hint: {BYTES_HINT}"

    def test_binary_standard_input_is_refused(self, give_input):
        give_input(PICTURE)
        assert message_of(DataError, read_text, "-") == f"standard input is binary, not text.\n  hint: {BYTES_HINT}"

    def test_the_first_8_kib_decide(self, tmp_path):
        assert "binary" in message_of(DataError, read_text, write(tmp_path / "near", "a" * 8191 + "\0"))
        assert read_text(write(tmp_path / "far", "a" * 8192 + "\0")).content[-1] == "\0"

    def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(self, tmp_path):
        path = write(tmp_path / "bomb.gz", gzip.compress(bytes(32 * 1024 * 1024), compresslevel=1))
        tracemalloc.start()
        try:
            assert "binary" in message_of(DataError, read_text, path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 * 1024 * 1024


class TestRefused:
    def test_bytes_that_are_not_in_the_encoding(self, tmp_path):
        path = write(tmp_path / "old.txt", "Ein Süßkramladen".encode("latin-1"))
        assert message_of(DataError, read_text, path) == (
            f"{path} is not valid utf-8: byte 0xFC at offset 5.\n"
            "  hint: say how it is encoded, for instance --encoding latin-1, or learn its bytes: --tokens bytes."
        )
        assert message_of(DataError, read_text, path, "ascii").startswith(f"{path} is not valid ascii: byte 0xFC at")

    def test_the_file_of_a_folder_that_is_not_in_the_encoding_is_named(self, tmp_path):
        write(tmp_path / "a.txt", "fine")
        bad = write(tmp_path / "b.txt.gz", gzip.compress(b"cut \xe2\x82"))
        assert f"{bad} is not valid utf-8: byte 0xE2 at offset 4." in message_of(DataError, read_text, tmp_path)

    @pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined", "a\0b", "é", ""])
    def test_an_unknown_encoding(self, tmp_path, encoding):
        path = write(tmp_path / "text", "text")
        assert message_of(OptionError, read_text, path, encoding) == (
            f"there is no text encoding {encoding!r}.\n"
            "  hint: known ones are, for instance, utf-8, utf-16, latin-1 and cp1252."
        )

    @pytest.mark.parametrize("read", [read_text, read_bytes])
    def test_a_missing_file(self, tmp_path, read):
        path = tmp_path / "nowhere.txt"
        assert message_of(DataError, read, path) == (
            f"{path} cannot be read: no such file or directory.\n  hint: check the name, and that you may read it."
        )

    def test_a_missing_archive_is_missing_rather_than_damaged(self, tmp_path):
        assert "no such file" in message_of(DataError, read_text, tmp_path / "nowhere.gz")
        assert "no such file" in message_of(DataError, read_text, tmp_path / "nowhere.xz")

    def test_a_path_through_a_file(self, tmp_path):
        path = write(tmp_path / "file", "text") / "below"
        assert message_of(DataError, read_text, path).startswith(f"{path} cannot be read: not a directory.")

    def test_a_file_that_one_may_not_read(self, tmp_path, monkeypatch):
        path = write(tmp_path / "secret", "text")

        def refuse(*_):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr("builtins.open", refuse)
        message = message_of(DataError, read_text, path)
        assert message.startswith(f"{path} cannot be read: permission denied.\n  hint: check the name")

    def test_a_folder_that_one_may_not_list(self, tmp_path, monkeypatch):
        def refuse(folder):
            raise PermissionError(errno.EACCES, "Permission denied", folder)

        monkeypatch.setattr(os, "scandir", refuse)
        assert message_of(DataError, read_text, tmp_path).startswith(f"{tmp_path} cannot be read: permission denied.")

    @pytest.mark.parametrize(
        ("name", "content"), [("a.txt", b""), ("a.gz", b""), ("b.gz", gzip.compress(b"")), ("a.xz", lzma.compress(b""))]
    )
    def test_an_empty_file(self, tmp_path, name, content):
        path = write(tmp_path / name, content)
        message = f"{path} is empty.\n  hint: give a file with some text in it."
        assert message_of(DataError, read_text, path) == message
        assert message_of(DataError, read_bytes, path) == message

    def test_an_empty_file_among_others(self, tmp_path):
        full, empty = write(tmp_path / "full", "text"), write(tmp_path / "empty", "")
        assert f"{empty} is empty." in message_of(DataError, read_text, [full, empty])

    def test_nothing_but_a_byte_order_mark(self, tmp_path):
        assert "is empty." in message_of(DataError, read_text, write(tmp_path / "mark", b"\xef\xbb\xbf"))

    def test_empty_standard_input(self, give_input):
        give_input(b"")
        assert message_of(DataError, read_text, "-").startswith("standard input is empty.")

    def test_no_source(self):
        assert message_of(DataError, read_text, []) == (
            "there is nothing to read.\n  hint: name a file or a folder, or give - to read standard input."
        )

    def test_a_folder_without_text(self, tmp_path):
        message = f"the folder {tmp_path} holds no text.\n  hint: binary, empty and hidden files are left out."
        assert message_of(DataError, read_text, tmp_path) == message
        write(tmp_path / "picture.png", PICTURE)
        write(tmp_path / "below" / "empty", "")
        write(tmp_path / ".hidden", "text")
        assert message_of(DataError, read_text, tmp_path) == message

    @pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
    def test_a_damaged_archive(self, tmp_path, suffix, pack):
        whole = pack(ENGLISH[:50_000].encode())
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0xFF
        for content in (whole[: len(whole) // 2], bytes(flipped), whole[:5], b"never compressed"):
            path = write(tmp_path / f"text{suffix}", content)
            for read in (read_text, read_bytes):
                message = message_of(DataError, read, path)
                assert message.startswith(f"{path} is damaged, or not a {suffix} archive (")
                assert message.endswith(").\n  hint: fetch the file again, or rename it if it is not compressed.")

    def test_a_file_larger_than_memory(self, tmp_path, monkeypatch):
        def exhaust(*_):
            raise MemoryError

        monkeypatch.setattr("shutil.copyfileobj", exhaust)
        path = write(tmp_path / "large", "text")
        assert message_of(DataError, read_text, path) == f"{path} does not fit in memory.\n  hint: give a part of it."
