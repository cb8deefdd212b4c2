"""How fast a folder is scanned, beside plain Pillow decoding of the same files in the same run.

    python benchmarks/scan.py [--drawings 1000]

The drawings are made for the occasion: painted and inked pages of 1 to 2 megapixels, PNG and JPEG, some of them
see-through or grey. Every way is measured in turn, twice, and its better time counts. The last line is JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from core.images.drawing import Drawing
from core.images.duplicates import duplicates
from core.images.scan import THREADS, scan

SIZES = [(1024, 1024), (1200, 1600), (1600, 1000), (832, 1216), (1400, 1400)]
ROUNDS = 2


def page(seed: int) -> Image.Image:
    """A page as scanners and drawing programs give it: flat colour, soft shading, thin lines, some grain."""
    random = np.random.default_rng(seed)
    width, height = SIZES[seed % len(SIZES)]
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for _shape in range(12):
        x, y, side = (int(value) for value in random.integers(0, min(width, height) * 3 // 4, 3))
        pen.ellipse((x, y, x + side, y + side), fill=tuple(int(value) for value in random.integers(40, 255, 3)))
    image = image.filter(ImageFilter.GaussianBlur(int(random.integers(0, 12))))
    pen = ImageDraw.Draw(image)
    for _line in range(60):
        points = random.integers(0, min(width, height), (3, 2)).tolist()
        pen.line([tuple(point) for point in points], fill="black", width=int(random.integers(1, 7)))
    if seed % 3 == 0:
        grain = random.normal(0, 3, (height, width, 1))
        image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
    return image


def make_drawings(folder: Path, count: int) -> int:
    """Write `count` different drawings, told apart by a mark on one of a few base pages; their size in bytes."""
    with ThreadPoolExecutor(THREADS) as pool:
        pages = list(pool.map(page, range(15)))
        return sum(pool.map(lambda number: make_drawing(folder, pages, number), range(count)))


def make_drawing(folder: Path, pages: list[Image.Image], number: int) -> int:
    image = pages[number % len(pages)].copy()
    x, y = number * 37 % (image.width - 90), number * 91 % (image.height - 90)
    ImageDraw.Draw(image).ellipse((x, y, x + 80, y + 80), fill=(number % 256, number // 4 % 256, 90))
    path = folder / f"{number:05}.png"
    kind = number // len(pages) % 5
    if kind < 2:
        path = path.with_suffix(".jpg")
        image.save(path, quality=92)
    elif kind == 2:
        image.putalpha(image.convert("L").point(lambda value: 0 if value > 250 else 255))
        image.save(path, compress_level=1)
    else:
        image.convert("L" if kind == 3 else "RGB").save(path, compress_level=6)
    return path.stat().st_size


def decode_plainly(path: Path) -> None:
    Image.open(path).convert("RGB")


def decode_in_threads(paths: list[Path]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _done in pool.map(decode_plainly, paths):
            pass


def scan_all(folder: Path) -> list[Drawing]:
    found = [one for batch in scan(folder, Event()) for one in batch]
    drawings = [one for one in found if isinstance(one, Drawing)]
    assert len(drawings) == len(found)
    return drawings


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of all processors together, which other work on the machine disturbs less."""
    began, began_work = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_work


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the scan of a folder of drawings.")
    parser.add_argument("--drawings", type=int, default=1000)
    count = parser.parse_args().drawings
    with TemporaryDirectory() as name:
        folder = Path(name)
        size = make_drawings(folder, count)
        paths = sorted(folder.iterdir())
        ways: dict[str, Callable[[], object]] = {
            "Pillow, one thread": lambda: list(map(decode_plainly, paths)),
            f"Pillow, {THREADS} threads": lambda: decode_in_threads(paths),
            f"scan, {THREADS} threads": lambda: scan_all(folder),
        }
        scan_all(folder)  # everything in the disk's cache and every decoder loaded, for all alike
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _round in range(ROUNDS):
            for way, work in ways.items():
                taken[way].append(seconds(work))
        best = {way: min(clock for clock, _work in times) for way, times in taken.items()}
        effort = {way: min(work for _clock, work in times) for way, times in taken.items()}
        drawings = scan_all(folder)
        compared, _effort = seconds(lambda: duplicates(drawings))
    one, many, ours = best.values()
    effort_one, _effort_many, effort_ours = effort.values()
    print(f"{count} drawings, {size / 1e6:.0f} MB, {THREADS} threads\n")
    print(f"{'':24}{'seconds':>9}{'per second':>12}{'scan is':>10}{'CPU ms each':>13}")
    for way, took in best.items():
        print(f"{way:24}{took:>9.2f}{count / took:>12.1f}{took / ours:>9.2f}×{effort[way] / count * 1e3:>13.1f}")
    print(f"{'finding duplicates':24}{compared:>9.2f}{count / compared:>12.0f}\n")
    print(
        json.dumps(
            {
                "benchmark": "scan",
                "drawings": count,
                "megabytes": round(size / 1e6, 1),
                "threads": THREADS,
                "scan_per_second": round(count / ours, 2),
                "pillow_one_thread_per_second": round(count / one, 2),
                "pillow_threads_per_second": round(count / many, 2),
                "scan_to_pillow_one_thread": round(one / ours, 3),
                "scan_to_pillow_threads": round(many / ours, 3),
                "scan_cpu_to_pillow_cpu": round(effort_ours / effort_one, 3),
                "duplicates_seconds": round(compared, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
