"""Captions as SDXL's UNet reads them: both text encoders side by side."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from core.captions.tokens import Tokenizer


def chunks_needed(tokenizers: Iterable[Tokenizer], texts: Iterable[str], most: int) -> int:
    """How many pieces of 75 tokens the longest text takes; all get as many, so that every step has one shape."""
    texts = list(texts)
    return max((len(tokenizer.chunks(text, most).ids) for tokenizer in tokenizers for text in texts), default=1)


def token_ids(tokenizer: Tokenizer, texts: Iterable[str], chunks: int) -> Tensor:
    """Shape (texts, chunks, 77)."""
    rows = []
    for text in texts:
        ids = tokenizer.chunks(text, chunks).ids
        rows.append(ids + [tokenizer.chunks("", 1).ids[0]] * (chunks - len(ids)))
    return torch.tensor(rows, dtype=torch.long)


def encode(encoders: tuple[Any, Any], ids: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Context (batch, 75 × chunks + 2, width of both) and pooled (batch, width) of token ids (batch, chunks, 77).

    SDXL reads the last hidden layer but one of both encoders, without the final norm, and the pooled output of the
    second. Chunks are joined as in sd-scripts (`get_hidden_states_sdxl`): the first beginning, every middle, the last
    end; pooled is the first chunk's.
    """
    contexts, pooled = [], None
    for encoder, tokens in zip(encoders, ids, strict=True):
        batch, chunks, length = tokens.shape
        out = encoder(tokens.reshape(batch * chunks, length), output_hidden_states=True)
        hidden = out.hidden_states[-2].reshape(batch, chunks, length, -1)
        middle = hidden[:, :, 1:-1].reshape(batch, chunks * (length - 2), -1)
        contexts.append(torch.cat([hidden[:, 0, :1], middle, hidden[:, -1, -1:]], dim=1))
        if hasattr(out, "text_embeds"):
            pooled = out.text_embeds.reshape(batch, chunks, -1)[:, 0]
    assert pooled is not None
    return torch.cat(contexts, dim=-1), pooled
