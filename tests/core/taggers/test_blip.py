"""BLIP through a tiny checkpoint that is made here: real transformers, real files, no download."""

import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from core.errors import BocetoError, Problem
from core.taggers.blip import Blip, Pixels, plain
from core.taggers.tagger import Subject, Tagged
from core.training.device import choose

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a picture of cat dog red sitting on the grass there is arafed , .".split()
BEGIN = len(WORDS)
"""As in the published models, the token that begins a sentence is in no vocabulary."""
SIDE = 32


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP of 20,000 weights that says something, if nothing sensible."""
    folder = tmp_path_factory.mktemp("blip")
    torch.manual_seed(3)
    config = BlipConfig(
        text_config={
            "vocab_size": len(WORDS) + 2,
            "hidden_size": 16,
            "encoder_hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 96,
            "bos_token_id": BEGIN,
            "eos_token_id": WORDS.index("[SEP]"),
            "sep_token_id": WORDS.index("[SEP]"),
            "pad_token_id": WORDS.index("[PAD]"),
            "projection_dim": 16,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": 8,
            "projection_dim": 16,
        },
        projection_dim=16,
    )
    model = BlipForConditionalGeneration(config)
    for weights in model.parameters():  # as it is made, every drawing looks the same to it
        weights.data = torch.randn_like(weights) * 0.5
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"size": {"height": SIDE, "width": SIDE}, "image_processor_type": "BlipImageProcessor"})
    )
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which nothing can be reached."""

    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


def small(folder: Path) -> Blip:
    """The model with short sentences: as much is tested, in a tenth of the time."""
    return Blip.open(folder, 5, 12)


def drawings(folder: Path, count: int = 3) -> list[Subject]:
    made = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        made.append(Subject(f"{number}.png", folder / f"{number}.png"))
    return made


def seen(tagger: Blip, subjects: list[Subject]) -> list[Tagged | Problem]:
    return [item for batch in tagger.tag(subjects, Event()) for item in batch]


def test_every_drawing_gets_a_sentence_of_its_own_without_the_network(checkpoint, tmp_path, no_network):
    found = seen(Blip.open(checkpoint), drawings(tmp_path))
    assert [item.drawing for item in found] == ["0.png", "1.png", "2.png"]
    assert all(isinstance(item, Tagged) and item.sentence and not item.tags for item in found)
    assert len({item.sentence for item in found}) > 1, "it looked at the drawings"
    assert not any(special in item.sentence for item in found for special in ("[", "]"))


def test_the_answer_is_that_of_transformers_without_a_prompt(checkpoint, tmp_path):
    """What the model says to the reference's own pixels, asked as its documentation asks."""
    model = BlipForConditionalGeneration.from_pretrained(checkpoint).eval()
    tokenizer = BertTokenizer.from_pretrained(checkpoint)
    processor = BlipImageProcessorPil.from_pretrained(checkpoint)
    subjects = drawings(tmp_path)
    expected = []
    for subject in subjects:
        pixels = processor(Image.open(subject.path), return_tensors="pt")["pixel_values"]
        ids = model.generate(pixel_values=pixels, min_length=10, max_length=75, num_beams=3, do_sample=False)
        expected.append(plain(tokenizer.decode(ids[0], skip_special_tokens=True)))
    assert [item.sentence for item in seen(Blip.open(checkpoint), subjects)] == expected


@pytest.mark.parametrize("size", [(SIDE, SIDE), (500, 100), (7, 9), (1, 300)])
def test_pixels_are_those_of_transformers(checkpoint, size):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    theirs = BlipImageProcessorPil.from_pretrained(checkpoint)(image, return_tensors="np")["pixel_values"][0]
    ours = Pixels.read(checkpoint).of(image)
    assert ours.shape == theirs.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_batch_says_what_each_drawing_alone_would(checkpoint, tmp_path):
    tagger, subjects = small(checkpoint), drawings(tmp_path, 5)
    alone = [item.sentence for item in seen(tagger, subjects)]
    tagger._batch = 4
    assert [item.sentence for item in seen(tagger, subjects)] == alone


def test_half_precision_says_something_as_well(checkpoint, tmp_path, monkeypatch):
    """As on a GPU; its rounding may change a word."""
    monkeypatch.setattr("core.taggers.blip.choose", lambda: choose("bf16"))
    tagger = small(checkpoint)
    assert tagger._model.dtype == torch.bfloat16
    assert all(item.sentence for item in seen(tagger, drawings(tmp_path)))


def test_the_limits_of_length_are_kept(checkpoint, tmp_path):
    (subject,) = drawings(tmp_path, 1)

    def tokens(shortest: int, longest: int) -> int:
        tagger, counted = Blip.open(checkpoint, shortest, longest), []
        decode = tagger._tokenizer.batch_decode
        tagger._tokenizer.batch_decode = lambda ids, **named: counted.extend(map(len, ids)) or decode(ids, **named)
        seen(tagger, [subject])
        return counted[0]

    assert tokens(1, 6) <= 6
    assert 40 <= tokens(40, 50) <= 50


def test_a_drawing_that_cannot_be_opened_is_a_problem_and_the_rest_goes_on(checkpoint, tmp_path):
    subjects = drawings(tmp_path)
    subjects[1].path.write_bytes(b"no picture")
    tagger = small(checkpoint)
    for batch in (1, 8):
        tagger._batch = batch
        first, second, third = seen(tagger, subjects)
        assert isinstance(second, Problem) and second.drawing == "1.png" and second.code == "not-an-image"
        assert isinstance(first, Tagged) and isinstance(third, Tagged)
        assert (first.drawing, third.drawing) == ("0.png", "2.png")


def test_a_cancelled_look_ends(checkpoint, tmp_path):
    cancelled = Event()
    cancelled.set()
    assert list(small(checkpoint).tag(drawings(tmp_path), cancelled)) == []


def test_the_words_alone_are_vocabulary_enough(checkpoint, tmp_path):
    """Older repositories have no tokenizer.json."""
    folder = tmp_path / "older"
    folder.mkdir()
    for file in checkpoint.iterdir():
        if file.name != "tokenizer.json":
            (folder / file.name).write_bytes(file.read_bytes())
    subjects = drawings(tmp_path)
    assert seen(small(folder), subjects) == seen(small(checkpoint), subjects)


def test_the_weights_of_older_repositories_are_read(checkpoint, tmp_path):
    folder = tmp_path / "older"
    folder.mkdir()
    for file in checkpoint.iterdir():
        if file.name != "model.safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    model = BlipForConditionalGeneration.from_pretrained(checkpoint)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    subjects = drawings(tmp_path)
    assert seen(small(folder), subjects) == seen(small(checkpoint), subjects)


@pytest.mark.parametrize("damage", ["no weights", "cut off", "no vocabulary", "other kind", "lacking", "no config"])
def test_a_model_that_is_not_whole_is_refused_in_words(checkpoint, tmp_path, damage):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "broken"
    folder.mkdir()
    for file in checkpoint.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = folder / "model.safetensors"
    match damage:
        case "no weights":
            weights.unlink()
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:-5000])
        case "no vocabulary":
            (folder / "tokenizer.json").unlink()
            (folder / "vocab.txt").unlink(missing_ok=True)
        case "other kind":
            (folder / "config.json").write_text('{"model_type": "bert"}')
        case "lacking":
            tensors = load_file(weights)
            tensors.pop(next(name for name in tensors if "vision_model.encoder" in name))
            save_file(tensors, weights, {"format": "pt"})
        case "no config":
            (folder / "preprocessor_config.json").unlink()
    with pytest.raises(BocetoError, match="could not be loaded as a BLIP model") as raised:
        Blip.open(folder)
    assert str(folder) in raised.value.title and raised.value.detail and "fetch it again" in raised.value.hint


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a picture of a cat", "a cat"),
        ("an image of a cat sitting on the grass", "a cat sitting on the grass"),
        ("there is a cat that is sitting", "a cat that is sitting"),
        ("there are two cats", "two cats"),
        ("this is a photo of a red dog", "a red dog"),
        ("the image shows a dog", "a dog"),
        ("a close up of a cat", "a cat"),
        ("a close-up photo of a cat", "a close-up photo of a cat"),
        ("arafed cat sitting on the grass", "cat sitting on the grass"),
        ("araffes standing in a field", "standing in a field"),
        ("an arafed image of a cat", "a cat"),
        ("there is an araffe cat with a hat", "a cat with a hat"),
        ("there is a picture of a cat", "a cat"),
        ("  two   cats , ", "two cats"),
        # What says something stays.
        ("a drawing of a cat", "a drawing of a cat"),
        ("a black and white photo of a cat", "a black and white photo of a cat"),
        ("a cat in a picture frame", "a cat in a picture frame"),
        ("a giraffe next to a picture of a cat", "a giraffe next to a picture of a cat"),
        ("thereis", "thereis"),
        ("a picture of", "a picture of"),
        ("", ""),
    ],
)
def test_an_opening_that_says_nothing_goes_and_nothing_else(said, kept):
    assert plain(said) == kept


def test_taking_openings_off_twice_changes_nothing_more():
    parts = ["a picture of", "there is", "arafed", "an", "a", "cat", "image of", "this is", ",", "the image shows"]
    chance = random.Random(1)
    for _ in range(2000):
        text = " ".join(chance.choices(parts, k=chance.randint(0, 7)))
        assert plain(plain(text)) == plain(text)
