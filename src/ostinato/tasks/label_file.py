"""What the files of classifiers and taggers say alike."""

from __future__ import annotations

import msgspec

Figures = dict[str, float]


class DataRecord(msgspec.Struct, frozen=True):
    """What a model remembers of its data: a digest of it, and how many examples it learned from and held out."""

    digest: str
    train: int
    valid: int
