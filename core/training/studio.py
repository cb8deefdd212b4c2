"""Everything a training has in memory, made phase by phase: only what a phase needs is there at one time."""

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from msgspec import structs
from torch import Tensor

from core.bases import load
from core.plan.frozen import FrozenPlan
from core.plan.memory import NONE, Measures
from core.plan.schedule import Schedule
from core.randomness import key
from core.runs.events import Chosen, Event, Phase
from core.settings import Settled
from core.training import checkpointing, nf4, prepare
from core.training import network as networks
from core.training.average import Average
from core.training.beside import regularisation
from core.training.data import Data, Texts
from core.training.device import Device, free
from core.training.encode import chunks_needed
from core.training.gears import Gears
from core.training.masks import masks as masks_of
from core.training.network import Network
from core.training.optimizer import Optimizer
from core.training.ranks import ALONE, Ranks
from core.training.step import Batch, Noising, loss
from core.training.warm import begin_from

PREVIEWS = 4


@dataclass(frozen=True)
class Studio:
    """A training that is ready to begin."""

    frozen: FrozenPlan
    schedule: Schedule
    device: Device
    unet: Any
    network: Network
    optimizer: Optimizer
    data: Data
    noising: Noising
    chunks: int
    previews: tuple[tuple[str, int, int], ...]
    """Prompt, the number of its text, and seed."""
    average: Average | None = None
    """Of the weights, where the plan wants it: what files, previews and fixed losses are of."""
    measures: Measures = NONE
    """What is done to take less memory."""
    ranks: Ranks = ALONE
    """This process among those that make each step together."""
    gear: Gears = field(default_factory=Gears)
    """How steps are carried out."""

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return len(self.schedule.steps)

    @property
    def at_once(self) -> int:
        """Drawings that are looked at together."""
        return self.measures.at_once(self.frozen.plan.batch_size)

    def anew(self, measures: Measures, ranks: Ranks | None = None) -> "Studio":
        """The same weights at the beginning of a training with other measures; the base stays as it is.

        With `ranks` the optimizer speaks with these, whatever part of each step is this process's.
        """
        checkpointing.use(self.unet, measures.twice)
        plan = self.frozen.plan
        return replace(
            self,
            optimizer=_optimizer(plan, self.network, self.total, self.device, measures, ranks or self.ranks),
            average=Average(self.network, plan.ema) if plan.ema else None,
            measures=measures,
        )

    def losses(self, batch: Batch) -> Iterator[Tensor]:
        """The step's loss, in as many pieces as are looked at one after the other; their sum is that of the whole."""
        plan, whole = self.frozen.plan, batch
        # Text encoders in training have read all captions at once: they learn once, from what the pieces leave.
        apart = self.measures.pieces > 1 and batch.context.requires_grad
        if apart:
            context, pooled = (one.detach().requires_grad_() for one in (batch.context, batch.pooled))
            batch = replace(batch, context=context, pooled=pooled)
        for part in batch.parts(self.measures.pieces):
            yield loss(self.unet, part, self.noising, plan.min_snr_gamma, self.device.dtype, plan.debiased)
        if apart:
            torch.autograd.backward([whole.context, whole.pooled], [batch.context.grad, batch.pooled.grad])

    @property
    def leaving(self) -> dict[str, Tensor]:
        """The weights that a file gets, as `Network.buffers`: averaged where there is an average."""
        return self.average.buffers if self.average else self.network.buffers

    def averaged(self) -> AbstractContextManager[None]:
        """The LoRA as it would leave: with the averaged weights where there are some."""
        return self.average.in_place() if self.average else nullcontext()


def open_studio(
    frozen: FrozenPlan,
    schedule: Schedule,
    device: Device,
    fresh: bool = True,
    measures: Measures = NONE,
    ranks: Ranks = ALONE,
) -> Generator[Event, None, Studio]:
    """Encode captions, drawings and the base's own pictures, then set up UNet, LoRA and optimizer.

    A run that goes on from a checkpoint is not `fresh`: the file it once began from need not be there any more.
    """
    base, plan, place, dtype = frozen.base, frozen.plan, device.place, device.dtype
    yield Chosen(field="precision", value=device.precision, reason=device.reason)
    tokenizers = load.tokenizers(base)
    prompts = plan.preview_prompts or tuple(dict.fromkeys(drawing.caption for drawing in frozen.trained))[:PREVIEWS]
    # Only the previews' prompts come after the schedule's texts, whose numbers therefore stay.
    texts = list(dict.fromkeys((*schedule.captions, *prompts)))
    chunks = chunks_needed(tokenizers, texts, plan.caption_chunks)
    entries = yield from prepare.captions(
        base, texts, tokenizers, chunks, lambda: load.text_encoders(base, place, dtype), dtype
    )
    free()
    latents, beside = yield from _latents(frozen, schedule, device)
    masks = (yield from _masks(frozen, list(latents))) if plan.masked_loss else None
    free()
    yield Phase(name="load")
    unet = (nf4 if measures.nf4 else load).unet(base, place, dtype)
    prior = beside or (
        yield from prepare.prior_pictures(
            base, schedule.prior, dict(zip(texts, entries, strict=True)), unet, place, dtype
        )
    )
    free()
    encoders = load.text_encoders(base, place, dtype) if plan.text_encoders else None
    checkpointing.use(unet, measures.twice)
    network = networks.make(plan, unet, encoders, place)
    if plan.init_lora and fresh:
        begin_from(frozen, network)
    network.compute_in(dtype)
    scheduler = load.scheduler(base)
    data = Data(
        frozen,
        latents,
        [entry["latents"] for entry in prior],
        Texts(base, entries, texts, tokenizers, chunks, place, encoders),
        scheduler.config.num_train_timesteps,
        place,
        masks,
        schedule.steps,
    )
    return Studio(
        frozen=frozen,
        schedule=schedule,
        device=device,
        unet=unet,
        network=network,
        optimizer=_optimizer(plan, network, len(schedule.steps), device, measures, ranks),
        data=data,
        noising=Noising.of(scheduler, base.prediction, place),
        chunks=chunks,
        previews=tuple(
            (prompt, texts.index(prompt), key(plan.seed, index, "preview")) for index, prompt in enumerate(prompts)
        ),
        average=Average(network, plan.ema) if plan.ema else None,
        measures=measures,
        ranks=ranks,
    )


def _optimizer(
    plan: Settled, network: Network, steps: int, device: Device, measures: Measures, ranks: Ranks
) -> Optimizer:
    if measures.small_optimizer:
        plan = structs.replace(plan, optimizer="adamw8bit")
    return Optimizer(plan, network, steps, device.scaled, ranks)


def _latents(
    frozen: FrozenPlan, schedule: Schedule, device: Device
) -> Generator[Event, None, tuple[dict[tuple[int, bool], Tensor], prepare.Entries]]:
    """The latents of exactly those drawings, flipped or not, that the schedule shows or measures.

    After them those of the regularisation drawings, in the order of the schedule's prior pictures.
    """
    wanted = {(sight.picture, sight.flip) for step in schedule.steps for sight in step.sights if not sight.prior}
    wanted |= {(sample.drawing, False) for sample in schedule.fixed}
    order = sorted(wanted)
    entries = yield from prepare.drawings(
        frozen.base,
        Path(frozen.dataset),
        [*((frozen.drawings[index], flipped) for index, flipped in order), *regularisation(frozen, schedule)],
        # In fp32 always: bf16 costs 0.8 % of the latents (rms, on the base in the box), and it is done once.
        lambda: load.vae(frozen.base, device.place, torch.float32),
    )
    own = zip(order, entries, strict=False)
    return {which: entry["latents"] for which, entry in own}, entries[len(order) :]


def _masks(frozen: FrozenPlan, order: list[tuple[int, bool]]) -> Generator[Event, None, dict[tuple[int, bool], Tensor]]:
    """The masks of the same drawings as the latents."""
    wanted = [(frozen.drawings[index], flipped) for index, flipped in order]
    found = yield from masks_of(Path(frozen.dataset), frozen.base.vae_factor, wanted)
    return dict(zip(order, found, strict=True))
