"""The data of a run on the device, and the batch of any step."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.captions.tokens import Tokenizer
from core.images.buckets import time_ids
from core.plan.frozen import FrozenPlan
from core.plan.schedule import FixedSample, Sight, Step
from core.training.encode import encode, token_ids
from core.training.prepare import Entries
from core.training.step import Batch, noise, timesteps


class Texts:
    """Captions as the UNet reads them: encoded beforehand, or live when the text encoders are trained."""

    def __init__(
        self,
        entries: Entries,
        captions: Sequence[str],
        tokenizers: tuple[Tokenizer, Tokenizer],
        chunks: int,
        place: torch.device,
        encoders: tuple[Any, Any] | None = None,
    ) -> None:
        self._encoders = encoders
        if encoders:
            self._ids = tuple(token_ids(tokenizer, captions, chunks).to(place) for tokenizer in tokenizers)
        else:
            self._context = torch.stack([entry["context"] for entry in entries]).to(place)
            self._pooled = torch.stack([entry["pooled"] for entry in entries]).to(place)

    def __call__(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Context and pooled of captions by number."""
        if self._encoders:
            first, second = (ids[list(numbers)] for ids in self._ids)
            return encode(self._encoders, (first, second))
        return self._context[list(numbers)], self._pooled[list(numbers)]


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
    ) -> None:
        self._plan, self._place, self._texts, self._range = frozen.plan, place, texts, timesteps_of_base
        self._latents = {which: tensor.to(place) for which, tensor in latents.items()}
        self._prior = [tensor.to(place) for tensor in prior]
        self._time_ids = torch.tensor(
            [time_ids(drawing.placement) for drawing in frozen.drawings], dtype=torch.float32, device=place
        )

    def batch(self, step: Step) -> Batch:
        """What `step` looks at. All of it follows from the schedule and (seed, step)."""
        latents = torch.stack([self._of(sight) for sight in step.sights])
        context, pooled = self._texts([sight.caption for sight in step.sights])
        own = [sight.picture for sight in step.sights if not sight.prior]
        ids = self._time_ids[own]
        beside = len(step.sights) - len(own)
        if beside:
            # A picture of the base gets the size and crop of a drawing: else the style would hang on those
            # numbers instead of the activation word.
            ids = torch.cat([ids, ids[[index % len(own) for index in range(beside)]]])
        weights = [self._plan.prior_weight if sight.prior else 1.0 for sight in step.sights]
        return Batch(
            latents=latents,
            context=context,
            pooled=pooled,
            time_ids=ids,
            noise=noise(self._plan.seed, step.index, tuple(latents.shape), self._plan).to(self._place),
            timesteps=timesteps(self._plan.seed, step.index, len(step.sights), self._range).to(self._place),
            weights=torch.tensor(weights, device=self._place),
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
        )

    def shape(self, sample: FixedSample) -> tuple[int, ...]:
        """The shape of a sample's latents; only like with like goes into one batch."""
        return tuple(self._latents[sample.drawing, False].shape)

    def texts(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Context and pooled of captions by number."""
        return self._texts(numbers)

    def _of(self, sight: Sight) -> Tensor:
        return self._prior[sight.picture] if sight.prior else self._latents[sight.picture, sight.flip]
