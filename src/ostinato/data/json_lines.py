"""JSON lines: an object a line. Numbers stay as they are written."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import DataError

_HINT = 'each line is an object, such as {"text": "a good film", "label": "pos"}.'


def parse_json_lines(text: str, title: str) -> tuple[list[int], list[dict[str, msgspec.Raw]]]:
    """Return the numbers of the lines that are not blank, and the object of each, its values not yet read.

    Raises DataError, with the line, for one that is no object.
    """
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    numbers: list[int] = []
    records: list[dict[str, msgspec.Raw]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.isspace():
            continue
        try:
            records.append(decoder.decode(line))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise DataError(f"{title}, line {number:,}: it is no JSON object ({error}).", _HINT) from None
        numbers.append(number)
    return numbers, records


def value_of(raw: msgspec.Raw | None) -> Any:
    """Return a value: a text, a truth value, None where it is null or absent, or a list of these.

    A number is the text that is written there. Raises DataError for an object, and for a list in a list.
    """
    if raw is None:
        return None
    content = bytes(raw).strip()
    if content.startswith(b"["):
        parts = _decoded(content, list[msgspec.Raw])
        if not any(bytes(part).lstrip().startswith((b"[", b"{")) for part in parts):
            return [value_of(part) for part in parts]
    elif not content.startswith(b"{"):
        is_number = content[:1] in b"-0123456789"
        return content.decode() if is_number else _decoded(content, Any)
    raise DataError(f"{content[:40].decode(errors='replace')} is neither a text, a number nor a list of them.", _HINT)


def _decoded(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(f"{content[:40].decode(errors='replace')} is no JSON ({error}).", _HINT) from None
