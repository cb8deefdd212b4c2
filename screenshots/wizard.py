"""Pictures of the wizard's screens, drawn with a real project: `python screenshots/wizard.py FOLDER SCREEN …`.

Each is kept as SVG and as PNG, at 80×24 and 120×40, in the language of `BOCETO_LANGUAGE`.
"""

import asyncio
import sys
from io import BytesIO
from pathlib import Path

import resvg_py
from PIL import Image

from core.language import preferred
from core.preferences import Preferences
from core.project import Place, Project
from tui.app import BocetoApp
from tui.terminal import Terminal
from tui.wizard import ORDER
from tui.work import Work, opened

KEPT = Path(__file__).parent / "wizard"
SIZES = ((80, 24), (120, 40))
TERMINAL = Terminal(colours="full", unicode=True, pictures="half", reason="")
FONT = "DejaVu Sans Mono"
KEYS = {"drawings": ("s", *["j"] * 2), "captions": (*"jjj", "enter"), "steps": ("tab",), "review": ()}
"""What is pressed before the picture, so that something is to be seen."""
OVER = {
    "captions-tagger": ("T",),
    "captions-tags": ("t", *["j"] * 3),
    "captions-replace": ("s", *r"(bird|dog|snake)", "tab", *r"little \1", "tab", "space"),
    "captions-prune": ("p",),
    "captions-sweep": (*"jj", "right", "w"),
}
"""What lies over a screen, by the keys that lead there."""


async def shoot(folder: Path, at: str, size: tuple[int, int]) -> str:
    """One screen at one size, as SVG."""
    work, _at = opened(Place(folder))
    if at == "welcome":
        work = Work(project=Project(name=""))
    app = BocetoApp(TERMINAL, work, at.partition("-")[0], Preferences())
    async with app.run_test(size=size) as pilot:
        await rest(pilot)
        await pilot.press(*(OVER.get(at) or KEYS.get(at, ())))
        await rest(pilot)
        return app.export_screenshot()


async def rest(pilot) -> None:
    """Until what is looked for in threads is there, and the picture a moment after the cursor rests."""
    for _turn in range(12):
        await pilot.pause(0.1)


def keep(svg: str, name: str) -> None:
    """Write both files; the PNG with as few colours as it needs, as it lies in the repository."""
    (KEPT / f"{name}.svg").write_text(svg, encoding="utf-8")
    drawn = resvg_py.svg_to_bytes(svg_string=svg.replace("Fira Code", FONT), font_family=FONT, monospace_family=FONT)
    picture = Image.open(BytesIO(bytes(drawn))).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(KEPT / f"{name}.png", optimize=True)


def main() -> None:
    """Shoot the screens that were asked for."""
    KEPT.mkdir(exist_ok=True)
    folder, *screens = sys.argv[1:]
    for at in screens or (*ORDER, *OVER):
        for size in SIZES:
            svg = asyncio.run(shoot(Path(folder), at, size))
            number = ORDER.index(at.partition("-")[0]) + 1
            keep(svg, f"{number:02d}-{at}-{size[0]}x{size[1]}-{preferred()}")


if __name__ == "__main__":
    main()
