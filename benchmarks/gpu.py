"""How fast a LoRA of the whole SDXL trains here, how much of the card that uses, and how much memory.

    python benchmarks/gpu.py [--size 1024] [--batch 1 6] [--rank 16] [--steps 10] [--small]

The UNet has SDXL's own architecture and random weights, made where they are needed: nothing is downloaded, and the
arithmetic is the same. Data, network, step and optimizer are those of a real training. `--small` takes a UNet of the
same build, some eighty times smaller, which a CPU trains in seconds. The last line is JSON.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import psutil
import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from core.bases.base import Base
from core.images.buckets import Buckets, place
from core.images.treatment import Treatment
from core.plan.frozen import FrozenDrawing, FrozenPlan
from core.plan.schedule import schedule
from core.plan.settle import settle
from core.project import Project
from core.settings import OptimizerName, Plan, Precision
from core.training import loop, network
from core.training.data import Data, Texts
from core.training.device import Device, choose
from core.training.network import Network
from core.training.optimizer import Optimizer
from core.training.step import Noising
from core.training.studio import Studio

CONFIG = Path(__file__).parents[1] / "tests" / "data" / "sdxl_unet_config.json"
SMALL = {
    "block_out_channels": [64, 128, 256],
    "attention_head_dim": [1, 2, 4],
    "transformer_layers_per_block": [1, 1, 2],
    "cross_attention_dim": 256,
}
RECKONED = 15.1e12
"""FLOP for one picture of 1024 × 1024 at rank 32, reckoned by hand from the layers, without checkpointing."""
OPTIMIZERS: tuple[OptimizerName, ...] = ("adamw", "adamw8bit")
DRAWINGS = 12
WARM = 3
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

    optimizer: OptimizerName
    batch: int


def make_unet(device: Device, small: bool) -> Any:
    """SDXL's UNet (or the small one) with random weights of a sensible size, frozen."""
    config = json.loads(CONFIG.read_text()) | (SMALL if small else {})
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    # Not diffusers' own `to`, which warns of casts that from_pretrained would have made.
    nn.Module.to(unet, device.dtype).to_empty(device=device.place).eval().requires_grad_(False)
    assert not list(unet.buffers())
    for name, weight in unet.named_parameters():
        if weight.dim() > 1:
            weight.normal_(std=weight[0].numel() ** -0.5)
        else:  # of a norm, or a bias
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
    return unet


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
        rank=options.rank,
        prior_pictures=0,
        held_out=0,
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
        data=Data(frozen, latents, [], texts, TIMESTEPS, device.place),
        noising=Noising.of(scheduler, base.prediction, device.place),
        chunks=1,
        previews=(),
    )


def wait(device: Device) -> None:
    """Until the device has done all it was given."""
    if device.place.type == "cuda":
        torch.cuda.synchronize(device.place)


def seconds(device: Device, work: Callable[[], object]) -> float:
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
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
    for step in steps[1:WARM]:
        loop.learn(studio, step)
    losses: list[torch.Tensor] = []

    def train() -> None:
        losses.extend(loop.learn(studio, step).detach() for step in steps[WARM : WARM + options.steps])

    took = seconds(device, train) / options.steps
    assert torch.isfinite(torch.stack(losses)).all()
    flop = counter.get_total_flops()
    return {
        "seconds_per_step": round(took, 4),
        "images_per_second": round(case.batch / took, 3),
        "tflop_per_image": round(flop / case.batch / 1e12, 4),
        "tflop_per_second": round(flop / took / 1e12, 4),
        "peak_allocated_gib": round(torch.cuda.max_memory_allocated(device.place) / 2**30, 2) if cuda else None,
        "peak_reserved_gib": round(torch.cuda.max_memory_reserved(device.place) / 2**30, 2) if cuda else None,
        "process_gib": round(psutil.Process().memory_info().rss / 2**30, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the training of SDXL with random weights.")
    parser.add_argument("--small", action="store_true", help="a UNet of the same build that a CPU can train")
    parser.add_argument("--size", type=int, help="side of the pictures in pixels (default 1024; small: 256)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, help="steps that are timed (default 10; small: 4)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, nargs="+", default=OPTIMIZERS)
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--checkpointing", action="store_true", help="compute parts of the step twice to save memory")
    options = parser.parse_args()
    options.size = options.size or (256 if options.small else 1024)
    options.steps = options.steps or (4 if options.small else 10)

    torch.manual_seed(0)
    device = choose(options.precision)
    rate = matrix_rate(device)
    unet = make_unet(device, options.small)
    if options.checkpointing:
        unet.enable_gradient_checkpointing()
    cases = [Case(optimizer, batch) for batch in options.batch for optimizer in options.optimizer]
    lora = network.make(frozen_plan(cases[0], options, unet).plan, unet, None, device.place)
    parameters = sum(weight.numel() for weight in unet.parameters() if not weight.requires_grad)
    learned = sum(weight.numel() for weight in lora.parameters)

    print(f"{device.name}, {device.precision}: {rate / 1e12:.2f} TFLOP/s in a large matrix product")
    print(
        f"UNet of {parameters / 1e6:,.1f} M, LoRA of {learned / 1e6:.1f} M parameters at rank {options.rank}, "
        f"{options.size} × {options.size} pixels\n"
    )
    print(f"{'optimizer':12}{'batch':>6}{'s/step':>10}{'images/s':>10}{'TFLOP/image':>13}{'of the rate':>13}{'GiB':>8}")
    measured = []
    for case in cases:
        found: dict[str, Any] = {"optimizer": case.optimizer, "batch": case.batch}
        try:
            found |= measure(case, options, device, unet, lora)
        except torch.OutOfMemoryError:
            found["error"] = "out of memory"
        # Not in the `except`: there the error still holds on to what the step had in memory.
        gc.collect()
        if device.place.type == "cuda":
            torch.cuda.empty_cache()
        measured.append(found)
        if "error" in found:
            print(f"{case.optimizer:12}{case.batch:>6}  {found['error']}", flush=True)
            continue
        found["share_of_matrix_rate"] = round(found["tflop_per_second"] * 1e12 / rate, 4)
        memory = found["peak_reserved_gib"] or found["process_gib"]
        print(
            f"{case.optimizer:12}{case.batch:>6}{found['seconds_per_step']:>10.3f}{found['images_per_second']:>10.2f}"
            f"{found['tflop_per_image']:>13.3f}{found['share_of_matrix_rate']:>13.1%}{memory:>8.2f}",
            flush=True,
        )
    if not options.small and options.size == 1024:
        print(f"\nReckoned by hand from the layers, at rank 32: {RECKONED / 1e12} TFLOP an image")
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
                "tflop_per_image_reckoned": None if options.small or options.size != 1024 else RECKONED / 1e12,
                "cases": measured,
            }
        )
    )


if __name__ == "__main__":
    main()
