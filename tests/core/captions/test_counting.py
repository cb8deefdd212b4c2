from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.bases.mini
from core.captions.counting import Counter, counter
from core.captions.tokens import Tokenizer

MODEL = Path(core.bases.mini.__file__).parent / "model"
TOKENIZERS = [Tokenizer.open(MODEL / name) for name in ("tokenizer", "tokenizer_2")]
LETTERS = ["cat", "red hair", "1girl", "7", "dr.", "é", "e\u0301", "\u0301", "木", "½", "İ"]
SIGNS = ["love live!", "!", "^_^", "'s", "<|endoftext|>", ",", ", ", " ,", "  ", "\t", "\n", "\u00a0", "\udc80", "(x)"]
scraps = st.sampled_from([*LETTERS, *SIGNS])


@settings(deadline=None)
@given(st.lists(scraps | st.text(max_size=3), max_size=20).map("".join), st.sampled_from(TOKENIZERS))
def test_it_counts_as_the_tokenizer_does(text, tokenizer):
    assert Counter(tokenizer).count(text) == tokenizer.count(text)


@pytest.mark.parametrize(
    ("text", "number", "part"),
    [
        ("cat, red hair, dog", 0, "cat"),
        ("cat, red hair, dog", 1, "red hair"),
        ("cat, red hair, dog", 99, ""),
        ("^_^, cat", 99, ""),
        ("^_^", 0, "^_^"),
        ("A cat sits on the mat, asleep.", 0, "A cat sits on the mat, asleep."),
    ],
)
def test_the_tag_at_a_token_is_named(text, number, part):
    assert counter(TOKENIZERS[0]).part_at(text, number) == part


@given(st.lists(st.sampled_from(["cat", "red hair", "house", "big tree"]), min_size=1, max_size=9))
def test_the_tag_at_a_token_is_where_the_tokenizer_has_it(tags):
    text = ", ".join(tags)
    for number in range(TOKENIZERS[0].count(text)):
        place = TOKENIZERS[0].place_of(text, number)
        if text[place] != ",":
            assert counter(TOKENIZERS[0]).part_at(text, number) == tags[text[:place].count(",")]
