"""Projects: names that every file system takes, and answers that are there again tomorrow."""

import os
import time
import unicodedata

import pytest

from core import paths
from core.errors import BocetoError
from core.project import Place, Project, place_of, places, valid_name
from core.settings import Plan


@pytest.mark.parametrize(
    "name",
    [
        "outlines",
        "Años de niñez",
        "mi señor dibujo 2",
        "線画",
        "a-b_c (3)",
        "été",
        "x" * 100,
        "a.b",
        "50 % más",
        "👩\u200d🎨",
    ],
)
def test_names_in_any_language_are_taken_as_they_are(name):
    assert valid_name(name) == name


def test_a_name_is_the_same_however_its_accents_are_typed():
    typed_on_a_mac = unicodedata.normalize("NFD", "niña")
    assert typed_on_a_mac != "niña"
    assert valid_name(typed_on_a_mac) == "niña"
    assert valid_name("  outlines \n") == "outlines"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "needs a name"),
        ("   ", "needs a name"),
        ("a/b", "cannot hold"),
        ("a\\b", "cannot hold"),
        ("..", "full stop"),
        (".hidden", "full stop"),
        ("name.", "full stop"),
        ("what?", "cannot hold"),
        ("a:b", "cannot hold"),
        ('"a"', "cannot hold"),
        ("a*", "cannot hold"),
        ("<a>", "cannot hold"),
        ("a|b", "cannot hold"),
        ("two\nlines", "cannot hold"),
        ("red\x1b[31m", "cannot hold"),
        ("nul\x00", "cannot hold"),
        ("CON", "Windows"),
        ("com1", "Windows"),
        ("ñ" * 51, "too long"),
    ],
)
def test_names_that_some_file_system_refuses_are_refused_in_words(name, word):
    with pytest.raises(BocetoError, match=word) as raised:
        valid_name(name)
    assert raised.value.title.endswith(".")
    assert "another name" in raised.value.hint


@pytest.mark.parametrize("name", ["caf\udce9", "\udcff"])
def test_a_name_that_is_no_text_is_refused_in_words(name):
    """So Python gives the name of a folder that is not UTF-8."""
    with pytest.raises(BocetoError):
        valid_name(name)


@pytest.mark.parametrize("name", ["dele\x7fte", "next\x85line", "right\u202eto left", "line\u2028end"])
def test_a_name_that_no_one_could_see_or_type_is_refused_in_words(name):
    with pytest.raises(BocetoError, match="cannot hold"):
        valid_name(name)


@pytest.mark.parametrize("name", ["con.txt", "nul.2", "~"])
def test_a_name_that_is_a_device_or_a_home_is_refused_in_words(name):
    """`con.txt` is `con` to Windows; `~` is everybody's home to a shell, and to `expanduser`."""
    with pytest.raises(BocetoError):
        valid_name(name)


def test_what_was_saved_is_there_again(tmp_path):
    place = Place(tmp_path / "small")
    project = Project(name="small", activation_word="houtline", plan=Plan(rank=16, learning_rate=1e-4))
    place.save(project)
    assert place.load() == project
    assert place_of(str(tmp_path / "small")).load() == project


def test_a_project_that_is_not_there_is_said_in_words(tmp_path):
    with pytest.raises(BocetoError, match="There is no project in") as raised:
        Place(tmp_path).load()
    assert raised.value.hint


def test_the_dataset_is_in_the_project_or_anywhere(tmp_path):
    place = Place(tmp_path / "small")
    assert place.dataset(Project(name="x")) == tmp_path / "small" / "dataset"
    assert place.dataset(Project(name="x", dataset="/art/ink")).as_posix() == "/art/ink"
    assert place.dataset(Project(name="x", dataset="~/ink")).is_absolute()


def test_a_bare_name_is_a_project_and_anything_else_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of("outlines").folder == paths.projects() / "outlines"
    assert place_of("./outlines").folder == tmp_path / "outlines"
    assert place_of(str(tmp_path / "x")).folder == tmp_path / "x"


def test_projects_are_listed_with_the_last_used_first(tmp_path):
    assert places() == []
    for age, name in enumerate(["old", "older", "oldest"]):
        place = Place(paths.projects() / name)
        place.save(Project(name=name))
        then = time.time() - 1000 * age
        os.utime(place.file, (then, then))
    (paths.projects() / "no project").mkdir()
    assert [place.folder.name for place in places()] == ["old", "older", "oldest"]
