"""The whole road in a real terminal, by keys alone: from a folder of drawings to a trained LoRA."""

import gettext
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from core.demo import DRAWINGS
from core.language import LOCALES
from core.lora.header import read_metadata
from core.runs.run import Run, runs_in
from tests.terminal.screen import BOCETO, NEEDS_TMUX, Terminal, framed

pytestmark = NEEDS_TMUX

NAMES = ("águila", "casa", "flor", "luna", "mar", "niña", "oso", "pez")
"""Eight drawings, with letters that a terminal may get wrong."""
TRAINING = 90.0
"""Seconds for a training of a few steps on two busy cores, its previews among them."""


def drawings(folder: Path) -> dict[str, bytes]:
    """Real drawings under names of their own; what their captions hold."""
    folder.mkdir(parents=True)
    for name, picture in zip(NAMES, sorted(DRAWINGS.glob("*.png")), strict=False):
        shutil.copyfile(picture, folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a drawing of {picture.stem.replace('_', ' ')}\n", encoding="utf-8")
    return captions(folder)


def captions(folder: Path) -> dict[str, bytes]:
    """What every caption file holds."""
    return {path.stem: path.read_bytes() for path in folder.glob("*.txt")}


def finished(run: Run, seconds: float) -> Run:
    """The run once it is finished, by its own files."""
    until = time.monotonic() + seconds
    while run.status().phase != "finished":
        assert time.monotonic() < until and (run.is_alive() or run.status().phase == "finished"), (
            f"{run.status()}\n{run.log_file.read_text(errors='replace')[-2000:]}"
        )
        time.sleep(0.2)
    return run


def test_from_an_empty_home_to_a_lora_though_the_terminal_is_closed_in_mid_training(  # noqa: PLR0915 - one road
    new_terminal: Callable[[], Terminal],
) -> None:
    terminal = new_terminal()
    folder = terminal.home / "Dibujos de niños"
    before = drawings(folder)

    terminal.start(BOCETO)
    terminal.wait_for("1/10 Welcome")
    assert "Try it on the drawings in the box" in terminal.wait_for("Bases on this disk")
    terminal.keys("n")

    terminal.wait_for("2/10 Folder")
    terminal.keys("C-u")
    terminal.type("~/Dib")
    terminal.keys("Tab")
    terminal.wait_for("~/Dibujos de niños/")
    terminal.wait_for("8 drawings, 8 captions")
    terminal.keys("Enter", "C-u")
    terminal.type("Línea ñ")
    terminal.wait_for("~/Loras/Línea ñ")
    terminal.keys("Enter")

    terminal.wait_for("3/10 Drawings")
    terminal.wait_for("8 drawings, 8 used")
    terminal.keys("Down", "x")
    terminal.wait_for("8 drawings, 7 used")
    assert re.search(r"✗ flor\.png .*left out", terminal.settled())
    terminal.keys("z")
    terminal.wait_for("8 drawings, 8 used")
    terminal.wait_for("Taken back: leave out flor.png.")
    terminal.keys("f")
    terminal.wait_for("with a problem")
    terminal.keys("Escape")
    terminal.wait_until_gone("with a problem")
    terminal.keys("t")
    terminal.wait_for("Treatment of")
    terminal.keys("Down", "Enter")
    terminal.wait_for("kept whole in 64×64")
    terminal.keys("z")
    terminal.wait_for("resized to 64×64")
    terminal.keys("C-n")

    terminal.wait_for("4/10 Captions")
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("0 of 8 read")
    terminal.wait_for("? Help")
    rows = [line for line in terminal.text().splitlines() if "/75 " in line]
    first, second, third = (line.split(".png")[0].split()[-1] for line in rows[:3])
    terminal.keys("Enter")
    terminal.type_into_field(", with a señorita")
    terminal.wait_for(", with a señorita")
    terminal.keys("Enter")
    terminal.wait_for("1 of 8 read")
    terminal.wait_for("? Help")
    terminal.keys("Enter")
    terminal.type_into_field(", at sea")
    terminal.keys("Enter")
    terminal.wait_for("2 of 8 read")
    terminal.wait_for("? Help")
    terminal.keys("Enter")
    terminal.type_into_field(", which nobody wants")
    terminal.wait_for("nobody wants")
    terminal.keys("Escape")
    terminal.wait_until_gone("nobody wants")
    terminal.keys("z")
    terminal.wait_for(f"Taken back: the caption of {second}.png.")
    edited = {**before, first: before[first].rstrip() + ", with a señorita\n".encode()}
    assert captions(folder) == edited, f"{first}, {second} and {third} were edited, kept, taken back and left"
    terminal.keys("C-n")

    terminal.wait_for("5/10 Base")
    terminal.wait_for("● ✓ Boceto mini")
    terminal.keys("C-n")

    terminal.wait_for("6/10 Steps")
    terminal.wait_for("real steps")
    for number in ("1", "5", "4"):
        terminal.type(number)
        terminal.keys("Tab")
    terminal.wait_for("10 real steps")
    terminal.keys("C-n")

    terminal.wait_for("7/10 Optimizer")
    terminal.wait_for("recommended: ")
    terminal.keys("Down", "Enter")
    terminal.wait_for("● AdamW ")
    terminal.keys("C-n")

    terminal.wait_for("8/10 Review")
    review = terminal.wait_for("Chosen for you, and why")
    assert "Línea ñ.safetensors" in review, framed(review)
    assert "trazolin" in review, framed(review)
    terminal.keys("s")

    terminal.wait_for("9/10 Training")
    terminal.wait_for(re.compile(r"step \d+/10"), TRAINING)
    terminal.close()

    runs = runs_in(terminal.home / "Loras" / "Línea ñ" / "runs")
    assert len(runs) == 1
    run = runs[0]
    assert run.is_alive(), "the training ended with its terminal, or before it"
    assert run.status().step < 10

    again = new_terminal().start(BOCETO)
    offered = again.wait_for(re.compile(r"Running +Línea ñ  step \d+ of 10"))
    ways = [line.strip() for line in offered.splitlines()]
    running = next(number for number, line in enumerate(ways) if line.startswith("Running"))
    new = next(number for number, line in enumerate(ways) if "A new LoRA from your drawings" in line)
    assert running < new
    assert "Try it on the drawings in the box" in offered
    again.keys("Enter")
    again.wait_for("9/10 Training")
    again.wait_for("Begun on")
    again.keys("d")
    assert finished(run, TRAINING).status().step == 10
    again.close()

    assert captions(folder) == edited
    lora = terminal.home / "Loras" / "Línea ñ" / "output" / "Línea ñ.safetensors"
    assert read_metadata(lora)["ss_output_name"] == "Línea ñ"

    later = new_terminal().start(BOCETO)
    listed = later.wait_for(re.compile(r"Project +Línea ñ"))
    assert "Running" not in listed
    later.keys("Enter")  # the project that was used last
    later.wait_for("10/10 Result")
    later.wait_for("Línea ñ.safetensors")
    later.wait_for(re.compile(r"Step 10\b"))
    later.keys("Escape")
    later.wait_for("9/10 Training")
    later.wait_for("step 10/10")
    later.wait_for("Finished.")


def test_in_spanish_and_in_a_large_window_the_result_comes_by_itself(terminal: Terminal) -> None:
    folder = terminal.home / "Dibujos de niños"
    before = drawings(folder)
    spanish = gettext.translation("boceto", LOCALES, ["es"], fallback=True).gettext

    def at(number: int, title: str) -> str:
        """The screen of this number, in the line at the top: all names where they fit, else its own."""
        name = re.escape(spanish(title))
        return terminal.wait_for(re.compile(rf"{number}/10 {name}|● {name}"))

    terminal.start(f"{BOCETO} --lang es ~/'Dibujos de niños'", 120, 40)
    screen = at(2, "Folder")
    assert spanish("Next") in screen and spanish("Back") in screen
    assert spanish("Folder of your drawings") in screen
    terminal.wait_for(spanish("Name of the project"))
    terminal.wait_for("Dibujos de niños")
    terminal.settled()
    terminal.keys("C-n")
    at(3, "Drawings")
    screen = terminal.wait_for("niña.png")
    assert spanish("Leave out") in screen
    terminal.wait_for(spanish("Nothing is wrong with it."))
    terminal.keys("C-n")
    at(4, "Captions")
    terminal.wait_for(spanish("Activation word"))
    terminal.wait_for(re.compile("/75 "))
    terminal.type_into_field("trazolin")
    terminal.keys("Enter", "C-n")
    at(5, "Base")
    terminal.wait_for("● ✓ Boceto mini")
    terminal.keys("C-n")
    at(6, "Steps")
    terminal.wait_for("400")
    for number in ("3", "1", "4"):
        terminal.type(number)
        terminal.keys("Tab")
    terminal.wait_for(spanish("{n} real steps").format(n=6))
    terminal.keys("C-n")
    at(7, "Optimizer")
    terminal.wait_for(spanish("recommended: ").strip())
    terminal.keys("Down", "Enter")
    terminal.wait_for("● AdamW ")
    terminal.keys("C-n")
    at(8, "Review")
    terminal.wait_for(spanish("Chosen for you, and why"))
    terminal.keys("s")
    at(9, "Training")
    terminal.wait_for(spanish("You can close this window: the training goes on."))

    terminal.wait_for("Dibujos de niños.safetensors", TRAINING)
    name = re.escape(spanish("Result"))
    screen = terminal.wait_for(re.compile(rf"10/10 {name}|● {name}"), TRAINING)
    assert spanish("Files") in screen
    (run,) = runs_in(terminal.home / "Loras" / "Dibujos de niños" / "runs")
    assert run.status().phase == "finished"
    assert captions(folder) == before
