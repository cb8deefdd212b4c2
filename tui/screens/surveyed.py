"""A screen that needs the drawings: looks at them when nobody has yet, and shows them as they are found."""

import gc
import threading
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on, work
from textual.message import Message
from textual.worker import Worker

from core.bases import find
from core.bases.base import Base
from core.errors import BocetoError, Problem
from core.images.drawing import Drawing
from core.images.scan import scan
from core.language import _, ngettext
from core.plan.survey import Survey, surveyed
from tui.screens.step import StepScreen
from tui.work import Seen, Settings, Work


class Found(Message):
    """Some more drawings were looked at."""

    def __init__(self, batch: Sequence[Drawing | Problem], cancelled: threading.Event) -> None:
        super().__init__()
        self.batch, self.cancelled = batch, cancelled


class Surveyed(Message):
    """All were, and everything that is wrong is known."""

    def __init__(self, seen: Seen, cancelled: threading.Event) -> None:
        super().__init__()
        self.seen, self.cancelled = seen, cancelled


class SurveyedScreen(StepScreen):
    """Has the survey in `survey`, which is None until the drawings were looked at."""

    LOOKING: ClassVar[bool] = True

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._cancelled = threading.Event()
        self._trouble = ""
        self._count = 0

    @property
    def survey(self) -> Survey | None:
        """What was found."""
        return self.work.seen.survey if self.work.seen else None

    @property
    def busy(self) -> bool:
        """While they are looked at."""
        return self.survey is None and not self._trouble

    @property
    def looking(self) -> str:
        """What keeps one here while there is no survey."""
        return self._trouble or _("Looking at the drawings …")

    @property
    def base(self) -> Base:
        """The base that the survey was made for. Only to be asked when there is a survey."""
        assert self.work.seen
        return self.work.seen.base

    def on_mount(self) -> None:
        """Look at the drawings, or only reckon anew for another base."""
        self.look()

    def on_unmount(self) -> None:
        """Nobody waits for the rest."""
        self._cancelled.set()

    def on_worker_state_changed(self, changed: Worker.StateChanged) -> None:
        """Without drawings there is no going on: the reason stays where it can be read.

        Textual calls the handlers of the classes below too, which show the error.
        """
        error = changed.worker.error
        if changed.worker.group == "survey" and isinstance(error, BocetoError):
            self._trouble = error.title
            self.say()

    def look(self, anew: bool = False) -> None:
        """Find what is not known yet, and say it; what was being looked at before is of no use any more."""
        self._cancelled.set()
        self._cancelled, self._trouble, self._count = threading.Event(), "", 0
        self.survey_drawings(self._cancelled, anew)

    @work(thread=True, exclusive=True, exit_on_error=False, group="survey")
    def survey_drawings(self, cancelled: threading.Event, anew: bool) -> None:
        """Look at every drawing, or only reckon anew, in a thread that ends when it is `cancelled`."""
        known, project, place = self.work.seen, self.work.project, self.work.place
        assert place
        base = _base(project.base)
        seen_with = Settings.of(project, base)
        if known and not anew and known.base == base and known.settings == seen_with:
            self.post_message(Surveyed(known, cancelled))
            return
        found: list[Drawing | Problem] = []
        if known and not anew:
            found = [*known.survey.drawings, *known.survey.unreadable]
        else:
            for batch in scan(place.dataset(project), cancelled, nested=project.nested):
                found += batch
                self.post_message(Found(batch, cancelled))
        if cancelled.is_set():
            return
        seen = Seen(surveyed(place, project, base, found), base, seen_with)
        # What lives as long as the program need not be gone through again: with 10,000 drawings each collection
        # would hold the screen up for 0.15 s. Once now, with what was there before.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.post_message(Surveyed(seen, cancelled))

    @on(Found)
    def count(self, message: Found) -> None:
        """Say how far it is."""
        if message.cancelled.is_set():
            return
        self._count += len(message.batch)
        self.say(ngettext("{n} drawing looked at …", "{n} drawings looked at …", self._count).format(n=self._count))

    @on(Surveyed)
    def keep(self, message: Surveyed) -> None:
        """From here on everything about the drawings is known."""
        if message.cancelled.is_set():
            return
        self.work = replace(self.work, seen=message.seen)
        if message.seen.settings.word != self.work.project.activation_word:  # it was typed meanwhile
            self.work = self.work.with_survey(message.seen.survey.with_word(self.work.project, self.base))
        self.surveyed()
        self.ready()
        self.say()

    def surveyed(self) -> None:
        """The survey is there; nothing of it is shown yet."""

    def ready(self) -> None:
        """Show what was found."""


def _base(wanted: str) -> Base:
    """The project's base, or one that is there: the screen “Base” comes later, and says what is wrong."""
    try:
        return find.resolve(wanted)
    except BocetoError:
        return find.resolve(find.best())
