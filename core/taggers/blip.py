"""BLIP: one sentence a drawing, as one would describe a photo, through transformers."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.errors import BocetoError, Problem
from core.images.drawing import Unreadable
from core.language import _
from core.taggers.tagger import EVERY, Seen, Subject, Tagged, open_subject, unreadable
from core.training.device import Device, choose

SHORTEST, LONGEST = 10, 75
"""Tokens of a sentence, as in the notebook; BLIP's tokens, of which an English word has about 1.3."""
BEAMS = 3
"""As many as BLIP's authors take. The notebook asks for a search by beams and leaves their number at one."""
BATCH_ON_GPU = 8
"""Drawings at once, as in the notebook. A CPU is no faster with more than one, and each is a step of the progress."""

_VOCABULARIES = ("tokenizer.json", "vocab.txt")
# What its configs leave out is what all published checkpoints have: CLIP's mean and deviation, and 384 pixels.
_SIDE = 384
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)

# Openings that stand in every other caption and say nothing of the drawing: the training would fuse them with the word.
# What kind of picture it is ("a drawing of") stays, as that may be meant.
_OPENING = re.compile(
    r"""^\W*(?:
        (?:this\s+is|there\s+(?:is|are)|here\s+(?:is|are)) \b
      | (?:(?:a|an|the|this|some|these)\s+)? (?:picture|image|photo|photograph|pic) s? \s+ (?:of|showing) \b
      | (?:a|an|the|this) \s+ (?:picture|image|photo|photograph) \s+ (?:shows|features|depicts) \b
      | (?:a\s+)? close (?:\s+|-) up \s+ of \b
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
# A word that is in no dictionary: BLIP large learned it from giraffes and says it of women, dogs and statues.
_INVENTED = re.compile(r"\b(?:an?\s+)?ara(?:f|ff)(?:e|ed|es)\b\s*", re.IGNORECASE)
_ARTICLE = re.compile(r"(an?)\s+", re.IGNORECASE)


class Blip:
    """One model, loaded."""

    def __init__(
        self, model: Any, tokenizer: Any, pixels: "Pixels", device: Device, shortest: int, longest: int, beams: int
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._pixels = pixels
        self._device = device
        self._limits = {"min_length": shortest, "max_length": longest, "num_beams": beams}
        self._batch = BATCH_ON_GPU if device.place.type == "cuda" else 1
        self.device = device.name

    @classmethod
    def open(cls, folder: Path, shortest: int = SHORTEST, longest: int = LONGEST, beams: int = BEAMS) -> "Blip":
        """Load a model. Raises BocetoError for a folder that does not hold a whole one; the network is never asked."""
        from transformers import BertTokenizer, BlipForConditionalGeneration

        device = choose()
        if not any((folder / name).is_file() for name in _VOCABULARIES):  # transformers takes an empty one then
            raise _not_whole(folder, _("Its vocabulary is missing: {files}.").format(files=" / ".join(_VOCABULARIES)))
        try:
            model, told = BlipForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, dtype=device.dtype, output_loading_info=True
            )
            tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
            pixels = Pixels.read(folder)
        # transformers, safetensors and torch raise what they like on files that are cut off or of another kind.
        except Exception as error:
            raise _not_whole(folder, f"{type(error).__name__}: {error}".splitlines()[0]) from error
        # transformers fills what a file lacks with random numbers, and such a model writes nonsense.
        if lacking := sorted(set(told["missing_keys"]) & {name for name, _weights in model.named_parameters()}):
            raise _not_whole(folder, _("Weights are missing from it, such as {name}.").format(name=lacking[0]))
        return cls(model.to(device.place).eval(), tokenizer, pixels, device, shortest, longest, beams)

    def tag(self, drawings: Sequence[Subject], cancelled: Event) -> Iterator[Seen]:
        """Look at `drawings` in their order; see `core.taggers.tagger.Tagger`."""
        seen: Seen = []
        due, subjects = monotonic() + EVERY, iter(drawings)
        while not cancelled.is_set() and (batch := list(islice(subjects, self._batch))):
            seen += self._look(batch)
            if monotonic() >= due:
                yield seen
                seen, due = [], monotonic() + EVERY
        if seen:
            yield seen

    def _look(self, batch: Sequence[Subject]) -> Seen:
        """What the model says of a batch; a drawing that cannot be opened is a problem in its place."""
        opened: list[tuple[Subject, str] | Problem] = []
        pixels: list[NDArray[np.float32]] = []
        for subject in batch:
            try:
                image, digest = open_subject(subject)
                pixels.append(self._pixels.of(image))
                opened.append((subject, digest))
            except Unreadable as error:
                opened.append(unreadable(subject, error))
        sentences = iter(self._describe(np.stack(pixels)) if pixels else ())
        return [
            item
            if isinstance(item, Problem)
            else Tagged(item[0].name, item[1], item[0].background, sentence=next(sentences))
            for item in opened
        ]

    def _describe(self, pixels: NDArray[np.float32]) -> list[str]:
        with torch.inference_mode():
            # No prompt: with one, the original takes as many letters off the answer, whether they are there or not.
            ids = self._model.generate(
                input_ids=None,
                pixel_values=torch.from_numpy(pixels).to(self._device.place, self._device.dtype),
                do_sample=False,
                **self._limits,
            )
        return [plain(text) for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


class Pixels:
    """How the model wants a drawing: squashed to its square, as numbers around nought."""

    def __init__(self, size: tuple[int, int], mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.size = size
        """Width and height."""
        self._mean = np.asarray(mean, np.float32)
        self._deviation = np.asarray(deviation, np.float32)

    @classmethod
    def read(cls, folder: Path) -> "Pixels":
        """As the model's own config has it."""
        config = json.loads((folder / "preprocessor_config.json").read_bytes())
        size = config.get("size") or _SIDE
        width, height = (size["width"], size["height"]) if isinstance(size, dict) else (size, size)
        return cls((int(width), int(height)), config.get("image_mean") or _MEAN, config.get("image_std") or _DEVIATION)

    def of(self, image: Image.Image) -> NDArray[np.float32]:
        """Channels first, as `BlipImageProcessor` makes them."""
        squashed = image.resize(self.size, Image.Resampling.BICUBIC)
        numbers = np.asarray(squashed, np.float32) / np.float32(255)
        return np.ascontiguousarray(((numbers - self._mean) / self._deviation).transpose(2, 0, 1), np.float32)


def plain(sentence: str) -> str:
    """A sentence without the openings that say nothing, and without the word that does not exist."""
    text, before = " ".join(sentence.split()), None
    while text != before:
        before = text
        text = _INVENTED.sub(_article_kept, text)
        text = _OPENING.sub("", text) or text
    return text.strip(" ,")


def _article_kept(found: re.Match[str]) -> str:
    """“an arafed woman” is a woman, and “arafed woman” is one too."""
    return "a " if _ARTICLE.match(found[0]) else ""


def _not_whole(folder: Path, detail: str) -> BocetoError:
    return BocetoError(
        _("The model in “{folder}” could not be loaded as a BLIP model.").format(folder=folder),
        detail,
        _("It may be cut off or of another kind: fetch it again, or choose another tagger."),
    )
