"""The sweep: one tag, drawing by drawing, and for each a yes or a no."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import getters, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from core.language import _, ngettext
from tui.dialogs.dialog import Ask, Dialog, Option
from tui.keys import bind
from tui.terminal import Terminal
from tui.widgets.picture import Picture, Shown
from tui.widgets.text import Text
from tui.words import shortened

_AHEAD = 2
"""Drawings that are opened before they are asked for."""
_MOST = 600
"""Characters of a caption that are shown below its drawing."""


class Swept(Struct, frozen=True):
    """One drawing that is asked about."""

    index: int
    """Its number in the survey."""
    shown: Shown
    name: str
    caption: str
    has: bool
    """Whether its caption has the tag."""


class Sweep(Dialog[dict[int, bool]]):
    """Whether the tag belongs to each drawing that was decided on, by its number; None when nothing was."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "sweep.yes", "sweep.no", "sweep.leave", "sweep.on", "sweep.before", "pictures"
    )
    DEFAULT_CSS = """
    Sweep > #box { width: 96%; height: 96%; }
    Sweep #question { height: 1; }
    Sweep #caption { height: auto; max-height: 3; margin-top: 1; }
    """

    picture = getters.query_one(Picture)

    def __init__(self, terminal: Terminal, tag: str, rows: Sequence[Swept]) -> None:
        super().__init__()
        self._terminal, self._tag, self._rows = terminal, tag, rows
        self._at = 0
        self._decided: dict[int, bool] = {}

    def compose(self) -> ComposeResult:
        """The question, the drawing as large as it goes, its caption."""
        with Vertical(id="box"):
            yield Text(id="title")
            yield Text(id="question")
            yield Picture(self._terminal)
            yield Text(id="caption")
            yield Text(
                _("y yes · n no · Space as it is · Backspace back · i pictures · Esc ends"),
                classes="hint",
            )

    def on_mount(self) -> None:
        """The first drawing."""
        self._show()

    def on_screen_suspend(self) -> None:
        """Pixels would lie over a question."""
        self.picture.hold()

    def on_screen_resume(self) -> None:
        """It is answered."""
        self.picture.release()

    def action_decide(self, has: bool) -> None:
        """Yes or no, and on."""
        if self._at < len(self._rows):
            self._decided[self._rows[self._at].index] = has
            self._move(1)

    def action_leave(self) -> None:
        """This caption stays as it is."""
        if self._at < len(self._rows):
            self._decided.pop(self._rows[self._at].index, None)
            self._move(1)

    def action_on(self) -> None:
        """To the next; after the last, give back what was decided."""
        if self._at < len(self._rows):
            self._move(1)
        else:
            self.dismiss(self._decided or None)

    def action_before(self) -> None:
        """One back, to decide otherwise."""
        self._move(-1)

    def action_pictures(self) -> None:
        """Another way to show pictures."""
        self.picture.cycle()

    def action_back(self) -> None:
        """End; what was decided is not lost by mistake."""
        if self._decided:
            self._ask()
        else:
            self.dismiss(None)

    @work
    async def _ask(self) -> None:
        count = len(self._decided)
        answer = await self.app.push_screen_wait(
            Ask(
                ngettext("You decided on {n} drawing.", "You decided on {n} drawings.", count).format(n=count),
                _("What was decided can be kept, and the rest stays as it is."),
                (
                    Option("keep", _("Keep what was decided"), "primary"),
                    Option("drop", _("Drop it")),
                    Option("on", _("Go on")),
                ),
            )
        )
        if answer == "keep":
            self.dismiss(self._decided)
        elif answer == "drop":
            self.dismiss(None)

    def _move(self, step: int) -> None:
        self._at = max(0, min(self._at + step, len(self._rows)))
        self._show()

    def _show(self) -> None:
        total, tag = len(self._rows), shortened(self._tag, 40)
        if self._at == total:
            self._show_end()
            return
        row = self._rows[self._at]
        self.query_one("#title", Text).update(
            Content.assemble(
                _("Is “{tag}” in this drawing?").format(tag=tag),
                ("   " + _("{n} of {most}").format(n=self._at + 1, most=total), "$foreground-muted"),
            )
        )
        now = ("✓ ", _("its caption has it")) if row.has else ("· ", _("its caption lacks it"))
        parts: list[tuple[str, str]] = [(shortened(row.name, 28), "bold"), ("  ", ""), ("".join(now), "")]
        if (decided := self._decided.get(row.index)) is not None:
            words = _("you said yes") if decided else _("you said no")
            parts.append((f"  → {words}", "bold $text-accent"))
        self.query_one("#question", Text).update(Content.assemble(*parts))
        self.query_one("#caption", Text).update(row.caption[:_MOST])
        self.picture.show(None)  # nobody is to judge the drawing before by mistake
        self.picture.show(row.shown)
        ahead = self._rows[self._at + 1 : self._at + 1 + _AHEAD]
        self.picture.prefetch([one.shown.path for one in ahead], row.shown.background)

    def _show_end(self) -> None:
        yes = sum(self._decided.values())
        title = _("That was the last one.") if self._rows else _("There is no drawing to ask about.")
        self.query_one("#title", Text).update(title)
        self.query_one("#question", Text).update(
            _("{yes} with it, {no} without it, {left} as they are").format(
                yes=yes, no=len(self._decided) - yes, left=len(self._rows) - len(self._decided)
            )
        )
        self.query_one("#caption", Text).update(_("Enter keeps this, Backspace goes one back."))
        self.picture.show(None)
