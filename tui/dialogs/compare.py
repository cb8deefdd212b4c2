"""Two drawings side by side, to see whether they are one."""

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from core.images.drawing import Drawing
from core.language import _
from tui.dialogs.dialog import Dialog
from tui.terminal import Terminal
from tui.widgets.picture import Picture, Shown
from tui.widgets.text import Text
from tui.words import shortened, size


class Compare(Dialog[str]):
    """The name of the one that is to be left out."""

    DEFAULT_CSS = """
    Compare > #box { width: 96%; height: 94%; }
    Compare #pair { height: 1fr; }
    Compare #pair Vertical { width: 1fr; padding: 0 1; }
    Compare #pair Text { height: auto; }
    """

    def __init__(self, terminal: Terminal, folder: Path, first: Drawing, second: Drawing) -> None:
        super().__init__()
        self._terminal, self._folder, self._pair = terminal, folder, (first, second)

    def compose(self) -> ComposeResult:
        """Both, each with its facts, and what can be done."""
        with Vertical(id="box"):
            yield Text(_("Are these two the same drawing?"), id="title")
            with Horizontal(id="pair"):
                for number, drawing in enumerate(self._pair):
                    with Vertical():
                        yield Text(shortened(drawing.name, 34), classes="heading")
                        yield Text(f"{drawing.width}×{drawing.height}, {drawing.format}, {size(drawing.bytes)}")
                        yield Picture(self._terminal, id=f"picture-{number}")
            with Horizontal(id="buttons"):
                yield Button(_("Keep both"), id="both", compact=True, variant="primary")
                yield Button(_("Leave the left one out"), id="out-0", compact=True)
                yield Button(_("Leave the right one out"), id="out-1", compact=True)

    def on_mount(self) -> None:
        """Show both."""
        for number, drawing in enumerate(self._pair):
            self.query_one(f"#picture-{number}", Picture).show(Shown(self._folder / drawing.name))

    @on(Button.Pressed)
    def choose(self, pressed: Button.Pressed) -> None:
        """Give back which one goes."""
        kind, _dash, number = str(pressed.button.id).partition("-")
        self.dismiss(self._pair[int(number)].name if kind == "out" else None)
