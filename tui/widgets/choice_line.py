"""One of a few, on one line; the arrows choose."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from tui.keys import bind, spoken
from tui.widgets.text import Text
from tui.words import cells


class Choice(Struct, frozen=True):
    """One thing to choose."""

    id: str
    words: str


class ChoiceLine(Text, can_focus=True):
    """What the choice is about, then all of it side by side."""

    BINDINGS: ClassVar[list[BindingType]] = bind("choice.before", "choice.after")
    DEFAULT_CSS = """
    ChoiceLine { height: 1; }
    ChoiceLine:focus { background: $primary 20%; }
    """

    chosen: reactive[str] = reactive("", init=False)

    class Chosen(Message):
        """Another one is chosen."""

        def __init__(self, line: "ChoiceLine") -> None:
            super().__init__()
            self.line = line

        @property
        def control(self) -> "ChoiceLine":
            """For `@on` with a selector."""
            return self.line

    def __init__(self, label: str, choices: Sequence[Choice], chosen: str, **options: str) -> None:
        super().__init__(**options)
        self._bindings = spoken(self._bindings)
        self._label, self._choices = label, choices
        self.set_reactive(ChoiceLine.chosen, chosen)
        self.update(self._words())

    def watch_chosen(self) -> None:
        """Show it and say so."""
        self.update(self._words(), layout=False)
        self.post_message(self.Chosen(self))

    def action_turn(self, step: int) -> None:
        """The next one, or the one before."""
        ids = [choice.id for choice in self._choices]
        if ids:
            place = ids.index(self.chosen) if self.chosen in ids else 0
            self.chosen = ids[(place + step) % len(ids)]

    def on_click(self, click: events.Click) -> None:
        """The one that was clicked."""
        end = cells(self._label)
        for choice in self._choices:
            end += 4 + cells(choice.words)
            if click.x < end:
                self.chosen = choice.id
                return

    def _words(self) -> Content:
        parts: list[tuple[str, str]] = [(self._label, "$foreground-muted")]
        for choice in self._choices:
            chosen = choice.id == self.chosen
            parts += [("  ● " if chosen else "  ○ ", "$text-primary"), (choice.words, "bold" if chosen else "")]
        return Content.assemble(*parts)
