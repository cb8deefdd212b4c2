"""The weights of one part of a base: which files they lie in, whether they are whole, and their fingerprint."""

import json
from collections.abc import Iterable
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from core import header, paths
from core.errors import BocetoError
from core.files import unreadable, write_bytes
from core.language import _

_STEMS = ("diffusion_pytorch_model", "model")
"""What diffusers and transformers call weights."""
_VARIANTS = (None, "fp16", "bf16")
"""The most precise first: None is the file without a suffix, usually fp32."""


class Weights(Struct, frozen=True):
    """Where one part's weights are."""

    files: tuple[Path, ...]
    variant: str | None
    """What `from_pretrained(variant=…)` has to be told."""


class _Remembered(Struct):
    size: int
    changed: int
    digest: str


def weights(folder: Path) -> Weights:
    """The weights in `folder`, one file or several; an error in words when they are missing or not whole."""
    for variant in _VARIANTS:
        for stem in _STEMS:
            files = _files(folder, stem, variant)
            if files:
                for file in files:
                    header.read(file)
                return Weights(files, variant)
    old = any(folder.glob("*.bin"))
    raise BocetoError(
        _("The weights of “{folder}” are missing.").format(folder=folder),
        _("There is only a .bin file, an old format that can carry harmful code.")
        if old
        else _("No .safetensors file lies in this folder."),
        _("Convert it to .safetensors with diffusers (save_pretrained).")
        if old
        else _("Copy or download the model again, whole."),
    )


def digest(files: Iterable[Path]) -> str:
    """sha256 over the contents of `files`, in their order; a file that did not change is not read again."""
    return sha256("".join(_file_digest(file) for file in files).encode()).hexdigest()


def _files(folder: Path, stem: str, variant: str | None) -> tuple[Path, ...]:
    suffix = f".{variant}" if variant else ""
    whole = folder / f"{stem}{suffix}.safetensors"
    # A link into nowhere is what an interrupted download leaves; reading it says so.
    if whole.exists() or whole.is_symlink():
        return (whole,)
    index = folder / f"{stem}.safetensors.index{suffix}.json"
    if not index.exists():
        return ()
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        return tuple(folder / name for name in sorted(names))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(index, error, _("Copy or download the model again, whole.")) from error


def _file_digest(file: Path) -> str:
    """sha256 of one file; a checkpoint of 5 GB is read once and then known by its path, size and time."""
    real = file.resolve()
    state = real.stat()
    note = paths.cache() / "fingerprints" / f"{sha256(str(real).encode()).hexdigest()[:32]}.json"
    try:
        known = msgspec.json.decode(note.read_bytes(), type=_Remembered)
    except (OSError, msgspec.DecodeError):
        known = None  # never seen, or the note is damaged: both mean to read the file
    if known and (known.size, known.changed) == (state.st_size, state.st_mtime_ns):
        return known.digest
    with real.open("rb") as content:
        found = file_digest(content, "sha256").hexdigest()
    write_bytes(note, msgspec.json.encode(_Remembered(state.st_size, state.st_mtime_ns, found)))
    return found
