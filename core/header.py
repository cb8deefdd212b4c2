"""The head of a safetensors file: which tensors it has and what it says of itself, without reading any of them."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from core.errors import BocetoError
from core.files import unreadable
from core.language import _

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
    """The header of the file at `path`. Raises BocetoError in words for anything else, however damaged."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(_MOST, size - 8):
                raise _no_safetensors(path)
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error) from error
    # Deep nesting is refused by msgspec too, as a RecursionError.
    try:
        parts = msgspec.json.decode(text, type=dict[str, Raw])
        metadata = _metadata(parts.pop(_METADATA, None))
        entries = {name: msgspec.json.decode(part, type=_Entry) for name, part in parts.items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _no_safetensors(path) from error
    due = 8 + length + max((entry.data_offsets[1] for entry in entries.values()), default=0)
    if size != due:
        raise BocetoError(
            _("“{path}” is not whole.").format(path=path),
            _("It has {size:,} bytes where {due:,} belong.").format(size=size, due=due),
            _("Copy or download it again."),
        )
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


def _no_safetensors(path: Path) -> BocetoError:
    return BocetoError(
        _("“{path}” is no safetensors file, or only the beginning of one.").format(path=path),
        hint=_("Copy or download it again, or choose another file."),
    )
