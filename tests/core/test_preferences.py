"""What a person prefers, kept beside all projects."""

import pytest

from core import preferences
from core.errors import BocetoError


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("BOCETO_CONFIG", str(tmp_path / "config"))


def test_a_preference_is_kept_and_leaves_the_others_alone():
    assert preferences.load() == preferences.Preferences()
    preferences.change(keys={"next": "f2"})
    preferences.change(theme="boceto-light")
    assert preferences.load() == preferences.Preferences(theme="boceto-light", keys={"next": "f2"})


def test_a_file_with_a_mistake_is_said_with_its_place():
    preferences.file().parent.mkdir()
    preferences.file().write_text("them = 'dark'\n")
    with pytest.raises(BocetoError) as said:
        preferences.load()
    assert "preferences.toml" in said.value.title and "them" in said.value.detail
