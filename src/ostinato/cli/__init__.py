"""The command ``ostinato``: one file a command. Importing this is quick; commands import what they need when run."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import Interrupted, OstinatoError
from .cells import cells
from .demo import demo
from .evaluate import evaluate
from .export import export
from .fit import fit
from .fit_classify import classify
from .fit_forecast import forecast
from .fit_tag import tag
from .generate import generate
from .import_ import import_
from .info import info
from .output import say
from .predict import predict
from .stream import stream


class _Commands(click.Group):
    """The commands; a reader that has seen enough, such as head, ends them quietly."""

    def invoke(self, context: click.Context) -> Any:
        try:
            result = super().invoke(context)
            if sys.stdout:
                sys.stdout.flush()
        except BrokenPipeError:
            return 0
        return result


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ostinato")
def cli() -> None:
    """Sequence models that carry a state: train them from a file, run them anywhere.

    \b
    Begin with:  ostinato demo
    """


fit.add_command(forecast)
fit.add_command(classify)
fit.add_command(tag)
for command in (demo, fit, generate, predict, stream, evaluate, info, import_, export, cells):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 or 143 interrupted."""
    signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may lack characters that a model writes.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        # What could not be written has been told; Python would try, and tell, once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error becomes a line and a hint on standard error."""
    try:
        code: Any = cli.main(arguments, prog_name="ostinato", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "ostinato"
        return _fail(error.format_message(), f"see: {command} --help", error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), None, error.exit_code)
    except Interrupted as error:
        return _fail(error.message, error.hint, error.exit_code, label="stopped")
    except OstinatoError as error:
        return _fail(error.message, error.hint, error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted.", None, 128 + signal.SIGINT)
    except OSError as error:
        return _fail(*_explain(error), 1)
    except UnicodeEncodeError as error:
        return _fail(f"the result cannot be written: {error}.", None, 1)
    except MemoryError:
        return _fail("there is not enough memory.", "use a smaller --hidden, --batch-size or --sequence-length.", 1)
    except Exception as error:
        stopped = _signal_within(error)
        if stopped is None:
            raise
        return _fail("interrupted.", None, stopped)


def _fail(message: str, hint: str | None, code: int, label: str = "error") -> int:
    say(f"{label}: {message}" + (f"\n  hint: {hint}" if hint else ""))
    return code


def _explain(error: OSError) -> tuple[str, str | None]:
    where = f"{error.filename}: " if error.filename else ""
    hint = {
        errno.ENOSPC: "free some space, or write elsewhere; nothing that was there is lost.",
        errno.EACCES: "write where you may, with --output.",
        errno.EROFS: "write where you may, with --output.",
        errno.ENOENT: "check that the folder exists.",
    }.get(error.errno or 0)
    return f"{where}{(error.strerror or str(error)).lower()}.", hint


def _signal_within(error: BaseException | None) -> int | None:
    """Return the exit code of a signal that an error wraps: one that comes while a class is made is told as another
    error by Python 3.11 and earlier, for instance amid the imports of torch.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return 128 + signal.SIGINT
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            return error.code
        error = error.__cause__ or error.__context__
    return None


def _terminate(number: int, frame: Any) -> NoReturn:
    sys.exit(128 + number)
