"""The catalog, and every base on this disk found once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.bases.base import Base
from core.bases.catalog import CATALOG, Entry
from core.bases.find import find, hub, look, resolve
from core.errors import BocetoError

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


def test_a_downloaded_base_fits_the_catalog_as_it_is(empty_hub, monkeypatch):
    sdxl = Entry(
        id="sdxl",
        name="SDXL 1.0",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        good_for=lambda: "everything",
        licence="CreativeML-OpenRAIL++-M",
        bytes=6_940_000_000,
    )
    monkeypatch.setattr("core.bases.find.CATALOG", (*CATALOG, sdxl))
    monkeypatch.setattr("core.bases.catalog.CATALOG", (*CATALOG, sdxl))
    with pytest.raises(BocetoError, match="no base called “sdxl” on this disk"):
        resolve("sdxl")
    snapshot = download(empty_hub, sdxl.source, "abc")
    for text in ("sdxl", sdxl.source):
        assert (resolve(text).id, resolve(text).name, resolve(text).path) == ("sdxl", "SDXL 1.0", snapshot)


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
