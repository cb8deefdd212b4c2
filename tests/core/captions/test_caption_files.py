import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.captions.store import LARGEST, changed_outside, check, put, read, refuse_if_unsafe, with_text
from core.errors import BocetoError, Severity


@pytest.fixture
def drawing(tmp_path) -> Path:
    (tmp_path / "dataset").mkdir()
    return tmp_path / "dataset" / "tree.png"


def caption(drawing: Path, content: bytes):
    drawing.with_suffix(".txt").write_bytes(content)
    return read(drawing)


def codes(file) -> set[str]:
    return {problem.code for problem in check(file, file.drawing.name)}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"houtline, tree", "houtline, tree"),
        (b"houtline, tree\n", "houtline, tree"),
        (b"\xef\xbb\xbfhoutline, tree\r\n", "houtline, tree"),
        ("ninchō, 木, 🌳".encode(), "ninchō, 木, 🌳"),
        (b"one\r\ntwo\r\n", "one\ntwo"),
        (b"one\rtwo", "one\ntwo"),
        (b"caf\xe9, \x93old\x94", "café, “old”"),
        (b"\x81\xff", "\x81ÿ"),
        ("houtline, café\r\n".encode("utf-16"), "houtline, café"),
        (b"\xff\xfeodd", None),
        (b"", ""),
        (b"\n", ""),
        (b"  \n", "  "),
    ],
)
def test_a_caption_that_nobody_changes_stays_byte_for_byte(drawing, content, text):
    file = caption(drawing, content)
    path = file.path
    os.utime(path, ns=(1, 1))
    assert not file.trouble
    if text is not None:
        assert file.text == text
    assert with_text(file, file.text) == content
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, 1)


def change(file, text: str):
    return put(file, with_text(file, text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.text(max_size=60))
def test_what_is_written_is_what_is_read(drawing, before, text):
    file = change(caption(drawing, before), text)
    assert file == replace(read(drawing), modified=0)
    assert file.text == text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert with_text(file, text) == file.content


def test_line_ends_stay_as_the_artist_has_them(drawing):
    change(caption(drawing, b"one\r\ntwo\r\n"), "one\nthree")
    assert drawing.with_suffix(".txt").read_bytes() == b"one\r\nthree\r\n"
    change(caption(drawing, b"one"), "two")
    assert drawing.with_suffix(".txt").read_bytes() == b"two"


def test_a_changed_caption_is_plain_utf_8(drawing):
    for content in (b"\xef\xbb\xbfhoutline", b"caf\xe9", "café".encode("utf-16")):
        file = change(caption(drawing, content), "houtline, café")
        assert file.path.read_bytes() == "houtline, café".encode()
        assert not file.bom
        assert not file.undecodable


def test_a_caption_that_was_not_there_can_be_gone_again(drawing):
    file = put(change(read(drawing), "tree"), None)
    assert not file.exists
    assert not file.path.exists()


@pytest.mark.parametrize("how", ["rewritten", "removed", "made"])
def test_a_change_from_outside_is_noticed(drawing, how):
    file = read(drawing) if how == "made" else caption(drawing, b"tree")
    assert not changed_outside(file)
    if how == "removed":
        file.path.unlink()
    else:
        file.path.write_bytes(b"bush")
    assert changed_outside(file)


def test_a_change_is_noticed_though_size_and_time_are_the_same(drawing):
    caption(drawing, b"tree")
    now = time.time_ns()
    os.utime(drawing.with_suffix(".txt"), ns=(now, now))
    file = read(drawing)
    file.path.write_bytes(b"bush")
    os.utime(file.path, ns=(now, now))
    assert changed_outside(file)


def test_a_same_text_written_anew_by_another_program_is_no_change(drawing):
    file = caption(drawing, b"tree")
    os.utime(file.path, ns=(1, 1))
    assert not changed_outside(file)


def test_an_empty_caption_never_has_zero_bytes(drawing):
    assert change(read(drawing), "").exists is False
    file = change(caption(drawing, b"tree"), "")
    assert file.path.read_bytes() == b"\n"
    assert file.text == ""


def test_a_linked_caption_stays_a_link(drawing, tmp_path):
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("tree")
    drawing.with_suffix(".txt").symlink_to(elsewhere)
    change(read(drawing), "bush")
    assert drawing.with_suffix(".txt").is_symlink()
    assert elsewhere.read_text() == "bush"


def test_text_no_file_can_hold_is_refused_in_words(drawing):
    file = caption(drawing, b"tree")
    with pytest.raises(BocetoError):
        with_text(file, "half a character: \ud83c")
    assert file.path.read_bytes() == b"tree"


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _book(path: Path) -> None:
    path.write_bytes(b"x" * (LARGEST + 1))


@pytest.mark.parametrize("make", [_folder, _pipe, _book])
def test_what_is_no_caption_is_named_and_never_written(drawing, make):
    make(drawing.with_suffix(".txt"))
    file = read(drawing)
    assert file.trouble
    (problem,) = check(file, drawing.name)
    assert (problem.severity, problem.code, problem.drawing) == (Severity.ERROR, "caption-unreadable", "tree.png")
    with pytest.raises(BocetoError):
        refuse_if_unsafe(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, {"caption-missing"}),
        (b"", {"caption-empty"}),
        (b" ,\n", {"caption-empty"}),
        (b"caf\xe9", {"caption-undecodable"}),
        (b"one\ntwo", {"multi-line"}),
        (b"one\n\n", set()),
        (b"\xef\xbb\xbfhoutline, tree\r\n", set()),
    ],
)
def test_each_fault_of_a_caption_file_has_a_name(drawing, content, expected):
    file = read(drawing) if content is None else caption(drawing, content)
    assert codes(file) == expected


def test_the_trained_text_holds_every_line(drawing):
    assert caption(drawing, b"houtline, tree\r\nleaves, bark\r\n").training_text == "houtline, tree, leaves, bark"
