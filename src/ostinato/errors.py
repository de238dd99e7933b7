"""Every error that a user can cause.

    OstinatoError
    ├── CellError          a cell's definition is not one the language allows
    ├── ProgramError       a program's data is damaged or inconsistent
    ├── ShapeError         an array does not have the shape that was asked for
    ├── OptionError        an option is unknown, out of range or contradicts another (exit code 2)
    ├── DataError          a file or a text cannot be used as data
    ├── FileFormatError    a model file or a checkpoint is damaged, too new or not ours
    ├── ExportError        what a file for other tools computes is not what the model does
    ├── UnfittedError      a model was asked before it had learned anything
    ├── StreamError        a stream is not open, or there is no room for another
    ├── TrainingError      training cannot go on
    ├── Interrupted        a signal stopped the run, after its state was saved (exit code 130 or 143)
    └── MissingExtraError  the install lacks an optional part

Each carries the fact (`message`) and, where there is one, what to do about it (`hint`), which
stands on a line of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OstinatoError(Exception):
    """Base of every error of this package: what was expected, what came, and a hint."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  hint: {self.hint}"


class CellError(OstinatoError):
    """A cell's definition is not one that the cell language allows."""


class ProgramError(OstinatoError, ValueError):
    """A program's instructions are inconsistent: a bad index, width, name or operation."""


class ShapeError(OstinatoError, ValueError):
    """An array does not have the shape, or a size not the value, that was asked for."""


class OptionError(OstinatoError, ValueError):
    """An option is unknown, out of range, or contradicts another."""

    exit_code = 2


class DataError(OstinatoError, ValueError):
    """A file or a text cannot be used as data."""


class FileFormatError(OstinatoError, ValueError):
    """A model file or a checkpoint is damaged, of another format, or of a newer version."""


class ExportError(OstinatoError):
    """What was exported for other tools computes something else than the model, or cannot be run there."""


class UnfittedError(OstinatoError, ValueError, AttributeError):
    """A model was asked before it had learned anything; what it learns, it does not have yet."""


class StreamError(OstinatoError, LookupError):
    """A stream is not open, or there is no room for another."""


class TrainingError(OstinatoError):
    """Training cannot go on, for instance because the loss is no longer a number."""


class Interrupted(OstinatoError):
    """A signal stopped the run, after everything needed to go on was saved."""

    def __init__(self, message: str, hint: str | None = None, *, signal_number: int) -> None:
        super().__init__(message, hint)
        self.exit_code = 128 + signal_number


class MissingExtraError(OstinatoError, ImportError):
    """The install lacks an optional part, such as torch for training."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the known name most like `name`, else the list of them."""
    known = list(known)
    match = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {match[0]!r}?" if match else f"known here: {', '.join(known)}."
