"""The caption editor: changes by keys, for one caption or many, taken back whenever one likes."""

from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace
from textual.events import AppBlur, AppFocus
from textual.widgets import Input

from core.captions.desk import Desk
from core.project import Place, Project
from tests.conftest import small_project
from tests.tui.piloting import driven, settled, showing, text, until
from tui.captions.watching import Counted
from tui.dialogs.changes import Changes
from tui.dialogs.dialog import Ask
from tui.dialogs.journal import Journal
from tui.dialogs.problems import Problems
from tui.dialogs.prune import Prune
from tui.dialogs.replace import Replace
from tui.dialogs.tag_table import TagTable
from tui.dialogs.write import Write
from tui.widgets.rows import Rows
from tui.work import Work

CAPTIONS = (
    "cat, red, sitting",
    "cat, blue",
    "dog, red",
    "bird, red, flying",
    "a cat is sitting on a chair.",
    "",
    "moon",
    "sun",
)


def captioned(folder: Path, *captions: str) -> tuple[Place, Project, list[Path]]:
    place, project = small_project(folder)
    paths = sorted(place.dataset(project).glob("*.txt"))
    for path, caption in zip(paths, captions or CAPTIONS, strict=False):
        path.write_text(caption) if caption else path.unlink()
    return place, project, paths


def contents(paths: list[Path]) -> list[str]:
    return [path.read_text() if path.exists() else "" for path in paths]


def test_tags_are_chosen_removed_renamed_moved_and_added_by_keys(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (_app, pilot):
            await pilot.press("right", "d")
            assert paths[0].read_text() == "cat, sitting"
            await pilot.press("h", "r", *[*("backspace",) * 3], *"lion", "enter")
            assert paths[0].read_text() == "lion, sitting"
            await pilot.press("L")
            assert paths[0].read_text() == "sitting, lion"
            await pilot.press("a", *"mo", "tab", *"fog, red", "enter")
            assert paths[0].read_text() == "sitting, lion, moon, fog, red"
            await pilot.press(*"zzzz")
            assert contents(paths) == list(CAPTIONS)

    driven(journey)


def test_a_change_is_for_all_marked_captions_and_says_so(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("m", "m", "j", "M")
            assert "4 marked" in text(app)
            await pilot.press("a")
            assert "add to 4 marked" in text(app)
            await pilot.press(*"night", "enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            assert contents(paths) == list(CAPTIONS)
            await pilot.press("enter")
            await until(lambda: [one.endswith("night") for one in contents(paths)] == [True] * 4 + [False] * 4, pilot)
            await pilot.press("z")
            await until(lambda: contents(paths) == list(CAPTIONS), pilot)
            await pilot.press("V")
            assert "4 marked" in text(app)
            await pilot.press("escape")
            assert "marked" not in text(app)

    driven(journey)


def test_the_last_change_is_made_again_by_one_key(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (_app, pilot):
            await pilot.press("enter", *", night", "enter", "full_stop", "j", "full_stop")
            assert contents(paths)[:3] == ["cat, red, sitting, night", "cat, blue, night", "dog, red, night"]

    driven(journey)


def test_renaming_everywhere_reaches_every_caption_and_is_one_step(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("right", "R", "backspace", "backspace", "backspace", *"scarlet", "enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            await pilot.press("enter")
            await until(lambda: "scarlet" in paths[0].read_text(), pilot)
            assert [one for one in contents(paths) if "scarlet" in one] == [
                "cat, scarlet, sitting", "dog, scarlet", "bird, scarlet, flying"
            ]  # fmt: skip
            await pilot.press("z")
            await until(lambda: contents(paths) == list(CAPTIONS), pilot)

    driven(journey)


def test_a_filter_shows_what_it_says_and_a_wrong_one_says_where(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            rows = app.screen.query_one(Rows)
            await pilot.press("slash", *"tag:cat -tag:blue", "enter")
            assert list(rows.items) == [0] and "1 shown" in text(app)
            await pilot.press("escape", "f")
            assert list(rows.items) == [0, 1]
            await pilot.press("escape", "slash", *"(tag:cat")
            assert len(rows.items) == 8  # the last filter that could be read
            assert "character 1" in " ".join(text(app).split())

    driven(journey)


def test_the_queue_shows_only_what_needs_a_person(tmp_path: Path) -> None:
    long = ", ".join(f"tag number {number}" for number in range(40))
    place, project, _paths = captioned(
        tmp_path / "p", "cat, red", long, "dog", "standing, sitting", "sun", "", "a", "b"
    )

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("q")
            rows = app.screen.query_one(Rows)
            assert sorted(rows.items) == [1, 3, 5]
            assert "3 of 3 left" in text(app)
            await pilot.press("space")
            assert "2 of 3 left" in text(app) and len(rows.items) == 3
            await pilot.press("escape")
            assert len(rows.items) == 8

    driven(journey)


def test_a_wrong_accept_is_taken_back(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("space", "space", "backspace")
            assert "1 of 8 read" in text(app) and app.screen.query_one(Rows).item == 1

    driven(journey)


def test_a_drawing_that_is_left_out_comes_back_by_z(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("x")
            assert "Left out" in text(app) and len(app.screen.query_one(Rows).items) == 7
            assert sum(bool(one.excluded) for one in app.screen.work.project.treatments.values()) == 1
            await pilot.press("z")
            assert len(app.screen.query_one(Rows).items) == 8 and not app.screen.work.project.treatments

    driven(journey)


def test_quick_tags_are_added_and_taken_away_by_their_numbers(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("j", "j", "j", "right", "right", "plus")  # flying
            assert app.screen.work.project.quick_tags == ("flying",)
            await pilot.press("g", "1")
            assert paths[0].read_text() == "cat, red, sitting, flying"
            await pilot.press("1")
            assert paths[0].read_text() == "cat, red, sitting"

    driven(journey)


def test_many_are_replaced_after_one_has_seen_it_and_one_key_takes_it_back(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("s")
            await until(lambda: isinstance(app.screen, Replace), pilot)
            await pilot.press(*"red")
            await pilot.press("tab", *"green")
            await until(lambda: "green" in text(app), pilot)
            await pilot.press("enter")
            await until(lambda: not isinstance(app.screen, Replace), pilot)
            await until(lambda: paths[2].read_text() == "dog, green", pilot)
            await until(lambda: "3 captions" in text(app), pilot)
            await pilot.press("z")
            await until(lambda: contents(paths) == list(CAPTIONS), pilot)

    driven(journey)


def test_the_table_of_tags_changes_captions_after_one_has_seen_it(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("t")
            await until(lambda: isinstance(app.screen, TagTable), pilot)
            await pilot.press("d", "enter")  # red, the most frequent
            await until(lambda: isinstance(app.screen, Changes), pilot)
            assert contents(paths) == list(CAPTIONS)
            await pilot.press("enter")
            await until(lambda: paths[2].read_text() == "dog", pilot)
            await pilot.press("z")
            await until(lambda: contents(paths) == list(CAPTIONS), pilot)

    driven(journey)


def test_the_journal_leads_to_any_point_also_of_an_earlier_sitting(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        work = Work(project=project, place=place)
        async with showing(work, "captions") as (app, pilot):
            await pilot.press("d", "j", "d", "j", "d")
            changed = contents(paths)
        async with showing(work, "captions") as (app, pilot):
            await pilot.press("U")
            await until(lambda: isinstance(app.screen, Journal), pilot)
            await pilot.press("end", "enter")
            await until(lambda: contents(paths) == list(CAPTIONS), pilot)
            await pilot.press("Z", "Z", "Z")
            assert contents(paths) == changed

    driven(journey)


def test_another_word_takes_the_place_of_the_one_before_in_the_captions_too(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p", "houtline, cat", "dog", "houtline", "a", "b", "c", "d", "e")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            before = contents(paths)
            field = app.screen.query_one("#word", Input)
            field.value = "artelu"
            await pilot.press("W", "enter")
            assert app.screen.work.project.activation_word == "artelu"
            assert contents(paths)[:3] == ["artelu, cat", "dog", "artelu"]
            await pilot.press("z")
            assert contents(paths) == before
            assert app.screen.work.project.activation_word == "houtline" == field.value

    driven(journey)


def test_a_problem_is_mended_by_one_key(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p", "cat, cat, red", "long_hair", *"abcdef")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            for row, mended in enumerate(("cat, red", "long hair")):
                app.screen.rows.cursor = row
                await pilot.press("b")
                await until(lambda: isinstance(app.screen, Changes), pilot)
                await pilot.press("enter")
                await until(lambda row=row, mended=mended: paths[row].read_text() == mended, pilot)
                await until(lambda: not isinstance(app.screen, Changes), pilot)

    driven(journey)


def test_nothing_is_changed_while_another_window_has_the_captions(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")
    other = Desk.open(place.journal, {})

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            assert "Another window" in text(app)
            await pilot.press("escape", "d", "enter")
            await settled(app, pilot)
            assert contents(paths) == list(CAPTIONS) and not app.screen.field.display

    driven(journey)
    other.close()


def test_a_batch_reaches_the_files_before_another_screen_comes(tmp_path: Path) -> None:
    place, project = small_project(tmp_path / "p", drawings=8)
    paths = sorted(place.dataset(project).glob("*.txt"))

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            screen = app.screen
            await pilot.press("asterisk", "a", *"night", "enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            await pilot.press("enter", "ctrl+n")
            await until(lambda: app.screen is not screen, pilot)
            assert all(path.read_text().endswith(", night") for path in paths)

    driven(journey)


def test_another_program_moves_neither_the_cursor_nor_what_a_key_means(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            paths[3].write_text("theirs, too")
            await until(lambda: "theirs" in text(app), pilot)
            assert app.screen.query_one(Rows).item == 0
            await pilot.press("d")
            assert (paths[0].read_text(), paths[3].read_text()) == ("red, sitting", "theirs, too")

    driven(journey)


def test_a_text_that_is_typed_is_asked_about_when_the_same_words_changed_outside(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            screen = app.screen
            await pilot.press("slash", *"tag:sitting", "enter", "enter", *", night")
            paths[0].write_text("cat, red, sitting, day")
            await pilot.press("ctrl+n")  # nobody leaves before it is settled
            await until(lambda: isinstance(app.screen, Ask), pilot)
            assert paths[0].read_text() == "cat, red, sitting, day"
            await pilot.press("escape")
            await until(lambda: app.screen is screen and screen.field.display, pilot)
            assert (screen.field.value, screen.rows.item) == ("cat, red, sitting, night", 0)
            await pilot.press("enter")
            assert paths[0].read_text() == "cat, red, sitting, night"

    driven(journey)


def test_what_was_typed_is_in_the_journal_when_nobody_could_be_asked(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        work = Work(project=project, place=place)
        async with showing(work, "captions") as (app, pilot):
            await pilot.press("enter", *", night")
            paths[0].write_text("cat, red, sitting, day")
            app.screen.kept("captions", strict=False)
            assert paths[0].read_text() == "cat, red, sitting, day"
        async with showing(work, "captions") as (_app, pilot):
            await pilot.press("Z")
            assert paths[0].read_text() == "cat, red, sitting, night"

    driven(journey)


def test_blanks_of_every_kind_keep_words_apart_in_the_field(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p", "cat\u3000one, red\u00a0two\u200b", *"bcdefgh")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("enter", "escape")
            assert paths[0].read_text() == "cat\u3000one, red\u00a0two\u200b"
            await pilot.press("enter", *", night", "enter")
            assert paths[0].read_text() == "cat one, red two, night"
            assert not isinstance(app.screen, Ask)

    driven(journey)


def test_a_filter_is_gone_when_the_queue_was_shown(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            rows = app.screen.query_one(Rows)
            await pilot.press("slash", *"tag:cat", "enter", "q")
            assert list(rows.items) == [5]
            await pilot.press("x", "z")
            assert list(rows.items) == [5]  # back in the queue
            await pilot.press("escape")
            assert len(rows.items) == 8

    driven(journey)


def test_a_filter_that_cannot_be_read_does_not_keep_what_was_left_out(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("slash", *"(tag:cat")
            app.screen.rows.focus()
            await pilot.press("x")
            assert list(app.screen.query_one(Rows).items) == [1, 2, 3, 4, 5, 6, 7]

    driven(journey)


def test_a_word_that_an_interrupted_sitting_had_taken_is_still_the_word(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")
    desk = Desk.open(place.journal, {})
    desk.change("the word", word=(project.activation_word, "artelu"))
    desk._journal._file.close()  # killed

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, _pilot):
            assert app.screen.query_one("#word", Input).value == "artelu"
            assert app.screen.kept("captions").project.activation_word == "artelu"

    driven(journey)


def test_a_word_that_a_field_cannot_show_as_it_is_changes_only_when_it_is_typed(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")
    project = replace(project, activation_word=" hout\u200bline")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, _pilot):
            assert app.screen.kept("captions").project.activation_word == " hout\u200bline"
            assert not app.screen.desk.steps

    driven(journey)


def test_half_a_word_is_not_taken_because_one_looks_at_another_window(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p", "houtline, cat", *"bcdefgh")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("W", "end", "backspace")
            app.post_message(AppBlur())
            await pilot.pause(0.1)
            assert paths[0].read_text() == "houtline, cat"
            app.post_message(AppFocus())
            await pilot.pause(0.1)
            await pilot.press("enter")
            assert paths[0].read_text() == "houtlin, cat"

    driven(journey)


def test_a_word_that_cannot_be_is_not_taken_by_leaving_its_field(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("W", *", b", "enter")
            assert app.screen.work.project.activation_word == project.activation_word
            assert app.screen.kept("drawings", strict=False).project.activation_word == project.activation_word

    driven(journey)


def test_nothing_is_taken_back_while_the_drawings_are_looked_at_again(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        work = Work(project=project, place=place)
        async with showing(work, "captions") as (_app, pilot):
            await pilot.press("d")
        async with showing(work, "drawings") as (app, pilot):
            app.screen.action_rescan()
            app.screen.action_undo()
            assert paths[0].read_text() == "red, sitting"
            await settled(app, pilot)
            await pilot.press("z")
            assert paths[0].read_text() == "cat, red, sitting"

    driven(journey)


def test_a_count_of_an_older_caption_is_not_shown(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            screen = app.screen
            before = screen.work
            await pilot.press("d")
            screen.ledger.know(screen.work, [0])
            screen.counted(Counted(before, {0: 99}))
            assert screen.ledger.tokens(0) != 99

    driven(journey)


def test_what_stands_in_every_caption_goes_when_the_person_says_so(tmp_path: Path) -> None:
    captions = [f"{name}, white page, {place}" for name, place in zip("abcdefgh", "stuvwxyz", strict=True)]
    place, project, paths = captioned(tmp_path / "p", *captions)

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("B")
            await until(lambda: isinstance(app.screen, Problems), pilot)
            await pilot.press("b")
            await until(lambda: isinstance(app.screen, Prune), pilot)
            await pilot.press("down", "space", "enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            await pilot.press("enter")
            await until(lambda: paths[0].read_text() == "a, s", pilot)
            assert contents(paths)[7] == "h, z"

    driven(journey)


def test_a_window_that_becomes_narrow_stays_whole(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions", (120, 40)) as (app, pilot):
            for size in ((44, 24), (120, 40), (40, 12), (80, 24)):
                await pilot.resize_terminal(*size)
                await settled(app, pilot)
            assert "4/10" in text(app)

    driven(journey)


def test_a_word_that_the_project_was_not_told_of_is_known_again(tmp_path: Path) -> None:
    place, project, _paths = captioned(tmp_path / "p")

    async def crash() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            app.screen.query_one("#word", Input).value = "artelu"
            await pilot.press("W", "enter")
            raise RuntimeError("the program ends by an error")

    async def journey() -> None:
        with suppress(RuntimeError):
            await crash()
        assert place.load().activation_word == "houtline"
        async with showing(Work(project=place.load(), place=place), "captions") as (app, pilot):
            assert app.screen.query_one("#word", Input).value == "artelu"
            await pilot.press("ctrl+n")
            await until(lambda: place.load().activation_word == "artelu", pilot)

    driven(journey)


def test_a_preview_that_one_turns_away_from_leads_back_to_its_dialog(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("t")
            await until(lambda: isinstance(app.screen, TagTable), pilot)
            await pilot.press("d", "enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            await pilot.press("escape")
            await until(lambda: isinstance(app.screen, TagTable), pilot)
            await pilot.press("escape")
            await until(lambda: not isinstance(app.screen, TagTable), pilot)
            assert app.screen.AT == "captions" and contents(paths) == list(CAPTIONS)

    driven(journey)


def test_what_was_left_out_on_purpose_is_no_more_wanted_of_a_tagger(tmp_path: Path) -> None:
    captions = [f"{name}, lineart" for name in "abcdefgh"]
    place, project, paths = captioned(tmp_path / "p", *captions)

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("p")
            await until(lambda: isinstance(app.screen, Prune), pilot)
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, Changes), pilot)
            await pilot.press("enter")
            await until(lambda: paths[0].read_text() == "a", pilot)
            await until(lambda: app.screen.work.project.never_tags == ("lineart",), pilot)
            await pilot.press("T")
            await until(lambda: isinstance(app.screen, Write), pilot)
            await until(lambda: "lineart" in app.screen.query_one("#undesired", Input).value, pilot)

    driven(journey)


def test_a_filter_that_cannot_be_read_keeps_the_keys(tmp_path: Path) -> None:
    place, project, paths = captioned(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "captions") as (app, pilot):
            await pilot.press("slash", *"(tag:cat", "enter", *"da")
            assert contents(paths) == list(CAPTIONS)
            assert app.screen.finder.field.value == "(tag:catda"

    driven(journey)
