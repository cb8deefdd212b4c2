"""The survey: what a dataset's folder holds, and everything that is wrong with it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from threading import Event

from msgspec import Struct
from msgspec.structs import replace

from core.bases.base import Base
from core.captions import caption as captions
from core.captions import store
from core.captions.activation import check_word
from core.captions.lint import caption_problems
from core.captions.tokens import Tokenizer
from core.errors import Problem, Severity
from core.images.buckets import Buckets, Placement, place
from core.images.checks import check, check_folder
from core.images.drawing import Drawing
from core.images.duplicates import duplicates
from core.images.scan import scan
from core.images.treatment import Treatment
from core.project import Place, Project

Problems = tuple[Problem, ...]


class Survey(Struct, frozen=True, kw_only=True, dict=True):
    """What a dataset's folder holds: drawings in their buckets, and everything that is wrong."""

    drawings: tuple[Drawing, ...]
    placements: tuple[Placement, ...]
    """One a drawing, as `captions`, `shapes` and `texts`."""
    captions: tuple[store.CaptionFile, ...]
    unreadable: Problems
    """Files and folders that gave no drawing."""
    shapes: tuple[Problems, ...]
    """What is wrong with each drawing on its way into its bucket."""
    folder: Problems
    repeats: Problems
    """Drawings that are there twice."""
    texts: tuple[Problems, ...]
    """What is wrong with each drawing's caption."""
    word: Problems
    """What speaks against the activation word."""

    @property
    def problems(self) -> Problems:
        """Everything that is wrong."""
        return (
            *self.unreadable,
            *chain.from_iterable(self.shapes),
            *self.folder,
            *self.repeats,
            *chain.from_iterable(self.texts),
            *self.word,
        )

    @cached_property
    def _blocked(self) -> frozenset[str]:
        return frozenset(
            problem.drawing
            for problem in chain(*self.shapes, self.repeats, *self.texts)
            if problem.severity is Severity.BLOCK
        )

    def usable(self, project: Project) -> list[int]:
        """Indices of the drawings that can be trained: not excluded, not blocked unless the artist said otherwise."""
        blocked = self._blocked
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

    def with_treatments(self, project: Project, base: Base, names: Collection[str]) -> "Survey":
        """The survey after the treatments of the drawings `names` have changed."""
        placements, shapes = list(self.placements), list(self.shapes)
        for index, drawing in enumerate(self.drawings):
            if drawing.name in names:
                placements[index], shapes[index] = _shape(drawing, project, base)
        return replace(self, placements=tuple(placements), shapes=tuple(shapes))

    def with_captions(
        self, files: Mapping[int, store.CaptionFile], project: Project, base: Base, check: bool = True
    ) -> "Survey":
        """The survey after the captions of some drawings, by their indices, have changed.

        Without `check` what was wrong with them stays said until `with_texts`.
        """
        changed = list(self.captions)
        for index, file in files.items():
            changed[index] = file
        survey = replace(self, captions=tuple(changed))
        return survey.with_texts(survey.checked(files, project, base)) if check else survey

    def checked(self, indices: Iterable[int], project: Project, base: Base) -> dict[int, Problems]:
        """What is wrong with some captions; 10,000 take half a second."""
        tokenizer = tokenizer_of(base)
        return {index: _text(self.drawings[index], self.captions[index], project, tokenizer) for index in indices}

    def with_texts(self, found: Mapping[int, Problems]) -> "Survey":
        """The survey with what was found wrong with captions."""
        texts = list(self.texts)
        for index, problems in found.items():
            texts[index] = problems
        return replace(self, texts=tuple(texts))

    def with_word(self, project: Project, base: Base) -> "Survey":
        """The survey after the activation word has changed."""
        tokenizer = tokenizer_of(base)
        texts = (
            _text(drawing, file, project, tokenizer) for drawing, file in zip(self.drawings, self.captions, strict=True)
        )
        return replace(self, texts=tuple(texts), word=_word(project, tokenizer, self.captions))


def survey(where: Place, project: Project, base: Base, cancelled: Event | None = None) -> Survey:
    """Look at every drawing and caption of a project, as a training on `base` would see them."""
    found = chain.from_iterable(scan(where.dataset(project), cancelled or Event(), nested=project.nested))
    return surveyed(where, project, base, list(found))


def surveyed(where: Place, project: Project, base: Base, found: Sequence[Drawing | Problem]) -> Survey:
    """The survey of what a scan found."""
    folder = where.dataset(project)
    drawings = tuple(item for item in found if isinstance(item, Drawing))
    shapes = [_shape(drawing, project, base) for drawing in drawings]
    files = tuple(store.read(folder / drawing.name) for drawing in drawings)
    tokenizer = tokenizer_of(base)
    return Survey(
        drawings=drawings,
        placements=tuple(placement for placement, _problems in shapes),
        captions=files,
        unreadable=tuple(item for item in found if isinstance(item, Problem)),
        shapes=tuple(problems for _placement, problems in shapes),
        folder=tuple(check_folder(drawings)),
        repeats=tuple(duplicates(drawings, mirrored=project.plan.flip)),
        texts=tuple(_text(drawing, file, project, tokenizer) for drawing, file in zip(drawings, files, strict=True)),
        word=_word(project, tokenizer, files),
    )


def caption_of(file: store.CaptionFile, project: Project) -> str:
    """What is trained: the caption on one line, the activation word in front."""
    return captions.with_word(file.training_text, project.activation_word)


@lru_cache(maxsize=2)
def tokenizer_of(base: Base) -> Tokenizer:
    """The tokenizer of a base; opening one takes a tenth of a second."""
    return Tokenizer.open(base.configs / "tokenizer")


def placed(drawing: Drawing, project: Project, base: Base) -> Placement:
    """Where a drawing goes, as the artist wants it treated."""
    fit = project.treatments.get(drawing.name, Treatment()).fit
    return _place(drawing.width, drawing.height, Buckets.of(_native(project, base), base.multiple), fit)


# Datasets have few sizes and many drawings of each.
_place = lru_cache(maxsize=4096)(place)


def _native(project: Project, base: Base) -> int:
    return project.plan.resolution or base.native


def _shape(drawing: Drawing, project: Project, base: Base) -> tuple[Placement, Problems]:
    placement = placed(drawing, project, base)
    return placement, tuple(check(drawing, placement, _native(project, base)))


def _text(drawing: Drawing, file: store.CaptionFile, project: Project, tokenizer: Tokenizer) -> Problems:
    """What is wrong with a caption and its file, the gravest first."""
    word, chunks = project.activation_word, project.plan.caption_chunks
    found = caption_problems(file, drawing.name, word=word, tokenizer=tokenizer, chunks=chunks)
    return tuple(sorted(found, key=lambda problem: -problem.severity.weight))


def _word(project: Project, tokenizer: Tokenizer, files: Iterable[store.CaptionFile]) -> Problems:
    if not project.activation_word:
        return ()
    return tuple(check_word(project.activation_word, tokenizer, [file.training_text for file in files]))
