"""The catalog, and every base on this disk found once."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core import paths
from core.bases.base import Base
from core.bases.catalog import CATALOG, prompting
from core.bases.fetch import order, wanted
from core.bases.find import find, hub, look, resolve
from core.bases.refusal import NoBaseError
from core.errors import BocetoError
from core.hub import repository
from tests.core.bases import ldm
from tests.core.bases.files import header, sdxl

MINI = Path(__file__).parents[3] / "core/bases/mini/model"


@pytest.fixture(autouse=True)
def empty_hub(tmp_path, monkeypatch) -> Path:
    """A hub's cache with nothing in it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    return tmp_path / "hf" / "hub"


def download(cache: Path, repository: str, revision: str, current: bool = True) -> Path:
    """The base in the box as huggingface_hub lays a download down: blobs, and snapshots that link to them."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / revision
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(sorted(path for path in MINI.rglob("*") if path.is_file())):
        blob = folder / "blobs" / f"{revision}{number}"
        shutil.copy(file, blob)
        link = snapshot / file.relative_to(MINI)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    if current:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs/main").write_text(revision)
    return snapshot


def test_the_catalog_begins_with_the_base_in_the_box_and_tells_the_truth():
    mini = CATALOG[0]
    assert mini.id == "mini"
    size = sum(file.stat().st_size for file in MINI.rglob("*") if file.is_file())
    assert mini.bytes == pytest.approx(size, rel=0.1)
    assert mini.bytes < 20e6
    assert "without a GPU" in mini.good_for()
    assert len({entry.id for entry in CATALOG}) == len(CATALOG)


def test_a_downloaded_base_goes_by_its_name_in_the_catalog(empty_hub):
    with pytest.raises(BocetoError, match="no base called “pony” on this disk") as refused:
        resolve("pony")
    assert "boceto bases --fetch pony" in refused.value.hint
    snapshot = download(empty_hub, "hollowstrawberry/67AB2F", "abc")
    for text in ("pony", "hollowstrawberry/67AB2F"):
        found = resolve(text)
        assert (found.id, found.name, found.path) == ("pony", "Pony Diffusion V6 XL", snapshot)


def test_everything_on_this_disk_is_found_once_and_the_box_first(empty_hub, tmp_path):
    one = Path(shutil.copytree(MINI, tmp_path / "models/one"))
    two = Path(shutil.copytree(MINI, tmp_path / "models/two"))
    snapshot = download(empty_hub, "someone/pretty-xl", "abc")
    found = find([tmp_path / "models", one, two / ".." / "two", MINI])
    assert [base.path.resolve() for base in found] == [MINI, one, two, snapshot.resolve()]
    assert [base.id for base in found] == ["mini", str(one), str(two), "someone/pretty-xl"]


def test_of_several_downloads_the_current_one_is_taken_unless_it_is_broken(empty_hub):
    older = download(empty_hub, "someone/pretty-xl", "abc")
    newer = download(empty_hub, "someone/pretty-xl", "def")
    assert resolve("someone/pretty-xl").path == newer
    (newer / "unet/config.json").unlink()
    assert resolve("someone/pretty-xl").path == older
    (older / "unet/config.json").unlink()
    with pytest.raises(BocetoError, match="is not whole"):
        resolve("someone/pretty-xl")


def test_a_model_of_another_kind_is_left_out_with_its_reason(empty_hub):
    index = download(empty_hub, "someone/sd15", "abc") / "model_index.json"
    other = json.loads(index.read_text()) | {"_class_name": "StableDiffusionPipeline"}
    index.unlink()
    index.write_text(json.dumps(other))
    assert [base.id for base in find()] == ["mini"]
    mini, reason = look()
    assert isinstance(mini, Base)
    assert "StableDiffusionPipeline" in str(reason)


def test_a_folder_is_a_base_by_its_path(tmp_path, monkeypatch):
    folder = Path(shutil.copytree(MINI, tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    for text in ("mine", "./mine", str(folder)):
        assert resolve(text).path == folder
        assert resolve(text).id == str(folder)
    with pytest.raises(BocetoError, match="There is no base at"):
        resolve("./theirs")


def test_the_name_of_the_box_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "mini").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("mini").path == MINI


def test_an_unknown_name_is_refused_with_what_there_is():
    with pytest.raises(BocetoError) as refused:
        resolve("minni")
    assert "“minni”" in refused.value.title
    assert refused.value.detail == "Here are: mini."


@pytest.mark.parametrize(
    "variables",
    [
        {"HF_HUB_CACHE": "{}/a", "HF_HOME": "{}/b"},
        {"HF_HOME": "{}/b"},
        {"XDG_CACHE_HOME": "{}/c", "HF_HOME": ""},
        {"HUGGINGFACE_HUB_CACHE": "{}/d"},
    ],
)
def test_we_look_where_huggingface_hub_looks(variables, tmp_path):

    environment = {**os.environ, **{name: value.format(tmp_path) for name, value in variables.items()}}
    environment = {name: value for name, value in environment.items() if value}
    code = (
        "from core.bases.find import hub; from huggingface_hub.constants import HF_HUB_CACHE; "
        "import os; print(hub().resolve()); print(os.path.realpath(HF_HUB_CACHE))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    ours, theirs = shown.stdout.splitlines()
    assert ours == theirs
    assert hub().name == "hub"


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base in the box as one file."""
    return ldm.write(MINI, tmp_path_factory.mktemp("single") / "mix.safetensors")


@pytest.fixture
def at_home(tmp_path, monkeypatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return home


def put(single: Path, *where: Path) -> list[Path]:
    for place in where:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(single, place)
    return list(where)


def test_bases_of_other_programs_are_found(at_home, single):
    files = put(
        single,
        at_home / "ComfyUI/models/checkpoints/sub/a.safetensors",
        at_home / "stable-diffusion-webui/models/Stable-diffusion/b.safetensors",
        at_home / "stable-diffusion-webui-forge/models/Stable-diffusion/c.safetensors",
        at_home / "invokeai/models/sdxl/main/d.safetensors",
        at_home / "invokeai/models/0a1b-uuid/e.safetensors",
        paths.config() / "bases/f.safetensors",
    )
    shutil.copytree(MINI, at_home / "invokeai/models/sdxl/main/folder")
    found = {base.path for base in find()}
    assert found == {MINI, *files, at_home / "invokeai/models/sdxl/main/folder"}
    for file in files:
        assert resolve(str(file)).path == file


def test_what_is_no_base_among_bases_says_what_it_is_and_keeps_still_among_other_models(at_home, single):
    comfy, invoke = at_home / "ComfyUI/models/checkpoints", at_home / "invokeai/models"
    put(single, comfy / "good.safetensors")
    header(comfy / "vae.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})
    (comfy / "old.ckpt").write_bytes(b"\x80\x02")
    (comfy / "q4.gguf").write_bytes(b"GGUF" + bytes(80))
    (comfy / "put_checkpoints_here").touch()
    invoke.mkdir(parents=True)
    header(invoke / "lora.safetensors", {"lora_unet_x.lora_down.weight": (4, 4)})
    seen = list(look())
    assert [base.name for base in seen if isinstance(base, Base)] == ["Boceto mini", "good"]
    reasons = {found.path.name: found.detail for found in seen if isinstance(found, NoBaseError)}
    assert set(reasons) == {"vae.safetensors", "old.ckpt", "q4.gguf"}
    assert "It is a VAE" in reasons["vae.safetensors"]
    assert "pickle" in reasons["old.ckpt"]


def test_one_file_seen_from_two_programs_is_one_base(at_home, single):
    (file,) = put(single, at_home / "ComfyUI/models/checkpoints/a.safetensors")
    other = at_home / "stable-diffusion-webui/models/Stable-diffusion"
    other.mkdir(parents=True)
    (other / "link.safetensors").symlink_to(file)
    (other / "circle").symlink_to(other)
    assert [base.path for base in find()] == [MINI, file]


def test_a_file_goes_by_its_name_in_the_catalog_and_a_copy_by_its_path(at_home, single):
    first, second = put(
        single,
        at_home / "ComfyUI/models/checkpoints/ponyDiffusionV6XL_v6StartWithThisOne.safetensors",
        at_home / "ComfyUI/models/checkpoints/sub/PonyDiffusionV6XL.safetensors",
    )
    pony, copy = find()[1:]
    assert (pony.id, pony.name, pony.path) == ("pony", "Pony Diffusion V6 XL", first)
    assert (copy.id, copy.name) == (str(second), "PonyDiffusionV6XL")
    assert resolve("pony") == pony
    assert resolve(str(second)).path == second


def test_a_file_known_to_predict_velocity_does_so_though_it_says_nothing(at_home, single):
    put(single, at_home / "ComfyUI/models/checkpoints/NoobAI-XL-Vpred-v1.0.safetensors")
    base = resolve("noobai-vpred-1.0")
    assert (base.prediction, base.zero_terminal_snr) == ("v_prediction", True)


def test_a_single_file_in_the_cache_of_the_hub_is_a_base_and_what_else_lies_there_is_not_told(empty_hub, single):
    def shelve(repository: str, name: str) -> Path:
        folder = empty_hub / f"models--{repository.replace('/', '--')}"
        (file,) = put(single, folder / "snapshots/abc" / name)
        return file

    listed = shelve("Laxhar/noobai-XL-1.1", "NoobAI-XL-v1.1.safetensors")
    shelve("Laxhar/noobai-XL-1.1", "unlisted.safetensors")
    free = shelve("someone/mix-xl", "mix.safetensors")
    lora = empty_hub / "models--someone--lora/snapshots/abc"
    lora.mkdir(parents=True)
    header(lora / "lora.safetensors", {"lora_unet_x.lora_down.weight": (4, 4)})
    assert [(base.id, base.path) for base in find()[1:]] == [("noobai-eps-1.1", listed), ("someone/mix-xl", free)]
    assert len(list(look())) == 3
    assert resolve("Laxhar/noobai-XL-1.1").path == listed


def test_a_file_is_a_base_by_its_path(single, tmp_path, monkeypatch):
    monkeypatch.chdir(single.parent)
    for text in ("mix.safetensors", "./mix.safetensors", str(single)):
        assert resolve(text).path == single
    with pytest.raises(BocetoError, match="It is a LoRA"):
        resolve(str(header(tmp_path / "x.safetensors", {"lora_unet_x.lora_down.weight": (4, 4)})))


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "~nobody-of-that-name/x", "\ud800", "", "/" + "y" * 300])
def test_no_text_at_all_makes_it_stumble(text):
    with pytest.raises(BocetoError):
        resolve(text)


def test_a_whole_folder_of_checkpoints_is_looked_through_at_once(at_home, tmp_path):
    shapes = sdxl()
    for number in range(30):
        header(at_home / f"ComfyUI/models/checkpoints/{number}.safetensors", shapes)
    started = time.perf_counter()
    assert len(find()) == 31
    assert time.perf_counter() - started < 1.5


def test_every_base_of_the_catalog_can_be_fetched_and_is_told_about():
    known = [entry for entry in CATALOG if entry.id != "mini"]
    assert len(known) == 8
    for entry in known:
        made = order(entry)
        assert made.files
        assert made.repository == entry.source
        assert entry.family
        assert entry.suits
        assert prompting(entry)
        assert all(word in prompting(entry) for word in entry.quality)
        assert 6.9e9 < entry.bytes < 7.2e9
    assert [entry.id for entry in known if entry.zero_terminal_snr] == ["noobai-vpred-1.0"]
    with pytest.raises(BocetoError, match="comes with Boceto"):
        order(CATALOG[0])


def test_what_is_fetched_of_a_folder_is_all_that_a_base_needs(empty_hub):
    pony = wanted("pony")
    listed = [str(file.relative_to(MINI)) for file in MINI.rglob("*") if file.is_file()]
    asked = repository.wanted(order(pony), [*listed, "README.md", "pony.safetensors", "unet/model.onnx"])
    assert set(asked) == set(listed)
    halves = [name.replace(".safetensors", ".fp16.safetensors") for name in listed]
    assert set(repository.wanted(order(pony), {*listed, *halves})) == set(halves)
