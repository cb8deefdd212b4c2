"""Measuring a style, and contact sheets."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.pictures.sheet import contact_sheet
from core.pictures.style import Style, style_of


def outline() -> Image.Image:
    """A black ring on white: a tenth of it ink."""
    picture = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 99, 9), fill="black")
    return picture


def coloured() -> Image.Image:
    picture = outline()
    ImageDraw.Draw(picture).rectangle((0, 50, 99, 99), fill="#ff0000")
    return picture


def test_an_outline_has_no_colour_and_much_paper() -> None:
    assert style_of([outline()]) == Style(chroma=0.0, coloured=0.0, white=pytest.approx(0.9))


def test_colour_is_measured_by_area_and_by_strength() -> None:
    style = style_of([coloured()])
    assert style.coloured == pytest.approx(0.5)
    assert style.chroma == pytest.approx(0.5)
    assert style.white == pytest.approx(0.4)


def test_the_way_is_nought_at_the_base_and_one_at_the_drawings() -> None:
    base, drawings = style_of([coloured()]), style_of([outline()])
    assert base.way(base, drawings).mean == pytest.approx(0)
    assert drawings.way(base, drawings).mean == pytest.approx(1)
    half = Style(chroma=0.25, coloured=0.25, white=0.65)
    assert half.way(base, drawings).mean == pytest.approx(0.5)


def test_a_sheet_holds_every_picture_where_it_belongs() -> None:
    colours = [["#ff0000", "#00ff00"], ["#0000ff"]]
    rows = [[Image.new("RGB", (64, 64), colour) for colour in row] for row in colours]
    sheet = contact_sheet(rows, ["one [bold]", "two"], columns=["a", "b"])
    pixels = np.asarray(sheet).reshape(-1, 3)
    # 64 pixels are shown twice as large, and nothing of them is lost in the labels.
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        assert (pixels == colour).all(axis=1).sum() == 128 * 128
