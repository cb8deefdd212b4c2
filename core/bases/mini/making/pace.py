"""How long a part of the making lasts, and how fast it learns on the way."""

import logging
from collections.abc import Iterator
from time import monotonic

import torch
from msgspec import Struct
from torch import nn

from core.language import _

log = logging.getLogger(__name__)

_WARM_UP = 200
"""Steps until the full rate, or the first tenth if that is shorter."""
_HELD = 0.35
_LAST = 0.02


class Pace(Struct, frozen=True):
    """So many steps, or so many seconds, whichever are over first."""

    steps: int
    seconds: float = float("inf")
    every: float = 10.0
    """Seconds from one line of progress to the next."""

    @staticmethod
    def rate(step: int, done: float) -> float:
        """Share of the full learning rate: warmed up, held to 35 %, then down in a line to 2 %."""
        warm = min(1.0, max((step + 1) / _WARM_UP, 10 * done))
        return warm * (1.0 if done < _HELD else 1 - (1 - _LAST) * (done - _HELD) / (1 - _HELD))

    def walk(self, what: str, losses: list[float]) -> Iterator[tuple[int, float]]:
        """Number and rate of every step; says how the `losses`, one a step, are doing."""
        start = spoken = monotonic()
        for step in range(self.steps):
            now = monotonic()
            done = max(step / self.steps, (now - start) / self.seconds)
            if done >= 1:
                return
            if losses and now - spoken >= self.every:
                spoken, recent = now, losses[-50:]
                log.info(
                    _("{what}: step {step} of {steps}, {seconds:.0f} s, loss {loss:.4f}").format(
                        what=what, step=step, steps=self.steps, seconds=now - start, loss=sum(recent) / len(recent)
                    )
                )
            yield step, self.rate(step, done)


class Average:
    """The running average of a model's weights, which draws cleaner than the weights of any one step."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.parameters = list(model.parameters())
        self.kept = [parameter.detach().clone() for parameter in self.parameters]
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def add(self) -> None:
        """Take in the present weights; the first ones weigh more, or the average would remember the random start."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        torch._foreach_lerp_(self.kept, [parameter.detach() for parameter in self.parameters], 1 - decay)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the average into the model."""
        for parameter, kept in zip(self.parameters, self.kept, strict=True):
            parameter.copy_(kept)
