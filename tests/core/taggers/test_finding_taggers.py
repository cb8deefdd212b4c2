"""Taggers on this disk, wherever a person or another program put them."""

import json
from pathlib import Path

import pytest

from core import paths
from core.bases.find import hub
from core.errors import BocetoError
from core.taggers.catalog import CATALOG, entry
from core.taggers.find import find, missing, resolve


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "person").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.chdir(tmp_path / "person")


def put(folder: Path, model: str = "model.onnx", tags: str = "selected_tags.csv", content: bytes = b"model") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model).write_bytes(content)
    (folder / tags).write_bytes(b"tag_id,name,category,count\n")
    return folder


def put_blip(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "blip"}))
    for name in ("preprocessor_config.json", "vocab.txt", "tokenizer_config.json", "pytorch_model.bin"):
        (folder / name).write_bytes(b"something")
    return folder


def outside_the_box(extra=()) -> list:
    return [tagger for tagger in find(extra) if not tagger.in_the_box]


def test_a_tagger_of_the_hub_bears_the_name_of_the_catalog():
    snapshot = put(hub() / "models--SmilingWolf--wd-vit-tagger-v3" / "snapshots" / "abc")
    (found,) = outside_the_box()
    assert (found.id, found.name, found.kind) == ("wd-vit", "WD ViT v3", "tags")
    assert (found.model, found.tags) == (snapshot / "model.onnx", snapshot / "selected_tags.csv")


def test_a_tagger_that_nobody_listed_bears_its_repository():
    put(hub() / "models--Someone--their-tagger" / "snapshots" / "abc")
    assert [(found.id, found.name) for found in outside_the_box()] == [("Someone/their-tagger", "their-tagger")]
    assert resolve("Someone/their-tagger").name == "their-tagger"


def test_a_download_that_is_not_whole_is_no_tagger():
    snapshot = put(hub() / "models--SmilingWolf--wd-vit-tagger-v3" / "snapshots" / "abc")
    (snapshot / "model.onnx").unlink()
    (snapshot / "model.onnx").symlink_to(snapshot / "blob-that-is-not-there")
    assert outside_the_box() == []


def test_a_tagger_fetched_by_hand_is_found_where_the_catalog_says():
    for known in CATALOG:
        if known.kind == "tags":
            put(known.folder)
        else:
            put_blip(known.folder)
    assert {found.id for found in outside_the_box()} == {known.id for known in CATALOG}
    assert all(resolve(known.repository).id == known.id for known in CATALOG)


@pytest.mark.parametrize(
    "place",
    [
        "wd14_tagger_model",
        "sd-scripts/wd14_tagger_model/SmilingWolf_wd-vit-tagger-v3",
        "kohya_ss/wd14_tagger_model/SmilingWolf_wd-vit-tagger-v3/models--SmilingWolf--wd-vit-tagger-v3/snapshots/abc",
        "stable-diffusion-webui/models/TaggerOnnx/wd-vit-tagger-v3",
    ],
)
def test_taggers_of_other_programs_are_found(tmp_path, place):
    put(tmp_path / "person" / place)
    (found,) = outside_the_box()
    assert found.id == ("wd-vit" if "wd-vit" in place else str(tmp_path / "person" / place))


def test_comfyui_keeps_several_in_one_folder(tmp_path):
    folder = tmp_path / "person" / "ComfyUI/custom_nodes/ComfyUI-WD14-Tagger/models"
    put(folder, "wd-vit-tagger-v3.onnx", "wd-vit-tagger-v3.csv")
    put(folder, "wd-old.onnx", "wd-old.csv")
    (folder / "alone.onnx").write_bytes(b"without a list")
    assert {found.id for found in outside_the_box()} == {"wd-vit", str(folder / "wd-old.onnx")}
    assert resolve(str(folder / "wd-old.onnx")).tags == folder / "wd-old.csv"


def test_a_folder_that_a_person_gives_goes_before_the_others(tmp_path):
    put(hub() / "models--SmilingWolf--wd-vit-tagger-v3" / "snapshots" / "abc")
    mine = put(tmp_path / "mine" / "wd-vit-tagger-v3")
    for extra in (mine, mine.parent):
        (found,) = outside_the_box([extra])
        assert found.model == mine / "model.onnx"


def test_one_model_is_listed_once(tmp_path):
    mine = put(paths.config() / "taggers" / "mine")
    (mine.parent / "linked").symlink_to(mine)
    assert len(outside_the_box([mine, mine.parent])) == 1


def test_sentences_are_told_from_tags_and_from_other_models():
    put_blip(hub() / "models--Salesforce--blip-image-captioning-large" / "snapshots" / "abc")
    other = put_blip(hub() / "models--openai--clip" / "snapshots" / "abc")
    (other / "config.json").write_text(json.dumps({"model_type": "clip"}))
    part = put_blip(hub() / "models--someone--part" / "snapshots" / "abc")
    (part / "vocab.txt").unlink()
    broken = put_blip(hub() / "models--someone--broken" / "snapshots" / "abc")
    (broken / "config.json").write_text("[{")
    (found,) = outside_the_box()
    assert (found.id, found.kind, found.tags) == ("blip-large", "sentences", None)


@pytest.mark.parametrize("known", CATALOG, ids=lambda known: known.id)
def test_a_tagger_that_is_not_here_says_what_to_fetch_and_where_to_put_it(known):
    with pytest.raises(BocetoError) as error:
        resolve(known.id)
    words = str(error.value)
    assert known.repository in words and paths.shown(known.folder) in words
    assert all(name.split("|")[0] in words for name in known.files)


def test_only_what_is_missing_is_to_be_fetched():
    known = entry("wd-vit")
    (put(known.folder) / "model.onnx").unlink()
    assert "selected_tags.csv" not in missing(known).detail and "model.onnx" in missing(known).detail


def test_a_name_that_nobody_knows_lists_those_there_are(tmp_path):
    put(tmp_path / "person" / "wd14_tagger_model" / "wd-vit-tagger-v3")
    with pytest.raises(BocetoError) as error:
        resolve("deepbooru")
    assert "wd-vit" in error.value.detail and "blip-large" in error.value.hint


@pytest.mark.parametrize("text", ["x" * 10_000, "a\0b", "~nobody-here/x", "[red]", "\ud800", ""])
def test_any_text_is_answered(text):
    try:
        assert resolve(text).in_the_box
    except BocetoError as error:
        assert error.title and error.hint


def test_a_name_of_the_catalog_is_no_folder_that_happens_to_be_called_so(tmp_path):
    (tmp_path / "person" / "wd-vit").mkdir()
    with pytest.raises(BocetoError) as error:
        resolve("wd-vit")
    assert "SmilingWolf/wd-vit-tagger-v3" in error.value.hint


def test_a_folder_without_a_tagger_says_what_should_be_in_it(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BocetoError) as error:
        resolve(str(tmp_path / "empty"))
    assert "selected_tags.csv" in error.value.detail


def test_any_folder_of_a_tagger_can_be_given(tmp_path):
    folder = put(tmp_path / "mine")
    assert resolve(str(folder)).model == folder / "model.onnx"
    assert resolve(str(folder / "model.onnx")).model == folder / "model.onnx"


def test_the_fingerprint_tells_models_of_the_same_size_apart(tmp_path):
    folder = put(tmp_path / "mine", content=b"a" * 3_000_000)
    first = resolve(str(folder)).fingerprint()
    assert resolve(str(folder)).fingerprint() == first
    for changed in (b"b" + b"a" * 2_999_999, b"a" * 2_999_999 + b"b", b"a" * 3_000_001):
        (folder / "model.onnx").write_bytes(changed)
        assert resolve(str(folder)).fingerprint() != first
    (folder / "model.onnx").write_bytes(b"a" * 3_000_000)
    (folder / "selected_tags.csv").write_bytes(b"tag_id,name,category,count\n1,x,0,1\n")
    assert resolve(str(folder)).fingerprint() != first
