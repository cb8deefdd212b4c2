"""Reading a training of another tool, whatever file it comes in."""

import json
import tomllib
from pathlib import Path
from typing import Any

from core.errors import BocetoError
from core.kohya.export import DATASET, TRAINING
from core.kohya.gui import folders_of, is_gui, said_by_gui
from core.kohya.likeness import Likeness, likeness
from core.kohya.metadata import said_by_lora
from core.kohya.said import Folder, Said, unreadable
from core.language import _

_LARGEST = 10_000_000
"""Bytes. No configuration is as long; what is, is another file."""


def read(path: Path) -> Likeness:
    """What a training was like, from a LoRA, a TOML of sd-scripts (with the other one beside it), a JSON of kohya_ss,
    or the folder of any of them. Raises BocetoError for what is none.
    """
    return likeness(said_by(path.expanduser().absolute()))


def said_by(path: Path) -> Said:
    """What the file says, in the names of sd-scripts."""
    if path.is_dir():
        found = next((path / name for name in (TRAINING, DATASET) if (path / name).is_file()), None)
        if found is None:
            raise unreadable(path, _("The folder has no {name}.").format(name=TRAINING))
        path = found
    if not path.is_file():
        raise BocetoError(
            _("“{path}” does not exist.").format(path=path),
            hint=_("Give a LoRA file, or a configuration of sd-scripts or kohya_ss."),
        )
    if path.suffix.lower() == ".safetensors":
        return said_by_lora(path)
    table = _table(path)
    if is_gui(table):
        return said_by_gui(path, table)
    if "datasets" in table or ("general" in table and "subsets" not in table):
        return _by_tables(path, {}, table)
    beside = path.parent / str(_flat(table).get("dataset_config") or DATASET)
    return _by_tables(path, table, _table(beside) if beside != path and beside.is_file() else {})


def _table(path: Path) -> dict[str, Any]:
    """A TOML or JSON file, by what it holds: its ending may be any."""
    try:
        if path.stat().st_size > _LARGEST:
            raise unreadable(path, _("It is too large for a configuration."))
        text = path.read_text("utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, str(error)) from error
    if not isinstance(found, dict) or not found:
        raise unreadable(path, _("It holds no options."))
    return found


def _by_tables(path: Path, training: dict[str, Any], dataset: dict[str, Any]) -> Said:
    """A training and its dataset, either of them perhaps unsaid."""
    options = _flat(training)
    # Of two places the dataset's file counts; what it leaves open is the training's.
    folders, drawings = _dataset(dataset)
    if not folders:
        folders, more = _easy(training)
        drawings = {**more, **drawings}
    if not folders:
        folders = folders_of(str(options.get("train_data_dir") or ""))
    options |= drawings
    if "batch_size" in drawings:
        options["train_batch_size"] = drawings["batch_size"]
    about_drawings = bool(drawings or folders) or any(key in options for key in ("shuffle_caption", "keep_tokens"))
    if (not training and not about_drawings) or not options:
        raise unreadable(path, _("It holds no options."))
    return Said(source=path, options=options, training=bool(training), dataset=about_drawings, folders=tuple(folders))


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    """One level of tables, without their names, as sd-scripts reads them; Easy Training Scripts has two."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if not isinstance(value, dict):
            if name not in ("subsets", "datasets"):
                found[name] = value
            continue
        inner = [value[key] for key in ("args", "dataset_args") if isinstance(value.get(key), dict)]
        for each in inner or [value]:
            found |= each
    if "warmup_ratio" in found:
        found["lr_warmup_steps"] = found.pop("warmup_ratio")
    return found


def _easy(table: dict[str, Any]) -> tuple[list[Folder], dict[str, Any]]:
    """The subsets that Easy Training Scripts keeps beside its training."""
    return _subsets(table.get("subsets"))


def _dataset(table: dict[str, Any]) -> tuple[list[Folder], dict[str, Any]]:
    """The folders of a dataset's file, and what holds for their drawings: subset before dataset before general."""
    general = table.get("general")
    options = dict(general) if isinstance(general, dict) else {}
    folders: list[Folder] = []
    listed = table.get("datasets")
    for dataset in listed if isinstance(listed, list) else []:
        if not isinstance(dataset, dict):
            continue
        found, told = _subsets(dataset.get("subsets"))
        folders += found
        if len(folders) == len(found):  # the first one speaks for all
            options |= {key: value for key, value in dataset.items() if key != "subsets"} | told
    return folders, options


def _subsets(value: Any) -> tuple[list[Folder], dict[str, Any]]:
    folders: list[Folder] = []
    options: dict[str, Any] = {}
    for subset in value if isinstance(value, list) else []:
        if not isinstance(subset, dict):
            continue
        repeats = subset.get("num_repeats")
        count = repeats if isinstance(repeats, int) and not isinstance(repeats, bool) else None
        folders.append(Folder(str(subset.get("image_dir") or ""), count, bool(subset.get("is_reg"))))
        if not folders[-1].regularisation:
            for key, one in subset.items():
                if key not in ("image_dir", "is_reg", "num_repeats", "name"):
                    options.setdefault(key, one)
    return folders, options
