"""A job that is waited for: taggers that look at drawings, or a download; it goes on when one turns away."""

import threading
from time import time
from typing import ClassVar, Literal

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.worker import Worker

from core.errors import BocetoError
from core.language import _, ngettext
from core.runs import events
from core.runs.events import Event
from core.runs.follow import follow_batches
from core.runs.launch import stop
from core.runs.run import Run
from tui.dialogs.dialog import Dialog, body
from tui.dialogs.log import Log
from tui.keys import bind
from tui.widgets.gauge import Bar
from tui.widgets.text import Text
from tui.words import duration, size

Ended = Literal["finished", "stopped"]
_WORTH_TELLING = 2.0
"""Seconds of work from which the time that is left can be told."""


class Happened(Message):
    """The job has said something."""

    def __init__(self, batch: list[Event]) -> None:
        super().__init__()
        self.batch = batch


class Captioning(Dialog[Ended]):
    """How the job ended; None when one turned away from it, or it failed. What it has done is kept in any case."""

    BINDINGS: ClassVar[list[BindingType]] = bind("job.stop", "job.log", "job.on")
    DEFAULT_CSS = """
    Captioning #figures { height: 1; }
    Captioning #notes { height: auto; max-height: 10; }
    Captioning #notes Text { height: auto; }
    Captioning.-failed #title { color: $text-error; }
    """

    bar = getters.query_one(Bar)

    def __init__(self, run: Run, title: str = "") -> None:
        """`title` says what is done; left out, that taggers look at the drawings."""
        super().__init__()
        self._run, self._title = run, title or _("The taggers look at the drawings")
        self._left = threading.Event()
        self._phase = ""
        self._total = 0
        self._began: tuple[float, int] | None = None
        """When this phase began, and how much of it was done before."""
        self._notes: list[str] = []
        self._ended: Ended | None = None
        self._error: BocetoError | None = None
        self._stopping = False

    def compose(self) -> ComposeResult:
        """A bar, its figures, and what is to be known."""
        with Vertical(id="box"):
            yield Text(self._title, id="title")
            yield Bar()
            yield Text(_("loading …"), id="figures")
            with VerticalScroll(id="notes", can_focus=False):
                yield Text()
            yield Text(_waiting(), id="keys", classes="hint")

    def on_mount(self) -> None:
        """From its first event."""
        self.follow_job()

    def on_unmount(self) -> None:
        """Nobody looks any more; the job does not mind."""
        self._left.set()

    @work(thread=True, exclusive=True, exit_on_error=False, group="run")
    def follow_job(self) -> None:
        """Tell the dialog what the job says."""
        for batch in follow_batches(self._run, self._left):
            self.post_message(Happened(batch))

    def on_worker_state_changed(self, changed: Worker.StateChanged) -> None:
        """A job that is gone without a word."""
        if isinstance(changed.worker.error, BocetoError):
            self._fail(changed.worker.error)

    def on_happened(self, happened: Happened) -> None:
        """Show how far it is."""
        for event in happened.batch:
            self._take(event)
        self._show()

    def action_stop(self) -> None:
        """Let it stop after the drawings it has in hand."""
        if self._ended or self._error or self._stopping:
            return
        self._stopping = True
        self._show()
        try:
            stop(self._run)
        except BocetoError as error:
            self._fail(error)

    def action_log(self) -> None:
        """What the libraries have to say."""
        self.app.push_screen(Log(self._run, self._error))

    def action_on(self) -> None:
        """Go on, once it has ended."""
        if self._ended or self._error:
            self.dismiss(self._ended)

    def action_back(self) -> None:
        """Turn away; after the end there is nothing to turn away from."""
        self.dismiss(self._ended)

    def _take(self, event: Event) -> None:
        match event:
            case events.Started(total=total):
                self._total = total
            case events.Phase(name=name, done=done, total=total, t=t):
                if name != self._phase:
                    self._phase, self._began = name, (t or time(), done)
                self._total = total or self._total
                self._move(done, t or time())
            case events.Noted(message=message):
                self._notes.append(message)
            case events.Finished():
                self.bar.share = 1.0
                self._end("finished")
            case events.Stopped():
                self._end("stopped")
            case events.Failed(title=title, detail=detail, hint=hint):
                self._fail(BocetoError(title, detail, hint))

    def _move(self, done: int, now: float) -> None:
        total = self._total
        if not total or self._phase == "load":
            return
        self.bar.share = min(1.0, done / total)
        # Downloads count bytes.
        count = f"{done}/{total}" if self._phase == "caption" else f"{size(done)} / {size(total)}"
        figures = [_phase(self._phase), count]
        began, before = self._began or (now, done)
        if now - began >= _WORTH_TELLING and done > before:
            left = (total - done) * (now - began) / (done - before)
            figures.append(_("{left} left").format(left=duration(left)))
        self.query_one("#figures", Text).update(" · ".join(one for one in figures if one))

    def _end(self, how: Ended) -> None:
        self._ended = how
        if not self._notes and not self._error:
            self.dismiss(how)

    def _fail(self, error: BocetoError) -> None:
        self._error = error
        self.add_class("-failed")
        self.query_one("#title", Text).update(f"✗ {error.title}")
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        if self._error:
            words, keys = body(self._error), _("l shows the log · Enter closes this")
        elif self._ended:
            words = "\n".join(self._notes)
            keys = _("Enter goes on")
        else:
            words = "\n".join(self._notes[-3:])
            keys = _("It stops after the drawings it has in hand …") if self._stopping else _waiting()
        if self._ended and not self._error:
            count = len(self._notes)
            said = ngettext(
                "It has ended, and one thing is to be known:", "It has ended, and {n} things are to be known:", count
            )
            self.query_one("#figures", Text).update(said.format(n=count))
        self.query_one("#notes Text", Text).update(words)
        self.query_one("#keys", Text).update(keys)


def _waiting() -> str:
    return _("x stops it, what is done is kept · l log · Esc leaves it running")


def _phase(name: str) -> str:
    """What is being done, where the title does not say it."""
    return {"check": _("checking what arrived")}.get(name, "")
