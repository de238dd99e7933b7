"""Labels with their probabilities, as a table or as JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ..data.decoded import STANDARD_INPUT
from ..errors import OptionError
from .output import progress, say

if TYPE_CHECKING:
    from ..tasks.classifier import Classifier

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
Rows = Sequence[Mapping[str, Any]]


def predict_classes(classifier: Classifier, files: Sequence[str], every_class: bool, quiet: bool) -> Rows:
    """Return a row for each sequence in files, and say what was left out; `Classifier.decisions` says what a row is."""
    examples = classifier.read([Path(file) for file in files])
    for remark in () if quiet or STANDARD_INPUT in files else examples.remarks:
        say(remark)
    with progress("predicting", quiet) as move:
        return classifier.decisions(examples, every_class, move)


def check_lines(output: Path | None, lines: bool) -> None:
    """Raise OptionError where JSON lines are asked for, and the output is another kind of file."""
    if lines and output is not None and output.suffix.lower() != ".jsonl":
        raise OptionError(f"--lines writes JSON lines, and {output} is another kind of file.", "end it in .jsonl.")


def check_output(output: Path | None) -> None:
    """Raise OptionError for a file that is no kind of table."""
    if output is not None and output.suffix.lower() not in ENDINGS:
        raise OptionError(f"{output} names no kind of table.", f"end it in {', '.join(ENDINGS)}.")


def write_rows(rows: Rows, output: Path | None, lines: bool, quiet: bool) -> None:
    """Write rows to a file by its ending, or print them: as JSON lines, or as CSV."""
    if output is None:
        click.echo(_lines(rows) if lines else _separated(rows, ","), nl=False)
        return
    from ..files import write_atomically

    kind = output.suffix.lower()
    if kind == ".parquet":
        content = _parquet(rows)
    else:
        content = (_lines(rows) if kind == ".jsonl" else _separated(rows, "," if kind == ".csv" else "\t")).encode()
    write_atomically(output, content)
    if not quiet:
        say(f"written: {output}, {len(rows):,} rows")


def _lines(rows: Rows) -> str:
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)


def _separated(rows: Rows, mark: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mark, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as one cell: several ones with semicolons between, probabilities with six digits."""
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ";".join(str(_cell(part)) for part in value)
    return value


def _parquet(rows: Rows) -> bytes:
    from ..extras import require

    require("polars", "tables")
    import polars

    content = io.BytesIO()
    polars.DataFrame(list(rows)).write_parquet(content)
    return content.getvalue()
