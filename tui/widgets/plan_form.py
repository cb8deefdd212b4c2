"""A form for choices of a plan, made from their declarations."""

from collections.abc import Mapping
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Checkbox, Input, Select

from core.errors import BocetoError
from core.language import _
from core.settings import Choice, Plan, choices
from tui.choices import written
from tui.labels import label
from tui.widgets.check import Check
from tui.widgets.text import Text
from tui.words import plain


class Number(Input):
    """A field for a number: letters stay keys of the screen."""

    _LETTERS: ClassVar[str] = "0123456789.-+e"

    def __init__(self, value: str = "", **options: Any) -> None:
        super().__init__(value, select_on_focus=True, **options)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Only what a number is made of."""
        return character is not None and character in self._LETTERS

    def _on_key(self, event: events.Key) -> None:  # type: ignore[override]
        if event.is_printable and (event.character or "") not in self._LETTERS:
            event.prevent_default()  # Textual calls the handler of each class in turn: not that of `Input`


class Field(Horizontal):
    """One choice: its name, its field, and what is taken when it is left open."""

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > .label { width: 26; }
    Field > Number, Field > Input { width: 18; }
    Field > Select { width: 26; }
    Field > Checkbox { width: 6; border: none; padding: 0; background: $background; }
    Field > .auto { width: 1fr; padding-left: 1; color: $foreground-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, field: "Field") -> None:
            super().__init__()
            self.field = field

    class Entered(Message):
        """The field has the focus: its help is wanted."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choice: Choice, value: Any) -> None:
        super().__init__(id=f"field-{choice.name}")
        self.choice = choice
        self._value = value

    def compose(self) -> ComposeResult:
        """Name, field, note."""
        choice, value = self.choice, self._value
        yield Text(label(choice.name), classes="label")
        if choice.kind is bool:
            yield Check(value=bool(value))
        elif choice.kind == "one of":
            yield Select(
                [(option, option) for option in choice.options],
                value=value if value is not None else Select.NULL,
                prompt=_("as recommended"),
                allow_blank=choice.default is None,
                compact=True,
            )
        elif choice.kind in (int, float):
            yield Number(written(value))
        else:
            yield Input(plain(written(value)), select_on_focus=False)
        yield Text(classes="auto")

    @property
    def value(self) -> Any:
        """What is chosen; None for what is left open. Raises BocetoError for what is none."""
        choice = self.choice
        if choice.kind is bool:
            return self.query_one(Checkbox).value
        if choice.kind == "one of":
            chosen = self.query_one(Select).value
            return None if chosen is Select.NULL else chosen
        text = self.query_one(Input).value.strip()
        if not text and choice.kind != "list":
            return choice.default if choice.default is not None else None
        try:
            if choice.kind is int:
                return int(text)
            if choice.kind is float:
                return float(text)
            if choice.kind == "pair":
                first, second = (float(part) for part in text.replace(";", ",").split(","))
                return first, second
            if choice.kind == "list":
                return tuple(part.strip() for part in text.split("|") if part.strip())
        except ValueError as error:
            raise BocetoError(
                _("{field}: “{text}” is not a number.").format(field=label(choice.name), text=text)
            ) from error
        return text

    def put(self, value: Any) -> None:
        """Show another value without saying that it changed."""
        with self.prevent(Input.Changed, Checkbox.Changed, Select.Changed):
            if self.choice.kind is bool:
                self.query_one(Checkbox).value = bool(value)
            elif self.choice.kind == "one of":
                self.query_one(Select).value = Select.NULL if value is None else value
            else:
                field = self.query_one(Input)
                field.value = written(value)
                field.cursor_position = len(field.value)

    def note(self, words: str, wrong: bool = False) -> None:
        """Say beside the field what is taken, or what is wrong."""
        note = self.query_one(".auto", Text)
        note.update(words)
        note.set_class(wrong, "bad")

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Select.Changed)
    def changed(self, event: Message) -> None:
        """Tell the screen."""
        event.stop()
        self.post_message(self.Changed(self))

    def on_descendant_focus(self) -> None:
        """Its help is wanted."""
        self.post_message(self.Entered(self.choice))


class PlanForm(Vertical):
    """Fields for some choices of a plan."""

    DEFAULT_CSS = "PlanForm { height: auto; }"

    def __init__(self, names: tuple[str, ...], plan: Plan, **options: Any) -> None:
        super().__init__(**options)
        self._names = names
        self._plan = plan

    def compose(self) -> ComposeResult:
        """One line a choice."""
        for choice in choices(Plan):
            if choice.name in self._names:
                yield Field(choice, getattr(self._plan, choice.name))

    def field(self, name: str) -> Field:
        """The field of a choice."""
        return self.query_one(f"#field-{name}", Field)

    def values(self) -> dict[str, Any]:
        """Every choice of the form. Raises BocetoError for one that cannot be."""
        return {name: self.field(name).value for name in self._names}

    def put(self, plan: Plan) -> None:
        """Show another plan."""
        for name in self._names:
            self.field(name).put(getattr(plan, name))

    def note(self, settled: Mapping[str, Any]) -> None:
        """Beside each field that is left open, what is taken."""
        for name in self._names:
            field = self.field(name)
            try:
                field.note("" if field.value is not None else _("→ {value}").format(value=written(settled.get(name))))
            except BocetoError:
                field.note(_("not a number"), wrong=True)
