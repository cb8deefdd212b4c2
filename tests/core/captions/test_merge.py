import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.caption import joined, tags_of
from core.captions.merge import merged


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "both"),
    [
        ("cat, red, sitting", "cat, red, sitting, moon", "dog, red, sitting", "dog, red, sitting, moon"),
        ("cat, red, sitting", "cat, sitting", "cat, red, sitting, moon", "cat, sitting, moon"),
        ("cat, red", "cat, red", "cat, blue", "cat, blue"),
        ("cat, red", "cat, blue", "cat, blue", "cat, blue"),
        ("cat, red", "cat, blue", "cat, green", None),
        ("cat", "cat, moon", "cat, sun", None),
        ("a cat is sitting on a red chair.", "a dog is sitting on a red chair.", "a cat is sitting on a blue chair.",
         "a dog is sitting on a blue chair."),
        ("cat\nred", "cat", "cat\nred\nblue", None),
    ],
)  # fmt: skip
def test_changes_at_different_places_come_together_and_others_are_left_to_a_person(base, mine, theirs, both):
    assert merged(base, mine, theirs) == both


tags = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5).map(joined)


@given(tags, tags, tags)
def test_nothing_that_was_added_is_lost_and_nothing_that_was_removed_comes_back(base, mine, theirs):
    found = merged(base, mine, theirs)
    if found is not None:
        old, one, two, both = (set(tags_of(text)) for text in (base, mine, theirs, found))
        assert (one | two) - old <= both
        assert both <= (old & one & two) | ((one | two) - old)


@given(tags, tags, tags)
def test_it_does_not_matter_who_was_first(base, mine, theirs):
    assert merged(base, mine, theirs) == merged(base, theirs, mine)
