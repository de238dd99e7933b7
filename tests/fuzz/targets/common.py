"""What targets share: how one stands bytes, and the files that hold them."""

from __future__ import annotations

import io
import os
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import ostinato
from ostinato.errors import OstinatoError

OURS = (os.path.dirname(ostinato.__file__), str(Path(__file__).parents[2]))


class Target(NamedTuple):
    """run: takes bytes. seeds: files to begin with. in_child: whether each run is a process, hence slow."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    in_child: bool = False


@contextmanager
def stood() -> Iterator[None]:
    """Let errors of Ostinato's own pass, and what a library raises within itself, of which a reader's process tells."""
    try:
        yield
    except (OstinatoError, MemoryError):
        pass
    except Exception as error:
        innermost = traceback.extract_tb(error.__traceback__)[-1].filename
        if innermost.startswith(OURS):
            raise


@contextmanager
def file_of(content: bytes, suffix: str) -> Iterator[Path]:
    """Give a file that holds some bytes."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name) / f"file{suffix}"
        path.write_bytes(content)
        yield path


def zipped(members: dict[str, bytes]) -> bytes:
    """Return an archive of files, by their names."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()
