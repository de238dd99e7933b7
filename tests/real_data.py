"""Published data sets, where the environment variable OSTINATO_DATA names the folder that holds them."""

import gzip
import lzma
import os
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ostinato.evaluate.windows import rows_of


def path_of(name):
    """Return the path of a data set's file; without it the test is skipped."""
    folder = os.environ.get("OSTINATO_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip("OSTINATO_DATA names no folder that holds it")
    return Path(folder) / name


def lines_of(name):
    path = path_of(name)
    with (gzip if path.suffix == ".gz" else lzma).open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line for line in file.read().split("\n") if line]


def imdb(part):
    """Reviews and whether they praise."""
    rows = [line.split("\t") for line in lines_of(f"imdb/{part}.tsv.xz")]
    return [row[3] for row in rows], np.array([int(row[0]) for row in rows])


def sst2(part):
    """Sentences and whether they praise."""
    rows = [line.rsplit("\t", 1) for line in lines_of(f"sst2/{part}.tsv.gz")]
    return [row[0] for row in rows], np.array([int(row[1]) for row in rows])


def names():
    """Names and the numbers of their 18 languages: a random 80 % and the rest."""
    with tarfile.open(path_of("names_nationality/names.tar.gz")) as archive:
        files = sorted(name for name in archive.getnames() if name.endswith(".txt"))
        lists = [archive.extractfile(name).read().decode().split("\n") for name in files]
    pairs = [(name.strip(), number) for number, found in enumerate(lists) for name in found if name.strip()]
    order = np.random.default_rng(0).permutation(len(pairs))
    cut = len(pairs) * 4 // 5
    return [
        ([pairs[place][0] for place in part], np.array([pairs[place][1] for place in part]))
        for part in (order[:cut], order[cut:])
    ]


def series(name):
    """Series, the numbers of their classes, and how many classes there are: for training and for tests."""
    classes, parts = {}, []
    for part in ("TRAIN", "TEST"):
        lines = lines_of(f"ucr_uea/{name}_{part}.ts.gz")
        lines = lines[[line.lower() for line in lines].index("@data") + 1 :]
        cells = [line.strip().split(":") for line in lines]
        rows = rows_of([np.array([channel.split(",") for channel in row[:-1]], float).T for row in cells])
        parts.append((rows, np.array([classes.setdefault(row[-1], len(classes)) for row in cells])))
    return *parts, len(classes)


def tagged(part):
    """The words of sentences and their parts of speech."""
    lines = [line.split("\t") for line in lines_of(f"ud_english_ewt/en_ewt-ud-{part}.conllu.xz")]
    words = [cells for cells in lines if cells[0].isdecimal()]
    begins = [place for place, cells in enumerate(words) if cells[0] == "1"]
    rows = [words[start:end] for start, end in pairwise([*begins, len(words)])]
    return [[row[1] for row in sentence] for sentence in rows], [[row[3] for row in sentence] for sentence in rows]


def accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def balanced_accuracy(probabilities, labels):
    right = probabilities.argmax(axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))
