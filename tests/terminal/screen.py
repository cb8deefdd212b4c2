"""A real terminal for the tests: tmux draws it, keys go in, and what a person would see comes out."""

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

BOCETO = str(Path(sys.executable).with_name("boceto"))
PATIENCE = 20.0
"""Seconds for anything to appear: on two busy cores the first screen takes some three."""
_EVERY = 0.1
_BETWEEN = 0.1
"""Seconds after a key: what comes with the same read still goes to the field that had the focus before."""
_ALONE = 0.25
"""Seconds after an Escape: together with what follows it would be read as another key."""
NEEDS_TMUX = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: it draws the real terminal"
)
"""The mark of a module that cannot be tested without it."""


class Terminal:
    """One tmux server of our own with one window, in an empty home."""

    def __init__(self, home: Path, cache: Path) -> None:
        """`home` is the person's home; `cache` what was already made for the base in the box."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._name = f"boceto-{uuid.uuid4().hex[:12]}"
        self._environment = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
            "SHELL": "/bin/sh",
            "PS1": "$ ",
            "LANG": "C.UTF-8",
            "COLORTERM": "truecolor",
            "BOCETO_CACHE": str(cache),
            "HF_HUB_OFFLINE": "1",
        }

    def start(
        self,
        command: str,
        columns: int = 80,
        rows: int = 24,
        environment: Mapping[str, str] | None = None,
        term: str = "",
    ) -> "Terminal":
        """Run `command` in a window of this size; an `environment` entry that is empty is taken away."""
        given = {name: value for name, value in {**self._environment, **(environment or {})}.items() if value}
        # tmux itself always speaks UTF-8 here: what a program sends is seen as it was sent.
        servers = {**self._environment, "LC_ALL": "C.UTF-8"}
        # A line for env: the server adds variables of its own, TERM and TMUX, which the command should see.
        clean = [name for name in ("LC_ALL", "LANG", "COLORTERM") if name not in given]
        line = ["env", *(f"-u{name}" for name in clean), *(f"{name}={value}" for name, value in given.items())]
        if term:
            line.append(f"TERM={term}")
        size = ("-x", str(columns), "-y", str(rows))
        # A window stays when its command has ended: its last words are what a test wants to see.
        stay = ("start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";")
        self._tmux("-u", *stay, "new-session", "-d", *size, *line, "sh", "-c", command, environment=servers)
        return self

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names: `Enter`, `C-n`, `x` …"""
        for name in names:
            self._tmux("send-keys", name)
            time.sleep(_ALONE if name == "Escape" else _BETWEEN)

    def type(self, text: str) -> None:
        """Type `text`, letter by letter as it is."""
        self._tmux("send-keys", "-l", "--", text)
        time.sleep(_BETWEEN)

    def text(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def styled(self) -> str:
        """The same with the sequences that colour it."""
        return self._tmux("capture-pane", "-p", "-e")

    def ask(self, what: str) -> str:
        """What tmux knows of the window, such as `alternate_on` or `pane_pid`."""
        return self._tmux("display-message", "-p", f"#{{{what}}}").strip()

    def wait_for(self, wanted: str | re.Pattern[str], seconds: float = PATIENCE) -> str:
        """The screen once `wanted` is on it; fails with the whole screen when it does not come."""
        until, screen = time.monotonic() + seconds, ""
        while time.monotonic() < until:
            screen = self.text()
            if re.search(wanted, screen) if isinstance(wanted, re.Pattern) else wanted in screen:
                return screen
            time.sleep(_EVERY)
        raise AssertionError(f"{wanted!r} did not come within {seconds:g} s. The screen:\n{framed(screen)}")

    def wait_until_gone(self, unwanted: str, seconds: float = PATIENCE) -> str:
        """The screen once `unwanted` is no longer on it."""
        until, screen = time.monotonic() + seconds, ""
        while time.monotonic() < until:
            screen = self.text()
            if unwanted not in screen:
                return screen
            time.sleep(_EVERY)
        raise AssertionError(f"{unwanted!r} is still there after {seconds:g} s. The screen:\n{framed(screen)}")

    def type_into_field(self, text: str) -> None:
        """Type `text` once a field has the focus: the footer then names F1, as ? is a letter like any other."""
        self.wait_for("f1 ")
        self.type(text)

    def settled(self, seconds: float = PATIENCE) -> str:
        """The screen once it no longer changes."""
        until, before = time.monotonic() + seconds, ""
        while time.monotonic() < until:
            screen = self.text()
            if screen == before:
                return screen
            before = screen
            time.sleep(0.4)
        raise AssertionError(f"The screen does not come to rest:\n{framed(before)}")

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """Take the terminal away, as a lost connection does: whoever is in it gets SIGHUP."""
        subprocess.run(
            ["tmux", "-L", self._name, "kill-server"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        time.sleep(0.7)  # the server's socket goes a little later

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _tmux(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        command = ["tmux", "-L", self._name, "-f", "/dev/null", *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", env=environment, check=False
        )
        if done.returncode:
            raise AssertionError(f"tmux {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def framed(screen: str) -> str:
    """A screen in a message, with its edges."""
    return "\n".join(f"| {line}" for line in screen.rstrip("\n").splitlines())
