import random
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from broken import ORIENTATION, encoded, see_through, sketch, swapped_profile
from PIL import Image, ImageCms, ImageDraw

from core.images.drawing import Unreadable, open_drawing
from core.images.formats import EXTENSIONS, UNREADABLE


def opened(tmp_path: Path, content: bytes, background: str = "#ffffff", name: str = "a.png") -> Image.Image:
    (tmp_path / name).write_bytes(content)
    return open_drawing(tmp_path / name, background)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


def test_white_paper_made_transparent_is_white_again_whatever_colour_hides_under_it(tmp_path):
    drawing = sketch(1, 90)
    for hidden in ((0, 0, 0), (255, 0, 255)):
        assert difference(opened(tmp_path, encoded(see_through(drawing, hidden), "PNG")), drawing) <= 4
    # What the plain conversion of most trainers makes of it: black paper.
    naive = see_through(drawing).convert("RGB")
    assert np.asarray(naive).mean() < np.asarray(drawing).mean() / 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L", "I;16"])
def test_every_kind_of_transparency_shows_the_chosen_background(tmp_path, mode):
    image = Image.new("RGB", (40, 20), "black")
    image.paste("#666666", (20, 0, 40, 20))
    key: dict[str, object] = {}
    if mode in ("RGBA", "LA"):
        image = image.convert("RGBA")
        image.paste((0, 0, 0, 0), (0, 0, 20, 20))
        image = image.convert(mode)
    elif mode == "P":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
        key["transparency"] = image.getpixel((0, 0))
    elif mode == "RGB":
        key["transparency"] = (0, 0, 0)
    else:
        image = image.convert("L")
        key["transparency"] = 0
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    result = opened(tmp_path, encoded(image, "PNG", **key), "#00ff00")
    assert result.getpixel((5, 5)) == (0, 255, 0)
    assert result.getpixel((30, 5)) == (0x66, 0x66, 0x66)


def test_a_half_transparent_stroke_is_mixed_with_the_paper(tmp_path):
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert opened(tmp_path, encoded(image, "PNG"), "#0000ff").getpixel((0, 0)) == (128, 0, 127)


@pytest.mark.parametrize(
    ("values", "white"),
    [(np.uint16, 65535), (np.int32, 65535), (np.int32, 255), (np.int32, 1 << 20), (np.float32, 1.0), (np.float32, 255)],
)
def test_deep_greys_keep_their_shades(tmp_path, values, white):
    ramp = np.tile(np.linspace(0, white, 256), (8, 1)).astype(values)
    result = np.asarray(opened(tmp_path, encoded(Image.fromarray(ramp), "TIFF"), name="a.tif"))
    assert np.abs(result[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_damaged_numbers_in_a_float_drawing_do_no_harm(tmp_path):
    values = np.full((8, 8), 0.5, dtype=np.float32)
    values[0, :3] = np.nan, np.inf, -1
    result = opened(tmp_path, encoded(Image.fromarray(values), "TIFF"), name="a.tif")
    assert result.size == (8, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_drawing_stands_as_its_exif_says(tmp_path, orientation, kind):
    upright = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(upright).rectangle((0, 0, 19, 9), fill="red")
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    result = opened(tmp_path, encoded(stored, kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {})))
    assert result.size == (60, 40)
    red, white = result.getpixel((5, 4)), result.getpixel((50, 30))
    assert red[0] > 200
    assert red[1] < 60
    assert min(white) > 240


def test_colours_are_converted_from_the_profile_of_the_file(tmp_path):
    image = Image.new("RGB", (8, 8), (200, 40, 40))
    red, green, blue = opened(tmp_path, encoded(image, "PNG", icc_profile=swapped_profile())).getpixel((0, 0))
    assert green > 150
    assert red < 80
    # With transparency, and in a palette, just the same.
    layer = image.convert("RGBA")
    layer.putpixel((7, 7), (0, 0, 0, 0))
    result = opened(tmp_path, encoded(layer, "PNG", icc_profile=swapped_profile()))
    assert result.getpixel((0, 0)) == (red, green, blue)
    assert result.getpixel((7, 7)) == (255, 255, 255)
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    assert opened(tmp_path, encoded(palette, "PNG", icc_profile=swapped_profile())).getpixel((0, 0)) == (
        red,
        green,
        blue,
    )


def test_srgb_itself_and_broken_profiles_change_nothing(tmp_path):
    image = sketch(2, 40)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile", swapped_profile()[:200]):
        assert difference(opened(tmp_path, encoded(image, "PNG", icc_profile=profile)), image) == 0
    # A profile for other channels than the image has.
    grey = image.convert("L")
    result = opened(tmp_path, encoded(grey, "PNG", icc_profile=swapped_profile()))
    assert difference(result, grey.convert("RGB")) == 0


def test_a_print_jpeg_gets_its_colours_back(tmp_path):
    image = Image.new("RGB", (16, 16), (220, 60, 30))
    result = opened(tmp_path, encoded(image.convert("CMYK"), "JPEG", quality=95), name="a.jpg")
    assert np.abs(np.subtract(result.getpixel((8, 8)), (220, 60, 30))).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "LAB", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG", "AVIF", "JPEG2000", "QOI", "PPM"])
def test_every_mode_of_every_format_becomes_eight_bit_rgb(tmp_path, mode, kind):
    drawing = sketch(3, 48, 32)
    image = Image.fromarray(np.asarray(drawing.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else None
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(drawing, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    image = image or drawing.convert(mode)
    if mode == "I;16" and kind in ("GIF", "WEBP", "AVIF"):
        pytest.skip("Pillow clips deep greys itself when it writes them here")
    try:
        content = encoded(image, kind)
    except (OSError, KeyError, ValueError):
        pytest.skip("the format has no such mode")
    result = opened(tmp_path, content)
    assert (result.mode, result.size) == ("RGB", (48, 32))
    # Not a white, black or inverted page: on the whole it is still that drawing.
    shown, drawn = (np.asarray(one.convert("L")).astype(float).ravel() for one in (result, drawing))
    assert np.corrcoef(shown, drawn)[0, 1] > 0.7
    if mode in ("RGB", "RGBA") and kind in ("PNG", "TIFF", "BMP", "QOI"):
        assert difference(result, drawing) == 0


def test_the_first_frame_of_an_animation_is_used(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "PNG", "TIFF"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert opened(tmp_path, content).getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_damage_anywhere_is_either_harmless_or_said_in_words(tmp_path, kind):
    whole = encoded(sketch(4, 64), kind)
    chance = random.Random(kind)
    for attempt in range(120):
        bad = bytearray(whole)
        if attempt % 3 == 0:
            bad = bad[: chance.randrange(1, len(bad))]
        for _flip in range(chance.randrange(1, 8)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        try:
            assert opened(tmp_path, bytes(bad)).mode == "RGB"
        except Unreadable as error:
            assert error.title
            assert error.hint
            assert " at 0x" not in error.title
            assert error.code in ("damaged", "not-an-image", "too-huge")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_a_cut_off_file_is_never_taken_for_a_whole_one(tmp_path, kind):
    whole = encoded(sketch(5, 96), kind)
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(Unreadable) as caught:
            opened(tmp_path, whole[: int(len(whole) * share)])
        assert caught.value.code == "damaged"


def test_a_programs_file_by_another_name_is_called_what_it_is(tmp_path):
    for content, kind in (
        (b"8BPS\0\1" + bytes(20), "Photoshop"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "HEIC"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg/>', "SVG"),
    ):
        with pytest.raises(Unreadable, match=kind):
            opened(tmp_path, content, name="a.png")


def test_what_an_artist_saves_is_either_opened_or_known():
    usual = ".png .jpg .jpeg .webp .bmp .gif .tif .tiff .avif .psd .clip .heic .kra .svg .jxl .tga .procreate .xcf"
    assert set(usual.split()) <= EXTENSIONS | UNREADABLE
    assert not EXTENSIONS & UNREADABLE
    Image.init()
    assert set(Image.registered_extensions()) >= EXTENSIONS


def test_a_colour_key_of_sixteen_bits_is_understood(tmp_path):
    """A 16-bit RGB PNG names its transparent colour in 16 bits, while Pillow gives its pixels in 8."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    black, red = struct.pack(">HHH", 0x1234, 0, 0), struct.pack(">HHH", 0xFFFF, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
        + chunk(b"tRNS", black)
        + chunk(b"IDAT", zlib.compress(b"\0" + black + red))
        + chunk(b"IEND", b"")
    )
    result = opened(tmp_path, content)
    assert [result.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (255, 0, 0)]
    assert Image.open(BytesIO(content)).mode == "RGB"
