"""Models in fewer bytes: what they weigh, that they are the same everywhere, and what a damaged one is told."""

import json

import numpy as np
import pytest

import ostinato
from ostinato import model_file
from ostinato.errors import FileFormatError, OptionError
from ostinato.stored import Int8Matrix, unpacked
from tests.cli.running import fail, succeed
from tests.small import SIZES, TEXT

KINDS = ("bfloat16", "int8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("smaller")


@pytest.fixture(scope="module")
def model(folder):
    trained = ostinato.LanguageModel(cell="gru", **{**SIZES, "hidden_size": 40, "steps": 150}).fit(TEXT)
    trained.save(folder / "whole.safetensors")
    (folder / "text.txt").write_text(TEXT)
    return trained


@pytest.fixture(scope="module", params=KINDS)
def smaller(request, model, folder):
    path = folder / f"{request.param}.safetensors"
    found = model.stored_as(request.param)
    found.save(path)
    return found, path


def test_a_file_takes_a_half_or_a_quarter_and_gives_the_same_bits(model, smaller, folder):
    found, path = smaller
    again = ostinato.load(path)
    assert again.summary()["matrices"] == found.summary()["matrices"] == path.stem
    assert again.summary()["sizes"] == model.summary()["sizes"]
    matrices = sum(weight.nbytes for weight in model.weights_.values() if weight.ndim == 2)
    held = sum(weight.nbytes for name, weight in again.weights_.items() if model.weights_[name].ndim == 2)
    assert held <= matrices * (0.5 if path.stem == "bfloat16" else 0.3)
    assert path.stat().st_size < (folder / "whole.safetensors").stat().st_size
    ids = model.vocabulary_.encode(TEXT[:300])[:, None]
    assert again.run(ids)[0].tobytes() == found.run(ids)[0].tobytes()
    stream = again.stream()
    steps = np.stack([stream.push(symbol) for symbol in ids[:, 0]])
    assert steps.tobytes() == found.run(ids)[0][:, 0].tobytes()
    pool = again.streams(300)
    ids = np.array([pool.open() for _ in range(300)])
    first = pool.step(ids, model.vocabulary_.encode(TEXT[:300]))
    for place in (0, 150, 299):
        assert again.stream().push(model.vocabulary_.encode(TEXT[place])[0]).tobytes() == first[place].tobytes()
    assert again.generate("The ", 50, seed=3) == found.generate("The ", 50, seed=3)
    assert model.summary()["matrices"] == "float32", "the model that it was made of is as it was"


def test_little_accuracy_is_lost(model, smaller):
    found, path = smaller
    before = model.evaluate(TEXT).metrics["bits_per_character"]
    after = found.evaluate(TEXT).metrics["bits_per_character"]
    assert abs(after - before) < (0.002 if path.stem == "bfloat16" else 0.02)
    assert after != before


def test_a_snapshot_is_bound_to_how_its_model_is_stored(model, smaller):
    stream = model.stream()
    stream.push(1)
    with pytest.raises(FileFormatError, match="another model"):
        smaller[0].stream().restore(stream.snapshot())


def test_a_model_is_stored_in_fewer_bytes_once(smaller):
    with pytest.raises(OptionError, match="already"):
        smaller[0].stored_as("int8")


def test_evaluate_shows_the_loss_beside_the_gain(capsys, model, smaller, folder):
    _, path = smaller
    whole = folder / "whole.safetensors"
    told = json.loads(succeed(capsys, "evaluate", path, folder / "text.txt", "--against", whole, "--json").out)
    against = told["against"]
    assert against["matrices"] == [path.stem, "float32"]
    assert against["bytes"] == [path.stat().st_size, whole.stat().st_size]
    assert against["bits_per_character"][0] == told["metrics"]["bits_per_character"]
    assert against["bits_per_character"][1] == pytest.approx(model.metrics_["bits_per_character"], rel=1e-5)
    assert all(time > 0 for time in against["microseconds_per_step"])
    out = succeed(capsys, "evaluate", path, folder / "text.txt", "--against", whole).out
    assert f"({path.stem}) beside {whole} (float32):" in out
    assert out.count(" instead of ") == 3


def test_models_of_other_symbols_are_not_compared(capsys, model, folder):
    ostinato.LanguageModel(**SIZES, tokens="bytes").fit(TEXT.encode()).save(folder / "bytes.safetensors")
    message, _ = fail(
        capsys, "evaluate", folder / "whole.safetensors", folder / "text.txt", "--against", folder / "bytes.safetensors"
    )
    assert message.endswith("bytes.safetensors reads bytes.")


def rewritten(path, folder, change):
    """A file whose tensors were changed and whose digest agrees all the same."""
    document, tensors = model_file.read(path)
    change(tensors)
    target = folder / "changed.safetensors"
    fields = {key: value for key, value in document.items() if key not in ("format", "kind")}
    model_file.write(target, document["kind"], fields, tensors)
    return target


def test_damaged_matrices_are_refused(model, folder):
    path = folder / "int8 to damage.safetensors"
    model.stored_as("int8").save(path)
    name = "head.weight"

    def with_scales(change):
        def changed(tensors):
            matrix = tensors[name]
            tensors[name] = Int8Matrix(matrix.values, change(matrix.scales))

        return changed

    def minus_128(tensors):
        values = tensors[name].values.copy()
        values[0, 0] = -128
        tensors[name] = Int8Matrix(values, tensors[name].scales)

    for change, message in [
        (with_scales(lambda scales: scales * np.float32(np.nan)), "not finite"),
        (with_scales(lambda scales: -scales), "not finite"),
        (with_scales(lambda scales: scales[:-1]), "no matrix of int8"),
        (with_scales(lambda scales: scales.astype(np.float64)), "no matrix of int8|type F64"),
        (minus_128, "not finite"),
        (lambda tensors: tensors.update({name: tensors[name].values}), "no matrix of int8"),
        (lambda tensors: tensors.update({"head.bias": np.zeros(3, np.int8)}), "no matrix of int8"),
    ]:
        with pytest.raises(FileFormatError, match=message):
            ostinato.load(rewritten(path, folder, change))


def test_what_is_stored_whole_again_runs_nearly_the_same(model, smaller):
    found, path = smaller
    ids = model.vocabulary_.encode(TEXT[:100])[:, None]
    whole = ostinato.runtime.SymbolRuntime(model.architecture_, unpacked(found.weights_))
    y, expected = found.run(ids)[0], whole.run(ids)[0]
    if path.stem == "bfloat16":
        assert y.tobytes() == expected.tobytes()
    assert np.abs(y - expected).max() < 0.05 * np.abs(expected).max()
