"""Opening a model for a command that is about one kind of model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError

if TYPE_CHECKING:
    from ..tasks.language import LanguageModel
    from ..tasks.runs import Runs


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


def as_network(path: str, opened: Any) -> Runs:
    """Return a model that was opened from a path, if it is one network that can be run by itself. Raises DataError."""
    from ..tasks.runs import Runs

    if not isinstance(opened, Runs):
        raise DataError(
            f"{path} is a {opened.task} model, more than one network: it is neither streamed nor written as ONNX.",
            f"use: ostinato predict {path} FILE",
        )
    return opened


def refuse_flags_of_others(task: str, flags: Mapping[str, Iterable[str]]) -> None:
    """Raise OptionError for a flag that was given, but says nothing of this kind of model.

    flags: those that are for some kinds of model only, by the task of each.
    """
    context, own = click.get_current_context(), set(flags.get(task, ()))
    for name in dict.fromkeys(name for names in flags.values() for name in names):
        if name not in own and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            others = " or ".join(other for other, names in flags.items() if name in names)
            raise OptionError(f"--{name.replace('_', '-')} is for a {others} model; this is a {task} model.")
