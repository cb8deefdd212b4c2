"""Letting taggers write captions: which ones, how sure they must be, and what becomes of the captions there are."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from core.captions.caption import tags_of
from core.language import _, ngettext
from core.paths import shown
from core.project import Kind
from core.taggers.catalog import CATALOG, Entry, entry
from core.taggers.compose import OFF, Mode, Rules
from core.taggers.find import Found
from tui.captioning import NAMES_FROM, usual
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.widgets.check import Check
from tui.widgets.choice_line import Choice, ChoiceLine
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import fitting, plain, size

_KIND = 10
"""Cells of a line for what a tagger writes."""
_LEAST, _MOST = 0.05, 1.0
"""A tagger's scores are kept from 0.05 on."""


class Present(Struct, frozen=True):
    """The captions there are."""

    drawings: int
    captioned: int = 0
    """Those that say something."""
    by_hand: int = 0
    """Those of them that a person has written, changed or found right."""


class WriteChoice(Struct, frozen=True):
    """What the taggers are to do."""

    taggers: tuple[Found, ...]
    rules: Rules
    mode: Mode = "keep"


class Fetch(Struct, frozen=True):
    """A tagger that is to be downloaded first."""

    entry: Entry


class Write(Dialog[WriteChoice | Fetch]):
    """What is to be written, or what is to be fetched before; nothing is looked at or changed here."""

    BINDINGS: ClassVar[list[BindingType]] = bind("write.begin", "list.tick", "write.fetch")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Write > #box { width: 96%; max-width: 100; }
    Write #counts { height: auto; color: $text-muted; }
    Write Rows { height: 6; margin-top: 1; }
    Write #about { height: 4; color: $text-muted; }
    Write .line { height: 1; }
    Write .line > Text { width: auto; height: 1; margin-right: 1; }
    Write .line > Input { width: 7; }
    Write .line > #undesired { width: 1fr; }
    Write .line > Check { width: auto; margin: 0 1 0 2; }
    Write #most-words { margin-left: 2; }
    Write #does { height: 1; }
    Write #trouble { height: 1; color: $text-error; }
    """

    rows = getters.query_one(Rows)
    mode = getters.query_one(ChoiceLine)

    def __init__(
        self,
        found: Sequence[Found],
        kind: Kind,
        present: Present,
        last: WriteChoice | None = None,
        never: Sequence[str] = (),
    ) -> None:
        """`last` is what was chosen before; it stands there again, as far as its taggers are still on this disk.

        `never` are tags that were left out on purpose.
        """
        super().__init__()
        self._found, self._kind, self._present = found, kind, present
        known = {tagger.id for tagger in found}
        self._missing = [one for one in CATALOG if one.id not in known]
        chosen = tuple(tagger for tagger in found if last and tagger in last.taggers) or usual(found, kind)
        self._last = last or WriteChoice(chosen, Rules.of(kind))
        undesired = tuple(dict.fromkeys((*self._last.rules.undesired, *never)))
        self._last = replace(self._last, rules=replace(self._last.rules, undesired=undesired))
        self._judged: list[object] = []
        """What the fields held when something was said about them."""
        self._ticked = {place for place, tagger in enumerate(found) if tagger in chosen}

    def compose(self) -> ComposeResult:
        """Taggers, thresholds, what is never wanted, and what is done with the captions there are."""
        rules = self._last.rules
        names = rules.character <= _MOST
        with Vertical(id="box"):
            yield Text(_("Let taggers write the captions"), id="title")
            yield Text(self._counts(), id="counts")
            yield Rows(self._line)
            yield Text(id="about")
            with Horizontal(classes="line"):
                yield Text(_("Tags scored from"))
                yield Input(f"{rules.general:g}", id="general", max_length=5, restrict=r"[0-9]*[.,]?[0-9]*")
                yield Check(_("names from"), names, id="characters")
                yield Input(
                    f"{rules.character if names else NAMES_FROM:g}",
                    id="character",
                    max_length=5,
                    restrict=r"[0-9]*[.,]?[0-9]*",
                )
                yield Text(_("at most"), id="most-words")
                yield Input(str(rules.most or ""), id="most", max_length=3, placeholder=_("all"), restrict=r"[0-9]*")
            with Horizontal(classes="line"):
                yield Text(_("Never"))
                yield Input(", ".join(rules.undesired), id="undesired", select_on_focus=False)
            yield ChoiceLine(_("Captions there are"), _modes(), self._last.mode, id="mode")
            yield Text(id="does")
            yield Text(id="trouble")
            yield Text(_("Enter begins · Space ticks · f fetches · Tab goes on · Esc leaves it"), classes="hint")

    def on_mount(self) -> None:
        """The taggers on this disk, then those that can be fetched."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.rows.show(range(len(self._found) + len(self._missing)))
        self._say_mode()

    @on(Rows.Moved)
    def moved(self) -> None:
        """What the tagger under the cursor is good for."""
        self.query_one("#about", Text).update(self._about())

    @on(Input.Changed)
    @on(Check.Changed)
    def changed(self) -> None:
        """What was said of other values is old."""
        if self._entered() != self._judged:
            self._say("")

    @on(ChoiceLine.Chosen)
    def another_mode(self) -> None:
        """What it does."""
        self._say_mode()

    def action_tick(self) -> None:
        """The tagger looks, or not."""
        item = self.rows.item
        if item is None:
            return
        if item < len(self._found):
            self._ticked ^= {item}
            self.rows.redraw(item)
            self._say("")
        else:
            self._say(_("It is not on this disk: f fetches it."))

    def action_fetch(self) -> None:
        """Download the tagger under the cursor."""
        item = self.rows.item
        if item is not None and item >= len(self._found):
            self.dismiss(Fetch(self._missing[item - len(self._found)]))
        else:
            self.app.bell()

    def action_begin(self) -> None:
        """Give it back, when it makes sense."""
        taggers = tuple(tagger for place, tagger in enumerate(self._found) if place in self._ticked)
        if not taggers:
            self._say(
                _("Tick a tagger, or fetch one.") if self._found else _("No tagger is on this disk: f fetches one.")
            )
            self.rows.focus()
            return
        general = self._threshold("general")
        character = self._threshold("character") if self.query_one("#characters", Check).value else OFF
        if general is None or character is None:
            return
        rules = Rules(
            general=general,
            character=character,
            undesired=tuple(tags_of(self.query_one("#undesired", Input).value)),
            most=int(self.query_one("#most", Input).value or 0),
        )
        self.dismiss(WriteChoice(taggers, rules, self._mode()))

    def _threshold(self, field: str) -> float | None:
        """The number in a field; None, and why is said, when it cannot be one."""
        entered = self.query_one(f"#{field}", Input)
        try:
            value = float(entered.value.replace(",", "."))
        except ValueError:
            value = 0.0
        if _LEAST <= value <= _MOST:
            return value
        self._say(_("How sure a tagger must be is a number from {least} to {most}.").format(least=_LEAST, most=_MOST))
        entered.focus()
        return None

    def _mode(self) -> Mode:
        return next(mode for mode in ("keep", "append", "replace") if mode == self.mode.chosen)

    def _entered(self) -> list[object]:
        return [*(field.value for field in self.query(Input)), self.query_one("#characters", Check).value]

    def _say(self, words: str) -> None:
        self._judged = self._entered()
        self.query_one("#trouble", Text).update(words)

    def _say_mode(self) -> None:
        self.query_one("#does", Text).update(_does(self._mode(), self._present))

    def _counts(self) -> str:
        there = self._present
        drawings = ngettext("{n} drawing", "{n} drawings", there.drawings).format(n=there.drawings)
        if not there.captioned:
            return _("{drawings}, none with a caption yet.").format(drawings=drawings)
        words = _("{drawings}, {captioned} with a caption; {by_hand} of these by your hand.")
        return words.format(drawings=drawings, captioned=there.captioned, by_hand=there.by_hand)

    def _about(self) -> str:
        item = self.rows.item
        if item is None:
            return ""
        if item >= len(self._found):
            known = self._missing[item - len(self._found)]
            by_hand = _("f fetches it from {repository}; or put {files} in {folder}.").format(
                repository=known.repository,
                files=", ".join(name.replace("|", " / ") for name in known.missing(known.folder)),
                folder=shown(known.folder),
            )
            return f"{known.good_for()}\n{by_hand}"
        tagger = self._found[item]
        if tagger.in_the_box:
            return _("It knows little, and is quick: good to see how it goes, and for drawings like emoji.")
        listed = entry(tagger.id)
        return listed.good_for() if listed else str(tagger.model.parent)

    def _line(self, item: int, width: int) -> Content:
        if item < len(self._found):
            tagger = self._found[item]
            mark = ("[✓] ", "$text-success bold") if item in self._ticked else ("[ ] ", "")
            return Content.assemble(mark, fitting(tagger.name, 24), " ", _writes(tagger.kind))
        known = self._missing[item - len(self._found)]
        weight = size(known.size) if known.size else ""
        words = _("not on this disk") + (f", {weight}" if weight else "")
        return Content.assemble(
            ("[f] " + fitting(known.name, 24) + " " + _writes(known.kind) + "  ", "$foreground-muted"),
            (plain(words), "$text-warning"),
        )


def _writes(kind: str) -> str:
    return fitting(_("tags") if kind == "tags" else _("sentences"), _KIND)


def _modes() -> list[Choice]:
    return [
        Choice("keep", _("stay")),
        Choice("append", _("get more tags")),
        Choice("replace", _("are written anew")),
    ]


def _does(mode: Mode, present: Present) -> str:
    """What the mode comes to."""
    if mode == "keep":
        empty = present.drawings - present.captioned
        return ngettext("{n} empty caption is filled.", "{n} empty captions are filled.", empty).format(n=empty)
    if mode == "append":
        return _("What they lack is added at their ends; nothing is taken away.")
    if not present.by_hand:
        return _("All are written anew; z brings the old ones back.")
    return ngettext(
        "{n} caption by your hand is overwritten; z brings it back.",
        "{n} captions by your hand are overwritten; z brings them back.",
        present.by_hand,
    ).format(n=present.by_hand)
