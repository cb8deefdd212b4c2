"""The pictures that the tagger learns from: which art set is whose, how large they are, and where their paper is."""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from core.bases.mini.making.art import Art

SIDE = 96
"""Pixels a side of what is kept, half as many again as the tagger sees: what is turned and moved stays sharp."""
DRAWN = 2 * SIDE
"""Pixels a side of what resvg draws before it is averaged down."""

HELD_OUT = "twemoji"
"""The art set that nothing is learnt from.

It was drawn by other hands than all the rest. The other four are two pairs: `modern` is `flat` with shading and
`openmoji` is `outline` with colour, so that holding out one of them would ask for shapes that were learnt.
"""
_FLUENT = ("flat", "modern")


def kept_apart(one: Art) -> bool:
    """Whether this drawing serves only to set the scale of the scores: all of Fluent for one thing in twelve."""
    return one.style in _FLUENT and crc32(one.concept.encode()) % 12 == 0


def learnt(one: Art) -> bool:
    """Whether the tagger learns from this drawing."""
    return one.style != HELD_OUT and not kept_apart(one)


def paper(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where nothing is drawn, (n, h, w): the white that is reached from the edge by at most two straight ways."""
    white: NDArray[np.bool_] = pictures.min(axis=3) >= 250
    reached: NDArray[np.bool_] = np.zeros(white.shape, dtype=np.bool_)
    reached[:, [0, -1], :] = white[:, [0, -1], :]
    reached[:, :, [0, -1]] |= white[:, :, [0, -1]]
    for _way in range(2):
        for axis in (1, 2):
            for forwards in (slice(None), slice(None, None, -1)):
                _spread(np.moveaxis(white, axis, 0)[forwards], np.moveaxis(reached, axis, 0)[forwards])
    return reached


def _spread(white: NDArray[np.bool_], reached: NDArray[np.bool_]) -> None:
    """Let what is reached in one row reach on to the next, as long as it is white."""
    for before, here, there in zip(reached, reached[1:], white[1:], strict=False):
        np.logical_or(here, before & there, out=here)
