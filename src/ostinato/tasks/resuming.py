"""Going on with a run that was stopped: what was said when it began still holds."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..cells import Cell
from ..errors import OptionError
from .training_options import TrainingOptions

Task = TypeVar("Task", bound=TrainingOptions)
OF_NOW = {"threads", "device"}
"""Options that say where a run goes on, which is for each start to say."""
CHANGEABLE = {"on_nan", "checkpoint_every"}
"""Options that may be stated anew: they change nothing of what was done so far."""


def check_checkpoint(path: str | os.PathLike[str] | None, resume: bool) -> None:
    """Raise OptionError where there is nothing to resume from, or an unfinished run would be lost."""
    if resume and path is None:
        raise OptionError("there is nothing to resume from.", "name the file: fit(…, checkpoint=path, resume=True)")
    if path is not None and not resume and Path(path).exists():
        raise OptionError(f"{path} holds an unfinished run.", "go on with --resume, or delete that file to begin anew.")


def check_cell(now: Cell | None, then: dict[str, Any]) -> None:
    """Raise OptionError where a cell is given now that is not what the run began with, as data."""
    if now is not None and now.to_data() != then:
        raise OptionError("the checkpoint was made with another cell.", "give the same --cell.")


def check_same(now: Any, then: Any, names: Iterable[str]) -> None:
    """Raise OptionError where an option given now, one of these names, is not what the run began with."""
    for name in sorted(set(names) - OF_NOW - CHANGEABLE):
        if getattr(now, name) != getattr(then, name):
            raise OptionError(
                f"{name} is {getattr(now, name)!r}, but the checkpoint was made with {getattr(then, name)!r}.",
                "give the same flags as when the run began.",
            )


def going_on(now: Task, then: Task, stated: Collection[str]) -> Task:
    """Return the options of a run that goes on: those that it began with, but for what each start says anew.

    stated: the names of those options that are stated now.
    """
    changed = {name: getattr(now, name) for name in OF_NOW | (CHANGEABLE & set(stated))}
    return msgspec.structs.replace(then, **changed)
