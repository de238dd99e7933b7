"""``ostinato stream``: read lines as they come, and answer each at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from ..errors import DataError, FileFormatError, OstinatoError
from ..files import write_atomically
from . import flags
from .output import say

if TYPE_CHECKING:
    from ..tasks.text_stream import TextStream


@click.command()
@click.argument("model")
@click.option("--snapshot", metavar="FILE", help="Go on from FILE, if it is there; save there at the end.")
@click.option("--top", type=click.IntRange(min=0), default=3, show_default=True, help="Likeliest next symbols to tell.")
@flags.unknown_flag
@flags.quiet_flag
@flags.json_flag
def stream(model: str, snapshot: str | None, top: int, unknown: str, quiet: bool, as_json: bool) -> None:
    """Read a text from standard input, line by line and without end, and answer each line as it comes.

    The answer: how surprising the line was, in nats a symbol (-log p), and the likeliest next symbols. The state is
    carried from line to line in constant memory; with --snapshot also from run to run. A signal loses nothing.

    \b
    Example:
      ostinato stream log.safetensors --snapshot log.stream --unknown skip <app.log
    """
    from .. import load
    from ..tasks.text_stream import TextStream

    opened = load(model)
    reader = TextStream(opened, unknown)  # type: ignore[arg-type]
    if snapshot is not None and Path(snapshot).exists():
        _restore(reader, snapshot)
        if not quiet:
            say(f"going on after {reader.stream.steps:,} symbols.")
    with _saved_at_the_end(reader, snapshot):
        _answer_lines(reader, top, as_json, as_text=opened.options.tokens != "bytes")


def _answer_lines(reader: TextStream, top: int, as_json: bool, as_text: bool) -> None:
    number = 0
    while line := sys.stdin.buffer.readline():
        number += 1
        # A line is read and answered, or neither: the signal waits.
        with _signals_wait():
            try:
                reading = reader.read(line.decode() if as_text else line)
            except UnicodeDecodeError as error:
                raise DataError(f"line {number} is not UTF-8: {error.reason} at byte {error.start}.") from None
            except OstinatoError as error:
                error.message = f"line {number}: {error.message}"
                raise
            surprise = reading.nats / reading.scored if reading.scored else None
            click.echo(_answer(surprise, reading.symbols, reader.likeliest(top), as_json))
            sys.stdout.flush()


def _answer(surprise: float | None, symbols: int, likeliest: list[tuple[str, float]], as_json: bool) -> str:
    if as_json:
        fields = {"nats_per_symbol": surprise, "symbols": symbols, "next": [list(pair) for pair in likeliest]}
        return msgspec.json.encode(fields).decode()
    told = "-" if surprise is None else f"{surprise:.4f}"
    return "\t".join([told, *(f"{symbol!r} {p:.3f}" for symbol, p in likeliest)])


@contextmanager
def _saved_at_the_end(reader: TextStream, path: str | None) -> Iterator[None]:
    """Save a snapshot when all is done, and also when an error or a signal ends it before."""
    try:
        yield
    finally:
        if path is not None:
            with _signals_wait():
                write_atomically(path, reader.stream.snapshot())


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back SIGTERM and SIGINT, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _restore(reader: TextStream, path: str) -> None:
    try:
        reader.stream.restore(Path(path).read_bytes())
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error.message}", error.hint) from None
