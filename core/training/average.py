"""The average of the weights over the steps: calmer than the last ones, and often the better LoRA."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from core.training.network import Network

_KEY = "average of {name}"


class Average:
    """An exponential moving average (EMA) of every flat buffer of a network, beginning at its weights of now."""

    def __init__(self, network: Network, decay: float) -> None:
        self._network, self._decay = network, decay
        self._buffers = [group.flat.detach().clone() for group in network.groups]

    @torch.no_grad()
    def take(self, step: int, broken: Tensor) -> None:
        """Go towards the weights after `step`, counted from 0; not at all where the step was `broken`."""
        # The first steps would else hang on weights that know nothing (TensorFlow, `ExponentialMovingAverage`).
        share = (1 - min(self._decay, (1 + step) / (10 + step))) * (~broken).float()
        for buffer, group in zip(self._buffers, self._network.groups, strict=True):
            buffer.lerp_(group.flat, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the average as its weights, for a while."""
        before = [group.flat.detach().clone() for group in self._network.groups]
        self._fill(self._buffers)
        try:
            yield
        finally:
            self._fill(before)

    def state(self) -> dict[str, Tensor]:
        """The averages, for a checkpoint."""
        return {
            _KEY.format(name=group.name): buffer.cpu().clone()
            for group, buffer in zip(self._network.groups, self._buffers, strict=True)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the averages of a checkpoint."""
        for group, buffer in zip(self._network.groups, self._buffers, strict=True):
            buffer.copy_(state[_KEY.format(name=group.name)])

    def _fill(self, buffers: list[Tensor]) -> None:
        for group, buffer in zip(self._network.groups, buffers, strict=True):
            group.flat.data.copy_(buffer)
        self._network.follow()
