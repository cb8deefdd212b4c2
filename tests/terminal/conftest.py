"""Terminals that are closed again, and trainings that do not outlive their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.runs.launch import stop
from core.runs.run import runs_in
from tests.terminal.screen import Terminal


@pytest.fixture
def new_terminal(tmp_path: Path, shared_cache: Path) -> Iterator[Callable[[], Terminal]]:
    """Another terminal of the same person: an empty home at first, and what was done in it later."""
    home, opened = tmp_path / "home", []

    def new() -> Terminal:
        opened.append(Terminal(home, shared_cache))
        return opened[-1]

    yield new
    for terminal in opened:
        terminal.close()
    for folder in (home / "Loras").glob("*/runs"):
        for run in runs_in(folder):
            if run.is_alive():
                stop(run, 60.0)


@pytest.fixture
def terminal(new_terminal: Callable[[], Terminal]) -> Terminal:
    """One terminal."""
    return new_terminal()
