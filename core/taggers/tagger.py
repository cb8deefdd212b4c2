"""What every tagger has in common: drawings go in, what they show comes out."""

import hashlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from threading import Event
from typing import Protocol, TypeAlias

from msgspec import Struct
from PIL import Image

from core.errors import Problem, Severity
from core.images import drawing
from core.images.drawing import Unreadable
from core.images.scan import shown

EVERY = 0.5
"""Seconds between two batches of results: as often as a progress bar should move and a file be flushed."""


class Category(IntEnum):
    """What a tag is about; the numbers are those of Danbooru and of `selected_tags.csv`."""

    GENERAL = 0
    CHARACTER = 4
    """A name: of a character, and in some models of an artist or a series."""
    RATING = 9


class Scored(Struct, frozen=True, array_like=True, gc=False):
    """One tag, and how sure the tagger is of it."""

    # gc=False: there are a hundred a drawing, and nothing in one can lead back to it.

    tag: str
    score: float
    """0 to 1."""
    category: Category = Category.GENERAL


class Subject(Struct, frozen=True):
    """A drawing that is to be captioned."""

    name: str
    """Its path below the dataset's folder, as in `core.images.drawing.Drawing`."""
    path: Path
    digest: str = ""
    """SHA-256 of the file as it was scanned."""
    background: str = "#ffffff"
    """The paper under its transparent parts, as the artist chose it."""


class Tagged(Struct, frozen=True, omit_defaults=True):
    """What a tagger saw in one drawing: tags with their scores, or a sentence."""

    drawing: str
    """The subject's name."""
    digest: str
    """SHA-256 of the bytes that were looked at."""
    background: str = "#ffffff"
    tags: tuple[Scored, ...] = ()
    """In the order in which they are to stand in a caption."""
    sentence: str = ""


Seen: TypeAlias = list[Tagged | Problem]


class Tagger(Protocol):
    """A model that says what drawings show."""

    @property
    def device(self) -> str:
        """The processor it runs on, as people call it."""

    def tag(self, drawings: Sequence[Subject], cancelled: Event) -> Iterator[Seen]:
        """Look at `drawings` in their order, in batches that arrive about every half second.

        A drawing that cannot be opened comes as a Problem in its place, and the rest goes on. A cancelled look ends
        after the drawings that are in the model.
        """


def open_subject(subject: Subject) -> tuple[Image.Image, str]:
    """The drawing as the trainer will see it, and the SHA-256 of the bytes it came from. Raises Unreadable."""
    content = drawing.read(subject.path)
    image = drawing.flattened(drawing.plain(drawing.decode(content)), subject.background)
    return image, hashlib.sha256(content).hexdigest()


def unreadable(subject: Subject, error: Unreadable) -> Problem:
    """The problem that a drawing which cannot be opened becomes."""
    return Problem(Severity.ERROR, shown(subject.name), error.code, error.title, error.hint)
