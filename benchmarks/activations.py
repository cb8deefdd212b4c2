"""How much memory SDXL's UNet keeps for its backward, by part and without a GPU: what `core.plan.memory` knows.

    python benchmarks/activations.py

A UNet of SDXL's full build on the meta device computes shapes and no numbers. Every storage that a step makes is
counted from its birth to its end, in blocks of 512 bytes as CUDA's allocator deals them out. Attention is taken to be
flash attention, which keeps its inputs, its output and one number a row.
"""

import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from diffusers import UNet2DConditionModel
from msgspec import convert
from msgspec.structs import asdict
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from core.bases.single_file import LIKE
from core.plan.optimizers import with_preset
from core.settings import Plan, Settled
from core.training import checkpointing, network
from core.training.step import Batch, Noising, loss

CONFIG = LIKE["sdxl"] / "unet" / "config.json"
META = torch.device("meta")
_BLOCK = 512


class Living(TorchDispatchMode):
    """Bytes of the storages that operations made and that somebody still holds."""

    def __init__(self, known: Iterator[Tensor]) -> None:
        """`known` were there before, and are not counted."""
        super().__init__()
        self.now = self.most = 0
        self._sizes = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, function: Any, types: Any, inputs: Any = (), options: Any = None) -> Any:
        made = function(*inputs, **(options or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage: torch.UntypedStorage) -> None:
        number = storage._cdata
        if number in self._sizes:
            return
        self._sizes[number] = -(-storage.nbytes() // _BLOCK) * _BLOCK
        self.now += self._sizes[number]
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._drop, number)

    def _drop(self, number: int) -> None:
        self.now -= self._sizes.pop(number)


@dataclass(frozen=True)
class Kept:
    """Bytes of one step."""

    forward: int
    """Kept by the forward for the backward."""
    most: int
    """The most at any moment, gradients included."""


def build(rank: int, dtype: torch.dtype = torch.bfloat16, **choices: Any) -> tuple[Any, int]:
    """SDXL's UNet with a LoRA on the meta device, all in `dtype`, and the number of the LoRA's weights.

    `choices` are of the plan.
    """
    with META:
        unet = UNet2DConditionModel.from_config(json.loads(CONFIG.read_text()))
    nn.Module.to(unet, dtype).eval().requires_grad_(False)
    lora = network.make(_plan(rank, **choices), unet, None, META)
    for layer in (layer for group in lora.groups for layer in group.layers.values()):
        for weight in network.weights_of(layer):
            weight.data = torch.empty(weight.shape, dtype=dtype, device=META)
            weight.grad = torch.empty_like(weight)
    return unet, sum(weight.numel() for weight in lora.parameters)


def kept(unet: Any, width: int, height: int, batch: int, twice: int = 0, dtype: torch.dtype = torch.bfloat16) -> Kept:
    """What a step with `batch` drawings of this size in pixels keeps, with so many parts computed twice."""
    checkpointing.use(unet, twice)
    empty = lambda *shape, kind=dtype: torch.empty(*shape, device=META, dtype=kind)  # noqa: E731
    latents = batch, 4, height // 8, width // 8
    step = Batch(
        latents=empty(*latents, kind=torch.float32),
        context=empty(batch, 77, 2048),
        pooled=empty(batch, 1280),
        time_ids=empty(batch, 6, kind=torch.float32),
        noise=empty(*latents, kind=torch.float32),
        timesteps=empty(batch, kind=torch.long),
        weights=empty(batch, kind=torch.float32),
    )
    noising = Noising(empty(1000, kind=torch.float32), empty(1000, kind=torch.float32), "epsilon")
    there = [*unet.parameters(), *(weight.grad for weight in unet.parameters() if weight.grad is not None)]
    with flash_attention(), Living(iter(there)) as living:
        found = loss(unet, step, noising, 5.0, dtype)
        forward = living.now
        found.backward()  # type: ignore[no-untyped-call]
    return Kept(forward, living.most)


def flop_of_parts(unet: Any) -> dict[str, float]:
    """FLOP of one forward of each part at 1024 × 1024."""
    counts: dict[str, float] = {}
    checkpointing.use(unet, 0)
    with torch.no_grad(), flash_attention(), FlopCounterMode(display=False) as counter:
        unet(
            torch.empty(1, 4, 128, 128, device=META, dtype=torch.bfloat16),
            torch.empty(1, device=META),
            torch.empty(1, 77, 2048, device=META, dtype=torch.bfloat16),
            added_cond_kwargs={
                "text_embeds": torch.empty(1, 1280, device=META, dtype=torch.bfloat16),
                "time_ids": torch.empty(1, 6, device=META),
            },
        )
    for path in checkpointing.parts(unet):
        counts[path] = float(sum(counter.get_flop_counts()[f"{type(unet).__name__}.{path}"].values()))
    return counts


@contextmanager
def flash_attention() -> Iterator[None]:
    """The attention that GPUs take, whose shapes the meta device knows too."""

    def flash(query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **options: Any) -> Tensor:
        assert options.get("attn_mask") is None
        answer: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return answer

    with patch.object(functional, "scaled_dot_product_attention", flash):
        yield


def groups(unet: Any) -> list[tuple[str, int]]:
    """The parts that can be computed twice in their order: what is alike, and how often."""
    found: list[tuple[str, int]] = []
    for path in checkpointing.parts(unet):
        site = path.partition(".resnets.")[0]
        name = f"transformers {_width(unet, path)} wide" if site == path else f"resnets of {site}"
        if found and found[-1][0] == name:
            found[-1] = name, found[-1][1] + 1
        else:
            found.append((name, 1))
    return found


def _width(unet: Any, path: str) -> int:
    return int(unet.get_submodule(path).norm1.weight.numel())


def _plan(rank: int, **choices: Any) -> Settled:
    settled = {"optimizer": "adamw", "repeats": 1, "epochs": 1, "prior_pictures": 0, "held_out": 0, "resolution": 1024}
    plan = convert({**settled, "rank": rank, **choices}, Plan)
    return convert(asdict(with_preset(plan)), Settled)


def main() -> None:
    """Print the table."""
    low, high, pixels = 16, 80, 128 * 128
    (small, weights), (large, _weights) = build(low), build(high)
    flop, paths = flop_of_parts(small), checkpointing.parts(small)

    def kept_a_pixel(twice: int) -> tuple[float, float, float]:
        one, other = kept(small, 1024, 1024, 1, twice), kept(large, 1024, 1024, 1, twice)
        slope = (other.forward - one.forward) / (high - low) / pixels
        return one.forward / pixels - slope * low, slope, (one.most - one.forward) / pixels

    print(f"a LoRA of rank {low} has {weights:,} weights")
    before, start = kept_a_pixel(0), 0
    print(f"{'bytes a latent pixel':26}{'':4}{before[0]:10.0f}, {before[1]:6.2f} a rank")
    for name, count in groups(small):
        after = kept_a_pixel(start + count)
        cost = sum(flop[path] for path in paths[start : start + count]) / count / 1e12
        saved, by_rank = ((before[place] - after[place]) / count for place in (0, 1))
        print(f"{name:26}{count:4}{saved:10.0f}, {by_rank:6.2f} a rank, {cost:.4f} TFLOP, {after[2]:.0f} beyond")
        before, start = after, start + count


if __name__ == "__main__":
    main()
