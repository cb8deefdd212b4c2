"""What every screen of the wizard has: where one is, what the guide says, why there is no going on, back and next."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Button, Footer
from textual.worker import Worker

from core.errors import BocetoError
from core.language import _
from tui import wizard
from tui.app import BocetoApp
from tui.keys import bind, spoken
from tui.widgets.rail import Rail
from tui.widgets.text import Text
from tui.words import cells
from tui.work import Work

if TYPE_CHECKING:
    from tui.widgets.picture import Picture


class StepScreen(Screen[None]):
    """One screen of the wizard: takes the work, and gives it back with its answers."""

    AT: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = bind("help", "back", "next")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = "#body *"

    app = getters.app(BocetoApp)
    status = getters.query_one("#status", Text)

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._bindings = spoken(self._bindings)
        self.work = work
        self._wanted = False
        self._lines = 0
        self.answer: asyncio.Future[tuple[Work, str]] = asyncio.get_running_loop().create_future()

    @property
    def guide(self) -> str:
        """What the guide would say here, in a sentence."""
        return ""

    @property
    def explained(self) -> str:
        """What one can do here, for the help."""
        return ""

    @property
    def obstacle(self) -> str:
        """Why one cannot go on yet; empty when one can."""
        return ""

    @property
    def busy(self) -> bool:
        """Whether the obstacle goes away by itself: then one goes on as soon as it has."""
        return False

    def content(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

    def answered(self) -> Work:
        """The work with what was answered here. Raises BocetoError when an answer cannot be."""
        return self.work

    def compose(self) -> ComposeResult:
        """Frame and content."""
        yield Rail(self.AT, self.work.project.name)
        yield Text(self.guide, id="guide")
        with Vertical(id="body"):
            yield from self.content()
        with Horizontal(id="bar"):
            yield Text(id="status")
            yield from self.buttons()
        yield Footer(show_command_palette=False, compact=True)

    def buttons(self) -> Iterator[Button]:
        """What leads away from here, for those who look for a button."""
        if wizard.before(self.AT) != self.AT:
            yield Button(_("Back"), id="back", compact=True)
        yield Button(_("Next"), id="next", compact=True, variant="primary")

    def on_mount(self) -> None:
        """Say at once whether one can go on. Cursors do not blink: a screen that rests sends nothing."""
        for field in self.query("Input"):
            field.cursor_blink = False  # type: ignore[attr-defined]
        self.say()

    def on_worker_state_changed(self, changed: Worker.StateChanged) -> None:
        """Errors of this screen's workers are shown where all are: the message does not go up by itself."""
        self.app.on_worker_state_changed(changed)

    def action_pictures(self) -> None:
        """Another way to show pictures."""
        for picture in self._on_screen():
            picture.cycle()
            self.say(picture.says)

    def on_screen_suspend(self) -> None:
        """Pixels would lie over a dialog."""
        for picture in self._on_screen():
            picture.hold()

    def on_screen_resume(self) -> None:
        """The dialog is gone."""
        for picture in self._on_screen():
            picture.release()

    def _on_screen(self) -> "Iterator[Picture]":
        # By its name: the first screen has none, and need not wait for what pictures need.
        return (widget for widget in self.query("Picture"))  # type: ignore[misc]

    def say(self, words: str = "") -> None:
        """Show `words` in the line at the bottom, or why one cannot go on."""
        obstacle = self.obstacle
        said = words or obstacle
        lines = -(-cells(said) // max(1, self.status.size.width))
        # To lay the screen out anew takes longer than to draw it, and is only needed for another number of lines.
        self.status.update(said, layout=lines != self._lines)
        self._lines = lines
        self.status.set_class(bool(obstacle) and not words, "-obstacle")
        if self._wanted and not obstacle:
            self._wanted = False
            self.call_later(self.action_next)

    # Handlers of their own: Textual calls those of every class in turn, so that one that is overridden would count too.
    @on(Button.Pressed, "#next")
    def _next_pressed(self) -> None:
        self.action_next()

    @on(Button.Pressed, "#back")
    def _back_pressed(self) -> None:
        self.action_back()

    def action_next(self) -> None:
        """Go on, or say why not."""
        if self.obstacle:
            self._wanted = self.busy
            self.say()
            if not self.busy:
                self.app.bell()
            return
        self.leave(wizard.after(self.AT))

    def action_back(self) -> None:
        """Go back; what was answered so far is kept."""
        self._wanted = False
        self.leave(wizard.before(self.AT), strict=False)

    def leave(self, to: str, strict: bool = True) -> None:
        """Give the work back and let another screen come; not `strict`, an answer that cannot be stays as it was."""
        try:
            work = self.kept(to, strict)
        except BocetoError as error:
            self.app.show_error(error)
            return
        if not self.answer.done():
            self.app.hold_keys()
            self.answer.set_result((work, to))

    def kept(self, at: str, strict: bool = True) -> Work:
        """The work with what was answered here, written down with `at` as the screen to come back to.

        Raises BocetoError when it cannot be written, or, if `strict`, when an answer cannot be.
        """
        try:
            work = self.answered()
        except BocetoError:
            if strict:
                raise
            work = self.work
        work = work.with_project(replace(work.project, at=at))
        work.keep()
        return work

    def action_help(self) -> None:
        """Explain this screen and its keys."""
        from tui.dialogs.help import Help

        words = "\n\n".join(part for part in (self.guide, self.explained) if part)
        self.app.push_screen(Help(wizard.title(self.AT), words, self))
