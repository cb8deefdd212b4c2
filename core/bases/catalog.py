"""The bases that are known by name, with what each is good for."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from msgspec import Struct

from core import paths
from core.bases.base import Base
from core.bases.single_file import LIKE, Prediction
from core.language import _

Family = Literal["", "sdxl", "pony", "animagine 3", "animagine 4", "illustrious", "noobai"]


class Entry(Struct, frozen=True, kw_only=True):
    """One base that can be chosen by name."""

    id: str
    name: str
    source: Path | str
    """A folder of this package, or a repository of the Hugging Face hub."""
    files: tuple[str, ...] = ()
    """What is fetched of the repository: names or patterns; of several with `|` between, the first that is there."""
    also: tuple[str, ...] = ()
    """Patterns of names that the same file bears elsewhere."""
    good_for: Callable[[], str]
    """What it is good for, in the person's language at the time of asking."""
    prompting: Callable[[], str] = str
    """How to prompt it."""
    quality: tuple[str, ...] = ()
    """Words for good pictures, as it was taught them."""
    family: Family = ""
    prediction: Prediction = "epsilon"
    zero_terminal_snr: bool = False
    licence: str
    """Its SPDX name where it has one."""
    bytes: int = 0
    """Its size on disk, and that of the download if there is one; 0 where nobody has told us."""

    @property
    def suits(self) -> str:
        """Which bases a LoRA trained on it works on."""
        return _SUITS[self.family]() if self.family else ""

    @property
    def folder(self) -> Path:
        """Where a person puts the files who fetched them by hand."""
        return paths.config() / "bases" / self.id

    def is_called(self, file: str) -> bool:
        """Whether a single file of this name is this base."""
        names = (name for one in self.files for name in one.split("|") if "/" not in name)
        return any(fnmatch(file.lower(), name.lower()) for name in (*names, *self.also))


_SUITS: dict[Family, Callable[[], str]] = {
    "sdxl": lambda: _("A LoRA works on SDXL 1.0 and its relatives (Juggernaut, RealVis, DynaVision); on others less."),
    "pony": lambda: _("A LoRA works on Pony and what was made from it; on SDXL, Animagine and Illustrious hardly."),
    "animagine 3": lambda: _("A LoRA works on Animagine 3.0 and 3.1 and mixes of them; on 4.0 and others less."),
    "animagine 4": lambda: _("A LoRA works on Animagine 4.0; on 3.x and others less, as 4.0 was trained anew."),
    "illustrious": lambda: _("A LoRA works on Illustrious and its relatives, NoobAI among them; on Pony hardly."),
    "noobai": lambda: _("A LoRA works on NoobAI and mixes of it, and often on Illustrious; on Pony hardly."),
}
# A base of SDXL's size in half precision.
_HALF = 6_940_000_000
# Of those with the VAE in full precision.
_HALF_AND_VAE = 7_110_000_000
_ANIME = ("masterpiece", "best quality")
_FAIR = "Fair AI Public License 1.0-SD"
_RAIL = "CreativeML Open RAIL++-M"
_FOLDER_FILES = (
    "model_index.json",
    "scheduler/*.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors|unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors|vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors|text_encoder/model.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.fp16.safetensors|text_encoder_2/model.safetensors",
    "tokenizer/*",
    "tokenizer_2/*",
)
"""All that a base in the layout of diffusers needs, in half precision where it has that."""

CATALOG = (
    Entry(
        id="mini",
        name="Boceto mini",
        source=LIKE["mini"],
        good_for=lambda: _(
            "A tiny model that comes with Boceto. It draws small emoji-like pictures and learns a style in a minute "
            "or two without a GPU: good for trying everything out, too small for real work."
        ),
        licence="CC-BY-SA-4.0",
        bytes=17_100_000,
    ),
    Entry(
        id="sdxl",
        name="SDXL base 1.0",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        files=("sd_xl_base_1.0.safetensors",),
        also=("sd_xl_base_1.0_0.9vae.safetensors", "sdxl_v10vaefix.safetensors"),
        family="sdxl",
        good_for=lambda: _("Realistic and diverse: the guide's choice for assets, objects and line art."),
        prompting=lambda: _("Prompt it with plain sentences; it knows no quality words."),
        licence=_RAIL,
        bytes=_HALF,
    ),
    Entry(
        id="pony",
        name="Pony Diffusion V6 XL",
        source="hollowstrawberry/67AB2F",
        files=_FOLDER_FILES,
        also=("ponydiffusionv6xl*.safetensors", "67ab2f*.safetensors"),
        family="pony",
        good_for=lambda: _("Anime, cartoons, ponies and furry characters."),
        prompting=lambda: _(
            "Prompt it with tags, these first: {words}; then source_anime or source_cartoon, and rating_safe."
        ),
        quality=("score_9", "score_8_up", "score_7_up", "score_6_up", "score_5_up", "score_4_up"),
        licence=f"{_FAIR} (modified)",
        bytes=_HALF,
    ),
    Entry(
        id="animagine-3.0",
        name="Animagine XL 3.0",
        source="cagliostrolab/animagine-xl-3.0",
        files=("animagine-xl-3.0.safetensors",),
        also=("animaginexlv3_v30.safetensors",),
        family="animagine 3",
        good_for=lambda: _("Flexible anime, the guide's third base."),
        prompting=lambda: _("Prompt it with tags: 1girl or 1boy, character, series, the rest, then {words}."),
        quality=_ANIME,
        licence=_FAIR,
        bytes=_HALF,
    ),
    Entry(
        id="animagine-3.1",
        name="Animagine XL 3.1",
        source="cagliostrolab/animagine-xl-3.1",
        files=("animagine-xl-3.1.safetensors",),
        also=("animaginexlv31_v31.safetensors",),
        family="animagine 3",
        good_for=lambda: _("Flexible anime that knows more characters than 3.0."),
        prompting=lambda: _("Prompt it with tags: 1girl or 1boy, character, series, the rest, then {words}."),
        quality=(*_ANIME, "very aesthetic", "absurdres"),
        licence=_FAIR,
        bytes=_HALF,
    ),
    Entry(
        id="animagine-4.0",
        name="Animagine XL 4.0",
        source="cagliostrolab/animagine-xl-4.0",
        files=("animagine-xl-4.0-opt.safetensors|animagine-xl-4.0.safetensors",),
        also=("animagine-xl-4.0.safetensors",),
        family="animagine 4",
        good_for=lambda: _("Flexible anime, trained anew from SDXL on 8.4 million pictures up to January 2025."),
        prompting=lambda: _("Prompt it with tags: 1girl or 1boy, character, series, the rest, then {words}."),
        quality=("masterpiece", "high score", "great score", "absurdres"),
        licence=_RAIL,
        bytes=_HALF,
    ),
    Entry(
        id="illustrious-0.1",
        name="Illustrious XL 0.1",
        source="OnomaAIResearch/Illustrious-xl-early-release-v0",
        files=("Illustrious-XL-v0.1.safetensors",),
        also=("illustriousxl_v01.safetensors", "illustriousxl_smoothftsolid.safetensors"),
        family="illustrious",
        good_for=lambda: _("Anime and illustration with many characters and artists' styles; many mixes build on it."),
        prompting=lambda: _("Prompt it with tags: {words}, then 1girl or 1boy, character, series and the rest."),
        quality=_ANIME,
        licence=_FAIR,
        bytes=_HALF,
    ),
    Entry(
        id="noobai-eps-1.1",
        name="NoobAI-XL eps 1.1",
        source="Laxhar/noobai-XL-1.1",
        files=("NoobAI-XL-v1.1.safetensors",),
        also=("noobaixlnaixl_epsilonpred11version.safetensors",),
        family="noobai",
        good_for=lambda: _("Anime and furry with very many characters and styles, made from Illustrious."),
        prompting=lambda: _("Prompt it with tags: {words}, then 1girl or 1boy, character, series and the rest."),
        quality=(*_ANIME, "newest", "absurdres", "highres"),
        licence=f"{_FAIR} (non-commercial)",
        bytes=_HALF_AND_VAE,
    ),
    Entry(
        id="noobai-vpred-1.0",
        name="NoobAI-XL v-pred 1.0",
        source="Laxhar/noobai-XL-Vpred-1.0",
        files=("NoobAI-XL-Vpred-v1.0.safetensors",),
        also=("noobaixlnaixl_vpred10version.safetensors",),
        family="noobai",
        prediction="v_prediction",
        zero_terminal_snr=True,
        good_for=lambda: _("As NoobAI eps, with deeper blacks and stronger light: it predicts velocity."),
        prompting=lambda: _("Prompt it with tags: {words}, then 1girl or 1boy, character, series and the rest."),
        quality=(*_ANIME, "newest", "absurdres", "highres"),
        licence=f"{_FAIR} (non-commercial)",
        bytes=_HALF_AND_VAE,
    ),
)


def prompting(known: Entry) -> str:
    """How to prompt a base, with its quality words."""
    return known.prompting().format(words=", ".join(known.quality))


def place_of(base: Base) -> str:
    """Where a base lies, as people read it."""
    known = entry(base.id)
    return _("in the box") if known and known.source == base.path else paths.shown(base.path)


def entry(wanted: str) -> Entry | None:
    """The catalog's entry of this name or repository, if there is one."""
    return next((entry for entry in CATALOG if wanted in (entry.id, entry.source)), None)


def entry_of_file(name: str) -> Entry | None:
    """The catalog's entry whose single file is called so, if there is one."""
    return next((entry for entry in CATALOG if entry.is_called(name)), None)
