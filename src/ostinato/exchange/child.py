"""A foreign file is read in a process of its own, with limits of memory and time: a library's death is a message.

The parent starts the child in a private folder and waits. The child reads the file, and leaves in that folder an
ordinary model file and an answer in JSON, or an answer that says why not. Nothing else comes back: what the parent
reads is Ostinato's own format, which is checked like any other file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from .. import errors
from ..errors import DataError, OstinatoError

MODEL, ANSWER = "model.safetensors", "answer.json"
"""What the child leaves in the folder."""
MAX_ANSWER = 2**20
"""Bytes that an answer may have; a longer one is not read."""
MAX_NOTES = 1000
GIB = 2**30
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
"""A thread reserves address space, which the limit of memory counts."""
BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from ostinato.exchange.child import main; main()"


@dataclass(frozen=True)
class Limits:
    """What a child may take. memory: bytes of address space, what libraries map included; seconds: of the clock."""

    memory: int
    seconds: float

    @classmethod
    def of(cls, size: int, base: int) -> Limits:
        """Return the limits for a file of a size: `base` and eight times the file; a minute and 10 MB a second.

        The eight: the file's bytes, what a library makes of them, the weights (twice those of a file in 16 bits), and
        the model file with its digest.
        """
        return cls(base + 8 * size, 60.0 + size / 10e6)


class Request(msgspec.Struct):
    """What the parent asks for. path: the file, in full. layers: its description, or None."""

    path: str
    layers: str | None
    folder: str
    memory: int
    seconds: float


class Answer(msgspec.Struct):
    """What the child says. error: the name of an error's class, or none where a model was written."""

    notes: list[str] = []
    error: str | None = None
    message: str = ""
    hint: str | None = None


# ---- the parent


def ask(path: Path, layers: str | None, folder: Path, limits: Limits) -> tuple[str, ...]:
    """Let a child read a file and leave a model in a folder; return its notes.

    The child is gone when this returns or raises, whatever the reason.

    Raises DataError when the child dies or exceeds a limit, else the error by which it says why it could not read.
    """
    request = Request(os.fspath(path), layers, os.fspath(folder), limits.memory, limits.seconds)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | ONE_THREAD
    child = subprocess.Popen(
        _command(request),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        code = child.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        raise _dead(path, f"it took more than {limits.seconds:.0f} seconds") from None
    finally:
        child.kill()
        child.wait()
    return _heard(path, folder / ANSWER, code, limits)


def _command(request: Request) -> list[str]:
    """Return the command of a child: this Python, isolated, that finds modules where this process does."""
    paths = [os.path.abspath(entry) for entry in sys.path if entry]
    return [sys.executable, "-I", "-c", BEGIN, json.dumps(paths), _encode(request)]


def _encode(struct: msgspec.Struct) -> str:
    # In ASCII: the name of a file may hold bytes that are no text.
    return json.dumps(msgspec.to_builtins(struct))


def _heard(path: Path, answer: Path, code: int, limits: Limits) -> tuple[str, ...]:
    """Return the notes of a child that has ended. Raises what it says, or DataError where it says nothing."""
    told = _answer(answer)
    if code < 0:
        raise _dead(path, _death(-code, limits))
    if told is None or code != 0:
        raise _dead(
            path, f"its process ended with code {code}" if code else "its process gave no answer that makes sense"
        )
    if told.error is None:
        return tuple(told.notes)
    kind = getattr(errors, told.error, None)
    if not (isinstance(kind, type) and issubclass(kind, OstinatoError)) or kind is errors.Interrupted:
        raise _dead(path, "its process gave no answer that makes sense")
    raise kind(told.message, told.hint)


def _answer(path: Path) -> Answer | None:
    """Return what a child left as its answer; None for what is none."""
    try:
        if path.stat().st_size > MAX_ANSWER:
            return None
        return msgspec.convert(json.loads(path.read_bytes()), Answer)
    except (OSError, ValueError, RecursionError):
        return None


def _death(number: int, limits: Limits) -> str:
    timeouts = [getattr(signal, name, None) for name in ("SIGXCPU", "SIGALRM")]
    if number in timeouts:
        return f"it took more than {limits.seconds:.0f} seconds"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    if name == "SIGKILL":
        return "its process was killed, as a system does that has no memory left"
    return f"the library that reads it crashed ({name})"


def _dead(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} could not be read: {reason}.",
        "the file may be damaged, or too large for this machine; write it again with the tool that made it.",
    )


# ---- the child


def main() -> None:
    """Read the file that the request on the command line names, and leave the answer in its folder."""
    request = msgspec.convert(json.loads(sys.argv[2]), Request)
    _limit(request)
    answer = _attempted(lambda: _read(request), request)
    content = _encode(answer)
    if len(content) > MAX_ANSWER:
        content = _encode(_shortened(answer))
    (Path(request.folder) / ANSWER).write_text(content)


def _read(request: Request) -> Answer:
    from ..architecture import ModelArchitecture
    from ..tasks.network import Network
    from .formats import read_file

    found = read_file(request.path, request.layers)
    # As a file's architecture is read: with all its bounds.
    architecture = ModelArchitecture.from_data(found.architecture.to_data())
    Network(architecture, found.weights).save(Path(request.folder) / MODEL)
    return Answer(list(found.notes))


def _attempted(read: Callable[[], Answer], request: Request) -> Answer:
    """Return what reading comes to, be it an error."""
    name = os.path.basename(request.path)
    try:
        return read()
    except OstinatoError as error:
        return Answer(error=type(error).__name__, message=error.message, hint=error.hint)
    except MemoryError:
        gib = request.memory / GIB
        return Answer(error="DataError", message=f"{name} needs more memory than the {gib:.1f} GiB that it may take.")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Answer(error="DataError", message=f"{name} could not be read: {reason}.")
    except Exception as error:
        # The library that parses it stumbled: no file may end in a traceback.
        reason = f"{type(error).__name__}: {str(error)[:500]}"
        return Answer(error="DataError", message=f"{name} could not be read, it may be damaged: {reason}")


def _shortened(answer: Answer) -> Answer:
    """Return an answer that fits, of one with very many notes or refusals."""
    notes = [note[:500] for note in answer.notes[:MAX_NOTES]]
    notes += ["there are more notes than are told here."] if len(answer.notes) > MAX_NOTES else []
    message = answer.message if len(answer.message) < 20_000 else f"{answer.message[:20_000]} … and more of the same."
    return Answer(notes, answer.error, message, answer.hint and answer.hint[:2000])


def _limit(request: Request) -> None:
    """Set this process's limits, as far as the system has any; the parent's own watch holds everywhere."""
    if hasattr(signal, "setitimer"):
        # Should the parent be killed: nobody else would end this.
        signal.setitimer(signal.ITIMER_REAL, request.seconds + 5)
    try:
        import resource
    except ImportError:
        return
    _set(resource, "RLIMIT_CORE", 0)
    _set(resource, "RLIMIT_CPU", int(request.seconds) + 1)
    _set(resource, "RLIMIT_FSIZE", request.memory)
    _set(resource, "RLIMIT_AS", request.memory)


def _set(resource: Any, name: str, value: int) -> None:
    kind = getattr(resource, name, None)
    if kind is None:
        return
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    # A system may know a limit that it does not let be set. The harder one stays: reaching it has no signal of its own.
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, hard))
