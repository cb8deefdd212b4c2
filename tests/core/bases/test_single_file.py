"""A base in one file: told by its header, and loaded to the same weights as a folder."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from core.bases import load
from core.bases.base import Base, fingerprint
from core.bases.header import read
from core.bases.single_file import look
from core.captions.tokens import Tokenizer
from core.errors import BocetoError
from tests.core.bases import ldm
from tests.core.bases.files import Shapes, header, sdxl

ROOT = Path(__file__).parents[3]
MINI = ROOT / "core/bases/mini/model"
CPU = torch.device("cpu")
UNET = "model.diffusion_model."


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base in the box as one file."""
    return ldm.write(MINI, tmp_path_factory.mktemp("models") / "small.safetensors")


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return sdxl()


@pytest.fixture(autouse=True)
def english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_single_file_gives_the_same_weights_as_the_folder(single: Path, dtype: torch.dtype) -> None:
    file, folder = Base.open(single), Base.open(MINI)
    parts: list[Callable[[Base], tuple[torch.nn.Module, ...]]] = [
        lambda base: (load.unet(base, CPU, dtype), load.vae(base, CPU, dtype)),
        lambda base: load.text_encoders(base, CPU, dtype),
    ]
    for part in parts:
        for ours, theirs in zip(part(file), part(folder), strict=True):
            given, wanted = ours.state_dict(), theirs.state_dict()
            assert given.keys() == wanted.keys()
            assert all(torch.equal(given[name], wanted[name]) for name in wanted)
            assert {value.dtype for value in given.values()} == {value.dtype for value in wanted.values()}
            assert not ours.training
            assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_a_single_file_reads_captions_as_the_folder_does(single: Path) -> None:
    texts = ["a hat!, red", "¡hola! 2 cats", ""]
    for ours, theirs in zip(load.tokenizers(Base.open(single)), load.tokenizers(Base.open(MINI)), strict=True):
        assert [ours.chunks(text) for text in texts] == [theirs.chunks(text) for text in texts]
    encoded = [
        [encoder(torch.tensor([[1601, *range(20), 1602]])).last_hidden_state for encoder in encoders]
        for encoders in (load.text_encoders(Base.open(path), CPU, torch.float32) for path in (single, MINI))
    ]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*encoded, strict=True))


def test_the_small_file_is_described_as_its_folder_is(single: Path) -> None:
    file, folder = Base.open(single), Base.open(MINI)
    assert (file.id, file.name, file.path, file.like) == (str(single), "small", single, "mini")
    for fact in ("native", "vae_factor", "multiple", "latent_channels", "prediction", "text_widths", "pooled_width"):
        assert getattr(file, fact) == getattr(folder, fact)


def test_sdxl_in_one_file_is_told_by_its_header_alone(shapes: Shapes, tmp_path: Path) -> None:
    base = Base.open(header(tmp_path / "ours.safetensors", shapes))
    assert (base.native, base.vae_factor, base.multiple, base.latent_channels) == (1024, 8, 32, 4)
    assert (base.text_widths, base.pooled_width, base.like) == ((768, 1280), 1280, "sdxl")
    assert (base.prediction, base.zero_terminal_snr, base.force_zeros_for_empty_prompt) == ("epsilon", False, True)


def test_a_header_as_long_as_sdxl_has_takes_no_time(shapes: Shapes, tmp_path: Path) -> None:
    file = header(tmp_path / "ours.safetensors", shapes | {f"first_stage_model.{n}": (n,) for n in range(900)})
    look(file)
    started = time.perf_counter()
    look(file)
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize(
    ("more", "metadata", "predicted"),
    [
        ((), {}, ("epsilon", False)),
        (("v_pred",), {}, ("v_prediction", False)),
        (("v_pred", "ztsnr"), {}, ("v_prediction", True)),
        ((), {"modelspec.prediction_type": "v"}, ("v_prediction", False)),
        (("ztsnr",), {"modelspec.prediction_type": "v"}, ("v_prediction", True)),
        ((), {"modelspec.prediction_type": "epsilon"}, ("epsilon", False)),
    ],
)
def test_a_file_that_predicts_velocity_says_so(
    shapes: Shapes, tmp_path: Path, more: tuple[str, ...], metadata: dict[str, str], predicted: tuple[str, bool]
) -> None:
    base = Base.open(header(tmp_path / "x.safetensors", shapes | dict.fromkeys(more, ()), metadata=metadata))
    assert (base.prediction, base.zero_terminal_snr) == predicted


def test_what_a_file_predicts_reaches_the_noise_schedule_and_the_fingerprint(tmp_path: Path) -> None:
    plain = Base.open(ldm.write(MINI, tmp_path / "eps.safetensors"))
    flags = {"v_pred": torch.empty(0), "ztsnr": torch.empty(0)}
    velocity = Base.open(ldm.write(MINI, tmp_path / "v.safetensors", **flags))
    schedule = load.scheduler(velocity)
    assert schedule.config.prediction_type == "v_prediction"
    assert schedule.alphas_cumprod[-1] < 1e-6
    assert load.scheduler(plain).alphas_cumprod[-1] > 1e-3
    assert load.scheduler(velocity, timestep_spacing="trailing").config.timestep_spacing == "trailing"
    assert fingerprint(velocity) != fingerprint(plain)


def changed(shapes: Shapes, **new: tuple[int, ...]) -> Shapes:
    return shapes | {UNET + name.replace("__", "."): shape for name, shape in new.items()}


def without(shapes: Shapes, beginning: str) -> Shapes:
    return {name: shape for name, shape in shapes.items() if not name.startswith(beginning)}


def older(context: int) -> Shapes:
    return {
        f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, context),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    }


def refiner(_sdxl: Shapes) -> Shapes:
    return older(1280) | {f"{UNET}label_emb.0.0.weight": (1536, 2560), f"{UNET}input_blocks.0.0.weight": (384, 4, 3, 3)}


def inpainting(sdxl: Shapes) -> Shapes:
    return sdxl | {f"{UNET}input_blocks.0.0.weight": (320, 9, 3, 3)}


def instructed(sdxl: Shapes) -> Shapes:
    return sdxl | {f"{UNET}input_blocks.0.0.weight": (320, 8, 3, 3)}


def cut_down(sdxl: Shapes) -> Shapes:
    return {name: shape for name, shape in sdxl.items() if ".transformer_blocks.9." not in name}


def deeper(sdxl: Shapes) -> Shapes:
    more = {name.replace("_blocks.9.", "_blocks.10."): shape for name, shape in sdxl.items() if "_blocks.9." in name}
    return sdxl | more


def edm(sdxl: Shapes) -> Shapes:
    return sdxl | {"edm_mean": (1, 4, 1, 1)}


def blind(sdxl: Shapes) -> Shapes:
    return without(without(sdxl, "conditioner.embedders.0"), "first_stage_model.encoder")


def other_vae(sdxl: Shapes) -> Shapes:
    return sdxl | {"first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3)}


def only_unet(sdxl: Shapes) -> Shapes:
    return {name.removeprefix(UNET): shape for name, shape in sdxl.items() if name.startswith(UNET)}


OTHERS: dict[str, Callable[[Shapes], Shapes]] = {
    "Stable Diffusion 1": lambda _: older(768),
    "Stable Diffusion 2": lambda _: older(1024),
    "SDXL's refiner": refiner,
    "made for inpainting": inpainting,
    "takes 8 channels where SDXL's takes 4": instructed,
    "cut down or changed": cut_down,
    "its UNet has other layers": deeper,
    "another noise schedule": edm,
    "lacks its first text encoder, the encoder of its VAE": blind,
    "another size than SDXL's: the decoder of its VAE": other_vae,
    "only the UNet of SDXL": only_unet,
    "It is a LoRA": lambda _: {"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": (8, 640)},
    "It is a LoRA: a small change": lambda _: {"unet.down_blocks.1.attentions.0.proj_in.lora_A.weight": (8, 640)},
    "It is a LoRA: a small": lambda _: {"lora_te1_text_model_encoder_layers_0_mlp_fc1.hada_w1_a": (8, 8)},
    "It is an embedding": lambda _: {"clip_g": (4, 1280), "clip_l": (4, 768)},
    "It is a ControlNet": lambda _: {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)},
    "It is a VAE": lambda _: {"decoder.conv_in.weight": (512, 4, 3, 3), "encoder.conv_in.weight": (128, 3, 3, 3)},
    "It is a VAE: the part": lambda _: {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)},
    "It is a text encoder": lambda _: {"text_model.encoder.layers.0.mlp.fc1.weight": (3072, 768)},
    "Stable Diffusion 3": lambda _: {f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)},
    "FLUX": lambda _: {"double_blocks.0.img_attn.qkv.weight": (9216, 3072)},
    "FLUX, another family": lambda _: {f"{UNET}double_blocks.0.img_attn.qkv.weight": (9216, 3072)},
    "It holds no weights": lambda _: {},
    "one is called “body.0.weight”": lambda _: {"body.0.weight": (64, 3, 3, 3)},
}


@pytest.mark.parametrize("words", OTHERS)
def test_what_is_no_sdxl_base_is_told_what_it_is_instead(words: str, shapes: Shapes, tmp_path: Path) -> None:
    with pytest.raises(BocetoError) as refused:
        look(header(tmp_path / "x.safetensors", OTHERS[words](shapes)))
    assert words in refused.value.detail
    assert refused.value.hint


@pytest.mark.parametrize(("dtype", "words"), [("F8_E4M3", "fp8"), ("F8_E5M2", "fp8"), ("U8", "a few bits")])
def test_weights_too_coarse_to_train_on_are_refused(shapes: Shapes, tmp_path: Path, dtype: str, words: str) -> None:
    with pytest.raises(BocetoError, match=words):
        look(header(tmp_path / "x.safetensors", shapes, dtype))


def write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


NO_MODELS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "gguf": ("GGUF", lambda: b"GGUF" + bytes(100)),
    "a pickle under another name": ("Python pickle", lambda: pickle.dumps({"state_dict": list(range(100))})),
    "an archive of PyTorch's": ("Python pickle", lambda: b"PK\x03\x04" + b"archive/data.pkl" * 10),
    "a web page": ("web page", lambda: b"<!DOCTYPE html><html>Sign in</html>" * 4),
    "a refusal": ("web page", lambda: b'{"error":"Unauthorized","message":"You need to log in"}'),
    "git's note": (
        "Git LFS",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a",
    ),
    "nothing": ("no safetensors file", lambda: b""),
    "too short": ("no safetensors file", lambda: b"\x02\0\0"),
    "a header longer than the file": ("no safetensors file", lambda: b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"),
    "no JSON": ("no safetensors file", lambda: framed(b"{'a': 1}")),
    "a list": ("no safetensors file", lambda: framed(b"[1, 2]")),
    "nested beyond reason": ("no safetensors file", lambda: framed(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    "numbers beyond reason": ("no safetensors file", lambda: framed(tensor(shape="[1e999]"))),
    "a long number": ("no safetensors file", lambda: framed(tensor(shape="[" + "9" * 5000 + "]"))),
    "a negative place": ("no safetensors file", lambda: framed(tensor(offsets="[-1, -5]"))),
    "halves of characters": ("no safetensors file", lambda: framed(b'{"\\ud800": 1}')),
    "no text": ("no safetensors file", lambda: framed(b'{"\xff\xfe": 1}')),
    "a part only": ("bytes where", lambda: framed(tensor(offsets="[0, 4000]"))),
}


def framed(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def tensor(shape: str = "[1]", offsets: str = "[0, 0]") -> bytes:
    return f'{{"a": {{"dtype": "F16", "shape": {shape}, "data_offsets": {offsets}}}}}'.encode()


@pytest.mark.parametrize("kind", NO_MODELS)
def test_files_that_are_no_models_are_refused_in_words(kind: str, tmp_path: Path) -> None:
    words, content = NO_MODELS[kind]
    with pytest.raises(BocetoError, match=words):
        look(write(tmp_path / "x.safetensors", content()))


@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".PTH", ".bin"])
def test_a_pickle_is_refused_by_its_name_and_never_read(ending: str, tmp_path: Path) -> None:
    with pytest.raises(BocetoError, match="can carry harmful code") as refused:
        Base.open(write(tmp_path / f"model{ending}", b""))
    assert ".safetensors" in refused.value.hint


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_at_all_make_it_stumble(tmp_path_factory: pytest.TempPathFactory, content: bytes, frame: bool) -> None:
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(framed(content) if frame else content)
    with pytest.raises(BocetoError):
        look(file)


names = st.text(max_size=30) | st.sampled_from(
    ["model.diffusion_model.input_blocks.0.0.weight", "__metadata__", "conv_in.weight", "attn2.to_k.weight", "clip_g"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
entry = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F16", "F8_E4M3", "Q4", ""]),
        "shape": st.lists(st.integers(0, 2**60), max_size=5),
        "data_offsets": st.just([0, 0]),
    }
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(names, entry | anything, max_size=6))
def test_no_header_at_all_makes_it_stumble(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    file = tmp_path_factory.getbasetemp() / "hostile.safetensors"
    file.write_bytes(framed(json.dumps(content).encode("utf-8", "surrogatepass")))
    with pytest.raises(BocetoError):
        look(file)


@pytest.mark.parametrize(
    ("part", "layer"),
    [
        ("unet", f"{UNET}time_embed.0.weight"),
        ("vae", "first_stage_model.decoder.conv_out.bias"),
        ("text_encoders", "conditioner.embedders.1.model.transformer.resblocks.1.ln_2.weight"),
    ],
)
def test_a_file_that_lacks_a_layer_is_told_when_it_is_loaded(part: str, layer: str, tmp_path: Path) -> None:
    file = ldm.write(MINI, tmp_path / "hole.safetensors")
    tensors = load_file(file)
    del tensors[layer]
    save_file(tensors, file)
    base = Base.open(file)
    with pytest.raises(BocetoError, match="Some of its layers are not in the file"):
        getattr(load, part)(base, CPU, torch.float32)


def test_each_part_of_a_single_file_has_a_fingerprint_that_follows_the_file(single: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(single.read_bytes())
    base = Base.open(copy)
    before = {part: fingerprint(base, part) for part in ("unet", "vae", "text_encoders", None)}
    assert len(set(before.values())) == len(before)
    assert before == {part: fingerprint(Base.open(single), part) for part in before}
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    assert not set(before.values()) & {fingerprint(base, part) for part in before}


def test_sdxl_has_the_vocabulary_of_clip() -> None:
    base_tokens = Tokenizer.open(ROOT / "core/bases/sdxl/tokenizer")
    assert base_tokens.ids("a photo of a cat") == [320, 1125, 539, 320, 2368]  # as OpenAI's CLIP counts them
    assert (base_tokens.beginning, base_tokens.end, base_tokens.padding) == (49406, 49407, 49407)


def test_the_tokenizers_of_single_files_agree_with_transformers(shapes: Shapes, tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    ours = load.tokenizers(Base.open(header(tmp_path / "x.safetensors", shapes)))
    files = {name: str(ROOT / "core/bases/sdxl/tokenizer" / name) for name in ("vocab.json", "merges.txt")}
    texts = ["a photo of a cat", "1girl, ^_^, score_9", "¡Añil! straße 2½", "日本語", "it's"]
    for tokenizer, padding in zip(ours, ("<|endoftext|>", "!"), strict=True):
        theirs = CLIPTokenizer(files["vocab.json"], files["merges.txt"], pad_token=padding)
        for text in texts:
            assert tokenizer.ids(text) == theirs(text, add_special_tokens=False)["input_ids"]
    assert (ours[0].padding, ours[1].padding) == (49407, 0)


def test_the_vocabulary_fits_into_the_package() -> None:
    folder = ROOT / "core/bases/sdxl"
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 1_500_000
    assert "OpenAI" in (folder / "LICENSES.md").read_text()


def test_a_single_file_is_opened_without_torch(single: Path) -> None:
    code = (
        f"import sys; from core.bases.find import resolve; resolve({str(single)!r}); "
        "print(*({'torch', 'diffusers', 'transformers', 'safetensors', 'huggingface_hub', 'numpy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert shown.stdout.strip() == ""


def test_metadata_that_is_not_text_is_left_out(tmp_path: Path) -> None:
    file = write(tmp_path / "x.safetensors", framed(b'{"__metadata__": {"a": 1, "b": "two", "c": null}}'))
    assert read(file).metadata == {"b": "two"}
