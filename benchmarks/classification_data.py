"""Public sets of labelled sequences whose files are of formats of their own, turned into ones that Ostinato reads.

    python -m benchmarks.classification_data DATA TARGET [--only NAME]

DATA is a folder with the sets below, each as its authors publish it; for each a part for training and one for tests is
written to TARGET, such as TARGET/msr_action3d-train.npz. The sets of the UCR and UEA archives, IMDB, SST-2, the
Universal Dependencies and WNUT-17 need none of this: `ostinato fit` reads them as they are.
"""

from __future__ import annotations

import io
import lzma
import math
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ostinato.data.labelled import text_examples
from ostinato.files import write_atomically

Array = NDArray[Any]
Parts = dict[str, bytes]
"""The files of a set by what follows its name, such as -train.npz."""

JOINTS = 20
HIP = 6
"""The joint in the middle of the hips, counted from 0."""
TRAINING_SUBJECTS = ("01", "03", "05", "07", "09")
_RECORDING = re.compile(r"a(\d\d)_s(\d\d)_e\d\d_skeleton3D\.txt")
PERMUTATION_SEED = 0
NAMES_SEED = 0


def msr_action3d(data: Path) -> Parts:
    """MSR-Action3D (Li, Zhang and Liu 2010): 20 actions of 10 people, seen as the places of 20 joints.

    A recording is T frames, and a frame 20 lines of x, y, z and how sure the place is: X [S, T, 60] holds the first
    three, from the hip on and over the mean distance of all joints from it, so that it does not matter where somebody
    stands and how tall he is; y is the number of the action. A frame in which all places are 0 is missing. Odd subjects
    train, the others test ("cross-subject"). One recording in which all frames are missing is left out.
    """
    parts: dict[str, list[tuple[Array, str]]] = {"train": [], "test": []}
    with tarfile.open(data / "msr_action3d" / "MSRAction3DSkeletonReal3D.tar.xz") as archive:
        for member in archive:
            match = _RECORDING.fullmatch(Path(member.name).name)
            stream = archive.extractfile(member)
            if match is None or stream is None:
                continue
            frames = np.array(stream.read().split(), np.float32).reshape(-1, JOINTS, 4)[:, :, :3]
            if frames.any():
                part = parts["train" if match[2] in TRAINING_SUBJECTS else "test"]
                frames[~frames.any(axis=(1, 2))] = np.nan
                from_hip = frames - frames[:, HIP, None]
                from_hip /= np.nanmean(np.linalg.norm(from_hip, axis=2))
                part.append((from_hip.reshape(len(frames), 3 * JOINTS), str(int(match[1]))))
    return {f"-{name}.npz": _of_series(*map(list, zip(*found, strict=True))) for name, found in parts.items()}


def mnist_sequential(data: Path) -> Parts:
    """MNIST (LeCun et al. 1998), a pixel a step: X [S, 784], from 0 to 255, row by row from the top; y the digit."""
    return {f"-{name}.npz": _npz(X=images, y=digits) for name, (images, digits) in _mnist(data).items()}


def mnist_permuted(data: Path) -> Parts:
    """The same, its pixels in another order, one for all images, drawn at random once (Le, Jaitly and Hinton 2015)."""
    order = np.random.default_rng(PERMUTATION_SEED).permutation(28 * 28)
    return {f"-{name}.npz": _npz(X=images[:, order], y=digits) for name, (images, digits) in _mnist(data).items()}


def names(data: Path) -> Parts:
    """Family names and the languages that they come from, of 18: a random 80 % train, the others test."""
    found = text_examples(data / "names_nationality" / "names.tar.gz", labelled=True)
    order = np.random.default_rng(NAMES_SEED).permutation(len(found))
    cut = len(found) * 4 // 5
    return {f"-{name}.tsv": _tsv(found.select(part)) for name, part in (("train", order[:cut]), ("test", order[cut:]))}


SETS: dict[str, Callable[[Path], Parts]] = {
    "msr_action3d": msr_action3d,
    "mnist-sequential": mnist_sequential,
    "mnist-permuted": mnist_permuted,
    "names": names,
}


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--only", multiple=True, type=click.Choice(list(SETS)), help="The sets that are written; repeatable.")
def main(data: Path, target: Path, only: tuple[str, ...]) -> None:
    """Write the sets of DATA to TARGET as files that `ostinato fit classify` reads."""
    target.mkdir(parents=True, exist_ok=True)
    for name in only or SETS:
        for path in make(name, data, target):
            click.echo(f"wrote {path}, {path.stat().st_size:,} bytes")


def make(name: str, data: Path, target: Path) -> list[Path]:
    """Write the parts of one set of DATA into a folder, and return their paths."""
    parts = {target / f"{name}{ending}": content for ending, content in SETS[name](data).items()}
    for path, content in parts.items():
        write_atomically(path, content)
    return list(parts)


# ---- formats


def _mnist(data: Path) -> dict[str, tuple[Array, Array]]:
    """Return images [S, 784] and digits [S] of both parts."""

    def read(name: str) -> Array:
        return idx(lzma.decompress((data / "mnist" / f"{name}-ubyte.xz").read_bytes()))

    return {
        name: (read(f"{prefix}-images-idx3").reshape(-1, 28 * 28), read(f"{prefix}-labels-idx1"))
        for name, prefix in (("train", "train"), ("test", "t10k"))
    }


def idx(content: bytes) -> Array:
    """Return the array of an IDX file: two zeros, 8 for bytes, the number of axes, their sizes as big-endian, values.

    Source: yann.lecun.com/exdb/mnist. Raises ValueError for another type or length.
    """
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise ValueError("this is no IDX file of bytes")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, 4).tolist()
    if len(content) != 4 + 4 * axes + math.prod(shape):
        raise ValueError(f"an IDX file of shape {shape} has not {len(content):,} bytes")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _of_series(series: list[Array], labels: list[str]) -> bytes:
    """Return an `.npz` of series of unequal lengths: padded with not-a-number, and how many steps of each count."""
    lengths = np.array([len(one) for one in series])
    padded = np.full((len(series), lengths.max(), series[0].shape[1]), np.nan, np.float32)
    for row, one in zip(padded, series, strict=True):
        row[: len(one)] = one
    return _npz(X=padded, y=np.array(labels), lengths=lengths)


def _npz(**arrays: Array) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _tsv(examples: Any) -> bytes:
    """Return texts and their labels as a table, whose cells hold neither tabs nor line ends."""
    rows = [("text", "label"), *zip(examples.texts, examples.labels, strict=True)]
    assert not any("\t" in cell or "\n" in cell for row in rows for cell in row)
    return "".join(f"{text}\t{label}\n" for text, label in rows).encode()


if __name__ == "__main__":
    main()
