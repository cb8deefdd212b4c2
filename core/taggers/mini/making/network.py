"""The network: a small residual one of plain convolutions, which two CPU cores run in milliseconds."""

import torch
from torch import Tensor, nn

_WIDTHS = (24, 48, 96, 192)
_BLOCKS = (0, 1, 2, 2)
"""Residual blocks at 32, 16, 8 and 4 pixels a side."""
_PLACED, _PLACES = 64, 4
_FEATURES = 384


class Network(nn.Module):
    """Pictures (n, 3, h, w) from 0 to 1 to one logit a tag; 2.6 M parameters at 700 tags."""

    def __init__(self, tags: int, names: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for wider, blocks in zip(_WIDTHS, _BLOCKS, strict=True):
            layers += [_convolution(width, wider, stride=2), nn.ReLU()]
            layers += [_Residual(wider) for _block in range(blocks)]
            width = wider
        # Where something is says much about what it is: the places are kept until the features are mixed.
        layers += [_convolution(width, _PLACED, side=1), nn.ReLU(), nn.AdaptiveAvgPool2d(_PLACES), nn.Flatten()]
        layers += [nn.Linear(_PLACED * _PLACES**2, _FEATURES), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(_FEATURES, tags)
        self.choice = nn.Linear(_FEATURES, names)
        """Which one of all names it is; only asked while learning."""

    def forward(self, pixels: Tensor) -> Tensor:
        """One logit a tag."""
        logits: Tensor = self.head(self.features(pixels))
        return logits

    def features(self, pixels: Tensor) -> Tensor:
        """What all logits are made of; white paper is zero, like the edges that convolutions add."""
        features: Tensor = self.dropout(self.body((1 - pixels) * 2))
        return features


def new(rarity: Tensor, names: int, seed: int) -> Network:
    """An untrained network that at first gives every tag the share of pictures that `rarity` says has it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(len(rarity), names)
    with torch.no_grad():
        network.head.bias.copy_(torch.logit(rarity.clamp(1e-4, 1 - 1e-4)))
    return network


def _convolution(width: int, wider: int, *, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, wider, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(wider),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)  # a block that does nothing yet lets the gradient through

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.second(torch.relu(self.first(features))))
