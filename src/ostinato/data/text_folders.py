"""Texts from folders.

A folder a class, of files of a text each:       pos/1.txt  pos/2.txt  neg/1.txt
A file a class, of lines of a text each:         Dutch.txt  Greek.txt
Folders of parts, each of them one of the above: train/pos/1.txt  test/pos/1.txt

The last is the layout of aclImdb: its train/unsup, of reviews without labels, and the lists beside the folders are left
out. Hidden files are, too, and binary ones: those with a NUL in their first 8 KiB. Where labels do not matter, a folder
of files has a text in each of them. A folder may be an archive, `.tar`, `.tar.gz` or `.tar.xz`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import IO

from ..errors import DataError
from . import tables
from .decoded import decoded
from .examples import TextExamples
from .folders import Folder, open_folder
from .places import Places, joined_places, places_in, whole_files
from .report import listed
from .text import HEAD, checked_encoding
from .text_tables import TextLayout

PARTS = ("train", "training", "valid", "validation", "dev", "test")
"""Names of folders that are parts of a data set, those of training first."""
_UNLABELLED = "unsup"
"""The class that aclImdb's reviews without a label seem to have."""


def read_text_folder(path: str | os.PathLike[str], layout: TextLayout, labelled: bool | None) -> TextExamples:
    """Return the texts of a folder, sorted by path; see `read_text_table` for labelled.

    Raises DataError for a folder without texts, a part that is not there, and a file that cannot be read or decoded.
    """
    folder, remarks = _part(open_folder(path), layout.part)
    read = _Reader(folder, layout.encoding, [*folder.remarks, *remarks])
    classes, files = _entries(folder)
    if classes:
        found = _class_a_folder(read, classes, files, labelled)
    elif labelled is False:
        texts = read.texts(files)
        found = TextExamples(list(texts.values()), None, read.places(texts), read.remarks)
    else:
        found = _class_a_file(read, files)
    if not found.texts:
        raise DataError(f"the folder {folder.title} holds no text.", "give a folder a class, with a file a text in it.")
    return found


def _part(folder: Folder, wanted: str | None) -> tuple[Folder, list[str]]:
    """Return the part asked for, by default the first of `PARTS`; the folder itself where it has none of these."""
    folders, files = _entries(folder)
    if wanted is not None:
        if wanted not in folders:
            there = listed(list(folders)) or "none"
            raise DataError(f"the folder {folder.title} has no part {wanted!r}.", f"the folders in it are {there}.")
        return folder.below(wanted), []
    parts = [name for name in PARTS if name in folders]
    if not parts or set(folders) - set(parts):
        return folder, []
    others = f"; not read: {', '.join(parts[1:])}" if parts[1:] else ""
    read = f"of the parts of {folder.title}, {parts[0]} was read{others}"
    return folder.below(parts[0]), [read, *_left_out(files, "files beside the folders")]


def _entries(folder: Folder) -> tuple[dict[str, list[str]], list[str]]:
    """Return the folders in a folder, with all files below each, and the files beside them."""
    folders: dict[str, list[str]] = {}
    beside: list[str] = []
    for file in folder.files:
        name, _, rest = file.partition("/")
        if rest:
            folders.setdefault(name, []).append(file)
        else:
            beside.append(file)
    return folders, beside


def _class_a_folder(
    read: _Reader, classes: dict[str, list[str]], beside: list[str], labelled: bool | None
) -> TextExamples:
    if {_UNLABELLED, "pos", "neg"} <= set(classes):
        classes = {name: files for name, files in classes.items() if name != _UNLABELLED}
        read.remarks.append(f"left out: {_UNLABELLED}, texts without labels")
    read.remarks += _left_out(beside, "files beside the folders")
    texts = read.texts([file for files in classes.values() for file in files])
    labels = [name for name, files in classes.items() for file in files if file in texts]
    empty = sorted(set(classes) - set(labels))
    read.remarks += [f"left out: {name}, which holds no text" for name in empty]
    return TextExamples(list(texts.values()), None if labelled is False else labels, read.places(texts), read.remarks)


def _class_a_file(read: _Reader, files: list[str]) -> TextExamples:
    texts: list[str] = []
    labels: list[str] = []
    places: list[Places] = []
    for file, content in read.texts(files).items():
        lines = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line and not line.isspace()]
        texts += [line for _, line in lines]
        labels += [_class_of(file)] * len(lines)
        places.append(places_in(read.title(file), "line", [number for number, _ in lines]))
    remarks = ["each file was taken as a class, and each line as a text", *read.remarks]
    return TextExamples(texts, labels, joined_places(places) if places else whole_files([]), remarks)


def _class_of(file: str) -> str:
    """Return the class that a file is: its name without its endings."""
    name = os.path.basename(file)
    return os.path.splitext(name.removesuffix(".gz").removesuffix(".xz"))[0]


class _Reader:
    """Reads files of a folder as texts. remarks: what is to be said of them so far."""

    def __init__(self, folder: Folder, encoding: str | None, remarks: list[str]) -> None:
        self.folder = folder
        self.encoding = encoding
        self.remarks = remarks
        self._nul_is_text = b"\0" in checked_encoding(encoding or "utf-8")
        self._left = tables.MOST_BYTES

    def title(self, file: str) -> str:
        """Return what to call a file."""
        return os.path.join(self.folder.title, *file.split("/"))

    def places(self, files: Iterable[str]) -> Places:
        """Return the places of examples that are a file each."""
        return whole_files([self.title(file) for file in files])

    def texts(self, files: Sequence[str]) -> dict[str, str]:
        """Return the text of each file that is not binary."""
        contents: dict[str, bytes | None] = {}

        def take(file: str, stream: IO[bytes]) -> None:
            contents[file] = self._content(stream)

        self.folder.visit(files, take)
        self.remarks += _left_out([file for file in files if contents[file] is None], "binary files")
        read: dict[str, str] = {}
        for file in files:
            content = contents.pop(file)
            if content is not None:
                read[file] = decoded(content, self.title(file), self.encoding)
        return read

    def _content(self, stream: IO[bytes]) -> bytes | None:
        """Return what a file holds, None where it is binary."""
        content = stream.read(HEAD)
        if b"\0" in content and not self._nul_is_text and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return None
        content += stream.read(max(0, self._left - len(content)) + 1)
        self._left -= len(content)
        if self._left < 0:
            most = f"{tables.MOST_BYTES / 1024**3:.3g} GiB of text"
            raise DataError(f"{self.folder.title} holds more than {most}.", "give a part of it.")
        return content


def _left_out(names: list[str], what: str) -> list[str]:
    return [f"left out: {len(names):,} {what}: {listed(names)}"] if names else []
