"""The job that carries out a training: `python -m core.training.job RUN`."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

from core.runs.events import Event
from core.runs.job import Requests, carry_out
from core.runs.run import Run


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Train what the run's frozen plan says, from its newest checkpoint when there is one."""
    begun = time.monotonic()
    # Here, not above: the job holds the run's lock before the seconds that torch takes to load.
    from core.plan.schedule import schedule
    from core.runs.events import Chosen, Noted, Started
    from core.training import checkpoint
    from core.training.device import choose
    from core.training.loop import train
    from core.training.studio import open_studio

    frozen = run.plan()
    device = choose(frozen.plan.precision)
    steps = schedule(frozen)
    reached = checkpoint.newest(run.checkpoints)
    done = reached.step if reached else 0
    yield Started(pid=os.getpid(), host=socket.gethostname(), device=device.name, total=len(steps.steps), step=done)
    for problem in frozen.left_out:
        yield Noted(message=f"{problem.drawing}: {problem.message}")
    for reason in frozen.reasons:
        yield Chosen(field=reason.field, value=reason.value, reason=reason.reason)
    studio = yield from open_studio(frozen, steps, device)
    if reached:
        studio.network.restore(reached.weights)
        studio.optimizer.restore(reached.optimizer)
    budget = frozen.plan.time_budget
    yield from train(studio, run, requests, done, begun + 60 * budget if budget else inf)


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
