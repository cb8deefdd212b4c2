"""A folder with one of everything that goes wrong in real collections of drawings."""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw

ORIENTATION = 0x0112


def sketch(seed: int, width: int, height: int | None = None) -> Image.Image:
    """A drawing like no other: coloured strokes and shapes on white."""
    height = height or width
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for _stroke in range(9):
        x, y = random.integers(0, width, 4), random.integers(0, height, 4)
        colour = tuple(int(value) for value in random.integers(0, 200, 3))
        points = [(int(a), int(b)) for a, b in zip(x, y, strict=True)]
        pen.line(points, fill=colour, width=max(1, width // 24), joint="curve")
        pen.ellipse(
            (*points[0], points[0][0] + width // 8, points[0][1] + height // 8),
            outline=colour,
            width=max(1, width // 32),
        )
    return image


def encoded(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002 - Pillow's own word
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises pixels it does not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def see_through(image: Image.Image, hidden: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """White paper made transparent, with `hidden` as the colour under it: what drawing programs export."""
    alpha = image.convert("L").point(lambda value: 0 if value > 250 else 255)
    flat = Image.new("RGB", image.size, hidden)
    flat.paste(image, mask=alpha)
    flat.putalpha(alpha)
    return flat


def swapped_profile() -> bytes:
    """An sRGB-like profile with red and green exchanged, under a name of its own: no eye mistakes its effect."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", content[128:132])[0]
    for index in range(count):
        tag = 132 + 12 * index
        if content[tag : tag + 4] == b"rXYZ":
            content[tag : tag + 4] = b"gXYZ"
        elif content[tag : tag + 4] == b"gXYZ":
            content[tag : tag + 4] = b"rXYZ"
    return bytes(content).replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))


@dataclass
class _Box:
    """The folder in the making, and what is expected of each file in it."""

    folder: Path
    native: int
    expected: dict[str, str | None] = field(default_factory=dict)
    seeds: Iterator[int] = field(default_factory=count)

    @property
    def side(self) -> int:
        return self.native * 5 // 4

    def drawn(self, width: int = 0, height: int | None = None) -> Image.Image:
        return sketch(next(self.seeds), width or self.side, height)

    def put(self, name: str, content: bytes, code: str | None) -> None:
        (self.folder / name).write_bytes(content)
        self.expected[name] = code

    def png(self, name: str, image: Image.Image, code: str | None, **options: object) -> None:
        self.put(name, encoded(image, "PNG", **options), code)


def make_broken_folder(folder: Path, native: int = 64) -> dict[str, str | None]:
    """Fill `folder` with good, odd and broken drawings for a base of `native` pixels.

    Gives, for each file that a scan has to report, the one problem it is expected to have; None for good drawings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    box = _Box(folder, native)
    for fill in (_good, _unopened, _strange, _noted, _spoiling, _side_by_side, _no_drawings):
        fill(box)
    return box.expected


def _good(box: _Box) -> None:
    """Good ones, in every dress."""
    for number in range(1, 7):
        box.png(f"good {number}.png", box.drawn(), None)
    box.put("a good jpg.jpg", encoded(box.drawn(), "JPEG", quality=95), None)
    box.put("a good webp.webp", encoded(box.drawn(), "WEBP", lossless=True), None)
    box.put("a good bmp.bmp", encoded(box.drawn(), "BMP"), None)
    box.put("a good tif.tif", encoded(box.drawn(), "TIFF"), None)
    box.put("a good gif.gif", encoded(box.drawn(), "GIF"), None)
    box.png("UPPER.PNG", box.drawn(), None)
    box.png("Mixed.Png", box.drawn(), None)
    box.png("one bit.png", box.drawn().convert("1"), None)
    box.png("palette.png", box.drawn().convert("P", palette=Image.Palette.ADAPTIVE), None)
    box.png("opaque alpha.png", box.drawn().convert("RGBA"), None)
    box.png("grey.png", box.drawn().convert("L"), None)
    box.png("niño.png", box.drawn(), None)
    box.png("nin\u0303a.png", box.drawn(), None)
    box.png("two\nlines.png", box.drawn(), None)
    box.png("[red]markup[@click=quit].png", box.drawn(), None)
    box.png("\x1b[31mescape.png", box.drawn(), None)
    box.png("wide.png", box.drawn(box.native * 5 // 2, box.native * 3 // 2), None)


def _unopened(box: _Box) -> None:
    """Files that hold no drawing we can open."""
    whole_png, whole_jpeg = encoded(box.drawn(), "PNG"), encoded(box.drawn(), "JPEG", quality=95)
    box.put("zero bytes.png", b"", "empty-file")
    box.put("cut off.png", whole_png[: len(whole_png) // 2], "damaged")
    box.put("cut off.jpg", whole_jpeg[: len(whole_jpeg) // 2], "damaged")
    box.put("only a start.png", whole_png[:20], "damaged")
    bent = bytearray(whole_png)
    bent[len(bent) // 2] ^= 0xFF
    box.put("bent.png", bytes(bent), "damaged")
    box.put("cut off.webp", encoded(box.drawn(), "WEBP", lossless=True)[:-40], "damaged")
    box.put("cut off.gif", encoded(box.drawn(), "GIF")[: box.side * 2], "damaged")
    box.put("text.png", b"a note to myself\n", "not-an-image")
    box.put("web page.jpg", b"<!DOCTYPE html><html>404</html>", "not-an-image")
    box.put("bomb.png", png_header(50_000, 50_000), "too-huge")
    box.put("photoshop.psd", b"8BPS\0\1" + bytes(40), "unsupported-format")
    box.put("clip.CLIP", b"CSFCHUNK" + bytes(40), "unsupported-format")
    box.put("phone.heic", b"\0\0\0\x18ftypheic" + bytes(40), "unsupported-format")
    box.put("phone.jpg", b"\0\0\0\x18ftypheic" + bytes(40), "unsupported-format")
    box.put("vector.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported-format")
    box.put("program.png", b"%!PS-Adobe-3.0 EPSF-3.0\n(rm) run\n", "unsupported-format")


def _strange(box: _Box) -> None:
    """Names that lead to no file, or that are no text."""
    (box.folder / "folder.png").mkdir()
    box.expected["folder.png"] = "not-a-file"
    os.mkfifo(box.folder / "pipe.png")
    box.expected["pipe.png"] = "not-a-file"
    (box.folder / "gone.png").symlink_to(box.folder / "nowhere.png")
    box.expected["gone.png"] = "broken-link"
    (box.folder / "circle.png").symlink_to(box.folder / "circle.png")
    box.expected["circle.png"] = "broken-link"
    (box.folder / "loop").symlink_to(box.folder, target_is_directory=True)
    if os.geteuid() != 0:  # root may read everything
        box.png("locked.png", box.drawn(), "unreadable")
        (box.folder / "locked.png").chmod(0)
    bytes_name = os.fsencode(box.folder) + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(bytes_name)).write_bytes(encoded(box.drawn(), "PNG"))
        box.expected["caf\\xe9.png"] = "name-not-text"
    except OSError:  # some disks allow no such name
        pass


def _noted(box: _Box) -> None:
    """Drawings that are used, with a word about it."""
    box.put("print.jpg", encoded(box.drawn().convert("CMYK"), "JPEG", quality=95), "cmyk")
    box.png(
        "sixteen bits.png", Image.fromarray(np.asarray(box.drawn().convert("L")).astype(np.uint16) * 257), "deep-grey"
    )
    floats = np.asarray(box.drawn().convert("L")).astype(np.float32) / 255
    box.put("floats.tif", encoded(Image.fromarray(floats), "TIFF"), "deep-grey")
    layer = box.drawn()
    box.png("black under.png", see_through(layer), "transparent")
    box.png("grey alpha.png", see_through(box.drawn()).convert("LA"), "transparent")
    listed = box.drawn().convert("P", palette=Image.Palette.ADAPTIVE, colors=200)
    box.png("palette key.png", listed, "transparent", transparency=listed.getpixel((0, 0)))
    box.png("colour key.png", box.drawn(), "transparent", transparency=(255, 255, 255))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    box.put(
        "on its side.jpg",
        encoded(box.drawn(box.native * 3 // 2, box.native * 5 // 2), "JPEG", quality=95, exif=exif),
        "turned",
    )
    frames = [box.drawn() for _frame in range(3)]
    box.put("moving.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "animated")
    box.put(
        "moving too.webp",
        encoded(frames[1], "WEBP", save_all=True, append_images=frames[2:], lossless=True),
        "animated",
    )
    box.png("other colours.png", box.drawn(), "colour-profile", icc_profile=swapped_profile())
    box.put("really a jpeg.png", encoded(box.drawn(), "JPEG", quality=95), "wrong-extension")


def _spoiling(box: _Box) -> None:
    """Drawings that would spoil the result."""
    box.put("squeezed.jpg", encoded(box.drawn(), "JPEG", quality=60), "jpeg-quality")
    box.png("tiny.png", box.drawn(8), "too-small")
    box.png("soft.png", box.drawn(box.native * 4 // 7), "soft")
    box.png("smallish.png", box.drawn(box.native * 4 // 5), "enlarged")
    box.png("needle.png", box.drawn(1, 5000), "extreme-shape")
    box.png("strip.png", box.drawn(box.side * 5, box.side), "extreme-shape")
    box.png("long.png", box.drawn(box.side * 3, box.side), "long-shape")
    box.png("empty page.png", Image.new("RGB", (box.side, box.side), "white"), "blank")
    white = Image.new("RGBA", (box.side, box.side), (255, 255, 255, 0))
    ImageDraw.Draw(white).line((0, 0, box.side, box.side), fill=(255, 255, 255, 255), width=3)
    box.png("white on nothing.png", white, "blank")


def _side_by_side(box: _Box) -> None:
    """Drawings beside drawings."""
    first = box.drawn()
    box.png("twin a.png", first, None)
    box.png("twin b.png", first, "duplicate")
    box.put("twin c.jpg", encoded(first, "JPEG", quality=92), "near-duplicate")
    box.png("pair.png", box.drawn(), "same-stem")
    box.put("pair.jpg", encoded(box.drawn(), "JPEG", quality=95), None)


def _no_drawings(box: _Box) -> None:
    """What lies beside drawings, and is none."""
    (box.folder / "good 1.txt").write_text("a caption")
    (box.folder / ".hidden.png").write_bytes(b"not looked at")
    (box.folder / ".good 1.txt.x7.tmp").write_bytes(b"half a caption")
    (box.folder / "Thumbs.db").write_bytes(b"junk")
