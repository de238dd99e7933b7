"""``ostinato stream``: read lines as they come, and answer each at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
import msgspec

from ..errors import DataError, FileFormatError, OstinatoError
from ..files import write_atomically
from . import flags
from .opening import as_network
from .output import say

if TYPE_CHECKING:
    from ..runtime import Stream
    from ..tasks.label_stream import LabelStream
    from ..tasks.text_stream import TextStream


@click.command()
@click.argument("model")
@click.option("--snapshot", metavar="FILE", help="Go on from FILE, if it is there; save there at the end.")
@click.option("--top", type=click.IntRange(min=0), default=3, show_default=True, help="Likeliest next symbols to tell.")
@flags.unknown_flag
@flags.quiet_flag
@flags.json_flag
def stream(model: str, snapshot: str | None, top: int, unknown: str, quiet: bool, as_json: bool) -> None:
    """Read lines from standard input, without end, and answer each as it comes.

    To a model of text each line is text. The answer: how surprising it was, in nats a symbol (-log p), and the
    likeliest next symbols. To a classifier (--no-bidirectional) each line is text, or the values of one step; the
    answer is what all lines so far are, and how likely. To a network a line is one step: its numbers, or a symbol; the
    answer is its output.

    The state is carried from line to line in constant memory; with --snapshot also from run to run. A signal loses
    nothing.

    \b
    Example:
      ostinato stream log.safetensors --snapshot log.stream --unknown skip <app.log
    """
    from .. import load
    from ..tasks.text_stream import TextStream

    opened: Any = load(model)
    lines: _Lines
    if opened.task == "language":
        lines = _TextLines(TextStream(opened, unknown), top, as_text=opened.options.tokens != "bytes")  # type: ignore[arg-type]
    elif opened.task == "classify":
        lines = _LabelLines(opened.reader())
    else:
        architecture = as_network(model, opened).as_chain()[0]
        size = None if architecture.embedding is not None else architecture.input_size
        lines = _NumberLines(opened.stream(), size)
    if snapshot is not None and Path(snapshot).exists():
        _restore(lines.stream, snapshot)
        if not quiet:
            say(f"going on after {lines.stream.steps:,} steps.")
    with _saved_at_the_end(lines.stream, snapshot):
        _answer_all(lines, as_json)


def _answer_all(lines: _Lines, as_json: bool) -> None:
    number = 0
    while line := sys.stdin.buffer.readline():
        number += 1
        # A line is read and answered, or neither: the signal waits.
        with _signals_wait():
            try:
                answer = lines.answer(line, as_json)
            except OstinatoError as error:
                error.message = f"line {number}: {error.message}"
                raise
            click.echo(answer)
            sys.stdout.flush()


class _Lines(Protocol):
    """What answers lines, and the stream that it moves."""

    @property
    def stream(self) -> Stream | LabelStream:
        """The stream."""
        ...

    def answer(self, line: bytes, as_json: bool) -> str:
        """Take a line and return the answer. When it raises, the stream is as it was."""
        ...


class _TextLines:
    """Lines of text: how surprising, and what comes next."""

    def __init__(self, reader: TextStream, top: int, as_text: bool) -> None:
        self.reader, self.top, self.as_text = reader, top, as_text
        self.stream = reader.stream

    def answer(self, line: bytes, as_json: bool) -> str:
        reading = self.reader.read(_decoded(line) if self.as_text else line)
        surprise = reading.nats / reading.scored if reading.scored else None
        likeliest = self.reader.likeliest(self.top)
        if as_json:
            fields = {"nats_per_symbol": surprise, "symbols": reading.symbols, "next": [list(p) for p in likeliest]}
            return msgspec.json.encode(fields).decode()
        told = "-" if surprise is None else f"{surprise:.4f}"
        return "\t".join([told, *(f"{symbol!r} {p:.3f}" for symbol, p in likeliest)])


class _LabelLines:
    """Lines of text, or of the values of one step: what all of them are so far."""

    def __init__(self, reader: LabelStream) -> None:
        self.stream = reader

    def answer(self, line: bytes, as_json: bool) -> str:
        text = _decoded(line).rstrip("\r\n")
        self.stream.read(text if self.stream.reads_text else _numbers(text, float, "number", "nan is a missing one."))
        told = self.stream.decision(every_class=as_json)
        if as_json:
            return msgspec.json.encode(told).decode()
        if told is None:
            return "-"
        several = isinstance(told["label"], list)
        pairs = zip(told["label"], told["probability"], strict=True) if several else [tuple(told.values())]
        return "\t".join(f"{label} {p:.3f}" for label, p in pairs) or "-"


def _numbers(text: str, kind: type, what: str, hint: str | None = None) -> list[Any]:
    """Return the numbers of a line, separated by commas or blanks. Raises DataError."""
    try:
        return [kind(field) for field in text.replace(",", " ").split()]
    except ValueError as error:
        raise DataError(f"{str(error).rpartition(': ')[2]} is no {what}.", hint) from None


class _NumberLines:
    """Lines of so many numbers, separated by commas or spaces, each a step; with count None of one symbol each."""

    def __init__(self, stream: Stream, count: int | None) -> None:
        self.stream, self.count = stream, count

    def answer(self, line: bytes, as_json: bool) -> str:
        kind, what, count = (int, "symbol", 1) if self.count is None else (float, "number", self.count)
        numbers = _numbers(_decoded(line), kind, what)
        if len(numbers) != count:
            raise DataError(f"{count} {what}{'s' * (count != 1)} expected, {len(numbers)} came.")
        y = self.stream.push(numbers[0] if self.count is None else numbers)
        if as_json:
            return msgspec.json.encode({"y": [float(value) for value in y]}).decode()
        return ",".join(f"{value:.7g}" for value in y)


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"this is not UTF-8: {error.reason} at byte {error.start}.") from None


@contextmanager
def _saved_at_the_end(stream: Stream | LabelStream, path: str | None) -> Iterator[None]:
    """Save a snapshot when all is done, and also when an error or a signal ends it before.

    One is saved at the beginning, too: where that cannot be, no line is read in vain.
    """
    if path is None:
        yield
        return
    write_atomically(path, stream.snapshot())
    try:
        yield
    finally:
        with _signals_wait():
            write_atomically(path, stream.snapshot())


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


def _restore(stream: Stream | LabelStream, path: str) -> None:
    try:
        stream.restore(Path(path).read_bytes())
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error.message}", error.hint) from None
