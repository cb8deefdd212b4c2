"""The bases that are known by name, with what each is good for."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from core import paths
from core.bases.base import Base
from core.language import _


class Entry(Struct, frozen=True, kw_only=True):
    """One base that can be chosen by name."""

    id: str
    name: str
    source: Path | str
    """A folder of this package, or a repository of the Hugging Face hub."""
    good_for: Callable[[], str]
    """What it is good for, in the person's language at the time of asking."""
    licence: str
    """Its SPDX name where it has one."""
    bytes: int
    """Its size on disk, and that of the download if there is one."""


CATALOG = (
    Entry(
        id="mini",
        name="Boceto mini",
        source=Path(__file__).parent / "mini" / "model",
        good_for=lambda: _(
            "A tiny model that comes with Boceto. It draws small emoji-like pictures and learns a style in a minute "
            "or two without a GPU: good for trying everything out, too small for real work."
        ),
        licence="CC-BY-SA-4.0",
        bytes=17_100_000,
    ),
)


def place_of(base: Base) -> str:
    """Where a base lies, as people read it."""
    known = entry(base.id)
    return _("in the box") if known and known.source == base.path else paths.shown(base.path)


def entry(wanted: str) -> Entry | None:
    """The catalog's entry of this name or repository, if there is one."""
    return next((entry for entry in CATALOG if wanted in (entry.id, entry.source)), None)
