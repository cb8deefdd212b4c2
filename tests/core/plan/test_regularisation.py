"""Regularisation drawings: found, refused in words, and laid out beside the drawings."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from core.errors import BocetoError
from core.plan.frozen import FrozenPlan, freeze
from core.plan.schedule import schedule
from core.project import Place, Project
from core.runs.run import Run
from core.settings import Plan
from tests.conftest import SHORT, small_project


def beside(folder: Path, *sizes: tuple[int, int]) -> Path:
    """A folder of noise, no two alike; every other one with a caption that has the activation word."""
    folder.mkdir()
    for number, size in enumerate(sizes):
        Image.effect_noise(size, 60 + number).save(folder / f"other{number}.png")
        if number % 2 == 0:
            (folder / f"other{number}.txt").write_text(f"houtline, thing {number}\n")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> tuple[Place, Project]:
    return small_project(tmp_path / "small")


def planned(small: tuple[Place, Project], folder: Path, **choices: object) -> FrozenPlan:
    place, project = small
    plan = replace(SHORT, regularisation=str(folder), prior_pictures=None)
    return freeze(place, replace(project, plan=replace(plan, **choices)))


def test_they_take_the_place_of_the_bases_own_pictures_without_the_word(
    small: tuple[Place, Project], tmp_path: Path
) -> None:
    frozen = planned(small, beside(tmp_path / "others", *[(128, 128)] * 4))
    assert [one.caption for one in frozen.regularisation] == ["thing 0", "", "thing 2", ""]
    laid_out = schedule(frozen)
    assert frozen.plan.prior_pictures == 1 and all(picture.drawing is not None for picture in laid_out.prior)
    shown = [sight for step in laid_out.steps for sight in step.sights if sight.prior]
    assert len(shown) == len(laid_out.steps)
    for sight in shown:
        drawing = laid_out.prior[sight.picture].drawing
        assert drawing is not None and laid_out.captions[sight.caption] == frozen.regularisation[drawing].caption
    assert not any("houtline" in laid_out.captions[sight.caption] for sight in shown)
    assert "regularisation" in next(reason.reason for reason in frozen.reasons if reason.field == "prior_pictures")


def test_a_batch_gets_those_of_its_shape_or_where_none_is_all_of_them(
    small: tuple[Place, Project], tmp_path: Path
) -> None:
    place, project = small
    Image.effect_noise((160, 256), 90).save(place.dataset(project) / "tall.png")
    frozen = planned(
        small, beside(tmp_path / "others", (128, 128), (128, 128), (256, 160)), held_out=0, prior_pictures=2
    )
    laid_out = schedule(frozen)
    by_bucket: dict[object, set[int | None]] = {}
    for picture in laid_out.prior:
        by_bucket.setdefault(picture.bucket, set()).add(picture.drawing)
    square = next(one.placement.bucket for one in frozen.drawings if one.name != "tall.png")
    tall = next(one.placement.bucket for one in frozen.drawings if one.name == "tall.png")
    assert tall != square
    assert by_bucket[square] == {0, 1} and by_bucket[tall] == {0, 1, 2}
    for step in laid_out.steps:
        assert {laid_out.prior[one.picture].bucket for one in step.sights if one.prior} == {step.bucket}


def test_no_more_are_encoded_than_the_steps_can_show(small: tuple[Place, Project], tmp_path: Path) -> None:
    frozen = planned(small, beside(tmp_path / "others", *[(64, 64)] * 40), repeats=1, epochs=1)
    laid_out = schedule(frozen)
    assert len(laid_out.prior) == len(laid_out.steps) == 2
    assert schedule(frozen) == laid_out


def test_the_frozen_plan_keeps_them_whatever_happens_to_the_folder(
    small: tuple[Place, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = beside(tmp_path / "others", (128, 128), (128, 128))
    monkeypatch.chdir(tmp_path)
    frozen = planned(small, Path("others"))
    assert frozen.plan.regularisation == str(folder), "the job may run elsewhere"
    run = Run.create(small[0].runs, frozen)
    shutil.rmtree(folder)
    assert run.plan() == frozen and schedule(run.plan()) == schedule(frozen)


def test_what_cannot_be_is_refused_in_words(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    with pytest.raises(BocetoError, match="does not exist") as raised:
        planned(small, tmp_path / "nowhere")
    assert "--regularisation" in raised.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(BocetoError, match="There is no drawing in the folder of regularisation"):
        planned(small, tmp_path / "empty")
    (tmp_path / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BocetoError, match="There is no drawing in the folder of regularisation") as raised:
        planned(small, tmp_path / "empty")
    assert raised.value.detail
    with pytest.raises(BocetoError, match="is one of those to learn"):
        planned(small, place.dataset(project))
    with pytest.raises(BocetoError, match="none of them would be shown"):
        planned(small, beside(tmp_path / "others", (64, 64)), prior_pictures=0)


def test_a_drawing_that_cannot_be_read_is_said_to_be_left_out(small: tuple[Place, Project], tmp_path: Path) -> None:
    folder = beside(tmp_path / "others", (128, 128))
    (folder / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in {problem.drawing for problem in planned(small, folder).left_out}


def test_without_a_folder_the_base_makes_them(small: tuple[Place, Project]) -> None:
    assert Plan().regularisation == ""
    frozen = freeze(*small)
    assert frozen.regularisation == () and {picture.drawing for picture in schedule(frozen).prior} == {None}
