"""What the drawings teach, and the word that calls it."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select

from core.errors import Problem
from core.language import _, ngettext
from core.project import Kind
from tui.problems import MARKS
from tui.widgets.text import Text
from tui.words import plain


class WordLine(Vertical):
    """Style or character, the activation word, and below them what speaks against the word."""

    DEFAULT_CSS = """
    WordLine { height: auto; }
    WordLine > Horizontal { height: 1; }
    WordLine Horizontal > Text { width: auto; margin-right: 1; }
    WordLine Select { width: 18; margin-right: 2; }
    WordLine Input { width: 20; }
    WordLine #said { height: auto; max-height: 2; }
    """

    class Typed(Message):
        """The word is another."""

    class Kept(Message):
        """The field was left, or Enter pressed in it."""

        def __init__(self, entered: bool) -> None:
            super().__init__()
            self.entered = entered

    class KindChosen(Message):
        """Style or character."""

        def __init__(self, kind: Kind) -> None:
            super().__init__()
            self.kind = kind

    def __init__(self, kind: Kind, word: str) -> None:
        super().__init__()
        self._kind, self._begun = kind, word

    @property
    def word(self) -> str:
        """The word as it stands; one that nobody has typed over is as it was, whatever a field can show of it."""
        value = self.query_one(Input).value
        return self._begun if value == plain(self._begun) else value.strip()

    def compose(self) -> ComposeResult:
        """The two fields, and the verdict."""
        with Horizontal():
            yield Text(_("Teaches"))
            kinds: list[tuple[str, Kind]] = [(_("a style"), "style"), (_("a character"), "character")]
            yield Select(kinds, value=self._kind, allow_blank=False, id="kind", compact=True)
            yield Text(_("Activation word"))
            yield Input(plain(self._begun), id="word", max_length=60, placeholder=_("invent one"))
        yield Text(id="said")

    def focus_word(self) -> None:
        """To the word."""
        self.query_one(Input).focus()

    def put(self, word: str) -> None:
        """Show another word, which nobody has typed."""
        self._begun = word
        with self.prevent(Input.Changed):
            self.query_one(Input).value = plain(word)

    def say(self, problems: list[Problem], tokens: int, begun: int) -> None:
        """The gravest thing that speaks against the word, or that nothing does; so many captions begin with it."""
        said = self.query_one("#said", Text)
        if problems:
            mark, colour = MARKS[problems[0].severity]
            remedy = (plain(problems[0].remedy), "$foreground-muted")
            said.update(Content.assemble((f"{mark} ", colour), plain(problems[0].message), " ", remedy))
        else:
            words = [
                ngettext("{n} token", "{n} tokens", tokens).format(n=tokens),
                ngettext("{n} caption begins with it", "{n} captions begin with it", begun).format(n=begun)
                if begun
                else _("no caption uses it"),
            ]
            said.update(Content.assemble(("✓ ", "$text-success"), ", ".join(words)))

    @on(Input.Changed)
    def typed(self, changed: Input.Changed) -> None:
        """Tell the screen."""
        changed.stop()
        self.post_message(self.Typed())

    @on(Input.Submitted)
    def entered(self, submitted: Input.Submitted) -> None:
        """Enter keeps it."""
        submitted.stop()
        self.post_message(self.Kept(True))

    @on(Input.Blurred)
    def left(self) -> None:
        """So does leaving the field; not looking at another window, with half a word typed."""
        if self.app.app_focus:
            self.post_message(self.Kept(False))

    @on(Select.Changed)
    def chosen(self, changed: Select.Changed) -> None:
        """Tell the screen."""
        changed.stop()
        if changed.value in ("style", "character"):
            self.post_message(self.KindChosen(changed.value))
