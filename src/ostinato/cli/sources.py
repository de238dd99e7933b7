"""The texts named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.text import Text, read_bytes, read_text


def read_sources(names: Sequence[str], tokens: str, encoding: str) -> Text[Any]:
    """Read files, folders or ``-`` as what a model's symbols are: characters or bytes."""
    return read_bytes(names) if tokens == "bytes" else read_text(names, encoding)
