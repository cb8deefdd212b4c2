"""A plan as a folder that sd-scripts can train from."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from shlex import quote

from msgspec import Struct
from PIL import Image

from core.errors import BocetoError, Problem
from core.files import write_bytes, write_text
from core.images.drawing import opacity, open_drawing
from core.kohya.dataset import dataset_config
from core.kohya.limits import differences, limits
from core.kohya.training import preview_prompts, training_config
from core.language import _
from core.plan.frozen import FrozenDrawing, FrozenPlan

TRAINING, DATASET, PROMPTS = "training_config.toml", "dataset_config.toml", "sample_prompts.txt"
DRAWINGS = "drawings"
_MARK = "# Boceto"
"""How each of our files begins: only such files are written over."""


class Exported(Struct, frozen=True):
    """What was written, and what is to be known of it."""

    files: tuple[Path, ...]
    problems: tuple[Problem, ...]
    command: str
    """How sd-scripts is started with it, in its own folder."""


def export(frozen: FrozenPlan, folder: Path, *, copy: bool = False) -> Exported:
    """Write the plan into `folder`; with `copy` the drawings too, as the training sees them.

    Raises BocetoError rather than write over a file that is not Boceto's.
    """
    _refuse_others(folder)
    problems = [*limits(frozen), *([] if copy else differences(frozen))]
    dataset = folder / DRAWINGS if copy else Path(frozen.dataset)
    if copy:
        _copy(frozen, dataset)
    told = "\n".join(f"– {problem.message} {problem.remedy}" for problem in problems)
    head = _("Boceto wrote this file for sd-scripts (sdxl_train_network.py), from the plan of “{project}”.").format(
        project=frozen.project
    )
    above = "\n".join(part for part in (_MARK[2:], head, told) if part)
    training = training_config(frozen, folder, above, whole=not copy)
    texts = {
        TRAINING: training,
        DATASET: dataset_config(frozen, dataset, f"{_MARK[2:]}\n{head}"),
        PROMPTS: f"{_MARK}\n{preview_prompts(frozen)}",
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    several = f" --multi_gpu --num_processes={frozen.plan.gpus}" if frozen.plan.gpus > 1 else ""
    command = (
        f"accelerate launch{several} sdxl_train_network.py"
        f" --config_file={quote(str(folder / TRAINING))} --dataset_config={quote(str(folder / DATASET))}"
    )
    return Exported(tuple(folder / name for name in texts), tuple(problems), command)


def _refuse_others(folder: Path) -> None:
    for path in (folder / TRAINING, folder / DATASET, folder / PROMPTS):
        if path.exists() and not path.read_bytes().startswith(_MARK.encode()):
            raise _not_ours(path)


def _not_ours(path: Path) -> BocetoError:
    return BocetoError(
        _("“{path}” is there already, and Boceto did not write it.").format(path=path),
        hint=_("Name another folder with --out."),
    )


def _copy(frozen: FrozenPlan, folder: Path) -> None:
    """Each drawing upright, on its paper and padded where the artist wants it, with its caption beside it."""
    written = folder / ".boceto"
    if folder.exists() and not written.is_file():
        raise _not_ours(folder)
    # Of an earlier copy only what was written by it goes, whatever else has come to lie there.
    for name in written.read_text("utf-8").split("\n") if written.is_file() else ():
        if name and not Path(name).is_absolute() and ".." not in Path(name).parts:
            (folder / name).unlink(missing_ok=True)
    named = list(_named(frozen.trained))
    write_text(written, "".join(f"{name}.png\n{name}.txt\n" for _drawing, name in named))
    for drawing, name in named:
        image = open_drawing(Path(frozen.dataset) / drawing.name, drawing.treatment.background)
        if frozen.plan.masked_loss and (alpha := opacity(Path(frozen.dataset) / drawing.name)):
            image.putalpha(alpha)
        png = BytesIO()
        _padded(image, drawing).save(png, "PNG")
        write_bytes(folder / f"{name}.png", png.getvalue())
        write_text(folder / f"{name}.txt", drawing.caption + "\n")


def _padded(image: Image.Image, drawing: FrozenDrawing) -> Image.Image:
    """The drawing at its own size, on paper of its bucket's shape where it is padded."""
    if drawing.treatment.fit != "pad":
        return image
    place = drawing.placement
    size = (
        round(image.width * place.bucket.width / place.resized_width),
        round(image.height * place.bucket.height / place.resized_height),
    )
    paper = Image.new("RGB", size, drawing.treatment.background).convert(image.mode)
    if image.mode == "RGBA":
        paper.putalpha(0)
    paper.paste(image, ((paper.width - image.width) // 2, (paper.height - image.height) // 2))
    return paper


def _named(drawings: tuple[FrozenDrawing, ...]) -> Iterator[tuple[FrozenDrawing, str]]:
    """Each drawing with a name of its own: “a.png” and “a.jpg” would share one caption."""
    taken: set[str] = set()
    for drawing in drawings:
        stem = PurePosixPath(drawing.name).with_suffix("").as_posix()
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        yield drawing, name
