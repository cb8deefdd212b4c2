"""`boceto ls`, `attach`, `stop`, `resume`, `logs`: the runs there are."""

import sys
import time
from argparse import Namespace
from pathlib import Path

import msgspec

from core.errors import BocetoError
from core.language import _
from core.project import place_of, places
from core.runs.launch import launch
from core.runs.launch import stop as stop_run
from core.runs.run import Run, Status, runs_in
from tui.headless.progress import status_of, watch
from tui.words import plain

PATIENCE = 60.0
"""Seconds that a job gets to finish its step and save."""


def ls(options: Namespace) -> int:
    """Show every project with its runs, the running ones first."""
    rows = [(place.folder.name, run, run.status(), run.is_alive()) for place in places() for run in runs_in(place.runs)]
    rows.sort(key=lambda row: not row[3])
    if options.json:
        for name, run, status, alive in rows:
            line = {"project": name, "run": str(run.folder), "alive": alive, **msgspec.structs.asdict(status)}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        return 0
    if not rows:
        print(_("There is no run yet. `boceto train FOLDER` begins one, `boceto demo` shows one."))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in (_("project"), _("run"), _("state"), _("steps")):
        table.add_column(heading, overflow="fold")
    for name, run, status, alive in rows:
        table.add_row(
            Text(plain(name)),
            Text(plain(run.name)),
            Text(_state(status, alive)),
            f"{status.step}/{status.total}" if status.total else "",
        )
    Console().print(table)
    return 0


def attach(options: Namespace) -> int:
    """Show a run from its start."""
    return status_of(watch(run_of(options.run), options.json))


def stop(options: Namespace) -> int:
    """Ask a run to save and stop, and wait until it has."""
    run = run_of(options.run)
    if not run.is_alive():
        print(plain(_("The run {run} is not running.").format(run=run.folder)))
        return 0
    if not stop_run(run, wait=PATIENCE):
        raise BocetoError(
            _("The run “{run}” was asked to stop, and has not yet.").format(run=run.name),
            _("It finishes its step first; a large one takes a while."),
            _("See with `boceto attach {run}` what it does.").format(run=run.folder),
        )
    status = run.status()
    if status.phase == "failed":
        return status_of(watch(run))
    words = _("Stopped at step {step} of {total}. `boceto resume {run}` goes on.")
    print(plain(words.format(step=status.step, total=status.total, run=run.folder)))
    return 0


def resume(options: Namespace) -> int:
    """Go on from the newest checkpoint."""
    run = run_of(options.run)
    if run.status().phase == "finished" and not run.is_alive():
        print(plain(_("The run {run} is finished: there is nothing left to do.").format(run=run.folder)))
        return 0
    launch(run)
    if options.detach:
        print(plain(_("The training runs in {run}. Watch it with `boceto attach {run}`.").format(run=run.folder)))
        return 0
    return status_of(watch(run, options.json))


def logs(options: Namespace) -> int:
    """Show the log, and go on showing it when asked to."""
    run = run_of(options.run)
    if not run.log_file.exists():
        print(plain(_("The run {run} has no log yet.").format(run=run.folder)))
        return 0
    with run.log_file.open("r", encoding="utf-8", errors="replace") as file:
        while True:
            alive = run.is_alive()
            for line in file:
                sys.stdout.write(plain(line.rstrip("\n")) + "\n")
            sys.stdout.flush()
            if not (options.follow and alive):
                return 0
            time.sleep(0.5)


def run_of(text: str) -> Run:
    """The run a person means: a folder, the newest of a project, or the running or newest of all."""
    if text:
        folder = Path(text).expanduser()
        if (folder / "plan.toml").is_file():
            return Run.open(folder)
        found = runs_in(place_of(text).runs)
        if not found:
            raise BocetoError(
                _("There is no run in “{text}”.").format(text=text), hint=_("`boceto ls` shows the runs there are.")
            )
    else:
        found = sorted(
            (run for place in places() for run in runs_in(place.runs)), key=lambda run: run.name, reverse=True
        )
        if not found:
            raise BocetoError(_("There is no run yet."), hint=_("`boceto train FOLDER` begins one."))
    return next((run for run in found if run.is_alive()), found[0])


def _state(status: Status, alive: bool) -> str:
    if alive:
        return _("running") if status.phase != "paused" else _("paused")
    return {
        "finished": _("finished"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "waiting": _("not started"),
    }.get(status.phase, _("cut off"))
