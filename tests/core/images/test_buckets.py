from math import log

import numpy as np
import pytest
from broken import sketch
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from core.images.buckets import Bucket, Buckets, fitted, place, time_ids

BASES = [Buckets.of(1024), Buckets.of(64, 16), Buckets.of(768), Buckets.of(512, 64), Buckets.of(96, 16)]
bases = some.sampled_from(BASES)
sides = some.integers(1, 9000)
fits = some.sampled_from(["crop", "pad"])


def test_sdxl_gets_the_shapes_it_was_trained_on():
    buckets = Buckets.of(1024)
    assert (buckets.step, buckets.least, buckets.most) == (64, 512, 2048)
    widths_and_heights = {(size.width, size.height) for size in buckets.sizes}
    # From the table of its paper, the shapes near the square.
    assert widths_and_heights >= {(1024, 1024), (1152, 896), (1216, 832), (1344, 768), (1536, 640), (704, 1408)}
    assert widths_and_heights >= {(512, 2048), (2048, 512)}


def test_the_small_base_has_small_buckets():
    buckets = Buckets.of(64, 16)
    assert (buckets.step, buckets.least, buckets.most) == (16, 32, 128)
    assert Bucket(64, 64) in buckets.sizes
    with pytest.raises(ValueError, match="multiples"):
        Buckets.of(16, 32)


@given(some.integers(16, 2048), some.sampled_from([8, 16, 32, 64]))
def test_every_size_is_a_multiple_of_the_step_and_no_larger_than_the_native_square(native, multiple):
    if native < 2 * multiple:
        return
    buckets = Buckets.of(native, multiple)
    assert buckets.step % multiple == 0
    for size in buckets.sizes:
        assert size.width % buckets.step == size.height % buckets.step == 0
        assert size.width * size.height <= native**2
        assert max(size.width, size.height) <= buckets.most
        assert Bucket(size.height, size.width) in buckets.sizes
        # None is needlessly small: another step on either side is too many pixels.
        assert (size.width + buckets.step) * (size.height + buckets.step) > native**2


@given(bases, sides, sides)
def test_no_other_bucket_is_nearer_in_shape(buckets, width, height):
    def strain(size: Bucket) -> float:
        return abs(log((size.width / size.height) / (width / height)))

    chosen = buckets.nearest(width, height)
    assert strain(chosen) <= min(map(strain, buckets.sizes)) + 1e-9
    mirrored = buckets.nearest(height, width)
    assert strain(Bucket(mirrored.height, mirrored.width)) == pytest.approx(strain(chosen))


def test_a_ratio_is_judged_by_factor_and_not_by_difference():
    # 1 : 1.85 lies between 0.5 and 0.5714 by width ÷ height; the trainers' difference of ratios favours the tall ones.
    tall, wide = BASES[0].nearest(1000, 1850), BASES[0].nearest(1850, 1000)
    assert (tall.width, tall.height) == (wide.height, wide.width)


@given(bases, sides, sides)
def test_a_crop_covers_its_bucket_and_touches_it_on_one_side(buckets, width, height):
    placement = place(width, height, buckets)
    bucket = placement.bucket
    assert placement.resized_width >= bucket.width
    assert placement.resized_height >= bucket.height
    assert placement.resized_width == bucket.width or placement.resized_height == bucket.height
    assert 0 <= placement.left <= placement.resized_width - bucket.width
    assert 0 <= placement.top <= placement.resized_height - bucket.height
    assert 0 <= placement.cropped < 1
    # Its proportions stay, to half a pixel of the resized drawing.
    assert abs(placement.resized_width - width * placement.enlargement) <= 0.5 + 1e-6
    assert abs(placement.resized_height - height * placement.enlargement) <= 0.5 + 1e-6


@given(bases, sides, sides)
def test_a_padded_drawing_lies_whole_inside_its_bucket(buckets, width, height):
    placement = place(width, height, buckets, "pad")
    bucket = placement.bucket
    assert 0 <= placement.pad_left <= bucket.width - placement.resized_width
    assert 0 <= placement.pad_top <= bucket.height - placement.resized_height
    assert placement.resized_width == bucket.width or placement.resized_height == bucket.height
    assert (placement.left, placement.top, placement.cropped) == (0, 0, 0)
    assert time_ids(placement) == (height, width, 0, 0, bucket.height, bucket.width)


def test_the_conditioning_names_the_axis_that_was_cut():
    # facts from sd-scripts: for 1080 × 1350 in 896 × 1152 it gives top 16, left 0, while the crop is at the left.
    placement = place(1080, 1350, BASES[0])
    assert placement.bucket == Bucket(896, 1152)
    assert (placement.resized_width, placement.resized_height) == (922, 1152)
    assert time_ids(placement) == (1350, 1080, 0, 13, 1152, 896)


@settings(max_examples=40, deadline=None)
@given(some.integers(40, 700), some.integers(40, 700))
def test_the_conditioning_is_where_the_pixels_really_came_from(width, height):
    """Every pixel of the drawing carries its own place; read back from the result it must be what the ids say."""
    across = np.tile(np.arange(width, dtype=np.float64) / width, (height, 1))
    down = np.tile(np.arange(height, dtype=np.float64)[:, None] / height, (1, width))
    marked = Image.fromarray(np.stack([across * 255, down * 255, 0 * down], axis=2).round().astype(np.uint8))
    placement = place(width, height, Buckets.of(256))
    _h, _w, top, left, target_height, target_width = time_ids(placement)
    result = np.asarray(fitted(marked, placement)).astype(float)
    assert result.shape == (target_height, target_width, 3)
    middle = result[target_height // 2, target_width // 2]
    assert middle[0] / 255 == pytest.approx((left + target_width // 2) / placement.resized_width, abs=0.02)
    assert middle[1] / 255 == pytest.approx((top + target_height // 2) / placement.resized_height, abs=0.02)
    corner = result[2, 2]
    assert corner[0] / 255 == pytest.approx((left + 2) / placement.resized_width, abs=0.02)
    assert corner[1] / 255 == pytest.approx((top + 2) / placement.resized_height, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(some.sampled_from([Buckets.of(64, 16), Buckets.of(256)]), some.integers(1, 600), some.integers(1, 600), fits)
def test_a_fitted_drawing_has_exactly_the_size_of_its_bucket(buckets, width, height, fit):
    placement = place(width, height, buckets, fit)
    result = fitted(Image.new("RGB", (width, height), "#336699"), placement, "#ffffff")
    assert result.size == (placement.bucket.width, placement.bucket.height)
    colours = {colour for _count, colour in result.getcolors()}
    assert colours <= {(0x33, 0x66, 0x99), (255, 255, 255)}
    assert fit == "pad" or len(colours) == 1


def test_padding_is_the_chosen_background_on_both_sides_alike():
    placement = place(500, 230, Buckets.of(256), "pad")
    result = np.asarray(fitted(Image.new("RGB", (500, 230), "black"), placement, "#ff0000"))
    red = (result == (255, 0, 0)).all(axis=2)
    assert red.any()
    assert abs(int(red[:, 0].sum()) - int(red[:, -1].sum())) <= 1
    assert red.sum() == red.size - placement.resized_width * placement.resized_height


def test_a_needle_is_fitted_without_filling_the_memory():
    placement = place(1, 5000, BASES[0])
    assert placement.resized_height > 1_000_000
    assert fitted(Image.new("RGB", (1, 5000)), placement).size == (512, 2048)


@pytest.mark.parametrize("side", [1024, 1000, 777, 150])
def test_shrinking_keeps_the_ink(side):
    """Against exact area averaging, computed here as overlap matrices."""
    drawing = sketch(7, side)
    placement = place(side, side, Buckets.of(64, 16))
    result = np.asarray(fitted(drawing, placement)).astype(float)
    edges = np.arange(65) * side / 64
    cells = np.arange(side)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    share = overlap.clip(0) / (side / 64)
    exact = np.einsum("ij,jkc,lk->ilc", share, np.asarray(drawing).astype(float), share, optimize=True)
    assert np.abs(result - exact).mean() < 1.5
    assert abs(result.mean() - exact.mean()) < 0.3
