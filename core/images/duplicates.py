"""Drawings that are the same, look the same, or would share a caption."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Problem, Severity
from core.images.drawing import Drawing
from core.images.scan import shown
from core.language import _

SAME_BITS = 2
"""Of 64: a picture that was scaled or saved again."""
NEAR_BITS = 8
"""Of 64: a crop, a signature, a small change. Beyond, unrelated pictures begin."""
SAME_LIKENESS = 0.99
"""Correlation of the thumbnails. Different line drawings reach 0.64, sparse sketches on white 0.86;
the same drawing saved again, scaled or darker stays above 0.999, with a signature above 0.99 or so."""
NEAR_LIKENESS = 0.90
"""Two sketches on white agree in nearly all bits by chance; what they draw does not."""
_BLOCK = 128
"""Drawings compared with all before them at a time. For 10,000 that takes 45 MB at most, and no longer than more."""

Array = NDArray[Any]


def duplicates(drawings: Sequence[Drawing], *, mirrored: bool = False) -> list[Problem]:
    """Each drawing that repeats an earlier one, by the closest it repeats; the first of each group stays unnamed.

    `mirrored` also finds mirror images, which matter when the training mirrors drawings.
    """
    ordered = sorted(drawings, key=lambda drawing: drawing.name)
    first: dict[str, Drawing] = {}
    found = [
        _exact(drawing, earlier)
        for drawing in ordered
        if (earlier := first.setdefault(drawing.digest, drawing)) is not drawing
    ]
    # A blank sheet looks like every other, and is named by its own check.
    different = [drawing for drawing in first.values() if not drawing.blank]
    found.extend(_near(different, mirrored))
    found.extend(_same_stem(ordered))
    return sorted(found, key=lambda problem: problem.drawing)


def _near(drawings: list[Drawing], mirrored: bool) -> Iterator[Problem]:
    looks = _normalised(drawings)
    marks = np.array([drawing.fingerprint for drawing in drawings], dtype=np.uint64)
    turned = np.array([drawing.mirrored for drawing in drawings], dtype=np.uint64)
    for start in range(0, len(drawings), _BLOCK):
        rows = slice(start, start + _BLOCK)
        earlier = looks[: start + _BLOCK]
        alike, bits = looks[rows] @ earlier.T, np.bitwise_count(marks[rows, None] ^ marks[None, : len(earlier)])
        rank = _rank(alike, bits)
        if mirrored:
            alike, bits = (
                _flipped(looks[rows]) @ earlier.T,
                np.bitwise_count(turned[rows, None] ^ marks[None, : len(earlier)]),
            )
            rank = np.maximum(rank, np.where(_rank(alike, bits) == _SAME, _MIRRORED, 0))
        rank = np.tril(rank, start - 1)
        for row in np.flatnonzero(rank.any(axis=1)):
            # The gravest, and of those the earliest.
            other = int(rank[row].argmax())
            yield _alike(drawings[start + row], drawings[other], int(rank[row, other]))


_SAME, _SIMILAR, _MIRRORED = 3, 2, 1


def _rank(alike: Array, bits: Array) -> Array:
    # A signature or a changed margin moves many bits of the fingerprint of a simple drawing, and no thumbnail much.
    same = (alike >= SAME_LIKENESS) | ((bits <= SAME_BITS) & (alike >= NEAR_LIKENESS))
    near = (bits <= NEAR_BITS) & (alike >= NEAR_LIKENESS)
    return np.maximum(same * np.int8(_SAME), near * np.int8(_SIMILAR))


def _normalised(drawings: list[Drawing]) -> Array:
    """Thumbnails as rows of mean 0 and length 1, so that a product of two is their correlation."""
    if not drawings:
        return np.zeros((0, 1), dtype=np.float32)
    grey = np.frombuffer(b"".join(drawing.thumbnail for drawing in drawings), dtype=np.uint8)
    looks: Array = grey.reshape(len(drawings), -1).astype(np.float32)
    looks -= looks.mean(axis=1, keepdims=True)
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)
    return looks


def _flipped(looks: Array) -> Array:
    side = int(looks.shape[1] ** 0.5)
    return looks.reshape(-1, side, side)[:, :, ::-1].reshape(len(looks), -1)


def _exact(drawing: Drawing, earlier: Drawing) -> Problem:
    return Problem(
        Severity.BLOCK,
        drawing.name,
        "duplicate",
        _("This is the same file as “{other}”: the drawing would count twice.").format(other=shown(earlier.name)),
        _("Keep one of the two; to show a drawing more often, raise the repeats."),
        earlier.name,
    )


def _alike(drawing: Drawing, earlier: Drawing, rank: int) -> Problem:
    other = shown(earlier.name)
    if rank == _SAME:
        return Problem(
            Severity.WARNING,
            drawing.name,
            "near-duplicate",
            _("This looks the same as “{other}”: the training would learn that drawing by heart.").format(other=other),
            _("Keep the better of the two, or keep both and say in their captions what differs."),
            earlier.name,
        )
    if rank == _SIMILAR:
        return Problem(
            Severity.NOTE,
            drawing.name,
            "similar",
            _("This looks much like “{other}”.").format(other=other),
            _("Look at both: if they are versions of one drawing, keep the better one."),
            earlier.name,
        )
    return Problem(
        Severity.NOTE,
        drawing.name,
        "mirrored",
        _("This looks like the mirror image of “{other}”.").format(other=other),
        _("Keep one of the two: the training mirrors drawings by itself."),
        earlier.name,
    )


def _same_stem(drawings: list[Drawing]) -> Iterator[Problem]:
    first: dict[str, Drawing] = {}
    for drawing in drawings:
        stem = drawing.name.rpartition(".")[0]
        if (earlier := first.setdefault(stem, drawing)) is not drawing:
            yield Problem(
                Severity.WARNING,
                drawing.name,
                "same-stem",
                _("This drawing and “{other}” would share one caption file, “{caption}”.").format(
                    other=shown(earlier.name), caption=shown(stem + ".txt")
                ),
                _("Rename one of the two."),
                earlier.name,
            )
