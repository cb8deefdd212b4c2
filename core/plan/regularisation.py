"""Regularisation drawings: others of the same kind, shown beside the drawings without the activation word."""

from itertools import chain
from pathlib import Path
from threading import Event

from msgspec import Struct

from core.captions import store
from core.captions.caption import without_word
from core.errors import BocetoError, Problem
from core.images.drawing import Drawing
from core.images.scan import scan
from core.language import _


class Regularisation(Struct, frozen=True):
    """What the folder of a plan holds."""

    folder: Path
    drawings: tuple[Drawing, ...]
    captions: tuple[str, ...]
    """One a drawing, without the activation word; empty where there is no caption file."""
    unreadable: tuple[Problem, ...]


def look(folder: Path, word: str, digests: set[str]) -> Regularisation:
    """The drawings in `folder` itself, as in sd-scripts without those below; `digests` are of the drawings to learn.

    Raises BocetoError for a folder that is not there, that holds no drawing, or that holds one of those to learn.
    """
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise BocetoError(
            _("The folder of regularisation drawings “{folder}” does not exist.").format(folder=folder),
            hint=_("Name another with --regularisation, or leave it out: the base makes such pictures by itself."),
        )
    found = list(chain.from_iterable(scan(folder, Event())))
    drawings = tuple(one for one in found if isinstance(one, Drawing))
    unreadable = tuple(one for one in found if isinstance(one, Problem))
    if not drawings:
        raise BocetoError(
            _("There is no drawing in the folder of regularisation drawings “{folder}”.").format(folder=folder),
            unreadable[0].message if unreadable else "",
            _("Put drawings there (PNG, JPEG, WebP …), or name another folder with --regularisation."),
        )
    both = [drawing.name for drawing in drawings if drawing.digest in digests]
    if both:
        raise BocetoError(
            _("The regularisation drawing “{name}” is one of those to learn.").format(name=both[0]),
            _("It would be learned with the activation word and without it."),
            _("Take it out of one of the two folders."),
        )
    texts = (store.read(folder / drawing.name).training_text for drawing in drawings)
    return Regularisation(folder, drawings, tuple(without_word(text, word) for text in texts), unreadable)
