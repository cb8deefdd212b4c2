"""What is computed once before the training: captions, drawings and the base's own pictures."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from core.bases.base import Base, fingerprint
from core.captions.tokens import Tokenizer
from core.errors import BocetoError
from core.images.buckets import Placement, fitted
from core.images.drawing import open_drawing
from core.language import _
from core.pictures.generate import GUIDANCE, at_once, sample
from core.plan.frozen import FrozenDrawing
from core.plan.schedule import PriorPicture
from core.runs.events import Phase
from core.training.cache import Cache, groups_of, stacked
from core.training.encode import encode, token_ids

ENCODE_AT_ONCE = 32
PRIOR_STEPS = 25

Entries = list[dict[str, Tensor]]


def captions(
    base: Base,
    texts: Sequence[str],
    tokenizers: tuple[Tokenizer, Tokenizer],
    chunks: int,
    load_encoders: Callable[[], tuple[Any, Any]],
    dtype: torch.dtype,
) -> Generator[Phase, None, Entries]:
    """`context` and `pooled` of every text; the encoders are loaded only when one is not in the cache."""
    cache, found = Cache("captions"), {}
    hashes = fingerprint(base, "text_encoders")
    paths = {
        text: cache.path(text=text, encoders=hashes, chunks=chunks, dtype=dtype, zeros=_is_zeros(base, text))
        for text in texts
    }
    for text, path in paths.items():
        if (entry := cache.get(path)) is not None:
            found[text] = entry
    missing = [text for text in paths if text not in found]
    yield Phase(name="captions", done=len(found), total=len(paths))
    if missing:
        encoders = load_encoders()
        place = next(encoders[0].parameters()).device
        for group in groups_of(missing, ENCODE_AT_ONCE):
            ids = [token_ids(tokenizer, group, chunks).to(place) for tokenizer in tokenizers]
            with torch.no_grad():
                context, pooled = encode(encoders, (ids[0], ids[1]))
            for index, text in enumerate(group):
                entry = {"context": context[index].clone(), "pooled": pooled[index].clone()}
                if _is_zeros(base, text):
                    entry = {name: torch.zeros_like(tensor) for name, tensor in entry.items()}
                found[text] = {name: tensor.to(dtype).cpu() for name, tensor in entry.items()}
                cache.put(paths[text], found[text])
            yield Phase(name="captions", done=len(found), total=len(paths))
    return [found[text] for text in texts]


def drawings(
    base: Base,
    folder: Path,
    wanted: Sequence[tuple[FrozenDrawing, bool]],
    load_vae: Callable[[], Any],
) -> Generator[Phase, None, Entries]:
    """`latents` of every (drawing, flipped); the VAE is loaded only when one is not in the cache."""
    cache = Cache("drawings")
    hashes = fingerprint(base, "vae")
    vae, entries = None, []
    for index, (drawing, flipped) in enumerate(wanted):
        path = cache.path(
            digest=drawing.digest,
            background=drawing.treatment.background,
            placement=_shape(drawing.placement),
            flipped=flipped,
            vae=hashes,
        )
        entry = cache.get(path)
        if entry is None:
            vae = vae or load_vae()
            entry = {"latents": _encode(vae, folder / drawing.name, drawing, flipped)}
            cache.put(path, entry)
        entries.append(entry)
        yield Phase(name="drawings", done=index + 1, total=len(wanted))
    return entries


def prior_pictures(
    base: Base,
    wanted: Sequence[PriorPicture],
    prompts: dict[str, dict[str, Tensor]],
    unet: Any,
    place: torch.device,
    dtype: torch.dtype,
) -> Generator[Phase, None, Entries]:
    """`latents` of the base's own pictures: they are never decoded, as the training wants latents anyway.

    They are drawn and kept in groups that follow from `wanted` alone, as the last bits of a picture depend on which
    others are computed beside it, and a run that goes on, with other measures perhaps, must find the same.
    """
    cache, found = Cache("prior"), dict[PriorPicture, Tensor]()
    total = len(wanted) * PRIOR_STEPS
    yield Phase(name="prior", done=0, total=total)
    for bucket in dict.fromkeys(picture.bucket for picture in wanted):
        size = (bucket.width, bucket.height)
        for group in groups_of((picture for picture in wanted if picture.bucket == bucket), at_once(*size, tight=True)):
            texts = ["", *(picture.prompt for picture in group)]
            entries = [prompts[text] for text in texts]
            context, pooled = (stacked(entries, part, place) for part in ("context", "pooled"))
            path = cache.path(
                pictures=[(picture.prompt, picture.seed) for picture in group],
                size=size,
                steps=PRIOR_STEPS,
                guidance=GUIDANCE,
                context=tuple(context.shape),
                dtype=dtype,
                base=fingerprint(base),
            )
            entry = cache.get(path)
            if entry is None:
                seeds = [picture.seed for picture in group]
                drawing = sample(unet, base, context, pooled, size, seeds, PRIOR_STEPS, GUIDANCE, dtype)
                for step, latents in enumerate(drawing):
                    yield Phase(name="prior", done=len(found) * PRIOR_STEPS + step * len(group), total=total)
                    if latents is not None:
                        # Out of inference mode, so that the training may use them.
                        entry = {"latents": latents.cpu().clone()}
                assert entry is not None
                cache.put(path, entry)
            found |= zip(group, entry["latents"], strict=True)
            yield Phase(name="prior", done=len(found) * PRIOR_STEPS, total=total)
    return [{"latents": found[picture]} for picture in wanted]


def _is_zeros(base: Base, text: str) -> bool:
    """Whether the base knows the empty text as zeros."""
    return not text and base.force_zeros_for_empty_prompt


def check_unchanged(path: Path, drawing: FrozenDrawing) -> None:
    """Raises BocetoError when the file at `path` is no longer the drawing that the plan was made with."""
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != drawing.digest:
        raise BocetoError(
            _("“{name}” is no longer the drawing this run was planned with.").format(name=drawing.name),
            _("It was changed, moved or removed since, and its latents are no longer in the cache."),
            _("Put the old file back to go on, or start a new training with the drawings as they are now."),
        )


def _encode(vae: Any, path: Path, drawing: FrozenDrawing, flipped: bool) -> Tensor:
    check_unchanged(path, drawing)
    picture = fitted(open_drawing(path, drawing.treatment.background), drawing.placement, drawing.treatment.background)
    pixels = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    if flipped:
        pixels = pixels.flip(-1)
    with torch.no_grad():
        # The middle of the posterior, not a sample: its spread is far below what can be seen.
        encoded = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    latents: Tensor = (encoded.float() * vae.config.scaling_factor)[0].cpu().clone()
    if not torch.isfinite(latents).all():
        raise BocetoError(
            _("What the VAE gave for “{name}” is not numbers (NaN).").format(name=drawing.name),
            _("It was computed in fp32, which does not overflow: the weights of the VAE must be damaged."),
            _("Compare the files of the VAE with their source, or download the base again."),
        )
    return latents


def _shape(placement: Placement) -> list[Any]:
    return list(msgspec.structs.astuple(placement))
