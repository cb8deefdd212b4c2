"""Masks: how much each place of a drawing's latents counts, from the drawing's own transparency."""

from collections.abc import Generator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from core.images.buckets import fitted
from core.images.drawing import opacity
from core.plan.frozen import FrozenDrawing
from core.runs.events import Phase
from core.training.cache import Cache
from core.training.prepare import check_unchanged


def masks(
    folder: Path, factor: int, wanted: Sequence[tuple[FrozenDrawing, bool]]
) -> Generator[Phase, None, list[Tensor]]:
    """The mask of every (drawing, flipped): (1, height, width) of its latents, 0 see-through to 1 opaque.

    `factor` is how many pixels a side of the latents' grid has. A drawing without transparency is 1 all over.
    """
    cache, found = Cache("masks"), []
    for index, (drawing, flipped) in enumerate(wanted):
        place = list(msgspec.structs.astuple(drawing.placement))
        path = cache.path(digest=drawing.digest, placement=place, flipped=flipped, factor=factor)
        entry = cache.get(path)
        if entry is None:
            entry = {"mask": _mask(folder / drawing.name, factor, drawing, flipped)}
            cache.put(path, entry)
        found.append(entry["mask"])
        yield Phase(name="drawings", done=index + 1, total=len(wanted))
    return found


def _mask(path: Path, factor: int, drawing: FrozenDrawing, flipped: bool) -> Tensor:
    check_unchanged(path, drawing)
    place = drawing.placement
    alpha = opacity(path)
    if alpha is None:
        return torch.ones(1, place.bucket.height // factor, place.bucket.width // factor)
    # On black: what padding adds to such a drawing is as see-through as the rest around it.
    seen = fitted(Image.merge("RGB", [alpha] * 3), place, "#000000").getchannel(0)
    pixels = torch.from_numpy(np.asarray(seen).copy()).float()[None, None] / 255
    if flipped:
        pixels = pixels.flip(-1)
    return functional.avg_pool2d(pixels, factor)[0]
