"""Where the demo's time goes, and whether its style hangs on the activation word.

    python benchmarks/demo.py [--seeds 1 | --seeds 3] [--optimizer prodigy]

Runs `boceto demo` as anyone would, each training seed in a folder of its own with nothing in the cache, and reads the
times from the history of its runs. The last line is JSON; the exit status is 1 when a seed misses a limit.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.plan.steps import TARGET
from core.runs import events
from core.runs.launch import stop
from core.runs.run import Run, runs_in

FIRST_SEED = 42
WITH_WORD = 0.75
"""The least share of the way from the base's pictures to the drawings, with the word."""
WITHOUT_WORD = 0.40
"""The most without it."""
LONGEST = 180.0
"""Seconds on two cores."""


def run_demo(home: Path, seed: int, optimizer: str) -> tuple[dict[str, Any], dict[str, float], int]:
    """Run it in an empty `home`. Returns what it said at its end, seconds by phase, and the steps of its training."""
    project = home / "project"
    command = ["demo", "--json", "--seed", str(seed), "--optimizer", optimizer, "--folder", str(project)]
    environment = os.environ | {
        "BOCETO_CACHE": str(home / "cache"),
        "BOCETO_PROJECTS": str(home / "Loras"),
        "BOCETO_LANGUAGE": "en",
    }
    began = time.time()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tui", *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    finally:
        # A job lives on when whoever watched it is gone, and its folder is about to be.
        for run in [*runs_in(project / "runs"), *runs_in(project / "pictures")]:
            stop(run, wait=60)
    ended = time.time()
    training, drawing = runs_in(project / "runs")[0], runs_in(project / "pictures")[0]
    before, learned = phases(training)
    between, drawn = phases(drawing)
    times = {
        "start": before - began,
        **learned,
        "pictures: start": between - last(training),
        **{f"pictures: {name}" if name == "load" else name: took for name, took in drawn.items()},
        "figures": ended - last(drawing),
        "all": ended - began,
    }
    total = next(event.total for event in training.history() if isinstance(event, events.Started))
    return json.loads(done.stdout.splitlines()[-1]), {name: round(took, 2) for name, took in times.items()}, total


def phases(run: Run) -> tuple[float, dict[str, float]]:
    """When a run's first event was, and the seconds of each phase until its last."""
    history = run.history()
    found: dict[str, float] = {}
    phase = "load"
    for before, event in pairwise(history):
        if isinstance(before, events.Phase):
            phase = before.name
        # Most phases are told when they begin; what is told when it is done took the time up to then. Checkpoints and
        # files are written beside the steps, whose time it is.
        match event:
            case events.Phase(name=name) if event.done:
                pass
            case events.Evaluated():
                name = "evaluation"
            case _:
                name = phase
        found[name] = found.get(name, 0.0) + event.t - before.t
    return history[0].t, found


def last(run: Run) -> float:
    return run.history()[-1].t


def report(seed: int, said: dict[str, Any], times: dict[str, float], steps: int) -> dict[str, Any]:
    """Print one seed and judge it."""
    passed = {
        "way_with_word": said["way_with_word"] >= WITH_WORD,
        "way_without_word": said["way_without_word"] <= WITHOUT_WORD,
        "steps": steps in TARGET,
        "seconds": times["all"] <= LONGEST,
    }
    print(f"Seed {seed}")
    for name, took in times.items():
        print(f"  {name:20}{took:>8.1f} s{took / times['all']:>7.0%}")
    print(f"  {'':20}{'colour':>10}{'coloured':>10}{'paper':>10}")
    for name, style in said["figures"].items():
        print(f"  {name:20}{style['chroma']:>10.3f}{style['coloured']:>10.3f}{style['white']:>10.3f}")
    limits: Sequence[tuple[str, str, str]] = (
        ("way_with_word", f"{said['way_with_word']:.2f}", f"at least {WITH_WORD:.2f}"),
        ("way_without_word", f"{said['way_without_word']:.2f}", f"at most {WITHOUT_WORD:.2f}"),
        ("steps", str(steps), f"{TARGET.start} to {TARGET.stop - 1}"),
        ("seconds", f"{times['all']:.0f}", f"at most {LONGEST:.0f}"),
    )
    for name, value, limit in limits:
        print(f"  {name:20}{value:>8}  {limit:18}{'pass' if passed[name] else 'FAIL'}")
    print(flush=True)
    return {
        "seed": seed,
        "steps": steps,
        "phases": times,
        "figures": said["figures"],
        "way_with_word": round(said["way_with_word"], 4),
        "way_without_word": round(said["way_without_word"], 4),
        "passed": passed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the demo.")
    parser.add_argument("--seeds", type=int, default=1, help=f"how many training seeds, from {FIRST_SEED} on")
    parser.add_argument("--optimizer", default="prodigy")
    options = parser.parse_args()
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
        with TemporaryDirectory() as home:
            found.append(report(seed, *run_demo(Path(home), seed, options.optimizer)))
    print(json.dumps({"benchmark": "demo", "optimizer": options.optimizer, "seeds": found}))
    return 0 if all(all(one["passed"].values()) for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
