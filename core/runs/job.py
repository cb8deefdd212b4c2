"""What every job has in common: the lock, the signals, the events, and an honest end."""

import gc
import logging
import os
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from core.errors import BocetoError
from core.language import _
from core.runs import events
from core.runs.events import Event
from core.runs.run import Run, Status

EXIT_FAILED = 1
EXIT_REFUSED = 3
_LOOK_EVERY = 0.2
"""Seconds between two looks into `control/`: a file system may be a network away."""


class Requests:
    """What the job was asked to do and has not done yet."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: set[str] = set()
        self._terminated = threading.Event()
        self._looked = 0.0

    def terminate(self, *_signal: object) -> None:
        """SIGTERM: stop at the next step."""
        self._terminated.set()

    def take(self, what: str) -> bool:
        """Whether `what` was asked for; it counts as done now."""
        self._look()
        if what in self._open:
            self._open.discard(what)
            return True
        return False

    @property
    def terminated(self) -> bool:
        """Whether there was a SIGTERM."""
        return self._terminated.is_set()

    @property
    def stop(self) -> bool:
        """Whether the job was asked to stop."""
        self._look()
        return self._terminated.is_set() or "stop" in self._open

    def _look(self) -> None:
        if time.monotonic() - self._looked >= _LOOK_EVERY:
            self._open |= self._run.take_requests()
            self._looked = time.monotonic()


class Recorder:
    """The one writer of a run's events, which also keeps `status.json` in step with them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        _drop_half_line(run.events_file)
        self._file = run.events_file.open("ab", buffering=0)
        # What torchrun starts is one of several: who has started it knows only torchrun's own number.
        several = int(os.environ.get("WORLD_SIZE", "1")) > 1
        launched = os.getppid() if several else os.getpid()
        self.status = Status("load", pid=os.getpid(), host=socket.gethostname(), launched=launched)
        self._written = 0.0

    def record(self, event: Event) -> None:
        """Append one event."""
        event = replace(event, t=round(time.time(), 3))
        self._file.write(events.encode(event))
        self._follow(event)

    def close(self) -> None:
        """Flush what the machine still holds in memory."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _follow(self, event: Event) -> None:
        before = self.status
        match event:
            case events.Started(total=total, step=step):
                self.status = replace(before, total=total, step=step)
            case events.Phase(name=name):
                self.status = replace(before, phase=name)
            case events.Stepped(step=step):
                self.status = replace(before, step=step)
            case events.Finished():
                self.status = replace(before, phase="finished")
            case events.Stopped(step=step):
                self.status = replace(before, phase="stopped", step=step)
            case events.Failed():
                self.status = replace(before, phase="failed")
            case events.Paused():
                self.status = replace(before, phase="paused")
            case events.Resumed():
                self.status = replace(before, phase="train")
        # A changed phase at once, steps once a second: each write is flushed to the disk.
        if self.status.phase != before.phase or time.monotonic() - self._written > 1.0:
            self._run.keep_status(replace(self.status, updated=time.time()))
            self._written = time.monotonic()


def carry_out(folder: Path, work: Callable[[Run, Requests], Iterator[Event]]) -> int:
    """Do `work` on the run in `folder`, recording what it yields. Returns the exit status."""
    run = Run.open(folder)
    requests = Requests(run)
    signal.signal(signal.SIGTERM, requests.terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with run.held():
            return _record(run, work(run, requests))
    except BocetoError as error:
        logging.error("%s", error)
        return EXIT_REFUSED


def _record(run: Run, work: Iterator[Event]) -> int:
    run.take_requests()  # what was asked of an earlier job is not meant for this one
    recorder = Recorder(run)
    recorder.record(events.Phase(name="load"))
    try:
        for event in _loading(work):
            recorder.record(event)
        return 0
    except Exception as error:
        logging.error("%s", traceback.format_exc())
        recorder.record(failure(error, run))
        return EXIT_FAILED
    finally:
        recorder.close()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, on the GPU or beside it."""
    # CUDA says “out of memory”, its libraries ALLOC_FAILED, the CPU's allocator “can't allocate memory”.
    said = r"out of memory|ALLOC_FAILED|allocate memory|not enough memory"
    return isinstance(error, MemoryError) or bool(re.search(said, f"{type(error).__name__}: {error}", re.IGNORECASE))


def _loading(work: Iterator[Event]) -> Iterator[Event]:
    """`work`, whose libraries load before its first event and stay until its end.

    To look for garbage among them costs a third of the loading (4.4 s become 3.1 on two cores), and 0.3 s each time
    that a phase gives its memory back.
    """
    gc.disable()
    try:
        first = next(work, None)
    finally:
        gc.freeze()
        gc.enable()
    if first is not None:
        yield first
        yield from work


def carry_along(folder: Path, work: Callable[[Run, Requests], None]) -> int:
    """Do `work` beside the job of the run in `folder`, of whose several processes this is one; it writes nothing.

    Signals are heeded by the job itself, which tells the others. Returns the exit status.
    """
    run, number = Run.open(folder), os.environ.get("RANK", "")
    requests = Requests(run)
    signal.signal(signal.SIGTERM, requests.terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s [{number}] %(levelname)s %(name)s: %(message)s")
    try:
        work(run, requests)
        return 0
    except Exception:
        logging.error("%s", traceback.format_exc())
        return EXIT_FAILED


def give_up(run: Run, failed: events.Failed) -> NoReturn:
    """End this job as failed, from a thread beside the one that hangs."""
    recorder = Recorder(run)
    recorder.status = run.status()
    recorder.record(failed)
    recorder.close()
    os._exit(EXIT_FAILED)


def failure(error: BaseException, run: Run) -> events.Failed:
    """How a run ends by `error`."""
    log = str(run.log_file)
    if isinstance(error, BocetoError):
        return events.Failed(title=error.title, detail=error.detail, hint=error.hint, log=log)
    said = f"{type(error).__name__}: {error}"
    if is_out_of_memory(error):
        return events.Failed(
            title=_("The memory is not enough."),
            detail=said.splitlines()[0],
            hint=_("Take a smaller batch, a lower rank or a smaller resolution."),
            log=log,
        )
    return events.Failed(
        title=_("The job ended by an error that Boceto does not know."),
        detail=said,
        hint=_("The whole story is at the end of {log}. What the last checkpoint holds is kept.").format(log=log),
        log=log,
    )


def _drop_half_line(path: Path) -> None:
    """Cut off what a crash left of a line, so that the next event begins on its own."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("rb+") as file:
            file.truncate(content.rfind(b"\n") + 1)
