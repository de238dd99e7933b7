"""A checkpoint gives back the very run that was saved, and refuses everything else."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from ostinato import cells, model_file
from ostinato.architecture import SymbolArchitecture
from ostinato.data.streams import Streams
from ostinato.errors import FileFormatError
from ostinato.nn.symbols import SymbolNetwork
from ostinato.training import checkpoint
from ostinato.training.loop import Settings, one_step, start
from ostinato.training.point import Point, put

ARCHITECTURE = SymbolArchitecture(cells.lstm, vocabulary_size=5, embedding_size=3, hidden_size=4, num_layers=2)
SETTINGS = Settings(steps=20, evaluations=4, learning_rate=0.01, warmup_steps=0, weight_decay=0.1, clip_norm=1.0)
STREAMS = Streams(np.random.default_rng(0).integers(0, 5, 200).astype(np.int32), 2, 7, seed=1)


def new_run(architecture=ARCHITECTURE):
    torch.manual_seed(0)
    return start(SymbolNetwork(architecture, dropout=0.4).train(), SETTINGS)


def advance(run, steps):
    for _ in range(steps):
        one_step(run, SETTINGS, STREAMS.batch(run.step))


@pytest.fixture
def run():
    """A run of a few steps, with one evaluation behind it."""
    run = new_run()
    advance(run, 5)
    run.best_loss, run.history = 1.25, [{"step": 5, "train": 0.1 + 0.2, "valid": 1.25}]
    run.best_weights = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.loss_sum, run.losses, run.backs = math.pi, 3, 2
    run.good = Point.of(run)
    advance(run, 2)
    return run


def restored(path, run=None):
    run = run or new_run()
    kept, tensors = checkpoint.read(path, "language")
    checkpoint.check(path, kept, tensors, ARCHITECTURE.weight_shapes())
    checkpoint.restore(path, run, kept, tensors)
    return run


def everything(run):
    """All that a run holds, as bytes and plain values."""
    optimiser = [
        {name: (value.dtype, value.shape, value.numpy().tobytes()) for name, value in run.optimiser.state[p].items()}
        for group in run.optimiser.param_groups
        for p in group["params"]
    ]
    return {
        "network": {name: value.numpy().tobytes() for name, value in run.network.state_dict().items()},
        "best": {name: value.numpy().tobytes() for name, value in run.best_weights.items()},
        "optimiser": optimiser,
        "state": [[part.numpy().tobytes() for part in layer] for layer in run.state or ()],
        "plain": (run.step, run.loss_sum, run.losses, run.best_loss, run.history, run.backs),
        "good": run.good and (run.good.step, {name: v.numpy().tobytes() for name, v in run.good.tensors.items()}),
    }


def test_a_run_is_given_back_bit_for_bit(run, tmp_path):
    checkpoint.save(tmp_path / "kept", "language", {"steps": 20}, run)
    assert everything(restored(tmp_path / "kept")) == everything(run)


def test_a_run_goes_on_as_if_it_had_never_stopped(run, tmp_path):
    checkpoint.save(tmp_path / "kept", "language", {}, run)
    advance(run, 6)
    torch.manual_seed(99)
    other = restored(tmp_path / "kept")
    advance(other, 6)
    assert everything(other) == everything(run)


@pytest.mark.parametrize("part", ["network", "optimiser", "state", "random"])
def test_leaving_a_part_out_would_show(run, tmp_path, part):
    """The test above can fail: each part of a checkpoint is needed for equal bits."""
    checkpoint.save(tmp_path / "kept", "language", {}, run)
    advance(run, 6)
    other = restored(tmp_path / "kept")
    if part == "network":
        with torch.no_grad():
            other.network.head.bias += 1e-6
    elif part == "optimiser":
        other.optimiser.state.clear()
    elif part == "state":
        other.state = None
    else:
        torch.manual_seed(99)
    advance(other, 6)
    assert everything(other) != everything(run)


def test_a_run_before_its_first_step_can_be_kept(tmp_path):
    checkpoint.save(tmp_path / "kept", "language", {}, new_run())
    run = restored(tmp_path / "kept")
    assert (run.step, run.state, run.best_loss, run.best_weights, run.history) == (0, None, math.inf, {}, [])
    assert not run.optimiser.state


def test_a_run_that_went_back_after_it_was_kept_goes_on_as_if_it_had_never_stopped(run, tmp_path):
    checkpoint.save(tmp_path / "kept", "language", {}, run)
    torch.manual_seed(99)
    other = restored(tmp_path / "kept")
    for each in (run, other):
        put(each, each.good.state_sizes, each.good.tensors)
        advance(each, 3)
    assert everything(other) == everything(run)


def test_a_good_point_that_is_where_the_run_is_takes_no_room(run, tmp_path):
    run.good = Point.of(run)
    checkpoint.save(tmp_path / "kept", "language", {}, run)
    assert not [name for name in model_file.read(tmp_path / "kept")[1] if name.startswith("good.")]
    assert restored(tmp_path / "kept").good is None


def test_what_the_task_needs_is_kept_with_it(run, tmp_path):
    plan = {"steps": 20, "data": "digest", "options": {"time": 60.0}}
    checkpoint.save(tmp_path / "kept", "language", plan, run)
    assert checkpoint.read(tmp_path / "kept", "language")[0].plan == plan


def refusal(call, *arguments):
    with pytest.raises(FileFormatError) as caught:
        call(*arguments)
    return caught.value.message


def test_other_files_are_refused(run, small_file, tmp_path):
    path = tmp_path / "kept"
    assert "there is no file" in refusal(checkpoint.read, path, "language")
    assert "is a model file, not a checkpoint" in refusal(checkpoint.read, small_file, "language")
    checkpoint.save(path, "forecast", {}, run)
    assert "is a checkpoint of the task 'forecast', not of 'language'" in refusal(checkpoint.read, path, "language")


def altered(path, change):
    document, tensors = model_file.read(path)
    change(document["run"], tensors)
    model_file.write(path, "checkpoint", document, tensors)


def remove(prefix):
    def change(record, tensors):
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]

    return change


def replace_tensor(name, value):
    return lambda record, tensors: tensors.update({name: value})


ALTERATIONS = {
    "no network": remove("network."),
    "a weight missing": remove("network.head.bias"),
    "a weight of another shape": replace_tensor("network.head.bias", np.zeros(9, np.float32)),
    "a weight that is not finite": replace_tensor("network.head.bias", np.full(5, np.nan, np.float32)),
    "a weight too many": replace_tensor("network.more", np.zeros(1, np.float32)),
    "no best weights": remove("best."),
    "a best weight of another shape": replace_tensor("best.head.bias", np.zeros(9, np.float32)),
    "no random state": remove("random.cpu"),
    "a random state of another type": replace_tensor("random.cpu", np.zeros(5056, np.float32)),
    "a random state of another length": replace_tensor("random.cpu", np.zeros(7, np.uint8)),
    "a moment missing": remove("optimiser.0.exp_avg_sq"),
    "a count of steps missing": remove("optimiser.0.step"),
    "a moment of another shape": replace_tensor("optimiser.1.exp_avg", np.zeros(9, np.float32)),
    "a state missing": remove("state.1.1"),
    "more states than there are": lambda record, tensors: record.update(state_sizes=[2, 10**9]),
    "good weights missing": remove("good.network."),
    "a good weight that is not finite": replace_tensor("good.network.head.bias", np.full(5, np.nan, np.float32)),
    "a good moment of another shape": replace_tensor("good.optimiser.1.exp_avg", np.zeros(9, np.float32)),
    "a good moment missing": remove("good.optimiser.0.exp_avg_sq"),
    "a good state missing": remove("good.state.1.1"),
    "no good random state": remove("good.random."),
    "no count of losses": lambda record, tensors: record.pop("losses"),
    "more returns than there may be": lambda record, tensors: record.update(backs=6),
    "a negative step": lambda record, tensors: record.update(step=-1),
    "a step that is text": lambda record, tensors: record.update(step="5"),
    "no history": lambda record, tensors: record.pop("history"),
}


@pytest.mark.parametrize("change", ALTERATIONS.values(), ids=ALTERATIONS)
def test_a_checkpoint_that_does_not_fit_is_refused(run, tmp_path, change):
    path = tmp_path / "kept"
    checkpoint.save(path, "language", {}, run)
    altered(path, change)
    assert str(path) in refusal(restored, path)


def test_a_checkpoint_of_another_network_is_refused(run, tmp_path):
    checkpoint.save(tmp_path / "kept", "language", {}, run)
    other = new_run(dataclasses.replace(ARCHITECTURE, num_layers=1))
    kept, tensors = checkpoint.read(tmp_path / "kept", "language")
    assert "does not hold what this run needs" in refusal(checkpoint.restore, tmp_path / "kept", other, kept, tensors)
