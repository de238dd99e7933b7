"""Options: one struct gives keywords, bounds, help and flags, and an error says which and why."""

import contextlib
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.cli.fit import language
from ostinato.errors import OptionError
from ostinato.tasks.language import LanguageModel
from ostinato.tasks.language_options import LanguageOptions, sized
from ostinato.tasks.options import make, options_of, parse_duration
from ostinato.tasks.training_options import DEFAULT_SECONDS

OPTIONS = options_of(LanguageOptions)


def refusal(call, *arguments, **options):
    with pytest.raises(OptionError) as caught:
        call(*arguments, **options)
    assert caught.value.exit_code == 2
    return caught.value.message, caught.value.hint


# ---- keywords


def test_keywords_become_the_struct():
    options = make(LanguageOptions, {"hidden_size": 7, "time": "1h30m", "dropout": 0, "seed": 2**53})
    assert (options.hidden_size, options.time, options.dropout, options.seed) == (7, 5400.0, 0.0, 2**53)
    assert make(LanguageOptions, {}) == LanguageOptions()


def test_numbers_of_numpy_are_numbers():
    options = make(LanguageOptions, {"hidden_size": np.int64(7), "dropout": np.float32(0.5), "time": np.float64(90)})
    assert options == LanguageOptions(hidden_size=7, dropout=0.5, time=90.0)
    message, _ = refusal(make, LanguageOptions, {"hidden_size": np.float64(7.5)})
    assert message.startswith("hidden_size: ")


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("hiden_size", "did you mean 'hidden_size'?"),
        ("layers", "did you mean 'num_layers'?"),
        ("learningrate", "did you mean 'learning_rate'?"),
    ],
)
def test_an_unknown_keyword_is_refused_with_the_closest(name, suggested):
    assert refusal(LanguageModel, **{name: 1}) == (f"there is no option {name!r}.", suggested)


def test_a_keyword_like_no_other_is_refused_with_all_there_are():
    message, hint = refusal(LanguageModel, xyzzy=1)
    assert message == "there is no option 'xyzzy'."
    assert all(name in hint for name in OPTIONS)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("hidden_size", [0, -1, 2**31, 1.5, "8", True, math.nan, [8]]),
        ("num_layers", [0, -1, 2**31, None, "1"]),
        ("embedding_size", [0, 2**31, None]),
        ("dropout", [-0.1, 1.0, math.nan, math.inf, "0.1"]),
        ("tokens", ["words", 1, None]),
        ("time", [0, -1.0, math.nan, math.inf, 1e12]),
        ("steps", [0, -5, 2**31, 10.5]),
        ("epochs", [0, -1, math.nan, math.inf, 1e12]),
        ("batch_size", [0, 2**31]),
        ("sequence_length", [0, 2**31]),
        ("learning_rate", [0, -1e-3, math.nan, math.inf]),
        ("warmup_steps", [-1, 2**60, 0.5]),
        ("weight_decay", [-1e-9, math.nan, math.inf]),
        ("clip_norm", [0, -1, math.nan, math.inf]),
        ("evaluations", [0, -1]),
        ("patience", [0, -1, 1.5]),
        ("on_nan", ["go", 1, None]),
        ("checkpoint_every", [0, -1.0, math.nan, math.inf, None]),
        ("valid_fraction", [0.0, 1.0, -0.5, math.nan]),
        ("seed", [-1, 2**53 + 1, 1.5, "1"]),
        ("device", [0, None]),
        ("threads", [0, -1, 1025, 2**31 - 1]),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_option_the_value_and_its_meaning(name, wrong):
    for value in wrong:
        message, hint = refusal(LanguageModel, **{name: value})
        assert message.startswith(f"{name}: ")
        assert message.endswith(f", got {value!r}.")
        assert hint == f"{OPTIONS[name]} is {OPTIONS[name].help}."


def test_every_option_has_bounds_that_are_tested():
    tested = {mark.args[1][k][0] for mark in _marks() for k in range(len(mark.args[1]))}
    assert tested == set(OPTIONS) - {"cell"}


def _marks():
    function = test_a_value_out_of_bounds_is_refused_with_the_option_the_value_and_its_meaning
    return [mark for mark in function.pytestmark if mark.name == "parametrize"]


@pytest.mark.parametrize("cell", ["lstn", 5, None, type])
def test_what_is_no_cell_is_refused(cell):
    assert refusal(LanguageModel, cell)


def test_ways_to_say_how_long_exclude_each_other():
    for pair in ({"time": 1, "steps": 1}, {"time": 1, "epochs": 1}, {"steps": 1, "epochs": 1}):
        message, hint = refusal(make(LanguageOptions, pair).check)
        assert message == f"{' and '.join(pair)} exclude each other."
        assert hint == "give one of --time, --steps and --epochs."
    for name in ("time", "steps", "epochs"):
        make(LanguageOptions, {name: 1}).check()


# ---- flags


def test_every_option_has_a_flag_with_its_help_and_default():
    flags = {parameter.name: parameter for parameter in language.params}
    for name, option in OPTIONS.items():
        flag = flags[name]
        assert f"--{name.replace('_', '-')}" in flag.opts
        assert option.help
        assert flag.help.lower().startswith(option.help.lower())
        assert (f"[default: {option.default}]" in flag.help) == (option.default is not None)
        assert tuple(getattr(flag.type, "choices", ())) == option.choices


def test_short_flags_stand_for_the_long_ones():
    assert {name: option.short for name, option in OPTIONS.items() if option.short} == {
        "hidden_size": "--hidden",
        "num_layers": "--layers",
    }


# ---- lengths of time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h30m10s", 5410),
        ("2m30", 150),
        (" 10M ", 600),
        ("1.5h", 5400),
        ("0.5s", 0.5),
        ("90.", 90),
    ],
)
def test_lengths_of_time(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "0s", "0h0m", "-1m", "-5", "m", "10x", "1m1h", "1e3", "inf", "nan", "1,5m", "10 m", "9" * 400],
)
def test_what_is_no_length_of_time_is_refused(text):
    assert refusal(parse_duration, text) == (
        f"{text!r} is no length of time.",
        "write a number with s, m or h, such as 90s, 10m or 1h30m.",
    )


@given(st.text("0123456789hms. -", max_size=12))
def test_any_text_is_a_length_of_time_or_refused(text):
    with contextlib.suppress(OptionError):
        assert 0 < parse_duration(text) < math.inf


# ---- sizes


@given(
    st.integers(2, 10**9),
    st.fixed_dictionaries(
        {},
        optional={
            "time": st.floats(1, 1e6),
            "hidden_size": st.integers(1, 5000),
            "batch_size": st.integers(1, 99),
            "sequence_length": st.integers(1, 999),
            "dropout": st.floats(0, 0.99),
        },
    ),
)
def test_every_size_is_set_and_what_was_given_stays(length, given_options):
    options = sized(LanguageOptions(**given_options), length)
    assert {name: getattr(options, name) for name in given_options} == given_options
    for name in ("hidden_size", "batch_size", "sequence_length", "dropout", "learning_rate", "time"):
        assert getattr(options, name) is not None
    assert msgspec.convert(msgspec.to_builtins(options), LanguageOptions) == options
    assert sized(options, length) == options


def test_default_sizes_fill_a_batch_of_any_text_that_can_be_trained_on():
    for length in range(40, 100_000, 97):
        options = sized(LanguageOptions(), length)
        assert options.batch_size * options.sequence_length < length


def test_hidden_units_grow_with_the_text_and_the_time_and_never_with_the_speed():
    def hidden(length, **options):
        return sized(LanguageOptions(**options), length).hidden_size

    assert hidden(10**6, time=600.0) == 512 == hidden(10**9, time=600.0)
    assert hidden(10**9) == hidden(10**9, time=DEFAULT_SECONDS) == hidden(10**9, steps=5)
    by_length = [hidden(length, time=600.0) for length in (100, 10_000, 100_000, 10**6)]
    by_time = [hidden(10**9, time=seconds) for seconds in (1.0, 60.0, 600.0, 10**6)]
    for sizes in (by_length, by_time):
        assert sizes == sorted(sizes)
        assert len(set(sizes)) == 4
        assert all(size % 32 == 0 and 32 <= size <= 1024 for size in sizes)


@pytest.mark.parametrize("given_options", [{"steps": 5}, {"epochs": 1.0}, {"time": 60.0}])
def test_a_stated_length_gets_no_other_beside_it(given_options):
    options = sized(LanguageOptions(**given_options), 1000)
    options.check()
    assert {name for name in ("time", "steps", "epochs") if getattr(options, name) is not None} == set(given_options)
