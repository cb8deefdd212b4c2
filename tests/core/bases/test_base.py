"""What a base is read from, what is refused and why, and its fingerprint."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.bases import weights as weights_module
from core.bases.base import Base, fingerprint
from core.bases.single_file import LIKE
from core.bases.weights import weights
from core.errors import BocetoError

MINI = Path(__file__).parents[3] / "core/bases/mini/model"


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """A copy of the base in the box, to be spoilt, and a cache of its own."""
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    return Path(shutil.copytree(MINI, tmp_path / "model"))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def as_sdxl(model: Path) -> Path:
    """The configs of SDXL 1.0 over the small weights: enough for what is read without loading."""
    for part in ("unet", "text_encoder", "text_encoder_2"):
        shutil.copy(LIKE["sdxl"] / part / "config.json", model / part / "config.json")
    change(model / "vae/config.json", block_out_channels=[128, 256, 512, 512])
    index = json.loads((model / "model_index.json").read_text())
    del index["force_zeros_for_empty_prompt"]
    (model / "model_index.json").write_text(json.dumps(index))
    return model


def test_the_base_in_the_box_is_described_by_its_own_configs():
    base = Base.open(MINI, id="mini")
    assert (base.id, base.path) == ("mini", MINI)
    assert (base.native, base.vae_factor, base.multiple, base.latent_channels) == (64, 4, 16, 4)
    assert (base.prediction, base.zero_terminal_snr, base.force_zeros_for_empty_prompt) == ("epsilon", False, False)


def test_sdxl_is_described_by_its_own_configs(model):
    base = Base.open(as_sdxl(model))
    assert (base.native, base.vae_factor, base.multiple, base.latent_channels) == (1024, 8, 32, 4)
    assert (base.text_widths, base.pooled_width) == ((768, 1280), 1280)
    assert base.force_zeros_for_empty_prompt  # SDXL's pipeline does so unless told otherwise
    assert base.id == str(model)


def test_a_model_that_predicts_velocity_says_so(model):
    change(model / "scheduler/scheduler_config.json", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    base = Base.open(model)
    assert (base.prediction, base.zero_terminal_snr) == ("v_prediction", True)


def sd15(model: Path) -> None:
    change(model / "model_index.json", _class_name="StableDiffusionPipeline")


def refiner(model: Path) -> None:
    change(model / "model_index.json", _class_name="StableDiffusionXLImg2ImgPipeline", text_encoder=[None, None])


def inpainting(model: Path) -> None:
    change(model / "unet/config.json", in_channels=9)


def edited_by_instruction(model: Path) -> None:
    change(model / "unet/config.json", in_channels=8)


def another_schedule(model: Path) -> None:
    change(model / "scheduler/scheduler_config.json", _class_name="EDMDPMSolverMultistepScheduler")


def another_prediction(model: Path) -> None:
    change(model / "scheduler/scheduler_config.json", prediction_type="sample")


def another_text_encoder(model: Path) -> None:
    change(model / "text_encoder/config.json", hidden_size=768)


def no_number(model: Path) -> None:
    change(model / "vae/config.json", latent_channels=None)


def no_unet_weights(model: Path) -> None:
    (model / "unet/diffusion_pytorch_model.safetensors").unlink()


def only_bin(model: Path) -> None:
    file = model / "vae/diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))


def half_downloaded(model: Path) -> None:
    file = model / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def link_into_nowhere(model: Path) -> None:
    file = model / "text_encoder_2/model.safetensors"
    file.unlink()
    file.symlink_to(model / "blobs" / "gone")


def no_config(model: Path) -> None:
    (model / "unet/config.json").unlink()


def garbled_config(model: Path) -> None:
    (model / "scheduler/scheduler_config.json").write_text("[1, 2")


def no_index(model: Path) -> None:
    (model / "model_index.json").unlink()


def nothing(model: Path) -> None:
    shutil.rmtree(model)


def single_file(model: Path) -> None:
    shutil.rmtree(model)
    model.write_bytes(b"a checkpoint in one file")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (sd15, "It calls itself StableDiffusionPipeline"),
        (refiner, "one text encoder where SDXL has two"),
        (inpainting, "made for inpainting"),
        (edited_by_instruction, "takes 8 channels and its VAE gives 4"),
        (another_schedule, "another noise schedule"),
        (another_prediction, "predicts “sample”"),
        (another_text_encoder, "does not take what its two text encoders give"),
        (no_number, "lack or garble a number"),
        (no_unet_weights, "unet” are missing"),
        (only_bin, "can carry harmful code"),
        (half_downloaded, "is not whole"),
        (link_into_nowhere, "could not be read"),
        (no_config, "is not whole"),
        (garbled_config, "is not whole"),
        (no_index, "has no model_index.json"),
        (nothing, "There is no base at"),
        (single_file, "is no safetensors file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_whole_sdxl_base_is_refused_in_words(model, spoil, words):
    spoil(model)
    with pytest.raises(BocetoError) as refused:
        Base.open(model)
    assert words in str(refused.value)
    assert refused.value.hint


def test_weights_in_half_precision_and_in_parts_are_found(model):
    plain = model / "vae/diffusion_pytorch_model.safetensors"
    half = plain.with_suffix(".fp16.safetensors")
    shutil.copy(plain, half)
    assert weights(model / "vae").variant is None
    plain.unlink()
    assert (weights(model / "vae").files, weights(model / "vae").variant) == ((half,), "fp16")

    whole = model / "unet/diffusion_pytorch_model.safetensors"
    parts = [whole.with_name(f"diffusion_pytorch_model-0000{n}-of-00002.safetensors") for n in (1, 2)]
    for part in parts:
        shutil.copy(whole, part)
    whole.unlink()
    index = {"weight_map": {"a": parts[1].name, "b": parts[0].name, "c": parts[1].name}}
    whole.with_suffix(".safetensors.index.json").write_text(json.dumps(index))
    assert weights(model / "unet").files == tuple(parts)
    assert Base.open(model).native == Base.open(MINI).native

    parts[0].unlink()
    with pytest.raises(BocetoError, match="could not be read"):
        Base.open(model)


def test_diffusers_takes_the_variant_that_we_name(model):
    from diffusers import AutoencoderKL

    plain = model / "vae/diffusion_pytorch_model.safetensors"
    plain.rename(plain.with_suffix(".fp16.safetensors"))
    assert AutoencoderKL.from_pretrained(model / "vae", variant=weights(model / "vae").variant)


def test_each_part_has_a_fingerprint_that_follows_its_own_files_only(model, tmp_path):
    parts = ("unet", "vae", "text_encoders")
    base = Base.open(model)
    before = {part: fingerprint(base, part) for part in parts} | {None: fingerprint(base)}
    assert len(set(before.values())) == 4

    def changed() -> set[str | None]:
        return {part for part in (*parts, None) if fingerprint(base, part) != before[part]}

    assert changed() == set()
    vae = model / "vae/diffusion_pytorch_model.safetensors"
    original = vae.read_bytes()
    vae.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    assert changed() == {"vae", None}
    vae.write_bytes(original)
    assert changed() == set()
    change(model / "vae/config.json", scaling_factor=0.5)
    assert changed() == {"vae", None}
    shutil.copy(MINI / "vae/config.json", model / "vae/config.json")
    change(model / "tokenizer_2/vocab.json", garabato=7)
    assert changed() == {"text_encoders", None}


def test_a_moved_base_keeps_its_fingerprint(model, tmp_path):
    before = fingerprint(Base.open(model))
    moved = model.rename(tmp_path / "elsewhere")
    assert fingerprint(Base.open(moved)) == before == fingerprint(Base.open(MINI))


def test_a_file_that_did_not_change_is_read_once(model, monkeypatch):
    base = Base.open(model)
    first = fingerprint(base)
    read = []
    monkeypatch.setattr(weights_module, "file_digest", lambda *_: read.append(1))
    assert fingerprint(base) == first
    assert not read


def test_a_damaged_note_of_a_fingerprint_means_reading_again(model, tmp_path):
    base = Base.open(model)
    first = fingerprint(base)
    notes = list((tmp_path / "cache/fingerprints").iterdir())
    assert notes
    for note in notes:
        note.write_bytes(b"{")
    assert fingerprint(base) == first


def test_a_base_is_opened_without_torch():
    code = (
        "import sys; from core.bases.find import resolve; import core.hardware; resolve('mini'); "
        "print(*({'torch', 'diffusers', 'transformers', 'safetensors', 'huggingface_hub'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert shown.stdout.strip() == ""
