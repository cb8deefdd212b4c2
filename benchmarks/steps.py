"""Seconds per step on the base in the box, by optimizer, beside the bare forward and backward of the same UNet.

    python benchmarks/steps.py [--rounds 8] [--block 4]

Two plans: batches of 6 at rank 8 with nothing else, and the demo's own (convolutions, text encoders, pictures of the
base beside each batch). A bare step has the same LoRA in the same UNet and a batch of the same shapes that is always
the same; its loss is the plain squared error, and nothing is learned from it. All ways take turns, a block of steps
each, so that whatever else the machine does hits them alike; medians count. The last line is JSON.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace as with_parts
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from msgspec.structs import replace
from torch.nn import functional
from transformers.utils.logging import disable_progress_bar

from core import demo
from core.plan.frozen import FrozenPlan, freeze
from core.plan.schedule import Step, schedule
from core.settings import OptimizerName, Plan
from core.training import loop
from core.training.device import choose
from core.training.optimizer import Optimizer
from core.training.step import predict
from core.training.studio import Studio, open_studio

OPTIMIZERS: tuple[OptimizerName, ...] = ("adamw", "adamw8bit", "prodigy")
GOAL = 1.15
"""How many times as long as a bare step one of ours may take."""
PLAIN = Plan(batch_size=6, rank=8, prior_pictures=0, held_out=0)


def studios(folder: Path, plan: Plan | None) -> dict[OptimizerName, Studio]:
    """One training for each optimizer, on the demo's drawings; all share one UNet and one LoRA in it."""
    made: dict[OptimizerName, Studio] = {}
    for optimizer in OPTIMIZERS:
        where, project = demo.begin(folder, optimizer, seed=42)
        if plan:
            project = replace(project, plan=replace(plan, optimizer=optimizer))
        frozen = freeze(where, project)
        if not made:
            made[optimizer] = opened(frozen)
            continue
        first = next(iter(made.values()))
        total = len(first.schedule.steps)
        made[optimizer] = with_parts(
            first, frozen=frozen, optimizer=Optimizer(frozen.plan, first.network, total, first.device.scaled)
        )
    return made


def opened(frozen: FrozenPlan) -> Studio:
    opening = open_studio(frozen, schedule(frozen), choose(frozen.plan.precision))
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return end.value


def bare(studio: Studio, step: Step) -> Callable[[], None]:
    """The least that training on this batch could be: predict, compare, go back."""
    batch, dtype = studio.data.batch(step), studio.device.dtype
    noisy = studio.noising.mix(batch.latents, batch.noise, batch.timesteps).to(dtype)
    captions = [sight.caption for sight in step.sights]

    def once() -> None:
        context, pooled = batch.context, batch.pooled
        if studio.frozen.plan.text_encoders:
            context, pooled = studio.data.texts(captions)
        answer = predict(
            studio.unet, noisy, batch.timesteps, context.to(dtype), pooled.to(dtype), batch.time_ids.to(dtype)
        )
        error = functional.mse_loss(answer, batch.noise)
        error.backward()

    return once


def learning(studio: Studio, steps: Iterator[Step]) -> Callable[[], None]:
    """The next step of a training, as the loop makes it."""
    return lambda: loop.learn(studio, next(steps))


def seconds(work: Callable[[], None], times: int) -> float:
    """Of one step."""
    began = time.perf_counter()
    for _time in range(times):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / times


def compare(made: dict[OptimizerName, Studio], rounds: int, block: int) -> dict[str, object]:
    """Every way in turn, `rounds` times."""
    first = next(iter(made.values()))
    largest = max(len(step.sights) for step in first.schedule.steps)
    whole = [step for step in first.schedule.steps if len(step.sights) == largest]
    ways = {"bare": bare(first, whole[0])} | {name: learning(one, cycle(whole)) for name, one in made.items()}
    for work in ways.values():
        seconds(work, 2)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _round in range(rounds):
        for name, work in ways.items():
            taken[name].append(seconds(work, block))
    first.network.zero_grad()
    return {
        "batch": largest,
        "seconds_per_step": {name: round(median(times), 5) for name, times in taken.items()},
        "to_bare": {
            name: round(median(ours / least for ours, least in zip(taken[name], taken["bare"], strict=True)), 4)
            for name in OPTIMIZERS
        },
    }


def main() -> None:
    disable_progress_bar()
    parser = argparse.ArgumentParser(description="Measure training steps on the base in the box.")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--block", type=int, default=4, help="steps of one way before the next has its turn")
    options = parser.parse_args()
    found = {}
    with TemporaryDirectory() as name:
        os.environ["BOCETO_CACHE"] = str(Path(name) / "cache")
        for title, plan in (("plain", PLAIN), ("demo", None)):
            with redirect_stdout(sys.stderr):  # what the libraries have to say is not the last line
                made = studios(Path(name) / title, plan)
            found[title] = compare(made, options.rounds, options.block)
            device = next(iter(made.values())).device.name
            print(f"{title} plan, {found[title]['batch']} pictures a step, {device}, {torch.get_num_threads()} threads")
            for way, took in found[title]["seconds_per_step"].items():
                ratio = found[title]["to_bare"].get(way)
                beside = f"{ratio:>8.3f} × bare, goal {GOAL}: {'pass' if ratio <= GOAL else 'fail'}" if ratio else ""
                print(f"  {way:12}{took * 1000:>9.1f} ms{beside}")
            print(flush=True)
    print(
        json.dumps(
            {
                "benchmark": "steps",
                "device": device,
                "threads": torch.get_num_threads(),
                "rounds": options.rounds,
                "block": options.block,
                "goal_to_bare": GOAL,
                "plans": found,
            }
        )
    )


if __name__ == "__main__":
    main()
