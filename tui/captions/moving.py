"""Moving among captions, saying which are right, and marking those that a change is for."""

import threading

from textual import work

from core.captions import review
from core.language import _
from tui.captions.watching import Watching
from tui.work import Work


class Moving(Watching):
    """What was read is kept at once, marks as long as the screen is there."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._saving = threading.Lock()

    def action_accept(self) -> None:
        """This caption is right; to the next."""
        if self.rows.item is not None and self._ledger:
            self.accept(self.rows.item)
            self.rows.action_cursor_down()

    def action_accept_back(self) -> None:
        """One back, and not read after all."""
        if self._ledger is None:
            return
        self.rows.action_cursor_up()
        if self.rows.item is not None:
            self.accept(self.rows.item, False)

    def accept(self, index: int, read: bool = True) -> None:
        """A person has found this caption right, or has not."""
        if (index in self.ledger.read) != read:
            self.ledger.accept(index, read)
            self.save_reviewed(self.ledger.name(index))
        self.rows.redraw(index)
        self.say()

    @work(thread=True, exit_on_error=False, group="reviewed")
    def save_reviewed(self, drawing: str) -> None:
        """Write down what was read. A disk that is busy must not hold up the reading; the last to write is right."""
        assert self.work.place
        with self._saving:
            # Another window may have read others.
            kept = {**review.load(self.work.place.reviewed), **self.ledger.reviewed}
            if drawing not in self.ledger.reviewed:
                kept.pop(drawing, None)
            review.save(self.work.place.reviewed, kept)

    def action_next_unreviewed(self) -> None:
        """To the next caption that nobody has found right."""
        if self._ledger and not self.rows.move_on(lambda index: index not in self.ledger.read):
            self.say(_("Every caption was read."))

    def action_next_problem(self) -> None:
        """To the next caption with a problem."""
        self._to_problem(1)

    def action_previous_problem(self) -> None:
        """To the one before."""
        self._to_problem(-1)

    def action_mark(self) -> None:
        """Mark this caption, or not; on to the next."""
        index = self.rows.item
        if index is not None and self._ledger:
            self.mark([index], index not in self.ledger.marked)
            self.rows.action_cursor_down()

    def action_mark_to(self) -> None:
        """Mark from the last marked one to here."""
        if self._ledger is None or self.rows.item is None:
            return
        here = self.rows.cursor
        above = [place for place in range(here) if self.rows.items[place] in self.ledger.marked]
        self.mark(self.rows.items[above[-1] if above else 0 : here + 1], True)

    def action_mark_all(self) -> None:
        """Mark everything shown, or nothing of it any more."""
        if self._ledger:
            self.mark(self.rows.items, not set(self.rows.items) <= self.ledger.marked)

    def action_invert(self) -> None:
        """Mark what is not marked."""
        if self._ledger:
            wanted = set(self.rows.items) - self.ledger.marked
            self.ledger.mark(self.rows.items, False)
            self.mark(wanted, True)

    def _to_problem(self, direction: int) -> None:
        if self._ledger and not self.rows.move_on(self.ledger.is_troubled, direction):
            self.say(_("No caption has a problem."))

    def action_path(self) -> None:
        """Where the drawing lies, to look at it in another program."""
        if self.rows.item is not None and self._ledger:
            path = str(self.ledger.file(self.rows.item).drawing)
            self.app.copy_to_clipboard(path)
            self.say(_("Copied: {path}").format(path=path))
