"""Max-norm: no layer may change the base more than so much."""

import torch
from torch import Tensor

from core.training.dora import ADAPTER
from core.training.network import Network


@torch.no_grad()
def hold(network: Network, most: float, broken: Tensor) -> None:
    """Scale every layer down whose change, ‖up · down‖ × alpha ÷ rank, is more than `most`; none after a broken step.

    Both halves take the square root of the ratio (sd-scripts, `apply_max_norm_regularization`). Layers of one shape
    are measured in one go, and nothing is fetched from the device.
    """
    alike: dict[tuple[torch.Size, torch.Size, float], tuple[list[Tensor], list[Tensor]]] = {}
    for _name, layer, weights in (one for group in network.groups for one in group.exact()):
        down, up = (weight.flatten(1) for weight in weights[:2])
        downs, ups = alike.setdefault((down.shape, up.shape, float(layer.scaling[ADAPTER])), ([], []))
        downs.append(down)
        ups.append(up)
    for (_down, _up, scale), (downs, ups) in alike.items():
        down, up = torch.stack(downs), torch.stack(ups)
        # ‖up · down‖² = Σ (upᵀ up) ∘ (down downᵀ): two products of rank × rank, not one as large as the base's layer.
        squared = (up.mT @ up * (down @ down.mT)).sum(dim=(1, 2)).clamp(min=0)
        ratios = (most / (squared.sqrt() * scale).clamp(min=1e-12)).clamp(max=1.0).sqrt()
        ratios = torch.where(broken, torch.ones_like(ratios), ratios).view(-1, 1, 1)
        torch._foreach_copy_(downs, (down * ratios).unbind())
        torch._foreach_copy_(ups, (up * ratios).unbind())
