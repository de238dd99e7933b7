"""Flags made from a task's options struct, and the ones that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ..tasks.classifier_options import ClassifierOptions
from ..tasks.options import Option, Options, options_of
from ..tasks.tagger_options import TaggerOptions

Function = TypeVar("Function", bound=Callable[..., Any])


def task_flags(struct: type[Options]) -> Callable[[Function], Function]:
    """Give a command a flag for each option of a struct; those not given arrive as None."""

    def decorate(function: Function) -> Function:
        for option in reversed(tuple(options_of(struct).values())):
            function = _flag(option)(function)
        return function

    return decorate


def _flag(option: Option) -> Callable[[Function], Function]:
    names = [option.name, option.flag] + ([option.short] if option.short else [])
    help = option.help[0].upper() + option.help[1:] + _default(option)
    if option.type is bool and option.default is False:
        return click.option(*names, is_flag=True, default=None, help=help)
    if option.type is bool:
        names[1] += f"/--no-{option.flag[2:]}"
    is_text = option.is_duration or option.is_list
    kind: Any = click.Choice(option.choices) if option.choices else str if is_text else option.type
    metavar = "TIME" if option.is_duration else "A,B" if option.is_list else None
    return click.option(*names, type=kind, default=None, metavar=metavar, help=help)


def _default(option: Option) -> str:
    value = ",".join(map(str, option.default)) if option.is_list else option.default
    return "." if value is None or value is False or value == "" else f". [default: {value}]"


def reading_flags(function: Function) -> Function:
    """Give a command the flags that say how a file is read, where that is not as the model's training files were."""
    known = {**options_of(ClassifierOptions), **options_of(TaggerOptions)}
    for name in reversed(dict.fromkeys((*READING, *TAG_READING))):
        function = _flag(known[name])(function)
    return function


def read_as(model: Any, reading: Mapping[str, Any]) -> Any:
    """Return a model that labels, reading files as the flags that were given say."""
    given = {name: value for name, value in reading.items() if value is not None}
    return model.reading(**given) if given else model


READING = ("text", "label", "header", "delimiter", "quotes", "part", "separator", "encoding")
"""The options of a classifier that say how a table of texts is read."""
TAG_READING = ("word", "tag", "format", "encoding")
"""The options of a tagger that say how a file of words is read."""

json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
quiet_flag = click.option("--quiet", "-q", is_flag=True, help="Print nothing but the result.")
encoding_flag = click.option("--encoding", default="utf-8", show_default=True, help="The text's encoding.")
unknown_flag = click.option(
    "--unknown",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="What to do with characters that the model does not know.",
)
