"""A classifier as an ONNX file: ONNX Runtime gives the scores of its network."""

import json

import numpy as np
import onnx
import pytest

from ostinato.errors import OptionError
from tests.comparison import assert_close
from tests.quick import some_quick
from tests.small_labels import names, reviews, topics, waves
from tests.tasks.classifiers import fitted, refusal

from .onnx_running import Session, random_state

LENGTHS = [7, 0, 3, 1, 6]
KINDS = {
    "words": (reviews(20), {}),
    "characters, one way": (names(20), {"bidirectional": False, "pooling": ("last", "attention")}),
    "series": (waves(20), {"cell": "lstm", "num_layers": 2, "pooling": ("attention", "last", "max", "mean")}),
    "series, blocks": (waves(20, missing=0), {"cell": "lru_block", "bidirectional": False, "pooling": ("mean",)}),
    "several": (topics(40), {"pooling": ("attention",)}),
}


@pytest.mark.parametrize("kind", some_quick(KINDS, ["characters, one way", "series"]))
def test_scores_are_those_of_the_model(kind, tmp_path):
    data, options = KINDS[kind]
    model = fitted(*data, steps=2, linear="never", **options)
    written = model.export_onnx(tmp_path / "m.onnx")
    assert written.difference < 1e-4
    onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)
    session = Session((tmp_path / "m.onnx").read_bytes())
    random = np.random.default_rng(0)
    for steps, lengths in ((7, LENGTHS), (4, [4, 4]), (1, [1, 0, 1])):
        if model.architecture_.embedding is None:
            x = random.normal(size=(steps, len(lengths), model.architecture_.reads)).astype(np.float32)
        else:
            x = random.integers(0, model.encoder_.size, (steps, len(lengths)))
        state = random_state(model, len(lengths))
        found, _ = session.run(x, lengths, state)
        expected, _ = model.run(x, lengths, state)
        assert expected.shape == (len(lengths), len(model.classes_))
        assert_close(found, expected)
        with pytest.raises(AssertionError):
            assert_close(found, expected[::-1] if len(set(lengths)) > 1 else -expected)
    told = session.metadata
    assert json.loads(told["classes"]) == [str(each) for each in model.classes_]
    assert json.loads(told["encoder"])["kind"] == ("series" if "series" in kind else model.options_.units)


def test_spelled_words_are_not_exported(tmp_path):
    model = fitted(*reviews(20), units="spellings", steps=1)
    message, _ = refusal(OptionError, model.export_onnx, tmp_path / "m.onnx")
    assert message == "words with their characters are no symbols that can be streamed."
    assert list(tmp_path.iterdir()) == []
