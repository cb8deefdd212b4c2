import pytest

from core.captions.clashes import contradictions, overlaps


@pytest.mark.parametrize(
    ("caption", "pairs"),
    [
        ("1girl, cat, 2girls", [("1girl", "2girls")]),
        ("solo, multiple girls", [("solo", "multiple girls")]),
        ("day, tree, Night", [("day", "Night")]),
        ("sitting, 1girl, standing", [("sitting", "standing")]),
        ("open_mouth, closed mouth", [("open_mouth", "closed mouth")]),
        ("blue eyes, red eyes", [("blue eyes", "red eyes")]),
        ("blonde hair, black hair, bow", [("blonde hair", "black hair")]),
        ("day, night, 1boy, 2boys", [("1boy", "2boys"), ("day", "night")]),
        ("monochrome, red hair", [("monochrome", "red hair")]),
        ("colorful, greyscale", [("colorful", "greyscale")]),
        ("no humans, 1boy", [("no humans", "1boy")]),
        ("solo, 1girl, 1boy", [("solo", "1boy")]),
        ("solo, 1girl, 1girl", []),
        ("2girls, multiple girls", []),
        ("2girls, sitting, standing, blue eyes, red eyes, open mouth, closed mouth", []),
        ("multiple views, full body, portrait", []),
        ("multicolored hair, red hair, blue hair", []),
        ("monochrome, spot color, red eyes", []),
        ("silver hair, grey hair", []),
        ("monochrome, white hair", []),
        ("indoors, window, outdoors", []),
        ("", []),
    ],
)
def test_what_cannot_both_be_true(caption, pairs):
    assert contradictions([tag.strip() for tag in caption.split(",")]) == pairs


@pytest.mark.parametrize(
    ("tags", "pairs"),
    [
        (["shirt", "white shirt"], [("shirt", "white shirt")]),
        (["very long hair", "Long_Hair", "hair"], [("Long_Hair", "very long hair"), ("hair", "very long hair")]),
        (["cat", "cat ears"], []),
        (["shirt", "t-shirt"], []),
        (["shirt", "shirt"], []),
    ],
)
def test_what_another_tag_says_already(tags, pairs):
    assert overlaps(tags) == pairs
