"""One drawing as large as the screen."""

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from core.language import _
from tui.dialogs.dialog import Dialog
from tui.terminal import Terminal
from tui.widgets.picture import Picture, Shown
from tui.widgets.text import Text


class Look(Dialog[None]):
    """The picture, and below it everything that is said of it."""

    DEFAULT_CSS = """
    Look > #box { width: 96%; height: 96%; }
    Look.-words > #box { height: auto; }
    Look #text { height: auto; max-height: 9; margin-top: 1; }
    """

    def __init__(self, terminal: Terminal, shown: Shown | None, words: Content) -> None:
        super().__init__()
        self._terminal, self._shown, self._words = terminal, shown, words
        self.set_class(shown is None, "-words")

    def compose(self) -> ComposeResult:
        """Picture and words."""
        with Vertical(id="box"):
            if self._shown:
                yield Picture(self._terminal)
            with VerticalScroll(id="text"):
                yield Text(self._words)
            yield Text(_("Esc closes this."), classes="hint")

    def on_mount(self) -> None:
        """Show it."""
        if self._shown:
            self.query_one(Picture).show(self._shown)
