"""Make the pictures of the README anew: `make screenshots`. It trains twice on the base in the box.

`python screenshots/make.py wizard` makes only the wizard's screens.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace
from PIL import Image, ImageDraw
from wizard import OVER

from core import demo
from core.plan.frozen import freeze
from core.project import Place
from core.runs.launch import launch
from core.runs.run import Run
from tui.wizard import ORDER

HERE = Path(__file__).parent
LANGUAGES = ("en", "es")


def sheet(folder: Path) -> Path:
    """Run the demo. Returns its contact sheet."""
    command = [sys.executable, "-m", "tui", "demo", "--folder", str(folder), "--json"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Path(json.loads(said.splitlines()[-1])["sheet"])


def project(folder: Path) -> Place:
    """The drawings in the box, and some as artists have them: a copy, a long one, one with see-through paper."""
    place, answers = demo.begin(folder, "prodigy", 42)
    dataset = place.dataset(answers)
    house = Image.open(dataset / "castle.png").convert("RGB")
    house.save(dataset / "castle copy.png")
    house.crop((0, 0, 560, 1024)).save(dataset / "tower.jpg", quality=72)
    house.resize((40, 40)).save(dataset / "icon.png")
    leaf = Image.new("RGBA", (900, 1024), (0, 0, 0, 0))
    ImageDraw.Draw(leaf).ellipse((150, 150, 750, 850), outline="black", width=24)
    leaf.save(dataset / "leaf.png")
    (dataset / "tower.txt").write_text("houtline, castle tower", encoding="utf-8")
    (dataset / "leaf.txt").write_text("houtline, leaf", encoding="utf-8")
    answers = replace(answers, name="outlines")
    place.save(answers)
    return place


def shoot(place: Place, *screens: str) -> None:
    """Have screens drawn in every language."""
    for language in LANGUAGES:
        command = [sys.executable, str(HERE / "wizard.py"), str(place.folder), *screens]
        subprocess.run(command, check=True, env={**os.environ, "BOCETO_LANGUAGE": language})


def wizard(home: Path) -> None:
    """Every screen: the training while it goes on, the others when there is a result to show."""
    home.mkdir()
    os.environ |= {"HOME": str(home), "BOCETO_CACHE": str(home.parent / "cache"), "PYTHONPATH": str(HERE.parent)}
    place = project(home / "Loras" / "outlines")
    run = Run.create(place.runs, freeze(place, place.load()))
    launch(run)
    while (run.is_alive() and run.status().step < run.status().total * 0.55) or not run.status().total:
        time.sleep(0.5)
    shoot(place, "training")
    while run.is_alive():
        time.sleep(0.5)
    # Captions as a tagger leaves them, to be worked on; the training is over.
    subprocess.run([sys.executable, "-m", "tui", "caption", str(place.folder), "--mode", "append"], check=True)
    place.save(replace(place.load(), at="result"))
    shoot(place, *(at for at in (*ORDER, *OVER) if at != "training"))


def main() -> None:
    """Draw, and keep the pictures small enough for a repository."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:] == ["wizard"]:
            wizard(Path(folder) / "ana")
            return
        made = Image.open(sheet(Path(folder) / "demo"))
        small = made.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(HERE / "demo.png", optimize=True)
        wizard(Path(folder) / "ana")


if __name__ == "__main__":
    main()
