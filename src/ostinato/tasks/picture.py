"""Pictures as files, by matplotlib: what all of them have in common."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..extras import require
from ..files import write_atomically


def check_picture(path: str | os.PathLike[str]) -> str:
    """Return the kind of picture that a path names, "png" or "svg".

    Raises OptionError for another kind, MissingExtraError without matplotlib.
    """
    require("matplotlib", "plot")
    kind = Path(path).suffix.lstrip(".").lower()
    if kind not in ("png", "svg"):
        raise OptionError(f"a picture is a .png or .svg file, not {Path(path).name!r}.", "end it in .png or .svg.")
    return kind


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure, in inches, that no window belongs to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_picture(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure, atomically. Raises what `check_picture` does, and OSError when it cannot be written."""
    kind, content = check_picture(path), BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    write_atomically(path, content.getvalue())
