"""`--like FILE`: a project with the choices of a training of another tool, or of a LoRA."""

import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from core.bases import find
from core.bases.base import fingerprint
from core.errors import Problem
from core.language import _
from core.lora.header import read_metadata
from core.project import Project
from tui.words import plain


def like(project: Project, file: str, begun: bool, base: str | None = None) -> Project:
    """`project` with the plan of `file`; one that is just begun takes its base, its word and its kind too.

    A `base` that is chosen already is not looked for. What could not be taken over is said on stderr, as stdout may be
    a script's.
    """
    from core.kohya.read import read

    found = read(Path(file))
    if text := said(found.problems, _("What “{file}” has and Boceto does not take over:").format(file=file)):
        print(text, file=sys.stderr)
    answers = dict(found.answers)
    if begun and not base and "base" not in answers:
        if known := _base(Path(file)):
            answers["base"] = known
        else:
            words = _("“{file}” names no base that is on this disk: it is {base} now. Choose another with --base.")
            print(plain(words.format(file=file, base=project.base)), file=sys.stderr)
    taken = ("activation_word", "kind", "base") if begun else ()
    return replace(project, plan=found.plan(project.plan), **{name: answers[name] for name in taken if name in answers})


def _base(file: Path) -> str | None:
    """The base on this disk that a LoRA of Boceto's was trained on; the first time each is read whole."""
    if file.suffix.lower() != ".safetensors":
        return None
    wanted = read_metadata(file).get("boceto.base")
    found = (base.id for base in find.find() if fingerprint(base, "unet") == wanted)
    return next(found, None) if wanted else None


def said(problems: Sequence[Problem], title: str) -> str:
    """Problems as lines for a terminal, under a title; empty when there are none."""
    from tui.headless.check import MARKS

    lines = [title] if problems else []
    for problem in problems:
        lines.append(f"  {MARKS[problem.severity]} {problem.message}")
        lines += [f"    → {problem.remedy}"] if problem.remedy else []
    return "\n".join(plain(line) for line in lines)
