"""A run: the folder that is the only contract between a job and whoever watches it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from core import toml
from core.errors import BocetoError
from core.files import write_bytes
from core.language import _
from core.runs import events
from core.runs.events import Event

if TYPE_CHECKING:
    from core.plan.frozen import FrozenPlan
    from core.plan.memory import Measures

REQUESTS = ("save", "preview", "pause", "resume", "stop")


class Status(Struct, frozen=True):
    """Where a run stands, in one small file."""

    phase: str
    """`waiting`, a phase of the job, or `finished`, `stopped`, `failed`."""
    step: int = 0
    total: int = 0
    pid: int = 0
    host: str = ""
    updated: float = 0.0
    launched: int = 0
    """The process that was started: the job itself, or torchrun above the several processes of it."""


class Run(Struct, frozen=True):
    """One training on disk."""

    folder: Path

    @property
    def name(self) -> str:
        """Date and time of its start."""
        return self.folder.name

    @property
    def plan_file(self) -> Path:
        """The frozen plan."""
        return self.folder / "plan.toml"

    @property
    def events_file(self) -> Path:
        """The history, one line an event."""
        return self.folder / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """Everything the libraries had to say."""
        return self.folder / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """From where the run can go on."""
        return self.folder / "checkpoint"

    @property
    def previews(self) -> Path:
        """Pictures made on the way."""
        return self.folder / "previews"

    @classmethod
    def create(cls, runs: Path, plan: Struct) -> "Run":
        """Lay down a new run of a frozen plan, or of another job's order; nothing is started."""
        folder = _new_folder(runs)
        run = cls(folder)
        (folder / "control").mkdir()
        toml.save(run.plan_file, plan)
        run.keep_status(Status("waiting"))
        return run

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run. Raises BocetoError where there is none."""
        run = cls(folder.expanduser().absolute())
        if not run.plan_file.is_file():
            raise BocetoError(
                _("There is no run in “{folder}”.").format(folder=folder),
                hint=_("`boceto ls` shows the runs there are."),
            )
        return run

    def plan(self) -> "FrozenPlan":
        """What is trained."""
        # Here, not above: the list of runs is shown before there is time for what a plan needs.
        from core.plan.frozen import FrozenPlan

        return toml.load(self.plan_file, FrozenPlan)

    def status(self) -> Status:
        """Where it stands."""
        try:
            return msgspec.json.decode((self.folder / "status.json").read_bytes(), type=Status)
        except (OSError, msgspec.DecodeError):
            return Status("waiting")

    @property
    def measures(self) -> "Measures | None":
        """What it does to fit into the GPU's memory, once that was found out."""
        from core.plan.memory import Measures

        try:
            return msgspec.json.decode((self.folder / "measures.json").read_bytes(), type=Measures)
        except (OSError, msgspec.DecodeError):
            return None

    def keep_measures(self, measures: "Measures") -> None:
        """Go on so from now on."""
        write_bytes(self.folder / "measures.json", msgspec.json.encode(measures))

    def keep_status(self, status: Status) -> None:
        """Replace `status.json`."""
        write_bytes(self.folder / "status.json", msgspec.json.encode(status))

    def history(self) -> list[Event]:
        """Every event so far."""
        try:
            return list(events.decode_all(self.events_file.read_bytes()))
        except FileNotFoundError:
            return []

    def request(self, what: str) -> None:
        """Ask the job for something: `save`, `preview`, `pause`, `resume` or `stop`."""
        try:
            (self.folder / "control").mkdir(exist_ok=True)
            (self.folder / "control" / what).touch()
        except OSError as error:
            raise BocetoError(
                _("The run “{run}” cannot be asked for anything.").format(run=self.name),
                str(error),
                _("See whether its folder is still there and whether you may write to it."),
            ) from error

    def take_requests(self) -> set[str]:
        """What was asked since the last look; each request is taken once."""
        taken = set()
        for what in REQUESTS:
            path = self.folder / "control" / what
            if path.exists():
                path.unlink(missing_ok=True)
                taken.add(what)
        return taken

    def is_alive(self) -> bool:
        """Whether a job holds the lock."""
        try:
            with self._locked(fcntl.LOCK_SH):
                return False
        except BlockingIOError:
            return True
        except OSError:  # the folder is gone, or another person's
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run as its job. Raises BocetoError when another job does."""
        try:
            with self._locked(fcntl.LOCK_EX, patience=1.0):
                yield
        except BlockingIOError as error:
            raise BocetoError(
                _("Another job is already working on the run “{run}”.").format(run=self.name),
                _("It has process number {pid} on {host}.").format(pid=self.status().pid, host=self.status().host),
                _("Watch it with `boceto attach {run}`, or stop it with `boceto stop {run}`.").format(run=self.folder),
            ) from error

    @contextmanager
    def _locked(self, kind: int, patience: float = 0.0) -> Iterator[None]:
        # flock is given back by the kernel however the job ends: no pid to be reused, no stale file to remove.
        # Patience, because who asks `is_alive` holds the lock for a blink.
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        until = time.monotonic() + patience
        try:
            while True:
                try:
                    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise
                    time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)


def runs_in(folder: Path) -> list[Run]:
    """The runs of one project, the newest first."""
    files = sorted(folder.glob("*/plan.toml"), reverse=True) if folder.is_dir() else []
    return [Run(file.parent) for file in files]


def _new_folder(runs: Path) -> Path:
    while True:
        folder = runs / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            time.sleep(0.2)
        except OSError as error:
            raise BocetoError(
                _("The folder of the run could not be made in “{folder}”.").format(folder=runs), str(error)
            ) from error
