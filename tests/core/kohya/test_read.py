"""Trainings of other tools as plans: the notebook's files, kohya_ss, a LoRA, and whatever calls itself one of them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as some
from msgspec.structs import replace
from safetensors.numpy import save_file

from core.errors import BocetoError, Severity
from core.kohya.likeness import Likeness, likeness
from core.kohya.read import read
from core.kohya.said import Said
from core.lora.metadata import metadata
from core.plan.frozen import freeze
from core.settings import Plan
from tests.conftest import SHORT, small_project

NOTEBOOK: dict[str, dict[str, Any]] = {
    "network_arguments": {
        "unet_lr": 3e-4,
        "text_encoder_lr": 6e-5,
        "network_dim": 16,
        "network_alpha": 8,
        "network_module": "networks.lora",
        "network_args": ["conv_dim=16", "conv_alpha=8"],
        "network_train_unet_only": False,
    },
    "optimizer_arguments": {
        "learning_rate": 3e-4,
        "lr_scheduler": "cosine_with_restarts",
        "lr_scheduler_num_cycles": 3,
        "lr_warmup_steps": 100,
        "optimizer_type": "AdamW8bit",
        "optimizer_args": ["weight_decay=0.1", "betas=[0.9,0.99]"],
        "loss_type": "l2",
        "max_grad_norm": 1.0,
    },
    "training_arguments": {
        "lowram": True,
        "pretrained_model_name_or_path": "/content/ponyDiffusionV6XL.safetensors",
        "vae": "/content/sdxl_vae.safetensors",
        "max_train_epochs": 10,
        "train_batch_size": 4,
        "seed": 42,
        "max_token_length": 225,
        "xformers": False,
        "sdpa": True,
        "min_snr_gamma": 8.0,
        "gradient_checkpointing": True,
        "gradient_accumulation_steps": 1,
        "mixed_precision": "fp16",
        "full_fp16": True,
        "cache_latents": True,
        "min_timestep": 0,
        "max_timestep": 1000,
        "prior_loss_weight": 1.0,
        "multires_noise_iterations": 6,
        "multires_noise_discount": 0.3,
    },
    "saving_arguments": {
        "save_precision": "fp16",
        "save_model_as": "safetensors",
        "save_every_n_epochs": 1,
        "save_last_n_epochs": 10,
        "output_name": "my_style",
        "output_dir": "/content/drive/MyDrive/Loras/my_style/output",
        "log_prefix": "my_style",
    },
}
"""What the guide's XL notebook writes, a LoCon for a style."""
NOTEBOOK_DATASET = {
    "general": {
        "resolution": 1024,
        "shuffle_caption": True,
        "keep_tokens": 1,
        "flip_aug": False,
        "caption_extension": ".txt",
        "enable_bucket": True,
        "bucket_no_upscale": False,
        "bucket_reso_steps": 64,
        "min_bucket_reso": 256,
        "max_bucket_reso": 4096,
    },
    "datasets": [{"subsets": [{"num_repeats": 2, "image_dir": "/content/drive/MyDrive/Loras/my_style/dataset"}]}],
}
GUI: dict[str, Any] = {
    "LoRA_type": "Standard",
    "adaptive_noise_scale": 0,
    "bucket_no_upscale": False,
    "caption_dropout_rate": 0,
    "clip_skip": "1",
    "conv_alpha": 32,
    "conv_dim": 32,
    "epoch": 160,
    "flip_aug": False,
    "gradient_checkpointing": True,
    "keep_tokens": "0",
    "learning_rate": 1.0,
    "lora_network_weights": "",
    "lr_scheduler": "cosine",
    "lr_scheduler_num_cycles": "",
    "lr_scheduler_power": "",
    "lr_warmup": 10,
    "max_resolution": "1024,1024",
    "max_timestep": 1000,
    "max_token_length": "75",
    "max_train_epochs": "",
    "min_snr_gamma": 5,
    "mixed_precision": "bf16",
    "multires_noise_discount": 0,
    "multires_noise_iterations": 0,
    "network_alpha": 16,
    "network_dim": 32,
    "noise_offset": 0.0357,
    "optimizer": "Prodigy",
    "optimizer_args": "weight_decay=0.01 decouple=True d0=0.0001 use_bias_correction=True",
    "prior_loss_weight": 1.0,
    "save_every_n_epochs": 10,
    "save_precision": "bf16",
    "scale_weight_norms": 5,
    "sdxl": True,
    "seed": "",
    "shuffle_caption": False,
    "text_encoder_lr": 1.0,
    "train_batch_size": 8,
    "unet_lr": 1.0,
    "weighted_captions": False,
    "xformers": "xformers",
}
"""A preset of kohya_ss: numbers as text, 0 and "" for off, the warm-up in per cent, the size of layers not in use."""


def codes(found: Likeness) -> set[str]:
    return {problem.code for problem in found.problems}


def write(folder: Path, training: dict[str, Any], dataset: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "training_config.toml").write_text(tomli_w.dumps(training), "utf-8")
    if dataset:
        (folder / "dataset_config.toml").write_text(tomli_w.dumps(dataset), "utf-8")
    return folder / "training_config.toml"


def changed(**options: Any) -> dict[str, dict[str, Any]]:
    """The notebook's tables with other options."""
    tables = {name: dict(table) for name, table in NOTEBOOK.items()}
    for key, value in options.items():
        table = next((table for table in tables.values() if key in table), tables["training_arguments"])
        table.pop(key, None)
        if value is not None:
            table[key] = value
    return tables


def lora(path: Path, said: dict[str, str], *modules: str) -> Path:
    tensors = {}
    for module in modules or ("lora_unet_input_blocks_4_1_proj_in",):
        tensors[f"{module}.lora_down.weight"] = np.zeros((4, 8), np.float32)
        tensors[f"{module}.lora_up.weight"] = np.zeros((8, 4), np.float32)
    save_file(tensors, path, said)
    return path


def test_the_notebooks_files_are_a_plan(tmp_path: Path) -> None:
    found = read(write(tmp_path / "my_style", NOTEBOOK, NOTEBOOK_DATASET))
    # The notebook writes its warm-up in steps and its length in epochs: their ratio is not in the file.
    assert found.plan() == Plan(
        repeats=2,
        epochs=10,
        batch_size=4,
        optimizer="adamw8bit",
        learning_rate=3e-4,
        text_encoder_rate=6e-5,
        weight_decay=0.1,
        betas=(0.9, 0.99),
        scheduler="cosine_with_restarts",
        restarts=3,
        max_grad_norm=1.0,
        rank=16,
        alpha=8.0,
        conv_rank=16,
        conv_alpha=8.0,
        text_encoders=True,
        min_snr_gamma=8.0,
        multires_iterations=6,
        multires_discount=0.3,
        prior_pictures=0,
        held_out=0,
        shuffle_tags=True,
        keep_tokens=1,
        caption_chunks=3,
        resolution=1024,
        checkpointing=True,
        seed=42,
        keep_last=10,
    )
    assert found.answers == {
        "name": "my_style",
        "dataset": "/content/drive/MyDrive/Loras/my_style/dataset",
        "nested": False,
    }
    assert codes(found) == {"warmup", "full-precision", "base"}
    assert all(problem.severity is Severity.NOTE for problem in found.problems)
    # The folder, or the dataset's own file, are read as well.
    assert read(tmp_path / "my_style") == found
    drawings = read(tmp_path / "my_style" / "dataset_config.toml")
    assert drawings.choices["repeats"] == 2 and "rank" not in drawings.choices


def test_a_training_without_its_drawings_leaves_them_as_they_were(tmp_path: Path) -> None:
    found = read(write(tmp_path / "alone", NOTEBOOK))
    assert "no-dataset" in codes(found)
    assert not {"repeats", "keep_tokens", "shuffle_tags", "resolution"} & set(found.choices)
    assert found.plan(Plan(keep_tokens=2)).keep_tokens == 2


def test_what_is_not_said_is_what_sd_scripts_takes(tmp_path: Path) -> None:
    plan = read(
        write(
            tmp_path / "bare",
            {"a": {"max_train_epochs": 4}},
            {"datasets": [{"subsets": []}], "general": {"flip_aug": True}},
        )
    ).plan()
    assert (plan.rank, plan.alpha, plan.batch_size, plan.min_snr_gamma) == (4, 1.0, 1, 0.0)
    assert (plan.optimizer, plan.learning_rate, plan.weight_decay, plan.betas) == ("adamw", 2e-6, 0.01, (0.9, 0.999))
    assert (plan.scheduler, plan.warmup, plan.restarts, plan.caption_chunks) == ("constant", 0.0, 1, 1)
    assert (plan.repeats, plan.shuffle_tags, plan.keep_tokens, plan.text_encoders) == (1, False, 0, True)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"lr_warmup_steps": 0.05}, "warmup", 0.05),
        ({"lr_warmup_steps": 30, "max_train_epochs": None, "max_train_steps": 600}, "warmup", 0.05),
        ({"text_encoder_lr": 0}, "text_encoders", False),
        ({"text_encoder_lr": [0.0, 0.0]}, "text_encoders", False),
        ({"network_train_unet_only": True}, "text_encoders", False),
        ({"network_alpha": 0}, "alpha", 16.0),
        ({"lr_scheduler": "constant_with_warmup"}, "scheduler", "constant"),
        ({"lr_scheduler": "polynomial"}, "scheduler", "linear"),
        ({"lr_scheduler": "polynomial", "lr_scheduler_power": 3}, "scheduler", "polynomial"),
        ({"gradient_accumulation_steps": 3}, "batch_size", 12),
        ({"optimizer_type": "bitsandbytes.optim.AdamW8bit"}, "optimizer", "adamw8bit"),
        ({"max_token_length": 150}, "caption_chunks", 2),
        ({"save_precision": "float"}, "save_precision", "fp32"),
        ({"min_snr_gamma": None}, "min_snr_gamma", 0.0),
    ],
)
def test_the_same_is_said_in_many_ways(options: dict[str, Any], field: str, value: object, tmp_path: Path) -> None:
    assert read(write(tmp_path / "x", changed(**options))).choices[field] == value


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ({"optimizer_type": "DAdaptAdam"}, "optimizer", "DAdaptAdam"),
        ({"lr_scheduler": "polynomial", "lr_scheduler_power": 2}, "scheduler", "polynomial"),
        ({"lr_scheduler_type": "LoraEasy.RexAnnealing"}, "scheduler", "RexAnnealing"),
        ({"network_module": "lycoris.kohya", "network_args": ["algo=loha"]}, "other-network", "loha"),
        ({"network_args": ["block_dims=1,2"]}, "blocks", "block_dims"),
        ({"network_args": ["rank_dropout=0.1"]}, "layers", "rank_dropout"),
        ({"network_args": ["loraplus_lr_ratio=4"]}, "lora-plus", "loraplus"),
        ({"loss_type": "huber"}, "noise", "huber"),
        ({"max_timestep": 900}, "noise", "max_timestep = 900"),
        ({"token_warmup_step": 0.2}, "caption-options", "token_warmup_step"),
        ({"color_aug": True}, "drawing-options", "color_aug"),
        ({"network_dim": 1000}, "limits", "network_dim"),
        ({"train_batch_size": "many"}, "limits", "many"),
        ({"max_train_epochs": None}, "steps", "1600"),
        ({"network_weights": "/nowhere.safetensors"}, "beginning", "nowhere"),
        ({"text_encoder_lr": [1e-5, 2e-5]}, "two-text-encoders", "1e-05"),
        ({"learnig_rate": 1.0}, "unknown", "learnig_rate"),
        ({"debiased_estimation_loss": True}, "both-weights", "debiased"),
        ({"optimizer_args": ["eps=1e-7"]}, "optimizer-arguments", "eps"),
        ({"sample_prompts": "gone.txt"}, "prompts", "gone.txt"),
    ],
)
def test_what_has_no_counterpart_is_said(options: dict[str, Any], code: str, word: str, tmp_path: Path) -> None:
    found = read(write(tmp_path / "x", changed(**options), NOTEBOOK_DATASET))
    before = codes(read(write(tmp_path / "y", NOTEBOOK, NOTEBOOK_DATASET)))
    assert codes(found) - before == {code}
    assert word in next(problem.message for problem in found.problems if problem.code == code)


def test_rates_go_with_their_optimizer(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x", changed(optimizer_type="Lion"), NOTEBOOK_DATASET))
    assert not {"optimizer", "learning_rate", "text_encoder_rate", "betas", "weight_decay"} & set(found.choices)


def test_prompts_of_previews_are_read_from_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "x", changed(sample_prompts="prompts.txt", sample_every_n_epochs=2))
    (path.parent / "prompts.txt").write_text("# two\na cat --w 1024 --n bad\n\na dog\n")
    found = read(path)
    assert found.choices["preview_prompts"] == ("a cat", "a dog") and found.choices["preview_every"] == 2


def test_a_dataset_of_many_folders_is_the_folder_they_are_in(tmp_path: Path) -> None:
    subsets = [
        {"image_dir": "/art/ink", "num_repeats": 2},
        {"image_dir": "/art/more/pencil", "num_repeats": 2},
        {"image_dir": "/art/8_hands", "num_repeats": 8},
        {"image_dir": "/art/once", "num_repeats": 1},
        {"image_dir": "/reg", "num_repeats": 1, "is_reg": True},
    ]
    found = read(write(tmp_path / "x", NOTEBOOK, {**NOTEBOOK_DATASET, "datasets": [{"subsets": subsets}]}))
    assert (found.answers["dataset"], found.answers["nested"], found.choices["repeats"]) == ("/art", True, 2)
    assert {"repeats", "regularisation"} <= codes(found)


def test_a_preset_of_kohya_ss_is_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "preset.json"
    path.write_text(json.dumps(GUI))
    found = read(path)
    plan = found.plan()
    assert (plan.epochs, plan.batch_size, plan.rank, plan.alpha, plan.conv_rank) == (160, 8, 32, 16.0, 0)
    assert (plan.optimizer, plan.learning_rate, plan.text_encoder_rate) == ("prodigy", 1.0, 1.0)
    assert (plan.d0, plan.d_coef, plan.weight_decay) == (1e-4, 1.0, 0.01)
    assert (plan.scheduler, plan.warmup, plan.noise_offset) == ("cosine", 0.1, 0.0357)
    assert (plan.resolution, plan.caption_chunks, plan.keep_tokens, plan.shuffle_tags) == (1024, 1, 0, False)
    assert (plan.save_every, plan.save_precision, plan.scale_weight_norms) == (10, "bf16", 5.0)
    assert plan.seed == Plan().seed, "none is said"
    assert codes(found) == {"prodigy"}
    path.write_text(json.dumps({**GUI, "max_train_steps": "320", "LoRA_type": "Kohya LoCon"}))
    found = read(path)
    assert "epochs" not in found.choices and "steps" in codes(found)
    assert (found.choices["conv_rank"], found.choices["conv_alpha"]) == (32, 32.0)


def test_the_folders_of_kohya_ss_say_the_repeats(tmp_path: Path) -> None:
    (tmp_path / "img" / "12_word").mkdir(parents=True)
    (tmp_path / "img" / "log").mkdir()
    (tmp_path / "preset.json").write_text(json.dumps({**GUI, "train_data_dir": str(tmp_path / "img")}))
    found = read(tmp_path / "preset.json")
    assert found.choices["repeats"] == 12 and found.answers["dataset"] == str(tmp_path / "img" / "12_word")


def test_a_lora_of_ours_is_trained_again(tmp_path: Path) -> None:
    plan = replace(SHORT, conv_rank=2, text_encoders=True, caption_chunks=1, optimizer="prodigy", learning_rate=1.0)
    frozen = freeze(*small_project(tmp_path / "small", plan))
    said = metadata(frozen, step=6, epoch=2, total=6, chunks=1, precision="fp32")
    found = read(lora(tmp_path / "small.safetensors", said, "lora_unet_middle_block_1_proj_in", "lora_te1_x_fc1"))
    again, before = msgspec.structs.asdict(found.plan()), msgspec.structs.asdict(frozen.plan)
    # What no metadata tell: how the previews and the saving were, and what is added by the base.
    untold = {"prior_pictures", "preview_every", "save_precision", "restarts", "tag_orders", "save_every", "warmup"}
    assert {name for name in before if before[name] != again[name]} <= untold
    assert found.answers["activation_word"] == "houtline"


def test_a_lora_that_carries_its_whole_plan_gives_it_back(tmp_path: Path) -> None:
    frozen = freeze(*small_project(tmp_path / "small", replace(SHORT, restarts=7, save_every=2, ema=0.5)))
    said = metadata(frozen, step=6, epoch=2, total=6, chunks=3, precision="fp32")
    said["boceto.plan"] = msgspec.json.encode(frozen.plan).decode()
    found = read(lora(tmp_path / "small.safetensors", said))
    assert msgspec.structs.asdict(found.plan()) == msgspec.structs.asdict(frozen.plan)


def test_a_lora_of_sd_scripts_is_trained_again(tmp_path: Path) -> None:
    subset = {"img_count": 30, "num_repeats": 4, "flip_aug": False, "shuffle_caption": True, "keep_tokens": 2}
    said = {
        "ss_learning_rate": "0.0003",
        "ss_unet_lr": "0.0003",
        "ss_text_encoder_lr": "[6e-05, 6e-05]",
        "ss_num_epochs": "10",
        "ss_max_train_steps": "200",
        "ss_lr_warmup_steps": "10",
        "ss_lr_scheduler": "cosine_with_restarts",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "8",
        "ss_network_alpha": "4.0",
        "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=[0.9, 0.99])",
        "ss_max_token_length": "None",
        "ss_min_snr_gamma": "None",
        "ss_seed": "7",
        "ss_noise_offset": "None",
        "ss_gradient_checkpointing": "True",
        "ss_gradient_accumulation_steps": "1",
        "ss_datasets": json.dumps(
            [{"batch_size_per_device": 6, "resolution": [1024, 1024], "subsets": [{**subset, "image_dir": "my art"}]}]
        ),
        "ss_sd_model_name": "ponyDiffusionV6XL.safetensors",
    }
    found = read(lora(tmp_path / "theirs.safetensors", said))
    plan = found.plan()
    assert (plan.repeats, plan.epochs, plan.batch_size, plan.keep_tokens, plan.shuffle_tags) == (4, 10, 6, 2, True)
    assert (plan.optimizer, plan.betas, plan.weight_decay, plan.warmup) == ("adamw8bit", (0.9, 0.99), 0.1, 0.05)
    assert (plan.caption_chunks, plan.min_snr_gamma, plan.seed, plan.resolution) == (1, 0.0, 7, 1024)
    assert plan.text_encoders is False, "no layer of theirs is in the file"
    assert plan.restarts == Plan().restarts and "dataset" not in found.answers
    assert codes(found) == {"base"}
    whole = read(lora(tmp_path / "two.safetensors", said, "lora_unet_x", "lora_te2_text_model_x"))
    assert whole.choices["text_encoders"] is True and whole.choices["text_encoder_rate"] == 6e-5


def test_a_lora_that_says_nothing_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BocetoError, match="no training") as raised:
        read(lora(tmp_path / "silent.safetensors", {"ss_v2": "False"}))
    assert "left out or removed" in raised.value.detail and raised.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.toml", b""),
        ("broken.toml", b"a = ["),
        ("list.json", b"[1, 2]"),
        ("other.json", b'{"a": '),
        ("bytes.toml", b"\xff\xfe\x00"),
        ("deep.json", b'{"a":' + b"[" * 100_000),
        ("short.safetensors", b"\x01"),
        ("only-general.toml", b"[general]\n"),
    ],
)
def test_what_is_no_training_is_refused_in_words(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BocetoError) as raised:
        read(tmp_path / name)
    assert raised.value.title and raised.value.hint
    with pytest.raises(BocetoError):
        read(tmp_path / "nothing")
    with pytest.raises(BocetoError):
        read(tmp_path)


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({key for table in NOTEBOOK.values() for key in table} | set(GUI) | set(NOTEBOOK_DATASET["general"]))


@given(options=some.dictionaries(some.sampled_from(KEYS) | some.text(max_size=6), ANYTHING, max_size=12))
@settings(max_examples=200, deadline=None)
def test_no_value_however_wrong_is_more_than_a_problem(options: dict[str, Any]) -> None:
    found = likeness(Said(source=Path("/x/y.toml"), options=options, training=True, dataset=True))
    assert isinstance(found.plan(), Plan)
    assert all(problem.message for problem in found.problems)
    msgspec.convert(msgspec.structs.asdict(found.plan()), Plan)


@given(
    said=some.dictionaries(
        some.sampled_from(
            [
                "ss_datasets",
                "ss_optimizer",
                "ss_network_args",
                "ss_seed",
                "ss_lr_warmup_steps",
                "ss_dataset_dirs",
                "boceto.plan",
                "ss_num_epochs",
            ]
        ),
        some.text(max_size=30) | ANYTHING.map(json.dumps),
        max_size=6,
    )
)
@settings(max_examples=100, deadline=None)
def test_no_metadata_however_wrong_are_more_than_a_problem(
    said: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    said = {key: value.encode("utf-8", "replace").decode() for key, value in said.items()}
    path = lora(tmp_path_factory.mktemp("lora") / "x.safetensors", {**said, "ss_network_dim": "8"})
    assert isinstance(read(path).plan(), Plan)
