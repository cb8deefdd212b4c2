"""How Boceto behaves as a guest in a terminal: it comes, it goes, and it leaves everything as it was."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.demo import DRAWINGS
from core.runs.run import runs_in
from tests.conftest import small_project
from tests.terminal.screen import BOCETO, NEEDS_TMUX, Terminal, framed

pytestmark = NEEDS_TMUX

FULL_COLOUR = re.compile(r"\x1b\[[\d;]*[34]8;2;")
INDEXED = re.compile(r"\x1b\[[\d;]*[34]8;5;")


def drawings(folder: Path, *names: str) -> Path:
    """A folder with three real drawings and their captions."""
    folder.mkdir(parents=True)
    pictures = sorted(DRAWINGS.glob("*.png"))
    for name, picture in zip(names or ("boat", "house", "tree"), pictures, strict=False):
        shutil.copyfile(picture, folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a {name}", encoding="utf-8")
    return folder


def shell(terminal: Terminal, **options: object) -> Terminal:
    """A plain shell, ready for a command."""
    terminal.start("sh", **options)  # type: ignore[arg-type]
    terminal.wait_for("$")
    return terminal


def run(terminal: Terminal, command: str) -> None:
    """Give the shell a command."""
    terminal.type(command)
    terminal.keys("Enter")


def is_clean(terminal: Terminal) -> None:
    """The shell is back, as it was: its own screen, its echo, its lines."""
    assert terminal.ask("alternate_on") == "0", "the other screen was left standing"
    assert terminal.ask("mouse_any_flag") == "0", "the mouse still reports every move"
    assert terminal.ask("cursor_flag") == "1", "the cursor is hidden"
    terminal.keys("C-l")
    run(terminal, "clear; stty -a")
    screen = terminal.wait_for("echo")
    assert re.search(r"(?<!-)\bicanon\b", screen), framed(screen)
    assert re.search(r"(?<!-)\becho\b", screen), framed(screen)
    assert re.search(r"(?<!-)\bisig\b", screen), framed(screen)
    run(terminal, "clear; echo a$((40+2))z")
    terminal.wait_for("a42z")


def screens(terminal: Terminal, folder: Path) -> Iterator[tuple[str, str]]:  # noqa: PLR0915 - one road, screen by screen
    """Every screen and dialog that can be reached without a training, with its name; the terminal has a shell."""
    run(terminal, f"clear; {BOCETO}")
    terminal.wait_for("1/10 Welcome")
    terminal.wait_for("Bases on this disk")
    yield "welcome", terminal.settled()
    terminal.keys("?")
    yield "help", terminal.settled()
    terminal.keys("Escape", "C-p")
    yield "palette", terminal.settled()
    terminal.keys("Escape", "n")
    terminal.wait_for("2/10 Folder")
    terminal.keys("C-u")
    terminal.type(str(folder))
    terminal.wait_for("3 drawings, 3 captions")
    yield "folder", terminal.settled()
    terminal.keys("C-n")
    terminal.wait_for("3/10 Drawings")
    terminal.wait_for("3 used")
    yield "drawings", terminal.settled()
    for key, name, words in (("f", "filter", "with a problem"), ("t", "treatment", "Treatment of")):
        terminal.keys(key)
        terminal.wait_for(words)
        yield name, terminal.settled()
        terminal.keys("Escape")
        terminal.wait_until_gone(words)
    terminal.keys("x")
    terminal.wait_for("2 used")
    yield "one left out", terminal.settled()
    terminal.keys("z", "C-n")
    terminal.wait_for("4/10 Captions")
    terminal.wait_for("/75 ")
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("? Help")
    terminal.keys("Enter")
    terminal.wait_for("0 of 3 read")
    yield "captions", terminal.settled()
    terminal.keys("Escape", "C-n")
    terminal.wait_for("5/10 Base")
    terminal.wait_for("Made for")
    yield "base", terminal.settled()
    terminal.keys("C-n")
    terminal.wait_for("6/10 Steps")
    terminal.wait_for("real steps")
    yield "steps", terminal.settled()
    terminal.keys("C-n")
    terminal.wait_for("7/10 Optimizer")
    terminal.wait_for("recommended: ")
    yield "optimizer", terminal.settled()
    terminal.keys("v")
    yield "advanced", terminal.settled()
    terminal.keys("C-n")
    terminal.wait_for("8/10 Review")
    terminal.wait_for("Chosen for you")
    yield "review", terminal.settled()


def test_ctrl_z_and_fg_bring_the_screen_back(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    shell(terminal)
    run(terminal, f"{BOCETO} {folder}")
    terminal.wait_for("3 drawings, 3 captions")
    before = terminal.settled()
    terminal.keys("C-z")
    terminal.wait_for("Stopped")
    is_clean(terminal)
    run(terminal, "fg")
    terminal.wait_for("3 drawings, 3 captions")
    assert terminal.settled() == before
    terminal.keys("C-n")
    terminal.wait_for("3/10 Drawings")


def test_another_size_and_back_keeps_everything(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    terminal.start(f"{BOCETO} {folder}")
    terminal.wait_for("3 drawings, 3 captions")
    terminal.keys("C-n")
    terminal.wait_for("Nothing is wrong with it.")
    terminal.keys("C-n")
    terminal.wait_for("/75 ")
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("? Help")
    terminal.keys("Down", "Enter")
    terminal.type_into_field(" by the sea")
    terminal.wait_for("a house by the sea")
    before = terminal.settled()
    terminal.resize(120, 40)
    wide = terminal.wait_for("● Captions")
    assert "trazolin" in wide and "a house by the sea" in terminal.settled()
    terminal.resize(80, 24)
    terminal.wait_for("4/10 Captions")
    assert terminal.settled() == before
    terminal.keys("Enter")
    terminal.wait_for("1 of 3 read")
    assert (folder / "house.txt").read_text() == "a house by the sea"


def test_a_caption_can_be_read_whole_in_its_row_while_it_is_edited(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    (folder / "boat.txt").write_text("a boat with two white sails")
    terminal.start(f"{BOCETO} {folder}")
    terminal.wait_for("3 drawings, 3 captions")
    terminal.keys("C-n")
    terminal.wait_for("Nothing is wrong with it.")
    terminal.keys("C-n")
    terminal.wait_for("/75 ")
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("? Help")
    terminal.keys("Enter")
    terminal.type_into_field(", at sea")
    screen = terminal.wait_for("two white sails, at sea")
    row = next(line for line in terminal.settled().splitlines() if "boat.png" in line and "/75 " in line)
    assert "a boat with two white sails, at sea" in row, framed(screen)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_a_clean_terminal_and_keeps_the_answers(
    terminal: Terminal, number: signal.Signals, status: int
) -> None:
    folder = drawings(terminal.home / "drawings")
    shell(terminal)
    run(terminal, f"sh -c 'echo $$ >~/pid; exec {BOCETO} {folder}'; echo status=$?")
    terminal.wait_for("3 drawings, 3 captions")
    terminal.keys("C-n")
    terminal.wait_for("Nothing is wrong with it.")
    terminal.keys("x")
    terminal.wait_for("2 used")
    os.kill(int((terminal.home / "pid").read_text()), number)
    terminal.wait_for(f"status={status}")
    is_clean(terminal)
    run(terminal, f"clear; {BOCETO} drawings")
    terminal.wait_for("3/10 Drawings")
    terminal.wait_for("2 used")


@pytest.mark.parametrize("keys", [("C-q",), ("C-c", "C-c")], ids=["ctrl+q", "ctrl+c twice"])
def test_who_quits_is_back_in_the_shell_with_status_0(terminal: Terminal, keys: tuple[str, ...]) -> None:
    shell(terminal)
    run(terminal, f"{BOCETO}; echo status=$?")
    terminal.wait_for("1/10 Welcome")
    terminal.wait_for("Bases on this disk")
    for key in keys:
        terminal.keys(key)
        time.sleep(0.3)
    terminal.wait_for("status=0")
    is_clean(terminal)


def test_ctrl_c_once_only_says_how_to_quit(terminal: Terminal) -> None:
    terminal.start(BOCETO)
    terminal.wait_for("Bases on this disk")
    terminal.keys("C-c")
    terminal.wait_for("Press Ctrl+C again to quit.")
    time.sleep(2.5)
    terminal.keys("C-c")
    assert "1/10 Welcome" in terminal.settled()


def test_without_a_terminal_it_names_the_commands_that_need_none(tmp_path: Path) -> None:
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [BOCETO], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", env=home, check=False
    )
    assert done.returncode == 2
    assert not done.stdout
    for command in ("new", "check", "train", "ls", "attach", "stop", "logs"):
        assert f"`boceto {command}`" in done.stderr
    assert "\x1b" not in done.stderr


def test_with_nothing_to_read_from_it_draws_no_screen(terminal: Terminal) -> None:
    shell(terminal)
    run(terminal, f"clear; {BOCETO} </dev/null; echo status=$?")
    assert "boceto train" in terminal.wait_for("status=2")


def test_a_terminal_that_shows_no_screens_is_told_so_and_asked_line_by_line(terminal: Terminal) -> None:
    shell(terminal, term="dumb")
    run(terminal, f"{BOCETO}; echo status=$?")
    terminal.wait_for("TERM=dumb")
    asked = terminal.settled()
    terminal.keys("C-d")
    screen = terminal.wait_for(re.compile(r"status=\d"))
    assert "Traceback" not in screen, framed(screen)
    assert "line by line" in asked
    assert terminal.ask("alternate_on") == "0"


def test_in_a_c_locale_every_screen_is_drawn_in_ascii(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    shell(terminal, environment={"LC_ALL": "C", "LANG": ""})
    for name, screen in screens(terminal, folder):
        strange = sorted({letter for letter in screen if not letter.isascii()})
        assert not strange, f"{strange} on {name}:\n{framed(screen)}"


@pytest.mark.parametrize(
    ("environment", "term"),
    [({"NO_COLOR": "1"}, ""), ({"COLORTERM": ""}, "screen")],
    ids=["NO_COLOR", "16 colours"],
)
def test_few_colours_are_asked_of_a_terminal_that_has_few(
    terminal: Terminal, environment: dict[str, str], term: str
) -> None:
    folder = drawings(terminal.home / "drawings")
    shell(terminal, environment=environment, term=term)
    for name, screen in screens(terminal, folder):
        styled = terminal.styled()
        assert not FULL_COLOUR.search(styled), f"24-bit colours on {name}:\n{framed(screen)}"
        assert not INDEXED.search(styled), f"256 colours on {name}:\n{framed(screen)}"
        assert not re.search(r"\x1b\[(90;40|40;90|30;40|40;30)m", styled), f"dark on black on {name}"
        if not term:
            assert not re.search(r"\x1b\[(?:\d+;)*(3[0-7]|4[0-7]|9[0-7]|10[0-7])[;m]", styled), f"colour on {name}"


def test_who_comes_back_to_the_drawings_finds_nothing_in_the_way(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    terminal.start(f"{BOCETO} {folder}")
    terminal.wait_for("3 drawings, 3 captions")
    terminal.keys("C-n")
    terminal.wait_for("Nothing is wrong with it.")
    terminal.keys("C-n")
    terminal.wait_for("/75 ")
    terminal.keys("Escape")
    terminal.wait_for("Nothing is wrong with it.")
    assert "No drawing is left" not in terminal.settled()


def test_a_checkbox_can_be_read_without_colours(terminal: Terminal) -> None:
    folder = drawings(terminal.home / "drawings")
    terminal.start(f"{BOCETO} {folder}", environment={"NO_COLOR": "1"})
    terminal.wait_for("3 drawings, 3 captions")
    terminal.keys("C-n")
    terminal.wait_for("3 used")
    terminal.keys("t")
    off = next(line for line in terminal.wait_for("for all 3 drawings").splitlines() if "for all 3" in line)
    terminal.keys("BTab", "Space")
    time.sleep(0.5)
    on = next(line for line in terminal.settled().splitlines() if "for all 3" in line)
    assert on != off


def test_a_screen_that_rests_sends_nothing(tmp_path: Path, shared_cache: Path) -> None:
    """Over a slow connection every byte counts, and a laptop's battery knows each wake-up."""
    folder = drawings(tmp_path / "home" / "drawings")
    environment = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "BOCETO_CACHE": str(shared_cache),
        "HF_HUB_OFFLINE": "1",
    }
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [BOCETO, str(folder)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - as a login does
    )
    os.close(theirs)

    def sent(seconds: float, quiet: float = 0.0) -> bytes:
        """What comes in the next `seconds`, or until nothing has come for `quiet` seconds."""
        until, text = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([ours], [], [], min(left, quiet or left))[0]:
                try:
                    text += os.read(ours, 65536)
                except OSError:  # nobody holds the other end any more
                    break
            elif text and quiet:
                break
        return text

    try:
        # It asks what the terminal can do and waits 0.8 s for the answer, which never comes here.
        assert b"Folder" in sent(20.0, quiet=1.5)
        assert sent(3.0) == b"", "on the screen Folder"
        os.write(ours, b"\x0e")  # ctrl+n
        assert b"Drawings" in sent(10.0, quiet=1.5)
        assert sent(3.0) == b"", "on the screen Drawings"
        os.write(ours, b"\x0e")
        assert b"Captions" in sent(10.0, quiet=1.5)
        assert sent(3.0) == b"", "on the screen Captions"
        os.write(ours, b"\x11")  # ctrl+q
        sent(10.0, quiet=1.5)
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def test_names_and_captions_are_shown_and_never_obeyed(terminal: Terminal) -> None:
    red, escape = "[red]markup[bold]", "a\x1b[31mb"
    folder = drawings(terminal.home / "[red]mine[red", red, escape, "plain")
    (folder / f"{red}.txt").write_text("a [red]cat[/] and [@click=app.quit]a link[/]")
    (folder / f"{escape}.txt").write_text("a \x1b[31mdog\x1b[0m")
    (folder / "plain.txt").write_text("a house")
    terminal.start(f"{BOCETO} '{folder}'")
    terminal.wait_for("3 drawings, 3 captions")
    assert "[red]mine[red" in terminal.settled()
    terminal.keys("C-n")
    screen = terminal.wait_for("3 used")
    assert "[red]markup[bold].png" in screen
    assert r"a\u{1b}[31mb.png" in screen
    terminal.keys("End")
    terminal.settled()
    _colours_nothing(terminal, "[red]mark", r"a\u{1b}[31mb")
    terminal.keys("Home")
    terminal.keys("t")
    assert "[red]markup[bold].png" in terminal.wait_for("Treatment of").split("Treatment of")[1].splitlines()[0]
    terminal.keys("Escape", "x")
    terminal.wait_for("2 used")
    terminal.keys("z")
    assert "leave out [red]markup[bold].png" in terminal.wait_for("Taken back")
    terminal.keys("C-n")
    screen = terminal.wait_for("/75 ")
    assert "a [red]cat[/] and [@click=app.quit]a link[/]" in screen
    assert r"a \u{1b}[31mdog\u{1b}[0m" in screen
    terminal.type_into_field("trazolin")
    terminal.keys("Enter")
    terminal.wait_for("? Help")
    terminal.keys("End")
    terminal.settled()
    _colours_nothing(terminal, "a [red]cat", r"a \u{1b}[31mdog")


def test_quitting_while_a_training_runs_asks_first_and_leaves_it_running(terminal: Terminal) -> None:
    place, _project = small_project(terminal.home / "Loras" / "small")
    shell(terminal)
    run(terminal, f"{BOCETO} small; echo status=$?")
    terminal.wait_for("3/10 Drawings")
    terminal.wait_for("8 used")
    for wanted in ("/75 ", "Made for", "real steps", "recommended: ", "Chosen for you"):
        terminal.keys("C-n")
        terminal.wait_for(wanted)
    terminal.keys("s")
    terminal.wait_for("9/10 Training")
    terminal.keys("C-q")
    terminal.wait_for("Leave it running")
    terminal.keys("Escape")
    terminal.wait_until_gone("Leave it running")
    assert "9/10 Training" in terminal.text()
    terminal.keys("C-q")
    terminal.wait_for("Leave it running")
    terminal.keys("Enter")
    terminal.wait_for("status=0")
    (left,) = runs_in(place.runs)
    assert left.is_alive() or left.status().phase == "finished"


def _colours_nothing(terminal: Terminal, *words: str) -> None:
    """These words are all drawn in the same colour, and nothing on the screen in red."""
    styled = terminal.styled()
    colours = []
    for word in words:
        at = next(at.start() for at in re.finditer(re.escape(word), styled))
        found = re.findall(r"\x1b\[(?:\d+;)*?(38;2;\d+;\d+;\d+|39)(?:;\d+)*m", styled[:at])
        colours.append(found[-1])
    assert len(set(colours)) == 1, dict(zip(words, colours, strict=True))
    assert "38;2;255;0;0" not in styled and "\x1b[31m" not in styled
