"""How fast a LoRA of the whole SDXL trains here, how much of the card that uses, and how much memory.

    python benchmarks/gpu.py [--size 1024] [--batch 1 6 12] [--gear eager graphs] [--rank 16] [--steps 10] [--small]

Each gear in turn: eager, compiled, graphs, and graphs of compiled blocks. The UNet has SDXL's own architecture and
random weights, made where they are needed: nothing is downloaded, and the arithmetic is the same. Data, network, step
and optimizer are those of a real training. `--small` takes a UNet of the same build, some eighty times smaller, which a
CPU trains in seconds. The last line is JSON.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, get_args

import msgspec
import psutil
import random_base
import torch
from diffusers import EulerDiscreteScheduler
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from core.bases.base import Base
from core.images.buckets import Buckets, place
from core.images.treatment import Treatment
from core.plan.frozen import FrozenDrawing, FrozenPlan
from core.plan.memory import ALL
from core.plan.schedule import schedule
from core.plan.settle import settle
from core.project import Project
from core.settings import OptimizerName, Plan, Precision
from core.training import checkpointing, loop, network
from core.training.data import Data, Texts
from core.training.device import Device, choose
from core.training.network import Network
from core.training.optimizer import Optimizer
from core.training.step import Noising
from core.training.studio import Studio

SMALL = {
    "block_out_channels": [64, 128, 256],
    "attention_head_dim": [1, 2, 4],
    "transformer_layers_per_block": [1, 1, 2],
    "cross_attention_dim": 256,
}
RECKONED = 15.1e12
"""FLOP for one picture of 1024 × 1024 at rank 32, reckoned by hand from the layers, without checkpointing."""
RECKONED_TWICE = 22.0e12
"""The same with every layer computed twice."""
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "5090": 210e12, "4090": 165e12, "3090": 71e12}
"""FLOP per second in bf16 with fp32 sums, as the makers say."""
GEARS = ("eager", "compiled", "graphs", "compiled graphs")
DRAWINGS = 12
WARM = 6
"""Steps before the timed ones: compiling takes one, a graph two on its stream and one to capture."""
TOKENS, POOLED, VAE_FACTOR, TIMESTEPS = 77, 1280, 8, 1000
ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda *shapes, **_rest: sdpa_flop_count(*shapes[:3]),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda *shapes, **_rest: (
        sdpa_backward_flop_count(*shapes[:4])
    ),
}
"""Operations that torch's own table of FLOP leaves out."""


@dataclass(frozen=True)
class Case:
    """One training that is measured."""

    gear: str
    batch: int
    optimizer: OptimizerName


def make_unet(device: Device, small: bool) -> Any:
    """SDXL's UNet with random weights, or the small one."""
    return random_base.unet(device.place, device.dtype, SMALL if small else {})


def frozen_plan(case: Case, options: argparse.Namespace, unet: Any) -> FrozenPlan:
    """The plan of a training on this UNet, with enough whole batches for every step that is made."""
    width = unet.config.cross_attention_dim
    base = Base(
        id="random",
        name="random",
        path=Path(),
        native=options.size,
        vae_factor=VAE_FACTOR,
        multiple=VAE_FACTOR * 2 ** (len(unet.config.block_out_channels) - 1),
        latent_channels=unet.config.in_channels,
        prediction="epsilon",
        zero_terminal_snr=False,
        force_zeros_for_empty_prompt=True,
        text_widths=(width - POOLED, POOLED),
        pooled_width=POOLED,
    )
    plan = Plan(
        repeats=-(-case.batch * (WARM + options.steps) // DRAWINGS),
        epochs=1,
        batch_size=case.batch,
        optimizer=case.optimizer,
        gear="compiled" if case.gear == "compiled graphs" else case.gear,
        rank=options.rank,
        prior_pictures=0,
        held_out=0,
        preview_every=0,
    )
    square = place(options.size, options.size, Buckets.of(options.size, base.multiple))
    settled, _reasons, _held_out = settle(Project(name="benchmark", plan=plan), base, [square.bucket] * DRAWINGS)
    return FrozenPlan(
        project="benchmark",
        kind="style",
        activation_word="noise",
        dataset="",
        output="",
        base=base,
        fingerprint="",
        plan=settled,
        drawings=tuple(
            FrozenDrawing(f"{index}.png", str(index), f"noise, {index}", Treatment(), square)
            for index in range(DRAWINGS)
        ),
    )


def studio_of(frozen: FrozenPlan, device: Device, unet: Any, lora: Network) -> Studio:
    """A training on latents and captions of noise, ready to begin."""
    base, width = frozen.base, unet.config.cross_attention_dim
    bucket = frozen.drawings[0].placement.bucket
    steps = schedule(frozen)
    shape = base.latent_channels, bucket.height // VAE_FACTOR, bucket.width // VAE_FACTOR
    captions = [
        {"context": torch.randn(TOKENS, width, dtype=device.dtype), "pooled": torch.randn(POOLED, dtype=device.dtype)}
        for _caption in steps.captions
    ]
    latents = {(index, False): torch.randn(shape) for index in range(DRAWINGS)}
    texts = Texts(base, captions, steps.captions, (None, None), 1, device.place)
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=TIMESTEPS
    )
    return Studio(
        frozen=frozen,
        schedule=steps,
        device=device,
        unet=unet,
        network=lora,
        optimizer=Optimizer(frozen.plan, lora, len(steps.steps), device.scaled),
        data=Data(frozen, latents, [], texts, TIMESTEPS, device.place, steps=steps.steps),
        noising=Noising.of(scheduler, base.prediction, device.place),
        chunks=1,
        previews=(),
    )


def seconds(device: Device, work: Callable[[], object]) -> float:
    device.wait()
    began = time.perf_counter()
    work()
    device.wait()
    return time.perf_counter() - began


def matrix_rate(device: Device) -> float:
    """FLOP per second of a large square matrix product in the training's arithmetic: the best of several tries."""
    side, times = (8192, 20) if device.place.type == "cuda" else (2048, 2)
    left, right = (torch.randn(side, side, device=device.place, dtype=device.dtype) for _matrix in range(2))
    into = torch.empty_like(left)

    def multiply() -> None:
        for _time in range(times):
            torch.mm(left, right, out=into)

    multiply()
    return 2 * side**3 * times / min(seconds(device, multiply) for _try in range(5))


def measure(case: Case, options: argparse.Namespace, device: Device, unet: Any, lora: Network) -> dict[str, Any]:
    """Seconds, FLOP and memory of one case."""
    studio = studio_of(frozen_plan(case, options, unet), device, unet, lora)
    steps = [step for step in studio.schedule.steps if len(step.sights) == case.batch]
    assert len(steps) >= WARM + options.steps
    cuda = device.place.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device.place)
    with FlopCounterMode(display=False, custom_mapping=ON_CPU) as counter:
        loop.learn(studio, steps[0])
    studio.gear.begin(studio)
    if case.gear == "compiled graphs":
        studio.gear.shift("graphs", studio)

    def warm_up() -> None:
        for step in steps[1:WARM]:
            loop.learn(studio, step)

    warm = seconds(device, warm_up)
    said = [msgspec.to_builtins(event) for event in studio.gear.events()]
    losses: list[torch.Tensor] = []

    def train() -> None:
        losses.extend(loop.learn(studio, step).detach() for step in steps[WARM : WARM + options.steps])

    took = seconds(device, train) / options.steps
    assert torch.isfinite(torch.stack(losses)).all()
    flop = counter.get_total_flops()
    return {
        "gear": studio.gear.now,
        "said": said,
        "warm_up_seconds": round(max(0.0, warm - took * (WARM - 1)), 2),
        "seconds_per_step": round(took, 4),
        "images_per_second": round(case.batch / took, 3),
        "tflop_per_image": round(flop / case.batch / 1e12, 4),
        "tflop_per_second": round(flop / took / 1e12, 4),
        "peak_allocated_gib": round(torch.cuda.max_memory_allocated(device.place) / 2**30, 2) if cuda else None,
        "peak_reserved_gib": round(torch.cuda.max_memory_reserved(device.place) / 2**30, 2) if cuda else None,
        "process_gib": round(psutil.Process().memory_info().rss / 2**30, 2),
    }


def show(found: dict[str, Any]) -> None:
    """One case as a line, and below it what was chosen in it."""
    line = f"{found['case']:16}{found['optimizer']:12}{found['batch']:>6}"
    if "error" in found:
        print(f"{line}  {found['error']}", flush=True)
        return
    memory = found["peak_reserved_gib"] or found["process_gib"]
    print(
        f"{line}{found['seconds_per_step']:>10.3f}{found['images_per_second']:>10.2f}{found['tflop_per_image']:>13.3f}"
        f"{found['share_of_matrix_rate']:>13.1%}{found.get('mfu', 0):>8.1%}"
        f"{found['warm_up_seconds']:>8.1f}s{memory:>8.2f}",
        flush=True,
    )
    for event in found["said"]:
        print("   ", event.get("message") or f"{event['field']}: {event['value']} ({event['reason']})", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the training of SDXL with random weights.")
    parser.add_argument("--small", action="store_true", help="a UNet of the same build that a CPU can train")
    parser.add_argument("--size", type=int, help="side of the pictures in pixels (default 1024; small: 256)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 6, 12])
    parser.add_argument("--gear", choices=GEARS, nargs="+", help="default: all that can run here")
    parser.add_argument("--minutes", type=float, default=8.0, help="no case begins after so many")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, help="steps that are timed (default 10; small: 4)")
    parser.add_argument("--optimizer", choices=get_args(OptimizerName), nargs="+", default=["adamw"])
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--checkpointing", action="store_true", help="compute parts of the step twice to save memory")
    options = parser.parse_args()
    options.size = options.size or (256 if options.small else 1024)
    options.steps = options.steps or (4 if options.small else 10)
    return options


def main() -> None:
    options = arguments()
    ends = time.monotonic() + 60 * options.minutes

    torch.manual_seed(0)
    device = choose(options.precision)
    rate = matrix_rate(device)
    unet = make_unet(device, options.small)
    if options.checkpointing:
        checkpointing.use(unet, ALL)
    gears = options.gear or (GEARS if device.place.type == "cuda" else GEARS[:2])
    # What takes no warm-up first, so that a budget that ends cuts off as little as it can.
    cases = [Case(*case) for case in product(gears, options.batch, options.optimizer)]
    peak = next((peak for name, peak in PEAKS.items() if name in device.name and device.precision == "bf16"), None)
    reckoned = RECKONED_TWICE if options.checkpointing else RECKONED
    lora = network.make(frozen_plan(cases[0], options, unet).plan, unet, None, device.place)
    lora.compute_in(device.dtype)
    parameters = sum(weight.numel() for weight in unet.parameters() if not weight.requires_grad)
    learned = sum(weight.numel() for weight in lora.parameters)

    print(f"{device.name}, {device.precision}: {rate / 1e12:.2f} TFLOP/s in a large matrix product")
    print(
        f"UNet of {parameters / 1e6:,.1f} M, LoRA of {learned / 1e6:.1f} M parameters at rank {options.rank}, "
        f"{options.size} × {options.size} pixels\n"
    )
    print(
        f"{'gear':16}{'optimizer':12}{'batch':>6}{'s/step':>10}{'images/s':>10}{'TFLOP/image':>13}{'of the rate':>13}"
        f"{'MFU':>8}{'warm-up':>9}{'GiB':>8}"
    )
    measured = []
    for case in cases:
        found: dict[str, Any] = {"case": case.gear, "optimizer": case.optimizer, "batch": case.batch}
        measured.append(found)
        if time.monotonic() > ends:
            found["error"] = "left out: no time"
        else:
            try:
                found |= measure(case, options, device, unet, lora)
            except torch.OutOfMemoryError:
                found["error"] = "out of memory"
            # Not in the `except`: there the error still holds on to what the step had in memory.
            gc.collect()
            if device.place.type == "cuda":
                torch.cuda.empty_cache()
        if "error" not in found:
            found["share_of_matrix_rate"] = round(found["tflop_per_second"] * 1e12 / rate, 4)
            if peak and not options.small and options.size == 1024:
                found["mfu"] = round(found["images_per_second"] * reckoned / peak, 4)
        show(found)
    if not options.small and options.size == 1024:
        print(f"\nReckoned by hand from the layers, at rank 32: {reckoned / 1e12} TFLOP an image")
    print()
    print(
        json.dumps(
            {
                "benchmark": "gpu",
                "device": device.name,
                "precision": device.precision,
                "small": options.small,
                "checkpointing": options.checkpointing,
                "size": options.size,
                "rank": options.rank,
                "steps": options.steps,
                "unet_parameters": parameters,
                "lora_parameters": learned,
                "matrix_tflop_per_second": round(rate / 1e12, 3),
                "tflop_per_image_reckoned": None if options.small or options.size != 1024 else reckoned / 1e12,
                "cases": measured,
            }
        )
    )


if __name__ == "__main__":
    main()
