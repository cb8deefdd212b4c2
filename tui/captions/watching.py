"""What becomes known about captions while they are read: their tokens, their problems, what other programs write."""

import threading
from collections.abc import Iterable
from time import monotonic

from textual import on, work
from textual.message import Message

from core.captions.counting import counter
from core.captions.desk import Changed
from core.plan.survey import Problems, caption_of, tokenizer_of
from tui.captions.list import CaptionList
from tui.work import Work

_LOOK_EVERY = 2.0
"""Seconds between two looks at the files, or twenty times as long as a look takes: 40 ms for 10,000."""


class Counted(Message):
    """Tokens were counted."""

    def __init__(self, work: Work, counts: dict[int, int]) -> None:
        super().__init__()
        self.work, self.counts = work, counts


class Checked(Message):
    """Captions were checked."""

    def __init__(self, work: Work, found: dict[int, Problems]) -> None:
        super().__init__()
        self.work, self.found = work, found


class Outside(Message):
    """Another program has changed captions."""

    def __init__(self, changed: Changed) -> None:
        super().__init__()
        self.changed = changed


class Watching(CaptionList):
    """Threads look ahead and around; the list shows what they find."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._left = threading.Event()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._left.set()

    def ready(self) -> None:
        """Begin to look."""
        super().ready()
        self._look_ahead()
        self.watch_files()

    def show_changed(self, changed: Changed) -> None:
        """What is other now is looked at anew."""
        super().show_changed(changed)
        if self._ledger:
            self._look_ahead()

    def _look_ahead(self) -> None:
        self.count_tokens(self.ledger.uncounted)
        if self.unchecked:
            self.check_captions()

    @work(thread=True, exclusive=True, exit_on_error=False, group="tokens")
    def count_tokens(self, indices: list[int]) -> None:
        """Count ahead, so that a filter by tokens need not wait."""
        work = self.work
        if len(indices) < 100 or work.seen is None:
            return
        files, count = work.seen.survey.captions, counter(tokenizer_of(work.seen.base)).count
        self.post_message(Counted(work, {index: count(caption_of(files[index], work.project)) for index in indices}))

    @on(Counted)
    def counted(self, message: Counted) -> None:
        """Unless a caption has changed meanwhile; then it is counted when somebody asks."""
        self.ledger.counted({index: message.counts[index] for index in self._same(message.work, message.counts)})

    @work(thread=True, exclusive=True, exit_on_error=False, group="checks")
    def check_captions(self) -> None:
        """See what is wrong with captions that nobody has looked at."""
        work, indices = self.work, set(self.unchecked)
        if work.seen:
            self.post_message(Checked(work, work.seen.survey.checked(indices, work.project, work.seen.base)))

    @on(Checked)
    def checked(self, message: Checked) -> None:
        """Show it, where the captions are still the same."""
        survey = self.survey
        assert survey
        same = self._same(message.work, message.found)
        self.work = self.work.with_survey(survey.with_texts({index: message.found[index] for index in same}))
        self.unchecked.difference_update(same)
        self.ledger.know(self.work, ())
        self.ledger.forget(same)
        self.rows.refresh()
        self.say_again()
        self.show_details()

    def _same(self, work: Work, indices: Iterable[int]) -> list[int]:
        """Those of the captions that are trained as they were in `work`."""
        assert work.seen and self.survey
        if work.project.activation_word != self.work.project.activation_word:
            return []
        before, now = work.seen.survey.captions, self.survey.captions
        return [index for index in indices if before[index] is now[index]]

    @work(thread=True, exclusive=True, exit_on_error=False, group="default")
    def watch_files(self) -> None:
        """Put batches into the files, and see what other programs write."""
        pause, told = 0.2, set[str]()
        while not self._left.wait(pause):
            desk = self.desk
            if desk is None:
                continue
            began = monotonic()
            changed = desk.settle()
            if not changed and not changed.refused:
                changed = desk.look()
            if changed or changed.refused.keys() - told:
                self.post_message(Outside(changed))
            told = set(changed.refused)
            pause = max(_LOOK_EVERY, 20 * (monotonic() - began))

    @on(Outside)
    def outside(self, message: Outside) -> None:
        """Show it; a caption that is being edited is brought together with it when it is kept."""
        if self.desk:
            self.take_over(message.changed)
