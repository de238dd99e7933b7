"""Sequences with labels: texts, series and tagged sentences; and vectors of words."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import polars as pl

from ostinato.data.conll import TagLayout
from ostinato.data.labelled import series_examples, tagged_sentences, text_examples
from ostinato.data.text_tables import TextLayout
from ostinato.data.vectors import read_vectors
from ostinato.errors import OstinatoError

from .common import file_of, zipped

# ---- texts


def texts(content: bytes) -> None:
    """Read a table of texts, of every kind in turn; Parquet has a process of its own, and is another target's."""
    if content.startswith(b"PAR1"):
        return
    suffix = (".csv", ".tsv", ".jsonl", "")[len(content) % 4]
    layout = TextLayout(label=2 if len(content) % 3 else None, header=(None, True, False)[len(content) % 5 % 3])
    with file_of(content, suffix) as path, suppress(OstinatoError):
        text_examples(path, layout)


def text_files() -> list[bytes]:
    """Tables of texts: with quotes, with tabs, and JSON lines."""
    return [
        b'text,label\n"a ""good"" film, really",pos\n"two\nlines",neg\n',
        b'0\t7\t"It" was <br /> fine\n1\t8\tbad\n',
        b'{"text": "a\\u00e9", "label": ["x", 1.50]}\n\n{"text": null, "label": true}\n',
    ]


def folder(content: bytes) -> None:
    """Bytes that are taken for an archive: as they are, compressed well, and as if they were compressed."""
    for suffix, packed in ((".tar", content), (".tar.gz", gzip.compress(content, 1)), (".tar.xz", content)):
        with file_of(packed, suffix) as path, suppress(OstinatoError):
            text_examples(path, labelled=(None, True, False)[len(content) % 3])


def archives() -> list[bytes]:
    """Archives of a folder a class, with members of every kind, in the forms that there are."""
    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=form) as archive:
            for name, kind, text in (
                ("all/train/pos/1.txt", tarfile.REGTYPE, b"a"),
                ("all/train/neg/" + "n" * 99, tarfile.REGTYPE, "é".encode() * 300),
                ("all/train/neg", tarfile.DIRTYPE, b""),
                ("all/train/neg/link", tarfile.SYMTYPE, b""),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.size, member.linkname = kind, len(text), "1.txt"
                archive.addfile(member, io.BytesIO(text))
        found.append(content.getvalue())
    return [*found, lzma.compress(found[0])]


def parquet(content: bytes) -> None:
    """Read texts from what is taken for Parquet, in a process of its own."""
    with file_of(content, ".parquet") as path, suppress(OstinatoError):
        text_examples(path)


def parquet_files() -> list[bytes]:
    """A table of texts, with a list of labels for each."""
    content = io.BytesIO()
    pl.DataFrame({"text": ["a", None, "é"], "label": [["x"], [], ["x", "y"]]}).write_parquet(content)
    return [content.getvalue()]


# ---- vectors of words


def vectors(content: bytes) -> None:
    """Read vectors of words, some of which the files to begin with have."""
    with file_of(content, ".txt") as path, suppress(OstinatoError):
        read_vectors(path, ["the", "New York", "é", "nowhere"], lower=len(content) % 2 == 0)


def vector_files() -> list[bytes]:
    """Vectors with word2vec's header and without one."""
    return ["3 2\nthe 1 -2e-3\nNew York .5 6\nÉ 1 2\n".encode(), b"the\t1\t2\t3\nof 1 2 3\n"]


# ---- series


def series(suffix: str) -> Callable[[bytes], None]:
    """Read series with labels."""

    def run(content: bytes) -> None:
        with file_of(content, suffix) as path, suppress(OstinatoError):
            series_examples(path, labelled=(None, True, False)[len(content) % 3])

    return run


def uea_files() -> list[bytes]:
    """A file of the UEA archive, in small."""
    return [b"#c\n@dimensions 2\n@serieslength 3\n@classLabel true a b\n@data\n1,?,3:4,5,-6e1:a\n1,2:3,4: b\n"]


def long_tables() -> list[bytes]:
    """A table with a row a step."""
    return [b"series,time,x,y,label\na,2,1,?,u\nb,1,2,3,v\na,1,4,5,u\n"]


def npz(content: bytes) -> None:
    """Bytes that are taken for an `.npz`; and for each of the arrays in one, whose sums of digits are then in order."""
    series(".npz")(content)
    arrays = {"X": np.ones((2, 3)), "y": np.array(["a", "b"]), "lengths": np.array([3, 1])}
    for name in arrays:
        members = {f"{other}.npy": content if other == name else _npy(array) for other, array in arrays.items()}
        series(".npz")(zipped(members))


def npz_files() -> list[bytes]:
    """Arrays of series, alone and together."""
    together = io.BytesIO()
    np.savez_compressed(together, X=np.arange(12.0).reshape(2, 3, 2), y=np.array(["a", "b"]))
    return [together.getvalue(), _npy(np.arange(6.0).reshape(2, 3)), _npy(np.array([1, 3])), _npy(np.array(["a", "b"]))]


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


# ---- sentences


def words(content: bytes) -> None:
    """Read tagged sentences, in columns and as CoNLL-U."""
    for kind in ("columns", "conllu"):
        with file_of(content, ".txt") as path, suppress(OstinatoError):
            tagged_sentences(path, TagLayout(format=kind))


def word_files() -> list[bytes]:
    """Tagged sentences, in columns and as CoNLL-U."""
    rest = b"\t_\t_\t_\t_\t_\t_\n"
    ranges = (
        b"# sent_id = s\n1-2\tab\t_\t_" + rest + b"1\ta\ta\tX" + rest + b"1.1\tz\t_\t_" + rest + b"2\tb\tb\tY" + rest
    )
    return [b"-DOCSTART- O\n\na b B-x\nc d O\n\ne f I-x\n", ranges]
