"""What is to be captioned: these drawings, by these taggers."""

from pathlib import Path

from msgspec import Struct

from core.taggers import results
from core.taggers.find import Found
from core.taggers.tagger import Subject


class Order(Struct, frozen=True, kw_only=True):
    """A job for the taggers. It writes scores only: what becomes of the captions is chosen afterwards."""

    version: int = 1
    taggers: tuple[Found, ...]
    """One after the other looks at all drawings; only one is in memory."""
    folder: Path
    """The project's folder of scores."""
    drawings: tuple[Subject, ...]

    @property
    def total(self) -> int:
        """Looks to be taken."""
        return len(self.taggers) * len(self.drawings)

    def scores(self, tagger: Found) -> Path:
        """Where the scores of one of the taggers go."""
        return results.file_of(self.folder, tagger.id)
