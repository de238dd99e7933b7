"""Writing files so that a crash or a full disk leaves the old file or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` under a temporary name beside `path`, sync it to disk, and rename it to `path`.

    A symbolic link keeps pointing where it did. What writers of this very file left there when they were killed is
    taken away first: it may be what fills the disk. Raises OSError, which names `path`, when any of that fails; then
    `path` is as it was and the temporary file is gone.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    _remove_leftovers(target)
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            # A failed write names no file, a failed rename the temporary one, which means nothing to a person.
            error.filename = os.fspath(path)
            del error.filename2
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where folders can be synced at all (not on Windows, nor on every file system).

    Where it fails the file is in place all the same: after a crash there is the old one or the new one.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files of `target` whose writers run no more."""
    with contextlib.suppress(OSError):
        for name in os.listdir(target.parent):
            writer = name.removeprefix(f".{target.name}.").removesuffix(".part")
            if name == f".{target.name}.{writer}.part" and writer.isdecimal() and not _runs(int(writer)):
                os.unlink(target.with_name(name))


def _runs(process: int) -> bool:
    """Whether there is a process of this number; yes where that cannot be asked without harm."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
