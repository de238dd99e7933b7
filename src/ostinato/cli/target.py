"""The file that a command writes: its name, and whether it can be written."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..errors import DataError


def default_output(first: str) -> Path:
    """Return the model file's name for a source's: ``input.txt.gz`` gives ``input.safetensors``, here."""
    stem = "model" if first == "-" else Path(first).resolve().name.split(".")[0]
    return Path(f"{stem or 'model'}.safetensors")


def check_target(target: Path) -> None:
    """Refuse, before any work, an output that cannot be written or would take something with it.

    Raises DataError.
    """
    from ..model_file import kind_of

    check_folder(target)
    if target.exists() and (not target.is_file() or kind_of(target) in (None, "checkpoint")):
        raise DataError(f"{target} exists and is no model file, so it is not overwritten.", "choose another --output.")


def check_folder(target: Path) -> None:
    """Refuse an output that is a folder, or in none. Raises DataError."""
    if not target.parent.is_dir():
        folder = shlex.quote(str(target.parent))
        raise DataError(f"there is no folder {target.parent} for the output.", f"make it: mkdir -p {folder}")
    if target.is_dir():
        raise DataError(f"the output {target} is a folder.", "name a file: -o model.safetensors")
