"""Tables of series to forecast."""

from __future__ import annotations

from collections.abc import Callable

from ostinato.data.layout import Layout, panel_of

from .common import file_of, stood


def table(suffix: str) -> Callable[[bytes], None]:
    """Read a table of series, and put it in order."""

    def run(content: bytes) -> None:
        with file_of(content, suffix) as path, stood():
            panel_of(path, Layout(irregular=len(content) % 2 == 0, rows_are_series=len(content) % 7 == 0))

    return run


def delimited_files() -> list[bytes]:
    """Tables as text: long and wide, with texts, missing values and times of several shapes."""
    return [
        b"unique_id,ds,y,kind\na,2020-01-01,1.5,u\na,2020-01-02,NA,v\nb,2020-01-01,3,u\n",
        b"year;month;day;load\n2020;2;28;1,5\n2020;2;29;2,5\n",
        b"1/2/2020 0:05\t1\t-2e3\n1/2/2020 0:10\t2\t\n",
    ]


def monash_files() -> list[bytes]:
    """A file of the Monash archive, in small."""
    header = b"@attribute series_name string\n@attribute start_timestamp date\n@frequency monthly\n@horizon 2\n@data\n"
    return [header + b"T1:2012-01-31 00-00-00:1,2,?\nT2:2013-01-01 12-00-00:4.5,6\n"]
