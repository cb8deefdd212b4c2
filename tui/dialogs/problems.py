"""Everything that is wrong with the captions, by kind: how often, what it means, and what one key mends."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from core.captions.mends import MENDS, mend_words
from core.errors import Problem, Severity
from core.language import _, ngettext
from tui.dialogs.dialog import Dialog
from tui.keys import bind
from tui.problems import MARKS, code_words
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import fitting, plain

_COUNT, _WORDS = 6, 24
"""Cells of a line for the count and for the kind in a word or two."""
_LISTED = 20
"""Drawings that are named one by one; for more there is the filter."""


OF_TAGS = frozenset({"fused", "nearly-fused"})
"""Problems of tags that stand nearly everywhere: which of them belong to the word, only a person knows."""


class Answer(Struct, frozen=True):
    """The kind of problem that was chosen."""

    code: str
    mend: bool = False
    """All of it is to be mended; else the captions that have it are to be shown."""


class Kind(Struct, frozen=True):
    """All problems of one code."""

    code: str
    severity: Severity
    problems: tuple[Problem, ...]

    @property
    def first(self) -> Problem:
        """One that stands for all."""
        return self.problems[0]

    @property
    def of_all(self) -> bool:
        """Whether it is about all captions together, and names none."""
        return not any(problem.drawing for problem in self.problems)


class Problems(Dialog[Answer]):
    """What to do about one kind of problem; the caller mends or filters."""

    BINDINGS: ClassVar[list[BindingType]] = bind("lint.only", "lint.mend")
    AUTO_FOCUS = "Rows"
    DEFAULT_CSS = """
    Problems > #box { width: 96%; height: 94%; }
    Problems #about { height: auto; max-height: 11; margin-top: 1; border-top: solid $panel; }
    Problems #about:focus { border-top: solid $primary; }
    Problems #about Text { height: auto; }
    Problems #keys { height: 1; }
    """

    rows = getters.query_one(Rows)

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__()
        self._kinds = kinds(problems)

    def compose(self) -> ComposeResult:
        """The kinds, and all about the one under the cursor."""
        with Vertical(id="box"):
            yield Text(self._title(), id="title")
            yield Rows(self._line)
            with VerticalScroll(id="about"):
                yield Text()
            yield Text(id="keys", classes="hint")

    def on_mount(self) -> None:
        """The gravest first."""
        self.rows.show(range(len(self._kinds)))

    @on(Rows.Moved)
    def moved(self) -> None:
        """All about the one under the cursor."""
        kind = self._present()
        about = self.query_one("#about", VerticalScroll)
        about.query_one(Text).update(_about(kind) if kind else Content(""))
        about.scroll_home(animate=False)
        self.query_one("#keys", Text).update(_keys(kind))
        self.call_after_refresh(self._let_scroll)

    def action_only(self) -> None:
        """See the captions that have it."""
        kind = self._present()
        if kind and not kind.of_all:
            self.dismiss(Answer(kind.code))
        else:
            self.app.bell()

    def action_mend(self) -> None:
        """Mend all of it."""
        kind = self._present()
        if kind and _mend(kind.code):
            self.dismiss(Answer(kind.code, mend=True))
        else:
            self.app.bell()

    def _present(self) -> Kind | None:
        return None if self.rows.item is None else self._kinds[self.rows.item]

    def _let_scroll(self) -> None:
        about = self.query_one("#about", VerticalScroll)
        about.can_focus = about.max_scroll_y > 0

    def _title(self) -> str:
        if not self._kinds:
            return _("No caption has a problem.")
        drawings = {problem.drawing for kind in self._kinds for problem in kind.problems if problem.drawing}
        if not drawings:
            return _("What is wrong with the captions together")
        words = ngettext(
            "Something is to be said of {n} caption.", "Something is to be said of {n} captions.", len(drawings)
        )
        return words.format(n=len(drawings))

    def _line(self, item: int, width: int) -> Content:
        kind = self._kinds[item]
        mark, colour = MARKS[kind.severity]
        mends = _mend(kind.code)
        rest = max(0, width - 2 - _COUNT - 2 - _WORDS - 1)
        count = "" if kind.of_all else str(len(kind.problems))
        return Content.assemble(
            (f"{mark} ", colour),
            f"{count:>{_COUNT}}  ",
            fitting(code_words(kind.code), _WORDS),
            " ",
            (fitting(f"b {mends}" if mends else "", rest), "$foreground-muted"),
        )


def _mend(code: str) -> str:
    """What one key does about a kind of problem; empty when nothing can be done without asking."""
    if code in OF_TAGS:
        return _("Choose which tags go")
    return mend_words(code) if code in MENDS else ""


def kinds(problems: Iterable[Problem]) -> Sequence[Kind]:
    """Problems by their codes: the gravest kind first, then the one that is met most."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.code, []).append(problem)
    every = [
        Kind(code, max((one.severity for one in several), key=lambda severity: severity.weight), tuple(several))
        for code, several in found.items()
    ]
    return sorted(every, key=lambda kind: (-kind.severity.weight, -len(kind.problems), kind.code))


def _about(kind: Kind) -> Content:
    """Each of a few problems with its drawings; of many, the first of them."""
    where: dict[str, list[str]] = {}
    for problem in kind.problems[:_LISTED]:
        where.setdefault(problem.message, []).append(plain(problem.drawing))
    parts = [
        Content.assemble(plain(message), ("  " + "  ".join(filter(None, names)), "$foreground-muted"))
        for message, names in where.items()
    ]
    more = len(kind.problems) - _LISTED
    if more > 0:
        parts.append(Content(ngettext("… and {n} more", "… and {n} more", more).format(n=more)))
    remedies = dict.fromkeys(problem.remedy for problem in kind.problems[:_LISTED])
    parts += [Content.assemble("→ ", (plain(remedy), "$foreground-muted")) for remedy in remedies]
    return Content("\n").join(parts)


def _keys(kind: Kind | None) -> str:
    keys = []
    if kind and not kind.of_all:
        keys.append(_("Enter shows only these"))
    if kind and _mend(kind.code):
        keys.append(_("b asks which tags go") if kind.code in OF_TAGS else _("b mends all of them"))
    return " · ".join([*keys, _("Esc closes this")])
