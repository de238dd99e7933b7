"""Folders in archives: what they hold is what the same folder on disk holds; and archives that are damaged."""

import gzip
import io
import lzma
import tarfile

import pytest

from ostinato.data import folders, tables
from ostinato.data.labelled import text_examples
from ostinato.data.text_tables import TextLayout
from tests.data.labelled_files import assert_same, fact, write

FILES = {
    "aclImdb/README": "about",
    "aclImdb/train/pos/0_9.txt": "good",
    "aclImdb/train/pos/10_8.txt": "fine\r\nfilm",
    "aclImdb/train/neg/0_2.txt": "bad" * 5000,
    "aclImdb/test/neg/0_1.txt": "awful",
    "aclImdb/test/.hidden/0_1.txt": "?",
    "aclImdb/test/pos/picture.png": "PNG\0",
}
PACKED = {".tar": bytes, ".tar.gz": gzip.compress, ".TAR.xz": lzma.compress}


def tar(files, *others):
    """Return an archive of files, and of other members."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for member in others:
            archive.addfile(member)
    return content.getvalue()


def link(name, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("part", [None, "test"])
def test_an_archive_is_read_as_what_it_holds(tmp_path, suffix, part):
    for name, text in FILES.items():
        write(tmp_path, text, name)
    scattered = dict(sorted(FILES.items(), reverse=True))
    archive = write(tmp_path, PACKED[suffix](tar(scattered)), f"a{suffix}")
    layout = TextLayout(part=part)
    found, expected = text_examples(archive, layout), text_examples(tmp_path / "aclImdb", layout)
    assert_same(found, expected)
    on_disk, packed = str(tmp_path / "aclImdb"), str(archive / "aclImdb")
    assert found.remarks == [remark.replace(on_disk, packed) for remark in expected.remarks]
    assert found.remarks
    places = [[one.places[number] for number in range(len(one))] for one in (found, expected)]
    assert places[0] == [place.replace(on_disk, packed) for place in places[1]]


def test_without_a_folder_around_them(tmp_path):
    path = write(tmp_path, tar({"./Greek.txt": "Α\nΒ", "Dutch.txt": "Aak\n"}), "names.tar")
    found = text_examples(path)
    assert list(zip(found.texts, found.labels, strict=True)) == [("Aak", "Dutch"), ("Α", "Greek"), ("Β", "Greek")]
    assert found.places[2] == f"{path / 'Greek.txt'}, line 2"
    assert text_examples(path, labelled=False).texts == ["Aak\n", "Α\nΒ"]


def test_what_is_no_file_is_left_out_and_nothing_leaves_the_archive(tmp_path):
    device = tarfile.TarInfo("pos/device")
    device.type = tarfile.CHRTYPE
    others = (link("pos/link"), link("neg/hard", tarfile.LNKTYPE), device)
    path = write(tmp_path, tar({"pos/1": "a", "neg/1": "b", "../up/1": "c", "/neg/root": "d"}, *others), "a.tar")
    found = text_examples(path)
    assert (found.texts, found.labels) == (["b", "d", "a"], ["neg", "neg", "pos"])
    assert found.remarks == ["left out: 3 links and other members that are no files"]


class TestRefused:
    def test_one_that_is_cut_short(self, tmp_path):
        whole = tar(FILES)
        end = len(whole.rstrip(b"\0"))
        for length in (0, 1, 512, 600, 2048, end // 2, end - 1, end):
            for suffix, pack in PACKED.items():
                path = write(tmp_path, pack(whole[:length]), f"a{suffix}")
                assert f"{path} is damaged, or no archive of tar (" in fact(text_examples, path)

    def test_one_whose_rest_cannot_be_read(self, tmp_path):
        whole = bytearray(tar(FILES))
        at = whole.index(b"aclImdb/train/neg")
        whole[at + 148 : at + 156] = b"damaged!"
        path = write(tmp_path, bytes(whole), "a.tar")
        assert "after its last readable member" in fact(text_examples, path)

    @pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
    def test_one_whose_compression_is_damaged(self, tmp_path, suffix):
        whole = PACKED[".TAR.xz" if suffix == ".tar.xz" else suffix](tar(FILES))
        for content in (whole[:-9], whole[: len(whole) // 2], b"\0" * 99):
            assert "is damaged" in fact(text_examples, write(tmp_path, content, f"a{suffix}"))

    def test_a_member_of_a_negative_size(self, tmp_path):
        member = tarfile.TarInfo("a")
        member.size = -512
        header = member.tobuf(tarfile.GNU_FORMAT)
        assert "is damaged" in fact(text_examples, write(tmp_path, header + bytes(1024), "a.tar"))

    def test_names_within_names(self, tmp_path):
        member = tarfile.TarInfo("././@LongLink")
        member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2
        content = (member.tobuf(tarfile.GNU_FORMAT) + b"a\0".ljust(512, b"\0")) * 3000
        assert "is damaged" in fact(text_examples, write(tmp_path, content, "a.tar"))

    def test_one_of_too_many_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(folders, "MOST_FILES", 3)
        assert fact(text_examples, write(tmp_path, tar(FILES), "a.tar")).endswith("holds more than 3 files.")

    def test_one_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "MOST_BYTES", 20_000)
        zeros = tarfile.TarInfo("pos/zeros")
        zeros.size = 10**12
        for content in (tar({"pos/1": "x" * 30_000}), tar({"pos/1": "x"}) + bytes(30_000), zeros.tobuf() + bytes(512)):
            path = write(tmp_path, gzip.compress(content), "a.tar.gz")
            assert fact(text_examples, path).startswith(f"{path} holds more than ")

    def test_one_that_is_not_there_or_empty(self, tmp_path):
        assert "cannot be read" in fact(text_examples, tmp_path / "nowhere.tar.gz")
        empty = write(tmp_path, tar({}), "a.tar")
        assert fact(text_examples, empty) == f"the folder {empty} holds no text."
