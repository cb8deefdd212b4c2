"""The whole road, trained for real on the base in the box."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from core import demo
from core.bases import find
from core.errors import Severity
from core.plan.frozen import freeze
from core.plan.survey import survey
from core.project import Place, Project
from core.runs import events
from core.runs.events import Evaluated, Event, Finished
from core.runs.follow import follow
from core.runs.launch import launch
from core.runs.run import Run
from core.settings import OptimizerName, Plan
from tests.conftest import SHORT, small_project
from tests.core.images.broken import make_broken_folder


def carried_out(run: Run, module: str = "core.training.job") -> list[Event]:
    launch(run, module)
    history = list(follow(run))
    assert isinstance(history[-1], Finished), (history[-1], run.log_file.read_text()[-2000:])
    return history


def test_the_demo_learns_the_style_and_keeps_it_with_the_word(tmp_path: Path) -> None:
    place, project = demo.begin(tmp_path / "demo", "prodigy", seed=42)
    frozen = freeze(place, project)
    history = carried_out(Run.create(place.runs, frozen))
    order = demo.order(frozen, Path(history[-1].path), tmp_path / "pictures")
    carried_out(Run.create(tmp_path / "pictures", order), "core.pictures.job")
    found = demo.figures(frozen, order)
    assert found.way_with_word.mean >= 0.75, found
    assert found.way_without_word.mean <= 0.40, found
    assert order.sheet.is_file()


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "prodigy"])
def test_each_optimizer_learns(optimizer: OptimizerName, tmp_path: Path) -> None:
    own = Plan(d0=1e-4) if optimizer == "prodigy" else Plan(learning_rate=2e-3)
    plan = replace(
        SHORT,
        optimizer=optimizer,
        learning_rate=own.learning_rate,
        d0=own.d0,
        repeats=4,
        epochs=5,
        held_out=4,
        scheduler="constant",
    )
    place, project = small_project(tmp_path / "small", plan, drawings=20)
    history = carried_out(Run.create(place.runs, freeze(place, project)))
    curve = [event for event in history if isinstance(event, Evaluated)]
    assert curve[-1].trained < 0.5 * curve[0].trained
    first, last = curve[0].held_out, curve[-1].held_out
    assert first is not None and last is not None
    assert last < 0.7 * first


def test_a_folder_with_one_of_everything_broken_still_trains_on_what_is_good(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    expected = make_broken_folder(folder)
    place = Place(tmp_path / "project")
    project = Project(name="broken", activation_word="houtline", dataset=str(folder), plan=replace(SHORT, epochs=1))
    seen = survey(place, project, find.resolve("mini"))
    usable = {seen.drawings[index].name for index in seen.usable(project)}
    unusable = {problem.drawing for problem in seen.problems if problem.severity in (Severity.ERROR, Severity.BLOCK)}
    assert len([code for code in expected.values() if code]) >= 25
    assert usable and not usable & unusable
    history = carried_out(Run.create(place.runs, freeze(place, project, seen)))
    assert {type(event) for event in history} >= {events.Started, events.Stepped, events.Saved}
