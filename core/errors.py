"""The one error that reaches a person, and the problems that do not stop the work."""

from enum import StrEnum

from msgspec import Struct


class BocetoError(Exception):
    """Something a person has to know: what happened, what we know, what to do."""

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.detail, self.hint) if part)


class Severity(StrEnum):
    """How much a problem matters."""

    NOTE = "note"
    """Good to know; nothing has to be done."""
    WARNING = "warning"
    """The result suffers; look at it."""
    BLOCK = "block"
    """The drawing is left out unless the artist says otherwise."""
    ERROR = "error"
    """The drawing cannot be used at all."""

    @property
    def weight(self) -> int:
        """More for what matters more."""
        return list(Severity).index(self)


class Problem(Struct, frozen=True):
    """One thing that is wrong with one drawing or caption, and what mends it."""

    severity: Severity
    drawing: str
    """The drawing's path below the dataset's folder; empty when it concerns the folder."""
    code: str
    """Stable name for filters and tests, such as `too-small`."""
    message: str
    remedy: str
    other: str = ""
    """The drawing it is a copy of, or shares something with."""
