"""The field that lies over a caption's row while it is edited."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from core.language import _
from tui.widgets.completing import Completing


class CaptionField(Completing):
    """One line over a row; Enter keeps, Escape takes back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False, id="captions.leave")]
    DEFAULT_CSS = """
    CaptionField, CaptionField:focus {
        position: absolute; height: 1; border: none; padding: 0; width: 100%; display: none;
        background: $primary 30%;
    }
    """

    class Kept(Message):
        """The text is as it should be."""

        def __init__(self, index: int, begun: str, text: str, entered: bool) -> None:
            super().__init__()
            self.index, self.begun, self.text, self.entered = index, begun, text, entered

    class Left(Message):
        """The row is to stay as it was."""

    def __init__(self) -> None:
        super().__init__(select_on_focus=False, placeholder=_("what the drawing shows"))
        self._index, self._begun = 0, ""

    def edit(self, index: int, text: str, x: int, y: int, width: int) -> None:
        """Begin to edit `text`, the caption of drawing `index`, at column `x` of line `y`, so many cells wide."""
        self._index = index
        with self.prevent(Input.Changed):
            self.value = self._begun = typeable(text)
        self.styles.offset = (x, y)
        self.styles.width = width
        self.cursor_position = len(self.value)
        self.display = True
        self.focus()

    @property
    def edited(self) -> tuple[int, str, str]:
        """Whose caption is edited, what it was, and what it is now."""
        return self._index, self._begun, self.value.strip()

    def close(self) -> None:
        """Be gone."""
        self.forget()
        self.display = False

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        """Keep it."""
        submitted.stop()
        self.post_message(self.Kept(*self.edited, entered=True))

    def action_leave(self) -> None:
        """Take it back."""
        self.post_message(self.Left())

    def on_blur(self) -> None:
        """Whoever leaves the field by the mouse or Tab has written something, too; not who looks at another window."""
        if self.display and self.app.app_focus:
            self.post_message(self.Kept(*self.edited, entered=False))


def typeable(text: str) -> str:
    """What of a text can stand in a field: what a terminal would obey cannot be typed and has no place in a caption."""
    blanks = (" " if letter.isspace() else letter for letter in text)
    return "".join(letter for letter in blanks if letter.isprintable())
