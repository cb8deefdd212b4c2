"""A whole training beside diffusers' own LoRA script of the version that is installed, in one run on the CPU.

    python benchmarks/peer.py [--rounds 2] [--script PATH]

Both train on the base in the box and its 35 drawings with their captions: squares of 64 pixels, batches of 6, fp32,
rank and alpha 8 in the attention of the UNet, begun gaussian with a deviation of 1 ÷ rank as the script does, AdamW at
a constant 1e-3, gradients no longer than 1, plain squared error, 200 steps.
Ours is the real job, from a plan that is not frozen yet and an empty cache to the LoRA file. Processes take turns; each
has both cores. What differs, and cannot be made alike from outside:

- Ours encodes drawings and captions once, the script in every step. That is the point of the comparison.
- Ours sees 1,190 drawings in its 200 steps, the script 1,167: both end an epoch in a smaller batch, ours one of 17
  repeats.
- Ours takes the middle of what the VAE answers, spreads a batch's timesteps over their range, and shrinks by averaging;
  the script samples, draws each timestep by itself, and shrinks by Lanczos. Drawings are square: our buckets and
  its crop keep the same.
- Ours keeps two checkpoints and measures its fixed loss three times on the way; the script does neither.

Seconds per step come from the times at which each tells of its steps, from step 40 on: the script by its progress bar,
ours by its events. Two runs of different lengths would put the scatter of two starts, a second or so, on the
difference; here it is on none. The script runs with the thread settings of our jobs and with its own, and the faster
counts. The last line is JSON; the exit status is 1 when a goal is missed, and 2 when there is nothing to compare with.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import diffusers_script
import fixed_noise
import torch
import trainings
from diffusers_script import Script
from msgspec import Struct, convert, structs
from packages import overlay
from trainings import SPIN, Took

from core.bases import find, load
from core.demo import DRAWINGS, WORD
from core.errors import BocetoError
from core.lora import file as lora
from core.plan.optimizers import with_preset
from core.project import Place, Project
from core.settings import Plan, Settled
from core.training import network

SIDE, BATCH, RANK, RATE, STEPS = 64, 6, 8, 1e-3, 200
BETAS, DECAY = (0.9, 0.999), 0.01
WARM = 40
"""Steps before the pace counts: kernels are chosen and memory is claimed in the first ones."""
FIRST_SEED = 42
FASTER_STEPS, FASTER_WHOLE, NO_WORSE = 1.9, 2.0, 1.02
"""The goals: how many times the script's time is ours, a step and all in all; how many times its loss ours may be."""
OURS, THREADS_AS_OURS, THREADS_AS_IT_LIKES, OURS_AS_USUAL = (
    "boceto",
    "diffusers",
    "diffusers, its own threads",
    "boceto, as it is",
)
AS_PUBLISHED = (THREADS_AS_OURS, THREADS_AS_IT_LIKES)


class Goal(Struct, frozen=True):
    """What was asked, and what came out."""

    name: str
    value: float
    limit: float
    passed: bool


def plan(seed: int, beginning: Path | None = None) -> Plan:
    """Ours: as the script's, from the LoRA file `beginning`; without one in all its layers and begun as usual."""
    return Plan(
        repeats=17,
        epochs=2,
        batch_size=BATCH,
        optimizer="adamw",
        learning_rate=RATE,
        betas=BETAS,
        weight_decay=DECAY,
        scheduler="constant",
        warmup=0.0,
        rank=RANK,
        alpha=RANK,
        min_snr_gamma=0.0,
        prior_pictures=0,
        shuffle_tags=False,
        held_out=0,
        resolution=SIDE,
        precision="fp32",
        seed=seed,
        save_every=2,
        save_precision="fp32",
        preview_every=0,
        layers="attn-only" if beginning else "attn-mlp",
        init_lora=str(beginning or ""),
    )


def project(seed: int, beginning: Path | None = None) -> Project:
    """Ours around it."""
    return Project(name="peer", activation_word=WORD, kind="style", base="mini", plan=plan(seed, beginning))


def begin(path: Path, seed: int) -> Path:
    """Write a LoRA that has learned nothing and begins as peft's “gaussian”, which the script asks for."""
    unet = load.unet(find.resolve("mini"), torch.device("cpu"), torch.float32)
    settled = convert(structs.asdict(with_preset(plan(seed, path))), Settled)
    tensors = network.make(settled, unet, None, torch.device("cpu")).tensors()
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in sorted(tensors.items()):
        if name.endswith("lora_down.weight"):
            tensor.normal_(std=1 / RANK, generator=generator)
    lora.save(path, tensors, {}, torch.float32)
    return path


def options(base: Path, dataset: Path, work: Path, seed: int) -> dict[str, object]:
    """The script's."""
    return {
        "pretrained_model_name_or_path": base,
        "train_data_dir": dataset,
        "cache_dir": work / "cache",
        "output_dir": work / "output",
        "resolution": SIDE,
        "center_crop": True,
        "train_batch_size": BATCH,
        "max_train_steps": STEPS,
        "learning_rate": RATE,
        "lr_scheduler": "constant",
        "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1],
        "adam_weight_decay": DECAY,
        "max_grad_norm": 1.0,
        "rank": RANK,
        "mixed_precision": "no",
        "seed": seed,
    }


def ours(home: Path, seed: int, alike: bool) -> Took:
    """The real job in an empty `home`, with the script's layers and its beginning where it should be `alike`."""
    place = Place(home / "project")
    (place.folder / "dataset").mkdir(parents=True)
    beginning = begin(home / "beginning.safetensors", seed) if alike else None
    for source in DRAWINGS.iterdir():
        (place.folder / "dataset" / source.name).write_bytes(source.read_bytes())
    environment = {"BOCETO_CACHE": str(home / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    return trainings.ours(place, project(seed, beginning), environment, WARM)


def theirs(home: Path, seed: int, script: Script, packages: Path, threads: Mapping[str, str]) -> Took:
    """The script in an empty `home`."""
    path = home / diffusers_script.NAME
    home.mkdir()
    path.write_text(script.text, "utf-8")
    dataset = diffusers_script.lay_out(sorted(DRAWINGS.glob("*.png")), home / "dataset")
    asked = options(find.resolve("mini").path, dataset, home, seed)
    environment = diffusers_script.environment(packages, home / "hub") | {"CUDA_VISIBLE_DEVICES": "", **threads}
    lora = home / "output" / diffusers_script.LORA
    return trainings.theirs(diffusers_script.command(path, asked), lora, environment, diffusers_script.PROGRESS, WARM)


def typical(runs: Sequence[Took]) -> Took:
    """The medians of the rounds; the loss is their mean, as its scatter is the seeds'."""
    return Took(
        seconds_per_step=median(one.seconds_per_step for one in runs),
        whole=median(one.whole for one in runs),
        lora=runs[-1].lora,
        phases={name: round(median(one.phases[name] for one in runs), 2) for name in runs[0].phases},
        loss=sum(one.loss for one in runs) / len(runs),
    )


def judge(found: Mapping[str, Took]) -> list[Goal]:
    """Against the script at its fastest, and at its best."""
    mine = found[OURS]
    steps = min(found[name].seconds_per_step for name in AS_PUBLISHED) / mine.seconds_per_step
    whole = min(found[name].whole for name in AS_PUBLISHED) / mine.whole
    loss = mine.loss / min(found[name].loss for name in AS_PUBLISHED)
    return [
        Goal("seconds per step: times as fast", round(steps, 3), FASTER_STEPS, steps >= FASTER_STEPS),
        Goal("whole job: times as fast", round(whole, 3), FASTER_WHOLE, whole >= FASTER_WHOLE),
        Goal("loss on fixed noise: ours to the best", round(loss, 4), NO_WORSE, loss <= NO_WORSE),
    ]


def measure(home: Path, rounds: int, script: Script, packages: Path) -> tuple[dict[str, list[Took]], float]:
    """Every way in turn, forwards and backwards; then what each LoRA has learned, and the loss of the base alone."""
    ways = {
        OURS: lambda folder, seed: ours(folder, seed, alike=True),
        THREADS_AS_OURS: lambda folder, seed: theirs(folder, seed, script, packages, SPIN),
        THREADS_AS_IT_LIKES: lambda folder, seed: theirs(folder, seed, script, packages, {}),
        OURS_AS_USUAL: lambda folder, seed: ours(folder, seed, alike=False),
    }
    found: dict[str, list[Took]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            took = ways[name](home / f"{number} {name}", FIRST_SEED + number)
            print(f"  {name:28}{took.seconds_per_step * 1000:>7.1f} ms a step{took.whole:>7.1f} s", flush=True)
            found[name].append(took)
    base, drawings = find.resolve("mini").path, sorted(DRAWINGS.glob("*.png"))
    for name, runs in found.items():
        found[name] = [
            structs.replace(one, loss=fixed_noise.loss(base, Path(one.lora), drawings, SIDE)) for one in runs
        ]
    return found, fixed_noise.loss(base, None, drawings, SIDE)


def report(found: Mapping[str, Took], base_loss: float, layers: Mapping[str, tuple[int, int]]) -> list[Goal]:
    """Print the table and the goals."""
    print(f"{'':28}{'a step':>9}{'whole':>9}{'layers':>8}{'numbers':>9}{'loss':>9}")
    for name, one in found.items():
        count, numbers = layers[name]
        print(
            f"{name:28}{one.seconds_per_step * 1000:>6.1f} ms{one.whole:>7.1f} s{count:>8}{numbers:>9}{one.loss:>9.5f}"
            f"   {', '.join(f'{phase} {t:.1f} s' for phase, t in one.phases.items())}"
        )
    print(f"{'the base alone':28}{base_loss:>44.5f}")
    goals = judge(found)
    for goal in goals:
        bound = "at most" if goal.limit == NO_WORSE else "at least"
        print(f"{goal.name:40}{goal.value:>7.2f}  {bound} {goal.limit:<6}{'✓' if goal.passed else '✗'}")
    return goals


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a training beside diffusers' own script.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--script", type=Path, help="a copy of the script, instead of fetching it")
    asked = parser.parse_args()
    try:
        script = diffusers_script.find(asked.script)
        diffusers_script.check(script, options(Path(), Path(), Path(), 0))
        packages = overlay(diffusers_script.NEEDS)
    except BocetoError as error:
        print(error, flush=True)
        print(json.dumps({"benchmark": "peer", "skipped": str(error)}))
        return 2
    print(f"{script.source}\n  sha256 {script.digest}", flush=True)
    with TemporaryDirectory() as name:
        runs, base_loss = measure(Path(name), asked.rounds, script, packages)
        layers = {way: fixed_noise.layers(Path(found[0].lora)) for way, found in runs.items()}
    found = {way: typical(rounds) for way, rounds in runs.items()}
    goals = report(found, base_loss, layers)
    print(json.dumps(summary(script, found, runs, base_loss, layers, goals)))
    return 0 if all(goal.passed for goal in goals) else 1


def summary(
    script: Script,
    found: Mapping[str, Took],
    runs: Mapping[str, Sequence[Took]],
    base_loss: float,
    layers: Mapping[str, tuple[int, int]],
    goals: Sequence[Goal],
) -> dict[str, Any]:
    """The last line."""
    return {
        "benchmark": "peer",
        "script": script.source,
        "sha256": script.digest,
        "rounds": len(runs[OURS]),
        "steps": STEPS,
        "batch": BATCH,
        "ways": {
            way: {
                "seconds_per_step": round(one.seconds_per_step, 5),
                "seconds": round(one.whole, 2),
                "phases": one.phases,
                "layers": layers[way][0],
                "numbers": layers[way][1],
                "loss": round(one.loss, 6),
                "rounds": [
                    [round(each.seconds_per_step, 5), round(each.whole, 2), round(each.loss, 6)] for each in runs[way]
                ],
            }
            for way, one in found.items()
        },
        "base_loss": round(base_loss, 6),
        "goals": {goal.name: [goal.value, goal.limit, goal.passed] for goal in goals},
    }


if __name__ == "__main__":
    sys.exit(main())
