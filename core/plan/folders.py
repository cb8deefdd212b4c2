"""Folders whose name says how often their drawings are seen, as sd-scripts has them: `10_hands`."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from core.images.buckets import Bucket
from core.settings import Plan

MOST = 500
"""Above it a number is no count of repeats, but the year or the date of `20240501_sketches`."""
_NUMBERED = re.compile(r"([0-9]{1,9})_")


def folder_repeats(plan: Plan, name: str) -> int | None:
    """How often an epoch shows the drawing `name`, where the nearest folder with a number says so."""
    _folder, number = _numbered(name) if plan.folder_repeats else ("", None)
    return number


def dealt(buckets: Iterable[Bucket], numbers: Iterable[int | None]) -> tuple[list[int], list[int]]:
    """For each bucket, how many drawings leave their repeats to the plan, and how often an epoch shows the others.

    `buckets` and `numbers` (see `folder_repeats`) have one entry a drawing.
    """
    left: Counter[Bucket] = Counter()
    shown: Counter[Bucket] = Counter()
    order: dict[Bucket, None] = {}
    for bucket, number in zip(buckets, numbers, strict=True):
        order[bucket] = None
        left[bucket] += number is None
        shown[bucket] += number or 0
    return [left[bucket] for bucket in order], [shown[bucket] for bucket in order]


def numbered_folders(names: Sequence[str], plan: Plan) -> dict[str, int]:
    """The folders that say how often, with their numbers, in the order of their names."""
    found = map(_numbered, sorted(names) if plan.folder_repeats else ())
    return {folder: number for folder, number in found if number is not None}


def _numbered(name: str) -> tuple[str, int | None]:
    for folder in PurePosixPath(name).parents:
        found = _NUMBERED.match(folder.name)
        if found and 1 <= int(found[1]) <= MOST:
            return str(folder), int(found[1])
    return "", None
