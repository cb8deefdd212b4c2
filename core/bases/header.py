"""The head of a model's file, and what else it may be than a safetensors file."""

from pathlib import Path

from core import header
from core.bases.refusal import no_model, not_sdxl, pickled
from core.files import unreadable
from core.header import Header
from core.language import _

PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_START = 64
"""Bytes by which other kinds of files tell themselves."""


def read(path: Path) -> Header:
    """The header of the model's file at `path`. Raises BocetoError in words for anything else, however damaged."""
    if path.suffix.lower() in PICKLES:
        raise pickled(path)
    try:
        with path.open("rb") as file:
            _check_start(path, file.read(_START))
    except OSError as error:
        raise unreadable(path, error) from error
    return header.read(path)


def _check_start(path: Path, start: bytes) -> None:
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
