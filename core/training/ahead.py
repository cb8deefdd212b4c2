"""The numbers of the steps to come, drawn a few of them early, so that the device never waits for the CPU."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.plan.schedule import Step

STEPS = 4
"""Noise for one step of six pictures takes a CPU some 10 ms, a step at least 50 on today's fastest GPU."""


@dataclass(frozen=True)
class Drawn:
    """What one step needs that does not lie on the device: numbers that follow from the schedule and (seed, step)."""

    noise: Tensor
    added: Tensor | None
    timesteps: Tensor
    weights: Tensor
    """In fp64: a process that makes a part of the step still multiplies its share into them."""
    sizes: Tensor
    """Whose size and crop each picture is said to have."""

    def pinned(self) -> "Drawn":
        """The same in memory from which a GPU copies while nobody waits."""
        # The allocator of that memory knows which copies are still under way, and gives no page away before.
        parts = {name: part.pin_memory() for name, part in vars(self).items() if part is not None}
        return replace(self, **parts)


class Ahead:
    """Calls `draw` for the steps that follow the one that is asked for, on a thread of its own.

    `draw` may depend on nothing but the step, so what comes out is the same as without.
    """

    def __init__(self, draw: Callable[[Step], Drawn], steps: Sequence[Step], place: torch.device) -> None:
        self._draw, self._steps, self._place = draw, steps, place
        self._waiting: dict[int, Future[Drawn]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")

    def __call__(self, step: Step) -> Drawn:
        """What was drawn for `step`."""
        if step.index >= len(self._steps) or self._steps[step.index] is not step:
            return self._drawn(step)
        window = range(step.index, min(step.index + STEPS, len(self._steps)))
        for index in set(self._waiting) - set(window):
            self._waiting.pop(index).cancel()
        for index in window:
            if index not in self._waiting:
                self._waiting[index] = self._thread.submit(self._drawn, self._steps[index])
        return self._waiting.pop(step.index).result()

    def _drawn(self, step: Step) -> Drawn:
        if self._place.type != "cuda":
            return self._draw(step)
        with torch.cuda.device(self._place):
            return self._draw(step).pinned()
