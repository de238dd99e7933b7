"""Cells named on the command line: one of ours, or one in a Python file of the user's."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from ..errors import CellError, OptionError, OstinatoError

if TYPE_CHECKING:
    from ..cells import Cell


def find_cell(spec: str) -> Cell:
    """Return the cell that ``NAME`` or ``FILE.py:NAME`` stands for; a file's code is run, since it is the user's.

    Raises OptionError for an unknown name or file, CellError for a file that cannot be run.
    """
    from .. import cells

    path, colon, name = spec.rpartition(":")
    if not colon:
        return cells.find(spec)
    if not os.path.isfile(path):
        raise OptionError(f"there is no file {path!r} to take the cell {name!r} from.", "write FILE.py:NAME.")
    found = getattr(_run(path), name, None)
    if not isinstance(found, cells.Cell):
        raise OptionError(
            f"{path} defines no cell named {name!r}.", "decorate a function of that name with ostinato.cells.cell."
        )
    return found


def _run(path: str) -> object:
    spec = importlib.util.spec_from_file_location("_cells_of_the_user", path)
    if spec is None or spec.loader is None:
        raise OptionError(f"{path} is no Python file.", "write FILE.py:NAME.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except OstinatoError:
        raise
    except (Exception, SystemExit) as error:
        raise CellError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    return module
