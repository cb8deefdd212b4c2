from pathlib import Path

import pytest

import core.bases.mini
from core.captions.activation import check_word
from core.captions.tokens import Tokenizer

TOKENIZER = Tokenizer.open(Path(core.bases.mini.__file__).parent / "model" / "tokenizer")
CAPTIONS = ["cat, red hair, drinking water", "dog, cats", "A cat sits on a mat."]


def codes(word: str, captions=()) -> set[str]:
    return {problem.code for problem in check_word(word, TOKENIZER, captions)}


def test_an_invented_word_is_welcome():
    assert codes("houtline", CAPTIONS) == set()
    assert codes("Houtline", CAPTIONS) == set()


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
        ("Person", {"word-known"}),
        ("qzxwvkjq", {"word-long"}),
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
