"""Sizes of a forecaster's parts, and what does not fit together."""

import pytest

from ostinato.cells import CELLS
from ostinato.errors import ShapeError
from ostinato.forecast_architecture import ForecastArchitecture


def made(**options):
    sizes = {
        "hidden_size": 5,
        "num_layers": 2,
        "channels": 3,
        "lookback": 12,
        "horizon": 10,
        "segment": 4,
        "outputs": 2,
    }
    return ForecastArchitecture(cell=CELLS["gru"], **(sizes | options))


@pytest.mark.parametrize(
    ("options", "joint", "reads", "gives"),
    [
        ({}, 1, 4, 8),
        ({"masked": True}, 1, 8, 8),
        ({"mixed": True}, 3, 12, 24),
        ({"mixed": True, "masked": True, "past_size": 7, "future_size": 2}, 3, 4 * (6 + 7), 24),
        ({"past_size": 7, "future_size": 2}, 1, 4 * 8, 8),
    ],
)
def test_sizes(options, joint, reads, gives):
    sizes = made(**options)
    assert (sizes.joint, sizes.input_size, sizes.output_size) == (joint, reads, gives)
    assert (sizes.past_segments, sizes.future_segments) == (3, 3)
    assert sizes.weight_shapes()["input.weight"] == (5, reads)
    assert sizes.weight_shapes()["output.weight"] == (gives, 5)


@pytest.mark.parametrize(("likelihood", "outputs"), [("normal", 2), ("student-t", 3), ("negative-binomial", 2)])
def test_a_distribution_has_the_outputs_of_its_parameters(likelihood, outputs):
    assert made(likelihood=likelihood, outputs=outputs).output_size == 4 * outputs
    for wrong in ({"outputs": outputs + 1}, {"outputs": outputs, "middle": 1}):
        with pytest.raises(ShapeError) as caught:
            made(likelihood=likelihood, **wrong)
        assert f"the likelihood {likelihood} does not have" in caught.value.message


def test_what_a_decoder_does_not_use_has_no_weights():
    assert {"place", "channel"} <= made().weight_shapes().keys()
    assert "channel" not in made(mixed=True).weight_shapes()
    assert "channel" not in made(channels=1).weight_shapes()
    assert "future.weight" not in made(past_size=1).weight_shapes()
    stepwise = made(stepwise=True, past_size=1, future_size=1).weight_shapes()
    assert not {"place", "channel", "future.weight"} & stepwise.keys()


def test_the_last_segment_may_reach_beyond_the_horizon():
    assert [made(horizon=horizon).future_segments for horizon in (1, 4, 5, 8)] == [1, 1, 2, 2]


def test_further_widths_of_a_cell_are_the_units():
    sizes = ForecastArchitecture(CELLS["projected_lstm"], 5, 1, 1, 4, 2, 2, 1)
    assert sizes.stack.further_widths == {"P": 5}
    assert sizes.stack.output_size == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lookback": 10}, "a lookback of 10 steps is not made of segments of 4."),
        ({"middle": 2}, "place 2 is not one of 2 numbers."),
        ({"stepwise": True, "past_size": 2, "future_size": 1}, "stepwise decoding reads ahead what it read before"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(ShapeError) as caught:
        made(**options)
    assert caught.value.message.startswith(said)
