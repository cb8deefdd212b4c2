"""The survey: what a dataset's folder holds, and everything that is wrong with it."""

from collections.abc import Iterator
from threading import Event

from msgspec import Struct

from core.bases.base import Base
from core.captions import caption as captions
from core.captions import store
from core.captions.activation import check_word
from core.captions.tokens import Tokenizer, check_tokens
from core.errors import Problem, Severity
from core.images.buckets import Buckets, Placement, place
from core.images.checks import check, check_folder
from core.images.drawing import Drawing, Treatment
from core.images.duplicates import duplicates
from core.images.scan import scan
from core.project import Place, Project


class Survey(Struct, frozen=True):
    """What a dataset's folder holds: drawings in their buckets, and everything that is wrong."""

    drawings: tuple[Drawing, ...]
    placements: tuple[Placement, ...]
    captions: tuple[store.CaptionFile, ...]
    problems: tuple[Problem, ...]

    def usable(self, project: Project) -> list[int]:
        """Indices of the drawings that can be trained: not excluded, not blocked unless the artist said otherwise."""
        blocked = {problem.drawing for problem in self.problems if problem.severity is Severity.BLOCK}
        allowed = {name for name, treatment in project.treatments.items() if treatment.excluded is False}
        excluded = {name for name, treatment in project.treatments.items() if treatment.excluded}
        return [
            index
            for index, drawing in enumerate(self.drawings)
            if drawing.name not in excluded and (drawing.name not in blocked or drawing.name in allowed)
        ]

    def left_out(self, project: Project) -> list[Problem]:
        """Why each file that is not usable is not; what the artist excluded needs no reason."""
        usable = {self.drawings[index].name for index in self.usable(project)}
        weighty = (Severity.BLOCK, Severity.ERROR)
        return [
            problem
            for problem in self.problems
            if problem.severity in weighty and problem.drawing and problem.drawing not in usable
        ]


def survey(where: Place, project: Project, base: Base, cancelled: Event | None = None) -> Survey:
    """Look at every drawing and caption of a project, as a training on `base` would see them."""
    folder = where.dataset(project)
    found: list[Drawing] = []
    problems: list[Problem] = []
    for batch in scan(folder, cancelled or Event(), nested=project.nested):
        for item in batch:
            if isinstance(item, Drawing):
                found.append(item)
            else:
                problems.append(item)
    native = project.plan.resolution or base.native
    buckets = Buckets.of(native, base.multiple)
    placements = []
    for drawing in found:
        fit = project.treatments.get(drawing.name, Treatment()).fit
        placements.append(place(drawing.width, drawing.height, buckets, fit))
        problems.extend(check(drawing, placements[-1], native))
    problems.extend(check_folder(found))
    problems.extend(duplicates(found, mirrored=project.plan.flip))
    files = [store.read(folder / drawing.name) for drawing in found]
    problems.extend(store.check(files, folder))
    problems.extend(_words(project, base, found, files))
    return Survey(tuple(found), tuple(placements), tuple(files), tuple(problems))


def caption_of(file: store.CaptionFile, project: Project) -> str:
    """What is trained: the caption on one line, the activation word in front."""
    return captions.with_word(file.training_text, project.activation_word)


def _words(project: Project, base: Base, drawings: list[Drawing], files: list[store.CaptionFile]) -> Iterator[Problem]:
    """What the base's text encoders would not read, and what speaks against the activation word."""
    tokenizer = Tokenizer.open(base.path / "tokenizer")
    for drawing, file in zip(drawings, files, strict=True):
        cut = check_tokens(caption_of(file, project), tokenizer, project.plan.caption_chunks, drawing.name)
        if cut:
            yield cut
    if project.activation_word:
        yield from check_word(project.activation_word, tokenizer, [file.training_text for file in files])
