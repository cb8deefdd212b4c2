import asyncio

import pytest
from rich.cells import cell_len
from rich.segment import ControlType, Segment
from textual.app import App
from textual.color import Color
from textual.widgets import Checkbox, Label, ProgressBar, Select, Sparkline

from tui.glyphs import Ascii, ascii_only

EVERY_LINE_AND_BLOCK = [chr(number) for number in range(0x2500, 0x25A0)]
ELSEWHERE = list("←→↑↓✓✗●○·…–—×÷“”‘’«»⏎⌫▶▼⭘•⣿⠁★⚠¿¡°€")


@pytest.mark.parametrize("glyph", EVERY_LINE_AND_BLOCK + ELSEWHERE + ["💩", "。"])
def test_every_glyph_becomes_ascii_of_the_same_width(glyph):
    drawn = ascii_only(glyph)
    assert drawn.isascii() and drawn.isprintable()
    assert len(drawn) == cell_len(glyph)


def test_letters_stay_whatever_their_language():
    text = "Niña, ¿lápiz azul? 文字 ё"
    drawn = ascii_only(text)
    assert [a for a in drawn if a.isalpha()] == [a for a in text if a.isalpha()]
    assert ascii_only("nin\N{COMBINING TILDE}a") == "nin\N{COMBINING TILDE}a"


def test_levels_of_a_sparkline_stay_eight_different_levels():
    assert len(set(ascii_only("▁▂▃▄▅▆▇█"))) == 8
    assert " " not in ascii_only("▁▂▃▄▅▆▇█")


def test_a_tick_and_a_cross_and_both_bullets_stay_different():
    assert len(set(ascii_only("✓✗●○…·"))) == 6


def test_what_moves_the_cursor_is_left_alone():
    control = Segment("\x1b[3;1H…", None, ((ControlType.CURSOR_FORWARD, 0),))
    assert Ascii().apply([control], Color.parse("black")) == [control]


def test_a_whole_screen_is_drawn_without_a_glyph():
    class Everything(App[None]):
        CSS = "Label { border: round red; } Sparkline { height: 3; border: tall blue; }"

        def __init__(self) -> None:
            super().__init__()
            self.ascii = Ascii()

        def get_line_filters(self):
            return [*super().get_line_filters(), self.ascii]

        def compose(self):
            yield Label("línea · 3 × 4 …")
            yield Sparkline([1, 5, 2, 8, 3])
            yield Checkbox("sí", value=True)
            yield ProgressBar(total=10)
            yield Select([("uno", 1)])

    async def screen() -> list[str]:
        app = Everything()
        async with app.run_test(size=(60, 24)) as pilot:
            await pilot.pause()
            return [strip.text for strip in app.screen._compositor.render_strips()]

    lines = asyncio.run(screen())
    assert {c for line in lines for c in line if not c.isascii()} == {"í"}
    assert all(cell_len(line) == 60 for line in lines)
    assert any("línea - 3 x 4 ~" in line for line in lines)
