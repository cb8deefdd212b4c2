"""How drawings are treated on their way into the training: shape and paper, for one or for all."""

import re
from typing import Any

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Checkbox, Input, OptionList
from textual.widgets.option_list import Option

from core.images.treatment import Treatment
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.widgets.check import Check
from tui.widgets.text import Text
from tui.words import shortened

PAPERS = {"white": "#ffffff", "grey": "#808080", "black": "#000000"}


class Treated(Struct, frozen=True):
    """What was chosen, and for which drawings."""

    chosen: dict[str, Any]
    """Fields of `Treatment` with their new values."""
    all_shown: bool


class Treat(Dialog[Treated]):
    """Crop or keep whole; the paper under see-through parts."""

    DEFAULT_CSS = """
    Treat > #box { width: 66; }
    Treat OptionList { height: auto; border: none; padding: 0; background: $surface; }
    Treat Checkbox { border: none; padding: 0; background: $surface; }
    """

    def __init__(self, name: str, present: Treatment, shown: int) -> None:
        super().__init__()
        self._drawing, self._present, self._shown = name, present, shown

    def compose(self) -> ComposeResult:
        """The choices, the present ones marked."""
        fit, paper = self._present.fit, self._present.background
        with Vertical(id="box"):
            yield Text(_("Treatment of {name}").format(name=shortened(self._drawing, 40)), id="title")
            yield Check(
                ngettext("for the {n} drawing shown", "for all {n} drawings shown", self._shown).format(n=self._shown),
                id="all",
            )
            yield OptionList(
                Option(_mark(fit == "crop") + _("Fill the bucket: what stands over is cropped"), id="fit:crop"),
                Option(_mark(fit == "pad") + _("Keep it whole: the rest is filled with paper"), id="fit:pad"),
                *(Option(_mark(paper == value) + _paper(key), id=f"paper:{value}") for key, value in PAPERS.items()),
                markup=False,
            )
            yield Text(_("Another paper, as #rrggbb:"), classes="hint")
            yield Input(paper, id="paper", max_length=7, restrict="#?[0-9a-fA-F]*")
            yield Text(_("Enter chooses, Esc leaves it as it is. The file itself is never changed."), classes="hint")

    def on_mount(self) -> None:
        """Begin at the choices."""
        self.query_one(Input).cursor_blink = False
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def choose(self, chosen: OptionList.OptionSelected) -> None:
        """Take one."""
        kind, _colon, value = str(chosen.option.id).partition(":")
        self._take({"fit" if kind == "fit" else "background": value})

    @on(Input.Submitted)
    def another(self, submitted: Input.Submitted) -> None:
        """A colour that was typed."""
        if re.fullmatch("#[0-9a-fA-F]{6}", submitted.value):
            self._take({"background": submitted.value.lower()})
        else:
            self.app.bell()

    def _take(self, chosen: dict[str, Any]) -> None:
        self.dismiss(Treated(chosen, self.query_one(Checkbox).value))


def _mark(present: bool) -> str:
    return "● " if present else "○ "


def _paper(key: str) -> str:
    return {"white": _("White paper"), "grey": _("Grey paper"), "black": _("Black paper")}[key]
