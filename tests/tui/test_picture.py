import asyncio
import os
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from PIL import Image
from rich.color import Color
from textual.app import App

from tui.terminal import Terminal
from tui.widgets import picture
from tui.widgets.picture import Picture, Shown

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
HALF = Terminal("full", True, "half", "Because.")
KITTY = Terminal("full", True, "kitty", "It is kitty.", able=("kitty", "half", "off"), cell=(10, 20))


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Nothing is remembered, and little is waited for."""
    picture._shrunk.cache_clear()
    monkeypatch.setattr(picture, "DEBOUNCE", 0.02)


@pytest.fixture
def flag(tmp_path):
    """Red and green over blue and white."""
    path = tmp_path / "flag.png"
    image = Image.new("RGB", (2, 2))
    image.putdata([RED, GREEN, BLUE, WHITE])
    image.save(path)
    return path


@pytest.fixture
def opened(monkeypatch):
    """The drawings that were opened, in turn."""
    paths = []

    def open_drawing(path, background="#ffffff"):
        paths.append(path.name)
        return real(path, background)

    real = picture.open_drawing
    monkeypatch.setattr(picture, "open_drawing", open_drawing)
    return paths


class Frame(App[None]):
    """A picture of 4 by 2 cells in the corner."""

    CSS = "Picture { width: 4; height: 2; }"

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.picture = Picture(terminal)

    def compose(self):
        yield self.picture

    async def settle(self) -> None:
        """Until nothing is due, nothing is being opened, and everything is painted."""
        while self.picture._due or any(not worker.is_finished for worker in self.workers):
            await asyncio.sleep(0.01)
        for _layout_then_paint in range(2):
            await self.pilot.pause()


def within(
    terminal: Terminal, play: Callable[[Frame], Awaitable[None]], size: tuple[int, int] = (4, 2), screen=(60, 12)
) -> None:
    async def run() -> None:
        app = Frame(terminal)
        async with app.run_test(size=screen) as app.pilot:
            app.picture.styles.width, app.picture.styles.height = size
            await app.settle()
            await play(app)

    asyncio.run(run())


def cells(app: Frame) -> list[list[tuple]]:
    """Character, colour and background of every cell of the picture, as it is on the screen."""
    width, height = app.picture.size
    lines = []
    for strip in app.screen._compositor.render_strips()[:height]:
        line = []
        for segment in strip.crop(0, width):
            style = segment.style
            line += [(c, _rgb(style.color), _rgb(style.bgcolor)) for c in segment.text]
        lines.append(line)
    return lines


def _rgb(colour: Color | None) -> tuple | None:
    return tuple(colour.triplet) if colour and colour.triplet else None


def text(app: Frame) -> str:
    return " ".join("".join(cell[0] for cell in line).strip() for line in cells(app)).strip()


def test_each_cell_shows_two_pixels_in_their_colours(flag):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        red, green, blue, white = (("▀", c, c) for c in (RED, GREEN, BLUE, WHITE))
        assert cells(app) == [[red, red, green, green], [blue, blue, white, white]]

    within(HALF, play)


def test_upper_and_lower_pixels_are_not_swapped(tmp_path):
    Image.fromarray(np.array([[RED], [BLUE]], dtype=np.uint8)).save(tmp_path / "tall.png")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(tmp_path / "tall.png"))
        await app.settle()
        assert cells(app) == [[("▀", RED, BLUE)]]

    within(HALF, play, size=(1, 1))


def test_a_terminal_without_blocks_shows_coloured_blanks(flag):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        assert [[cell[::2] for cell in line] for line in cells(app)] == [
            [(" ", RED), (" ", RED), (" ", GREEN), (" ", GREEN)],
            [(" ", BLUE), (" ", BLUE), (" ", WHITE), (" ", WHITE)],
        ]

    within(Terminal("256", False, "half", ""), play)


def test_proportions_are_kept_and_the_picture_stands_in_the_middle(tmp_path):
    Image.new("RGB", (10, 20), RED).save(tmp_path / "tall.png")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(tmp_path / "tall.png"))
        await app.settle()
        # 3 rows of 20 pixels: 60 tall, so 30 wide, which are 3 columns of 10 in the middle of 9.
        assert ["".join(cell[0] for cell in line) for line in cells(app)] == ["   ▀▀▀   "] * 3

    within(HALF, play, size=(9, 3))


def test_what_the_training_cuts_off_is_dimmed_and_framed_off(tmp_path):
    Image.new("RGB", (40, 40), WHITE).save(tmp_path / "page.png")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(tmp_path / "page.png", kept=(0.25, 0, 0.75, 1)))
        await app.settle()
        middle = [cell[1] for cell in cells(app)[5]]
        assert max(middle[0]) < 200 and middle[0] == middle[4] == middle[19]  # outside
        assert middle[5] == middle[14] == picture._FRAME
        assert set(middle[6:14]) == {WHITE}
        assert {cell[1] for cell in cells(app)[0][5:15]} == {picture._FRAME}

    within(HALF, play, size=(20, 10))


def test_a_thin_line_of_ink_does_not_vanish(tmp_path):
    page = Image.new("RGB", (2000, 2000), WHITE)
    page.paste((0, 0, 0), (990, 0, 996, 2000))
    page.save(tmp_path / "page.png")
    Image.fromarray(255 - np.asarray(page)).save(tmp_path / "slate.png")

    def contrast(name: str) -> int:
        box = picture._Box(40, 20, (10, 20), "half", True)
        row = np.asarray(picture._small(Shown(tmp_path / name), box))[20, :, 0].astype(int)
        return abs(row - row[0]).max()

    plainly = 255 * 6 // 50  # 6 of the 50 pixels that one stands for
    assert contrast("page.png") > 1.5 * plainly
    assert contrast("slate.png") > 1.5 * plainly


def test_holding_a_key_down_opens_only_the_last(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(picture, "DEBOUNCE", 0.1)
    for number in range(5):
        Image.new("RGB", (4, 4), RED).save(tmp_path / f"{number}.png")

    async def play(app: Frame) -> None:
        for number in range(5):
            app.picture.show(Shown(tmp_path / f"{number}.png"))
            await asyncio.sleep(0.02)
        await app.settle()
        assert opened == ["4.png"]

    within(HALF, play)


def test_a_drawing_that_took_too_long_is_not_shown_over_the_next(flag, tmp_path):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        shown = cells(app)
        app.picture.post_message(
            Picture.Opened(Shown(tmp_path / "earlier.png"), app.picture._box(), "An answer that is too late")
        )
        await app.settle()
        assert cells(app) == shown

    within(HALF, play)


def test_a_drawing_is_opened_once_until_its_file_changes(flag, opened):
    async def play(app: Frame) -> None:
        for _turn in range(2):
            app.picture.show(Shown(flag))
            await app.settle()
        assert opened == ["flag.png"]
        Image.new("RGB", (2, 2), BLUE).save(flag)
        os.utime(flag, (1, 1))
        app.picture.show(Shown(flag))
        await app.settle()
        assert opened == ["flag.png"] * 2
        assert cells(app)[0][0] == ("▀", BLUE, BLUE)

    within(HALF, play)


def test_neighbours_are_ready_before_they_are_asked_for(flag, tmp_path, opened):
    Image.new("RGB", (2, 2), BLUE).save(tmp_path / "next.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        app.picture.prefetch([tmp_path / "broken.png", tmp_path / "next.png"])
        await app.settle()
        assert opened == ["flag.png", "broken.png", "next.png"]
        app.picture.show(Shown(tmp_path / "next.png"))
        await app.settle()
        assert opened[3:] == []
        assert cells(app)[0][0] == ("▀", BLUE, BLUE)

    within(HALF, play)


def test_a_file_that_cannot_be_opened_says_why_in_plain_words(flag, tmp_path):
    (tmp_path / "[red]broken.png").write_bytes(b"")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        app.picture.show(Shown(tmp_path / "[red]broken.png"))
        await app.settle()
        assert text(app) == "This file is empty: it has 0 bytes."
        app.picture.show(Shown(flag))
        await app.settle()
        assert cells(app)[0][18] == ("▀", RED, RED)

    within(HALF, play, size=(40, 2))


def test_brackets_in_a_message_are_no_markup(tmp_path):
    async def play(app: Frame) -> None:
        request = Shown(tmp_path / "a.png")
        app.picture.show(request)
        await app.settle()
        app.picture.post_message(Picture.Opened(request, app.picture._box(), "[b]bold[/b] [/]"))
        await app.settle()
        assert text(app) == "[b]bold[/b] [/]"

    within(HALF, play, size=(40, 2))


def test_pictures_that_are_off_say_which_key_turns_them_on(flag, opened):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        assert text(app) == "Pictures are off. It is slow. Press i."
        assert opened == []
        app.picture.cycle()
        await app.settle()
        assert app.picture.mode == "half" and opened == ["flag.png"]
        assert cells(app)[0][20] == ("▀", GREEN, GREEN)
        app.picture.cycle()
        await app.settle()
        assert app.picture.mode == "off"

    within(Terminal("full", True, "off", "It is slow. Press i."), play, size=(40, 2))


def test_the_way_of_showing_is_told_with_its_reason():
    async def play(app: Frame) -> None:
        assert app.picture.says == "Pictures: coloured blocks. Because."
        app.picture.cycle()
        assert app.picture.says == "Pictures: off."

    within(HALF, play)


def test_nothing_is_shown_when_nothing_is_asked_for(flag):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        app.picture.show(None)
        await app.settle()
        assert text(app) == ""

    within(HALF, play)


def test_a_new_size_fits_the_picture_anew(flag):
    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        app.picture.styles.width, app.picture.styles.height = 8, 4
        await asyncio.sleep(0.05)
        await app.settle()
        assert [cell[1] for cell in cells(app)[3]] == [BLUE] * 4 + [WHITE] * 4

    within(HALF, play)


def test_kitty_is_sent_at_most_256_colours_in_whole_cells_and_asked_to_forget_them(tmp_path, monkeypatch):
    pytest.importorskip("textual_image")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    sent = _Sent()
    monkeypatch.setattr("sys.__stdout__", sent)
    monkeypatch.setenv("TEXTUAL_CELL_WIDTH", "10")
    monkeypatch.setenv("TEXTUAL_CELL_HEIGHT", "20")

    async def play(app: Frame) -> None:
        app.picture.show(Shown(tmp_path / "noise.png"))
        await app.settle()
        image = app.picture._native.image
        assert image.size == (200, 200) and len(image.getcolors()) <= 256
        assert app.picture._native.size == (20, 10)
        assert "c=20,r=10" in sent.text
        app.picture.hold()
        assert not app.picture._native.display
        app.picture.release()
        assert app.picture._native.display
        assert "a=d" not in sent.text
        app.picture.cycle()
        await app.settle()
        assert app.picture.mode == "half" and cells(app)[0][15][0] == "▀"
        assert "a=d,I=" in sent.text

    within(KITTY, play, size=(30, 10))


@pytest.mark.parametrize("mode", ["kitty", "sixel"])
def test_pixels_are_gone_when_the_picture_is(flag, monkeypatch, mode):
    pytest.importorskip("textual_image")
    sent = _Sent()
    monkeypatch.setattr("sys.__stdout__", sent)

    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()
        drawn = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert ("\x1bP" in drawn) is (mode == "sixel")
        await app.picture.remove()
        assert ("a=d,I=" in sent.text) is (mode == "kitty")
        drawn = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert "\x1bP" not in drawn and not drawn.strip()

    within(Terminal("full", True, mode, "", cell=(10, 20)), play, size=(20, 5))


def test_leaving_while_pixels_are_shown_deletes_them(flag, monkeypatch):
    pytest.importorskip("textual_image")
    sent = _Sent()
    monkeypatch.setattr("sys.__stdout__", sent)

    async def play(app: Frame) -> None:
        app.picture.show(Shown(flag))
        await app.settle()

    within(KITTY, play)
    assert "a=d,I=" in sent.text


def test_importing_textual_image_asks_the_terminal_nothing(monkeypatch):
    pytest.importorskip("textual_image")
    import sys

    for name in [name for name in sys.modules if name.startswith("textual_image")]:
        monkeypatch.delitem(sys.modules, name)
    sent = _Sent()
    monkeypatch.setattr("sys.__stdout__", sent)
    assert picture._textual_image().TGPImage
    assert sent.text == "" and sys.__stdout__ is sent


class _Sent:
    """A terminal that keeps what it is sent."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError
