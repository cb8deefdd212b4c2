"""The whole guide on SDXL, from 35 drawings to the file, and steps beside those of diffusers' script and sd-scripts.

    python benchmarks/guide.py [--batch 6 1] [--script PATH] [--sd-scripts FOLDER] [--minutes 7] [--small]

For an NVIDIA GPU with 60 GB. The base is SDXL in its own size with random weights, laid down in a folder of 7 GB and
thrown away again; the drawings are those in the box, enlarged to 1024 × 1024. All train the UNet alone at rank 16 in
bf16 with AdamW, in processes of their own, from files to files:

- the guide: the plan that Boceto recommends for these drawings, some 400 steps, from an empty cache, with its previews
  and its files; without the base's own pictures beside each batch, which the others do not have;
- Boceto in its fastest gear, all 722 layers, and with the 560 layers of attention alone;
- diffusers' script, which has only the latter, and encodes drawings and captions anew in each step;
- sd-scripts from its own checkout, where one is given, by the files that `boceto export kohya` writes: 722 layers,
  latents and captions encoded once, and SDPA. Its own versions of its libraries, but our torch.

Seconds per step come from the times at which each tells of its steps, after the first ones. `--small` does the same on
the base in the box at 64 pixels, without sd-scripts, which knows SDXL in its full size only; nothing is judged then.
The last line is JSON; the exit status is 1 when a goal is missed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffusers_script
import random_base
import sd_scripts
import torch
import trainings
from msgspec import structs
from packages import overlay
from PIL import Image
from trainings import SPIN, Took

from core.bases import find
from core.demo import DRAWINGS, WORD
from core.errors import BocetoError
from core.plan.frozen import freeze
from core.project import Place, Project
from core.settings import Plan
from core.training.device import choose

SIDE, SMALL_SIDE, RANK, RATE, SEED = 1024, 64, 16, 1e-4, 42
STEPS = {1: 105}
"""Of each training that is compared, by its batch: ten of them pass between two of Boceto's reports at batch 1."""
USUAL_STEPS = 35
WARM = 14
"""Steps before the pace counts: with its three at the beginning a graph is captured, a peer's kernels are chosen."""
OURS, ATTENTION, DIFFUSERS, SD_SCRIPTS = "boceto", "boceto, attention", "diffusers", "sd-scripts"
PEERS = (DIFFUSERS, SD_SCRIPTS)
FASTER, WHOLE, PICTURES = 3.0, 240.0, {6: 20.0, 1: 10.0}
"""The goals: times as fast as the best peer, seconds of the whole guide, and on an H200 pictures a second by batch."""


@dataclass(frozen=True)
class Room:
    """Where everything is."""

    folder: Path
    base: Path
    drawings: Path
    side: int
    small: bool
    script: diffusers_script.Script | None
    sd_scripts: Path | None

    @property
    def precision(self) -> Any:
        """The arithmetic of the base."""
        return "fp32" if self.small else "bf16"


def lay_out_drawings(folder: Path, side: int) -> Path:
    """The drawings in the box as squares of `side` pixels, with their captions."""
    folder.mkdir(parents=True)
    for source in DRAWINGS.glob("*.png"):
        with Image.open(source) as image:
            image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC).save(folder / source.name)
        (folder / source.name).with_suffix(".txt").write_bytes(source.with_suffix(".txt").read_bytes())
    return folder


def steps(batch: int) -> int:
    """How many of them are made."""
    return STEPS.get(batch, USUAL_STEPS)


def plan(room: Room, batch: int) -> Plan:
    """What is compared: the same steps for all."""
    count = len(list(room.drawings.glob("*.png")))
    return Plan(
        repeats=max(1, steps(batch) * batch // count),
        epochs=1,
        batch_size=batch,
        optimizer="adamw",
        learning_rate=RATE,
        scheduler="constant",
        warmup=0.0,
        rank=RANK,
        alpha=RANK,
        min_snr_gamma=0.0,
        prior_pictures=0,
        shuffle_tags=False,
        caption_chunks=1,
        held_out=0,
        resolution=room.side,
        precision=room.precision,
        seed=SEED,
        preview_every=0,
        gear="eager" if room.small else "graphs",
    )


def placed(room: Room, name: str, chosen: Plan) -> tuple[Place, Project]:
    """A project of its own with these drawings."""
    place = Place(room.folder / name)
    place.folder.mkdir()
    (place.folder / "dataset").symlink_to(room.drawings)
    return place, Project(name="guide", activation_word=WORD, kind="style", base=str(room.base), plan=chosen)


def guide(room: Room) -> Took:
    """The plan as it is recommended, but for the base's own pictures, from an empty cache to the file."""
    chosen = Plan(rank=RANK, prior_pictures=0, resolution=room.side, precision=room.precision, seed=SEED)
    place, project = placed(room, "the guide", chosen)
    return trainings.ours(place, project, {"BOCETO_CACHE": str(room.folder / "cache")}, WARM)


def ours(room: Room, batch: int, name: str) -> Took:
    """Boceto's steps; what it has encoded for the guide it finds."""
    chosen = structs.replace(plan(room, batch), layers="attn-only" if name == ATTENTION else "attn-mlp")
    place, project = placed(room, f"{name} {batch}", chosen)
    return trainings.ours(place, project, {"BOCETO_CACHE": str(room.folder / "cache")}, WARM)


def diffusers(room: Room, batch: int) -> Took:
    """The steps of diffusers' script."""
    assert room.script
    home = room.folder / f"diffusers {batch}"
    home.mkdir()
    path = home / diffusers_script.NAME
    path.write_text(room.script.text, "utf-8")
    dataset = diffusers_script.lay_out(sorted(room.drawings.glob("*.png")), home / "dataset")
    asked = {
        "pretrained_model_name_or_path": room.base,
        "train_data_dir": dataset,
        "cache_dir": home / "cache",
        "output_dir": home / "output",
        "resolution": room.side,
        "center_crop": True,
        "train_batch_size": batch,
        "max_train_steps": steps(batch),
        "learning_rate": RATE,
        "lr_scheduler": "constant",
        "max_grad_norm": 1.0,
        "rank": RANK,
        "mixed_precision": "no" if room.small else "bf16",
        "dataloader_num_workers": 0 if room.small else 4,
        "seed": SEED,
    }
    diffusers_script.check(room.script, asked)
    environment = diffusers_script.environment(overlay(diffusers_script.NEEDS), home / "hub") | SPIN
    return trainings.theirs(
        diffusers_script.command(path, asked),
        home / "output" / diffusers_script.LORA,
        environment,
        diffusers_script.PROGRESS,
        WARM,
    )


def by_sd_scripts(room: Room, batch: int) -> Took:
    """The steps of sd-scripts."""
    assert room.sd_scripts
    script = sd_scripts.find(room.sd_scripts)
    packages = overlay(sd_scripts.NEEDS)
    place, project = placed(room, f"sd-scripts {batch}", plan(room, batch))
    frozen = freeze(place, project)
    command = sd_scripts.command(script, diffusers_script.LAUNCHER, frozen, place.folder / "kohya")
    return trainings.theirs(
        command,
        Path(f"{frozen.output}.safetensors"),
        sd_scripts.environment(packages, script, place.folder / "hub"),
        sd_scripts.PROGRESS,
        WARM,
        script.parent,
    )


def ways(room: Room, batches: list[int]) -> dict[tuple[str, int], Callable[[], Took]]:
    """What is measured under which name at which batch, in this order."""
    found: dict[tuple[str, int], Callable[[], Took]] = {("the guide", 6): lambda: guide(room)}
    for batch in batches:
        found[OURS, batch] = lambda batch=batch: ours(room, batch, OURS)
        if room.sd_scripts:
            found[SD_SCRIPTS, batch] = lambda batch=batch: by_sd_scripts(room, batch)
        if room.script:
            found[DIFFUSERS, batch] = lambda batch=batch: diffusers(room, batch)
        found[ATTENTION, batch] = lambda batch=batch: ours(room, batch, ATTENTION)
    return found


def judge(found: Mapping[tuple[str, int], Took], device: str) -> list[tuple[str, float, float, bool]]:
    """What was asked: its name, what came out, the limit, and whether that is met."""
    goals = []
    for batch in dict.fromkeys(batch for name, batch in found if name == OURS):
        rate = batch / found[OURS, batch].seconds_per_step
        best = [batch / found[name, batch].seconds_per_step for name in PEERS if (name, batch) in found]
        if not best:
            goals.append((f"batch {batch}: peers to compare with", 0.0, 1.0, False))
        else:
            goals.append((f"batch {batch}: times the best peer", rate / max(best), FASTER, rate / max(best) >= FASTER))
        if batch in PICTURES and "H200" in device:
            goals.append((f"batch {batch}: pictures a second", rate, PICTURES[batch], rate >= PICTURES[batch]))
    if whole := found.get(("the guide", 6)):
        goals.append(("the whole guide: seconds, at most", whole.whole, WHOLE, whole.whole <= WHOLE))
    return goals


def show(name: str, batch: int, took: Took) -> None:
    """One training as a line."""
    phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in took.phases.items())
    print(
        f"{name:20}{batch:>6}{took.seconds_per_step:>9.3f}{batch / took.seconds_per_step:>10.2f}{took.whole:>9.1f}"
        f"{took.memory / 2**30:>8.2f}   {phases}",
        flush=True,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[6, 1])
    parser.add_argument("--only", nargs="+", choices=("guide", OURS, ATTENTION, *PEERS), help="default: all")
    parser.add_argument("--script", type=Path, help="a copy of diffusers' script, instead of fetching it")
    parser.add_argument("--sd-scripts", type=Path, help="a checkout of sd-scripts")
    parser.add_argument("--minutes", type=float, default=7.0, help="nothing begins after so many")
    parser.add_argument("--small", action="store_true", help="the base in the box, which a CPU trains")
    return parser.parse_args()


def room_in(folder: Path, options: argparse.Namespace) -> Room:
    """Everything that is needed before the first training."""
    side = SMALL_SIDE if options.small else SIDE
    try:
        script = diffusers_script.find(options.script)
        overlay(diffusers_script.NEEDS)
    except BocetoError as error:
        print(error, flush=True)
        script = None
    device = choose()
    base = find.resolve("mini").path
    if not options.small:
        base = random_base.lay_down(folder / "base", device.place, torch.bfloat16)
        torch.cuda.empty_cache()
    drawings = lay_out_drawings(folder / "drawings", side)
    return Room(folder, base, drawings, side, options.small, script, None if options.small else options.sd_scripts)


def main() -> int:
    options = arguments()
    ends = time.monotonic() + 60 * options.minutes
    device = choose()
    if device.place.type != "cuda" and not options.small:
        sys.exit("There is no NVIDIA GPU here. With --small the same is done on the base in the box.")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found: dict[tuple[str, int], Took] = {}
    errors: dict[str, str] = {}
    with TemporaryDirectory() as name:
        room = room_in(Path(name), options)
        print(f"{device.name}, {room.precision}, {room.side} × {room.side} pixels, rank {RANK}\n")
        print(f"{'':20}{'batch':>6}{'s/step':>9}{'images/s':>10}{'whole':>9}{'GiB':>8}")
        for (way, batch), measure in ways(room, options.batch).items():
            if options.only and way.removeprefix("the ") not in options.only:
                continue
            if time.monotonic() > ends:
                errors[f"{way} {batch}"] = "left out: no time"
            else:
                try:
                    found[way, batch] = measure()
                except Exception as error:  # whatever one of them does, the others are still of use
                    errors[f"{way} {batch}"] = str(error) or type(error).__name__
            if (way, batch) in found:
                show(way, batch, found[way, batch])
            else:
                print(f"{way:20}{batch:>6}  {errors[f'{way} {batch}']}", flush=True)
    goals = [] if room.small else judge(found, device.name)
    for goal, value, limit, passed in goals:
        print(f"{goal:40}{value:>8.2f}  {limit:<6}{'✓' if passed else '✗'}")
    print(
        json.dumps(
            {
                "benchmark": "guide",
                "device": device.name,
                "small": room.small,
                "script": room.script.digest if room.script else None,
                "ways": {f"{way} {batch}": structs.asdict(took) for (way, batch), took in found.items()},
                "errors": errors,
                "goals": goals,
            }
        )
    )
    return 0 if all(passed for *_goal, passed in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
