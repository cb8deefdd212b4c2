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
        self.buffers = {name: buffer.clone() for name, buffer in network.buffers.items()}
        """One a group, as in the network; the next step changes them."""

    @torch.no_grad()
    def take(self, step: int, broken: Tensor) -> None:
        """Go towards the weights after `step`, counted from 0; not at all where the step was `broken`."""
        # The first steps would else hang on weights that know nothing (TensorFlow, `ExponentialMovingAverage`).
        share = (1 - min(self._decay, (1 + step) / (10 + step))) * (~broken).float()
        for name, weights in self._network.buffers.items():
            self.buffers[name].lerp_(weights, share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the average as its weights, for a while."""
        before = {name: weights.clone() for name, weights in self._network.buffers.items()}
        self._network.restore(self.buffers)
        try:
            yield
        finally:
            self._network.restore(before)

    def state(self) -> dict[str, Tensor]:
        """The buffers under names that are not the network's, for a checkpoint."""
        return {_KEY.format(name=name): buffer for name, buffer in self.buffers.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take the averages of a checkpoint."""
        for name, buffer in self.buffers.items():
            buffer.copy_(state[_KEY.format(name=name)])
