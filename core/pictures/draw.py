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
from core.language import _
from core.lora import file as lora
from core.pictures.generate import decode, sample
from core.pictures.order import Order
from core.pictures.sheet import contact_sheet, png
from core.runs.events import Event, Finished, Phase, Started, Stopped
from core.runs.job import Requests
from core.training import network as networks
from core.training.device import choose
from core.training.encode import chunks_needed, encode, token_ids


def draw(order: Order, requests: Requests) -> Iterator[Event]:
    """Make the pictures; ends with Finished, whose path is the contact sheet, or Stopped."""
    base, device = order.base, choose()
    place, dtype = device.place, device.dtype
    total = len(order.rows) * order.steps
    yield Started(pid=os.getpid(), host=socket.gethostname(), device=device.name, total=total)
    yield Phase(name="load")
    tokenizers = load.tokenizers(base)
    encoders, unet = load.text_encoders(base, place, dtype), load.unet(base, place, dtype)
    network = networks.from_file(lora.read(Path(order.lora)), unet, encoders, place) if order.lora else None
    texts = ["", *(prompt for row in order.rows for prompt in row.prompts)]
    chunks = chunks_needed(tokenizers, texts, 3)
    done, rows = 0, list[Tensor]()
    for row in order.rows:
        ids = [token_ids(tokenizer, ["", *row.prompts], chunks).to(place) for tokenizer in tokenizers]
        with torch.no_grad(), networks.at(network, row.strength):
            context, pooled = encode(encoders, (ids[0], ids[1]))
            if base.force_zeros_for_empty_prompt:
                context[0], pooled[0] = 0, 0
            size = (order.width, order.height)
            for latents in sample(unet, base, context, pooled, size, order.seeds, order.steps, order.guidance, dtype):
                if latents is not None:
                    rows.append(latents)
                    break
                done += 1
                yield Phase(name="pictures", done=done, total=total)
                if requests.stop:
                    yield Stopped(step=done, reason=_("as asked"))
                    return
    del unet
    vae = load.vae(base, place, dtype)
    pictures: list[list[Image.Image]] = []
    for number, latents in enumerate(rows):
        pictures.append(decode(vae, latents))
        for column, picture in enumerate(pictures[-1]):
            write_bytes(order.picture(number, column), png(picture))
    sheet = contact_sheet(pictures, [row.label for row in order.rows])
    write_bytes(order.sheet, png(sheet))
    yield Finished(step=done, path=str(order.sheet))
