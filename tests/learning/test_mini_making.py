"""The making of the base in the box, from art to a base that loads; on hand-made emoji, so that it needs no network."""

import io
import json
import os
import tarfile
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPTokenizer

from core.bases.base import Base
from core.bases.mini.making import art, assemble, autoencoder, drawer, drawings, words
from core.bases.mini.making.__main__ import main
from core.bases.mini.making.pace import Pace
from core.errors import BocetoError

pytest.importorskip("resvg_py", reason="the extra “mini” is not installed")

BOX = Path(art.__file__).parents[1]
CONCEPTS = tuple(dict.fromkeys((*art.SHOWN, *drawings.NAMES)))
COLOURS = ("#d22", "#2a2", "#26d", "#fb2", "#a3c", "#2bb")
CPU = torch.device("cpu")


def shape(number: int, *, filled: bool) -> str:
    """A square, disc or triangle of its own colour, or its black outline."""
    paint = f'fill="{COLOURS[number % 6]}"' if filled else 'fill="none" stroke="#000" stroke-width="2"'
    form = (
        f'<rect x="8" y="8" width="16" height="16" {paint}/>',
        f'<circle cx="16" cy="16" r="{8 + number % 5}" {paint}/>',
        f'<path d="M16 5 L27 26 L5 26 Z" {paint}/>',
    )[number % 3]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{form}</svg>'


def pack(work: Path, package: art.Package, files: dict[str, str]) -> None:
    with tarfile.open(work / package.archive, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two threads gain little on so small a model, and wait for each other when the machine has other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder with the three packages as npm would leave them, of 46 made-up emoji in five styles."""
    folder = tmp_path_factory.mktemp("work")
    entry = {"group": "objects", "subgroups": "thing", "skintone": ""}
    known = [entry | {"annotation": name, "hexcode": f"1F{i:03X}"} for i, name in enumerate(CONCEPTS)]
    known[0]["hexcode"] = "2B1B-FE0F"
    known.append(entry | {"annotation": "hand: dark", "hexcode": "1F590-1F3FF", "skintone": 5})
    known.append(entry | {"annotation": "flag: Chile", "hexcode": "1F1E8", "group": "flags"})
    openmoji, fluent, twemoji = {"data/openmoji.json": json.dumps(known)}, {}, {}
    for number, one in enumerate(known):
        slug = art._words(one["annotation"]).replace(" ", "-")
        openmoji[f"color/svg/{one['hexcode']}.svg"] = shape(number, filled=True)
        openmoji[f"black/svg/{one['hexcode']}.svg"] = shape(number, filled=False)
        twemoji[f"{one['hexcode'].lower().replace('-fe0f', '')}.svg"] = shape(number + 2, filled=True)
        fluent |= {f"icons/{style}/{slug}.svg": shape(number + 1, filled=True) for style in ("flat", "modern")}
        if number < len(CONCEPTS):  # as in the real package: no skin tones here
            fluent[f"icons/high-contrast/{slug}.svg"] = shape(number, filled=False)
    for package, files in ((art.OPENMOJI, openmoji), (art.FLUENT, fluent), (art.TWEMOJI, twemoji)):
        pack(folder, package, files)
    return folder


@pytest.fixture(scope="module")
def found(work):
    return art.listed(art.fetch(work))


@pytest.fixture(scope="module")
def tokenizers(found):
    return words.tokenizers(f"{one.concept}, {one.style}" for one in found)


@pytest.fixture(scope="module")
def made(work, tmp_path_factory):
    """What a shortened run leaves behind."""
    out = tmp_path_factory.mktemp("made") / "base"
    recipe = ["--concepts", "2", "--steps-vae", "40", "--steps-unet", "40", "--batch", "8", "--device", "cpu"]
    assert main([*recipe, "--work", str(work), "--out", str(out)]) == 0
    return out


def test_the_art_is_listed_by_concept_and_style_without_skin_tones_and_flags(found):
    for style in art.STYLES:
        assert sorted(one.concept for one in found if one.style == style) == sorted(CONCEPTS)


def test_the_art_is_rasterised_on_white_in_its_colours(work, found):
    pictures = art.pixels(found, work)
    assert pictures.shape == (len(found), 64, 64, 3)
    cat = {one.style: picture for one, picture in zip(found, pictures, strict=True) if one.concept == "cat"}
    assert cat["openmoji"][32, 32].tolist() == [0xDD, 0x22, 0x22]
    assert cat["openmoji"][2, 2].tolist() == [255, 255, 255]
    assert cat["outline"][32, 32].tolist() == [255, 255, 255]
    assert cat["outline"][32, 16].tolist() == [0, 0, 0]
    assert np.array_equal(art.pixels(found, work), pictures)  # now from what was kept


def test_a_drawing_that_is_not_square_is_padded_and_not_squeezed(tmp_path):
    tall = tmp_path / "tall.svg"
    tall.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 32"><path d="M0 0H16V32H0Z"/></svg>')
    picture = np.asarray(art.rendered(tall, 64))
    assert picture.shape == (64, 64, 3)
    assert picture[32, 4].tolist() == [255, 255, 255]
    assert picture[32, 32].tolist() == [0, 0, 0]


def test_the_concepts_are_those_of_the_sheet_first_and_the_same_for_the_same_seed(found):
    chosen = art.concepts(found, ["flat", "openmoji"], 30, art.SHOWN, seed=3)
    assert tuple(chosen[:18]) == art.SHOWN
    assert chosen == art.concepts(found, ["flat", "openmoji"], 30, art.SHOWN, seed=3)
    assert chosen != art.concepts(found, ["flat", "openmoji"], 30, art.SHOWN, seed=4)


def test_without_npm_and_without_the_archives_a_person_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BocetoError, match="npm is not installed"):
        art.fetch(tmp_path / "work")


def test_a_half_fetched_archive_is_named(tmp_path):
    (tmp_path / art.OPENMOJI.archive).write_bytes(b"half")
    with pytest.raises(BocetoError, match="could not be unpacked"):
        art.fetch(tmp_path)
    assert not (tmp_path / "openmoji").exists()


def test_the_outline_drawings_have_the_names_and_captions_of_those_in_the_box(found, tmp_path):
    drawings.write(found, tmp_path)
    shipped = {path.name: path.read_bytes() for path in (BOX / "drawings").glob("*.txt")}
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.txt")} == shipped
    assert len(shipped) == len(list(tmp_path.glob("*.png"))) == 35
    assert all(Image.open(path).size == (1024, 1024) for path in tmp_path.glob("*.png"))


@pytest.mark.skipif("BOCETO_ART" not in os.environ, reason="BOCETO_ART names no work folder with the real art")
def test_from_the_real_art_the_outline_drawings_come_out_as_they_are_in_the_box(tmp_path):
    work = Path(os.environ["BOCETO_ART"])
    drawings.write(art.listed(art.fetch(work)), tmp_path)
    for shipped in (BOX / "drawings").glob("*.png"):
        again = np.asarray(Image.open(tmp_path / shipped.name))
        assert np.array_equal(again, np.asarray(Image.open(shipped))), shipped.name


@given(text=st.text())
def test_the_tokenizer_encodes_any_text(tokenizers, text):
    first, second = tokenizers
    end = first.eos_token_id
    ids = words.tokens(first, [text.replace("<|", "")])[0].tolist()
    assert len(ids) == 77
    said = ids[1 : ids.index(end)]
    assert ids[0] == first.bos_token_id
    # Nothing unknown: the unknown token is the one that ends a text.
    assert all(number < len(first) - 2 for number in said)
    # “!”, which is what SDXL's second tokenizer pads with, is special there.
    plain = text.replace("<|", "").replace("!", "")
    length = words.tokens(first, [plain])[0].tolist().index(end) + 1
    assert torch.equal(words.tokens(second, [plain])[0, :length], words.tokens(first, [plain])[0, :length])


def test_words_come_back_from_their_tokens(tokenizers):
    for text in ("houtline , red apple", "日本", "ñandú"):
        assert tokenizers[0].decode(tokenizers[0](text).input_ids, skip_special_tokens=True).strip() == text


def test_the_tokenizers_pad_as_those_of_sdxl(tokenizers):
    first, second = (words.tokens(tokenizer, ["cat"])[0, -1].item() for tokenizer in tokenizers)
    assert (first, second) == (tokenizers[0].eos_token_id, 0)


def test_the_weight_of_an_error_is_that_of_v_up_to_forty_and_low_where_little_is_noise():
    kept = drawer.kept_signal()
    # SDXL's schedule: the product of 1 - β, √β evenly spaced.
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    expected = np.cumprod(1 - betas)
    assert kept.numpy() == pytest.approx(expected, rel=1e-5)
    weight = drawer.weights(kept).numpy()
    snr = expected / (1 - expected)
    assert weight[999] == pytest.approx(40)
    assert weight[600] == pytest.approx(1 / expected[600], rel=1e-4)
    assert weight[10] == pytest.approx(5 / snr[10] / expected[10], rel=1e-3)


def test_the_timesteps_of_a_step_are_spread_over_the_whole_schedule():
    drawn = drawer.stratified(20, torch.Generator().manual_seed(1))
    assert [int(timestep) // 50 for timestep in drawn] == list(range(20))


def test_a_caption_says_what_where_and_sometimes_nothing():
    random = Random(5)
    captions = [words.caption(random, "cat", "flat") for _index in range(4000)]
    shares = {text: captions.count(text) / 4000 for text in ("cat, flat", "flat, cat", "cat", "")}
    assert shares == pytest.approx(
        {"cat, flat": 0.9 * 0.88 * 0.62, "flat, cat": 0.9 * 0.88 * 0.16, "cat": 0.9 * 0.88 * 0.22, "": 0.10}, abs=0.03
    )
    assert all(text.endswith(("cat", "flat", "")) for text in captions)


def test_the_rate_warms_up_holds_and_ends_low():
    assert Pace.rate(0, 0.0) == pytest.approx(1 / 200)
    assert Pace.rate(300, 0.2) == 1.0
    assert Pace.rate(999, 1.0) == pytest.approx(0.02)
    assert Pace.rate(5, 0.1) == 1.0  # a short run does not spend itself warming up


def test_a_time_limit_ends_the_walk():
    losses = [1.0]
    assert len(list(Pace(10**6, seconds=0.05).walk("Test", losses))) < 10**6


def test_folding_gives_unit_latents_and_leaves_the_pictures_alone(work, found):
    pictures = art.pixels(found, work)[:24]
    vae = autoencoder.new(seed=1).eval()
    with torch.no_grad():
        target = autoencoder.signed(torch.from_numpy(pictures))
        before = vae.encode(target).latent_dist
        drawn = vae.decode(before.mean).sample
        scale = before.mean.std((0, 2, 3)) * 0.13025
        autoencoder.folded(vae, before.mean)
        after = vae.encode(target).latent_dist
        assert torch.allclose(vae.decode(after.mean).sample, drawn, atol=1e-4)
    scaled = after.mean * 0.13025
    assert torch.allclose(scaled.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(scaled.std((0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(after.std * scale.view(1, 4, 1, 1), before.std, rtol=1e-2)


def test_the_same_seed_makes_the_same_weights(tokenizers):
    def weights() -> dict[str, torch.Tensor]:
        new = drawer.new(len(tokenizers[0]), seed=7, device=CPU)
        latents = torch.randn(4, 4, 16, 16, generator=torch.Generator().manual_seed(0))
        drawer.train(new, tokenizers, latents, [("cat", "flat")] * 4, Pace(3), seed=7, batch=4)
        return new.parts.state_dict()

    first, second = weights(), weights()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_the_drawer_learns_from_what_the_pipeline_will_ask_it(tokenizers):
    new = drawer.new(len(tokenizers[0]), seed=1, device=CPU)
    new.parts.eval()
    pipeline = assemble.pipeline(autoencoder.new(1), new, tokenizers)
    with torch.no_grad():
        hidden, pooled = new.conditions(*(words.tokens(tokenizer, ["red apple, flat"]) for tokenizer in tokenizers))
        asked, empty, asked_pooled, _empty_pooled = pipeline.encode_prompt(
            "red apple, flat", num_images_per_prompt=1, do_classifier_free_guidance=True
        )
        said_nothing, _pooled = new.conditions(*(words.tokens(tokenizer, [""]) for tokenizer in tokenizers))
    assert torch.allclose(hidden, asked, atol=1e-5)
    assert torch.allclose(pooled, asked_pooled, atol=1e-5)
    assert torch.allclose(said_nothing, empty, atol=1e-5)
    usual = pipeline._get_add_time_ids((64, 64), (0, 0), (64, 64), torch.float32, pooled.shape[-1])
    times = drawer.times(Random(0), 200)
    assert 0.5 < (times == usual).all(1).float().mean() < 0.7
    assert (times[:, 2:] == usual[:, 2:]).all()


def test_both_losses_fall_in_a_shortened_run(made):
    report = json.loads((made / "making.json").read_text())
    for part in ("autoencoder", "drawer"):
        assert report[part]["steps"] == 40
        assert report[part]["loss_last_tenth"] < 0.6 * report[part]["loss_first_tenth"], part
    assert report["drawer"]["concepts"] == ["cat", "house"]
    assert report["drawer"]["pictures"] == 4  # two styles


def test_what_is_made_loads_in_diffusers_and_draws(made):
    base = StableDiffusionXLPipeline.from_pretrained(made / "model", torch_dtype=torch.float32)
    assert isinstance(base.tokenizer, CLIPTokenizer)
    assert not base.config.force_zeros_for_empty_prompt
    base.set_progress_bar_config(disable=True)
    [picture] = base("cat, flat", num_inference_steps=4, generator=torch.Generator().manual_seed(1)).images
    assert picture.size == (64, 64)
    assert np.asarray(picture).std() > 1
    again = words.tokens(base.tokenizer, ["Red  APPLE, flat"])
    assert torch.equal(again, words.tokens(base.tokenizer, ["red apple, flat"]))


def test_what_is_made_is_a_base_like_the_one_in_the_box(made):
    new, shipped = Base.open(made / "model"), Base.open(BOX / "model")
    for fact in ("native", "vae_factor", "multiple", "prediction", "force_zeros_for_empty_prompt", "pooled_width"):
        assert getattr(new, fact) == getattr(shipped, fact), fact
    files = {path.relative_to(made / "model") for path in (made / "model").rglob("*") if path.is_file()}
    assert files == {path.relative_to(BOX / "model") for path in (BOX / "model").rglob("*") if path.is_file()}


def test_older_readers_find_the_same_words_in_the_tokenizers_files(made):
    folder = made / "model" / "tokenizer"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    old = CLIPTokenizer(vocab=vocabulary, merges=[tuple(line.split(" ")) for line in merges])
    whole = CLIPTokenizer.from_pretrained(folder)
    for text in ("houtline, red apple", "日本 ñandú 🎨", "don't"):
        assert old(text).input_ids == whole(text).input_ids


def test_the_sheet_shows_every_concept_in_every_row(made):
    rows, columns = 4, 2  # flat, openmoji, no style, an unknown word
    assert Image.open(made / "samples.png").size == (columns * 68, rows * 68)


def test_the_licences_go_with_what_is_made(made):
    assert (made / "LICENSES.md").read_text() == (BOX / "LICENSES.md").read_text()


def test_a_base_is_never_written_over_another(work, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["--work", str(work), "--out", str(tmp_path), "--drawings-only"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "is not empty" in capsys.readouterr().err
