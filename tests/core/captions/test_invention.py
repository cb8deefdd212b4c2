from pathlib import Path

import pytest

import core.bases.mini
from core.captions.activation import MOST_TOKENS, check_word
from core.captions.booru import Booru
from core.captions.invention import suggestions
from core.captions.slips import near
from core.captions.tokens import Tokenizer

TOKENIZER = Tokenizer.open(Path(core.bases.mini.__file__).parent / "model" / "tokenizer")
CAPTIONS = ["cat, red hair", "lenavo, a dog", "A cat sits on a mat."]
NAMES = [
    "Lena's ink drawings",
    "mi gato",
    "Acuarelas de Ana",
    "木",
    "",
    "x",
    "2024",
    "\udc80[red]",
    "a" * 10_000,
    "qzxwvkjq",
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_speaks_against_what_is_suggested(name):
    words = suggestions(name, TOKENIZER, CAPTIONS)
    assert len(words) == 5
    for word in words:
        assert check_word(word, TOKENIZER, CAPTIONS) == []
        assert word.isascii()
        assert 5 <= len(word) <= 10
        assert 2 <= TOKENIZER.count(word) <= MOST_TOKENS


@pytest.mark.parametrize("name", NAMES)
def test_suggestions_are_a_choice_and_stay_the_same(name):
    words = suggestions(name, TOKENIZER, CAPTIONS)
    assert suggestions(name, TOKENIZER, CAPTIONS) == words
    assert not any(near(one, other, 2) for one in words for other in words if one != other)


def test_suggestions_come_from_the_projects_name():
    assert all(word.startswith("len") for word in suggestions("Lena's ink drawings", TOKENIZER, ()))
    assert suggestions("houtline", TOKENIZER, ())[0] == "houtline"
    assert suggestions("Ñandú", TOKENIZER, ())[0].startswith("nan")


def test_what_captions_or_a_gallery_use_is_not_suggested():
    (first, *_rest) = suggestions("boceto", TOKENIZER, ())
    assert first not in suggestions("boceto", TOKENIZER, [f"cat, {first}s"])
    assert first not in suggestions("boceto", TOKENIZER, (), booru=Booru(counts={first: 3}))


def test_as_many_as_are_asked_for():
    assert len(suggestions("boceto", TOKENIZER, (), count=12)) == 12
