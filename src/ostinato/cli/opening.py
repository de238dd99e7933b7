"""Opening a model for a command that is about one kind of model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    from ..tasks.language import LanguageModel


def open_language_model(path: str) -> LanguageModel:
    """Open a model of text. Raises DataError for one of another kind, FileFormatError for what is no model."""
    from .. import load

    opened: LanguageModel = load(path)
    if opened.task != "language":
        raise DataError(f"{path} is a {opened.task}, not a model of text.", f"see: ostinato info {path}")
    return opened
