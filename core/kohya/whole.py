"""How long a training of another tool is, what it shows on the way, and what it is about."""

from pathlib import Path
from typing import Any

from core.bases import find
from core.captions.caption import joined, tags_of
from core.errors import BocetoError
from core.kohya.reader import Reader
from core.kohya.terms import OWN
from core.language import _
from core.project import valid_name

_LONGEST_PROMPTS = 1_000_000
"""Bytes of a file of prompts; no more are read."""


def epochs(reader: Reader) -> None:
    """A plan counts epochs; some count steps."""
    said = reader.said
    if "epochs" in reader.choices or "max_train_epochs" in said:
        return
    reader.note(
        "steps",
        _("It ends after {steps} steps, whatever the drawings; Boceto counts epochs.").format(
            steps=int(said.number("max_train_steps", 1600))
        ),
        _("As many epochs are taken as make 300 to 500 steps; choose others with --epochs."),
    )


def previews(reader: Reader) -> None:
    """Every how many epochs pictures are made, and of what."""
    said = reader.said
    if "sample_every_n_epochs" in said:
        reader.take("preview_every", int(said.number("sample_every_n_epochs")), "sample_every_n_epochs")
    if OWN + "preview_prompts" in said or "sample_prompts" not in said:
        return
    told = str(said.get("sample_prompts"))
    path = said.source.parent / told
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_PROMPTS).decode("utf-8", "replace")
    except (OSError, ValueError):
        # kohya_ss keeps the prompts themselves there.
        text = told if "\n" in told or " " in told else ""
    if path.suffix.lower() in (".json", ".toml") or not text:
        reader.note(
            "prompts",
            _("The prompts of its pictures could not be read: {path}.").format(path=told[:100]),
            _("The previews show the first captions; choose with --preview-prompts."),
        )
        return
    lines = (line.strip() for line in text.splitlines())
    prompts = [line.partition(" --")[0].strip() for line in lines if line and not line.startswith("#")]
    reader.take("preview_prompts", tuple(prompt for prompt in prompts if prompt)[:16], "sample_prompts")


def beside(reader: Reader) -> None:
    """What Boceto adds by itself where nobody says otherwise, and other tools do not."""
    if not any(key.startswith(OWN) for key in reader.said.options):
        reader.choices |= {"prior_pictures": 0, "held_out": 0}


def answers(reader: Reader) -> dict[str, Any]:
    """What a project is told beside its plan; a base that is not on this disk is said."""
    said = reader.said
    found: dict[str, Any] = {}
    if name := _name(str(said.get(OWN + "project", said.get("output_name", "")))):
        found["name"] = name
    word = str(said.get(OWN + "word", said.word or said.get("metadata_trigger_phrase", "")))
    if word := joined(tags_of(word.encode("utf-8", "replace").decode())):
        found["activation_word"] = word
    if said.get(OWN + "kind") in ("style", "character"):
        found["kind"] = said.get(OWN + "kind")
    if base := _base(reader):
        found["base"] = base
    folders = [folder.path for folder in said.folders if folder.path and not folder.regularisation]
    if folders:
        found["dataset"], found["nested"] = _dataset(folders)
    return found


def _name(text: str) -> str:
    try:
        return valid_name(text)
    except BocetoError:
        return ""


def _base(reader: Reader) -> str:
    said = reader.said
    named = str(said.get("pretrained_model_name_or_path", said.model))
    own = str(said.get(OWN + "base", ""))
    try:
        if own and (not named or find.resolve(own).path == Path(named)):
            return own
    except BocetoError:
        own = ""
    if not named:
        return ""
    try:
        find.resolve(named)
    except (BocetoError, OSError, ValueError):
        reader.note(
            "base",
            _("It was trained on “{base}”, which is not on this disk under that name.").format(base=named[:100]),
            _("Choose the same base with --base, or one of its family."),
        )
        return ""
    return named


def _dataset(folders: list[str]) -> tuple[str, bool]:
    """The one folder that they are all in or below, and whether folders below count."""
    paths = [Path(folder) for folder in folders]
    common = paths[0]
    while not all(path == common or path.is_relative_to(common) for path in paths):
        common = common.parent
    return str(common), any(path != common for path in paths)
