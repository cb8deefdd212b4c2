"""WD taggers: thresholds, categories and order against models whose scores are known."""

import hashlib
import os
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from core.errors import BocetoError, Problem
from core.taggers.tagger import Category, Scored, Subject, Tagged
from core.taggers.wd import Wd, spelled, tag_names
from tests.core.taggers.onnx_models import ROWS, make

GENERAL, CHARACTER, RATING = Category.GENERAL, Category.CHARACTER, Category.RATING


def drawings(folder: Path, count: int = 3, size: tuple[int, int] = (40, 30)) -> list[Subject]:
    subjects = []
    for number in range(count):
        path = folder / f"{number:03d}.png"
        Image.new("RGB", size, (number, 0, 255 - number)).save(path)
        subjects.append(Subject(path.name, path))
    return subjects


def tagger(folder: Path, **how) -> Wd:
    model = make(folder, **how)
    return Wd.open(model, model.parent / "selected_tags.csv")


def looks(wd: Wd, subjects: list[Subject]) -> list[Tagged | Problem]:
    return [item for batch in wd.tag(subjects, Event()) for item in batch]


def test_scores_come_with_category_and_spelling_in_the_order_of_the_list(tmp_path):
    (look,) = looks(tagger(tmp_path / "wd"), drawings(tmp_path, 1))
    assert look == Tagged(
        "000.png",
        hashlib.sha256((tmp_path / "000.png").read_bytes()).hexdigest(),
        tags=(
            Scored("general", 0.9, RATING),
            Scored("sensitive", 0.1, RATING),
            Scored("1girl", 0.99, GENERAL),
            Scored("long hair", 0.6, GENERAL),
            Scored("^_^", 0.55, GENERAL),
            Scored("very long hair", 0.5, GENERAL),
            Scored("<|>_<|>", 0.3, GENERAL),
            Scored("simple background", 0.06, GENERAL),
            Scored("hatsune miku", 0.8, CHARACTER),
        ),
    )


def test_the_model_sees_the_drawing_in_bgr(tmp_path):
    rows = (("blue", 0, 0.0), ("green", 0, 0.0), ("red", 0, 0.0))
    Image.new("RGB", (64, 64), (255, 0, 51)).save(tmp_path / "red.png")
    subject = Subject("red.png", tmp_path / "red.png")
    (look,) = looks(tagger(tmp_path / "wd", rows=rows, weights=np.eye(3)), [subject])
    assert look.tags == (Scored("blue", 0.2), Scored("red", 1.0))


@pytest.mark.parametrize(("batch", "count"), [("batch", 5), (1, 5), (4, 5), (4, 4), (8, 3)])
def test_every_batch_gives_each_drawing_its_own_scores(tmp_path, batch, count):
    rows = (("blue", 0, 0.0), ("green", 0, 0.5), ("red", 0, 0.2))
    subjects = drawings(tmp_path, count, (32, 32))
    seen = looks(tagger(tmp_path / "wd", rows=rows, weights=np.eye(3), batch=batch), subjects)
    assert [look.drawing for look in seen] == [subject.name for subject in subjects]
    for number, look in enumerate(seen):
        scores = {scored.tag: scored.score for scored in look.tags}
        assert scores == {
            "blue": pytest.approx((255 - number) / 255, abs=1e-4),
            "green": 0.5,
            "red": pytest.approx(0.2 + number / 255, abs=1e-4),
        }


def test_a_drawing_that_cannot_be_opened_is_told_in_its_place(tmp_path):
    subjects = drawings(tmp_path, 3)
    subjects[1].path.write_bytes(b"no image at all")
    seen = looks(tagger(tmp_path / "wd", batch=2), subjects)
    assert [type(item) for item in seen] == [Tagged, Problem, Tagged]
    assert (seen[1].drawing, seen[1].code) == ("001.png", "not-an-image")
    only = looks(tagger(tmp_path / "wd"), [subjects[1]])
    assert [type(item) for item in only] == [Problem]


def test_a_cancelled_look_ends_with_what_was_seen(tmp_path):
    wd = tagger(tmp_path / "wd", side=224, heavy=3)
    cancelled = Event()
    subjects = drawings(tmp_path, 200, (224, 224))
    seen = []
    for batch in wd.tag(subjects, cancelled):
        seen += batch
        cancelled.set()
    assert 0 < len(seen) < 200
    assert [look.drawing for look in seen] == [subject.name for subject in subjects[: len(seen)]]


def test_an_input_that_is_left_open_is_448(tmp_path):
    assert looks(tagger(tmp_path / "wd", side="side"), drawings(tmp_path, 1))[0].tags


def test_it_says_which_processor_it_runs_on(tmp_path):
    assert tagger(tmp_path / "wd").device


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("long_hair", "long hair"),
        ("^_^", "^_^"),
        ("o_o", "o_o"),
        ("||_||", "||_||"),
        ("(o)_(o)", "(o)_(o)"),
        ("hatsune_miku_(append)", "hatsune miku (append)"),
    ],
)
def test_underscores_are_blanks_but_in_faces(name, written):
    assert spelled(name) == written


def test_categories_of_other_lists_are_general_or_names(tmp_path):
    path = tmp_path / "tags.csv"
    path.write_text("tag_id,name,category,count\n1,artist,1,1\n2,series,3,1\n3,highres,5,1\n4,new,77,1\n")
    assert [category for _name, category in tag_names(path)] == [CHARACTER, CHARACTER, GENERAL, GENERAL]


def refusal(model: Path, tags: Path) -> BocetoError:
    with pytest.raises(BocetoError) as error:
        Wd.open(model, tags)
    assert error.value.title and error.value.hint
    return error.value


def test_what_a_download_left_in_place_of_a_model_is_told(tmp_path):
    model = make(tmp_path)
    tags = tmp_path / "selected_tags.csv"
    model.write_bytes(b"<!DOCTYPE html><html>Log in</html>")
    assert "<!DOCTYPE" in refusal(model, tags).detail
    model.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    assert "git-lfs" in refusal(model, tags).detail
    model.unlink()
    assert str(model) in refusal(model, tags).title


def test_a_model_that_is_cut_off_is_told(tmp_path):
    model = make(tmp_path, heavy=2)
    os.truncate(model, model.stat().st_size // 2)
    assert str(model) in refusal(model, tmp_path / "selected_tags.csv").title


def test_a_list_of_another_model_is_refused(tmp_path):
    model = make(tmp_path / "one")
    make(tmp_path / "other", ROWS[:-1])
    error = refusal(model, tmp_path / "other" / "selected_tags.csv")
    assert "12" in error.title and "11" in error.title


@pytest.mark.parametrize("content", [b"", b"name\nx\n", b"tag_id,name,category,count\n1\n", b"\xff\xfe\x00"])
def test_a_list_that_is_none_is_refused(tmp_path, content):
    model = make(tmp_path)
    (tmp_path / "selected_tags.csv").write_bytes(content)
    refusal(model, tmp_path / "selected_tags.csv")
