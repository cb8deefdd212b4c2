"""Freezing a plan: what a run will do with the drawings as they are now, and why."""

import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from core import toml
from core.errors import BocetoError
from core.images.treatment import Treatment
from core.plan.frozen import FrozenPlan, freeze
from core.plan.schedule import schedule
from core.project import Place, Project
from core.runs.run import Run
from core.settings import Plan
from tests.conftest import SHORT, small_project


@pytest.fixture
def small(tmp_path) -> tuple[Place, Project]:
    return small_project(tmp_path / "small")


def reasons(frozen: FrozenPlan) -> dict[str, str]:
    return {reason.field: reason.reason for reason in frozen.reasons}


def test_every_automatic_choice_has_its_value_and_its_reason(tmp_path):
    place, project = small_project(tmp_path / "small", Plan())
    frozen = freeze(place, project)
    why = reasons(frozen)
    for field in Plan.__struct_fields__:
        before, after = getattr(project.plan, field), getattr(frozen.plan, field)
        if before != after:
            assert why[field], field
            assert {reason.value for reason in frozen.reasons if reason.field == field} == {str(after)}
    # And no reason for what the artist chose.
    assert set(why) == {name for name in why if getattr(project.plan, name) is None}
    assert "8 drawings" in why["optimizer"]
    assert str(frozen.base.native) == "64" and "Boceto mini" in why["resolution"]
    assert frozen.plan.optimizer == "prodigy"
    assert frozen.plan.prior_pictures == 2
    assert f"{len(schedule(frozen).steps)} steps" in why["repeats"]
    assert 300 <= len(schedule(frozen).steps) <= 500


def test_what_the_artist_chose_is_frozen_as_it_is(small):
    frozen = freeze(*small)
    chosen = {name: value for name in Plan.__struct_fields__ if (value := getattr(SHORT, name)) is not None}
    assert {name: getattr(frozen.plan, name) for name in chosen} == chosen


def test_a_character_is_learned_without_the_bases_own_pictures(tmp_path):
    place, project = small_project(tmp_path / "small", replace(SHORT, prior_pictures=None))
    assert freeze(place, project).plan.prior_pictures == 1
    frozen = freeze(place, replace(project, kind="character"))
    assert frozen.plan.prior_pictures == 0 and "character" in reasons(frozen)["prior_pictures"]
    assert freeze(place, replace(project, activation_word="")).plan.prior_pictures == 0


def test_every_drawing_is_there_with_its_caption_and_content(small):
    place, project = small
    frozen = freeze(place, project)
    folder = place.dataset(project)
    assert Path(frozen.dataset) == folder
    assert [drawing.name for drawing in frozen.drawings] == sorted(path.name for path in folder.glob("*.png"))
    for drawing in frozen.drawings:
        assert drawing.caption == (folder / drawing.name).with_suffix(".txt").read_text().strip()
        assert drawing.caption.startswith("houtline, ")
    assert len({drawing.digest for drawing in frozen.drawings}) == 8


def test_the_activation_word_comes_in_front_where_it_is_missing(small):
    place, project = small
    folder = place.dataset(project)
    first, second, third = sorted(folder.glob("*.txt"))[:3]
    first.write_text("cow face, smiling\n")
    second.write_text("")
    third.unlink()
    captions = [drawing.caption for drawing in freeze(place, project).drawings[:3]]
    assert captions == ["houtline, cow face, smiling", "houtline", "houtline"]
    assert first.read_text() == "cow face, smiling\n", "the artist's file stays as it is"


def test_held_out_drawings_are_some_and_always_the_same(small):
    place, project = small
    frozen = freeze(place, project)
    assert sum(drawing.held_out for drawing in frozen.drawings) == 2
    assert len(frozen.trained) == 6
    assert freeze(place, project).drawings == frozen.drawings
    others = [freeze(place, replace(project, plan=replace(SHORT, seed=seed))).trained for seed in range(5)]
    assert len(set(others)) > 1


def test_one_drawing_at_least_is_left_to_learn_from(small):
    place, project = small
    frozen = freeze(place, replace(project, plan=replace(SHORT, held_out=1000)))
    assert len(frozen.trained) == 1
    assert len(schedule(frozen).steps) == 2


def test_excluded_drawings_are_not_in_the_plan(small):
    place, project = small
    name = freeze(place, project).drawings[3].name
    without = freeze(place, replace(project, treatments={name: Treatment(excluded=True)}))
    assert len(without.drawings) == 7
    assert name not in {drawing.name for drawing in without.drawings}
    assert without.left_out == (), "the artist knows why"


def test_blocked_drawings_are_left_out_with_a_reason_unless_the_artist_wants_them(small):
    place, project = small
    folder = place.dataset(project)
    Image.effect_noise((15, 14), 90).save(folder / "tiny.png")
    (folder / "broken.png").write_bytes(b"no picture")
    frozen = freeze(place, project)
    assert {"tiny.png", "broken.png"}.isdisjoint(drawing.name for drawing in frozen.drawings)
    assert {problem.drawing for problem in frozen.left_out} == {"tiny.png", "broken.png"}
    assert all(problem.message and problem.remedy for problem in frozen.left_out)
    allowed = freeze(place, replace(project, treatments={"tiny.png": Treatment(excluded=False)}))
    assert "tiny.png" in {drawing.name for drawing in allowed.drawings}
    assert {problem.drawing for problem in allowed.left_out} == {"broken.png"}


def test_treatments_reach_the_plan(small):
    place, project = small
    name = freeze(place, project).drawings[0].name
    treatment = Treatment(background="#102030", fit="pad")
    frozen = freeze(place, replace(project, treatments={name: treatment}))
    assert frozen.drawings[0].treatment == treatment
    assert frozen.drawings[1].treatment == Treatment()


def test_drawings_in_folders_below_count_when_asked(small):
    place, project = small
    folder = place.dataset(project)
    (folder / "more").mkdir()
    for ending in (".png", ".txt"):
        source = sorted(folder.glob(f"*{ending}"))[0]
        shutil.move(source, folder / "more" / source.name)
    assert len(freeze(place, project).drawings) == 7
    names = [drawing.name for drawing in freeze(place, replace(project, nested=True)).drawings]
    assert len(names) == 8 and sum(name.startswith("more/") for name in names) == 1


def test_a_frozen_plan_comes_back_from_its_file(small):
    place, project = small
    frozen = freeze(place, project)
    run = Run.create(place.runs, frozen)
    assert run.plan() == frozen
    assert schedule(run.plan()) == schedule(frozen)


def test_nothing_to_train_on_is_said_in_words(small):
    place, project = small
    folder = place.dataset(project)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(BocetoError, match="no drawing to train on") as raised:
        freeze(place, project)
    assert str(folder) in raised.value.title and raised.value.hint
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BocetoError, match="no drawing to train on") as raised:
        freeze(place, project)
    assert raised.value.detail


def test_a_dataset_that_is_not_there_is_said_in_words(small):
    place, project = small
    shutil.rmtree(place.dataset(project))
    with pytest.raises(BocetoError, match=re.escape(str(place.dataset(project)))):
        freeze(place, project)


def test_an_unknown_base_is_said_in_words(small):
    place, project = small
    with pytest.raises(BocetoError, match="no base called “nobody”"):
        freeze(place, replace(project, base="nobody"))


def stem(small: tuple[Place, Project]) -> str:
    return Path(freeze(*small).output).name


@pytest.mark.parametrize("earlier", ["small.safetensors", "small-000001.safetensors", "small-step00000007.safetensors"])
def test_the_files_of_an_earlier_training_are_never_overwritten(small, earlier):
    place, _project = small
    assert stem(small) == "small"
    place.output.mkdir()
    (place.output / earlier).write_bytes(b"a LoRA of last week")
    assert stem(small) == "small-2"
    (place.output / "small-2.safetensors").write_bytes(b"and of yesterday")
    assert stem(small) == "small-3"


def test_the_file_of_another_project_is_not_in_the_way(small):
    place, _project = small
    place.output.mkdir()
    (place.output / "smaller.safetensors").write_bytes(b"")
    (place.output / "small-hands.safetensors").write_bytes(b"")
    assert stem(small) == "small"


def test_two_trainings_at_the_same_time_write_different_files(small):
    """The second is begun before the first has saved anything, checkpoint or file."""
    place, project = small
    first = freeze(place, project)
    run = Run.create(place.runs, first)
    with run.held():
        assert freeze(place, project).output != first.output


def test_a_run_that_was_cut_off_before_its_first_checkpoint_keeps_its_name(small):
    """It can still go on, from its beginning; then it must not meet the files of a later one."""
    place, project = small
    first = freeze(place, project)
    Run.create(place.runs, first)
    assert freeze(place, project).output != first.output


def test_a_damaged_run_does_not_keep_anyone_from_training(small):
    place, _project = small
    for name, content in (("broken", "output = "), ("empty", "")):
        run = place.runs / name
        (run / "checkpoint").mkdir(parents=True)
        (run / "checkpoint" / "00000001.pt").write_bytes(b"")
        (run / "plan.toml").write_text(content)
    (place.runs / "gone" / "checkpoint").mkdir(parents=True)
    (place.runs / "gone" / "checkpoint" / "00000001.pt").write_bytes(b"")
    assert stem(small) == "small"


def test_names_that_mean_something_in_toml_are_only_names(small):
    place, project = small
    folder = place.dataset(project)
    drawing = sorted(folder.glob("*.png"))[0]
    odd = folder / 'a "quoted" [red]ñ[-] = #1.png'
    drawing.rename(odd)
    drawing.with_suffix(".txt").rename(odd.with_suffix(".txt"))
    frozen = freeze(place, replace(project, treatments={odd.name: Treatment(fit="pad")}))
    place.save(replace(project, treatments={odd.name: Treatment(fit="pad")}))
    assert freeze(place, place.load()) == frozen
    toml.save(place.folder / "plan.toml", frozen)
    assert toml.load(place.folder / "plan.toml", FrozenPlan) == frozen
    assert next(one for one in frozen.drawings if one.name == odd.name).treatment.fit == "pad"
