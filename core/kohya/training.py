"""The plan as sd-scripts' training configuration, for `sdxl_train_network.py --config_file`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.kohya.sheet import Row, comment, table
from core.kohya.terms import MIXED, OPTIMIZER_WORDS, OWN, PRODIGY, SAVED, TERMS, Table, unpaired
from core.language import _
from core.lora.module import needs_lycoris, network_args, network_module
from core.plan.frozen import FrozenPlan
from core.plan.optimizers import POLYNOMIAL_POWER
from core.plan.schedule import schedule
from core.settings import Plan, Settled

_SEEDS = 2**32
"""numpy, which sd-scripts seeds too, takes no more."""
_TABLES: tuple[Table, ...] = ("network_arguments", "optimizer_arguments", "training_arguments", "saving_arguments")


def training_config(frozen: FrozenPlan, folder: Path, head: str = "", *, whole: bool = True) -> str:
    """The TOML, for a file in `folder`; `head` stands above it as a comment.

    `whole` says that what is held out lies among the drawings.
    """
    parts = [
        table(f"[{name}]", [*_terms(frozen.plan, name), *_special(frozen, name, folder, whole)]) for name in _TABLES
    ]
    own = _("sd-scripts has no word for these and passes them over. Boceto reads them back.")
    return "\n".join([*([comment(head)] if head else []), *parts, comment(own) + table("[boceto]", _own(frozen))])


def preview_prompts(frozen: FrozenPlan) -> str:
    """The file that `sample_prompts` names: one picture a line, of the size and steps of the plan's previews."""
    plan = frozen.plan
    from_captions = tuple(dict.fromkeys(drawing.caption for drawing in frozen.trained))[:4]
    told = f"--w {plan.resolution} --h {plan.resolution} --s {plan.preview_steps} --l 5 --d {plan.seed % _SEEDS}"
    return "".join(f"{_one_prompt(prompt)} {told}\n" for prompt in plan.preview_prompts or from_captions)


def _one_prompt(prompt: str) -> str:
    """One line that does not begin with what makes it a comment, and holds no option."""
    return " ".join(prompt.split()).replace(" --", " - -").lstrip("#") or "."


def _terms(plan: Settled, name: Table) -> Iterator[Row]:
    for term in TERMS:
        value = getattr(plan, term.field)
        if term.table == name and (term.off is None or value != term.off):
            yield Row(term.key, value)


def _special(frozen: FrozenPlan, name: Table, folder: Path, whole: bool) -> Iterator[Row]:
    """What takes more than another name."""
    plan = frozen.plan
    match name:
        case "network_arguments":
            yield from _network(plan)
        case "optimizer_arguments":
            yield from _optimizer(plan, len(schedule(frozen).steps))
        case "training_arguments":
            yield from _training(frozen)
        case _:
            yield from _saving(frozen, folder, whole)


def _network(plan: Settled) -> Iterator[Row]:
    why = _("LyCORIS is a package of its own: pip install lycoris-lora.") if needs_lycoris(plan) else ""
    yield Row("network_module", network_module(plan), why)
    if arguments := network_args(plan):
        yield Row("network_args", unpaired(arguments))
    yield Row("unet_lr", plan.learning_rate)
    yield Row("text_encoder_lr", plan.text_encoder_rate)
    yield Row("network_train_unet_only", not plan.text_encoders)


def _optimizer(plan: Settled, steps: int) -> Iterator[Row]:
    yield Row("optimizer_type", OPTIMIZER_WORDS[plan.optimizer])
    told: dict[str, Any] = {"weight_decay": plan.weight_decay, "betas": plan.betas}
    if plan.optimizer == "prodigy":
        told |= {"d_coef": plan.d_coef, "d0": plan.d0, **PRODIGY}
    yield Row("optimizer_args", unpaired(told))
    yield Row("learning_rate", plan.learning_rate)
    # “constant” with a warm-up is an error there.
    constant = plan.scheduler == "constant" and plan.warmup
    yield Row("lr_scheduler", "constant_with_warmup" if constant else plan.scheduler)
    yield Row("lr_scheduler_power", float(POLYNOMIAL_POWER) if plan.scheduler == "polynomial" else None)
    yield Row(
        "lr_warmup_steps",
        plan.warmup,
        _("The share of all steps; older versions of sd-scripts want a whole number of steps: {steps}.").format(
            steps=round(plan.warmup * steps)
        ),
    )


def _training(frozen: FrozenPlan) -> Iterator[Row]:
    plan, base = frozen.plan, frozen.base
    yield Row(
        "pretrained_model_name_or_path",
        str(base.path),
        _("A file .safetensors of the same base is taken just as well; on another machine, write its path there."),
    )
    # Both would be multiplied there; here one takes the place of the other.
    yield Row("min_snr_gamma", plan.min_snr_gamma if plan.min_snr_gamma and not plan.debiased else None)
    if base.prediction == "v_prediction":
        yield Row("v_parameterization", True)
        yield Row("zero_terminal_snr", base.zero_terminal_snr)
    yield Row("resolution", f"{plan.resolution},{plan.resolution}")
    yield Row("max_token_length", 75 * plan.caption_chunks if plan.caption_chunks > 1 else None)
    yield Row(
        "seed",
        plan.seed % _SEEDS,
        _("The same number draws other noise in sd-scripts: no picture comes out the same, the style does."),
    )
    yield Row(
        "mixed_precision",
        MIXED[plan.precision],
        _("On a card without bf16, such as the T4 of the notebooks, write fp16 here.")
        if plan.precision == "auto"
        else "",
    )
    yield Row("full_fp16", False)
    yield Row("full_bf16", False)
    yield Row("no_half_vae", True, _("SDXL's own VAE overflows in fp16."))
    yield Row("sdpa", True)
    yield Row("loss_type", "l2")
    if plan.masked_loss:
        yield Row("masked_loss", True)
    yield Row("cache_latents", True)
    if not (plan.text_encoders or plan.shuffle_tags or plan.caption_dropout or plan.tag_dropout):
        yield Row("cache_text_encoder_outputs", True)
    yield Row("max_data_loader_n_workers", 2)
    yield Row("persistent_data_loader_workers", True)


def _saving(frozen: FrozenPlan, folder: Path, whole: bool) -> Iterator[Row]:
    plan = frozen.plan
    yield Row("output_dir", str(Path(frozen.output).parent))
    yield Row("output_name", Path(frozen.output).name)
    yield Row("save_model_as", "safetensors")
    yield Row("save_precision", SAVED[plan.save_precision])
    if plan.keep_last and plan.save_every_steps:
        # There it is a number of steps, and the file that is exactly so old stays (`get_remove_step_no`).
        yield Row("save_last_n_steps", plan.save_every_steps * (plan.keep_last - 1))
    yield Row(
        "save_state",
        True,
        _("sd-scripts goes on after a stop only from a state (--resume), and saves one only beside a LoRA file."),
    )
    yield Row("save_last_n_epochs_state", 1)
    if not plan.tag_counts:
        yield Row(
            "no_metadata",
            True,
            _("The counts of the tags were to stay at home; sd-scripts leaves out everything or nothing."),
        )
    elif frozen.activation_word:
        yield Row("metadata_trigger_phrase", frozen.activation_word)
    yield Row("training_comment", "boceto")
    if plan.preview_every:
        yield Row("sample_every_n_epochs", plan.preview_every)
        yield Row("sample_prompts", str(folder / "sample_prompts.txt"))
        yield Row("sample_sampler", "euler")
    if whole and plan.held_out and in_one_folder(frozen):
        # A quarter more than the share: it rounds up what is learned from and to the nearest what is held out
        # (`split_train_val`), and a share that is exact in tenths is not in binary.
        yield Row(
            "validation_split",
            round((plan.held_out + 0.25) / len(frozen.drawings), 6),
            _("As many drawings held out as here, but others: sd-scripts draws them by itself."),
        )
        yield Row("validate_every_n_epochs", 1)


def in_one_folder(frozen: FrozenPlan) -> bool:
    """Whether sd-scripts can hold out a share of them: it takes its share of each folder."""
    return len({Path(drawing.name).parent for drawing in frozen.drawings}) == 1


def _own(frozen: FrozenPlan) -> Iterator[Row]:
    """What only Boceto understands: answers about the project, and choices with no word or not the same one there."""
    yield Row(f"{OWN}project", frozen.project)
    yield Row(f"{OWN}kind", frozen.kind)
    yield Row(f"{OWN}word", frozen.activation_word)
    yield Row(f"{OWN}base", frozen.base.id)
    yield Row(f"{OWN}dataset", frozen.dataset)
    yield Row(f"{OWN}steps", len(schedule(frozen).steps), _("How many steps Boceto reckons; for reading only."))
    plan, why = frozen.plan, _reasons()
    for field in Plan.__struct_fields__:
        told = (field == "min_snr_gamma" and not plan.debiased) or (field == "seed" and plan.seed < _SEEDS)
        if field in why and not told and (value := getattr(plan, field)) is not None:
            yield Row(OWN + field, msgspec.to_builtins(value), why[field])


def _reasons() -> dict[str, str]:
    """The choices that sd-scripts cannot make, or not so, and what it does instead."""
    alike = {term.field for term in TERMS}
    same = {
        *("optimizer", "learning_rate", "text_encoder_rate", "weight_decay", "betas", "d_coef", "d0", "scheduler"),
        *("warmup", "conv_rank", "conv_alpha", "text_encoders", "caption_chunks", "resolution", "save_precision"),
        *("masked_loss", "dora", "regularisation"),
    }
    told = {
        "prior_pictures": _(
            "The base's own pictures beside the drawings: sd-scripts wants them as a folder of regularisation images."
        ),
        "tag_orders": _("sd-scripts draws a new order of the tags each time."),
        "held_out": _("sd-scripts holds out other drawings than Boceto."),
        "min_snr_gamma": _("Debiased estimation takes its place; sd-scripts would multiply both."),
        "seed": _("The whole number; sd-scripts takes no more than 4,294,967,295."),
        "precision": _("sd-scripts does not choose by the card."),
        "checkpoint_seconds": _("sd-scripts saves its state by epochs, not by time."),
        "time_budget": _("sd-scripts does not stop by the clock."),
        "tag_counts": _("sd-scripts writes every tag into the file, or no metadata at all."),
        "file_names": _("sd-scripts writes the names of folders and of the base into the file."),
        "ema": _("sd-scripts trains without an average of past weights."),
        "layers": _("sd-scripts alone has no choice of layers; LyCORIS has, as a preset."),
        "down_rank": _("In block_dims, unless LyCORIS makes the layers: it has no ranks of blocks."),
        "mid_rank": "",
        "up_rank": "",
        "text_encoder_rank": _("sd-scripts gives the text encoders the rank and alpha of network_dim."),
        "text_encoder_alpha": "",
        "gpus": _("sd-scripts takes it from `accelerate launch --num_processes`."),
        "folder_repeats": _("In the dataset's file each folder has its own number."),
        "preview_every": "",
        "preview_prompts": "",
        "preview_steps": "",
    }
    # A choice that nobody has thought of here still comes back.
    return {field: told.get(field, "") for field in Plan.__struct_fields__ if field not in alike | same}
