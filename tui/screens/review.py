"""Review: everything on one page, every automatic choice with its reason, and the start."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option
from textual.worker import Worker

from core.captions.activation import check_word
from core.errors import BocetoError, Problem, Severity
from core.language import _, ngettext
from core.plan import pace
from core.plan.frozen import FrozenPlan, freeze
from core.plan.steps import TARGET
from core.plan.survey import tokenizer_of
from core.runs.launch import launch
from core.runs.run import Run, runs_in
from tui.command import command
from tui.dialogs.dialog import Ask
from tui.dialogs.dialog import Option as Answer
from tui.forecast import free_here
from tui.keys import bind
from tui.labels import label
from tui.problems import MARKS, code_words
from tui.screens.surveyed import SurveyedScreen
from tui.summary import chosen_by_person, facts
from tui.widgets.text import Text
from tui.words import plain, shortened
from tui.work import Work

_SHOWN = 200
"""Problems that are listed; more would say nothing more."""


class Frozen(Message):
    """The plan as it would be trained."""

    def __init__(self, plan: FrozenPlan, drawings_per_second: float | None, free: int | None) -> None:
        super().__init__()
        self.plan, self.drawings_per_second, self.free = plan, drawings_per_second, free


class Launched(Message):
    """The job has taken the run up."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


class Review(SurveyedScreen):
    """The page, the problems, the command, the start."""

    AT = "review"
    CSS_PATH = "review.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("review.start", "review.mend", "review.copy")
    AUTO_FOCUS = "#page"

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._frozen: FrozenPlan | None = None
        self._reason = ""
        self._starting = False
        self._listed: list[tuple[str, Problem]] = []

    @property
    def guide(self) -> str:
        """What comes now."""
        return _("Look it through. s starts the training; you can close the window while it runs.")

    @property
    def explained(self) -> str:
        """What one sees."""
        return _(
            "Every choice that Boceto made for you stands here with its reason. The problems below can be mended: m or "
            "Enter goes to the screen where. The command line at the end does the same without the wizard; y copies it."
        )

    @property
    def obstacle(self) -> str:
        """Why it cannot start."""
        if self._starting:
            return _("The training starts …")
        if self._reason:
            return self._reason
        if self.survey is None:
            return self.looking
        return "" if self._frozen else _("Reckoning …")

    def content(self) -> ComposeResult:
        """The page scrolls; the problems are a list."""
        with VerticalScroll(id="page"):
            yield Text(id="words")
        yield OptionList(id="problems", markup=False)

    def ready(self) -> None:
        """Settle everything, in a thread: a large base is read through once for its fingerprint."""
        self._fill_problems()
        self.settle()

    @work(thread=True, exclusive=True, exit_on_error=False, group="freeze")
    def settle(self) -> None:
        """The plan as it would be trained."""
        assert self.work.place and self.survey
        frozen = freeze(self.work.place, self.work.project, self.survey)
        self.post_message(Frozen(frozen, pace.drawings_per_second(frozen.base), free_here()))

    def on_worker_state_changed(self, changed: Worker.StateChanged) -> None:
        """What cannot be trained, or did not start, says why."""
        error = changed.worker.error
        if changed.worker.group in ("freeze", "start") and isinstance(error, BocetoError):
            self._starting = False
            self._reason = error.title if changed.worker.group == "freeze" else ""
            self.say()

    @on(Frozen)
    def show(self, message: Frozen) -> None:
        """The page."""
        self._frozen = message.plan
        self.query_one("#words", Text).update(self._page(message))
        self.say()

    def action_next(self) -> None:
        """Next is the start."""
        self.action_start()

    def action_start(self) -> None:
        """Start the training, unless something is in the way; one that runs already is shown."""
        assert self.work.place
        running = next((run for run in runs_in(self.work.place.runs) if run.is_alive()), None)
        if running:
            self.work = replace(self.work, run=running)
            self.leave("training")
            return
        if self.obstacle:
            self.say()
            self.app.bell()
            return
        self.begin()

    @work
    async def begin(self) -> None:
        """Start, once a person who has no activation word is sure."""
        if not self.work.project.activation_word:
            answer = await self.app.push_screen_wait(
                Ask(
                    _("Train without an activation word?"),
                    _("Then nothing calls the LoRA: what it learned is in every picture, or in none."),
                    (Answer("word", _("Choose a word"), "primary"), Answer("train", _("Train without one"))),
                )
            )
            if answer != "train":
                if answer == "word":
                    self.leave("captions")
                return
        self._starting = True
        self.say()
        self.start()

    @work(thread=True, exclusive=True, exit_on_error=False, group="start")
    def start(self) -> None:
        """Lay the run down and launch its job."""
        assert self.work.place and self._frozen
        self.work.keep()
        run = Run.create(self.work.place.runs, self._frozen)
        launch(run)
        self.post_message(Launched(run))

    @on(Launched)
    def launched(self, message: Launched) -> None:
        """On to watching it."""
        self.work = replace(self.work, run=message.run)
        self.leave("training")

    def action_mend(self) -> None:
        """To the screen that mends the problem under the cursor."""
        marked = self.query_one("#problems", OptionList).highlighted
        if self._listed and marked is not None:
            self.leave(self._listed[marked][0])
        else:
            self.say(_("There is nothing to mend."))

    @on(OptionList.OptionSelected, "#problems")
    def mend(self) -> None:
        """The same with Enter."""
        self.action_mend()

    def action_copy(self) -> None:
        """Give the command line to the terminal's clipboard."""
        assert self.work.place
        self.app.copy_to_clipboard(command(self.work.place, self.work.project))
        self.say(_("The command is in the clipboard, if this terminal lets programs write it."))

    def _fill_problems(self) -> None:
        survey = self.survey
        assert survey
        usable = {survey.drawings[index].name for index in survey.usable(self.work.project)}
        found = [
            *(("captions", problem) for problem in survey.word),
            *(("captions", problem) for problems in survey.texts for problem in problems if problem.drawing in usable),
            *(("drawings", problem) for problems in (*survey.shapes, survey.repeats) for problem in problems),
            *(("drawings", problem) for problem in (*survey.folder, *survey.unreadable)),
        ]
        weighty = [
            one
            for one in found
            if one[1].severity is not Severity.NOTE and (not one[1].drawing or one[1].drawing in usable)
        ]
        if not self.work.project.activation_word:
            missing = check_word("", tokenizer_of(self.base), ())
            weighty += [("captions", replace(problem, severity=Severity.WARNING)) for problem in missing]
        weighty.sort(key=lambda one: -one[1].severity.weight)
        self._listed = list(_together(weighty))[:_SHOWN]
        problems = self.query_one("#problems", OptionList)
        problems.clear_options()
        problems.add_options(Option(_line(problem)) for _at, problem in self._listed)
        problems.display = bool(self._listed)
        if self._listed:
            problems.highlighted = 0

    def _page(self, message: Frozen) -> Content:
        frozen = message.plan
        project, place, survey = self.work.project, self.work.place, self.survey
        assert place and survey
        rows, steps = facts(frozen, project, survey, message.drawings_per_second, message.free)
        lines = [Content.assemble((f"{name:<22}", "$foreground-muted"), plain(value)) for name, value in rows]
        if steps not in TARGET:
            lines.append(Content.styled("! " + _("The guide aims for 300 to 500 steps."), "$text-warning"))
        lines.append(Content(""))
        lines.append(Content.styled(_("Chosen for you, and why"), "bold $text-primary"))
        lines += [_choice(one.field, one.value, one.reason) for one in frozen.reasons]
        yours = chosen_by_person(project)
        if yours:
            lines += [Content(""), Content.styled(_("Chosen by you"), "bold $text-primary")]
            lines += [_choice(name, value) for name, value in yours]
        if frozen.left_out:
            lines += [Content(""), Content.styled(_("Left out"), "bold $text-primary")]
            lines += [
                Content.assemble(f"{shortened(one.drawing, 24)}: ", (plain(one.message), "$foreground-muted"))
                for one in frozen.left_out[:_SHOWN]
            ]
        lines += [Content(""), Content.styled(_("The same as a command (y copies it)"), "bold $text-primary")]
        lines.append(Content(plain(command(place, project))))
        return Content("\n").join(lines)


def _together(found: Sequence[tuple[str, Problem]]) -> Iterator[tuple[str, Problem]]:
    """Problems, those of one kind in one line where there are more than two."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for at, problem in found:
        groups.setdefault((at, problem.code), []).append(problem)
    for (at, code), problems in groups.items():
        named = [problem for problem in problems if problem.drawing]
        if len(named) <= 2:
            yield from ((at, problem) for problem in problems)
            continue
        words = ngettext("{n} drawing: {what}, such as {first}", "{n} drawings: {what}, such as {first}", len(named))
        said = words.format(n=len(named), what=code_words(code), first=named[0].drawing)
        yield at, replace(named[0], drawing="", message=said)


def _choice(field: str, value: str, reason: str = "") -> Content:
    return Content.assemble(f"{label(field)}: ", (plain(value), "bold"), (f"  {plain(reason)}", "$foreground-muted"))


def _line(problem: Problem) -> Content:
    mark, colour = MARKS[problem.severity]
    name = f"{shortened(problem.drawing, 20)}: {code_words(problem.code)}. " if problem.drawing else ""
    return Content.assemble((f"{mark} ", colour), name, (plain(problem.message), "$foreground-muted"))


SCREEN = Review
