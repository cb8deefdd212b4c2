"""Downloads: real jobs that fetch from a hub on this machine, which misbehaves in every way we know of."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import try_to_load_from_cache
from msgspec.structs import replace

from core.errors import BocetoError
from core.hub.order import Order
from core.hub.refusals import lacking
from core.hub.repository import wanted
from core.runs import events
from core.runs.follow import follow
from core.runs.launch import launch, stop
from core.runs.run import Run
from tests.core.hub.loopback import COMMIT, REPOSITORY, Hub, Request, Trouble

MODEL = random.Random(4).randbytes(3_000_000)
TAGS = b"tag_id,name,category,count\n1,general,9,0\n"
ASKED = ("model.onnx", "selected_tags.csv")


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub({"model.onnx": MODEL, "selected_tags.csv": TAGS, "README.md": b"# A tagger\n"})
    yield made
    made.close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def order(tmp_path: Path, cache: Path) -> Order:
    return Order(
        name="WD",
        repository=REPOSITORY,
        files=ASKED,
        cache=str(cache),
        by_hand=str(tmp_path / "by-hand"),
        attempts=2,
    )


@pytest.fixture
def begin(tmp_path: Path, hub: Hub) -> Iterator[Callable[..., Run]]:
    """Starts a real job for an order; whatever a failed test leaves is ended."""
    begun: list[Run] = []

    def make(order: Order, **environment: str) -> Run:
        run = Run.create(tmp_path / "runs", order)
        begun.append(run)
        launch(
            run,
            "core.hub.job",
            {
                "HF_HUB_OFFLINE": "0",
                "HF_ENDPOINT": hub.address,
                "HF_HUB_DOWNLOAD_TIMEOUT": "1",
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
                "HF_TOKEN": "",
                "HF_TOKEN_PATH": str(tmp_path / "no-token"),
                **environment,
            },
        )
        return run

    yield make
    for run in begun:
        if run.is_alive():
            os.kill(run.status().pid, signal.SIGKILL)


def snapshot(cache: Path) -> Path:
    return cache / "models--someone--tagger-v3" / "snapshots" / COMMIT


def partial(cache: Path) -> Path:
    return cache / "models--someone--tagger-v3" / "blobs" / f"{hashlib.sha256(MODEL).hexdigest()}.incomplete"


def is_whole(cache: Path) -> bool:
    folder = snapshot(cache)
    return (folder / "model.onnx").read_bytes() == MODEL and (folder / "selected_tags.csv").read_bytes() == TAGS


def finished(run: Run) -> list[events.Event]:
    history = list(follow(run))
    assert isinstance(history[-1], events.Finished), history[-1]
    return history


def failed(run: Run) -> events.Failed:
    last = list(follow(run))[-1]
    assert isinstance(last, events.Failed), last
    assert "does not know" not in last.title
    return last


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def slow(hub: Hub) -> None:
    """About three seconds for the model."""
    hub.piece, hub.pause = 20_000, 0.02


def test_files_arrive_whole_where_every_program_that_uses_the_hub_finds_them(hub, begin, order, cache):
    history = finished(begin(order))
    assert is_whole(cache)
    for name in ASKED:
        assert try_to_load_from_cache(REPOSITORY, name, cache) == str(snapshot(cache) / name)
    assert history[-1].path == str(snapshot(cache))
    assert not (snapshot(cache) / "README.md").exists()
    assert not list(cache.rglob("*.incomplete"))


def test_what_huggingface_hub_makes_of_the_same_repository_is_laid_out_the_same(hub, begin, order, cache, tmp_path):
    finished(begin(order))
    theirs = tmp_path / "theirs"
    code = (
        "from huggingface_hub import hf_hub_download; "
        f"[hf_hub_download({REPOSITORY!r}, name, cache_dir={str(theirs)!r}) for name in {ASKED!r}]"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.address, "NO_PROXY": "127.0.0.1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)

    def layout(folder: Path) -> dict[str, str]:
        place = folder / "models--someone--tagger-v3"
        files = [path for path in place.rglob("*") if path.is_file() and not path.relative_to(place).match(".*")]
        return {
            str(path.relative_to(place)): str(path.readlink()) if path.is_symlink() else path.read_bytes().hex()
            for path in files
            if path.relative_to(place).parts[0] in ("blobs", "refs", "snapshots")
        }

    assert layout(cache) == layout(theirs)


def test_progress_is_told_by_time_and_in_bytes(hub, begin, order):
    slow(hub)
    history = finished(begin(order))
    started = next(event for event in history if isinstance(event, events.Started))
    assert (started.total, started.step) == (len(MODEL) + len(TAGS), 0)
    told = [event for event in history if isinstance(event, events.Phase) and event.name == "download"]
    assert [event.done for event in told] == sorted(event.done for event in told)
    assert told[-1].done == told[-1].total == started.total
    # About three seconds, an event each half second, and one at the end of each file.
    assert 4 <= len(told) <= 16


def test_what_is_here_already_is_not_fetched_again(hub, begin, order, cache):
    finished(begin(order))
    hub.asked.clear()
    finished(begin(order))
    assert [path.split("?")[0] for _method, path, _headers in hub.asked] == [f"/api/models/{REPOSITORY}/revision/main"]


def test_a_file_of_another_commit_is_shown_without_fetching_it_again(hub, begin, order, cache):
    finished(begin(order))
    shutil.rmtree(cache / "models--someone--tagger-v3" / "snapshots")
    hub.asked.clear()
    finished(begin(order))
    assert is_whole(cache)
    assert not hub.gets("model.onnx")


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub, begin, order, cache):
    hub.cut_after, hub.cut_every, hub.cuts = 700_000, 700_000, 3
    history = finished(begin(order))
    assert is_whole(cache)
    begun = [headers.get("Range") for headers in hub.gets("model.onnx")]
    assert len(begun) == 4 and begun[0] is None and all(begun[1:])
    assert hub.sent < len(MODEL) + 3 * (1 << 16), "hardly anything was sent twice"
    assert sum(isinstance(event, events.Noted) for event in history) == 3


def test_a_killed_download_goes_on_where_it_was(hub, begin, order, cache):
    slow(hub)
    run = begin(order)
    wait_for(lambda: partial(cache).exists() and partial(cache).stat().st_size > 500_000)
    os.kill(run.status().pid, signal.SIGKILL)
    wait_for(lambda: not run.is_alive())
    had = partial(cache).stat().st_size
    assert not snapshot(cache).exists(), "nothing that is not whole has a name"
    hub.asked.clear()
    history = finished(begin(order))
    assert hub.gets("model.onnx")[0]["Range"] == f"bytes={had}-"
    assert next(event for event in history if isinstance(event, events.Started)).step >= had
    assert is_whole(cache)


def test_a_download_stops_when_asked_even_while_the_server_is_silent(hub, begin, order, cache):
    def silent(request: Request, path: str) -> bool:
        if path.endswith("/model.onnx"):
            request.send_response(200)
            request.send_header("Content-Length", str(len(MODEL)))
            request.end_headers()
            request.wfile.write(MODEL[:300_000])
            time.sleep(20)
            return True
        return False

    hub.trouble = silent
    run = begin(order, HF_HUB_DOWNLOAD_TIMEOUT="60")
    wait_for(lambda: any(isinstance(event, events.Phase) and event.done for event in run.history()))
    assert stop(run, wait=5)
    last = run.history()[-1]
    assert isinstance(last, events.Stopped) and last.reason == "asked"
    assert partial(cache).read_bytes() == MODEL[: partial(cache).stat().st_size]
    hub.trouble = None
    finished(begin(order))
    assert is_whole(cache)
    assert hub.gets("model.onnx")[-1]["Range"]


def test_a_server_that_cannot_go_on_in_the_middle_is_asked_for_the_whole(hub, begin, order, cache):
    hub.ranges = False
    hub.cut_after, hub.cuts = 700_000, 1
    finished(begin(order))
    assert is_whole(cache)


def test_what_an_earlier_program_left_damaged_is_fetched_anew(hub, begin, order, cache):
    partial(cache).parent.mkdir(parents=True)
    partial(cache).write_bytes(b"not at all" * 100_000)
    finished(begin(order))
    assert is_whole(cache)


def test_a_leftover_that_is_longer_than_the_file_is_no_trouble(hub, begin, order, cache):
    partial(cache).parent.mkdir(parents=True)
    partial(cache).write_bytes(MODEL + b"more")
    finished(begin(order))
    assert is_whole(cache)


def test_a_file_that_arrives_changed_is_refused_and_nothing_of_it_kept(hub, begin, order, cache):
    def change(request: Request, path: str) -> bool:
        if path.endswith("/model.onnx"):
            request.say(200, MODEL[:-1] + bytes([MODEL[-1] ^ 1]))
            return True
        return False

    hub.trouble = change
    last = failed(begin(order))
    assert "“model.onnx”" in last.detail and "checksum" in last.detail
    assert not (snapshot(cache) / "model.onnx").exists()
    assert partial(cache).stat().st_size == 0


def test_a_small_file_is_checked_too(hub, begin, order):
    hub.trouble = lambda request, path: path.endswith(".csv") and (request.say(200, TAGS.replace(b"0", b"1")) or True)
    assert "“selected_tags.csv”" in failed(begin(order)).detail


def test_a_sign_in_page_in_place_of_a_model_costs_nothing_of_what_has_arrived(hub, begin, order, cache):
    partial(cache).parent.mkdir(parents=True)
    partial(cache).write_bytes(MODEL[:1_000_000])
    page = b"<!DOCTYPE html><html><body>Welcome to the airport</body></html>"
    hub.trouble = lambda request, path: (
        path.endswith("/model.onnx") and (request.say(200, page, {"Content-Type": "text/html"}) or True)
    )
    last = failed(begin(order))
    assert "web page" in last.detail and "“model.onnx”" in last.detail
    assert "sign in" in last.hint and order.by_hand in last.hint
    assert partial(cache).read_bytes() == MODEL[:1_000_000]
    hub.trouble = None
    finished(begin(order))
    assert is_whole(cache)
    assert hub.gets("model.onnx")[-1]["Range"] == "bytes=1000000-"


def test_a_page_is_a_page_whatever_the_server_calls_it(hub, begin, order):
    page = b"\n<html>" + b"x" * (len(MODEL) - 7)
    hub.trouble = lambda request, path: path.endswith("/model.onnx") and (request.say(200, page) or True)
    assert "web page" in failed(begin(order)).detail


def refusing(status: int, code: str = "", message: str = "", only: str = "/") -> Trouble:
    def refuse(request: Request, path: str) -> bool:
        if only in path:
            request.refuse(status, code, message)
            return True
        return False

    return refuse


def page(request: Request, _path: str) -> bool:
    request.say(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
    return True


def silence(_request: Request, _path: str) -> bool:
    time.sleep(3)
    return True


REFUSALS = {
    "gated": (refusing(403, "GatedRepo", only="/resolve/"), "accept their terms", "hf auth login"),
    "private or wrong": (refusing(401, "RepoNotFound"), "no repository “someone/tagger-v3”", "hf auth login"),
    "not there": (refusing(404, "RepoNotFound"), "no repository “someone/tagger-v3”", "hf auth login"),
    "bad token": (
        refusing(401, "", "Invalid credentials in Authorization header"),
        "does not accept the token",
        "hf auth logout",
    ),
    "forbidden": (refusing(403, "", "no", only="/resolve/"), "(403)", "permission"),
    "revision": (refusing(404, "RevisionNotFound"), "no state called “main”", "See at"),
    "too often": (refusing(429), "(429)", "Wait some minutes"),
    "trouble": (refusing(503), "trouble of its own (503)", "Try again in some minutes"),
    "trouble with a file": (refusing(503, only="/resolve/"), "trouble of its own (503)", "Try again"),
    "page": (page, "is not what the hub answers", "HF_ENDPOINT"),
    "silence": (silence, "sent nothing for 1 seconds", "Try again later"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_is_told_in_its_own_words_and_with_what_to_fetch_by_hand(kind, hub, begin, order, cache):
    hub.trouble, why, what_to_do = REFUSALS[kind]
    last = failed(begin(order))
    assert "“WD” could not be downloaded" in last.title
    assert why in last.detail
    assert what_to_do in last.hint
    assert f"{hub.address}/{REPOSITORY}/tree/main" in last.hint
    assert "model.onnx, selected_tags.csv" in last.hint and order.by_hand in last.hint
    assert not snapshot(cache).exists()


def test_who_has_a_token_is_told_to_ask_for_access(hub, begin, order):
    hub.trouble = refusing(403, "GatedRepo", only="/resolve/")
    last = failed(begin(order, HF_TOKEN="hf_somebody"))
    assert "not among them" in last.detail and "Ask for access" in last.hint


def test_no_network_is_told_at_once(hub, begin, order):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    last = failed(begin(order, HF_ENDPOINT=f"http://127.0.0.1:{port}"))
    assert f"127.0.0.1:{port} cannot be reached" in last.detail
    assert "HTTPS_PROXY" in last.hint and order.by_hand in last.hint


def test_a_network_that_is_switched_off_is_told_by_its_variable(begin, order):
    assert "HF_HUB_OFFLINE" in failed(begin(order, HF_HUB_OFFLINE="1")).detail


def test_a_connection_that_is_lost_for_good_keeps_what_has_arrived_and_says_so(hub, begin, order, cache):
    hub.cut_after, hub.cut_every, hub.cuts = 700_000, 0, 99
    last = failed(begin(order))
    assert "are kept" in last.hint
    assert partial(cache).read_bytes() == MODEL[: partial(cache).stat().st_size]
    assert partial(cache).stat().st_size > 600_000


def test_a_file_that_does_not_fit_on_the_disk_is_not_begun(hub, begin, order, cache):
    listed = hub.listing()
    listed["siblings"][0]["size"] = 10**15
    hub.says = {"siblings": listed["siblings"]}
    last = failed(begin(order))
    assert "no room" in last.title and "1000000.00 GB" in last.detail and str(cache) in last.detail
    assert "HF_HOME" in last.hint
    assert not hub.gets("model.onnx")


def test_a_folder_that_may_not_be_written_to_is_told(hub, begin, order, cache, tmp_path):
    (tmp_path / "file").write_text("no folder")
    last = failed(begin(replace(order, cache=str(tmp_path / "file"))))
    assert "could not be written" in last.title


def test_a_missing_file_is_told_by_its_names(hub, begin, order):
    del hub.files["model.onnx"]
    last = failed(begin(order))
    assert "does not hold model.onnx" in last.detail


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, begin, order, cache):
    elsewhere = Hub(hub.files)
    hub.trouble = lambda request, path: (
        path.endswith("/model.onnx")
        and (request.say(302, b"", {"Location": f"{elsewhere.address}{request.path}", "X-Repo-Commit": COMMIT}) or True)
    )
    run = begin(order, HF_TOKEN="hf_secret")
    finished(run)
    assert is_whole(cache)
    assert all(headers["authorization"] == "Bearer hf_secret" for _method, _path, headers in hub.asked)
    assert elsewhere.asked and not any("authorization" in headers for _method, _path, headers in elsewhere.asked)
    assert "hf_secret" not in run.log_file.read_text() + run.events_file.read_text() + run.plan_file.read_text()
    elsewhere.close()


def test_a_mirror_that_lists_only_names_is_asked_file_by_file(hub, begin, order, cache):
    hub.only_names = True
    finished(begin(order))
    assert is_whole(cache)
    assert sum(method == "HEAD" for method, _path, _headers in hub.asked) == 2


def test_a_second_download_of_the_same_file_is_told_about_the_first(hub, begin, order, cache):
    slow(hub)
    first = begin(order)
    wait_for(partial(cache).exists)
    last = failed(begin(order))
    assert "“model.onnx” is being downloaded by another job" in last.title
    finished(first)
    assert is_whole(cache)


def test_a_name_that_leads_out_of_the_folder_is_not_written(hub, begin, order, cache, tmp_path):
    hub.files["../../../escaped.csv"] = b"x"
    finished(begin(replace(order, files=("*",))))
    assert not list(tmp_path.rglob("escaped.csv"))
    assert (snapshot(cache) / "README.md").is_file()


def test_of_two_names_the_first_that_is_there_is_taken(order):
    def chosen(*files: str) -> list[str]:
        listed = ["config.json", "pytorch_model.bin", "unet/a.json", "unet/b.bin"]
        return wanted(Order(name="x", repository="a/b", files=files, cache="", by_hand=""), listed)

    assert chosen("config.json", "model.safetensors|pytorch_model.bin") == ["config.json", "pytorch_model.bin"]
    assert chosen("unet/*", "*.json") == ["unet/a.json", "unet/b.bin", "config.json"]
    with pytest.raises(BocetoError, match="could not be downloaded") as raised:
        chosen("model.safetensors|flax.msgpack", "config.json")
    assert "model.safetensors / flax.msgpack" in raised.value.detail


def test_a_refusal_names_every_file(order):
    assert "model.onnx, selected_tags.csv" in lacking(order, order.files).detail
