"""The end of a run's log, with the error that ended it."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import RichLog

from core.errors import BocetoError
from core.language import _
from core.runs.run import Run
from tui.dialogs.dialog import Dialog, body
from tui.widgets.text import Text
from tui.words import plain

_LINES = 500


class Log(Dialog[None]):
    """What the libraries had to say; above it what happened and what to do."""

    DEFAULT_CSS = """
    Log > #box { width: 96%; height: 94%; }
    Log RichLog { height: 1fr; margin-top: 1; background: $background; }
    Log #title { color: $text-primary; }
    Log.-failed #title { color: $text-error; }
    """

    def __init__(self, run: Run, error: BocetoError | None = None) -> None:
        super().__init__()
        self._run, self._error = run, error
        self.set_class(error is not None, "-failed")

    def compose(self) -> ComposeResult:
        """The words, then the log."""
        with Vertical(id="box"):
            yield Text(f"✗ {self._error.title}" if self._error else _("The log of this run"), id="title")
            if self._error:
                yield Text(body(self._error))
            yield RichLog(wrap=True, markup=False, highlight=False)
            yield Text(_("Whole log: {path}. Esc closes this.").format(path=self._run.log_file), classes="hint")

    def on_mount(self) -> None:
        """Its last lines."""
        try:
            text = self._run.log_file.read_text("utf-8", errors="replace")
        except OSError as error:
            text = error.strerror or str(error)
        for lines in self.query(RichLog):  # none when it was closed before it was drawn
            for line in text.splitlines()[-_LINES:]:
                lines.write(plain(line))
            lines.focus()
