"""One drawing in many ways: moved, turned, redrawn as lines, on other paper, so that a few teach more."""

import math
from collections.abc import Callable

import torch
from msgspec import Struct
from torch import Generator, Tensor
from torch.nn import functional

from core.taggers.mini.making import colours
from core.taggers.mini.making.vocabulary import (
    BACKGROUND_TAGS,
    COLOUR_TAGS,
    COLOURFUL,
    GRADIENT,
    GREYSCALE,
    LINES,
    MONOCHROME,
    OUTLINED,
    SIMPLE,
    Vocabulary,
)

SEEN = 64
"""Pixels a side of what the tagger sees: OpenMoji's lines are then 1.8 pixels wide."""

WHITE, SOLID, SLOPE, BUSY = range(4)
"""What lies behind a drawing: white paper, one colour, from one colour to another, or anything."""
_CHANCES = (0.4, 0.36, 0.12, 0.12)
_CALM = 0.35
"""The share of pictures that are only mirrored and moved a little: most drawings are whole, upright and on white."""


class Pictures(Struct, frozen=True):
    """Some pictures as the tagger sees them, and what is to be known of them besides what they show."""

    pixels: Tensor
    """(n, 3, 64, 64) from 0 to 1, RGB."""
    colours: Tensor
    """(n, 11), shares of what is drawn."""
    lines: Tensor
    """(n,), whether it is made of lines only."""
    behind: Tensor
    """(n,), one of `WHITE`, `SOLID`, `SLOPE`, `BUSY`."""
    paper: Tensor
    """(n,), the number of the paper's colour where that is one."""


def plain(pictures: Tensor, blank: Tensor, lines: Tensor) -> Pictures:
    """The pictures, (n, 96, 96, 3) bytes, as they are; `blank` is where nothing is drawn."""
    return _on_white(_smaller(_floating(pictures)), _smaller(1 - blank[:, None].float())[:, 0], lines)


def redrawn(pictures: Tensor, generator: Generator) -> Pictures:
    """The pictures as black outlines on white."""
    pixels = _smaller(_as_lines(_floating(pictures), _Dice(len(pictures), generator)))
    return _on_white(pixels, torch.zeros_like(pixels[:, 0]), torch.ones(len(pixels), dtype=torch.bool))


def varied(pictures: Tensor, blank: Tensor, lines: Tensor, generator: Generator) -> Pictures:
    """The pictures as `plain` takes them, each changed in its own way."""
    dice = _Dice(len(pictures), generator)
    pixels = _floating(pictures)
    calm = dice.chance(_CALM)
    outlined = ~lines & ~calm & dice.chance(0.2)
    _change(pixels, outlined, dice, _as_lines)
    lines = lines | outlined
    _change(pixels, ~lines & ~calm & dice.chance(0.12), dice, _as_greys)
    _change(pixels, ~lines & ~calm & dice.chance(0.6), dice, _recoloured)
    _change(pixels, ~calm & (dice.chance(0.25) | (lines & dice.chance(0.5))), dice, _widened)
    moved = _moved(torch.cat([1 - pixels, 1 - blank[:, None].float()], dim=1), calm, dice)
    pixels, ink = (1 - moved[:, :3]).clamp(0, 1), moved[:, 3].clamp(0, 1)
    shares = _colours(pixels, ink, lines)
    pixels, behind, paper = _on_paper(pixels, ink, lines, calm, dice)
    return Pictures(_scanned(pixels, calm, dice), shares, lines, behind, paper)


def marked(known: Tensor, seen: Pictures, vocabulary: Vocabulary) -> Tensor:
    """The `known` tags of the pictures, (n, tags), with those that are to be seen in their pixels."""
    columns = {tag: column for column, tag in enumerate(vocabulary.tags)}
    marks = known.clone().float()
    colourless = colours.colourless(seen.colours) | seen.lines
    marks[:, [columns[tag] for tag in (*COLOUR_TAGS, COLOURFUL)]] = (
        colours.given(seen.colours) & ~seen.lines[:, None]
    ).float()
    marks[:, columns[LINES]] = seen.lines.float()
    marks[:, columns[OUTLINED]] = torch.maximum(marks[:, columns[OUTLINED]], seen.lines.float())
    for tag in ("flat_color", "shading"):
        marks[:, columns[tag]] *= ~colourless
    grey_paper = torch.isin(seen.paper, torch.tensor([COLOUR_TAGS.index(tag) for tag in ("white", "grey", "black")]))
    even = (seen.behind == WHITE) | (seen.behind == SOLID)
    marks[:, columns[MONOCHROME]] = (colourless & even).float()
    marks[:, columns[GREYSCALE]] = (colourless & even & grey_paper).float()
    marks[:, columns[SIMPLE]] = (seen.behind != BUSY).float()
    marks[:, columns[GRADIENT]] = (seen.behind == SLOPE).float()
    for number, tag in enumerate(BACKGROUND_TAGS):
        marks[:, columns[tag]] = (even & (seen.paper == number)).float()
    return marks


class _Dice:
    """Random numbers, one or more a picture."""

    def __init__(self, size: int, generator: Generator) -> None:
        self.size = size
        self.generator = generator

    def even(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.size, *shape, generator=self.generator)

    def bell(self, *shape: int) -> Tensor:
        return torch.randn(self.size, *shape, generator=self.generator)

    def chance(self, share: float) -> Tensor:
        return torch.rand(self.size, generator=self.generator) < share


def _floating(pictures: Tensor) -> Tensor:
    return pictures.permute(0, 3, 1, 2).float() / 255


def _smaller(layers: Tensor) -> Tensor:
    return functional.interpolate(layers, SEEN, mode="bilinear", antialias=True)


def _on_white(pixels: Tensor, ink: Tensor, lines: Tensor) -> Pictures:
    size = len(pixels)
    white = torch.full((size,), COLOUR_TAGS.index("white"))
    return Pictures(pixels, _colours(pixels, ink, lines), lines, torch.full((size,), WHITE), white)


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _colours(pixels: Tensor, ink: Tensor, lines: Tensor) -> Tensor:
    # Every second pixel tells the shares as well as all of them.
    shares = colours.shares(pixels[:, :, ::2, ::2], (ink[:, ::2, ::2] > 0.6).float())
    return shares * (~lines)[:, None]


def _change(pixels: Tensor, which: Tensor, dice: _Dice, change: Callable[[Tensor, _Dice], Tensor]) -> None:
    """Put what `change` makes of some of the pictures in their place."""
    rows = which.nonzero().flatten()
    if len(rows):
        pixels[rows] = change(pixels[rows], _Dice(len(rows), dice.generator))


def _as_lines(pixels: Tensor, dice: _Dice) -> Tensor:
    """Dark lines where the picture changes: what another artist's outlines of the same thing might be."""
    change = (_highest(pixels) + _highest(-pixels)).amax(1, keepdim=True)
    dark = (change * _wide(dice.even(1.5, 5.0))).clamp(0, 1) * _wide(dice.even(0.7, 1.0))
    return (1 - dark).expand_as(pixels)


def _as_greys(pixels: Tensor, _dice: _Dice) -> Tensor:
    return pixels.mean(1, keepdim=True).expand_as(pixels)


def _recoloured(pixels: Tensor, dice: _Dice) -> Tensor:
    """Another brightness, contrast and saturation; the white of the paper stays white."""
    grey = pixels.mean(1, keepdim=True)
    stronger = torch.lerp(grey, pixels, _wide(dice.even(0.5, 1.5))) + dice.even(-0.07, 0.07, 3, 1, 1)
    changed = (0.5 + (stronger - 0.5) * _wide(dice.even(0.7, 1.25)) + _wide(dice.even(-0.1, 0.1))).clamp(0, 1)
    return torch.where(pixels.amin(1, keepdim=True) > 0.98, pixels, changed)


def _widened(pixels: Tensor, dice: _Dice) -> Tensor:
    """Lines made wider in some pictures and thinner in others."""
    strength = _wide(dice.even(-0.7, 1.0))
    side = strength.sign()
    return torch.lerp(pixels, -side * _highest(-side * pixels), strength.abs())


def _highest(pixels: Tensor) -> Tensor:
    """The highest of each pixel and its eight neighbours; `max_pool2d` took half of a variation's time."""
    highest = pixels.clone()
    for axis in (2, 3):
        length = pixels.shape[axis] - 1
        before = highest.clone()
        for here, there in ((0, 1), (1, 0)):
            near = highest.narrow(axis, here, length)
            torch.maximum(near, before.narrow(axis, there, length), out=near)
    return highest


def _soft(pixels: Tensor) -> Tensor:
    """Each pixel mixed with its eight neighbours; what lies at the edge stays as it is."""
    soft = pixels.clone()
    for axis in (2, 3):
        length = pixels.shape[axis] - 2
        before = soft.clone()
        inner = soft.narrow(axis, 1, length)
        torch.add(before.narrow(axis, 0, length), before.narrow(axis, 2, length), out=inner)
        inner.add_(before.narrow(axis, 1, length)).div_(3)
    return soft


def _moved(layers: Tensor, calm: Tensor, dice: _Dice) -> Tensor:
    """The layers, 0 where nothing is drawn, at another size, place and angle, some mirrored."""
    size = torch.where(calm | dice.chance(0.1), torch.ones(dice.size), dice.even(0.6, 1.2))
    stretch = torch.where(calm, 0.0, dice.bell() * 0.06).exp()
    angle = torch.where(calm | dice.chance(0.4), 0.0, dice.bell() * math.radians(7))
    mirror = torch.where(dice.chance(0.5), -1.0, 1.0)
    # What is smaller than the frame may go as far as to its edge and a little beyond.
    room = (1 - size).clamp_min(0) + 0.06
    across, down = (dice.even(-1, 1) * room for _axis in range(2))
    cosine, sine = angle.cos() / size, angle.sin() / size
    rows = [
        torch.stack([mirror * cosine * stretch, -sine * stretch, -across * cosine], dim=1),
        torch.stack([mirror * sine / stretch, cosine / stretch, -down * cosine], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), [dice.size, 1, SEEN, SEEN], align_corners=False)
    # Sampling would skip pixels of what is made smaller: it is softened before.
    _change(layers, size < 0.95, dice, lambda some, _dice: _soft(some))
    return functional.grid_sample(layers, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _on_paper(pixels: Tensor, ink: Tensor, lines: Tensor, calm: Tensor, dice: _Dice) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures laid on a paper; which kind of paper and which colour it is."""
    behind = torch.multinomial(torch.tensor(_CHANCES), dice.size, replacement=True, generator=dice.generator)
    behind = torch.where(calm, WHITE, behind)
    # Black lines need a light paper to be seen on.
    darkest = torch.where(lines, 0.5, 0.0)[:, None]
    first = darkest + (1 - darkest) * dice.even(0, 1, 3)
    second = darkest + (1 - darkest) * dice.even(0, 1, 3)
    grey = dice.chance(0.2)[:, None]
    first = torch.where(grey, first.mean(1, keepdim=True).expand_as(first), first)
    # White paper that was scanned is not quite white.
    first = torch.where(
        (behind == WHITE)[:, None], 1 - dice.even(0, 0.05, 3) * (~calm & dice.chance(0.4))[:, None], first
    )
    slope = torch.linspace(0, 1, SEEN).view(1, 1, SEEN, 1)
    slope = torch.where(_wide(dice.chance(0.5)), slope, slope.transpose(2, 3))
    sheet = first[:, :, None, None].expand(-1, -1, SEEN, SEEN)
    sloped = torch.lerp(first[:, :, None, None], second[:, :, None, None], slope)
    sheet = torch.where(_wide(behind == SLOPE), sloped, sheet).contiguous()
    _change(sheet, behind == BUSY, dice, _busy)
    sheet = torch.maximum(sheet, _wide(darkest.flatten()))
    # Lines lie on the paper like ink, and colour covers it.
    covered = torch.where(_wide(lines), pixels * sheet, sheet + ink[:, None] * (pixels - sheet))
    white = COLOUR_TAGS.index("white")
    paper = colours.named(first[:, :, None, None])[:, 0, 0]
    return covered, behind, torch.where(behind == WHITE, white, paper)


def _busy(sheet: Tensor, dice: _Dice) -> Tensor:
    """Blots of all colours."""
    blots = functional.interpolate(dice.even(0, 1, 3, 7, 7), SEEN, mode="bilinear")
    return (blots + 0.1 * dice.bell(*sheet.shape[1:])).clamp(0, 1)


def _scanned(pixels: Tensor, calm: Tensor, dice: _Dice) -> Tensor:
    """Some pictures a little out of focus, some with noise."""
    _change(pixels, ~calm & dice.chance(0.2), dice, lambda some, _dice: _soft(some))
    _change(pixels, ~calm & dice.chance(0.3), dice, _noisy)
    return pixels


def _noisy(pixels: Tensor, dice: _Dice) -> Tensor:
    return (pixels + dice.bell(1, SEEN, SEEN) * _wide(dice.even(0.0, 0.06))).clamp(0, 1)
