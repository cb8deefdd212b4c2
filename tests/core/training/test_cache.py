"""Caches: keyed by everything that shapes an entry, made anew when broken, filled by several at once."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from core.bases import load
from core.bases.base import Base
from core.bases.find import resolve
from core.images.buckets import Bucket
from core.images.treatment import Treatment
from core.plan.frozen import FrozenDrawing, FrozenPlan, freeze
from core.plan.schedule import PriorPicture
from core.project import Place
from core.training import prepare
from core.training.cache import Cache, groups_of, stacked
from tests.conftest import small_project

CPU = torch.device("cpu")

FILL = """
import sys, time
from pathlib import Path
import torch
from core.training.cache import Cache
cache, mark = Cache("drawings", Path(sys.argv[1])), float(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    path = cache.path(number=number)
    cache.put(path, {"latents": torch.full((4, 64, 64), mark)})
    entry = cache.get(path)
    assert entry is not None and len(entry["latents"].unique()) == 1, "half an entry"
"""


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)
    return tmp_path / "cache"


@pytest.fixture
def mini() -> Base:
    return resolve("mini")


@pytest.fixture
def small(tmp_path) -> FrozenPlan:
    return freeze(*small_project(tmp_path / "small", drawings=2))


def result(work: Generator[Any, None, prepare.Entries]) -> prepare.Entries:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


class Loader:
    """Loads a part of the base, and counts how often that was needed."""

    def __init__(self, kind: Any, base: Base) -> None:
        self.kind, self.base, self.times = kind, base, 0

    def __call__(self) -> Any:
        self.times += 1
        return self.kind(self.base, CPU, torch.float32)


def encoded(base: Base, small: FrozenPlan, drawing: FrozenDrawing, flipped: bool = False) -> tuple[torch.Tensor, int]:
    """A drawing's latents, and how often the VAE was loaded for them."""
    vae = Loader(load.vae, base)
    [entry] = result(prepare.drawings(base, Path(small.dataset), [(drawing, flipped)], vae))
    return entry["latents"], vae.times


def texts(base: Base, captions: list[str], chunks: int = 1, dtype: torch.dtype = torch.float32) -> tuple[Any, int]:
    """Captions as the UNet reads them, and how often the encoders were loaded for them."""
    encoders = Loader(load.text_encoders, base)
    return result(prepare.captions(base, captions, load.tokenizers(base), chunks, encoders, dtype)), encoders.times


def entries(empty: Path, kind: str) -> list[Path]:
    return sorted((empty / kind).rglob("*.safetensors"))


def changed(base: Base, folder: Path, part: str) -> Base:
    """A copy of a base in which one weight of one part is different."""
    copy = Path(shutil.copytree(base.path, folder, dirs_exist_ok=True))
    weights = next((copy / part).glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    return replace(base, path=copy)


def test_the_key_changes_with_every_ingredient():
    cache = Cache("drawings")
    content = {"digest": "a", "placement": [1, 2, 3], "flipped": False, "vae": "v", "dtype": torch.float32}
    others = {"digest": "b", "placement": [1, 2, 4], "flipped": True, "vae": "w", "dtype": torch.float16}
    paths = {cache.path(**content), *(cache.path(**{**content, name: other}) for name, other in others.items())}
    assert len(paths) == 1 + len(others)
    assert cache.path(**dict(reversed(content.items()))) == cache.path(**content), "the order says nothing"
    assert cache.path(**content, more=1) not in paths
    assert Cache("captions").path(**content) not in paths


def test_what_was_put_is_what_one_gets(tmp_path):
    cache = Cache("x", tmp_path)
    path = cache.path(a=1)
    assert cache.get(path) is None
    tensors = {"one": torch.randn(3, 4).half(), "two": torch.randn(2, 5).t()}
    cache.put(path, tensors)
    found = cache.get(path)
    assert found is not None and found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in tensors)


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "a folder"])
def test_a_broken_entry_is_no_entry(tmp_path, damage):
    cache = Cache("x", tmp_path)
    path = cache.path(a=1)
    cache.put(path, {"latents": torch.ones(64, 64)})
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "garbage": b"\xff" * 4000}[damage])
    assert cache.get(path) is None


def test_a_broken_entry_is_made_anew_and_is_the_same(empty, mini, small):
    drawing = small.drawings[0]
    first, times = encoded(mini, small, drawing)
    assert times == 1
    again, times = encoded(mini, small, drawing)
    assert times == 0 and torch.equal(first, again)
    [path] = entries(empty, "drawings")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    again, times = encoded(mini, small, drawing)
    assert times == 1 and torch.equal(first, again)
    assert path.read_bytes() == whole


def test_everything_that_shapes_a_drawings_latents_is_in_its_key(empty, mini, small, tmp_path):
    drawing = small.drawings[0]
    first, _times = encoded(mini, small, drawing)
    other = small.drawings[1]
    moved = replace(drawing, placement=replace(drawing.placement, resized_width=80, left=8))
    padded = replace(drawing, treatment=Treatment(background="#ff0000"))
    for one, flipped, base in (
        (other, False, mini),
        (drawing, True, mini),
        (moved, False, mini),
        (padded, False, mini),
        (drawing, False, changed(mini, tmp_path / "base", "vae")),
    ):
        _latents, times = encoded(base, small, one, flipped)
        assert times == 1
    assert len(entries(empty, "drawings")) == 6
    # What says nothing about the pixels is not in it: another name, caption or place in the training.
    renamed = Path(small.dataset) / "renamed.png"
    shutil.copyfile(Path(small.dataset) / drawing.name, renamed)
    same = replace(drawing, name=renamed.name, caption="houtline, other", held_out=True)
    latents, times = encoded(changed(mini, tmp_path / "base2", "unet"), small, same)
    assert times == 0 and torch.equal(latents, first)


def test_an_edited_drawing_never_meets_what_was_kept_of_the_old_one(mini, small):
    drawing = small.drawings[0]
    before, _times = encoded(mini, small, drawing)
    path = Path(small.dataset) / drawing.name
    Image.open(path).rotate(90).save(path)
    place = Place(path.parent.parent)
    edited = freeze(place, place.load()).drawings[0]
    assert edited.name == drawing.name and edited.digest != drawing.digest
    after, times = encoded(mini, small, edited)
    assert times == 1 and not torch.equal(before, after)


def test_everything_that_shapes_a_captions_numbers_is_in_its_key(empty, mini, tmp_path):
    [first], times = texts(mini, ["houtline, cat"])
    assert times == 1
    assert texts(mini, ["houtline, cat"])[1] == 0
    assert texts(mini, ["houtline, cat "])[1] == 1
    assert texts(mini, ["houtline, cat"], chunks=2)[1] == 1
    assert texts(mini, ["houtline, cat"], dtype=torch.float16)[1] == 1
    for part in ("text_encoder", "text_encoder_2"):
        assert texts(changed(mini, tmp_path / part, part), ["houtline, cat"])[1] == 1
    assert len(entries(empty, "captions")) == 6
    [again], times = texts(changed(mini, tmp_path / "vae", "vae"), ["houtline, cat"])
    assert times == 0 and torch.equal(again["context"], first["context"])


def test_how_a_base_reads_an_empty_caption_is_in_its_key(mini):
    """It is written in the base's model_index.json: who mends it there must not meet the old numbers."""
    for zeros in (True, False, True):
        [entry], _times = texts(replace(mini, force_zeros_for_empty_prompt=zeros), [""])
        assert (entry["context"].abs().max() == 0) == zeros


def test_only_what_is_missing_is_encoded(mini):
    found, _times = texts(mini, ["one", "two"])
    more, times = texts(mini, ["two", "three", "one"])
    assert times == 1
    # Padded alike, a text comes out the same however many are encoded beside it.
    assert torch.equal(more[0]["context"], found[1]["context"]) and torch.equal(more[2]["pooled"], found[0]["pooled"])
    alone, _times = texts(mini, ["four"])
    assert torch.equal(texts(mini, ["four", "one"])[0][0]["context"], alone[0]["context"])


def test_everything_that_shapes_the_bases_own_pictures_is_in_their_key(empty, mini, tmp_path):
    entry, _times = texts(mini, ["", "cat", "dog"])
    prompts = dict(zip(["", "cat", "dog"], entry, strict=True))
    unet = load.unet(mini, CPU, torch.float32)

    def drawn(picture: PriorPicture, base: Base = mini) -> int:
        before = len(entries(empty, "prior"))
        result(prepare.prior_pictures(base, [picture], prompts, unet, CPU, torch.float32))
        return len(entries(empty, "prior")) - before

    cat = PriorPicture("cat", Bucket(32, 32), 1)
    assert drawn(cat) == 1
    assert drawn(cat) == 0
    assert drawn(replace(cat, prompt="dog")) == 1
    assert drawn(replace(cat, seed=2)) == 1
    assert drawn(replace(cat, bucket=Bucket(32, 48))) == 1
    assert drawn(cat, changed(mini, tmp_path / "unet", "unet")) == 1
    assert drawn(cat, changed(mini, tmp_path / "encoder", "text_encoder_2")) == 1
    scheduled = changed(mini, tmp_path / "scheduler", "vae")
    config = scheduled.path / "scheduler" / "scheduler_config.json"
    config.chmod(0o644)
    config.write_text(config.read_text().replace('"epsilon"', '"v_prediction"'))
    assert drawn(cat, scheduled) == 1, "another prediction type draws other pictures"


def test_a_run_that_was_killed_among_its_prior_pictures_makes_the_others_as_it_would_have(empty, mini):
    """What is already there must not change how the rest comes out: nothing may follow from when a run was killed."""
    names = ["cat", "dog", "house", "tree"]
    found, _times = texts(mini, ["", *names])
    prompts = dict(zip(["", *names], found, strict=True))
    unet = load.unet(mini, CPU, torch.float32)
    wanted = [PriorPicture(name, Bucket(32, 32 + 16 * (number % 2)), number) for number, name in enumerate(names)]

    def drawn() -> list[torch.Tensor]:
        made = result(prepare.prior_pictures(mini, wanted, prompts, unet, CPU, torch.float32))
        return [entry["latents"] for entry in made]

    undisturbed = drawn()
    entries(empty, "prior")[0].unlink()
    assert all(torch.equal(one, other) for one, other in zip(drawn(), undisturbed, strict=True))


def test_two_processes_may_fill_the_same_cache_at_once(tmp_path):
    fillers = [
        subprocess.Popen(
            [sys.executable, "-c", FILL, str(tmp_path), str(mark)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mark in (1, 2)
    ]
    for filler in fillers:
        assert filler.stdout is not None and filler.stdout.readline() == "ready\n"
    for filler in fillers:
        assert filler.stdin is not None
        filler.stdin.write("go\n")
        filler.stdin.flush()
    for filler in fillers:
        _out, complaint = filler.communicate(timeout=60)
        assert filler.returncode == 0, complaint
    cache = Cache("drawings", tmp_path)
    for number in range(40):
        entry = cache.get(cache.path(number=number))
        assert entry is not None and entry["latents"].unique().item() in (1, 2)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".safetensors"]


def test_two_trainings_may_encode_the_same_drawing_at_once(empty, mini, small):
    found: list[torch.Tensor] = []

    def encode(vae: Any) -> None:
        wanted = [(small.drawings[0], False)]
        found.append(result(prepare.drawings(mini, Path(small.dataset), wanted, lambda: vae))[0]["latents"])

    # Loaded one after the other: what loads a model patches torch for a while, which is for one thread at a time.
    vaes = [load.vae(mini, CPU, torch.float32) for _ in range(2)]
    threads = [threading.Thread(target=encode, args=(vae,)) for vae in vaes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and torch.equal(*found)
    assert len(entries(empty, "drawings")) == 1


def test_groups_hold_everything_in_order():
    assert list(groups_of(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(groups_of([], 3)) == []
    assert list(groups_of(range(6), 3)) == [[0, 1, 2], [3, 4, 5]]


def test_entries_are_stacked_in_their_order():
    tensor = stacked([{"x": torch.full((2,), float(number))} for number in range(3)], "x", CPU)
    assert tensor.tolist() == [[0, 0], [1, 1], [2, 2]]
