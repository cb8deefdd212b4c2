"""The drawings of a dataset as a list shows them: filtered, ordered, a line each."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace
from textual.content import Content

from core.errors import Problem, Severity
from core.images.drawing import Drawing
from core.language import _
from core.plan.survey import Problems, Survey
from core.project import Project
from tui.dialogs.pick import Entry
from tui.problems import MARKS, code_words
from tui.words import fitting

ALL, PROBLEMS, OUT = "all", "problems", "out"
"""Filters beside the codes of problems."""
_COLUMNS = 2 + 11 + 11 + 5 + 7 + 1 + 19
"""Cells of a line beside the name: mark, size, bucket, crop, scale, problem."""
_NAME = 12
"""Cells that a name has at least."""


class Gallery(Struct, frozen=True):
    """Drawings with what is known of them, and after them the files that gave none; items are counted through."""

    drawings: tuple[Drawing, ...] = ()
    survey: Survey | None = None
    """None while the drawings are still looked at."""
    usable: frozenset[int] = frozenset()
    problems: Mapping[str, list[Problem]] = {}
    """Of each drawing, the gravest first."""
    broken: Problems = ()
    """Why each of the other files gave no drawing."""

    @classmethod
    def of(cls, survey: Survey, project: Project) -> "Gallery":
        """Everything that is known."""
        broken = tuple(problem for problem in survey.unreadable if problem.drawing)
        return cls(survey.drawings, survey, frozenset(survey.usable(project)), _by_drawing(survey), broken)

    def used_by(self, project: Project) -> "Gallery":
        """The same drawings after other ones were left out."""
        assert self.survey
        return replace(self, usable=frozenset(self.survey.usable(project)))

    @property
    def items(self) -> range:
        """Everything."""
        return range(len(self.drawings) + len(self.broken))

    def drawing(self, item: int | None) -> Drawing | None:
        """The drawing of an item; None for a file that gave none."""
        return self.drawings[item] if item is not None and item < len(self.drawings) else None

    def name(self, item: int) -> str:
        """The file's name."""
        drawing = self.drawing(item)
        return drawing.name if drawing else self.problems_of(item)[0].drawing

    def problems_of(self, item: int) -> list[Problem]:
        """What is wrong with it."""
        drawing = self.drawing(item)
        return self.problems.get(drawing.name, []) if drawing else [self.broken[item - len(self.drawings)]]

    def is_doubtful(self, item: int) -> bool:
        """Whether something about it is worth a look."""
        problems = self.problems_of(item)
        return bool(problems) and problems[0].severity is not Severity.NOTE

    def shown(self, wanted: str, order: int) -> list[int]:
        """What passes a filter, in an order."""
        passes = self._passes(wanted)
        _name, key = self.orders()[order]
        return sorted(filter(passes, self.items), key=key or self._letters)

    def filters(self) -> list[Entry]:
        """Every filter with how much passes it."""
        codes = Counter(code for item in self.items for code in {one.code for one in self.problems_of(item)})
        fixed = [
            Entry(ALL, _("all"), len(self.items)),
            Entry(PROBLEMS, _("with a problem"), sum(map(self.is_doubtful, self.items))),
            Entry(OUT, _("left out"), len(self.items) - len(self.usable)),
        ]
        return fixed + [Entry(code, code_words(code), number) for code, number in codes.most_common()]

    def orders(self) -> list[tuple[str, Callable[[int], float] | None]]:
        """Every order with its name; None is by name."""
        survey, drawings = self.survey, len(self.drawings)
        if survey is None:
            return [(_("name"), None)]

        def gravity(item: int) -> float:
            problems = self.problems_of(item)
            return -problems[0].severity.weight if problems else 1

        def pixels(item: int) -> float:
            return survey.drawings[item].width * survey.drawings[item].height if item < drawings else 0

        def cropped(item: int) -> float:
            return -survey.placements[item].cropped if item < drawings else 1

        def enlarged(item: int) -> float:
            return -survey.placements[item].enlargement if item < drawings else 1

        return [
            (_("name"), None),
            (_("problem"), gravity),
            (_("size"), pixels),
            (_("crop"), cropped),
            (_("enlargement"), enlarged),
        ]

    def heads(self, width: int) -> str:
        """What stands over the columns of `line`."""
        heads = (_("size"), 11), (_("bucket"), 11), (_("crop"), 5), (_("scale"), 7)
        columns = "".join(f" {words}".rjust(cells) for words, cells in heads)
        return "  " + fitting(_("name"), max(_NAME, width - _COLUMNS)) + columns + " " + _("problem")

    def line(self, item: int, width: int) -> Content:
        """One file: name, size, bucket, crop, enlargement, gravest problem."""
        drawing, problems = self.drawing(item), self.problems_of(item)
        name = fitting(self.name(item), max(_NAME, width - _COLUMNS))
        size = f" {drawing.width}×{drawing.height}" if drawing else ""
        if self.survey is None:
            return Content.assemble("  ", name, size.rjust(11))
        out = item not in self.usable
        mark, colour = MARKS[problems[0].severity] if problems else ("✓", "$text-success")
        words = code_words(problems[0].code) if problems else ""
        if drawing is None:
            figures = " " * (11 + 11 + 5 + 7 + 1)
        else:
            placement = self.survey.placements[item]
            cropped = f"{placement.cropped:.0%}" if placement.cropped >= 0.005 else "–"
            bucket = f" {placement.bucket.width}×{placement.bucket.height}"
            scale = f"{placement.enlargement:.2f}×"
            figures = size.rjust(11) + bucket.rjust(11) + cropped.rjust(5) + scale.rjust(7) + " "
            if out:
                blocked = problems and problems[0].severity is Severity.BLOCK
                mark, colour, words = "✗", "$text-error", words if blocked else _("left out")
            elif problems and problems[0].severity is Severity.BLOCK:
                mark, colour, words = "!", "$text-warning", _("taken in: {problem}").format(problem=words)
        style = "$foreground-muted" if out else ""
        return Content.assemble((f"{mark} ", colour), (name, style), (figures, style), (fitting(words, 19), colour))

    def _letters(self, item: int) -> str:
        return _letters_of(self.name(item))

    def _passes(self, name: str) -> Callable[[int], bool]:
        match name:
            case "all":
                return lambda _item: True
            case "problems":
                return self.is_doubtful
            case "out":
                return lambda item: item not in self.usable
            case code:
                return lambda item: any(problem.code == code for problem in self.problems_of(item))


@lru_cache(maxsize=1 << 16)
def _letters_of(name: str) -> str:
    """A name as one looks it up: é beside e, Z beside z."""
    return unicodedata.normalize("NFKD", name).casefold()


def _by_drawing(survey: Survey) -> dict[str, list[Problem]]:
    """The problems of each drawing, the gravest first; captions have their own screen."""
    found: dict[str, list[Problem]] = {}
    for problems in (*survey.shapes, survey.repeats):
        for problem in problems:
            found.setdefault(problem.drawing, []).append(problem)
    for several in found.values():
        several.sort(key=lambda problem: -problem.severity.weight)
    return found
