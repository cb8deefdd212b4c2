"""Letting taggers write captions from the wizard: what is chosen, how the job is followed, and what was seen."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.widgets import Input

from core.captions.caption import tags_of
from core.images.scan import inspect
from core.runs import events
from core.runs.launch import stop
from core.runs.run import Run, Status
from core.taggers import results
from core.taggers.compose import OFF, UNDESIRED, Rules
from core.taggers.find import Found
from core.taggers.order import Order
from core.taggers.tagger import Category, Scored, Subject
from tests.core.taggers.onnx_models import make
from tests.tui.asking import HOSTILE, OPEN, answer_to, asking, fits, seen
from tests.tui.piloting import driven, text, until
from tui import captioning
from tui.dialogs.captioning import Captioning
from tui.dialogs.dialog import Dialog
from tui.dialogs.log import Log
from tui.dialogs.seen import Seen
from tui.dialogs.write import Fetch, Present, Write, WriteChoice

EVA = Found(id="wd-eva02-large", name="WD EVA02 large v3", kind="tags", model=Path("/a/model.onnx"), tags=Path("/a/t"))
BLIP = Found(id="blip-large", name="BLIP large", kind="sentences", model=Path("/b"))
THERE = Present(41, 12, 5)
SEEN = (
    Scored("bird", 0.99),
    Scored("flying", 0.7),
    Scored("sky", 0.55),
    Scored("cloud", 0.4),
    Scored("general", 0.9, Category.RATING),
)


def write(*found: Found, kind: Any = "style", last: WriteChoice | None = None) -> Write:
    return Write(found or (EVA, BLIP), kind, THERE, last)


def look(caption: str = "bird, Sky, feathers") -> Seen:
    return Seen("bird.png", caption, SEEN, 0.5)


def every_dialog(run: Run) -> dict[str, Dialog[Any]]:
    return {"write": write(), "seen": look(), "job": Captioning(run)}


@pytest.fixture
def waiting(tmp_path: Path) -> Run:
    """A run whose job has said how far it is, and goes on."""
    run = Run.create(tmp_path / "runs", Order(taggers=(EVA,), folder=tmp_path / "scores", drawings=()))
    run.keep_status(Status("caption"))
    said = [
        events.Started(t=1.0, pid=1, host="here", device="CPU", total=40),
        events.Phase(t=1.0, name="caption", done=0, total=40),
        events.Phase(t=11.0, name="caption", done=10, total=40),
    ]
    run.events_file.write_bytes(b"".join(map(events.encode, said)))
    return run


def following(run: Run, journey: Callable[[Any, Any], Any]) -> None:
    """With the job's lock held, as by a job that goes on."""

    async def whole() -> None:
        with run.held():
            async with asking(Captioning(run)) as (app, pilot):
                await journey(app, pilot)

    driven(whole)


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("kind", ["write", "seen", "job"])
def test_a_dialog_fits_and_tab_reaches_everything(
    kind: str, size: tuple[int, int], language: str, monkeypatch: pytest.MonkeyPatch, waiting: Run
) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", language)

    with waiting.held():
        fits(every_dialog(waiting)[kind], size, "#box Text")


def test_hostile_text_is_shown_as_text() -> None:
    hostile = Found(id=HOSTILE, name=HOSTILE, kind="tags", model=Path("/[b]\x1b[31m/m.onnx"), tags=Path("/t"))
    for dialog in (
        write(hostile),
        Seen("[b]\x1b]0;evil\x07\udc80.png", HOSTILE, [Scored(tag, 0.9) for tag in tags_of(HOSTILE)], 0.5),
    ):
        shown = seen(dialog, "j", "space", size=(120, 40))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", shown)
        assert "[red]" in shown


@pytest.mark.parametrize("kind", ["write", "seen"])
def test_escape_changes_nothing(kind: str, waiting: Run) -> None:
    assert answer_to(every_dialog(waiting)[kind], "j", "space", "escape") is None


# --- choosing --------------------------------------------------------------------------------------------------------


def test_enter_takes_what_the_guide_takes() -> None:
    assert answer_to(write(kind="style"), "enter") == WriteChoice((BLIP,), Rules(general=0.5), "keep")
    assert answer_to(write(kind="character"), "enter") == WriteChoice((EVA,), Rules(general=0.25), "keep")


def test_the_one_in_the_box_is_taken_only_where_there_is_no_other() -> None:
    from core.taggers.find import BOX

    mini = Found(id="mini", name="Boceto mini", kind="tags", model=BOX / "model.onnx", tags=BOX / "selected_tags.csv")
    assert captioning.usual([mini, EVA], "character") == (EVA,)
    assert captioning.usual([mini, EVA], "style") == (EVA,)
    assert captioning.usual([mini], "style") == (mini,)
    assert captioning.usual([], "style") == ()


def test_the_guide_s_two_taggers_are_taken_together() -> None:
    second = Found(id="wd-vit-large", name="2", kind="tags", model=Path("/c/m"), tags=Path("/c/t"))
    other = Found(id="wd-vit", name="3", kind="tags", model=Path("/d/m"), tags=Path("/d/t"))
    assert captioning.usual([other, EVA, second], "character") == (EVA, second)


def test_everything_can_be_chosen_otherwise() -> None:
    answers: list[Any] = []

    async def journey() -> None:
        async with asking(write()) as (app, pilot):
            await pilot.press("home", "space")  # the first tagger too
            for name, value in (("general", "0,35"), ("character", "0.9"), ("most", "12"), ("undesired", "a b, c")):
                app.screen.query_one(f"#{name}", Input).value = value
            app.screen.query_one("#characters").focus()
            await pilot.press("space")
            app.screen.query_one("#mode").focus()
            await pilot.press("right", "right")
            assert "5 captions by your hand are overwritten" in text(app)
            await pilot.press("enter")
            await pilot.pause()
            answers.append(app.answer)

    driven(journey)
    rules = Rules(general=0.35, character=0.9, undesired=("a b", "c"), most=12)
    assert answers == [WriteChoice((EVA, BLIP), rules, "replace")]


def test_what_was_chosen_before_stands_there_again() -> None:
    last = WriteChoice((EVA,), Rules(general=0.4, character=0.7, undesired=("x",), most=9), "append")
    assert answer_to(write(last=last), "enter") == last
    gone = WriteChoice((Found(id="gone", name="gone", kind="tags", model=Path("/g")),), Rules(), "keep")
    answer = answer_to(write(last=gone), "enter")
    assert (answer.taggers, answer.rules.character, answer.rules.undesired) == ((BLIP,), OFF, UNDESIRED)


@pytest.mark.parametrize("value", ["", "0", "0.01", "1.2", "."])
def test_a_threshold_that_no_score_can_meet_is_said_and_not_taken(value: str) -> None:
    async def journey() -> None:
        async with asking(write()) as (app, pilot):
            app.screen.query_one("#general", Input).value = value
            await pilot.press("enter")
            await pilot.pause()
            assert app.answer is OPEN
            assert "a number from 0.05 to 1.0" in text(app) and app.focused.id == "general"

    driven(journey)


def test_without_a_tagger_nothing_begins() -> None:
    assert answer_to(write(BLIP), "space", "enter") is OPEN
    assert "Tick a tagger" in seen(write(BLIP), "space", "enter")
    assert "f fetches one" in seen(Write((), "style", THERE), "enter")


def test_a_tagger_that_is_not_there_can_be_fetched() -> None:
    answer = answer_to(write(EVA, BLIP), "j", "j", "f")
    assert isinstance(answer, Fetch) and answer.entry.id == "wd-vit-large"
    assert answer_to(write(EVA, BLIP), "f") is OPEN
    shown = " ".join(seen(write(EVA, BLIP), "j", "j").replace("│", " ").split())
    assert "SmilingWolf/wd-vit-large-tagger-v3" in shown and "model.onnx, selected_tags.csv" in shown


# --- the job ---------------------------------------------------------------------------------------------------------


def test_the_time_that_is_left_is_told_from_the_job_s_own_clock(waiting: Run) -> None:
    async def journey(app: Any, pilot: Any) -> None:
        await until(lambda: "10/40" in text(app), pilot)
        assert "30 s left" in text(app) and "━" in text(app)

    following(waiting, journey)


def test_turning_away_leaves_the_job_alone(waiting: Run) -> None:
    async def journey(app: Any, pilot: Any) -> None:
        await until(lambda: "10/40" in text(app), pilot)
        await pilot.press("escape")
        await until(lambda: app.answer is not OPEN, pilot)
        assert app.answer is None and waiting.take_requests() == set()

    following(waiting, journey)


def test_a_failure_is_said_in_words_with_its_log(waiting: Run) -> None:
    async def journey(app: Any, pilot: Any) -> None:
        failed = events.Failed(title="The tagger broke.", detail="It is [red].", hint="Take another.")
        with waiting.events_file.open("ab") as file:
            file.write(events.encode(failed))
        waiting.log_file.write_text("a library says so\n")
        await until(lambda: "✗ The tagger broke." in text(app), pilot)
        assert "It is [red]." in text(app) and "→ Take another." in text(app)
        await pilot.press("l")
        await until(lambda: isinstance(app.screen, Log), pilot)
        await until(lambda: "a library says so" in text(app), pilot)
        await pilot.press("escape", "enter")
        await until(lambda: app.answer is not OPEN, pilot)
        assert app.answer is None

    following(waiting, journey)


def test_a_job_that_was_killed_is_said(waiting: Run) -> None:
    async def journey() -> None:
        async with asking(Captioning(waiting)) as (app, pilot):
            await until(lambda: "gone without a word" in text(app), pilot)
            await pilot.press("enter")
            await until(lambda: app.answer is None, pilot)

    driven(journey)


def test_what_could_not_be_opened_is_told_before_it_goes_on(waiting: Run) -> None:
    async def journey(app: Any, pilot: Any) -> None:
        with waiting.events_file.open("ab") as file:
            file.write(events.encode(events.Noted(message="“x.png”: it is damaged")))
            file.write(events.encode(events.Finished(step=39, path="/scores")))
        await until(lambda: "x.png" in text(app) and "Enter goes on" in text(app), pilot)
        assert app.answer is OPEN
        await pilot.press("enter")
        await until(lambda: app.answer == "finished", pilot)

    following(waiting, journey)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Sixty drawings and a tagger that is slow enough to be stopped."""
    model = make(tmp_path / "slow", side=128, heavy=6)
    tagger = Found(id="slow", name="slow", kind="tags", model=model, tags=model.parent / "selected_tags.csv")
    subjects = []
    for number in range(60):
        path = tmp_path / f"{number:02}.png"
        Image.new("RGB", (64, 64), (number, 9, 9)).save(path)
        subjects.append(Subject(path.name, path, digest=inspect(path, path.name).digest))
    return Order(taggers=(tagger,), folder=tmp_path / "scores", drawings=tuple(subjects))


def test_a_stopped_job_keeps_what_it_saw_and_a_second_one_sees_the_rest(order: Order, tmp_path: Path) -> None:
    async def journey() -> None:
        run = captioning.begun(tmp_path / "captioning", order)
        try:
            async with asking(Captioning(run)) as (app, pilot):
                await until(lambda: len(results.read(order.scores(order.taggers[0]))) > 1, pilot, 60)
                await pilot.press("x")
                await until(lambda: app.answer is not OPEN, pilot, 60)
                assert app.answer == "stopped"
        finally:
            stop(run, wait=20)
        known = len(captioning.looks(order)[0])
        assert 1 < known < 60
        present = {subject.name: "" for subject in order.drawings}
        assert len(captioning.composed(order, present, Rules(), "keep", "")) == known
        run = captioning.begun(tmp_path / "captioning", order)
        try:
            async with asking(Captioning(run)) as (app, pilot):
                await until(lambda: app.answer is not OPEN, pilot, 60)
                assert app.answer == "finished"
        finally:
            stop(run, wait=20)
        changes = captioning.composed(order, present, Rules(), "keep", "")
        assert len(changes) == 60 and changes["00.png"] == ("", "1girl, ^_^, very long hair")

    driven(journey)


# --- what was seen ---------------------------------------------------------------------------------------------------


def test_a_caption_is_compared_with_what_was_seen() -> None:
    lines = [line.strip(" │") for line in seen(look()).splitlines()]
    signs = {line[2:].split("  ")[0]: line[0] for line in lines if line[:2] in ("✓ ", "+ ", "− ", "· ")}
    assert signs["bird"] == "✓" and signs["Sky"] == "✓"
    assert (signs["flying"], signs["feathers"], signs["cloud"]) == ("+", "−", "·")
    assert "general" not in signs


def test_space_adds_what_is_missing_and_takes_away_what_is_there() -> None:
    # In order: bird, flying, Sky, feathers, cloud.
    assert answer_to(look(), "j", "space", "j", "space", "space", "enter") == (["flying", "cloud"], ["feathers"])
    assert answer_to(look(), "space", "k", "space", "enter") is None


def test_everything_that_was_surely_seen_is_added_at_once() -> None:
    assert answer_to(look(), "a", "enter") == (["flying"], [])
    assert answer_to(look(), "a", "N", "enter") is None


def test_a_tag_that_two_taggers_saw_stands_once_with_its_better_score() -> None:
    twice = Seen("x.png", "", [Scored("cat", 0.3), Scored("Cat", 0.8)], 0.5)
    shown = seen(twice)
    assert "0.80" in shown and "0.30" not in shown


# --- texts from elsewhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "given", "mode", "after"),
    [
        ("", "a cat", "keep", "a cat"),
        ("houtline", "a cat", "keep", "a cat"),
        ("dog", "cat", "keep", None),
        ("dog", "cat", "replace", "cat"),
        ("dog, tree", "Tree, cat", "append", "dog, tree, cat"),
        ("dog", "dog", "append", None),
        ("dog", "  ", "replace", None),
        ("A dog is on the roof.", "It is a red house.", "append", "A dog is on the roof. It is a red house."),
    ],
)
def test_texts_from_elsewhere_meet_those_there_are(before: str, given: str, mode: Any, after: str | None) -> None:
    expected = {} if after is None else {"x.png": (before, after)}
    assert captioning.merged({"x.png": before}, {"x.png": given, "gone.png": "y"}, mode, "houtline") == expected
