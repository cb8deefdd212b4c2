import hashlib
import os
import time
from pathlib import Path
from threading import Event

import msgspec
import pytest
from broken import encoded, make_broken_folder, png_header, sketch
from PIL import Image

from core.errors import BocetoError, Problem, Severity
from core.images.buckets import Buckets, place
from core.images.checks import check, check_folder
from core.images.drawing import Drawing, open_drawing
from core.images.duplicates import duplicates
from core.images.scan import scan


def scanned(folder: Path, **choices: object) -> list[Drawing | Problem]:
    return [found for batch in scan(folder, Event(), **choices) for found in batch]


def names(found: list[Drawing | Problem]) -> list[str]:
    return [one.name if isinstance(one, Drawing) else one.drawing for one in found]


def contents(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    facts = {}
    for path in folder.iterdir():
        if path.is_file():
            facts[str(path)] = (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
    return facts


@pytest.mark.parametrize(("native", "multiple"), [(64, 16), (256, 32)])
def test_a_folder_with_one_of_everything_broken_gives_one_named_problem_each(tmp_path, native, multiple, capfd):
    expected = make_broken_folder(tmp_path, native)
    before = contents(tmp_path)
    found = scanned(tmp_path)
    drawings = [one for one in found if isinstance(one, Drawing)]
    problems = [one for one in found if isinstance(one, Problem)]
    assert all(problem.severity is Severity.ERROR for problem in problems)
    buckets = Buckets.of(native, multiple)
    for drawing in drawings:
        problems += check(drawing, place(drawing.width, drawing.height, buckets), native)
    problems += duplicates(drawings)
    codes: dict[str, list[str]] = {name: [] for name in names(found)}
    for problem in problems:
        codes[problem.drawing].append(problem.code)
    assert codes == {name: [code] if code else [] for name, code in expected.items()}
    kinds = {code for code in expected.values() if code}
    assert sum(code is not None for code in expected.values()) >= 40
    assert len(kinds) >= 22
    assert check_folder(drawings) == []
    assert all(problem.message and problem.remedy for problem in problems)
    # Every message can be stored and printed, whatever the file is called.
    assert msgspec.json.decode(msgspec.json.encode(found)) is not None
    assert "".join(problem.message for problem in problems).isprintable()
    assert contents(tmp_path) == before
    assert capfd.readouterr() == ("", "")


def test_what_scans_as_a_drawing_opens_as_the_size_it_said(tmp_path):
    make_broken_folder(tmp_path)
    drawings = [one for one in scanned(tmp_path) if isinstance(one, Drawing)]
    for drawing in drawings:
        image = open_drawing(tmp_path / drawing.name)
        assert (image.mode, image.size) == ("RGB", (drawing.width, drawing.height)), drawing.name
        assert drawing.digest == hashlib.sha256((tmp_path / drawing.name).read_bytes()).hexdigest()


def test_drawings_come_in_the_same_order_every_time(tmp_path):
    for number in range(40):
        # The first ones are the slowest to decode.
        side = 800 if number < 3 else 32
        sketch(number, side).save(tmp_path / f"{number:02}.png")
    first = scanned(tmp_path)
    assert names(first) == sorted(names(first)) == [f"{number:02}.png" for number in range(40)]
    assert scanned(tmp_path) == first


def test_batches_arrive_while_the_scan_goes_on(tmp_path):
    for number in range(30):
        sketch(number, 600).save(tmp_path / f"{number:02}.png")
    batches = list(scan(tmp_path, Event(), every=0.02))
    assert len(batches) > 1
    assert all(batches)
    assert sum(len(batch) for batch in batches) == 30


def test_a_cancelled_scan_ends_at_once_and_says_nothing_more(tmp_path):
    for number in range(60):
        sketch(number, 600).save(tmp_path / f"{number:02}.png")
    cancelled = Event()
    batches = scan(tmp_path, cancelled, every=0.01)
    next(batches)
    cancelled.set()
    began = time.monotonic()
    assert list(batches) == []
    assert time.monotonic() - began < 1


def test_folders_below_are_looked_into_only_when_asked_and_said_otherwise(tmp_path):
    (tmp_path / "inks" / "old.png").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    sketch(1, 80).save(tmp_path / "a.png")
    sketch(2, 80).save(tmp_path / "inks" / "b.png")
    sketch(3, 80).save(tmp_path / "inks" / "old.png" / "c.png")
    sketch(4, 80).save(tmp_path / ".thumbnails" / "d.png")
    (tmp_path / "inks" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "inks" / "again").symlink_to(tmp_path / "inks", target_is_directory=True)
    assert names(scanned(tmp_path, nested=True)) == ["a.png", "inks/b.png", "inks/old.png/c.png"]
    drawing, note = scanned(tmp_path)
    assert drawing.name == "a.png"
    assert (note.code, note.severity, note.drawing) == ("folder-left-out", Severity.NOTE, "")
    assert "inks" in note.message


def test_a_folder_that_cannot_be_read_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "missing", tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BocetoError) as caught:
            scanned(wrong)
        assert caught.value.detail
        assert caught.value.hint


def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path):
    with (tmp_path / "sparse.tif").open("wb") as file:
        file.truncate(20 << 30)
    (tmp_path / "bomb.png").write_bytes(png_header(30_000, 30_000))
    began = time.monotonic()
    assert [problem.code for problem in scanned(tmp_path)] == ["too-huge", "too-huge"]
    assert time.monotonic() - began < 2


def test_a_drawing_that_is_taken_away_during_the_scan_is_one_problem(tmp_path):
    for number in range(80):
        (tmp_path / f"{number:03}.png").write_bytes(encoded(sketch(number % 3, 200), "PNG"))
    batches = scan(tmp_path, Event(), every=0.0)
    found = next(batches)
    (tmp_path / "079.png").unlink()
    found += [one for batch in batches for one in batch]
    assert len(found) == 80
    assert found[-1].code == "unreadable"


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path, quality, mode):
    sketch(1, 100).convert(mode).save(tmp_path / "a.jpg", quality=quality)
    (drawing,) = scanned(tmp_path)
    assert drawing.jpeg_quality == pytest.approx(quality, abs=1)


def test_a_second_picture_made_by_a_phone_is_no_animation(tmp_path):
    image = sketch(1, 100)
    image.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[image], quality=95)
    (drawing,) = scanned(tmp_path)
    assert not drawing.animated
    assert drawing.jpeg_quality == pytest.approx(95, abs=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_below_is_said(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    (problem,) = scanned(tmp_path, nested=True)
    assert (problem.code, problem.drawing) == ("unreadable", "closed")


def test_a_thin_line_is_not_a_blank_page(tmp_path):
    page = Image.new("L", (2000, 2000), 255)
    page.save(tmp_path / "blank.png")
    page.putpixel((1000, 1000), 250)
    page.save(tmp_path / "dot.png")
    blank, dot = scanned(tmp_path)
    assert blank.blank
    assert not dot.blank
