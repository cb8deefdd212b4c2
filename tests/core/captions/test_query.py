import operator
import re
from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.captions.caption import joined, tags_of
from core.captions.query import Captioned, Query, QueryError, help_text, parse
from core.captions.terms import field_of

# Few letters, so that terms and captions meet; capitals, brackets and blanks, so that they meet in odd ways.
letters = st.text("abAB [(_", min_size=1, max_size=4)
tags = st.lists(letters.map(str.strip).filter(bool), max_size=4)
comparisons = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def captioned(caption="", **known):
    return Captioned(
        **{"name": "a.png", "path": "/d/a.png", "caption": caption, "tags": tuple(tags_of(caption)), **known}
    )


@st.composite
def captions(draw):
    caption = joined(draw(tags))
    return captioned(
        caption,
        name=draw(letters),
        path=draw(letters),
        tokens=draw(st.integers(0, 3)),
        reviewed=draw(st.booleans()),
        edited=draw(st.booleans()),
        marked=draw(st.booleans()),
        problems=frozenset(draw(st.lists(st.sampled_from(["a", "a-b", "b"])))),
        width=draw(st.integers(0, 3)) * 1000,
        height=draw(st.integers(0, 3)) * 1000,
        score=draw(st.none() | st.sampled_from([0.25, 0.5])),
    )


def whole(text, pattern):
    return fnmatchcase(text.casefold(), pattern.casefold().replace("[", "[[]"))


# A filter as a tree: ("OR", left, right), ("NOT", one), ("tag", pattern), ("tokens", ">", number), ("reviewed", yes).
patterns = st.text("abAB [(_*?", min_size=1, max_size=4).map(str.strip).filter(bool)
terms = st.one_of(
    st.tuples(st.sampled_from(["", "tag", "caption", "name", "path", "problem"]), patterns),
    st.tuples(st.sampled_from(["reviewed", "edited", "marked"]), st.booleans()),
    st.tuples(
        st.sampled_from(["tags", "tokens", "chars", "width", "height", "size", "ar", "score"]),
        st.sampled_from(sorted(comparisons)),
        st.sampled_from([0, 1, 2, 0.5, 0.25, 1000, 4]),
    ),
)
filters = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.tuples(st.just("NOT"), inner),
        st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    ),
    max_leaves=8,
)


def means(tree, one):
    match tree:
        case ("NOT", inner):
            return not means(inner, one)
        case ("AND", left, right):
            return means(left, one) and means(right, one)
        case ("OR", left, right):
            return means(left, one) or means(right, one)
        case ("", pattern):
            return whole(one.caption, f"*{pattern}*") or whole(one.name, f"*{pattern}*")
        case ("tag", pattern):
            return any(whole(tag, pattern) for tag in one.tags)
        case ("problem", pattern):
            return any(whole(code, pattern) for code in one.problems)
        case ("caption" | "name" | "path", pattern):
            return whole(getattr(one, tree[0]), f"*{pattern}*")
        case (field, bool(answer)):
            return getattr(one, field) == answer
        case (field, sign, number):
            known = {
                "tags": len(one.tags),
                "tokens": one.tokens,
                "chars": len(one.caption),
                "width": one.width,
                "height": one.height,
                "size": one.width * one.height / 1_000_000,
                "ar": round(one.width / one.height, 2) if one.height else None,
                "score": one.score,
            }[field]
            return known is not None and comparisons[sign](known, number)


@st.composite
def written(draw, tree, binding=0):
    """`tree` as a person might write it: parentheses only where they are needed, now and then some more."""
    match tree:
        case ("OR", left, right):
            text, own = f"{draw(written(left, 1))} OR {draw(written(right, 1))}", 0
        case ("AND", left, right):
            text, own = (
                draw(written(left, 1)) + draw(st.sampled_from([" ", " AND ", "  "])) + draw(written(right, 1)),
                1,
            )
        case ("NOT", inner):
            text, own = draw(st.sampled_from(["NOT ", "-", "NOT("])) + draw(written(inner, 2)), 2
            if text.startswith("NOT("):
                text += ")"
        case (field, bool(answer)):
            text, own = f"{field}:{draw(st.sampled_from(['yes', 'Sí'] if answer else ['no', 'NO']))}", 3
        case (field, sign, number):
            text, own = f"{field}:{sign}{number}", 3
        case (field, pattern):
            quote = draw(st.sampled_from(['"', "'"]))
            closed = pattern.count("(") == 0 and not re.search(r"\s", pattern) and draw(st.booleans())
            text, own = f"{field}:" * bool(field) + (pattern if closed else f"{quote}{pattern}{quote}"), 3
    return f"({text})" if own < binding or draw(st.integers(0, 9)) == 0 else text


@given(st.data(), filters, st.lists(captions(), min_size=1, max_size=5))
def test_a_filter_finds_what_a_naive_reading_finds(data, tree, several):
    query = parse(data.draw(written(tree)))
    assert [query.matches(one) for one in several] == [means(tree, one) for one in several]


pieces = st.sampled_from(
    [
        *("tag:", "tags:", "ar:", "size:", "reviewed:", "xyz:", "OR", "AND", "NOT", "-", "(", ")", '"', "'", "\\", "*"),
        *("?", ">", "<=", "3", ":", "x", " ", " ", "\n", "cat", "ñ", "\ud800", "\x1b[31m", "[red]"),
    ]
)


@given(st.lists(pieces, max_size=20).map("".join) | st.text(max_size=30))
def test_whatever_is_typed_is_read_or_refused_with_its_place(text):
    try:
        query = parse(text)
    except QueryError as error:
        assert 0 <= error.start < error.end <= len(text)
        assert all((error.title, error.detail, error.hint))
    else:
        assert isinstance(query, Query)
        assert query.matches(captioned("cat")) in (True, False)


@pytest.mark.parametrize(
    "text", ["(" * 10_000, "-" * 10_000, "NOT " * 10_000 + "a", "a " * 10_000, "tags:" + "9" * 10_000]
)
def test_a_filter_of_any_length_is_read_or_refused(text):
    try:
        parse(text).matches(captioned("a"))
    except QueryError:
        assert text.startswith(("(", "--"))


def test_an_empty_filter_means_every_caption():
    assert parse("").matches(captioned())
    assert parse(" \n").matches(captioned("cat"))


def test_a_tag_is_matched_whole_and_a_bare_word_anywhere():
    black_cat = captioned("black cat, 1girl")
    assert not parse("tag:cat").matches(black_cat)
    assert parse('tag:"black cat"').matches(black_cat)
    assert parse("tag:*CAT").matches(black_cat)
    assert parse("tag:1gir?").matches(black_cat)
    assert not parse("tag:black*girl").matches(black_cat)
    assert parse("ack").matches(black_cat)
    assert parse("a.PNG").matches(black_cat)
    assert not parse("/d/").matches(black_cat)
    assert parse("path:/d/").matches(black_cat)


def test_operators_bind_as_everywhere_and_only_in_capitals():
    assert parse("cat OR dog bird").matches(captioned("cat"))
    assert not parse("(cat OR dog) bird").matches(captioned("cat"))
    assert not parse("NOT cat OR dog").matches(captioned("cat"))
    assert parse("NOT (cat dog)").matches(captioned("cat"))
    assert parse("no and o").matches(captioned("no, and, o"))
    assert not parse("cat and dog").matches(captioned("cat, dog"))


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("tag:ink_(medium)", "ink_(medium)"),
        ("(tag:ink_(medium))", "ink_(medium)"),
        (r"tag:ink_\(medium\)", r"ink_\(medium\)"),
        ("tag::(", ":("),
        ('tag:":)"', ":)"),
        (r"tag:\*", "*"),
        (r'tag:"say \"hi\""', 'say "hi"'),
        ("tag:'say \"hi\"'", 'say "hi"'),
        ("tag:“black cat”", "black cat"),
        ("tag:-_-", "-_-"),
        ("tag:*a*b*a", "aba ca"),
        ("re:zero", "re:zero"),
        ('"AND"', "and"),
        ("tag:[red]", "[red]"),
        ("tag:Ñandú", "n\u0303andu\u0301"),
    ],
)
def test_odd_tags_can_be_asked_for(text, caption):
    assert parse(text).matches(captioned(caption))
    assert not parse(text).matches(captioned("xa"))


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("size:<1", {"width": 900, "height": 1000}, True),
        ("size:<1", {"width": 1024, "height": 1024}, False),
        ("size:1024x768", {"width": 1024, "height": 768}, True),
        ("size:1024:768", {"width": 768, "height": 1024}, False),
        ("size:!=1024x768", {"width": 768, "height": 1024}, True),
        ("ar:4:3", {"width": 400, "height": 300}, True),
        ("ar:=1.33", {"width": 400, "height": 300}, True),
        ("ar:>=1,5", {"width": 600, "height": 400}, True),
        ("score:<0.5", {"score": 0.4999}, True),
        ("score:!=0.5", {}, False),
        ("problem:any", {"problems": frozenset({"caption-empty"})}, True),
        ("problem:any", {}, False),
        ("problem:caption", {"problems": frozenset({"caption-empty"})}, False),
        ("problem:*", {}, False),
    ],
)
def test_numbers_sizes_and_problems(text, known, expected):
    assert parse(text).matches(captioned("cat", **known)) is expected


@pytest.mark.parametrize(
    ("text", "pointed_at", "said"),
    [
        ("tga:cat", "tga:", "tag:"),
        ("cat tag:", "tag:", "nothing"),
        ("tag:cat OR (dog", "(", "not closed"),
        ("cat (", "(", "not closed"),
        ("cat)", ")", "closes nothing"),
        ("cat ()", "()", "between these parentheses"),
        ("cat OR", "OR", "followed by nothing"),
        ("cat NOT", "NOT", "followed by nothing"),
        ("(OR cat)", "OR", "before"),
        ('tag:"black cat', '"black cat', "quote"),
        ('tag:""', '""', "quotes"),
        ('"black"cat', '"black"', "blank"),
        ("cat - dog", "-", "excludes nothing"),
        ("tags:cat", "tags:cat", "number"),
        ("tokens:>", "tokens:>", "number"),
        ("tokens:3x4", "tokens:3x4", "number"),
        ("ar:3:0", "ar:3:0", "number"),
        ("size:<3x4", "size:<3x4", "number"),
        ("cat reviewed:maybe", "reviewed:maybe", "yes"),
    ],
)
def test_a_mistake_is_pointed_at(text, pointed_at, said):
    with pytest.raises(QueryError) as refused:
        parse(text)
    assert text[refused.value.start : refused.value.end] == pointed_at
    assert said in str(refused.value)
    assert str(refused.value.start + 1) in refused.value.detail


def test_many_stars_do_not_take_for_ever():
    long = captioned("a" * 10_000)
    for text in ("tag:" + "a*" * 30 + "b", "a*" * 30 + "b", "tag:" + "*a" * 30 + "b", "a*b"):
        assert not parse(text).matches(long)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_example_of_the_help_is_a_filter(language, monkeypatch):
    monkeypatch.setenv("BOCETO_LANGUAGE", language)
    for example, words in help_text():
        # In Spanish a field that is not known would be a tag with a colon.
        assert all(field_of(name) for name in re.findall(r"(?<![\w:])([^\W\d_]+):", example)), example
        parse(example)
        assert words


def test_a_filter_may_be_written_in_spanish():
    told = {
        "etiqueta:cat Y NO revisada:sí": "tag:cat AND NOT reviewed:yes",
        "(descripción:hat O NOMBRE:b) tokens:>3": "(caption:hat OR name:b) tokens:>3",
        "problema:alguno": "problem:any",
        "etiquetas:<2": "tags:<2",
    }
    many = [
        captioned(caption, name=name, reviewed=reviewed, tokens=tokens, problems=problems)
        for caption, name, reviewed, tokens, problems in product(
            ("cat, hat", "dog", "Y, cat"), ("a.png", "b.png"), (True, False), (2, 9), (frozenset(), frozenset({"x"}))
        )
    ]
    for spanish, english in told.items():
        ours, theirs = parse(spanish).matches, parse(english).matches
        assert [ours(one) for one in many] == [theirs(one) for one in many]
        assert len({theirs(one) for one in many}) == 2
    for text, said in {
        "etiqeta:gato": "Write “etiqueta:”",
        "ancho:": "as in “ancho:<1024”",
        "alto:mucho": "as in “alto:<1024”",
        "Revisada:quizás": "Write “Revisada:yes”",
    }.items():
        with pytest.raises(QueryError, match=said):
            parse(text)
