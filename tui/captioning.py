"""Captions that taggers write or other tools have left: what screens and commands do alike."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from core.captions import edits, review
from core.captions.caption import is_sentence, one_line, without_word
from core.images.drawing import Drawing
from core.images.treatment import Treatment
from core.project import Kind, Place, Project
from core.runs.launch import launch
from core.runs.run import Run
from core.taggers import compose, results
from core.taggers.catalog import Entry
from core.taggers.catalog import order as download_of
from core.taggers.compose import Mode, Rules
from core.taggers.find import Found
from core.taggers.order import Order
from core.taggers.tagger import Subject, Tagged

MODES: tuple[Mode, ...] = ("keep", "append", "replace")
NAMES_FROM = 0.85
"""How sure a tagger must be of a character's name, once names are wanted: its makers' own threshold."""
_GUIDES = ("wd-eva02-large", "wd-vit-large")
"""The two whose tags the guide's notebook puts together."""

Changes = dict[str, tuple[str, str]]
"""By the drawing's name: what its caption is, and what it would be."""


def usual(found: Sequence[Found], kind: Kind) -> tuple[Found, ...]:
    """The taggers that the guide takes, of those on this disk: sentences for a style, tags for a character.

    The one in the box knows little, and is taken where there is no other.
    """
    good = [tagger for tagger in found if not tagger.in_the_box]
    if kind == "style" and (writing := [tagger for tagger in good if tagger.kind == "sentences"]):
        return (writing[0],)
    tagging = [tagger for tagger in good if tagger.kind == "tags"]
    pair = [tagger for tagger in tagging if tagger.id in _GUIDES]
    return tuple(pair or (tagging or good or list(found))[:1])


def subjects(place: Place, project: Project, drawings: Iterable[Drawing]) -> tuple[Subject, ...]:
    """Drawings as taggers get them."""
    folder, plain = place.dataset(project), Treatment()
    return tuple(
        Subject(
            drawing.name,
            folder / drawing.name,
            drawing.digest,
            project.treatments.get(drawing.name, plain).background,
        )
        for drawing in drawings
    )


def is_empty(text: str, word: str) -> bool:
    """Whether a caption says nothing beside the activation word."""
    return not one_line(without_word(text, word))


def begun(runs: Path, order: Order) -> Run:
    """Start the job of the taggers."""
    run = Run.create(runs, order)
    launch(run, "core.taggers.job")
    return run


def fetched(runs: Path, entry: Entry) -> Run:
    """Start the job that downloads a tagger."""
    run = Run.create(runs, download_of(entry))
    launch(run, "core.hub.job")
    return run


def looks(order: Order) -> list[dict[str, Tagged]]:
    """What each tagger of an order has seen, by the drawing's name."""
    return [results.current(order.scores(tagger), order.drawings) for tagger in order.taggers]


def composed(order: Order, present: Mapping[str, str], rules: Rules, mode: Mode, word: str) -> Changes:
    """The captions that would change by what the taggers have seen so far; `present` has the text of each."""
    return compose.changes(present, looks(order), rules, mode, word)


def marks_of(changes: Changes, mode: Mode, word: str, known: review.Reviewed) -> dict[str, str]:
    """The marks of captions that hold nothing but what taggers wrote; `known` has those from before.

    What was added to a person's words stays that person's caption.
    """
    return {
        drawing: review.mark(after)
        for drawing, (before, after) in changes.items()
        if mode == "replace" or is_empty(before, word) or review.is_reviewed(known, drawing, before)
    }


def merged(present: Mapping[str, str], given: Mapping[str, str], mode: Mode, word: str) -> Changes:
    """The captions that would change by texts from elsewhere; an empty text changes nothing."""
    texts = {drawing: text for drawing, text in given.items() if drawing in present and text.strip()}
    after = {drawing: _together(present[drawing], text, mode, word) for drawing, text in texts.items()}
    return {drawing: (present[drawing], text) for drawing, text in after.items() if text != present[drawing]}


def _together(before: str, given: str, mode: Mode, word: str) -> str:
    if is_empty(before, word) or mode == "replace":
        return given
    if mode == "keep" or one_line(given) in one_line(before):
        return before
    if is_sentence(given) or is_sentence(before):
        kept = before.rstrip(", \t\r\n")
        return kept + (" " if kept.endswith((".", "!", "?")) else ", ") + given
    return edits.add([given])(before)
