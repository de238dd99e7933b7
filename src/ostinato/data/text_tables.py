"""Texts with labels from tables: CSV, TSV, JSON lines, Parquet, and frames; a row a text.

.csv                     cells between commas, semicolons or tabs; " opens and closes a cell, as in RFC 4180
.jsonl .ndjson .json     an object a line
.parquet                 by the extra `tables`; so are frames of pandas, polars and pyarrow
whatever else is text    cells between tabs, in which " is a character like any other; without tabs, a text a line

All but Parquet may have `.gz` or `.xz` after it. Columns are named by their headers, or by numbers from 1.

Where labels do not matter, a lone column is the text, whatever the caller calls the texts of other tables, and standard
input is a text a line, tabs and all, unless it is JSON lines.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..errors import DataError, OptionError
from .decoded import STANDARD_INPUT, read_decoded, suffix_of, title_of
from .examples import TextExamples
from .json_lines import parse_json_lines, value_of
from .labels import labels_from
from .picking import Column, columns_there, pick, usual
from .places import Places, counted, places_in
from .tables import Sheet, as_frame, guarded, read_sheet
from .text import opened
from .text_rows import cut, likely_delimiter

if TYPE_CHECKING:
    import narwhals as nw

TEXTS = ("text", "sentence", "review", "content", "document", "message", "comment")
LABELS = ("label", "labels", "class", "category", "sentiment", "target", "y")
"""Names of columns that need not be named."""
_JSON = (".jsonl", ".ndjson", ".json")
_PARQUET = b"PAR1"


class TextLayout(msgspec.Struct, frozen=True, kw_only=True):
    r"""What the caller says about texts; None: by the rules of this module.

    text, label: the columns, by name or number from 1; by default those of usual names (`TEXTS`, `LABELS`), whatever
    their case, and a lone column is the text. header: whether the first row names the columns; by default it does, but
    for a lone column only where it is such a name.
    delimiter: the character between cells; by default what the kind of file has. quotes: whether ``"`` opens and
    closes a cell; by default in `.csv` files. separator: what stands between several labels in one cell. encoding: by
    default UTF-8, or what a byte-order mark says. part: which part of a folder of parts, such as train or test.
    """

    text: Column | None = None
    label: Column | None = None
    header: bool | None = None
    delimiter: str | None = None
    quotes: bool | None = None
    separator: str | None = None
    encoding: str | None = None
    part: str | None = None


def check_layout(layout: TextLayout) -> None:
    """Raise OptionError for a delimiter or a separator that can be none."""
    if layout.delimiter is not None and (len(layout.delimiter) != 1 or layout.delimiter in '"\r\n'):
        raise OptionError(
            f"a delimiter is one character, not {layout.delimiter!r}.", "leave it out to have it found, or name a tab."
        )
    if layout.separator is not None and not layout.separator.strip():
        raise OptionError(
            "the separator of labels is blank.", "name the character that stands between labels in a cell."
        )


def read_text_table(path: str | os.PathLike[str], layout: TextLayout, labelled: bool | None) -> TextExamples:
    """Return the texts of a file's rows. labelled: whether labels are needed (True), are no matter (False), or are read
    where there are some (None).

    Raises DataError, with the row, for a file that is damaged, empty or ragged, for a column that is not there, and for
    labels of which some are missing; MissingExtraError for Parquet without the extra `tables`.
    """
    name = os.fspath(path)
    if _is_parquet(name):
        return _of_sheet(read_sheet(name), layout, labelled)
    text = read_decoded(name, layout.encoding)
    if not text or text.isspace():
        raise DataError(f"{title_of(name)} is empty.", "give a table with some rows in it.")
    suffix = suffix_of(name)
    if suffix in _JSON or (not suffix and text.lstrip().startswith("{")):
        return _of_json(text, title_of(name), layout, labelled)
    if name == STANDARD_INPUT and labelled is False:
        return _of_lines(text, title_of(name))
    return _of_rows(text, title_of(name), suffix == ".csv", layout, labelled)


def texts_of_frame(frame: Any, layout: TextLayout, labelled: bool | None) -> TextExamples:
    """Return the texts of a frame's rows; see `read_text_table`."""
    return _of_sheet(Sheet(as_frame(frame)), layout, labelled)


def _is_parquet(name: str) -> bool:
    if name == STANDARD_INPUT or not os.path.isfile(name):
        return False
    with opened(name) as stream:
        return stream.read(len(_PARQUET)) == _PARQUET


# ---- each kind of table


def _of_rows(text: str, title: str, is_csv: bool, layout: TextLayout, labelled: bool | None) -> TextExamples:
    quotes = is_csv if layout.quotes is None else layout.quotes
    delimiter = layout.delimiter or (likely_delimiter(text, quotes) if is_csv else "\t")
    rows = cut(text, delimiter, quotes, title)
    width = max(map(len, rows))
    given = [place for place, row in enumerate(rows) if row or width == 1]
    remarks = [f"blank lines left out: {len(rows) - len(given):,}"] if len(given) < len(rows) else []
    numbers, rows = np.array(given) + 1, [rows[place] or [""] for place in given]
    has_header = _seems_named(rows[0], layout.text) if layout.header is None else layout.header
    names = _header(rows[0]) if has_header else [str(number) for number in range(1, width + 1)]
    if has_header:
        numbers, rows = numbers[1:], rows[1:]
    if not rows:
        raise DataError(f"{title} has a header but no rows.", "give a table with some rows, or say --no-header.")
    advice = ", and say --no-header where the first row is an example" if has_header and layout.header is None else ""
    text_at, label_at = _columns(names, title, layout, labelled, advice)
    texts = [row[text_at] for row in rows]
    labels = None if label_at is None else [row[label_at] for row in rows]
    if label_at is not None and layout.header is None:
        _refuse_example_as_header(names[label_at], labels or [], title)
    if has_header and layout.header is None and not _is_named(layout.text, names):
        remarks.append(f"the first row was taken as the header: {', '.join(repr(name[:40]) for name in names[:6])}")
    if not quotes:
        remarks += _quotes_kept(texts)
    return _examples(texts, labels, places_in(title, "row", numbers), layout, remarks, names, label_at)


def _of_lines(text: str, title: str) -> TextExamples:
    lines = text.removesuffix("\n").split("\n")
    remark = f"{title} was read as a text a line"
    return TextExamples(lines, None, places_in(title, "line", np.arange(1, len(lines) + 1)), [remark])


def _of_json(text: str, title: str, layout: TextLayout, labelled: bool | None) -> TextExamples:
    numbers, records = parse_json_lines(text, title)
    names = list(dict.fromkeys(name for record in records for name in record))
    text_at, label_at = _columns(names, title, layout, labelled)
    places = places_in(title, "line", numbers)
    texts: list[str | None] = []
    labels: list[Any] = []
    for number, record in enumerate(records):
        if names[text_at] not in record:
            fact = f"there is no {names[text_at]!r}; its names are {', '.join(map(repr, record)) or 'none'}."
            raise places.error(number, fact, "every object needs its text.")
        try:
            texts.append(_text_of(value_of(record[names[text_at]])))
            if label_at is not None:
                labels.append(value_of(record.get(names[label_at])))
        except DataError as error:
            raise places.error(number, error.message, error.hint or "") from None
    return _examples(texts, labels if label_at is not None else None, places, layout, [], names, label_at)


def _of_sheet(sheet: Sheet, layout: TextLayout, labelled: bool | None) -> TextExamples:
    frame, title = sheet.frame, sheet.origin.title
    if not len(frame):
        raise DataError(f"{title} has no rows.", "give a table with some rows in it.")
    names = frame.columns
    text_at, label_at = _columns(names, title, layout, labelled)
    places = (
        places_in(title, "row", np.arange(1, len(frame) + 1)) if sheet.origin.titles else counted("row", len(frame))
    )

    def read() -> tuple[list[Any], list[Any] | None]:
        return values_of(frame[names[text_at]]), None if label_at is None else values_of(frame[names[label_at]])

    values, labels = guarded(read, title)
    texts = []
    for number, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            fact = f"column {names[text_at]!r} holds {type(value).__name__} and no text."
            raise places.error(number, fact, f"name the column of texts; {columns_there(names)}.")
        texts.append(value)
    return _examples(texts, labels, places, layout, list(sheet.remarks), names, label_at)


def values_of(series: nw.Series[Any]) -> list[Any]:
    """Return a column's values as Python has them, None for missing ones, whatever the frame writes for these."""
    missing = series.is_null().to_list()
    return [None if gone else value for value, gone in zip(series.to_list(), missing, strict=True)]


# ---- what they share


def _columns(
    names: Sequence[str], title: str, layout: TextLayout, labelled: bool | None, advice: str = ""
) -> tuple[int, int | None]:
    """Return the places of the text and of the label, None where none is read. advice: what else may help."""
    label_at = None
    if labelled is not False:
        if layout.label is not None:
            label_at = pick(names, layout.label, title)
        elif len(names) > 1:
            label_at = usual(names, LABELS)
        if labelled and label_at is None:
            fact = f"{title}: which column is the label is not said; {columns_there(names)}."
            lone = "a text and its label are two columns; say what stands between these: --delimiter."
            raise DataError(fact, lone if len(names) == 1 else f"name it, as in --label 2{advice}.")
    if len(names) == 1 and (layout.text is None or labelled is False):
        text_at: int | None = 0
    else:
        text_at = usual(names, TEXTS) if layout.text is None else pick(names, layout.text, title)
    if text_at is None:
        fact = f"{title}: which column is the text is not said; {columns_there(names)}."
        raise DataError(fact, f"name it, as in --text 1{advice}.")
    if text_at == label_at:
        raise OptionError(f"column {names[text_at][:40]!r} cannot be text and label.", "name two columns.")
    return text_at, label_at


def _examples(
    texts: Sequence[str | None],
    labels: list[Any] | None,
    places: Places,
    layout: TextLayout,
    remarks: list[str],
    names: Sequence[str],
    label_at: int | None,
) -> TextExamples:
    """Return what was read; a missing text is an empty one."""
    found = None if labels is None else labels_from(labels, places, layout.separator)
    if label_at is not None and found is None:
        remarks = [*remarks, f"column {names[label_at][:40]!r} holds no labels"]
    return TextExamples([text or "" for text in texts], found, places, remarks)


def _header(row: list[str]) -> list[str]:
    """Return the names in a header; a column without one is called by its number."""
    return [cell.strip() or str(number) for number, cell in enumerate(row, 1)]


def _seems_named(row: list[str], text: Column | None) -> bool:
    """Return whether a first row is taken as a header: that of a lone column only where it is the name of texts."""
    name = row[0].strip()
    return len(row) > 1 or name == text or name.lower() in TEXTS


def _refuse_example_as_header(name: str, labels: Sequence[str], title: str) -> None:
    """Raise DataError where the header calls the labels by one of them: then it is an example itself."""
    if name in (label.strip() for label in labels):
        raise DataError(
            f"{title}: the header would call the labels {name[:40]!r}, which is one of them.",
            "say --no-header where the first row is an example, else --header.",
        )


def _is_named(wanted: Column | None, names: Sequence[str]) -> bool:
    return wanted is None or wanted in names


def _quotes_kept(texts: Sequence[str]) -> list[str]:
    quoted = sum(len(text) > 1 and text[0] == text[-1] == '"' for text in texts)
    return [f"quotes were kept around {quoted:,} texts; --quotes takes them off"] if quoted else []


def _text_of(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise DataError(f"{str(value)[:40]} is no text.", "name the column of texts.")
