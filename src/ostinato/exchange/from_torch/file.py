"""Files of torch's state dicts as NumPy arrays: `.safetensors` without torch, `.pt` through its weights_only."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import safetensors
from numpy.typing import NDArray

from ...errors import DataError, FileFormatError
from ...extras import require
from ..from_keras.file import content_of

Array = NDArray[Any]
CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model")
"""Where checkpoints of larger things keep the state dict."""
MAX_SHARED = 4
"""How many times its file's size tensors may come to, since some share what they hold (tied weights)."""
WHOLE_NUMBERS = ("I64", "I32", "I16", "I8", "U8", "BOOL")
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""safetensors' types, and everybody else's names for them."""


class Tensors(NamedTuple):
    """A state dict. ordered: whether its order is that in which the layers were defined. notes: what to tell."""

    arrays: dict[str, Array]
    ordered: bool
    notes: list[str]


def read_tensors(path: str | os.PathLike[str]) -> Tensors:
    """Return a file's tensors as float32; of whole numbers, such as counters, only the shape is kept.

    Raises FileFormatError for a file that is damaged or of another format, DataError for one that holds something else
    than a state dict, MissingExtraError for a `.pt` without torch.
    """
    content = content_of(path)
    if _is_safetensors(content):
        return _safetensors(path, content)
    require("torch", "train")
    return _pickled(path, content)


def _is_safetensors(content: bytes) -> bool:
    return len(content) > 8 and content[8:9] == b"{"


# ---- safetensors


def _safetensors(path: str | os.PathLike[str], content: bytes) -> Tensors:
    try:
        entries = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"{path} is damaged: {error}.", "save it again.") from None
    if _is_ours(content):
        raise DataError(f"{path} is a model file of Ostinato already.", f"see: ostinato info {path}")
    arrays: dict[str, Array] = {}
    converted: set[str] = set()
    for name, entry in sorted(entries):
        kind = entry["dtype"]
        if kind not in FLOATS and kind not in WHOLE_NUMBERS:
            raise DataError(f"{path}: the tensor {name:.80} is of type {kind}, which cannot be imported.")
        if kind in FLOATS and kind != "F32":
            converted.add(FLOATS[kind])
        arrays[name] = _array(kind, entry["data"], entry["shape"])
    return Tensors(arrays, False, _converted(converted))


def _array(kind: str, data: bytes, shape: list[int]) -> Array:
    if kind in WHOLE_NUMBERS:
        return _counter(shape)
    if kind == "BF16":
        # The upper half of a float32.
        halves: Array = np.frombuffer(data, "<u2").astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32).reshape(shape)
    with np.errstate(over="ignore"):
        return np.frombuffer(data, FLOATS[kind]).reshape(shape).astype(np.float32)


def _is_ours(content: bytes) -> bool:
    """Whether a valid file's metadata has a document of Ostinato's."""
    size = int.from_bytes(content[:8], "little")
    metadata = msgspec.json.decode(content[8 : 8 + size]).get("__metadata__")
    return isinstance(metadata, dict) and "ostinato" in metadata


def _counter(shape: Sequence[int]) -> Array:
    """Return what stands for whole numbers: they compute nothing here, and only their shape is ever told."""
    return np.broadcast_to(np.int64(0), tuple(shape))


def _converted(kinds: set[str]) -> list[str]:
    return [f"weights were converted to float32 from {', '.join(sorted(kinds))}."] if kinds else []


# ---- torch's own


def _pickled(path: str | os.PathLike[str], content: bytes) -> Tensors:
    _check_archive(path, content)
    state, notes = _state_dict(path, _loaded(path, content))
    arrays: dict[str, Array] = {}
    converted: set[str] = set()
    budget = MAX_SHARED * len(content)
    for name, tensor in state.items():
        budget -= _size(path, name, tensor)
        if budget < 0:
            raise FileFormatError(f"{path} is damaged: its tensors come to more than the file can account for.")
        arrays[name] = _from_torch(tensor, converted)
    return Tensors(arrays, True, notes + _converted(converted))


def _check_archive(path: str | os.PathLike[str], content: bytes) -> None:
    """Check that an archive's parts are no larger than the file; older files are no archives."""
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise FileFormatError(f"{path} is damaged: its archive cannot be read ({error}).", "save it again.") from None
    if size > len(content):
        raise FileFormatError(f"{path} is damaged: its parts would come to {size:,} bytes.", "save it again.")
    if any(name.endswith("constants.pkl") for name in names):
        raise DataError(
            f"{path} holds a TorchScript program, not weights alone.",
            "save the state dict: torch.save(module.state_dict(), 'weights.pt')",
        )


def _loaded(path: str | os.PathLike[str], content: bytes) -> Any:
    import pickle

    import torch

    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        known = "Unsupported global" in str(error) or "Unsupported class" in str(error)
        what = "holds more than weights: it would run code to be read" if known else "cannot be read as torch's"
        raise FileFormatError(
            f"{path} {what}.", "save the state dict: torch.save(module.state_dict(), 'weights.pt')"
        ) from None
    # torch has no class of its own for what can be wrong with a file.
    except Exception as error:
        said = str(error).partition("\n")[0][:200]
        raise FileFormatError(f"{path} is damaged, or no file of torch's: {said}.", "save it again.") from None


def _state_dict(path: str | os.PathLike[str], loaded: Any) -> tuple[Mapping[str, Any], list[str]]:
    """Return the state dict that was loaded, or that of a checkpoint, with a note of what else there is."""
    import torch

    notes: list[str] = []
    if isinstance(loaded, Mapping):
        key = next((key for key in CHECKPOINT_KEYS if isinstance(loaded.get(key), Mapping)), None)
        if key is not None:
            others = [str(other)[:60] for other in loaded if other != key]
            left = f"; left out: {', '.join(others)}" if others else ""
            notes.append(f"the file is a checkpoint; its {key!r} was read{left}.")
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(name, str) for name in loaded):
        raise DataError(f"{path} holds no state dict, which has a tensor for each name.")
    for name, value in loaded.items():
        if not isinstance(value, torch.Tensor):
            raise DataError(f"{path}: {name!r:.80} is no tensor, but {type(value).__name__}.")
    return loaded, notes


def _size(path: str | os.PathLike[str], name: str, tensor: Any) -> int:
    """Return the bytes that a tensor comes to. Raises DataError for one that is no plain array."""
    import torch

    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise DataError(f"{path}: the tensor {name:.80} is sparse, quantised or without values; it cannot be imported.")
    if tensor.is_complex():
        raise DataError(f"{path}: the tensor {name:.80} holds complex numbers; it cannot be imported.")
    return int(tensor.numel() * tensor.element_size())


def _from_torch(tensor: Any, converted: set[str]) -> Array:
    import torch

    if not tensor.is_floating_point():
        return _counter(tensor.shape)
    if tensor.dtype != torch.float32:
        converted.add(str(tensor.dtype).removeprefix("torch."))
    array: Array = tensor.detach().to(torch.float32).contiguous().numpy()
    return array
