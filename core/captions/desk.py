"""The desk: a project's captions while a person works on them; whatever is changed can be taken back."""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from core.captions import store
from core.captions.journal import Change, Journal, Move, Step, written
from core.captions.store import CaptionFile
from core.errors import BocetoError
from core.images.treatment import Treatment
from core.language import _, ngettext
from core.project import Project

AT_ONCE = 64
"""Files that are written before a change is over; more follow in `settle`, which takes a second for 10,000."""


class Changed(Struct, frozen=True, kw_only=True):
    """What is other than before."""

    name: str = ""
    """What was done."""
    files: Mapping[str, CaptionFile] = {}
    """Captions that are others now, by the drawing's name."""
    treatments: Mapping[str, Treatment | None] = {}
    word: str | None = None
    outside: tuple[str, ...] = ()
    """Drawings whose captions another program had changed: its text was taken in, and not overwritten."""
    refused: Mapping[str, BocetoError] = {}
    """Drawings whose captions could not be changed, and why."""

    def __bool__(self) -> bool:
        return bool(self.files or self.treatments or self.word is not None)

    def project(self, before: Project) -> Project:
        """The project's answers after the change."""
        treatments = {**before.treatments, **self.treatments}
        return replace(
            before,
            treatments={name: treatment for name, treatment in treatments.items() if treatment is not None},
            activation_word=before.activation_word if self.word is None else self.word,
        )


class Desk:
    """The captions of one project. Changes go through here: the journal first, then the files.

    `files` is what the captions are; the disk follows at once, or for many in `settle`, which another thread may call.
    Drawings that share a caption (`tree.png` and `tree.jpg`) share whatever becomes of it.
    """

    def __init__(self, journal: Journal, files: Mapping[str, CaptionFile]) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self.files = dict(files)
        self._sharing: dict[Path, list[str]] = {}
        for drawing, file in files.items():
            self._sharing.setdefault(file.path, []).append(drawing)
        self._disk = {names[0]: files[names[0]] for names in self._sharing.values()}
        """What lies on the disk, as far as we know; by the first drawing that has this caption, as what follows."""
        self._due: dict[str, tuple[int, int]] = {}
        """What is still to be written there, with the steps that ask for it: the first, and the one after the last."""
        self._closed = False
        self.recovered = self._recover()
        """What an interrupted sitting had done and the project does not know yet."""

    @classmethod
    def open(cls, journal: Path, files: Mapping[str, CaptionFile]) -> "Desk":
        """Sit down to the captions in `files`, by their drawings' names, as they were just read.

        Raises BocetoError when another window is at them.
        """
        opened = Journal.open(journal)
        try:
            return cls(opened, files)
        except BaseException:
            opened.abandon()
            raise

    @property
    def steps(self) -> list[Step]:
        """Everything that was done, oldest first."""
        return list(self._journal.steps)

    @property
    def position(self) -> int:
        """How many of the steps are made; the others are taken back."""
        return self._journal.position

    def change(
        self,
        name: str,
        texts: Mapping[str, str] | None = None,
        treatments: Mapping[str, tuple[Treatment | None, Treatment | None]] | None = None,
        word: tuple[str, str] | None = None,
        seen: Mapping[str, CaptionFile] | None = None,
    ) -> Changed:
        """Give captions other texts, drawings other treatments (before, after), the project another word.

        `seen` are the captions that the texts were made of. Those that another program has changed meanwhile are left
        as that program wants them (`outside`), those that cannot be written as they are (`refused`). Raises
        BocetoError when nothing can be written down.
        """
        with self._lock:
            wanted = {self._first(drawing): text for drawing, text in (texts or {}).items()}
            strange = [one for one, file in (seen or {}).items() if self.files[one].content != file.content]
            outside = self._with(self._take_in(wanted), {self._first(one) for one in strange})
            contents: dict[str, bytes | None] = {}
            refused: dict[str, BocetoError] = {}
            for drawing, text in wanted.items():
                file = self.files[drawing]
                if drawing in outside.files or text == file.text:
                    continue
                try:
                    store.refuse_if_unsafe(file)
                    if (content := store.with_text(file, text)) != file.content:
                        contents[drawing] = content
                except BocetoError as error:
                    refused[drawing] = error
            changed = {one: pair for one, pair in (treatments or {}).items() if pair[0] != pair[1]}
            word = word if word and word[0] != word[1] else None
            if contents or changed or word:
                pairs = {one: (written(self.files[one].content), written(new)) for one, new in contents.items()}
                self._journal.record(Change(name, texts=pairs, treatments=changed, word=word))
            put = self._put(contents, (self.position - 1, self.position))
            return Changed(
                name=name,
                files={**outside.files, **put.files},
                treatments={one: after for one, (_before, after) in changed.items()},
                word=word[1] if word else None,
                outside=(*outside.outside, *put.outside),
                refused={**refused, **put.refused},
            )

    def undo(self) -> Changed | None:
        """Take the last step back; None when there is none."""
        return self.go_to(self.position - 1) if self.position else None

    def redo(self) -> Changed | None:
        """Make the step again that was taken back last; None when there is none."""
        return self.go_to(self.position + 1) if self.position < len(self._journal.steps) else None

    def go_to(self, position: int) -> Changed:
        """Take steps back, or make them again, until so many are made.

        When another program has changed one of the captions, that becomes a step of its own and nothing else is done.
        """
        with self._lock:
            position = max(0, min(position, len(self._journal.steps)))
            moves = self._journal.moves(position)
            target, expected = self._contents(moves), dict[str, bytes | None]()
            for move in moves:
                for drawing, leaves, _brings in move.texts:
                    if drawing in self.files:
                        expected.setdefault(self._first(drawing), leaves)
            if outside := self._take_in(target):
                return outside
            strange = {
                drawing: (expected[drawing], self.files[drawing].content)
                for drawing in target
                if self.files[drawing].content != expected[drawing]
            }
            if strange:  # changed while nobody sat here
                return self._note_outside(strange)
            for drawing in target:
                store.refuse_if_unsafe(self.files[drawing])
            span = min(position, self.position), max(position, self.position)
            self._journal.move(position)
            name = moves[-1].change.name if moves else ""
            put = self._put(target, span)
            gone = {drawing: _gone() for move in moves for drawing in move.change.texts if drawing not in self.files}
            return replace(
                put, name=name, treatments=_treatments(moves), word=_word(moves), refused={**gone, **put.refused}
            )

    def look(self) -> Changed:
        """See whether another program has changed captions, and take its texts in."""
        changed = []
        for drawing in list(self._disk):
            with self._lock:
                known = self._disk[drawing]
                if drawing in self._due:
                    continue
                if not known.modified:  # too fresh to be known by its time
                    now = store.read(known.drawing)
                    if now.content == known.content and not now.trouble:
                        self._disk[drawing] = now
                        continue
                if store.changed_outside(known):
                    changed.append(drawing)
        try:
            return self._take_in(changed)
        except BocetoError:  # it cannot be written down now: the next look finds it again
            return Changed()

    def settle(self) -> Changed:
        """Put everything into the files that is not there yet; what another program changed meanwhile is kept."""
        settled = Changed()
        for drawing in list(self._due):
            with self._lock:
                if drawing in self._due:
                    settled = _both(settled, self._follow(drawing))
        return settled

    def close(self) -> Changed:
        """Put everything into the files and end the sitting; what another thread still asks finds nothing to do."""
        found = self.settle()
        with self._lock:
            self._closed = True
            if self._due:
                self._due.clear()
                self._journal.abandon()
            else:
                self._journal.close()
        return found

    def abandon(self) -> None:
        """Put everything into the files, and let the next sitting know again what the project was not told of."""
        self.settle()
        with self._lock:
            self._closed = True
            self._journal.abandon()

    # How it becomes so.

    def _first(self, drawing: str) -> str:
        return self._sharing[self.files[drawing].path][0]

    def _hold(self, drawing: str, file: CaptionFile) -> dict[str, CaptionFile]:
        """The file as each drawing has it that shares it."""
        names = self._sharing[file.path]
        held = {name: replace(file, drawing=self.files[name].drawing) if name != drawing else file for name in names}
        self.files |= held
        return held

    def _put(self, contents: Mapping[str, bytes | None], span: tuple[int, int]) -> Changed:
        """Make captions so, as the steps of `span` ask; few at once, many in `settle`."""
        put = Changed(
            files={
                name: file
                for drawing, content in contents.items()
                for name, file in self._hold(drawing, store.holding(self.files[drawing].drawing, content)).items()
            }
        )
        for drawing in contents:
            first, last = self._due.get(drawing, span)
            self._due[drawing] = min(first, span[0]), max(last, span[1])
        if len(contents) <= AT_ONCE:
            for drawing in contents:
                put = _both(put, self._follow(drawing))
        return put

    def _follow(self, drawing: str) -> Changed:
        """Let the disk follow, unless another program was there first or it cannot: then it is as the disk has it."""
        try:
            if found := self._take_in([drawing]):
                return found
            self._disk[drawing] = store.put(self._disk[drawing], self.files[drawing].content)
            del self._due[drawing]
            return Changed()
        except BocetoError as error:
            refused = {drawing: error}
        try:
            self._journal.drop(drawing, self._due[drawing])
        except BocetoError:  # it stays due: what cannot be written down is not given up either
            return Changed(refused=refused)
        del self._due[drawing]
        return Changed(files=self._hold(drawing, self._disk[drawing]), refused=refused)

    def _take_in(self, drawings: Iterable[str]) -> Changed:
        """Note what another program made of the captions of `drawings`."""
        changed: dict[str, tuple[bytes | None, bytes | None]] = {}
        unknown: dict[str, CaptionFile] = {}
        with self._lock:
            for drawing in drawings if not self._closed else ():
                known = self._disk[drawing]
                if not store.changed_outside(known):
                    continue
                now = store.read(known.drawing)
                if now.trouble or known.trouble:
                    # Nobody knows what one of them held: there is nothing that could be put back.
                    self._due.pop(drawing, None)
                    self._disk[drawing] = now
                    unknown |= self._hold(drawing, now)
                else:
                    changed[drawing] = self.files[drawing].content, now.content
            found = self._note_outside(changed) if changed else Changed()
            if not unknown:
                return found
            files = {**found.files, **unknown}
            return Changed(name=_outside(len(files)), files=files, outside=tuple(files))

    def _with(self, found: Changed, drawings: Iterable[str]) -> Changed:
        """Also these captions, which were taken in before anybody was told."""
        files = {name: self.files[name] for one in drawings for name in self._sharing[self.files[one].path]}
        more = tuple(name for name in files if name not in found.files)
        return replace(found, files={**found.files, **files}, outside=(*found.outside, *more))

    def _note_outside(self, contents: Mapping[str, tuple[bytes | None, bytes | None]]) -> Changed:
        texts = {one: (written(before), written(after)) for one, (before, after) in contents.items()}
        self._journal.record(Change(_outside(len(contents)), texts=texts))
        files: dict[str, CaptionFile] = {}
        for drawing in contents:
            self._due.pop(drawing, None)
            self._disk[drawing] = store.read(self._disk[drawing].drawing)
            files |= self._hold(drawing, self._disk[drawing])
        return Changed(name=_outside(len(contents)), files=files, outside=tuple(files))

    def _recover(self) -> Changed:
        """Finish what a crash cut short: a caption that is as it was on the way becomes what was written down."""
        moves = self._journal.unfinished
        on_the_way: dict[str, set[bytes | None]] = {}
        for move in moves:
            for drawing, leaves, _brings in move.texts:
                if drawing in self.files:
                    on_the_way.setdefault(self._first(drawing), set()).add(leaves)
        found = Changed()
        for drawing, content in self._contents(moves).items():
            known = self.files[drawing]
            if not known.trouble and known.content != content and known.content in on_the_way[drawing]:
                found = _both(found, self._put({drawing: content}, (0, 0)))
        return replace(found, treatments=_treatments(moves), word=_word(moves))

    def _contents(self, moves: Iterable[Move]) -> dict[str, bytes | None]:
        """What each caption holds after all of the moves; drawings that are not here any more have none."""
        return {
            self._first(drawing): brings
            for move in moves
            for drawing, _leaves, brings in move.texts
            if drawing in self.files
        }


def _both(one: Changed, other: Changed) -> Changed:
    """Two changes of captions as one, the later of which counts."""
    outside = (*one.outside, *other.outside)
    return replace(
        one,
        name=_outside(len(outside)) if outside else one.name,
        files={**one.files, **other.files},
        outside=outside,
        refused={**one.refused, **other.refused},
    )


def _treatments(moves: Iterable[Move]) -> dict[str, Treatment | None]:
    return {drawing: treatment for move in moves for drawing, treatment in move.treatments.items()}


def _word(moves: Iterable[Move]) -> str | None:
    return next((move.word for move in reversed(list(moves)) if move.word is not None), None)


def _gone() -> BocetoError:
    return BocetoError(
        _("This drawing is not among those of the project now."),
        hint=_("Put it back, or let folders below count again, to take back what was done to its caption."),
    )


def _outside(count: int) -> str:
    return ngettext(
        "{n} caption was changed by another program", "{n} captions were changed by another program", count
    ).format(n=count)
