"""One column of a table: what it holds, and that as numbers, names, categories or times."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .numerals import MISSING
from .origin import Origin

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

LARGEST = 1e30
"""Numbers beyond this are refused: their squares would not fit into float32."""

Kind = Literal["number", "text", "time", "other"]


class Column:
    """A column of a frame of any kind, read when it is asked for.

    Texts are read by one rule wherever they come from: blanks around them are dropped, and the words of
    `numerals.MISSING` are missing values. Every error names the file, the row and the column.
    """

    def __init__(self, series: nw.Series[Any], origin: Origin) -> None:
        import narwhals as nw

        self.name = series.name
        self.origin = origin
        self.series = _typed(series) if series.dtype == nw.Object else series

    @cached_property
    def kind(self) -> Kind:
        """What the column holds: text where more than half of its texts are no numbers."""
        import narwhals as nw

        dtype = self.series.dtype
        if dtype.is_numeric() or dtype in (nw.Boolean, nw.Unknown) or self._is_empty:
            return "number"
        if dtype in (nw.Date, nw.Datetime):
            return "time"
        if dtype not in (nw.String, nw.Categorical, nw.Enum):
            return "other"
        bad, given = self._not_numbers.sum(), self._texts.count()
        return "text" if 2 * bad > given else "number"

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The column as float64 [N], missing values as not-a-number.

        Raises DataError for a text, an infinite value, or one beyond 1e30.
        """
        import narwhals as nw

        if self.kind not in ("number", "text"):
            raise self.origin.error("times are no numbers.", "leave the column out of the inputs.", column=self.name)
        if self._is_empty:
            return np.full(len(self.series), np.nan)
        if self.series.dtype in (nw.String, nw.Categorical, nw.Enum):
            bad = self._not_numbers
            if bad.any():
                row = int(bad.arg_max() or 0)
                raise self.origin.error(
                    f"{self._texts[row]!r} is no number.",
                    "correct it, or leave the cell empty if the value is missing.",
                    row,
                    self.name,
                )
            values = self._parsed.to_numpy()
        else:
            values = self.series.cast(nw.Float64).to_numpy()
        return checked_numbers(np.array(values, np.float64), self.origin, self.name)

    @cached_property
    def categories(self) -> tuple[NDArray[np.float64], list[str]]:
        """Places of the column's texts among its different ones, which are sorted; missing is not-a-number."""
        codes, names = _coded(self._texts, self._texts.drop_nulls().unique().sort())
        return codes, names

    @cached_property
    def ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """The number of each row's series, in order of first appearance, and the series' names.

        Raises DataError for a row without a name.
        """
        import polars as pl

        texts = _as_polars(self.series).cast(pl.String).str.strip_chars()
        nameless = texts.is_null() | (texts == "")
        if nameless.any():
            raise self.origin.error(
                "the series has no name.", "every row needs one.", int(nameless.arg_max() or 0), self.name
            )
        codes, names = _coded(texts, texts.unique(maintain_order=True))
        return codes.astype(np.int64), names

    @property
    def looks_like_times(self) -> bool:
        """Whether the column holds timestamps, to judge by its first hundred values."""
        from .timestamps import parse_times

        if self.kind != "text":
            return self.kind == "time"
        head = self._texts.drop_nulls().head(100)
        return not parse_times(head).times.has_nulls()

    @cached_property
    def times(self) -> tuple[NDArray[Any], str | None]:
        """The column as times [N], datetime64[us] or int64 where they are whole numbers, and "UTC" if in that zone.

        Raises DataError, naming the first row, for a missing time or what is none.
        """
        from .timestamps import parse_times

        if self.kind == "number":
            return self._whole_times(), None
        if self.kind == "time":
            return self._typed_times()
        parsed = parse_times(self._texts)
        if parsed.times.has_nulls():
            raise self._no_time(int(parsed.times.is_null().arg_max() or 0))
        return parsed.times.to_numpy().astype("M8[us]"), "UTC" if parsed.has_offsets else None

    def _typed_times(self) -> tuple[NDArray[Any], str | None]:
        import narwhals as nw

        series, zone = self.series, None
        if series.dtype == nw.Datetime and getattr(series.dtype, "time_zone", None) is not None:
            series, zone = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None), "UTC"
        times = series.cast(nw.Datetime("us")).to_numpy().astype("M8[us]")
        if np.isnat(times).any():
            raise self._no_time(int(np.argmax(np.isnat(times))))
        return times, zone

    def _whole_times(self) -> NDArray[Any]:
        """Whole numbers as they are, except that eight digits that are all dates, such as 20160701, are dates."""
        import polars as pl

        from .timestamps import parse_times

        numbers = self.numbers
        broken = ~(np.abs(numbers) < 2**53) | (numbers != np.floor(numbers))
        if broken.any():
            raise self._no_time(int(np.argmax(broken)))
        whole = numbers.astype(np.int64)
        if len(whole) and whole.min() >= 1000_01_01 and whole.max() <= 9999_12_31:
            dates = parse_times(pl.Series(whole).cast(pl.String)).times
            if not dates.has_nulls():
                return np.asarray(dates.to_numpy().astype("M8[us]"))
        return whole

    def _no_time(self, row: int) -> Exception:
        value = self.series[row]
        missing = value is None or value != value or str(value).strip().lower() in MISSING
        fact = "the time is missing." if missing else f"{str(value)[:40]!r} cannot be read as a time."
        hint = "write times as 2016-07-31 18:00 or whole numbers, or name another column: --time-column."
        return self.origin.error(fact, hint, row, self.name)

    @cached_property
    def _is_empty(self) -> bool:
        return bool(self.series.null_count() == len(self.series))

    @cached_property
    def _texts(self) -> pl.Series:
        """Stripped texts; null where they stand for a missing value."""
        import polars as pl

        texts = _as_polars(self.series).cast(pl.String).str.strip_chars()
        short = texts.str.len_bytes() <= max(map(len, MISSING))
        missing = short & texts.str.to_lowercase().is_in(list(MISSING))
        return pl.select(pl.when(~missing).then(texts)).to_series().rename(self.name)

    @cached_property
    def _parsed(self) -> pl.Series:
        import polars as pl

        return self._texts.cast(pl.Float64, strict=False)

    @property
    def _not_numbers(self) -> pl.Series:
        return self._texts.is_not_null() & self._parsed.is_null()


def checked_numbers(values: NDArray[np.float64], origin: Origin, name: str) -> NDArray[np.float64]:
    """Return values [N]; raise DataError where one is infinite or beyond LARGEST."""
    large = np.abs(values) > LARGEST
    if large.any():
        row = int(np.argmax(large))
        fact = "an infinite value." if np.isinf(values[row]) else f"{values[row]:g} is too large; 1e30 is the limit."
        hint = "correct it, leave it missing, or give the column in a larger unit."
        raise origin.error(fact, hint, row, name)
    return values


def _coded(texts: pl.Series, distinct: pl.Series) -> tuple[NDArray[np.float64], list[str]]:
    """Return the place of each text among the distinct ones, not-a-number for null, and these."""
    import polars as pl

    if distinct.is_empty():
        return np.full(texts.len(), np.nan), []
    codes = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.Float64)
    return codes.to_numpy().copy(), distinct.to_list()


def _as_polars(series: nw.Series[Any]) -> pl.Series:
    import polars as pl

    native = series.to_native()
    if isinstance(native, pl.Series):
        return native
    if series.implementation.is_pyarrow():
        column = pl.from_arrow(native)
        assert isinstance(column, pl.Series)
        return column
    return pl.Series(series.name, _values(series), strict=False)


def _typed(series: nw.Series[Any]) -> nw.Series[Any]:
    """Return a column of Python objects as one of a type: what polars finds, or text."""
    import narwhals as nw
    import polars as pl

    values = _values(series)
    try:
        typed = pl.Series(series.name, values)
    except (TypeError, pl.exceptions.PolarsError):
        typed = pl.Series(series.name, [None if value is None else str(value) for value in values])
    return nw.from_native(typed, series_only=True)


def _values(series: nw.Series[Any]) -> list[Any]:
    """Return the values as Python has them, None for missing ones, whatever the frame writes for these."""
    missing = series.is_null().to_list()
    return [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]
