"""What the wizard hands from screen to screen."""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from core.project import Place, Project
from core.runs.run import Run, runs_in

if TYPE_CHECKING:
    from core.bases.base import Base
    from core.plan.survey import Survey


LATER = ("drawings", "captions", "base", "steps", "optimizer", "review")
"""Screens that a project can be opened at without a run."""


class Settings(Struct, frozen=True):
    """What of a project's answers a survey depends on, beside the base and the treatments."""

    native: int
    """The side, in pixels, that drawings are brought to."""
    flip: bool
    chunks: int
    """Pieces of 75 tokens that a caption may have."""
    word: str

    @classmethod
    def of(cls, project: Project, base: "Base") -> "Settings":
        """As they are now."""
        plan = project.plan
        return cls(plan.resolution or base.native, plan.flip, plan.caption_chunks, project.activation_word)


class Seen(Struct, frozen=True):
    """A survey, and what it was made for."""

    survey: "Survey"
    base: "Base"
    settings: Settings


class Work(Struct, frozen=True, kw_only=True):
    """The project, where it lies, and what was found out about it; each screen gives a new one back."""

    project: Project
    place: Place | None = None
    """None until a folder is chosen."""
    seen: Seen | None = None
    """None until the drawings were looked at."""
    run: Run | None = None
    """The training that is shown."""

    def with_project(self, project: Project) -> "Work":
        """The same work with other answers."""
        return replace(self, project=project)

    def with_survey(self, survey: "Survey") -> "Work":
        """The same work with a survey that has changed."""
        if self.seen is None:
            return self
        settings = Settings.of(self.project, self.seen.base)
        return replace(self, seen=replace(self.seen, survey=survey, settings=settings))

    def keep(self) -> None:
        """Write the answers down, when there is a place for them and they are others than those that lie there."""
        if self.place and (not self.place.file.is_file() or self.place.load() != self.project):
            self.place.save(self.project)


def opened(place: Place) -> tuple[Work, str]:
    """An existing project, and the screen to go on with: its running training first, else where one was."""
    project = place.load()
    runs = runs_in(place.runs)
    alive = next((run for run in runs if run.is_alive()), None)
    if alive:
        return Work(project=project, place=place, run=alive), "training"
    if project.at in ("training", "result") and runs:
        at = "result" if runs[0].status().phase == "finished" else "training"
        return Work(project=project, place=place, run=runs[0]), at
    at = project.at if project.at in LATER else "drawings"
    return Work(project=project, place=place), at
