"""torch modules: layers made from any cell. Needs the extra ``[train]``."""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    from ..errors import MissingExtraError

    raise MissingExtraError(
        "ostinato.nn needs torch, which is not installed.", "pip install 'ostinato[train]'"
    ) from error

from .recurrent import Recurrent, detach

__all__ = ["Recurrent", "detach"]
