"""From scores to captions, as the notebook does it and without its losses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.caption import tags_of
from core.taggers.compose import OFF, Rules, caption, changes, implied_in, lowest, tags
from core.taggers.tagger import Category, Scored, Tagged

CHARACTER, RATING = Category.CHARACTER, Category.RATING


def look(*tags: Scored, sentence: str = "") -> Tagged:
    return Tagged("a.png", "aa", tags=tags, sentence=sentence)


FIRST = look(
    Scored("general", 0.4, RATING),
    Scored("sensitive", 0.6, RATING),
    Scored("1girl", 0.99),
    Scored("long hair", 0.6),
    Scored("parody", 0.9),
    Scored("smile", 0.3),
    Scored("hatsune miku", 0.8, CHARACTER),
)
SECOND = look(Scored("cat", 0.7), Scored("smile", 0.55), Scored("1girl", 0.5), Scored("dog", 0.45))


def test_each_kind_of_project_has_the_threshold_of_the_guide():
    assert caption([FIRST], Rules.of("style")) == "1girl, long hair"
    assert caption([FIRST], Rules.of("character")) == "1girl, long hair, smile"


def test_a_score_at_the_threshold_is_enough():
    assert caption([FIRST], Rules(general=0.6)) == "1girl, long hair"
    assert caption([FIRST], Rules(general=0.61)) == "1girl"


def test_names_come_in_only_below_their_own_threshold():
    assert caption([FIRST], Rules(general=OFF, character=0.8)) == "hatsune miku"
    assert caption([FIRST], Rules(general=OFF, character=0.81)) == ""
    certain = look(Scored("hatsune miku", 1.0, CHARACTER))
    assert caption([certain], Rules()) == ""


def test_what_cannot_be_seen_in_a_drawing_is_left_out():
    assert "parody" in caption([FIRST], Rules(undesired=()))
    assert caption([FIRST], Rules(undesired=("Long Hair",))) == "1girl, parody"


def test_ratings_are_off_and_else_the_likeliest_comes_last():
    assert "sensitive" not in caption([FIRST], Rules())
    assert caption([FIRST], Rules(ratings=True)).endswith(", sensitive")


def test_a_second_tagger_adds_what_the_first_did_not_say():
    assert caption([FIRST, SECOND], Rules()) == "1girl, long hair, cat, smile"
    assert caption([SECOND, FIRST], Rules()) == "cat, smile, 1girl, long hair"


def test_a_tag_of_two_taggers_counts_with_the_better_score():
    assert [scored.score for scored in tags([FIRST, SECOND], Rules(general=0.25)) if scored.tag == "smile"] == [0.55]


def test_a_tag_that_another_says_more_exactly_is_left_out():
    found = look(
        *(Scored(tag, 0.9) for tag in ("long hair", "very long hair", "shirt", "white shirt", "no pants", "pants"))
    )
    assert caption([found], Rules()) == "very long hair, white shirt, no pants, pants"
    assert caption([found], Rules(collapse=False)).startswith("long hair, very long hair")


@given(st.lists(st.sampled_from(["hair", "long hair", "very long hair", "blue hair", "no hair", "a"]), max_size=6))
def test_what_is_implied_stands_at_the_end_of_another_tag(names):
    expected = {
        tag for tag in names if any(other.endswith(" " + tag) and not other.startswith("no ") for other in names)
    }
    assert implied_in(names) == expected


def test_the_least_sure_tags_give_way_to_the_others():
    assert caption([FIRST, SECOND], Rules(most=3)) == "1girl, long hair, cat"
    assert caption([SECOND, FIRST], Rules(most=3)) == "cat, 1girl, long hair"


def test_a_sentence_comes_after_the_tags():
    assert caption([FIRST, look(sentence="a girl with a cat")], Rules()) == "1girl, long hair, a girl with a cat"
    assert caption([look(sentence="a girl with a cat")], Rules()) == "a girl with a cat"


def changed(before: str, mode, word: str = "", *looks: Tagged, rules: Rules = Rules()) -> str:  # noqa: B008
    found = changes({"a.png": before}, [{"a.png": each} for each in looks or (FIRST,)], rules, mode, word)
    assert all(change[0] == before != change[1] for change in found.values())
    return found["a.png"][1] if found else before


@pytest.mark.parametrize("before", ["", "\n", " , "])
@pytest.mark.parametrize("mode", ["keep", "append", "replace"])
def test_an_empty_caption_is_filled(before, mode):
    assert changed(before, mode) == "1girl, long hair"


@pytest.mark.parametrize("mode", ["keep", "append", "replace"])
def test_a_caption_of_the_word_alone_is_filled_behind_it(mode):
    assert changed("houtline,", mode, "houtline") == "houtline, 1girl, long hair"


def test_what_a_person_wrote_is_kept_unless_asked():
    assert changed("my  own,, words\n", "keep") == "my  own,, words\n"
    assert changed("my  own,, words\n", "replace") == "1girl, long hair"


def test_a_caption_that_is_replaced_keeps_the_word_it_began_with():
    assert changed("Houtline, old", "replace", "houtline") == "houtline, 1girl, long hair"
    assert changed("old, houtline", "replace", "houtline") == "1girl, long hair"


def test_appending_leaves_what_is_there_as_it_was_written():
    assert changed("My  hat , 1GIRL,,\n", "append") == "My  hat , 1GIRL, long hair"
    assert changed("very long hair, 1girl", "append") == "very long hair, 1girl"
    assert changed("hair, 1girl", "append") == "hair, 1girl, long hair"
    assert changed("A girl stands on a hill.", "append") == "A girl stands on a hill. 1girl, long hair"


def test_appending_twice_adds_nothing_more():
    sentence = look(sentence="a girl with a cat")
    once = changed("a hat", "append", "", FIRST, sentence)
    assert once == "a hat, 1girl, long hair, a girl with a cat"
    assert changed(once, "append", "", FIRST, sentence) == once


def test_appending_stays_below_the_most_tags():
    assert changed("one, two", "append", rules=Rules(most=3)) == "one, two, 1girl"
    assert changed("one, two, three, four", "append", rules=Rules(most=3)) == "one, two, three, four"


def test_a_drawing_of_which_nothing_was_seen_keeps_its_caption():
    nothing = look(Scored("1girl", 0.1))
    for mode in ("keep", "append", "replace"):
        assert changed("old", mode, "", nothing) == "old"
    assert changes({"b.png": ""}, [{"a.png": FIRST}], Rules()) == {}


@given(
    st.text(alphabet="ab1girl, \n\r\t\ud800[]“", max_size=30),
    st.sampled_from(["keep", "append", "replace"]),
    st.sampled_from(["", "a", "houtline"]),
)
def test_any_caption_is_answered_and_keeping_never_changes_words(before, mode, word):
    after = changed(before, mode, word)
    if mode != "replace":
        assert tags_of(after)[: len(tags_of(before))] == tags_of(before) or tags_of(before) in ([], [word.upper()])


def test_the_lowest_score_is_that_of_the_least_sure_tag():
    assert lowest("1girl, long hair, smile", [FIRST]) == 0.3
    assert lowest("1girl, long hair, smile", [FIRST, SECOND]) == 0.55
    assert lowest("houtline, 1girl, a person's own tag", [FIRST]) == 0.99
    assert lowest("nothing that it knows", [FIRST]) is None
    assert lowest("", [FIRST]) is None
