"""The command line: arguments only. What a command needs is imported when it is run."""

import argparse
import gettext
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from core.errors import BocetoError
from core.language import LANGUAGES, LOCALES, _, preferred
from core.settings import Choice, Plan, choices

COMMANDS = (
    *("open", "new", "check", "caption", "lint", "bases", "steps", "train", "demo"),
    *("ls", "attach", "stop", "resume", "logs", "draw", "export"),
)
EXIT_ERROR = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 done, 1 failed, 2 not understood."""
    given = _language(list(sys.argv[1:] if arguments is None else arguments))
    _speak()
    if not given or given[0] not in (*COMMANDS, "-h", "--help", "--version"):
        given = ["open", *given]
    options = parser().parse_args(given)
    try:
        module, function = options.command.split(":")
        return int(getattr(import_module(module), function)(options) or 0)
    except BocetoError as error:
        tell(error)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does.
        sys.stdout = None
        return 0


def _language(arguments: list[str]) -> list[str]:
    """The arguments without `--lang`, which counts before there is any sentence to say."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--":
            break
        if name == "--lang":
            rest = arguments[place + 1 :]
            language = value if equals else rest[0] if rest else ""
            if language in LANGUAGES:
                os.environ["BOCETO_LANGUAGE"] = language
                return arguments[:place] + (rest if equals else rest[1:])
            break  # argparse says what is wrong with it
    return arguments


def tell(error: BocetoError) -> None:
    """The one place where the command line says what went wrong."""
    from tui.words import plain

    marks = ("✗ ", "  ", "→ ")
    for mark, part in zip(marks, (error.title, error.detail, error.hint), strict=True):
        for number, line in enumerate(part.splitlines()):
            sys.stderr.write(("  " if number else mark) + plain(line) + "\n")


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    root = argparse.ArgumentParser(
        prog="boceto", description=_("From a folder of drawings to a trained SDXL LoRA, in a terminal.")
    )
    root.add_argument("--version", action=_Version, nargs=0, help=_("say which Boceto this is"))
    root.add_argument("--lang", choices=LANGUAGES, help=_("the language to speak; left out, the terminal's"))
    commands = root.add_subparsers(metavar=_("COMMAND"), required=True)

    _wizard(commands)
    new = _command(commands, "new", "new:new", _("begin a project for a folder of drawings, and train nothing yet"))
    _project(new)

    demo = _command(commands, "demo", "demo:demo", _("train on the drawings in the box and see what is learned"))
    demo.add_argument("--folder", metavar=_("FOLDER"), help=_("where the demo's project goes"))
    demo.add_argument("--seed", metavar="N", type=int, default=42, help=_("everything random follows from this number"))
    demo.add_argument("--optimizer", choices=_options("optimizer"), default="prodigy", help=_("what moves the weights"))
    _output(demo)

    check = _command(commands, "check", "check:check", _("look at a folder of drawings: sizes, buckets, problems"))
    _project(check)
    check.add_argument("--json", action="store_true", help=_("one JSON object a line, for scripts"))

    _captions(commands)

    _bases(commands)

    steps = _command(commands, "steps", "steps:steps", _("reckon the steps of a training, and how to reach 300 to 500"))
    _project(steps)

    _train(commands)

    listing = _command(commands, "ls", "runs:ls", _("show the projects and their runs"))
    listing.add_argument("--json", action="store_true", help=_("one JSON object a line, for scripts"))
    attach = _command(commands, "attach", "runs:attach", _("watch a run; leaving it does not stop it"))
    stop = _command(commands, "stop", "runs:stop", _("save and stop a run; it can go on later"))
    resume = _command(commands, "resume", "runs:resume", _("go on with a run that was stopped or cut off"))
    logs = _command(commands, "logs", "runs:logs", _("show what the libraries had to say"))
    for one in (attach, stop, resume, logs):
        one.add_argument(
            "run",
            metavar=_("RUN"),
            nargs="?",
            default="",
            help=_("a run's folder, or a project's name; left out, the newest"),
        )
    for one in (attach, resume):
        _output(one)
    resume.add_argument("--detach", action="store_true", help=_("start the training and come back at once"))
    logs.add_argument("-f", "--follow", action="store_true", help=_("go on showing what comes"))

    draw = _command(commands, "draw", "draw:draw", _("make pictures with a LoRA, beside those of the base alone"))
    draw.add_argument("lora", metavar="LORA", help=_("a LoRA file, or a project's name for its newest"))
    draw.add_argument(
        "prompts", metavar=_("PROMPT"), nargs="+", help=_("what to draw; the activation word is put in front")
    )
    draw.add_argument("--base", metavar=_("BASE"), help=_("another base than the LoRA's own"))
    draw.add_argument("--seeds", metavar="N", type=int, default=2, help=_("how many pictures of each prompt"))
    draw.add_argument("--strength", metavar="N", type=float, default=1.0, help=_("how much of the LoRA"))
    draw.add_argument("--steps", metavar="N", type=int, default=25, help=_("how many steps a picture takes to draw"))
    draw.add_argument("--guidance", metavar="N", type=float, default=5.0, help=_("how closely the prompt is followed"))
    draw.add_argument("--out", metavar=_("FOLDER"), help=_("where the pictures go"))
    _output(draw)

    export = _command(
        commands,
        "export",
        "export:export",
        _("write the plan for other tools (sd-scripts) or machines (Slurm, SkyPilot)"),
    )
    export.add_argument("what", choices=("kohya", "slurm", "skypilot"), help=_("for whom"))
    _project(export)
    export.add_argument("--out", metavar=_("FOLDER"), help=_("where the files go; left out, the project's folder"))
    export.add_argument(
        "--copy", action="store_true", help=_("kohya: write the drawings and captions anew too, as Boceto trains them")
    )
    return root


def _wizard(commands: Any) -> None:
    wizard = _command(commands, "open", "", _("open the wizard, as `boceto` alone and `boceto FOLDER` do"))
    wizard.set_defaults(command="tui.start:start")
    wizard.add_argument(
        "target", metavar=_("FOLDER"), nargs="?", default="", help=_("a folder of drawings, or a project's name")
    )
    wizard.add_argument(
        "--plain", action="store_true", help=_("ask line by line, for screen readers and plain terminals")
    )
    wizard.add_argument("--theme", metavar=_("THEME"), help=_("other colours"))
    wizard.add_argument("--no-color", action="store_true", help=_("no colours at all"))
    wizard.add_argument("--ascii", action="store_true", help=_("draw with plain characters only"))
    wizard.add_argument("--no-mouse", action="store_true", help=_("leave the mouse to the terminal"))
    wizard.add_argument("--images", choices=("auto", "kitty", "sixel", "half", "off"), help=_("how pictures are shown"))
    wizard.add_argument("--lang", choices=LANGUAGES, help=argparse.SUPPRESS)


def _captions(commands: Any) -> None:
    caption = _command(
        commands, "caption", "caption:caption", _("let taggers write captions, or take those that other tools left")
    )
    _target(caption)
    caption.add_argument(
        "--tagger",
        dest="taggers",
        metavar=_("TAGGER"),
        action="append",
        default=[],
        help=_("which tagger: a name, a repository, or a folder; several unite their tags"),
    )
    caption.add_argument("--fetch", action="store_true", help=_("download a tagger that is not on this disk"))
    caption.add_argument(
        "--general", metavar="N", type=float, help=_("how sure it must be of a tag (styles 0.5, characters 0.25)")
    )
    caption.add_argument("--characters", action="store_true", help=_("write the names of characters too"))
    caption.add_argument(
        "--character", metavar="N", type=float, help=_("how sure it must be of such a name (default 0.85)")
    )
    caption.add_argument(
        "--never", metavar=_("TAG"), action="append", default=[], help=_("a tag that is never written")
    )
    caption.add_argument("--most", metavar="N", type=int, default=0, help=_("at most so many tags a caption"))
    caption.add_argument(
        "--mode",
        choices=("keep", "append", "replace"),
        default="keep",
        help=_("captions there are: keep them and fill the empty ones, append what they lack, replace them"),
    )
    caption.add_argument(
        "--import",
        dest="source",
        metavar=_("FILE"),
        nargs="?",
        const="",
        help=_("take captions from .caption, metadata.jsonl or sd-scripts' JSON files instead; left out, from all"),
    )
    caption.add_argument("--dry-run", action="store_true", help=_("show what would change and write no caption"))
    _output(caption)

    lint = _command(commands, "lint", "lint:lint", _("say what is wrong with the captions, and mend it"))
    _target(lint)
    lint.add_argument(
        "--fix",
        metavar=_("KIND"),
        action="append",
        default=[],
        help=_("mend a kind of problem, such as duplicate-tags; “all” mends what can be mended"),
    )
    lint.add_argument("--dry-run", action="store_true", help=_("show what would change and write no caption"))
    lint.add_argument("--json", action="store_true", help=_("one JSON object a line, for scripts"))


def _bases(commands: Any) -> None:
    bases = _command(commands, "bases", "bases:bases", _("show the bases on this disk, and fetch others"))
    bases.add_argument(
        "places", metavar=_("PLACE"), nargs="*", help=_("look in these folders and files too, beside the usual places")
    )
    bases.add_argument("--fetch", metavar=_("BASE"), help=_("download this base: its name here, or its repository"))
    bases.add_argument("--json", action="store_true", help=_("one JSON object a line, for scripts"))


def _train(commands: Any) -> None:
    train = _command(
        commands, "train", "train:train", _("train a LoRA on a folder of drawings, or go on with a project")
    )
    _project(train)
    train.add_argument("--detach", action="store_true", help=_("start the training and come back at once"))
    train.add_argument("--dry-run", action="store_true", help=_("show the whole plan and start nothing"))
    train.add_argument(
        "--nodes",
        metavar="N",
        type=int,
        default=1,
        help=_("split the GPUs over so many machines: prints what to run on each, and starts nothing"),
    )
    _output(train)


def plan_of(options: argparse.Namespace) -> dict[str, Any]:
    """The choices of a plan that were given as flags."""
    return {
        choice.name: getattr(options, choice.name)
        for choice in choices(Plan)
        if getattr(options, choice.name, None) is not None
    }


def _command(commands: Any, name: str, where: str, words: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=words, description=words[:1].upper() + words[1:] + "."
    )
    made.set_defaults(command=f"tui.headless.{where}")
    return made


def _project(command: argparse.ArgumentParser) -> None:
    _target(command)
    command.add_argument(
        "--like",
        metavar=_("FILE"),
        help=_("choose as another training did: a LoRA, a TOML of sd-scripts, or a JSON of kohya_ss"),
    )
    plan = command.add_argument_group(_("the plan"))
    for choice in choices(Plan):
        _flag(plan, choice)


def _target(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "target", metavar=_("DRAWINGS"), help=_("a folder of drawings, a project's folder, or a project's name")
    )
    command.add_argument("--name", metavar=_("NAME"), help=_("the name of a new project; left out, the folder's"))
    command.add_argument("--word", metavar=_("WORD"), help=_("the activation word that calls the LoRA"))
    command.add_argument(
        "--kind", choices=("style", "character"), help=_("what the drawings teach: a style or a character")
    )
    command.add_argument("--base", metavar=_("BASE"), help=_("the base to train on: a name, or the folder of one"))
    command.add_argument("--nested", action="store_const", const=True, help=_("count drawings in folders below too"))


def _flag(group: Any, choice: Choice) -> None:
    """One choice of the plan, as it is declared there."""
    shown = (
        {True: _("on"), False: _("off")}.get(choice.default, choice.default) if choice.kind is bool else choice.default
    )
    default = "" if choice.default in (None, ()) else " " + _("(default {value})").format(value=shown)
    options: dict[str, Any] = {
        "dest": choice.name,
        "default": None,
        "help": (_(choice.help) + default).replace("%", "%%"),
    }
    match choice.kind:
        case "one of":
            options["choices"] = choice.options
        case "list":
            options |= {"action": "append", "metavar": _("TEXT")}
        case "pair":
            options |= {"nargs": 2, "type": float, "metavar": ("A", "B")}
        case kind if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        case kind:
            options |= {"type": kind, "metavar": _("FILE") if kind is str else "N"}
    group.add_argument("--" + choice.name.replace("_", "-"), **options)


def _options(name: str) -> tuple[str, ...]:
    return next(choice.options for choice in choices(Plan) if choice.name == name)


def _output(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help=_("one JSON event a line, for scripts"))


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"boceto {version('boceto')}\n")
        parser.exit()


def _speak() -> None:
    """Let argparse say its own words in the person's language too."""
    os.environ["LANGUAGE"] = preferred()
    gettext.bindtextdomain("boceto", LOCALES)
    gettext.textdomain("boceto")
