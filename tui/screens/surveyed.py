"""A screen that needs the drawings: looks at them when nobody has yet, and shows them as they are found."""

import gc
import threading
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from core.bases import find
from core.bases.base import Base
from core.errors import Problem
from core.images.drawing import Drawing
from core.images.scan import scan
from core.language import ngettext
from core.plan.survey import Survey, surveyed
from tui.screens.step import StepScreen
from tui.work import Seen, Work


class Found(Message):
    """Some more drawings were looked at."""

    def __init__(self, batch: Sequence[Drawing | Problem]) -> None:
        super().__init__()
        self.batch = batch


class Surveyed(Message):
    """All were, and everything that is wrong is known."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen


class SurveyedScreen(StepScreen):
    """Has the survey in `survey`, which is None until the drawings were looked at."""

    LOOKING: ClassVar[bool] = True

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._cancelled = threading.Event()
        self._count = 0

    @property
    def survey(self) -> Survey | None:
        """What was found."""
        return self.work.seen.survey if self.work.seen else None

    @property
    def busy(self) -> bool:
        """While they are looked at."""
        return self.survey is None

    @property
    def base(self) -> Base:
        """The base that the survey was made for. Only to be asked when there is a survey."""
        assert self.work.seen
        return self.work.seen.base

    def on_mount(self) -> None:
        """Look at the drawings, or only reckon anew for another base."""
        super().on_mount()
        self.look()

    def on_unmount(self) -> None:
        """Nobody waits for the rest."""
        self._cancelled.set()

    @work(thread=True, exclusive=True, exit_on_error=False, group="survey")
    def look(self, anew: bool = False) -> None:
        """Find what is not known yet, and say it."""
        known, project, place = self.work.seen, self.work.project, self.work.place
        assert place
        base = find.resolve(project.base)
        native = project.plan.resolution or base.native
        if known and not anew and known.base == base and known.native == native:
            self.post_message(Surveyed(known))
            return
        found: list[Drawing | Problem] = []
        if known and not anew:
            found = [*known.survey.drawings, *known.survey.unreadable]
        else:
            for batch in scan(place.dataset(project), self._cancelled, nested=project.nested):
                found += batch
                self.post_message(Found(batch))
        if self._cancelled.is_set() or get_current_worker().is_cancelled:
            return
        seen = Seen(surveyed(place, project, base, found), base, native)
        # What lives as long as the program need not be gone through again: with 10,000 drawings each collection
        # would hold the screen up for 0.15 s.
        gc.collect()
        gc.freeze()
        self.post_message(Surveyed(seen))

    @on(Found)
    def count(self, message: Found) -> None:
        """Say how far it is."""
        self._count += len(message.batch)
        self.say(ngettext("{n} drawing looked at …", "{n} drawings looked at …", self._count).format(n=self._count))

    @on(Surveyed)
    def keep(self, message: Surveyed) -> None:
        """From here on everything about the drawings is known."""
        self.work = replace(self.work, seen=message.seen)
        self.ready()
        self.say()

    def ready(self) -> None:
        """Show what was found."""
