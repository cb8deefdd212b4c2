"""Which captions a person has read and found right; a caption that changes afterwards is to be read again."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from core.files import replacing, unreadable
from core.language import _

Reviewed = Mapping[str, str]
"""The mark of each caption's text when it was found right, by the drawing's name."""


def load(path: Path) -> dict[str, str]:
    """What was reviewed so far. Raises BocetoError for a file that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise unreadable(
            path, error, _("Move the file away; the captions themselves are not touched by it.")
        ) from error


def save(path: Path, reviewed: Reviewed) -> None:
    """Keep it, whole or not at all. It is written at every key: that a power cut may take the last is no harm."""
    with replacing(path, flush=False) as temporary:
        temporary.write_bytes(msgspec.json.encode(reviewed))


def mark(text: str) -> str:
    """A short stand-in for a text, which another text does not have."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_reviewed(reviewed: Reviewed, drawing: str, text: str) -> bool:
    """Whether this very text was found right for this drawing."""
    return reviewed.get(drawing) == mark(text)
