"""The data of a run on the device, and the batch of any step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core.bases.base import Base
from core.captions.tokens import Tokenizer
from core.images.buckets import time_ids
from core.plan.frozen import FrozenPlan
from core.plan.schedule import FixedSample, Sight, Step
from core.training.ahead import Ahead, Drawn
from core.training.cache import stacked
from core.training.encode import encode, token_ids
from core.training.prepare import Entries
from core.training.ranks import ALONE, Ranks
from core.training.step import Batch, noise, perturbed, timesteps

FITS = 0.1
"""Share of the free GPU memory that encoded captions may take; a thousand captions in ten orders are 3 GB and more."""


class Texts:
    """Captions as the UNet reads them: encoded beforehand, or live when the text encoders are trained."""

    def __init__(
        self,
        base: Base,
        entries: Entries,
        captions: Sequence[str],
        tokenizers: tuple[Tokenizer, Tokenizer],
        chunks: int,
        place: torch.device,
        encoders: tuple[Any, Any] | None = None,
    ) -> None:
        self._encoders, self._place = encoders, place
        if encoders:
            first, second = (token_ids(tokenizer, captions, chunks).to(place) for tokenizer in tokenizers)
            self._ids = (first, second)
            # Text 0 is the empty one, which some bases know as zeros.
            self._kept = torch.tensor([bool(text) or not base.force_zeros_for_empty_prompt for text in captions])
        else:
            self._context = _where_it_fits(stacked(entries, "context", torch.device("cpu")), place)
            self._pooled = stacked(entries, "pooled", place)

    def __call__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Context and pooled of captions by number."""
        here = torch.tensor(numbers)
        index = sent(here, self._place)
        if self._encoders is None:
            # Not fetched back from the device, which would wait for all that it was asked.
            there = self._context[index if self._context.device == index.device else here]
            return sent(there, self._place), self._pooled[index]
        context, pooled = encode(self._encoders, (self._ids[0][index], self._ids[1][index]))
        kept = sent(self._kept[list(numbers)], self._place)
        return context * kept.view(-1, 1, 1), pooled * kept.view(-1, 1)


def sent(tensor: Tensor, place: torch.device) -> Tensor:
    """`tensor` on the device, without making anyone wait for it."""
    if place.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(place, non_blocking=True)
    return tensor.to(place)


def _where_it_fits(tensor: Tensor, place: torch.device) -> Tensor:
    if place.type == "cuda" and tensor.nbytes > FITS * torch.cuda.mem_get_info(place)[0]:
        return tensor
    return tensor.to(place)


class Data:
    """Latents, captions and conditioning of a whole run."""

    def __init__(
        self,
        frozen: FrozenPlan,
        latents: dict[tuple[int, bool], Tensor],
        prior: Sequence[Tensor],
        texts: Texts,
        timesteps_of_base: int,
        place: torch.device,
        masks: Mapping[tuple[int, bool], Tensor] | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        """`steps` are those that will be asked for, in their order."""
        self._plan, self._place, self._texts, self._range = frozen.plan, place, texts, timesteps_of_base
        self._latents = {which: tensor.to(place) for which, tensor in latents.items()}
        self._prior = [tensor.to(place) for tensor in prior]
        self._masks = None if masks is None else {which: mask.to(place) for which, mask in masks.items()}
        self._time_ids = torch.tensor(
            [time_ids(drawing.placement) for drawing in frozen.drawings], dtype=torch.float32, device=place
        )
        self._batches: dict[tuple[object, ...], Batch] = {}
        # The CPU does not run ahead of itself: drawn earlier there, the numbers would take the same time.
        self._drawn = Ahead(self._draw, steps, place) if place.type == "cuda" else self._draw

    def batch(self, step: Step, ranks: Ranks = ALONE) -> Batch:
        """What `step` looks at in this process. All of it follows from the schedule and (seed, step).

        What is random is drawn for the whole step, of which each process takes its part. Steps of one shape share one
        batch, whose tensors are filled anew: it holds until the next is asked for.
        """
        count, drawn = len(step.sights), self._drawn(step)
        part, weight = ranks.part(count), ranks.weight(count)
        sights = step.sights[part]
        latents = torch.stack([self._of(sight) for sight in sights])
        context, pooled = self._texts([sight.caption for sight in sights])
        parts = {
            "latents": latents,
            "context": context,
            "pooled": pooled,
            "time_ids": self._time_ids[sent(drawn.sizes[part], self._place)],
            "noise": drawn.noise[part],
            "added": None if drawn.added is None else drawn.added[part],
            "timesteps": drawn.timesteps[part],
            "weights": sent((weight * drawn.weights[part]).float(), self._place),
            "mask": self._mask([None if sight.prior else (sight.picture, sight.flip) for sight in sights], latents),
        }
        there = {name: one for name, one in parts.items() if one is not None}
        shapes = (count, *((name, one.shape) for name, one in there.items()))
        if shapes not in self._batches:
            # Own memory, not the data's or a page that the next step's numbers are written to.
            own = {name: one.detach().to(self._place, copy=True) for name, one in there.items()}
            self._batches[shapes] = Batch(**own, whole=count)
        batch = self._batches[shapes]
        for name, one in there.items():
            if not one.requires_grad:
                getattr(batch, name).copy_(one, non_blocking=True)
        live: dict[str, Any] = {name: one for name, one in there.items() if one.requires_grad}
        return replace(batch, **live) if live else batch

    def _draw(self, step: Step) -> Drawn:
        plan, count = self._plan, len(step.sights)
        shape = count, *self._of(step.sights[0]).shape
        drawn, added = noise(plan.seed, step.index, shape, plan), None
        if plan.ip_noise_gamma:
            added = perturbed(drawn, plan.seed, step.index, plan.ip_noise_gamma)
        own = [sight.picture for sight in step.sights if not sight.prior]
        # A picture of the base gets the size and crop of a drawing: else the style would hang on those numbers
        # instead of the activation word.
        sizes = [sight.picture if not sight.prior else own[place % len(own)] for place, sight in enumerate(step.sights)]
        weights = [plan.prior_weight if sight.prior else 1.0 for sight in step.sights]
        return Drawn(
            noise=drawn,
            added=added,
            timesteps=timesteps(plan.seed, step.index, count, self._range),
            weights=torch.tensor(weights, dtype=torch.float64),
            sizes=torch.tensor(sizes),
        )

    def fixed(self, samples: Sequence[FixedSample]) -> Batch:
        """A batch of fixed samples, all of one shape."""
        latents = torch.stack([self._latents[sample.drawing, False] for sample in samples])
        context, pooled = self._texts([sample.caption for sample in samples])
        one = (1, *latents.shape[1:])
        return Batch(
            latents=latents,
            context=context,
            pooled=pooled,
            time_ids=self._time_ids[[sample.drawing for sample in samples]],
            noise=torch.cat([noise(sample.seed, "fixed", one) for sample in samples]).to(self._place),
            timesteps=torch.tensor([sample.timestep for sample in samples], device=self._place),
            weights=torch.ones(len(samples), device=self._place),
            mask=self._mask([(sample.drawing, False) for sample in samples], latents),
        )

    def shape(self, sample: FixedSample) -> tuple[int, ...]:
        """The shape of a sample's latents; only like with like goes into one batch."""
        return tuple(self._latents[sample.drawing, False].shape)

    def texts(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Context and pooled of captions by number."""
        return self._texts(numbers)

    def _mask(self, which: Sequence[tuple[int, bool] | None], latents: Tensor) -> Tensor | None:
        """The masks of drawings; None stands for a picture of the base, all of which counts."""
        if self._masks is None:
            return None
        whole = torch.ones_like(latents[0, :1])
        return torch.stack([whole if one is None else self._masks[one] for one in which])

    def _of(self, sight: Sight) -> Tensor:
        return self._prior[sight.picture] if sight.prior else self._latents[sight.picture, sight.flip]
