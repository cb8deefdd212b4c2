"""The processes of a training: one for each of its GPUs, started together by torchrun."""

import os
import sys
from pathlib import Path
from shlex import quote

from core import hardware, toml
from core.errors import BocetoError
from core.language import _
from core.runs.run import Run

TRAINING = "core.training.job"
_PORT = 29400
"""Where the machines of one training meet; torchrun's own default."""


def of(run: Run) -> int:
    """How many processes carry a run out; one, where it is no training."""
    plan = toml.head(run.plan_file).get("plan")
    found = plan.get("gpus") if isinstance(plan, dict) else None
    return found if isinstance(found, int) else 1


def command(module: str, run: Run, count: int) -> list[str]:
    """What starts the job of `run` on this machine: itself, or torchrun with `count` of it."""
    if count == 1:
        return [sys.executable, "-m", module, str(run.folder)]
    # By the name of this machine they would not find each other where it has none that resolves.
    together = ["--standalone", "--local-addr", "localhost", "--nproc-per-node", str(count)]
    return [sys.executable, "-m", "torch.distributed.run", *together, "-m", module, str(run.folder)]


def environment(count: int) -> dict[str, str]:
    """The CPU threads of each of them; torchrun would give one to each."""
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))} if count > 1 else {}


def command_on_each(run: Run, count: int, machines: int) -> str:
    """The line that, on each of several machines, starts its part of the processes; HOST is one of the machines."""
    beside = Path(sys.executable).with_name("torchrun")
    torchrun = quote(str(beside)) if beside.is_file() else "torchrun"
    return (
        f"{torchrun} --nnodes {machines} --nproc-per-node {split(count, machines)} --rdzv-backend c10d"
        f" --rdzv-endpoint HOST:{_PORT} --rdzv-id {quote(run.name)}"
        f" -m {TRAINING} {quote(str(run.folder))} 2>&1 | tee -a {quote(str(run.log_file))}"
    )


def split(count: int, machines: int) -> int:
    """How many of `count` processes each machine starts. Raises BocetoError when it is not one number for all."""
    if count % machines:
        raise BocetoError(
            _("{gpus} GPUs cannot be split evenly over {machines} machines.").format(gpus=count, machines=machines),
            _("Each machine starts as many processes as the others."),
            _("Give --gpus a multiple of --nodes: it counts the GPUs of all machines together."),
        )
    return count // machines


def require(count: int) -> None:
    """Raise BocetoError where a plan asks for more GPUs than there are; where there is none, the CPU is shared."""
    if count > 1 and 0 < (present := _visible()) < count:
        raise too_few(count, present)


def too_few(wanted: int, present: int) -> BocetoError:
    """The refusal of a plan that asks for more GPUs than this machine has."""
    return BocetoError(
        _("The plan asks for {wanted} GPUs here.").format(wanted=wanted),
        _("There are {present} on this machine that may be used.").format(present=present),
        _(
            "Begin a training with --gpus {present}. One that --nodes has split over machines goes on with the line "
            "that was printed then."
        ).format(present=present),
    )


def _visible() -> int:
    present, asked = len(hardware.gpus()), os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is None:
        return present
    return min(present, len([one for one in asked.split(",") if one.strip() and not one.strip().startswith("-")]))
