"""The benchmark beside diffusers' script: the same captions, honest arithmetic, a refusal in words."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.demo import DRAWINGS
from core.errors import BocetoError
from core.lora import file
from core.plan.frozen import freeze
from core.project import Place

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # as Python does for a script that is run; not for the tests after this one

import diffusers_script  # noqa: E402
import peer  # noqa: E402
from diffusers_script import Script  # noqa: E402
from peer import OURS, OURS_AS_USUAL, THREADS_AS_IT_LIKES, THREADS_AS_OURS, judge  # noqa: E402
from trainings import Took, pace  # noqa: E402

sys.path.remove(str(BENCHMARKS))

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--resolution", type=int, default=1024)
parser.add_argument(
    "--center_crop", default=False, action="store_true",
)
print(parser.parse_args())
"""
FOUND = {
    OURS: Took(0.10, 20.0, "", {}, 0.0606),
    THREADS_AS_OURS: Took(0.21, 41.0, "", {}, 0.060),
    THREADS_AS_IT_LIKES: Took(0.20, 40.5, "", {}, 0.060),
    OURS_AS_USUAL: Took(0.15, 30.0, "", {}, 0.0495),
}


@pytest.fixture
def served() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server on this machine: the address to ask, and what it has by path."""
    there: dict[str, bytes] = {}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in there else 404)
            self.end_headers()
            self.wfile.write(there.get(self.path, b""))

        def log_message(self, *_words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v{{version}}", there
    server.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))


def test_both_sides_learn_the_same_captions(tmp_path: Path) -> None:
    frozen = freeze(shelved(tmp_path), peer.project(42))
    folder = diffusers_script.lay_out(sorted(DRAWINGS.glob("*.png")), tmp_path / "theirs")
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert {line["file_name"]: line["text"] for line in lines} == {one.name: one.caption for one in frozen.trained}
    assert {path.name for path in folder.glob("*.png")} == {line["file_name"] for line in lines}
    assert len(lines) == 35


def test_both_sides_take_as_many_steps() -> None:
    from core.plan.steps import steps_per_epoch

    ours = peer.plan(42)
    assert ours.repeats and ours.epochs
    asked = peer.options(Path(), Path(), Path(), 42)
    assert steps_per_epoch([35], ours.repeats, ours.batch_size) * ours.epochs == asked["max_train_steps"]
    assert (ours.learning_rate, ours.batch_size, ours.rank) == (
        asked["learning_rate"],
        asked["train_batch_size"],
        asked["rank"],
    )
    assert (*ours.betas, ours.weight_decay) == tuple(
        asked[f"adam_{name}"] for name in ("beta1", "beta2", "weight_decay")
    )


def test_the_pace_is_that_of_the_steady_steps() -> None:
    slow = [(step, 2.0 * step) for step in range(1, 40)]
    steady = [(step, 100 + 0.5 * (step - 40)) for step in range(40, 201, 8)]
    assert pace(slow + steady, peer.WARM) == pytest.approx(0.5)
    with pytest.raises(RuntimeError, match="1 of its 2 reports"):
        pace([(3, 1.0), (45, 9.0)], peer.WARM)


def test_speed_is_held_against_the_fastest_and_loss_against_the_best() -> None:
    steps, whole, loss = judge(FOUND)
    assert (steps.value, steps.passed) == (2.0, True)
    assert (whole.value, whole.passed) == (2.025, True)
    assert loss.value == pytest.approx(1.01, abs=1e-4) and loss.passed


@pytest.mark.parametrize(
    ("worse", "missed"),
    [({"seconds_per_step": 0.106}, 0), ({"whole": 20.3}, 1), ({"loss": 0.0613}, 2)],
)
def test_a_goal_that_is_missed_is_said_to_be(worse: dict[str, float], missed: int) -> None:
    goals = judge(FOUND | {OURS: replace(FOUND[OURS], **worse)})
    assert [goal.passed for goal in goals] == [place != missed for place in range(3)]


def test_the_command_is_understood_by_a_script(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    command = diffusers_script.command(path, {"resolution": 64, "center_crop": True})
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "Namespace(resolution=64, center_crop=True)"


def test_an_option_that_the_script_lacks_is_refused_in_words() -> None:
    diffusers_script.check(Script(SCRIPT, "here"), ["resolution", "center_crop"])
    with pytest.raises(BocetoError, match="--rank"):
        diffusers_script.check(Script(SCRIPT, "here"), ["resolution", "rank"])


def test_ours_begins_with_the_scripts_layers_and_its_spread(tmp_path: Path) -> None:
    tensors = file.read(peer.begin(tmp_path / "beginning.safetensors", 1))
    down = {name: tensor for name, tensor in tensors.items() if name.endswith("lora_down.weight")}
    assert len(down) == 56 and all("_attn" in name for name in down)
    assert torch.cat([tensor.flatten() for tensor in down.values()]).std().item() == pytest.approx(1 / 8, rel=0.02)
    assert not any(tensor.any() for name, tensor in tensors.items() if name.endswith("lora_up.weight"))
    frozen = freeze(shelved(tmp_path), peer.project(1, tmp_path / "beginning.safetensors"))
    assert frozen.init_digest and frozen.plan.layers == "attn-only"


def shelved(folder: Path) -> Place:
    place = Place(folder / "ours")
    shutil.copytree(DRAWINGS, place.folder / "dataset")
    return place


def test_a_fetched_script_is_kept(served: tuple[str, dict[str, bytes]]) -> None:
    address, there = served
    path = "/v" + diffusers_script.version("diffusers")
    there[path] = SCRIPT.encode()
    fetched = diffusers_script.find(None, address)
    there.clear()
    assert diffusers_script.find(None, address).text == fetched.text == SCRIPT
    assert len(fetched.digest) == 64


def test_a_script_that_cannot_be_had_is_refused_in_words(served: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    with pytest.raises(BocetoError) as missing:
        diffusers_script.find(None, served[0])
    assert "404" in missing.value.detail and "--script" in missing.value.hint
    with pytest.raises(BocetoError) as refused:
        diffusers_script.find(None, "http://127.0.0.1:9/v{version}")
    assert "could not be fetched" in refused.value.title
    with pytest.raises(BocetoError, match="could not be read"):
        diffusers_script.find(tmp_path / "nothing.py")


def test_without_a_script_the_benchmark_is_skipped_and_says_so(tmp_path: Path) -> None:
    asked = [sys.executable, str(BENCHMARKS / "peer.py"), "--script", str(tmp_path / "nothing.py")]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "could not be read" in json.loads(done.stdout.splitlines()[-1])["skipped"]
