"""WD taggers: any `model.onnx` with its `selected_tags.csv` of the SmilingWolf family, through onnxruntime."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import hardware
from core.errors import BocetoError, Problem
from core.images.drawing import Unreadable
from core.images.scan import THREADS
from core.language import _
from core.taggers.preparation import prepared
from core.taggers.tagger import EVERY, Category, Scored, Seen, Subject, Tagged, open_subject, unreadable

KEPT_FROM = 0.05
"""Scores below are not kept: no threshold that makes sense would ask for them, and there are ten thousand a drawing."""
USUAL_SIDE = 448
"""Pixels a side of the family's input, for a model that leaves it open."""
BATCH_ON_GPU = 8
"""Drawings at once, as in the notebook. A CPU is no faster with more than one, and each is a step of the progress."""

# Their underscores are eyes and mouths; from SmilingWolf's own list, without those of three letters.
_FACES = frozenset({"(o)_(o)", "<o>_<o>", "<|>_<|>", "||_||"})
_GENERAL, _CHARACTER, _RATING = Category.GENERAL, Category.CHARACTER, Category.RATING
# Danbooru's numbers. Artists, series and characters are names; "meta" is about the picture, as general tags are.
_CATEGORIES = {"0": _GENERAL, "5": _GENERAL, "1": _CHARACTER, "3": _CHARACTER, "4": _CHARACTER, "9": _RATING}

Named = tuple[str, Category]
Input = NDArray[np.float32]


@dataclass(frozen=True)
class _Ready:
    """A drawing on its way into the model."""

    subject: Subject
    digest: str
    pixels: Input


class Wd:
    """One tagger, loaded."""

    def __init__(self, session: Any, tags: Sequence[Named]) -> None:
        self._session = session
        self._tags = tags
        entrance = session.get_inputs()[0]
        self._entrance = entrance.name
        batch, side = entrance.shape[0], entrance.shape[1]
        self._side = side if isinstance(side, int) else USUAL_SIDE
        on_gpu = session.get_providers()[0] != "CPUExecutionProvider"
        self._fixed = batch if isinstance(batch, int) else 0
        self._batch = self._fixed or (BATCH_ON_GPU if on_gpu else 1)
        gpus = hardware.gpus() if on_gpu else []
        self.device = gpus[0].name if gpus else "CUDA" if on_gpu else "CPU"

    @classmethod
    def open(cls, model: Path, tags: Path) -> "Wd":
        """Load a tagger. Raises BocetoError for files that are not one, and where onnxruntime is not installed."""
        _refuse_stand_in(model)
        names = tag_names(tags)
        session = _session(model)
        shape, outputs = session.get_inputs()[0].shape, session.get_outputs()[0].shape
        if len(shape) != 4 or (isinstance(shape[3], int) and shape[3] != 3):
            raise _other_family(model, _("its input has the shape {shape}").format(shape=shape))
        if isinstance(outputs[-1], int) and outputs[-1] != len(names):
            raise _other_family(
                model,
                _("it knows {outputs} tags and the list names {names}").format(outputs=outputs[-1], names=len(names)),
            )
        return cls(session, names)

    def tag(self, drawings: Sequence[Subject], cancelled: Event) -> Iterator[Seen]:
        """Look at `drawings` in their order; see `core.taggers.tagger.Tagger`."""
        seen: Seen = []
        batch: list[_Ready | Problem] = []
        due = monotonic() + EVERY
        for item in self._prepare(drawings):
            if cancelled.is_set():
                break
            batch.append(item)
            if sum(isinstance(each, _Ready) for each in batch) == self._batch:
                seen += self._look(batch)
                batch = []
            if monotonic() >= due:
                yield seen
                seen, due = [], monotonic() + EVERY
        if not cancelled.is_set():
            seen += self._look(batch)
        if seen:
            yield seen

    def _prepare(self, drawings: Sequence[Subject]) -> Iterator[_Ready | Problem]:
        """Open the drawings beside the model's work; a short queue keeps few of them in memory."""
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="tagger")
        subjects = iter(drawings)
        queue: deque[Future[_Ready | Problem]] = deque(
            pool.submit(_ready, subject, self._side) for subject in islice(subjects, THREADS + self._batch)
        )
        try:
            while queue:
                item = queue.popleft().result()
                queue.extend(pool.submit(_ready, subject, self._side) for subject in islice(subjects, 1))
                yield item
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, batch: Sequence[_Ready | Problem]) -> Seen:
        """What the model says of a batch; the problems in it stay in their places."""
        ready = [item for item in batch if isinstance(item, _Ready)]
        if not ready:
            return [item for item in batch if isinstance(item, Problem)]
        # A model made for a fixed batch takes no smaller one.
        pixels = [item.pixels for item in ready] + [ready[-1].pixels] * max(0, self._fixed - len(ready))
        scores = iter(self._session.run(None, {self._entrance: np.stack(pixels)})[0])
        return [item if isinstance(item, Problem) else self._tagged(item, next(scores)) for item in batch]

    def _tagged(self, item: _Ready, scores: NDArray[np.float32]) -> Tagged:
        kept = np.flatnonzero(scores >= KEPT_FROM).tolist()
        tags = tuple(Scored(self._tags[n][0], round(float(scores[n]), 4), self._tags[n][1]) for n in kept)
        return Tagged(item.subject.name, item.digest, item.subject.background, tags=tags)


def tag_names(path: Path) -> list[Named]:
    """The tags of `selected_tags.csv` in the order of the model's outputs, as a caption spells them."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        return [(spelled(row["name"]), _CATEGORIES.get(row["category"], Category.GENERAL)) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, AttributeError) as error:
        raise BocetoError(
            _("The list of tags “{path}” could not be read.").format(path=path),
            _("It should be a table with the columns tag_id, name, category and count. {error}").format(
                error=f"{type(error).__name__}: {error}"
            ),
            _("Fetch “selected_tags.csv” again from where the model came."),
        ) from error


def spelled(name: str) -> str:
    """A tag of Danbooru as people write it in captions: blanks for underscores, faces such as `^_^` as they are."""
    return name if len(name) <= 3 or name in _FACES else name.replace("_", " ")


def _ready(subject: Subject, side: int) -> _Ready | Problem:
    try:
        image, digest = open_subject(subject)
    except Unreadable as error:
        return unreadable(subject, error)
    return _Ready(subject, digest, prepared(image, side))


def _session(model: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise BocetoError(
            _("onnxruntime is not installed, and WD taggers run on it."),
            str(error),
            _("Install it: pip install onnxruntime (with an NVIDIA GPU: pip install onnxruntime-gpu)."),
        ) from error
    providers = ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        # CUDA's libraries come with torch here; this finds them without importing it.
        onnxruntime.preload_dlls()
        providers.insert(0, "CUDAExecutionProvider")
    try:
        return onnxruntime.InferenceSession(str(model), providers=providers)
    # The classes of its errors are made by its C++ part and share no base but this.
    except Exception as error:
        raise BocetoError(
            _("The tagger “{path}” could not be loaded.").format(path=model),
            str(error).splitlines()[0],
            _("It may be damaged or cut off: fetch it again. Or choose another tagger."),
        ) from error


def _refuse_stand_in(model: Path) -> None:
    """What downloads leave in place of a model: a page that asks for a login, or git's note of where the file is."""
    try:
        with model.open("rb") as file:
            head = file.read(256).lstrip()
    except OSError as error:
        raise BocetoError(
            _("The tagger “{path}” could not be read.").format(path=model),
            error.strerror or str(error),
            _("See whether the file is there and whether you may read it."),
        ) from error
    if head.startswith((b"<", b"version https://git-lfs")):
        raise BocetoError(
            _("“{path}” is no model: the download left something else in its place.").format(path=model),
            _("It begins with “{head}”.").format(head=head[:40].decode("ascii", "replace").splitlines()[0]),
            _("Delete it and fetch the file itself: on the page of the repository, under “Files”."),
        )


def _other_family(model: Path, reason: str) -> BocetoError:
    return BocetoError(
        _("“{path}” is not a tagger of the WD family: {reason}.").format(path=model, reason=reason),
        hint=_("Choose a tagger of SmilingWolf, and keep its “model.onnx” and “selected_tags.csv” together."),
    )
