"""The taggers that are known by name, with what each is good for."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from core import paths
from core.bases.find import hub
from core.hub.order import Order
from core.language import _

Kind = Literal["tags", "sentences"]


class Entry(Struct, frozen=True, kw_only=True):
    """One tagger that can be chosen by name."""

    id: str
    name: str
    repository: str
    """Of the Hugging Face hub."""
    kind: Kind
    """What it writes: tags with scores, or one sentence."""
    files: tuple[str, ...]
    """All it needs; of names with `|` between, one is enough, and the first that can be had is taken."""
    size: int = 0
    """The download in bytes; 0 where nobody has told us."""
    licence: str
    """Its SPDX name."""
    good_for: Callable[[], str]
    """What it is good for, in the person's language at the time of asking."""

    @property
    def folder(self) -> Path:
        """Where a person puts the files who fetched them by hand."""
        return paths.config() / "taggers" / self.repository.rpartition("/")[2]

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Those of its files that `folder` lacks."""
        return tuple(
            wanted for wanted in self.files if not any((folder / name).is_file() for name in wanted.split("|"))
        )


_WD_FILES = ("model.onnx", "selected_tags.csv")
# Older repositories hold PyTorch's weights and a vocabulary in place of the newer two.
_BLIP_FILES = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json|vocab.txt",
    "tokenizer_config.json",
    "model.safetensors|pytorch_model.bin",
)

CATALOG = (
    Entry(
        id="wd-eva02-large",
        name="WD EVA02 large v3",
        repository="SmilingWolf/wd-eva02-large-tagger-v3",
        kind="tags",
        files=_WD_FILES,
        size=1_260_000_000,
        licence="Apache-2.0",
        good_for=lambda: _(
            "Tags for anime and drawings, from the largest of its family and the first of the guide's two: good for a "
            "character. Without a GPU it is slow."
        ),
    ),
    Entry(
        id="wd-vit-large",
        name="WD ViT large v3",
        repository="SmilingWolf/wd-vit-large-tagger-v3",
        kind="tags",
        files=_WD_FILES,
        licence="Apache-2.0",
        good_for=lambda: _(
            "Tags for anime and drawings, the second of the guide's two: beside the first it adds tags that the other "
            "one missed."
        ),
    ),
    Entry(
        id="wd-vit",
        name="WD ViT v3",
        repository="SmilingWolf/wd-vit-tagger-v3",
        kind="tags",
        files=_WD_FILES,
        licence="Apache-2.0",
        good_for=lambda: _("Tags for anime and drawings from a smaller model: good where there is no GPU."),
    ),
    Entry(
        id="wd-swinv2",
        name="WD SwinV2 v3",
        repository="SmilingWolf/wd-swinv2-tagger-v3",
        kind="tags",
        files=_WD_FILES,
        licence="Apache-2.0",
        good_for=lambda: _("Tags for anime and drawings from a smaller model that many other programs use."),
    ),
    Entry(
        id="blip-large",
        name="BLIP large",
        repository="Salesforce/blip-image-captioning-large",
        kind="sentences",
        files=_BLIP_FILES,
        size=1_880_000_000,
        licence="BSD-3-Clause",
        good_for=lambda: _(
            "One sentence a drawing, as for a photo: what the guide's author takes for a style. It knows no names of "
            "characters and no anime words."
        ),
    ),
    Entry(
        id="blip-base",
        name="BLIP base",
        repository="Salesforce/blip-image-captioning-base",
        kind="sentences",
        files=_BLIP_FILES,
        size=990_000_000,
        licence="BSD-3-Clause",
        good_for=lambda: _("One sentence a drawing from a smaller model: faster, and plainer in what it says."),
    ),
)


def order(known: Entry) -> Order:
    """What fetches a tagger into the hub's cache, for `core.hub.job`."""
    return Order(
        name=known.name, repository=known.repository, files=known.files, cache=str(hub()), by_hand=str(known.folder)
    )


def entry(wanted: str) -> Entry | None:
    """The catalog's entry of this name or repository, if there is one."""
    return next((known for known in CATALOG if wanted in (known.id, known.repository)), None)
