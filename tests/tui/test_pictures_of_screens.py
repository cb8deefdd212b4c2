"""What some screens look like, letter by letter: `BOCETO_UPDATE=1 python -m pytest tests/tui` writes them anew."""

import os
from pathlib import Path

import pytest

from tests.conftest import small_project
from tests.tui.piloting import TERMINAL, driven, showing, text
from tui.glyphs import ascii_only
from tui.terminal import Terminal
from tui.work import Work

KEPT = Path(__file__).parent / "screens"
PLAIN = Terminal(colours="16", unicode=False, pictures="off", reason="")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("at", ["drawings", "captions", "base", "steps", "optimizer"])
@pytest.mark.parametrize("width", [80, 120])
def test_a_screen_looks_as_it_was_agreed(
    at: str, language: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", language)
    compare(tmp_path, at, (width, 24 if width == 80 else 40), TERMINAL, f"{at}-{width}-{language}")


@pytest.mark.parametrize("at", ["drawings", "steps"])
def test_a_screen_looks_as_it_was_agreed_with_few_colours_and_in_ascii(at: str, tmp_path: Path) -> None:
    drawn = compare(tmp_path, at, (80, 24), PLAIN, f"{at}-80-plain")
    assert drawn.isascii()


def compare(folder: Path, at: str, size: tuple[int, int], terminal: Terminal, name: str) -> str:
    """Hold a screen against the one that is kept."""
    place, project = small_project(folder / "p")
    drawn: list[str] = []

    async def journey() -> None:
        async with showing(Work(project=project, place=place), at, size, terminal) as (app, pilot):
            await pilot.pause(0.4)  # the picture comes a moment after the cursor rests
            lines = text(app)
            drawn.append(lines if terminal.unicode else ascii_only(lines))

    driven(journey)
    kept = KEPT / f"{name}.txt"
    if os.environ.get("BOCETO_UPDATE"):
        KEPT.mkdir(exist_ok=True)
        kept.write_text(drawn[0] + "\n", encoding="utf-8")
    assert drawn[0] + "\n" == kept.read_text(encoding="utf-8")
    return drawn[0]
