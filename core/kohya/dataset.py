"""The drawings as sd-scripts' dataset configuration (`--dataset_config`), which allows no key it does not know."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from core.images.buckets import Buckets
from core.kohya.sheet import Row, comment, table
from core.kohya.terms import TERMS
from core.language import _
from core.plan.frozen import FrozenPlan


def dataset_config(frozen: FrozenPlan, dataset: Path, head: str = "") -> str:
    """The TOML for drawings that lie in `dataset` under their names; `head` stands above it as a comment."""
    parts = [comment(head)] if head else []
    parts += [table("[general]", _general(frozen)), "[[datasets]]\n"]
    parts += [
        table("[[datasets.subsets]]", _subset(frozen, str(dataset / folder), repeats), "  ")
        for folder, repeats in folders(frozen)
    ]
    if frozen.regularisation:
        beside = [Row("image_dir", frozen.plan.regularisation), Row("num_repeats", 1), Row("is_reg", True)]
        parts.append(table("[[datasets.subsets]]", beside, "  "))
    return "\n".join(parts)


def folders(frozen: FrozenPlan) -> list[tuple[str, int]]:
    """Each folder below the dataset's with drawings that are trained, and how often an epoch shows them.

    sd-scripts does not look into folders below: each is a subset of its own.
    """
    repeats = frozen.plan.repeats
    found = {str(PurePosixPath(drawing.name).parent): drawing.repeats or repeats for drawing in frozen.trained}
    return sorted(found.items())


def _subset(frozen: FrozenPlan, folder: str, repeats: int) -> Iterator[Row]:
    yield Row("image_dir", folder)
    yield Row("num_repeats", repeats)
    if frozen.plan.masked_loss:
        yield Row("alpha_mask", True)


def _general(frozen: FrozenPlan) -> Iterator[Row]:
    plan = frozen.plan
    buckets = Buckets.of(plan.resolution, frozen.base.multiple)
    yield Row("resolution", plan.resolution)
    yield Row("enable_bucket", True)
    yield Row("bucket_no_upscale", False)
    yield Row("bucket_reso_steps", buckets.step)
    yield Row("min_bucket_reso", buckets.least)
    yield Row("max_bucket_reso", buckets.most)
    yield Row("caption_extension", ".txt")
    for term in TERMS:
        value = getattr(plan, term.field)
        if term.table == "dataset":
            yield Row(term.key, value, _why(term.field) if value else "")


def _why(field: str) -> str:
    if field == "repeats":
        return _("For a folder that has no number of its own.")
    if field == "keep_tokens":
        return _("Tags between commas, not tokens: the activation word stays in front.")
    return ""
