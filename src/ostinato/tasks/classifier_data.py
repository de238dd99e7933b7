"""What a classifier reads: texts or series, whichever the data holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..data.decoded import suffix_of
from ..data.examples import SeriesExamples, TextExamples
from ..data.labelled import series_examples, text_examples
from ..data.labelled_series import SERIES, TIMES
from ..data.picking import usual
from ..data.tables import as_frame
from ..data.text import opened
from ..data.text_tables import TEXTS
from ..errors import DataError
from .classifier_options import ClassifierOptions, Kind, series_layout, text_layout

Examples = TextExamples | SeriesExamples
HEAD = 2**16
"""Bytes of a table in which its header is looked for."""


def examples_of(data: Any, options: ClassifierOptions, labels: Any = None, labelled: bool | None = None) -> Examples:
    """Return the examples that data holds; `text_examples` and `series_examples` say what it may be.

    A string is the path of a file: one text is given in a list. A column of a frame is a list of its texts.

    Raises what they do.
    """
    data = _arrays(data)
    kind = options.kind or kind_of(data, options)
    if kind == "series":
        return series_examples(data, series_layout(options), labels, labelled)
    return text_examples(_texts(data), text_layout(options), labels, labelled)


def _arrays(data: Any) -> Any:
    """Return a tensor, a column of a frame or another that offers its values as an array, as one. Raises DataError."""
    if hasattr(data, "tocsr"):
        raise DataError("a sparse matrix came, which is not read.", "give series as an array: data.toarray()")
    return np.asarray(data) if hasattr(data, "__array__") and not hasattr(data, "columns") else data


def kind_of(data: Any, options: ClassifierOptions) -> Kind:
    """Return what data holds.

    Series are arrays of numbers, `.ts` and `.npz` files, and tables with a column of series and one of times, unless a
    column of texts is named; everything else is text.
    """
    if options.text is not None:
        return "text"
    if options.series is not None or options.time_column is not None or options.values:
        return "series"
    if isinstance(data, (str, os.PathLike)):
        return _kind_of_file(os.fspath(data))
    if isinstance(data, (list, tuple, np.ndarray)):
        return _kind_of_list(data)
    if hasattr(data, "columns"):
        return _kind_of_columns(list(as_frame(data).columns))
    return "text"


def _kind_of_list(data: Any) -> Kind:
    if isinstance(data, np.ndarray) and data.dtype.kind in "biuf":
        return "series"
    first = data[0] if len(data) else ""
    if isinstance(first, os.PathLike):
        return _kind_of_file(os.fspath(first))
    return "text" if isinstance(first, str) else "series"


def _kind_of_file(name: str) -> Kind:
    if suffix_of(name) in (".ts", ".npz"):
        return "series"
    if name == "-" or not os.path.isfile(name):
        return "text"
    with opened(name) as stream:
        head = stream.read(HEAD)
    if head.startswith(b"PAR1"):
        from ..data.tables import read_sheet

        return _kind_of_columns(list(read_sheet(name).frame.columns))
    first = head.decode("utf-8", "replace").removeprefix("\ufeff").split("\n", 1)[0]
    return max((_kind_of_columns(first.strip().split(mark)) for mark in ",;\t"), key=lambda kind: kind == "series")


def _kind_of_columns(names: list[str]) -> Kind:
    """Return what a table of these columns holds."""
    bare = [str(name).strip().strip('"') for name in names]
    is_series = usual(bare, SERIES) is not None and usual(bare, TIMES) is not None and usual(bare, TEXTS) is None
    return "series" if is_series else "text"


def _texts(data: Any) -> Any:
    """Return data as `text_examples` takes it: a path as one, and any column of texts as a list."""
    if isinstance(data, str):
        return Path(data)
    if hasattr(data, "columns") or isinstance(data, (list, tuple)):
        return data
    for listing in ("tolist", "to_list", "to_pylist"):
        if hasattr(data, listing):
            return list(getattr(data, listing)())
    return data
