"""A line in which tags are completed while they are typed, and the list of what they could become."""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from core.captions.caption import tags_of
from core.captions.vocabulary import Completion
from core.language import _
from tui.widgets.text import Text
from tui.words import cells, fitting

Completer = Callable[[str, Collection[str]], Sequence[Completion]]
"""What the beginning of a tag could become, beside the tags that are there."""
_MOST = 6


class Completing(Input):
    """Tab takes the chosen completion, Up and Down choose. Enter takes none: it keeps what is written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("down", "choose(1)", show=False),
        Binding("up", "choose(-1)", show=False),
    ]

    class Offered(Message):
        """There are other completions, or another is chosen."""

        def __init__(self, field: "Completing") -> None:
            super().__init__()
            self.field = field

    completer: Completer | None = None
    offers: Sequence[Completion] = ()
    chosen = 0

    @property
    def part(self) -> tuple[int, int]:
        """Where the tag that is typed begins and ends, without the blanks around it."""
        start = self.value.rfind(",", 0, self.cursor_position) + 1
        end = self.value.find(",", self.cursor_position)
        end = len(self.value) if end < 0 else end
        while start < self.cursor_position and self.value[start].isspace():
            start += 1
        return start, end

    def on_input_changed(self) -> None:
        """Here, not where the change is heard of: a message that another widget's handler posts ends at that widget."""
        self.offer()

    def offer(self) -> None:
        """Look for completions of what stands before the cursor."""
        start, end = self.part
        typed = self.value[start : self.cursor_position]
        found: Sequence[Completion] = ()
        if self.completer and typed.strip():
            others = tags_of(self.value[:start] + self.value[end:])
            found = [one for one in self.completer(typed, others) if one.tag != typed][:_MOST]
        self.offers, self.chosen = found, 0
        self.post_message(self.Offered(self))

    def forget(self) -> None:
        """Offer nothing any more."""
        if self.offers:
            self.offers = ()
            self.post_message(self.Offered(self))

    def action_complete(self) -> None:
        """Put the chosen completion in the place of what was typed."""
        if not self.offers:
            self.screen.focus_next()
            return
        start, end = self.part
        tag, rest = self.offers[self.chosen].tag, self.value[end:]
        with self.prevent(Input.Changed):
            self.value = f"{self.value[:start]}{tag}{rest or ', '}"
        self.cursor_position = start + len(tag) + (0 if rest else 2)
        self.forget()
        self.post_message(Input.Changed(self, self.value))

    def action_choose(self, by: int) -> None:
        """Another completion."""
        if self.offers:
            self.chosen = (self.chosen + by) % len(self.offers)
            self.post_message(self.Offered(self))

    def on_blur(self) -> None:
        """Nobody types any more."""
        self.forget()


class Completions(Text):
    """The list, over whatever lies below."""

    DEFAULT_CSS = """
    Completions { position: absolute; display: none; width: 40; height: auto; background: $panel; color: $foreground; }
    """

    def show(self, field: Completing, x: int, y: int) -> None:
        """Show what `field` offers, at column `x` of line `y` of the container, or nothing."""
        self.display = bool(field.offers)
        if not field.offers:
            return
        width = min(44, max(20, max(cells(_words(one)) for one in field.offers) + 10))
        self.styles.offset = (max(0, x), y)
        self.styles.width = width
        lines = []
        for place, one in enumerate(field.offers):
            chosen = place == field.chosen
            mark, style = ("▸ ", "bold $text-primary") if chosen else ("  ", "")
            count = f"{one.count:>7}" if one.count else " " * 7
            lines.append(
                Content.assemble((mark, style), (fitting(_words(one), width - 9), style), (count, "$foreground-muted"))
            )
        self.update(Content("\n").join(lines))


def _words(one: Completion) -> str:
    return f"{one.via} → {one.tag}" if one.via else one.tag


def offered(field: Completing) -> str:
    """What can be done with the completions, for the line at the bottom."""
    return _("Tab takes “{tag}”, ↓ the next.").format(tag=field.offers[field.chosen].tag) if field.offers else ""
