"""The captions of a dataset as the list works on them: which are shown, marked, read, and what is counted of them."""

from collections.abc import Iterable, Mapping, Sequence

from core.captions import review
from core.captions.caption import tags_of
from core.captions.counting import counter
from core.captions.query import Query
from core.captions.store import CaptionFile
from core.captions.terms import Captioned
from core.captions.tokens import CHUNK
from core.captions.vocabulary import Vocabulary
from core.errors import Severity
from core.plan.survey import Survey, caption_of, tokenizer_of
from core.taggers.compose import LOOK_FIRST
from tui.dialogs.scopes import Scopes
from tui.work import Work


class Ledger:
    """Knows the survey's captions by their indices; what is reckoned once is kept until a caption changes."""

    def __init__(self, work: Work, reviewed: Mapping[str, str]) -> None:
        assert work.seen
        self.work = work
        self.items = self.survey.usable(work.project)
        self._used = set(self.items)
        self._first = self.survey.captions
        self.reviewed = dict(reviewed)
        """Marks of what was read, by the drawing's name."""
        self.marked: set[int] = set()
        self.scores: dict[int, float] = {}
        """The lowest score that a tagger gave one of a caption's tags."""
        self.read = {index for index in self.items if self._is_read(index)}
        self._captioned: dict[int, Captioned] = {}
        self._tokens: dict[int, int] = {}
        self._vocabulary: Vocabulary | None = None
        self._troubled: int | None = None

    @property
    def survey(self) -> Survey:
        """What was found."""
        assert self.work.seen
        return self.work.seen.survey

    def file(self, index: int) -> CaptionFile:
        """A caption's file."""
        return self.survey.captions[index]

    def name(self, index: int) -> str:
        """A drawing's name."""
        return self.survey.drawings[index].name

    def know(self, work: Work, changed: Iterable[int] | None = None) -> None:
        """The work is another: the captions `changed` are others, or, left out, all may be."""
        before, self.work = self.survey, work
        self._troubled = None
        if changed is None:
            self.items = self.survey.usable(work.project)
            self._used = set(self.items)
            self.marked &= self._used
            self._captioned, self._tokens, self._vocabulary = {}, {}, None
            self.read = {index for index in self.items if self._is_read(index)}
            return
        changed = [index for index in changed if index in self._used]
        if self._vocabulary is not None:
            self._vocabulary = self._vocabulary.with_changes(
                (before.captions[index].training_text, self.file(index).training_text) for index in changed
            )
        for index in changed:
            self._captioned.pop(index, None)
            self._tokens.pop(index, None)
            if self._is_read(index):
                self.read.add(index)
            else:
                self.read.discard(index)

    def forget(self, indices: Iterable[int]) -> None:
        """What a filter can ask about these captions is other than before."""
        for index in indices:
            self._captioned.pop(index, None)

    # What is counted.

    def tokens(self, index: int) -> int:
        """A caption's tokens with the activation word."""
        if index not in self._tokens:
            assert self.work.seen
            caption = caption_of(self.file(index), self.work.project)
            self._tokens[index] = counter(tokenizer_of(self.work.seen.base)).count(caption)
        return self._tokens[index]

    def counted(self, counts: Mapping[int, int]) -> None:
        """What another thread has counted."""
        self._tokens = {**counts, **self._tokens}
        self._captioned = {}

    @property
    def uncounted(self) -> list[int]:
        """Captions whose tokens nobody has counted."""
        return [index for index in self.items if index not in self._tokens]

    @property
    def vocabulary(self) -> Vocabulary:
        """All tags with the number of captions they are in."""
        if self._vocabulary is None:
            self._vocabulary = Vocabulary.of(self.file(index).training_text for index in self.items)
        return self._vocabulary

    @property
    def troubled(self) -> int:
        """Captions with a problem."""
        if self._troubled is None:
            self._troubled = sum(self.is_troubled(index) for index in self.items)
        return self._troubled

    def is_troubled(self, index: int) -> bool:
        """Whether something about a caption is more than good to know."""
        return any(problem.severity is not Severity.NOTE for problem in self.survey.texts[index])

    def doubt(self, index: int) -> float | None:
        """The score of the tag that a tagger was least sure of, where that is worth a look."""
        score = self.scores.get(index, 1.0)
        return score if score < LOOK_FIRST and index not in self.read else None

    def needs_a_person(self, index: int) -> bool:
        """Whether only a person can say what is right: something is wrong, it is too long, or a tagger was unsure."""
        doubtful = self.doubt(index) is not None or self.is_troubled(index) or self.tokens(index) > CHUNK
        return index not in self.read and doubtful

    # What is shown and meant.

    def captioned(self, index: int) -> Captioned:
        """What a filter can ask about a caption."""
        found = self._captioned.get(index)
        if found is None:
            drawing, file = self.survey.drawings[index], self.file(index)
            caption = file.training_text
            found = self._captioned[index] = Captioned(
                name=drawing.name,
                path=str(file.drawing),
                caption=caption,
                tags=tuple(tags_of(caption)),
                tokens=self.tokens(index),
                reviewed=index in self.read,
                edited=file.content != self._first[index].content,
                marked=index in self.marked,
                problems=frozenset(problem.code for problem in self.survey.texts[index]),
                width=drawing.width,
                height=drawing.height,
                score=self.scores.get(index),
            )
        return found

    def matching(self, query: Query) -> list[int]:
        """The captions that a filter lets through."""
        return [index for index in self.items if query.matches(self.captioned(index))]

    def queue(self) -> list[int]:
        """Only what needs a person, the gravest first, then what the tagger was least sure of."""
        return sorted(
            filter(self.needs_a_person, self.items),
            key=lambda index: (not self.is_troubled(index), self.scores.get(index, 1.0), index),
        )

    def mark(self, indices: Iterable[int], marked: bool) -> None:
        """Mark captions, or take the mark away."""
        for index in indices:
            (self.marked.add if marked else self.marked.discard)(index)
            self._captioned.pop(index, None)

    def accept(self, index: int, read: bool = True) -> None:
        """A person has found this text right, or has not."""
        name = self.name(index)
        if read:
            self.read.add(index)
            self.reviewed[name] = review.mark(self.file(index).text)
        else:
            self.read.discard(index)
            self.reviewed.pop(name, None)
        self._captioned.pop(index, None)

    def scopes(self, present: int | None, shown: Sequence[int]) -> Scopes:
        """What a change can be meant for."""
        return Scopes(
            present=() if present is None else (present,),
            marked=tuple(index for index in self.items if index in self.marked),
            shown=tuple(shown),
            every=tuple(self.items),
        )

    def texts(self, indices: Iterable[int]) -> dict[int, str]:
        """Captions as their files hold them, all lines, of those that can be changed."""
        return {index: self.file(index).text for index in indices if not self.file(index).trouble}

    def _is_read(self, index: int) -> bool:
        return review.is_reviewed(self.reviewed, self.name(index), self.file(index).text)
