"""`boceto caption` and `boceto lint`: what is written, what is left alone, and what is said."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import demo, paths
from core.captions import review, store
from core.captions.desk import Desk
from core.captions.mends import MENDS
from core.project import Place
from core.runs.run import runs_in
from core.taggers.compose import UNDESIRED
from tests.core.taggers.onnx_models import make
from tests.tui.conftest import Said
from tui.cli import parser
from tui.headless.caption import _rules

HEAVY = ("torch", "diffusers", "transformers", "peft", "bitsandbytes", "onnxruntime", "huggingface_hub", "textual")
TAGGED = "1girl, ^_^, very long hair"
"""What the tagger made by hand says of every drawing from a score of 0.5 on."""


@pytest.fixture(autouse=True)
def language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Four drawings, two of them with a caption."""
    folder = tmp_path / "my drawings"
    folder.mkdir()
    for number, picture in enumerate(sorted(demo.DRAWINGS.glob("*.png"))[:4]):
        shutil.copyfile(picture, folder / f"{number}.png")
    (folder / "0.txt").write_text("a bird,  sky\r\n", newline="")
    (folder / "1.txt").write_text("1girl, castle")
    return folder


@pytest.fixture
def tagger(tmp_path: Path) -> Path:
    return make(tmp_path / "tagger").parent


def captions(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_bytes().decode() for path in sorted(folder.glob("*.txt"))}


def project() -> Place:
    return Place(paths.projects() / "my drawings")


def test_neither_command_loads_what_a_job_needs(drawings: Path, tagger: Path) -> None:
    for arguments in (["lint", str(drawings)], ["caption", str(drawings), "--tagger", str(tagger), "--json"]):
        program = (
            f"import sys\nfrom tui.cli import main\nmain({arguments})\n"
            f"print('LOADED', [name for name in {HEAVY} if name in sys.modules])"
        )
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == "LOADED []"


def test_help_tells_of_both(said: Said) -> None:
    _status, out, _err = said("--help")
    assert "\n    caption " in out and "\n    lint " in out
    assert "usage: boceto caption" in said("caption", "--help")[1] and "usage: boceto lint" in said("lint", "--help")[1]
    assert said("caption", "x", "--mode", "overwrite")[0] == 2


# --- taggers ---------------------------------------------------------------------------------------------------------


def test_empty_captions_are_filled_and_others_stay_byte_for_byte(said: Said, drawings: Path, tagger: Path) -> None:
    status, out, err = said("caption", drawings, "--tagger", tagger)
    assert (status, err) == (0, "")
    assert captions(drawings) == {"0": "a bird,  sky\r\n", "1": "1girl, castle", "2": TAGGED, "3": TAGGED}
    assert "2 captions are written" in out and f"2.png\n  + {TAGGED}\n" in out
    assert "0.png" not in out


def test_what_a_command_wrote_the_wizard_takes_back(said: Said, drawings: Path, tagger: Path) -> None:
    before = captions(drawings)
    said("caption", drawings, "--tagger", tagger, "--mode", "replace")
    assert captions(drawings) != before
    files = {path.name: store.read(path) for path in sorted(drawings.glob("*.png"))}
    desk = Desk.open(project().journal, files)
    assert [step.name for step in desk.steps] == ["captions by tagger"]
    desk.undo()
    desk.close()
    assert captions(drawings) == before


def test_the_wizard_knows_which_captions_a_machine_wrote(said: Said, drawings: Path, tagger: Path) -> None:
    said("caption", drawings, "--tagger", tagger, "--mode", "replace", "--dry-run")
    said("caption", drawings, "--tagger", tagger)
    marks = review.load(project().written)
    assert marks.keys() == {"2.png", "3.png"}
    assert review.is_reviewed(marks, "2.png", store.read(drawings / "2.png").text)
    said("caption", drawings, "--tagger", tagger, "--mode", "append", "--general", "0.05")
    marks = review.load(project().written)
    texts = {name: store.read(drawings / name).text for name in ("0.png", "1.png", "2.png", "3.png")}
    assert texts["0.png"].startswith("a bird,  sky, ") and "simple background" in texts["2.png"]
    mine = {name for name, text in texts.items() if not review.is_reviewed(marks, name, text)}
    assert mine == {"0.png", "1.png"}, "what was added to a person's words leaves them theirs"


def test_what_is_there_is_kept_extended_or_replaced_as_asked(said: Said, drawings: Path, tagger: Path) -> None:
    said("caption", drawings, "--tagger", tagger, "--mode", "append")
    found = captions(drawings)
    assert found["1"] == "1girl, castle, ^_^, very long hair" and found["0"].startswith("a bird,  sky, 1girl")
    said("caption", drawings, "--tagger", tagger, "--mode", "replace", "--general", "0.9", "--never", "smile")
    assert set(captions(drawings)["1"].split(", ")) == {"1girl"}


def test_the_activation_word_alone_is_an_empty_caption(said: Said, drawings: Path, tagger: Path) -> None:
    (drawings / "0.txt").write_text("houtline")
    said("caption", drawings, "--tagger", tagger, "--word", "houtline")
    assert captions(drawings)["0"] == f"houtline, {TAGGED}" and captions(drawings)["2"] == TAGGED


def test_thresholds_and_names(said: Said, drawings: Path, tagger: Path) -> None:
    said("caption", drawings, "--tagger", tagger, "--general", "0.58", "--character", "0.75")
    assert captions(drawings)["2"] == "1girl, long hair, hatsune miku"


def test_flags_become_rules() -> None:
    from core.project import Project

    def rules(*flags: str, kind: str = "style"):  # type: ignore[no-untyped-def]
        return _rules(parser().parse_args(["caption", "x", *flags]), Project(name="x", kind=kind))  # type: ignore[arg-type]

    assert (rules().general, rules(kind="character").general) == (0.5, 0.25)
    assert rules().character > 1 and rules("--characters").character == 0.85
    assert rules("--character", "0.3").character == 0.3
    assert rules("--never", "a b", "--most", "9").undesired == (*UNDESIRED, "a b")


@pytest.mark.parametrize("flags", [["--general", "0.01"], ["--general", "7"], ["--character", "-1"], ["--most", "-1"]])
def test_a_number_that_cannot_be_is_refused_by_name(said: Said, drawings: Path, tagger: Path, flags: list[str]) -> None:
    status, out, err = said("caption", drawings, "--tagger", tagger, *flags)
    assert (status, out) == (1, "") and err.startswith(f"✗ {flags[0]} cannot be {float(flags[1]):g}")
    assert not paths.projects().exists()


def test_a_dry_run_shows_everything_and_writes_nothing(said: Said, drawings: Path, tagger: Path) -> None:
    before = captions(drawings)
    status, out, err = said("caption", drawings, "--tagger", tagger, "--mode", "replace", "--dry-run")
    assert (status, err) == (0, "")
    assert captions(drawings) == before and not paths.projects().exists()
    assert f"1.png\n  − 1girl, castle\n  + {TAGGED}\n" in out and "4 captions would change." in out
    said("new", drawings)
    said("caption", drawings, "--tagger", tagger, "--mode", "replace", "--dry-run")
    assert captions(drawings) == before and project().scores.is_dir() and not project().journal.exists()


def test_nothing_is_looked_at_when_no_caption_is_empty(said: Said, drawings: Path, tagger: Path) -> None:
    for number in range(4):
        (drawings / f"{number}.txt").write_text("a bird")
    status, out, _err = said("caption", drawings, "--tagger", tagger)
    assert status == 0 and "No caption changes." in out and not runs_in(project().captioning)


def test_drawings_that_are_left_out_are_not_captioned(said: Said, drawings: Path, tagger: Path) -> None:
    said("new", drawings)
    with project().file.open("a") as file:
        file.write('\n[treatments."3.png"]\nexcluded = true\n')
    said("caption", drawings, "--tagger", tagger)
    assert captions(drawings).keys() == {"0", "1", "2"}


def test_scripts_get_a_line_for_each_event_and_each_change(said: Said, drawings: Path, tagger: Path) -> None:
    status, out, err = said("caption", drawings, "--tagger", tagger, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert any(line.get("event") == "finished" for line in lines)
    changes = [line for line in lines if "drawing" in line]
    assert changes == [{"drawing": f"{number}.png", "before": "", "after": TAGGED} for number in (2, 3)]


def test_a_tagger_that_is_not_there_is_said_with_what_to_do(said: Said, drawings: Path, tmp_path: Path) -> None:
    status, out, err = said("caption", drawings, "--tagger", "wd-vit")
    assert (status, out) == (1, "") and "not on this disk" in err and "--fetch" in err
    status, _out, err = said("caption", drawings, "--tagger", "nobody")
    assert status == 1 and "no tagger called “nobody”" in err and "--fetch" not in err


def test_while_another_window_is_at_the_captions_nothing_is_written(said: Said, drawings: Path, tagger: Path) -> None:
    said("new", drawings)
    before = captions(drawings)
    desk = Desk.open(project().journal, {})
    try:
        status, _out, err = said("caption", drawings, "--tagger", tagger)
    finally:
        desk.close()
    assert status == 1 and "Another window" in err and captions(drawings) == before


def test_a_caption_that_cannot_be_written_is_said_and_the_others_are(said: Said, drawings: Path, tagger: Path) -> None:
    (drawings / "0.txt").chmod(0o444)
    status, out, err = said("caption", drawings, "--tagger", tagger, "--mode", "replace")
    assert status == 1 and "write-protected" in err and "3 captions are written" in out
    assert captions(drawings)["0"] == "a bird,  sky\r\n" and captions(drawings)["1"] == TAGGED


def test_a_caption_that_cannot_be_read_is_left_alone(said: Said, drawings: Path, tagger: Path) -> None:
    (drawings / "3.txt").mkdir()
    status, _out, err = said("caption", drawings, "--tagger", tagger)
    assert status == 0 and "3.png" in err and (drawings / "3.txt").is_dir()
    assert captions_of_files(drawings)["2"] == TAGGED


def captions_of_files(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.glob("*.txt") if path.is_file()}


# --- other tools' captions -------------------------------------------------------------------------------------------


@pytest.fixture
def left(drawings: Path) -> Path:
    """Captions that other tools left."""
    (drawings / "2.caption").write_text("a cat [red]")
    rows = [{"file_name": "1.png", "text": "castle, moon"}, {"file_name": "gone.png", "text": "nobody"}]
    (drawings / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nnonsense\n")
    return drawings


def test_what_other_tools_left_fills_empty_captions(said: Said, left: Path) -> None:
    status, out, err = said("caption", left, "--import")
    assert status == 0 and "1 caption is written" in out
    assert captions(left) == {"0": "a bird,  sky\r\n", "1": "1girl, castle", "2": "a cat [red]"}
    assert "gone.png" in err and "Line 3" in err


def test_what_other_tools_left_can_be_added_or_taken_instead(said: Said, left: Path) -> None:
    said("caption", left, "--import", "--mode", "append")
    assert captions(left)["1"] == "1girl, castle, moon"
    said("caption", left, "--import", "--mode", "replace")
    assert captions(left)["1"] == "castle, moon"


def test_one_file_alone_can_be_taken_and_a_look_changes_nothing(said: Said, left: Path) -> None:
    before = captions(left)
    metadata = left / "metadata.jsonl"
    _status, out, _err = said("caption", left, "--import", metadata, "--mode", "replace", "--dry-run")
    assert "1.png\n  − 1girl, castle\n  + castle, moon" in out and "2.png" not in out
    assert captions(left) == before and not paths.projects().exists()


def test_without_anything_to_import_it_is_said_what_could_be(said: Said, drawings: Path) -> None:
    status, _out, err = said("caption", drawings, "--import")
    assert status == 1 and "metadata.jsonl" in err
    assert said("caption", drawings, "--import", "/nowhere.json")[0] == 1


# --- lint ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def untidy(drawings: Path) -> Path:
    """Captions with something to say of each."""
    for number, text in enumerate(("bird, bird, blue_sky", "1girl, 2girls", "shirt, white shirt,", "\x1b[31m{a|b}")):
        (drawings / f"{number}.txt").write_text(text)
    return drawings


def test_every_problem_is_said_with_its_kind_and_its_remedy(said: Said, untidy: Path) -> None:
    status, out, _err = said("lint", untidy)
    assert status == 1
    for line in (
        "0.png: “bird” stands",
        "[duplicate-tags]",
        "[underscores]",
        "[contradiction]",
        "[overlap]",
        "[braces]",
    ):
        assert line in out
    assert "4 captions looked at" in out.splitlines()[-1] and "\x1b" not in out


def test_what_is_only_good_to_know_is_no_failure(said: Said, drawings: Path) -> None:
    for number in range(4):
        (drawings / f"{number}.txt").write_text(f"bird, bird, thing {number}")
    status, out, _err = said("lint", drawings)
    assert status == 0 and "0 of them matter" in out
    for number in range(4):
        (drawings / f"{number}.txt").write_text(f"bird, thing {number}")
    status, out, _err = said("lint", drawings)
    assert (status, out) == (0, "4 captions looked at: nothing to say.\n")
    assert not paths.projects().exists()


def test_scripts_get_a_line_for_each_problem(said: Said, untidy: Path) -> None:
    _status, out, _err = said("lint", untidy, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    codes = {line["problem"]["code"]: line["mends"] for line in lines}
    assert codes["duplicate-tags"] is True and codes["contradiction"] is False
    assert {line["problem"]["drawing"] for line in lines} >= {"0.png", "1.png", "2.png", "3.png"}


def test_one_kind_is_mended_and_the_rest_stays(said: Said, untidy: Path) -> None:
    _status, out, _err = said("lint", untidy, "--fix", "duplicate-tags")
    assert captions(untidy)["0"] == "bird, blue_sky" and captions(untidy)["2"] == "shirt, white shirt,"
    assert "[duplicate-tags]" not in out and "[underscores]" in out and "1 caption is written" in out


def test_all_that_can_be_mended_is_mended_and_each_kind_can_be_taken_back(said: Said, untidy: Path) -> None:
    before = captions(untidy)
    status, out, _err = said("lint", untidy, "--fix", "all")
    after = captions(untidy)
    assert (after["0"], after["1"], after["2"], after["3"]) == (
        "bird, blue sky",
        "1girl, 2girls",
        "white shirt",
        before["3"],
    )
    assert status == 1 and "[contradiction]" in out and "[overlap]" not in out
    files = {path.name: store.read(path) for path in sorted(untidy.glob("*.png"))}
    desk = Desk.open(project().journal, files)
    while desk.undo():
        pass
    desk.close()
    assert captions(untidy) == before


def test_a_look_at_the_mending_writes_nothing(said: Said, untidy: Path) -> None:
    before = captions(untidy)
    _status, out, _err = said("lint", untidy, "--fix", "all", "--dry-run")
    assert "  − bird, bird, blue_sky\n  + bird, blue_sky" in out and "  + bird, blue sky" in out
    assert captions(untidy) == before and not paths.projects().exists()


def test_what_cannot_be_mended_is_refused_with_what_can(said: Said, untidy: Path) -> None:
    status, out, err = said("lint", untidy, "--fix", "contradiction")
    assert (status, out) == (1, "") and "contradiction" in err
    assert all(code in err for code in MENDS)
