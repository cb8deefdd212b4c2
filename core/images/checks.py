"""What is wrong with a drawing, in numbers, and what mends it.

Limits that depend on size are multiples of the base's native side or of the resize, so that they hold for any base.
"""

from collections.abc import Sequence

from core.errors import Problem, Severity
from core.images.buckets import Placement
from core.images.drawing import Drawing
from core.language import _, ngettext

ENLARGED = 1.05
"""Enlarging by less cannot be seen."""
SOFT = 1.5
"""From here the blur shows, and SDXL learns blur from enlarged pictures (its paper, size conditioning)."""
TOO_SMALL = 2.0
"""A drawing of under a quarter of the pixels: most of what is trained on would be invented."""
SHORTEST = 1 / 4
"""Least short side, in native sides: 256 pixels for SDXL, the smallest that its makers kept."""
LONG = 2.0
"""Up to 2 : 1 the buckets follow closely."""
VERY_LONG = 3.0
EXTREME = 4.0
"""SDXL's own buckets end at 4 : 1."""
CROPPED = 0.08
"""The buckets for ordinary paper and screen shapes lose at most 4 %; twice as much cuts into drawings."""
CROPPED_MUCH = 0.20
QUALITY = 85
"""Below, JPEG rings visibly around lines and in flat colour, earlier than in photographs."""
POOR_QUALITY = 70
HUGE = 89_478_485
"""Pixels from which opening takes seconds and gigabytes; Pillow warns at the same size."""
FEW = 15
"""Below this number a style is seldom learned apart from the drawings themselves."""
ENDINGS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "MPO": (".mpo", ".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "DIB": (".dib", ".bmp"),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "QOI": (".qoi",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}


def check(drawing: Drawing, placement: Placement, native: int) -> list[Problem]:
    """Everything to be said of one drawing on its way into its bucket; the gravest first."""
    if drawing.blank:
        return [_blank(drawing)]
    shape = _shape(drawing)
    if shape and shape.severity is Severity.BLOCK:
        # Its size and its crop follow from its shape; they are looked at once the shape is mended.
        found = [shape, *_file(drawing)]
    else:
        found = [
            *filter(None, (_size(drawing, placement, native), shape, _crop(drawing, placement), _quality(drawing))),
            *_file(drawing),
        ]
    return sorted(found, key=lambda problem: -problem.severity.weight)


def check_folder(drawings: Sequence[Drawing]) -> list[Problem]:
    """What is to be said of all drawings together."""
    if not drawings:
        return [
            Problem(
                Severity.ERROR,
                "",
                "no-drawings",
                _("There is no drawing in this folder that can be used."),
                _("Choose the folder that holds your drawings, as PNG, JPEG or WebP files."),
            )
        ]
    if len(drawings) >= FEW:
        return []
    return [
        Problem(
            Severity.NOTE,
            "",
            "few-drawings",
            ngettext(
                "There is {count} drawing. A style is learned better from {few} or more.",
                "There are {count} drawings. A style is learned better from {few} or more.",
                len(drawings),
            ).format(count=len(drawings), few=FEW),
            _("Add drawings if you have them; 30 to 60 different ones are comfortable."),
        )
    ]


def _blank(drawing: Drawing) -> Problem:
    if drawing.transparent:
        remedy = _("Its lines may be white on nothing: choose a darker background, or leave it out.")
    else:
        remedy = _("Export the drawing again with its layers visible, or leave it out.")
    return Problem(
        Severity.BLOCK,
        drawing.name,
        "blank",
        _("Laid on white paper, this drawing is one flat colour: there is nothing to learn from it."),
        remedy,
    )


def _size(drawing: Drawing, placement: Placement, native: int) -> Problem | None:
    size = {"width": drawing.width, "height": drawing.height, "factor": placement.enlargement}
    if placement.enlargement > TOO_SMALL or min(drawing.width, drawing.height) < native * SHORTEST:
        if placement.enlargement > 1:
            message = _("This drawing is {width} × {height}: it would be enlarged {factor:.1f} times and look soft.")
        else:
            message = _("This drawing is {width} × {height}: its short side is under {least} pixels.")
        return Problem(
            Severity.BLOCK,
            drawing.name,
            "too-small",
            message.format(**size, least=round(native * SHORTEST)),
            _("Find the original or scan it larger, or leave it out."),
        )
    if placement.enlargement > SOFT:
        return Problem(
            Severity.WARNING,
            drawing.name,
            "soft",
            _("This drawing is {width} × {height}: it is enlarged {factor:.1f} times and looks soft.").format(**size),
            _("Find a larger original; enlarging it yourself adds no detail."),
        )
    if placement.enlargement > ENLARGED:
        return Problem(
            Severity.NOTE,
            drawing.name,
            "enlarged",
            _("This drawing is {width} × {height}: it is enlarged {factor:.2f} times.").format(**size),
            _("Use a larger original if there is one."),
        )
    return None


def _shape(drawing: Drawing) -> Problem | None:
    ratio = max(drawing.width, drawing.height) / min(drawing.width, drawing.height)
    if ratio <= LONG:
        return None
    size = {"width": drawing.width, "height": drawing.height, "ratio": ratio}
    if ratio >= EXTREME:
        return Problem(
            Severity.BLOCK,
            drawing.name,
            "extreme-shape",
            _("This drawing is {width} × {height}, {ratio:.1f} to 1: no bucket is that long.").format(**size),
            _("Cut it into several drawings, crop it, or leave it out."),
        )
    return Problem(
        Severity.WARNING if ratio > VERY_LONG else Severity.NOTE,
        drawing.name,
        "long-shape",
        _("This drawing is {width} × {height}, {ratio:.1f} to 1: its bucket is long and low in detail.").format(**size),
        _("If it shows several scenes, cut it into several drawings."),
    )


def _crop(drawing: Drawing, placement: Placement) -> Problem | None:
    if placement.cropped <= CROPPED:
        return None
    return Problem(
        Severity.BLOCK if placement.cropped > CROPPED_MUCH else Severity.WARNING,
        drawing.name,
        "cropped",
        _("{share:.0%} of this drawing is cut away to fit its bucket of {width} × {height}.").format(
            share=placement.cropped, width=placement.bucket.width, height=placement.bucket.height
        ),
        _("Pad it instead of cropping it, or crop it yourself where it does no harm."),
    )


def _quality(drawing: Drawing) -> Problem | None:
    quality = drawing.jpeg_quality
    if quality is None or quality >= QUALITY:
        return None
    if quality < POOR_QUALITY:
        message = _("This drawing is a JPEG of quality {quality}: blocks and halos around its lines would be learned.")
    else:
        message = _("This drawing is a JPEG of quality {quality}: faint halos around its lines may be learned.")
    return Problem(
        Severity.WARNING,
        drawing.name,
        "jpeg-quality",
        message.format(quality=quality),
        _("Find the original export; saving this one again as PNG does not help."),
    )


def _file(drawing: Drawing) -> list[Problem]:
    """Notes on what the file is; all of it has been taken care of."""
    said: list[tuple[str, str, str]] = []
    if drawing.width * drawing.height > HUGE:
        said.append(
            (
                "huge",
                _("This drawing has {millions:.0f} million pixels: opening it takes long and much memory.").format(
                    millions=drawing.width * drawing.height / 1e6
                ),
                _("A copy of a few thousand pixels a side trains just as well."),
            )
        )
    if drawing.transparent:
        said.append(
            (
                "transparent",
                _("This drawing is partly see-through: it is laid on the background colour."),
                _("Choose another background if white hides something of it."),
            )
        )
    if drawing.animated:
        said.append(
            (
                "animated",
                _("This file holds more than one picture: only the first is used."),
                _("Export the others as files of their own if you want them."),
            )
        )
    if drawing.turned:
        said.append(
            (
                "turned",
                _("This picture was turned by the camera's note in it (EXIF): it is used upright, {width} × {height}.")
                .format(width=drawing.width, height=drawing.height),
                _("Look whether it stands upright now."),
            )
        )  # fmt: skip
    if drawing.deep:
        said.append(
            (
                "deep-grey",
                _("This drawing has more than 256 shades of grey: they are rescaled to 8 bits."),
                _("Nothing has to be done."),
            )
        )
    if drawing.cmyk:
        said.append(
            (
                "cmyk",
                _("This drawing is made for print (CMYK): it is converted to screen colours."),
                _("Look whether its colours are right; if not, export it as RGB."),
            )
        )
    elif drawing.profile:
        said.append(
            (
                "colour-profile",
                _("The colours of this drawing are in “{profile}”: they are converted to sRGB.").format(
                    profile=drawing.profile
                ),
                _("Nothing has to be done."),
            )
        )
    endings = ENDINGS.get(drawing.format, ())
    if endings and not drawing.name.lower().endswith(endings):
        said.append(
            (
                "wrong-extension",
                _("This file is a {format} by another name: it is used, but other programs may refuse it.").format(
                    format=drawing.format
                ),
                _("Rename it to end in {ending}.").format(ending=endings[0]),
            )
        )
    return [Problem(Severity.NOTE, drawing.name, code, message, remedy) for code, message, remedy in said]
