"""Starting a job: a process of its own, which lives on when whoever started it is gone."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

from core.errors import BocetoError
from core.language import _
from core.runs import processes
from core.runs.job import EXIT_REFUSED
from core.runs.run import Run

_ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
    "PYTHONUTF8": "1",
    # CPU threads that wait for each other spin a little, then sleep. On two cores a step of the base in the box takes
    # 0.22 s so, and 0.8 s beside a busy process; spinning as long as OpenMP likes 0.25 and 4 s, sleeping at once 0.51
    # and 0.5 s.
    "GOMP_SPINCOUNT": "10000",
}


def launch(run: Run, module: str = "core.training.job", environment: Mapping[str, str] | None = None) -> int:
    """Start the job of `run` and wait until it has taken the run up. Returns its process number.

    Raises BocetoError when another job holds the run, or the new one ends before it has begun.
    """
    _still_free(run)
    count = processes.of(run) if module == processes.TRAINING else 1
    processes.require(count)
    with run.log_file.open("ab") as log:
        process = subprocess.Popen(
            processes.command(module, run, count),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A session of its own: a closed terminal or ctrl+c here does not reach it.
            start_new_session=True,
            env={**_ENVIRONMENT, **processes.environment(count), **os.environ, **(environment or {})},
        )
    # Its own number, not only the lock: another job that was started at the same moment may hold that.
    while run.status().launched != process.pid:
        if process.poll() is not None and run.status().launched != process.pid:
            # torchrun has one exit status for whatever happened to its processes.
            if process.returncode == EXIT_REFUSED or count > 1:
                _still_free(run)
            raise BocetoError(
                _("The job ended before it had begun (exit status {status}).").format(status=process.returncode),
                _last_lines(run),
                _("All of its output is in {log}.").format(log=run.log_file),
            )
        time.sleep(0.02)
    return run.status().pid


def stop(run: Run, wait: float = 0.0) -> bool:
    """Ask the job to save and stop. Returns whether it has ended within `wait` seconds."""
    run.request("stop")
    status = run.status()
    if run.is_alive() and status.pid and status.host == socket.gethostname():
        # Another person's job: the request in the run's folder still reaches it, as it does on another host.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(status.pid, signal.SIGTERM)
    until = time.monotonic() + wait
    while run.is_alive():
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _still_free(run: Run) -> None:
    if run.is_alive():
        with run.held():  # raises with the words for it
            pass


def _last_lines(run: Run, count: int = 5) -> str:
    return "\n".join(run.log_file.read_text("utf-8", errors="replace").splitlines()[-count:])
