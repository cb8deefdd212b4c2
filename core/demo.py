"""The demo: the whole road on the drawings in the box, and figures of what was learned."""

import shutil
from pathlib import Path

from msgspec import Struct
from PIL import Image

from core.errors import BocetoError
from core.images.buckets import fitted
from core.images.drawing import open_drawing
from core.language import _
from core.pictures.order import Order, Row
from core.pictures.style import Style, style_of
from core.plan.frozen import FrozenPlan
from core.plan.steps import suggestions
from core.project import Place, Project
from core.randomness import key
from core.settings import OptimizerName, Plan

DRAWINGS = Path(__file__).parent / "bases" / "mini" / "drawings"
NAME, WORD = "demo", "houtline"
PROMPTS = ("cat", "house", "airplane", "penguin", "sailboat", "umbrella", "guitar", "fish")
"""Things the drawings do not show, so that only the style can have been learned."""
SEEDS_PER_PROMPT = 2
BATCH_SIZE = 6
BASE_PLAIN, BASE_WORD, LORA_PLAIN, LORA_WORD = range(4)


def begin(folder: Path, optimizer: OptimizerName, seed: int) -> tuple[Place, Project]:
    """Lay down the demo's project: the drawings with their captions, and a plan of 300 to 500 steps."""
    place = Place(folder)
    if place.file.exists() and place.load().name != NAME:
        raise BocetoError(
            _("In “{folder}” there is another project.").format(folder=folder),
            hint=_("Give the demo a folder of its own with --folder."),
        )
    dataset = folder / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    for source in sorted(DRAWINGS.iterdir()):
        if not (dataset / source.name).exists():
            shutil.copyfile(source, dataset / source.name)
    count = len(list(DRAWINGS.glob("*.png")))
    steps = suggestions([count], BATCH_SIZE)[0]
    plan = Plan(
        repeats=steps.repeats,
        epochs=steps.epochs,
        batch_size=BATCH_SIZE,
        optimizer=optimizer,
        # The base in the box is some 300 times smaller than SDXL: it takes rates that would burn SDXL, and its
        # texts are so short that the word only binds when the text encoders learn it too.
        learning_rate=None if optimizer == "prodigy" else 2e-3,
        text_encoder_rate=None if optimizer == "prodigy" else 2e-3,
        d0=1e-4 if optimizer == "prodigy" else None,
        alpha=8,
        conv_rank=8,
        conv_alpha=8,
        text_encoders=True,
        # It was made with weight on the noisy timesteps, where colours are decided: with 5, the usual gamma, the
        # pictures went 0.70 of the way with the word and 0.20 without it; with 0.2, 0.79 and 0.07.
        min_snr_gamma=0.2,
        prior_weight=0.3,
        seed=seed,
        preview_every=2,
        held_out=0,
    )
    project = Project(name=NAME, activation_word=WORD, kind="style", base="mini", plan=plan)
    place.save(project)
    return place, project


def order(frozen: FrozenPlan, lora: Path, folder: Path) -> Order:
    """The same prompts and seeds with and without the LoRA, with and without the word."""
    plain = tuple(prompt for prompt in PROMPTS for _number in range(SEEDS_PER_PROMPT))
    word = tuple(f"{WORD}, {prompt}" for prompt in plain)
    side = frozen.plan.resolution
    return Order(
        base=frozen.base,
        lora=str(lora),
        rows=(
            Row(_("base"), plain, 0.0),
            Row(_("base,\nwith the word"), word, 0.0),
            Row(_("LoRA"), plain, 1.0),
            Row(_("LoRA,\nwith the word"), word, 1.0),
        ),
        seeds=tuple(key(0, f"{prompt}/{index}", "demo") for index, prompt in enumerate(plain)),
        width=side,
        height=side,
        folder=str(folder),
    )


class Figures(Struct, frozen=True):
    """What was learned: the styles, and how much of the way from the base to the drawings was gone."""

    base: Style
    drawings: Style
    without_word: Style
    with_word: Style

    @property
    def way_with_word(self) -> Style:
        """1 would be: as the drawings are."""
        return self.with_word.way(self.base, self.drawings)

    @property
    def way_without_word(self) -> Style:
        """0 would be: as if nothing had been learned."""
        return self.without_word.way(self.base, self.drawings)


def figures(frozen: FrozenPlan, made: Order) -> Figures:
    """Measure the pictures of an order that was carried out, and the drawings."""

    def style(row: int) -> Style:
        return style_of(Image.open(made.picture(row, column)) for column in range(len(made.seeds)))

    folder = Path(frozen.dataset)
    drawings = (
        fitted(open_drawing(folder / drawing.name, drawing.treatment.background), drawing.placement)
        for drawing in frozen.drawings
    )
    return Figures(style(BASE_PLAIN), style_of(drawings), style(LORA_PLAIN), style(LORA_WORD))
