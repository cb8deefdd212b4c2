"""The drawings of a dataset as a list shows them: filtered, ordered, a line each."""

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct
from textual.content import Content

from core.errors import Problem, Severity
from core.images.drawing import Drawing
from core.language import _
from core.plan.survey import Survey
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
    """Drawings with what is known of them; without a survey while they are still looked at."""

    drawings: tuple[Drawing, ...] = ()
    survey: Survey | None = None
    usable: frozenset[int] = frozenset()
    problems: Mapping[str, list[Problem]] = {}
    """Of each drawing, the gravest first."""

    @classmethod
    def of(cls, survey: Survey, project: Project) -> "Gallery":
        """Everything that is known."""
        return cls(survey.drawings, survey, frozenset(survey.usable(project)), _by_drawing(survey))

    def shown(self, wanted: str, order: int) -> list[int]:
        """The drawings that pass a filter, in an order."""
        passes = self._passes(wanted)
        items = [index for index in range(len(self.drawings)) if passes(index)]
        _name, key = self.orders()[order]
        return sorted(items, key=key) if key else items

    def problems_of(self, index: int) -> list[Problem]:
        """What is wrong with a drawing."""
        return self.problems.get(self.drawings[index].name, [])

    def is_doubtful(self, index: int) -> bool:
        """Whether something about it is worth a look."""
        problems = self.problems_of(index)
        return bool(problems) and problems[0].severity is not Severity.NOTE

    def filters(self) -> list[Entry]:
        """Every filter with how many drawings pass it."""
        codes = Counter(
            problem.code for problems in self.problems.values() for problem in {p.code: p for p in problems}.values()
        )
        everything = range(len(self.drawings))
        fixed = [
            Entry(ALL, _("all"), len(self.drawings)),
            Entry(PROBLEMS, _("with a problem"), sum(map(self._passes(PROBLEMS), everything))),
            Entry(OUT, _("left out"), len(self.drawings) - len(self.usable)),
        ]
        return fixed + [Entry(code, code_words(code), number) for code, number in codes.most_common()]

    def orders(self) -> list[tuple[str, Callable[[int], float] | None]]:
        """Every order with its name; None leaves the drawings by name."""
        survey = self.survey
        if survey is None:
            return [(_("name"), None)]
        order = list(Severity)
        return [
            (_("name"), None),
            (_("problem"), lambda index: -order.index(worst) if (worst := self._worst(index)) else 1),
            (_("size"), lambda index: survey.drawings[index].width * survey.drawings[index].height),
            (_("crop"), lambda index: -survey.placements[index].cropped),
            (_("enlargement"), lambda index: -survey.placements[index].enlargement),
        ]

    def heads(self, width: int) -> str:
        """What stands over the columns of `line`."""
        heads = (_("size"), 11), (_("bucket"), 11), (_("crop"), 5), (_("scale"), 7)
        columns = "".join(f" {words}".rjust(cells) for words, cells in heads)
        return "  " + fitting(_("name"), max(_NAME, width - _COLUMNS)) + columns + " " + _("problem")

    def line(self, index: int, width: int) -> Content:
        """One drawing: name, size, bucket, crop, enlargement, gravest problem."""
        drawing = self.drawings[index]
        name = fitting(drawing.name, max(_NAME, width - _COLUMNS))
        if self.survey is None:
            return Content.assemble("  ", name, f" {drawing.width}×{drawing.height}".rjust(12))
        placement = self.survey.placements[index]
        out = index not in self.usable
        problems = self.problems_of(index)
        mark, colour = MARKS[problems[0].severity] if problems else ("✓", "$text-success")
        words = code_words(problems[0].code) if problems else ""
        if out:
            mark, colour, words = "✗", "$text-error", _("left out") + (f": {words}" if words else "")
        elif problems and problems[0].severity is Severity.BLOCK:
            mark, colour, words = "!", "$text-warning", _("taken in: {problem}").format(problem=words)
        cropped = f"{placement.cropped:.0%}" if placement.cropped >= 0.005 else "–"
        figures = (
            f" {drawing.width}×{drawing.height}".rjust(11)
            + f" {placement.bucket.width}×{placement.bucket.height}".rjust(11)
            + cropped.rjust(5)
            + f"{placement.enlargement:.2f}×".rjust(7)
            + " "
        )
        style = "$foreground-muted" if out else ""
        return Content.assemble((f"{mark} ", colour), (name, style), (figures, style), (fitting(words, 19), colour))

    def _passes(self, name: str) -> Callable[[int], bool]:
        match name:
            case "all":
                return lambda _index: True
            case "problems":
                return self.is_doubtful
            case "out":
                return lambda index: index not in self.usable
            case code:
                names = {one for one, problems in self.problems.items() if any(p.code == code for p in problems)}
                return lambda index: self.drawings[index].name in names

    def _worst(self, index: int) -> Severity | None:
        problems = self.problems.get(self.drawings[index].name)
        return problems[0].severity if problems else None


def _by_drawing(survey: Survey) -> dict[str, list[Problem]]:
    """The problems of each drawing, the gravest first; captions have their own screen."""
    found: dict[str, list[Problem]] = {}
    for problems in (*survey.shapes, survey.repeats):
        for problem in problems:
            found.setdefault(problem.drawing, []).append(problem)
    order = list(Severity)
    for several in found.values():
        several.sort(key=lambda problem: -order.index(problem.severity))
    return found
