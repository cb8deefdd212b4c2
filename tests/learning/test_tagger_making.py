"""The making of the tagger in the box, from art to a WD tagger that runs; on hand-made emoji, without a network."""

import io
import json
import tarfile
from threading import Event

import numpy as np
import pytest
import torch

from core.bases.mini.making import art
from core.bases.mini.making.art import Art
from core.taggers.mini.making import calibration, colours, export, learning, measure, network, pictures, variations
from core.taggers.mini.making.__main__ import main
from core.taggers.mini.making.vocabulary import COLOUR_TAGS, STYLE_TAGS, Vocabulary, known, meaning
from core.taggers.tagger import Subject, Tagged
from core.taggers.wd import Wd

pytest.importorskip("resvg_py", reason="the extra “mini” is not installed")
pytest.importorskip("onnxscript", reason="the extra “mini” is not installed")

CONCEPTS = {
    **dict.fromkeys(("cat", "dog", "dog face", "lion"), ("animals-nature", "animal-mammal")),
    **dict.fromkeys(("rose", "tulip"), ("animals-nature", "plant-flower")),
    **dict.fromkeys(("taxi", "police car", "bus"), ("travel-places", "transport-ground")),
    **dict.fromkeys(("hammer", "axe"), ("objects", "tool")),
    **dict.fromkeys(("woman", "man"), ("people-body", "person")),
    "red apple": ("food-drink", "food-fruit"),
}
PAINTS = ("#d22", "#2a2", "#26d", "#fb2", "#a3c", "#2bb")


def shape(number: int, *, filled: bool) -> str:
    """A square, disc or triangle of its own colour, or its black outline."""
    paint = f'fill="{PAINTS[number % 6]}"' if filled else 'fill="none" stroke="#000" stroke-width="2"'
    form = (
        f'<rect x="8" y="8" width="16" height="16" {paint}/>',
        f'<circle cx="16" cy="16" r="{8 + number % 5}" {paint}/>',
        f'<path d="M16 5 L27 26 L5 26 Z" {paint}/>',
    )[number % 3]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{form}</svg>'


def work_folder(folder, twemoji_from):
    """The three packages as npm would leave them; Twemoji's pictures are those of `twemoji_from` numbers later."""
    files = {package: {} for package in (art.OPENMOJI, art.FLUENT, art.TWEMOJI)}
    entries = []
    for number, (name, (group, subgroup)) in enumerate(CONCEPTS.items()):
        code, slug = f"1F{number:03X}", name.replace(" ", "-")
        entries.append({"annotation": name, "hexcode": code, "group": group, "subgroups": subgroup, "skintone": ""})
        files[art.OPENMOJI][f"color/svg/{code}.svg"] = shape(number, filled=True)
        files[art.OPENMOJI][f"black/svg/{code}.svg"] = shape(number, filled=False)
        files[art.TWEMOJI][f"{code.lower()}.svg"] = shape(number + twemoji_from, filled=True)
        files[art.FLUENT] |= {
            f"icons/{style}/{slug}.svg": shape(number + 1, filled=style != "high-contrast")
            for style in ("flat", "modern", "high-contrast")
        }
    files[art.OPENMOJI]["data/openmoji.json"] = json.dumps(entries)
    folder.mkdir()
    for package, content in files.items():
        with tarfile.open(folder / package.archive, "w:gz") as tar:
            for name, text in content.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return folder


def make(folder, twemoji_from):
    work = work_folder(folder / "work", twemoji_from)
    recipe = ["--steps", "12", "--batch", "16", "--work", str(work), "--out", str(folder / "tagger")]
    assert main(recipe) == 0
    return folder / "tagger"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a shortened run leaves behind."""
    return make(tmp_path_factory.mktemp("made"), twemoji_from=2)


@pytest.fixture(scope="module")
def found(made):
    return art.listed(made.parent / "work")


@pytest.fixture(scope="module")
def vocabulary(found):
    return Vocabulary.of(found)


@pytest.fixture(scope="module")
def lessons(found, vocabulary, made):
    return learning.lessons(found, art.pixels(found, made.parent / "work", pictures.SIDE, pictures.DRAWN), vocabulary)


def test_what_is_made_is_a_wd_tagger_that_looks_at_drawings(made, tmp_path):
    drawing = tmp_path / "drawing.png"
    art.rendered(made.parent / "work" / "openmoji" / "color" / "svg" / "1F000.svg", 300).save(drawing)
    tagger = Wd.open(made / "model.onnx", made / "selected_tags.csv")
    [[seen]] = tagger.tag([Subject("drawing.png", drawing)], Event())
    assert isinstance(seen, Tagged)
    assert seen.tags


def test_the_loss_falls_and_everything_is_reported(made):
    report = json.loads((made / "making.json").read_text())
    assert report["steps"] == 12
    assert report["loss_last_tenth"] < report["loss_first_tenth"]
    assert report["pictures"]["held_out"] == len(CONCEPTS)
    assert report["pictures"]["learnt"] + report["pictures"]["kept_apart"] == 4 * len(CONCEPTS)
    for measured in report["measured"].values():
        assert set(measured) == {"0.25", "0.35", "0.5"}


def test_the_held_out_art_reaches_nothing_of_what_is_made(made, tmp_path):
    # Other Twemoji pictures, the same tagger, to the last byte; and the same seed makes the same tagger.
    other = make(tmp_path, twemoji_from=5)
    assert (other / "model.onnx").read_bytes() == (made / "model.onnx").read_bytes()
    assert (other / "selected_tags.csv").read_bytes() == (made / "selected_tags.csv").read_bytes()
    # The pictures were other ones, or the above would show nothing.
    assert (other / "making.json").read_bytes() != (made / "making.json").read_bytes()


def test_no_drawing_that_is_learnt_from_is_held_out_or_kept_apart(found):
    styles = {one.style for one in found if pictures.learnt(one)}
    assert styles == set(art.STYLES) - {pictures.HELD_OUT}
    assert not any(pictures.learnt(one) and pictures.kept_apart(one) for one in found)
    assert {one.style for one in found if pictures.kept_apart(one)} <= {"flat", "modern"}


def test_a_tagger_is_never_written_over_another(made):
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert main(["--steps", "1", "--work", str(made.parent / "work"), "--out", str(made)]) == 1
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.parametrize(
    ("concept", "group", "tags"),
    [
        ("police car", "travel-places/transport-ground", "police_car car vehicle no_humans"),
        ("baby chick", "animals-nature/animal-bird", "baby_chick chick bird animal no_humans"),
        ("oncoming taxi", "travel-places/transport-ground", "car vehicle no_humans"),
        ("four leaf clover", "animals-nature/plant-other", "four_leaf_clover clover leaf plant no_humans"),
        ("anchor", "travel-places/transport-water", "anchor no_humans"),
        ("woman farmer", "people-body/person-role", "person 1girl"),
        ("smiling cat with heart eyes", "smileys-emotion/cat-face", "smiley face cat smile heart eye no_humans"),
        ("umbrella on ground", "travel-places/sky-weather", "umbrella no_humans"),
        ("three oclock", "travel-places/time", "clock no_humans"),
    ],
)
def test_a_drawing_is_called_what_it_shows(concept, group, tags):
    assert meaning(Art(concept, "flat", group, None)) == set(tags.split())


def test_the_tags_come_in_the_order_of_a_caption_and_once(vocabulary):
    assert len(set(vocabulary.tags)) == len(vocabulary.tags)
    assert list(dict.fromkeys(vocabulary.groups)) == ["names", "kinds", "colours", "style"]
    assert {"cat", "police_car", "red_apple", "animal", *COLOUR_TAGS, *STYLE_TAGS} <= set(vocabulary.tags)
    assert "woman" not in vocabulary.tags


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("#d22f27", "red"),
        ("#e27022", "orange"),
        ("#f1b31c", "yellow"),
        ("#fcea2b", "yellow"),
        ("#5c9e31", "green"),
        ("#92d3f5", "blue"),
        ("#1e50a0", "blue"),
        ("#8967aa", "purple"),
        ("#ffa7c0", "pink"),
        ("#a57939", "brown"),
        ("#6a462f", "brown"),
        ("#000000", "black"),
        ("#9b9b9a", "grey"),
        ("#ffffff", "white"),
    ],
)
def test_openmojis_palette_has_the_names_an_artist_gives_it(colour, name):
    pixel = torch.tensor([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]).view(1, 3, 1, 1)
    assert COLOUR_TAGS[int(colours.named(pixel))] == name


def test_the_paper_is_what_is_white_and_reached_from_the_edge():
    picture = np.full((1, 20, 20, 3), 255, np.uint8)
    picture[0, 5:15, 5:15] = 0
    picture[0, 8:12, 8:12] = 255  # white, but inside
    blank = pictures.paper(picture)[0]
    assert blank[:5].all()
    assert blank[16:].all()
    assert not blank[5:15, 5:15].any()


def test_a_plain_outline_is_marked_as_one_and_a_coloured_drawing_as_what_it_is(found, lessons, vocabulary):
    seen, marks = lessons.drawn(torch.arange(len(found)), None)
    truth = variations.marked(marks, seen, vocabulary) > 0
    given = [{tag for tag, is_ in zip(vocabulary.tags, row, strict=True) if is_} for row in truth.tolist()]
    by = {(one.concept, one.style): tags for one, tags in zip(found, given, strict=True)}
    paper = {"simple_background", "white_background"}
    assert (
        by["cat", "outline"] == {"cat", "animal", "no_humans", "lineart", "outline", "monochrome", "greyscale"} | paper
    )
    assert by["cat", "openmoji"] == {"cat", "animal", "no_humans", "red", "outline", "flat_color"} | paper
    assert by["cat", "modern"] == {"cat", "animal", "no_humans", "green", "shading"} | paper


def test_variations_are_other_pictures_with_the_same_meaning_and_repeat_with_the_seed(lessons, vocabulary):
    rows = torch.arange(len(lessons.names)).repeat(4)

    def varied(seed):
        seen, marks = lessons.drawn(rows, torch.Generator().manual_seed(seed))
        return seen, variations.marked(marks, seen, vocabulary)

    (seen, truth), (again, _truth), (other, _other_truth) = varied(1), varied(1), varied(2)
    assert torch.equal(seen.pixels, again.pixels)
    assert not torch.equal(seen.pixels, other.pixels)
    assert seen.pixels.shape == (len(rows), 3, variations.SEEN, variations.SEEN)
    assert 0 <= seen.pixels.min() < seen.pixels.max() <= 1
    names = vocabulary.columns("names") + vocabulary.columns("kinds")
    assert torch.equal(truth[:, names] > 0, torch.from_numpy(lessons.known[rows])[:, names])
    # A picture of lines has no colours, whatever it was before.
    coloured = truth[:, vocabulary.columns("colours")].sum(1)
    assert seen.lines.any()
    assert not coloured[seen.lines].any()


def test_a_coloured_drawing_can_be_redrawn_as_outlines(found, lessons, vocabulary):
    rows = torch.tensor([index for index, one in enumerate(found) if one.style == "openmoji"])
    seen, marks = lessons.drawn(rows, torch.Generator().manual_seed(0), outlined=True)
    truth = variations.marked(marks, seen, vocabulary) > 0
    assert truth[:, [vocabulary.tags.index(tag) for tag in ("lineart", "outline", "monochrome", "greyscale")]].all()
    assert not truth[:, [vocabulary.tags.index(tag) for tag in (*COLOUR_TAGS, "flat_color")]].any()
    centre, edge = seen.pixels[:, :, 32, 32], seen.pixels.amin((1, 2, 3))
    assert centre.min() > 0.9  # what was filled is paper now
    assert edge.max() < 0.6


def test_as_many_tags_are_given_at_the_balanced_threshold_as_there_are_and_names_stay_as_learnt():
    vocabulary = Vocabulary(("a", "b", "c", "d"), ("names", "kinds", "kinds", "style"))
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) - 4
    truth = (torch.rand(50, 4, generator=torch.Generator().manual_seed(1)) < 0.2).float()
    new = network.new(torch.full((4,), 0.1), 1, seed=0)
    before = new.head.bias.detach().clone()
    calibration.shift(new, calibration.shifts(logits, truth, vocabulary), vocabulary)
    change = new.head.bias.detach() - before
    assert change[0] == 0
    found = measure.figures(torch.sigmoid(logits + change), truth, vocabulary, calibration.BALANCED)
    for group in ("kinds", "style"):
        assert found[group].given == found[group].true > 0


def test_precision_and_recall_are_counted_over_pictures_and_tags():
    vocabulary = Vocabulary(("a", "b", "c"), ("names", "names", "style"))
    scores = torch.tensor([[0.9, 0.4, 0.1], [0.2, 0.6, 0.8]])
    truth = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    found = measure.figures(scores, truth, vocabulary, 0.35)
    assert found["names"] == measure.Figures(right=2, given=3, true=3)
    assert found["style"] == measure.Figures(right=0, given=1, true=0)
    assert (found["all"].precision, found["all"].recall) == (0.5, pytest.approx(2 / 3))
    assert found["all"].f1 == pytest.approx(4 / 7)
    assert measure.named(scores, [0, 0], 0.35) == 0.5


def test_what_is_written_says_what_the_network_says(tmp_path, vocabulary):
    onnxruntime = pytest.importorskip("onnxruntime")
    tags = len(vocabulary.tags)
    new = network.new(torch.full((tags,), 0.2), 5, seed=3).train()
    with torch.no_grad():
        for _batch in range(5):  # statistics that are not those of a new network
            new(torch.rand(16, 3, variations.SEEN, variations.SEEN))
        new.head.weight.mul_(20)
    new.eval()
    export.save(new, vocabulary, torch.ones(tags), tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for size in (1, 5):
        rgb = torch.rand(size, 3, variations.SEEN, variations.SEEN)
        bgr = (rgb.flip(1).permute(0, 2, 3, 1) * 255).contiguous().numpy()
        (scores,) = session.run(None, {session.get_inputs()[0].name: bgr})
        expected = torch.sigmoid(new(rgb)).detach().numpy()
        assert expected.std() > 0.05
        # The weights were rounded to 11 bits.
        assert np.abs(scores[:, 4:] - expected).max() < 0.01
        assert scores[:, 0].min() > 0.9


def test_tags_that_are_known_go_by_the_art_set():
    one = Art("cat", "openmoji", "animals-nature/animal-mammal", None)
    assert {"outline", "flat_color"} <= known(one)
    assert "lineart" not in known(one)
