"""Driving one dialog by itself: what it shows, and what it gives back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

import tui
from tests.tui.piloting import TERMINAL, driven, text
from tui.dialogs.dialog import Dialog

OPEN = object()
"""The answer of a dialog that has not given one."""
HOSTILE = "[red]x[/red], \x1b[31mred\x07, \udcff\u202eabc, line\nend\r\nmore, " + "y" * 10_000 + ", " + "漢字, " * 50
"""What nobody should type, and somebody does."""


class Frame(App[None]):
    """Nothing but a dialog."""

    CSS_PATH = Path(tui.__file__).with_name("app.tcss")

    def __init__(self, dialog: Dialog[Any]) -> None:
        super().__init__()
        self.dialog, self.terminal, self.answer = dialog, TERMINAL, OPEN

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.take)

    def take(self, answer: Any) -> None:
        self.answer = answer


@asynccontextmanager
async def asking(dialog: Dialog[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Frame, Pilot[None]]]:
    app = Frame(dialog)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def answer_to(dialog: Dialog[Any], *keys: str) -> Any:
    """What a dialog gives back after these keys; OPEN when it is still there."""
    answers = []

    async def journey() -> None:
        async with asking(dialog) as (app, pilot):
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            answers.append(app.answer)

    driven(journey)
    return answers[0]


def seen(dialog: Dialog[Any], *keys: str, size: tuple[int, int] = (80, 24)) -> str:
    """What stands on the screen after these keys."""
    screens = []

    async def journey() -> None:
        async with asking(dialog, size) as (app, pilot):
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            screens.append(text(app))

    driven(journey)
    return screens[0]


def fits(dialog: Dialog[Any], size: tuple[int, int], texts: str = "#box > Text", may_hide: bool = False) -> None:
    """All of a dialog is seen at this size, and Tab leads to everything; a text that is not shown must be meant so."""

    async def journey() -> None:
        async with asking(dialog, size) as (app, pilot):
            box = app.screen.query_one("#box")
            assert box.region.bottom <= size[1] and box.region.right <= size[0]
            focusable = list(app.screen.focus_chain)
            for widget in [*focusable, *app.screen.query(texts)]:
                if widget.display or not may_hide:
                    assert box.region.contains_region(widget.region), (widget, widget.region)
            for hint in app.screen.query(".hint"):
                lines = str(hint.visual).count("\n") + 1
                assert hint.region.height == lines, "a hint is too long for its line"
            reached = set()
            for _turn in focusable:
                reached.add(app.focused)
                await pilot.press("tab")
            assert set(focusable) <= reached

    driven(journey)
