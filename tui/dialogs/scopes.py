"""Which captions a change is for: the marked ones, those shown, the present one, or all; chosen on one line."""

from typing import ClassVar

from msgspec import Struct
from textual.binding import BindingType

from core.language import _, ngettext
from tui.keys import bind
from tui.widgets.choice_line import Choice, ChoiceLine


class Scopes(Struct, frozen=True):
    """The captions that each scope holds, by their numbers in the survey."""

    present: tuple[int, ...]
    marked: tuple[int, ...]
    shown: tuple[int, ...]
    every: tuple[int, ...]

    @property
    def default(self) -> str:
        """The scope that is meant when nothing is said: the marked captions, else those a filter left, else all."""
        if self.marked:
            return "marked"
        if self.shown:
            return "every" if self._all_shown else "shown"
        return "present" if self.present else "every"

    def items(self, scope: str) -> tuple[int, ...]:
        """The captions of a scope."""
        return {"marked": self.marked, "shown": self.shown, "present": self.present, "every": self.every}[scope]

    def choices(self) -> list[Choice]:
        """The scopes that hold something, in words with their counts."""
        marked, shown, every = len(self.marked), len(self.shown), len(self.every)
        choices = [
            Choice("marked", ngettext("{n} marked", "{n} marked", marked).format(n=marked)),
            Choice("shown", ngettext("{n} shown", "{n} shown", shown).format(n=shown)),
            Choice("present", _("this one")),
            Choice("every", ngettext("all {n}", "all {n}", every).format(n=every)),
        ]
        # Without a filter “shown” would say “all” twice.
        return [one for one in choices if self.items(one.id) and not (one.id == "shown" and self._all_shown)]

    def words(self, scope: str) -> str:
        """One scope in words."""
        return next((one.words for one in self.choices() if one.id == scope), "")

    @property
    def _all_shown(self) -> bool:
        return len(self.shown) == len(self.every)


class ScopeLine(ChoiceLine, inherit_bindings=False):
    """All scopes on one line; the arrows choose."""

    BINDINGS: ClassVar[list[BindingType]] = bind("scope.before", "scope.after")

    def __init__(self, scopes: Scopes) -> None:
        super().__init__(_("For"), scopes.choices(), scopes.default)
