"""The tag table: every tag with the captions that have it, and what can be done with it everywhere at once."""

from collections.abc import Collection, Mapping
from typing import ClassVar, Literal

from msgspec import Struct
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from core.captions.vocabulary import Vocabulary
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.dialogs.scopes import Scopes
from tui.dialogs.tag_change import TagChange
from tui.keys import bind
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import fitting, shortened

Kind = Literal["rename", "remove", "add", "front", "filter", "without", "sweep"]
_COUNT, _SHARE, _HERE, _BAR = 7, 6, 11, 12
"""Cells for the columns after a tag; the bar is as long when a tag is everywhere."""


class TagAction(Struct, frozen=True):
    """What is to be done with tags."""

    kind: Kind
    tags: tuple[str, ...]
    new: str = ""
    """What they are to be called."""
    scope: str = ""
    """Where, for what changes captions."""


class TagTable(Dialog[TagAction]):
    """Tags by how many captions have them. The caller does what is asked for, after a look at what it changes."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "tags.rename", "tags.remove", "tags.add", "tags.front", "tags.filter", "tags.without", "tags.sweep",
        "tags.mark", "tags.sort", "tags.find",
    )  # fmt: skip
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    TagTable > #box { width: 96%; max-width: 110; height: 94%; }
    TagTable #heads { height: 1; color: $text-muted; }
    TagTable #find { display: none; }
    TagTable #find.-open { display: block; }
    TagTable #about { height: 1; }
    """

    rows = getters.query_one(Rows)
    finder = getters.query_one("#find", Input)

    def __init__(self, vocabulary: Vocabulary, captions: Mapping[int, str], scopes: Scopes) -> None:
        super().__init__()
        self._vocabulary, self._captions, self._scopes = vocabulary, captions, scopes
        self._tags = vocabulary.ranked
        self._by_name = sorted(range(len(self._tags)), key=lambda item: self._tags[item][0])
        self._sorted_by_name = False
        self._marked: set[int] = set()
        self._here: Mapping[str, int] | None = None
        """The counts in the captions that are marked or shown, where these are not all."""
        if scopes.default != "every":
            self._here = Vocabulary.of(captions[item] for item in scopes.items(scopes.default)).counts

    def compose(self) -> ComposeResult:
        """The table and its keys."""
        with Vertical(id="box"):
            yield Text(id="title")
            yield Text(id="heads")
            yield Rows(self._line)
            yield Input(id="find", placeholder=_("find a tag; Esc shows all"))
            yield Text(id="about")
            yield Text(
                _(
                    "r rename · d remove · a add · H to the front · m mark · s sort · / find\n"
                    "f captions with it · F those without · w sweep · Esc closes this"
                ),
                classes="hint",
            )

    def on_mount(self) -> None:
        """All tags."""
        self.finder.cursor_blink = False
        self._arrange()

    def on_resize(self) -> None:
        """The heads stand over their columns."""
        self.call_after_refresh(self._show_heads)

    # Finding and marking.

    def action_find(self) -> None:
        """Type to see fewer."""
        self.finder.add_class("-open")
        self.finder.focus()

    @on(Input.Changed, "#find")
    def find(self) -> None:
        """Those that hold what was typed."""
        self._arrange()

    @on(Input.Submitted, "#find")
    def found(self) -> None:
        """On to them."""
        self.rows.focus()

    def action_sort(self) -> None:
        """By count, or by name."""
        self._sorted_by_name = not self._sorted_by_name
        self._arrange()

    def action_mark(self) -> None:
        """Mark the tag, or no longer, and go on."""
        item = self.rows.item
        if item is not None:
            self._marked ^= {item}
            self.rows.redraw(item)
            self.rows.action_cursor_down()
            self._show_about()

    @on(Rows.Moved)
    def moved(self) -> None:
        """Say what an action would be for."""
        self._show_about()

    def action_back(self) -> None:
        """One layer at a time: the finder, then the table."""
        if self.finder.has_class("-open"):
            self.finder.value = ""
            self.finder.remove_class("-open")
            self.rows.focus()
            self._arrange()
        else:
            self.dismiss(None)

    # What is to be done.

    def action_rename(self) -> None:
        """Another name for the tag."""
        self._ask("rename")

    def action_remove(self) -> None:
        """Take the tag out."""
        self._ask("remove")

    def action_add(self) -> None:
        """Give the tag to captions that lack it."""
        self._ask("add")

    def action_front(self) -> None:
        """Make the tag the first."""
        self._ask("front")

    def action_filter(self) -> None:
        """See the captions that have it."""
        self._answer("filter")

    def action_without(self) -> None:
        """See the captions that lack it."""
        self._answer("without")

    def action_sweep(self) -> None:
        """Look at drawing after drawing for the tag under the cursor."""
        if self.rows.item is not None:
            self.dismiss(TagAction("sweep", (self._spelled(self.rows.item),)))

    def _answer(self, kind: Kind) -> None:
        if tags := self._chosen():
            self.dismiss(TagAction(kind, tags))

    @work
    async def _ask(self, kind: Literal["rename", "remove", "add", "front"]) -> None:
        """Ask where, and for the new name."""
        tags = self._chosen()
        if not tags:
            return
        answer = await self.app.push_screen_wait(
            TagChange(kind, tags, self._captions, self._scopes, self._vocabulary.completions)
        )
        if answer:
            named = answer.tags if kind == "add" else tags
            self.dismiss(TagAction(kind, named, answer.new, answer.scope))

    # How it is shown.

    def _chosen(self) -> tuple[str, ...]:
        """The marked tags, or the one under the cursor."""
        items: Collection[int] = sorted(self._marked)
        if not items and self.rows.item is not None:
            items = (self.rows.item,)
        return tuple(self._spelled(item) for item in items)

    def _spelled(self, item: int) -> str:
        return self._vocabulary.spelled(self._tags[item][0])

    def _arrange(self) -> None:
        wanted = " ".join(self.finder.value.casefold().split())
        order = self._by_name if self._sorted_by_name else range(len(self._tags))
        self.rows.show([item for item in order if wanted in self._tags[item][0]] if wanted else order)
        tags, captions = len(self._tags), self._vocabulary.captions
        self.query_one("#title", Text).update(
            Content.assemble(
                ngettext("{n} tag", "{n} tags", tags).format(n=tags),
                " ",
                ngettext("in {n} caption", "in {n} captions", captions).format(n=captions),
                ("   " + (_("by name") if self._sorted_by_name else _("by count")), "$foreground-muted"),
            )
        )
        self._show_heads()
        self._show_about()

    def _show_heads(self) -> None:
        width = self.rows.scrollable_content_region.width
        here = f"{shortened(self._scopes.words(self._scopes.default), _HERE - 1):>{_HERE}}" if self._here else ""
        name, count, share = fitting("  " + _("Tag"), max(1, width - self._after)), _("count"), _("share")
        self.query_one("#heads", Text).update(f"{name}{count:>{_COUNT}}{share:>{_SHARE + 1}}{here}")

    def _show_about(self) -> None:
        if self._marked:
            words = ngettext("{n} tag is marked: {tags}", "{n} tags are marked: {tags}", len(self._marked)).format(
                n=len(self._marked), tags=shortened(", ".join(self._chosen()), max(10, self.size.width - 40))
            )
        elif not self._tags:
            words = _("No caption has a tag yet.")
        elif self.rows.item is None:
            words = _("No tag holds “{text}”.").format(text=shortened(self.finder.value, 30))
        else:
            words = ""
        self.query_one("#about", Text).update(words)

    @property
    def _after(self) -> int:
        """Cells after a tag."""
        return _COUNT + _SHARE + 1 + (_HERE if self._here else 0) + 2 + _BAR

    def _line(self, item: int, width: int) -> Content:
        key, count = self._tags[item]
        share = count / max(1, self._vocabulary.captions)
        here = f"{self._here.get(key, 0):>{_HERE}}" if self._here is not None else ""
        return Content.assemble(
            ("● ", "bold $text-accent") if item in self._marked else "  ",
            fitting(self._spelled(item), max(1, width - self._after - 2)),
            f"{count:>{_COUNT}}",
            (f"{share:>{_SHARE}.0%} ", "$foreground-muted"),
            here,
            "  ",
            ("█" * round(share * _BAR), "$primary"),
        )
