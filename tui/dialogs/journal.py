"""The journal: everything that was done to the captions; Enter goes back to any point of it, or forward again."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from core.captions.journal import Step
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import ago, fitting

_AGO = 14
"""Cells for how long ago a step was made: “hace 119 días”."""
_COUNT = 6


class Journal(Dialog[int]):
    """How many of the steps are to be made; None leaves all as they are. The latest step stands on top."""

    BINDINGS: ClassVar[list[BindingType]] = bind("journal.go")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Journal > #box { width: 96%; max-width: 110; height: 94%; }
    Journal #about { height: 2; margin-top: 1; }
    """

    rows = getters.query_one(Rows)

    def __init__(self, steps: Sequence[Step], position: int) -> None:
        super().__init__()
        self._steps, self._position = steps, position
        self._now = time.time()

    def compose(self) -> ComposeResult:
        """The steps, and what Enter would do."""
        with Vertical(id="box"):
            yield Text(_("What was done"), id="title")
            yield Rows(self._line)
            yield Text(id="about")
            yield Text(_("Enter goes there, Esc leaves everything as it is."), classes="hint")

    def on_mount(self) -> None:
        """Begin where one is."""
        self.rows.show(range(len(self._steps), -1, -1), stay_on=self._position)

    @on(Rows.Moved)
    def moved(self) -> None:
        """Say what going there would do."""
        place = self.rows.item
        if place is None:
            return
        apart = place - self._position
        if apart == 0:
            words = _("You are here.")
        elif apart < 0:
            words = ngettext("Enter takes back {n} step.", "Enter takes back {n} steps.", -apart).format(n=-apart)
        else:
            words = ngettext("Enter makes {n} step again.", "Enter makes {n} steps again.", apart).format(n=apart)
        made = _made(self._steps[place - 1].t) if place else ""
        self.query_one("#about", Text).update(Content.assemble(words, "\n", (made, "$foreground-muted")))

    def action_go(self) -> None:
        """Give the place back."""
        place = self.rows.item
        self.dismiss(None if place == self._position else place)

    def _line(self, place: int, width: int) -> Content:
        here = place == self._position
        mark = ("● ", "$text-primary") if here else "  "
        if place == 0:
            return Content.assemble(mark, fitting(_("Before the first change"), max(1, width - 2)))
        step, undone = self._steps[place - 1], place > self._position
        name = "(" + _("taken back") + f") {step.name}" if undone else step.name
        return Content.assemble(
            mark,
            (fitting(ago(self._now - step.t), _AGO), "$foreground-muted"),
            (f"{step.count:>{_COUNT}}  ", "$foreground-muted"),
            (fitting(name, max(1, width - 4 - _AGO - _COUNT)), "$foreground-muted" if undone else ""),
        )


def _made(t: float) -> str:
    """The time of a step on the clock of this machine; none when the file holds no time that a clock can show."""
    try:
        return datetime.fromtimestamp(t).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return ""
