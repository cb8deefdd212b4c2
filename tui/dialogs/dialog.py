"""What every dialog has: a box in the middle, and Escape that leaves everything as it is."""

from typing import ClassVar, Generic, TypeVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button

from core.errors import BocetoError
from core.language import _
from tui.keys import bind, spoken
from tui.widgets.text import Text

T = TypeVar("T")


class Dialog(ModalScreen[T | None], Generic[T]):
    """A question in a box over the screen; None when the person turns away from it."""

    BINDINGS: ClassVar[list[BindingType]] = bind("back")
    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box {
        width: 76; max-width: 96%; height: auto; max-height: 94%;
        padding: 0 1; border: round $primary; background: $surface;
    }
    Dialog #title { text-style: bold; color: $text-primary; height: auto; }
    Dialog #text { height: auto; max-height: 16; }
    Dialog #text Text { height: auto; }
    Dialog #buttons { height: 1; margin-top: 1; align-horizontal: right; }
    Dialog #buttons Button { margin-left: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._bindings = spoken(self._bindings)

    def action_back(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)


class Option(Struct, frozen=True):
    """One answer to a question."""

    id: str
    label: str
    variant: str = "default"


class Ask(Dialog[str]):
    """A question with a few answers, the first of which Enter gives; the id of the chosen one comes back."""

    AUTO_FOCUS = "Button"

    def __init__(self, title: str, text: str, options: tuple[Option, ...]) -> None:
        super().__init__()
        self._title, self._text, self._options = title, text, options

    def compose(self) -> ComposeResult:
        """Title, text, answers."""
        with Vertical(id="box"):
            yield Text(self._title, id="title")
            with VerticalScroll(id="text", can_focus=False):
                yield Text(self._text)
            with Horizontal(id="buttons"):
                for option in self._options:
                    yield Button(option.label, id=option.id, compact=True, variant=option.variant)  # type: ignore[arg-type]

    @on(Button.Pressed)
    def pressed(self, pressed: Button.Pressed) -> None:
        """Give the answer back."""
        self.choose(pressed.button.id)

    def choose(self, answer: str | None) -> None:
        """Give the answer back."""
        self.dismiss(answer)


class Trouble(Ask):
    """An error in words: what happened, what we know, what to do."""

    def __init__(self, error: BocetoError) -> None:
        answers = (Option("close", _("Close"), "primary"), Option("copy", _("Copy")))
        super().__init__(f"✗ {error.title}", body(error), answers)
        self.error = error

    def choose(self, answer: str | None) -> None:
        """Close, or give the words to the terminal's clipboard."""
        if answer == "copy":
            self.app.copy_to_clipboard(str(self.error))
        self.dismiss(None)


def body(error: BocetoError) -> str:
    """What we know of an error, and what to do, below its title."""
    return "\n\n".join(part for part in (error.detail, error.hint and f"→ {error.hint}") if part)
