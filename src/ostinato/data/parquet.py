"""Parquet. A damaged file can end the process that reads it, so one of its own reads it first, and says if it is whole.

The child prints nothing but its answer, a line; what libraries write on standard error while they fail is not shown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    import polars as pl

_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from ostinato.data.parquet import main; main()"
_HINT = "check that the file is whole and what it says it is."
_NUMBER_BYTES = 8
_GIB = 1024**3


def read_parquet(path: str, most_bytes: int) -> pl.DataFrame:
    """Return a file's frame. Raises DataError for one that is damaged or has more numbers than fit `most_bytes`."""
    import polars as pl

    size = _probed(path, most_bytes)
    if size > most_bytes:
        raise DataError(
            f"{path} holds {size / _GIB:.3g} GiB of numbers; {most_bytes / _GIB:.3g} GiB are read at most.",
            "give fewer rows or columns.",
        )
    return pl.read_parquet(path, glob=False)


def main() -> None:
    """Read a file as a child: print the bytes of its numbers, or what is wrong with it, as a line of JSON."""
    import polars as pl

    path, most_bytes = sys.argv[2], int(sys.argv[3])
    try:
        lazy = pl.scan_parquet(path, glob=False)
        size = _NUMBER_BYTES * len(lazy.collect_schema()) * int(lazy.select(pl.len()).collect().item())
        if size <= most_bytes:
            frame = lazy.collect()
            frame.select(pl.selectors.temporal().cast(pl.String))  # a date beyond all calendars ends a process here
        print(json.dumps(size))  # noqa: T201
    except (pl.exceptions.PolarsError, OSError, MemoryError) as error:
        print(json.dumps((str(error) or type(error).__name__).splitlines()[0]))  # noqa: T201


def _probed(path: str, most_bytes: int) -> int:
    """Return the bytes of a file's numbers, found by a process of its own. Raises DataError."""
    paths = [os.path.abspath(entry) for entry in sys.path if entry]
    command = [sys.executable, "-I", "-c", _BEGIN, json.dumps(paths), os.path.abspath(path), str(most_bytes)]
    seconds = 60 + os.path.getsize(path) / 1e6
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False)
        answer = json.loads(done.stdout) if done.returncode == 0 else "the process that read it ended"
    except subprocess.TimeoutExpired:
        answer = f"reading it took more than {seconds:.0f} seconds"
    except ValueError:
        answer = "the process that read it gave no answer"
    if isinstance(answer, int):
        return answer
    raise DataError(f"{path} cannot be read as a table: {answer}.", _HINT)
