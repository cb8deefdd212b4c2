"""What is wrong with captions, and what to leave out of them: shown by kind, and never done without being asked."""

import re
from typing import Any

import pytest

from core.captions.lint import caption_problems, dataset_problems
from core.captions.mends import MENDS
from core.captions.prune import Proposal, proposals
from core.captions.store import holding
from core.captions.vocabulary import Vocabulary
from core.errors import Problem, Severity
from core.project import Kind
from tests.tui.asking import HOSTILE, OPEN, answer_to, fits, seen
from tui.dialogs.dialog import Dialog
from tui.dialogs.problems import Answer, Problems
from tui.dialogs.prune import Prune

TEXTS = {
    f"drawing_{number:02}.png": text
    for number, text in enumerate(
        [
            "1girl, 2girls, shirt, white shirt",
            "1girl, smile, smile, simple background",
            "1girl, smile, smile, sketch",
            "1girl, traditional media, masterpiece, watermark",
            "1girl, solo, blue eyes, sketch, simple background,",
            "",
        ]
    )
}


def found(texts: dict[str, str] = TEXTS) -> list[Problem]:
    from pathlib import Path

    problems: list[Problem] = []
    for name, text in texts.items():
        problems += caption_problems(holding(Path(name), text.encode()), name, word="houtline")
    return [*dataset_problems(texts, "houtline", "style"), *problems]


def pruned(kind: Kind = "style") -> Prune:
    return Prune(proposals(Vocabulary.of(TEXTS.values()).counts, len(TEXTS), kind, "houtline"), kind)


def every_dialog() -> dict[str, Dialog[Any]]:
    return {"problems": Problems(found()), "prune": pruned(), "prune-character": pruned("character")}


def many(count: int) -> list[Problem]:
    return [
        Problem(Severity.NOTE, f"{number}.png", f"code-{number % 40}", f"It is number {number}.", "Nothing.")
        for number in range(count)
    ]


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("kind", every_dialog())
def test_a_dialog_fits_and_tab_reaches_everything(
    kind: str, size: tuple[int, int], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", language)

    fits(every_dialog()[kind], size)


def test_hostile_text_is_shown_as_text() -> None:
    problem = Problem(Severity.WARNING, "[b]\x1b]0;evil\x07\udc80.png", "braces", HOSTILE, HOSTILE)
    for dialog in (Problems([problem]), Prune([Proposal(HOSTILE, "medium", False, HOSTILE, 3)], "style")):
        shown = seen(dialog, "j", size=(120, 40))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e\ud800-\udfff]", shown)
        assert "[red]" in shown


@pytest.mark.parametrize("kind", every_dialog())
def test_escape_changes_nothing(kind: str) -> None:
    assert answer_to(every_dialog()[kind], "j", "j", "escape") is None


def test_nothing_at_all_can_be_shown_too() -> None:
    for dialog in (Problems([]), Prune([], "style")):
        assert answer_to(dialog, "j", "space", "b", "g", "escape") in (None, OPEN)
    assert "No caption has a problem." in seen(Problems([]))


# --- problems --------------------------------------------------------------------------------------------------------


def lines(shown: str) -> list[str]:
    return [line.strip(" │") for line in shown.splitlines()]


def test_the_gravest_kind_comes_first_and_each_once_with_its_count() -> None:
    shown = lines(seen(Problems(found()), size=(120, 40)))
    marks = [line[0] for line in shown if re.match(r"[!·✗] ", line)]
    assert marks == sorted(marks, key="✗!·".index) and len(marks) == len({one.code for one in found()})
    twice = next(line for line in shown if "b Remove what stands twice" in line)
    assert re.match(r"·\s+2 ", twice)


def test_a_kind_tells_of_each_of_its_captions_and_what_to_do() -> None:
    shown = seen(Problems(caption_problems_of("drawing_00.png")), size=(120, 40))
    assert "“1girl” and “2girls” cannot both be true" in shown and "drawing_00.png" in shown and "→ Look" in shown


def caption_problems_of(name: str) -> list[Problem]:
    return [problem for problem in found() if problem.drawing == name]


def test_enter_asks_for_the_captions_and_b_for_the_mending() -> None:
    only = [problem for problem in found() if problem.code == "duplicate-tags"]
    assert answer_to(Problems(only), "enter") == Answer("duplicate-tags", mend=False)
    assert answer_to(Problems(only), "b") == Answer("duplicate-tags", mend=True)


def test_what_needs_a_person_is_not_mended_and_what_names_no_caption_shows_none() -> None:
    contradiction = [problem for problem in found() if problem.code == "contradiction"]
    assert contradiction and "contradiction" not in MENDS
    assert answer_to(Problems(contradiction), "b") is OPEN
    whole = [problem for problem in found() if problem.code == "half-captioned"]
    assert whole and answer_to(Problems(whole), "enter") is OPEN
    assert "Enter shows" not in seen(Problems(whole))


# --- pruning ---------------------------------------------------------------------------------------------------------


def test_what_was_proposed_to_go_is_ticked_and_what_to_keep_is_not() -> None:
    answer = answer_to(pruned(), "enter")
    assert set(answer) == {"sketch", "traditional media", "masterpiece"}
    assert "1girl" not in answer


def test_space_takes_the_tick_from_a_tag_and_gives_it_to_another() -> None:
    first = proposals(Vocabulary.of(TEXTS.values()).counts, len(TEXTS), "style", "houtline")[0]
    assert first.tag == "sketch"
    assert "sketch" not in answer_to(pruned(), "space", "enter")
    assert "watermark" in answer_to(pruned(), "G", "space", "enter")


def test_g_ticks_a_whole_group_and_takes_its_ticks() -> None:
    assert answer_to(pruned(), "g", "enter") == ["masterpiece"]
    assert {"sketch", "traditional media"} <= set(answer_to(pruned(), "g", "g", "enter"))
    on_its_heading = answer_to(pruned(), "home", "space", "enter")
    assert on_its_heading == ["masterpiece"]


def test_all_that_is_proposed_or_none() -> None:
    assert answer_to(pruned(), "N", "enter") == []
    assert answer_to(pruned(), "N", "A", "enter") == answer_to(pruned(), "enter")


def test_each_tag_bears_its_reason() -> None:
    shown = " ".join(line for line in lines(seen(pruned())))
    assert "“sketch”: This is how you draw: left out, it becomes a part of the activation word." in " ".join(
        shown.split()
    )
