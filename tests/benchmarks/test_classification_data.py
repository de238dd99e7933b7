"""Sets in formats of their own, made small, and what they are turned into."""

import io
import lzma
import tarfile

import numpy as np
import pytest
from benchmarks.classification_data import PERMUTATION_SEED, idx, main
from click.testing import CliRunner

from ostinato.data.labelled import series_examples, text_examples
from tests.data.labelled_files import write


def written(folder, name):
    """Write a set of `folder` and return the paths of its two parts."""
    result = CliRunner().invoke(main, [str(folder), str(folder / "out"), "--only", name], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [next((folder / "out").glob(f"{name}-{part}.*")) for part in ("train", "test")]


def tar(folder, name, files, kind):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=f"w:{kind}") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    write(folder, content.getvalue(), name)


def idx_of(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path):
    random = np.random.default_rng(3)
    sets = {}
    for prefix, count in (("train", 3), ("t10k", 2)):
        images, digits = random.integers(0, 256, (count, 28, 28)), random.integers(0, 10, count)
        write(tmp_path, lzma.compress(idx_of(images)), f"mnist/{prefix}-images-idx3-ubyte.xz")
        write(tmp_path, lzma.compress(idx_of(digits)), f"mnist/{prefix}-labels-idx1-ubyte.xz")
        sets[prefix] = (images, digits)
    return sets


@pytest.mark.parametrize("is_permuted", [False, True])
def test_images_are_a_pixel_a_step(tmp_path, mnist, is_permuted):
    order = np.random.default_rng(PERMUTATION_SEED).permutation(784) if is_permuted else np.arange(784)
    paths = written(tmp_path, "mnist-permuted" if is_permuted else "mnist-sequential")
    for path, (images, digits) in zip(paths, mnist.values(), strict=True):
        found = series_examples(path, labelled=True)
        assert found.labels == [str(digit) for digit in digits]
        for number, image in enumerate(images):
            np.testing.assert_array_equal(found.series(number)[:, 0], image.ravel()[order])


def test_skeletons(tmp_path):
    random = np.random.default_rng(4)
    frames = {(1, 1): 3, (2, 4): 2, (20, 9): 1, (13, 9): 0}
    places = {key: random.normal(size=(count, 20, 4)).round(6) for key, count in frames.items()}
    places[13, 9] = np.zeros((2, 20, 4))
    places[1, 1][1] = 0
    files = {
        f"Real3D/a{action:02}_s{subject:02}_e01_skeleton3D.txt": "\n".join(
            " ".join(map(repr, joint.tolist())) for frame in found for joint in frame
        )
        for (action, subject), found in places.items()
    }
    tar(tmp_path, "msr_action3d/MSRAction3DSkeletonReal3D.tar.xz", files, "xz")
    train, test = (series_examples(path, labelled=True) for path in written(tmp_path, "msr_action3d"))
    assert (train.labels, train.lengths.tolist()) == (["1", "20"], [3, 1])
    assert (test.labels, test.lengths.tolist()) == (["2"], [2])
    from_hip = places[2, 4][:, :, :3] - places[2, 4][:, 6:7, :3]
    expected = from_hip / np.sqrt((from_hip**2).sum(axis=2)).mean()
    np.testing.assert_allclose(test.series(0), expected.reshape(2, 60), rtol=1e-5)
    # A frame of which nothing was seen is missing, and has no part in the scale.
    assert np.isnan(train.series(0)).all(axis=1).tolist() == [False, True, False]
    assert np.isfinite(train.series(0)[[0, 2]]).all()


def test_names(tmp_path):
    files = {"names/Greek.txt": "\n".join(f"Α{n}" for n in range(7)), "names/Dutch.txt": "\n".join("abc")}
    tar(tmp_path, "names_nationality/names.tar.gz", files, "gz")
    parts = [text_examples(path, labelled=True) for path in written(tmp_path, "names")]
    assert [len(part) for part in parts] == [8, 2]
    found = sorted(pair for part in parts for pair in zip(part.texts, part.labels, strict=True))
    assert found == sorted([*((f"Α{n}", "Greek") for n in range(7)), *((c, "Dutch") for c in "abc")])


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x01", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x01\0\0\0\x02a"])
def test_what_is_no_idx_file(content):
    with pytest.raises(ValueError, match="IDX"):
        idx(content)
