import json
from pathlib import Path

import pytest

from core.captions.imports import read, sources
from core.errors import Problem


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("tree.png", "dog.jpg", "below/cat.webp", "below/tree.png", "both.png", "both.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def imported(folder: Path) -> tuple[dict[str, str], list[str]]:
    """What a single source gives: the captions by their drawings, and the codes of what it could not give."""
    (source,) = sources(folder)
    found = list(read(source))
    return (
        dict(one for one in found if not isinstance(one, Problem)),
        [one.code for one in found if isinstance(one, Problem)],
    )


def test_a_folder_without_captions_has_no_source(folder):
    (folder / "settings.json").write_text('{"theme": "dark"}')
    (folder / "list.json").write_text("[1, 2]")
    (folder / "broken.json").write_text("{")
    (folder / "notes.txt").write_text("hello")
    assert sources(folder) == []
    assert sources(folder / "nowhere") == []


def test_caption_files_go_to_the_drawing_of_their_name(folder):
    (folder / "tree.caption").write_bytes("\ufeffa árbol\r\nsecond\n".encode())
    (folder / "below" / "cat.caption").write_bytes(b"caf\xe9, cat")
    (folder / "nobody.caption").write_text("who?")
    (folder / "dog.caption").write_text("  \n")
    (source,) = sources(folder)
    assert (source.kind, source.count) == ("caption", 4)
    texts, codes = imported(folder)
    assert texts == {"tree.png": "a árbol\nsecond", "below/cat.webp": "café, cat"}
    assert codes == ["import-unknown"]


def test_the_metadata_of_hugging_face_is_read_line_by_line(folder):
    rows = [
        json.dumps({"file_name": "tree.png", "text": "a tree, alone"}),
        "",
        "{broken",
        json.dumps({"file_name": "below/cat.webp", "prompt": "a cat"}),
        json.dumps({"file_name": "dog.jpg"}),
        json.dumps({"text": "of nobody"}),
        json.dumps(["a", "list"]),
        json.dumps({"file_name": "dog.jpg", "tags": ["dog", " big dog "]}),
        json.dumps({"file_name": "../../etc/passwd", "text": "x"}),
        json.dumps({"file_name": "tree.png", "text": 7}),
        '{"file_name": "tree.png", "text": "\\ud800"}',
        "[" * 100_000,
    ]
    (folder / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\n\xff\xfe\n")
    texts, codes = imported(folder)
    assert texts == {"tree.png": "a tree, alone", "below/cat.webp": "a cat", "dog.jpg": "dog, big dog"}
    assert codes.count("import-bad") == 8
    assert codes.count("import-unknown") == 1


def test_metadata_below_speaks_of_its_own_folder(folder):
    (folder / "below" / "metadata.jsonl").write_text(json.dumps({"file_name": "tree.png", "text": "the lower tree"}))
    assert imported(folder) == ({"below/tree.png": "the lower tree"}, [])


def test_the_json_of_sd_scripts_is_read_by_path_or_name(folder):
    table = {
        str(folder / "dog.jpg"): {"caption": "a dog", "tags": "dog, grass"},
        "C:\\pictures\\below\\cat.webp": {"tags": "cat"},
        "tree": {"caption": "which tree?"},
        "nobody": {"caption": "x"},
        "both.jpg": {"caption": "the second"},
        "both": {"caption": "which?"},
        "below/tree.png": {"train_resolution": [1024, 1024]},
    }
    (folder / "meta_clean.json").write_text(json.dumps(table))
    texts, codes = imported(folder)
    # Like every tool that names drawings without their folder, it means the one at the top.
    assert texts == {
        "dog.jpg": "a dog, dog, grass",
        "below/cat.webp": "cat",
        "tree.png": "which tree?",
        "both.jpg": "the second",
    }
    assert codes == ["import-unknown", "import-ambiguous", "import-bad"]


def test_several_sources_are_offered_apart(folder):
    (folder / "tree.caption").write_text("tree")
    (folder / "metadata.jsonl").write_text('{"file_name": "dog.jpg", "text": "dog"}\n')
    (folder / "meta_cap.json").write_text('{"dog": {"caption": "dog"}}')
    assert [(one.kind, one.count) for one in sources(folder)] == [("caption", 1), ("json", 1), ("jsonl", 1)]


def test_hidden_files_are_left_alone(folder):
    (folder / ".cache").mkdir()
    (folder / ".cache" / "metadata.jsonl").write_text("{}\n")
    (folder / "._tree.caption").write_text("a fork of a Mac")
    assert sources(folder) == []
