"""The dialogs of the caption editor: what they show, what they give back, and that Escape changes nothing."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input

from core.captions import edits
from core.captions.journal import Step
from core.captions.vocabulary import Vocabulary
from core.demo import DRAWINGS
from tests.tui.asking import HOSTILE, OPEN, answer_to, asking, fits, seen
from tests.tui.piloting import TERMINAL, driven, text, until
from tui.dialogs.changes import Changes, Row
from tui.dialogs.dialog import Ask, Dialog
from tui.dialogs.journal import Journal
from tui.dialogs.replace import Replace, Replacement
from tui.dialogs.scopes import ScopeLine, Scopes
from tui.dialogs.sweep import Sweep, Swept
from tui.dialogs.tag_change import TagChange
from tui.dialogs.tag_table import TagAction, TagTable
from tui.widgets import picture
from tui.widgets.picture import Shown
from tui.widgets.rows import Rows

CAPTIONS = {
    0: "1girl, blue sky, smile",
    1: "blue sky, tree",
    2: "A cat sits on the roof of a red house.",
    3: "tree, house, smile",
}
NAMES = {item: f"{item}.png" for item in CAPTIONS}
ALL = Scopes((0,), (), tuple(CAPTIONS), tuple(CAPTIONS))


def table(captions: dict[int, str] = CAPTIONS, scopes: Scopes = ALL) -> TagTable:
    return TagTable(Vocabulary.of(captions.values()), captions, scopes)


def rows_of(captions: dict[int, str], find: str, by: str) -> list[Row]:
    return [Row(NAMES[item], *pair) for item, pair in edits.changes(captions, edits.replace(find, by)).items()]


def swept(count: int = 3) -> list[Swept]:
    return [
        Swept(10 + place, Shown(path), path.name, path.with_suffix(".txt").read_text(), place == 0)
        for place, path in enumerate(sorted(DRAWINGS.glob("*.png"))[:count])
    ]


def steps(count: int, name: str = "step") -> list[Step]:
    now = time.time()
    return [Step(f"{name} {place}", now - 60 * (count - place), place + 1, 0) for place in range(count)]


def wide_scopes(captions: dict[int, str]) -> Scopes:
    every = tuple(captions)
    return Scopes(every[:1], every[:2], every[:3], every)


def every_dialog(caption: str = "", name: str = "", count: int = 400) -> dict[str, Dialog[Any]]:
    """Each of them, full; with captions and names of one's own."""
    captions = {item: caption or CAPTIONS[item % 4] for item in range(count)}
    names = dict.fromkeys(captions, name or "a_drawing.png")
    scopes, tag = wide_scopes(captions), caption or "blue sky"
    rows = [Row(names[item], captions[item], captions[item][3:] + ", new") for item in captions]
    sweep = [Swept(one.index, one.shown, name or one.name, caption or one.caption, one.has) for one in swept()]
    completer = Vocabulary.of(captions.values()).completions
    return {
        "changes": Changes(name or "replace", rows, caption or "A note that says something."),
        "replace": Replace(captions, names, scopes, Replacement("e", "")),
        "table": table(captions, scopes),
        "rename": TagChange("rename", (tag, tag), captions, scopes, completer),
        "remove": TagChange("remove", (tag,), captions, scopes, completer),
        "add": TagChange("add", (tag,), captions, scopes, completer),
        "sweep": Sweep(TERMINAL, tag, sweep),
        "journal": Journal(steps(40, caption or "step"), 30),
    }


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("kind", every_dialog())
def test_a_dialog_fits_and_tab_reaches_everything(
    kind: str, size: tuple[int, int], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", language)

    fits(every_dialog()[kind], size, may_hide=True)


@pytest.mark.parametrize("kind", every_dialog())
def test_hostile_text_is_shown_as_text(kind: str) -> None:
    shown = seen(every_dialog(HOSTILE, "[b]\x1b]0;evil\x07\udc80.png", 8)[kind], size=(120, 40))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", shown)
    assert "[red]" in shown or "[b]" in shown


@pytest.mark.parametrize("kind", every_dialog())
def test_escape_leaves_everything_as_it_is(kind: str) -> None:
    assert answer_to(every_dialog()[kind], "escape") is None


# Scopes.


def test_marked_captions_are_meant_before_those_shown_and_those_before_all() -> None:
    assert Scopes((1,), (2, 3), (1, 2, 3), (1, 2, 3, 4)).default == "marked"
    assert Scopes((1,), (), (1, 2, 3), (1, 2, 3, 4)).default == "shown"
    assert Scopes((1,), (), (1, 2), (1, 2)).default == "every"
    assert Scopes((1,), (), (), (1, 2)).default == "present"
    assert Scopes((), (), (), ()).default == "every"


def test_each_scope_is_offered_once_with_its_count() -> None:
    filtered = Scopes((0,), (2, 3), (0, 1, 2), (0, 1, 2, 3))
    assert [one.words for one in filtered.choices()] == ["2 marked", "3 shown", "this one", "all 4"]
    assert filtered.items("shown") == (0, 1, 2)
    assert [one.id for one in ALL.choices()] == ["present", "every"]
    assert Scopes((), (), (), ()).choices() == []


# Before and after.


def test_what_goes_and_what_comes_bears_a_sign_and_is_counted() -> None:
    shown = seen(Changes("rename", rows_of(CAPTIONS, "blue sky", "night sky")))
    assert "2 captions change." in shown
    assert "1girl, −blue sky +night sky, smile" in shown
    assert "was  1girl, −blue sky, smile" in shown
    assert "becomes  1girl, +night sky, smile" in shown


def test_a_change_far_to_the_right_is_seen_in_its_line() -> None:
    before = "one tag, " * 30 + "old tag"
    shown = seen(Changes("rename", [Row("a.png", before, before.replace("old tag", "new tag"))]))
    line = next(line for line in shown.splitlines() if "a.png" in line)
    assert "…" in line and "−old tag +new tag" in line


def test_a_change_of_blanks_and_commas_is_seen() -> None:
    shown = seen(Changes("tidy", [Row("a.png", "a,  b, ", "a, b")]))
    assert "−" in shown


def test_enter_makes_a_change_and_makes_none_where_there_is_none() -> None:
    assert answer_to(Changes("t", rows_of(CAPTIONS, "tree", "oak")), "j", "enter") is True
    assert answer_to(Changes("t", []), "enter") is False
    assert "No caption would change." in seen(Changes("t", []))


def test_ten_thousand_changes_are_drawn_a_screenful_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.dialogs import changes

    compared = []

    def difference(before: str, after: str) -> list[edits.Piece]:
        compared.append(before)
        return edits.difference(before, after)

    monkeypatch.setattr(changes, "difference", difference)
    rows = [Row(f"{number}.png", f"tag {number}, a", f"tag {number}, b") for number in range(10_000)]
    assert "9999.png" in seen(Changes("t", rows), "G")
    assert len(compared) < 100


# Find and replace.


def test_replacing_shows_what_it_does_while_it_is_typed() -> None:
    dialog = Replace(CAPTIONS, NAMES, ALL)
    shown = seen(dialog, *"sky", "tab", *"sea")
    assert "2 of 4 captions change." in shown
    assert "−blue sky +blue sea" in shown


def test_replacing_gives_back_what_was_shown() -> None:
    keys = [*"^t.*e$", "tab", *"oak", "tab", "space", "tab", "space", "tab", "space"]
    answer = answer_to(Replace(CAPTIONS, NAMES, ALL), *keys, "enter")
    assert answer == Replacement("^t.*e$", "oak", regex=True, case=True, whole_tags=True, scope="every")
    assert edits.changes(CAPTIONS, answer.edit) == {
        1: ("blue sky, tree", "blue sky, oak"),
        3: ("tree, house, smile", "oak, house, smile"),
    }


def test_replacing_is_only_where_the_scope_says() -> None:
    dialog = Replace(CAPTIONS, NAMES, Scopes((0,), (1, 3), (0, 1), tuple(CAPTIONS)), Replacement("e", "E"))

    async def journey() -> None:
        async with asking(dialog) as (app, pilot):
            assert "2 of 2 captions change." in text(app)
            app.screen.query_one(ScopeLine).focus()
            await pilot.press("left")
            assert "4 of 4 captions change." in text(app)
            await pilot.press("left")
            assert "1 of 1 captions change." in text(app)
            await pilot.press("enter")
            assert app.answer == Replacement("e", "E", scope="present")

    driven(journey)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999999}", "(?P<", "*", "\\"])
def test_a_broken_pattern_is_said_and_changes_nothing(pattern: str) -> None:
    last = Replacement(pattern, "x", regex=True)
    assert "✗ What you look for is not a regular expression." in seen(Replace(CAPTIONS, NAMES, ALL, last))
    assert answer_to(Replace(CAPTIONS, NAMES, ALL, last), "enter") is OPEN


def test_the_place_of_what_is_broken_is_said_and_forgotten_when_it_is_mended() -> None:
    last = Replacement("tree(", "x", regex=True)
    assert "At character 5" in seen(Replace(CAPTIONS, NAMES, ALL, last))
    mended = seen(Replace(CAPTIONS, NAMES, ALL, last), "end", "backspace")
    assert "At character 5" not in mended and "2 of 4 captions change." in mended


def test_a_group_that_is_not_there_is_said() -> None:
    assert "✗ What you put in its place" in seen(Replace(CAPTIONS, NAMES, ALL, Replacement("a", r"\7", regex=True)))


def test_a_pattern_that_would_take_years_is_given_up() -> None:
    captions = {0: "a" * 60 + "!"}
    shown = seen(Replace(captions, {0: "long.png"}, Scopes((0,), (), (0,), (0,)), Replacement("(a+)+b", "", True)))
    assert "This pattern takes too long on “long.png”." in shown


def test_nothing_to_find_changes_nothing() -> None:
    assert "Type what to find" in seen(Replace(CAPTIONS, NAMES, ALL))
    assert answer_to(Replace(CAPTIONS, NAMES, ALL), "enter") is OPEN


def test_ten_thousand_captions_are_all_found_and_keys_are_heard_meanwhile() -> None:
    captions = {item: f"tag {item}, " + CAPTIONS[item % 2] for item in range(10_000)}
    names = {item: f"{item}.png" for item in captions}
    dialog = Replace(captions, names, Scopes((0,), (), tuple(captions), tuple(captions)))

    async def journey() -> None:
        async with asking(dialog) as (app, pilot):
            await pilot.press(*"blue sky")
            assert app.screen.query_one("#find", Input).value == "blue sky"
            await until(lambda: "10000 of 10000 captions change." in text(app), pilot)
            await pilot.press("x")
            await until(lambda: "No caption would change." in text(app), pilot)
            await pilot.press("backspace", "enter")  # not all is known yet: it is given back when it is
            await until(lambda: app.answer is not OPEN, pilot)
            assert app.answer == Replacement("blue sky", "", scope="every")

    driven(journey)


def test_the_list_is_walked_from_the_fields() -> None:
    dialog = Replace(CAPTIONS, NAMES, ALL, Replacement("e", "E"))

    async def journey() -> None:
        async with asking(dialog) as (app, pilot):
            await pilot.press("down", "down")
            assert app.screen.query_one(Rows).item == 2
            assert "becomes  A cat sits on +thE" in text(app)

    driven(journey)


# The tag table.


def test_tags_stand_by_count_and_by_name() -> None:
    def order(shown: str) -> list[str]:
        return re.findall(r"│ +(1girl|blue sky|smile|tree|house) {2}", shown)

    assert order(seen(table())) == ["blue sky", "smile", "tree", "1girl", "house"]
    assert order(seen(table(), "s")) == ["1girl", "blue sky", "house", "smile", "tree"]
    assert re.search(r"blue sky +2 +50%", seen(table()))


def test_typing_leaves_fewer_tags_and_escape_brings_them_back() -> None:
    found = seen(table(), "slash", *"sm")
    assert "smile" in found and "blue sky" not in found
    assert "No tag holds “zz”." in seen(table(), "slash", *"zz")
    assert answer_to(table(), "slash", *"tree", "escape") is OPEN
    assert "blue sky" in seen(table(), "slash", *"tree", "escape")
    assert answer_to(table(), "slash", *"tree", "enter", "F") == TagAction("without", ("tree",))


@pytest.mark.parametrize(("key", "kind"), [("f", "filter"), ("enter", "filter"), ("F", "without"), ("w", "sweep")])
def test_a_look_at_a_tag_needs_no_question(key: str, kind: Any) -> None:
    assert answer_to(table(), "j", key) == TagAction(kind, ("smile",))


@pytest.mark.parametrize(("key", "kind"), [("d", "remove"), ("H", "front")])
def test_a_change_of_tags_asks_where(key: str, kind: Any) -> None:
    scopes = Scopes((0,), (1, 2), tuple(CAPTIONS), tuple(CAPTIONS))
    assert answer_to(table(scopes=scopes), key) is OPEN
    assert answer_to(table(scopes=scopes), key, "enter") == TagAction(kind, ("blue sky",), "", "marked")
    assert answer_to(table(scopes=scopes), key, "right", "enter") == TagAction(kind, ("blue sky",), "", "present")
    assert answer_to(table(scopes=scopes), key, "escape") is OPEN


def test_a_tag_gets_another_name() -> None:
    assert "It stands in 2 captions." in seen(table(), "r")
    assert answer_to(table(), "r", "x", "enter") == TagAction("rename", ("blue sky",), "blue skyx", "every")
    assert answer_to(table(), "r", "ctrl+u", "enter") is OPEN
    assert "Write the new name." in seen(table(), "r", "ctrl+u", "enter")


def test_a_name_is_completed_from_the_tags_there_are() -> None:
    assert "▸ tree" in seen(table(), "r", "ctrl+u", "t", "r")
    answer = answer_to(table(), "r", "ctrl+u", "t", "r", "tab", "enter")
    assert answer == TagAction("rename", ("blue sky",), "tree", "every")


def test_tags_are_added_as_they_are_typed() -> None:
    assert "2 captions lack something of it." in seen(table(), "a")
    assert answer_to(table(), "a", *", sea", "enter") == TagAction("add", ("blue sky", "sea"), "", "every")


def test_marked_tags_are_meant_together() -> None:
    assert "2 tags are marked: blue sky, tree" in seen(table(), "m", "j", "m")
    assert answer_to(table(), "m", "j", "space", "g", "f") == TagAction("filter", ("blue sky", "tree"))
    assert answer_to(table(), "m", "g", "m", "j", "f") == TagAction("filter", ("tree",))


def test_a_table_without_tags_says_so_and_does_nothing() -> None:
    empty = {0: "", 1: "A cat sits on the roof of a red house."}
    assert "No caption has a tag yet." in seen(table(empty))
    for key in ("r", "d", "a", "H", "f", "F", "w", "m", "enter"):
        assert answer_to(table(empty), key) is OPEN


def test_counts_of_the_marked_or_shown_ones_stand_beside_those_of_all() -> None:
    shown = seen(table(scopes=Scopes((0,), (0, 3), tuple(CAPTIONS), tuple(CAPTIONS))))
    assert "2 marked" in shown
    assert re.search(r"smile +2 +50% +2 ", shown) and re.search(r"blue sky +2 +50% +1 ", shown)


# The sweep.


def test_a_sweep_gives_back_each_decision() -> None:
    assert answer_to(Sweep(TERMINAL, "bird", swept()), "n", "y", "0") is OPEN
    assert answer_to(Sweep(TERMINAL, "bird", swept()), "n", "y", "0", "enter") == {10: False, 11: True, 12: False}
    assert answer_to(Sweep(TERMINAL, "bird", swept()), "1", "space", "space", "enter") == {10: True}
    assert answer_to(Sweep(TERMINAL, "bird", swept()), "space", "space", "space", "enter") is None


def test_a_sweep_goes_back_and_decides_otherwise() -> None:
    assert answer_to(Sweep(TERMINAL, "bird", swept(2)), "y", "y", "backspace", "n", "enter") == {10: True, 11: False}
    assert answer_to(Sweep(TERMINAL, "bird", swept(2)), "y", "backspace", "space", "y", "enter") == {11: True}
    assert "→ you said yes" in seen(Sweep(TERMINAL, "bird", swept()), "y", "backspace")
    assert "1 of 3" in seen(Sweep(TERMINAL, "bird", swept()), "backspace")


def test_a_sweep_says_where_it_is_and_what_the_caption_has() -> None:
    first, second = seen(Sweep(TERMINAL, "bird", swept())), seen(Sweep(TERMINAL, "bird", swept()), "y")
    assert "Is “bird” in this drawing?" in first and "1 of 3" in first and "its caption has it" in first
    assert "2 of 3" in second and "its caption lacks it" in second and "bird.png" in second
    assert "1 with it, 1 without it, 1 as they are" in seen(Sweep(TERMINAL, "bird", swept()), "y", "n", "space")


def test_a_sweep_shows_the_drawing_it_asks_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "DEBOUNCE", 0.5)

    async def journey() -> None:
        async with asking(Sweep(TERMINAL, "bird", swept())) as (app, pilot):
            await until(lambda: "▀▀▀" in text(app), pilot)
            await pilot.press("y")
            assert "▀▀▀" not in text(app)  # not the drawing before, under the new question
            await until(lambda: "▀▀▀" in text(app), pilot)

    driven(journey)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(("enter",), {10: True}), (("tab", "enter"), None), (("tab", "tab", "enter"), OPEN), (("escape",), OPEN)],
)
def test_who_ends_a_sweep_early_is_asked_what_becomes_of_it(keys: tuple[str, ...], answer: Any) -> None:
    assert answer_to(Sweep(TERMINAL, "bird", swept()), "y", "escape", *keys) == answer


def test_the_question_over_a_sweep_is_the_usual_one() -> None:
    async def journey() -> None:
        async with asking(Sweep(TERMINAL, "bird", swept())) as (app, pilot):
            await pilot.press("y", "escape")
            assert isinstance(app.screen, Ask)
            await pilot.press("escape")
            assert isinstance(app.screen, Sweep) and "2 of 3" in text(app)

    driven(journey)


def test_a_sweep_of_nothing_says_so() -> None:
    assert "There is no drawing to ask about." in seen(Sweep(TERMINAL, "bird", []))
    assert answer_to(Sweep(TERMINAL, "bird", []), "y", "n", "space", "enter") is None


# The journal.


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(("j",), 2), (("k",), 4), (("G",), 0), (("g",), 5), (("j", "k"), None)],
)
def test_the_journal_leads_to_any_point(keys: tuple[str, ...], answer: int | None) -> None:
    assert answer_to(Journal(steps(5), 3), *keys, "enter") == answer


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((), "You are here."),
        (("j",), "Enter takes back 1 step."),
        (("G",), "Enter takes back 3 steps."),
        (("g",), "Enter makes 2 steps again."),
    ],
)
def test_the_journal_says_what_going_there_does(keys: tuple[str, ...], words: str) -> None:
    assert words in seen(Journal(steps(5), 3), *keys)


def test_the_journal_shows_every_step_and_where_one_is() -> None:
    shown = seen(Journal(steps(5), 3))
    assert re.search(r"● 3 min ago +3 +step 2", shown)
    assert re.search(r"  1 min ago +5 +\(taken back\) step 4", shown)
    assert "Before the first change" in shown


@pytest.mark.parametrize("t", [float("1e300"), -1e18, 0.0])
def test_a_time_that_no_clock_can_show_is_left_out(t: float) -> None:
    assert "odd" in seen(Journal([Step("odd", t, 1, 0)], 1))


def test_the_fields_do_not_blink() -> None:
    async def journey(make: Callable[[], Dialog[Any]], *keys: str) -> None:
        async with asking(make()) as (app, pilot):
            await pilot.press(*keys)
            await pilot.pause()
            fields = list(app.screen.query(Input))
            assert fields and not any(field.cursor_blink for field in fields)

    driven(lambda: journey(lambda: Replace(CAPTIONS, NAMES, ALL)))
    driven(lambda: journey(table, "slash"))
    driven(lambda: journey(table, "r"))
