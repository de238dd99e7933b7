"""A file's characters: decompressed, decoded, and with one kind of line end."""

from __future__ import annotations

import codecs
import os
from typing import Any

from ..errors import DataError
from .tables import bounded
from .text import HEAD, checked_encoding, opened

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks; that of UTF-32 begins as that of UTF-16 does."""


STANDARD_INPUT = "-"


def read_decoded(path: str | os.PathLike[str], encoding: str | None = None) -> str:
    """Return what a file holds, or standard input where it is called ``-``; ``.gz`` and ``.xz`` are decompressed.

    Raises DataError for one that is missing, damaged, too large, binary or of another encoding.
    """
    name = os.fspath(path)
    with opened(name) as stream:
        content = bounded(stream, title_of(name))
    return decoded(content, title_of(name), encoding)


def decoded(content: bytes, title: str, encoding: str | None = None) -> str:
    r"""Return bytes as characters, ``\r\n`` and ``\r`` as ``\n``, without a byte-order mark.

    encoding: by default what the byte-order mark says, and without one UTF-8.

    Raises DataError for what is binary or not in this encoding, OptionError for an encoding that does not exist.
    """
    known = encoding or next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if b"\0" not in checked_encoding(known) and b"\0" in content[:HEAD]:
        raise DataError(f"{title} is binary, not text.", "give a text, or say how it is encoded: --encoding utf-16.")
    try:
        text = content.decode(known)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{title} is not valid {known}: byte 0x{content[error.start]:02X} at offset {error.start:,}.",
            "say how it is encoded, for instance --encoding latin-1.",
        ) from None
    except UnicodeError:
        raise DataError(f"{title} is not valid {known}.", "say how it is encoded, for instance utf-8.") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def is_standard_input(data: Any) -> bool:
    """Tell whether data, or the first of several files, is standard input: ``-``."""
    first = data[0] if isinstance(data, (list, tuple)) and len(data) else data
    return isinstance(first, (str, os.PathLike)) and os.fspath(first) == STANDARD_INPUT


def title_of(name: str) -> str:
    """Return what to call a file."""
    return "standard input" if name == STANDARD_INPUT else name


def suffix_of(name: str) -> str:
    """Return what a file's name ends in, in small letters, below ``.gz`` or ``.xz``: ``.tsv`` of ``a.TSV.xz``."""
    base = os.path.basename(name).lower()
    return os.path.splitext(base.removesuffix(".gz").removesuffix(".xz"))[1]
