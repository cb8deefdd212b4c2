"""A screen on which captions and treatments are changed: through the desk, so that everything can be taken back."""

from collections.abc import Mapping

from core.captions.desk import Changed, Desk
from core.errors import BocetoError
from core.images.treatment import Treatment
from core.language import _, ngettext
from core.project import Project
from tui.screens.surveyed import SurveyedScreen
from tui.words import plain
from tui.work import Work

CHECKED_AT_ONCE = 200
"""Captions; more are checked behind the screen, which shows them meanwhile."""


class DeskScreen(SurveyedScreen):
    """Has the desk in `desk` from the survey on; it is None while another window has it, and then nothing changes."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.desk: Desk | None = None
        self._why = ""
        """Why there is no desk although there is a survey."""
        self._index: dict[str, int] = {}
        self._written: object = None
        """The treatments and the word as they were last written down."""
        self.unchecked: set[int] = set()
        """Captions of which nobody has seen yet what is wrong with them."""

    def on_unmount(self) -> None:
        """However it is left, what is changed reaches the files; what the project was not told is found again."""
        if self.desk and self._written != _answers(self.work.project):
            self.desk.abandon()
            self.desk = None
        self._stand_up()

    def look(self, anew: bool = False) -> None:
        """The files are read again, so that all of them must be as the screen shows them."""
        self._stand_up()
        super().look(anew)

    def surveyed(self) -> None:
        """Sit down to the captions that were found; finish what an interrupted sitting had begun."""
        survey, place = self.survey, self.work.place
        assert survey and place
        self._index = {drawing.name: index for index, drawing in enumerate(survey.drawings)}
        self.unchecked = set()
        files = {drawing.name: file for drawing, file in zip(survey.drawings, survey.captions, strict=True)}
        try:
            self.desk = Desk.open(place.journal, files)
        except BocetoError as error:
            self._why = f"{error.title} {error.hint}"
            self.app.show_error(error)
            return
        self._written = _answers(self.work.project)
        self._know(self.desk.recovered)
        self._tell(self.desk.recovered)

    def leave(self, to: str, strict: bool = True) -> None:
        """Another screen may sit down next."""
        super().leave(to, strict)
        if self.answer.done():
            self._stand_up()

    def kept(self, at: str, strict: bool = True) -> Work:
        """The files are as the screen shows them: what reads them next must not find older ones."""
        if self.desk:
            self.take_over(self.desk.settle())
        if self.unchecked and self.survey:
            found = self.survey.checked(self.unchecked, self.work.project, self.base)
            self.work = self.work.with_survey(self.survey.with_texts(found))
            self.unchecked.clear()
        work = super().kept(at, strict)
        self._written = _answers(work.project)
        return work

    def take_over(self, changed: Changed) -> None:
        """Show what is other than before, and say what could not be done."""
        if changed:
            self._know(changed)
            self.show_changed(changed)
        self._tell(changed)

    def _tell(self, changed: Changed) -> None:
        if changed.refused:
            drawing, error = next(iter(changed.refused.items()))
            words = ngettext(
                "The caption of {drawing} could not be changed.",
                "The captions of {drawing} and {n} others could not be changed.",
                len(changed.refused),
            ).format(drawing=drawing, n=len(changed.refused) - 1)
            self.app.show_error(BocetoError(words, error.title, error.hint))
        if changed.outside:
            self.notify(
                ngettext(
                    "Another program has changed {n} caption; what it wrote is kept. z brings yours back.",
                    "Another program has changed {n} captions; what it wrote is kept. z brings yours back.",
                    len(changed.outside),
                ).format(n=len(changed.outside)),
                severity="warning",
            )

    def show_changed(self, changed: Changed) -> None:
        """Draw what is other than before."""

    def show_done(self, changed: Changed) -> None:
        """Lead to what was taken back, or made again."""

    def treat(self, name: str, treatments: Mapping[str, Treatment]) -> None:
        """Give drawings other treatments."""
        before = self.work.project.treatments
        pairs = {
            drawing: (before.get(drawing), None if after == Treatment() else after)
            for drawing, after in treatments.items()
        }
        if self.may_change():
            assert self.desk
            self.take_over(self.desk.change(name, treatments=pairs))

    def may_change(self) -> bool:
        """Whether anything can be changed here; if not, why is said."""
        if self.desk is None and self.survey:
            self.say(self._why)
        return self.desk is not None

    def action_undo(self) -> None:
        """Take the last change back."""
        self._go(-1)

    def action_redo(self) -> None:
        """Make it again."""
        self._go(1)

    def _go(self, by: int) -> None:
        if not self.may_change():
            return
        assert self.desk
        changed = self.desk.undo() if by < 0 else self.desk.redo()
        if changed is None:
            self.say(_("There is nothing to take back.") if by < 0 else _("There is nothing to make again."))
            return
        self.take_over(changed)
        if not changed.outside:
            self.show_done(changed)
            words = _("Taken back: {what}.") if by < 0 else _("Made again: {what}.")
            self.say(words.format(what=plain(changed.name)))

    def _know(self, changed: Changed) -> None:
        """The work after the change."""
        project = changed.project(self.work.project)
        survey, before = self.survey, self.work.project
        self.work = self.work.with_project(project)
        if survey is None:
            return
        if changed.files:
            assert self.desk
            # As they are now: another thread may have taken in more since this was said.
            files = {self._index[name]: self.desk.files[name] for name in changed.files}
            at_once = len(files) <= CHECKED_AT_ONCE
            survey = survey.with_captions(files, project, self.base, check=at_once)
            self.unchecked = self.unchecked - files.keys() if at_once else self.unchecked | files.keys()
        moved = {name for name in changed.treatments if _fit(before, name) != _fit(project, name)}
        if moved:
            survey = survey.with_treatments(project, self.base, moved)
        if project.activation_word != before.activation_word:
            survey = survey.with_word(project, self.base)
            self.unchecked = set()
        self.work = self.work.with_survey(survey)

    def _stand_up(self) -> None:
        if self.desk:
            self.desk.close()
            self.desk = None


def _answers(project: Project) -> object:
    """What the journal knows of a project."""
    return project.treatments, project.activation_word


def _fit(project: Project, name: str) -> str:
    return project.treatments.get(name, Treatment()).fit
