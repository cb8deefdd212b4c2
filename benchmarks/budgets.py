"""Whether what is reckoned is what a GPU takes: trainings of SDXL held to budgets of memory, and what each costs.

    python benchmarks/budgets.py [--memory 6 8 12 24] [--batch 6] [--rank 16]

Needs an NVIDIA GPU. The UNet has SDXL's own architecture and random weights. For each budget the measures are reckoned,
the probe of a real training replaces what was reckoned by what it takes, and some steps are timed. Goals: what was
reckoned is at most 10 % above what was measured, and never below. The last line is JSON.
"""

import argparse
import json
import sys
from typing import Any

import torch
from gpu import Case, frozen_plan, make_unet, seconds, studio_of
from msgspec import to_builtins

from core.plan.fit import Search
from core.plan.memory import GIB, Measures, needed
from core.training import checkpointing, loop, network, nf4
from core.training.device import Device, choose, free
from core.training.fit import size_of
from core.training.probe import measured
from core.training.studio import Studio

_TIMED = 5


def opened(options: argparse.Namespace, device: Device, measures: Measures) -> Studio:
    """A training with these measures, ready to begin."""
    torch.manual_seed(0)
    unet = make_unet(device, small=False)
    if measures.nf4:
        unet = nf4.shrunk(unet.cpu(), device.place, device.dtype)
    frozen = frozen_plan(Case("eager", options.batch, "adamw"), options, unet)
    lora = network.make(frozen.plan, unet, None, device.place)
    lora.compute_in(device.dtype)
    checkpointing.use(unet, measures.twice)
    return studio_of(frozen, device, unet, lora).anew(measures)


def measure(budget: float, options: argparse.Namespace, device: Device) -> dict[str, Any]:
    """The measures for one budget, what they were reckoned to take and what they take, and the seconds of a step."""
    device.limit(None)  # the whole base comes first, whatever becomes of it
    studio = opened(options, device, Measures())
    limit = device.limit(budget)
    assert limit
    plan, size = studio.frozen.plan, size_of(studio.frozen, studio.schedule)
    search, tries, done, peak = Search(plan, size, limit), [], False, None
    while not done:
        measures = search.measures
        if measures.nf4 != studio.measures.nf4:
            del studio
            free()
            device.limit(None)
            studio = opened(options, device, measures)
            device.limit(budget)
        studio = studio.anew(measures)
        peak = measured(studio)
        reckoned = needed(plan, *size, measures).peak
        tries.append({"measures": to_builtins(measures), "reckoned": reckoned, "measured": peak})
        done = search.told(peak)
    studio = studio.anew(search.measures)
    whole = [step for step in studio.schedule.steps if len(step.sights) == options.batch]
    took = seconds(device, lambda: [loop.learn(studio, step) for step in whole[:_TIMED]]) / _TIMED
    return {"budget": budget, "limit": limit, "tries": tries, "seconds_per_step": round(took, 4)}


def main() -> None:
    """Print a line for each try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=float, nargs="+", default=[24, 12, 8, 6])
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--rank", type=int, default=16)
    options = parser.parse_args()
    options.size, options.steps = 1024, _TIMED
    device = choose()
    if device.place.type != "cuda":
        sys.exit("There is no NVIDIA GPU here: memory of this kind cannot be measured.")
    found = []
    for budget in options.memory:
        free()
        case = measure(budget, options, device)
        found.append(case)
        for one in case["tries"]:
            took = f"{one['measured'] / GIB:6.2f}" if one["measured"] else "too much"
            ratio = f"{one['reckoned'] / one['measured']:.3f}" if one["measured"] else ""
            print(
                f"{budget:5.0f} GB  {one['reckoned'] / GIB:6.2f} reckoned, {took} measured  {ratio}  {one['measures']}"
            )
        print(f"          {case['seconds_per_step']:.3f} s a step of {options.batch}", flush=True)
    print(json.dumps({"benchmark": "budgets", "device": device.name, "rank": options.rank, "cases": found}))


if __name__ == "__main__":
    main()
