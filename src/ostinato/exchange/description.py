"""The short description of a stack: what a file of weights alone does not say.

    embedding lstm:… last linear=head relu linear softmax

Words in the order in which each layer reads the one before, with a space between. A word may be bound to a layer of the
file by ``=`` and its name there, and have options after ``:``, with commas between.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from ..errors import OptionError, closest
from .functions import HARD_SIGMOID, LOG_SOFTMAX, RELU6, SOFTMAX
from .operators import RELU, SIGMOID, TANH, Squashing

SYNONYMS = {"dense": "linear", "layer_norm": "norm", "identity": "dropout"}
WEIGHTED = ("embedding", "rnn", "lstm", "gru", "linear", "norm", "batch_norm")
"""The words for layers that have weights."""
STEPS = {
    "last": "of each sequence the last step",
    "final": "where each direction arrives: the last step of the first, the first step of the second",
    "mean": "the mean over time",
    "max": "the maximum over time",
}
FUNCTIONS: dict[str, Squashing] = {
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "leaky_relu": Squashing("leaky_relu"),
    "elu": Squashing("elu", 1.0),
    "selu": Squashing("selu"),
    "relu6": RELU6,
    "hard_tanh": Squashing("clip", -1.0, 1.0),
    "hard_sigmoid": HARD_SIGMOID,
    "softplus": Squashing("softplus"),
    "softsign": Squashing("softsign"),
    "silu": Squashing("silu"),
    "mish": Squashing("mish"),
    "gelu_tanh": Squashing("gelu_tanh"),
    "exponential": Squashing("exponential"),
    "softmax": SOFTMAX,
    "log_softmax": LOG_SOFTMAX,
}
ALPHA = ("leaky_relu", "elu")
"""The functions that have a number; torch and Keras start a leaky relu differently, so that one must say it."""
NOTHING = ("dropout", "skip")
"""What computes nothing: what acts in training alone, and weights of the file that are left out."""
WORDS = (*WEIGHTED, *FUNCTIONS, *STEPS, *NOTHING)
EXAMPLES = {
    "rnn": "rnn:relu",
    "norm": "norm:eps=1e-5",
    "batch_norm": "batch_norm:eps=1e-5",
    "leaky_relu": "leaky_relu:0.01",
    "elu": "elu:1.0",
}
"""Each word that has an option, with one."""
_WORD = re.compile(r"([^=:]+)(?:=([^:]*))?(?::(.+))?")


class Word(NamedTuple):
    """A word of a description. name: of the layer in the file that it is bound to. epsilon: of a normalisation.

    relu: of an rnn that has relu in place of tanh.
    """

    word: str
    name: str | None = None
    function: Squashing | None = None
    epsilon: float | None = None
    relu: bool | None = None


def parse(layers: str) -> list[Word]:
    """Return the words of a description. Raises OptionError for one that is none, with what may be written."""
    words = [_word(text) for text in layers.split()]
    if not words:
        raise OptionError("the description of the layers is empty.", "for instance: embedding lstm last linear")
    return words


def _word(text: str) -> Word:
    match = _WORD.fullmatch(text)
    if match is None:
        raise OptionError(f"{text!r:.60} is no layer.", "write word, word=name or word:option.")
    word, name, given = SYNONYMS.get(match[1], match[1]), match[2], match[3]
    if word not in WORDS:
        raise OptionError(f"there is no layer {match[1]!r:.60}.", closest(match[1], WORDS))
    if name is not None and word not in (*WEIGHTED, "skip"):
        raise OptionError(f"{word} has no weights, so it is bound to nothing of the file.", f"write {word}.")
    if word == "skip" and not name:
        raise OptionError("skip says what of the file is left out.", "write skip=name.")
    return _with_options(Word(word, name, FUNCTIONS.get(word)), given.split(",") if given else [])


def _with_options(word: Word, options: list[str]) -> Word:
    for option in options:
        key, _, value = option.rpartition("=")
        if word.word == "rnn" and key in ("", "nonlinearity") and value in ("relu", "tanh"):
            word = word._replace(relu=value == "relu")
        elif word.word in ("norm", "batch_norm") and key in ("", "eps"):
            word = word._replace(epsilon=_positive(word.word, option, value))
        elif word.word in ALPHA and key in ("", "alpha") and word.function is not None:
            word = word._replace(function=word.function._replace(alpha=_number(word.word, option, value)))
        else:
            raise OptionError(f"{word.word} has no option {option!r:.60}.", _hint(word.word))
    if word.word == "leaky_relu" and word.function is not None and word.function.alpha is None:
        raise OptionError("leaky_relu needs its slope below zero.", "write leaky_relu:0.01, torch's own.")
    return word


def _hint(word: str) -> str:
    return f"for instance: {EXAMPLES[word]}" if word in EXAMPLES else f"write {word} alone."


def _number(word: str, option: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{word}: {option!r:.60} is no number.", _hint(word))
    return number


def _positive(word: str, option: str, value: str) -> float:
    number = _number(word, option, value)
    if not 0 < number <= 1:
        raise OptionError(f"{word}: eps must be above 0 and at most 1, not {number:g}.", _hint(word))
    return number
