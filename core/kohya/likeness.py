"""A training of another tool as a plan of ours: what it chooses, and what of it has no counterpart."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from core.errors import Problem
from core.kohya.network import network
from core.kohya.rates import rates
from core.kohya.reader import Reader, brief
from core.kohya.said import Said
from core.kohya.strangers import strangers
from core.kohya.terms import MIXED, OWN, SAVED, TERMS
from core.kohya.whole import answers, beside, epochs, previews
from core.language import _
from core.settings import Plan

_MOST_BATCH = 64


class Likeness(Struct, frozen=True):
    """What can be taken over from a file."""

    choices: Mapping[str, Any]
    """Of a plan; what is not here was not said, and stays as it is."""
    answers: Mapping[str, Any]
    """Of a project: `name`, `activation_word`, `kind`, `base`, `dataset`, `nested`."""
    problems: tuple[Problem, ...]

    def plan(self, before: Plan = Plan()) -> Plan:  # noqa: B008 - a frozen record
        """`before` with these choices in it."""
        return replace(before, **self.choices)


def likeness(said: Said) -> Likeness:
    """Make of a file what a plan can hold; never raises for a value, however wrong, but says it."""
    reader = Reader(said)
    for term in TERMS:
        if said.dataset if term.table == "dataset" else said.training:
            reader.take(term.field, said.get(term.key, None if term.key in said.unsaid else term.default), term.key)
    if said.training:
        for part in (network, rates, epochs, previews, beside, _beginning, _rest):
            part(reader)
    if said.dataset:
        _resolution(reader)
        _masks(reader)
    else:
        reader.note(
            "no-dataset",
            _("It says nothing of the drawings: repeats, the order of tags and the resolution stay as they were."),
            _("Give it together with its dataset_config.toml, in one folder."),
        )
    strangers(reader)
    _own(reader)
    return Likeness(reader.choices, answers(reader), tuple(reader.problems))


def _rest(reader: Reader) -> None:
    said = reader.said
    if (times := int(said.number("gradient_accumulation_steps", 1))) > 1 and "batch_size" in reader.choices:
        whole = reader.choices["batch_size"] * times
        reader.choices["batch_size"] = min(whole, _MOST_BATCH)
        reader.note(
            "accumulation",
            _("It gathers {times} batches for one step: a batch here is {batch} drawings.").format(
                times=times, batch=reader.choices["batch_size"]
            ),
            _("Choose a smaller --batch-size where the memory does not suffice."),
        )
    debiased, gamma = said.is_on("debiased_estimation_loss"), said.number("min_snr_gamma")
    if debiased and gamma:
        reader.tell(
            "both-weights",
            _("It weighs the loss by min-SNR and by debiased estimation at once; Boceto takes debiased estimation."),
            _("Choose one with --min-snr-gamma or --debiased."),
        )
    if not (debiased and OWN + "min_snr_gamma" in said):
        reader.take("min_snr_gamma", gamma, "min_snr_gamma")
    length = {"None": 1, "75": 1, "150": 2, "225": 3}.get(str(said.get("max_token_length")))
    reader.take("caption_chunks", length, "max_token_length")
    reader.take("seed", said.get("seed"), "seed")
    saved = {word: ours for ours, word in SAVED.items()} | {"fp32": "fp32"}
    reader.take("save_precision", saved.get(str(said.get("save_precision"))), "save_precision")
    mixed, own = said.get("mixed_precision"), said.get(OWN + "precision")
    if own is not None:
        agrees = MIXED.get(str(own)) == mixed
        back = {word: ours for ours, word in MIXED.items() if ours != "auto"}
        reader.take("precision", own if agrees else back.get(str(mixed)), "mixed_precision")
    elif said.is_on("full_fp16") or said.is_on("full_bf16"):
        reader.note(
            "full-precision",
            _("It trained the LoRA itself in half precision, where small steps are lost and numbers overflow."),
            _("Boceto always trains it in fp32; the base is computed as this machine does it best."),
        )


def _beginning(reader: Reader) -> None:
    """The LoRA file it goes on from, if it is here."""
    told = str(reader.choices.get("init_lora", ""))
    if not told:
        return
    path = reader.said.source.parent / Path(told).expanduser()
    if path.is_file():
        reader.choices["init_lora"] = str(path)
    else:
        reader.choices["init_lora"] = ""
        reader.tell(
            "beginning",
            _("It goes on from the LoRA “{path}”, which is not on this disk.").format(path=brief(told)),
            _("Give the file with --init-lora, or begin from nothing."),
        )


def _resolution(reader: Reader) -> None:
    value = reader.said.get("resolution")
    sides = [int(part) for part in re.findall(r"([0-9]{1,9})(?:\.0*)?", str(value)[:40])]
    if value is None or not sides or len(sides) > 2:
        return
    if len(set(sides)) == 2:
        side = round((sides[0] * sides[1]) ** 0.5)
        reader.note(
            "square",
            _("It trains at {width} × {height}: here that is the area of {side} × {side}, in every shape.").format(
                width=sides[0], height=sides[1], side=side
            ),
        )
        sides = [side]
    reader.take("resolution", sides[0], "resolution")


def _masks(reader: Reader) -> None:
    """Whether transparency says what counts, and whether drawings of masks do."""
    said = reader.said
    alpha = said.is_on("alpha_mask")
    if "alpha_mask" not in said.unsaid:
        reader.take("masked_loss", alpha, "alpha_mask")
    if said.is_on("masked_loss") and not alpha:
        reader.tell(
            "masks",
            _("It has drawings of masks in a folder (conditioning_data_dir), which Boceto does not read."),
            _("Make see-through in each drawing what is not to be learned, and take --masked-loss."),
        )


def _own(reader: Reader) -> None:
    """What Boceto wrote for itself; where sd-scripts has a word for a choice, that one counts."""
    for field in Plan.__struct_fields__:
        both = field in ("seed", "held_out", "min_snr_gamma", "preview_prompts")
        if field != "precision" and (both or field not in reader.choices):
            reader.take(field, reader.said.get(OWN + field), OWN + field)
        reader.take(field, reader.said.plan.get(field), "boceto.plan")
