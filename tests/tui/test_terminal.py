import os
import pty
import subprocess
import sys
import termios
import textwrap
import threading
import time
import tty
from pathlib import Path
from select import select

import pytest

from tui import terminal
from tui.terminal import is_dumb, look, prepare

ROOT = Path(__file__).parents[2]
VARIABLES = (
    "TERM COLORTERM NO_COLOR LC_ALL LC_CTYPE LANG TMUX STY SSH_CONNECTION SSH_TTY BOCETO_IMAGES BOCETO_LANGUAGE"
    " LANGUAGE TEXTUAL_FPS TEXTUAL_ANIMATIONS TEXTUAL_THEME TEXTUAL_COLOR_SYSTEM TEXTUAL_CELL_WIDTH TEXTUAL_CELL_HEIGHT"
)
NOWHERE = "/nowhere/tty"
XTERM = {b"\x1b[>q": b"\x1bP>|XTerm(388)\x1b\\", b"\x1b[16t": b"\x1b[6;18;9t", b"\x1b[c": b"\x1b[?64;1;4;22c"}
KITTY = {
    b"\x1b[>q": b"\x1bP>|kitty(0.35.2)\x1b\\",
    b"\x1b[16t": b"\x1b[6;20;10t",
    b"\x1b_Gi=31": b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b[c": b"\x1b[?62;c",
}
TMUX = {b"\x1b[>q": b"\x1bP>|tmux 3.5a\x1b\\", b"\x1b[c": b"\x1b[?1;2;4c"}
PLAIN = {b"\x1b[c": b"\x1b[?1;2c"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A modern terminal on this machine; what a test or `prepare` sets is undone."""
    for name in VARIABLES.split():
        monkeypatch.setenv(name, "")  # remembered as it was, also where `prepare` sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    return monkeypatch


class Screen:
    """A terminal that answers as told, each answer in its turn."""

    def __init__(self, answers: dict[bytes, bytes], delay: float = 0, late: bytes = b"") -> None:
        self.master, self.slave = pty.openpty()
        self.path, self.asked = os.ttyname(self.slave), b""
        self._answers, self._delay, self._late = answers, delay, late
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self) -> "Screen":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.slave)
        self._thread.join(2)
        os.close(self.master)

    def _answer(self) -> None:
        try:
            while b"\x1b[c" not in self.asked:
                self.asked += os.read(self.master, 4096)
        except OSError:
            return
        time.sleep(self._delay)
        found = sorted((self.asked.find(question), answer) for question, answer in self._answers.items())
        os.write(self.master, b"".join(answer for place, answer in found if place >= 0))
        if self._late:
            time.sleep(0.01)
            os.write(self.master, self._late)

    def left(self) -> bytes:
        """What a program that starts now would take for keys."""
        tty.setraw(self.slave, termios.TCSANOW)
        return os.read(self.slave, 4096) if select([self.slave], [], [], 0.05)[0] else b""


@pytest.mark.parametrize(
    ("term", "colorterm", "colours"),
    [
        ("xterm-256color", "truecolor", "full"),
        ("xterm-256color", "", "256"),
        ("screen-256color", "", "256"),
        ("xterm-direct", "", "full"),
        ("xterm-kitty", "", "full"),
        ("xterm", "", "16"),
        ("screen", "", "16"),
        ("linux", "", "16"),
        ("vt220", "", "16"),
        ("xterm", "24bit", "full"),
        ("xterm", "gnome-terminal", "256"),
    ],
)
def test_colours_are_as_many_as_the_environment_promises(environment, term, colorterm, colours):
    environment.setenv("TERM", term)
    environment.setenv("COLORTERM", colorterm)
    assert look(tty=NOWHERE).colours == colours


def test_no_color_is_obeyed_and_leaves_no_pictures(environment):
    environment.setenv("NO_COLOR", "1")
    assert (look(tty=NOWHERE).colours, look(tty=NOWHERE).pictures) == ("none", "off")
    environment.setenv("NO_COLOR", "")
    assert look(tty=NOWHERE).colours == "full"
    assert look(no_color=True, tty=NOWHERE).able == ("off",)


@pytest.mark.parametrize(("term", "dumb"), [("dumb", True), ("", True), ("xterm", False)])
def test_a_terminal_without_a_cursor_is_dumb(environment, term, dumb):
    environment.setenv("TERM", term)
    assert is_dumb() is dumb


@pytest.mark.parametrize(
    ("locale", "unicode"),
    [
        ({"LC_ALL": "C"}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, False),
        ({"LANG": "C"}, False),
        ({"LC_CTYPE": "C"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "es_ES.utf8"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),  # what macOS sends over SSH
        ({"LC_ALL": "", "LANG": ""}, True),
        ({}, True),
        ({"TMUX": "/tmp/tmux,1,0"}, False),
        ({"TMUX": "/tmp/tmux,1,0", "LANG": "C.UTF-8"}, True),
    ],
)
def test_the_locale_as_it_was_given_decides_about_ascii(locale, unicode):
    # In a process of its own, for Python changes LC_CTYPE as it starts.
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **locale}
    program = f"from tui.terminal import look; print(look(tty={NOWHERE!r}).unicode)"
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == str(unicode)


def test_asking_for_ascii_is_enough():
    assert look(ascii=True, tty=NOWHERE).unicode is False


@pytest.mark.parametrize(("column", "unicode"), [(b"2", True), (b"3", False)])
def test_without_a_locale_the_terminal_itself_is_asked(environment, column, unicode):
    environment.delenv("LANG")
    with Screen({**PLAIN, b"\x1b[6n": b"\x1b[7;" + column + b"R"}) as screen:
        assert look(tty=screen.path).unicode is unicode
        assert "ñ".encode() in screen.asked
        assert screen.left() == b""


def test_kitty_shows_pictures_as_pixels():
    with Screen(KITTY) as screen:
        found = look(tty=screen.path)
        assert (found.pictures, found.cell, found.able) == ("kitty", (10, 20), ("kitty", "half", "off"))
        assert "kitty(0.35.2)" in found.reason
        assert 0 < found.round_trip < 0.3
        assert screen.left() == b""


@pytest.mark.parametrize("brand", [b"Konsole 24.02", b"WezTerm 20240203", b"kitty(0.27.1)"])
def test_a_terminal_that_only_says_ok_to_kitty_is_not_believed(brand):
    with Screen({**KITTY, b"\x1b[>q": b"\x1bP>|" + brand + b"\x1b\\"}) as screen:
        assert look(tty=screen.path).pictures == "half"


def test_an_xterm_with_sixel_shows_sixels():
    with Screen(XTERM) as screen:
        found = look(tty=screen.path)
        assert (found.pictures, found.cell) == ("sixel", (9, 18))
        assert screen.left() == b""


def test_sixel_is_an_attribute_and_not_a_digit_of_another():
    with Screen({b"\x1b[c": b"\x1b[?64;1;42;14c"}) as screen:
        assert look(tty=screen.path).pictures == "half"


@pytest.mark.parametrize(("passes", "pictures"), [(False, "half"), (True, "sixel")])
def test_tmux_shows_sixels_only_when_the_terminal_around_it_does(environment, passes, pictures):
    environment.setattr(terminal, "_tmux_passes_sixel", lambda: passes)
    environment.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    with Screen(TMUX) as screen:
        assert look(tty=screen.path).pictures == pictures
        assert b"_G" not in screen.asked
        assert screen.left() == b""


def test_tmux_on_the_other_side_of_ssh_is_known_by_its_answer(environment):
    environment.setenv("PATH", "")  # no tmux to ask on this side
    with Screen(TMUX) as screen:
        found = look(tty=screen.path)
    assert found.pictures == "half"
    assert "tmux" in found.reason


def test_an_answer_behind_the_last_one_is_no_keystroke():
    with Screen(KITTY, late=b"\x1b[6;20;10t") as screen:
        look(tty=screen.path)
        assert screen.left() == b""


def test_a_slow_terminal_shows_no_pictures():
    with Screen(KITTY, delay=0.5) as screen:
        found = look(tty=screen.path)
        assert (found.pictures, found.able[0]) == ("off", "kitty")
        assert 0.5 <= found.round_trip < 0.8
        assert "Press i" in found.reason
        assert screen.left() == b""


def test_a_terminal_that_never_answers_is_not_waited_for():
    with Screen({}) as screen:
        start = time.monotonic()
        found = look(tty=screen.path)
        assert time.monotonic() - start < 1.2
        assert (found.pictures, found.round_trip) == ("half", None)
        before = termios.tcgetattr(screen.slave)
        assert before[3] & termios.ECHO and before[3] & termios.ICANON


def test_a_terminal_far_away_is_given_more_time(environment):
    environment.setenv("SSH_TTY", "/dev/pts/7")
    with Screen(PLAIN, delay=1.0) as screen:
        found = look(tty=screen.path)
        assert (found.remote, found.pictures) == (True, "off")
        assert found.round_trip > 1
        assert screen.left() == b""


def test_sixteen_colours_show_no_pictures_and_ask_only_what_every_terminal_knows(environment):
    environment.setenv("TERM", "linux")
    environment.delenv("COLORTERM")
    with Screen(PLAIN) as screen:
        assert look(tty=screen.path).pictures == "off"
        assert b"_G" not in screen.asked and b">q" not in screen.asked


def test_a_wish_wins_over_everything_found(environment):
    environment.setenv("BOCETO_IMAGES", "sixel")
    assert look(tty=NOWHERE).pictures == "sixel"
    assert look(tty=NOWHERE).able == ("sixel", "half", "off")
    assert look(images="off", tty=NOWHERE).pictures == "off"
    environment.setenv("BOCETO_IMAGES", "oil on canvas")
    assert look(tty=NOWHERE).pictures == "half"


def test_what_is_prepared_is_what_textual_reads(environment):
    environment.setenv("TERM", "linux")
    environment.delenv("COLORTERM")
    environment.setenv("SSH_TTY", "/dev/pts/7")
    prepare(look(tty=NOWHERE))
    program = (
        "from textual import constants as c;"
        "print(c.MAX_FPS, c.TEXTUAL_ANIMATIONS, c.DEFAULT_THEME, c.COLOR_SYSTEM);"
        "from textual.app import App; a = App(); print(a.theme, a.no_color, a.console.color_system)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["15 none ansi-dark standard", "ansi-dark False standard"]


def test_an_empty_no_color_is_taken_away_and_a_given_one_stays(environment):
    environment.setenv("NO_COLOR", "")
    prepare(look(tty=NOWHERE))
    assert "NO_COLOR" not in os.environ
    prepare(look(no_color=True, tty=NOWHERE))
    assert os.environ["NO_COLOR"] == "1"


def test_finding_out_imports_no_textual():
    program = "import sys, tui.terminal; print('textual' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("fails", [False, True])
def test_what_libraries_write_goes_to_the_log_and_the_screen_is_still_reached(tmp_path, fails):
    log = tmp_path / "log.txt"
    program = textwrap.dedent(f"""
        import os, shutil, subprocess, sys
        from pathlib import Path
        from tui.terminal import guarded
        try:
            with guarded(Path({str(log)!r})):
                print("from python")
                os.write(2, b"from a library ")
                subprocess.run(["echo", "from a child"])
                sys.__stderr__.write("DRAWN %s " % (shutil.get_terminal_size(),)); sys.__stderr__.flush()
                if {fails}:
                    raise ValueError
        except ValueError:
            pass
        print("OUT AGAIN", sys.__stdout__.isatty())
        print("ERR AGAIN", file=sys.stderr)
    """)
    shown = _in_a_terminal(program, size=(100, 30))
    written = log.read_text()
    for words in ("from python", "from a library", "from a child"):
        assert words in written and words not in shown
    assert "DRAWN os.terminal_size(columns=100, lines=30)" in shown
    assert "OUT AGAIN True" in shown and "ERR AGAIN" in shown and "AGAIN" not in written


def _in_a_terminal(program: str, size: tuple[int, int]) -> str:
    """What a Python program shows in a terminal of its own, which is the one it calls /dev/tty."""
    process, master = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execv(
            sys.executable,
            [sys.executable, "-c", f"import os\nfor side in ('COLUMNS', 'LINES'): os.environ.pop(side, 0)\n{program}"],
        )
    termios.tcsetwinsize(master, (size[1], size[0]))
    shown = b""
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:  # the program has ended
        pass
    os.close(master)
    assert os.waitpid(process, 0)[1] == 0, shown
    return shown.decode()
