"""The learning: tags from pictures that are varied anew every time."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional

from core.bases.mini.making.art import OUTLINE, Art
from core.bases.mini.making.pace import Average, Pace
from core.language import _
from core.taggers.mini.making import pictures, variations
from core.taggers.mini.making.network import Network
from core.taggers.mini.making.vocabulary import Vocabulary, concepts, known, name

_RATE = 3e-3
_SETTLING = 60
"""Batches from which the averaged weights learn the statistics of their features anew."""


class Lessons(Struct, frozen=True):
    """Pictures and what is known of them, one row each."""

    pictures: NDArray[np.uint8]
    """(n, 96, 96, 3)"""
    blank: NDArray[np.bool_]
    """(n, 96, 96), where nothing is drawn."""
    known: NDArray[np.bool_]
    """(n, tags), what needs no look at the pixels."""
    names: NDArray[np.int64]
    """(n,), the column of its name, or -1."""
    lines: NDArray[np.bool_]
    """(n,), whether it is an outline drawing."""
    weights: NDArray[np.float32]
    """(n,), how often it is shown, against others."""

    def some(self, chosen: Sequence[bool]) -> "Lessons":
        """The lessons of the chosen rows."""
        rows = np.array(chosen, dtype=np.bool_)
        return Lessons(*(getattr(self, field)[rows] for field in self.__struct_fields__))

    def drawn(
        self, chosen: Tensor, generator: Generator | None = None, *, outlined: bool = False
    ) -> tuple[variations.Pictures, Tensor]:
        """The chosen pictures, varied or redrawn as outlines if there is a generator, and their known tags."""
        rows = chosen.numpy()
        pixels, blank, lines = (torch.from_numpy(part[rows]) for part in (self.pictures, self.blank, self.lines))
        if generator and outlined:
            seen = variations.redrawn(pixels, generator)
        elif generator:
            seen = variations.varied(pixels, blank, lines, generator)
        else:
            seen = variations.plain(pixels, blank, lines)
        return seen, torch.from_numpy(self.known[rows])

    def parts(self, size: int = 128) -> Iterator[Tensor]:
        """The numbers of all rows, `size` at a time."""
        for first in range(0, len(self.names), size):
            yield torch.arange(first, min(first + size, len(self.names)))


def lessons(art: Sequence[Art], pixels: NDArray[np.uint8], vocabulary: Vocabulary) -> Lessons:
    """What the drawings teach, in their order."""
    return Lessons(
        pixels,
        pictures.paper(pixels),
        np.array([vocabulary.marks(known(one)) for one in art]),
        np.array(concepts(art, vocabulary)),
        np.array([one.style == OUTLINE for one in art]),
        np.array([_weight(one) for one in art], dtype=np.float32),
    )


def _weight(one: Art) -> float:
    """How often a drawing is shown: there is most to learn from those with names; people and signs have few tags."""
    return 1.0 if name(one) else 0.3 if not one.group.startswith(("people-body", "symbols")) else 0.12


def rarity(lessons: Lessons) -> Tensor:
    """The share of what will be shown that has each tag, as far as it is known."""
    weights = torch.from_numpy(lessons.weights)
    return torch.from_numpy(lessons.known).float().T @ weights / weights.sum()


def train(
    network: Network, lessons: Lessons, vocabulary: Vocabulary, pace: Pace, *, seed: int, batch: int
) -> tuple[list[float], Tensor]:
    """Teach the network; give the loss of every step, and how often each tag was shown."""
    generator = Generator().manual_seed(seed)
    weights, names = torch.from_numpy(lessons.weights), torch.from_numpy(lessons.names)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, betas=(0.9, 0.99), weight_decay=0.05, fused=True)
    average, losses = Average(network, 0.998), list[float]()
    shown = torch.zeros(len(vocabulary.tags))
    torch.manual_seed(seed)  # dropout
    for _step, rate in pace.walk(_("Tagger"), losses):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * rate
        chosen = torch.multinomial(weights, batch, replacement=True, generator=generator)
        seen, known = lessons.drawn(chosen, generator)
        truth = variations.marked(known, seen, vocabulary)
        # 1.8 times as fast as float32 on a CPU that has avx512_bf16.
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(seen.pixels.to(memory_format=torch.channels_last))
            logits, choice = network.head(features), network.choice(features)
        loss = _loss(logits.float(), truth) + _choosing(choice.float(), names[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.add()
        losses.append(loss.item())
        shown += truth.sum(0)
    average.settle()
    _settled(network, lessons, batch, generator)
    return losses, shown


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy that forgives what is easily known to be absent.

    Of 700 tags 690 are absent from a picture: each weighs the square of its score (“asymmetric loss”, Ridnik et al.
    2021).
    """
    present = truth * functional.logsigmoid(logits)
    absent = (1 - truth) * torch.sigmoid(logits).detach().square() * functional.logsigmoid(-logits)
    return -(present.sum() + absent.sum()) / len(logits)


def _choosing(choice: Tensor, names: Tensor) -> Tensor:
    """How far off the choice among all names is, of the pictures that have one.

    Tags one by one teach the features little of what is seen once in 560 pictures; choosing one of 560 does.
    """
    which = functional.cross_entropy(choice, names, reduction="sum", ignore_index=-1, label_smoothing=0.05)
    return 1.5 * which / len(choice)


@torch.no_grad()
def _settled(network: Network, lessons: Lessons, batch: int, generator: Generator) -> None:
    """Give the averaged weights statistics of their own: those on the way belonged to other weights."""
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    weights = torch.from_numpy(lessons.weights)
    for _batch in range(_SETTLING):
        chosen = torch.multinomial(weights, batch, replacement=True, generator=generator)
        network(lessons.drawn(chosen, generator)[0].pixels)
    network.eval()


@torch.no_grad()
def scored(
    network: Network, lessons: Lessons, vocabulary: Vocabulary, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Logits and true tags of all lessons, plain or varied."""
    network.eval()
    logits, truths = [], []
    for rows in lessons.parts():
        seen, known = lessons.drawn(rows, generator)
        logits.append(network(seen.pixels))
        truths.append(variations.marked(known, seen, vocabulary))
    return torch.cat(logits), torch.cat(truths)
