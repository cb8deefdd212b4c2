"""A folder at a glance."""

from core.images.folder import Contents, contents


def test_drawings_captions_and_what_must_be_exported_are_told_apart(tmp_path):
    for name in ("a.png", "a.txt", "B.JPG", "b.txt", "c.webp", "notes.txt", ".hidden.png", "d.psd"):
        (tmp_path / name).write_bytes(b"")
    assert contents(tmp_path) == Contents(drawings=3, captions=1, unreadable=1)


def test_a_folder_that_is_not_there_says_so(tmp_path):
    assert contents(tmp_path / "none").trouble
