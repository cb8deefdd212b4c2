"""Training: a run as it goes on. The job is a process of its own; this only watches and asks."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, RichLog

from core.errors import BocetoError
from core.language import _
from core.runs import events
from core.runs.events import Event
from core.runs.follow import follow_batches
from core.runs.launch import launch
from core.runs.launch import stop as stop_run
from core.runs.run import Run
from tui.dialogs.dialog import Ask, Option
from tui.dialogs.log import Log
from tui.keys import bind
from tui.memory import Reading, reading
from tui.screens.step import StepScreen
from tui.story import Story
from tui.telling import line, phase_word
from tui.widgets.curve import Curve, smoothed
from tui.widgets.gauge import Bar, MemoryMeter
from tui.widgets.picture import Picture, Shown
from tui.widgets.text import Text
from tui.words import cells, duration, plain
from tui.work import Work

EVERY = 1.0
"""Seconds between two looks at the run: what changes then is 2 to 3 kB, which every line carries."""
_METER_EVERY = 2.0


class RunChanged(Message):
    """The run has told something more."""

    def __init__(self, batch: list[Event]) -> None:
        super().__init__()
        self.batch = batch


class RunGone(Message):
    """The job is gone without a word."""

    def __init__(self, error: BocetoError) -> None:
        super().__init__()
        self.error = error


class Metered(Message):
    """The memory was read."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading

    def can_replace(self, message: Message) -> bool:
        """Only the last counts."""
        return isinstance(message, Metered)


class Training(StepScreen):
    """Phases, curves, figures, memory, the newest picture, and the keys that ask for something."""

    AT = "training"
    CSS_PATH = "training.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bind("training.save", "training.preview", "training.pause", "training.stop", "training.leave"),
        *bind("training.log", "training.resume", "pictures"),
        *bind("back", "next", quiet=True),
    ]
    AUTO_FOCUS = "#events"

    picture = getters.query_one("#picture", Picture)
    log_lines = getters.query_one("#events", RichLog)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        assert work.run
        self.run_shown: Run = work.run
        self._unwatched = threading.Event()
        self._story = Story()
        self._told = 0
        # An end that one has not watched, as that of an old run, leads nowhere by itself.
        self._was_alive = work.run.is_alive()
        self._gone: BocetoError | None = None
        self._preview = ""
        self._over = False
        self._shown: dict[str, str | Content] = {}

    @property
    def guide(self) -> str:
        """What matters most while one waits."""
        return ""

    @property
    def explained(self) -> str:
        """What one sees."""
        return _(
            "The training is a process of its own. You can close this window, lose the connection or switch the laptop "
            "off: it goes on, and `boceto` shows it again with its whole curve.\n\nThe curve is the loss of each step, "
            "smoothed. It jumps by nature; the loss on fixed noise beside it is the honest one, and the one on "
            "held-out drawings tells learning from memorising: when it rises, later epochs only learn by heart.\n\n"
            "s saves a LoRA file now, v draws a preview, space pauses and goes on (memory stays taken), x saves and "
            "stops; what was stopped goes on with r, to the same result."
        )

    @property
    def obstacle(self) -> str:
        """The result comes when it is there."""
        if isinstance(self._story.end, events.Finished):
            return ""
        if self._story.saved:
            return ""
        return _("There is no LoRA file yet.")

    def content(self) -> ComposeResult:
        """From the largest to the smallest."""
        yield Text(id="phases")
        with Horizontal(id="way"):
            yield Bar(id="bar-of-steps")
            yield Text(id="count")
        with Horizontal(id="curves"):
            with Vertical(id="left"):
                yield Text(id="loss")
                yield Curve(id="curve")
            with Vertical(id="right"):
                yield Text(id="honest")
                yield Curve(id="honest-curve")
        yield Text(id="figures")
        with Horizontal(id="memory"):
            yield MemoryMeter(id="meter")
            yield Text(id="memory-words")
        yield Text(id="gpu")
        with Horizontal(id="below"):
            yield RichLog(id="events", wrap=True, markup=False, highlight=False, max_lines=2000, min_width=1)
            yield Picture(self.app.terminal, id="picture")

    def buttons(self) -> Iterator[Button]:
        """One way: to the result."""
        yield Button(_("Result"), id="next", compact=True, variant="primary")

    def on_mount(self) -> None:
        """Follow the run, and the memory it takes."""
        self.follow_run(self._unwatched)
        self.read_memory()
        self.set_interval(_METER_EVERY, self.read_memory)

    def on_unmount(self) -> None:
        """Stop watching; the job goes on."""
        self._unwatched.set()

    @work(thread=True, exclusive=True, exit_on_error=False, group="run")
    def follow_run(self, unwatched: threading.Event) -> None:
        """Post what the run tells, from its first event to its last."""
        run = self.run_shown
        try:
            for batch in follow_batches(run, unwatched, EVERY):
                if unwatched.is_set():
                    return
                self.post_message(RunChanged(batch))
        except BocetoError as error:
            self.post_message(RunGone(error))

    @on(RunChanged)
    def show(self, message: RunChanged) -> None:
        """Show the story as it now is."""
        self._story = self._story.with_events(message.batch)
        self._show()
        self._tell()
        self.say()
        if self._was_alive and isinstance(self._story.end, events.Finished):
            self.app.bell()
            self.leave("result")
        failed = self._story.end
        if isinstance(failed, events.Failed) and failed in message.batch:
            self.app.push_screen(Log(self.run_shown, BocetoError(failed.title, failed.detail, failed.hint)))

    @on(RunGone)
    def gone(self, message: RunGone) -> None:
        """The job died; say so, and how to go on."""
        self._gone = message.error
        self._show()
        self.say()
        self.app.push_screen(Log(self.run_shown, message.error))

    @work(thread=True, exclusive=True, exit_on_error=False, group="memory")
    def read_memory(self) -> None:
        """Ask the driver, or the system where there is no GPU."""
        last = self._story.last
        self.post_message(Metered(reading(self.run_shown, last.memory if last else 0)))

    @on(Metered)
    def meter(self, message: Metered) -> None:
        """Show it."""
        found = message.reading
        self.query_one(MemoryMeter).parts = (found.ours, found.others, found.whole)
        self._put("memory-words", found.words)
        self._put("gpu", found.more)

    # What the keys ask for.

    def action_request(self, what: str) -> None:
        """Ask the job for something."""
        if not self.run_shown.is_alive():
            self.say(_("The training is not running. r goes on with it."))
            return
        self.run_shown.request(what)
        words = {
            "save": _("A LoRA file is saved after this step."),
            "preview": _("A preview is drawn after this step."),
        }
        self.say(words.get(what, ""))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be asked of a run that goes on, and of one that does not."""
        over = bool(self._story.end or self._gone)
        if action in ("request", "pause", "stop", "leave_running"):
            return not over
        if action == "resume":
            return over and not isinstance(self._story.end, events.Finished)
        return True

    def action_pause(self) -> None:
        """Pause, or go on."""
        self.action_request("resume" if self._story.paused else "pause")

    @work(exclusive=True, group="stop")
    async def action_stop(self) -> None:
        """Save and stop, once the person is sure."""
        if not self.run_shown.is_alive():
            self.say(_("The training is not running. r goes on with it."))
            return
        answer = await self.app.push_screen_wait(
            Ask(
                _("Stop the training?"),
                _("It saves a LoRA file and a checkpoint, and can go on later from the same step."),
                (Option("stop", _("Stop and save"), "primary"), Option("cancel", _("Let it run"))),
            )
        )
        if answer == "stop":
            stop_run(self.run_shown)
            self.say(_("The training saves and stops …"))

    def action_leave_running(self) -> None:
        """Leave; the job goes on."""
        self.kept(self.AT)
        self.app.exit(0)

    def action_log(self) -> None:
        """What the libraries had to say."""
        self.app.push_screen(Log(self.run_shown))

    @work(thread=True, exclusive=True, exit_on_error=False, group="resume")
    def action_resume(self) -> None:
        """Go on with a run that was stopped or cut off."""
        run = self.run_shown
        if run.is_alive() or run.status().phase == "finished":
            return
        self._gone = None
        launch(run)
        self.app.call_from_thread(self._watch_again)

    def action_back(self) -> None:
        """To the review; the training goes on."""
        self.leave("review", strict=False)

    # How it is shown.

    def _watch_again(self) -> None:
        self._unwatched.set()
        self._unwatched = threading.Event()
        self._story, self._told, self._was_alive = Story(), 0, True
        self.log_lines.clear()
        self.follow_run(self._unwatched)

    def _show(self) -> None:
        story = self._story
        if (over := bool(story.end or self._gone)) != self._over:
            self._over = over
            self.refresh_bindings()
        self._put("phases", self._phases())
        done, of = (story.step, story.total) if story.step else (story.done, story.of)
        self.query_one(Bar).share = done / of if of else 0.0
        self._put("count", self._count())
        self.query_one("#curve", Curve).total = story.total
        losses = tuple(smoothed(story.losses))
        self.query_one("#curve", Curve).values = losses
        honest = story.held_out or tuple(one.trained for one in story.measured)
        self.query_one("#honest-curve", Curve).values = honest
        loss = _("Loss, smoothed")
        self._put("loss", f"{loss} {losses[-1]:.3f}" if losses else loss)
        name = _("On held-out drawings") if story.held_out else _("On fixed noise")
        self._put("honest", f"{name} {honest[-1]:.4f}" if honest else name)
        self._put("figures", self._figures())
        if story.previews and story.previews[-1].paths:
            newest = story.previews[-1].paths[0]
            if newest != self._preview:
                self._preview = newest
                self.picture.show(Shown(Path(newest)))

    def _put(self, place: str, words: str | Content) -> None:
        """Show `words` where they belong; what stands there already is not sent again, nor anything around it."""
        before = self._shown.get(place, "")
        if before != words:
            self._shown[place] = words
            # These are as large as their words; the others have a place of their own.
            resized = place in ("count", "memory-words", "gpu") and cells(str(before)) != cells(str(words))
            self.query_one(f"#{place}", Text).update(words, layout=resized)

    def _phases(self) -> Content:
        story = self._story
        if self._gone:
            return Content.styled("✗ " + _("The job is gone. r goes on from the last checkpoint."), "bold $text-error")
        match story.end:
            case events.Finished():
                return Content.styled("✓ " + _("Finished. Enter on Result shows it."), "bold $text-success")
            case events.Failed(title=title):
                return Content.styled(f"✗ {plain(title)} " + _("l shows the log."), "bold $text-error")
            case events.Stopped():
                return Content.styled("■ " + _("Stopped. r goes on from the same step."), "bold $text-warning")
        if story.paused:
            return Content.styled("‖ " + _("Paused. Space goes on."), "bold $text-warning")
        parts: list[Content] = []
        for name in story.phases:
            now = name == story.phase
            mark = "●" if now else "✓"
            parts.append(Content.styled(f"{mark} {phase_word(name)}", "bold $text-primary" if now else "$text-success"))
        if story.phase not in story.phases and story.phase:
            parts.append(Content.styled(f"● {phase_word(story.phase)}", "bold $text-primary"))
        return Content("  ").join(parts)

    def _count(self) -> str:
        story = self._story
        if story.phase not in ("train", "preview", "save") and not story.end:
            return f"{story.done}/{story.of}" if story.of else ""
        parts = [_("step {step}/{total}").format(step=story.step, total=story.total)]
        if story.epoch:
            parts.append(_("epoch {n}").format(n=story.epoch))
        if story.seconds_left and not story.end and not story.paused:
            parts.append(_("{time} left").format(time=duration(story.seconds_left)))
        return " · ".join(parts)

    def _figures(self) -> str:
        story, parts = self._story, []
        if story.last:
            parts += [
                _("{pace:.1f} drawings/s").format(pace=story.last.pictures_per_second),
                _("rate {rate:.2e}").format(rate=story.last.rate),
            ]
        if story.checkpoint:
            past = duration(max(0.0, time.time() - story.checkpoint.t))
            parts.append(
                _("checkpoint {time} ago").format(time=past)
                if not story.end
                else _("checkpoint at step {n}").format(n=story.checkpoint.step)
            )
        if story.device:
            parts.append(story.device)
        return " · ".join(parts)

    def _tell(self) -> None:
        for event in self._story.said[self._told :]:
            if words := line(event):
                clock = time.strftime("%H:%M", time.localtime(event.t))
                self.log_lines.write(f"{clock} {plain(words)}")
        self._told = len(self._story.said)

    def say(self, words: str = "") -> None:
        """While it runs, say what first-time users fear most."""
        alive = not self._story.end and not self._gone
        super().say(words or (_("You can close this window: the training goes on.") if alive else ""))


SCREEN = Training
