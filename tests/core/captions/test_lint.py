from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.bases.mini
from core.captions.caption import with_word
from core.captions.lint import MENDS, caption_problems, mend_words
from core.captions.store import holding
from core.captions.tokens import CHUNK, Tokenizer
from core.errors import Severity

TOKENIZER = Tokenizer.open(Path(core.bases.mini.__file__).parent / "model" / "tokenizer")
WORD = "houtline"
LONG = ", ".join(f"red hair {chr(97 + n % 26)}" for n in range(26))
"""26 tags, no two the same: more than 75 tokens and fewer than 225."""

TAGS = ["houtline", "HOUTLINE", "houtlin", "1girl", "2girls", "solo", "red hair", "hair", "long_hair", "^_^"]
SIGNS = ["\\(x\\)", "(cat:1.2)", "((dog))", "{a|b}", "|||", ",", ", ", "\n", " ", "[red]", "\x1b[2J", "\udc80"]
scraps = st.sampled_from([*TAGS, *SIGNS, "a cat sits on a mat."])
captions = st.lists(scraps, max_size=15).map("".join) | st.lists(scraps, max_size=15).map(", ".join) | st.text()


def problems(text: str | None, word: str = WORD, chunks: int = 3):
    content = None if text is None else text.encode("utf-8", "surrogatepass")
    return caption_problems(
        holding(Path("tree.png"), content), "tree.png", word=word, tokenizer=TOKENIZER, chunks=chunks
    )


def codes(text: str | None, word: str = WORD, chunks: int = 3) -> set[str]:
    return {problem.code for problem in problems(text, word, chunks)}


@pytest.mark.parametrize(
    "text",
    [
        "houtline, cat, red hair, ^_^, o_o",
        "cat",
        "houtline, a cat sitting on a chair, looking at the moon.",
        "1girl, 1boy, standing, sitting, blue eyes, red eyes",
        "1girl, heterochromia, blue eyes, red eyes",
        "link, the legend of zelda: breath of the wild",
        "dr. stone (series), 10:30",
    ],
)
def test_a_good_caption_is_left_in_peace(text):
    assert codes(text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {"caption-missing"}),
        (" , ", {"caption-empty"}),
        ("cat\ndog", {"multi-line"}),
        ("cat, Cat", {"duplicate-tags"}),
        ("cat, , dog", {"empty-tags"}),
        ("cat, dog,", {"empty-tags"}),
        (", cat", {"empty-tags"}),
        ("cat,\n,dog", {"empty-tags", "multi-line"}),
        ("{red|blue} hair", {"braces"}),
        ("houtline ||| cat", {"braces", "word-in-tag"}),
        ("cat;;;dog", {"braces"}),
        ("saber \\(fate\\)", {"escaped"}),
        ("(red hair:1.2)", {"prompt-weight"}),
        ("((cat))", {"prompt-weight"}),
        ("<lora:thing:1>, cat", {"prompt-weight"}),
        ("long_hair, ^_^", {"underscores"}),
        ("1girl, 2girls", {"contradiction"}),
        ("shirt, white shirt", {"overlap"}),
        ("Houtline, cat", {"word-capitals"}),
        ("cat, houtline", {"word-place"}),
        ("houtline style, cat", {"word-in-tag"}),
        ("houtlien, cat", {"word-typo"}),
        ("a cat drawn in houtlin, sitting by the window.", {"word-typo"}),
        (LONG, {"past-75"}),
    ],
)
def test_each_fault_of_a_caption_has_a_name(text, expected):
    assert codes(text) == expected


def test_every_problem_names_its_drawing_and_its_remedy():
    for problem in problems("Houtline, shirt, white shirt, 1girl, 2girls, long_hair, ((x)), \\(y\\), {a|b},,houtlien"):
        assert problem.drawing == "tree.png"
        assert problem.message.endswith(".")
        assert problem.remedy.endswith(".")


def test_what_other_trainers_lose_first_is_named():
    (problem,) = problems(LONG)
    assert problem.severity is Severity.NOTE
    whole = with_word(LONG, WORD)
    place = TOKENIZER.place_of(whole, CHUNK)
    first_lost = whole[:place].count(",") + (whole[place] == ",")
    assert f"“{whole.split(', ')[first_lost]}”" in problem.message
    assert str(TOKENIZER.count(whole)) in problem.message
    assert codes(LONG, chunks=1) == {"caption-too-long"}


def test_the_word_itself_counts_among_the_tokens():
    room = CHUNK - TOKENIZER.count(WORD + ",")
    text = ", ".join(f"a{chr(97 + n)}" for n in range(26))
    while TOKENIZER.count(text) > room:
        text = text.rpartition(", ")[0]
    while TOKENIZER.count(text) < room:
        text += " a"
    assert "past-75" not in codes(text)
    assert "past-75" in codes(text + " a")
    assert "past-75" in codes(text.replace(", ", "\n", 1) + " a a")


def test_a_short_word_may_look_like_others():
    assert codes("cats", word="cat") == set()
    assert codes("mochi", word="mocha") == {"word-typo"}
    assert codes("outlive, outlines", word="houtline") == {"word-typo"}


def test_a_word_in_the_first_place_is_more_likely_to_be_a_slip_than_one_further_on():
    first, later = (next(one for one in problems(text)) for text in ("houtlien, cat", "cat, outline"))
    assert (first.severity, later.severity) == (Severity.WARNING, Severity.NOTE)


def test_without_a_word_nothing_is_said_of_it():
    assert codes("Houtline, cat", word="") == set()
    assert codes("cat, houtline", word="hout, line") == set()


def test_an_underscore_of_the_word_is_meant():
    assert codes("hout_line, cat", word="hout_line") == set()


@pytest.mark.parametrize(
    "text", ["[red]cat", "\x1b[2J\x07", "\x00", "木" * 10_000, "a" * 10_000, "{" * 5_000 + "|", "(" * 5_000]
)
def test_any_text_is_looked_at(text):
    for problem in problems(text):
        assert len(problem.message) < 200 or problem.code == "caption-too-long"


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("duplicate-tags", "cat, dog, Cat", "cat, dog"),
        ("overlap", "shirt, white shirt", "white shirt"),
        ("empty-tags", ", cat, , dog,,", "cat, dog"),
        ("empty-tags", "cat ,dog\n, bird ,", "cat ,dog\n, bird"),
        ("underscores", "long_hair, ^_^,red  hair", "long hair, ^_^,red  hair"),
        ("escaped", "saber \\(fate\\)", "saber (fate)"),
        (
            "prompt-weight",
            "(red hair:1.2), ((cat)), <lora:x:1>, dr. stone (series)",
            "red hair, cat, dr. stone (series)",
        ),
        ("multi-line", "cat\ndog", "cat, dog"),
        ("word-capitals", "HOUTLINE, cat", "houtline, cat"),
        ("word-typo", "houtlien, cat", "houtline, cat"),
        ("word-typo", "a drawing in houtlin of a cat.", "a drawing in houtline of a cat."),
        ("word-place", "cat, houtline, dog", "houtline, cat, dog"),
    ],
)
def test_one_key_mends_what_has_one_answer(code, before, after):
    assert code in codes(before)
    assert MENDS[code](WORD, TOKENIZER.count, 3)(before) == after
    assert code not in codes(after)


@pytest.mark.parametrize(("code", "chunks"), [("past-75", 3), ("caption-too-long", 1)])
def test_what_is_too_long_loses_its_last_tags_and_no_more(code, chunks):
    assert code in codes(LONG, chunks=chunks)
    mended = MENDS[code](WORD, TOKENIZER.count, chunks)(LONG)
    assert LONG.startswith(mended)
    assert codes(mended, chunks=chunks) == set()
    more = LONG[: len(mended) + len(", red hair x")]
    assert code in codes(more, chunks=chunks)


@settings(deadline=None)
@given(captions)
def test_a_mend_leaves_nothing_to_mend(text):
    text = "\n".join(text.splitlines()).encode("utf-8", "replace").decode()
    # Prose that is too long is for a person to shorten.
    for code in codes(text) & set(MENDS) - {"past-75", "caption-too-long"}:
        mended = MENDS[code](WORD, TOKENIZER.count, 3)(text)
        assert mended != text
        assert code not in codes(mended)
        assert MENDS[code](WORD, TOKENIZER.count, 3)(mended) == mended


def test_every_mend_says_what_it_does():
    assert all(mend_words(code) for code in MENDS)
