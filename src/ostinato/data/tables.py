"""Reading tables: a file or a caller's frame becomes one kind of frame, with where its rows came from.

CSV, TSV     `.csv`, `.tsv`, `.txt`, whatever else is text; also with `.gz` or `.xz` after it
Monash       `.tsf`, also with `.gz` or `.xz` after it
Parquet      `.parquet`, or whatever begins as Parquet does
frames       of pandas, polars, pyarrow and whatever else narwhals takes
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from ..errors import DataError
from ..extras import require
from .delimited import parse_delimited
from .origin import Origin
from .parquet import read_parquet
from .text import opened
from .tsf import parse_tsf

if TYPE_CHECKING:
    import narwhals as nw

MOST_BYTES = 4 * 1024**3
"""The largest table that is read: bytes of text, decompressed, or of the numbers of a Parquet file."""
_CHUNK = 1024 * 1024
_PARQUET = b"PAR1"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Sheet:
    """A table as it was read: its frame, where its rows came from, and what was odd about it, a line each."""

    frame: nw.DataFrame[Any]
    origin: Origin = field(default_factory=Origin)
    remarks: list[str] = field(default_factory=list)


def read_table(path: str | os.PathLike[str]) -> nw.DataFrame[Any]:
    """Return what a file holds as a narwhals DataFrame (of polars). Cells of text files are text, as they were written.

    Raises DataError for a file that is missing, damaged, too large, or no table, and MissingExtraError.
    """
    return read_sheet(path).frame


def read_sheet(path: str | os.PathLike[str]) -> Sheet:
    """Return what a file holds, with where its rows came from."""
    require("polars", "tables")
    require("narwhals", "tables")
    import narwhals as nw

    name = os.fspath(path)
    title = "standard input" if name == "-" else name
    with opened(name) as stream:
        if os.path.isfile(name) and stream.read(4) == _PARQUET:
            frame = guarded(lambda: read_parquet(name, MOST_BYTES), title)
            return Sheet(nw.from_native(frame), Origin((title,), (0,), (1,)))
    with opened(name) as stream:
        content = bounded(stream, title)
    if Path(name.removesuffix(".gz").removesuffix(".xz")).suffix.lower() == ".tsf":
        long, remarks = guarded(lambda: parse_tsf(content, title), title)
        return Sheet(nw.from_native(long), Origin((title,), (0,), (1,)), remarks)
    return sheet_of_text(content, title)


def sheet_of_text(content: bytes, title: str) -> Sheet:
    """Return what the text of a table holds, CSV or its kin."""
    require("polars", "tables")
    require("narwhals", "tables")
    import narwhals as nw

    table, first_row, remarks = guarded(lambda: parse_delimited(content, title), title)
    return Sheet(nw.from_native(table), Origin((title,), (0,), (first_row,)), remarks)


def as_frame(data: Any) -> nw.DataFrame[Any]:
    """Return a caller's frame as a narwhals DataFrame; the index of a pandas frame, if it says something, is a column.

    Raises DataError for anything that is no frame, for duplicate names of columns, and MissingExtraError.
    """
    require("polars", "tables")
    require("narwhals", "tables")
    import narwhals as nw

    native = _without_index(data)
    if _package(native) in ("pandas", "pyarrow"):
        check_distinct(list(getattr(native, "column_names", native.columns)), "the table")
    try:
        frame = nw.from_native(native)
    except TypeError:
        raise DataError(
            f"{type(data).__name__} is no table.",
            "give a path, a frame of pandas, polars or pyarrow, an array [T] or [T, C], or a list of arrays.",
        ) from None
    return guarded(frame.collect, "the table") if isinstance(frame, nw.LazyFrame) else frame


def check_distinct(names: list[str], title: str) -> None:
    """Raise DataError unless every column has a name of its own."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(
            f"{title}: names of columns that occur more than once: {', '.join(map(repr, twice[:5]))}.",
            "give every column a name of its own.",
        )


def guarded(read: Callable[[], Value], title: str) -> Value:
    """Return what a reader returns; whatever polars says of a damaged file becomes a DataError of one line."""
    import polars as pl

    try:
        return read()
    except pl.exceptions.PolarsError as error:
        fact = str(error).splitlines()[0] if str(error) else type(error).__name__
    except MemoryError:
        fact = "it does not fit in memory"
    except pl.exceptions.PanicException as error:
        fact = str(error).splitlines()[0]
    raise DataError(
        f"{title} cannot be read as a table: {fact}.", "check that the file is whole and what it says it is."
    )


def _without_index(data: Any) -> Any:
    """Turn the index of a pandas frame into columns, unless it only counts rows; name a Series' column."""
    package = _package(data)
    if type(data).__name__ == "Series" and package in ("pandas", "polars"):
        data = data.to_frame("y" if data.name in (None, "") else str(data.name))
    if package != "pandas":
        return data
    index = data.index
    if hasattr(index, "to_timestamp"):
        data = data.set_axis(index.to_timestamp(), axis=0).rename_axis(index.name)
    counts_rows = index.nlevels == 1 and index.name is None and index.dtype.kind in "iu"
    if not counts_rows:
        names = [name if name is not None else _free("time", data.columns) for name in data.index.names]
        data = data.rename_axis(names).reset_index()
    return data.set_axis([str(name) for name in data.columns], axis=1)


def _package(data: Any) -> str:
    return type(data).__module__.partition(".")[0]


def _free(name: str, taken: Any) -> str:
    while name in taken:
        name += "_"
    return name


def bounded(stream: IO[bytes], title: str) -> bytes:
    """Read a whole stream; raise DataError where it holds more than MOST_BYTES."""
    buffer = io.BytesIO()
    while chunk := stream.read(_CHUNK):
        if buffer.tell() + len(chunk) > MOST_BYTES:
            raise DataError(
                f"{title} holds more than {MOST_BYTES / 1024**3:.3g} GiB of text.",
                "give fewer rows or columns, or the table as Parquet.",
            )
        buffer.write(chunk)
    return buffer.getvalue()
