"""Following a run: its events as they come, from the first."""

from collections.abc import Iterator
from itertools import chain
from threading import Event as Cancelled

from core.errors import BocetoError
from core.language import _
from core.runs import events
from core.runs.events import Event
from core.runs.run import Run

CHECK_EVERY = 0.25
"""Seconds between two looks at the file; four a second is as often as a screen should change over SSH."""


def follow(run: Run, cancelled: Cancelled | None = None) -> Iterator[Event]:
    """Every event of `run` from the start, then new ones until the job has ended.

    Raises BocetoError when the job is gone without having said why.
    """
    return chain.from_iterable(follow_batches(run, cancelled))


def follow_batches(run: Run, cancelled: Cancelled | None = None, every: float = CHECK_EVERY) -> Iterator[list[Event]]:
    """The same, all events of one look together; `every` seconds lie between two looks."""
    cancelled = cancelled or Cancelled()
    offset, rest, last = 0, b"", None
    while True:
        # Asked before reading: a job that ends in between has written its last event already.
        alive = run.is_alive()
        content = _tail(run, offset)
        offset += len(content)
        lines = (rest + content).split(b"\n")
        rest = lines.pop()
        if batch := list(events.decode_lines(lines)):
            last = batch[-1]
            yield batch
        if not alive:
            if isinstance(last, events.ENDS):
                return
            raise BocetoError(
                _("The job of the run “{run}” is gone without a word.").format(run=run.name),
                _("It was killed, or the machine went down. Its last output is in {log}.").format(log=run.log_file),
                _("Everything up to its last checkpoint is kept: `boceto resume {run}` goes on.").format(
                    run=run.folder
                ),
            )
        if cancelled.wait(every):
            return


def _tail(run: Run, offset: int) -> bytes:
    try:
        with run.events_file.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""
