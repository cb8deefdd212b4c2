"""What the training has to say about itself: losses fetched in batches, and the pace."""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from core.errors import BocetoError
from core.language import _
from core.plan.schedule import Step
from core.runs.events import Stepped
from core.training.studio import Studio

EVERY = 0.5
"""Seconds between two events. To fetch a loss is to wait for the device; twice a second costs nothing."""
_MEMORY = 0.95
"""How much of the pace one step leaves: some twenty steps count."""
_WARM = 3
"""The first steps are slower (kernels are chosen, memory is claimed) and are left out of the pace."""


class Meter:
    """Collects losses on the device and turns them into events now and then."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._losses: list[Tensor] = []
        self._pictures = 0
        self._seen = 0
        self._step: Step | None = None
        self._since = time.monotonic()
        self._pace = 0.0

    def add(self, step: Step, loss: Tensor) -> None:
        """One step was made; nothing is fetched yet."""
        self._losses.append(loss.detach())
        self._pictures += sum(not sight.prior for sight in step.sights)
        self._step = step

    @property
    def due(self) -> bool:
        """Whether it is time for an event."""
        return time.monotonic() - self._since >= EVERY

    def events(self) -> Iterator[Stepped]:
        """The steps since the last event, if there are any.

        Raises BocetoError when a loss is not a number: every further step would only spread it.
        """
        if not self._losses or self._step is None:
            return
        losses = tuple(torch.stack(self._losses).float().tolist())
        now, rate = time.monotonic(), self._studio.optimizer.rate
        seconds = (now - self._since) / len(losses)
        if self._seen >= _WARM:
            # A mean that forgets, so that the time left follows a machine that becomes slower.
            keep = _MEMORY ** len(losses) if self._pace else 0.0
            self._pace = keep * self._pace + (1 - keep) * seconds
        self._seen += len(losses)
        done = self._step.index + 1
        broken = next((index for index, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if broken is not None:
            raise came_apart(done - len(losses) + broken + 1, rate)
        yield Stepped(
            step=done,
            epoch=self._step.epoch,
            losses=losses,
            rate=rate,
            pictures_per_second=round(self._pictures / max(now - self._since, 1e-9), 3),
            seconds_per_step=round(self._pace or seconds, 4),
            memory=self._studio.device.memory_used(),
        )
        self._losses, self._pictures = [], 0
        self._since = time.monotonic()

    def pause(self) -> None:
        """What was done since (saving, previews) is not the training's time."""
        self._since = time.monotonic()


def came_apart(step: int, rate: float) -> BocetoError:
    """The end of a training whose numbers are none any more."""
    return BocetoError(
        _("The training came apart: the loss of step {step} is not a number.").format(step=step),
        _("The learning rate {rate:.2g} is too high, or the arithmetic overflows.").format(rate=rate),
        _("Lower the learning rate, or choose the precision fp32 or bf16. The last checkpoint is still good."),
    )
