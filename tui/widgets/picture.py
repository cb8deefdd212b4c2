"""A drawing shown in the terminal: as pixels where it can, as coloured blocks everywhere else."""

import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from PIL import Image, ImageDraw
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import on, work
from textual.app import RenderResult
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from core.errors import BocetoError
from core.images.drawing import open_drawing
from core.language import _
from tui.terminal import Pictures, Terminal

DEBOUNCE = 0.1
"""Seconds without another request before a drawing is opened: who holds a key down sees only where it ends."""
_MOST_CELLS = 297  # kitty numbers the rows and columns of a picture with as many marks
_FRAME = (230, 0, 126)  # as far from white paper as from black ink, and rare in drawings
_Kept = tuple[float, float, float, float]


class Shown(Struct, frozen=True):
    """A drawing, and what the training keeps of it."""

    path: Path
    background: str = "#ffffff"
    kept: _Kept | None = None
    """Left, top, right and bottom, in fractions of the drawing."""


class _Box(Struct, frozen=True):
    """The room there is, and what fills it."""

    columns: int
    rows: int
    cell: tuple[int, int]
    mode: Pictures
    unicode: bool

    @property
    def grid(self) -> tuple[int, int]:
        """Pixels across and down."""
        if self.mode == "half":
            return self.columns, self.rows * (2 if self.unicode else 1)
        return self.columns * self.cell[0], self.rows * self.cell[1]

    def fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """Pixels of this grid that a picture of `size` takes, its proportions kept."""
        across, down = self.grid
        wide, tall = self.columns * self.cell[0] / across, self.rows * self.cell[1] / down
        scale = min(across * wide / size[0], down * tall / size[1])
        # Whole cells of pixels, or textual-image would scale them again, and a palette scales badly.
        step = (1, 1) if self.mode == "half" else self.cell
        width, height = size[0] * scale / wide / step[0], size[1] * scale / tall / step[1]
        return max(1, round(width)) * step[0], max(1, round(height)) * step[1]


class Picture(Widget):
    """One drawing at a time, opened in a thread. Whoever contains it binds a key to `cycle`."""

    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; align: center top; }
    Picture > * { width: auto; height: auto; }
    """

    mode: reactive[Pictures] = reactive[Pictures]("half", init=False)

    class Opened(Message):
        """A drawing is ready to be shown, or has a reason why not."""

        def __init__(self, request: Shown, box: _Box, ready: "list[Strip] | Image.Image | str") -> None:
            super().__init__()
            self.request, self.box, self.ready = request, box, ready

    def __init__(self, terminal: Terminal, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.terminal = terminal
        self._request: Shown | None = None
        self._neighbours: list[Shown] = []
        self._strips: list[Strip] = []
        self._words = ""
        self._native: Any = None
        self._held = False
        self._due: Timer | None = None
        self.set_reactive(Picture.mode, terminal.pictures)

    @property
    def says(self) -> str:
        """How pictures are shown now, and why."""
        names = {
            "kitty": _("Pictures: pixels (kitty)."),
            "sixel": _("Pictures: pixels (sixel)."),
            "half": _("Pictures: coloured blocks."),
            "off": _("Pictures: off."),
        }
        name = names[self.mode]
        return f"{name} {self.terminal.reason}" if self.mode == self.terminal.pictures else name

    def show(self, request: Shown | None) -> None:
        """Show this drawing when no other is asked for within a moment; None shows nothing."""
        self._request, self._neighbours = request, []
        if request is None:
            self._clear()
        self._soon()

    def prefetch(self, paths: Iterable[Path], background: str = "#ffffff") -> None:
        """Have these drawings ready, once the one asked for is shown."""
        self._neighbours = [Shown(path, background) for path in paths]
        if self._due is None:
            self._fetch_neighbours()

    def cycle(self) -> None:
        """Show pictures the next way that works here."""
        ways = self.terminal.able
        self.mode = ways[(ways.index(self.mode) + 1) % len(ways)] if self.mode in ways else ways[0]

    def hold(self) -> None:
        """Take pixels off the screen while something lies over it."""
        self._held = True
        if self._native is not None:
            self._native.display = False

    def release(self) -> None:
        """Show again what `hold` took off."""
        self._held = False
        if self._native is not None:
            self._native.display = True

    def watch_mode(self) -> None:
        """Show the same drawing in the new way."""
        self._clear()
        self._open()

    def on_resize(self) -> None:
        """Fit the drawing to the new size when it no longer changes."""
        self._soon()

    def on_unmount(self) -> None:
        """Leave no pixels behind."""
        self._drop_native()

    def render(self) -> RenderResult:
        """What is said in place of a picture; never markup, for it may be a file's name."""
        return Content(self._words)

    def render_line(self, y: int) -> Strip:
        """One line of the picture in blocks, in the middle."""
        if not self._strips:
            return super().render_line(y)
        width, style = self.content_size.width, self.rich_style
        if y >= len(self._strips):
            return Strip.blank(width, style)
        strip = self._strips[y]
        return Strip([Segment(" " * ((width - strip.cell_length) // 2), style), *strip]).adjust_cell_length(
            width, style
        )

    def _soon(self) -> None:
        if self._due:
            self._due.stop()
        self._due = self.set_timer(DEBOUNCE, self._open)

    def _box(self) -> _Box:
        columns, rows = (min(side, _MOST_CELLS) for side in self.content_size)
        return _Box(columns, rows, self.terminal.cell or (10, 20), self.mode, self.terminal.unicode)

    def _open(self) -> None:
        self._due = None
        if self._request is None or not self.content_size.area:
            return
        if self.mode == "off":
            self._words = _("Pictures are off. Press i to turn them on.")
            if self.mode == self.terminal.pictures:
                self._words = _("Pictures are off.") + f" {self.terminal.reason}"
            self.refresh()
        else:
            self._load(self._request, self._box())

    @work(thread=True, exclusive=True, exit_on_error=False, group="picture")
    def _load(self, request: Shown, box: _Box) -> None:
        try:
            image = _framed(_small(request, box), request.kept)
        except BocetoError as error:
            self.post_message(self.Opened(request, box, error.title))
            return
        if box.mode == "half":
            self.post_message(self.Opened(request, box, _blocks(image) if box.unicode else _blanks(image)))
        else:
            # A quarter of the bytes of full colour, which is what the connection has to carry.
            colours = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            self.post_message(self.Opened(request, box, colours))

    @on(Opened)
    def _show_opened(self, message: Opened) -> None:
        message.stop()
        if message.request != self._request or message.box != self._box():
            return  # another was asked for, or the room has changed: its own answer is on the way
        ready = message.ready
        if isinstance(ready, Image.Image):
            self._show_native(ready, message.box)
        else:
            self._clear()
            self._strips, self._words = (ready, "") if isinstance(ready, list) else ([], ready)
        self.refresh()
        self._fetch_neighbours()

    def _fetch_neighbours(self) -> None:
        if self._neighbours and self.mode != "off" and self.content_size.area:
            self._fetch(self._neighbours, self._box())
        self._neighbours = []

    @work(thread=True, exclusive=True, exit_on_error=False, group="neighbours")
    def _fetch(self, requests: list[Shown], box: _Box) -> None:
        worker = get_current_worker()
        for request in requests:
            if worker.is_cancelled:
                return
            with suppress(BocetoError):  # told when it is looked at
                _small(request, box)

    def _show_native(self, image: Image.Image, box: _Box) -> None:
        self._strips, self._words = [], ""
        if self._native is None:
            try:
                library = _textual_image()
            except ImportError:
                self.mode = "half"
                return
            self._native = library.TGPImage(image) if box.mode == "kitty" else library.SixelImage(image)
            self._native.display = not self._held
            self.mount(self._native)
        else:
            self._native.image = image
        self._native.styles.width = image.width // box.cell[0]
        self._native.styles.height = image.height // box.cell[1]

    def _drop_native(self) -> None:
        if self._native is not None:
            self._native.image = None  # deletes it in the terminal
            self._native.remove()
            self._native = None
            self.screen.refresh(layout=True)  # sixels stay until something is written over them

    def _clear(self) -> None:
        self._drop_native()
        self._strips, self._words = [], ""
        self.refresh()


def _small(request: Shown, box: _Box) -> Image.Image:
    """The drawing shrunk to the box, from the cache when its file is as it was."""
    try:
        changed = request.path.stat().st_mtime_ns
    except OSError:
        changed = 0  # opening it will tell why
    return _shrunk(request.path, changed, request.background, box)


@lru_cache(16)  # at most 4 MB each
def _shrunk(path: Path, changed: int, background: str, box: _Box) -> Image.Image:
    image = open_drawing(path, background)
    size = box.fit(image.size)
    if size[0] >= image.width:
        return image.resize(size, Image.Resampling.BOX)
    if box.mode != "half" or image.width < 3 * size[0] or image.height < 3 * size[1]:
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
    # A line of 3 pixels among 60 would be a grey that nobody sees. Of the nine parts of each pixel the one that
    # stands out most, ink on paper or chalk on slate, counts as much as all together.
    fine = image.resize((3 * size[0], 3 * size[1]), Image.Resampling.LANCZOS, reducing_gap=2)
    parts = np.asarray(fine, dtype=np.int16).reshape(size[1], 3, size[0], 3, 3)
    even, dark, light = parts.mean(axis=(1, 3)), parts.min(axis=(1, 3)), parts.max(axis=(1, 3))
    darker = (even - dark).sum(axis=2, keepdims=True) >= (light - even).sum(axis=2, keepdims=True)
    return Image.fromarray(((even + np.where(darker, dark, light)) / 2).round().astype(np.uint8))


def _framed(image: Image.Image, kept: _Kept | None) -> Image.Image:
    """The picture with what the training cuts off dimmed, and a frame around the rest."""
    if kept is None or kept == (0, 0, 1, 1):
        return image
    width, height = image.size
    left, top = min(width - 1, round(kept[0] * width)), min(height - 1, round(kept[1] * height))
    right, bottom = max(left + 1, round(kept[2] * width)), max(top + 1, round(kept[3] * height))
    dimmed = Image.blend(image, Image.new("RGB", image.size, "#808080"), 0.6)
    dimmed.paste(image.crop((left, top, right, bottom)), (left, top))
    ImageDraw.Draw(dimmed).rectangle((left, top, right - 1, bottom - 1), outline=_FRAME)
    return dimmed


def _blocks(image: Image.Image) -> list[Strip]:
    """Two pixels a cell: the upper half block in the colour of one on the other's."""
    rows = np.asarray(image).tolist()
    lower = [*rows[1::2], [None] * image.width]
    return [_strip("▀", zip(upper, below, strict=True)) for upper, below in zip(rows[::2], lower, strict=False)]


def _blanks(image: Image.Image) -> list[Strip]:
    """One pixel a cell, for terminals that have no block."""
    return [_strip(" ", ((None, pixel) for pixel in row)) for row in np.asarray(image).tolist()]


def _strip(character: str, cells: Iterable[tuple[list[int] | None, list[int] | None]]) -> Strip:
    return Strip([Segment(character * len(list(run)), _style(*map(_colour, cell))) for cell, run in groupby(cells)])


def _colour(pixel: list[int] | None) -> Color | None:
    return Color.from_rgb(*pixel) if pixel else None


@lru_cache(4096)
def _style(colour: Color | None, background: Color | None) -> Style:
    return Style(color=colour, bgcolor=background)


def _textual_image() -> Any:
    """textual-image's widgets. At import it asks the terminal its own questions, unless stdout is none."""
    screen = sys.__stdout__
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        sys.__stdout__ = nowhere  # type: ignore[misc]
        try:
            return importlib.import_module("textual_image.widget")
        finally:
            sys.__stdout__ = screen  # type: ignore[misc]
