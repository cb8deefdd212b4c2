"""How right the tags are: precision, recall and F1 of what was written to disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image
from torch import Generator, Tensor

from core.bases.mini.making.art import OUTLINE, Art
from core.language import _
from core.taggers.mini.making import variations
from core.taggers.mini.making.export import MODEL, RATINGS
from core.taggers.mini.making.learning import Lessons
from core.taggers.mini.making.vocabulary import COLOUR_TAGS, GROUPS, Vocabulary, concepts, known
from core.taggers.preparation import prepared

THRESHOLDS = (0.25, 0.35, 0.5)
ALL = "all"


Tested = tuple[Tensor, Tensor, list[int]]
"""Scores and true tags, (n, tags), and the columns of the names, or -1."""


class Figures(Struct, frozen=True):
    """Counts over all pictures and all tags of a group (“micro”)."""

    right: int
    given: int
    true: int

    @property
    def precision(self) -> float:
        """The share of the given tags that is right."""
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        """The share of the true tags that is given."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.right / (self.given + self.true) if self.given + self.true else 0.0


def figures(scores: Tensor, truth: Tensor, vocabulary: Vocabulary, threshold: float) -> dict[str, Figures]:
    """The figures of every group, and of all tags together."""
    given, true = scores >= threshold, truth > 0
    found = {}
    for group in (*GROUPS, ALL):
        columns = vocabulary.columns(group) if group != ALL else list(range(len(vocabulary.tags)))
        some, real = given[:, columns], true[:, columns]
        found[group] = Figures(int((some & real).sum()), int(some.sum()), int(real.sum()))
    return found


def at_all(scores: Tensor, truth: Tensor, vocabulary: Vocabulary) -> dict[float, dict[str, Figures]]:
    """The figures at all of the usual thresholds."""
    return {threshold: figures(scores, truth, vocabulary, threshold) for threshold in THRESHOLDS}


def table(found: Mapping[float, Mapping[str, Figures]]) -> str:
    """The figures as a Markdown table: a row a group, precision, recall and F1 at each threshold."""
    head = "| | " + " | ".join(f"{threshold}: P | R | F1" for threshold in found) + " |"
    lines = [head, "|---" * (1 + 3 * len(found)) + "|"]
    for group in (*GROUPS, ALL):
        cells: list[str] = []
        for by_group in found.values():
            one = by_group[group]
            cells += [f"{number:.2f}" for number in (one.precision, one.recall, one.f1)]
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return "\n".join(lines)


def named(scores: Tensor, names: Sequence[int], threshold: float) -> float:
    """The share of the pictures with a name that get their own name."""
    asked = [(row, column) for row, column in enumerate(names) if column >= 0]
    return sum(bool(scores[row, column] >= threshold) for row, column in asked) / max(1, len(asked))


def sentence(own: Mapping[float, float]) -> str:
    """How many of the named drawings get their own name, in words."""
    shares = ", ".join(f"{share:.0%} ({threshold})" for threshold, share in own.items())
    return _("Their own name, of those that have one: {shares}").format(shares=shares)


def of_lessons(
    folder: Path,
    lessons: Lessons,
    vocabulary: Vocabulary,
    generator: Generator | None = None,
    *,
    outlined: bool = False,
) -> Tested:
    """The written tagger on lessons, plain, or varied or redrawn as outlines if there is a generator."""
    scores, truths = [], []
    for rows in lessons.parts():
        seen, marks = lessons.drawn(rows, generator, outlined=outlined)
        inputs = (seen.pixels * 255).flip(1).permute(0, 2, 3, 1).contiguous()
        scores.append(_asked(folder, inputs.numpy()))
        truths.append(variations.marked(marks, seen, vocabulary))
    return torch.cat(scores), torch.cat(truths), lessons.names.tolist()


def in_the_box(art: Sequence[Art], drawings: Path, vocabulary: Vocabulary) -> tuple[list[Path], Tensor, list[int]]:
    """The outline drawings of a folder, their true tags, and the columns of their names."""
    outlines = {one.concept: one for one in art if one.style == OUTLINE}
    paths = sorted(path for path in drawings.glob("*.png") if path.stem.replace("_", " ") in outlines)
    shown = [outlines[path.stem.replace("_", " ")] for path in paths]
    marks = torch.tensor([vocabulary.marks(known(one)) for one in shown])
    size = len(paths)
    white = torch.full((size,), COLOUR_TAGS.index("white"))
    seen = variations.Pictures(
        torch.empty(0),
        torch.zeros(size, len(COLOUR_TAGS)),
        torch.ones(size, dtype=torch.bool),
        torch.full((size,), variations.WHITE),
        white,
    )
    return paths, variations.marked(marks, seen, vocabulary), concepts(shown, vocabulary)


def of_files(folder: Path, paths: Sequence[Path], truth: Tensor, names: list[int]) -> Tested:
    """The written tagger on image files, made as small as WD taggers want them."""
    inputs = np.stack([prepared(Image.open(path).convert("RGB"), variations.SEEN) for path in paths])
    return _asked(folder, inputs), truth, names


def _asked(folder: Path, inputs: NDArray[np.float32]) -> Tensor:
    """What the written tagger says of its inputs, without the ratings."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: inputs})
    return torch.from_numpy(scores)[:, len(RATINGS) :]
