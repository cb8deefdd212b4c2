"""What stays of a picture when it is scaled, saved again or mirrored."""

import numpy as np
from PIL import Image

THUMBNAIL = 16
"""Side of the thumbnail: coarse enough that an edge moved by a pixel does not matter."""
_SMALL = 64
_GRID = 32
_FREQUENCIES = 8
_COSINES = np.cos(np.pi / _GRID * (np.arange(_GRID) + 0.5) * np.arange(_FREQUENCIES)[:, None])
# Mirroring left and right turns the sign of every odd horizontal frequency, and nothing else.
_MIRROR = np.where(np.arange(_FREQUENCIES) % 2, -1.0, 1.0)
_NOISE = 16.0
"""What rounding to whole greys leaves in a wave over 32 × 32 cells: half a level times 32."""


def fingerprint(picture: Image.Image) -> tuple[int, int]:
    """The perceptual hash of a picture and that of its mirror image, 64 bits each (pHash, nearly as in ImageHash).

    In a symmetric drawing half of the waves are nothing but rounding, and their bits would change with every saving
    (up to 22 of 64, measured); waves that weak count as zero.
    """
    grey = np.asarray(picture.convert("L").resize((_GRID, _GRID), Image.Resampling.LANCZOS), dtype=np.float64)
    waves = _COSINES @ grey @ _COSINES.T
    waves[np.abs(waves) < _NOISE] = 0.0
    return _bits(waves), _bits(waves * _MIRROR)


def thumbnail(picture: Image.Image) -> bytes:
    """16 × 16 grey pixels, row by row."""
    return picture.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.HAMMING).tobytes()


def reduced(image: Image.Image) -> Image.Image:
    """A plain image squeezed into 64 × 64, from which both are taken; it keeps its colour profile."""
    # The gap lets Pillow average whole blocks first, which touches each pixel once.
    small = image.resize((_SMALL, _SMALL), Image.Resampling.HAMMING, reducing_gap=2.0)
    small.info = image.info
    return small


def _bits(waves: np.ndarray) -> int:
    above = waves > np.median(waves)
    return int.from_bytes(np.packbits(above).tobytes(), "big")
