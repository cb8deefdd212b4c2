"""The wizard line by line: it asks what the screens ask, reads well aloud, and can be left at any time."""

import io
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core import paths
from core.demo import DRAWINGS
from core.plan.frozen import freeze
from core.project import Place, Project
from core.runs import events
from core.runs.run import Run, runs_in
from tests.conftest import small_project
from tui import plain
from tui.plain import ask

Said = Callable[..., tuple[int, str]]
TO_THE_END = ["", "", "", "", "houtline", "", "1 1 6", "adamw"]
"""Folder, name, the drawings, what they teach, the word, the base, the steps, the optimizer; not the start."""


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """A folder with 6 drawings and their captions."""
    folder = tmp_path / "outlines"
    folder.mkdir()
    for picture in sorted(DRAWINGS.glob("*.png"))[:6]:
        shutil.copyfile(picture, folder / picture.name)
        shutil.copyfile(picture.with_suffix(".txt"), folder / picture.with_suffix(".txt").name)
    return folder


class Typed(io.StringIO):
    """Lines that a person types; after the last one ctrl+c, or the end of the input."""

    def __init__(self, answers: tuple[str, ...], ctrl_c: bool) -> None:
        super().__init__("".join(answer + "\n" for answer in answers))
        self._ctrl_c = ctrl_c

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline(size)
        if not line and self._ctrl_c:
            raise KeyboardInterrupt
        return line


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Answers line by line; gives the exit status and what was said, which is always plain lines."""

    def run(target: object, *answers: str, ctrl_c: bool = False) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", Typed(answers, ctrl_c))
        status = ask(str(target))
        out = capsys.readouterr().out
        assert not [letter for letter in out if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf")]
        return status, out

    return run


def kept(name: str = "outlines") -> Project:
    return Place(paths.projects() / name).load()


def test_a_folder_of_drawings_becomes_a_trained_lora(answering, drawings):
    status, out = answering(drawings, *TO_THE_END, "s")
    place = Place(paths.projects() / "outlines")
    assert status == 0
    assert (place.output / "outlines.safetensors").is_file()
    assert "6 drawings, 6 captions" in out and "6 drawings, 6 used" in out
    assert "6 × 1 ÷ 6 × 1 = 1 steps" in out
    assert out.splitlines()[-1].startswith("Finished: ")
    assert kept().at == "training"


def test_the_summary_tells_every_automatic_choice_with_its_reason(answering, drawings):
    status, out = answering(drawings, *TO_THE_END, "n")
    assert status == 0
    summary = out[out.index("Reckoning") :]
    for line in (
        "Activation word: houtline",
        "Captions: 6/6",
        "Steps: 1 (repeats 1, epochs 1, batch size 6)",
        "Held out: 0 (with 6 drawings, each is needed for learning)",
        "Learning rate: 0.0003 (goes with the optimizer adamw)",
        "Chosen by you:",
        "Repeats: 1",
    ):
        assert line in summary.splitlines(), summary
    assert not runs_in(Place(paths.projects() / "outlines").runs)


def test_what_enter_takes_leaves_the_plan_to_boceto(answering, drawings):
    answering(drawings, "", "", "", "", "houtline", "", "", "", "n")
    plan = kept().plan
    assert (plan.repeats, plan.epochs, plan.optimizer) == (None, None, None)


def test_a_suggestion_is_taken_by_its_number(answering, drawings):
    _status, out = answering(drawings, *TO_THE_END[:6], "2")
    plan = kept().plan
    assert f"2. {plan.repeats} repeats × {plan.epochs} epochs, batch {plan.batch_size}: " in out


def test_an_existing_project_keeps_its_answers_as_defaults(answering, tmp_path):
    place, project = small_project(tmp_path / "small")
    status, out = answering(place.folder, *[""] * 8, "n")
    assert status == 0
    assert place.load().plan == project.plan
    assert "Activation word [houtline]: " in out and "[2 2 4]: " in out


@pytest.mark.parametrize(("ctrl_c", "status"), [(False, 1), (True, 130)], ids=["the input ends", "ctrl+c"])
@pytest.mark.parametrize("answered", range(9))
def test_one_can_leave_at_any_question_and_the_answers_are_kept(answering, drawings, answered, ctrl_c, status):
    left, out = answering(drawings, *TO_THE_END[:answered], ctrl_c=ctrl_c)
    assert left == status
    assert out.splitlines()[-1].startswith("Nothing was started.")
    assert (paths.projects() / "outlines" / "project.toml").is_file() == (answered >= 2)
    if answered >= 5:
        assert kept().activation_word == "houtline"
    if answered >= 7:
        assert (kept().plan.repeats, kept().plan.epochs) == (1, 1)


@pytest.mark.parametrize(
    ("before", "wrong", "right", "why"),
    [
        (0, "/nowhere/at all", "", "This folder cannot be read"),
        (0, "/", "", "There are no drawings in this folder"),
        (1, "what?", "", "A project's name cannot hold any of"),
        (1, "...", "", "cannot begin or end with a full stop"),
        (2, "perhaps", "y", "Answer y for yes or n for no."),
        (3, "3", "2", "Type a number from 1 to 2."),
        (4, "", "houtline", "There is no activation word yet."),
        (4, "one, two", "houtline", "has a comma or a line end"),
        (4, "hout\x1b[Aline", "houtline", "signs in it that are no text"),
        (5, "9", "1", "Type a number from 1 to 1."),
        (5, "sdxl", "1", "There is no base called “sdxl” on this disk."),
        (6, "0 1 1", "1", "It is 0, and must be from 1 to 500."),
        (6, "1 2", "1", "Type the number of a suggestion, or three numbers"),
        (6, "9" * 5000 + " 1 1", "1", "Type the number of a suggestion, or three numbers"),
        (7, "sgd", "3", "Type a number from 1 to 3."),
    ],
)
def test_a_wrong_answer_is_explained_and_asked_again(answering, drawings, before, wrong, right, why):
    status, out = answering(drawings, *TO_THE_END[:before], wrong, right, *TO_THE_END[before + 1 :], "n")
    assert status == 0
    assert why in out


def test_a_word_that_the_base_knows_is_kept_only_when_one_insists(answering, drawings):
    _status, out = answering(drawings, *TO_THE_END[:4], "cat", "n", "houtline")
    assert "“cat” is a word the base already knows" in out
    assert kept().activation_word == "houtline"
    answering(drawings, *TO_THE_END[:4], "cat", "b", "dog", "yes")
    assert kept().activation_word == "dog"


def test_a_question_mark_explains_every_question(answering, drawings):
    asked = [line for answer in [*TO_THE_END, "n"] for line in ("?", answer)]
    status, out = answering(drawings, *asked)
    assert status == 0
    for words in (
        "The guide begins with 35",
        "The LoRA file is called like the project",
        "The ideal for SDXL",
        "A style is a way of drawing",
        "5 to 10 small letters",
        "The LoRA works best on the base it was trained on",
        "The guide aims for 300 to 500 steps",
        "AdamW8bit for many drawings, Prodigy for few",
        "You can close this window",
    ):
        assert words in out, words


def test_b_goes_back_one_question(answering, drawings):
    status, out = answering(drawings, "b", "", "b", "", "first", "b", "second", "", "2", "b", "1", "b")
    assert status == 1
    assert kept("second").kind == "style"
    assert out.count("Folder of your drawings [") == 3
    assert out.count("What do the drawings teach? [2]: ") == 1


def test_no_to_the_drawings_leaves_with_the_answers_kept(answering, drawings):
    status, out = answering(drawings, "", "", "n")
    assert status == 0
    assert f"`boceto --plain {paths.projects() / 'outlines'}` goes on." in out


def test_hostile_file_names_are_shown_as_text(answering, drawings):
    for number in range(13):
        (drawings / f"[red]x{number:02}[bold]\x1b[31m.png").write_bytes(b"no picture")
    _status, out = answering(drawings, "", "")
    assert "13 are left out:" in out
    assert "[red]x00[bold]\\u{1b}[31m.png: " in out
    assert "[red]x09" in out and "[red]x10" not in out
    assert "and 3 more" in out


def test_a_folder_whose_drawings_are_all_unusable_can_be_left_for_another(answering, drawings, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "one.png").write_bytes(b"no picture")
    status, out = answering(broken, "", "", "", "", "houtline", "", *"bbbbb", str(drawings), *TO_THE_END[1:], "n")
    assert status == 0
    assert "No drawing is left to train on." in out
    assert kept().activation_word == "houtline"


def test_a_base_that_is_gone_gives_way_to_one_that_is_there(answering, tmp_path):
    place, project = small_project(tmp_path / "small")
    place.file.write_text(place.file.read_text().replace('"mini"', '"gone/away"'))
    status, out = answering(place.folder, *[""] * 8, "n")
    assert status == 0
    assert "There is no base called “gone/away” on this disk." in out
    assert place.load().base == project.base


def test_many_drawings_are_scanned_with_a_line_now_and_then(answering, drawings, monkeypatch):
    monkeypatch.setattr(plain, "_NEWS_EVERY", 0.0)
    _status, out = answering(drawings, "", "")
    assert "6 drawings looked at …" in out


def test_it_asks_in_spanish_too(answering, drawings, monkeypatch):
    monkeypatch.setenv("BOCETO_LANGUAGE", "es")
    assert answering(drawings, "?", "", "", "sí", *TO_THE_END[3:], "no")[0] == 0


def test_a_drawing_that_is_left_out_is_named_once(answering, drawings):
    Image.new("RGB", (8, 8), "white").save(drawings / "speck.png")
    _status, out = answering(drawings, "", "")
    assert "1 is left out:" in out
    assert len([line for line in out.splitlines() if line.startswith("speck.png: ")]) == 1


def test_ctrl_c_while_it_trains_says_that_the_training_goes_on(answering, drawings, monkeypatch):
    def interrupted(_run):
        raise KeyboardInterrupt

    monkeypatch.setattr(plain, "launch", lambda _run: 1)
    monkeypatch.setattr(plain, "follow", interrupted)
    status, out = answering(drawings, *TO_THE_END, "")
    assert status == 0
    assert out.splitlines()[-1].startswith("The job goes on without you.")


def test_a_project_that_trains_is_watched(answering, tmp_path, monkeypatch):
    place, project = small_project(tmp_path / "small")
    run = Run.create(place.runs, freeze(place, project))
    ending = [
        events.Started(pid=1, host="here", device="cpu", total=1),
        events.Finished(step=1, path="small.safetensors"),
    ]
    monkeypatch.setattr(plain, "follow", lambda _run: iter(ending))
    with run.held():
        status, out = answering(place.folder)
    assert status == 0
    assert out.splitlines() == [
        "A training of this project is running.", "Begun on cpu: 1 steps.", "Finished: small.safetensors",
    ]  # fmt: skip


def test_bytes_that_are_no_text_are_refused_and_signs_it_cannot_write_do_not_stop_it(drawings):
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--plain", drawings],
        input=b"\n\xff\xfe\n",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"signs in it that are no text" in done.stdout
