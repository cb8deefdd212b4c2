"""Keys in their order: what is typed faster than a screen changes belongs to the screen that comes."""

from collections import deque
from typing import Any

from textual import events, on
from textual.app import App, ReturnType
from textual.message import Message
from textual.widget import Widget

_LONGEST = 0.3
"""Seconds after which the next key goes on in any case: the widget that had the last one may be gone."""


_ROUNDS = 4
"""A key runs an action, which posts a message, whose handler posts another, whose handler moves the focus: each is one
round up through the screen."""


class KeyDone(Message):
    """What a key set off has gone up through the screen so many times."""

    def __init__(self, number: int, round_: int = 1) -> None:
        super().__init__()
        self.number, self.round = number, round_


class TypeAhead(App[ReturnType]):
    """Deals with one key after the other.

    Textual hands every key to the widget that has the focus when it arrives. Over a slow line several arrive at
    once: “Enter, c, a, t” would open a field and send the letters to the list below it. Here a mark follows each key
    and what it sets off on their way up through the screen, and the next key waits for it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting: deque[events.Key | events.Paste] = deque()
        self._number = 0
        self._busy = False
        self._held = False

    def hold_keys(self) -> None:
        """Keep keys back: they are meant for a screen that is not there yet."""
        self._held = True

    def release_keys(self) -> None:
        """Now it is."""
        self._held = False
        self.call_later(self._next_key)

    async def on_event(self, event: events.Event) -> None:
        """Let keys wait for their turn."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._waiting.append(event)
            await self._next_key()
        else:
            await super().on_event(event)

    @on(KeyDone)
    async def done(self, message: KeyDone) -> None:
        """Once more round, or on to the next key."""
        if message.number != self._number or not self._busy or not self.screen_stack:
            return
        if message.round < _ROUNDS:
            self._follow(KeyDone(message.number, message.round + 1))
        else:
            # Behind what is already on its way to the app itself, as a change of focus is.
            self.call_later(self._go_on, message.number)

    async def _go_on(self, number: int) -> None:
        if number == self._number:
            self._busy = False
            await self._next_key()

    async def _next_key(self) -> None:
        if self._busy or self._held or not self._waiting or not self.screen_stack:
            return
        self._busy = True
        self._number += 1
        target, number = self.focused or self.screen, self._number
        await super().on_event(self._waiting.popleft())
        self._follow(KeyDone(number), target)
        self.set_timer(_LONGEST, lambda: self._go_on(number))

    def _follow(self, mark: KeyDone, target: Widget | None = None) -> None:
        target = target or self.focused or self.screen
        if not target.post_message(mark):
            self.post_message(mark)
