from pathlib import Path

import pytest

import core.bases.mini
from core.captions.activation import begun_with, check_word
from core.captions.booru import Booru
from core.captions.tokens import Tokenizer

TOKENIZER = Tokenizer.open(Path(core.bases.mini.__file__).parent / "model" / "tokenizer")
CAPTIONS = ["cat, red hair, drinking water", "dog, cats", "A cat sits on a mat."]


def codes(word: str, captions=()) -> set[str]:
    return {problem.code for problem in check_word(word, TOKENIZER, captions)}


def test_an_invented_word_is_welcome():
    assert codes("houtline", CAPTIONS) == set()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", {"word-empty"}),
        ("  ", {"word-empty"}),
        ("hout, line", {"word-comma"}),
        ("hout line", {"word-space"}),
        ("hout7", {"word-digits"}),
        ("hout_line", {"word-underscore"}),
        ("person", {"word-known"}),
        ("Person", {"word-known", "word-capitals"}),
        ("Houtline", {"word-capitals"}),
        ("qzxwvkjq", {"word-long"}),
        ("hout", {"word-length"}),
        ("houtlinehoutline", {"word-length"}),
        ("muñecona", {"word-letters"}),
        ("nimbusink", {"word-visual"}),
        ("lenaart", {"word-visual"}),
    ],
)
def test_each_reason_against_a_word_has_a_name(word, expected):
    assert expected <= codes(word)
    assert codes(word) <= expected | {"word-long"}


def test_a_word_that_captions_use_is_noticed():
    assert "word-tag" in codes("cat", CAPTIONS)
    assert codes("drink", CAPTIONS) >= {"word-inside"}
    assert "word-inside" in codes("MAT", CAPTIONS)
    assert "word-tag" not in codes("drink", CAPTIONS)


def test_how_many_captions_use_it_is_said():
    (problem,) = (one for one in check_word("cat", TOKENIZER, CAPTIONS) if one.code == "word-inside")
    assert "2 captions" in problem.message


def test_a_word_that_is_already_in_place_is_no_clash():
    assert codes("houtline", ["houtline, cat", "houtline, dog", "tree"]) == set()
    assert codes("houtline", ["houtline, cat", "dog, houtline", "tree"]) == {"word-tag"}


def test_a_word_that_is_nearly_one_of_the_captions_is_noticed():
    assert codes("houtline", ["outline, cat"]) == {"word-near-tag"}
    assert codes("houtline", ["the houtlime of a cat"]) == {"word-near-tag"}
    assert codes("houtline", ["houtline, outline"]) == set()


def test_two_known_words_in_one_are_noticed():
    assert codes("chairflag") == {"word-compound"}
    assert "word-compound" not in codes("houtline")


def test_a_list_of_tags_tells_what_the_bases_know():
    booru = Booru(
        counts={"houtlino": 5, "houtline girl": 9, "mochi": 5000, "kasaru": 2}, aliases={"houtlinda": "mochi"}
    )

    def said(word: str) -> set[str]:
        return {problem.code for problem in check_word(word, TOKENIZER, (), booru)}

    assert said("houtlino") >= {"word-booru"}
    assert said("houtlinda") >= {"word-booru"}
    assert said("mochin") >= {"word-near-booru"}
    assert "word-near-booru" not in said("kasarun")
    assert said("houtline") == set()


@pytest.mark.parametrize(
    "word", ["[red]", "\x1b[2J", "\udc80\udc80", "木" * 3000, "x" * 10_000, "\x00", "!!", "a,b\nc"]
)
def test_anything_can_be_asked_about(word):
    assert codes(word, CAPTIONS)


def test_captions_that_already_begin_with_a_word_tell_which_it_may_be():
    def remedy(captions: list[str]) -> str:
        (problem,) = check_word("", TOKENIZER, captions)
        return problem.remedy

    assert "begin with “houtline”" in remedy(["houtline, cat", "houtline, dog", "houtline"] * 3 + ["tree"])
    for captions in (
        ["houtline, cat", "dog", "tree"],
        ["1girl, hat", "1girl, cat", "1girl"],  # what anime datasets begin with
        ["person, hat"] * 5,
        ["A cat sits on a mat."] * 5,
        [],
    ):
        assert "Invent one" in remedy(captions)


def test_how_many_begin_with_it_is_counted_whatever_the_letters():
    assert begun_with("houtline", ["houtline, cat", "Houtline", "cat, houtline", "houtlines, a", ""]) == 2
