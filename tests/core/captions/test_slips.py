from hypothesis import given
from hypothesis import strategies as st

from core.captions.slips import is_typo, near, slips, typos

words = st.text("abco", max_size=6)


def distance(one: str, other: str) -> int:
    """The textbook's table, whole."""
    table = [[max(i, j) if not i * j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            )
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@given(words, words, st.integers(0, 3))
def test_nearness_is_the_distance_of_the_textbook(one, other, most):
    assert near(one, other, most) == (distance(one, other) <= most)


@given(words.filter(bool), words)
def test_one_slip_is_everything_at_distance_one(word, other):
    assert (other in slips(word)) == (distance(word, other) == 1)


def test_only_long_words_may_have_two_slips():
    assert is_typo("houtlinees", "houtline")
    assert is_typo("ohutline", "houtline")
    assert not is_typo("houtline", "houtline")
    assert is_typo("mocchi", "mochi")
    assert not is_typo("mocca", "mochi")
    assert not is_typo("cats", "cat")


def test_slips_inside_a_tag_are_found():
    assert typos("hout line", "houtline") == ("hout line",)
    assert typos("houtlin style", "houtline") == ("houtlin",)
    assert typos("red hair", "houtline") == ()
