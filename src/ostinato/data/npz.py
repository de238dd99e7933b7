"""Series with labels from NumPy's `.npz`: an array of values, and one of labels. Pickled objects are never read.

X            [S, T, D] or [S, T], numbers; not-a-number is missing
y            [S], texts or numbers; or [S, C], zeros and ones: which of C classes apply
lengths      [S], whole numbers from 0 to T: how many steps of each series count, where lengths differ

Other names are known, too: see `VALUES` and `LABELS`. Arrays of other names are left out, which a remark says.
"""

from __future__ import annotations

import math
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ShapeError
from . import tables
from .examples import SeriesExamples, series_of_arrays
from .labels import labels_given
from .places import places_in
from .report import listed

VALUES = ("x", "data", "values", "series")
LABELS = ("y", "labels", "label", "target", "targets", "classes")
LENGTHS = ("lengths", "length")
"""What the arrays may be called, whatever the case."""
_NUMBER_BYTES = 8
_HINT = "save one as np.savez(path, X=X, y=y): X of shape [S, T, D] or [S, T], y of shape [S]."
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError),
    *(ValueError, SyntaxError, tokenize.TokenError, TypeError, KeyError, OverflowError),
)
"""What zipfile and NumPy raise for a file that is damaged, encrypted, or compressed in some other way."""


def read_npz(path: str | os.PathLike[str], labelled: bool | None = None) -> SeriesExamples:
    """Return the series of a file. labelled: whether labels are needed, are no matter, or read where there are some.

    Raises DataError for a file that is missing, damaged or too large, or whose arrays have other shapes.
    """
    title = os.fspath(path)
    try:
        with zipfile.ZipFile(title) as archive:
            return _series(archive, title, labelled)
    except FileNotFoundError:
        raise DataError(f"{title} cannot be read: no such file or directory.", "check the name.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{title} cannot be read: {(error.strerror or '').lower()}.", "check the name.") from None
    except DataError:
        raise
    except ShapeError as error:
        raise DataError(f"{title}: {error.message}", error.hint or _HINT) from None
    except MemoryError:
        raise DataError(f"{title} does not fit in memory.", "give a part of it.") from None
    except _BROKEN as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{title} is damaged, or no .npz file ({reason[:200]}).", _HINT) from None


def _series(archive: zipfile.ZipFile, title: str, labelled: bool | None) -> SeriesExamples:
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    values_at, labels_at, lengths_at = (_found(names, known, title) for known in (VALUES, LABELS, LENGTHS))
    if values_at is None or (labelled and labels_at is None):
        what = "series" if values_at is None else "labels"
        wanted = VALUES if values_at is None else LABELS
        raise DataError(
            f"{title} has no array of {what}, called {', '.join(wanted)}; its arrays are {listed(names) or 'none'}.",
            _HINT,
        )
    values = _array(archive, values_at, title)
    if values.dtype.kind not in "biuf" or values.ndim not in (2, 3) or not len(values):
        raise DataError(
            f"{title}: expected numbers [S, T, D] or [S, T] in {values_at}, got {values.dtype} {list(values.shape)}.",
            _HINT,
        )
    if values.size * _NUMBER_BYTES > tables.MOST_BYTES:
        raise _too_large(f"{title}: as numbers {values_at}", values.size * _NUMBER_BYTES)
    places = places_in(title, "series", np.arange(1, len(values) + 1))
    labels = None
    if labelled is not False and labels_at is not None:
        labels = labels_given(_array(archive, labels_at, title), places, what="series")
    unused = [name for name in names if name not in (values_at, labels_at, lengths_at)]
    remarks = [f"arrays not used: {listed(unused)}"] if unused else []
    series = series_of_arrays(_cut(values, archive, lengths_at, title), places)
    return replace(series, labels=labels, remarks=remarks)


def _found(names: Sequence[str], known: Sequence[str], title: str) -> str | None:
    found = [name for name in names if name.lower() in known]
    if len(found) > 1:
        raise DataError(f"{title}: {listed(found)} could each be the {known[0]}.", "leave one of them out.")
    return found[0] if found else None


def _cut(
    values: NDArray[Any], archive: zipfile.ZipFile, lengths_at: str | None, title: str
) -> NDArray[Any] | list[NDArray[Any]]:
    """Return the series, each of its own length where lengths are given."""
    if lengths_at is None:
        return values
    lengths = _array(archive, lengths_at, title)
    steps = values.shape[1]
    whole = lengths.dtype.kind in "iu" and lengths.shape == (len(values),)
    if not whole or lengths.min() < 0 or lengths.max() > steps:
        raise DataError(
            f"{title}: {lengths_at} should be {len(values):,} whole numbers from 0 to {steps:,}, one for each series.",
            _HINT,
        )
    return [series[:length] for series, length in zip(values, lengths.tolist(), strict=True)]


def _array(archive: zipfile.ZipFile, name: str, title: str) -> NDArray[Any]:
    """Return an array; raise DataError for one of objects, or of characters that there are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of files that Python 2 wrote, which are read all the same
        array = _checked_array(archive, name, title)
    if array.dtype.kind not in "biufcUS" or not _is_text(array):
        raise DataError(f"{title}: {name} holds {array.dtype}, neither numbers nor texts.", _HINT)
    return array


def _checked_array(archive: zipfile.ZipFile, name: str, title: str) -> NDArray[Any]:
    """Return an array, after its header was compared with what the archive holds of it."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > tables.MOST_BYTES:
        raise _too_large(f"{title}: {name}", member.file_size)
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise DataError(f"{title}: {name} is of version {version[0]}.{version[1]} of NumPy's format.", _HINT)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        if dtype.hasobject:
            raise DataError(
                f"{title}: {name} holds Python objects, which could run code and are not read.",
                "save numbers or texts; where lengths differ, pad X with nan and save lengths, too.",
            )
        if math.prod(shape) * dtype.itemsize > member.file_size:
            raise DataError(f"{title}: {name} should have shape {list(shape)}, but is shorter.", "save it again.")
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _too_large(what: str, size: int) -> DataError:
    most = f"{tables.MOST_BYTES / 1024**3:.3g} GiB"
    return DataError(f"{what} holds {size / 1024**3:.3g} GiB; {most} are read at most.", "give fewer series.")


def _is_text(array: NDArray[Any]) -> bool:
    """Return whether an array of characters holds such as there are: Python cannot make texts of others."""
    if array.dtype.kind != "U" or not array.nbytes:
        return True
    codes = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return bool(((codes < 0xD800) | ((codes > 0xDFFF) & (codes <= 0x10FFFF))).all())
