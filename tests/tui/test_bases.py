"""Choosing and fetching a base: on its screen, and by `boceto bases`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import paths
from core.bases.catalog import CATALOG, Entry
from core.bases.find import resolve
from tests.conftest import small_project
from tests.core.bases import ldm
from tests.core.bases.files import header
from tests.core.hub.loopback import REPOSITORY, Hub
from tests.tui.piloting import driven, showing, text, until
from tui.cli import main
from tui.dialogs.captioning import Captioning
from tui.work import Work

HEAVY = ("torch", "diffusers", "transformers", "textual", "huggingface_hub")
MINI = Path(__file__).parents[2] / "core/bases/mini/model"


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base in the box as one file."""
    return ldm.write(MINI, tmp_path_factory.mktemp("single") / "tiny.safetensors")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without other programs, and a cache of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))
    return home


@pytest.fixture
def hub(single: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that holds the small base, which the catalog knows as “tiny”."""
    made = Hub({"tiny.safetensors": single.read_bytes(), "README.md": b"# Tiny\n"})
    tiny = Entry(
        id="tiny",
        name="Tiny",
        source=REPOSITORY,
        files=("tiny.safetensors",),
        good_for=lambda: "Tests.",
        licence="MIT",
        bytes=single.stat().st_size,
    )
    for module in ("catalog", "find", "offer", "fetch"):
        monkeypatch.setattr(f"core.bases.{module}.CATALOG", (CATALOG[0], tiny))
    for name, value in {
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": made.address,
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "HF_TOKEN": "",
        "HF_TOKEN_PATH": str(tmp_path / "no-token"),
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()
    for status in (paths.cache() / "downloads").glob("*/status.json"):
        pid = json.loads(status.read_text()).get("pid")
        if (
            pid
            and Path(f"/proc/{pid}/cmdline").exists()
            and b"core.hub.job" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ):
            os.kill(pid, signal.SIGKILL)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["bases", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_lists_what_is_here_what_can_be_fetched_and_what_is_none(
    capsys: pytest.CaptureFixture[str], single: Path, tmp_path: Path
) -> None:
    lora = header(tmp_path / "models/[red]lora.safetensors", {"lora_unet_x.lora_down.weight": (4, 4)})
    status, out, err = said(capsys, single, lora)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert f"  {single}" in lines
    assert any(line.startswith("✓ mini: Boceto mini") for line in lines)
    assert any(line.startswith("+ pony: Pony Diffusion V6 XL") for line in lines)
    assert any(line.startswith("✗ [red]lora.safetensors") for line in lines)
    assert "It is a LoRA" in out
    assert "score_9, score_8_up" in out
    assert "boceto bases --fetch noobai-vpred-1.0" in out


def test_for_scripts_each_base_is_one_object_a_line(capsys: pytest.CaptureFixture[str], single: Path) -> None:
    _status, out, _err = said(capsys, single, "--json")
    found = {one["id"]: one for one in map(json.loads, out.splitlines())}
    assert {one["state"] for one in found.values()} == {"here", "fetchable"}
    ours = found[str(single)]
    assert (ours["single_file"], ours["native"], ours["bytes"]) == (True, 64, single.stat().st_size)
    assert (found["mini"]["single_file"], found["mini"]["path"]) == (False, str(MINI))
    velocity = found["noobai-vpred-1.0"]
    assert (velocity["prediction"], velocity["zero_terminal_snr"]) == ("v_prediction", True)
    assert velocity["repository"] == "Laxhar/noobai-XL-Vpred-1.0"
    assert len(found) == 2 + 8


def test_a_base_is_fetched_by_its_name_and_then_it_is_there(
    capsys: pytest.CaptureFixture[str], hub: Hub, single: Path
) -> None:
    status, out, err = said(capsys, "--fetch", "tiny")
    assert (status, err) == (0, "")
    assert "“Tiny” is here" in out
    assert resolve("tiny").path.read_bytes() == single.read_bytes()
    assert resolve("tiny").like == "mini"
    asked = len(hub.asked)
    assert said(capsys, "--fetch", REPOSITORY)[0] == 0
    assert len(hub.asked) == asked  # what is here is not asked for again


def test_a_download_that_fails_says_why(capsys: pytest.CaptureFixture[str], hub: Hub) -> None:
    del hub.files["tiny.safetensors"]
    status, _out, err = said(capsys, "--fetch", "tiny")
    assert status == 1
    assert "does not hold tiny.safetensors" in err


def test_an_unknown_name_is_refused_with_those_that_can_be_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    status, _out, err = said(capsys, "--fetch", "sd3")
    assert status == 1
    assert "animagine-3.1" in err


def test_on_the_screen_a_base_is_fetched_with_a_key_and_chosen(tmp_path: Path, hub: Hub) -> None:
    place, project = small_project(tmp_path / "p")
    hub.pause = 0.02

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "base") as (app, pilot):
            assert "+ Tiny" in text(app)
            await pilot.press("down")
            await until(lambda: "not on this disk yet" in text(app), pilot)
            await pilot.press("enter")
            assert app.screen.work.project.base == "mini"
            await pilot.press("f")
            await until(lambda: isinstance(app.screen, Captioning), pilot)
            await until(lambda: app.screen.AT == "base" if hasattr(app.screen, "AT") else False, pilot)
            await until(lambda: "✓ Tiny" in text(app), pilot)
            assert app.screen.work.project.base == "tiny"
            await pilot.press("ctrl+n")
            await until(lambda: app.screen.AT == "steps", pilot)

    driven(journey)
    assert place.load().base == "tiny"


def test_a_download_that_one_turned_away_from_is_shown_again(tmp_path: Path, hub: Hub) -> None:
    place, project = small_project(tmp_path / "p")
    hub.pause, hub.piece = 0.2, 1 << 17

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "base") as (app, pilot):
            await pilot.press("down")
            for _time in range(2):
                await pilot.press("f")
                await until(lambda: isinstance(app.screen, Captioning), pilot)
                await pilot.press("escape")
                await until(lambda: "The download goes on" in text(app), pilot)
            await pilot.press("f")
            await until(lambda: isinstance(app.screen, Captioning), pilot)
            await pilot.press("x")
            await until(lambda: not isinstance(app.screen, Captioning), pilot)
            assert app.screen.work.project.base == "mini"

    driven(journey)
    assert len(list((paths.cache() / "downloads").glob("*/plan.toml"))) == 1


def test_on_the_screen_what_is_no_base_says_what_it_is(tmp_path: Path, alone: Path) -> None:
    place, project = small_project(tmp_path / "p")
    header(alone / "ComfyUI/models/checkpoints/v.safetensors", {"decoder.conv_in.weight": (512, 4, 3, 3)})

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "base") as (app, pilot):
            assert "✗ v.safetensors" in text(app)
            await pilot.press("end")
            await until(lambda: "It is a VAE" in text(app), pilot)
            await pilot.press("f")
            await until(lambda: "Only a base with + can be fetched." in text(app), pilot)
            await pilot.press("enter")
            assert app.screen.work.project.base == "mini"

    driven(journey)


def test_on_the_screen_a_single_file_is_taken_by_its_path(tmp_path: Path, single: Path) -> None:
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "base") as (app, pilot):
            await pilot.press("o", *str(single), "enter")
            await until(lambda: app.screen.work.project.base == str(single), pilot)
            await until(lambda: "✓ tiny" in text(app), pilot)

    driven(journey)


def test_the_command_loads_no_training_library(single: Path) -> None:
    code = f"import sys\nfrom tui.cli import main\nmain(['bases', {str(single)!r}])\n"
    code += f"print([name for name in {HEAVY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"
