import pytest

from core.captions.prune import group_words, proposals


def judged(tag: str, count: int = 12, kind="style", word="houtline"):
    """Group and whether to keep, of a tag that stands in so many of 20 drawings; None where nothing is proposed."""
    found = proposals({tag: count}, 20, kind, word)
    return (found[0].group, found[0].keep) if found else None


@pytest.mark.parametrize(
    ("tag", "style", "character"),
    [
        ("watercolor (medium)", ("medium", False), ("medium", True)),
        ("Sketch", ("medium", False), ("medium", True)),
        ("traditional_media", ("medium", False), ("medium", True)),
        ("in the style of somebody", ("medium", False), ("medium", True)),
        ("dibujo a lápiz", ("medium", False), ("medium", True)),
        ("style parody", ("medium", False), ("medium", True)),
        ("masterpiece", ("quality", False), ("quality", False)),
        ("score_9", ("quality", False), ("quality", False)),
        ("year 2023", ("quality", False), ("quality", False)),
        ("english commentary", ("meta", False), ("meta", False)),
        ("rating:safe", ("rating", False), ("rating", False)),
        ("1girl", ("people", True), ("people", True)),
        ("signature", ("writing", True), ("writing", True)),
        ("white background", ("background", True), None),
        ("blue eyes", None, ("trait", False)),
        ("long hair", None, ("trait", False)),
        ("cat ears", None, ("trait", False)),
        ("tree", None, None),
        ("blue sky", None, None),
        ("houtline", None, None),
    ],
)
def test_style_and_character_keep_what_the_other_prunes(tag, style, character):
    assert judged(tag) == style
    assert judged(tag, kind="character") == character


def test_a_trait_that_changes_is_kept():
    assert judged("long hair", 5, "character") == ("trait", True)


def test_what_a_character_always_wears_is_proposed():
    assert judged("red scarf", 18, "character") == ("always", False)
    assert judged("red scarf", 16, "character") is None
    assert judged("red scarf", 18, "style") is None


def test_missing_colours_are_kept_while_some_drawings_have_them():
    assert judged("greyscale", 10) == ("grey", True)
    assert judged("greyscale", 20) == ("grey", False)
    assert judged("greyscale", 20, "character") == ("grey", True)


def test_every_proposal_has_its_reason_and_every_group_its_heading():
    counts = dict.fromkeys(["sketch", "masterpiece", "highres", "tagme", "safe", "1girl", "text", "no background"], 3)
    for kind in ("style", "character"):
        for one in proposals(counts | {"monochrome": 20, "tail": 20, "bow": 20}, 20, kind, ""):
            assert one.reason.endswith(".")
            assert group_words(one.group)


def test_what_goes_comes_first_then_by_group_and_count():
    found = proposals({"1girl": 20, "sketch": 1, "lineart": 9, "masterpiece": 20}, 20, "style", "")
    assert [one.tag for one in found] == ["lineart", "sketch", "masterpiece", "1girl"]


def test_nothing_is_proposed_for_no_drawings():
    assert proposals({"sketch": 1}, 0, "style", "") == []
