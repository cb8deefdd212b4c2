"""`boceto export`: the plan for other tools and other machines."""

from argparse import Namespace
from pathlib import Path

from core.bases import find
from core.errors import BocetoError
from core.files import write_text
from core.language import _
from core.plan.frozen import freeze
from core.project import Place, Project
from core.runs.elsewhere import job_name, skypilot, slurm
from tui.headless.like import said
from tui.headless.train import project_of
from tui.words import plain


def export(options: Namespace) -> int:
    """Write the files, and say how they are used."""
    place, project = project_of(options)
    match options.what:
        case "kohya":
            _kohya(place, project, _folder(options, place.folder / "kohya"), copy=options.copy)
        case "slurm":
            place.save(project)
            folder = _folder(options, place.folder)
            file = folder / f"{job_name(project)}.slurm"
            _write(file, slurm(place, project))
            _told([file], f"sbatch {file}")
        case _:
            place.save(project)
            folder = _folder(options, place.folder)
            texts = skypilot(place, project, find.resolve(project.base), folder)
            for name, text in texts.items():
                _write(folder / name, text)
            task = folder / next(iter(texts))
            _told([folder / name for name in texts], f"sky launch -c {job_name(project)} {task}")
    return 0


def _kohya(place: Place, project: Project, folder: Path, *, copy: bool) -> None:
    from core.kohya.export import export as write

    done = write(freeze(place, project), folder, copy=copy)
    if text := said(done.problems, _("What sd-scripts does otherwise:")):
        print(text)
    _told(list(done.files), done.command)


def _folder(options: Namespace, usual: Path) -> Path:
    return Path(options.out).expanduser().absolute() if options.out else usual.absolute()


def _write(file: Path, text: str) -> None:
    """Write one of ours, and no other: each says in its first lines who wrote it."""
    if file.exists() and "Boceto" not in file.read_text("utf-8", errors="replace")[:300] and file.suffix != ".toml":
        raise BocetoError(
            _("“{path}” is there already, and Boceto did not write it.").format(path=file),
            hint=_("Name another folder with --out."),
        )
    write_text(file, text)


def _told(files: list[Path], command: str) -> None:
    for file in files:
        print(plain(_("Written: {file}").format(file=file)))
    print(plain(_("Start it with: {command}").format(command=command)))
