"""The schedule: what exactly each step sees, known before the first step.

It follows from the frozen plan alone, so the step count is the real one, the caches hold exactly what will be used,
and a run that goes on after a stop sees what it would have seen.
"""

from collections.abc import Iterator

from msgspec import Struct

from core.captions.caption import is_sentence, joined, shuffled, tags_of, without_word
from core.images.buckets import Bucket
from core.plan.frozen import FrozenDrawing, FrozenPlan
from core.randomness import key, source
from core.settings import Settled

FIXED_DRAWINGS = 4
FIXED_TIMESTEPS = (100, 300, 500, 700, 900)
"""Where the fixed loss is measured: little noise to much, of SDXL's 1000."""


class Sight(Struct, frozen=True):
    """One drawing (or picture of the base), once, in one step."""

    picture: int
    """Index into the drawings, or into the prior pictures."""
    caption: int
    """Index into the captions."""
    flip: bool = False
    prior: bool = False


class Step(Struct, frozen=True):
    """One batch: everything in it has the same shape."""

    index: int
    epoch: int
    bucket: Bucket
    sights: tuple[Sight, ...]
    ends_epoch: bool


class PriorPicture(Struct, frozen=True):
    """A picture the base makes of a caption without the activation word, or a regularisation drawing with its own."""

    prompt: str
    bucket: Bucket
    seed: int
    drawing: int | None = None
    """Index into the regularisation drawings, where it is one of them."""


class FixedSample(Struct, frozen=True):
    """A (drawing, noise, timestep) triple that is measured again and again."""

    drawing: int
    caption: int
    timestep: int
    seed: int
    held_out: bool


class Schedule(Struct, frozen=True):
    """The whole run, step by step."""

    steps: tuple[Step, ...]
    captions: tuple[str, ...]
    """Every text that is encoded, each once; the first is the empty one."""
    prior: tuple[PriorPicture, ...]
    fixed: tuple[FixedSample, ...]

    def from_step(self, index: int) -> Iterator[Step]:
        """The steps that are left when `index` are done."""
        return iter(self.steps[index:])

    @property
    def epoch_ends(self) -> dict[int, int]:
        """For each epoch, how many steps are done at its end."""
        return {step.epoch: step.index + 1 for step in self.steps if step.ends_epoch}


class _Captions:
    """Texts by number, each kept once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {"": 0}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def schedule(frozen: FrozenPlan) -> Schedule:
    """Lay out every step of `frozen`."""
    plan, texts = frozen.plan, _Captions()
    orders = {
        index: [texts.number(text) for text in _orders(drawing, plan)]
        for index, drawing in enumerate(frozen.drawings)
        if not drawing.held_out
    }
    by_bucket: dict[Bucket, list[int]] = {}
    for index in orders:
        by_bucket.setdefault(frozen.drawings[index].placement.bucket, []).append(index)
    shown = {bucket: _shown(members, frozen) for bucket, members in by_bucket.items()}
    prior, prior_sights = _prior(frozen, texts, {bucket: len(each) for bucket, each in shown.items()})
    steps: list[Step] = []
    for epoch in range(1, plan.epochs + 1):
        batches = [
            (bucket, batch)
            for bucket in by_bucket
            for batch in _batches(shown[bucket], plan, f"{epoch}/{bucket.width}x{bucket.height}")
        ]
        source(plan.seed, epoch, "order of batches").shuffle(batches)
        for place, (bucket, batch) in enumerate(batches):
            index = len(steps)
            dice = source(plan.seed, index, "captions and flips")
            sights = tuple(
                Sight(
                    picture=member,
                    caption=0 if dice.random() < plan.caption_dropout else dice.choice(orders[member]),
                    flip=plan.flip and dice.random() < 0.5,
                )
                for member in batch
            )
            beside = source(plan.seed, index, "prior pictures").choices(
                prior_sights.get(bucket, []), k=plan.prior_pictures * plan.gpus if bucket in prior_sights else 0
            )
            steps.append(Step(index, epoch, bucket, sights + tuple(beside), ends_epoch=place == len(batches) - 1))
    fixed = tuple(_fixed(frozen, texts))
    return Schedule(tuple(steps), tuple(texts.numbers), prior, fixed)


def _orders(drawing: FrozenDrawing, plan: Settled) -> list[str]:
    """The different ways in which this drawing's tags are seen, no more than there are times to see them."""
    if is_sentence(drawing.caption) or not (plan.shuffle_tags or plan.tag_dropout):
        return [drawing.caption]
    wanted = min(plan.tag_orders, _repeats(drawing, plan) * plan.epochs)
    return [_variant(drawing, f"{drawing.name}/{order}", plan) for order in range(wanted)]


def _variant(drawing: FrozenDrawing, place: str, plan: Settled) -> str:
    """The caption in one order, without the tags that are left out this time."""
    text = drawing.caption
    if plan.shuffle_tags:
        text = shuffled(text, plan.keep_tokens, source(plan.seed, place, "tag order"))
    if plan.tag_dropout:
        dice, tags = source(plan.seed, place, "tag dropout"), tags_of(text)
        rest = [tag for tag in tags[plan.keep_tokens :] if dice.random() >= plan.tag_dropout]
        text = joined(tags[: plan.keep_tokens] + rest)
    return text


def _repeats(drawing: FrozenDrawing, plan: Settled) -> int:
    return drawing.repeats or plan.repeats


def _shown(members: list[int], frozen: FrozenPlan) -> list[int]:
    """The drawings of one bucket, each as often as one epoch shows it."""
    repeats = {member: _repeats(frozen.drawings[member], frozen.plan) for member in members}
    return [member for time in range(max(repeats.values())) for member in members if time < repeats[member]]


def _batches(shown: list[int], plan: Settled, place: str) -> Iterator[tuple[int, ...]]:
    """One epoch of one bucket, in batches; the last may be smaller, none is dropped (sd-scripts, `make_buckets`)."""
    shown = list(shown)
    source(plan.seed, place, "order of drawings").shuffle(shown)
    size = plan.whole_batch
    return (tuple(shown[start : start + size]) for start in range(0, len(shown), size))


def _prior(
    frozen: FrozenPlan, texts: _Captions, shown: dict[Bucket, int]
) -> tuple[tuple[PriorPicture, ...], dict[Bucket, list[Sight]]]:
    pictures: dict[PriorPicture, None] = {}
    if frozen.plan.prior_pictures and frozen.regularisation:
        pictures = dict.fromkeys(one for bucket in shown for one in _beside(frozen, bucket, shown[bucket]))
    elif frozen.plan.prior_pictures:
        for drawing in frozen.trained:
            prompt = without_word(drawing.caption, frozen.activation_word)
            bucket = drawing.placement.bucket
            # Of the drawing too: where captions are alike, the pictures must not be one and the same.
            seed = key(frozen.plan.seed, f"{drawing.name}/{prompt}", "prior picture")
            pictures[PriorPicture(prompt, bucket, seed)] = None
    sights: dict[Bucket, list[Sight]] = {}
    for index, picture in enumerate(pictures):
        sights.setdefault(picture.bucket, []).append(Sight(index, texts.number(picture.prompt), prior=True))
    return tuple(pictures), sights


def _beside(frozen: FrozenPlan, bucket: Bucket, shown: int) -> Iterator[PriorPicture]:
    """Regularisation drawings for one bucket: those of its shape, or where there is none, all of them, cut to it.

    No more than its steps can show are taken: a folder of thousands is not encoded for a hundred steps.
    """
    plan = frozen.plan
    alike = [number for number, one in enumerate(frozen.regularisation) if one.placement.bucket == bucket]
    members = alike or list(range(len(frozen.regularisation)))
    most = -(-shown // plan.batch_size) * plan.epochs * plan.prior_pictures
    dice = source(plan.seed, f"{bucket.width}x{bucket.height}", "regularisation")
    for number in sorted(dice.sample(members, min(most, len(members)))):
        yield PriorPicture(frozen.regularisation[number].caption, bucket, 0, drawing=number)


def _fixed(frozen: FrozenPlan, texts: _Captions) -> Iterator[FixedSample]:
    plan = frozen.plan
    for held_out in (False, True):
        members = [index for index, drawing in enumerate(frozen.drawings) if drawing.held_out is held_out]
        chosen = source(plan.seed, 0, f"fixed samples/{held_out}").sample(members, min(FIXED_DRAWINGS, len(members)))
        for member in sorted(chosen):
            caption = texts.number(frozen.drawings[member].caption)
            for timestep in FIXED_TIMESTEPS:
                seed = key(plan.seed, f"{member}/{timestep}", "fixed noise")
                yield FixedSample(member, caption, timestep, seed, held_out)
