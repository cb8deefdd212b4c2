"""The wizard says how much GPU memory a training will take before anything is loaded."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.images.buckets import Bucket
from core.plan.memory import CONTEXT, GIB, fitting, needed
from tests.conftest import small_project
from tests.core.plan.plans import BASE, drawing, frozen, settled
from tests.tui.piloting import driven, showing, text
from tui.forecast import forecast
from tui.headless.train import show
from tui.screens import steps
from tui.work import Work

SDXL = replace(BASE, native=1024, vae_factor=8, text_widths=(768, 1280))
BUCKETS = [Bucket(1024, 1024), Bucket(832, 1216)]
PLAN = settled(optimizer="adamw", rank=16, batch_size=6, shuffle_tags=False)


def test_of_a_base_of_another_build_nothing_is_said() -> None:
    assert forecast(BASE, PLAN, BUCKETS, 35, 24 * GIB) is None


def test_what_it_takes_is_held_against_what_is_free() -> None:
    expected = forecast(SDXL, PLAN, BUCKETS, 35, 80 * GIB)
    assert expected and expected.fits
    measures, _why = fitting(PLAN, 6, 128 * 128, 35, 80 * GIB - CONTEXT)
    peak = (needed(PLAN, 6, 128 * 128, 35, measures).peak + CONTEXT) / GIB
    assert expected.words == f"about {peak:.1f} of 80.0 GB of GPU memory"


def test_measures_are_named() -> None:
    expected = forecast(SDXL, PLAN, BUCKETS, 35, 8 * GIB)
    assert expected and expected.fits
    assert "1 drawing at a time" in expected.words and "layers computed twice" in expected.words
    small = forecast(SDXL, PLAN, BUCKETS, 35, 5 * GIB)
    assert small and "base in 4 bits" in small.words


def test_a_limit_in_the_plan_counts_on_a_card_with_more() -> None:
    expected = forecast(SDXL, replace(PLAN, memory=8), BUCKETS, 35, 80 * GIB)
    assert expected == forecast(SDXL, PLAN, BUCKETS, 35, 8 * GIB)


def test_a_dry_run_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    square = Bucket(1024, 1024)
    show(replace(frozen(PLAN, [drawing(1, square, "houtline, cat")]), base=SDXL))
    assert re.search(r"Memory: 4\d GB of GPU memory, or slower from \d GB", " ".join(capsys.readouterr().out.split()))
    show(frozen(PLAN, [drawing(1, Bucket(64, 64), "houtline, cat")]))
    assert "Memory" not in capsys.readouterr().out


def test_what_cannot_fit_and_what_has_no_gpu_say_so() -> None:
    too_small = forecast(SDXL, PLAN, BUCKETS, 35, 3 * GIB)
    assert too_small and not too_small.fits and "does not fit into 2.5 GB" in too_small.words
    without = forecast(SDXL, PLAN, BUCKETS, 35, None)
    assert without and not without.fits and "there is no GPU here" in without.words


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("free", [None, 4 * GIB])
def test_on_the_screen_of_the_steps_it_is_read_to_its_end(
    language: str, free: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = forecast(SDXL, settled(batch_size=6, prior_pictures=2, rank=256), BUCKETS, 35, free)
    monkeypatch.setenv("BOCETO_LANGUAGE", language)
    monkeypatch.setattr(steps, "forecast", lambda *_asked: expected)
    place, project = small_project(tmp_path / "p")

    async def journey() -> None:
        async with showing(Work(project=project, place=place), "steps") as (app, _pilot):
            shown = " ".join(text(app).split())
            assert expected and expected.words in shown
            assert "c  " in text(app), "the suggestions below it stay"

    driven(journey)
