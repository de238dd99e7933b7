"""What a tagger is made of, apart from its weights: a network, a linear part, and what knows the order of tags."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .cells import Cell
from .errors import ProgramError
from .label_architecture import LabelArchitecture


class TagArchitecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scores (logits) of O tags for each word t of a sentence:

        emissions_t = network_t(sentence) + Σ_k features[f_tk]

    network: reads words and their characters, the whole sentence. buckets: F, of the features f_tk of a word and its
    neighbours (`data.word_features`), each with a weight for each tag; 0 where there are none. crf: whether paths of
    tags are scored as a whole (`nn.crf`), or each word's tag by itself.

    Raises ShapeError where sizes do not fit the cell.
    """

    network: LabelArchitecture
    buckets: Annotated[int, Meta(ge=0, le=2**20)] = 0
    crf: bool = True

    @property
    def cell(self) -> Cell:
        """The network's recurrence."""
        return self.network.cell

    @property
    def outputs(self) -> int:
        """O, the number of tags."""
        return self.network.outputs

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        tags = self.outputs
        shapes = {f"network.{name}": shape for name, shape in self.network.weight_shapes().items()}
        if self.buckets:
            shapes["features.weight"] = (self.buckets, tags)
        if self.crf:
            shapes |= {"crf.transitions": (tags, tags), "crf.first": (tags,), "crf.last": (tags,)}
            shapes["crf.legal"] = (tags + 1, tags + 1)
        return shapes

    def to_data(self) -> dict[str, Any]:
        """Return the architecture as plain data, for a model file."""
        return {"network": self.network.to_data(), "buckets": self.buckets, "crf": self.crf}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> TagArchitecture:
        """Build an architecture from what `to_data` returned. Raises ProgramError for anything else."""
        try:
            return msgspec.convert({**data, "network": LabelArchitecture.from_data(data["network"])}, cls)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise ProgramError(f"this is no tagger's data: {error}") from None
