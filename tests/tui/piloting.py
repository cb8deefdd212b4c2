"""Driving the wizard's screens in this process, with real projects and real keys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

from textual.css.query import NoMatches
from textual.pilot import Pilot

from core.preferences import Preferences
from tui.app import BocetoApp
from tui.terminal import Terminal
from tui.work import Work

TERMINAL = Terminal(colours="full", unicode=True, pictures="half", reason="")
LONG_LIVED = {"default", "run", "_loader"}
"""Groups of workers that end with the app, the run or the tree of folders, not by themselves."""


@asynccontextmanager
async def showing(
    work: Work, at: str, size: tuple[int, int] = (80, 24), terminal: Terminal = TERMINAL
) -> AsyncIterator[tuple[BocetoApp, Pilot[int]]]:
    """The wizard at one screen, once everything that it looks for is found."""
    app = BocetoApp(terminal, work, at, Preferences())
    async with app.run_test(size=size) as pilot:
        await settled(app, pilot)
        yield app, pilot


async def settled(app: BocetoApp, pilot: Pilot[int], seconds: float = 20.0) -> None:
    """Wait until no worker has anything left to find."""
    until = monotonic() + seconds
    while True:
        await pilot.pause()
        busy = [one for one in app.workers if one.group not in LONG_LIVED and not one.is_finished]
        if not busy:
            await pilot.pause()
            return
        assert monotonic() < until, f"still busy: {busy}"
        await asyncio.sleep(0.02)


async def until(condition: Callable[[], bool], pilot: Pilot[int], seconds: float = 20.0) -> None:
    """Wait until something holds, on a screen that is whole; a widget that is asked for may not be there yet."""
    end = monotonic() + seconds
    while True:
        with suppress(NoMatches):
            if all(screen.is_mounted for screen in pilot.app.screen_stack[-1:]) and condition():
                return
        assert monotonic() < end, "it never came true"
        await pilot.pause(0.02)


def driven(journey: Callable[[], Awaitable[None]]) -> None:
    """Run a journey to its end."""
    asyncio.run(asyncio.wait_for(journey(), 120))  # type: ignore[arg-type]


def text(app: BocetoApp) -> str:
    """What stands on the screen, line by line, without trailing blanks."""
    height = app.size.height
    compositor = app.screen._compositor
    lines = compositor.render_strips(app.size)[:height]
    return "\n".join(strip.text.rstrip() for strip in lines)
