"""Whole trainings in processes of their own, ours and those of others: how long they take, and how much of a GPU."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from core import hardware
from core.plan.frozen import freeze
from core.project import Place, Project
from core.runs.events import Finished, Phase, Started, Stepped
from core.runs.launch import launch, stop
from core.runs.run import Run

SPIN = {"GOMP_SPINCOUNT": "10000"}
"""As for every job (core/runs/launch.py)."""
_LAST_WORDS = 2000
_LOOK_EVERY = 0.1
"""Seconds between two looks at how much of the GPU is taken."""


class Took(Struct, frozen=True):
    """One whole process."""

    seconds_per_step: float
    whole: float
    lora: str
    phases: dict[str, float] = {}
    loss: float = 0.0
    """On fixed noise, measured afterwards."""
    memory: int = 0
    """The most bytes of the first GPU that were taken, beside what was taken before."""


def pace(told: Sequence[tuple[int, float]], warm: int) -> float:
    """Seconds per step from the first report after the warm ones to the last; each is steps done, and when.

    Raises RuntimeError when there are not two.
    """
    steady = [one for one in told if one[0] >= warm]
    if len(steady) < 2:
        raise RuntimeError(f"Its pace cannot be told: {len(steady)} of its {len(told)} reports came after step {warm}.")
    (first, began), (last, ended) = steady[0], steady[-1]
    return (ended - began) / (last - first)


def ours(place: Place, project: Project, environment: Mapping[str, str], warm: int) -> Took:
    """The real job, from a plan that is not frozen yet to the file. Raises RuntimeError when it does not finish."""
    with _memory() as most:
        began = time.time()
        run = Run.create(place.runs, freeze(place, project))
        number = launch(run, environment=dict(environment))
        try:
            with suppress(ChildProcessError):  # where someone else has waited for it
                os.waitpid(number, 0)
        finally:
            stop(run, wait=60)
        ended = time.time()
    history = run.history()
    if not isinstance(history[-1], Finished):
        raise RuntimeError(f"Boceto's job did not finish:\n{run.log_file.read_text()[-_LAST_WORDS:]}")
    phases = {"start": 0.0, "prepare": 0.0}
    at, name = began, "start"
    for event in history:
        if isinstance(event, Started | Phase) and event.t > began:
            phases[name] = phases.get(name, 0.0) + event.t - at
            at, name = event.t, "prepare"
            if isinstance(event, Phase) and event.name in ("train", "preview", "save"):
                name = event.name
    phases[name] = phases.get(name, 0.0) + ended - at
    told = [(event.step, event.t) for event in history if isinstance(event, Stepped)]
    return Took(
        pace(told, warm),
        ended - began,
        history[-1].path,
        {name: round(seconds, 2) for name, seconds in phases.items()},
        memory=max(most),
    )


def theirs(
    command: Sequence[str],
    lora: Path,
    environment: Mapping[str, str],
    progress: re.Pattern[bytes],
    warm: int,
    folder: Path | None = None,
) -> Took:
    """Another's training, whose progress bar names the steps that are done, started in `folder`.

    Raises RuntimeError with its last words when it fails or leaves no `lora`.
    """
    usual = {name: value for name, value in os.environ.items() if name not in SPIN}
    told: dict[int, float] = {}
    said = b""
    with _memory() as most:
        began = time.time()
        with subprocess.Popen(
            command, env=usual | environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout
            while heard := os.read(process.stdout.fileno(), 65536):
                now = time.time()
                for found in progress.findall(said[-200:] + heard):
                    told.setdefault(int(found), now)
                said += heard
        ended = time.time()
    if process.returncode or not lora.is_file() or not told:
        raise RuntimeError(f"{command[1]} failed:\n{said[-_LAST_WORDS:].decode(errors='replace')}")
    starts, learned = min(told.values()), max(told.values())
    phases = {"start": starts - began, "train": learned - starts, "save": ended - learned}
    return Took(
        pace(sorted(told.items()), warm),
        ended - began,
        str(lora),
        {name: round(seconds, 2) for name, seconds in phases.items()},
        memory=max(most),
    )


@contextmanager
def _memory() -> Iterator[list[int]]:
    """How much more of the first GPU was taken at each look; 0 without one."""
    found, over = [0], threading.Event()
    before = hardware.gpus()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            found.append(hardware.gpus()[0].memory_used - before[0].memory_used)

    watch = threading.Thread(target=look, daemon=True)
    if before:
        watch.start()
    try:
        yield found
    finally:
        over.set()
        if before:
            watch.join()
