"""The colours of a picture, as an artist would name them."""

import torch
from torch import Tensor

from core.taggers.mini.making.vocabulary import COLOUR_TAGS

_RED, _ORANGE, _YELLOW, _GREEN, _BLUE, _PURPLE, _PINK, _BROWN, _BLACK, _GREY, _WHITE = range(len(COLOUR_TAGS))

# Where one hue's name ends and the next begins, in degrees.
_HUES = (
    (15, _RED),
    (42, _ORANGE),
    (68, _YELLOW),
    (165, _GREEN),
    (255, _BLUE),
    (295, _PURPLE),
    (340, _PINK),
    (360, _RED),
)

LEAST = (0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.12, 0.35, 0.25, 0.30)
"""The share of what is drawn from which on a picture is said to have the colour, by `COLOUR_TAGS`.

More for black, grey and white: lines, shadows and lights are in every picture.
"""
MANY = 4
"""Hues from which on a picture is colourful."""
_COLOURLESS = 0.03
"""The share of coloured pixels that a monochrome picture may have: what soft edges leave."""


def named(pixels: Tensor) -> Tensor:
    """The number of its colour's name for every pixel of (n, 3, h, w), from 0 to 1."""
    high, low = pixels.amax(1), pixels.amin(1)
    spread = high - low
    red, green, blue = pixels.unbind(1)
    wide = spread.clamp_min(1e-6)
    hue = torch.where(
        high == red,
        (green - blue) / wide % 6,
        torch.where(high == green, (blue - red) / wide + 2, (red - green) / wide + 4),
    )
    degrees = hue * 60
    ends = torch.tensor([end for end, _name in _HUES], dtype=degrees.dtype)
    names = torch.tensor([name for _end, name in _HUES])
    colour = names[torch.bucketize(degrees, ends).clamp_max(len(_HUES) - 1)]
    # Dark orange is brown, light red is pink, and what hardly has a hue is black, grey or white.
    colour = torch.where((colour == _ORANGE) & (high < 0.72), _BROWN, colour)
    colour = torch.where((colour == _RED) & (low > 0.52), _PINK, colour)
    colour = torch.where((colour == _RED) & (high < 0.5) & (degrees < 15), _BROWN, colour)
    grey = torch.where(high < 0.28, _BLACK, torch.where(low > 0.88, _WHITE, _GREY))
    faint = (spread < 0.12) | (spread < 0.18 * high) | (high < 0.2)
    return torch.where(faint, grey, colour)


def shares(pixels: Tensor, ink: Tensor) -> Tensor:
    """Which share of what is drawn (`ink`, (n, h, w)) has each of the colours: (n, 11)."""
    names = named(pixels)
    drawn = ink.sum((1, 2)).clamp_min(1)
    return torch.stack([((names == number) * ink).sum((1, 2)) / drawn for number in range(len(COLOUR_TAGS))], dim=1)


def given(measured: Tensor) -> Tensor:
    """From the shares, which colours a picture is said to have, and last whether it is colourful: (n, 12)."""
    colours = measured >= torch.tensor(LEAST)
    hues = (measured[:, : _PINK + 1] >= LEAST[0] / 2).sum(1)
    return torch.cat([colours, (hues >= MANY)[:, None]], dim=1)


def colourless(measured: Tensor) -> Tensor:
    """Whether a picture has no colour but black, grey and white."""
    return measured[:, :_BLACK].sum(1) <= _COLOURLESS
