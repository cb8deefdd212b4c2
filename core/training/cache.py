"""Content-keyed caches: what was computed once from the same bytes in the same way is not computed again.

A changed drawing, caption, treatment or base makes another key, so a stale entry can never be met; files appear whole
(temporary, flushed, renamed), so two jobs may fill the same cache at once.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core import paths
from core.files import replacing

T = TypeVar("T")

FORMAT = 2
"""Part of every key: raise it when the way something is computed changes."""


class Cache:
    """Tensors of one kind under the user's cache folder."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.folder = (folder or paths.cache()) / kind

    def path(self, **content: Any) -> Path:
        """Where the entry for this content lies; every value that shapes it must be among `content`."""
        text = json.dumps({"format": FORMAT, **content}, sort_keys=True, ensure_ascii=False, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.safetensors"

    def get(self, path: Path) -> dict[str, Tensor] | None:
        """The entry, or None when there is none or it is broken."""
        try:
            return load_file(path)
        except (OSError, SafetensorError):
            return None

    def put(self, path: Path, tensors: dict[str, Tensor]) -> None:
        """Keep an entry."""
        # Not flushed: what a power cut spoils of a cache is made again.
        with replacing(path, flush=False) as temporary:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)


def groups_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`."""
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def stacked(entries: list[dict[str, Tensor]], name: str, place: torch.device) -> Tensor:
    """One field of many entries as one tensor on the device."""
    return torch.stack([entry[name] for entry in entries]).to(place)
