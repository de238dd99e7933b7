"""The one way in for foreign files: checked, read in a guarded process, and loaded as what Ostinato itself writes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import DataError
from .child import GIB, MODEL, Limits, ask
from .formats import format_of

if TYPE_CHECKING:
    from ..tasks.network import Network

MAX_BYTES = 2 * GIB
"""The largest file that is read; ONNX has no larger ones."""
BASE = {"onnx": 2 * GIB, "keras": 2 * GIB, "torch": 8 * GIB}
"""The memory that a reader may take beside what its file needs: address space, of which a torch for GPUs maps some."""


class Found(NamedTuple):
    """A network that was read, and what its user should know of it."""

    network: Network
    notes: tuple[str, ...]


def read_foreign(path: str | os.PathLike[str], layers: str | None = None) -> Found:
    """Read the model of another tool: an ONNX file, a Keras model or weights, or a torch state dict.

    layers: what the model of a state dict is made of, in a few words; None where the file says it.

    The file is parsed in a process of its own with limits of memory and time; whatever happens there, this process
    and its files are safe.

    Raises DataError for a file that is missing, too large, damaged, or holds layers that Ostinato does not have, each
    of which is named with the reason; other errors as the file's reader says.
    """
    from ..tasks.load import load
    from ..tasks.network import Network

    file = Path(path)
    size = _checked_size(file)
    limits = Limits.of(size, BASE[format_of(file)])
    with tempfile.TemporaryDirectory(prefix="ostinato-") as folder:
        notes = ask(file, layers, Path(folder), limits)
        network = load(Path(folder) / MODEL)
    if not isinstance(network, Network):
        raise DataError(f"{path} could not be read: its process gave no network.")
    return Found(network, notes)


def _checked_size(file: Path) -> int:
    """Return the bytes of a file and of those that hold its tensors under longer names. Raises DataError."""
    try:
        if not file.is_file():
            what = "is a folder, or no file" if file.exists() else "does not exist"
            raise DataError(f"{file} {what}.", "check the name.")
        with open(file, "rb"):
            pass
        beside = (each for each in file.parent.iterdir() if each.name.startswith(file.name) and each.is_file())
        size = sum(each.stat().st_size for each in beside)
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {(error.strerror or str(error)).lower()}.", "check that you may."
        ) from None
    if file.stat().st_size > MAX_BYTES or size > 4 * MAX_BYTES:
        raise DataError(f"{file} has {size / GIB:.1f} GiB; files of up to {MAX_BYTES // GIB} GiB are read.")
    return size
