"""The tagger in the box: in the format of the WD taggers, and of use on the drawings in the box."""

import csv
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import core
from core.taggers.tagger import Subject, Tagged
from core.taggers.wd import Wd

onnxruntime = pytest.importorskip("onnxruntime")

BOX = Path(core.__file__).parent / "taggers" / "mini"
DRAWINGS = Path(core.__file__).parent / "bases" / "mini" / "drawings"
RATINGS = ["general", "sensitive", "questionable", "explicit"]
COLOURS = set("red orange yellow green blue purple pink brown black grey white".split())
LINES = {"lineart", "monochrome", "white_background"}


@pytest.fixture(scope="module")
def rows():
    with (BOX / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def session():
    return onnxruntime.InferenceSession(BOX / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def tagged():
    """What it says of the 35 drawings in the box: stem to score by tag, blanks for underscores."""
    paths = sorted(DRAWINGS.glob("*.png"))
    tagger = Wd.open(BOX / "model.onnx", BOX / "selected_tags.csv")
    seen = [one for part in tagger.tag([Subject(path.name, path) for path in paths], Event()) for one in part]
    assert all(isinstance(one, Tagged) for one in seen)
    return {Path(one.drawing).stem: {tag.tag: tag.score for tag in one.tags} for one in seen}


def run(session, pictures):
    (scores,) = session.run(None, {session.get_inputs()[0].name: pictures})
    return scores


def test_it_is_small_enough_for_the_box():
    assert sum(path.stat().st_size for path in BOX.iterdir() if path.is_file()) <= 6_000_000


def test_its_list_is_one_of_the_wd_family(rows):
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in rows[:4]] == RATINGS
    assert [row["category"] for row in rows] == ["9"] * 4 + ["0"] * (len(rows) - 4)
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names)
    assert len({row["tag_id"] for row in rows}) == len(rows)
    assert all(name and name == name.strip() and " " not in name and "," not in name for name in names)
    assert all(int(row["count"]) >= 0 for row in rows)


def test_its_model_is_one_of_the_wd_family(session, rows):
    [entrance], [exit_] = session.get_inputs(), session.get_outputs()
    batch, height, width, channels = entrance.shape
    assert isinstance(batch, str)  # open
    assert height == width
    assert channels == 3
    assert entrance.type == "tensor(float)"
    assert exit_.shape[1] == len(rows)
    noise = np.random.default_rng(0).uniform(0, 255, (5, height, width, 3)).astype(np.float32)
    scores = run(session, noise)
    assert scores.shape == (5, len(rows))
    assert scores.min() >= 0
    assert scores.max() <= 1
    # A picture's scores do not depend on what else is in the batch.
    assert np.allclose(scores[2:3], run(session, noise[2:3]), atol=1e-5)


def test_the_rating_is_always_general(session):
    side = session.get_inputs()[0].shape[1]
    for value in (0, 128, 255):
        scores = run(session, np.full((1, side, side, 3), value, np.float32))
        assert scores[0, :4].argmax() == 0
        assert scores[0, 0] > 0.9


def test_it_reads_blue_green_red(session, rows):
    side = session.get_inputs()[0].shape[1]
    picture = np.full((1, side, side, 3), 255, np.float32)
    picture[:, side // 4 : -side // 4, side // 4 : -side // 4] = (220, 80, 30)  # a blue square
    scores = dict(zip((row["name"] for row in rows), run(session, picture)[0], strict=True))
    assert scores["blue"] > 0.5
    assert scores["blue"] > scores["red"] + 0.3


def test_it_knows_the_names_of_the_drawings_in_the_box(rows):
    names = {row["name"] for row in rows}
    assert {path.stem for path in DRAWINGS.glob("*.png")} <= names


def given(tags):
    """What a caption would hold at WD's usual threshold."""
    return {tag.replace(" ", "_") for tag, score in tags.items() if score >= 0.35}


def test_nearly_all_drawings_in_the_box_get_their_own_name(tagged):
    assert len(tagged) == 35
    nameless = [stem for stem, tags in tagged.items() if stem not in given(tags)]
    assert len(nameless) <= 1, nameless


@pytest.mark.parametrize(
    ("stem", "kinds"),
    [
        ("baby_chick", "animal bird chick"),
        ("butterfly", "animal bug"),
        ("castle", "building"),
        ("cow_face", "animal cow"),
        ("four_leaf_clover", "plant clover"),
        ("helicopter", "vehicle aircraft"),
        ("locked", "lock padlock"),
        ("open_book", "book"),
        ("police_car", "vehicle car"),
        ("rose", "plant flower"),
        ("shark", "animal sea_creature"),
        ("snowman", "winter"),
        ("sunglasses", "eyewear"),
        ("tiger_face", "animal tiger"),
    ],
)
def test_drawings_in_the_box_get_their_kinds(tagged, stem, kinds):
    assert set(kinds.split()) <= given(tagged[stem])


def test_all_drawings_in_the_box_are_seen_as_lines_on_white_without_colours(tagged):
    for stem, tags in tagged.items():
        assert given(tags) >= LINES, stem
    coloured = [stem for stem, tags in tagged.items() if given(tags) & COLOURS]
    assert len(coloured) <= 2, coloured


def test_drawings_in_the_box_get_few_wrong_tags(tagged):
    # Of 35 drawings, those that are no animals, plants, vehicles or people.
    animals = "baby_chick bird butterfly cow_face dog honeybee lion shark snake tiger_face turtle".split()
    plants = "deciduous_tree evergreen_tree four_leaf_clover mushroom potted_plant rose".split()
    vehicles = ["helicopter", "police_car"]
    for kind, right in (("animal", animals), ("plant", plants), ("vehicle", vehicles), ("person", [])):
        assert sorted(stem for stem, tags in tagged.items() if kind in given(tags)) == right
    # Nobody's name but for things that look alike in outline: an open lock, a taxi, glasses.
    names = {path.stem for path in DRAWINGS.glob("*.png")} - {"bird", "dog", "star"}  # these are kinds as well
    wrong = {stem: given(tags) & names - {stem} for stem, tags in tagged.items()}
    assert not any(wrong.values()), wrong
    assert sum(len(given(tags)) for tags in tagged.values()) / 35 <= 12
