"""What a LoRA file says, and what it keeps to itself."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from core.lora.metadata import metadata
from core.plan.frozen import FrozenPlan, freeze
from tests.conftest import SHORT, small_project


@pytest.fixture
def frozen(tmp_path: Path) -> FrozenPlan:
    return freeze(*small_project(tmp_path / "my secret client", replace(SHORT, conv_rank=2)))


def said(frozen: FrozenPlan) -> dict[str, str]:
    return metadata(frozen, step=3, epoch=1, total=6, chunks=1, precision="fp32")


def test_other_tools_find_what_they_look_for(frozen: FrozenPlan) -> None:
    found = said(frozen)
    assert found["ss_base_model_version"] == "sdxl_base_v1-0"
    assert found["ss_network_module"] == "networks.lora"
    assert (found["ss_network_dim"], found["ss_network_alpha"]) == ("4", "2.0")
    assert json.loads(found["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "1.0"}
    assert found["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert found["modelspec.trigger_phrase"] == "houtline"
    assert (found["ss_steps"], found["ss_epoch"], found["ss_max_train_steps"]) == ("3", "1", "6")
    assert json.loads(found["ss_tag_frequency"])["dataset"]["houtline"] == len(frozen.trained)
    assert all(isinstance(value, str) for value in found.values())


def test_no_name_of_a_file_or_folder_leaves_unless_asked(frozen: FrozenPlan) -> None:
    whole = json.dumps(said(replace(frozen, project="x")))
    names = {drawing.name for drawing in frozen.drawings}
    assert not [name for name in (*names, "my secret client", "/tmp", str(Path.home())) if name in whole]
    asked = replace(frozen, dataset="/somewhere/flowers", plan=replace(frozen.plan, file_names=True))
    assert "flowers" in said(asked)["ss_tag_frequency"]


def test_tag_counts_stay_at_home_when_told_so(frozen: FrozenPlan) -> None:
    quiet = replace(frozen, plan=replace(frozen.plan, tag_counts=False))
    assert "ss_tag_frequency" not in said(quiet)
    assert frozen.drawings[0].caption not in json.dumps(said(quiet))


def test_the_same_training_says_the_same(frozen: FrozenPlan) -> None:
    assert said(frozen) == said(frozen)


def test_regularisation_drawings_are_counted_and_their_folder_stays_at_home(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    Image.effect_noise((80, 80), 90).save(tmp_path / "private" / "a.png")
    plan = replace(SHORT, regularisation=str(tmp_path / "private"))
    found = said(freeze(*small_project(tmp_path / "small", plan)))
    assert found["ss_num_reg_images"] == "1" and "private" not in json.dumps(found)
    assert [subset["is_reg"] for subset in json.loads(found["ss_datasets"])[0]["subsets"]] == [False, True]


def test_a_dora_is_said_in_the_words_of_lycoris(frozen: FrozenPlan) -> None:
    found = said(replace(frozen, plan=replace(frozen.plan, dora=True, conv_rank=0, conv_alpha=None)))
    assert found["ss_network_module"] == "lycoris.kohya"
    assert json.loads(found["ss_network_args"])["dora_wd"] == "True"
