"""One caption beside what the taggers saw in its drawing: what to add, and what to take away."""

from collections.abc import Sequence
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from core.captions.caption import tags_of
from core.language import _, ngettext
from core.taggers.tagger import Category, Scored
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import fitting, shortened

_BAR, _SIDE = 10, 24
"""Cells of a line for the bar of a score, and for what becomes of the tag."""
_UNSURE = 30
"""Tags below the threshold that are offered too, the surest first; there are hundreds, most of them noise."""

Answer = tuple[list[str], list[str]]
"""Tags to add, and tags to take away."""


class Seen(Dialog[Answer]):
    """Which of the seen tags the caption gets, and which of its own it loses; None when nothing is to change."""

    BINDINGS: ClassVar[list[BindingType]] = bind("list.tick", "list.all_seen", "list.none", "list.take")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Seen > #box { width: 76; height: 94%; }
    Seen #count { height: 1; text-style: bold; }
    """

    rows = getters.query_one(Rows)

    def __init__(self, name: str, caption: str, tags: Sequence[Scored], threshold: float) -> None:
        super().__init__()
        self._drawing, self._threshold = name, threshold
        own = {tag.casefold(): tag for tag in tags_of(caption)}
        scores: dict[str, Scored] = {}
        for scored in tags:
            known = scores.get(scored.tag.casefold())
            if known is None or known.score < scored.score:
                scores[scored.tag.casefold()] = scored
        ranked = sorted(scores, key=lambda key: (-scores[key].score, key))
        offered = [key for key in ranked if key in own or scores[key].category is not Category.RATING]
        sure = [key for key in offered if key in own or scores[key].score >= threshold]
        unsure = [key for key in offered if key not in own and scores[key].score < threshold]
        keys = [*sure, *(key for key in own if key not in scores), *unsure[:_UNSURE]]
        self._tags = [own.get(key) or scores[key].tag for key in keys]
        self._scores = [scores[key].score if key in scores else None for key in keys]
        self._own = [key in own for key in keys]
        self._changed: set[int] = set()

    def compose(self) -> ComposeResult:
        """The tags, the surest first."""
        with Vertical(id="box"):
            yield Text(_("What was seen in {name}").format(name=shortened(self._drawing, 40)), id="title")
            yield Text(_("✓ in the caption · + seen, not in it · − in it, not seen"), classes="hint")
            yield Rows(self._line)
            yield Text(id="count")
            yield Text(
                _("Space adds or removes · a adds all + · N none\nEnter takes it · Esc leaves it"), classes="hint"
            )

    def on_mount(self) -> None:
        """Nothing is changed yet."""
        self.rows.show(range(len(self._tags)))
        self._show_count()

    def action_tick(self) -> None:
        """Add the tag, or take it away; or leave it as it was."""
        if self.rows.item is not None:
            self._changed ^= {self.rows.item}
            self._show_count()
            self.rows.action_cursor_down()

    def action_all_seen(self) -> None:
        """Add everything that was surely seen."""
        self._changed |= {item for item in range(len(self._tags)) if self._sign(item) == "+"}
        self._show_count()

    def action_none(self) -> None:
        """Leave the caption as it is."""
        self._changed = set()
        self._show_count()

    def action_take(self) -> None:
        """Give it back."""
        changed = sorted(self._changed)
        add = [self._tags[item] for item in changed if not self._own[item]]
        remove = [self._tags[item] for item in changed if self._own[item]]
        self.dismiss((add, remove) if changed else None)

    def _sign(self, item: int) -> str:
        score = self._scores[item]
        if self._own[item]:
            return "−" if score is None else "✓"
        return "+" if score is not None and score >= self._threshold else "·"

    def _show_count(self) -> None:
        add = sum(not self._own[item] for item in self._changed)
        remove = len(self._changed) - add
        parts = []
        if add:
            parts.append(ngettext("{n} tag is added", "{n} tags are added", add).format(n=add))
        if remove:
            parts.append(ngettext("{n} tag is removed", "{n} tags are removed", remove).format(n=remove))
        self.query_one("#count", Text).update(", ".join(parts) or _("The caption stays as it is."))
        self.rows.refresh()

    def _line(self, item: int, width: int) -> Content:
        sign, score = self._sign(item), self._scores[item]
        colour = {"✓": "", "+": "$text-success", "−": "$text-warning", "·": "$foreground-muted"}[sign]
        becomes = ""
        if item in self._changed:
            becomes = _("→ is removed") if self._own[item] else _("→ is added")
        full = 0 if score is None else round(score * _BAR)
        bar = "" if score is None else "━" * full + "─" * (_BAR - full)
        shown = "" if score is None else f"{score:.2f}"
        name = max(1, width - 2 - 5 - 1 - _BAR - 2 - _SIDE)
        return Content.assemble(
            (f"{sign} ", f"{colour} bold"),
            (fitting(self._tags[item], name), colour),
            f"{shown:>5} ",
            (f"{bar:<{_BAR}}", "$foreground-muted"),
            "  ",
            (fitting(becomes, _SIDE), "bold"),
        )
