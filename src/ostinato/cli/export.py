"""``ostinato export``: a model as a file for other tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import DataError, OptionError
from . import flags
from .opening import as_network
from .output import print_json
from .target import check_folder, check_target


class Told(NamedTuple):
    """What is told of a file that was written: in a few words, and as fields."""

    text: str
    fields: dict[str, Any]


@click.command()
@click.argument("model")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write: FILE.onnx or FILE.safetensors.",
)
@click.option("--dtype", type=click.Choice(["bfloat16", "int8"]), help="How FILE.safetensors stores matrices.")
@flags.quiet_flag
@flags.json_flag
def export(model: str, output: Path, dtype: str | None, quiet: bool, as_json: bool) -> None:
    """Write a model for other tools, or in fewer bytes; the suffix of FILE says which.

    .onnx: for ONNX Runtime and what else reads ONNX. A cell that is the RNN, LSTM or GRU of that standard becomes that
    operator, whatever it is called; any other becomes a Scan of its equations. ONNX Runtime runs the file beside the
    model before it is written; one that computes something else never is.

    .safetensors with --dtype: an Ostinato model whose matrices take a half (bfloat16) or a quarter (int8) of the bytes,
    and run so. What that costs: ostinato evaluate FILE TEXT --against MODEL.

    \b
    Example:
      ostinato export book.safetensors -o book.onnx
      ostinato export book.safetensors -o small.safetensors --dtype int8
    """
    from .. import load

    write = _format_of(output)
    check_folder(output)
    if output.exists() and output.samefile(model):
        raise OptionError(f"{output} is the model itself.", "give another name: what is exported cannot be undone.")
    told = write(model, load(model), output, dtype)
    if as_json:
        print_json({"output": str(output), **told.fields})
    elif not quiet:
        click.echo(f"{output}: {told.text}")


def _format_of(output: Path) -> Writer:
    if output.suffix.lower() not in FORMATS:
        known = " ".join(FORMATS)
        raise OptionError(f"{str(output)!r} does not say what to write.", f"end its name with one of: {known}.")
    return FORMATS[output.suffix.lower()]


def _onnx(path: str, model: Any, output: Path, dtype: str | None) -> Told:
    if dtype is not None:
        raise OptionError("--dtype is for a .safetensors file.", "leave it out: an ONNX file holds floats.")
    written = as_network(path, model).export_onnx(output)
    layers = ", ".join(name if count == 1 else f"{count} × {name}" for name, count in Counter(written.layers).items())
    text = (
        f"{_bytes(written.size)}, {layers or 'no recurrent layer'}, opset {written.opset}; "
        f"ONNX Runtime is {written.difference:.1g} from the model at most"
    )
    return Told(text, written._asdict())


def _safetensors(path: str, model: Any, output: Path, dtype: str | None) -> Told:
    if dtype is None:
        raise OptionError("an Ostinato model is a .safetensors file already.", "add --dtype bfloat16 or int8.")
    check_target(output)
    if not hasattr(model, "stored_as"):
        raise DataError(f"{path} is a {model.task} model, which is not kept in fewer bytes.")
    model.stored_as(dtype).save(output)
    size = output.stat().st_size
    return Told(f"{_bytes(size)}, matrices in {dtype}", {"size": size, "matrices": dtype})


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


Writer = Callable[[str, Any, Path, "str | None"], Told]
FORMATS: dict[str, Writer] = {".onnx": _onnx, ".safetensors": _safetensors}
"""What can be written, by the suffix of the file."""
