"""A base: the SDXL checkpoint that is trained on, as its own configs describe it."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from core.bases import single_file
from core.bases.refusal import not_sdxl
from core.bases.single_file import LIKE, Prediction
from core.bases.weights import digest, weights
from core.errors import BocetoError
from core.language import _

Part = Literal["unet", "vae", "text_encoders"]

_FOLDERS: dict[Part, tuple[str, ...]] = {
    "unet": ("unet",),
    "vae": ("vae",),
    "text_encoders": ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"),
}
_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_TIME_IDS = 6
"""Original height and width, crop top and left, target height and width."""


class Base(Struct, frozen=True, kw_only=True):
    """Everything the core needs to know of a base without loading it."""

    id: str
    """A word of the catalog, a repository of the Hugging Face hub, or a folder."""
    name: str
    path: Path
    """A folder in the layout of diffusers, or a single file."""
    like: str = ""
    """Whose configs and tokenizers a single file takes, for it has none; empty for a folder."""
    native: int
    """The side of the square that it was made for, in pixels."""
    vae_factor: int
    """Pixels in a row that one latent stands for."""
    multiple: int
    """The sides of a bucket, in pixels, must be multiples of this: the VAE and the UNet halve them that often."""
    latent_channels: int
    prediction: Prediction
    """What the UNet predicts: the noise, or the velocity."""
    zero_terminal_snr: bool
    """Whether the last timestep is pure noise."""
    force_zeros_for_empty_prompt: bool
    """Whether an empty caption is embedded as zeros and not as the text encoders would have it."""
    text_widths: tuple[int, int]
    """Numbers a token has from each text encoder; the UNet sees both in a row."""
    pooled_width: int
    """Numbers of the second text encoder's summary of a caption."""

    @property
    def configs(self) -> Path:
        """The folder with its configs and tokenizers."""
        return LIKE[self.like] if self.like else self.path

    @classmethod
    def open(cls, path: Path, id: str | None = None, name: str | None = None) -> "Base":  # noqa: A002
        """Read the base in the folder or file `path`; an error in words for what is no whole SDXL checkpoint."""
        path = path.expanduser().absolute()
        if path.is_file():
            single = single_file.look(path)
            base = cls._described(LIKE[single.like], path, id or str(path), name or path.stem)
            # The configs beside us are of a base that predicts the noise.
            velocity = single.prediction == "v_prediction"
            return replace(
                base,
                like=single.like,
                prediction="v_prediction" if velocity else base.prediction,
                zero_terminal_snr=single.zero_terminal_snr or base.zero_terminal_snr,
            )
        base = cls._described(path, path, id or str(path.resolve()), name or path.resolve().name)
        for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
            weights(path / part)
        return base

    @classmethod
    def _described(cls, configs: Path, path: Path, id: str, name: str) -> "Base":  # noqa: A002
        index = _index(configs)
        unet, vae = _config(configs, "unet"), _config(configs, "vae")
        scheduler = _config(configs, "scheduler", "scheduler_config.json")
        encoders = _config(configs, "text_encoder"), _config(configs, "text_encoder_2")
        try:
            channels = int(vae["latent_channels"])
            factor = 2 ** (len(vae["block_out_channels"]) - 1)
            widths = int(encoders[0]["hidden_size"]), int(encoders[1]["hidden_size"])
            pooled = int(encoders[1]["projection_dim"])
            _check_unet(path, unet, channels, sum(widths), pooled)
            return cls(
                id=id,
                name=name,
                path=path,
                # diffusers' own pipeline takes 128 where the config is silent.
                native=int(unet.get("sample_size") or 128) * factor,
                vae_factor=factor,
                multiple=factor * 2 ** (len(unet["block_out_channels"]) - 1),
                latent_channels=channels,
                prediction=_prediction(path, scheduler),
                zero_terminal_snr=bool(scheduler.get("rescale_betas_zero_snr", False)),
                force_zeros_for_empty_prompt=bool(index.get("force_zeros_for_empty_prompt", True)),
                text_widths=widths,
                pooled_width=pooled,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise not_sdxl(path, _("Its configs lack or garble a number: {error}.").format(error=error)) from error


def fingerprint(base: Base, part: Part | None = None) -> str:
    """sha256 of what shapes the results of one `part`, or of the whole base: weights, configs, vocabularies.

    The first time it reads every file (seconds to a minute for a real SDXL); after that it is known.
    """
    if part is None:
        configs = digest([base.configs / "model_index.json", base.configs / "scheduler" / "scheduler_config.json"])
        # What a single file predicts stands in no config of its own.
        said = [base.prediction, str(base.zero_terminal_snr)] if base.like else []
        parts = (fingerprint(base, each) for each in _FOLDERS)
        return sha256("".join([configs, *said, *parts]).encode()).hexdigest()
    files: list[Path] = [base.path] if base.like else []
    for folder in (base.configs / name for name in _FOLDERS[part]):
        if folder.name.startswith("tokenizer"):
            files += [folder / name for name in _TOKENIZER_FILES if (folder / name).exists()]
        else:
            files += [folder / "config.json", *(() if base.like else weights(folder).files)]
    return digest(files)


def _index(path: Path) -> dict[str, Any]:
    """The folder's `model_index.json`, once it is sure that this is SDXL with both its text encoders."""
    if not path.is_dir():
        raise BocetoError(
            _("There is no base at “{path}”.").format(path=path),
            hint=_("See whether the folder was moved or renamed, or whether its disk is there."),
        )
    if not (path / "model_index.json").is_file():
        raise BocetoError(
            _("“{path}” is not the folder of a base.").format(path=path),
            _("It has no model_index.json, which every model in the layout of diffusers has."),
            _("Choose the folder in which “unet”, “vae” and “text_encoder” lie."),
        )
    index = _config(path, "", "model_index.json")
    kind = str(index.get("_class_name"))
    if not kind.startswith("StableDiffusionXL"):
        raise not_sdxl(path, _("It calls itself {kind}.").format(kind=kind))
    if not all((index.get(encoder) or [None])[0] for encoder in ("text_encoder", "text_encoder_2")):
        raise not_sdxl(path, _("It has one text encoder where SDXL has two, like SDXL's refiner."))
    return index


def _config(path: Path, folder: str, name: str = "config.json") -> dict[str, Any]:
    file = path / folder / name
    try:
        read: dict[str, Any] = json.loads(file.read_bytes())
        read.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise BocetoError(
            _("The base “{path}” is not whole.").format(path=path),
            _("“{file}” is missing or cannot be read: {error}.").format(file=file, error=error),
            _("Copy or download the model again, whole."),
        ) from error
    return read


def _check_unet(path: Path, unet: dict[str, Any], channels: int, context: int, pooled: int) -> None:
    if unet["in_channels"] == 2 * channels + 1:
        raise not_sdxl(path, _("Its UNet takes a picture and a mask as well: it is made for inpainting."))
    if unet["in_channels"] != channels:
        raise not_sdxl(
            path,
            _("Its UNet takes {unet} channels and its VAE gives {vae}.").format(unet=unet["in_channels"], vae=channels),
        )
    conditions = pooled + _TIME_IDS * int(unet.get("addition_time_embed_dim") or 0)
    if (
        unet.get("addition_embed_type") != "text_time"
        or unet["cross_attention_dim"] != context
        or unet["projection_class_embeddings_input_dim"] != conditions
    ):
        raise not_sdxl(path, _("Its UNet does not take what its two text encoders give."))


def _prediction(path: Path, scheduler: dict[str, Any]) -> Prediction:
    if "EDM" in str(scheduler.get("_class_name")):
        raise not_sdxl(path, _("It was trained by another noise schedule (EDM), like Playground 2.5 or CosXL."))
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in ("epsilon", "v_prediction"):
        raise not_sdxl(
            path, _("Its UNet predicts “{prediction}”, not noise or velocity.").format(prediction=prediction)
        )
    return "v_prediction" if prediction == "v_prediction" else "epsilon"
