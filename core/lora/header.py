"""The head of a safetensors file: what is in it, without reading a single tensor."""

import json
from pathlib import Path
from typing import Any

from msgspec import Struct

from core.errors import BocetoError
from core.files import unreadable
from core.language import _

_MOST = 100_000_000
"""Bytes that a header may have; the format's own limit."""


class Header(Struct, frozen=True):
    """Names and shapes of the tensors, and the metadata beside them."""

    metadata: dict[str, str]
    tensors: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """The header of the safetensors file at `path`; an error in words when it is none or a part is missing."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(_MOST, size - 8):
                raise _no_safetensors(path)
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        entries: dict[str, Any] = json.loads(text)
        metadata = {str(key): str(value) for key, value in (entries.pop("__metadata__", None) or {}).items()}
        tensors = {name: tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _no_safetensors(path) from error
    if size != 8 + length + end:
        raise BocetoError(
            _("“{path}” is not whole.").format(path=path),
            _("It has {size:,} bytes where {due:,} belong.").format(size=size, due=8 + length + end),
            _("Copy or download it again."),
        )
    return Header(metadata, tensors)


def read_metadata(path: Path) -> dict[str, str]:
    """What the LoRA at `path` says of itself; reads its header only."""
    return read_lora(path).metadata


def read_lora(path: Path) -> Header:
    """The header of the LoRA at `path`; an error in words for any other model."""
    header = read_header(path)
    modules = {name.removesuffix(".lora_down.weight") for name in header.tensors if name.endswith(".lora_down.weight")}
    if not modules or any(f"{module}.lora_up.weight" not in header.tensors for module in modules):
        raise BocetoError(
            _("“{path}” holds no LoRA that we know.").format(path=path),
            _("In the files of sd-scripts every layer has a “lora_down” and a “lora_up”; this one has no such pairs."),
            _("Choose another file, or convert this one to sd-scripts' names."),
        )
    return header


def _no_safetensors(path: Path) -> BocetoError:
    return BocetoError(
        _("“{path}” is no safetensors file, or only the beginning of one.").format(path=path),
        hint=_("Copy or download it again, or choose another file."),
    )
