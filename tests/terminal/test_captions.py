"""Captioning in a real terminal, by keys alone: by the tagger in the box, then by hand, and back after a kill."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from core.captions import edits
from core.captions.prune import proposals
from core.captions.vocabulary import Vocabulary
from core.demo import DRAWINGS
from core.taggers import compose, find
from core.taggers.compose import Rules
from core.taggers.job import opened
from core.taggers.tagger import Subject, Tagged
from tests.terminal.screen import BOCETO, NEEDS_TMUX, Terminal

pytestmark = NEEDS_TMUX

BY_HAND = 10


def contents(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))}


def tagged(folder: Path) -> dict[str, str]:
    """What the tagger in the box makes of the drawings, without the wizard."""
    subjects = [Subject(path.name, path) for path in sorted(folder.glob("*.png"))]
    (found,) = (one for one in find.find() if one.in_the_box)
    looks = [one for seen in opened(found).tag(subjects, Event()) for one in seen if isinstance(one, Tagged)]
    return {Path(look.drawing).stem: compose.caption([look], Rules.of("style")) for look in looks}


def pruned(captions: dict[str, str]) -> dict[str, str]:
    vocabulary = Vocabulary.of(captions.values())
    counts = {vocabulary.spelled(key): count for key, count in vocabulary.counts.items()}
    going = [one.tag for one in proposals(counts, len(captions), "style", "trazolin") if not one.keep]
    assert going, "a style of outlines has words for them that are better left out"
    return {name: edits.remove(going)(caption) for name, caption in captions.items()}


def test_35_drawings_are_captioned_edited_replaced_and_taken_back_though_the_wizard_is_killed(  # noqa: PLR0915
    new_terminal: Callable[[], Terminal],
) -> None:
    terminal = new_terminal()
    folder = terminal.home / "art"
    folder.mkdir(parents=True)
    for picture in DRAWINGS.glob("*.png"):
        shutil.copyfile(picture, folder / picture.name)
    expected = tagged(folder)
    assert len(expected) == 35

    terminal.start(f"{BOCETO} ~/art")
    terminal.wait_for("35 drawings, 0 captions")
    terminal.keys("C-n")
    terminal.wait_for("35 drawings, 35 used")
    terminal.keys("C-n")
    terminal.wait_for("4/10 Captions")
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("0 of 35 read")

    # The tagger in the box writes them.
    terminal.keys("T")
    terminal.wait_for("Let taggers write the captions")
    terminal.keys("Enter")
    terminal.wait_for("captions by", 60)
    assert not contents(folder)
    terminal.keys("Enter")
    terminal.wait_for("35 captions. z takes it back.")
    assert contents(folder) == expected

    # What a style is better without.
    terminal.keys("p")
    terminal.wait_for("What to leave out of the captions")
    terminal.keys("Enter")
    terminal.wait_for(re.compile("remove .* everywhere"))
    terminal.settled()
    terminal.keys("Enter")
    expected = pruned(expected)
    terminal.wait_for("z takes it back.")
    terminal.settled()
    assert contents(folder) == expected

    # Ten by hand, in the order of the list.
    terminal.keys("g")
    names = sorted(expected)[:BY_HAND]
    for number, name in enumerate(names):
        terminal.wait_for("? Help")
        terminal.keys("Enter")
        terminal.type_into_field(f", hand {number}")
        terminal.wait_for(f", hand {number}")
        terminal.keys("Enter")
        terminal.wait_for(f"{number + 1} of 35 read")
        expected[name] += f", hand {number}"
    assert contents(folder) == expected

    # Replaced by a regular expression, after one has seen it.
    before = dict(expected)
    terminal.wait_for("? Help")
    terminal.keys("s")
    terminal.wait_for("Find and replace")
    terminal.type(r"hand (\d)")
    terminal.keys("Tab")
    terminal.type(r"by \1 hands")
    terminal.keys("Tab")
    terminal.keys("Space")
    terminal.wait_for("by 0 hands")
    terminal.settled()
    terminal.keys("Enter")
    terminal.wait_for("10 captions. z takes it")
    expected = {name: re.sub(r"hand (\d)", r"by \1 hands", caption) for name, caption in expected.items()}
    assert contents(folder) == expected

    # Three steps back: the replacement and two edits.
    for _step in range(3):
        terminal.keys("z")
        terminal.wait_for("Taken back")
        terminal.settled()
    expected = before | {
        name: before[name].removesuffix(f", hand {number}") for number, name in list(enumerate(names))[-2:]
    }
    assert contents(folder) == expected

    # Killed, and taken back further in a new terminal.
    os.kill(int(terminal.ask("pane_pid")), signal.SIGKILL)
    terminal.close()
    again = new_terminal()
    again.start(f"{BOCETO} art")
    again.wait_for("4/10 Captions")
    again.wait_for(re.compile(r"8 of 35 read"))
    again.keys("z")
    again.wait_for(f"Taken back: the caption of {names[-3]}.png.")
    again.settled()
    expected[names[-3]] = expected[names[-3]].removesuffix(f", hand {BY_HAND - 3}")
    assert contents(folder) == expected
    again.keys("Z")
    again.wait_for("Made again")
    expected[names[-3]] += f", hand {BY_HAND - 3}"
    again.keys("C-q")
    journal, until = terminal.home / "Loras" / "art" / "journal.jsonl", time.monotonic() + 20
    while not journal.read_text().endswith('{"closed":true}\n'):
        assert time.monotonic() < until, "the wizard does not end its sitting"
        time.sleep(0.1)
    assert contents(folder) == expected
    assert {path.name for path in folder.iterdir()} == {f"{name}{end}" for name in expected for end in (".png", ".txt")}
