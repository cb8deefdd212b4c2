"""How near pictures are to drawings in style, for drawings in black line on white.

Dark strokes say nothing, as coloured pictures have outlines too; colour and empty paper do.
"""

from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from PIL import Image

_COLOURED = 0.15
"""A pixel whose channels are further apart than this is seen as coloured."""
_WHITE = 0.92
"""A pixel whose darkest channel is above this is seen as paper."""


class Style(Struct, frozen=True):
    """Means over all pixels of some pictures, each from 0 to 1."""

    chroma: float
    """The distance between the strongest and the weakest channel."""
    coloured: float
    """The share of coloured pixels."""
    white: float
    """The share of paper."""

    def way(self, start: "Style", goal: "Style") -> "Style":
        """How much of the way from `start` to `goal` this is, measure by measure: 0 at the start, 1 at the goal."""
        return Style(*(_part(getattr(start, name), getattr(self, name), getattr(goal, name)) for name in _MEASURES))

    @property
    def mean(self) -> float:
        """The mean of the three, for a `way`."""
        return (self.chroma + self.coloured + self.white) / 3


_MEASURES = ("chroma", "coloured", "white")


def style_of(pictures: Iterable[Image.Image]) -> Style:
    """The style of some pictures together."""
    found = []
    for picture in pictures:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
        chroma = pixels.max(axis=-1) - pixels.min(axis=-1)
        found.append((chroma.mean(), (chroma > _COLOURED).mean(), (pixels.min(axis=-1) > _WHITE).mean()))
    chroma, coloured, white = np.mean(found, axis=0).tolist()
    return Style(chroma, coloured, white)


def _part(start: float, here: float, goal: float) -> float:
    return (here - start) / (goal - start) if goal != start else 1.0
