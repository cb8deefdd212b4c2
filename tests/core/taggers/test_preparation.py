"""What a WD tagger is shown: every pixel against a reference that shares no code with ours."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.taggers.preparation import prepared
from core.taggers.tagger import Subject, open_subject

SIDE = 448


def noise(*shape: int, most: int = 256, kind: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(len(shape) + shape[0]).integers(0, most, shape).astype(kind)


def on_white(pixels: np.ndarray) -> np.ndarray:
    """RGBA pixels on white paper, in exact arithmetic."""
    alpha = pixels[:, :, 3:].astype(np.int64)
    return np.rint((pixels[:, :, :3] * alpha + 255 * (255 - alpha)) / 255).astype(np.uint8)


def averaged(rows: np.ndarray, side: int) -> np.ndarray:
    """Sums over the covers of `side` new rows, in 1/side of a row: each row repeated, then cut into equal parts."""
    common = math.gcd(len(rows), side)
    repeated = np.repeat(rows.astype(np.int64), side // common, axis=0)
    return repeated.reshape(side, len(rows) // common, *rows.shape[1:]).sum(axis=1)


def reference(rgb: np.ndarray, side: int = SIDE) -> np.ndarray:
    """sd-scripts' `preprocess_image` in whole numbers: padding, area or Lanczos, BGR, floats."""
    height, width = rgb.shape[:2]
    whole = max(height, width)
    above, left = (whole - height) // 2, (whole - width) // 2
    margins = ((above, whole - height - above), (left, whole - width - left), (0, 0))
    square = np.pad(rgb, margins, constant_values=255)
    if whole > side:
        common = math.gcd(whole, side)
        sums = averaged(averaged(square, side).transpose(1, 0, 2), side).transpose(1, 0, 2)
        small = np.rint(sums / (whole // common) ** 2)
    else:
        small = np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))
    return small[:, :, ::-1].astype(np.float32)


def shown(path: Path, side: int = SIDE) -> np.ndarray:
    image, _digest = open_subject(Subject(path.name, path))
    return prepared(image, side)


@pytest.mark.parametrize("size", [(300, 200), (700, 611), (448, 100), (462, 462), (896, 13)])
def test_transparent_drawings_lie_on_white(tmp_path, size):
    pixels = noise(size[1], size[0], 4)
    Image.fromarray(pixels).save(tmp_path / "drawing.png")
    assert np.array_equal(shown(tmp_path / "drawing.png"), reference(on_white(pixels)))


def test_16_bit_greys_keep_their_shades(tmp_path):
    pixels = noise(600, 501, most=65536, kind=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    eight = np.rint(pixels / 257).astype(np.uint8)
    assert np.array_equal(shown(tmp_path / "grey.png"), reference(np.dstack([eight] * 3)))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 5)])
def test_tiny_drawings_are_enlarged(tmp_path, size):
    pixels = noise(size[1], size[0], 3)
    Image.fromarray(pixels).save(tmp_path / "tiny.png")
    assert np.array_equal(shown(tmp_path / "tiny.png"), reference(pixels))


@pytest.mark.parametrize("size", [(1120, 224), (192, 960), (445, 89)])
def test_long_drawings_are_centred_on_a_square(tmp_path, size):
    pixels = noise(size[1], size[0], 3)
    Image.fromarray(pixels).save(tmp_path / "long.png")
    result = shown(tmp_path / "long.png")
    assert np.array_equal(result, reference(pixels))
    corner = result[:80, :80]
    assert (corner == 255).mean() > 0.5  # the paper beside the strip is there


@pytest.mark.parametrize("side", [32, 64, 256])
def test_other_inputs_than_448_are_made_the_same_way(side):
    pixels = noise(333, 222, 3)
    assert np.array_equal(prepared(Image.fromarray(pixels), side), reference(pixels, side))


def test_the_model_gets_bgr_floats_from_0_to_255():
    result = prepared(Image.new("RGB", (500, 500), (10, 128, 250)), SIDE)
    assert result.dtype == np.float32 and result.shape == (SIDE, SIDE, 3)
    assert result[7, 300].tolist() == [250.0, 128.0, 10.0]


def test_the_paper_that_the_artist_chose_is_what_lies_under_a_drawing(tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    image, _digest = open_subject(Subject("clear.png", tmp_path / "clear.png", background="#ff8000"))
    assert prepared(image, 8)[4, 4].tolist() == [0.0, 128.0, 255.0]


def test_a_photo_is_seen_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    pixels = np.zeros((50, 90, 3), np.uint8)
    pixels[:, :45] = 255
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    upright = np.rot90(pixels, -1)
    assert np.array_equal(shown(tmp_path / "turned.png"), reference(np.ascontiguousarray(upright)))
