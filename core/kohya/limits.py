"""What sd-scripts would do otherwise with the same drawings and the same plan."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from core.captions import store
from core.captions.caption import is_sentence, lines_of, tags_of
from core.errors import Problem, Severity
from core.files import unreadable
from core.images.formats import EXTENSIONS
from core.kohya.terms import DRAWINGS
from core.kohya.training import in_one_folder
from core.language import _, ngettext
from core.lora.module import needs_lycoris
from core.lora.parts import block_ranks, text_encoder_rank
from core.plan.frozen import FrozenPlan

_SDXL = 1024


def limits(frozen: FrozenPlan) -> list[Problem]:
    """What the choices lose."""
    plan, found = frozen.plan, []
    if frozen.base.native != _SDXL:
        found.append(
            _warning(
                "base",
                _("sd-scripts cannot load {base}: it knows SDXL in its full size only.").format(base=frozen.base.name),
                _("Write the path of an SDXL base into training_config.toml."),
            )
        )
    if frozen.regularisation:
        found.append(
            _warning(
                "regularisation",
                _(
                    "sd-scripts shows as many regularisation drawings as drawings, in batches of their own; Boceto "
                    "shows {n} beside each batch, and takes the activation word out of their captions."
                ).format(n=plan.prior_pictures),
                _("Weigh them with prior_loss_weight, and see that the word is in none of their captions."),
            )
        )
    elif plan.prior_pictures:
        found.append(
            _warning(
                "prior-pictures",
                _(
                    "Boceto shows pictures of the base beside the drawings, so that the style stays with the "
                    "activation word; sd-scripts does not make them."
                ),
                _("Add a subset with is_reg = true and a folder of the base's own pictures, or do without."),
            )
        )
    if plan.ema:
        found.append(
            _warning(
                "ema",
                _("sd-scripts does not train with an average of past weights."),
                _("Try the file of an earlier epoch where the last one is overdone."),
            )
        )
    if plan.dora:
        found.append(
            _warning(
                "dora",
                _("sd-scripts trains a DoRA with LyCORIS only, which draws other first weights and decays otherwise."),
                _("Install it beside sd-scripts with `pip install lycoris-lora`."),
            )
        )
    if needs_lycoris(plan) and set(block_ranks(plan).values()) != {plan.rank}:
        found.append(
            _warning(
                "parts",
                _("The parts of the UNet have ranks of their own, which LyCORIS cannot give them: all get the same."),
                _("Leave --down-rank, --mid-rank and --up-rank out, or train with Boceto."),
            )
        )
    if plan.layers == "attn-only" and plan.conv_rank:
        found.append(
            _warning(
                "layers",
                _("LyCORIS has no preset for attention and convolutions alone: there all layers are trained."),
                _("Leave the convolutions out with --conv-rank 0, or train with Boceto."),
            )
        )
    if plan.text_encoders and text_encoder_rank(plan) != (plan.rank, plan.alpha):
        found.append(
            _warning(
                "text-encoder-rank",
                _("sd-scripts gives the text encoders the rank and alpha of the UNet."),
                _("Leave --text-encoder-rank and --text-encoder-alpha out, or train with Boceto."),
            )
        )
    prose = sum(is_sentence(drawing.caption) for drawing in frozen.trained)
    if prose and plan.shuffle_tags:
        found.append(
            _warning(
                "sentences",
                ngettext(
                    "{n} caption is a sentence, which Boceto leaves whole; sd-scripts shuffles its parts between "
                    "commas.",
                    "{n} captions are sentences, which Boceto leaves whole; sd-scripts shuffles their parts between "
                    "commas.",
                    prose,
                ).format(n=prose),
                _("Turn shuffle_caption off in dataset_config.toml."),
            )
        )
    if not plan.file_names and plan.tag_counts:
        found.append(
            Problem(
                Severity.NOTE,
                "",
                "names",
                _("sd-scripts writes the names of the drawings' folders and of the base into the LoRA file."),
                _("Set no_metadata = true where they must stay at home."),
            )
        )
    return found


def differences(frozen: FrozenPlan) -> list[Problem]:
    """What sd-scripts would see otherwise in the drawings' own folders: files, captions, treatments."""
    dataset = Path(frozen.dataset)
    names = {drawing.name for drawing in frozen.trained}
    # What is held out here is held out there too, as long as all of them are in one folder.
    known = {drawing.name for drawing in frozen.drawings} if in_one_folder(frozen) else names
    found: list[Problem] = []
    others = sorted(set(_images(dataset, {str(Path(name).parent) for name in names})) - known)
    if others:
        found.append(
            _warning(
                "left-out",
                ngettext(
                    "{n} drawing in these folders is not in Boceto's training, and sd-scripts would take it: {names}.",
                    "{n} drawings in these folders are not in Boceto's training, and sd-scripts would take them: "
                    "{names}.",
                    len(others),
                ).format(n=len(others), names=_some(others)),
                _copied(),
            )
        )
    unread = sorted(name for name in names if Path(name).suffix.lower() not in DRAWINGS)
    if unread:
        found.append(
            _warning(
                "unread",
                ngettext(
                    "{n} drawing has a format that sd-scripts does not open: {names}.",
                    "{n} drawings have a format that sd-scripts does not open: {names}.",
                    len(unread),
                ).format(n=len(unread), names=_some(unread)),
                _copied(),
            )
        )
    found += _captions(frozen, dataset)
    treated = [drawing.name for drawing in frozen.trained if drawing.treatment.fit == "pad"]
    if treated:
        found.append(
            _warning(
                "padded",
                ngettext(
                    "{n} drawing is padded here; sd-scripts would crop it: {names}.",
                    "{n} drawings are padded here; sd-scripts would crop them: {names}.",
                    len(treated),
                ).format(n=len(treated), names=_some(treated)),
                _copied(),
            )
        )
    found.append(
        Problem(
            Severity.NOTE,
            "",
            "as-they-are",
            _("sd-scripts takes drawings as they are stored: turned by no EXIF mark, and without paper behind them."),
            _copied(),
        )
    )
    return found


def _captions(frozen: FrozenPlan, dataset: Path) -> Iterator[Problem]:
    other, empty = [], []
    for drawing in frozen.trained:
        file = store.read(dataset / drawing.name)
        if file.content == b"":
            empty.append(drawing.name)
            continue
        # It reads the first line only.
        line = next(iter(lines_of(file.text)), "")
        if tags_of(line) != tags_of(drawing.caption):
            other.append(drawing.name)
    if empty:
        yield _warning(
            "empty-captions",
            ngettext(
                "{n} caption file is empty, and sd-scripts stops there: {names}.",
                "{n} caption files are empty, and sd-scripts stops there: {names}.",
                len(empty),
            ).format(n=len(empty), names=_some(empty)),
            _copied(),
        )
    if other:
        yield _warning(
            "captions",
            ngettext(
                "sd-scripts would read {n} caption otherwise, without the activation word or its further lines: "
                "{names}.",
                "sd-scripts would read {n} captions otherwise, without the activation word or their further lines: "
                "{names}.",
                len(other),
            ).format(n=len(other), names=_some(other)),
            _copied(),
        )


def _images(dataset: Path, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        try:
            entries = sorted((dataset / folder).iterdir())
        except OSError as error:
            raise unreadable(
                dataset / folder, error, _("See whether the folder is still there and may be read.")
            ) from error
        for path in entries:
            if path.suffix.lower() in EXTENSIONS & DRAWINGS and not path.name.startswith("."):
                yield path.relative_to(dataset).as_posix()


def _copied() -> str:
    return _("With --copy the drawings and captions are written anew, as Boceto trains them.")


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def _warning(code: str, message: str, remedy: str) -> Problem:
    return Problem(Severity.WARNING, "", code, message, remedy)
