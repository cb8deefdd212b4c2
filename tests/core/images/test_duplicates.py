import time
from pathlib import Path
from threading import Event

import imagehash
import msgspec
import numpy as np
import pytest
from broken import sketch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from core.errors import Severity
from core.images.drawing import Drawing
from core.images.duplicates import duplicates
from core.images.scan import scan


def scanned(folder: Path) -> list[Drawing]:
    return [found for batch in scan(folder, Event()) for found in batch]


def found_in(folder: Path, **choices: object) -> dict[str, str]:
    return {problem.drawing: problem.code for problem in duplicates(scanned(folder), **choices)}


def pencil(seed: int) -> Image.Image:
    """A few thin grey lines in the middle of a white page, as most sketches are."""
    random = np.random.default_rng(seed)
    page = Image.new("L", (400, 400), 255)
    pen = ImageDraw.Draw(page)
    for _line in range(5):
        pen.line([tuple(point) for point in random.integers(80, 320, (4, 2)).tolist()], fill=90, width=2)
    return page


def test_the_same_file_twice_is_left_out_once(tmp_path):
    for name in ("b.png", "a.png", "c.png"):
        sketch(1, 200).save(tmp_path / name)
    problems = duplicates(scanned(tmp_path))
    assert [(problem.drawing, problem.code) for problem in problems] == [("b.png", "duplicate"), ("c.png", "duplicate")]
    assert all(problem.severity is Severity.BLOCK and "a.png" in problem.message for problem in problems)


@pytest.mark.parametrize("draw", [sketch, lambda seed, _side: pencil(seed).convert("RGB")])
def test_a_drawing_saved_again_smaller_or_darker_is_a_near_duplicate(tmp_path, draw):
    for seed in range(8):
        image = draw(seed, 400)
        image.save(tmp_path / f"{seed} a.png")
        image.save(tmp_path / f"{seed} b.jpg", quality=60)
        image.resize((271, 271), Image.Resampling.LANCZOS).save(tmp_path / f"{seed} c.webp", lossless=True)
        ImageEnhance.Brightness(image).enhance(0.9).save(tmp_path / f"{seed} d.png")
    assert found_in(tmp_path) == {
        name: "near-duplicate"
        for seed in range(8)
        for name in (f"{seed} b.jpg", f"{seed} c.webp", f"{seed} d.png")
    }  # fmt: skip


def test_a_slight_crop_is_seen(tmp_path):
    for seed in range(8):
        image = sketch(seed, 400)
        image.save(tmp_path / f"{seed} a.png")
        image.crop((6, 6, 394, 394)).save(tmp_path / f"{seed} b.png")
    codes = found_in(tmp_path)
    assert set(codes) == {f"{seed} b.png" for seed in range(8)}
    assert set(codes.values()) <= {"similar", "near-duplicate"}


def test_different_sketches_on_white_are_told_apart(tmp_path):
    for seed in range(120):
        pencil(seed).save(tmp_path / f"{seed:03}.png")
    drawings = scanned(tmp_path)
    marks = np.array([drawing.fingerprint for drawing in drawings], dtype=np.uint64)
    distances = np.bitwise_count(marks[:, None] ^ marks[None])
    assert (distances[np.triu_indices(120, 1)] <= 12).any()  # the fingerprint alone comes close to confusing some
    assert duplicates(drawings, mirrored=True) == []


def test_a_symmetric_drawing_keeps_its_fingerprint(tmp_path):
    for seed in range(12):
        half = pencil(seed).crop((0, 0, 200, 400))
        whole = Image.new("L", (400, 400))
        whole.paste(half, (0, 0))
        whole.paste(ImageOps.mirror(half), (200, 0))
        whole.save(tmp_path / f"{seed:02} a.png")
        whole.save(tmp_path / f"{seed:02} b.jpg", quality=60)
    drawings = scanned(tmp_path)
    for one, other in zip(drawings[::2], drawings[1::2], strict=True):
        assert (one.fingerprint ^ other.fingerprint).bit_count() <= 4


def test_the_fingerprint_is_the_phash_others_know(tmp_path):
    for seed in range(10):
        image = sketch(seed, 400)
        image.save(tmp_path / f"{seed}.png")
    for drawing in scanned(tmp_path):
        theirs = int(str(imagehash.phash(Image.open(tmp_path / drawing.name))), 16)
        assert (drawing.fingerprint ^ theirs).bit_count() <= 8


def test_mirror_images_are_found_when_the_training_mirrors(tmp_path):
    image = sketch(3, 300)
    image.save(tmp_path / "a.png")
    ImageOps.mirror(image).save(tmp_path / "b.png")
    assert found_in(tmp_path) == {}
    assert found_in(tmp_path, mirrored=True) == {"b.png": "mirrored"}


def test_two_drawings_with_one_caption_file_are_named(tmp_path):
    (tmp_path / "ink").mkdir()
    sketch(1, 100).save(tmp_path / "pose.jpg", quality=95)
    sketch(2, 100).save(tmp_path / "pose.png")
    sketch(3, 100).save(tmp_path / "ink" / "pose.png")
    sketch(4, 100).save(tmp_path / "pose.2.png")
    drawings = [found for batch in scan(tmp_path, Event(), nested=True) for found in batch]
    (problem,) = duplicates(drawings)
    assert (problem.drawing, problem.code) == ("pose.png", "same-stem")
    assert "pose.jpg" in problem.message
    assert "pose.txt" in problem.message


def test_names_in_messages_are_harmless(tmp_path):
    for name in ("a\x1b[31m\n.png", "b.png"):
        sketch(1, 100).save(tmp_path / name)
    (problem,) = duplicates(scanned(tmp_path))
    assert problem.message.isprintable()


@pytest.mark.parametrize("alike", [False, True])
def test_ten_thousand_drawings_take_seconds(alike):
    random = np.random.default_rng(0)
    plain = Drawing("", 1024, 1024, 1000, "", 0, 0, random.integers(0, 256, 256, dtype=np.uint8).tobytes())
    drawings = [
        msgspec.structs.replace(
            plain,
            name=f"{number:05}.png",
            digest=f"{number:064}",
            fingerprint=0 if alike else int(random.integers(0, 1 << 63)),
            thumbnail=plain.thumbnail if alike else random.integers(0, 256, 256, dtype=np.uint8).tobytes(),
        )
        for number in range(10_000)
    ]
    began = time.monotonic()
    problems = duplicates(drawings)
    assert time.monotonic() - began < 10
    assert len(problems) == (9_999 if alike else 0)
    assert duplicates([]) == []
