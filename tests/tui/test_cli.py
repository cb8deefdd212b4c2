"""The command line: quick, complete, and in words that a person and a script both can use."""

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from core import demo, paths
from core.plan.frozen import freeze
from core.project import Place, Project
from core.runs import events
from core.runs.run import Run, Status
from core.settings import Plan, choices
from tests.conftest import SHORT, small_project
from tui.cli import parser, plan_of
from tui.headless.train import project_of

HEAVY = ("torch", "diffusers", "transformers", "peft", "bitsandbytes", "textual")
CONTROL = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))]


@pytest.fixture(autouse=True)
def language(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def drawings(tmp_path) -> Path:
    """A folder with a few drawings and their captions, and nothing else."""
    folder = tmp_path / "my drawings"
    folder.mkdir()
    for picture in sorted(demo.DRAWINGS.glob("*.png"))[:4]:
        shutil.copyfile(picture, folder / picture.name)
        shutil.copyfile(picture.with_suffix(".txt"), folder / picture.with_suffix(".txt").name)
    return folder


def only(drawing: Path) -> Path:
    """The folder of a drawing, with nothing else in it."""
    for other in drawing.parent.iterdir():
        if other != drawing:
            other.unlink()
    return drawing.parent


# --- quick -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["ls", "check", "steps", "train"])
def test_no_command_loads_a_training_library_to_say_what_it_knows(command, drawings):
    arguments = {"ls": ["ls", "--json"], "train": ["train", str(drawings), "--dry-run"]}
    program = (
        "import sys\nfrom tui.cli import main\n"
        f"status = main({arguments.get(command, [command, str(drawings)])})\n"
        f"print('LOADED', status, [name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "LOADED 0 []"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["ls"]])
def test_it_starts_at_once(arguments):
    """Seconds of processor time, of which a busy machine takes away nothing."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tui", *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.5, taken


def test_it_says_which_version_it_is(said):
    assert said("--version") == (0, f"boceto {version('boceto')}\n", "")


COMMANDS = (
    "demo",
    "check",
    "caption",
    "lint",
    "bases",
    "export",
    "steps",
    "train",
    "ls",
    "attach",
    "stop",
    "resume",
    "logs",
    "draw",
)


def test_help_lists_every_command(said):
    status, out, _err = said("--help")
    assert status == 0
    for command in COMMANDS:
        assert f"\n    {command} " in out
    for command in COMMANDS:
        status, out, _err = said(command, "--help")
        assert status == 0 and f"usage: boceto {command}" in out


# --- complete --------------------------------------------------------------------------------------------------------

VALUES = {
    "one of": ["adamw"],
    "list": ["a cat"],
    "pair": ["0.5", "0.75"],
    int: ["3"],
    float: ["0.25"],
    bool: [],
    str: ["a.safetensors"],
}


@pytest.mark.parametrize("choice", choices(Plan), ids=lambda choice: choice.name)
@pytest.mark.parametrize("command", ["train", "check", "steps"])
def test_every_choice_of_a_plan_is_a_flag(choice, command):
    flag = "--" + choice.name.replace("_", "-")
    given = [choice.options[-1]] if choice.kind == "one of" else VALUES[choice.kind]
    plan = plan_of(parser().parse_args([command, "here", flag, *given]))
    expected = {
        "one of": choice.options[-1] if choice.options else None,
        "list": ["a cat"],
        "pair": [0.5, 0.75],
        int: 3,
        float: 0.25,
        bool: True,
        str: "a.safetensors",
    }[choice.kind]
    assert plan == {choice.name: expected}
    if choice.kind is bool:
        no = "--no-" + choice.name.replace("_", "-")
        assert plan_of(parser().parse_args([command, "here", no])) == {choice.name: False}


def test_no_flag_is_no_choice():
    assert plan_of(parser().parse_args(["train", "here"])) == {}


def test_every_flag_of_the_plan_says_what_it_does(said):
    _status, out, _err = said("train", "--help")
    told = " ".join(out.split())
    for choice in choices(Plan):
        assert " ".join(choice.help.split()) in told, choice.name


def test_what_is_given_as_flags_is_what_is_planned(said, drawings):
    status, out, err = said(
        *("train", drawings, "--dry-run", "--word", "houtline", "--kind", "character"),
        *("--repeats", 3, "--epochs", 2, "--batch-size", 2, "--optimizer", "adamw", "--learning-rate", "2e-3"),
        *("--betas", 0.5, 0.75, "--text-encoders", "--no-shuffle-tags", "--preview-prompts", "a cat"),
        *("--preview-prompts", "a dog", "--scheduler", "linear"),
    )
    assert (status, err) == (0, "")
    for line in (
        "repeats = 3",
        "batch_size = 2",
        "learning_rate = 0.002",
        "betas = (0.5, 0.75)",
        "text_encoders = True",
        "shuffle_tags = False",
        "preview_prompts = ('a cat', 'a dog')",
        "scheduler = linear",
        "prior_pictures = 0   (a character",
        "resolution = 64   (the size Boceto mini was made for)",
    ):
        assert f"  {line}" in out, line
    assert "4 drawings, 0 of them held out; 12 steps on Boceto mini." in out


def test_a_dry_run_leaves_nothing_behind(said, drawings, tmp_path):
    before = sorted(drawings.iterdir())
    assert said("train", drawings, "--dry-run")[0] == 0
    assert sorted(drawings.iterdir()) == before
    assert not paths.projects().exists()


# --- in words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--repeats", "0"], ["--repeats", "1"]),
        (["--repeats", "501"], ["--repeats", "500"]),
        (["--learning-rate", "-1"], ["--learning-rate", "0"]),
        (["--learning-rate", "nan"], ["--learning-rate"]),
        (["--betas", "0.9", "1.0"], ["--betas", "1"]),
        (["--rank", "1000"], ["--rank", "256"]),
        (["--seed", str(2**63)], ["--seed"]),
        (["--time-budget", "0"], ["--time-budget", "0"]),
        (["--d0", "1"], ["--d0"]),
    ],
)
def test_a_value_outside_its_limits_is_refused_by_name(said, drawings, flags, words):
    status, out, err = said("train", drawings, "--dry-run", *flags)
    assert (status, out) == (1, "")
    assert err.startswith("✗ ") and "Traceback" not in err
    assert all(word in err for word in words), err
    assert "→ " in err and "boceto train --help" in err
    assert f"--{flags[0].strip('-')}." in err, "the flag as it is typed, and no more"
    assert not paths.projects().exists(), "nothing was begun"


def test_a_limit_that_is_itself_refused_is_not_offered(said, drawings):
    _status, _out, err = said("train", drawings, "--dry-run", "--learning-rate", "0")
    assert "more than 0" in err and "from 0 to" not in err


@pytest.mark.parametrize(
    "flags",
    [
        ["--repeats", "ten"],
        ["--repeats", "2.5"],
        ["--optimizer", "sgd"],
        ["--betas", "0.9"],
        ["--kind", "animal"],
        ["--save-precision", "fp8"],
        ["--sharpness", "9"],
    ],
)
def test_what_is_no_value_at_all_is_not_understood(said, drawings, flags):
    status, out, err = said("train", drawings, *flags)
    assert (status, out) == (2, "")
    assert flags[0] in err and "usage: boceto" in err


def test_a_command_without_what_it_needs_is_not_understood(said):
    status, out, err = said("train")
    assert (status, out) == (2, "") and "usage: boceto" in err


@pytest.mark.parametrize("arguments", [[], ["paint"], ["open"]])
def test_without_a_terminal_the_wizard_names_the_commands_that_need_none(said, arguments):
    status, out, err = said(*arguments)
    assert (status, out) == (2, "") and "boceto train" in err and "boceto attach" in err


def test_the_language_can_be_asked_for_before_and_after_the_command(said, monkeypatch):
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    assert "Todavía no" in said("--lang", "es", "ls")[1]
    monkeypatch.setenv("BOCETO_LANGUAGE", "en")
    assert "Todavía no" in said("ls", "--lang=es")[1]


def test_a_new_project_keeps_its_answers_and_trains_nothing(said, drawings):
    status, out, _err = said("new", drawings, "--name", "later", "--word", "houtline", "--rank", "4")
    place = Place(paths.projects() / "later")
    assert status == 0 and str(place.file) in out and not place.runs.exists()
    project = place.load()
    assert (project.activation_word, project.plan.rank) == ("houtline", 4)


def test_the_review_s_command_line_gives_the_same_answers(drawings):
    from tui.command import command

    plan = Plan(
        repeats=3, betas=(0.8, 0.9), text_encoders=True, shuffle_tags=False, preview_prompts=("a cat", "a 'dog'")
    )
    place = Place(paths.projects() / "same answers")
    project = Project(
        name="same answers", dataset=str(drawings), activation_word="hout line", kind="character", plan=plan
    )
    place.save(Project(name="same answers", dataset=str(drawings)))
    options = parser().parse_args(shlex.split(command(place, project))[1:])
    assert project_of(options) == (place, project)


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (["train", "/nowhere/at all"], "no folder and no project"),
        (["check", "nobody"], "no folder and no project"),
        (["steps", "nobody"], "no folder and no project"),
        (["attach", "nobody"], "no run in “nobody”"),
        (["attach"], "no run yet"),
        (["stop"], "no run yet"),
        (["resume", "nobody"], "no run in “nobody”"),
        (["logs", "nobody"], "no run in “nobody”"),
        (["draw", "nobody", "a cat"], "no LoRA “nobody”"),
    ],
)
def test_what_is_not_there_is_said_on_the_error_channel_with_what_to_do(said, arguments, title):
    status, out, err = said(*arguments)
    assert (status, out) == (1, "")
    first, *_, last = err.splitlines()
    assert first.startswith("✗ ") and title in first
    assert last.startswith("→ ")


def test_an_unknown_base_is_said_with_those_there_are(said, drawings):
    status, _out, err = said("train", drawings, "--dry-run", "--base", "nobody")
    assert status == 1
    title, detail, hint = err.splitlines()
    assert (title[:2], detail[:2], hint[:2]) == ("✗ ", "  ", "→ ")
    assert "nobody" in title and "mini" in detail


def test_an_empty_folder_is_said_in_words(said, tmp_path):
    (tmp_path / "empty").mkdir()
    status, out, err = said("train", tmp_path / "empty")
    assert (status, out) == (1, "") and "no drawing to train on" in err
    assert said("check", tmp_path / "empty")[0] == 1


@pytest.mark.parametrize("name", ["what?", "caf\udce9"])
def test_a_folder_whose_name_no_project_can_have_is_said_in_words(said, drawings, name):
    folder = drawings.rename(drawings.with_name(name))
    status, out, err = said("train", folder, "--dry-run")
    assert (status, out) == (1, "") and err.startswith("✗ ")
    # Another name helps, unless no project could remember the folder's own.
    assert said("train", folder, "--dry-run", "--name", "fine")[0] == (0 if name.isprintable() else 1)


def test_a_damaged_project_is_said_in_words(said, tmp_path):
    place, _project = small_project(tmp_path / "small")
    place.file.write_text("name = 'small'\n[plan]\nrepeats = 'many'\n")
    status, _out, err = said("train", place.folder, "--dry-run")
    assert status == 1 and "project.toml" in err and "repeats" in err


# --- check and steps -------------------------------------------------------------------------------------------------


def test_check_shows_buckets_and_problems(said, drawings):
    (drawings / "broken.png").write_bytes(b"no picture")
    Image.effect_noise((300, 200), 90).save(drawings / "wide.png")
    status, out, err = said("check", drawings)
    assert (status, err) == (0, "")
    assert "64 × 64" in out and "5 of 5 drawings can be trained on Boceto mini." in out
    assert "broken.png\n" in out and "✗" in out
    assert said("check", only(drawings / "broken.png"))[0] == 1


def test_check_gives_scripts_a_line_for_each_drawing_and_problem(said, drawings):
    (drawings / "broken.png").write_bytes(b"no picture")
    (drawings / "two\nlines.png").write_bytes(b"neither")
    status, out, _err = said("check", drawings, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert len([line for line in lines if "drawing" in line]) == 4
    assert {"drawing", "width", "height", "bucket", "enlargement", "cropped"} <= lines[0].keys()
    problems = [line["problem"] for line in lines if "problem" in line]
    assert {"broken.png", "two\nlines.png"} <= {problem["drawing"] for problem in problems}
    assert all(problem["code"] and problem["message"] and problem["severity"] for problem in problems)


def test_steps_reckons_as_the_guide_and_as_it_will_be(said, drawings):
    status, out, err = said("steps", drawings, "--repeats", 20, "--epochs", 10, "--batch-size", 6)
    assert (status, err) == (0, "")
    assert "4 × 20 ÷ 6 × 10 = 133.3" in out and "140 steps" in out
    assert "Each drawing is seen 200 times." in out
    assert "300 to 500" in out and "--repeats" in out
    offered = [line for line in out.splitlines() if "--repeats" in line]
    for line in offered:
        flags = line.split("→")[0].split()
        _status, again, _err = said("steps", drawings, *flags)
        assert f"{line.split('→')[1].split()[0]} steps" in again
        assert "within the guide's" in again


# --- names are text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "[red]loud[-red].png",
        "[bold]x.png",
        "[link=file:a]y[-].png",
        "two\nlines.png",
        "bell\x07 and \x1b[2Jclear.png",
        "c1\x9b31m.png",
        "turned\u202egnp.exe.png",
        "tab\there.png",
        "100 % {name} %s.png",
        ":smile: niño 猫.png",
    ],
)
def test_a_drawings_name_is_only_text(said, drawings, name):
    (drawings / name).write_bytes(b"no picture")
    _status, out, err = said("check", drawings)
    assert not any(letter in out + err for letter in [*CONTROL, "\u202e"])
    shown = "".join(letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}" for letter in name)
    assert shown in out.splitlines()


def test_a_caption_and_a_word_are_only_text(said, drawings):
    for text in drawings.glob("*.txt"):
        text.write_text("[red]houtline[/], \x1b[31mcat\x07", "utf-8")
    status, out, err = said("train", drawings, "--dry-run", "--word", "[/b]wo\x1brd", "--preview-prompts", "\x1b[2J[x]")
    assert status == 0, err
    assert not any(letter in out + err for letter in CONTROL)
    assert "[x]" in out


def test_an_error_about_a_name_is_only_text(said):
    status, _out, err = said("train", "no\x1b[31m[bold]where\nat all")
    assert status == 1
    assert not any(letter in err for letter in CONTROL)
    assert "\\u{1b}[31m[bold]where" in err


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Run:
    """A run in the usual folder, with a short history."""
    place, project = small_project(paths.projects() / "small")
    made = Run.create(place.runs, freeze(place, project))
    made.keep_status(Status("train", step=3, total=6, pid=1, host="here"))
    started = events.Started(t=1.0, pid=1, host="here", device="CPU", total=6)
    made.events_file.write_bytes(events.encode(started) + events.encode(events.Checkpointed(t=2.0, step=3)))
    made.log_file.write_text("a library says\x1b[31m hello\n")
    return made


def end(run: Run, event: events.Event) -> None:
    with run.events_file.open("ab") as file:
        file.write(events.encode(event))
    run.keep_status(replace(run.status(), phase=type(event).__name__.lower()))


def test_without_runs_it_is_said_how_to_begin_one(said):
    status, out, _err = said("ls")
    assert status == 0 and "boceto train" in out
    assert said("ls", "--json") == (0, "", "")


def test_runs_are_listed_for_people_and_for_scripts(said, run):
    status, out, _err = said("ls")
    assert status == 0 and "small" in out and run.name in out and "3/6" in out and "cut off" in out
    status, out, _err = said("ls", "--json")
    line = json.loads(out)
    assert (line["project"], line["run"], line["alive"]) == ("small", str(run.folder), False)
    assert (line["phase"], line["step"], line["total"]) == ("train", 3, 6)
    with run.held():
        assert json.loads(said("ls", "--json")[1])["alive"] is True
        assert "running" in said("ls")[1]


def test_names_of_projects_and_runs_are_only_text(said, run):
    project = run.folder.parent.parent
    odd = project.rename(project.with_name("[bold]b \x1b[31mred"))
    (odd / "runs" / run.name).rename(odd / "runs" / "[red]x\x1b[1m2026")
    status, out, _err = said("ls")
    assert status == 0
    assert not any(letter in out for letter in CONTROL)
    assert "[bold]b" in out and "[red]x" in out
    for command in ("stop", "logs"):
        _status, out, err = said(command, odd)
        assert not any(letter in out + err for letter in CONTROL), command


def test_a_failed_run_ends_in_its_words_and_not_in_0(said, run):
    failed = events.Failed(t=3.0, title="The paper is wet.", detail="It rained.", hint="Wait.", log=str(run.log_file))
    end(run, failed)
    status, out, err = said("attach", "small")
    assert status == 1
    assert err.splitlines()[:3] == ["✗ The paper is wet.", "  It rained.", "→ Wait."]
    assert str(run.log_file) in err
    assert "on CPU: 6 steps." in out


def test_a_run_that_is_gone_without_a_word_is_an_error(said, run):
    status, _out, err = said("attach", run.folder)
    assert status == 1 and "gone without a word" in err and "boceto resume" in err


def test_a_finished_or_stopped_run_ends_in_0(said, run):
    end(run, events.Stopped(t=3.0, step=3, reason="asked"))
    status, out, err = said("attach")
    assert (status, err) == (0, "") and "Stopped at step 3" in out and "as asked" in out
    end(run, events.Finished(t=4.0, step=6, path="/out/small.safetensors"))
    status, out, err = said("attach", "small")
    assert (status, err) == (0, "") and "Finished: /out/small.safetensors" in out
    assert "nothing left to do" in said("resume")[1]
    assert "is not running" in said("stop")[1]


def test_a_project_is_found_by_its_name_beside_a_folder_that_bears_it_too(said, run, tmp_path, monkeypatch):
    """As when one stands where the folder of drawings lies that the project was named after."""
    (tmp_path / "elsewhere" / "small").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert said("logs", "small")[:2] == (0, "a library says\\u{1b}[31m hello\n")


def test_events_reach_scripts_as_they_were_written(said, run):
    end(run, events.Finished(t=4.0, step=6, path="x"))
    _status, out, _err = said("attach", "--json")
    assert out.encode() == run.events_file.read_bytes()


def test_the_log_is_shown_as_text(said, run):
    assert said("logs") == (0, "a library says\\u{1b}[31m hello\n", "")


def test_resuming_what_another_job_holds_is_refused_in_words(said, run):
    with run.held():
        status, _out, err = said("resume", run.folder)
    assert status == 1 and "Another job is already working" in err


def test_a_reader_that_leaves_is_no_error(run):
    """As `boceto ls | head -1` does."""
    end(run, events.Finished(t=4.0, step=6, path="x" * 200_000))
    command = f"{sys.executable} -m tui attach --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode in (0, 141) and "Traceback" not in result.stderr


# --- where a new project goes ----------------------------------------------------------------------------------------


def test_a_folder_of_drawings_becomes_a_project_in_the_usual_place(said, drawings, monkeypatch):
    """However it is named: by its whole path, or by the one from where the person stands."""
    monkeypatch.chdir(drawings.parent)
    for target in (str(drawings), drawings.name, f"./{drawings.name}", f"{drawings.name}/"):
        place, project = project_of(parser().parse_args(["train", target]))
        assert place.folder == paths.projects() / drawings.name, target
        assert place.dataset(project) == drawings, target
    monkeypatch.chdir(drawings)
    place, project = project_of(parser().parse_args(["train", ".", "--name", "here"]))
    assert place.folder == paths.projects() / "here"
    assert place.dataset(project) == drawings


def test_answers_given_once_are_kept_and_can_be_changed(said, tmp_path):
    place, project = small_project(tmp_path / "small", replace(SHORT, rank=16))
    status, out, _err = said("train", place.folder, "--dry-run", "--epochs", 5)
    assert status == 0 and "rank = 16" in out and "epochs = 5" in out
    assert place.load() == project, "a dry run changes nothing"


def test_a_name_that_is_taken_by_other_drawings_is_refused(said, drawings, tmp_path):
    Place(paths.projects() / drawings.name).save(Project(name=drawings.name, dataset="/other/drawings"))
    status, _out, err = said("train", drawings, "--dry-run")
    assert status == 1 and "with other drawings" in err and "--name" in err


@pytest.mark.parametrize("name", ["LANGUAGE", "LC_ALL"])
def test_spanish_is_a_first_language(name):
    quiet = {key: value for key, value in os.environ.items() if key not in ("BOCETO_LANGUAGE", "LANGUAGE")}
    result = subprocess.run(
        [sys.executable, "-m", "tui", "train", "nadie"],
        env={**quiet, name: "es_ES.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "no hay" in result.stderr.lower()


def test_the_parser_says_nothing_of_how_it_is_made():
    """Every option and command has its own words."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                assert command.description, name
                assert all(option.help for option in command._actions), name
