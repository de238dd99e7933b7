"""Opening a model for a command that is about one kind of model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DataError

if TYPE_CHECKING:
    from ..tasks.language import LanguageModel


def open_language_model(path: str) -> LanguageModel:
    """Open a model of text. Raises DataError for one of another kind, FileFormatError for what is no model."""
    from .. import load

    return as_language_model(path, load(path))


def as_language_model(path: str, opened: Any) -> LanguageModel:
    """Return a model that was opened from a path. Raises DataError for one that is not of text."""
    if opened.task != "language":
        raise DataError(f"{path} is a {opened.task}, not a model of text.", f"see: ostinato info {path}")
    model: LanguageModel = opened
    return model
