"""The head of a model's file: what the file is, and which tensors it has, without reading a single one of them."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from core.bases.refusal import no_model, not_sdxl, pickled
from core.files import unreadable
from core.language import _

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_MOST = 32_000_000
"""Bytes of a header that are read. SDXL's has 0.4 million; more only where pictures lie in the metadata."""
_METADATA = "__metadata__"

_Size = Annotated[int, Meta(ge=0, lt=2**48)]


class _Entry(Struct):
    dtype: str
    shape: tuple[_Size, ...]
    data_offsets: tuple[_Size, _Size]


class Header(Struct, frozen=True):
    """What a safetensors file says of itself."""

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    """Of every tensor, by its name."""
    dtypes: dict[str, str]
    """As the format writes them: F16, BF16, F32, F8_E4M3 …"""


def read(path: Path) -> Header:
    """The header of the model's file at `path`. Raises BocetoError in words for anything else, however damaged."""
    if path.suffix.lower() in PICKLES:
        raise pickled(path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            _check_start(path, start + file.read(56))
            length = int.from_bytes(start, "little")
            if size < 8 or length > min(_MOST, size - 8):
                raise no_model(path, _("It is no safetensors file, or only the beginning of one."))
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from error
    # Deep nesting is refused by msgspec too, as a RecursionError.
    try:
        parts = msgspec.json.decode(text, type=dict[str, Raw])
        metadata = _metadata(parts.pop(_METADATA, None))
        entries = {name: msgspec.json.decode(part, type=_Entry) for name, part in parts.items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise no_model(path, _("It is no safetensors file, or only the beginning of one.")) from error
    due = 8 + length + max((entry.data_offsets[1] for entry in entries.values()), default=0)
    if size != due:
        raise no_model(path, _("It has {size:,} bytes where {due:,} belong.").format(size=size, due=due))
    return Header(
        metadata,
        {name: entry.shape for name, entry in entries.items()},
        {name: entry.dtype for name, entry in entries.items()},
    )


def _metadata(written: Raw | None) -> dict[str, str]:
    """Text by text; what is not text is left out."""
    if written is None:
        return {}
    values = msgspec.json.decode(written)
    return {key: value for key, value in values.items() if isinstance(value, str)} if isinstance(values, dict) else {}


def _check_start(path: Path, start: bytes) -> None:
    """Other kinds of files tell themselves by their first bytes."""
    if start.startswith(b"GGUF"):
        raise not_sdxl(
            path,
            _("It is a GGUF file: weights rounded to a few bits, which are good for drawing and not for training."),
            _("Take the same model as .safetensors in fp16, bf16 or fp32."),
        )
    # A zip archive is how PyTorch packs a pickle, whatever it is called; a safetensors header begins with a brace.
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")) and start[8:9] != b"{":
        raise pickled(path)
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b'{"error', b'{"message')):
        raise no_model(path, _("It is a web page: a site sent that in place of the model, perhaps to sign in."))
    if text.startswith(b"version https://git-lfs"):
        raise no_model(path, _("It is only git's note of where the model lies (Git LFS), not the model."))
