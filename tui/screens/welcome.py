"""Welcome: what will happen, what this machine has, and where to go on."""

import time
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core import paths
from core.checkup import Finding, checkup
from core.errors import BocetoError
from core.language import _
from core.project import Place, Project, places
from core.runs.run import Run, runs_in
from tui.keys import bind
from tui.screens.step import StepScreen
from tui.widgets.text import Text
from tui.words import ago, plain
from tui.work import Work, opened


class Checked(Message):
    """What was found out about this machine so far."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__()
        self.findings = findings


class Welcome(StepScreen):
    """The first screen."""

    AT = "welcome"
    CSS_PATH = "welcome.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("back", "next", quiet=True) + bind(
        "welcome.begin", "welcome.demo", "welcome.attach"
    )
    AUTO_FOCUS = "#ways"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._places = places()
        self._live = [(place, run) for place in self._places for run in runs_in(place.runs) if run.is_alive()]

    @property
    def explained(self) -> str:
        """The whole road in a few lines."""
        return _(
            "Boceto takes a folder of your drawings and makes a LoRA of them: a small file that teaches an SDXL model "
            "your style, or a character.\n\nIt asks for the folder, looks at the drawings, helps you caption them, and "
            "works out a training of 300 to 500 steps. The training then runs by itself, also when this window is "
            "closed. Your drawings are never changed.\n\nChoose with the arrow keys and Enter. Everything works "
            "without a mouse."
        )

    def content(self) -> ComposeResult:
        """What will happen; the machine; the ways to go on."""
        yield Text(
            _(
                "From a folder of drawings to a trained LoRA: Boceto looks at your drawings, helps with the "
                "captions, works out 300 to 500 steps, and trains. The training goes on when you close this window. "
                "Your drawings are never changed, and every answer is kept."
            ),
            id="road",
        )
        with Horizontal(id="halves"):
            yield OptionList(*self._ways(), id="ways", markup=False)
            with VerticalScroll(id="machine", can_focus=False):
                yield Text(_("This machine"), classes="heading")
                yield Text(_("looking …"), id="findings")

    def on_mount(self) -> None:
        """Look at the machine once the screen is there."""
        if self._places and not self._live:
            self.query_one("#ways", OptionList).highlighted = 2  # the project that was used last
        self.call_after_refresh(self.look)

    @work(thread=True, exclusive=True, exit_on_error=False, group="checkup")
    def look(self) -> None:
        """Say each thing when it is found."""
        found: tuple[Finding, ...] = ()
        for finding in checkup():
            found = (*found, finding)
            self.post_message(Checked(found))

    @on(Checked)
    def show(self, message: Checked) -> None:
        """✓ for what is there, ✗ with a way out for what is not."""
        lines = []
        for finding in message.findings:
            mark = ("✓ ", "$text-success") if finding.good else ("✗ ", "$text-warning")
            lines.append(Content.assemble(mark, plain(finding.words)))
            if finding.remedy:
                lines.append(Content.assemble("  → ", (plain(finding.remedy), "$foreground-muted")))
        self.query_one("#findings", Text).update(Content("\n").join(lines))

    @on(OptionList.OptionSelected, "#ways")
    def choose(self, chosen: OptionList.OptionSelected) -> None:
        """Go the way that was chosen."""
        kind, _colon, number = str(chosen.option.id).partition(":")
        match kind:
            case "run":
                place, run = self._live[int(number)]
                self._go(place, run)
            case "new":
                self.action_begin()
            case "demo":
                self.action_demo()
            case "project":
                self._go(self._places[int(number)])

    def action_next(self) -> None:
        """Go the way that is marked."""
        self.query_one("#ways", OptionList).action_select()

    def action_back(self) -> None:
        """There is nothing before."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is offered to be watched when nothing runs."""
        return bool(self._live) if action == "attach" else True

    def action_begin(self) -> None:
        """A new project."""
        self.work = Work(project=Project(name=""))
        self.leave("folder")

    def action_demo(self) -> None:
        """The drawings in the box, with the plan that suits the base in the box."""
        from core import demo

        try:
            place = Place(paths.projects() / demo.NAME)
            if place.file.is_file():
                self._go(place)
                return
            place, project = demo.begin(place.folder, "prodigy", 42)
        except BocetoError as error:
            self.app.show_error(error)
            return
        self.work = Work(project=project, place=place)
        self.leave("drawings")

    def action_attach(self) -> None:
        """Watch the training that runs."""
        if self._live:
            self._go(*self._live[0])
        else:
            self.say(_("No training is running."))

    def kept(self, at: str, strict: bool = True) -> Work:
        """Nothing is answered here, and nothing is to be written."""
        return self.work

    def _go(self, place: Place, run: Run | None = None) -> None:
        try:
            self.work, at = opened(place)
        except BocetoError as error:
            self.app.show_error(error)
            return
        if run:
            self.work, at = Work(project=self.work.project, place=place, run=run), "training"
        self.leave(at)

    def _ways(self) -> list[Option]:
        ways = [
            Option(_row(_("Running"), plain(place.folder.name), _steps(run)), id=f"run:{number}")
            for number, (place, run) in enumerate(self._live)
        ]
        ways.append(Option(_row("n", _("A new LoRA from your drawings"), ""), id="new"))
        ways.append(Option(_row("d", _("Try it on the drawings in the box"), ""), id="demo"))
        for number, place in enumerate(self._places[:20]):
            past = ago(time.time() - place.file.stat().st_mtime)
            ways.append(Option(_row(_("Project"), plain(place.folder.name), past), id=f"project:{number}"))
        return ways


def _row(kind: str, name: str, more: str) -> Content:
    return Content.assemble((f"{kind:<10}", "bold"), name, "  ", more)


def _steps(run: Run) -> str:
    status = run.status()
    if status.phase == "paused":
        return _("paused at step {step} of {total}").format(step=status.step, total=status.total)
    return _("step {step} of {total}").format(step=status.step, total=status.total) if status.total else ""


SCREEN = Welcome
