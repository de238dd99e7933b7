"""Where the rows of a table came from, so that a message can name a file, a row and a column."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import DataError


@dataclass(frozen=True)
class Origin:
    """The files that a table's rows were read from, one after the other; none for a frame or arrays.

    titles: the files' names. begins: where in the table each one's rows begin. first_rows: the number of each one's
    first row of data as the file counts it: 2 below a header, else 1. Rows of frames and arrays count from 0.
    """

    titles: tuple[str, ...] = ()
    begins: tuple[int, ...] = ()
    first_rows: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """What to call the table."""
        return " + ".join(self.titles[:3]) + (" + …" if len(self.titles) > 3 else "") or "the table"

    def row(self, row: int) -> str:
        """Return what to call a row of the table: its number in its file, which is named if there are several."""
        if not self.titles:
            return f"row {row:,} (from 0)"
        file = bisect_right(self.begins, row) - 1
        number = f"row {row - self.begins[file] + self.first_rows[file]:,}"
        return number if len(self.titles) == 1 else f"{number} of {self.titles[file]}"

    def rows(self, rows: Iterable[int], most: int = 3) -> str:
        """Return what to call the first few rows of many."""
        rows = [int(row) for row in rows]
        return ", ".join(map(self.row, rows[:most])) + (", …" if len(rows) > most else "")

    def error(self, fact: str, hint: str, row: int | None = None, column: str | None = None) -> DataError:
        """Return the error that a fact is, with the file, the row and the column where it was found."""
        places = [self.title]
        if row is not None:
            places.append(self.row(int(row)))
        if column is not None:
            places.append(f"column {column!r}")
        return DataError(f"{', '.join(places)}: {fact}", hint)


def joined(origins: Iterable[Origin], lengths: Iterable[int]) -> Origin:
    """Return the origin of tables, of these numbers of rows, that are put one below the other."""
    titles: list[str] = []
    begins: list[int] = []
    first_rows: list[int] = []
    length = 0
    for number, (origin, rows) in enumerate(zip(origins, lengths, strict=True), 1):
        titles += origin.titles or (f"table {number}",)
        begins += [length + begin for begin in origin.begins or (0,)]
        first_rows += origin.first_rows or (0,)
        length += rows
    return Origin(tuple(titles), tuple(begins), tuple(first_rows))
