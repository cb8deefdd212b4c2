"""Scores on disk: nothing is looked at twice, and no crash or damage takes more than its own line."""

import multiprocessing

import pytest

from core.errors import BocetoError
from core.taggers import results
from core.taggers.tagger import Category, Scored, Subject, Tagged

SEEN = [
    Tagged("a.png", "aa", tags=(Scored("1girl", 0.9), Scored("miku", 0.7, Category.CHARACTER))),
    Tagged("below/b.png", "bb", "#ff0000", tags=(Scored("^_^", 0.05),)),
    Tagged("c,“ñ”\u2028[red].png", "cc", sentence="a cat\r\non a mat"),
]


def keep(path, looks, model="m1"):
    with results.opened(path, model) as scores:
        scores.add(looks)


def subject(look: Tagged) -> Subject:
    return Subject(look.drawing, None, look.digest, look.background)


def test_what_was_seen_is_read_back(tmp_path):
    path = tmp_path / "scores" / "wd.jsonl"
    keep(path, SEEN[:1])
    keep(path, SEEN[1:])
    assert results.read(path) == {look.drawing: look for look in SEEN}
    with results.opened(path, "m1") as scores:
        assert all(scores.has(subject(look)) for look in SEEN)
        assert not scores.has(Subject("d.png", None, "dd"))


def test_where_there_is_nothing_nothing_is_known(tmp_path):
    assert results.read(tmp_path / "none.jsonl") == {}
    assert results.current(tmp_path / "none.jsonl", [subject(SEEN[0])]) == {}


def test_the_newest_look_at_a_drawing_counts(tmp_path):
    newer = Tagged("a.png", "a2", tags=(Scored("dog", 0.5),))
    keep(tmp_path / "wd.jsonl", [SEEN[0], newer])
    assert results.read(tmp_path / "wd.jsonl") == {"a.png": newer}


def test_a_drawing_or_paper_that_has_changed_is_to_be_seen_again(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, SEEN)
    painted_over = Subject("a.png", None, "a2")
    other_paper = Subject("below/b.png", None, "bb", "#00ff00")
    with results.opened(path, "m1") as scores:
        assert not scores.has(painted_over) and not scores.has(other_paper)
    wanted = [painted_over, other_paper, subject(SEEN[2])]
    assert results.current(path, wanted) == {SEEN[2].drawing: SEEN[2]}
    assert results.current(path, [subject(SEEN[0])]) == {"a.png": SEEN[0]}


def test_a_line_that_a_crash_cut_off_costs_only_itself(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, SEEN)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert set(results.read(path)) == {"a.png", "below/b.png"}
        keep(path, SEEN[2:])
        assert path.read_bytes() == whole


def test_a_crash_in_the_first_line_begins_anew(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, [])
    head = path.read_bytes()
    for end in range(len(head)):
        path.write_bytes(head[:end])
        assert results.read(path) == {}
        keep(path, SEEN)
        assert results.read(path) == {look.drawing: look for look in SEEN}


def test_damaged_lines_are_passed_over(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, SEEN[:1])
    with path.open("ab") as file:
        file.write(b'\x00\x00\x00\n{"drawing": 7}\n[]\n\n')
    keep(path, SEEN[1:])
    assert results.read(path) == {look.drawing: look for look in SEEN}


def test_fields_that_a_newer_version_added_do_no_harm(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, [])
    with path.open("ab") as file:
        file.write(b'{"drawing":"a.png","digest":"aa","tags":[["dog",0.5,0,"more"]],"new":1}\n')
    assert results.read(path)["a.png"].tags == (Scored("dog", 0.5),)


def test_scores_of_another_model_are_dropped(tmp_path):
    path = tmp_path / "wd.jsonl"
    keep(path, SEEN)
    with results.opened(path, "m2") as scores:
        assert not scores.has(subject(SEEN[0]))
        scores.add(SEEN[1:2])
    assert list(results.read(path)) == ["below/b.png"]


def _hold(path, held, done):
    with results.opened(path, "m1"):
        held.set()
        done.wait(30)


def test_two_jobs_do_not_add_to_one_file(tmp_path):
    path = tmp_path / "wd.jsonl"
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(path, held, done))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(BocetoError) as error, results.opened(path, "m1"):
            pass
        assert str(path) in error.value.detail and error.value.hint
    finally:
        done.set()
        other.join(30)
    keep(path, SEEN)
    assert len(results.read(path)) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "scores").write_text("a file")
    with pytest.raises(BocetoError, match="could not be written"), results.opened(tmp_path / "scores" / "x", "m1"):
        pass


@pytest.mark.parametrize(
    "ids", [("a/b", "a-b", "a b"), ("../../etc/x", "....etc/x"), ("x" * 300, "x" * 299), ("", "…")]
)
def test_every_tagger_has_a_file_of_its_own_in_the_folder(tmp_path, ids):
    files = [results.file_of(tmp_path, one) for one in ids]
    assert len(set(files)) == len(ids)
    assert all(file.parent == tmp_path and not file.name.startswith(".") and len(file.name) < 120 for file in files)
    assert results.file_of(tmp_path, "wd-vit").name == "wd-vit.jsonl"
