"""What a person sees of a run: messages and a progress bar on standard error, and a log of JSON lines."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO, Any

import msgspec

from ..errors import DataError


class Report:
    """Tells how a run goes.

    quiet: nothing on standard error. log: a file to which each event is appended as a JSON line.
    The progress bar appears only where standard error is a terminal.
    """

    def __init__(self, quiet: bool = False, log: str | os.PathLike[str] | None = None) -> None:
        self.quiet = quiet
        self._log: IO[str] | None = _open_log(Path(log)) if log is not None else None
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_progress()
        if self._log:
            self._log.close()

    def say(self, text: str) -> None:
        """Print a line of message, above the bar if there is one."""
        if self.quiet:
            return
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def event(self, name: str, **facts: Any) -> None:
        """Append an event to the log."""
        if self._log:
            line = {"event": name, "seconds": round(time.monotonic() - self._started, 3)} | facts
            self._log.write(msgspec.json.encode(line).decode() + "\n")
            self._log.flush()

    def start_progress(self, label: str, total: float, done: float = 0.0) -> None:
        """Show a bar, with room for a note such as the loss, and the time left."""
        self.end_progress()
        if self.quiet or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(label, total=total, completed=done, note="")

    def progress(self, done: float, note: str = "") -> None:
        """Move the bar."""
        if self._bar:
            self._bar.update(self._task, completed=done, note=note)

    def end_progress(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
            self._bar = None


def _open_log(path: Path) -> IO[str]:
    try:
        return open(path, "a", encoding="utf-8")
    except OSError as error:
        raise DataError(f"the log {path} cannot be written: {error.strerror}.") from None
