"""A line that asks for one thing: what to show, which tags to add, what a tag is to be called."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from tui.widgets.completing import Completing
from tui.widgets.text import Text


class Prompt(Horizontal):
    """Words, and a field behind them; hidden until it is asked."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt > Text { width: auto; margin-right: 1; color: $text-primary; }
    Prompt > Completing { width: 1fr; height: 1; border: none; padding: 0; background: $primary 30%; }
    """

    class Typed(Message):
        """The text is another."""

        def __init__(self, prompt: "Prompt", text: str) -> None:
            super().__init__()
            self.prompt, self.text = prompt, text

        @property
        def control(self) -> "Prompt":
            """For `@on` with a selector."""
            return self.prompt

    class Answered(Typed):
        """Enter was pressed."""

    def __init__(self, placeholder: str = "", **options: str) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._placeholder = placeholder
        self.purpose = ""
        """What the answer is for, as whoever asked has called it."""

    @property
    def field(self) -> Completing:
        """Where it is typed."""
        return self.query_one(Completing)

    def compose(self) -> ComposeResult:
        """Words and field."""
        yield Text()
        yield Completing(placeholder=self._placeholder, select_on_focus=False)

    def ask(self, words: str, text: str = "", purpose: str = "") -> None:
        """Ask; `text` stands there already."""
        self.purpose = purpose
        self.query_one(Text).update(words)
        with self.prevent(Input.Changed):
            self.field.value = text
        self.field.cursor_position = len(text)
        self.display = True
        self.field.focus()

    def close(self) -> None:
        """Be gone."""
        self.field.forget()
        self.display = False

    @on(Input.Changed)
    def typed(self, changed: Input.Changed) -> None:
        """Tell whoever asked."""
        changed.stop()
        self.post_message(self.Typed(self, changed.value))

    @on(Input.Submitted)
    def answered(self, submitted: Input.Submitted) -> None:
        """This is it."""
        submitted.stop()
        self.post_message(self.Answered(self, submitted.value))
