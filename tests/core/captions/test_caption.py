import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.caption import is_sentence, joined, lines_of, one_line, shuffled, tags_of, with_word, without_word

tags = st.lists(
    st.text(st.characters(exclude_characters=",\r\n"), min_size=1).map(str.strip).filter(bool),
    max_size=12,
)
words = st.from_regex(r"[a-z]{3,8}", fullmatch=True)
# Captions made to meet the word: as a tag, in capitals, inside other words, between stray commas, on lines of its own.
scraps = st.sampled_from(
    ["houtline", "HOUTLINE ", "houtlines", " cat", "red hair", ",", ", ", "\n", "", " ", "a cat sits."]
)
captions = st.lists(scraps, max_size=12).map("".join) | st.text()

SENTENCES = [
    "A cat sitting in a chair in a bedroom.",
    "a cat sitting in a chair in a bedroom",
    "a dog on a beach",
    "houtline, a cat sitting in a chair in a bedroom",
    "A girl in a red dress, standing by the tree, looks at the moon.",
    "A cat, sleeping on the sofa, looks happy.",
    "The drawing shows two trees beside a small lake at night",
    "猫が椅子に座っている。",
    "Un gato sentado en una silla, junto a la ventana del dormitorio",
]
TAGS = [
    "",
    "cat",
    "houtline, rose",
    "1cat, fur, animal, blue eyes, sitting",
    "1girl, solo, smile.",
    "looking at viewer, hand on own hip, eyebrows visible through hair, white background",
    "link, the legend of zelda: breath of the wild, sword, white background, blue eyes, pointy ears, cape",
    "looking_at_viewer, dr. stone, love live!, :d, ^_^",
]


@given(tags)
def test_tags_come_back_as_they_were_joined(tags):
    assert tags_of(joined(tags)) == tags


@pytest.mark.parametrize("text", SENTENCES)
def test_prose_is_told_from_tags(text):
    assert is_sentence(text)


@pytest.mark.parametrize("text", TAGS)
def test_tags_are_told_from_prose(text):
    assert not is_sentence(text)


@given(captions, words | st.just("houtline"))
def test_the_word_is_first_and_nowhere_else(text, word):
    tags = [tag.casefold() for tag in tags_of(with_word(text, word))]
    assert tags[0] == word
    assert tags.count(word) == 1


@given(captions, words | st.just("houtline") | st.just("two, words"))
def test_adding_the_word_twice_is_adding_it_once(text, word):
    once = with_word(text, word)
    assert with_word(once, word) == once


@given(captions, words | st.just("houtline"))
def test_no_other_tag_is_touched_by_the_word(text, word):
    others = [tag for tag in tags_of(text) if tag.casefold() != word]
    assert tags_of(with_word(text, word))[1:] == others
    assert tags_of(without_word(text, word)) == others


@given(captions)
def test_a_caption_without_the_word_stays_as_it_is(text):
    assert without_word(text, "zzz") == text
    assert with_word(text, "  ") == text


def test_the_word_is_put_before_tags_and_sentences():
    assert with_word("cat, Houtline, red hair", "houtline") == "houtline, cat, red hair"
    assert with_word("A cat, asleep.", "houtline") == "houtline, A cat, asleep."
    assert with_word("", "houtline") == "houtline"
    assert with_word("houtlines, cat", "houtline") == "houtline, houtlines, cat"
    assert with_word("one\nhoutline\ntwo", "houtline") == "houtline, one\ntwo"


@given(tags, st.integers(0, 5), st.integers())
def test_shuffling_keeps_every_tag_and_the_first_ones_in_place(tags, keep, seed):
    text = joined(tags)
    after = tags_of(shuffled(text, keep, random.Random(seed)))
    assert Counter(after) == Counter(tags)
    assert after[:keep] == tags[:keep]


def test_shuffling_reaches_every_order_and_repeats_itself_with_its_seed():
    orders = {shuffled("houtline, a1, b2, c3", 1, random.Random(seed)) for seed in range(100)}
    assert len(orders) == 6
    assert shuffled("a1, b2, c3", 0, random.Random(7)) == shuffled("a1, b2, c3", 0, random.Random(7))


@pytest.mark.parametrize("text", SENTENCES)
def test_sentences_are_not_shuffled(text):
    assert {shuffled(text, 0, random.Random(seed)) for seed in range(20)} == {text}


def test_all_lines_are_trained():
    assert one_line("houtline, cat,\n\nred hair, \n") == "houtline, cat, red hair"
    assert one_line("houtline\nA cat sits on a mat.\nIt looks at a bird.") == (
        "houtline, A cat sits on a mat. It looks at a bird."
    )
    assert one_line("A cat sitting on\r\na chair") == "A cat sitting on a chair"
    assert one_line(" \n,\n") == ""


@given(captions)
def test_the_trained_line_is_one_line_with_every_tag(text):
    line = one_line(text)
    assert not set(line) & set("\r\n")
    assert one_line(line) == line
    if not any(map(is_sentence, lines_of(text))):
        assert tags_of(line) == tags_of(text)
