"""A drawing as the WD taggers were trained to see it: a white square, BGR, floats from 0 to 255."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE = 255

Pixels = NDArray[np.uint8]


def prepared(image: Image.Image, side: int) -> NDArray[np.float32]:
    """`image` (RGB) as one input of a tagger: side × side × 3, as sd-scripts makes it (`preprocess_image`).

    Its steps in its order: to BGR, centred on a white square, then resized as 8-bit pixels. A drawing larger than the
    input is averaged by area (`cv2.INTER_AREA`), a smaller one enlarged by Lanczos.
    """
    square = _squared(np.asarray(image)[:, :, ::-1])
    if len(square) > side:
        return _averaged(square, side).astype(np.float32)
    # Every channel is resized by itself, so Pillow need not know that these are B, G and R.
    enlarged = Image.fromarray(np.ascontiguousarray(square)).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(enlarged).astype(np.float32)


def _squared(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), WHITE, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def _averaged(square: Pixels, side: int) -> Pixels:
    """The mean of what each new pixel covers, halves rounded to even.

    Covers are counted in 1/side of a pixel, so every number up to the last division is whole and a double holds it
    exactly: the result does not depend on the order in which a library adds.
    """
    covers = _covers(len(square), side)
    rows = np.empty((side, len(square) * 3))
    for number, (first, shares) in enumerate(covers):
        rows[number] = shares @ square[first : first + len(shares)].reshape(len(shares), -1).astype(np.float64)
    columns = rows.reshape(side, len(square), 3)
    result = np.empty((side, side, 3))
    for number, (first, shares) in enumerate(covers):
        result[:, number] = np.einsum("k,rkc->rc", shares, columns[:, first : first + len(shares)])
    return np.rint(result / len(square) ** 2).astype(np.uint8)


def _covers(whole: int, side: int) -> list[tuple[int, NDArray[np.float64]]]:
    """For each of `side` new pixels: the first old one it covers, and how much of that and the next ones it does."""
    covers = []
    for number in range(side):
        start, end = number * whole, (number + 1) * whole  # in 1/side of an old pixel
        first, last = start // side, -(-end // side)
        edges = np.clip(np.arange(first, last + 1) * side, start, end)
        covers.append((first, np.diff(edges).astype(np.float64)))
    return covers
