"""DoRA: a LoRA turns each row of a layer, and how long the row is is learned apart from that (arXiv 2402.09353).

The layer is m · (W + ΔW) ÷ ‖W + ΔW‖, row by row. A file keeps m as LyCORIS does with `wd_on_output`; ComfyUI and Forge
divide by ‖W‖ instead, which is nearly the same as long as ΔW is small beside W, and diffusers passes m over.
"""

from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.layer import LoraVariant
from torch import Tensor, nn

ADAPTER = "default"
PART = "dora_scale"
"""What a file calls m."""
_LEAST = 1e-12


class Magnitude(nn.Module):
    """How long each row of a layer is; 2-norms, fp32."""

    length: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        length = torch.linalg.vector_norm(weight.detach().flatten(1).float(), dim=1)
        self.register_buffer("length", length, persistent=False)
        self._here = length if length.is_meta else length.cpu()
        self.weight = nn.Parameter(torch.zeros_like(length))
        """How much longer than in the base: what weight decay draws to zero is the change and not the layer."""
        self.strength = 1.0
        self._shape = (-1, *[1] * (weight.dim() - 1))

    def scale(self, longer: Tensor | None = None) -> Tensor:
        """m in the shape that a file has: (rows, 1), and (rows, 1, 1, 1) of a convolution.

        `longer` is the exact change of the lengths, where the layer itself computes with a coarser one.
        """
        if longer is None:
            longer = self.weight.detach()
        # Where both are at hand nobody asks the device, which would answer after all that it was given.
        length = self.length if longer.device == self.length.device else self._here
        return (length + longer).view(self._shape)

    def put(self, scale: Tensor) -> None:
        """Take m, in any shape."""
        self.weight.data.copy_(scale.flatten().to(self.length) - self.length)


class Rows(LoraVariant):  # type: ignore[misc]
    """The forward pass of a layer with a magnitude.

    peft's own makes ΔW whole and sums in the base's precision: in bf16 a new LoRA would change its base by 0.2 %.
    """

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **_unused: Any) -> Tensor:
        """What the base's layer answers to `x`, with m · (W + ΔW) ÷ ‖W + ΔW‖ in the place of W."""
        magnitude = module.lora_magnitude_vector[active_adapter]
        # In the paper too the norm counts as a constant: no gradient goes through it (its section 4.3).
        ratio = (magnitude.length + magnitude.weight) / norm(module)
        bias = module.get_base_layer().bias
        plain, learned = result, module.lora_B[active_adapter](module.lora_A[active_adapter](x))
        if result.dim() == 4 and isinstance(module.get_base_layer(), nn.Conv2d):
            ratio = ratio.view(1, -1, 1, 1)
            bias = None if bias is None else bias.view(1, -1, 1, 1)
        if bias is not None:
            plain = result - bias
        # Less one in fp32: of 1.001 bf16 would keep nothing.
        change = (ratio - 1).to(plain.dtype) * plain + ratio.to(learned.dtype) * learned * module.scaling[
            active_adapter
        ]
        changed: Tensor = result + magnitude.strength * change
        return changed


@torch.no_grad()
def norm(module: Any) -> Tensor:
    """‖W + ΔW‖ of each row, without making either: shape (rows,), fp32."""
    scaling, magnitude = module.scaling[ADAPTER], module.lora_magnitude_vector[ADAPTER]
    base = module.get_base_layer().weight.flatten(1)
    down, up = (part[ADAPTER].weight.flatten(1) for part in (module.lora_A, module.lora_B))
    crossed = (base @ down.mT.to(base.dtype)).float() * up.float()
    down, up = down.float(), up.float()
    own = (up @ (down @ down.mT)) * up
    squared: Tensor = magnitude.length**2 + (2 * scaling * crossed + scaling**2 * own).sum(dim=1)
    return squared.clamp(min=_LEAST).sqrt()


def decompose(layer: LoraLayer) -> None:
    """Give a LoRA layer a magnitude: that of the base, so that nothing changes yet."""
    layer.lora_magnitude_vector[ADAPTER] = Magnitude(layer.get_base_layer().weight)
    layer.lora_variant[ADAPTER] = Rows()


def magnitude_of(layer: Any) -> Magnitude | None:
    """The magnitude of a layer that has one."""
    return next((part for name, part in layer.lora_magnitude_vector.items() if name == ADAPTER), None)


def is_by_rows(scale: Tensor, rows: int) -> bool:
    """Whether a file's m is one number a row; LyCORIS can also keep one a column."""
    return scale.numel() == rows == len(scale)
