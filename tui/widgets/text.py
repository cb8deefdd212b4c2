"""Text on a screen: words are words, never markup."""

from typing import Any

from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static

from tui.words import plain


class Text(Static):
    """Words that are shown as they are, whatever brackets or escapes they hold."""

    def __init__(self, words: str | Content = "", **options: Any) -> None:
        super().__init__(_safe(words), markup=False, **options)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show other words; lines stay lines."""
        super().update(_safe(content) if isinstance(content, str) else content, layout=layout)


def _safe(words: str | Content) -> str | Content:
    return "\n".join(plain(line) for line in words.split("\n")) if isinstance(words, str) else words
