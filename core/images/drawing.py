"""A drawing: its facts, and how it is opened as the trainer will see it."""

import stat
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from msgspec import Struct
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from core.errors import BocetoError
from core.images.formats import FORMATS
from core.language import _

MOST_BYTES = 1 << 30
"""A larger file is refused before it is read: no drawing of a size that Pillow opens needs a gigabyte."""

_SIGNATURES = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
_FOREIGN_SIGNATURES = {
    b"8BPS": "Photoshop",
    b"CSFCHUNK": "Clip Studio Paint",
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"<svg": "SVG",
    b"gimp xcf": "GIMP",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
_ORIENTATION = 0x0112
_SRGB = ImageCms.createProfile("sRGB")
Pixels = bytes

# What Pillow warns about (odd metadata, a size near its limit) is checked here; on stderr it would cross a screen.
warnings.filterwarnings("ignore", module=r"PIL\.")


class Drawing(Struct, frozen=True):
    """The facts of one image file of the dataset."""

    name: str
    """Path below the dataset's folder, with forward slashes."""
    width: int
    """Pixels, as the trainer sees it: after the turn that its EXIF data ask for."""
    height: int
    bytes: int
    digest: str
    """SHA-256 of the file, in hex."""
    fingerprint: int
    """64 bits that stay nearly the same when a picture is scaled or saved again."""
    mirrored: int
    """The fingerprint of its mirror image."""
    thumbnail: Pixels
    """16 × 16 grey pixels, flattened on white."""
    format: str = "PNG"
    """Pillow's name for the file's real format, whatever its ending says."""
    transparent: bool = False
    """Something of it is see-through."""
    jpeg_quality: int | None = None
    """1 to 100, estimated from the quantisation table."""
    animated: bool = False
    """It has more frames or pages than the first, which is the one that is used."""
    turned: bool = False
    """Its EXIF data ask for a turn or a mirroring."""
    deep: bool = False
    """16-bit, 32-bit or floating-point greys, rescaled to 8 bits."""
    cmyk: bool = False
    profile: str = ""
    """Name of its colour profile when it is not sRGB."""
    blank: bool = False
    """On white it is one flat colour."""


class Unreadable(BocetoError):  # noqa: N818 - reads as what it is: an unreadable drawing
    """A drawing that cannot be opened; `code` is the code of the problem it becomes."""

    def __init__(self, code: str, title: str, detail: str, hint: str) -> None:
        super().__init__(title, detail, hint)
        self.code = code


def open_drawing(path: Path, background: str = "#ffffff") -> Image.Image:
    """The drawing as the trainer will see it: upright, 8-bit sRGB, flattened on `background`, first frame."""
    return flattened(plain(decode(read(path))), background)


def opacity(path: Path) -> Image.Image | None:
    """How opaque each pixel of the upright drawing is, as greys from 0 to 255; None where all of it is."""
    image = plain(decode(read(path)))
    return image.getchannel("A") if see_through(image) else None


def read(path: Path) -> bytes:
    """The bytes of an image file, or why there are none, without ever waiting on a pipe or filling the memory."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable(
                "not-a-file",
                _("This has the name of a drawing, but is a folder or a device."),
                "",
                _("Give it another name, or move the drawings in it to the dataset's folder."),
            )
        if facts.st_size > MOST_BYTES:
            raise _too_huge(_("The file holds {size:.1f} GB.").format(size=facts.st_size / 1e9))
        content = path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            raise Unreadable(
                "broken-link",
                _("This is a link to a file that is not there."),
                str(error),
                _("Put the drawing itself in its place, or delete the link."),
            ) from error
        raise Unreadable(
            "unreadable",
            _("This file could not be read: {reason}.").format(reason=error.strerror or error),
            str(error),
            _("See whether you are allowed to read it and whether its disk is connected."),
        ) from error
    if not content:
        raise Unreadable(
            "empty-file",
            _("This file is empty: it has 0 bytes."),
            "",
            _("Export the drawing again, or delete the file."),
        )
    return content


def decode(content: bytes) -> Image.Image:
    """All pixels of the first frame, upright, in the file's own mode."""
    try:
        image = Image.open(BytesIO(content), formats=_available_formats())
        # Phones store a second, smaller picture in an MPO; that is no animation. Asked first: it seeks.
        image.info["animated"] = image.format != "MPO" and getattr(image, "is_animated", False)
        image.info["turned"] = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_huge(str(error)) from error
    # Decoders raise what they like on damaged data: OSError, SyntaxError, struct.error, IndexError, ...
    except Exception as error:
        raise _undecodable(content, error) from error
    return image


def plain(image: Image.Image) -> Image.Image:
    """The same picture in one of the modes L, LA, RGB, RGBA and CMYK: 8 bits, no palette, alpha as a channel."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _eight_bits(image)
    if image.mode in ("CMYK", "L", "RGB") and not image.has_transparency_data:
        return image
    if image.mode in ("LA", "RGBA"):
        return image
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # A PNG of 16 bits a channel: Pillow cuts its pixels to 8 bits, but not the colour that is see-through.
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if image.mode == "LAB":
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return image.convert("RGBA" if image.has_transparency_data else "L" if image.mode == "1" else "RGB")


def see_through(image: Image.Image) -> bool:
    """Whether a plain image has a pixel that is not wholly opaque."""
    return image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() != (255, 255)


def opaque(image: Image.Image) -> Image.Image:
    """A plain image without the alpha channel that says nothing."""
    return image.convert(image.mode[:-1]) if image.mode in ("LA", "RGBA") else image


def flattened(image: Image.Image, background: str = "#ffffff") -> Image.Image:
    """A plain image in sRGB, laid on `background`."""
    profile = foreign_profile(image)
    if image.mode not in ("LA", "RGBA"):
        return _converted(image, profile) if profile else image.convert("RGB")
    if profile:
        alpha = image.getchannel("A")
        image = _converted(image.convert(image.mode[:-1]), profile)
        image.putalpha(alpha)
    # Pasted with itself as the mask, no channel is taken apart and no other copy made: a third of the time.
    paper = Image.new("RGB", image.size, background)
    paper.paste(image, mask=image)
    return paper


def foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The image's colour profile, when it has one that can be read and that is not sRGB."""
    content = image.info.get("icc_profile")
    if not content:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(content))
    except (OSError, ImageCms.PyCMSError):
        return None
    return None if "srgb" in profile_name(profile).lower() else profile


def profile_name(profile: ImageCms.ImageCmsProfile) -> str:
    """The profile's description, such as “Display P3”."""
    return (profile.profile.profile_description or "").strip() or _("a profile without a name")


@cache
def _available_formats() -> tuple[str, ...]:
    """Our formats without those that this build of Pillow lacks, which would fail every other one."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    # Relative colorimetric with black point compensation is what drawing programs do: paper white stays white.
    try:
        converted = ImageCms.profileToProfile(
            image,
            profile,
            _SRGB,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, ValueError):
        # A profile for other channels than the image has, say one for print in a grey drawing, tells nothing.
        return image.convert("RGB")
    assert converted is not None  # only an in-place conversion gives None
    return converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greys of any depth in 0 to 255, or 0 to 1; Pillow's own conversion clips them to a white page."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    if image.mode.startswith("I;"):
        white = 65535.0
    else:
        # Nothing in the file says what white is: the smallest usual value that holds the brightest pixel.
        top = values.max(initial=0.0)
        usual = [limit for limit in (1.0, 255.0, 65535.0) if top <= limit and (image.mode == "F" or limit > 1)]
        white = usual[0] if usual else top
    grey = Image.fromarray((values.clip(0, white) * (255 / white) + 0.5).astype(np.uint8))
    if isinstance(key := image.info.get("transparency"), int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    if "icc_profile" in image.info:
        grey.info["icc_profile"] = image.info["icc_profile"]
    return grey


def _too_huge(detail: str) -> Unreadable:
    return Unreadable(
        "too-huge",
        _("This drawing is too large to be opened safely: at most 178 million pixels are."),
        detail,
        _("Make it smaller in your drawing program; the training needs no more than a few thousand pixels a side."),
    )


def _undecodable(content: bytes, error: Exception) -> Unreadable:
    """Why `content` is no drawing, told from how it begins."""
    head = content[:512].lstrip()
    foreign = next((name for start, name in _FOREIGN_SIGNATURES.items() if head.startswith(start)), "")
    brand = content[8:12] if content[4:8] == b"ftyp" else b""
    if brand in _HEIF_BRANDS:
        foreign = "HEIC"
    if head.startswith(b"<?xml") and b"<svg" in content[:4096]:
        foreign = "SVG"
    if foreign:
        return unsupported(foreign)
    known = next((name for start, name in _SIGNATURES.items() if content.startswith(start)), "")
    if brand in (b"avif", b"avis"):
        known = "AVIF"
    if known:
        # Pillow's own sentence for a beginning it cannot read names an object in memory.
        nameless = isinstance(error, UnidentifiedImageError)
        reason = _("its beginning makes no sense") if nameless else str(error)
        return Unreadable(
            "damaged",
            _("This {format} file is damaged or cut off: {reason}.").format(format=known, reason=reason),
            str(error),
            _("Export the drawing again or copy it again from where it came."),
        )
    return Unreadable(
        "not-an-image",
        _("This file has the name of a drawing, but what it holds is not an image."),
        str(error),
        _("Find the drawing it was meant to be, or delete the file."),
    )


def unsupported(kind: str) -> Unreadable:
    """A drawing in a format that belongs to a program or a camera."""
    return Unreadable(
        "unsupported-format",
        _("This is a drawing in the {kind} format, which cannot be read here.").format(kind=kind),
        "",
        _("Open it in the program that made it and export it as PNG."),
    )
