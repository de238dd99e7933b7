"""The options of training that every task has."""

from __future__ import annotations

from typing import Annotated, Literal

from ..errors import OptionError
from .options import Count, Duration, Natural, NotNegative, Options, Positive, Threads, says

DEFAULT_SECONDS = 300.0
OnNan = Literal["stop", "back"]
"""What is done about a loss or a gradient that is not a number: stop, or back to the last good point."""


class TrainingOptions(Options, frozen=True, kw_only=True):
    """How long and how fast a network learns. A task's options go before these."""

    time: Annotated[Duration | None, says("the time that all may take, such as 90s or 10m, by default 5m")] = None
    steps: Annotated[Count | None, says("the number of training steps, instead of a time")] = None
    epochs: Annotated[Positive | None, says("the number of passes over the data, instead of a time")] = None
    learning_rate: Annotated[
        Positive | None, says("the highest learning rate of AdamW, by default from the size of the network")
    ] = None
    warmup_steps: Annotated[
        Natural, says("the number of steps in which the learning rate rises, at most a tenth of all")
    ] = 20
    weight_decay: Annotated[NotNegative, says("AdamW's decay of matrices")] = 0.01
    clip_norm: Annotated[Positive, says("the norm to which gradients are clipped")] = 1.0
    evaluations: Annotated[Count, says("the number of evaluations; the best one's weights are kept")] = 10
    patience: Annotated[
        Count | None, says("the number of evaluations without gain that ends training early, by default none does")
    ] = None
    on_nan: Annotated[
        OnNan,
        says(
            "what is done about a loss that is not a number: stop, or go back to the last evaluation's point and on "
            "with half the learning rate"
        ),
    ] = "stop"
    checkpoint_every: Annotated[Duration, says("the most time between two checkpoints, such as 30s or 10m")] = 60.0
    seed: Annotated[Natural, says("the seed of all that is random")] = 0
    device: Annotated[str, says("where to train: cpu, cuda, cuda:1, …; auto takes a GPU if there is one")] = "auto"
    threads: Annotated[Threads | None, says("the number of CPU threads, by default all cores")] = None

    def check(self) -> None:
        """Raise OptionError where options contradict each other."""
        given = [name for name in ("time", "steps", "epochs") if getattr(self, name) is not None]
        if len(given) > 1:
            raise OptionError(f"{' and '.join(given)} exclude each other.", "give one of --time, --steps and --epochs.")


def timed(options: TrainingOptions) -> float | None:
    """Return the stated time in seconds, or the usual one where neither steps nor epochs were given either."""
    return DEFAULT_SECONDS if (options.time, options.steps, options.epochs) == (None, None, None) else options.time
