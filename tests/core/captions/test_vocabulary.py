import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.booru import Booru
from core.captions.vocabulary import Completion, Vocabulary

CAPTIONS = [
    "houtline, Red Hair, cat",
    "houtline, red hair, red bow, cat, cat",
    "houtline, dark red sky",
    "",
    "A cat sits on a mat.",
]
OURS = Vocabulary.of(CAPTIONS)
BOORU = Booru(
    counts={"red hair": 900, "red eyes": 800, "reddit": 700, "dark red": 60, "cat ears": 500, "animal ears": 999}
    | {"hatsune miku": 5},
    aliases={"redhead": "red hair", "miku": "hatsune miku", "kemonomimi": "animal ears"},
    implications={"cat ears": ("animal ears",)},
)  # fmt: skip
captions = st.lists(st.sampled_from(["cat", "Cat", "dog", "red hair", " ", "a cat sits on a mat."]), max_size=4).map(
    ", ".join
)


def offered(typed, present=(), booru=None, limit=8):
    return [(one.tag, one.source) for one in OURS.completions(typed, present, booru, limit)]


def test_a_tag_counts_once_a_caption_whatever_its_capitals():
    assert OURS.counts == {"houtline": 3, "red hair": 2, "cat": 2, "red bow": 1, "dark red sky": 1}
    assert OURS.spelled("red hair") == "Red Hair"
    assert OURS.captions == 4


@given(st.lists(captions), st.lists(captions))
def test_changes_one_by_one_are_as_counting_anew(before, after):
    size = min(len(before), len(after))
    changed = Vocabulary.of(before).with_changes(zip(before[:size], after[:size], strict=True))
    fresh = Vocabulary.of([*after[:size], *before[size:]])
    assert changed.counts == fresh.counts
    assert changed.captions == fresh.captions
    assert changed.spellings.keys() == fresh.spellings.keys()


def test_own_tags_come_first_and_those_that_begin_so_before_those_inside():
    assert offered("red") == [("Red Hair", "own"), ("red bow", "own"), ("dark red sky", "own")]
    assert offered("RED", booru=BOORU) == [
        ("Red Hair", "own"),
        ("red bow", "own"),
        ("dark red sky", "own"),
        ("red eyes", "booru"),
        ("reddit", "booru"),
        ("dark red", "booru"),
    ]


def test_what_is_there_is_not_offered_again():
    assert offered("red", ["RED hair", "red bow"]) == [("dark red sky", "own")]
    assert ("red eyes", "booru") not in offered("red", ["red eyes"], BOORU)


def test_counts_tell_captions_for_own_tags_and_pictures_for_others():
    assert OURS.completions("red e", (), BOORU) == [Completion("red eyes", 800, "booru")]
    assert OURS.completions("red h", (), BOORU) == [Completion("Red Hair", 2, "own")]


def test_another_name_offers_the_tag():
    assert OURS.completions("mik", (), BOORU) == [Completion("hatsune miku", 5, "booru", "miku")]
    assert OURS.completions("redhe", (), BOORU) == [Completion("Red Hair", 2, "own", "redhead")]


def test_what_a_tag_implies_is_offered():
    assert OURS.completions("", ["cat ears"], BOORU)[0] == Completion("animal ears", 999, "implied", "cat ears")
    assert offered("ani", ["cat ears"], BOORU) == [("animal ears", "implied")]
    assert ("animal ears", "implied") not in offered("", ["cat ears", "animal ears"], BOORU)


def test_underscores_are_typed_as_galleries_write_them():
    assert offered("red_h") == [("Red Hair", "own")]
    assert offered("dark_red", booru=BOORU) == [("dark red sky", "own"), ("dark red", "booru")]


def test_before_anything_is_typed_the_most_common_are_offered():
    assert offered("") == [
        ("houtline", "own"),
        ("cat", "own"),
        ("Red Hair", "own"),
        ("dark red sky", "own"),
        ("red bow", "own"),
    ]
    assert len(offered("", limit=2)) == 2


@pytest.mark.parametrize("typed", ["\udc80", "[red]", "(", "\\", "x\n", "x" * 10_000, "*", ","])
def test_anything_can_be_typed(typed):
    assert offered(typed, booru=BOORU) == []
