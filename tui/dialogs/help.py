"""The help for the place one is in: what it is for, and every key that counts there."""

from itertools import zip_longest

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen

from core.language import _
from tui.dialogs.dialog import Dialog
from tui.keys import KEYS
from tui.widgets.text import Text
from tui.words import fitting


class Help(Dialog[None]):
    """Words and keys of one screen."""

    DEFAULT_CSS = """
    Help > #box { height: 94%; }
    Help #text { max-height: 100%; height: 1fr; }
    Help .keys { margin-top: 1; }
    """

    def __init__(self, title: str, words: str, screen: Screen[None]) -> None:
        super().__init__()
        self._title, self._words = title, words
        self._keys = _keys(screen)

    def compose(self) -> ComposeResult:
        """What it is for, then the keys."""
        with Vertical(id="box"):
            yield Text(_("Help: {screen}").format(screen=self._title), id="title")
            with VerticalScroll(id="text"):
                yield Text(self._words)
                yield Text(self._keys, classes="keys")
            yield Text(_("Esc closes this. Every action is in the palette too: Ctrl+P."), classes="hint")


def _keys(screen: Screen[None]) -> Content:
    """Every action with its keys, in two columns."""
    found: dict[str, tuple[list[str], str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.id in KEYS:
            shown = screen.app.get_key_display(binding)
            found.setdefault(binding.id, ([], binding.description))[0].append(shown)
    cells = [
        Content.assemble((fitting(" ".join(keys), 11) + " ", "bold $text-accent"), fitting(words, 22))
        for keys, words in found.values()
    ]
    half = -(-len(cells) // 2)
    pairs = zip_longest(cells[:half], cells[half:], fillvalue=Content(""))
    return Content("\n").join(Content.assemble(left, "  ", right) for left, right in pairs)
