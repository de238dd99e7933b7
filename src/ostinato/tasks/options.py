"""Options: one typed struct a task gives the Python keywords, the command's flags with their help, and the
configuration that a model file records. Flag ``--hidden-size`` is keyword ``hidden_size``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ..errors import OptionError, closest

Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Threads = Annotated[int, Meta(ge=1, le=1024)]
Natural = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[float, Meta(gt=0.0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0.0, le=1e9)]
Share = Annotated[float, Meta(ge=0.0, lt=1.0)]
Part = Annotated[float, Meta(gt=0.0, lt=1.0)]
Duration = Annotated[float, Meta(gt=0.0, le=1e9, extra={"is_duration": True})]
"""Seconds; where text is given, such as ``10m`` or ``1h30m``."""

_NUMBER = r"(\d+(?:\.\d*)?)"
_DURATION = re.compile(f"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s?)?")


def says(text: str, short: str | None = None) -> Meta:
    """Give an option its help, as ``<flag> is <text>``, and a shorter flag if it has one."""
    return Meta(description=text, extra={"short": short} if short else None)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tasks' options. A field's type carries its bounds and its help."""


Struct = TypeVar("Struct", bound=Options)


@dataclass(frozen=True)
class Option:
    """What is known of one option: keyword, type, default, help, and whether it is a duration.

    short: a shorter flag that stands for the same. choices: the values allowed, if they are listed. is_list: it takes
    several values of its type; as text they are separated by commas.
    """

    name: str
    type: type
    default: Any
    help: str
    short: str | None
    choices: tuple[str, ...]
    is_duration: bool
    is_list: bool = False

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return "--" + self.name.replace("_", "-")

    def __str__(self) -> str:
        return self.short or self.flag


@cache
def options_of(struct: type[Options]) -> Mapping[str, Option]:
    """Return every option of a struct, by keyword: its own before those that it has from its base."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = sorted(info.fields, key=lambda field: field.name not in struct.__annotations__)
    return {option.name: option for option in map(_describe, fields)}


def make(struct: type[Struct], given: Mapping[str, Any]) -> Struct:
    """Build a task's options from keywords; durations may be text.

    Raises OptionError naming the keyword, what was expected, what came, and its meaning.
    """
    known = options_of(struct)
    for name in given:
        if name not in known:
            raise OptionError(f"there is no option {name!r}.", closest(name, known))
    values = {name: _read(known[name], value) for name, value in given.items()}
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        raise _explained(error, known, values) from None


def _read(option: Option, value: Any) -> Any:
    """Return a value as the struct takes it, where it may be given as text, or as a number of NumPy's."""
    if getattr(value, "shape", None) == ():
        return value.item()
    if option.is_duration and isinstance(value, str):
        return parse_duration(value)
    if option.is_list:
        try:
            parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
            return tuple(option.type(part) for part in parts if part != "")
        except (TypeError, ValueError):
            what = "names" if option.type is str else "numbers"
            raise OptionError(
                f"{option.name} should be {what} separated by commas, got {value!r}.", f"{option} is {option.help}."
            ) from None
    return value


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as ``90``, ``90s``, ``10m`` or ``1h30m`` stands for.

    Raises OptionError for anything else, and for no time at all.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    parts = match.groups() if match else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False) if part)
    if not 0 < seconds < float("inf"):
        raise OptionError(
            f"{text!r} is no length of time.", "write a number with s, m or h, such as 90s, 10m or 1h30m."
        )
    return seconds


def _describe(field: msgspec.inspect.Field) -> Option:
    layers = list(_layers(field.type))
    extra: dict[str, Any] = {}
    text = ""
    kind: type = str
    choices: tuple[str, ...] = ()
    for layer in layers:
        if isinstance(layer, msgspec.inspect.Metadata):
            extra |= layer.extra or {}
            text = text or (layer.extra_json_schema or {}).get("description", "")
        elif isinstance(layer, msgspec.inspect.LiteralType):
            choices = tuple(map(str, layer.values))
        else:
            kind = {"IntType": int, "FloatType": float, "BoolType": bool}.get(type(layer).__name__, kind)
    is_list = any(isinstance(layer, msgspec.inspect.VarTupleType) for layer in layers)
    return Option(field.name, kind, field.default, text, extra.get("short"), choices, "is_duration" in extra, is_list)


def _layers(kind: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    """Yield a type and, through annotations, ``| None`` and tuples, what it is made of."""
    yield kind
    if isinstance(kind, msgspec.inspect.Metadata):
        yield from _layers(kind.type)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for member in kind.types:
            if not isinstance(member, msgspec.inspect.NoneType):
                yield from _layers(member)
    elif isinstance(kind, msgspec.inspect.VarTupleType):
        yield from _layers(kind.item_type)


def _explained(error: msgspec.ValidationError, known: Mapping[str, Option], given: Mapping[str, Any]) -> OptionError:
    fact, _, place = str(error).partition(" - at `$.")
    option = known[place.rstrip("`").partition("[")[0]]
    return OptionError(
        f"{option.name}: {fact[0].lower()}{fact[1:]}, got {given[option.name]!r}.", f"{option} is {option.help}."
    )
