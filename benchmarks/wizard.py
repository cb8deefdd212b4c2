"""How soon the wizard answers, how much memory it takes and how much it sends, in a terminal of 80 × 24.

    python benchmarks/wizard.py [--drawings 10000] [--starts 7]

The wizard runs in a pty with an empty home, and this script plays the terminal and the artist. The folder of many
small drawings is made once and kept in the cache. Beside it, in the same run, stands a bare Textual app with a table of
as many rows. Linux only. The exit status is 1 when a goal is missed; the last line is JSON.
"""

import argparse
import json
import os
import pty
import re
import signal
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from select import select
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from core import demo, paths
from core.project import Place, Project
from core.runs.launch import stop
from core.runs.run import Run, runs_in

ROOT = Path(__file__).parents[1]
COLUMNS, ROWS = 80, 24
WARM = 2
FRAME = 0.015
"""Seconds between two frames, at least: Textual draws sixty a second. The bytes of one come within a millisecond."""
QUIET = 0.1
"""Seconds without a byte after which a key has done all it does; where the cursor moves, the picture comes first."""
REST = 0.05
"""Seconds between the end of one key and the next: right after a frame the next one would wait for its turn."""
LISTEN = 20.0
HEAVY = ("torch", "diffusers", "transformers", "peft", "bitsandbytes")
GOALS = {
    "first_paint_s": 0.5,
    "key_p95_ms": 50.0,
    "key_p95_ms_while_training": 80.0,
    "memory_mib": 300.0,
    "idle_bytes_per_s": 0.0,
    "training_bytes_per_s": 4000.0,
}
DOWN, PAGE_DOWN, ENTER, ESCAPE, NEXT, QUIT = b"j", b"\x1b[6~", b"\r", b"\x1b", b"\x0e", b"\x11"
MOVES = ((DOWN, 200), (PAGE_DOWN, 50))
TAGS = (
    "bird boat bridge castle cat cloud dog door field fish flower forest girl hat hill house lamp moon river road rose "
    "ship sky snow star tower tree umbrella window wind"
).split()
_QUESTION, _ANSWER = b"\x1b[c", b"\x1b[?62;22c"  # what the wizard asks first, and what xterm says
_PICTURE = "▀".encode()
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[PX^_\]].*?(?:\x1b\\|\x07)|[@-Z\\=>78])", re.DOTALL)

WIZARD = ("-m", "tui")
WATCHED = """
import atexit, sys
_, file, *heavy = sys.argv
atexit.register(lambda: open(file, "w").write(" ".join(name for name in heavy if name in sys.modules)))
from tui.cli import main
sys.exit(main([]))
"""
"""The wizard, which writes down at its end which of some libraries it has loaded."""
BARE = """
import sys
from textual.app import App
from textual.widgets import DataTable, Static

class Bare(App):
    def compose(self):
        yield Static("Nothing but this.")
        yield DataTable(cursor_type="row")

    def on_mount(self):
        self.call_after_refresh(self.fill)

    def fill(self):
        table = self.query_one(DataTable)
        table.add_columns("name", "size", "bucket", "crop", "enlarged", "problem")
        for number in range(int(sys.argv[1])):
            table.add_row(f"{number:05}.png", "64×64", "64×64", "–", "1.00×", "✓")
        table.focus()
        self.query_one(Static).update("All rows are there.")

Bare().run()
"""


class Window:
    """A program in a terminal of its own, which is read and typed into from here."""

    def __init__(self, home: Path, *arguments: str) -> None:
        # Nothing of the person's own environment: no other folders, no NO_COLOR, no SSH.
        environment = {
            "HOME": str(home),
            "PATH": os.environ.get("PATH", os.defpath),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "BOCETO_LANGUAGE": "en",
        }
        self.began = time.perf_counter()
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, *arguments], environment)
        termios.tcsetwinsize(self._terminal, (ROWS, COLUMNS))
        self._shown = b""

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # it may have ended by itself
            self.type(QUIT)
        self.listen(10)
        os.close(self._terminal)
        os.kill(self.process, signal.SIGKILL)  # nothing to one that has ended
        os.waitpid(self.process, 0)

    def wait_for(self, words: str, seconds: float = 120.0) -> float:
        """Seconds from the start of the program until `words`, which were not there at the last call, have arrived."""
        until = time.perf_counter() + seconds
        while words.encode() not in _ESCAPES.sub(b"", self._shown):
            if not self._read(until - time.perf_counter()):
                said = _ESCAPES.sub(b" ", self._shown).decode("utf-8", "replace")
                raise SystemExit(f"“{words}” did not come, or the program has ended: {said[-2000:]}")
        self._shown = b""
        return time.perf_counter() - self.began

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def settle(self, seconds: float = 0.5) -> None:
        """Wait until nothing has come for so long."""
        while self._read(seconds):
            pass

    def press(self, key: bytes) -> tuple[float, float]:
        """Seconds from a key to the last byte of the first frame it causes, and of the last before a picture."""
        began, times = time.perf_counter(), list[float]()
        self.type(key)
        while piece := self._read(QUIET if times else 10.0):
            if times and _PICTURE in piece:
                break
            times.append(time.perf_counter() - began)
        self.settle(REST)
        if not times:
            raise SystemExit(f"The key {key!r} changed nothing on the screen.")
        return next((one for one, after in pairwise(times) if after - one > FRAME), times[-1]), times[-1]

    def listen(self, seconds: float) -> list[tuple[float, int]]:
        """When something came in this time, and how many bytes."""
        heard, until = [], time.perf_counter() + seconds
        while piece := self._read(until - time.perf_counter()):
            heard.append((time.perf_counter(), len(piece)))
        return heard

    def memory(self) -> dict[str, float]:
        """MiB of its process: now, and the most so far."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
        return {"now": round(int(found["VmRSS"]) / 1024, 1), "most": round(int(found["VmHWM"]) / 1024, 1)}

    def _read(self, patience: float) -> bytes:
        """What comes within `patience` seconds; nothing when nothing does, or when the program has ended."""
        if not select([self._terminal], [], [], max(0.0, patience))[0]:
            return b""
        try:
            piece = os.read(self._terminal, 65536)
        except OSError:
            return b""
        known = len(self._shown)
        self._shown += piece
        if _QUESTION in self._shown[max(0, known - len(_QUESTION) + 1) :]:
            self.type(_ANSWER)
        return piece


def many_drawings(count: int) -> Path:
    """A folder with `count` small drawings, no two alike, and a caption of a few tags for each."""
    folder = paths.cache() / "benchmarks" / f"drawings-{count}"
    if (folder / "whole").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        squares = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        squares.resize((64, 64), Image.Resampling.NEAREST).save(folder / f"{number:05}.png")
        tags = random.choice(TAGS, int(random.integers(3, 16)), replace=False)
        (folder / f"{number:05}.txt").write_text(", ".join(tags))
    (folder / "whole").touch()
    return folder


def first_paint(home: Path, words: str, starts: int, *arguments: str) -> list[float]:
    """Seconds until `words` have arrived, of each start after some to warm up."""
    seconds = []
    for _start in range(WARM + starts):
        with Window(home, *arguments) as window:
            seconds.append(window.wait_for(words))
            window.settle()
    return seconds[WARM:]


def pressed(window: Window, key: bytes, times: int) -> dict[str, Any]:
    """Press a key so often, one at a time; milliseconds until its first frame and until its last."""
    first, last = zip(*(window.press(key) for _time in range(times)), strict=True)
    return {"first_ms": spread(first), "last_ms": spread(last)}


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """In milliseconds."""
    found = {"median": median(seconds), "p95": quantiles(seconds, n=20)[-1], "worst": max(seconds)}
    return {name: round(value * 1e3, 1) for name, value in found.items()}


def moves(window: Window, where: str, others: Iterable[tuple[str, bytes, int]] = ()) -> dict[str, Any]:
    """The keys that move in a list, and others, as `{"where: key": figures}`."""
    window.settle()
    named = [(f"{where}: {name}", *move) for name, move in zip(("j", "PageDown"), MOVES, strict=True)]
    return {name: pressed(window, key, times) for name, key, times in (*named, *others)}


def walk_to_training(window: Window, home: Path) -> Run:
    """From the first screen past every other to the training of the demo. Returns its run once it trains."""
    window.wait_for("1/10")
    steps = (
        (b"n", "2/10"),
        (ESCAPE, "1/10"),
        (b"d", " used"),
        (NEXT, "/75"),
        (NEXT, "5/10"),
        (NEXT, "6/10"),
        (NEXT, "7/10"),
        (NEXT, "Chosen for you"),
        (b"s", "9/10"),
    )
    for key, words in steps:
        window.settle()
        window.type(key)
        window.wait_for(words)
    run = runs_in(home / "Loras" / demo.NAME / "runs")[0]
    until = time.monotonic() + 600
    while run.status().phase != "train":
        window.listen(0.5)
        if time.monotonic() > until or not run.is_alive():
            raise SystemExit(f"The training does not begin: {run.status()}")
    return run


def per_second(heard: Sequence[tuple[float, int]], seconds: float) -> dict[str, float]:
    """Bytes: the mean of a second, and the most in any."""
    most = max((sum(count for at, count in heard if start <= at < start + 1) for start, _count in heard), default=0)
    return {"mean": round(sum(count for _at, count in heard) / seconds, 1), "most": float(most)}


def measure(home: Path, drawings: int, starts: int) -> dict[str, Any]:
    """Everything, in turn."""
    painted = first_paint(home, "1/10", starts, *WIZARD)
    bare_painted = first_paint(home, "Nothing but this.", starts, "-c", BARE, "0")
    with Window(home, "-c", BARE, str(drawings)) as bare:
        bare.wait_for("All rows are there.")
        bare.settle(1)
        bare_keys = {"down": pressed(bare, b"\x1b[B", 200), "PageDown": pressed(bare, PAGE_DOWN, 50)}
        bare_memory = bare.memory()

    place = Place(home / "Loras" / "many")
    folder = many_drawings(drawings)
    place.save(Project(name="many", activation_word="zorblix", dataset=str(folder), at="drawings"))
    with Window(home, *WIZARD, str(place.folder)) as window:
        looked = window.wait_for(" used")
        window.settle(1)
        keys = moves(window, "drawings", [("drawings: x", b"x", 20)])
        window.settle(1)
        idle = per_second(window.listen(5), 5)
        window.type(NEXT)
        window.wait_for("/75")
        keys |= moves(window, "captions", [("captions: space", b" ", 20)])
        window.type(ENTER)
        window.settle()
        keys["captions: a letter"] = pressed(window, b"a", 50)
        window.type(ESCAPE)
        window.settle()
        memory = window.memory()

        file = home / "loaded"
        with Window(home, "-c", WATCHED, str(file), *HEAVY) as other:
            run = walk_to_training(other, home)
            try:
                trained = per_second(other.listen(LISTEN), LISTEN)
                other.type(b"d")  # leave it running
                other.listen(10)
                meanwhile = moves(window, "captions")
                if run.status().phase not in ("train", "save", "preview"):
                    raise SystemExit("The training ended before the keys did.")
            finally:
                stop(run, wait=120)
    return {
        "drawings": drawings,
        "first_paint_s": {"median": round(median(painted), 3), "worst": round(max(painted), 3)},
        "looked_at_all_s": round(looked, 1),
        "keys": keys,
        "keys_while_training": meanwhile,
        "memory_mib": memory,
        "idle_bytes_per_s": idle,
        "training_bytes_per_s": trained,
        "loaded": file.read_text().split(),
        "bare": {
            "first_paint_s": {"median": round(median(bare_painted), 3), "worst": round(max(bare_painted), 3)},
            "keys": bare_keys,
            "memory_mib": bare_memory,
        },
    }


def judged(found: dict[str, Any]) -> dict[str, bool]:
    """Whether each goal was reached; a key counts with its last frame."""

    def slowest(keys: dict[str, Any]) -> float:
        return max(figures["last_ms"]["p95"] for figures in keys.values())

    reached = {
        "first_paint_s": found["first_paint_s"]["median"],
        "key_p95_ms": slowest(found["keys"]),
        "key_p95_ms_while_training": slowest(found["keys_while_training"]),
        "memory_mib": found["memory_mib"]["most"],
        "idle_bytes_per_s": found["idle_bytes_per_s"]["mean"],
        "training_bytes_per_s": found["training_bytes_per_s"]["mean"],
    }
    print(f"\n{'':30}{'goal':>8}{'reached':>10}")
    for name, goal in GOALS.items():
        print(f"{name:30}{goal:>8g}{reached[name]:>10g}  {'pass' if reached[name] <= goal else 'FAIL'}")
    print(f"{'training libraries loaded':30}{'none':>8}{' '.join(found['loaded']) or 'none':>10}\n")
    return {name: reached[name] <= goal for name, goal in GOALS.items()} | {"loaded": not found["loaded"]}


def report(found: dict[str, Any]) -> None:
    bare = found["bare"]
    print(f"{found['drawings']} drawings, looked at and checked after {found['looked_at_all_s']} s\n")
    print(f"{'':34}{'first frame, ms':>24}{'all but the picture, ms':>26}")
    print(f"{'':34}{'median     p95   worst':>24}{'median     p95   worst':>26}")
    rows = [
        *found["keys"].items(),
        *((f"{name} (training)", figures) for name, figures in found["keys_while_training"].items()),
        *((f"bare table: {name}", figures) for name, figures in bare["keys"].items()),
    ]
    for name, figures in rows:
        first, last = (
            "".join(f"{figures[which][one]:>8.1f}" for one in ("median", "p95", "worst"))
            for which in ("first_ms", "last_ms")
        )
        print(f"{name:34}{first}{last:>26}")
    print(f"\n{'':34}{'wizard':>10}{'bare':>10}{'ratio':>8}")
    for name, ours, theirs in (
        ("first paint, s, median", found["first_paint_s"]["median"], bare["first_paint_s"]["median"]),
        ("first paint, s, worst", found["first_paint_s"]["worst"], bare["first_paint_s"]["worst"]),
        ("memory, MiB", found["memory_mib"]["now"], bare["memory_mib"]["now"]),
        ("memory, MiB, the most", found["memory_mib"]["most"], bare["memory_mib"]["most"]),
    ):
        print(f"{name:34}{ours:>10g}{theirs:>10g}{ours / theirs:>8.2f}")
    idle, trained = found["idle_bytes_per_s"], found["training_bytes_per_s"]
    print(f"\nbytes a second, idle: {idle['mean']:g}; while training: {trained['mean']:g}, at most {trained['most']:g}")


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """The wizard's figures in those of the bare app."""
    bare = found["bare"]
    ours, theirs = found["keys"]["drawings: j"], bare["keys"]["down"]
    return {
        "first_paint": round(found["first_paint_s"]["median"] / bare["first_paint_s"]["median"], 3),
        "key_first": round(ours["first_ms"]["median"] / theirs["first_ms"]["median"], 3),
        "key_last": round(ours["last_ms"]["median"] / theirs["last_ms"]["median"], 3),
        "memory": round(found["memory_mib"]["now"] / bare["memory_mib"]["now"], 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the wizard in a terminal.")
    parser.add_argument("--drawings", type=int, default=10_000, help="how many in the large folder")
    parser.add_argument("--starts", type=int, default=7, help="how often the first screen is waited for")
    options = parser.parse_args()
    with TemporaryDirectory() as home:
        found = measure(Path(home), options.drawings, options.starts)
    report(found)
    passed = judged(found)
    print(json.dumps({"benchmark": "wizard", **found, "to_bare": ratios(found), "goals": GOALS, "passed": passed}))
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
