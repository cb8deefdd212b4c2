"""What a person can choose from: bases on this disk, those that can be fetched, and models that are no bases."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from core.bases import find
from core.bases.base import Base
from core.bases.catalog import CATALOG, Entry, entry


class Offer(Struct, frozen=True, kw_only=True):
    """One base as it is offered: there, to be fetched, or no base at all with the reason."""

    id: str
    name: str
    base: Base | None = None
    entry: Entry | None = None
    """What the catalog knows of it."""
    trouble: str = ""
    path: Path | None = None
    """Where it lies."""

    @property
    def bytes(self) -> int:
        """Its size, or that of the download; 0 where nobody knows."""
        if self.base and self.base.like:
            with suppress(OSError):  # it was there a moment ago
                return self.base.path.stat().st_size
        return self.entry.bytes if self.entry else 0

    @property
    def predicts_velocity(self) -> bool:
        """Whether its UNet predicts the velocity and not the noise."""
        known = self.base or self.entry
        return known is not None and known.prediction == "v_prediction"

    @property
    def can_be_fetched(self) -> bool:
        """Whether it is of the catalog and not on this disk."""
        return self.base is None and self.entry is not None


def offers(extra: Iterable[Path] = ()) -> list[Offer]:
    """Those on this disk first, then the rest of the catalog, then what is no base."""
    there: list[Offer] = []
    broken: list[Offer] = []
    for found in find.look(extra):
        if isinstance(found, Base):
            there.append(Offer(id=found.id, name=found.name, base=found, entry=entry(found.id), path=found.path))
        else:
            why = " ".join(part for part in (found.detail or found.title, found.hint) if part)
            broken.append(Offer(id=str(found.path), name=found.path.name, trouble=why, path=found.path))
    # One for real work before the one to try things out with.
    there.sort(key=lambda offer: offer.id == CATALOG[0].id)
    ids = {offer.id for offer in there}
    rest = [Offer(id=known.id, name=known.name, entry=known) for known in CATALOG if known.id not in ids]
    return there + rest + broken
