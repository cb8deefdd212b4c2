import pytest

from core.captions.booru import Booru, load

TAGS = """1girl,0,6000000,"1girls,sole_female"
long_hair,0,4350743,"/lh,longhair"
very_long_hair,0,900000,
blue_eyes,0,1700000,
^_^,0,90000,"^^"
hatsune_miku,4,110000,"miku,初音ミク"
broken
,0,3,
odd_count,0,many,
"""
IMPLICATIONS = """very_long_hair,long_hair
long_hair,hair
hair,long_hair
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "danbooru.csv").write_text(TAGS, encoding="utf-8")
    (tmp_path / "implications.csv").write_text(IMPLICATIONS)
    return tmp_path


def test_a_list_of_tags_is_read_as_captions_spell_them(folder):
    booru = load(folder)
    assert booru.count_of("long hair") == 4350743
    assert booru.count_of("^_^") == 90000
    assert booru.count_of("odd count") == 0
    assert booru.tag_of("broken") == "broken"
    assert booru.tag_of("unheard of") == ""
    assert "" not in booru.counts
    assert not booru.problems


def test_other_names_lead_to_the_tag(folder):
    booru = load(folder)
    assert booru.tag_of("初音ミク") == booru.tag_of("miku") == "hatsune miku"
    assert booru.tag_of("sole female") == "1girl"


def test_what_is_implied_is_followed_to_its_end_and_not_in_a_circle(folder):
    booru = load(folder)
    assert booru.implied("very long hair") == ("long hair", "hair")
    assert booru.implied("hair") == ("long hair",)
    assert booru.implied("cat") == ()


def test_the_exports_of_galleries_are_understood(tmp_path):
    (tmp_path / "e621.csv").write_text("id,name,category,post_count\n1,red_fox,5,300\n2,fox,5,900\n")
    (tmp_path / "tag_aliases.csv").write_text(
        "id,antecedent_name,consequent_name,created_at,status\n1,vulpes,red_fox,x,active\n"
    )
    (tmp_path / "tag_implications.csv").write_text("id,antecedent_name,consequent_name\n1,red_fox,fox\n")
    booru = load(tmp_path)
    assert booru.counts == {"red fox": 300, "fox": 900}
    assert booru.tag_of("vulpes") == "red fox"
    assert booru.implied("red fox") == ("fox",)


def test_two_lists_are_one(folder):
    (folder / "mine.csv").write_text("long_hair,0,7\nmy_own_tag,0,5\n")
    booru = load(folder)
    assert booru.count_of("long hair") == 4350743
    assert booru.count_of("my own tag") == 5


def test_without_a_list_there_is_none(tmp_path):
    assert not load(tmp_path)
    assert not load(tmp_path / "nowhere")
    assert not Booru().beginning("a", 8)
    assert not Booru().inside("abc", 8)


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00,0,1\ncat,0,9\n" + b"x" * 200_000)
    booru = load(tmp_path)
    assert {problem.code for problem in booru.problems} == {"tags-unreadable"}
    assert booru.count_of("cat") == 9


def test_beginnings_come_by_how_common_they_are(folder):
    booru = load(folder)
    assert [hit.tag for hit in booru.beginning("l", 8)] == ["long hair"]
    assert [(hit.tag, hit.alias) for hit in booru.beginning("mik", 8)] == [("hatsune miku", "miku")]
    assert [(hit.tag, hit.alias) for hit in booru.beginning("1gir", 8)] == [("1girl", "")]
    assert [hit.tag for hit in booru.inside("hair", 8)] == ["long hair", "very long hair"]
    assert booru.inside("hai\n", 8) == []


def test_lists_as_large_as_the_galleries_own_are_read(tmp_path):
    syllables = "ba be bi ka ke ki la le li ma me mi na ne ni sa se si ta te".split()
    names = [f"{a}{b}{c}_{d}{a}" for a in syllables for b in syllables for c in syllables for d in syllables]
    rows = (f'{name}_{n % 3},0,{n},"{name[::-1]}"' for n, name in enumerate(names + names[:40_000]))
    (tmp_path / "big.csv").write_text("\n".join(rows))
    booru = load(tmp_path)
    assert len(booru.counts) >= 160_000
    assert booru.beginning("babe", 8) and booru.inside("sise", 8) and not booru.inside("zzzz", 8)
