"""What was changed, in order, so that it can be taken back and made again."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Change(Struct, Generic[T], frozen=True):
    """One thing that a person did, with what was there before and after."""

    name: str
    """What it was, as a person reads it."""
    before: T
    after: T


class History(Struct, Generic[T], frozen=True):
    """Changes that can be taken back (`done`) and made again (`undone`), the newest last."""

    done: tuple[Change[T], ...] = ()
    undone: tuple[Change[T], ...] = ()

    def with_change(self, name: str, before: T, after: T) -> "History[T]":
        """Something new was done; what had been taken back is gone."""
        return History((*self.done, Change(name, before, after)))

    def undo(self) -> tuple["History[T]", Change[T] | None]:
        """Take the newest change back. The change says what to put in place, None when there is none."""
        if not self.done:
            return self, None
        *rest, last = self.done
        return History(tuple(rest), (*self.undone, last)), last

    def redo(self) -> tuple["History[T]", Change[T] | None]:
        """Make the change again that was taken back last."""
        if not self.undone:
            return self, None
        *rest, last = self.undone
        return History((*self.done, last), tuple(rest)), last
