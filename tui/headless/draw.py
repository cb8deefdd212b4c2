"""`boceto draw`: pictures with a LoRA beside those of its base alone."""

from argparse import Namespace
from pathlib import Path

from core.bases import find
from core.bases.base import Base, fingerprint
from core.captions.caption import with_word
from core.errors import BocetoError
from core.language import _
from core.lora.header import read_metadata
from core.pictures.order import Order, Row
from core.project import place_of
from core.randomness import key
from core.runs.launch import launch
from core.runs.run import Run
from tui.headless.progress import status_of, watch


def draw(options: Namespace) -> int:
    """Make the pictures as a job, and watch it."""
    lora = _lora(options.lora)
    said = read_metadata(lora)
    base = find.resolve(options.base) if options.base else _base_of(said)
    word = said.get("modelspec.trigger_phrase", "")
    plain = tuple(prompt for prompt in options.prompts for _number in range(options.seeds))
    prompts = tuple(with_word(prompt, word) for prompt in plain)
    out = Path(options.out).expanduser().absolute() if options.out else lora.parent / "pictures"
    run = Run.create(
        out / ".runs",
        Order(
            base=base,
            lora=str(lora),
            rows=(Row(_("base"), plain, 0.0), Row(_("LoRA"), prompts, options.strength)),
            seeds=tuple(key(0, index, "draw") for index in range(len(plain))),
            width=base.native,
            height=base.native,
            steps=options.steps,
            guidance=options.guidance,
            folder=str(out),
        ),
    )
    launch(run, "core.pictures.job")
    return status_of(watch(run, options.json))


def _lora(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_file():
        return path.absolute()
    output = place_of(text).output
    files = sorted(output.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise BocetoError(
            _("There is no LoRA “{text}”.").format(text=text),
            hint=_("Give a .safetensors file, or the name of a project that has been trained."),
        )
    return files[-1]


def _base_of(said: dict[str, str]) -> Base:
    """The base on this disk that the LoRA was trained on."""
    wanted = said.get("boceto.base", "")
    for base in find.find():
        if wanted and fingerprint(base, "unet") == wanted:
            return base
    raise BocetoError(
        _("The base this LoRA was trained on was not found on this disk."),
        hint=_("Say with --base which base to draw with: a name, or the folder of one."),
    )
