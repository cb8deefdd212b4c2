"""What a folder holds at a glance, without opening a file."""

import os
from pathlib import Path

from msgspec import Struct

from core.images.formats import EXTENSIONS, UNREADABLE


class Contents(Struct, frozen=True):
    """How many files of each kind lie directly in a folder."""

    drawings: int
    captions: int
    """Text files that bear the name of a drawing."""
    unreadable: int = 0
    """Drawings in formats that only other programs read."""
    trouble: str = ""
    """Why the folder cannot be read; everything else is then 0."""


def contents(folder: Path) -> Contents:
    """Count what lies in `folder`."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
    except (OSError, ValueError) as error:
        return Contents(0, 0, trouble=getattr(error, "strerror", None) or str(error))
    parts = [os.path.splitext(name) for name in names]  # noqa: PTH122 - thousands of names, as the tree opens
    drawings = {stem for stem, ending in parts if ending.lower() in EXTENSIONS}
    return Contents(
        drawings=sum(ending.lower() in EXTENSIONS for _stem, ending in parts),
        captions=sum(ending == ".txt" and stem in drawings for stem, ending in parts),
        unreadable=sum(ending.lower() in UNREADABLE for _stem, ending in parts),
    )
