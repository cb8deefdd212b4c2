"""Trainings in this process, so that a test may look at what is in memory."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

from core.plan.frozen import FrozenPlan, freeze
from core.plan.schedule import schedule
from core.runs.events import Event
from core.runs.job import Requests
from core.runs.run import Run
from core.settings import Plan
from core.training.device import choose
from core.training.loop import train
from core.training.studio import Studio, open_studio
from tests.conftest import small_project


def opened(frozen: FrozenPlan) -> Studio:
    """The studio of a plan, ready to begin."""
    phases = open_studio(frozen, schedule(frozen), choose(frozen.plan.precision))
    while True:
        try:
            next(phases)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def begun(folder: Path, plan: Plan) -> tuple[Studio, Run]:
    """The studio and the run of the small project in `folder`."""
    place, project = small_project(folder, plan)
    frozen = freeze(place, project)
    return opened(frozen), Run.create(place.runs, frozen)


def trained(studio: Studio, run: Run) -> Iterator[Event]:
    """The whole training, event by event."""
    return train(studio, run, Requests(run), 0, inf)
