"""Contact sheets: pictures in rows and columns, with a label beside each row and above each column."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

SMALLEST_CELL = 128
"""Pictures of small bases are shown enlarged, pixel for pixel, or nothing would be seen of them."""
LARGEST_CELL = 384
_GAP = 4
_PAPER, _INK = "#f2f2f2", "#202020"


def contact_sheet(
    rows: Sequence[Sequence[Image.Image]], labels: Sequence[str], columns: Sequence[str] = ()
) -> Image.Image:
    """One picture of all `rows`; a row may be shorter than the others."""
    across = max(len(row) for row in rows)
    width, height = _cell(rows[0][0].size)
    letters = max(14, height // 10)
    font = ImageFont.load_default(letters)
    margin = _GAP + max((int(font.getlength(line)) for label in labels for line in label.split("\n")), default=0)
    top = _GAP + (letters + _GAP if columns else 0)
    sheet = Image.new(
        "RGB", (int(margin + _GAP + across * (width + _GAP)), int(top + len(rows) * (height + _GAP))), _PAPER
    )
    pen = ImageDraw.Draw(sheet)
    for column, label in enumerate(columns):
        pen.text((margin + _GAP + column * (width + _GAP) + width // 2, _GAP), label, _INK, font, anchor="ma")
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y = int(top + number * (height + _GAP))
        pen.multiline_text((_GAP, y + height // 2), label, _INK, font, anchor="lm")
        for column, picture in enumerate(row):
            sheet.paste(_fit(picture, (width, height)), (int(margin + _GAP + column * (width + _GAP)), y))
    return sheet


def png(picture: Image.Image) -> bytes:
    """`picture` as a PNG file's bytes."""
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _cell(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    factor = 1.0
    if max(size) < SMALLEST_CELL:
        factor = -(-SMALLEST_CELL // max(size))
    elif max(size) > LARGEST_CELL:
        factor = LARGEST_CELL / max(size)
    return round(width * factor), round(height * factor)


def _fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.size == size:
        return picture
    enlarged = picture.width < size[0]
    return picture.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)
