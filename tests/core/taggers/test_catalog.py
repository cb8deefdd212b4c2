"""The taggers that are known by name."""

import subprocess
import sys

import pytest

from core import paths
from core.bases.find import hub
from core.language import LANGUAGES
from core.taggers.catalog import CATALOG, entry, order


def test_a_tagger_is_known_by_its_name_and_by_its_repository():
    for known in CATALOG:
        assert entry(known.id) is entry(known.repository) is known
    assert entry("nobody/knows-it") is None
    assert len({known.id for known in CATALOG}) == len({known.name for known in CATALOG}) == len(CATALOG)


def test_the_two_of_the_guide_and_both_kinds_are_there():
    assert {known.kind for known in CATALOG} == {"tags", "sentences"}
    assert entry("SmilingWolf/wd-eva02-large-tagger-v3") and entry("SmilingWolf/wd-vit-large-tagger-v3")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_says_what_it_is_good_for_in_the_language_of_the_moment(language, monkeypatch):
    monkeypatch.setenv("BOCETO_LANGUAGE", language)
    assert all(known.good_for() for known in CATALOG)


def test_what_a_folder_lacks_is_told_file_by_file(tmp_path):
    blip = entry("blip-base")
    assert blip.missing(tmp_path) == blip.files
    for name in ("config.json", "preprocessor_config.json", "vocab.txt", "pytorch_model.bin"):
        (tmp_path / name).touch()
    assert blip.missing(tmp_path) == ("tokenizer_config.json",)
    (tmp_path / "tokenizer_config.json").touch()
    assert blip.missing(tmp_path) == ()


def test_the_order_of_one_fills_the_cache_of_the_hub_and_names_the_folder_for_hands():
    known = entry("wd-vit")
    made = order(known)
    assert (made.repository, made.files, made.cache) == (known.repository, known.files, str(hub()))
    assert made.by_hand == str(paths.config() / "taggers" / "wd-vit-tagger-v3")


def test_asking_which_taggers_there_are_loads_no_large_library():
    heavy = ("torch", "transformers", "huggingface_hub", "onnxruntime")
    code = f"import sys, core.taggers.catalog; print([n for n in {heavy} if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
