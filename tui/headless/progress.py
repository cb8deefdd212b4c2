"""A run as it goes on: bars on a terminal, plain lines without one, JSON for scripts."""

import sys
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from core.errors import BocetoError
from core.language import _
from core.runs import events
from core.runs.events import Event
from core.runs.follow import follow
from core.runs.run import Run
from tui.words import duration, plain, size

WIDE = 110
"""Columns from which all of a training's figures stand beside its bar."""


class View(Protocol):
    """Something that shows events."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def watch(run: Run, json: bool = False) -> Event | None:
    """Show `run` until it ends. Returns its last event, or None when the person left it running (ctrl+c)."""
    view: View = Json() if json else Bars() if sys.stdout.isatty() else Lines()
    last: Event | None = None
    try:
        for event in follow(run):
            last = event
            view.show(event)
        return last
    except KeyboardInterrupt:
        view.close()
        if not json:
            Console(stderr=True).print(
                Text(
                    _(
                        "The job goes on without you. Watch it with `boceto attach {run}`, "
                        "end it with `boceto stop {run}`."
                    ).format(run=run.folder)
                )
            )
        return None
    finally:
        view.close()


def status_of(last: Event | None) -> int:
    """The exit status that a run's last event asks for. Raises BocetoError for a failed run."""
    if isinstance(last, events.Failed):
        log = _("The log is {log}.").format(log=last.log) if last.log else ""
        raise BocetoError(last.title, last.detail, "\n".join(part for part in (last.hint, log) if part))
    return 0


def phase_name(name: str) -> str:
    """A phase in the person's language."""
    return {
        "load": _("getting ready"),
        "captions": _("encoding captions"),
        "drawings": _("encoding drawings"),
        "prior": _("the base's own pictures"),
        "probe": _("how much memory it takes"),
        "train": _("training"),
        "preview": _("drawing previews"),
        "save": _("saving"),
        "pictures": _("drawing pictures"),
        "caption": _("looking at the drawings"),
        "download": _("downloading"),
        "check": _("checking what arrived"),
    }.get(name, name)


def sentence(event: Event) -> str:
    """An event in a line, or nothing when bars say it better."""
    match event:
        case events.Started(device=""):
            return ""  # nothing is computed: a download, or taggers that have seen everything
        case events.Started(device=device, total=total, step=0):
            return _("Begun on {device}: {total} steps.").format(device=device, total=total)
        case events.Started(device=device, total=total, step=step):
            return _("Going on at step {step} of {total}, on {device}.").format(step=step, total=total, device=device)
        case events.Chosen(field=field, value=value, reason=reason):
            return f"{field} = {value}: {reason}"
        case events.Evaluated(step=step, trained=trained, held_out=None):
            return _("Step {step}: loss on fixed noise {trained:.4f}.").format(step=step, trained=trained)
        case events.Evaluated(step=step, trained=trained, held_out=held_out):
            return _("Step {step}: loss on fixed noise {trained:.4f}, on drawings held out {held_out:.4f}.").format(
                step=step, trained=trained, held_out=held_out
            )
        case events.Saved(path=path):
            return _("Saved {path}").format(path=path)
        case events.Previewed(paths=paths):
            return _("Previews: {paths}").format(paths=", ".join(paths))
        case events.Noted(message=message):
            return message
        case events.Paused(step=step):
            return _("Paused at step {step}.").format(step=step)
        case events.Resumed(step=step):
            return _("Going on at step {step}.").format(step=step)
        case events.Stopped(step=step, reason="budget"):
            return _("Stopped at step {step}: the time is used up. `boceto resume` goes on.").format(step=step)
        case events.Stopped(step=step):
            return _("Stopped at step {step}, as asked. `boceto resume` goes on.").format(step=step)
        case events.Finished(path=path):
            return _("Finished: {path}").format(path=path)
        case _:
            return ""


class Json:
    """Every event as it is written."""

    def show(self, event: Event) -> None:
        """Print its line."""
        sys.stdout.write(events.encode(event).decode())
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing to do."""


class Lines:
    """A line now and then, for a log or a pipe."""

    def __init__(self) -> None:
        self._phase = ""
        self._tenth = -1
        self._total = 0

    def show(self, event: Event) -> None:
        """Print what is new: each phase once, each tenth of the training."""
        match event:
            case events.Started(total=total):
                self._total = total
                self._say(sentence(event))
            case events.Phase(name=name):
                if name != self._phase and name not in ("preview", "train"):
                    self._say(phase_name(name)[:1].upper() + phase_name(name)[1:] + " …")
                self._phase = name
            case events.Stepped(step=step):
                if self._total and step * 10 // self._total != self._tenth:
                    self._tenth = step * 10 // self._total
                    left = duration((self._total - step) * event.seconds_per_step)
                    figures = [*reading(event), _("{left} left").format(left=left)]
                    self._say(f"{step}/{self._total}  " + " · ".join(figures))
            case _:
                self._say(sentence(event))

    def close(self) -> None:
        """Nothing to do."""

    def _say(self, line: str) -> None:
        if line:
            sys.stdout.write(plain(line) + "\n")
            sys.stdout.flush()


def reading(event: events.Stepped) -> list[str]:
    """The figures of a training, the most telling first."""
    return [
        _("loss {loss:.3f}").format(loss=sum(event.losses) / len(event.losses)),
        _("rate {rate:.1e}").format(rate=event.rate),
        _("{pace:.1f} drawings/s").format(pace=event.pictures_per_second),
        size(event.memory),
    ]


class Bars:
    """One bar a phase, the news above it."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[reading]}", markup=False, table_column=Column(no_wrap=True)),
            # Four times a second is enough to read, and little to send over SSH.
            refresh_per_second=4,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._total = 0
        self._progress.start()

    def show(self, event: Event) -> None:
        """Move a bar, or print a line above them."""
        match event:
            case events.Phase(name="load" | "preview" | "save"):
                pass
            case events.Phase(name=name, done=done, total=total):
                self._move(name, done, total)
            case events.Stepped(step=step):
                self._move("train", step, self._total, reading=self._reading(event))
            case events.Started(total=total):
                self._total = total
                self._say(sentence(event))
            case _:
                self._say(sentence(event))

    def close(self) -> None:
        """Leave the last state of the bars on the screen."""
        self._progress.stop()

    def _move(self, name: str, done: int, total: int, **fields: Any) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(phase_name(name), total=total or None, reading="")
        self._progress.update(self._tasks[name], completed=done, total=total or None, **fields)

    def _reading(self, event: events.Stepped) -> str:
        """As much as there is room for beside a bar; the time left has a column of its own."""
        figures = reading(event)
        return " · ".join(figures if self._progress.console.width >= WIDE else figures[:1])

    def _say(self, line: str) -> None:
        if line:
            self._progress.console.print(Text(plain(line)))
