"""The language model's face: learn, write, evaluate, save, and the contract of an estimator."""

import copy
import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ostinato
from ostinato.data.text import Text
from ostinato.data.vocabulary import Vocabulary
from ostinato.errors import DataError, FileFormatError, OptionError, OstinatoError
from ostinato.evaluate.baselines import baselines
from ostinato.evaluate.metrics import figures
from ostinato.runtime.sampling import Sampling
from ostinato.tasks.language import LanguageModel, _until
from tests.small import PEEPHOLE, SIZES, TEXT

CUT = int(len(TEXT) * 0.9)
NAMES = ("uniform", "unigram", "markov5", "xz")


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return caught.value.message, caught.value.hint


# ---- the contract of an estimator


def test_the_constructor_takes_note_and_does_nothing():
    model = LanguageModel("gru", hidden_size=7)
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert (model.cell, model.options.hidden_size) == (ostinato.cells.gru, 7)
    assert repr(model) == "LanguageModel(cell='gru'), not fitted"


def test_fit_returns_itself_and_sets_names_that_end_in_an_underscore(small_model):
    model = LanguageModel("gru", **SIZES)
    before = set(vars(model))
    assert model.fit(TEXT, quiet=True) is model
    new = set(vars(model)) - before
    assert (
        new == set(inspect.get_annotations(LanguageModel)) == {name for name in vars(small_model) if name.endswith("_")}
    )
    assert all(name.endswith("_") for name in new)


def test_fit_changes_neither_the_options_nor_its_arguments():
    model = LanguageModel("gru", **(SIZES | {"hidden_size": None, "dropout": None}))
    before = copy.deepcopy(model.options)
    text = Text(TEXT)
    model.fit(text, quiet=True)
    assert model.options == before
    assert text == Text(TEXT)
    assert (model.options_.hidden_size, model.options_.steps) == (64, 12)


def test_fitting_again_begins_anew():
    model = LanguageModel("gru", **(SIZES | {"hidden_size": None}))
    model.fit("ab" * 300, quiet=True)
    first = model.generate("a", 20, seed=1)
    model.fit(TEXT, quiet=True)
    fresh = LanguageModel("gru", **(SIZES | {"hidden_size": None})).fit(TEXT, quiet=True)
    assert model.options_ == fresh.options_
    assert model.generate("a", 20, seed=1) == fresh.generate("a", 20, seed=1) != first


def test_a_failed_fit_leaves_the_model_as_it_was(small_model):
    model = LanguageModel("gru", **SIZES).fit(TEXT, quiet=True)
    with pytest.raises(DataError):
        model.fit("too short", quiet=True)
    assert model.generate("a", 20, seed=1) == small_model.generate("a", 20, seed=1)
    assert model.metrics_ == small_model.metrics_


def test_the_generators_and_threads_of_others_are_left_as_they_were():
    torch.manual_seed(123)
    np.random.seed(123)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    sizes = SIZES | {"steps": 1, "evaluations": 1, "threads": 2 if before[2] == 1 else 1}
    LanguageModel("gru", **sizes).fit(TEXT[:2000], quiet=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    assert torch.get_num_threads() == before[2]


def test_fitting_is_the_same_whatever_random_numbers_were_drawn_before(small_model):
    torch.manual_seed(99)
    torch.rand(7)
    model = LanguageModel("gru", **SIZES).fit(TEXT, quiet=True)
    assert {name: array.tobytes() for name, array in model.weights_.items()} == {
        name: array.tobytes() for name, array in small_model.weights_.items()
    }


def test_a_model_that_has_not_learned_says_so(tmp_path):
    model = LanguageModel()
    for use in (model.generate, lambda: model.evaluate("ab"), lambda: model.save(tmp_path / "model")):
        assert refusal(OstinatoError, use) == (
            "this model has not learned anything yet.",
            "call fit(text), or open a file with ostinato.load(path).",
        )


def test_public_names_are_typed_and_documented():
    for name, member in inspect.getmembers(LanguageModel):
        if not name.startswith("_"):
            assert member.__doc__, name


# ---- learning


def test_it_learns():
    model = LanguageModel("gru", **(SIZES | {"steps": 200, "hidden_size": 32, "dropout": 0.0})).fit(TEXT, quiet=True)
    first, last = model.history_[0], model.history_[-1]
    assert last["valid"] < first["valid"]
    assert model.metrics_["nats_per_character"] < model.baselines_["unigram"]["nats_per_character"]
    assert "nats a character" in repr(model)


def test_history_and_figures_are_of_the_evaluations(small_model):
    assert [sorted(record) for record in small_model.history_] == [["step", "train", "valid"]] * 3
    assert [record["step"] for record in small_model.history_] == [4, 8, 12]
    best = min(record["valid"] for record in small_model.history_)
    assert small_model.metrics_ == figures(best * 1199, 1199)


def test_the_vocabulary_is_of_the_training_part_alone_and_the_rest_is_not_scored(capsys):
    text = "abc " * 500 + "abZ! " * 40
    model = LanguageModel("gru", **SIZES).fit(text)
    assert model.vocabulary_ == Vocabulary.of_characters("abc ")
    skipped = text[int(len(text) * 0.9) :].count("Z") * 2
    assert (
        f"{skipped} held-out characters do not occur in the training text and are not scored" in capsys.readouterr().err
    )
    assert model.evaluate(text).metrics == pytest.approx(model.metrics_, rel=1e-5)
    with pytest.raises(DataError, match="the model does not know 'Z'"):
        model.evaluate(text + "Z")


def test_baselines_at_training_are_those_of_the_two_parts(small_model):
    vocabulary = small_model.vocabulary_
    train, held_out = vocabulary.encode(TEXT[:CUT]), vocabulary.encode(TEXT[CUT:], "skip")
    assert small_model.baselines_ == baselines(vocabulary, held_out, train)
    assert tuple(small_model.baselines_) == NAMES


def test_a_held_out_text_of_its_own(tmp_path):
    held_out = TEXT[:800]
    model = LanguageModel("gru", **SIZES).fit(TEXT, valid=held_out, quiet=True)
    assert model.data_.train_length == model.data_.length == len(TEXT)
    assert model.data_.valid_digest == Text(held_out).digest
    assert model.evaluate(held_out).metrics == pytest.approx(model.metrics_, rel=1e-5)


def test_another_share_may_be_held_out():
    model = LanguageModel("gru", **SIZES, valid_fraction=0.25).fit(TEXT, quiet=True)
    assert model.data_.train_length == int(len(TEXT) * 0.75)


def test_texts_come_from_files_too(tmp_path, small_model):
    (tmp_path / "a").write_text(TEXT[:7000].rstrip("\n"))
    (tmp_path / "b").write_text(TEXT[7000:])
    whole = tmp_path / "whole"
    whole.write_text(TEXT)
    weights = small_model.weights_["head.weight"]
    np.testing.assert_array_equal(LanguageModel("gru", **SIZES).fit(whole, quiet=True).weights_["head.weight"], weights)
    several = LanguageModel("gru", **SIZES).fit([tmp_path / "a", tmp_path / "b"], quiet=True)
    assert abs(several.data_.length - len(TEXT)) <= 1


BYTES = bytes(range(256)) * 20 + "Füße déjà vu ".encode() * 200


@pytest.fixture(scope="module")
def byte_model():
    return LanguageModel("gru", tokens="bytes", **SIZES).fit(BYTES, quiet=True)


def test_bytes_take_any_data(byte_model, tmp_path):
    assert byte_model.vocabulary_.size == 256
    written = byte_model.generate("é", 100, seed=3)
    assert isinstance(written, str)
    assert byte_model.evaluate(BYTES).metrics == pytest.approx(byte_model.metrics_, rel=1e-5)
    byte_model.save(tmp_path / "model")
    assert ostinato.load(tmp_path / "model").generate("é", 100, seed=3) == written


def test_figures_of_bytes_are_of_characters(byte_model):
    part = BYTES[int(len(BYTES) * 0.9) :]
    nats = byte_model.runtime.nats(np.frombuffer(part, np.uint8).astype(np.int32))
    characters = sum((byte & 0b1100_0000) != 0b1000_0000 for byte in part[1:])
    assert characters < len(part) - 1
    assert byte_model.evaluate(BYTES).metrics["nats_per_character"] == pytest.approx(nats / characters)


def test_characters_given_to_a_model_of_bytes_are_their_utf_8(byte_model):
    assert byte_model.evaluate("déjà vu").metrics == byte_model.evaluate("déjà vu".encode()).metrics
    assert byte_model.evaluate(Text("déjà vu")).metrics == byte_model.evaluate("déjà vu".encode()).metrics


def test_bytes_given_to_a_model_of_characters_are_refused(small_model):
    expected = "a model of characters was given bytes.", 'decode them, or use tokens="bytes".'
    assert refusal(DataError, LanguageModel("gru", **SIZES).fit, TEXT.encode()) == expected
    assert refusal(DataError, small_model.evaluate, TEXT.encode()) == expected


@pytest.mark.parametrize("text", ["", "a", "ab", "abcdefghij"])
def test_a_text_that_is_too_short_is_refused(text):
    message, hint = refusal(DataError, LanguageModel("gru", steps=1).fit, text, quiet=True)
    assert "too short" in message or "at least 2 are needed" in message
    assert hint.startswith("give a longer text")


def test_a_text_shorter_than_a_batch_is_refused():
    message, hint = refusal(
        DataError, LanguageModel(batch_size=32, sequence_length=128, steps=1).fit, TEXT[:3000], quiet=True
    )
    assert message == "the training text has 2,700 symbols, and one batch of 32 streams of 128 needs 4,097."
    assert hint == "give a longer text, or a smaller --batch-size or --sequence-length."


def test_a_text_of_one_symbol_can_be_learned():
    model = LanguageModel("gru", **SIZES).fit("a" * 2000, quiet=True)
    assert model.generate("a", 10) == "a" * 10
    assert model.metrics_["nats_per_character"] == pytest.approx(0.0, abs=1e-6)


# ---- writing


def test_a_seed_makes_a_text_reproducible(small_model):
    assert small_model.generate("if", 80, seed=5) == small_model.generate("if", 80, seed=5)
    assert small_model.generate("if", 80, seed=5) != small_model.generate("if", 80, seed=6)
    assert small_model.generate("if", 80) != small_model.generate("if", 80)


def test_samples_are_those_of_the_seeds_that_follow(small_model):
    samples = small_model.generate("if", 30, samples=3, seed=5)
    assert samples == [small_model.generate("if", 30, seed=seed) for seed in (5, 6, 7)]
    assert len(set(small_model.generate("if", 30, samples=3))) == 3
    assert small_model.generate("if", 30, samples=1, seed=5) == samples[:1]


def test_the_prompt_matters_and_is_left_out(small_model):
    assert small_model.generate("The ", 60, seed=1) != small_model.generate("and ", 60, seed=1)
    assert len(small_model.generate("The ", 60, seed=1)) == 60


def test_text_comes_as_it_is_made(small_model):
    pieces = small_model.write("if", 10**12, seed=5)
    assert "".join(next(pieces) for _ in range(80)) == small_model.generate("if", 80, seed=5)


def test_what_is_written_is_drawn_from_the_scores_of_the_runtime(small_model):
    """Symbol by symbol, from a state that is carried: no text is read twice."""
    runtime, random = small_model.runtime, np.random.default_rng(5)
    ids = small_model.vocabulary_.encode("while ")
    state = runtime.skim(ids[:-1, None], runtime.initial_state())
    drawn = [ids[-1]]
    for _ in range(40):
        scores, state = runtime.step(np.array(drawn[-1:]), state)
        drawn.append(Sampling(0.7, top_k=9).draw(scores[0], random))
    written = small_model.generate("while ", 40, temperature=0.7, top_k=9, seed=5)
    assert written == small_model.vocabulary_.decode(drawn[1:])


def test_an_empty_prompt_is_a_lines_beginning(small_model):
    assert small_model.generate("", 50, seed=2) == small_model.generate("\n", 50, seed=2)


def test_without_newlines_an_empty_prompt_is_the_first_symbol():
    model = LanguageModel("gru", **SIZES).fit("abc" * 700, quiet=True)
    assert model.generate("", 30, seed=2) == model.generate("a", 30, seed=2)
    assert model.generate("???", 30, seed=2, unknown="skip") == model.generate("a", 30, seed=2)


def test_no_length_is_no_text(small_model):
    assert small_model.generate("if", 0) == ""
    assert list(small_model.write("if", 0)) == []


def test_unknown_characters_are_named_or_skipped(small_model):
    assert refusal(DataError, small_model.generate, "if €") == (
        "the model does not know '€' (U+20AC), at character 4.",
        "--unknown skip leaves such characters out.",
    )
    assert small_model.generate("€if", 20, unknown="skip", seed=1) == small_model.generate("if", 20, seed=1)
    assert small_model.generate("€", 20, unknown="skip", seed=1) == small_model.generate("", 20, seed=1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"temperature": -1}, "temperature must be a number of at least 0, not -1."),
        ({"top_k": 0}, "top_k must be at least 1, not 0."),
        ({"top_p": 2}, "top_p must be more than 0 and at most 1, not 2."),
        ({"length": -1}, "length must be at least 0, not -1."),
        ({"seed": -1}, "seed must be at least 0, not -1."),
        ({"unknown": "guess"}, "unknown must be error or skip, not 'guess'."),
    ],
)
def test_figures_out_of_range_are_refused_before_anything_is_written(small_model, how, message):
    assert refusal(OptionError, small_model.write, "if", **how)[0] == message


def test_the_stop_string_ends_the_text_and_is_left_out(small_model):
    text = small_model.generate("if", 300, seed=5)
    stop = text[100:103]
    assert small_model.generate("if", 300, seed=5, stop=stop) == text[: text.index(stop)]
    assert small_model.generate("if", 300, seed=5, stop="€") == text
    assert small_model.generate("if", 300, seed=5, stop="") == text


@settings(max_examples=300)
@given(st.lists(st.text("ab", max_size=4)), st.text("ab", min_size=1, max_size=4))
@example(["a", "a", "b"], "aab")
@example(["aa", "ab"], "aab")
@example(["a"], "ab")
def test_the_text_up_to_the_stop_string_comes_through_and_as_early_as_can_be(pieces, stop):
    text = "".join(pieces)
    given_pieces, shown, came = iter(pieces), "", ""

    def noting():
        nonlocal came
        for piece in given_pieces:
            came += piece
            yield piece

    for part in _until(stop, noting()):
        shown += part
        assert came.startswith(shown)
        # What is held back may be the beginning of the stop string: nothing else is.
        assert stop.startswith(came[len(shown) :]) or stop in came or shown + came[len(shown) :] == text
    assert shown == text.partition(stop)[0]


# ---- evaluating


def test_its_own_text_is_scored_in_its_held_out_part_beside_all_baselines(small_model):
    evaluation = small_model.evaluate(TEXT)
    assert evaluation.task == "language"
    assert evaluation.metrics == pytest.approx(small_model.metrics_, rel=1e-5)
    assert evaluation.baselines == small_model.baselines_
    assert evaluation.missing == {}


def test_another_text_is_scored_whole_and_missing_baselines_are_named(small_model):
    other = TEXT[2000:2600]
    evaluation = small_model.evaluate(other)
    nats = small_model.runtime.nats(small_model.vocabulary_.encode(other))
    assert evaluation.metrics == figures(nats, 599)
    assert tuple(evaluation.baselines) == ("uniform",)
    assert evaluation.missing == dict.fromkeys(("unigram", "markov5", "xz"), "--train FILE")


def test_the_baselines_learn_from_the_text_that_is_given(small_model):
    vocabulary, other, train = small_model.vocabulary_, TEXT[2000:2600], TEXT[3000:5000]
    evaluation = small_model.evaluate(other, train=train)
    assert evaluation.baselines == baselines(vocabulary, vocabulary.encode(other), vocabulary.encode(train))
    assert evaluation.missing == {}


def test_the_baselines_see_no_more_of_the_models_own_text_than_it_did(small_model):
    """Given the whole file as training text, they would have learned the held-out part by heart."""
    held_out = TEXT[CUT:]
    vocabulary = small_model.vocabulary_
    ids, train, whole = (vocabulary.encode(text, "skip") for text in (held_out, TEXT[:CUT], TEXT))
    honest, leaking = baselines(vocabulary, ids, train), baselines(vocabulary, ids, whole)
    assert leaking["xz"]["nats_per_character"] < honest["xz"]["nats_per_character"] / 2
    assert small_model.evaluate(held_out, train=TEXT, unknown="skip").baselines == honest
    assert small_model.evaluate(TEXT, train=TEXT).baselines == honest
    assert small_model.evaluate(TEXT, train=TEXT[CUT:]).baselines == honest


def test_a_text_with_nothing_to_predict_is_refused(small_model):
    for text in ("", "a"):
        assert refusal(DataError, small_model.evaluate, text) == (
            f"a text of {len(text)} symbols has nothing to predict.",
            "give a text of at least two symbols.",
        )
    message, _ = refusal(DataError, small_model.evaluate, "a€", unknown="skip")
    assert message == "a text of 1 symbols has nothing to predict."


def test_progress_is_told(small_model):
    told = []
    small_model.evaluate(TEXT, progress=told.append)
    assert told[-1] == 1.0


# ---- the file


@pytest.mark.parametrize("cell", ["elman", PEEPHOLE], ids=["elman", "peephole"])
def test_a_saved_model_is_the_same_model(tmp_path, cell):
    model = LanguageModel(cell, **SIZES).fit(TEXT, quiet=True)
    path = tmp_path / "model"
    model.save(path)
    opened = ostinato.load(path)
    assert opened.cell == model.cell
    for name in (
        "options_",
        "architecture_",
        "vocabulary_",
        "history_",
        "metrics_",
        "baselines_",
        "data_",
        "versions_",
    ):
        assert getattr(opened, name) == getattr(model, name), name
    assert repr(opened) == repr(model)
    assert {name: array.tobytes() for name, array in opened.weights_.items()} == {
        name: array.tobytes() for name, array in model.weights_.items()
    }
    assert opened.generate("if", 100, seed=4) == model.generate("if", 100, seed=4)
    assert opened.evaluate(TEXT) == model.evaluate(TEXT)


def test_a_model_that_was_opened_can_be_saved_again_and_learn_again(small_file, small_model, tmp_path):
    opened = ostinato.load(small_file)
    opened.save(tmp_path / "again")
    assert ostinato.load(tmp_path / "again").evaluate(TEXT) == small_model.evaluate(TEXT)
    opened.fit(TEXT, quiet=True)
    assert opened.generate("if", 30, seed=4) == small_model.generate("if", 30, seed=4)


def test_hopeless_figures_can_be_saved_and_read(tmp_path, small_model):
    model = copy.copy(small_model)
    model.metrics_ = figures(1e9, 10)
    model.save(tmp_path / "model")
    assert ostinato.load(tmp_path / "model").metrics_ == model.metrics_


def test_the_file_tells_the_versions_it_was_made_with(small_model):
    assert small_model.versions_["ostinato"] == ostinato.__version__
    assert small_model.versions_["torch"] == torch.__version__
    assert small_model.versions_["numpy"] == np.__version__


def test_the_text_is_not_in_the_file(small_file):
    assert TEXT[5000:5030].encode() not in small_file.read_bytes()


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "text").write_text(TEXT)
    assert refusal(FileFormatError, ostinato.load, tmp_path / "text")[0].endswith(
        "is not a model file: it is no safetensors file."
    )


def test_opening_and_using_a_model_loads_no_torch(small_file):
    code = f"""
import sys, ostinato
model = ostinato.load({str(small_file)!r})
assert len(model.generate("if", 20)) == 20
model.evaluate({TEXT[:300]!r})
model.save({str(small_file.with_name("copy"))!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_paths_and_strings_are_texts(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    assert LanguageModel("gru", **SIZES).fit(tmp_path / "text.txt", quiet=True).data_.length == len(TEXT)
    with pytest.raises(DataError, match="too short"):
        LanguageModel("gru", **SIZES).fit("t", quiet=True)
