import msgspec
import pytest

from core.errors import Severity
from core.images.buckets import Buckets, place
from core.images.checks import check, check_folder
from core.images.drawing import Drawing

BASES = {1024: Buckets.of(1024), 64: Buckets.of(64, 16)}
PLAIN = Drawing("a.png", 1024, 1024, 1000, "0" * 64, 0, 0, bytes(256))


def said(width: int, height: int, native: int = 1024, fit: str = "crop", **facts: object) -> dict[str, Severity]:
    drawing = msgspec.structs.replace(PLAIN, width=width, height=height, **facts)
    problems = check(drawing, place(width, height, BASES[native], fit), native)
    assert [problem.drawing for problem in problems] == ["a.png"] * len(problems)
    return {problem.code: problem.severity for problem in problems}


@pytest.mark.parametrize("native", [1024, 64])
@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (4.0, {}),
        (1.0, {}),
        (0.97, {}),
        (0.8, {"enlarged": Severity.NOTE}),
        (0.6, {"soft": Severity.WARNING}),
        (0.4, {"too-small": Severity.BLOCK}),
        (0.2, {"too-small": Severity.BLOCK}),
    ],
)
def test_size_is_judged_by_the_enlargement_for_any_base(native, share, expected):
    side = round(native * share)
    assert said(side, side, native) == expected


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1600, 800, {}),
        (2400, 1000, {"long-shape": Severity.NOTE}),
        (1000, 2400, {"long-shape": Severity.NOTE}),
        (3500, 1000, {"long-shape": Severity.WARNING}),
        (4000, 1000, {"extreme-shape": Severity.BLOCK}),
        (1, 5000, {"extreme-shape": Severity.BLOCK}),
    ],
)
def test_shapes_are_judged_by_their_ratio(width, height, expected):
    assert said(width, height) == expected


def test_a_crop_is_said_with_its_share_and_padding_mends_it():
    drawing = msgspec.structs.replace(PLAIN, width=400, height=300)
    (problem,) = check(drawing, place(400, 300, BASES[64]), 64)
    assert (problem.code, problem.severity) == ("cropped", Severity.WARNING)
    assert "20%" in problem.message
    assert said(400, 300, 64, "pad") == {}


@pytest.mark.parametrize(("quality", "strong"), [(84, False), (69, True)])
def test_the_quality_of_a_jpeg_is_named(quality, strong):
    drawing = msgspec.structs.replace(PLAIN, name="a.jpg", format="JPEG", jpeg_quality=quality)
    (problem,) = check(drawing, place(1024, 1024, BASES[1024]), 1024)
    assert problem.code == "jpeg-quality"
    assert str(quality) in problem.message
    assert ("blocks" in problem.message) is strong
    assert check(msgspec.structs.replace(drawing, jpeg_quality=85), place(1024, 1024, BASES[1024]), 1024) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"transparent": True}, "transparent"),
        ({"animated": True}, "animated"),
        ({"turned": True}, "turned"),
        ({"deep": True}, "deep-grey"),
        ({"cmyk": True, "profile": "Coated FOGRA39"}, "cmyk"),
        ({"profile": "Display P3"}, "colour-profile"),
        ({"format": "JPEG"}, "wrong-extension"),
        ({"width": 10_000, "height": 10_000}, "huge"),
    ],
)
def test_what_has_been_taken_care_of_is_a_note(facts, code):
    assert said(**({"width": 1024, "height": 1024} | facts)) == {code: Severity.NOTE}


def test_several_problems_come_gravest_first():
    assert list(said(300, 300, transparent=True, jpeg_quality=60)) == ["too-small", "jpeg-quality", "transparent"]


def test_the_message_of_a_small_drawing_names_the_numbers():
    drawing = msgspec.structs.replace(PLAIN, width=300, height=280)
    (problem,) = check(drawing, place(300, 280, BASES[1024]), 1024)
    assert problem.message == "This drawing is 300 × 280: it would be enlarged 3.6 times and look soft."


def test_an_empty_folder_is_an_error_and_a_thin_one_a_note():
    assert [problem.severity for problem in check_folder([])] == [Severity.ERROR]
    (note,) = check_folder([PLAIN] * 14)
    assert (note.code, note.severity, note.drawing) == ("few-drawings", Severity.NOTE, "")
    assert "14" in note.message
    assert check_folder([PLAIN] * 15) == []
