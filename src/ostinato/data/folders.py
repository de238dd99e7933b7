"""A folder of files, on disk or in a tar archive, which is read where it lies and never unpacked.

Hidden files and folders, whose names begin with a dot, are left out.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..errors import DataError
from . import tables
from .decoded import suffix_of
from .text import files_below, opened

MOST_FILES = 1_000_000
"""The files of an archive that are listed at most."""
_BLOCK = 512
"""What an archive is a multiple of; one of zeros ends it."""
_CHUNK = 1024 * 1024
_BROKEN = (tarfile.TarError, ValueError, LookupError, OverflowError, RecursionError)
"""What tarfile raises for an archive that is damaged."""

Visit = Callable[[str, IO[bytes]], None]
"""What is done with a file: it is given the path, and the content as a stream."""


@dataclass(frozen=True)
class Folder:
    """The files of a folder.

    title: what to call it. files: their paths from here, parted by slashes, sorted part by part. visit: takes some of
    them, and what to do with each; their order is its own. remarks: what was left out.
    """

    title: str
    files: list[str]
    visit: Callable[[Sequence[str], Visit], None]
    remarks: list[str] = field(default_factory=list)

    def below(self, name: str) -> Folder:
        """Return the folder of this name in it."""
        path = f"{name}/"

        def visit(files: Sequence[str], take: Visit) -> None:
            self.visit([path + file for file in files], lambda file, stream: take(file.removeprefix(path), stream))

        files = [file.removeprefix(path) for file in self.files if file.startswith(path)]
        return Folder(os.path.join(self.title, name), files, visit, self.remarks)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a folder, or an archive of one: `.tar`, `.tar.gz` or `.tar.xz`."""
    return os.path.isdir(path) or suffix_of(os.fspath(path)) == ".tar"


def open_folder(path: str | os.PathLike[str]) -> Folder:
    """Return a folder's files. What all files of an archive lie in is taken for the folder.

    Raises DataError for one that cannot be read and for an archive that is damaged, or of too many files or bytes.
    """
    name = os.fspath(path)
    return _on_disk(name) if os.path.isdir(name) else _in_archive(name)


def _on_disk(name: str) -> Folder:
    def visit(files: Sequence[str], take: Visit) -> None:
        for file in files:
            with opened(os.path.join(name, file)) as stream:
                take(file, stream)

    begin = len(os.path.join(name, ""))
    return Folder(str(Path(name)), [file[begin:].replace(os.sep, "/") for file in files_below(name)], visit)


# ---- archives


def _in_archive(name: str) -> Folder:
    members, left_out = _members(name)

    def visit(files: Sequence[str], take: Visit) -> None:
        with _archive(name) as archive:
            for file in sorted(files, key=lambda file: members[file].offset_data):  # to go back is to begin again
                stream = archive.extractfile(members[file])
                assert stream is not None  # it is None for what is no file
                with closing(stream):
                    take(file, stream)

    remarks = [f"left out: {left_out:,} links and other members that are no files"] if left_out else []
    folder = Folder(name, sorted(members, key=lambda file: file.split("/")), visit, remarks)
    tops = {file.partition("/")[0] for file in members}
    return folder.below(tops.pop()) if len(tops) == 1 and not tops & set(members) else folder


def _members(name: str) -> tuple[dict[str, tarfile.TarInfo], int]:
    """Return the files of an archive by path, a later one in place of an earlier, and how many members are none."""
    found: dict[str, tarfile.TarInfo] = {}
    left_out = 0
    with _archive(name) as archive:
        for count, member in enumerate(archive, 1):
            if count > MOST_FILES:
                raise DataError(f"{name} holds more than {MOST_FILES:,} files.", "unpack it, and give a part of it.")
            if member.size < 0:
                raise ValueError(f"{member.name!r:.40} has {member.size} bytes")  # some tarfiles then go in circles
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            if member.isdir() or not parts or any(part.startswith(".") for part in parts):
                continue
            if member.isreg() and not member.issparse():
                found["/".join(parts)] = member
            else:
                left_out += 1
        _check_end(archive)
    return found, left_out


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ValueError unless a block of zeros follows: for tarfile whatever is no member is the end."""
    stream = archive.fileobj
    assert stream is not None
    stream.seek(archive.offset)
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise ValueError("it is cut short, or damaged after its last readable member")
    while stream.read(_CHUNK):  # to the end, where compressed files have their checksum
        pass


class _Bounded:
    """A stream that refuses to go beyond `tables.MOST_BYTES`."""

    def __init__(self, stream: IO[bytes], title: str) -> None:
        self.stream = stream
        self.title = title

    def read(self, size: int) -> bytes:
        content = self.stream.read(min(size, tables.MOST_BYTES + 1 - self.tell()))
        self._check(self.tell())
        return content

    def seek(self, place: int) -> int:
        self._check(place)
        return self.stream.seek(place)

    def tell(self) -> int:
        return self.stream.tell()

    def _check(self, end: int) -> None:
        if end > tables.MOST_BYTES:
            raise DataError(
                f"{self.title} holds more than {tables.MOST_BYTES / 1024**3:.3g} GiB.",
                "unpack it, and give a part of it.",
            )


@contextmanager
def _archive(name: str) -> Iterator[tarfile.TarFile]:
    """Open an archive. Raises DataError, then or while it is read, where it is damaged or too large."""
    with opened(name) as stream:
        try:
            with tarfile.TarFile(fileobj=_Bounded(stream, name), mode="r") as archive:  # type: ignore[arg-type]
                yield archive
        except DataError:
            raise
        except _BROKEN as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(f"{name} is damaged, or no archive of tar ({reason[:200]}).", "fetch it again.") from None
