"""What a LoRA file says, and what it keeps to itself."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

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
