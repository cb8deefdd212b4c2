import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.alike import FEWEST, LIKENESS, alike
from core.captions.habits import dataset_problems, documents_of, fusions
from core.errors import Severity

THINGS = "cat dog bird tree house boat lamp rose fish star moon crown door snake lion ring book plant shark cow".split()
tags = st.integers(0, 23).map(str)


def captions(*shared: tuple[str, int], count: int = 20, word: str = "houtline, ") -> dict[str, str]:
    """`count` captions of different things; of each shared tag, so many begin with it."""
    return {
        f"{number}.png": word + ", ".join([THINGS[number], *(tag for tag, share in shared if number < share)])
        for number in range(count)
    }


def problems(texts, kind="style"):
    return dataset_problems(texts, "houtline", kind)


def codes(texts, kind="style") -> set[str]:
    return {problem.code for problem in problems(texts, kind)}


def test_different_captions_are_left_in_peace():
    assert codes(captions()) == set()


@pytest.mark.parametrize(
    ("share", "expected"),
    [(20, {"fused"}), (17, {"fused"}), (16, {"nearly-fused"}), (12, {"nearly-fused"}), (11, set())],
)
def test_a_tag_of_most_captions_is_fused_with_the_word(share, expected):
    assert codes(captions(("paper", share))) == expected
    assert codes(captions(("paper", share)), "character") == expected


def test_a_fused_tag_comes_with_both_ways_out():
    (problem,) = problems(captions(("paper", 18)))
    assert problem.severity is Severity.WARNING
    assert problem.drawing == ""
    assert "“paper” stands in 18 of 20" in problem.message
    assert "remove it" in problem.remedy
    assert "add drawings" in problem.remedy


def test_people_and_the_word_itself_may_be_everywhere():
    assert codes(captions(("1girl", 20), ("solo", 20))) == set()
    assert codes(captions(("Houtline", 20), word="")) == set()


def test_few_captions_have_no_habits():
    assert codes(captions(("paper", 4), count=4)) == set()


def test_prose_is_fused_by_its_words():
    texts = {f"{thing}.png": f"A {thing} is drawn with a crayon on the paper." for thing in THINGS}
    found = {problem.message.split("”")[0] for problem in problems(texts) if problem.code == "fused"}
    assert found == {"“crayon", "“drawn", "“paper"}


def test_half_captioned_is_worse_than_one_forgotten():
    texts = captions()
    assert "half-captioned" not in codes(texts | {"0.png": ""})
    assert "half-captioned" in codes(texts | {f"{number}.png": " " for number in range(5)})
    assert codes(dict.fromkeys(texts, "")) == set()


def test_tags_beside_prose_are_noticed():
    prose = {f"{number}.png": f"A big {THINGS[number]} stands in the garden behind a wall." for number in range(6)}
    assert "mixed-captions" in codes(captions() | prose)
    assert "mixed-captions" not in codes(captions() | dict(list(prose.items())[:1]))


@pytest.mark.parametrize(("share", "told"), [(3, False), (4, True), (11, True), (17, False)])
def test_colourless_drawings_among_coloured_ones_are_noticed(share, told):
    assert ("part-grey" in codes(captions(("greyscale", share)))) == told


@pytest.mark.parametrize(("share", "told"), [(5, False), (6, True)])
def test_writing_in_many_drawings_is_noticed(share, told):
    assert ("signed" in codes(captions(("signature", share)))) == told


def test_captions_that_say_the_same_are_named():
    texts = captions() | {"a.png": "houtline, red hair, cat, bow", "b.png": "houtline, bow, cat, Red_Hair"}
    (problem,) = problems(texts)
    assert problem.code == "same-captions"
    assert "b.png" in problem.message
    assert "a.png" in problem.message


def test_names_and_tags_of_any_kind_do_no_harm():
    texts = {f"\udcff[red]{number}\x1b.png": "\udc80, [bold], " + "x" * 10_000 for number in range(6)}
    assert "fused" in codes(texts)


def test_fusions_tell_tag_count_and_share():
    (fusion,) = fusions(documents_of(captions(("paper", 18)), "houtline"))
    assert (fusion.tag, fusion.count, fusion.share) == ("paper", 18, 0.9)


@given(st.lists(st.frozensets(tags, max_size=23), max_size=9), st.lists(st.frozensets(tags, max_size=2), max_size=9))
def test_likeness_is_found_as_by_comparing_everything_with_everything(sets, changes):
    sets += [one ^ change for one, change in zip(sets, changes, strict=False)]
    documents = {str(number): tags for number, tags in enumerate(sets)}
    found = {name: likeness for name, _other, likeness in alike(documents)}
    expected = {}
    for number, tags in enumerate(sets):
        best = max(
            (len(tags & other) / len(tags | other) for other in sets[:number] if min(len(tags), len(other)) >= FEWEST),
            default=0,
        )
        if best >= LIKENESS:
            expected[str(number)] = best
    assert found == expected


def test_the_earlier_one_is_the_one_it_is_like():
    base = random.Random(1).sample(range(1000), 20)
    documents = {"a": frozenset(map(str, base)), "b": frozenset(map(str, [*base[:19], 5000])), "c": frozenset("xyz")}
    (pair,) = alike(documents)
    assert pair == ("b", "a", 19 / 21)
