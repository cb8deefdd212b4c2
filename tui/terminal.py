"""What this terminal can do, found before Textual is imported, which reads its settings at that moment."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import tty as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from time import monotonic
from typing import Literal, get_args

from msgspec import Struct

from core.language import _

Colours = Literal["none", "16", "256", "full"]
Pictures = Literal["kitty", "sixel", "half", "off"]

SLOW = 0.3
"""Seconds for an answer from which on pictures wait to be asked for: each needs tens of kilobytes more."""
_PATIENCE = 0.8
_PATIENCE_REMOTE = 2.0  # an answer that comes after we stopped listening would arrive as keystrokes
_FEW_COLOURS = {"screen", "linux", "xterm", "vt100", "vt220", "ansi"}
_FULL_COLOURS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm")
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")

_KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_PICTURE_QUERIES = b"\x1b[>q\x1b[16t"
# As UTF-8, ñ is two bytes that stand for a letter each in Latin-1 and in CP437; its width is never in doubt.
_UNICODE_QUERY = b"\r\xc3\xb1\x1b[6n"
# A terminal that does not know a question may print it: the line is erased. Who answers at all answers the last.
_END = b"\r\x1b[K\x1b[c"
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_VERSION = re.compile(rb"\x1bP>\|(.*?)(?:\x1b\\|\x07)", re.DOTALL)
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_COLUMN = re.compile(rb"\x1b\[\d+;(\d+)R")
_KITTY_OK = b"\x1b_Gi=31;OK\x1b\\"


class Terminal(Struct, frozen=True):
    """What the terminal can do, and how pictures are shown on it."""

    colours: Colours
    unicode: bool
    """False: everything is drawn in ASCII."""
    pictures: Pictures
    reason: str
    """Why pictures are shown that way, as a sentence."""
    remote: bool = False
    """It is reached over SSH."""
    round_trip: float | None = None
    """Seconds until it answers; None when it does not."""
    cell: tuple[int, int] | None = None
    """Width and height of a character in pixels."""
    able: tuple[Pictures, ...] = ("half", "off")
    """Every way of showing pictures that works here, the best first."""


class _Answers(Struct, frozen=True):
    """What the terminal said about itself."""

    text: bytes = b""
    round_trip: float | None = None
    cell: tuple[int, int] | None = None

    @property
    def brand(self) -> str:
        found = _VERSION.search(self.text)
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def sixel(self) -> bool:
        found = _ATTRIBUTES.search(self.text)
        return found is not None and b"4" in found[1].split(b";")

    @property
    def kitty(self) -> bool:
        """Only these draw pictures among text; others say OK and show boxes."""
        version = re.match(r"kitty\((\d+)\.(\d+)", self.brand)
        known = version and (int(version[1]), int(version[2])) >= (0, 28)
        return _KITTY_OK in self.text and bool(known or self.brand.lower().startswith("ghostty"))

    @property
    def unicode(self) -> bool:
        found = _COLUMN.search(self.text)
        return not found or found[1] == b"2"


def is_dumb() -> bool:
    """Whether this terminal has no cursor that could be moved."""
    return os.environ.get("TERM", "") in ("", "dumb", "unknown")


def look(*, ascii: bool = False, no_color: bool = False, images: str = "auto", tty: str = "/dev/tty") -> Terminal:  # noqa: A002
    """What the terminal at `tty` can do, from the environment and from its own answers."""
    remote = any(os.environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    colours: Colours = "none" if no_color or os.environ.get("NO_COLOR") else _colours()
    multiplexer = _multiplexer()
    unicode = False if ascii else _locale_unicode()
    if unicode is None and multiplexer:
        unicode = False  # tmux and screen take the same silence for ASCII and draw underscores
    queries = b"" if colours in ("none", "16") else _PICTURE_QUERIES + (b"" if multiplexer else _KITTY_QUERY)
    queries += _UNICODE_QUERY if unicode is None else b""
    answers = _ask(tty, queries + _END, _PATIENCE_REMOTE if remote else _PATIENCE)
    if unicode is None:
        unicode = answers.unicode
    multiplexer = multiplexer or ("tmux" if answers.brand.startswith("tmux") else "")
    able = _able(answers, colours, multiplexer)
    if images not in get_args(Pictures):
        images = os.environ.get("BOCETO_IMAGES", "").lower()
    pictures, reason = _choice(images, able, answers, colours, multiplexer)
    able = able if pictures in able else (pictures, *able)
    return Terminal(colours, unicode, pictures, reason, remote, answers.round_trip, answers.cell, able)


def prepare(terminal: Terminal) -> None:
    """Set what Textual and textual-image read from the environment at import; a person's own wishes stay."""
    environment = os.environ
    if terminal.remote:
        environment.setdefault("TEXTUAL_FPS", "15")
        environment.setdefault("TEXTUAL_ANIMATIONS", "none")
    if terminal.colours == "none":
        environment["NO_COLOR"] = "1"
    else:
        environment.pop("NO_COLOR", None)  # empty it means nothing, but Textual asks only whether it is there
        systems = {"16": "standard", "256": "256", "full": "truecolor"}
        environment.setdefault("TEXTUAL_COLOR_SYSTEM", systems[terminal.colours])
    if terminal.colours in ("none", "16"):
        # Any other theme would become greys on black there, or 24-bit greys in spite of NO_COLOR.
        environment.setdefault("TEXTUAL_THEME", "ansi-dark")
    width, height = terminal.cell or (10, 20)
    environment["TEXTUAL_CELL_WIDTH"], environment["TEXTUAL_CELL_HEIGHT"] = str(width), str(height)


@contextmanager
def guarded(log: Path) -> Iterator[None]:
    """Send what libraries and child programs write to stdout and stderr to `log`, so that it does not cross the screen.

    Textual draws on `sys.__stderr__` and measures `sys.__stdout__`, textual-image writes to the latter: both become
    the terminal itself.
    """
    with suppress(AttributeError, OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    streams, descriptors = (sys.__stdout__, sys.__stderr__), (os.dup(1), os.dup(2))
    try:
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY)
    except OSError:  # no controlling terminal, as in some containers: then what we were given must do
        terminal = os.dup(2)
    screen = open(terminal, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115 - closed below, where it may fail
    with log.open("ab", buffering=0) as away:
        try:
            sys.__stdout__ = sys.__stderr__ = screen  # type: ignore[misc]
            os.dup2(away.fileno(), 1)
            os.dup2(away.fileno(), 2)
            yield
        finally:
            with suppress(AttributeError, OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
            for number, descriptor in enumerate(descriptors, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            with suppress(OSError):  # the terminal may be gone
                screen.close()


def _colours() -> Colours:
    term, more = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "").lower()
    if more in ("truecolor", "24bit") or "direct" in term or term.startswith(_FULL_COLOURS):
        return "full"
    if "256color" in term:
        return "256"
    return "256" if more and not is_dumb() else "16"


def _multiplexer() -> str:
    term = os.environ.get("TERM", "")
    if os.environ.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if os.environ.get("STY") or term.startswith("screen") else ""


def _locale_unicode() -> bool | None:
    """Whether the locale is UTF-8; None when nothing is said."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = _given_ctype() if name == "LC_CTYPE" else os.environ.get(name, "")
        if value:
            return "utf-8" in value.lower() or "utf8" in value.lower()
    return None


def _given_ctype() -> str:
    """LC_CTYPE as it was before Python itself set it to UTF-8, which it does in a C locale (PEP 538)."""
    value = os.environ.get("LC_CTYPE", "")
    if not (sys.flags.utf8_mode and value in _COERCED):
        return value
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    return next((line[9:].decode("ascii", "replace") for line in given if line.startswith(b"LC_CTYPE=")), "")


def _ask(tty: str, questions: bytes, patience: float) -> _Answers:
    """Write all questions at once and read until the last is answered, leaving nothing to be read as keys."""
    try:
        terminal = os.open(tty, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return _Answers()
    try:
        before = termios.tcgetattr(terminal)
        try:
            modes.setraw(terminal, termios.TCSADRAIN)
            text, seconds = _exchange(terminal, questions, patience)
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)  # flush: what has come since is not for anyone
        return _Answers(text, seconds, _cell(terminal, text))
    except (OSError, termios.error):
        return _Answers()
    finally:
        os.close(terminal)


def _exchange(terminal: int, questions: bytes, patience: float) -> tuple[bytes, float | None]:
    start, text, seconds = monotonic(), b"", None
    os.write(terminal, questions)
    while seconds is None and (left := start + patience - monotonic()) > 0:
        if not select([terminal], [], [], left)[0]:
            break
        piece = os.read(terminal, 4096)
        if not piece:
            break
        text += piece
        if _ATTRIBUTES.search(text):
            seconds = monotonic() - start
    while select([terminal], [], [], 0.02)[0] and (piece := os.read(terminal, 4096)):
        text += piece
    return text, seconds


def _cell(terminal: int, text: bytes) -> tuple[int, int] | None:
    if found := _CELL.search(text):
        width, height = int(found[2]), int(found[1])
    else:
        rows, columns, across, down = struct.unpack("HHHH", fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))
        width, height = across // max(columns, 1), down // max(rows, 1)
    return (width, height) if width and height else None


def _able(answers: _Answers, colours: Colours, multiplexer: str) -> tuple[Pictures, ...]:
    if colours == "none":
        return ("off",)
    if answers.kitty and not multiplexer:
        return ("kitty", "half", "off")
    # What tmux answers is how it was built; only the terminal around it decides whether a sixel is seen.
    if answers.sixel and (not multiplexer or (multiplexer == "tmux" and _tmux_passes_sixel())):
        return ("sixel", "half", "off")
    return ("half", "off")


def _tmux_passes_sixel() -> bool:
    command = ["tmux", "display-message", "-p", "#{client_termfeatures}"]
    try:
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=1, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"sixel" in told.stdout


def _choice(
    wish: str, able: tuple[Pictures, ...], answers: _Answers, colours: Colours, multiplexer: str
) -> tuple[Pictures, str]:
    for way in get_args(Pictures):
        if way == wish:
            return way, _("You asked for it.")
    if colours == "none":
        return "off", _("There are no colours to draw pictures with.")
    if colours == "16":
        return "off", _("This terminal has 16 colours, too few for pictures. Press i to see them all the same.")
    if answers.round_trip is not None and answers.round_trip > SLOW:
        slow = _("The connection is slow: an answer takes {milliseconds} ms. Press i to see pictures all the same.")
        return "off", slow.format(milliseconds=round(answers.round_trip * 1000))
    best = able[0]
    if best == "kitty":
        return best, _("This terminal is {name}, which shows pictures.").format(name=answers.brand)
    if best == "sixel":
        return best, _("This terminal says that it shows sixel pictures.")
    if multiplexer:
        return best, _("Inside {name}, coloured blocks are what surely arrives.").format(name=multiplexer)
    return best, _("This terminal does not say that it shows pictures; coloured blocks work everywhere.")
