"""What is to become of some tags, and in which captions."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from core.captions.caption import joined, tags_of
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.dialogs.scopes import ScopeLine, Scopes
from tui.keys import bind
from tui.widgets.completing import Completer, Completing, Completions, offered
from tui.widgets.text import Text
from tui.words import shortened

Kind = Literal["rename", "remove", "add", "front"]


class Chosen(Struct, frozen=True):
    """The answer."""

    tags: tuple[str, ...]
    new: str
    scope: str


class TagChange(Dialog[Chosen]):
    """One line for the new name or the tags to add, one for the scope."""

    DEFAULT_CSS = """
    TagChange > #box { width: 72; }
    TagChange Input { margin-top: 1; }
    TagChange ScopeLine { margin-top: 1; }
    TagChange #count { height: auto; min-height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bind("changes.make")
    line = getters.query_one(ScopeLine)

    def __init__(
        self, kind: Kind, tags: tuple[str, ...], captions: Mapping[int, str], scopes: Scopes, completer: Completer
    ) -> None:
        super().__init__()
        self._kind, self._tags, self._captions, self._scopes = kind, tags, captions, scopes
        self._completer = completer
        # What a terminal would obey cannot be typed.
        self._begun = "".join(
            letter for letter in ", ".join(tags if kind == "add" else tags[:1]) if letter.isprintable()
        )

    @property
    def _writes(self) -> bool:
        return self._kind in ("rename", "add")

    def compose(self) -> ComposeResult:
        """What is asked for, and what it would touch."""
        with Vertical(id="box"):
            yield Text(self._title(), id="title")
            if self._writes:
                yield Completing(self._begun, select_on_focus=False)
            yield ScopeLine(self._scopes)
            yield Text(id="count")
            yield Text(_("Enter shows what would change, Esc leaves everything as it is."), classes="hint")
        yield Completions()

    def on_mount(self) -> None:
        """Begin where one types, or chooses."""
        for field in self.query(Completing):
            field.cursor_blink = False
            field.cursor_position = len(field.value)
            field.completer = self._completer
        (self.query_one(Completing) if self._writes else self.line).focus()
        self._count()

    @on(Input.Changed)
    def typed(self) -> None:
        """What it would touch."""
        self._count()

    @on(Completing.Offered)
    def offer(self, message: Completing.Offered) -> None:
        """Below the line."""
        field = message.field
        self.query_one(Completions).show(field, field.region.x, field.region.bottom)
        self.query_one(".hint", Text).update(
            offered(field) or _("Enter shows what would change, Esc leaves everything as it is.")
        )

    @on(ScopeLine.Chosen)
    def scoped(self) -> None:
        """Count anew."""
        self._count()

    def action_make(self) -> None:
        """Give it back."""
        new = self.query_one(Completing).value.strip() if self._writes else ""
        tags = tuple(tags_of(new)) if self._kind == "add" else self._tags
        if self._writes and not tags_of(new):
            self.app.bell()
            self._count()
            return
        self.dismiss(Chosen(tags, joined(tags_of(new)) if self._kind == "rename" else "", self.line.chosen))

    def _title(self) -> str:
        tags = shortened(", ".join(self._tags), 44)
        return {
            "rename": _("Rename “{tags}” to"),
            "remove": _("Remove “{tags}”"),
            "add": _("Add tags"),
            "front": _("“{tags}” to the front"),
        }[self._kind].format(tags=tags)

    def _count(self) -> None:
        tags = self._tags
        if self._writes:
            written = tags_of(self.query_one(Completing).value)
            if not written:
                empty = _("Write the new name. To take the tag out, leave this and press d.")
                self.query_one("#count", Text).update(empty if self._kind == "rename" else _("Write the tags to add."))
                return
            if self._kind == "add":
                tags = tuple(written)
        every = [self._captions[item] for item in self._scopes.items(self.line.chosen)]
        if self._kind == "add":
            n = len(every) - sum(holds_all(text, tags) for text in every)
            words = ngettext("{n} caption lacks something of it.", "{n} captions lack something of it.", n)
        else:
            n = sum(holds_any(text, tags) for text in every)
            words = ngettext("It stands in {n} caption.", "It stands in {n} captions.", n)
        self.query_one("#count", Text).update(words.format(n=n))


def holds_any(text: str, tags: tuple[str, ...]) -> bool:
    """Whether the caption has one of these tags."""
    folded = text.casefold()
    near = [key for tag in tags if (key := tag.casefold()) in folded]
    return bool(near) and not {tag.casefold() for tag in tags_of(text)}.isdisjoint(near)


def holds_all(text: str, tags: tuple[str, ...]) -> bool:
    """Whether the caption has every one of them."""
    folded = text.casefold()
    keys = {tag.casefold() for tag in tags}
    return all(key in folded for key in keys) and keys <= {tag.casefold() for tag in tags_of(text)}
