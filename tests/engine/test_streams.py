"""Streams: values beside the input, laid out as the input is."""

import numpy as np
import pytest
import torch

from ostinato.engine import sequence
from ostinato.errors import ShapeError
from ostinato.program import Instruction, Program

from ..candidates import TABLES, use_table
from ..comparison import assert_close

T, B, H = 4, 3, 2
PROGRAM = Program(
    gates=(),
    states=(("h", "H"),),
    vectors=(),
    matrices=(),
    output=("h",),
    instructions=(
        Instruction("raw"),
        Instruction("state", name="h"),
        Instruction("stream", name="e"),
        Instruction("multiply", (1, 2)),
        Instruction("add", (0, 3)),
    ),
    results=(4,),
    streams=(("e", "H"),),
)
"""h = x + stream.e ⊙ h."""


@pytest.fixture(params=TABLES, autouse=True)
def table(request, monkeypatch):
    use_table(monkeypatch, request.param)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def run(x, h, e, lengths=None, reverse=False):
    return sequence(PROGRAM, {}, x, [h], lengths, reverse, {"e": e})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[T, T, T], [2, 4, 0]])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_a_stream_goes_with_the_input_whatever_the_order_of_the_rows(convert, lengths, reverse):
    x, h, e = drawn(T, B, H), drawn(B, H, seed=1), drawn(T, B, H, seed=2)
    expected, last = np.zeros((T, B, H)), h.copy()
    for b, length in enumerate(lengths):
        for t in reversed(range(length)) if reverse else range(length):
            last[b] = expected[t, b] = x[t, b] + e[t, b] * last[b]
    y, final = run(convert(x), convert(h), convert(e), np.array(lengths), reverse)
    assert_close([y, *final], [expected, last])


def test_gradients_flow_through_a_stream():
    given = [torch.from_numpy(part).requires_grad_() for part in (drawn(T, B, H), drawn(B, H), drawn(T, B, H))]
    assert torch.autograd.gradcheck(lambda *parts: run(*parts, np.array([2, 4, 0]))[0], given)


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ({}, "this program expected streams: e; got none."),
        ({"e": drawn(T, B, H), "f": drawn(T, B, H)}, "this program expected streams: e; got e f."),
        ({"f": drawn(T, B, H)}, "this program expected streams: e; got f."),
        (
            {"e": drawn(T - 1, B, H)},
            "this program expected stream 'e' of shape [T=4, B=3, width], got [3, 3, 2].",
        ),
        ({"e": drawn(T, H)}, "this program expected stream 'e' of shape [T=4, B=3, width], got [4, 2]."),
    ],
)
def test_other_streams_than_the_programs_are_refused(streams, said):
    with pytest.raises(ShapeError) as error:
        sequence(PROGRAM, {}, drawn(T, B, H), [drawn(B, H)], streams=streams)
    assert error.value.message == said


def test_a_program_without_streams_takes_none():
    plain = Program((), (("h", "H"),), (), (), ("h",), PROGRAM.instructions[:2], (1,))
    with pytest.raises(ShapeError, match="expected streams: none; got e"):
        sequence(plain, {}, drawn(T, B, H), [drawn(B, H)], streams={"e": drawn(T, B, H)})
