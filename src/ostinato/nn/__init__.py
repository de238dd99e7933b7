"""torch modules: layers made from any cell. Needs the extra ``[train]``."""

from ..extras import require

require("torch", "train")

from .recurrent import Recurrent, detach  # noqa: E402 - what is required comes first

__all__ = ["Recurrent", "detach"]
