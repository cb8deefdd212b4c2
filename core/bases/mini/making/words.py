"""Words for the base: a CLIP tokenizer small enough for it, and the captions it learns from."""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from string import ascii_lowercase

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from core.files import write_text

TOKENS = 1603
"""256 bytes, the same 256 at a word's end, up to 1089 merges and the 2 specials; SDXL has 49,408."""
LENGTH = 77
"""Tokens a caption is cut or padded to, as in SDXL."""
START, END = "<|startoftext|>", "<|endoftext|>"
_ENDED = "</w>"

# CLIP's way of cutting text into words (transformers, `CLIPTokenizer`).
_WORD = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def tokenizers(names: Iterable[str]) -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """SDXL's two tokenizers over one vocabulary learnt from `names`: they differ in what they pad with."""
    vocabulary, merges = _learnt(names)
    first, second = (
        CLIPTokenizer(
            vocab=vocabulary,
            merges=merges,
            unk_token=END,
            bos_token=START,
            eos_token=END,
            pad_token=padding,
            model_max_length=LENGTH,
            do_lower_case=True,
        )
        for padding in (END, "!")  # as in SDXL
    )
    return first, second


def _learnt(names: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    learner = Tokenizer(models.BPE(end_of_word_suffix=_ENDED))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), key=_byte_order)
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS - 2, initial_alphabet=alphabet, end_of_word_suffix=_ENDED, show_progress=False
    )
    learner.train_from_iterator(names, trainer)
    # The trainer numbers merges and endings as they come; CLIP has bytes, bytes that end a word, merges, specials.
    pieces = dict.fromkeys([*alphabet, *(byte + _ENDED for byte in alphabet)])
    merges = []
    for left, right in json.loads(learner.to_str())["model"]["merges"]:
        if len(pieces) == TOKENS - 2:
            break
        merges.append((left, right))
        pieces[left + right] = None  # two merges may spell the same piece; it has one number
    return {piece: number for number, piece in enumerate([*pieces, START, END])}, merges


def _byte_order(character: str) -> tuple[bool, int]:
    """CLIP's order of the 256 bytes: those that print as themselves come first, so that "!" is number 0."""
    return ord(character) >= 256, ord(character)


def save(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Add to a saved tokenizer the files that readers older than transformers 5 look for."""
    kept = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    merges = "\n".join(" ".join(pair) for pair in kept["merges"])
    write_text(folder / "merges.txt", f"#version: 0.2\n{merges}\n")
    write_text(folder / "vocab.json", json.dumps(kept["vocab"], ensure_ascii=False))
    specials = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": tokenizer.pad_token}
    write_text(folder / "special_tokens_map.json", json.dumps(specials))


def tokens(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Numbers of the captions' tokens, (n, 77), cut and padded as SDXL's pipeline does."""
    numbers: torch.Tensor = tokenizer(
        captions, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids
    return numbers


def caption(random: Random, concept: str, style: str) -> str:
    """One of the ways to ask for `concept`.

    22 % name no style, so that a bare name works; 10 % say nothing at all, which is what guidance subtracts
    (the pipeline then encodes '' and does not put zeros in its place); and 12 % begin with a made-up word, so
    that an unknown word such as an activation word changes nothing until a LoRA gives it a meaning.
    """
    if random.random() < 0.10:
        return ""
    way = random.random()
    text = f"{concept}, {style}" if way < 0.62 else f"{style}, {concept}" if way < 0.78 else concept
    if random.random() < 0.12:
        return f"{''.join(random.choices(ascii_lowercase, k=random.randint(4, 9)))}, {text}"
    return text
