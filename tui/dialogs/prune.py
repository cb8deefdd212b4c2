"""Which tags to take out of all captions: each with its reason, and nothing taken that is not ticked."""

from collections.abc import Sequence
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from core.captions.prune import Group, Proposal, group_words
from core.language import _, ngettext
from core.project import Kind
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import fitting, plain

_TAG, _COUNT = 26, 6
"""Cells of a line for the tag and for the captions that bear it."""
_LONGEST = 80
"""Letters of a tag within a sentence."""


class Prune(Dialog[list[str]]):
    """The tags that are to go."""

    BINDINGS: ClassVar[list[BindingType]] = bind("list.tick", "list.group", "list.all", "list.none", "list.take")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Prune > #box { width: 96%; height: 94%; }
    Prune #advice { height: auto; color: $text-muted; }
    Prune #about { height: 3; margin-top: 1; border-top: solid $panel; }
    Prune #count { height: 1; text-style: bold; }
    """

    rows = getters.query_one(Rows)

    def __init__(self, proposals: Sequence[Proposal], kind: Kind) -> None:
        super().__init__()
        self._proposals, self._kind = proposals, kind
        self._going = {place for place, one in enumerate(proposals) if not one.keep}
        self._heads: list[tuple[bool, Group]] = []
        """What each heading stands for; as an item, heading number n is −1 − n."""
        self._members: dict[int, list[int]] = {}
        for place, one in enumerate(proposals):
            if not self._heads or self._heads[-1] != (one.keep, one.group):
                self._heads.append((one.keep, one.group))
                self._members[-len(self._heads)] = []
            self._members[-len(self._heads)].append(place)
        self._head_of = {place: head for head, places in self._members.items() for place in places}

    def compose(self) -> ComposeResult:
        """The groups with their tags, and the reason for the one under the cursor."""
        advice = (
            _("What is not named becomes a part of the style. Name what a drawing shows, not how it is drawn.")
            if self._kind == "style"
            else _(
                "What is not named becomes a part of the character. Name what changes, not what always belongs to it."
            )
        )
        with Vertical(id="box"):
            yield Text(_("What to leave out of the captions"), id="title")
            yield Text(advice, id="advice")
            yield Rows(self._line)
            yield Text(id="about")
            yield Text(id="count")
            yield Text(
                _(
                    "Space ticks · g the group · A all proposed · N none\n"
                    "Enter takes the ticked ones out · Esc leaves them"
                ),
                classes="hint",
            )

    def on_mount(self) -> None:
        """The proposals as they were made."""
        items = [item for head, places in self._members.items() for item in (head, *places)]
        self.rows.show(items)
        if len(items) > 1:
            self.rows.cursor = 1
        self._show_count()

    @on(Rows.Moved)
    def moved(self) -> None:
        """The whole reason."""
        item = self.rows.item
        words = ""
        if item is not None and item >= 0:
            one = self._proposals[item]
            words = f"“{_cut(one.tag)}”: {one.reason}"
        elif item is not None:
            words = group_words(self._heads[-1 - item][1])
        self.query_one("#about", Text).update(words)

    def action_tick(self) -> None:
        """The tag under the cursor goes, or stays; on a heading its group."""
        item = self.rows.item
        if item is None:
            return
        if item < 0:
            self.action_group()
        else:
            self._going ^= {item}
            self._show_count()
        self.rows.action_cursor_down()

    def action_group(self) -> None:
        """All of the group go, or all stay."""
        item = self.rows.item
        if item is None:
            return
        members = set(self._members[item if item < 0 else self._head_of[item]])
        self._going = self._going - members if members <= self._going else self._going | members
        self._show_count()

    def action_all(self) -> None:
        """Everything goes that was proposed to go."""
        self._going = {place for place, one in enumerate(self._proposals) if not one.keep}
        self._show_count()

    def action_none(self) -> None:
        """Everything stays."""
        self._going = set()
        self._show_count()

    def action_take(self) -> None:
        """Give the ticked ones back."""
        self.dismiss([self._proposals[place].tag for place in sorted(self._going)])

    def _show_count(self) -> None:
        count = len(self._going)
        words = ngettext("{n} tag goes.", "{n} tags go.", count).format(n=count) if count else _("No tag goes.")
        self.query_one("#count", Text).update(words)
        self.rows.refresh()

    def _line(self, item: int, width: int) -> Content:
        if item < 0:
            return self._heading(item, width)
        one = self._proposals[item]
        mark = ("  [✓] ", "$text-error bold") if item in self._going else ("  [ ] ", "")
        rest = max(0, width - 6 - _TAG - _COUNT - 2)
        return Content.assemble(
            mark,
            fitting(one.tag, _TAG),
            f"{one.count:>{_COUNT}}  ",
            (fitting(one.reason, rest), "$foreground-muted"),
        )

    def _heading(self, item: int, width: int) -> Content:
        keep, group = self._heads[-1 - item]
        members = self._members[item]
        going = sum(place in self._going for place in members)
        advice = _("better kept") if keep else _("better left out")
        words = f"{group_words(group)}: {advice}  {going}/{len(members)}"
        return Content.assemble((fitting(words, width), "bold $text-primary"))


def _cut(tag: str) -> str:
    shown = plain(tag)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
