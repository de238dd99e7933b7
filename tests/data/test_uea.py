"""The `.ts` format: small copies of its real shapes, random files there and back, and every line that is none of it."""

import gzip

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data.labelled import series_examples
from tests.data.labelled_files import assert_same, fact, file_of, write
from tests.quick import examples

HEAD = """#A comment: é
@problemName Small
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true run walk
@data
"""
DATA = "0.5,1.5,?:2,-3e-1,4:run\n0.25, nan:NaN,2: walk\n"


@pytest.mark.parametrize(
    "pack",
    [
        str.encode,
        lambda text: text.encode("latin-1"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.lower().encode(),
        lambda text: text.rstrip().encode(),
    ],
)
def test_channels_missing_values_and_lengths(tmp_path, pack):
    found = series_examples(write(tmp_path, pack(HEAD + DATA), "t.ts"))
    np.testing.assert_array_equal(found.values, [[0.5, 2], [1.5, -0.3], [np.nan, 4], [0.25, np.nan], [np.nan, 2]])
    assert found.starts.tolist() == [0, 3, 5]
    assert found.labels == ["run", "walk"]
    assert found.channels == ["1", "2"]
    assert found.places[1].endswith("t.ts, line 11")
    assert found.series(1).shape == (2, 2)
    assert found.summary == [
        "2 series of 2 to 3 steps",
        "channels: 1, 2",
        "missing values: 1 2 (40 %), 2 1 (20 %)",
        "2 classes: run (1), walk (1)",
    ]


def test_an_archive_and_other_headers(tmp_path):
    header = "@problemname x\n@univariate true\n@equallength true\n@serieslength 3\n@missing false\n@classlabel true\n"
    content = gzip.compress((header + "@data\n1,2:-1\n3,?:1\n").encode())
    found = series_examples(write(tmp_path, content, "T_TRAIN.TS.gz"))
    assert found.labels == ["-1", "1"]
    assert found.remarks == [
        "the header says 3 steps, but series have 2 to 2",
        "the header says that no value is missing, but some are",
    ]


def test_without_labels(tmp_path):
    path = write(tmp_path, "@classLabel false\n@data\n1,2\n3\n", "t.ts")
    found = series_examples(path)
    assert (found.labels, found.lengths.tolist()) == (None, [2, 1])
    assert fact(series_examples, path, labelled=True) == f"{path} has no labels."
    labelled = write(tmp_path, HEAD + DATA, "l.ts")
    assert series_examples(labelled, labelled=False).labels is None
    for label in ("?", "", "some other"):
        found = series_examples(write(tmp_path, f"{HEAD}1:2:{label}\n", "q.ts"), labelled=False)
        assert (found.labels, found.values.tolist()) == (None, [[1, 2]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " has no series."),
        (HEAD, " has no series."),
        ("nonsense\n", ", line 1: 'nonsense' is no line of a header."),
        ("@classLabel maybe\n", ", line 1: expected true or false after @classLabel, got 'maybe'."),
        ("@missing\n", ", line 1: expected true or false after @missing, got ''."),
        ("@dimensions 0\n", ", line 1: expected a number from 1 on after @dimensions, got '0'."),
        ("@seriesLength ²\n", ", line 1: expected a number from 1 on after @seriesLength, got '²'."),
        ("@timeStamps true\n", ", line 1: values with a time each cannot be read."),
        ("@targetLabel true\n", ", line 1: the series have numbers to predict and no classes."),
        (HEAD + "1,2:run\n", ", line 10: it has 1 channels and not 2, as those before it or @dimensions."),
        (HEAD + "1,2:1,2,3:run\n", ", line 10: channel 2 has 3 values, and the first one 2."),
        (HEAD + "1,2:1,x:run\n", ", line 10: 'x' is no number."),
        (HEAD + "1,:1,2:run\n", ", line 10: '' is no number."),
        (HEAD + "1:2:wlk\n", ", line 10: 'wlk' is no class that @classLabel names."),
        (HEAD + "1:2:\n", ", line 10: the label is missing."),
        (HEAD + "1:2:?\n", ", line 10: the label is missing."),
        (HEAD + "1,2\n", ", line 10: the series has no label."),
        (HEAD + DATA + "1,1:2,inf:run\n", ", line 12: step 2, channel '2': an infinite value."),
        (HEAD + DATA + "1,1:2e31,1:run\n", ", line 12: step 1, channel '2': 2e+31 is too large; 1e30 is the limit."),
    ],
)
def test_what_is_not_of_the_format(tmp_path, content, message):
    path = write(tmp_path, content, "t.ts")
    assert fact(series_examples, path) == f"{path}{message}"


VALUES = st.one_of(st.none(), st.floats(-1e30, 1e30), st.integers(-9, 9).map(float))


@st.composite
def series(draw):
    """Return some matrices [T, D] of one width, with missing values, and labels."""
    width, count = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    lengths = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    matrices = [
        draw(st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=n, max_size=n)) for n in lengths
    ]
    return matrices, draw(st.lists(st.sampled_from(["a", "b c", "-1.0"]), min_size=count, max_size=count))


@examples(50, 2000, series(), st.booleans())
def test_there_and_back(given, has_labels):
    matrices, labels = given
    lines = [f"@classLabel {'true' if has_labels else 'false'}", "@data"]
    for matrix, label in zip(matrices, labels, strict=True):
        channels = [",".join("?" if v is None else repr(v) for v in channel) for channel in zip(*matrix, strict=True)]
        lines.append(":".join([*channels, label] if has_labels else channels))
    with file_of("\n".join(lines), "t.ts") as path:
        found = series_examples(path)
    arrays = [np.array(matrix, dtype=np.float64) for matrix in matrices]
    assert_same(found, series_examples(arrays, labels=labels if has_labels else None))
