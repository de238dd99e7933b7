"""What a forecaster's file says beside its network's weights, and whether what it says fits together."""

from __future__ import annotations

import math
import os
from typing import Annotated, Any

import msgspec
import numpy as np

from .. import model_file
from ..data.forecast_encoder import ForecastEncoder, InputEncoder
from ..data.frequency import Frequency
from ..distributions import distribution_of
from ..errors import FileFormatError
from ..evaluate.linear import Ridge
from ..forecast_architecture import ForecastArchitecture
from .forecast_options import ForecastOptions
from .options import Count
from .parts import damaged


class Document(msgspec.Struct, frozen=True):
    """What a forecaster's file says beside its weights.

    share: of the recurrent forecast in the mean of both, a target each; linear_shared: whether one linear forecast
    serves all targets and series. season: the rows of a season.
    """

    versions: dict[str, str]
    cell: dict[str, Any]
    options: ForecastOptions
    encoder: ForecastEncoder
    architecture: dict[str, Any]
    share: list[Annotated[float, msgspec.Meta(ge=0, le=1)]]
    linear_shared: bool
    season: Count
    frequency: Frequency | None
    data: dict[str, Any]
    history: list[dict[str, int | float]]


def check_document(path: str | os.PathLike[str], document: Document, architecture: ForecastArchitecture) -> None:
    """Raise FileFormatError where options, encoder and architecture contradict each other."""
    options, encoder, sizes = document.options, document.encoder, architecture
    with damaged(path):
        options.check()
    channels = {len(each) for each in (encoder.roles.targets, encoder.means, encoder.deviations, document.share)}
    distribution = distribution_of(options.likelihood, options.quantiles)
    same = (
        (options.horizon, options.lookback, options.segment) == (sizes.horizon, sizes.lookback, sizes.segment),
        (options.likelihood, distribution.outputs, distribution.middle)
        == (sizes.likelihood, sizes.outputs, sizes.middle),
        (encoder.past_size, encoder.future_size) == (sizes.past_size, sizes.future_size),
        channels == {sizes.channels},
        all(
            [column.name for column in columns] == names
            for columns, names in (
                (encoder.past, encoder.roles.past),
                (encoder.known, encoder.roles.known),
                (encoder.static, encoder.roles.static),
            )
        ),
    )
    if not all(same):
        raise FileFormatError(f"{path} is damaged: its sizes do not fit each other.")
    steps = document.history[-1].get("step") if document.history else None
    if not isinstance(steps, int) or steps < 1:
        raise FileFormatError(f"{path} is damaged: its history does not say its steps.")
    if not all(map(_is_scale, _scales(encoder))):
        raise FileFormatError(f"{path} is damaged: its scaling is impossible.")


def linear_of(path: str | os.PathLike[str], tensors: model_file.Tensors, document: Document) -> Ridge | None:
    """Return the linear model of a file; None where it has none. Raises FileFormatError."""
    if not tensors:
        return None
    matrices, residuals = tensors.get("matrices"), tensors.get("residuals")
    groups, horizon = 1 if document.linear_shared else len(document.encoder.means), document.options.horizon
    shapes = {
        "matrices": (groups, _size(matrices, 1), horizon),
        "residuals": (_size(residuals, 0), horizon, groups),
    }
    if 0 in (*shapes["matrices"], *shapes["residuals"]):
        raise FileFormatError(f"{path} is damaged: its linear model does not fit.")
    # Missing errors of a validation window are not-a-number.
    known = tensors if residuals is None else {**tensors, "residuals": np.nan_to_num(residuals, posinf=np.inf)}
    model_file.check_shapes(path, known, shapes)  # type: ignore[arg-type]
    assert matrices is not None
    assert residuals is not None
    linear = Ridge(matrices.shape[1], matrices.shape[2], shared=document.linear_shared)
    linear.matrices_, linear.residuals_ = matrices.astype(np.float64), residuals.astype(np.float64)
    return linear


def _size(tensor: Any, axis: int) -> int:
    return int(tensor.shape[axis]) if getattr(tensor, "ndim", 0) == 3 else 0


def _scales(encoder: ForecastEncoder) -> list[tuple[float, float]]:
    columns: list[InputEncoder] = [*encoder.past, *encoder.known, *encoder.static]
    own = list(zip(encoder.means, encoder.deviations, strict=True))
    usual = [] if encoder.elapsed is None else [(0.0, encoder.elapsed)]
    return own + [(column.mean, column.deviation) for column in columns] + usual


def _is_scale(scale: tuple[float, float]) -> bool:
    mean, deviation = scale
    return math.isfinite(mean) and 0 < deviation < math.inf
