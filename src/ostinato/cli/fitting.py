"""What ``ostinato fit`` does for every task: the flags, the run with its checkpoint, the file, and what is told."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import Interrupted
from ..tasks.options import Options, options_of
from . import flags
from .cell_argument import find_cell
from .evaluate_labels import TITLES
from .output import print_json, say, this_command
from .target import check_target, default_output

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


class Asked(NamedTuple):
    """What every ``ostinato fit`` is asked beside the task's options."""

    files: tuple[str, ...]
    output: Path | None
    resume: bool
    log: Path | None
    quiet: bool
    as_json: bool
    valid: tuple[str, ...] = ()

    def target(self) -> Path:
        """Return the model file. Raises DataError where it cannot be written or would take something with it."""
        target = self.output or default_output(self.files[0])
        check_target(target)
        return target


def fit_flags(struct: type[Options], *more: Decorator, valid: str | None = None) -> Decorator:
    """Give a command the flags of ``ostinato fit``: it is called with an `Asked`, and the options that were given.

    struct: the task's options. more: flags of its own, which are handed on by name. valid: the help of ``--valid``,
    where there is one.
    """
    path = click.Path(path_type=Path)
    all_flags: list[Decorator] = [
        click.argument("files", nargs=-1, required=True, metavar="FILE…"),
        click.option("--output", "-o", type=path, help="The model file. [default: the first FILE's name]"),
        *([click.option("--valid", multiple=True, metavar="FILE", help=valid)] if valid else []),
        click.option("--resume", is_flag=True, help="Go on from OUTPUT.checkpoint, as if the run had never stopped."),
        click.option("--log", type=path, help="Append every evaluation to this file as JSON lines."),
        *more,
        flags.quiet_flag,
        flags.json_flag,
        flags.task_flags(struct),
    ]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def command(**values: Any) -> None:
            asked = Asked(**{name: values.pop(name) for name in Asked._fields if name in values})
            options = {name: values.pop(name) for name in options_of(struct)}
            given = {name: value for name, value in options.items() if value is not None}
            if "cell" in given:
                given["cell"] = find_cell(given["cell"])
            function(asked, given, **values)

        decorated: Callable[..., None] = command
        for flag in reversed(all_flags):
            decorated = flag(decorated)
        return decorated

    return decorate


def fit_and_save(model: Any, asked: Asked, target: Path, data: Any, **more: Any) -> None:
    """Fit a model and write it; its checkpoint is there until then. data, more: what its `fit` learns from."""
    checkpoint = target.with_name(f"{target.name}.checkpoint")
    try:
        model.fit(data, **more, checkpoint=checkpoint, resume=asked.resume, quiet=asked.quiet, log=asked.log)
    except Interrupted as error:
        error.hint = f"go on with: {this_command('--resume')}"
        raise
    model.save(target)
    checkpoint.unlink(missing_ok=True)


def tell_written(asked: Asked, target: Path, then: str) -> None:
    """Say that the file is there, and what to do then."""
    if not asked.quiet:
        say(f"\nwritten: {target} ({target.stat().st_size / 1e6:.1f} MB); {then}")


def fit_labels(model: Any, asked: Asked, held_out: str, beside: str) -> None:
    """Fit what labels, write it, and print its figures.

    held_out: what was held out is called so. beside: what `ostinato evaluate` prints beside the model, and on what.
    """
    target = asked.target()
    valid = [Path(file) for file in asked.valid] or None
    fit_and_save(model, asked, target, [Path(file) for file in asked.files], valid=valid)
    if asked.as_json:
        print_json({"task": model.task, "model": str(target), "metrics": model.metrics_})
        return
    told = [name for name in ("accuracy", "entity_f1", "log_loss") if name in model.metrics_]
    figures = ", ".join(f"{TITLES[name]} {model.metrics_[name]:.4f}" for name in told)
    click.echo(f"{target}: {figures} on the {model.data_.valid:,} {held_out}")
    command = shlex.join(["ostinato", "evaluate", str(target), "TEST", "--train", *asked.files])
    tell_written(asked, target, f"beside {beside} it has not seen:\n  {command}")
