"""The calculator: how many steps a training takes, and which choices give a good number of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from math import log

from msgspec import Struct

from core.language import _, ngettext

TARGET = range(300, 501)
"""Steps the guide aims for."""

USUAL_EPOCHS = range(5, 21)
"""Fewer leave little to choose from (a LoRA file is saved after each); more are slow to look through."""

_LIKED_EPOCHS = 10
_ROUND = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 80, 100, 150, 200, 250, 300, 400, 500)
"""Numbers people like, for repeats and epochs."""
_REPEATS = range(1, 501)
_BATCH_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)


class Count(Struct, frozen=True):
    """The steps of one plan, as the guide reckons them and as they will be."""

    drawings: int
    buckets: int
    repeats: int
    batch_size: int
    epochs: int
    guide: float
    """drawings × repeats ÷ batch size × epochs."""
    real: int
    per_epoch: int
    whole_batches: int
    """What it would be with every drawing in one bucket."""
    numbered: int = 0
    """How often an epoch shows, beside `drawings`, those whose folder says how often."""
    gpus: int = 1
    """How many of them look at a batch each in one step."""

    @property
    def batch(self) -> str:
        """The drawings of one step as a formula has them."""
        return str(self.batch_size) if self.gpus == 1 else f"({self.batch_size} × {self.gpus})"

    @property
    def extra(self) -> int:
        """Steps that there are only because each bucket ends in a batch of its own."""
        return self.real - self.whole_batches

    @property
    def seen(self) -> int:
        """How often the whole training shows each drawing."""
        return seen_per_drawing(self.repeats, self.epochs)

    @property
    def in_target(self) -> bool:
        """Is the real number what the guide aims for?"""
        return self.real in TARGET

    @property
    def why(self) -> str:
        """Why the real number is not the guide's."""
        shown = f"{self.drawings} × {self.repeats}"
        if self.numbered:
            shown = f"({shown} + {self.numbered})" if self.drawings else str(self.numbered)
        formula = f"{shown} ÷ {self.batch} × {self.epochs}"
        if self.real == self.guide:
            return _("The guide's formula is exact here: {formula} = {real} steps.").format(
                formula=formula, real=self.real
            )
        begun = _("The guide's formula gives {formula} = {guide}.").format(formula=formula, guide=f"{self.guide:.1f}")
        if not self.extra:
            ends = _(
                "The training takes {real} steps: {per_epoch} in each epoch, because the last batch of an epoch "
                "is a step even when it is not full."
            )
        else:
            ends = _(
                "The training takes {real} steps: {per_epoch} in each epoch, because each of the {buckets} buckets "
                "ends in a batch of its own, full or not; in one bucket it would take {whole_batches}."
            )
        return f"{begun} " + ends.format(
            real=self.real, per_epoch=self.per_epoch, buckets=self.buckets, whole_batches=self.whole_batches
        )


class Suggestion(Struct, frozen=True):
    """Choices that give `real` steps."""

    repeats: int
    epochs: int
    batch_size: int
    real: int

    @property
    def seen(self) -> int:
        """How often the whole training shows each drawing."""
        return seen_per_drawing(self.repeats, self.epochs)


def steps_per_epoch(
    drawings_per_bucket: Iterable[int], repeats: int, batch_size: int, numbered: Iterable[int] = ()
) -> int:
    """Optimizer steps in one epoch.

    Every bucket ends in a batch of its own, so this is more than drawings × repeats ÷ batch_size,
    which is what the guide and most trainers show (sd-scripts, `make_buckets`). Pictures for prior
    preservation ride along in the same steps and add none. With several GPUs `batch_size` is that of all together.

    `numbered` has, bucket by bucket, how often an epoch shows those drawings together whose folder says how often
    (`10_hands`); they are not among `drawings_per_bucket`.
    """
    return sum(
        _batches(drawings * repeats + shown, batch_size)
        for drawings, shown in zip_longest(drawings_per_bucket, numbered, fillvalue=0)
    )


def guide_steps(drawings: int, repeats: int, batch_size: int, epochs: int) -> float:
    """Steps by the guide's formula; rarely a whole number."""
    return drawings * repeats * epochs / batch_size


def seen_per_drawing(repeats: int, epochs: int) -> int:
    """How often the whole training shows each drawing."""
    return repeats * epochs


def count(
    drawings_per_bucket: Sequence[int],
    repeats: int,
    batch_size: int,
    epochs: int,
    numbered: Sequence[int] = (),
    gpus: int = 1,
) -> Count:
    """The steps of a plan, the guide's number and the real one; `numbered` as in `steps_per_epoch`.

    `batch_size` is that of one GPU: a step looks at `gpus` batches.
    """
    drawings, shown, together = sum(drawings_per_bucket), sum(numbered), batch_size * gpus
    per_epoch = steps_per_epoch(drawings_per_bucket, repeats, together, numbered)
    return Count(
        drawings=drawings,
        buckets=sum(any(both) for both in zip_longest(drawings_per_bucket, numbered, fillvalue=0)),
        repeats=repeats,
        batch_size=batch_size,
        epochs=epochs,
        guide=guide_steps(drawings, repeats, together, epochs) + shown * epochs / together,
        real=per_epoch * epochs,
        per_epoch=per_epoch,
        whole_batches=_batches(drawings * repeats + shown, together) * epochs,
        numbered=shown,
        gpus=gpus,
    )


def suggestions(
    drawings_per_bucket: Sequence[int],
    batch_size: int,
    current: tuple[int, int] | None = None,
    numbered: Sequence[int] = (),
    gpus: int = 1,
) -> list[Suggestion]:
    """Up to three different choices whose real count the guide aims for, the best first.

    `current` is (repeats, epochs) as chosen now; the suggestions stay near. Where this batch size gives fewer
    than three (none: `obstacle` says why), other numbers of epochs and batch sizes are offered, nearest to the
    target first. With several `gpus` a batch size is still that of one.
    """
    if not sum(drawings_per_bucket) + sum(numbered):
        return []
    # Where every drawing has a folder that says how often, other repeats are no other choice.
    repeats = _REPEATS if sum(drawings_per_bucket) else range(1, 2)
    middle = (TARGET.start + TARGET.stop) / 2

    def oddness(one: Suggestion) -> float:
        """How far a choice is from what people like, in rough units where 1 is a doubling."""
        repeats, epochs = current or (one.repeats, _LIKED_EPOCHS)
        return (
            _doublings(one.epochs, _LIKED_EPOCHS)
            + _doublings(one.epochs, epochs)
            + _doublings(one.repeats, repeats)
            # Memory grows with the batch, so this is changed last.
            + 3 * _doublings(one.batch_size, batch_size)
            + _doublings(one.real, middle)
            + (one.repeats not in _ROUND)
            + (one.epochs not in _ROUND)
        )

    usual = [
        one
        for one in _choices(drawings_per_bucket, batch_size, repeats, USUAL_EPOCHS, numbered, gpus)
        if one.real in TARGET
    ]
    chosen = _first_of_each(sorted(usual, key=oddness), lambda one: one.real)
    if len(chosen) == 3:
        return chosen
    sizes = sorted({batch_size, *_BATCH_SIZES})
    epochs = range(1, USUAL_EPOCHS.stop)
    others = [
        one
        for size in sizes
        for one in _choices(
            drawings_per_bucket, size, [many for many in _ROUND if many in repeats], epochs, numbered, gpus
        )
    ]
    nearest = sorted(others, key=lambda one: (_beside_target(one.real), oddness(one)))
    offered = _first_of_each(nearest, lambda one: one.batch_size)
    return [*chosen, *(one for one in offered if one not in chosen)][:3]


def obstacle(drawings_per_bucket: Sequence[int], batch_size: int, numbered: Sequence[int] = ()) -> str:
    """Why no usual choice with this batch size has as many steps as the guide aims for; empty when some has.

    With several GPUs `batch_size` is that of all together.
    """
    drawings = sum(drawings_per_bucket)
    if not drawings and not sum(numbered):
        return _("There are no drawings, so there are no steps.")
    repeats = _REPEATS if drawings else range(1, 2)
    if any(one.real in TARGET for one in _choices(drawings_per_bucket, batch_size, repeats, USUAL_EPOCHS, numbered)):
        return ""
    if sum(numbered):
        return _(
            "The folders' numbers show drawings so often that no usual choice has the guide's {least} to {most} steps. "
            "Rename the folders, or switch off that they count (--no-folder-repeats)."
        ).format(least=TARGET.start, most=TARGET.stop - 1)
    known = {"drawings": f"{drawings:,}", "batch_size": batch_size, "least": TARGET.start, "most": TARGET.stop - 1}
    one_epoch = steps_per_epoch(drawings_per_bucket, 1, batch_size)
    fewest = one_epoch * USUAL_EPOCHS.start
    if fewest > TARGET.stop - 1:
        sentence = _(
            "{drawings} drawings in batches of {batch_size} take {one_epoch} steps to be seen once, and {fewest} in "
            "{epochs} epochs: more than the guide's {least} to {most}. Fewer epochs or a larger batch come nearer."
        )
        return sentence.format(**known, one_epoch=f"{one_epoch:,}", fewest=f"{fewest:,}", epochs=USUAL_EPOCHS.start)
    return ngettext(
        "{drawings} drawing in batches of {batch_size} does not reach the guide's {least} to {most} steps, however "
        "often it is repeated. A smaller batch does.",
        "{drawings} drawings in batches of {batch_size} do not reach the guide's {least} to {most} steps, however "
        "often they are repeated. A smaller batch does.",
        drawings,
    ).format(**known)


def _batches(pictures: int, batch_size: int) -> int:
    return -(-pictures // batch_size)


def _choices(
    drawings_per_bucket: Sequence[int],
    batch_size: int,
    many: Iterable[int],
    epochs: range,
    numbered: Sequence[int] = (),
    gpus: int = 1,
) -> Iterator[Suggestion]:
    """Every choice with this batch size, until more repeats only lead further past the target."""
    for repeats in many:
        per_epoch = steps_per_epoch(drawings_per_bucket, repeats, batch_size * gpus, numbered)
        for number in epochs:
            yield Suggestion(repeats, number, batch_size, per_epoch * number)
        if per_epoch * epochs.start >= TARGET.stop:
            return


def _first_of_each(ranked: list[Suggestion], kind: Callable[[Suggestion], int]) -> list[Suggestion]:
    """The first three that are not of one kind."""
    different: dict[int, Suggestion] = {}
    for one in ranked:
        different.setdefault(kind(one), one)
    return list(different.values())[:3]


def _beside_target(steps: int) -> int:
    return max(TARGET.start - steps, steps - (TARGET.stop - 1), 0)


def _doublings(one: float, other: float) -> float:
    return abs(log(one / other, 2))
