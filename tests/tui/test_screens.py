"""Every screen of the wizard: fits 80 × 24, can be reached by Tab, and keeps what was answered."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from msgspec.structs import replace
from textual.events import Key
from textual.widgets import Footer, Input, OptionList
from textual.widgets._footer import FooterKey

from core import paths
from core.demo import DRAWINGS
from core.errors import BocetoError
from core.plan.frozen import freeze
from core.project import Place, Project
from core.runs import events
from core.runs.launch import launch
from core.runs.run import Run
from tests.conftest import SHORT, small_project
from tests.tui.piloting import driven, settled, showing, text, until
from tui.dialogs.dialog import Ask, Dialog, Trouble
from tui.dialogs.log import Log
from tui.dialogs.pick import Pick
from tui.folders import held
from tui.screens.captions import Captions
from tui.screens.drawings import Drawings
from tui.screens.folder import Looked
from tui.screens.steps import Steps
from tui.widgets.plan_form import Field
from tui.widgets.rows import Rows
from tui.wizard import ORDER
from tui.work import Work, opened


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Place]:
    """A project with a finished run on the base in the box."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOCETO_CACHE", str(shared_cache))
        place, project = small_project(
            tmp_path_factory.mktemp("trained") / "small", replace(SHORT, preview_every=1, preview_steps=2)
        )
        run = Run.create(place.runs, freeze(place, project))
        launch(run)
        while run.is_alive():
            sleep(0.1)
        assert isinstance(run.history()[-1], events.Finished)
        yield place


def work_of(place: Place, at: str) -> Work:
    """The work that a screen begins with."""
    if at == "welcome":
        return Work(project=Project(name=""))
    work, _at = opened(place)
    from core.runs.run import runs_in

    return replace(work, run=next(iter(runs_in(place.runs)), None))


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("at", ORDER)
def test_a_screen_fits_80_by_24_and_tab_reaches_everything(
    at: str, language: str, trained: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", language)

    async def journey() -> None:
        async with showing(work_of(trained, at), at) as (app, pilot):
            screen = app.screen
            focusable = [widget for widget in screen.focus_chain if widget.display]
            assert focusable
            for widget in focusable:
                inside = widget.region.bottom <= 24 and widget.region.right <= 80 and widget.region.area > 0
                scrolled = any(
                    parent.max_scroll_y > 0 for parent in widget.ancestors if hasattr(parent, "max_scroll_y")
                )
                assert inside or scrolled, (widget, widget.region)
            keys = list(screen.query_one(Footer).query(FooterKey))
            assert keys and len(keys) <= 6
            assert sum(key.region.width for key in keys) <= 80
            assert max(key.region.right for key in keys) <= 80, [key.description for key in keys]
            seen = set()
            for _turn in range(len(focusable) + 1):
                await pilot.press("tab")
                seen.add(app.focused)
            assert set(focusable) <= seen

    driven(journey)


@pytest.mark.parametrize("at", ORDER)
def test_help_explains_the_place_one_is_in(at: str, trained: Place) -> None:
    async def journey() -> None:
        async with showing(work_of(trained, at), at) as (app, pilot):
            await pilot.press("f1")
            shown = text(app)
            assert "Help: " in shown
            assert len(shown.split()) > 60
            await pilot.press("escape")
            assert not isinstance(app.screen, Dialog)

    driven(journey)


def test_the_palette_holds_the_actions_of_the_place(trained: Place) -> None:
    async def journey() -> None:
        async with showing(work_of(trained, "drawings"), "drawings") as (app, _pilot):
            offered = {command.title for command in app.get_system_commands(app.screen)}
            assert {"Leave out", "Filter", "Treatment", "Sort", "Undo", "Next", "Back", "Help"} <= offered

    driven(journey)


def test_every_key_has_an_id_and_none_is_used_twice_in_one_place(trained: Place) -> None:
    async def journey() -> None:
        for at in ORDER:
            async with showing(work_of(trained, at), at) as (app, _pilot):
                keys = [
                    (key, binding)
                    for node in (app.screen, *app.screen.query("*"))
                    if type(node).__module__.startswith("tui.")
                    for key, binding in node._bindings
                    if type(node).__module__.startswith("tui.screens")
                ]
                ours = [(key, binding) for key, binding in keys if binding.id]
                assert len({key for key, _binding in ours}) == len(ours), at

    driven(journey)


def test_another_key_can_be_given_to_an_action(trained: Place) -> None:
    from core.preferences import Preferences
    from tests.tui.piloting import TERMINAL
    from tui.app import BocetoApp

    async def journey() -> None:
        chosen = Preferences(keys={"drawings.exclude": "o"})
        app = BocetoApp(TERMINAL, work_of(trained, "drawings"), "drawings", chosen)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(app, pilot)
            screen = app.screen
            assert isinstance(screen, Drawings)
            await pilot.press("x")
            assert not screen.work.project.treatments
            await pilot.press("o")
            assert len(screen.work.project.treatments) == 1

    driven(journey)


# Folder.


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A folder with a few drawings, as an artist has it."""
    folder = tmp_path / "mis dibujos ñ"
    folder.mkdir()
    for picture in sorted(DRAWINGS.glob("*.png"))[:5]:
        shutil.copyfile(picture, folder / picture.name)
        shutil.copyfile(picture.with_suffix(".txt"), folder / picture.with_suffix(".txt").name)
    return folder


def test_a_folder_becomes_a_project_with_the_folders_name(loose: Path) -> None:
    async def journey() -> None:
        work = Work(project=Project(name="", dataset=str(loose)))
        async with showing(work, "folder") as (app, pilot):
            assert "5 drawings, 5 captions" in text(app)
            await pilot.press("ctrl+n")
            await until(lambda: isinstance(app.screen, Drawings), pilot)
            project = app.screen.work.project
            assert project.name == "mis dibujos ñ" and Path(project.dataset) == loose
            assert app.screen.work.place.file.is_file()

    driven(journey)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder.mkdir(), "There are no drawings in this folder"),
        (lambda folder: None, "This folder cannot be read: No such file"),
        (lambda folder: (folder.mkdir(), (folder / "a.psd").write_bytes(b"x")), "must be exported first"),
    ],
)
def test_a_folder_that_cannot_be_says_why_in_words(tmp_path: Path, make, words: str) -> None:
    folder = tmp_path / "one"
    make(folder)

    async def journey() -> None:
        work = Work(project=Project(name="", dataset=str(folder)))
        async with showing(work, "folder") as (app, pilot):
            await pilot.press("ctrl+n")
            assert words in " ".join(text(app).split())
            assert app.screen.AT == "folder"

    driven(journey)


def test_a_slower_look_at_what_was_typed_before_hides_nothing(tmp_path: Path, loose: Path) -> None:
    async def journey() -> None:
        work = Work(project=Project(name="", dataset=str(tmp_path / "mis")))
        async with showing(work, "folder") as (app, pilot):
            screen = app.screen
            with screen.prevent(Input.Changed):
                screen.path.value = str(loose)
            screen.post_message(Looked(loose, held(loose)))
            screen.post_message(Looked(tmp_path / "mis", held(tmp_path / "mis")))
            await until(lambda: "5 drawings, 5 captions" in text(app), pilot)
            assert not screen.obstacle

    driven(journey)


def test_tab_completes_a_path_as_far_as_it_is_certain(tmp_path: Path, loose: Path) -> None:
    async def journey() -> None:
        work = Work(project=Project(name="", dataset=str(tmp_path)))
        async with showing(work, "folder") as (app, pilot):
            field = app.screen.query_one("#path", Input)
            field.value = str(tmp_path / "mis")
            field.cursor_position = len(field.value)
            await pilot.press("tab")
            assert field.value == f"{loose}/" and app.focused is field
            await pilot.press("tab")
            assert app.focused is not field

    driven(journey)


def test_a_name_that_no_file_system_takes_is_refused_in_words(loose: Path) -> None:
    async def journey() -> None:
        work = Work(project=Project(name="", dataset=str(loose)))
        async with showing(work, "folder") as (app, pilot):
            app.screen.query_one("#name", Input).value = "a/b"
            await pilot.press("ctrl+n")
            assert app.screen.AT == "folder" and "cannot hold any of" in text(app)

    driven(journey)


# Drawings.


def test_leaving_a_drawing_out_can_be_taken_back_and_made_again(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            screen = app.screen
            assert isinstance(screen, Drawings) and screen.survey
            name = screen.survey.drawings[0].name
            await pilot.press("x")
            assert screen.work.project.treatments[name].excluded is True
            assert "8 drawings, 7 used" in text(app)
            await pilot.press("z")
            assert not screen.work.project.treatments
            await pilot.press("Z")
            assert screen.work.project.treatments[name].excluded is True
            await pilot.press("ctrl+n")
            await until(lambda: isinstance(app.screen, Captions), pilot)
            assert place.load().treatments[name].excluded is True

    driven(journey)


def test_a_treatment_for_all_changes_every_shown_drawing_at_once(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            screen = app.screen
            await pilot.press("t")
            await until(lambda: isinstance(app.screen, Dialog), pilot)
            await pilot.press("shift+tab", "space", "tab", "down", "enter")
            await until(lambda: app.screen is screen, pilot)
            treatments = screen.work.project.treatments
            assert len(treatments) == 8 and {one.fit for one in treatments.values()} == {"pad"}
            await pilot.press("z")
            assert not screen.work.project.treatments

    driven(journey)


def test_the_filter_shows_only_drawings_with_that_problem(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    first = sorted(folder.glob("*.png"))[0]
    shutil.copyfile(first, folder / "zz copy.png")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            screen = app.screen
            await pilot.press("f")
            await until(lambda: isinstance(app.screen, Pick), pilot)
            entries = app.screen.query_one(OptionList)
            wanted = next(i for i, option in enumerate(entries.options) if "the same file" in str(option.prompt))
            entries.highlighted = wanted
            await pilot.press("enter")
            await until(lambda: app.screen is screen, pilot)
            rows = screen.query_one(Rows)
            assert [screen.survey.drawings[item].name for item in rows.items] == ["zz copy.png"]

    driven(journey)


def test_a_blocked_drawing_can_be_taken_in_and_left_out_again(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    shutil.copyfile(sorted(folder.glob("*.png"))[0], folder / "zz copy.png")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            screen = app.screen
            assert "9 drawings, 8 used" in text(app)
            await pilot.press("G", "x")
            assert screen.work.project.treatments["zz copy.png"].excluded is False
            assert "9 drawings, 9 used" in text(app)

    driven(journey)


def test_ten_thousand_rows_draw_only_what_one_sees() -> None:
    from textual.app import App
    from textual.content import Content

    drawn: list[int] = []

    def line(item: int, width: int) -> Content:
        drawn.append(item)
        return Content(f"row {item}")

    class One(App[None]):
        def compose(self):
            yield Rows(line)

    async def journey() -> None:
        app = One()
        async with app.run_test(size=(80, 24)) as pilot:
            app.query_one(Rows).show(range(10_000))
            await pilot.pause()
            assert len(set(drawn)) <= 30
            drawn.clear()
            await pilot.press("G")
            assert app.query_one(Rows).item == 9_999
            await pilot.press("k")
            assert app.query_one(Rows).item == 9_998
            assert len(set(drawn)) <= 60

    driven(journey)


# Captions.


def test_enter_edits_in_the_row_keeps_and_moves_on(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    first, second = sorted(folder.glob("*.png"))[:2]

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            screen = app.screen
            await pilot.press("enter", *", big", "enter")
            assert first.with_suffix(".txt").read_text().endswith(", big")
            assert screen.query_one(Rows).item == 1
            untouched = second.with_suffix(".txt").read_bytes()
            await pilot.press("enter", *"xyz", "escape")
            assert second.with_suffix(".txt").read_bytes() == untouched
            assert screen.AT == "captions" and app.screen is screen
            await pilot.press("z")
            assert not first.with_suffix(".txt").read_text().endswith("big")
            await pilot.press("Z")
            assert first.with_suffix(".txt").read_text().endswith(", big")

    driven(journey)


def test_a_caption_that_nobody_edits_stays_byte_for_byte(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    drawings = sorted(folder.glob("*.png"))
    odd = {
        drawings[0].with_suffix(".txt"): b"\xef\xbb\xbfone, two\r\nthree\r\n",
        drawings[1].with_suffix(".txt"): "caf\xe9, ni\xf1a".encode("latin-1"),
        drawings[2].with_suffix(".txt"): b"[red]markup[/], \x1b[31mescape\x07",
    }
    for path, content in odd.items():
        path.write_bytes(content)

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            # Read, found right, edited and taken back, edited to the same: none of it is a change.
            await pilot.press("space", "enter", "escape", "j", "enter", "enter", "g", "enter", "enter")
            shown = text(app)
            assert "[red]markup[/]" in shown and "\x1b" not in shown

    driven(journey)
    for path, content in odd.items():
        assert path.read_bytes() == content


def test_a_reviewed_caption_stays_reviewed_until_it_changes(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    first = sorted(folder.glob("*.txt"))[0]

    async def look(expected: str, *keys: str) -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press(*keys)
            assert expected in text(app)

    async def journey() -> None:
        await look("2 of 8 read", "space", "space")
        await look("2 of 8 read")
        first.write_text("something else")
        await look("1 of 8 read")

    driven(journey)


def test_a_caption_changed_by_another_program_is_brought_together_or_asked_about(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    first, second, third = sorted(place.dataset(project).glob("*.txt"))[:3]
    for path in (first, second, third):
        path.write_text("cat, red, sitting")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("enter", *", moon")
            first.write_text("dog, red, sitting")
            await pilot.press("enter")
            assert first.read_text() == "dog, red, sitting, moon"
            await pilot.press("enter", *", moon")
            second.write_text("cat, red, sitting, sun")
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Ask), pilot)
            assert second.read_text() == "cat, red, sitting, sun"
            await pilot.press("escape")
            # What was typed is in its field again.
            await until(lambda: not isinstance(app.screen, Ask) and app.screen.field.has_focus, pilot)
            assert app.screen.field.value == "cat, red, sitting, moon"
            await pilot.press("enter")
            assert second.read_text() == "cat, red, sitting, moon"
            third.write_text("from elsewhere")
            await until(lambda: "from elsewhere" in text(app), pilot)
            await pilot.press("z", "z", "z")
            assert [path.read_text() for path in (first, second, third)] == [
                "dog, red, sitting, moon",
                "cat, red, sitting",
                "cat, red, sitting",
            ]

    driven(journey)


def test_a_word_that_cannot_be_is_said_and_stops_nobody_from_going_back(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            screen = app.screen
            screen.query_one("#word", Input).value = "two, words"
            await pilot.press("ctrl+n")
            assert app.screen is screen and "two tags" in " ".join(text(app).split())
            await pilot.press("escape")
            await until(lambda: app.screen is not screen, pilot)

    driven(journey)


# Steps and optimizer.


def test_the_calculator_follows_every_keystroke(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p", replace(SHORT, held_out=0))

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "steps") as (app, pilot):
            for keys, real in ((("delete", "1"), 4), (("0",), 40), (("tab", "delete", "1", "5"), 300)):
                await pilot.press(*keys)
                assert f"{real} real steps" in text(app)
            screen = app.screen
            assert isinstance(screen, Steps)
            await pilot.press("b")
            taken = screen.work.project.plan
            assert (taken.repeats, taken.epochs) != (10, 15) and screen.query_one("#gauge").steps in range(300, 501)
            await pilot.press("r")
            assert screen.work.project.plan.repeats is None and screen.query_one("#gauge").steps in range(300, 501)

    driven(journey)


def test_a_number_outside_its_limits_says_so_and_is_not_kept(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "steps") as (app, pilot):
            await pilot.press("0")
            assert "1 to 500" in text(app)
            await pilot.press("ctrl+n")
            assert app.screen.AT == "steps"
            assert app.screen.work.project.plan.repeats == SHORT.repeats

    driven(journey)


def test_an_optimizer_brings_its_own_arguments(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p", replace(SHORT, weight_decay=0.5))

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "optimizer") as (app, pilot):
            await pilot.press("up", "enter")
            plan = app.screen.work.project.plan
            assert plan.optimizer == "prodigy" and plan.weight_decay is None and plan.learning_rate is None
            assert app.screen.query_one("#field-d_coef").display
            await pilot.press("down", "enter")
            assert app.screen.work.project.plan.optimizer == "adamw"
            assert not app.screen.query_one("#field-d_coef").display

    driven(journey)


def test_every_choice_of_the_plan_has_a_field_with_help(tmp_path: Path) -> None:
    from core.settings import Plan, choices
    from tui.labels import label

    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "optimizer") as (app, pilot):
            await pilot.press("v")
            await settled(app, pilot)
            shown = {field.choice.name for field in app.screen.query(Field)}
            assert shown | {"repeats", "epochs", "batch_size", "optimizer"} == {one.name for one in choices(Plan)}
            assert all(label(one.name) != one.name for one in choices(Plan))
            await pilot.press("tab")
            assert "text encoders" in text(app)  # the help of the field one is in

    driven(journey)


# Review, training, result.


def test_review_shows_every_automatic_choice_with_its_reason(trained: Place) -> None:
    frozen = freeze(trained, trained.load())

    async def journey() -> None:
        async with showing(work_of(trained, "review"), "review", (120, 60)) as (app, _pilot):
            shown = " ".join(text(app).split())
            for reason in frozen.reasons:
                assert reason.reason in shown
            assert "boceto train" in shown

    driven(journey)


def test_a_problem_leads_to_the_screen_that_mends_it(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    project = replace(project, activation_word="cat")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "review") as (app, pilot):
            assert "already knows" in " ".join(text(app).split())
            await pilot.press("m")
            await until(lambda: isinstance(app.screen, Captions), pilot)

    driven(journey)


def test_a_training_without_a_word_is_asked_about(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        work = Work(project=replace(project, activation_word=""), place=place)
        async with showing(work, "review") as (app, pilot):
            await pilot.press("s")
            await until(lambda: isinstance(app.screen, Ask), pilot)
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Captions), pilot)
            assert not place.runs.exists()

    driven(journey)


def test_many_problems_of_one_kind_are_one_line_of_the_review(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    for path in sorted(place.dataset(project).glob("*.txt"))[:5]:
        path.unlink()

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "review") as (app, _pilot):
            assert "5 drawings: no caption, such as baby_chick.png" in " ".join(text(app).split())

    driven(journey)


def test_a_finished_run_shows_its_whole_curve_again(trained: Place) -> None:
    async def journey() -> None:
        async with showing(work_of(trained, "training"), "training") as (app, pilot):
            await until(lambda: "step 6/6" in text(app), pilot)
            assert len(app.screen._story.losses) == 6
            assert app.screen.AT == "training"  # an old end leads nowhere by itself
            await pilot.press("ctrl+n")
            await until(lambda: app.screen.AT == "result", pilot)
            shown = text(app)
            assert "small.safetensors" in shown and "boceto draw" in shown

    driven(journey)


def test_quitting_while_a_training_runs_asks_and_leaves_it_running(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p", replace(SHORT, epochs=200))
    run = Run.create(place.runs, freeze(place, project))
    launch(run)

    async def journey() -> None:
        work = Work(project=project, place=place, run=run)
        async with showing(work, "training") as (app, pilot):
            await pilot.press("ctrl+q")
            await until(lambda: isinstance(app.screen, Ask), pilot)
            await pilot.press("escape")
            await until(lambda: not isinstance(app.screen, Ask), pilot)
            await pilot.press("x")
            await until(lambda: isinstance(app.screen, Ask), pilot)
            await pilot.press("enter")
            await until(lambda: not run.is_alive(), pilot, 60)
            await until(lambda: "Stopped" in text(app), pilot)

    try:
        driven(journey)
    finally:
        run.request("stop")
    assert isinstance(run.history()[-1], events.Stopped)


def test_a_run_that_fails_shows_what_happened_and_opens_its_log(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    # As when somebody has put another model into the base's folder.
    run = Run.create(place.runs, replace(freeze(place, project), fingerprint="0" * 64))
    launch(run)

    async def journey() -> None:
        async with showing(Work(project=project, place=place, run=run), "training") as (app, pilot):
            await until(lambda: isinstance(app.screen, Log), pilot, 60)
            end = run.history()[-1]
            assert isinstance(end, events.Failed)
            await until(lambda: end.title in " ".join(text(app).split()) and "log.txt" in text(app), pilot)

    driven(journey)


def test_a_run_whose_job_was_killed_says_so_and_goes_on_by_a_key(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p", replace(SHORT, epochs=20))
    run = Run.create(place.runs, freeze(place, project))
    pid = launch(run)

    async def journey() -> None:
        async with showing(Work(project=project, place=place, run=run), "training") as (app, pilot):
            await until(lambda: app.screen._story.step > 3, pilot, 60)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: isinstance(app.screen, Log), pilot, 20)
            await until(lambda: "without a word" in " ".join(text(app).split()), pilot)
            await pilot.press("escape")
            await until(lambda: "The job is gone" in text(app), pilot)
            await pilot.press("r")
            await until(lambda: app.screen.AT == "result", pilot, 90)
            assert len(app.screen._story.losses) == 60
            await settled(app, pilot)

    try:
        driven(journey)
    finally:
        run.request("stop")


def test_an_error_is_shown_in_words_with_what_to_do(trained: Place) -> None:
    async def journey() -> None:
        async with showing(work_of(trained, "welcome"), "welcome") as (app, pilot):
            app.show_error(BocetoError("What [red]happened[/].", "What is known.", "What to do."))
            await pilot.pause()
            shown = text(app)
            assert "What [red]happened[/]." in shown and "→ What to do." in shown

    driven(journey)


# When something is in the way.


def test_a_folder_that_is_gone_is_said_and_one_can_go_back(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    shutil.rmtree(place.dataset(project))

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            await until(lambda: isinstance(app.screen, Trouble) and app.focused is not None, pilot)
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Drawings), pilot)
            await settled(app, pilot)
            assert "could not be read" in text(app)
            await pilot.press("escape")
            await until(lambda: app.screen.AT == "folder", pilot)

    driven(journey)


def test_a_base_that_is_gone_keeps_nobody_from_choosing_another(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    project = replace(project, base="/nowhere/sdxl")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            await pilot.press("ctrl+n", "ctrl+n")
            await until(lambda: app.screen.AT == "base", pilot)
            await settled(app, pilot)
            await pilot.press("ctrl+n")
            assert app.screen.AT == "base"
            await pilot.press("enter", "ctrl+n")
            await until(lambda: app.screen.AT == "steps", pilot)
            assert app.screen.work.project.base == "mini"

    driven(journey)


def test_a_damaged_note_of_what_was_read_does_not_lock_the_project(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    place.reviewed.write_text("{broken")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await until(lambda: isinstance(app.screen, Trouble), pilot)
            await pilot.press("escape")
            assert isinstance(app.screen, Drawings)

    driven(journey)
    assert place.reviewed.read_text() == "{broken"


@pytest.mark.parametrize("keys", [("ctrl+n",), ("ctrl+q",)])
def test_a_caption_that_is_still_edited_is_kept_however_one_leaves(tmp_path: Path, keys: tuple[str, ...]) -> None:
    place, project = small_project(tmp_path / "p")
    first = sorted(place.dataset(project).glob("*.txt"))[0]

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (_app, pilot):
            await pilot.press("enter", *" end", *keys)
            await until(lambda: first.read_text().endswith(" end"), pilot)

    driven(journey)


@pytest.mark.parametrize("value", ["~nobody-of-that-name", "/tmp/\0", "$NOTHING/here"])
def test_no_path_that_is_typed_ends_the_wizard(tmp_path: Path, loose: Path, value: str) -> None:
    async def journey() -> None:
        async with showing(Work(project=Project(name="", dataset=str(loose))), "folder") as (app, pilot):
            app.screen.query_one("#path", Input).value = value
            await settled(app, pilot)
            await pilot.press("tab", "ctrl+n")
            assert app.screen.AT == "folder"

    driven(journey)


def test_the_buttons_do_what_their_keys_do(trained: Place) -> None:
    async def journey() -> None:
        async with showing(work_of(trained, "review"), "review") as (app, pilot):
            runs = len(list(trained.runs.iterdir()))
            await pilot.click("#next")
            await until(lambda: app.screen.AT == "training", pilot)
            assert len(list(trained.runs.iterdir())) == runs + 1
            run = app.screen.work.run
            # Back, and forward again: the training that runs is shown, no other begins.
            await pilot.press("escape")
            await until(lambda: app.screen.AT == "review", pilot)
            if run.is_alive():
                await pilot.press("ctrl+n")
                await until(lambda: app.screen.AT in ("training", "result"), pilot)
            assert len(list(trained.runs.iterdir())) == runs + 1
            await until(lambda: not run.is_alive(), pilot, 60)
            shutil.rmtree(run.folder)

    driven(journey)


def test_one_field_that_cannot_be_is_not_forgotten_when_another_changes(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "optimizer") as (app, pilot):
            await pilot.press("v")
            await settled(app, pilot)
            screen = app.screen
            screen.query_one("#field-rank Input", Input).value = "9999"
            screen.query_one("#field-alpha Input", Input).value = "2"
            await pilot.pause()
            await pilot.press("ctrl+n")
            assert app.screen is screen and "256" in text(app)
            screen.query_one("#field-rank Input", Input).value = "16"
            await pilot.pause()
            await pilot.press("ctrl+n")
            await until(lambda: app.screen.AT == "review", pilot)
            assert (app.screen.work.project.plan.rank, app.screen.work.project.plan.alpha) == (16, 2)

    driven(journey)


def test_another_name_for_the_same_drawings_keeps_the_answers(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "folder") as (app, pilot):
            app.screen.query_one("#name", Input).value = "renamed"
            await pilot.press("ctrl+n")
            await until(lambda: isinstance(app.screen, Drawings), pilot)
            kept = app.screen.work.place.load()
            assert (kept.name, kept.activation_word, kept.plan) == ("renamed", "houtline", SHORT)

    driven(journey)


def test_whoever_only_looks_at_a_folder_has_begun_no_project(loose: Path) -> None:
    async def journey() -> None:
        async with showing(Work(project=Project(name="", dataset=str(loose))), "folder") as (app, pilot):
            await pilot.press("escape")
            await until(lambda: app.screen.AT == "welcome", pilot)

    driven(journey)
    assert not paths.projects().exists()


def test_looking_again_while_one_still_looks_shows_only_the_last(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    below = place.dataset(project) / "below"
    below.mkdir()
    shutil.copyfile(DRAWINGS / "tiger_face.png", below / "tiger_face.png")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "drawings") as (app, pilot):
            for _turn in range(5):
                app.screen.action_nested()
            await settled(app, pilot)
            await pilot.press("end", "home", "end")
            assert "9 drawings" in text(app) and app.screen.work.project.nested

    driven(journey)


# Typing ahead.


def test_keys_that_arrive_at_once_go_where_they_were_meant(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p")
    folder = place.dataset(project)
    first, second = (path.with_suffix(".txt") for path in sorted(folder.glob("*.png"))[:2])
    before = first.read_text().strip(), second.read_text().strip()

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            # Edit, keep, edit the next, keep; then on to the next screens, though they still look for something.
            for key in ("enter", *" xnu", "enter", "enter", *" zjk", "enter", "ctrl+n", "ctrl+n"):
                app.post_message(key_of(key))
            await until(lambda: app.screen.AT == "steps", pilot)
            await settled(app, pilot)
            for key in ("7", "tab", "3", "0", "tab", "4", "escape"):
                app.post_message(key_of(key))
            await until(lambda: app.screen.AT == "base", pilot)
            plan = app.screen.work.project.plan
            assert (plan.repeats, plan.epochs, plan.batch_size) == (7, 30, 4)

    driven(journey)
    assert (first.read_text().strip(), second.read_text().strip()) == (f"{before[0]} xnu", f"{before[1]} zjk")


def key_of(key: str) -> Key:
    return Key("space" if key == " " else key, key if len(key) == 1 else None)
