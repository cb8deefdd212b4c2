"""Choosing one of several: a list in a box."""

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.language import _
from tui.dialogs.dialog import Dialog
from tui.widgets.text import Text
from tui.words import plain


class Entry(Struct, frozen=True):
    """One thing to choose, with how many there are of it."""

    id: str
    words: str
    count: int | None = None


class Pick(Dialog[str]):
    """The id of the chosen entry."""

    DEFAULT_CSS = """
    Pick > #box { width: 50; }
    Pick OptionList { height: auto; max-height: 16; border: none; padding: 0; background: $surface; }
    """

    def __init__(self, title: str, entries: list[Entry], present: str) -> None:
        super().__init__()
        self._title, self._entries, self._present = title, entries, present

    def compose(self) -> ComposeResult:
        """The list, with the present choice marked."""
        with Vertical(id="box"):
            yield Text(self._title, id="title")
            yield OptionList(*(Option(self._line(entry), id=entry.id) for entry in self._entries), markup=False)
            yield Text(_("Enter chooses, Esc leaves it as it is."), classes="hint")

    def on_mount(self) -> None:
        """Begin at the present choice."""
        ids = [entry.id for entry in self._entries]
        self.query_one(OptionList).highlighted = ids.index(self._present) if self._present in ids else 0

    @on(OptionList.OptionSelected)
    def choose(self, chosen: OptionList.OptionSelected) -> None:
        """Give it back."""
        self.dismiss(chosen.option.id)

    def _line(self, entry: Entry) -> Content:
        mark = ("● ", "$text-primary") if entry.id == self._present else "  "
        count = "" if entry.count is None else f"{entry.count:>6}  "
        return Content.assemble(mark, (count, "$foreground-muted"), plain(entry.words))
