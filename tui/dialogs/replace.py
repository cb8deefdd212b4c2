"""Find and replace in captions, with what it would change below while it is typed."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import ClassVar

from msgspec import Struct
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Checkbox, Input

from core.captions import edits
from core.captions.edits import Edit
from core.errors import BocetoError
from core.language import _
from tui.dialogs.changes import ChangeList, Row, changing
from tui.dialogs.dialog import Dialog
from tui.dialogs.scopes import ScopeLine, Scopes
from tui.keys import bind
from tui.widgets.check import Check
from tui.widgets.text import Text
from tui.words import shortened

_SLICE = 0.02
"""Seconds of looking before keys are heard again: a few hundred captions are done in one."""
_PATIENCE = 0.5
"""Seconds a pattern may take for one slice. `(a+)+b` takes years, and Python would hear no key meanwhile."""


class Replacement(Struct, frozen=True):
    """What is to be replaced, by what, and where."""

    find: str
    by: str
    regex: bool = False
    case: bool = False
    whole_tags: bool = False
    scope: str = ""

    @property
    def edit(self) -> Edit:
        """The change of one caption. Raises BocetoError when the pattern makes no sense."""
        return edits.replace(self.find, self.by, regex=self.regex, case=self.case, whole_tags=self.whole_tags)


class Replace(Dialog[Replacement]):
    """What is to be replaced; None for nothing. What is given back was shown first, caption by caption."""

    BINDINGS: ClassVar[list[BindingType]] = bind(
        "changes.make", "list.down", "list.up", "list.page_down", "list.page_up"
    )
    AUTO_FOCUS = "#find"
    DEFAULT_CSS = """
    Replace > #box { width: 96%; height: 94%; }
    Replace .line { height: 1; }
    Replace .line > Text { width: 13; height: 1; }
    Replace .line > Input { width: 1fr; }
    Replace .line > Check { width: auto; margin-right: 2; }
    Replace #trouble { height: auto; max-height: 5; display: none; color: $text-error; }
    Replace #count { height: 1; text-style: bold; }
    """

    listed = getters.query_one(ChangeList)
    scope = getters.query_one(ScopeLine)

    def __init__(
        self,
        captions: Mapping[int, str],
        names: Mapping[int, str],
        scopes: Scopes,
        last: Replacement | None = None,
    ) -> None:
        """`last` stands in the fields already; its scope does not count again."""
        super().__init__()
        self._captions, self._names, self._scopes = captions, names, scopes
        self._last = last or Replacement("", "")
        self._looked_for: Replacement | None = None
        self._search: Iterator[Row | None] = iter(())
        self._found: list[Row] = []
        self._over = True
        self._wanted = False
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        """Fields, boxes, scope, and what would change."""
        last = self._last
        with Vertical(id="box"):
            yield Text(_("Find and replace"), id="title")
            with Horizontal(classes="line"):
                yield Text(_("Find"))
                yield Input(_printable(last.find), id="find", select_on_focus=True)
            with Horizontal(classes="line"):
                yield Text(_("Replace by"))
                yield Input(_printable(last.by), id="by", placeholder=_("nothing: it is removed"), select_on_focus=True)
            with Horizontal(classes="line"):
                yield Check(_("regular expression"), last.regex, id="regex")
                yield Check(_("capitals count"), last.case, id="case")
                yield Check(_("whole tags"), last.whole_tags, id="whole-tags")
            yield ScopeLine(self._scopes)
            yield Text(id="trouble")
            yield Text(id="count")
            yield ChangeList()
            yield Text(_("Enter makes the change, Space ticks, Esc leaves everything as it is."), classes="hint")

    def on_mount(self) -> None:
        """Show what the last one would change."""
        for field in self.query(Input):
            field.cursor_blink = False
        self._look()

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(ScopeLine.Chosen)
    def changed(self) -> None:
        """Look anew."""
        if self.asked != self._looked_for:
            self._look()

    @property
    def asked(self) -> Replacement:
        """What is in the fields."""
        return Replacement(
            self.query_one("#find", Input).value,
            self.query_one("#by", Input).value,
            self.query_one("#regex", Check).value,
            self.query_one("#case", Check).value,
            self.query_one("#whole-tags", Check).value,
            self.scope.chosen,
        )

    def action_make(self) -> None:
        """Give it back, as soon as all of it is known."""
        if not self._over:
            self._wanted = True
        elif self._found:
            self.dismiss(self._looked_for)
        else:
            self.app.bell()

    def action_cursor_down(self) -> None:
        """Through the list from any field."""
        self.listed.rows.action_cursor_down()

    def action_cursor_up(self) -> None:
        """Through the list from any field."""
        self.listed.rows.action_cursor_up()

    def action_page_down(self) -> None:
        """Through the list from any field."""
        self.listed.rows.action_page_down()

    def action_page_up(self) -> None:
        """Through the list from any field."""
        self.listed.rows.action_page_up()

    # Looking, a slice at a time, so that a key is never waited for.

    def _look(self) -> None:
        self._looked_for, self._found, self._wanted = self.asked, [], False
        self._over = False
        self.query_one("#trouble").display = False
        try:
            self._search = self._rows(self._looked_for)
            self._slice()
        except BocetoError as error:
            self._fail(error)

    def _rows(self, asked: Replacement) -> Iterator[Row | None]:
        edit = asked.edit if asked.find else None
        for item in self._scopes.items(asked.scope) if edit else ():
            before = self._captions[item]
            self._at = item
            after = edit(before) if edit else before
            yield Row(self._names[item], before, after) if after != before else None

    def _slice(self) -> None:
        if self._due:
            self._due.stop()
            self._due = None
        end = monotonic() + _SLICE
        try:
            with _at_most(_PATIENCE):
                for row in self._search:
                    if row:
                        self._found.append(row)
                    if monotonic() > end:
                        break
                else:
                    self._over = True
        except TimeoutError:
            self._fail(
                BocetoError(
                    _("This pattern takes too long on “{name}”.").format(name=shortened(self._names[self._at], 30)),
                    "",
                    _("Write it without a repetition inside a repetition, as (a+)+ is."),
                )
            )
            return
        except BocetoError as error:
            self._fail(error)
            return
        self._show()
        if not self._over:
            self._due = self.set_timer(0.001, self._slice)
        elif self._wanted:
            self._wanted = False
            self.action_make()

    def _fail(self, error: BocetoError) -> None:
        self._found, self._over, self._search, self._wanted = [], True, iter(()), False
        trouble = self.query_one("#trouble", Text)
        trouble.display = True
        trouble.update(f"✗ {error.title} {error.detail}".rstrip() + (f"\n→ {error.hint}" if error.hint else ""))
        self._show()

    def _show(self) -> None:
        count, most = len(self._found), len(self._scopes.items(self.scope.chosen))
        if self.query_one("#trouble").display:
            words = ""
        elif not self.query_one("#find", Input).value:
            words = _("Type what to find; what would change is listed here.")
        elif not self._over:
            words = _("{n} of {most} captions change; still looking …")
        elif not count:
            words = changing(0)
        else:
            words = _("{n} of {most} captions change.")
        self.query_one("#count", Text).update(words.format(n=count, most=most))
        self.listed.show(self._found)


def _printable(text: str) -> str:
    """What of a text can stand in a field."""
    return "".join(letter for letter in text if letter.isprintable())


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TimeoutError inside when it takes longer, also within one match of a regular expression.

    Only a signal reaches into a match, and only the main thread hears signals; elsewhere there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
