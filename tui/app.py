"""The app: shows the wizard's screens, errors and the palette, and leaves a clean terminal however it ends."""

import asyncio
import signal
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work as worker
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.worker import Worker, WorkerState

from core import preferences
from core.errors import BocetoError
from core.language import _
from core.runs.run import Run
from tui import themes, wizard
from tui.dialogs.dialog import Ask, Option, Trouble
from tui.glyphs import Ascii
from tui.keys import KEYS, bind, spoken
from tui.terminal import Terminal
from tui.type_ahead import TypeAhead
from tui.work import Work

if TYPE_CHECKING:
    from tui.screens.step import StepScreen

_TWICE = 2.0
"""Seconds in which a second ctrl+c means it."""


class BocetoApp(TypeAhead[int]):
    """The wizard in a terminal."""

    TITLE = "Boceto"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("quit", "interrupt", "palette", "suspend")
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(self, terminal: Terminal, work: Work, at: str, chosen: preferences.Preferences) -> None:
        super().__init__()
        self._bindings = spoken(self._bindings)
        self.terminal = terminal
        self.chosen = chosen
        self._begin = work, at
        self._interrupted = 0.0
        for theme in themes.THEMES:
            self.register_theme(theme)
        if terminal.colours in ("none", "16"):
            self.theme = "ansi-dark"
        else:
            self.theme = chosen.theme if chosen.theme in self.available_themes else themes.DEFAULT
        # One filter for good: drawn lines are remembered by the filters they went through.
        self._ascii = [] if terminal.unicode else [Ascii()]
        self.set_keymap(chosen.keys)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through before it is sent."""
        return [*super().get_line_filters(), *self._ascii]

    def on_mount(self) -> None:
        """Begin, and be ready to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Without this the terminal stays on the other screen, with the mouse reporting every move.
            loop.add_signal_handler(number, self._end, number)
        # After ctrl+z and fg the screen would stay blank.
        self.app_resume_signal.subscribe(self, lambda _app: self.refresh(layout=True))
        self.theme_changed_signal.subscribe(self, lambda theme: self._keep_theme(theme.name))
        self.run_wizard()

    @worker(exit_on_error=True)
    async def run_wizard(self) -> None:
        """One screen after the other, to the end."""
        await wizard.wizard(self, *self._begin)
        self.exit(0)

    async def ask(self, screen: "StepScreen") -> tuple[Work, str]:
        """Show a screen in the place of the one before, until it is answered."""
        errors = []
        while isinstance(self.screen, ModalScreen):  # what it asked about goes; what went wrong is still to be read
            if isinstance(self.screen, Trouble):
                errors.append(self.screen.error)
            await self.pop_screen()
        await (self.switch_screen(screen) if len(self.screen_stack) > 1 else self.push_screen(screen))
        for error in reversed(errors):
            self.show_error(error)
        self.release_keys()
        answer = await screen.answer
        self.hold_keys()
        return answer

    @property
    def step(self) -> "StepScreen | None":
        """The wizard's screen, also where a dialog lies over it."""
        from tui.screens.step import StepScreen

        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, StepScreen)), None)

    def show_error(self, error: BocetoError) -> None:
        """The one place where the screen says what went wrong."""
        self.push_screen(Trouble(error))

    def on_worker_state_changed(self, changed: Worker.StateChanged) -> None:
        """What a worker could not do is said; what nobody expected is raised."""
        error = changed.worker.error
        if changed.state is not WorkerState.ERROR or error is None:
            return
        if isinstance(error, BocetoError):
            self.show_error(error)
        elif not changed.worker.exit_on_error:
            self._handle_exception(error)  # type: ignore[arg-type]

    async def run_action(self, *arguments: Any, **options: Any) -> bool:
        """Do what a key asks for; what cannot be done is said."""
        try:
            return await super().run_action(*arguments, **options)
        except BocetoError as error:
            self.show_error(error)
            return True

    def action_command_palette(self) -> None:
        """Every action, to be found by its name."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder=_("Find an action …"), id="--command-palette"))

    async def action_quit(self) -> None:
        """Leave; a training that runs goes on unless the person says otherwise."""
        if not isinstance(self.screen, Ask):
            self.ask_to_quit()

    @worker(exclusive=True, group="quit")
    async def ask_to_quit(self) -> None:
        """Ask when a training runs, and leave."""
        step = self.step
        run = step.work.run if step else None
        if run and run.is_alive():
            answer = await self.push_screen_wait(
                Ask(
                    _("A training is running"),
                    _(
                        "It is a process of its own: it goes on when this window is closed, and `boceto` finds it "
                        "again."
                    ),
                    (
                        Option("leave", _("Leave it running"), "primary"),
                        Option("stop", _("Stop and save")),
                        Option("cancel", _("Cancel")),
                    ),
                )
            )
            if answer == "stop":
                await self._stop(run)
            elif answer != "leave":
                return
        self._keep_answers()
        self.exit(0)

    def action_interrupt(self) -> None:
        """Ctrl+C: once by mistake is nothing, twice is meant."""
        now = asyncio.get_running_loop().time()
        if now - self._interrupted < _TWICE:
            self._keep_answers()
            self.exit(0)
        self._interrupted = now
        self.notify(_("Press Ctrl+C again to quit. A training that runs goes on."), timeout=_TWICE)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action that counts where one is, for the palette."""
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if binding.id in KEYS and binding.id not in seen and binding.id != "palette" and active.enabled:
                seen.add(binding.id)
                keys = self.get_key_display(binding)
                yield SystemCommand(
                    binding.description,
                    _("key {key}").format(key=keys),
                    lambda action=binding.action, node=node: self.call_later(self.run_action, action, node),
                )
        yield SystemCommand(_("Colours"), _("Choose another theme"), self.action_change_theme)

    async def _stop(self, run: Run) -> None:
        from core.runs.launch import stop

        self.notify(_("The training saves and stops …"))
        await asyncio.to_thread(stop, run, 60.0)

    def _end(self, number: int) -> None:
        self._keep_answers()
        self.exit(128 + number)

    def _keep_answers(self) -> None:
        """What was answered on the screen one leaves is kept as well."""
        if self.step:
            try:
                self.step.kept(self.step.AT, strict=False)
            except BocetoError as error:
                self.log.error(str(error))

    def _keep_theme(self, name: str) -> None:
        if self.terminal.colours not in ("none", "16") and name != self.chosen.theme:
            try:
                self.chosen = preferences.change(theme=name)
            except BocetoError as error:
                self.show_error(error)
