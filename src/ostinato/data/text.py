r"""Reading text: files, folders and standard input become one text.

`read_text` gives characters: decoded, a byte-order mark at the start of a file dropped, and every
line end (``\r\n``, ``\r``) turned into ``\n``. `read_bytes` gives bytes, exactly as they are.

* A source is a file, a folder, or ``-`` for standard input; ``.gz`` and ``.xz`` are decompressed.
* A folder stands for every file below it, sorted by path. Hidden files and folders are left out,
  and from characters binary files too: those with a NUL in their first 8 KiB, the test of grep and
  git. The test is made before the rest is read or decompressed.
* Files are joined in the order given, with a newline between two where the first does not end in one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Generic, NoReturn, TypeVar

from ..errors import DataError, OptionError

HEAD = 8 * 1024
"""How many bytes of a file decide whether it is binary."""
_CHUNK = 1024 * 1024
_DAMAGED = (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)

Source = str | Path
Content = TypeVar("Content", str, bytes)


@dataclass(frozen=True)
class Text(Generic[Content]):
    """A text, and where it came from.

    content: the text itself. names: the sources, as they were given. files: how many files were
    joined. left_out: how many binary files of folders were not.
    """

    content: Content
    names: tuple[str, ...] = ()
    files: int = 0
    left_out: int = 0

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the content (characters as UTF-8), however the files were compressed or encoded."""
        content = self.content
        return hashlib.sha256(
            content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        ).hexdigest()


def read_text(sources: Source | Sequence[Source], encoding: str = "utf-8") -> Text[str]:
    """Read one or several sources as characters.

    Raises DataError for a source that is missing, unreadable, damaged, empty, binary or not in this
    encoding, and OptionError for an encoding that does not exist.
    """
    nul_is_text = b"\0" in checked_encoding(encoding)
    return _read(
        sources,
        is_binary=lambda head: b"\0" in head and not nul_is_text,
        decode=lambda title, raw: _decode(title, raw, encoding),
        newline="\n",
    )


def read_bytes(sources: Source | Sequence[Source]) -> Text[bytes]:
    """Read one or several sources as bytes; nothing counts as binary, and nothing is changed.

    Raises DataError for a source that is missing, unreadable, damaged or empty.
    """
    return _read(sources, is_binary=lambda head: False, decode=lambda title, raw: raw, newline=b"\n")


def _read(
    sources: Source | Sequence[Source],
    is_binary: Callable[[bytes], bool],
    decode: Callable[[str, bytes], Content],
    newline: Content,
) -> Text[Content]:
    names = [str(source) for source in ([sources] if isinstance(sources, (str, Path)) else sources)]
    if not names:
        raise DataError("there is nothing to read.", "name a file or a folder, or give - to read standard input.")
    texts: list[Content] = []
    left_out = 0
    for name in names:
        found = [_load(file, is_binary, decode) for file in files_below(name)]
        if not any(found):
            raise _without_text(name, is_binary_file=found == [None])
        texts += [text for text in found if text]
        left_out += sum(text is None for text in found)
    return Text(_joined(texts, newline), tuple(map(_title, names)), len(texts), left_out)


def _joined(texts: Sequence[Content], newline: Content) -> Content:
    pieces: list[Content] = []
    for text in texts:
        if pieces and not pieces[-1].endswith(newline):
            pieces.append(newline)
        pieces.append(text)
    return newline[:0].join(pieces)


def files_below(name: str) -> Iterable[str]:
    """Return the files that a source stands for."""
    if not os.path.isdir(name):
        return [name]
    files: list[str] = []
    for where, folders, names in os.walk(name, onerror=_refuse_folder):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        files += [os.path.join(where, file) for file in names if not file.startswith(".")]
    return sorted(filter(os.path.isfile, files), key=lambda file: file.split(os.sep))


def _load(name: str, is_binary: Callable[[bytes], bool], decode: Callable[[str, bytes], Content]) -> Content | None:
    """Return what a file holds, or None if it is binary."""
    with opened(name) as stream:
        head = stream.read(HEAD)
        if is_binary(head):
            return None
        raw = _whole(head, stream)
    return decode(_title(name), raw)


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """Open one file, or ``-`` for standard input, to be read decompressed.

    Raises DataError for one that is missing or unreadable and, while it is read, for one that is damaged or too large.
    """
    title = _title(name)
    try:
        with _open(name) as stream:
            yield stream
    except _DAMAGED as error:
        raise DataError(
            f"{title} is damaged, or not a {Path(name).suffix} archive ({error}).",
            "fetch the file again, or rename it if it is not compressed.",
        ) from None
    except OSError as error:
        raise _unreadable(title, error) from None
    except MemoryError:
        raise DataError(f"{title} does not fit in memory.", "give a part of it.") from None


def _open(name: str) -> AbstractContextManager[Any]:
    if name == "-":
        if sys.stdin is None:
            raise DataError("standard input is closed.", "give it a text: cat FILE | ostinato …")
        return nullcontext(sys.stdin.buffer)
    suffix = Path(name).suffix.lower()
    if suffix == ".gz":
        return gzip.open(name, "rb")
    if suffix == ".xz":
        return lzma.open(name, "rb")
    return open(name, "rb")


def _whole(head: bytes, stream: IO[bytes]) -> bytes:
    buffer = io.BytesIO()
    buffer.write(head)
    shutil.copyfileobj(stream, buffer, _CHUNK)
    return buffer.getvalue()


def _decode(title: str, raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{title} is not valid {encoding}: byte 0x{raw[error.start]:02X} at offset {error.start}.",
            "say how it is encoded, for instance --encoding latin-1, or learn its bytes: --tokens bytes.",
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def checked_encoding(encoding: str) -> bytes:
    """Return how the encoding writes the letter a, which shows that it exists and whether it uses NULs."""
    try:
        return "a".encode(encoding)
    except (LookupError, ValueError):
        raise OptionError(
            f"there is no text encoding {encoding!r}.",
            "known ones are, for instance, utf-8, utf-16, latin-1 and cp1252.",
        ) from None


def _title(name: str) -> str:
    return "standard input" if name == "-" else name


def _without_text(name: str, is_binary_file: bool) -> DataError:
    if os.path.isdir(name):
        return DataError(f"the folder {name} holds no text.", "binary, empty and hidden files are left out.")
    if is_binary_file:
        return DataError(f"{_title(name)} is binary, not text.", "a byte model takes any file: --tokens bytes.")
    return DataError(f"{_title(name)} is empty.", "give a file with some text in it.")


def _unreadable(title: str, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"{title} cannot be read: {reason.lower()}.", "check the name, and that you may read it.")


def _refuse_folder(error: OSError) -> NoReturn:
    raise _unreadable(str(error.filename), error) from None
