"""Which captions a change is for: the marked ones, those shown, the present one, or all; chosen on one line."""

from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from core.language import _, ngettext
from tui.dialogs.pick import Entry
from tui.keys import bind, spoken
from tui.widgets.text import Text
from tui.words import cells


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

    def entries(self) -> list[Entry]:
        """The scopes that hold something, in words with their counts."""
        marked, shown, every = len(self.marked), len(self.shown), len(self.every)
        entries = [
            Entry("marked", ngettext("{n} marked", "{n} marked", marked).format(n=marked)),
            Entry("shown", ngettext("{n} shown", "{n} shown", shown).format(n=shown)),
            Entry("present", _("this one")),
            Entry("every", ngettext("all {n}", "all {n}", every).format(n=every)),
        ]
        # Without a filter “shown” would say “all” twice.
        return [one for one in entries if self.items(one.id) and not (one.id == "shown" and self._all_shown)]

    def words(self, scope: str) -> str:
        """One scope in words."""
        return next((one.words for one in self.entries() if one.id == scope), "")

    @property
    def _all_shown(self) -> bool:
        return len(self.shown) == len(self.every)


class ScopeLine(Text, can_focus=True):
    """All scopes on one line; the arrows choose."""

    BINDINGS: ClassVar[list[BindingType]] = bind("scope.before", "scope.after")
    DEFAULT_CSS = """
    ScopeLine { height: 1; }
    ScopeLine:focus { background: $primary 20%; }
    """

    chosen: reactive[str] = reactive("", init=False)

    class Chosen(Message):
        """Another scope is meant."""

        def __init__(self, scope: str) -> None:
            super().__init__()
            self.scope = scope

    def __init__(self, scopes: Scopes) -> None:
        super().__init__()
        self._bindings = spoken(self._bindings)
        self._entries = scopes.entries()
        self.set_reactive(ScopeLine.chosen, scopes.default)
        self.update(self._words())

    def watch_chosen(self) -> None:
        """Show it and say so."""
        self.update(self._words(), layout=False)
        self.post_message(self.Chosen(self.chosen))

    def action_turn(self, step: int) -> None:
        """The next scope, or the one before."""
        ids = [entry.id for entry in self._entries]
        if ids:
            place = ids.index(self.chosen) if self.chosen in ids else 0
            self.chosen = ids[(place + step) % len(ids)]

    def on_click(self, click: events.Click) -> None:
        """The scope that was clicked."""
        end = cells(_("For"))
        for entry in self._entries:
            end += 4 + cells(entry.words)
            if click.x < end:
                self.chosen = entry.id
                return

    def _words(self) -> Content:
        parts: list[tuple[str, str]] = [(_("For"), "$foreground-muted")]
        for entry in self._entries:
            chosen = entry.id == self.chosen
            parts += [("  ● " if chosen else "  ○ ", "$text-primary"), (entry.words, "bold" if chosen else "")]
        return Content.assemble(*parts)
