"""`boceto caption`: captions by taggers, or from the files of other tools."""

import hashlib
from argparse import Namespace
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Any

import msgspec

from core import paths
from core.captions import imports, review, store
from core.captions.store import CaptionFile
from core.errors import BocetoError, Problem
from core.images.drawing import Drawing
from core.images.scan import scan
from core.images.treatment import Treatment
from core.language import _, ngettext
from core.project import Place, Project
from core.runs import events
from core.taggers import catalog, find
from core.taggers.compose import OFF, Rules
from core.taggers.find import Found
from core.taggers.order import Order
from tui import captioning
from tui.captioning import NAMES_FROM, Changes
from tui.headless.changes import complain, make, show, summary
from tui.headless.progress import status_of, watch
from tui.headless.train import project_of

INTERRUPTED = 130


def caption(options: Namespace) -> int:
    """Write captions. Returns 1 when some could not be written, or when not every drawing was looked at."""
    place, project = project_of(options)
    if options.source is not None:
        return _import(options, place, project)
    rules = _rules(options, project)
    taggers = _taggers(options, place, project)
    if taggers is None:
        return INTERRUPTED
    drawings, files = _captions(place, project)
    present = {name: file.text for name, file in files.items()}
    empty = [one for one in drawings if captioning.is_empty(present.get(one.name, ""), project.activation_word)]
    wanted = [one for one in (empty if options.mode == "keep" else drawings) if one.name in files]
    if not wanted:
        return _made("", {}, files, options, place, project)[0]
    work = _workplace(options, place, project)
    order = Order(taggers=taggers, folder=work.scores, drawings=captioning.subjects(place, project, wanted))
    last = watch(captioning.begun(work.captioning, order), options.json)
    if last is None:
        return INTERRUPTED
    status_of(last)  # raises for a failed job
    changes = captioning.composed(order, present, rules, options.mode, project.activation_word)
    seen = set[str]().union(*captioning.looks(order))
    name = _("captions by {taggers}").format(taggers=", ".join(tagger.name for tagger in taggers))
    status, made = _made(name, changes, files, options, place, project)
    if made and not options.dry_run:
        known = review.load(place.written)
        marks = captioning.marks_of(made, options.mode, project.activation_word, known)
        review.save(place.written, {**known, **marks})
    unseen = len(wanted) - len(seen)
    if unseen or isinstance(last, events.Stopped):
        words = ngettext("{n} drawing was not looked at.", "{n} drawings were not looked at.", unseen)
        complain(words.format(n=unseen))
        return 1
    return status


def _import(options: Namespace, place: Place, project: Project) -> int:
    """Take the captions that other tools left."""
    folder = place.dataset(project)
    sources = imports.sources(folder)
    if options.source:
        asked = Path(options.source).expanduser().resolve()
        sources = [source for source in sources if source.path.resolve() == asked]
    if not sources:
        raise BocetoError(
            _("There are no captions of other tools in “{folder}”.").format(folder=options.source or folder),
            _("They can be .caption files, a metadata.jsonl, or the JSON file of sd-scripts."),
            _("Put them beside the drawings, or in a folder above them within the dataset."),
        )
    _drawings, files = _captions(place, project)
    present = {name: file.text for name, file in files.items()}
    given: dict[str, str] = {}
    strange: list[Problem] = []
    for item in chain.from_iterable(map(imports.read, sources)):
        if isinstance(item, Problem):
            strange.append(item)
        else:
            given.setdefault(*item)
    for problem in strange:
        complain(f"{problem.message} {problem.remedy}")
    changes = captioning.merged(present, given, options.mode, project.activation_word)
    name = _("captions from {files}").format(files=", ".join(source.path.name for source in sources))
    return _made(name, changes, files, options, place, project)[0]


def _captions(place: Place, project: Project) -> tuple[list[Drawing], dict[str, CaptionFile]]:
    """The drawings that count, and the captions of those whose caption can be read."""
    folder, usual = place.dataset(project), Treatment()
    found = chain.from_iterable(scan(folder, Event(), nested=project.nested))
    drawings = [
        one for one in found if isinstance(one, Drawing) and not project.treatments.get(one.name, usual).excluded
    ]
    if not drawings:
        raise BocetoError(
            _("There is no drawing in “{folder}”.").format(folder=folder),
            hint=_("`boceto check` says why, if there should be some."),
        )
    files = {one.name: store.read(folder / one.name) for one in drawings}
    for name in [name for name, file in files.items() if file.trouble]:
        complain(
            _("The caption of “{drawing}” cannot be read: {reason}.").format(
                drawing=name, reason=files.pop(name).trouble
            )
        )
    return drawings, files


def _taggers(options: Namespace, place: Place, project: Project) -> tuple[Found, ...] | None:
    """Those that were asked for, or what the guide takes; None when one turned away from a download."""
    if not options.taggers:
        there = captioning.usual(find.find(), project.kind)
        if not there:
            raise find.missing(next(known for known in catalog.CATALOG if known.kind == "tags"))
        return there
    for wanted in options.taggers:
        known = catalog.entry(wanted)
        if options.fetch and known and known.id not in {tagger.id for tagger in find.find()}:
            work = _workplace(options, place, project)
            last = watch(captioning.fetched(work.captioning, known), options.json)
            if not isinstance(last, events.Finished):
                status_of(last)
                return None
    return tuple(_resolved(wanted) for wanted in options.taggers)


def _resolved(wanted: str) -> Found:
    try:
        return find.resolve(wanted)
    except BocetoError as error:
        if catalog.entry(wanted) is None:
            raise
        hint = "\n".join((error.hint, _("`boceto caption … --fetch` lets Boceto fetch it.")))
        raise BocetoError(error.title, error.detail, hint) from error


def _rules(options: Namespace, project: Project) -> Rules:
    """What becomes a caption, as the flags say. Raises BocetoError for a number that cannot be."""
    usual = Rules.of(project.kind, project.never_tags)
    names = options.character if options.character is not None else NAMES_FROM if options.characters else OFF
    chosen: dict[str, Any] = {
        "general": usual.general if options.general is None else options.general,
        "character": names,
        "undesired": [*usual.undesired, *options.never],
        "most": options.most,
    }
    try:
        return msgspec.convert(chosen, Rules)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`")
        raise BocetoError(
            _("--{flag} cannot be {value}.").format(flag=field, value=chosen.get(field)),
            _("How sure a tagger must be is a number from 0.05 to 1.") if field != "most" else str(error),
            _("`boceto caption --help` shows every choice."),
        ) from error


def _workplace(options: Namespace, place: Place, project: Project) -> Place:
    """Where scores and runs go: the project's folder; for a dry run of drawings that have no project yet, the cache."""
    if options.dry_run and not place.file.is_file():
        folder = place.dataset(project).resolve()
        return Place(paths.cache() / "captioning" / hashlib.sha256(bytes(folder)).hexdigest()[:16])
    if not place.file.is_file():
        place.save(project)
    return place


def _made(
    name: str, changes: Changes, files: Mapping[str, CaptionFile], options: Namespace, place: Place, project: Project
) -> tuple[int, Changes]:
    """Show the changes, and make them unless this is a dry run. Returns the exit status, and those that are made."""
    show(changes, options.json)
    made = changes if options.dry_run or not changes else make(name, changes, files, place, project)
    if not options.json:
        print(summary(len(made), options.dry_run))
    return int(len(made) < len(changes)), made
