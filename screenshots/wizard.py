"""Pictures of the wizard's screens, drawn with a real project: `python screenshots/wizard.py FOLDER SCREEN …`.

Each is kept as SVG and as PNG, at 80×24 and 120×40, in the language of `BOCETO_LANGUAGE`.
"""

import asyncio
import sys
from pathlib import Path

import resvg_py

from core.language import preferred
from core.preferences import Preferences
from core.project import Place
from tui.app import BocetoApp
from tui.terminal import Terminal
from tui.wizard import ORDER
from tui.work import Work, opened

HERE = Path(__file__).parent
SIZES = ((120, 40),)
TERMINAL = Terminal(colours="full", unicode=True, pictures="half", reason="")
FONT = "DejaVu Sans Mono"


async def shoot(folder: Path, at: str, size: tuple[int, int]) -> None:
    """One screen at one size."""
    work, _last = opened(Place(folder))
    if at == "welcome":
        work = Work(project=work.project)
    app = BocetoApp(TERMINAL, work, at, Preferences())
    async with app.run_test(size=size) as pilot:
        for _turn in range(12):  # what is looked for in threads, and pictures a moment after the cursor rests
            await pilot.pause(0.15)
        svg = app.export_screenshot()
    name = f"{ORDER.index(at) + 1:02d}-{at}-{size[0]}x{size[1]}-{preferred()}"
    svg = svg.replace("Fira Code", FONT)
    (HERE / "wizard" / f"{name}.svg").write_text(svg, encoding="utf-8")
    png = resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT, monospace_family=FONT, zoom=1)
    (HERE / "wizard" / f"{name}.png").write_bytes(bytes(png))


def main() -> None:
    """Shoot the screens that were asked for."""
    (HERE / "wizard").mkdir(exist_ok=True)
    folder, *screens = sys.argv[1:]
    for at in screens or ORDER:
        for size in SIZES:
            asyncio.run(shoot(Path(folder), at, size))


if __name__ == "__main__":
    main()
