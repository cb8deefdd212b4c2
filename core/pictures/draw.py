"""Carrying out an order for pictures."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.bases import load
from core.files import write_bytes
from core.lora import file as lora
from core.pictures.generate import at_once, decode, sample
from core.pictures.order import Order
from core.pictures.sheet import contact_sheet, png
from core.runs.events import Event, Finished, Phase, Started, Stopped
from core.runs.job import Requests
from core.training import network as networks
from core.training.cache import groups_of
from core.training.device import choose, free, room
from core.training.encode import chunks_needed, encode, token_ids

_ROOMY = 2 * 2**30
"""Bytes of GPU memory that four pictures of SDXL take while they are drawn."""


def draw(order: Order, requests: Requests) -> Iterator[Event]:
    """Make the pictures; ends with Finished, whose path is the contact sheet, or Stopped."""
    base, device = order.base, choose()
    place, dtype = device.place, device.dtype
    total = sum(len(row.prompts) for row in order.rows) * order.steps
    yield Started(pid=os.getpid(), host=socket.gethostname(), device=device.name, total=total)
    yield Phase(name="load")
    tokenizers = load.tokenizers(base)
    encoders, unet = load.text_encoders(base, place, dtype), load.unet(base, place, dtype)
    tensors = lora.read(Path(order.lora)) if order.lora else {}
    network = networks.from_file(tensors, unet, encoders, place)
    network.compute_in(dtype)
    texts = ["", *(prompt for row in order.rows for prompt in row.prompts)]
    chunks = chunks_needed(tokenizers, texts, 3)
    encoded = []
    for row in order.rows:
        ids = [token_ids(tokenizer, ["", *row.prompts], chunks).to(place) for tokenizer in tokenizers]
        with torch.no_grad(), network.strength(row.strength):
            context, pooled = encode(encoders, (ids[0], ids[1]))
        if base.force_zeros_for_empty_prompt:
            context[0], pooled[0] = 0, 0
        encoded.append((context, pooled))
    del encoders
    size, done, rows = (order.width, order.height), 0, list[Tensor]()
    for row, (context, pooled) in zip(order.rows, encoded, strict=True):
        drawn = []
        left = room(place)
        for group in groups_of(range(1, len(row.prompts) + 1), at_once(*size, left is not None and left < _ROOMY)):
            texts_of = [0, *group]
            seeds = [order.seeds[number - 1] for number in group]
            with network.strength(row.strength):
                for latents in sample(
                    unet, base, context[texts_of], pooled[texts_of], size, seeds, order.steps, order.guidance, dtype
                ):
                    if latents is not None:
                        drawn.append(latents)
                        break
                    done += len(group)
                    yield Phase(name="pictures", done=done, total=total)
                    if requests.stop:
                        yield Stopped(step=done, reason="asked")
                        return
        rows.append(torch.cat(drawn))
    # The LoRA's layers hold the base's: both have to go before the VAE has room.
    del unet, network
    free()
    vae = load.vae(base, place, dtype)
    pictures: list[list[Image.Image]] = []
    for number, found in enumerate(rows):
        pictures.append(decode(vae, found))
        for column, picture in enumerate(pictures[-1]):
            write_bytes(order.picture(number, column), png(picture))
    sheet = contact_sheet(pictures, [row.label for row in order.rows])
    write_bytes(order.sheet, png(sheet))
    yield Finished(step=done, path=str(order.sheet))
