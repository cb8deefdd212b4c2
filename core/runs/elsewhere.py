"""Starting a training on another machine: a script for Slurm, a task for SkyPilot."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from msgspec.structs import replace

from core import toml
from core.bases.base import Base
from core.bases.catalog import entry
from core.language import _
from core.project import Place, Project

_SPACE = 100
"""Gigabytes of disk: SDXL, Python with CUDA, caches."""
_CARDS = ("L4", "A10G", "L40S", "A100", "H100")


def job_name(project: Project) -> str:
    """The project's name as a cluster takes it."""
    return f"boceto-{re.sub(r'[^A-Za-z0-9]+', '-', project.name).strip('-').lower()}".rstrip("-")[:40]


def slurm(place: Place, project: Project) -> str:
    """A script for `sbatch` that trains a project that is saved, and goes on by itself where it was cut off."""
    gpus = project.plan.gpus
    return "\n".join(
        [
            "#!/bin/bash",
            *_comment(_("Boceto wrote this for Slurm, to train “{project}”.").format(project=project.name)),
            f"#SBATCH --job-name={job_name(project)}",
            "#SBATCH --output=%x-%j.log",
            f"#SBATCH --gres=gpu:{gpus}",
            f"#SBATCH --cpus-per-task={4 * gpus}",
            f"#SBATCH --mem={32 * gpus}G",
            *_comment(_("Short times start sooner: three minutes before the end it saves, and queues itself again.")),
            "#SBATCH --time=04:00:00",
            "#SBATCH --signal=B:USR1@180",
            "#SBATCH --requeue",
            *_comment(_("Write the partition or account here if your cluster asks for one.")),
            "##SBATCH --partition=gpu",
            "",
            f"boceto={quote(_command())}",
            f"project={quote(str(place.folder.absolute()))}",
            "",
            *_comment(_("It saves, and ends when the training has.")),
            'stopped() { "$boceto" stop "$project"; wait "$job"; }',
            "trap 'stopped; scontrol requeue \"$SLURM_JOB_ID\"; exit 0' USR1",
            "trap 'stopped; exit 0' TERM",
            "",
            'if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && ls "$project"/runs/*/plan.toml >/dev/null 2>&1; then',
            '    "$boceto" resume "$project" --json &',
            "else",
            '    "$boceto" train "$project" --json &',
            "fi",
            "job=$!",
            'wait "$job"',
            "",
        ]
    )


def skypilot(place: Place, project: Project, base: Base, folder: Path) -> dict[str, str]:
    """A task for `sky launch` and the project as it is there: file names in `folder`, and their texts.

    The task takes drawings, answers and, where it cannot be downloaded, the base along.
    """
    name, there = job_name(project), f"~/boceto/{job_name(project)}"
    known = entry(base.id)
    fetched = known is not None and not isinstance(known.source, Path)
    along = base.id if known else f"{there}/base{base.path.suffix if base.path.is_file() else ''}"
    answers = toml.dump(replace(project, dataset="dataset", base=along))
    mounts = {
        f"{there}/project.toml": str(folder.absolute() / f"{name}.project.toml"),
        f"{there}/dataset": str(place.dataset(project).absolute()),
    }
    if not known:
        mounts[along] = str(base.path)
    source = _source()
    setup = ["pip install ." if source else f"pip install boceto=={_version()}"]
    setup += [f"boceto bases --fetch {quote(base.id)}"] if fetched else []
    task = "\n".join(
        [
            *_comment(_("Boceto wrote this for SkyPilot, to train “{project}”.").format(project=project.name)),
            *_comment(_("When it has ended, fetch the LoRA files, then give the machine back:")),
            f"#   rsync -Pavz {name}:{there.removeprefix('~/')}/output/ {_plain(quote(str(place.output.absolute())))}/",
            f"#   sky down {name}",
            f"name: {name}",
            *([f"workdir: {json.dumps(str(source))}"] if source else []),
            "resources:",
            *_comment(_("Any of these; the cheapest that is free is taken."), "  "),
            f"  accelerators: {{{', '.join(f'{card}: {project.plan.gpus}' for card in _CARDS)}}}",
            f"  disk_size: {_SPACE}",
            "file_mounts:",
            *(f"  {json.dumps(remote)}: {json.dumps(local)}" for remote, local in mounts.items()),
            "setup: |",
            *(f"  {line}" for line in ("set -e", *setup)),
            "run: |",
            f"  boceto train {there} --json",
            "",
        ]
    )
    return {f"{name}.sky.yaml": task, f"{name}.project.toml": answers}


def _command() -> str:
    """The `boceto` beside this Python, which a batch job finds without anybody's shell."""
    beside = Path(sys.executable).with_name("boceto")
    return str(beside) if beside.is_file() else "boceto"


def _source() -> Path | None:
    """Where Boceto's source is, when it runs from there; the cluster then installs the same."""
    root = Path(__file__).parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def _version() -> str:
    from importlib.metadata import version

    return version("boceto")


def _comment(text: str, indent: str = "") -> Iterator[str]:
    yield f"{indent}# {_plain(text)}"


def _plain(text: str) -> str:
    """One line, whatever a name holds."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
