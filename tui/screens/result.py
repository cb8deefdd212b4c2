"""Result: the files, the curves, the previews, and what to do with it all."""

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from core import paths
from core.language import _
from core.runs import events
from tui.keys import bind
from tui.screens.step import StepScreen
from tui.story import Story
from tui.widgets.curve import Curve, smoothed
from tui.widgets.picture import Picture, Shown
from tui.widgets.text import Text
from tui.words import plain, size
from tui.work import Work


class Result(StepScreen):
    """What came of it."""

    AT = "result"
    CSS_PATH = "result.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bind("result.copy", "result.again", "result.preview_after", "result.preview_before", "pictures"),
        *bind("next", quiet=True),
    ]
    AUTO_FOCUS = "#files"

    files = getters.query_one("#files", OptionList)
    picture = getters.query_one("#picture", Picture)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        assert work.run
        self._plan = work.run.plan()
        self._story = Story().with_events(work.run.history())
        self._pictures = [(event, path) for event in self._story.previews for path in event.paths]
        self._shown = len(self._pictures) - len(self._story.previews[-1].paths) if self._story.previews else 0

    @property
    def guide(self) -> str:
        """The guide's last words."""
        return _("No result is a final output: try the epochs, choose, and work on top of what you like.")

    @property
    def explained(self) -> str:
        """What one sees."""
        return _(
            "Every epoch left a LoRA file of its own. The one marked ★ had the lowest loss on drawings that it did not "
            "learn from (or on fixed noise, where none were held out): a good one to begin with; later ones know the "
            "drawings better and may repeat them. Put a file into the folder `loras` of ComfyUI or Forge and call it "
            "with the activation word, or draw with it here with the command below.\n\nleft and right show other "
            "previews; n goes back to the plan to train again."
        )

    def content(self) -> ComposeResult:
        """Files; curves and previews; the command."""
        with Horizontal(id="halves"):
            with Vertical(id="left"):
                yield Text(_("Files"), classes="heading")
                yield OptionList(*self._files(), id="files", markup=False)
                yield Text(self._loss(), id="loss")
                yield Curve(id="curve")
                with VerticalScroll(id="next-steps"):
                    yield Text(self._words(), id="words")
            with Vertical(id="right"):
                yield Text(id="preview-words")
                yield Picture(self.app.terminal, id="picture")

    def buttons(self) -> Iterator[Button]:
        """Back to the plan, or the end."""
        yield Button(_("Train again"), id="again", compact=True)
        yield Button(_("Quit"), id="quit", compact=True, variant="primary")

    def on_mount(self) -> None:
        """Show the curve and the last preview."""
        self.query_one(Curve).values = tuple(smoothed(self._story.losses))
        self.files.highlighted = max(0, self.files.option_count - 1)
        self._show_preview()

    @on(Button.Pressed, "#again")
    def action_again(self) -> None:
        """Change the plan and train again; this result stays."""
        self.leave("steps")

    @on(Button.Pressed, "#quit")
    async def quit(self) -> None:
        """Done."""
        await self.app.run_action("quit")

    def action_next(self) -> None:
        """There is nothing after this."""
        self.say(_("This is the end: n trains again, Ctrl+Q quits."))

    def action_back(self) -> None:
        """To the training's own page."""
        self.leave("training", strict=False)

    def action_preview(self, by: int) -> None:
        """Another preview."""
        if self._pictures:
            self._shown = (self._shown + by) % len(self._pictures)
            self._show_preview()

    def action_copy(self) -> None:
        """Give the command to the terminal's clipboard."""
        self.app.copy_to_clipboard(self._command())
        self.say(_("The command is in the clipboard, if this terminal lets programs write it."))

    @on(OptionList.OptionHighlighted, "#files")
    def follow_file(self) -> None:
        """The command draws with the file under the cursor."""
        self.query_one("#words", Text).update(self._words())

    def _show_preview(self) -> None:
        words = self.query_one("#preview-words", Text)
        if not self._pictures:
            words.update(_("This run made no previews."))
            return
        event, path = self._pictures[self._shown]
        place = event.paths.index(path)
        prompt = plain(event.prompts[place]) if place < len(event.prompts) else ""
        where = _("Step {step} · {n}/{of} (← →)").format(step=event.step, n=self._shown + 1, of=len(self._pictures))
        words.update(Content.assemble((where, "bold"), "\n", (prompt, "$foreground-muted")))
        self.picture.show(Shown(Path(path)))

    def _files(self) -> list[Option]:
        best = self._best()
        lines = []
        for saved in self._story.saved:
            path = Path(saved.path)
            star = ("★ ", "$text-accent") if saved is best else "  "
            weight = size(path.stat().st_size) if path.exists() else _("gone")
            epoch = _("last") if saved.final else _("epoch {n}").format(n=saved.epoch)
            lines.append(
                Option(Content.assemble(star, plain(path.name), (f"  {epoch}, {weight}", "$foreground-muted")))
            )
        return lines

    def _best(self) -> events.Saved | None:
        best = self._story.best
        if best is None:
            return None
        kept = (saved for saved in reversed(self._story.saved) if Path(saved.path).exists())
        return next((saved for saved in kept if saved.step == best.step), None)

    def _loss(self) -> str:
        measured = self._story.measured
        if len(measured) < 2:
            return _("Loss, smoothed")
        first, last = measured[0], measured[-1]
        words = _("Loss on fixed noise {before:.3f} → {after:.3f}").format(before=first.trained, after=last.trained)
        if first.held_out is not None and last.held_out is not None:
            words += " · " + _("held out {before:.3f} → {after:.3f}").format(before=first.held_out, after=last.held_out)
        return words

    def _file(self) -> str:
        marked = self.files.highlighted if self.is_mounted else None
        saved = self._story.saved
        return saved[marked].path if marked is not None and marked < len(saved) else saved[-1].path if saved else ""

    def _command(self) -> str:
        path = self._file()
        # A `~` is only understood where nothing is quoted.
        return f'boceto draw {paths.shown(Path(path)) if quote(path) == path else quote(path)} "…"'

    def _words(self) -> Content:
        word, base = plain(self._plan.activation_word), plain(self._plan.base.name)
        lines = [Content.styled(_("Try it"), "bold $text-primary"), Content(plain(self._command()))]
        if word:
            lines.insert(1, Content.assemble(_("Begin every prompt with "), (word, "bold $text-accent"), "."))
        lines += [
            Content.styled(_("What now"), "bold $text-primary"),
            Content(_("ComfyUI, Forge, A1111: copy the file into their folder for LoRAs.")),
            Content(_("It works best on {base}, and less well on other families.").format(base=base)),
        ]
        return Content("\n").join(lines)


SCREEN = Result
