"""The LoRA's file, with sd-scripts' names and hashes, so that every other tool takes it as it is."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BocetoError
from core.files import write_bytes
from core.language import _
from core.lora.header import read_metadata

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_LEGACY = slice(0x100000, 0x110000)
"""The bytes that the oldest tools take a model's hash of: 64 KiB, 1 MiB into the file."""


def save(path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str], dtype: "torch.dtype") -> None:
    """Write `tensors` as `dtype` with `metadata` and its two hashes to `path`; equal input gives equal bytes."""
    import safetensors.torch
    import torch

    cast = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in sorted(tensors.items())}
    broken = [name for name, tensor in cast.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise BocetoError(
            _("The LoRA has come apart: {count} of its {total} tensors hold numbers that are not finite.").format(
                count=len(broken), total=len(cast)
            ),
            _("The first is “{name}”, as {dtype}.").format(name=broken[0], dtype=str(dtype).removeprefix("torch.")),
            _("Lower the learning rate, or save with more precision, and go on from an earlier checkpoint."),
        )
    head, data = _parts(safetensors.torch.save(cast))
    # The legacy hash is that of a file which carries the ss_ metadata alone: other tools may add theirs later.
    ours = {key: value for key, value in metadata.items() if key.startswith("ss_")}
    hashes = {
        "sshs_model_hash": sha256(data).hexdigest(),
        "sshs_legacy_hash": sha256((_header(head, ours) + data)[_LEGACY]).hexdigest()[:8],
    }
    write_bytes(path, _header(head, {**metadata, **hashes}) + data)


def read(path: Path) -> "dict[str, Tensor]":
    """The tensors of the LoRA at `path`, on the CPU, in the precision they were saved in."""
    import safetensors.torch

    read_metadata(path)
    tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    return tensors


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), content[start:]


def _header(entries: Mapping[str, Any], metadata: Mapping[str, str]) -> bytes:
    """A safetensors header; the library itself writes the metadata in another order each time."""
    whole = {"__metadata__": dict(sorted(metadata.items())), **entries}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
