"""What the training has to say about itself: losses fetched in batches, and the pace."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from core.errors import BocetoError
from core.language import _
from core.plan.schedule import Step
from core.runs.events import Noted, Stepped
from core.training.studio import Studio

EVERY = 0.5
"""Seconds between two events. To fetch a loss is to wait for the device; twice a second costs nothing."""
_AHEAD = 2
"""Steps that may wait for the device: it never runs dry, and a stop, a pause or a budget is heeded at once.

A step that is one CUDA graph is given to it in a few ms; without this some fifty would be on their way.
"""
_MEMORY = 0.95
"""How much of the pace one step leaves: some twenty steps count."""
_WARM = 3
"""The first steps are slower (kernels are chosen, memory is claimed) and are left out of the pace."""
SEVERAL = 5
"""Steps in a row that may be left out. One may meet a rare overflow; five meet something that does not go away."""
_FEW = 10
"""Losses that tell how a training began."""
_LAST = 3
"""Losses that tell how it ended. With a rate far too high there are hardly more."""
_RISEN = 4.0
"""How many times larger losses speak of a rate that is too high: single steps differ threefold by nature."""


class Meter:
    """Collects losses on the device and turns them into events now and then."""

    def __init__(self, studio: Studio, done: int = 0) -> None:
        self._studio = studio
        self.good = done
        """Steps that were done when the weights were last moved."""
        self.lost: int | None = None
        """The step at which the training came apart, if it did: the last of several whose loss was no number."""
        self._in_a_row = 0
        self._first: list[float] = []
        self._latest: list[float] = []
        self._losses: list[Tensor] = []
        self._ahead: deque[Callable[[], None]] = deque()
        self._pictures = 0
        self._seen = 0
        self._step: Step | None = None
        self._since = time.monotonic()
        self._pace = 0.0

    def add(self, step: Step, loss: Tensor) -> None:
        """One step was made; nothing is fetched yet. Waits where the device is more than a few steps behind."""
        self._losses.append(loss.detach())
        self._ahead.append(self._studio.device.after_now())
        if len(self._ahead) > _AHEAD:
            self._ahead.popleft()()
        self._pictures += sum(not sight.prior for sight in step.sights)
        self._step = step

    @property
    def due(self) -> bool:
        """Whether it is time for an event."""
        return time.monotonic() - self._since >= EVERY

    def events(self) -> Iterator[Stepped | Noted]:
        """The steps since the last event, if there are any, and what is to be said of those that were left out."""
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
        yield from self._left_out(losses, done - len(losses))
        numbers = tuple(loss for loss in losses if math.isfinite(loss))
        if numbers:
            yield Stepped(
                step=done,
                epoch=self._step.epoch,
                losses=numbers,
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

    def came_apart(self, step: int) -> BocetoError:
        """The end of a training whose numbers are none any more, and why that likely is."""
        rate, precision = self._studio.optimizer.rate, self._studio.device.precision
        first = _mean(self._first[: max(1, len(self._first) - _LAST)])
        latest = max(self._latest, default=0.0)
        if not self._first:
            detail = _(
                "Not one step gave a number, so it is not what was learned: the base overflows in {precision}, or its "
                "weights or the LoRA it began from are damaged."
            ).format(precision=precision)
            hint = _("Choose the precision fp32 or bf16. When that changes nothing, download the base again.")
        elif latest > _RISEN * first:
            detail = _(
                "The losses had risen from {first:.3g} to {latest:.3g} before: the learning rate {rate:.2g} is too "
                "high."
            ).format(first=first, latest=latest, rate=rate)
            hint = _("Begin anew with a third of the learning rate. The last checkpoint is still good.")
        elif precision == "fp16":
            detail = _("The losses were as usual before, so the arithmetic fp16 overflows, which ends at 65,504.")
            hint = _("Choose the precision fp32, or bf16 where the GPU has it. The last checkpoint is still good.")
        else:
            detail = _("The learning rate {rate:.2g} is too high, or the arithmetic overflows.").format(rate=rate)
            hint = _("Lower the learning rate, or choose the precision fp32. The last checkpoint is still good.")
        return BocetoError(
            _("The training came apart: the loss of step {step} is not a number.").format(step=step), detail, hint
        )

    def _left_out(self, losses: tuple[float, ...], before: int) -> Iterator[Noted]:
        """Follow which steps gave a number; says where a row of others begins."""
        for step, loss in enumerate(losses, before + 1):
            if math.isfinite(loss):
                self.good, self._in_a_row = step, 0
                self._latest = [*self._latest, loss][-_LAST:]
                if len(self._first) < _FEW:
                    self._first.append(loss)
                continue
            self._in_a_row += 1
            if self._in_a_row == 1:
                yield Noted(
                    message=_("The loss of step {step} is not a number: the step was left out.").format(step=step)
                )
            if self._in_a_row == SEVERAL and self.lost is None:
                self.lost = step


def _mean(losses: list[float]) -> float:
    return sum(losses) / max(1, len(losses))
