"""CLIP's tokens: how a caption reaches the text encoders, and what of it is cut."""

import json
from pathlib import Path
from typing import Any

from msgspec import Struct
from tokenizers import AddedToken, Encoding, Regex, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Pipeline
from tokenizers.models import BPE

from core.errors import BocetoError, Problem, Severity
from core.language import _

CHUNK = 75
"""Tokens the text encoders read at once, without the two that open and close them (CLIP's context is 77)."""

_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BEGINNING, _END = "<|startoftext|>", "<|endoftext|>"


class Chunks(Struct, frozen=True):
    """A caption as the text encoders get it."""

    ids: list[list[int]]
    """As many chunks of 77 as the caption needs, and one for an empty caption."""
    lost: str
    """The end of the caption that no chunk holds, as the person wrote it."""


class Tokenizer:
    """One of a base's two tokenizers: the same tokens as transformers' `CLIPTokenizer`, without loading it."""

    def __init__(self, pipeline: Pipeline, beginning: int, end: int, padding: int) -> None:
        self._pipeline = pipeline
        self.beginning = beginning
        self.end = end
        self.padding = padding

    @classmethod
    def open(cls, folder: Path) -> "Tokenizer":
        """The tokenizer in a base's folder `tokenizer` or `tokenizer_2`."""
        try:
            specials, extra = _specials(folder)
            model = BPE(*_vocabulary(folder), end_of_word_suffix="</w>", unk_token=specials["unk_token"].content)
        # `tokenizers` raises plain Exceptions for broken files.
        except Exception as error:
            raise BocetoError(
                _("The base's tokenizer in “{folder}” cannot be read.").format(folder=folder),
                str(error),
                _("The base is incomplete: copy or download it again."),
            ) from error
        pipeline = Pipeline(model)
        pipeline.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        pipeline.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        # Special tokens are found whole in a text. SDXL's second tokenizer pads with "!", so "!" is special there
        # and a caption's "!" becomes padding; diffusers does the same when it draws.
        pipeline.add_tokens([*extra, *specials.values()])
        ids = pipeline.get_vocab(with_added_tokens=True)
        beginning, end, padding = (ids[specials[name].content] for name in ("bos_token", "eos_token", "pad_token"))
        return cls(pipeline, beginning, end, padding)

    def count(self, text: str) -> int:
        """Tokens of a text, without the two around it."""
        return len(self._encoded(text).ids)

    def pieces(self, text: str) -> list[str]:
        """The tokens as the vocabulary spells them: `</w>` ends a word, and letters beyond a–z are spelled in bytes."""
        return list(self._encoded(text).tokens)

    def ids(self, text: str) -> list[int]:
        """The tokens' numbers, without the two around them."""
        return list(self._encoded(text).ids)

    def place_of(self, text: str, number: int) -> int | None:
        """The letter at which the token `number` (counted from 0) of a text begins; None when it has fewer."""
        offsets = self._encoded(text).offsets
        return int(offsets[number][0]) if number < len(offsets) else None

    def chunks(self, text: str, most: int = 3) -> Chunks:
        """The caption in chunks of 77: beginning, up to 75 tokens, end, then padding.

        Cut after 75 tokens wherever that is, like sd-scripts (`_get_input_ids`). A caller that needs every caption
        of a batch equally long adds the chunk of an empty caption, as sd-scripts does.
        """
        encoded = self._encoded(text)
        ids = encoded.ids[: CHUNK * most]
        parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)] or [[]]
        lost = encoded.offsets[CHUNK * most :]
        return Chunks([self._framed(part) for part in parts], text[lost[0][0] :] if lost else "")

    def _framed(self, ids: list[int]) -> list[int]:
        return [self.beginning, *ids, self.end, *[self.padding] * (CHUNK - len(ids))]

    def _encoded(self, text: str) -> Encoding:
        return self._pipeline.encode(_typed(text), add_special_tokens=False)


def _typed(text: str) -> str:
    """A text typed in another encoding may hold halves of characters, which tokenizers refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def check_tokens(caption: str, tokenizer: Tokenizer, most: int = 3, drawing: str = "") -> Problem | None:
    """Says which end of a caption the text encoders would never see."""
    lost = tokenizer.chunks(caption, most).lost.strip()
    if not lost:
        return None
    return Problem(
        Severity.WARNING,
        drawing,
        "caption-too-long",
        _("This caption has {count} tokens and only the first {most} are read: “{lost}” is cut.").format(
            count=tokenizer.count(caption), most=CHUNK * most, lost=lost
        ),
        _("Shorten it, or move what matters to its beginning."),
    )


def _vocabulary(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens and merges, from the two files of a diffusers folder or the one that newer tools write."""
    if (folder / "vocab.json").exists() or not (folder / "tokenizer.json").exists():
        return BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    model = _json(folder / "tokenizer.json")["model"]
    merges = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return model["vocab"], [(left, right) for left, right in merges]


def _specials(folder: Path) -> tuple[dict[str, AddedToken], list[AddedToken]]:
    """The four named special tokens, and every one whose properties are listed, which go before them.

    The order of precedence is transformers' own (`_from_pretrained`).
    """
    config = _json(folder / "tokenizer_config.json")
    if "added_tokens_decoder" in config:
        listed = [token for _id, token in sorted(config["added_tokens_decoder"].items(), key=lambda item: int(item[0]))]
    else:
        config |= _json(folder / "special_tokens_map.json")
        listed = _json(folder / "tokenizer.json").get("added_tokens", [])
    named = {"bos_token": _BEGINNING, "eos_token": _END, "unk_token": _END, "pad_token": _END}
    extra = {one["content"]: _token(one) for one in listed}
    tokens = (_token(config.get(name) or usual) for name, usual in named.items())
    return {name: extra.get(token.content, token) for name, token in zip(named, tokens, strict=True)}, [*extra.values()]


def _token(written: str | dict[str, Any]) -> AddedToken:
    if isinstance(written, str):
        return AddedToken(written, special=True, normalized=False)
    flags = {flag: bool(written[flag]) for flag in ("single_word", "lstrip", "rstrip", "normalized") if flag in written}
    return AddedToken(written["content"], special=True, **flags)


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
