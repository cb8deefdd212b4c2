"""Captions before and after a change, to be looked at before it is made."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar

from msgspec import Struct
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from core.captions.edits import Piece, difference
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import cells, fitting, plain

_NAME = 18
"""Cells of a line for the drawing's name."""
_BESIDE = 6
"""Cells of what stays that are shown at each side of a change, where not all of it fits."""
_MOST = 4000
"""Characters of a piece that are drawn; no caption that can be trained has as many."""
_SIDE_BY_SIDE = 100
"""Cells from which before and after stand side by side."""
_STYLES = {"kept": "", "removed": "$text-error strike", "added": "$text-success bold"}
_SIGNS = {"kept": "", "removed": "−", "added": "+"}


class Row(Struct, frozen=True):
    """One caption that would be another."""

    name: str
    before: str
    after: str


class ChangeList(Vertical):
    """One line a caption with what goes and what comes; below them the whole of the one under the cursor."""

    DEFAULT_CSS = """
    ChangeList { height: 1fr; }
    ChangeList #whole {
        height: auto; max-height: 8; border-top: solid $panel; border-title-color: $foreground;
        border-title-style: bold; scrollbar-size-vertical: 1;
    }
    ChangeList #whole:focus { border-top: solid $primary; }
    ChangeList #whole Horizontal { height: auto; }
    ChangeList #whole Text { height: auto; width: 1fr; }
    ChangeList #after { display: none; margin-left: 2; }
    ChangeList.-wide #after { display: block; }
    ChangeList.-wide #whole { max-height: 12; }
    """

    rows = getters.query_one(Rows)

    def __init__(self, changes: Sequence[Row] = ()) -> None:
        super().__init__()
        self.changes = changes

    def compose(self) -> ComposeResult:
        """The lines, and the whole."""
        yield Rows(self._line)
        with VerticalScroll(id="whole"), Horizontal():
            yield Text(id="before")
            yield Text(id="after")

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show(self.changes)

    def on_resize(self) -> None:
        """Side by side where there is room."""
        self.set_class(self.size.width >= _SIDE_BY_SIDE, "-wide")
        self._show_whole()

    def show(self, changes: Sequence[Row]) -> None:
        """Show other changes."""
        self.changes = changes
        self.rows.show(range(len(changes)))
        self._show_whole()

    @on(Rows.Moved)
    def moved(self, message: Rows.Moved) -> None:
        """The whole follows the cursor."""
        message.stop()
        self._show_whole()

    def _show_whole(self) -> None:
        whole, item = self.query_one("#whole", VerticalScroll), self.rows.item
        whole.display = item is not None and item < len(self.changes)
        if item is None or not whole.display:
            return
        row = self.changes[item]
        pieces = _pieces(row.before, row.after)
        before, after = self.query_one("#before", Text), self.query_one("#after", Text)
        was = Content.assemble((_("was") + "  ", "$foreground-muted"), _drawn(pieces, ("kept", "removed")))
        becomes = Content.assemble((_("becomes") + "  ", "$foreground-muted"), _drawn(pieces, ("kept", "added")))
        whole.border_title = Content(plain(row.name))
        if self.has_class("-wide"):
            before.update(was)
            after.update(becomes)
        else:
            before.update(Content.assemble(was, "\n", becomes))
        whole.scroll_home(animate=False)
        self.call_after_refresh(self._let_scroll)

    def _let_scroll(self) -> None:
        whole = self.query_one("#whole", VerticalScroll)
        whole.can_focus = whole.max_scroll_y > 0

    def _line(self, item: int, width: int) -> Content:
        row = self.changes[item]
        room = max(1, width - _NAME - 1)
        return Content.assemble(fitting(row.name, _NAME), " ", _short(_pieces(row.before, row.after), room))


class Changes(Dialog[bool]):
    """Whether the change is to be made."""

    BINDINGS: ClassVar[list[BindingType]] = bind("changes.make")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Changes > #box { width: 96%; height: 94%; }
    Changes #note { height: auto; max-height: 3; color: $text-muted; }
    """

    def __init__(self, title: str, rows: Sequence[Row], note: str = "") -> None:
        super().__init__()
        self._title, self._rows, self._note = title, rows, note

    def compose(self) -> ComposeResult:
        """How many, which, and what the keys do."""
        with Vertical(id="box"):
            yield Text(self._title, id="title")
            yield Text(changing(len(self._rows)))
            if self._note:
                yield Text(self._note, id="note")
            yield ChangeList(self._rows)
            words = (
                _("Enter makes the change, Esc leaves everything as it is.") if self._rows else _("Esc closes this.")
            )
            yield Text(words, classes="hint")

    def action_make(self) -> None:
        """Make it, when there is something to make."""
        self.dismiss(bool(self._rows))


def changing(count: int) -> str:
    """How many captions a change is about."""
    if not count:
        return _("No caption would change.")
    return ngettext("{n} caption changes.", "{n} captions change.", count).format(n=count)


@lru_cache(256)
def _pieces(before: str, after: str) -> tuple[Piece, ...]:
    return tuple(difference(before, after))


def _drawn(pieces: Iterable[Piece], wanted: tuple[str, ...]) -> Content:
    """One side of a change, all of it."""
    parts = [_marked(piece.change, piece.text[:_MOST]) for piece in pieces if piece.change in wanted]
    return Content.assemble(*(part for group in parts for part in group)) if parts else Content("")


def _short(pieces: Sequence[Piece], width: int) -> Content:
    """A change on one line; what stays far from any change is left out when the line is too short for it."""
    if sum(len(piece.text) for piece in pieces) > width - len(pieces):
        last = len(pieces) - 1
        pieces = [
            Piece("kept", _ends(piece.text, at == 0, at == last)) if piece.change == "kept" else piece
            for at, piece in enumerate(pieces)
        ]
    parts: list[tuple[str, str]] = []
    left, before = width, ""
    for piece in pieces:
        marked = _marked(piece.change, piece.text[: width + 1])
        if (before, piece.change) == ("removed", "added"):
            marked.insert(0, (" ", ""))
        before = piece.change
        for text, style in marked:
            if left <= 0:
                break
            taken = text if cells(text) <= left else fitting(text, left)
            parts.append((taken, style))
            left -= cells(taken)
    return Content.assemble(*parts)


def _ends(text: str, first: bool, last: bool) -> str:
    """Both ends of what stays between two changes, or the one beside the only change."""
    if first:
        return text if len(text) <= _BESIDE + 1 else "…" + text[-_BESIDE:]
    if last:
        return text if len(text) <= 4 * _BESIDE else text[: 4 * _BESIDE] + "…"
    return text if len(text) <= 2 * _BESIDE + 1 else text[:_BESIDE] + "…" + text[-_BESIDE:]


def _marked(change: str, text: str) -> list[tuple[str, str]]:
    """A piece with its sign before the first letter; commas and blanks around it bear none, unless it has no more."""
    shown = plain(text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\r", "⏎"))
    if change == "kept":
        return [(shown, "")]
    core = shown.strip(" ,")
    if not core:
        return [(_SIGNS[change] + shown.replace(" ", "·"), _STYLES[change])]
    start = shown.index(core)
    end = start + len(core)
    gaps = "$foreground-muted"
    return [(shown[:start], gaps), (_SIGNS[change] + core, _STYLES[change]), (shown[end:], gaps)]
