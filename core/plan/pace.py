"""How fast this machine trains, as its own runs have measured it."""

import os
import socket
from collections.abc import Iterable
from statistics import median

from core import toml
from core.bases.base import Base
from core.project import places
from core.runs import events, processes
from core.runs.run import Run, runs_in

_NEWEST = 20
"""Runs that are looked at: what an older one says of this machine may be long past."""
_TAIL = 16_384
"""Bytes at the end of a history in which its last figures stand."""


def drawings_per_second(base: Base, runs: Iterable[Run] | None = None) -> float | None:
    """How many drawings a second a training on `base` looks at here on each GPU; None when none has run here.

    `runs` are those to ask, the newest first; left out, those of every project.
    """
    if runs is None:
        runs = sorted((run for place in places() for run in runs_in(place.runs)), key=lambda run: run.name)[::-1]
    for run in list(runs)[:_NEWEST]:
        if run.status().host == socket.gethostname() and _base_of(run) == base.id:
            pace = _last_pace(run)
            if pace:
                return pace / processes.of(run)
    return None


def _base_of(run: Run) -> object:
    base = toml.head(run.plan_file).get("base")
    return base.get("id") if isinstance(base, dict) else None


def _last_pace(run: Run) -> float | None:
    try:
        with run.events_file.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().splitlines(keepends=True)[1:]
    except OSError:
        return None
    steps = [event for event in events.decode_lines(lines) if isinstance(event, events.Stepped)]
    # The pace of one event is that of half a second; some are cut short by a preview.
    return median(event.pictures_per_second for event in steps) if steps else None
