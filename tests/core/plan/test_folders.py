"""Folders that say how often their drawings are seen."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.images.buckets import Bucket
from core.plan.folders import dealt, folder_repeats
from core.plan.frozen import freeze
from core.plan.schedule import schedule
from core.plan.steps import TARGET, count, obstacle, suggestions
from core.project import Place, Project
from core.settings import Plan
from tests.conftest import SHORT, small_project


@pytest.fixture
def sorted_drawings(tmp_path) -> tuple[Place, Project]:
    """Eight drawings: two in `6_hands`, three in `2_faces/side`, one in `20240501_old`, two beside the folders."""
    place, project = small_project(tmp_path / "small", replace(SHORT, held_out=0, prior_pictures=0))
    folder = place.dataset(project)
    names = sorted(path.stem for path in folder.glob("*.png"))
    for below, some in (("6_hands", names[:2]), ("2_faces/side", names[2:5]), ("20240501_old", names[5:6])):
        (folder / below).mkdir(parents=True)
        for name in some:
            for ending in (".png", ".txt"):
                shutil.move(folder / f"{name}{ending}", folder / below)
    return place, replace(project, nested=True)


@pytest.mark.parametrize(
    ("name", "repeats"),
    [
        ("10_hands/a.png", 10),
        ("1_x/a.png", 1),
        ("500_x/a.png", 500),
        ("10_/a.png", 10),
        ("10_hands/left/a.png", 10),
        ("10_hands/3_left/a.png", 3),
        ("10_hands/2024_old/a.png", 10),
        ("drawings/10_hands/a.png", 10),
        ("10_hands.png", None),
        ("0_x/a.png", None),
        ("501_x/a.png", None),
        ("20240501_old/a.png", None),
        ("10 hands/a.png", None),
        ("x10_hands/a.png", None),
        ("-3_x/a.png", None),
        ("٣_x/a.png", None),
        ("9" * 4000 + "_x/a.png", None),
    ],
)
def test_a_number_and_an_underscore_in_front_of_a_folder_s_name_are_its_repeats(name, repeats):
    assert folder_repeats(Plan(), name) == repeats
    assert folder_repeats(Plan(folder_repeats=False), name) is None


def test_what_is_dealt_has_one_entry_a_bucket():
    square, wide = Bucket(64, 64), Bucket(80, 48)
    assert dealt([square, wide, square, square, wide], [None, 3, 5, None, 4]) == ([2, 0], [5, 7])
    assert dealt([], []) == ([], [])


def test_the_schedule_shows_each_folder_as_often_as_its_name_says(sorted_drawings):
    frozen = freeze(*sorted_drawings)
    assert frozen.plan.repeats == 2
    times = {one.name: 0 for one in frozen.drawings}
    for step in schedule(frozen).steps:
        for sight in step.sights:
            times[frozen.drawings[sight.picture].name] += 1
    expected = {"6_hands": 6, "2_faces": 2, "20240501_old": 2}
    for name, often in times.items():
        assert often == expected.get(name.split("/")[0], 2) * frozen.plan.epochs, name
    left, numbered = frozen.per_bucket
    assert (sum(left), sum(numbered)) == (3, 2 * 6 + 3 * 2)
    reckoned = count(left, frozen.plan.repeats, frozen.plan.batch_size, frozen.plan.epochs, numbered)
    assert reckoned.real == len(schedule(frozen).steps)
    (reason,) = [reason for reason in frozen.reasons if reason.field == "folder_repeats"]
    assert reason.value == "2 × “2_faces”, 6 × “6_hands”"
    assert freeze(*sorted_drawings) == frozen


def test_what_is_left_open_is_settled_around_the_numbered_folders(sorted_drawings):
    place, project = sorted_drawings
    plan = replace(project.plan, repeats=None, epochs=None, batch_size=1)
    frozen = freeze(place, replace(project, plan=plan))
    assert len(schedule(frozen).steps) in TARGET
    why = {reason.field: reason.reason for reason in frozen.reasons}
    assert f"{len(schedule(frozen).steps)} steps" in why["epochs"]


def test_the_numbers_can_be_only_names(sorted_drawings):
    place, project = sorted_drawings
    frozen = freeze(place, replace(project, plan=replace(project.plan, folder_repeats=False)))
    assert all(one.repeats is None for one in frozen.drawings)
    assert not [reason for reason in frozen.reasons if reason.field == "folder_repeats"]


def test_where_every_folder_says_how_often_only_the_epochs_are_open():
    offered = suggestions([0, 0], 6, numbered=[120, 60])
    assert offered and {one.repeats for one in offered} == {1}
    assert all(one.real == (20 + 10) * one.epochs for one in offered if one.batch_size == 6)
    assert offered[0].real in TARGET
    assert obstacle([0, 0], 6, [120, 60]) == ""
    assert "--no-folder-repeats" in obstacle([0], 6, [50_000])
    assert "no drawings" in obstacle([0], 6, [0])


def test_the_formula_names_what_the_folders_add():
    assert "(10 × 5 + 40) ÷ 6 × 10 = 150" in count([10], 5, 6, 10, [40]).why
    assert count([0], 5, 6, 10, [42]).why == "The guide's formula is exact here: 42 ÷ 6 × 10 = 70 steps."


def test_folders_that_are_not_looked_into_say_nothing(sorted_drawings):
    place, project = sorted_drawings
    frozen = freeze(place, replace(project, nested=False))
    assert {Path(one.name).parent for one in frozen.drawings} == {Path()}
    assert all(one.repeats is None for one in frozen.drawings)
