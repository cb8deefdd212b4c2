"""Will it fit? The GPU memory that a training takes, and the cheapest measures that bring it under a budget.

The numbers of SDXL's UNet were counted on shapes alone (`benchmarks/activations.py`); a test counts them again.
"""

from collections.abc import Iterator
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from core.bases.base import Base
from core.errors import BocetoError
from core.language import _, ngettext
from core.lora.parts import block_ranks, text_encoder_rank
from core.plan.settle import Reason
from core.settings import OptimizerName, Settled

GIB = 2**30
CONTEXT = GIB // 2
"""What the driver and CUDA take of a card before the first tensor; 0.3 to 0.5 GiB by driver and card."""


class Part(Struct, frozen=True):
    """So many alike layers of the UNet that can be computed twice, instead of keeping what they computed."""

    count: int
    saves: float
    """Bytes a latent pixel that each need not keep, in half precision, without its LoRA."""
    saves_per_rank: float
    """The same of its LoRA, for each rank."""
    tflop: float
    """Of one forward at 1024 × 1024."""


PARTS = (
    Part(10, 8678, 4.02, 0.1055),  # transformer blocks 640 wide
    Part(60, 4356, 1.02, 0.0674),  # transformer blocks 1280 wide
    Part(3, 4907, 0, 0.1085),  # resnets, from the last block up
    Part(3, 2347, 0, 0.1029),
    Part(3, 1067, 0, 0.0917),
    Part(2, 400, 0, 0.0604),
    Part(2, 720, 0, 0.0537),
    Part(2, 800, 0, 0.0537),
)
"""In the order in which they are taken (`core.training.checkpointing.parts`)."""
ALL = sum(part.count for part in PARTS)

_KEPT, _KEPT_PER_RANK = 410_400, 107.9
"""Bytes a latent pixel of one drawing that the backward needs when nothing is computed twice."""
_BEYOND, _BEYOND_CONV, _BEYOND_DORA = 5_200, 9_200, 17_400
"""Bytes a latent pixel at the height of the backward, beside what the forward kept; more with LoCon, or as a DoRA."""
_CONV, _CONV_PER_RANK = 9_400, 30.0
"""What LoCon keeps besides."""
_DORA, _DORA_SAVES = 398_100, 1.115
"""What a DoRA keeps besides, and how much more of it each transformer block saves, as a share of the usual."""
_TFLOP = 15.1
"""One drawing of 1024 × 1024, forward and backward."""
_UNET, _LINEAR = 2_567_463_684, 2_207_744_000
"""Weights of the UNet, and those of them that NF4 makes small."""
_NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a weight: half a byte, a scale of 8 bits for 64 weights, and a scale of 32 bits for 256 of those."""
_TEXT_ENCODERS = 817_720_320
_VAE = 83_653_863
_PER_RANK, _PER_RANK_1X1, _PER_CONV_RANK, _PER_RANK_TEXT = 2_659_840, 58_560, 355_840, 903_168
"""Weights of a LoRA for each rank: transformers; with `conv_rank` also 1×1 and 3×3 kernels; text encoders."""
_STATES: dict[OptimizerName, float] = {"adamw": 8.0, "adamw8bit": 2.1, "prodigy": 16.0}
"""Bytes an optimizer remembers of each weight of the LoRA."""
_SCRATCH: dict[OptimizerName, float] = {"adamw": 0.0, "adamw8bit": 6.0, "prodigy": 8.0}
"""Bytes it takes for each while it moves them."""
_SAMPLING, _TILE = 25_400, 212 * 2**20
"""Bytes a latent pixel of a picture in the making, in half precision, and those of the smallest tile in the VAE."""
_AT_ONCE = 4
"""Pictures that are drawn together where memory is not tight (`core.pictures.generate.at_once`)."""
_TEXT, _TEXTS = 77 * 2048 * 2 + 1280 * 2, 2 * GIB
"""Bytes of an encoded caption of one piece, in half precision, and the most that all take: more stay in main memory."""
_SCATTERED = 1.04
"""The allocator hands out blocks: some 4 % lie between those that are used."""
_WORKSPACE = 0.25 * GIB
"""What matrix products and convolutions take as scratch."""


class Measures(Struct, frozen=True):
    """What is done to take less memory; nothing in it changes what a training learns but NF4 and the optimizer."""

    pieces: int = 1
    """In how many parts, one after the other, a step's drawings are looked at."""
    twice: int = 0
    """How many layers are computed twice."""
    small_optimizer: bool = False
    """AdamW8bit in the place of AdamW."""
    nf4: bool = False
    """The base's weights in 4 bits."""

    def at_once(self, images: int) -> int:
        """How many of the pictures of a step are looked at together."""
        return ceil(images / self.pieces)

    def pieces_said(self, images: int) -> str:
        """How many that is, in words."""
        at_once = self.at_once(images)
        return ngettext("{n} drawing at a time", "{n} drawings at a time", at_once).format(n=at_once)

    def twice_said(self) -> str:
        """How many layers are computed twice, in words."""
        return _("{n} of {all} layers computed twice").format(n=self.twice, all=ALL)

    @property
    def tight(self) -> bool:
        """Whether there is so little that pictures are drawn one by one."""
        return self.twice > 0 or self.nf4


NONE = Measures()
"""Everything at once and kept."""


class Need(Struct, frozen=True):
    """Bytes of GPU memory, by what takes them."""

    weights: float
    lora: float
    """Its weights, gradients and the optimizer's state."""
    data: float
    """Captions and latents."""
    step: float
    """What a step keeps for its backward."""
    preview: float
    """What a picture takes, at another time than a step."""
    moving: float
    """What the optimizer takes for a moment, once a step has given back what it kept."""

    @property
    def peak(self) -> int:
        """The most at any moment, without what the driver takes."""
        passing = max(self.step, self.preview, self.moving) * _SCATTERED
        return int(self.weights + self.lora + self.data + passing + _WORKSPACE)


def known(base: Base) -> bool:
    """Whether the base is built as SDXL is; of others nothing is known beforehand."""
    return base.text_widths == (768, 1280) and base.latent_channels == 4


def needed(plan: Settled, images: int, pixels: int, texts: int, measures: Measures) -> Need:
    """What a training takes with these measures.

    `images` are looked at in a step, each of at most `pixels` latent pixels; `texts` captions are kept, in pieces of
    75 tokens.
    """
    size = 4 if plan.precision == "fp32" else 2
    at_once = measures.at_once(images)
    lora = _lora_weights(plan)
    optimizer: OptimizerName = "adamw8bit" if measures.small_optimizer else plan.optimizer
    states = _STATES[optimizer] + (4 if plan.ema else 0)
    weights = float(_UNET * size)
    if measures.nf4:
        weights = _LINEAR * _NF4 + (_UNET - _LINEAR) * size
    if plan.text_encoders:
        weights += _TEXT_ENCODERS * size
    kept = _KEPT + _KEPT_PER_RANK * max(block_ranks(plan).values()) - _saved(plan, measures.twice)
    beyond = _BEYOND_CONV if plan.conv_rank else _BEYOND
    if plan.conv_rank:
        kept += _CONV + _CONV_PER_RANK * plan.conv_rank
    if plan.dora:
        kept, beyond = kept + _DORA, _BEYOND_DORA
    pictures = (1 if measures.tight else _AT_ONCE) * _SAMPLING * pixels * size / 2
    # The VAE is in fp32, as SDXL's own overflows in less.
    previews = plan.preview_every and _VAE * 4 + max(pictures, _TILE)
    return Need(
        weights=weights,
        # The weights and their gradients, and both once more where the base's arithmetic is another.
        lora=lora * (8 + (2 * size if size < 4 else 0) + states),
        data=0.0 if plan.text_encoders else float(min(texts * _TEXT, _TEXTS)),
        step=at_once * pixels * (kept + beyond) * size / 2 + (images * 0.35 * GIB if plan.text_encoders else 0),
        preview=float(previews),
        moving=lora * _SCRATCH[optimizer],
    )


def fitting(
    plan: Settled, images: int, pixels: int, texts: int, budget: int, beyond: float = 0.0
) -> tuple[Measures, tuple[Reason, ...]]:
    """The cheapest measures with which a training stays within `budget` bytes, and why.

    `beyond` is by how much a measured peak was above the reckoned one. Raises BocetoError when none are enough.
    """

    def fits(measures: Measures) -> bool:
        return needed(plan, images, pixels, texts, measures).peak + beyond <= budget

    chosen = next((one for one in _measures(plan, images) if fits(one)), None)
    if chosen is None:
        raise does_not_fit(least(plan, images, pixels, texts) + beyond, budget)
    return chosen, reasons(plan, images, chosen, budget)


def least(plan: Settled, images: int, pixels: int, texts: int) -> int:
    """Bytes with every measure there is."""
    *_rest, last = _measures(plan, images)
    return needed(plan, images, pixels, texts, replace(last, twice=ALL)).peak


def smaller(images: int, measures: Measures) -> Measures | None:
    """The next measures for a run that is under way, which go on with the same weights; None when there are none."""
    at_once = measures.at_once(images)
    if at_once > 1:
        return replace(measures, pieces=ceil(images / (at_once - 1)))
    if measures.twice < ALL:
        return replace(measures, twice=min(ALL, measures.twice + 10))
    return None


def reasons(plan: Settled, images: int, measures: Measures, budget: int) -> tuple[Reason, ...]:
    """Each measure with its price."""
    found, room = [], _("to stay within {budget:.1f} GB").format(budget=budget / GIB)
    if measures.pieces > 1:
        why = _("{room}; a step learns the same, and fast GPUs lose some speed").format(room=room)
        found.append(Reason("batch_size", measures.pieces_said(images), why))
    if measures.twice:
        said = measures.twice_said()
        if plan.checkpointing:
            found.append(Reason("checkpointing", said, _("as the plan says")))
        else:
            percent = 100 * recomputed(measures.twice) / _TFLOP
            why = _("{room}; a step computes {percent:.0f} % more").format(room=room, percent=percent)
            found.append(Reason("checkpointing", said, why))
    if measures.small_optimizer:
        why = _("{room}; it remembers the same in 8 bits").format(room=room)
        found.append(Reason("optimizer", "adamw8bit", why))
    if measures.nf4:
        why = _("{room}; a step takes some 15 to 45 % longer, and the base is a little coarser").format(room=room)
        found.append(Reason("nf4", _("on"), _("as the plan says") if plan.nf4 else why))
    return tuple(found)


def recomputed(twice: int) -> float:
    """TFLOP that so many layers cost anew for one drawing of 1024 × 1024."""
    return sum(count * part.tflop for part, count in _taken(twice))


def does_not_fit(needs: float, budget: int) -> BocetoError:
    """The refusal of a training that no measure brings under the budget."""
    return BocetoError(
        _("This training does not fit into {budget:.1f} GB of GPU memory.").format(budget=budget / GIB),
        _("With everything that saves memory it takes about {least:.1f} GB.").format(least=needs / GIB),
        _("Take a lower rank or resolution, leave out the text encoders, or end what else runs on the GPU."),
    )


def _measures(plan: Settled, images: int) -> Iterator[Measures]:
    """All that can be done, the cheapest first."""
    first = Measures(twice=ALL if plan.checkpointing else 0, nf4=plan.nf4)
    sizes = list(dict.fromkeys(ceil(images / pieces) for pieces in range(1, images + 1)))
    pieces = [ceil(images / at_once) for at_once in sizes]
    yield from (replace(first, pieces=number) for number in pieces)
    last = replace(first, pieces=images)
    yield from (replace(last, twice=count) for count in range(first.twice + 1, ALL + 1))
    if plan.optimizer == "adamw":
        last = replace(last, small_optimizer=True)
        yield from (replace(last, twice=count) for count in range(first.twice, ALL + 1))
    if not (plan.nf4 or plan.dora):
        last = replace(last, nf4=True)
        yield from (replace(last, twice=count) for count in range(first.twice, ALL + 1))


def _lora_weights(plan: Settled) -> float:
    rank = max(block_ranks(plan).values())
    found = rank * _PER_RANK
    if plan.conv_rank:
        found += rank * _PER_RANK_1X1 + plan.conv_rank * _PER_CONV_RANK
    return found + (text_encoder_rank(plan)[0] * _PER_RANK_TEXT if plan.text_encoders else 0)


def _saved(plan: Settled, twice: int) -> float:
    rank = max(block_ranks(plan).values())
    found = 0.0
    for part, count in _taken(twice):
        is_transformer = part.saves_per_rank > 0
        usual = part.saves * (1 + _DORA_SAVES if plan.dora and is_transformer else 1)
        found += count * (usual + part.saves_per_rank * rank)
    return found


def _taken(twice: int) -> Iterator[tuple[Part, int]]:
    for part in PARTS:
        yield part, min(part.count, max(0, twice))
        twice -= part.count
