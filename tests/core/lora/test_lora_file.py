"""The LoRA's file: exact bytes, the hashes other tools look for, and diffusers as an independent reader."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import safetensors.torch
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from core.bases.single_file import LIKE
from core.errors import BocetoError
from core.lora import file
from core.lora.header import read_metadata
from core.lora.keys import Layout, text_encoder_name, text_encoder_targets, unet_name, unet_targets

MINI = Path(__file__).parents[3] / "core/bases/mini/model"
METADATA = {"ss_output_name": 'garabato ñ \n \x01 "', "modelspec.title": "garabato", "ss_steps": "12"}


def some(modules: int = 2, width: int = 40, **first: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for number in range(modules):
        name = f"lora_unet_input_blocks_4_1_transformer_blocks_{number}_attn1_to_q"
        tensors[f"{name}.lora_up.weight"] = torch.randn(width, 4, generator=generator)
        tensors[f"{name}.lora_down.weight"] = torch.randn(4, width, generator=generator)
        tensors[f"{name}.alpha"] = torch.tensor(first.get("alpha", 2.0))
    return tensors


def test_what_was_saved_is_what_is_read(tmp_path):
    tensors = some()
    file.save(tmp_path / "a.safetensors", tensors, METADATA, torch.float32)
    read = file.read(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) and read[name].shape == tensors[name].shape for name in tensors)
    assert read_metadata(tmp_path / "a.safetensors").items() >= METADATA.items()
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_precision_holds_for_every_tensor_alpha_too(tmp_path):
    file.save(tmp_path / "a.safetensors", some(), {}, torch.float16)
    assert {tensor.dtype for tensor in file.read(tmp_path / "a.safetensors").values()} == {torch.float16}


def test_equal_input_gives_equal_bytes_in_whatever_order_it_comes(tmp_path):
    tensors = some(5)
    turned = dict(reversed(tensors.items()))
    views = {name: torch.stack([tensor, tensor])[1] for name, tensor in turned.items()}
    file.save(tmp_path / "a.safetensors", tensors, METADATA, torch.float32)
    file.save(tmp_path / "b.safetensors", views, dict(reversed(METADATA.items())), torch.float32)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize(("modules", "width"), [(2, 40), (60, 1280)], ids=["small", "beyond one MiB"])
def test_the_hashes_are_those_that_sd_scripts_would_write(tmp_path, modules, width):
    tensors = some(modules, width)
    file.save(tmp_path / "a.safetensors", tensors, METADATA, torch.float16)
    metadata = read_metadata(tmp_path / "a.safetensors")

    content = (tmp_path / "a.safetensors").read_bytes()
    data = content[8 + int.from_bytes(content[:8], "little") :]
    assert metadata["sshs_model_hash"] == sha256(data).hexdigest()

    half = {name: tensor.half() for name, tensor in tensors.items()}
    plain = safetensors.torch.save(half, {key: value for key, value in METADATA.items() if key.startswith("ss_")})
    assert metadata["sshs_legacy_hash"] == sha256(plain[0x100000:0x110000]).hexdigest()[:8]
    assert (len(plain) > 0x110000) == (modules == 60)  # else the hash would be that of nothing
    assert data == plain[8 + int.from_bytes(plain[:8], "little") :]


def test_metadata_is_read_without_torch(tmp_path):
    file.save(tmp_path / "a.safetensors", some(), METADATA, torch.float32)
    code = (
        "import sys; from pathlib import Path; from core.lora.header import read_metadata; "
        "print(read_metadata(Path(sys.argv[1]))['ss_steps'], 'torch' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.safetensors"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["12", "False"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70000.0])
def test_a_lora_that_came_apart_is_not_written_over_a_good_one(tmp_path, value):
    """70,000 is a number in fp32 and infinite in fp16."""
    path = tmp_path / "a.safetensors"
    file.save(path, some(), METADATA, torch.float16)
    before = path.read_bytes()
    with pytest.raises(BocetoError, match="come apart"):
        file.save(path, some(alpha=value), METADATA, torch.float16)
    assert path.read_bytes() == before


def broken(path: Path, kind: str) -> None:
    file.save(path, some(), METADATA, torch.float32)
    content = path.read_bytes()
    wrong = {
        "text": b"this is a shopping list, not a LoRA",
        "empty": b"",
        "page": b"<!DOCTYPE html><html>Sign in to download</html>",
        "no json": content[:8] + b"\x00" * (len(content) - 8),
        "wrong json": (8).to_bytes(8, "little") + b"[1,2,3] ",
        "cut in the header": content[:60],
        "cut in the tensors": content[:-7],
        "too long": content + b"\0",
        "no lora": safetensors.torch.save({"conv_in.weight": torch.zeros(3)}),
        "half a lora": safetensors.torch.save({"lora_unet_a.lora_down.weight": torch.zeros(3, 3)}),
        "other names": safetensors.torch.save({"unet.a.lora_A.weight": torch.zeros(3, 3)}),
    }
    path.write_bytes(wrong[kind])


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("text", "no safetensors file"),
        ("empty", "no safetensors file"),
        ("page", "no safetensors file"),
        ("no json", "no safetensors file"),
        ("wrong json", "no safetensors file"),
        ("cut in the header", "no safetensors file"),
        ("cut in the tensors", "not whole"),
        ("too long", "not whole"),
        ("no lora", "holds no LoRA"),
        ("half a lora", "holds no LoRA"),
        ("other names", "holds no LoRA"),
    ],
)
def test_what_is_no_lora_is_said_in_words(tmp_path, kind, title):
    broken(tmp_path / "a.safetensors", kind)
    for reader in (read_metadata, file.read):
        with pytest.raises(BocetoError, match=title):
            reader(tmp_path / "a.safetensors")


def test_a_missing_file_is_said_in_words(tmp_path):
    with pytest.raises(BocetoError, match="could not be read"):
        read_metadata(tmp_path / "nowhere.safetensors")


def pipeline() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline.from_pretrained(MINI, torch_dtype=torch.float32)


def layers(pipe: StableDiffusionXLPipeline, convolutions: bool, text_encoders: bool) -> dict[str, torch.nn.Module]:
    """Every layer that a LoRA trains, by its name in the file."""
    layout = Layout.of(pipe.unet.config)
    named = {unet_name(path, layout): pipe.unet.get_submodule(path) for path in unet_targets(pipe.unet, convolutions)}
    for which, encoder in ((1, pipe.text_encoder), (2, pipe.text_encoder_2)):
        for path in text_encoder_targets(encoder) if text_encoders else []:
            named[text_encoder_name(path, which)] = encoder.get_submodule(path)
    return named


def lora_for(named: dict[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    """Rank 4 and alpha 1; rank 2 and alpha 3 in the convolutions, so that a mixed-up scale shows."""
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for name, layer in named.items():
        wide = isinstance(layer, torch.nn.Conv2d) and layer.kernel_size != (1, 1)
        rank, alpha = (2, 3.0) if wide else (4, 1.0)
        out, *kernel = layer.weight.shape
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, *kernel, generator=generator) / 20
        tensors[f"{name}.lora_up.weight"] = torch.randn(out, rank, *([1] * (len(kernel) - 1)), generator=generator) / 20
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


def merge(named: dict[str, torch.nn.Module], tensors: dict[str, torch.Tensor]) -> None:
    """Add up · down · alpha ÷ rank to the weights: what the file means, by its definition."""
    for name, layer in named.items():
        up, down, alpha = (tensors[f"{name}.{part}"] for part in ("lora_up.weight", "lora_down.weight", "alpha"))
        layer.weight.data += (up.flatten(1) @ down.flatten(1)).reshape(layer.weight.shape) * alpha / len(down)


@torch.no_grad()
def outputs(pipe: StableDiffusionXLPipeline) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 1600, (2, 77), generator=generator)
    noise = torch.randn(2, 4, 16, 16, generator=generator)
    context = torch.randn(2, 77, pipe.unet.config.cross_attention_dim, generator=generator)
    pooled = torch.randn(2, pipe.text_encoder_2.config.projection_dim, generator=generator)
    conditions = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)}
    return {
        "unet": pipe.unet(noise, torch.tensor([500, 20]), context, added_cond_kwargs=conditions).sample,
        "text encoder": pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-2],
        "text encoder 2": pipe.text_encoder_2(ids, output_hidden_states=True).hidden_states[-2],
    }


@pytest.mark.parametrize(("convolutions", "text_encoders"), [(False, False), (True, True)], ids=["default", "all"])
def test_diffusers_loads_our_file_to_the_very_network_it_describes(tmp_path, convolutions, text_encoders):
    described, loaded = pipeline(), pipeline()
    before = outputs(described)
    named = layers(described, convolutions, text_encoders)
    file.save(tmp_path / "a.safetensors", lora_for(named), METADATA, torch.float32)
    merge(named, lora_for(named))
    loaded.load_lora_weights(str(tmp_path / "a.safetensors"))
    expected, got = outputs(described), outputs(loaded)
    for part, value in expected.items():
        torch.testing.assert_close(got[part], value, atol=2e-5, rtol=0)
        assert (value - before[part]).abs().max() > 0.03 or (part != "unet" and not text_encoders)


def test_diffusers_finds_every_layer_of_full_sdxl_under_our_names():
    settings = json.loads((LIKE["sdxl"] / "unet" / "config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(settings)
    paths = unet_targets(unet, convolutions=True)
    layout = Layout.of(settings)
    tensors = {
        f"{unet_name(path, layout)}.{part}.weight": torch.zeros(1)
        for path in paths
        for part in ("lora_down", "lora_up")
    }
    found, _ = StableDiffusionXLPipeline.lora_state_dict(tensors, unet_config=unet.config)
    theirs = {
        key.removeprefix("unet.").replace(".processor", "").replace("to_out_lora", "to_out.0_lora") for key in found
    }
    modules = {
        key.removesuffix(".down.weight").removesuffix(".lora").removesuffix("_lora")
        for key in theirs
        if "down.weight" in key
    }
    assert modules == set(paths)
