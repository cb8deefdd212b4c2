"""Whether every gear learns the same: a hundred steps of SDXL with random weights, from the same weights and numbers.

    python benchmarks/alike.py [--steps 100] [--batch 2] [--size 1024] [--small]

The yardstick is what the arithmetic itself changes: eager steps in bf16 beside the same in fp32 (TF32 on a GPU). A gear
may be twice as far from the eager steps as these are from fp32, in the losses and in where the weights end; what only
rounds elsewhere, as kernels that keep their sums in fp32 do, is as good. The batch in pieces is shown beside it: the
same sums in another order. `--small` takes a UNet of the same build that a CPU trains. The last line is JSON; the exit
status is 1 when a gear differs more.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from typing import Any

import torch
from gpu import GEARS, Case, frozen_plan, make_unet, studio_of
from torch import Tensor, nn

from core.plan.memory import NONE, Measures
from core.training import loop, network
from core.training.device import Device, choose
from core.training.network import Network

EXACT, EAGER, PIECES = "in fp32", "eager", "in pieces"
MOST = 2.0
"""How many times the yardstick a gear may differ."""


@dataclass(frozen=True)
class Learned:
    """The losses of a training's steps, and where its weights ended."""

    losses: Tensor
    weights: Tensor

    def from_(self, other: "Learned") -> tuple[float, float]:
        """How far this is from another: of its losses, the mean of their differences as a share; of its weights."""
        losses = (self.losses - other.losses).abs().mean() / other.losses.mean()
        weights = (self.weights - other.weights).norm() / other.weights.norm()
        return float(losses), float(weights)


def learned(way: str, options: argparse.Namespace, device: Device, unet: Any, lora: Network, begun: Any) -> Learned:
    """Make all steps one way, from the weights `begun`."""
    gear = way if way in GEARS else EAGER
    torch.manual_seed(0)
    lora.restore(begun)
    studio = studio_of(frozen_plan(Case(gear, options.batch, "adamw"), options, unet), device, unet, lora)
    studio = studio.anew(Measures(pieces=options.batch) if way == PIECES else NONE)
    steps = [step for step in studio.schedule.steps if len(step.sights) == options.batch][: options.steps]
    studio.gear.begin(studio)
    if gear == "compiled graphs":
        studio.gear.shift("graphs", studio)
    losses = torch.stack([loop.learn(studio, step).detach() for step in steps]).cpu()
    if studio.gear.now != gear.split()[-1]:
        raise RuntimeError(" ".join(str(event) for event in studio.gear.events()))
    begin = torch.cat([weights.flatten() for weights in begun.values()])
    return Learned(losses, torch.cat([weights.flatten().cpu() for weights in lora.buffers.values()]) - begin)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--precision", choices=("bf16", "fp16"), default="bf16")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    options.size = options.size or (128 if options.small else 1024)
    device = choose(options.precision)
    unet = make_unet(device, options.small)
    gears = GEARS[1:] if device.place.type == "cuda" else GEARS[1:2]
    torch.manual_seed(0)
    case = Case(EAGER, options.batch, "adamw")
    lora = network.make(frozen_plan(case, options, unet).plan, unet, None, device.place)
    begun = {name: weights.cpu().clone() for name, weights in lora.buffers.items()}
    print(f"{device.name}, {device.precision}, {options.steps} steps of {options.batch}\n")
    print(f"{'':18}{'losses differ by':>18}{'weights by':>14}")
    nn.Module.to(unet, torch.float32)  # the same numbers, and exactly them again afterwards
    exact = learned(EXACT, options, choose("fp32"), unet, lora, begun)
    nn.Module.to(unet, device.dtype)
    lora.compute_in(device.dtype)
    eager = learned(EAGER, options, device, unet, lora, begun)
    ways = {EXACT: eager.from_(exact)}
    for way in (PIECES, *gears):
        ways[way] = learned(way, options, device, unet, lora, begun).from_(eager)
    for way, (losses, weights) in ways.items():
        print(f"{way:18}{losses:>18.2e}{weights:>14.2e}")
    failed = [way for way in gears if any(one > MOST * most for one, most in zip(ways[way], ways[EXACT], strict=True))]
    print(f"\n{'More than rounding: ' + ', '.join(failed) if failed else 'Every gear learns the same.'}")
    loss = [float(one) for one in (eager.losses[:10].mean(), eager.losses[-10:].mean())]
    print(json.dumps({"benchmark": "alike", "device": device.name, "loss": loss, "ways": ways, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
